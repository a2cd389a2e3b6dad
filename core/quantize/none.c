/* No quantization: of weights, to quantize activations alone; of activations, to quantize weights alone. */
#include <string.h>

#include "core/quantize/quantize.h"

struct none { QuantizerCommon common; };

static const Param params[] = {QUANTIZER_PARAMS(struct none), PARAM_END};

static bool quantize(const void *self, const LinearData *data, Arena *arena, QuantizedLinear *result, Error *error)
{
    (void)self, (void)error;
    const size_t bytes = (size_t)(data->outputs * data->inputs) * sizeof(float);
    *result = (QuantizedLinear){
        .bits = 32, .bytes = (int64_t)bytes, .weights = memcpy(arena_alloc(arena, bytes), data->weights, bytes)};
    return true;
}

static bool activations(const void *self, int64_t tokens, int64_t inputs, const float *x, float *out, Error *error)
{
    (void)self, (void)error;
    memcpy(out, x, (size_t)(tokens * inputs) * sizeof *out);
    return true;
}

static Int8Grid grid(const void *self)
{
    (void)self;
    return (Int8Grid){0, true};
}

const QuantizerDef quantizer_none = {
    .component = {.name = "none",
                  .summary = "leaves weights or activations as they are",
                  .params = params,
                  .size = sizeof(struct none),
                  .validate = quantizer_common_validate},
    .quantize = quantize,
    .activations = activations,
    .grid = grid,
};
