/* Quantizers: methods that turn the weights of a linear map into few bits, or its input as it is read.
   To add one: a `const QuantizerDef quantizer_NAME` at the start of a line in a file of this folder; nothing else is
   edited. One with `quantize` has a struct that begins with QuantizerCommon and a table with QUANTIZER_PARAMS; what
   works on a uniform grid takes it from grid.h. */
#ifndef XENT_QUANTIZE_QUANTIZE_H
#define XENT_QUANTIZE_QUANTIZE_H

#include "core/nn/quantized.h"

/* y = x W^T. Borrowed; all values are finite. */
typedef struct LinearData {
    int64_t outputs, inputs;
    const float *weights;           /* [outputs, inputs] */
    int64_t tokens;
    const float *activations;       /* [tokens, inputs], or NULL: none are known */
    uint64_t seed;
} LinearData;

/* What a method made of the weights; in the arena. */
typedef struct QuantizedLinear {
    int bits;                       /* of a code */
    int64_t bytes;                  /* codes with padded rows, scales, zero points */
    float *weights;                 /* [outputs, inputs], dequantized, in the coordinates of the given ones */
    QuantizedWeight *integers;      /* the same for the integer kernels; NULL: the method's form is another */
    cJSON *parameters;              /* what else was found, for people; the caller's; NULL: nothing */
} QuantizedLinear;

typedef struct QuantizerDef {
    Component component;
    /* Of weights; NULL: the method is one for activations. A method that needs activations and has none fails with
       status 2. */
    bool (*quantize)(const void *self, const LinearData *data, Arena *arena, QuantizedLinear *result, Error *error);
    /* Of activations [tokens, inputs], dequantized into `out`; NULL: the method is one for weights. */
    bool (*activations)(const void *self, int64_t tokens, int64_t inputs, const float *x, float *out, Error *error);
    /* How rows of activations become integers one at a time; NULL: not that way. */
    Int8Grid (*grid)(const void *self);
} QuantizerDef;

/* The keys of every method that quantizes weights. */
typedef struct QuantizerCommon {
    Instance activations;
    bool bias_correction;
    const cJSON *skip;
} QuantizerCommon;

#define QUANTIZER_PARAMS(structure) \
    PARAM_COMPONENT(structure, common.activations, "null", "quantizer", .name = "activations", \
                    .help = "per_token, per_tensor or none; null: none for arrays, per_token for a run"), \
    PARAM_BOOL(structure, common.bias_correction, false, .name = "bias_correction", \
               .help = "add the mean of X (W - Wq)^T over the given activations to the output"), \
    PARAM_JSON(structure, common.skip, "[]", .name = "skip", \
               .help = "of a run: layers that stay as they are; names, patterns with *, \"first\", \"last\"")

/* For `validate`: `values` begins with QuantizerCommon. */
bool quantizer_common_validate(const void *values, Error *error);
static inline const QuantizerCommon *quantizer_common(const Instance *instance)
{
    return instance->values;
}
/* Whether the config's "quantize" names a method for weights (exit 2 otherwise). */
bool quantizer_check(const Instance *instance, Error *error);

/* One linear map quantized and measured. Arrays live in the arena. */
typedef struct LinearReport {
    QuantizedLinear linear;
    float *activations;             /* [tokens, inputs] dequantized; NULL: none were given */
    double weight_mse, output_mse;  /* output_mse: NAN without activations */
    double bits_per_weight;
    cJSON *parameters;              /* the caller's */
} LinearReport;

bool quantize_linear(const Instance *instance, const LinearData *data, Arena *arena, LinearReport *report,
                     Error *error);
/* As `xent quantize` prints it; takes the parameters over. */
cJSON *linear_report_json(const Instance *instance, LinearReport *report);

#endif
