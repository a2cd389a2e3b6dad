#include "core/train/attack.h"

#include <assert.h>
#include <string.h>

#include "core/tensor/operations.h"
#include "losses/shared.h"

Tensor *attack_cross_entropy(Tensor *logits, Tensor *clean, Tensor *classes)
{
    (void)clean;
    return t_softmax_cross_entropy(logits, classes);
}

Tensor *attack_divergence(Tensor *logits, Tensor *clean, Tensor *classes)
{
    (void)classes;
    return loss_divergence(t_log_softmax(clean), t_log_softmax(logits));
}

Tensor *attack_margin_change(Tensor *logits, Tensor *clean, Tensor *classes)
{
    Tensor *change = t_sub(logits, clean);
    Tensor *own = t_reshape(t_pick(change, classes), SHAPE(change->shape[0], 1));
    return t_norm(t_sub(own, change), -1, false);
}

bool attack_check(const Model *model, const Dataset *dataset, const Instance *loss, Error *error)
{
    if (model->input.shape.vocabulary)
        return fail_usage(error, "tokens cannot be moved by a small distance; attacks need features");
    if (dataset->target_kind != TARGET_CLASS)
        return fail_usage(error, "the data needs one class a sample");
    if (loss_decodes(loss) || model->input.outputs != dataset->classes)
        return fail_usage(error, "attacks take logits by a softmax; those of the loss %s are others",
                          loss->component->name);
    return true;
}

Attack *attack_new(const Instance *instance, const Model *model, const Dataset *dataset)
{
    Attack *attack = memory_new(sizeof *attack);
    attack->def = (const AttackDef *)instance->component;
    attack->values = instance->values;
    attack->model = model;
    attack->tape = tape_new();
    attack->size = dataset_sample_size(dataset);
    attack->mean = memory_array((size_t)attack->size, sizeof(float));
    attack->deviation = memory_array((size_t)attack->size, sizeof(float));
    bool channels = dataset->rank >= 3;
    int64_t last = dataset->shape[dataset->rank - 1], plane = channels ? attack->size / dataset->shape[0] : 1;
    for (int64_t i = 0; i < attack->size; i++) {
        int64_t c = channels ? i / plane : i % last;
        attack->mean[i] = dataset->normalized ? dataset->mean[c] : 0;
        attack->deviation[i] = dataset->normalized ? dataset->deviation[c] : 1;
    }
    FloatList range = attack->def->range(attack->values);
    bool bytes = dataset->type == ARRAY_U8;
    attack->low = range.count ? range.items[0] : bytes ? 0 : -INFINITY;
    attack->high = range.count ? range.items[1] : bytes ? 1 : INFINITY;
    return attack;
}

void attack_free(Attack *attack)
{
    if (!attack)
        return;
    tape_free(attack->tape);
    memory_free(attack->mean);
    memory_free(attack->deviation);
    memory_free(attack);
}

int64_t attack_restarts(const Attack *attack)
{
    return attack->def->restarts(attack->values);
}

bool attack_moves(const Attack *attack)
{
    return attack->def->moves(attack->values);
}

/* Logits at `points`, in the memory of the tape in use; NULL takes those of the samples. */
static float *logits_at(Attack *attack, const AttackInput *input, float *points)
{
    const Tensor *x = input->x;
    int64_t count = x->shape[0] * attack->model->input.outputs;
    float *copy = arena_alloc(tape_arena(), (size_t)count * sizeof *copy);
    Tape *outer = tape_use(attack->tape);
    bool was = tape_record(false);
    Forward forward = {0};
    Tensor *logits = model_forward(attack->model, &forward,
                                   t_wrap(ARRAY_F32, x->rank, x->shape, points ? points : tensor_f32(x)));
    assert(logits->count == count);
    memcpy(copy, logits->data, (size_t)count * sizeof *copy);
    tape_record(was);
    tape_reset();
    tape_use(outer);
    return copy;
}

static Tensor *restart_from(Attack *attack, const AttackInput *input, float *clean, int64_t restart)
{
    Tensor *points = t_new(ARRAY_F32, input->x->rank, input->x->shape);
    float *moved = arena_alloc(tape_arena(), (size_t)points->count * sizeof *moved);
    Tape *outer = tape_use(attack->tape);
    attack->def->points(attack, input, clean, restart, moved, tensor_f32(points));
    tape_use(outer);
    return points;
}

Tensor *attack_restart(Attack *attack, const AttackInput *input, int64_t restart)
{
    return restart_from(attack, input, logits_at(attack, input, NULL), restart);
}

static void measure(Attack *attack, const AttackInput *input, float *clean, Tensor *points, double *values)
{
    int64_t n = input->x->shape[0], outputs = attack->model->input.outputs;
    float *logits = logits_at(attack, input, tensor_f32(points));
    bool was = tape_record(false);
    Tensor *goal = input->goal(t_wrap(ARRAY_F32, SHAPE(n, outputs), logits),
                               t_wrap(ARRAY_F32, SHAPE(n, outputs), clean),
                               t_wrap(ARRAY_I32, SHAPE(n), (void *)(uintptr_t)input->classes));
    for (int64_t i = 0; i < n; i++)
        values[i] = tensor_value(goal, i);
    tape_record(was);
}

Tensor *attack_strongest(Attack *attack, const AttackInput *input, double *values)
{
    int64_t n = input->x->shape[0], restarts = attack_restarts(attack);
    float *clean = logits_at(attack, input, NULL);
    Tensor *best = restart_from(attack, input, clean, 0);
    if (restarts == 1 && !values)
        return best;
    double *other = arena_alloc(tape_arena(), (size_t)n * sizeof *other);
    values = values ? values : arena_alloc(tape_arena(), (size_t)n * sizeof *values);
    measure(attack, input, clean, best, values);
    for (int64_t r = 1; r < restarts; r++) {
        Tensor *points = restart_from(attack, input, clean, r);
        measure(attack, input, clean, points, other);
        for (int64_t i = 0; i < n; i++)
            if (other[i] > values[i]) {
                values[i] = other[i];
                memcpy(tensor_f32(best) + i * attack->size, tensor_f32(points) + i * attack->size,
                       (size_t)attack->size * sizeof(float));
            }
    }
    return best;
}
