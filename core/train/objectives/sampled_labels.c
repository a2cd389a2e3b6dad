/* Very many labels, of which a step compares its samples with some (Gupta et al. 2024, and what they compare with): the
   labels of the batch's own samples, and for each sample some of the wrong labels that it scores highest. */
#include <math.h>
#include <string.h>

#include "core/tensor/operations.h"
#include "core/train/objective.h"

enum { IN_BATCH, HARD };
static const char *const negative_kinds[] = {"in_batch", "hard", NULL};

struct sampled_labels { int negatives; int64_t hard_topk, hard_refresh_epochs, num_neg; };

static const Param params[] = {
    PARAM_ENUM(struct sampled_labels, negatives, "in_batch", .choices = negative_kinds,
               .help = "in_batch: the labels of the batch's samples; hard: and wrong labels that score high"),
    PARAM_INT(struct sampled_labels, hard_topk, 100, .min = 1, .max = 1e6,
              .help = "length of each sample's list of wrong labels that score highest"),
    PARAM_INT(struct sampled_labels, hard_refresh_epochs, 5, .min = 1, .max = 1e9,
              .help = "epochs between searches for them, the first before the first step"),
    PARAM_INT(struct sampled_labels, num_neg, 1, .min = 1, .max = 1e6,
              .help = "labels that a sample draws from its list in a step"),
    PARAM_END
};

static bool check(const void *values, const Instance *loss, const Dataset *shape, const TrainConfig *train,
                  Error *error)
{
    (void)values;
    if (!check_loss(loss, shape, train, error))
        return false;
    if (shape->target_kind != TARGET_LABELS || shape->type != ARRAY_F32)
        return fail_usage(error, "objective: sampled_labels wants features and labels, such as extreme-labels");
    if (!loss_every_leaf(loss, loss_is_of_any_labels))
        return fail_usage(error, "loss: sampled_labels wants a loss of any of the labels, such as decoupled_softmax; "
                          "%s wants all", loss->component->name);
    return true;
}

/* [training data, hard_topk], -1 where there are no more labels; a tensor, so that a checkpoint keeps it. */
static bool prepare(ObjectiveContext *context, Error *error)
{
    const struct sampled_labels *self = context->values;
    const Dataset *dataset = context->splits->train.dataset;
    if (!context->model->def->selects_outputs)
        return fail_usage(error, "objective: sampled_labels wants a model that scores some labels without the others, "
                          "such as dual_encoder; %s does not", context->model->def->component.name);
    if (dataset->classes >= 1 << 24)
        return fail_usage(error, "objective: sampled_labels takes fewer than 2^24 labels");
    ParameterSet *kept = context->state = parameters_new();
    const int64_t most = self->hard_topk < dataset->classes ? self->hard_topk : dataset->classes;
    if (self->negatives == HARD && (double)dataset->count * (double)most > 4e8)
        return fail_usage(error, "objective.hard_topk: lists of %lld for %lld samples are too long; lower it",
                          (long long)most, (long long)dataset->count);
    if (self->negatives == HARD)
        parameters_add(kept, "hard_labels", ROLE_BUFFER, 2, (int64_t[]){dataset->count, most});
    return true;
}

static void release(ObjectiveContext *context)
{
    parameters_free(context->state);
}

static ParameterSet *kept(const ObjectiveContext *context)
{
    return context->state;
}

enum { SEARCH_ROWS = 256 };

/* The lists of training samples begin..end-1, by the scores of the model as it is; of equals the first. */
static void search(const ObjectiveContext *context, int64_t begin, int64_t end, Tensor *lists)
{
    const DataSplit *split = &context->splits->train;
    const Dataset *dataset = split->dataset;
    const int64_t rows = end - begin, labels = dataset->classes, size = dataset_sample_size(dataset);
    const int64_t most = lists->shape[1];
    int64_t shape[TENSOR_MAX_RANK] = {rows};
    for (int i = 0; i < dataset->rank; i++)
        shape[i + 1] = dataset->shape[i];
    Tensor *x = t_new(ARRAY_F32, dataset->rank + 1, shape);
    for (int64_t i = 0; i < rows; i++)
        dataset_sample(dataset, split->order[begin + i], tensor_f32(x) + i * size);
    Forward forward = {0};
    Tensor *scores = model_forward(context->model, &forward, x), *order;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t l = 0; l < labels; l++)
            if (dataset->values[split->order[begin + i] * labels + l] > 0)
                tensor_f32(scores)[i * labels + l] = -INFINITY;
    Tensor *best = t_top_k(scores, most, &order);
    for (int64_t i = 0; i < rows; i++) {
        float *list = tensor_f32(lists) + split->order[begin + i] * most;
        for (int64_t k = 0; k < most; k++)
            list[k] = isinf(tensor_value(best, i * most + k)) ? -1 : (float)tensor_i32(order)[i * most + k];
    }
}

