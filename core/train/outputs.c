#include "core/train/outputs.h"

#include <string.h>

#include "core/train/objective.h"
#include "data/tokenizer.h"

static const double outputs_limit = 2147483648.0; /* bytes */

static PredictionKind kind_of(const Dataset *dataset, const Instance *loss)
{
    bool scores = loss_any_leaf(loss, loss_is_of_scores);
    if (dataset->target_kind == TARGET_VALUES && dataset->group_count && scores)
        return PREDICTION_RANKING;
    switch (dataset->target_kind) {
    case TARGET_LABELS: return PREDICTION_MULTI_LABEL;
    case TARGET_VALUES: return PREDICTION_REGRESSION;
    case TARGET_TOKENS: return PREDICTION_TOKENS;
    default: return PREDICTION_CLASSIFICATION;
    }
}

typedef struct Filling {
    double *logits, *soft, *weights, *profits, *head_nll;
    int64_t *targets, rows, total, heads;
    int32_t *groups;
} Filling;

/* What ranking is worth: the data's extra of one column "profit"; NULL: it has none. */
static const DatasetColumn *profits_of(const Dataset *dataset)
{
    const DatasetColumn *column = dataset->group_count ? dataset_column(dataset, "profit") : NULL;
    return column && column->width == 1 ? column : NULL;
}

/* Where columns of logits answer one question, that of head k is what the loss decodes when all heads agree with it. */
static void add_heads(Filling *filling, const Instance *loss, const Tensor *logits, const Batch *batch, int64_t classes)
{
    Tensor *agreed = t_new(logits->type, logits->rank, logits->shape);
    double *log_p = arena_alloc(tape_arena(), (size_t)(batch->count * classes) * sizeof *log_p);
    for (int64_t k = 0; k < filling->heads; k++) {
        for (int64_t i = 0; i < logits->count; i++)
            tensor_set(agreed, i, tensor_value(logits, i - i % filling->heads + k));
        loss_decode(loss, agreed, classes, log_p);
        for (int64_t i = 0; i < batch->count; i++)
            filling->head_nll[k * filling->total + filling->rows + i] = -log_p[i * classes + batch->labels[i]];
    }
}

static void add_batch(Filling *filling, const Instance *loss, const Tensor *logits, const Batch *batch,
                      const Dataset *dataset)
{
    const float *profits = filling->profits ? batch->columns[profits_of(dataset) - dataset->columns] : NULL;
    int64_t classes = dataset->classes, rows = logits->count / logits->shape[logits->rank - 1],
            per_sample = rows / batch->count;
    loss_decode(loss, logits, classes, filling->logits + filling->rows * classes);
    if (filling->heads)
        add_heads(filling, loss, logits, batch, classes);
    for (int64_t i = 0; filling->targets && i < rows; i++)
        filling->targets[filling->rows + i] = batch->labels[i];
    for (int64_t i = 0; filling->soft && i < rows * classes; i++)
        filling->soft[filling->rows * classes + i] = (double)batch->values[i];
    for (int64_t i = 0; filling->weights && i < rows; i++)
        filling->weights[filling->rows + i] = batch->weights ? (double)batch->weights[i / per_sample] : 1;
    for (int64_t i = 0; dataset->target_mean && i < rows * classes; i++) {
        int64_t k = i % classes, at = filling->rows * classes + i;
        filling->logits[at] = filling->logits[at] * dataset->target_deviation[k] + dataset->target_mean[k];
        filling->soft[at] = filling->soft[at] * dataset->target_deviation[k] + dataset->target_mean[k];
    }
    for (int64_t i = 0; dataset->masks_targets && i < rows; i++) {
        int64_t at = filling->rows + i;
        filling->weights[at] = filling->targets[at] < 0 ? 0 : filling->weights[at];
        filling->targets[at] = filling->targets[at] < 0 ? 0 : filling->targets[at];
    }
    for (int64_t i = 0; filling->groups && i < rows; i++)
        filling->groups[filling->rows + i] = batch->groups ? batch->groups[i / per_sample]
                                                           : (int32_t)((filling->rows + i) / per_sample);
    for (int64_t i = 0; filling->profits && i < rows; i++)
        filling->profits[filling->rows + i] = (double)profits[i];
    filling->rows += rows;
}

