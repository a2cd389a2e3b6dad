#include "core/train/robustness.h"

#include "core/tensor/operations.h"
#include "core/train/objective.h"

/* Clears robust[i] where another class than the sample's has the largest logit; returns how many stay. */
static int64_t keep_correct(const Model *model, Tensor *x, const int32_t *classes, double *robust)
{
    Forward forward = {0};
    bool was = tape_record(false);
    Tensor *predicted = t_argmax(model_forward(model, &forward, x), -1);
    tape_record(was);
    int64_t left = 0;
    for (int64_t i = 0; i < predicted->count; i++) {
        robust[i] = robust[i] > 0 && tensor_i32(predicted)[i] == classes[i] ? 1 : 0;
        left += robust[i] > 0;
    }
    return left;
}

static void attack_batch(Attack *attack, AttackInput *input, double *robust, double *change)
{
    int64_t n = input->x->shape[0], restarts = attack_moves(attack) ? attack_restarts(attack) : 0;
    for (int64_t i = 0; i < n; i++)
        robust[i] = 1;
    int64_t left = keep_correct(attack->model, input->x, input->classes, robust);
    input->goal = attack_cross_entropy;
    for (int64_t r = 0; r < restarts && left > 0; r++)
        left = keep_correct(attack->model, attack_restart(attack, input, r), input->classes, robust);
    input->goal = attack_margin_change;
    if (change && attack_moves(attack))
        attack_strongest(attack, input, change);
}

bool split_robustness(const Model *model, const Instance *loss, const Instance *attack_instance, const DataSplit *split,
                      int64_t batch_size, uint64_t seed, Arena *arena, Robustness *robustness, Error *error)
{
    const Dataset *dataset = split->dataset;
    if (!attack_check(model, dataset, loss, error))
        return false;
    const AttackDef *def = (const AttackDef *)attack_instance->component;
    double *weights = NULL;
    robustness->robust = arena_zero(arena, (size_t)split->count, sizeof(double));
    robustness->margin_change = NULL;
    if (!def->starts_at_sample(attack_instance->values))
        robustness->margin_change = arena_zero(arena, (size_t)split->count, sizeof(double));
    if (dataset->weights)
        robustness->weights = weights = arena_zero(arena, (size_t)split->count, sizeof(double));
    Attack *attack = attack_new(attack_instance, model, dataset);
    Loader *loader = loader_new(split, (LoaderOptions){.batch_size = batch_size});
    int64_t first = 0;
    for (int64_t b = 0; b < loader_batches(loader); b++) {
        const Batch *batch = loader_batch(loader, 0, b);
        AttackInput input = {.x = batch_tensors(model, dataset, batch).x,
                             .classes = batch->labels,
                             .seed = seed,
                             .first = (uint64_t)first};
        attack_batch(attack, &input, robustness->robust + first,
                     robustness->margin_change ? robustness->margin_change + first : NULL);
        for (int64_t i = 0; weights && i < batch->count; i++)
            weights[first + i] = (double)batch->weights[i];
        first += batch->count;
        tape_reset();
    }
    loader_free(loader);
    attack_free(attack);
    return true;
}
