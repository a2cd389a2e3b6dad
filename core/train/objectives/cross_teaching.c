/* Two networks of different initial values teach each other on samples whose labels are not looked at: each is the
   other's teacher, by its confident answers (the loss cbc, Liu et al. 2022) or by its largest class (cross pseudo
   supervision, Chen et al. 2021). A few samples have labels. */
#include <math.h>

#include "core/base/memory.h"
#include "core/models/twin.h"
#include "core/tensor/operations.h"
#include "core/train/objective.h"
#include "data/transform.h"

struct cross_teaching { Instance teaching; int64_t labeled, labeled_batch; double weight, rampup, noise; };

static const Param params[] = {
    PARAM_COMPONENT(struct cross_teaching, teaching, "\"cbc\"", "loss",
                    .help = "of one network's logits: given the other's as teacher_logits, or else their largest class "
                            "as the target"),
    PARAM_INT(struct cross_teaching, labeled, 100, .min = 1, .max = 1e12,
              .help = "training samples whose labels are used, as many of each class as can be"),
    PARAM_INT(struct cross_teaching, labeled_batch, 32, .min = 1, .max = 1e9,
              .help = "of them beside each batch of all training samples"),
    PARAM_FLOAT(struct cross_teaching, weight, 1, .min = 0, .max = 1e6, .help = "of the teaching, once it has risen"),
    PARAM_FLOAT(struct cross_teaching, rampup, 0.4, .min = 0, .max = 1, .help = "share of the run in which it rises"),
    PARAM_FLOAT(struct cross_teaching, noise, 0, .min = 0, .max = 1e6,
                .help = "n: what is taught sees inputs with noise from U(-n, n), its teacher as they are"),
    PARAM_END
};

typedef struct State {
    Arena *arena;
    DataSplit split;
    Loader *labeled;
    int64_t batches;            /* of all samples, an epoch */
} State;

static bool takes_teacher(const Instance *loss)
{
    return loss_targets(loss) == LOSS_NO_TARGETS && loss_takes_extra(loss, "teacher_logits");
}

static bool is_of_classes(const LossDef *def)
{
    return !def->outputs && !def->decode && !def->state_width && !def->tap && !def->cosines && !def->unnamed_classes;
}

/* Plain classes: no state, no columns but the classes, nothing beside logits and targets. */
static bool takes_classes(const Instance *loss)
{
    LossTargets targets = loss_targets(loss);
    return (targets == LOSS_CLASSES || targets == LOSS_CLASSES_OR_SOFT) && loss_every_leaf(loss, is_of_classes) &&
           loss_measures(loss);
}

static bool check(const void *values, const Instance *loss, const Dataset *shape, const TrainConfig *train,
                  Error *error)
{
    const struct cross_teaching *self = values;
    const Instance *teaching = &self->teaching;
    if (shape->target_kind != TARGET_CLASS || shape->type == ARRAY_I32)
        return fail_usage(error, "objective: cross_teaching wants features and one class a sample");
    for (int64_t i = 0; i < train->transforms.count; i++)
        if (((const TransformDef *)train->transforms.items[i].component)->batch)
            return fail_usage(error, "train.transforms: %s mixes targets; cross_teaching takes one class a sample",
                              train->transforms.items[i].component->name);
    if (!takes_classes(loss))
        return fail_usage(error, "loss: cross_teaching wants a loss of the logits of classes alone, such as ce; %s is "
                          "none", loss->component->name);
    if (!takes_classes(teaching) && !takes_teacher(teaching))
        return fail_usage(error, "objective.teaching: expected cbc, or a loss of the logits of classes alone, such as "
                          "ce; %s is none", teaching->component->name);
    LossInput in = {.logits = t_zeros(ARRAY_F32, SHAPE(2, shape->classes)), .targets = t_zeros(ARRAY_I32, SHAPE(2))};
    bool good = loss_check(loss, &in, error) || fail_at(error, "loss: %s", loss->component->name);
    if (takes_teacher(teaching)) {
        in.targets = NULL;
        loss_set_extra(&in, "teacher_logits", in.logits);
    }
    good = good && (loss_check(teaching, &in, error) ||
                    fail_at(error, "objective.teaching: %s", teaching->component->name));
    if (!good)
        error->status = STATUS_USAGE;
    return good;
}

/* In random order, samples of a class that has fewer than its share so far; then, where classes were too small, others.
   */
static void choose_labeled(State *state, const DataSplit *train, int64_t count, uint64_t seed)
{
    int64_t classes = train->dataset->classes, share = (count + classes - 1) / classes;
    int64_t *order = arena_zero(state->arena, (size_t)train->count, sizeof *order);
    int64_t *taken = arena_zero(state->arena, (size_t)classes, sizeof *taken);
    unsigned char *used = arena_zero(state->arena, (size_t)train->count, 1);
    Random random = random_start(seed, "labeled", 0);
    random_permutation(&random, train->count, order);
    state->split = (DataSplit){train->dataset, 0, arena_zero(state->arena, (size_t)count, sizeof *state->split.order)};
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < train->count && state->split.count < count; i++) {
            int64_t id = train->order[order[i]];
            int32_t label = train->dataset->labels[id];
            if (used[i] || (pass == 0 && taken[label] >= share))
                continue;
            used[i] = 1;
            taken[label]++;
            state->split.order[state->split.count++] = id;
        }
}