bool split_outputs(const Model *model, const Instance *loss, const DataSplit *split, int64_t batch_size, Arena *arena,
                   PredictionInput *outputs, Error *error)
{
    const Dataset *dataset = split->dataset;
    if (dataset->values_unknown)
        return fail(error, "the data says which actions were taken, not what all of them are worth: there is nothing "
                    "to measure predictions with");
    bool classes = dataset->target_kind == TARGET_CLASS || dataset->target_kind == TARGET_TOKENS;
    int64_t rows = split->count * (dataset->target_kind == TARGET_TOKENS ? dataset->shape[0] : 1);
    size_t values = (size_t)(rows * dataset->classes);
    if ((double)values * sizeof(double) > outputs_limit)
        return fail(error, "the outputs of %lld rows x %lld classes take more than 2 GB; evaluate a smaller split",
                    (long long)rows, (long long)dataset->classes);
    bool heads = ((const LossDef *)loss->component)->heads && dataset->target_kind == TARGET_CLASS;
    Filling filling = {.logits = arena_alloc(arena, values * sizeof(double)), .total = rows,
                       .heads = heads ? model->input.outputs : 0};
    if (heads)
        filling.head_nll = arena_alloc(arena, (size_t)(rows * filling.heads) * sizeof(double));
    if (classes)
        filling.targets = arena_alloc(arena, (size_t)rows * sizeof(int64_t));
    else
        filling.soft = arena_alloc(arena, values * sizeof(double));
    if (dataset->weights || dataset->masks_targets)
        filling.weights = arena_alloc(arena, (size_t)rows * sizeof(double));
    if ((dataset->group_count || dataset->own_tokens) && !dataset->masks_targets) /* tokens: a sequence is a group */
        filling.groups = arena_alloc(arena, (size_t)rows * sizeof *filling.groups);
    if (profits_of(dataset))
        filling.profits = arena_alloc(arena, (size_t)rows * sizeof(double));
    bool was = tape_record(false);
    Loader *loader = loader_new(split, (LoaderOptions){.batch_size = batch_size});
    for (int64_t i = 0; i < loader_batches(loader); i++) {
        const Batch *batch = loader_batch(loader, 0, i);
        BatchTensors tensors = batch_tensors(model, dataset, batch);
        Forward forward = {.groups = tensors.groups};
        add_batch(&filling, loss, model_forward(model, &forward, tensors.x), batch, dataset);
        tape_reset();
    }
    loader_free(loader);
    tape_record(was);
    int64_t bad = logits_first_bad_row(rows, dataset->classes, filling.logits, classes);
    if (bad >= 0)
        return fail(error, "the model's outputs for row %lld of the split are not finite; its weights have diverged, "
                    "train again with a lower optimizer.lr or train.clip_norm", (long long)bad);
    *outputs = (PredictionInput){
        .kind = kind_of(dataset, loss),
        .count = rows,
        .classes = dataset->classes,
        .logits = filling.logits,
        .targets = filling.targets,
        .soft_targets = filling.soft,
        .weights = filling.weights,
        .groups = filling.groups,
        .profits = filling.profits,
        .head_nll = filling.head_nll,
        .heads = filling.heads,
        .propensities = dataset->target_kind == TARGET_LABELS ? dataset->propensities : NULL,
        .classes_are_items = dataset->target_kind == TARGET_CLASS && dataset->label_width > 0,
        .outputs_are_actions = dataset_column(dataset, COLUMN_ACTION) != NULL,
        .bytes_per_token = dataset->tokenizer ? dataset->bytes_per_token : 0,
    };
    return true;
}
