/* Activations rounded with a scale that is found as they are read: one a token, or one for all. */
#include "core/base/threads.h"
#include "core/quantize/quantize.h"

struct dynamic { int64_t bits; bool symmetric; };

static const Param params[] = {
    PARAM_INT(struct dynamic, bits, 8, .min = 2, .max = 8, .help = "of a code"),
    PARAM_BOOL(struct dynamic, symmetric, true, .help = "zero stays code 0; else the codes span least to largest"),
    PARAM_END
};

static Int8Grid grid(const void *self_)
{
    const struct dynamic *self = self_;
    return (Int8Grid){(int)self->bits, self->symmetric};
}

typedef struct Rows {
    Int8Grid grid;
    int64_t width;
    const float *x;
    float *out;
} Rows;

static void round_rows(void *context, int64_t begin, int64_t end)
{
    const Rows *t = context;
    int8_t *codes = memory_new((size_t)t->width);
    for (int64_t i = begin; i < end; i++) {
        float scale;
        int16_t zero;
        int8_quantize_row(t->grid, t->width, t->x + i * t->width, codes, &scale, &zero);
        for (int64_t k = 0; k < t->width; k++)
            t->out[i * t->width + k] = scale * (float)(codes[k] - zero);
    }
    memory_free(codes);
}

static bool per_token(const void *self, int64_t tokens, int64_t inputs, const float *x, float *out, Error *error)
{
    (void)error;
    parallel_for(tokens, (1 << 14) / (inputs + 1) + 1, round_rows, &(Rows){grid(self), inputs, x, out});
    return true;
}

static bool per_tensor(const void *self, int64_t tokens, int64_t inputs, const float *x, float *out, Error *error)
{
    (void)error;
    round_rows(&(Rows){grid(self), tokens * inputs, x, out}, 0, 1);
    return true;
}

const QuantizerDef quantizer_per_token = {
    .component = {.name = "per_token",
                  .summary = "activations: one scale a token",
                  .params = params,
                  .size = sizeof(struct dynamic),
                  .formula = "q_ij = rint(x_ij / s_i), s_i = max_j |x_ij| / (2^(b-1) - 1)"},
    .activations = per_token,
    .grid = grid,
};

const QuantizerDef quantizer_per_tensor = {
    .component = {.name = "per_tensor",
                  .summary = "activations: one scale for all",
                  .params = params,
                  .size = sizeof(struct dynamic),
                  .formula = "q_ij = rint(x_ij / s), s = max_ij |x_ij| / (2^(b-1) - 1)"},
    .activations = per_tensor,
};
