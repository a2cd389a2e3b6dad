/* The initialisations in common use, as one family: a distribution and its scale. */
#include <math.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/nn/initializer.h"

void initializer_fill(const Instance *instance, Random *random, int64_t rows, int64_t columns, double fan_in,
                      double fan_out, float *out)
{
    const InitializerDef *def = (const InitializerDef *)instance->component;
    def->fill(instance->values, random, rows, columns, fan_in, fan_out, out);
}

static void fill_normal(Random *random, int64_t count, double mean, double deviation, float *out)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)(mean + deviation * random_normal(random));
}

static void fill_uniform(Random *random, int64_t count, double low, double high, float *out)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)(low + (high - low) * random_uniform(random));
}

struct constant { double value; };
static const Param constant_params[] = {PARAM_FLOAT(struct constant, value, 0, .help = "of every element"), PARAM_END};

static void constant_fill(const void *values, Random *random, int64_t rows, int64_t columns, double fan_in,
                          double fan_out, float *out)
{
    (void)random, (void)fan_in, (void)fan_out;
    for (int64_t i = 0; i < rows * columns; i++)
        out[i] = (float)((const struct constant *)values)->value;
}

const InitializerDef initializer_constant = {
    .component = {.name = "constant",
                  .summary = "one value everywhere",
                  .params = constant_params,
                  .size = sizeof(struct constant)},
    .fill = constant_fill,
};

static const Param normal_params[] = {
    PARAM_FLOAT(struct normal, mean, 0, .help = "mean"),
    PARAM_FLOAT(struct normal, deviation, 0.02, .min = 0, .help = "standard deviation"),
    PARAM_END
};

static void normal_fill(const void *values, Random *random, int64_t rows, int64_t columns, double fan_in,
                        double fan_out, float *out)
{
    (void)fan_in, (void)fan_out;
    const struct normal *self = values;
    fill_normal(random, rows * columns, self->mean, self->deviation, out);
}

const InitializerDef initializer_normal = {
    .component = {.name = "normal",
                  .summary = "normal distribution",
                  .params = normal_params,
                  .size = sizeof(struct normal)},
    .fill = normal_fill,
};

static void truncated_fill(const void *values, Random *random, int64_t rows, int64_t columns, double fan_in,
                           double fan_out, float *out)
{
    (void)fan_in, (void)fan_out;
    const struct normal *self = values;
    for (int64_t i = 0; i < rows * columns; i++) {
        double draw;
        do
            draw = random_normal(random);
        while (fabs(draw) > 2);
        out[i] = (float)(self->mean + self->deviation * draw);
    }
}

const InitializerDef initializer_truncated_normal = {
    .component = {.name = "truncated_normal", .summary = "normal distribution, drawn again beyond two deviations",
                  .params = normal_params, .size = sizeof(struct normal)},
    .fill = truncated_fill,
};

static const Param uniform_params[] = {
    PARAM_FLOAT(struct uniform, low, -0.05, .help = "smallest value"),
    PARAM_FLOAT(struct uniform, high, 0.05, .help = "upper bound"),
    PARAM_END
};

static void uniform_fill(const void *values, Random *random, int64_t rows, int64_t columns, double fan_in,
                         double fan_out, float *out)
{
    (void)fan_in, (void)fan_out;
    const struct uniform *self = values;
    fill_uniform(random, rows * columns, self->low, self->high, out);
}

const InitializerDef initializer_uniform = {
    .component = {.name = "uniform",
                  .summary = "uniform distribution",
                  .params = uniform_params,
                  .size = sizeof(struct uniform)},
    .fill = uniform_fill,
};

#define GAIN_PARAMS(default_)                                                                                          \
    {                                                                                                                  \
        PARAM_FLOAT(struct gain, gain, default_, .min = 0, .help = "factor of the deviation"), PARAM_END               \
    }
static const Param gain_one[] = GAIN_PARAMS(1);
static const Param gain_relu[] = GAIN_PARAMS(1.4142135623730951);

static double gain_of(const void *values)
{
    return ((const struct gain *)values)->gain;
}

static void xavier_normal_fill(const void *values, Random *random, int64_t rows, int64_t columns, double fan_in,
                               double fan_out, float *out)
{
    fill_normal(random, rows * columns, 0, gain_of(values) * sqrt(2 / (fan_in + fan_out)), out);
}

const InitializerDef initializer_xavier_normal = {
    .component = {.name = "xavier_normal",
                  .summary = "normal, variance gain^2 2/(fan_in + fan_out)",
                  .params = gain_one,
                  .size = sizeof(struct gain),
                  .source = "Glorot and Bengio 2010"},
    .fill = xavier_normal_fill,
};

