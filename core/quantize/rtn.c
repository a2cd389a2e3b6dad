/* Round to nearest: every weight to the nearest point of a uniform grid, whose step is set by the largest of the
   weights that share it. The baseline of all other methods. */
#include "core/base/threads.h"
#include "core/quantize/grid.h"

struct rtn { QuantizerCommon common; UniformGrid grid; };

static const Param params[] = {GRID_PARAMS(struct rtn), QUANTIZER_PARAMS(struct rtn), PARAM_END};

typedef struct Rounding {
    const UniformGrid *grid;
    const float *weights;
    QuantizedWeight *result;
    GridStep tensor_step;
} Rounding;

static void round_rows(void *context, int64_t begin, int64_t end)
{
    const Rounding *t = context;
    QuantizedWeight *q = t->result;
    for (int64_t row = begin; row < end; row++)
        for (int64_t first = 0; first < q->columns; first += q->group) {
            const int64_t n = q->columns - first < q->group ? q->columns - first : q->group;
            const float *w = t->weights + row * q->columns + first;
            const GridStep step = q->one_scale ? t->tensor_step : grid_step(t->grid, n, w);
            grid_put_step(q, row, first / q->group, &step);
            for (int64_t k = 0; k < n; k++)
                q->codes[row * q->columns + first + k] = (int8_t)grid_code(&step, w[k]);
        }
}

static bool quantize(const void *self_, const LinearData *data, Arena *arena, QuantizedLinear *result, Error *error)
{
    const struct rtn *self = self_;
    int64_t group;
    if (!grid_group(&self->grid, data->inputs, &group, error))
        return false;
    Rounding rounding = {.grid = &self->grid, .weights = data->weights};
    rounding.result = grid_weight(&self->grid, data->outputs, data->inputs, group, arena);
    if (rounding.result->one_scale)
        rounding.tensor_step = grid_step(&self->grid, data->outputs * data->inputs, data->weights);
    parallel_for(data->outputs, (1 << 14) / (data->inputs + 1) + 1, round_rows, &rounding);
    *result = grid_result(rounding.result, arena);
    return true;
}

const QuantizerDef quantizer_rtn = {
    .component =
        {.name = "rtn",
         .summary = "round to nearest",
         .params = params,
         .size = sizeof(struct rtn),
         .validate = quantizer_common_validate,
         .formula =
             "symmetric: q = clamp(rint(w / s)), s = max|w| / (2^(b-1) - 1); asymmetric: q = clamp(rint(w / s) + z), "
             "s = (max(w, 0) - min(w, 0)) / (2^b - 1), z = rint(-min(w, 0) / s)",
         .notes = "A set of zeros becomes zeros. Rounding is half to even."},
    .quantize = quantize,
};
