#include "core/train/predict.h"

#include <math.h>
#include <string.h>

#include "core/metrics/predictions.h"
#include "core/tensor/operations.h"

static const double outputs_limit = 2147483648.0; /* bytes */

typedef struct Gathering {
    const Dataset *dataset;
    const int64_t *order;
    int64_t size; /* elements of a sample */
    void *batch;
} Gathering;

static void gather(const Gathering *g, int64_t first, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t index = g->order ? g->order[first + i] : first + i;
        if (g->dataset->type == ARRAY_I32)
            memcpy((int32_t *)g->batch + i * g->size,
                   (const int32_t *)g->dataset->features + index * g->dataset->sample_stride,
                   (size_t)g->size * sizeof(int32_t));
        else
            dataset_sample(g->dataset, index, (float *)g->batch + i * g->size);
    }
}

static Tensor *run_batch(const Model *model, void *batch, int32_t *groups, int64_t count)
{
    Shape sample = model->input.shape;
    int64_t shape[TENSOR_MAX_RANK] = {count};
    for (int i = 0; i < sample.rank; i++)
        shape[i + 1] = sample.sizes[i];
    Forward forward = {.groups = groups ? t_wrap(ARRAY_I32, SHAPE(count), groups) : NULL};
    return model_forward(model, &forward,
                         t_wrap(sample.vocabulary ? ARRAY_I32 : ARRAY_F32, sample.rank + 1, shape, batch));
}

/* The samples of `batch_size` whole groups from `first` on, or batch_size samples; groups NULL: only counts. */
static int64_t take_part(const Dataset *dataset, const int64_t *order, int64_t first, int64_t count,
                         int64_t batch_size, int32_t *groups)
{
    int64_t end = first, left = batch_size;
    if (!order || dataset->group_count == 0)
        return count - first < batch_size ? count - first : batch_size;
    for (; end < count && left > 0; left--)
        end = dataset_group_end(dataset, order, end, count);
    for (int64_t i = first; groups && i < end; i++)
        groups[i - first] = dataset->groups[order[i]];
    return end - first;
}

static void turn_back(const SavedModel *saved, ModelOutputs *outputs)
{
    for (int64_t i = 0; saved->target_mean && i < outputs->rows * outputs->classes; i++) {
        int64_t k = i % outputs->classes;
        outputs->values[i] = outputs->values[i] * saved->target_deviation[k] + saved->target_mean[k];
    }
}

bool model_outputs(const SavedModel *saved, const Dataset *dataset, const int64_t *order, int64_t count, Arena *arena,
                   ModelOutputs *outputs, Error *error)
{
    const Model *model = saved->model;
    int64_t positions = model->input.per_position ? model->input.shape.sizes[0] : 1,
            batch_size = saved->config->train.eval_batch_size;
    *outputs = (ModelOutputs){.samples = count, .rows = count * positions, .classes = saved->classes};
    if ((double)outputs->rows * (double)outputs->classes * sizeof(double) > outputs_limit)
        return fail(error, "%s: the outputs of %lld rows x %lld classes take more than 2 GB; predict fewer samples",
                    saved->path, (long long)outputs->rows, (long long)outputs->classes);
    outputs->values = arena_alloc(arena, (size_t)(outputs->rows * outputs->classes) * sizeof(double) + 1);
    int64_t largest = 0;
    for (int64_t first = 0, part; first < count; first += part) {
        part = take_part(dataset, order, first, count, batch_size, NULL);
        largest = part > largest ? part : largest;
    }
    Gathering g = {dataset, order, dataset_sample_size(dataset), NULL};
    g.batch = memory_array((size_t)(largest * g.size) + 1, sizeof(float));
    int32_t *groups = order && dataset->group_count ? memory_array((size_t)largest + 1, sizeof *groups) : NULL;
    bool was = tape_record(false);
    double *out = outputs->values;
    for (int64_t first = 0, part; first < count; first += part) {
        part = take_part(dataset, order, first, count, batch_size, groups);
        gather(&g, first, part);
        const Tensor *logits = run_batch(model, g.batch, groups, part);
        loss_decode(&saved->config->loss, logits, outputs->classes, out);
        out += logits->count / model->input.outputs * outputs->classes;
        tape_reset();
    }
    tape_record(was);
    memory_free(g.batch);
    memory_free(groups);
    turn_back(saved, outputs);
    return true;
}

void outputs_to_probabilities(TargetKind kind, ModelOutputs *outputs)
{
    for (int64_t i = 0; i < outputs->rows && kind != TARGET_VALUES; i++) {
        double *row = outputs->values + i * outputs->classes;
        if (kind != TARGET_LABELS)
            log_softmax_row(outputs->classes, row, row);
        for (int64_t k = 0; k < outputs->classes; k++)
            row[k] = kind == TARGET_LABELS ? 1 / (1 + exp(-row[k])) : exp(row[k]);
    }
}