static bool prepare(ObjectiveContext *context, Error *error)
{
    const struct cross_teaching *self = context->values;
    const TrainConfig *train = &context->config->train;
    const DataSplit *split = &context->splits->train;
    if (!twin_networks(context->model))
        return fail_usage(error, "objective: cross_teaching wants two networks; set model to {\"type\": \"twin\", "
                          "\"model\": ...}");
    if (self->labeled > split->count)
        return fail_usage(error, "objective.labeled: %lld of %lld training samples", (long long)self->labeled,
                          (long long)split->count);
    State *state = context->state = memory_new(sizeof *state);
    state->arena = arena_new();
    choose_labeled(state, split, self->labeled, context->seed);
    LoaderOptions options = {.batch_size = self->labeled_batch, .shuffle = true, .transforms = train->transforms,
                             .seed = context->seed, .view = 1, .prefetch = train->prefetch};
    state->batches = (split->count + train->batch_size - 1) / train->batch_size;
    state->labeled = loader_new(&state->split, options);
    return true;
}

static void release(ObjectiveContext *context)
{
    State *state = context->state;
    loader_free(state->labeled);
    arena_free(state->arena);
    memory_free(state);
}

static BatchTensors labeled_batch(const ObjectiveContext *context, const Batch *beside)
{
    const State *state = context->state;
    int64_t position = beside->epoch * state->batches + beside->index, count = loader_batches(state->labeled);
    const Batch *batch = loader_batch(state->labeled, position / count, position % count);
    return batch_tensors(context->model, context->splits->train.dataset, batch);
}

/* exp(-5 (1 - t/R)^2) up to t = R. */
static double teaching_weight(const struct cross_teaching *self, double progress)
{
    if (progress <= 0 && self->rampup > 0)
        return 0;
    double rest = progress < self->rampup ? 1 - progress / self->rampup : 0;
    return self->weight * exp(-5 * rest * rest);
}

static Tensor *noisy(const struct cross_teaching *self, Forward *forward, Tensor *x)
{
    Tensor *uniform = t_random_uniform(x->type, x->rank, x->shape, forward_random(forward));
    return t_add(x, t_scale(t_add_scalar(uniform, -0.5), 2 * self->noise));
}

static Tensor *teach(const struct cross_teaching *self, const ObjectiveContext *context, const Forward *forward,
                     Tensor *student, Tensor *teacher)
{
    LossInput in = {.logits = student, .random = random_start(context->seed, "teaching", (uint32_t)forward->step),
                    .at = context->at};
    if (takes_teacher(&self->teaching))
        loss_set_extra(&in, "teacher_logits", teacher);
    else
        in.targets = t_argmax(teacher, -1);
    return loss_evaluate(&self->teaching, &in).loss;
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const struct cross_teaching *self = context->values;
    const Model *networks = twin_networks(context->model);
    double weight = teaching_weight(self, schedule_share(&context->at));
    BatchTensors labeled = labeled_batch(context, batch->batch);
    Tensor *logits[TWINS], *taught[TWINS], *sum = NULL;
    for (int i = 0; i < TWINS; i++) {
        Tensor *own = model_forward(&networks[i], forward, labeled.x);
        LossInput in = objective_loss_input(context, forward, &labeled, own);
        Tensor *term = loss_evaluate(&context->loss, &in).loss;
        sum = sum ? t_add(sum, term) : term;
    }
    for (int i = 0; i < TWINS && weight > 0; i++) {
        bool was = tape_record(self->noise == 0);
        logits[i] = model_forward(&networks[i], forward, batch->x);
        tape_record(was);
        taught[i] = self->noise == 0 ? logits[i] : model_forward(&networks[i], forward, noisy(self, forward, batch->x));
    }
    for (int i = 0; i < TWINS && weight > 0; i++) {
        Tensor *term = teach(self, context, forward, taught[i], t_detach(logits[1 - i]));
        sum = t_add(sum, t_scale(term, weight));
    }
    return sum;
}

const ObjectiveDef objective_cross_teaching = {
    .component = {.name = "cross_teaching",
                  .summary = "two networks teach each other on samples without labels",
                  .params = params,
                  .size = sizeof(struct cross_teaching),
                  .source = "arXiv:2203.14523",
                  .formula =
                      "sum over both networks of L(z_i, y) + w(t) T(z_i, z_j), w = weight exp(-5 (1 - min(t, R)/R)^2)",
                  .notes = "The model is a twin. Batches are of all training samples, whose labels the teaching T does "
                           "not see; beside each stands a batch of the labeled ones, for the loss L. The labeled "
                           "samples are a function of the seed. What is measured is the mean of the two networks' "
                           "logits, and the training loss in the log is the sum above."},
    .check = check,
    .prepare = prepare,
    .release = release,
    .loss = loss,
};