/* On a tape of its own, whose memory is that of a few samples. */
static void refresh(const ObjectiveContext *context, Tensor *lists)
{
    Tape *own = tape_new(), *before = tape_use(own);
    tape_record(false);
    const int64_t count = context->splits->train.count;
    for (int64_t begin = 0; begin < count; begin += SEARCH_ROWS) {
        search(context, begin, begin + SEARCH_ROWS < count ? begin + SEARCH_ROWS : count, lists);
        tape_reset();
    }
    tape_use(before);
    tape_free(own);
}

/* Marks labels of the sample's list; one drawn twice counts once. */
static void draw_hard(const ObjectiveContext *context, const Batch *batch, const Tensor *lists, int64_t id,
                      bool *chosen)
{
    const struct sampled_labels *self = context->values;
    const float *list = tensor_f32(lists) + id * lists->shape[1];
    int64_t length = 0;
    while (length < lists->shape[1] && list[length] >= 0)
        length++;
    Random random = random_start(context->seed, "hard labels", (uint32_t)batch->epoch);
    random.index = (uint64_t)id << 24;
    for (int64_t i = 0; length > 0 && i < self->num_neg; i++)
        chosen[(int64_t)list[random_below(&random, length)]] = true;
}

/* I32: the labels that this batch is compared with, ascending. */
static Tensor *labels_of(const ObjectiveContext *context, const BatchTensors *batch)
{
    const int64_t labels = batch->targets->shape[1];
    const Parameter *lists = parameters_find(context->state, "hard_labels");
    bool *chosen = arena_zero(tape_arena(), (size_t)labels, sizeof *chosen);
    for (int64_t i = 0; i < batch->targets->count; i++)
        if (tensor_value(batch->targets, i) > 0)
            chosen[i % labels] = true;
    for (int64_t i = 0; lists && i < batch->batch->count; i++)
        draw_hard(context, batch->batch, lists->value, batch->batch->ids[i], chosen);
    int64_t count = 0;
    for (int64_t l = 0; l < labels; l++)
        count += chosen[l];
    if (count == 0) /* no sample has a label: any is wrong for all */
        chosen[count++] = true;
    Tensor *result = t_new(ARRAY_I32, SHAPE(count));
    for (int64_t l = 0, at = 0; l < labels; l++)
        if (chosen[l])
            tensor_i32(result)[at++] = (int32_t)l;
    return result;
}

static Tensor *columns_of(const Tensor *targets, const Tensor *labels)
{
    Tensor *result = t_new(ARRAY_F32, SHAPE(targets->shape[0], labels->count));
    for (int64_t i = 0; i < result->count; i++)
        tensor_f32(result)[i] = tensor_f32(targets)[i / labels->count * targets->shape[1] +
                                                    tensor_i32(labels)[i % labels->count]];
    return result;
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const struct sampled_labels *self = context->values;
    const Parameter *lists = parameters_find(context->state, "hard_labels");
    if (lists && batch->batch->index == 0 && batch->batch->epoch % self->hard_refresh_epochs == 0)
        refresh(context, lists->value);
    forward->outputs = labels_of(context, batch);
    BatchTensors some = *batch;
    some.targets = columns_of(batch->targets, forward->outputs);
    Tensor *logits = objective_logits(context, forward, &some);
    forward->outputs = NULL;
    LossInput in = objective_loss_input(context, forward, &some, logits);
    return loss_evaluate(&context->loss, &in).loss;
}

const ObjectiveDef objective_sampled_labels = {
    .component = {.name = "sampled_labels",
                  .summary = "very many labels, each step compared with some of them",
                  .params = params,
                  .size = sizeof(struct sampled_labels),
                  .source = "arXiv:2310.10636",
                  .notes = "A step scores the labels that are true of one of its samples, and with hard also num_neg "
                           "labels a sample, drawn from its list of wrong labels with the highest scores. Lists are "
                           "exact: they come from the scores of all labels, in evaluation mode, at the beginning of "
                           "every epoch whose number is a multiple of hard_refresh_epochs. Models are measured with "
                           "all labels. supervised, the default objective, trains with all labels too."},
    .prepare = prepare, .release = release, .check = check, .kept = kept, .loss = loss,
};
