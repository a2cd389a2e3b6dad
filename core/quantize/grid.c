#include "core/quantize/grid.h"

#include <math.h>

const char *const grid_granularities[] = {"channel", "tensor", "group", NULL};
const char *const grid_clips[] = {"none", "mse", "percentile", "kl", NULL};
const char *const grid_sym_grids[] = {"full", "restricted", "gptq", NULL};

GridStep grid_step_of_range(const UniformGrid *grid, double low, double high)
{
    const double half = (double)(1 << (grid->bits - 1)), largest = -low > high ? -low : high;
    GridStep step = {.low = (float)-half, .high = (float)half - 1};
    if (grid->symmetric) {
        step.scale = (float)(grid->sym_grid == SYM_GRID_GPTQ ? 2 * largest / (2 * half - 1) : largest / (half - 1));
        if (!(step.scale > 0))
            step.scale = 1; /* zeros, or so small that the scale is 0 */
        if (grid->sym_grid == SYM_GRID_RESTRICTED)
            step.low = 1 - (float)half;
        return step;
    }
    step.scale = (float)((high - low) / (2 * half - 1));
    if (!(step.scale > 0)) {
        low = -1;
        step.scale = (float)(2 / (2 * half - 1));
    }
    step.zero = rintf((float)-low / step.scale) - (float)half;
    return step;
}

GridStep grid_step(const UniformGrid *grid, int64_t n, const float *x)
{
    double low = 0, high = 0;
    for (int64_t i = 0; i < n; i++) {
        low = (double)x[i] < low ? (double)x[i] : low;
        high = (double)x[i] > high ? (double)x[i] : high;
    }
    if (grid->clip != CLIP_NONE && (low < 0 || high > 0))
        grid_clip(grid, n, x, &low, &high);
    return grid_step_of_range(grid, low, high);
}

float grid_code(const GridStep *step, float x)
{
    const float code = rintf(x / step->scale) + step->zero;
    return code < step->low ? step->low : code > step->high ? step->high : code;
}

bool grid_group(const UniformGrid *grid, int64_t inputs, int64_t *group, Error *error)
{
    *group = inputs;
    if (grid->granularity != GRANULARITY_GROUP)
        return true;
    if (grid->group_size > inputs)
        return fail_usage(error, "group_size: %lld is more than the %lld inputs of a row", (long long)grid->group_size,
                          (long long)inputs);
    *group = grid->group_size;
    return true;
}

QuantizedWeight *grid_weight(const UniformGrid *grid, int64_t outputs, int64_t inputs, int64_t group, Arena *arena)
{
    QuantizedWeight *weight = quantized_new(arena, outputs, inputs, group, (int)grid->bits, !grid->symmetric);
    weight->one_scale = grid->granularity == GRANULARITY_TENSOR;
    return weight;
}

void grid_put_step(QuantizedWeight *weight, int64_t row, int64_t group, const GridStep *step)
{
    const int64_t at = row * quantized_groups(weight) + group;
    weight->scales[at] = step->scale;
    if (weight->zeros)
        weight->zeros[at] = (int16_t)step->zero;
}

QuantizedLinear grid_result(QuantizedWeight *weight, Arena *arena)
{
    QuantizedLinear result = {.bits = weight->bits, .bytes = quantized_bytes(weight), .integers = weight};
    result.weights = arena_alloc(arena, (size_t)(weight->rows * weight->columns) * sizeof(float));
    quantized_values(weight, result.weights);
    return result;
}
