#include "core/train/guide.h"

#include <string.h>

#include "core/tensor/operations.h"
#include "core/train/saved.h"

enum { ROWS = 256 };

static const Layer *find_layer(const Model *model, const char *name)
{
    for (int i = 0; i < model->layer_count; i++)
        if (strcmp(model->layers[i]->name, name) == 0)
            return model->layers[i];
    return NULL;
}

static void embed(const SavedModel *saved, const Layer *layer, const DataSplit *split, int64_t width, float *points)
{
    Dataset view = *split->dataset; /* normalised as the guide's own data was */
    view.normalized = saved->normalized;
    view.mean = (float *)(uintptr_t)saved->mean;
    view.deviation = (float *)(uintptr_t)saved->deviation;
    const int64_t size = dataset_sample_size(&view);
    const bool was = tape_record(false);
    for (int64_t begin = 0; begin < split->count; begin += ROWS) {
        const int64_t rows = split->count - begin < ROWS ? split->count - begin : ROWS;
        int64_t shape[TENSOR_MAX_RANK] = {rows};
        for (int i = 0; i < view.rank; i++)
            shape[i + 1] = view.shape[i];
        Tensor *x = t_new(ARRAY_F32, view.rank + 1, shape);
        for (int64_t i = 0; i < rows; i++)
            dataset_sample(&view, split->order[begin + i], tensor_f32(x) + i * size);
        Forward forward = {.tap = layer};
        model_forward(saved->model, &forward, x);
        Tensor *means = t_mean(t_reshape(forward.tapped, SHAPE(rows, width, -1)), 2, false);
        memcpy(points + begin * width, means->data, (size_t)(rows * width) * sizeof *points);
        tape_reset();
    }
    tape_record(was);
}

static bool check_guide(const SavedModel *saved, const char *layer, const Dataset *dataset, Error *error)
{
    const Shape shape = saved->model->input.shape;
    bool same = shape.rank == dataset->rank && !shape.vocabulary && dataset->type != ARRAY_I32;
    for (int i = 0; same && i < shape.rank; i++)
        same = shape.sizes[i] == dataset->shape[i];
    if (!same)
        return fail(error, "objective.guide: %s takes samples of another shape than the data's", saved->path);
    const Layer *found = find_layer(saved->model, layer);
    if (!found)
        return fail(error, "objective.guide_layer: %s has no layer \"%s\"; xent check lists them", saved->path, layer);
    return found->output.rank > 0 || fail(error, "objective.guide_layer: %s gives no features", layer);
}

bool guide_clusters(const char *path, const char *layer, const DataSplit *split, const KMeans *options,
                    int32_t *assigned, Error *error)
{
    if (split->count < options->clusters)
        return fail(error, "objective.clusters: %lld of %lld samples", (long long)options->clusters,
                    (long long)split->count);
    SavedModel *saved = saved_open(path, NULL, NULL, error);
    if (!saved)
        return fail_at(error, "objective.guide");
    const bool good = check_guide(saved, layer, split->dataset, error);
    if (good) {
        const Layer *tapped = find_layer(saved->model, layer);
        const int64_t width = tapped->output.sizes[0];
        float *points = memory_array((size_t)(split->count * width), sizeof *points);
        embed(saved, tapped, split, width, points);
        k_means(options, points, split->count, width, assigned);
        memory_free(points);
    }
    saved_close(saved);
    return good;
}
