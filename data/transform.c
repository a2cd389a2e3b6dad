#include "data/transform.h"

#include <assert.h>

TransformShape transform_shape(const Dataset *dataset)
{
    TransformShape shape = {.channels = 1, .height = 1, .width = 1, .vector = dataset->rank != 3};
    if (shape.vector) {
        for (int i = 0; i < dataset->rank; i++)
            shape.width *= dataset->shape[i];
        return shape;
    }
    shape.channels = dataset->shape[0];
    shape.height = dataset->shape[1];
    shape.width = dataset->shape[2];
    if (dataset->normalized) {
        assert(dataset->normalized == shape.channels);
        shape.mean = dataset->mean;
        shape.deviation = dataset->deviation;
    }
    return shape;
}

static bool check_transform(const Dataset *dataset, const Instance *instance, Error *error)
{
    const TransformDef *transform = (const TransformDef *)instance->component;
    TransformShape shape = transform_shape(dataset);
    if (dataset->type == ARRAY_I32)
        return fail_usage(error, "tokens cannot be transformed; leave it out");
    if (transform->batch && dataset->group_count)
        return fail_usage(error, "mixes samples of different groups, whose members are compared; leave it out");
    if (shape.vector && !transform->vectors)
        return fail_usage(error, "needs images [channels, height, width], and a sample has %d %s; leave it out",
                          dataset->rank, dataset->rank == 1 ? "axis" : "axes");
    return !transform->check || transform->check(instance->values, &shape, error);
}

bool loader_check(const DataSplit *split, const LoaderOptions *options, Error *error)
{
    if (split->count == 0)
        return fail_usage(error, "the split has no samples");
    if (options->drop_last && split->count < options->batch_size)
        return fail_usage(error, "batch_size: %lld is more than the split's %lld samples, and drop_last leaves none; "
                          "lower it", (long long)options->batch_size, (long long)split->count);
    for (int64_t i = 0; i < options->transforms.count; i++) {
        const Instance *instance = &options->transforms.items[i];
        if (!check_transform(split->dataset, instance, error))
            return fail_at(error, "transforms[%lld]: %s", (long long)i, instance->component->name);
    }
    return true;
}

bool transform_check_range(const char *key, FloatList range, Error *error)
{
    if (range.count != 2)
        return fail_usage(error, "%s: expected two numbers, the lower first, got %lld", key, (long long)range.count);
    if (range.items[0] > range.items[1])
        return fail_usage(error, "%s: expected the lower number first, got [%g, %g]", key,
                          range.items[0], range.items[1]);
    return true;
}

double transform_draw(Random *random, FloatList range)
{
    return range.items[0] + (range.items[1] - range.items[0]) * random_uniform(random);
}

double transform_draw_around(Random *random, double limit)
{
    return limit * (2 * random_uniform(random) - 1);
}