static void xavier_uniform_fill(const void *values, Random *random, int64_t rows, int64_t columns, double fan_in,
                                double fan_out, float *out)
{
    double bound = gain_of(values) * sqrt(6 / (fan_in + fan_out));
    fill_uniform(random, rows * columns, -bound, bound, out);
}

const InitializerDef initializer_xavier_uniform = {
    .component = {.name = "xavier_uniform",
                  .summary = "uniform, variance gain^2 2/(fan_in + fan_out)",
                  .params = gain_one,
                  .size = sizeof(struct gain),
                  .source = "Glorot and Bengio 2010"},
    .fill = xavier_uniform_fill,
};

static void fan_in_normal_fill(const void *values, Random *random, int64_t rows, int64_t columns, double fan_in,
                               double fan_out, float *out)
{
    (void)fan_out;
    fill_normal(random, rows * columns, 0, gain_of(values) / sqrt(fan_in), out);
}

const InitializerDef initializer_kaiming_normal = {
    .component = {.name = "kaiming_normal",
                  .summary = "normal, variance gain^2/fan_in; the gain is relu's",
                  .params = gain_relu,
                  .size = sizeof(struct gain),
                  .source = "He et al. 2015"},
    .fill = fan_in_normal_fill,
};

const InitializerDef initializer_lecun_normal = {
    .component = {.name = "lecun_normal", .summary = "normal, variance gain^2/fan_in", .params = gain_one,
                  .size = sizeof(struct gain), .source = "LeCun et al. 1998"},
    .fill = fan_in_normal_fill,
};

static void fan_in_uniform_fill(const void *values, Random *random, int64_t rows, int64_t columns, double fan_in,
                                double fan_out, float *out)
{
    (void)fan_out;
    double bound = gain_of(values) * sqrt(3 / fan_in);
    fill_uniform(random, rows * columns, -bound, bound, out);
}

static void fan_out_normal_fill(const void *values, Random *random, int64_t rows, int64_t columns, double fan_in,
                                double fan_out, float *out)
{
    (void)fan_in;
    fill_normal(random, rows * columns, 0, gain_of(values) / sqrt(fan_out), out);
}

const InitializerDef initializer_kaiming_normal_out = {
    .component = {.name = "kaiming_normal_out",
                  .summary = "normal, variance gain^2/fan_out; the gain is relu's",
                  .params = gain_relu,
                  .size = sizeof(struct gain),
                  .source = "He et al. 2015"},
    .fill = fan_out_normal_fill,
};

const InitializerDef initializer_kaiming_uniform = {
    .component = {.name = "kaiming_uniform",
                  .summary = "uniform, variance gain^2/fan_in; the gain is relu's",
                  .params = gain_relu,
                  .size = sizeof(struct gain),
                  .source = "He et al. 2015"},
    .fill = fan_in_uniform_fill,
};

const InitializerDef initializer_lecun_uniform = {
    .component = {.name = "lecun_uniform", .summary = "uniform, variance gain^2/fan_in", .params = gain_one,
                  .size = sizeof(struct gain), .source = "LeCun et al. 1998"},
    .fill = fan_in_uniform_fill,
};

/* Rows of the smaller side are orthonormalised by modified Gram-Schmidt, done twice against rounding. */
static void orthonormal_rows(double *matrix, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int pass = 0; pass < 2; pass++) {
            double *row = matrix + i * columns, square = 0;
            for (int64_t j = 0; j < i; j++) {
                const double *other = matrix + j * columns;
                double product = 0;
                for (int64_t k = 0; k < columns; k++)
                    product += row[k] * other[k];
                for (int64_t k = 0; k < columns; k++)
                    row[k] -= product * other[k];
            }
            for (int64_t k = 0; k < columns; k++)
                square += row[k] * row[k];
            for (int64_t k = 0; k < columns; k++)
                row[k] /= sqrt(square);
        }
}

static void orthogonal_fill(const void *values, Random *random, int64_t rows, int64_t columns, double fan_in,
                            double fan_out, float *out)
{
    (void)fan_in, (void)fan_out;
    bool wide = rows <= columns;
    int64_t small = wide ? rows : columns, large = wide ? columns : rows;
    double *matrix = memory_array((size_t)(small * large), sizeof *matrix);
    for (int64_t i = 0; i < small * large; i++)
        matrix[i] = random_normal(random);
    orthonormal_rows(matrix, small, large);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            out[r * columns + c] = (float)(gain_of(values) * (wide ? matrix[r * large + c] : matrix[c * large + r]));
    memory_free(matrix);
}

const InitializerDef initializer_orthogonal = {
    .component = {.name = "orthogonal", .summary = "orthonormal rows or columns times gain", .params = gain_one,
                  .size = sizeof(struct gain), .source = "Saxe et al. 2014"},
    .fill = orthogonal_fill,
};
