/* The uniform grid that most methods round to: an element becomes scale (code - zero), codes being integers of
   `bits` bits and rounding half to even. */
#ifndef XENT_QUANTIZE_GRID_H
#define XENT_QUANTIZE_GRID_H

#include "core/quantize/quantize.h"

enum { GRANULARITY_CHANNEL, GRANULARITY_TENSOR, GRANULARITY_GROUP };
enum { CLIP_NONE, CLIP_MSE, CLIP_PERCENTILE, CLIP_KL };
enum { SYM_GRID_FULL, SYM_GRID_RESTRICTED, SYM_GRID_GPTQ };
extern const char *const grid_granularities[], *const grid_clips[], *const grid_sym_grids[];

typedef struct UniformGrid {
    int64_t bits;
    bool symmetric;
    int granularity;
    int64_t group_size;
    int clip;
    double clip_norm, percentile;
    int sym_grid;
} UniformGrid;

/* The keys of a struct that has a UniformGrid called `grid`. */
#define GRID_PARAMS(structure) \
    PARAM_INT(structure, grid.bits, 8, .name = "bits", .min = 2, .max = 8, .help = "of a code"), \
    PARAM_BOOL(structure, grid.symmetric, true, .name = "symmetric", \
               .help = "zero point in the middle, and not stored"), \
    PARAM_ENUM(structure, grid.granularity, "channel", .name = "granularity", .choices = grid_granularities, \
               .help = "what shares a scale: an output channel, the tensor, or group_size inputs of a channel"), \
    PARAM_INT(structure, grid.group_size, 128, .name = "group_size", .min = 1, .max = 1e9, \
               .help = "inputs of a group"), \
    PARAM_ENUM(structure, grid.clip, "none", .name = "clip", .choices = grid_clips, \
               .help = "how the range is cut before it is divided"), \
    PARAM_FLOAT(structure, grid.clip_norm, 2.4, .name = "clip_norm", .min = 0.1, .max = 10, \
               .help = "exponent of the error that clip mse minimises"), \
    PARAM_FLOAT(structure, grid.percentile, 0.999, .name = "percentile", .min = 0.5, .max = 1, \
               .help = "quantile of clip percentile"), \
    PARAM_ENUM(structure, grid.sym_grid, "full", .name = "sym_grid", .choices = grid_sym_grids, \
               .help = "symmetric codes: full -2^(b-1)..2^(b-1)-1, " \
                       "restricted without the lowest, gptq a scale of 2 max|w| / (2^b - 1)")

/* One set of elements that share a scale. Codes lie in low..high; asymmetric ones are 2^(bits-1) below those of
   the papers, 0..2^bits - 1. */
typedef struct GridStep {
    float scale, zero;
    float low, high;
} GridStep;

/* Step for `n` elements, clipped as the grid says. */
GridStep grid_step(const UniformGrid *grid, int64_t n, const float *x);
/* Step for a range that holds 0: low <= 0 <= high. Symmetric grids take the larger side. */
GridStep grid_step_of_range(const UniformGrid *grid, double low, double high);
float grid_code(const GridStep *step, float x);
static inline float grid_value(const GridStep *step, float code)
{
    return step->scale * (code - step->zero);
}
/* The range that `clip` leaves of low..high, of `n` > 0 elements (clip.c). */
void grid_clip(const UniformGrid *grid, int64_t n, const float *x, double *low, double *high);

/* Inputs that share a scale, for rows of that many; the error names the key. */
bool grid_group(const UniformGrid *grid, int64_t inputs, int64_t *group, Error *error);
/* An empty weight of the grid's form, and the step of one of its groups put into it. */
QuantizedWeight *grid_weight(const UniformGrid *grid, int64_t outputs, int64_t inputs, int64_t group, Arena *arena);
void grid_put_step(QuantizedWeight *weight, int64_t row, int64_t group, const GridStep *step);
/* Bytes and dequantized values from the integers. */
QuantizedLinear grid_result(QuantizedWeight *weight, Arena *arena);

#endif
