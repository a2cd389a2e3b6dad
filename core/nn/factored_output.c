#include "core/nn/factored_output.h"

#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/gemm.h"

/* U is given up when an update comes so near to making it singular, or when its condition is so large: U and U^-T are
   exact to about the condition times the rounding of a double. */
static const double least_denominator = 1e-3, largest_condition = 1e3;
enum { ROWS_PER_TASK = 256 };

int64_t factored_output_size(int64_t classes, int64_t width)
{
    return 1 + classes * width + 3 * width * width + 2 * width;
}

FactoredOutput factored_output_over(double *block, int64_t classes, int64_t width)
{
    FactoredOutput layer = {.classes = classes, .width = width, .steps = block, .v = block + 1};
    layer.u = layer.v + classes * width;
    layer.inverse = layer.u + width * width;
    layer.gram = layer.inverse + width * width;
    layer.shift = layer.gram + width * width;
    layer.sums = layer.shift + width;
    return layer;
}

/* In eight sums, which a compiler may keep in vectors. */
static double dot(int64_t count, const double *a, const double *b)
{
    double sums[8] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int k = 0; k < 8; k++)
            sums[k] += a[i + k] * b[i + k];
    for (; i < count; i++)
        rest += a[i] * b[i];
    return rest + ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

static void add(int64_t count, double factor, const double *x, double *y)
{
    for (int64_t i = 0; i < count; i++)
        y[i] += factor * x[i];
}

/* y = A x, or A^T x. */
static void times(int64_t width, const double *a, const double *x, double *y)
{
    for (int64_t i = 0; i < width; i++)
        y[i] = dot(width, a + i * width, x);
}

static void times_transposed(int64_t width, const double *a, const double *x, double *y)
{
    memset(y, 0, (size_t)width * sizeof *y);
    for (int64_t i = 0; i < width; i++)
        add(width, x[i], a + i * width, y);
}

/* ---- Multiplying out ---- */

void factored_output_start(FactoredOutput *layer)
{
    int64_t width = layer->width;
    size_t square = (size_t)(width * width) * sizeof(double), row = (size_t)width * sizeof(double);
    *layer->steps = 0;
    memset(layer->u, 0, square);
    memset(layer->shift, 0, row);
    memset(layer->sums, 0, row);
    for (int64_t i = 0; i < width; i++)
        layer->u[i * width + i] = 1;
    memcpy(layer->inverse, layer->u, square);
    dgemm(true, false, width, width, layer->classes, layer->v, width, layer->v, width, 0, layer->gram, width);
    for (int64_t k = 0; k < layer->classes; k++)
        add(width, 1, layer->v + k * width, layer->sums);
}

/* W_k = U^T V_k + w. */
static void weight_row(const FactoredOutput *layer, int64_t k, double *row)
{
    times_transposed(layer->width, layer->u, layer->v + k * layer->width, row);
    add(layer->width, 1, layer->shift, row);
}

typedef struct Rows { const FactoredOutput *layer; double *weight; } Rows;

static void weight_rows(void *context, int64_t begin, int64_t end)
{
    const Rows *rows = context;
    for (int64_t k = begin; k < end; k++)
        weight_row(rows->layer, k, rows->weight + k * rows->layer->width);
}

void factored_output_weight(const FactoredOutput *layer, double *weight)
{
    Rows rows = {layer, weight};
    parallel_for(layer->classes, ROWS_PER_TASK, weight_rows, &rows);
}

static void multiply_out(FactoredOutput *layer)
{
    size_t bytes = (size_t)(layer->classes * layer->width) * sizeof(double);
    double *weight = memory_new(bytes);
    factored_output_weight(layer, weight);
    memcpy(layer->v, weight, bytes);
    memory_free(weight);
    factored_output_start(layer);
}

static double norm(int64_t count, const double *x)
{
    return sqrt(dot(count, x, x));
}

double factored_output_condition(const FactoredOutput *layer)
{
    int64_t count = layer->width * layer->width;
    return norm(count, layer->u) * norm(count, layer->inverse) / (double)layer->width;
}

/* ---- Forward and backward ---- */

static double *doubles(Arena *arena, int64_t count)
{
    return arena_zero(arena, (size_t)count, sizeof(double));
}

void factored_output_read(const FactoredOutput *layer, FactoredBatch *batch, Arena *arena)
{
    int64_t width = layer->width, count = batch->count;
    double **vectors[] = {&batch->sums, &batch->squares, &batch->outputs, &batch->sum_slopes, &batch->square_slopes,
                          &batch->output_slopes};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        *vectors[i] = doubles(arena, count);
    batch->rows = doubles(arena, count * width);
    batch->products = doubles(arena, count * width);
    batch->gradients = doubles(arena, count * width);
    for (int64_t i = 0; i < count; i++) {
        const double *h = batch->inputs + i * width;
        weight_row(layer, batch->targets[i], batch->rows + i * width);
        times(width, layer->gram, h, batch->products + i * width);
        batch->sums[i] = dot(width, layer->sums, h);
        batch->squares[i] = dot(width, batch->products + i * width, h);
        batch->outputs[i] = dot(width, batch->rows + i * width, h);
    }
}

/* W^T g with g = L_s 1 + 2 L_q o + L_o e_c, the gradient for the outputs. */
void factored_output_gradients(const FactoredOutput *layer, FactoredBatch *batch)
{
    int64_t width = layer->width;
    for (int64_t i = 0; i < batch->count; i++) {
        double *gradient = batch->gradients + i * width;
        memset(gradient, 0, (size_t)width * sizeof *gradient);
        add(width, batch->sum_slopes[i], layer->sums, gradient);
        add(width, 2 * batch->square_slopes[i], batch->products + i * width, gradient);
        add(width, batch->output_slopes[i], batch->rows + i * width, gradient);
    }
}

/* ---- The step: W -= rate sum_i g_i h_i^T ---- */

/* g_i . g_j of all pairs, [count, count], from the moments. */
static double *gradient_products(const FactoredOutput *layer, const FactoredBatch *batch, Arena *arena)
{
    int64_t m = batch->count, width = layer->width;
    double *outputs = doubles(arena, m * m), *inner = doubles(arena, m * m), *result = doubles(arena, m * m);
    dgemm(false, true, m, m, width, batch->inputs, width, batch->rows, width, 0, outputs, m); /* o_i[c_j] */
    dgemm(false, true, m, m, width, batch->inputs, width, batch->products, width, 0, inner, m); /* o_i . o_j */
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++) {
            double si = batch->sum_slopes[i], sj = batch->sum_slopes[j], oi = batch->output_slopes[i];
            double oj = batch->output_slopes[j], qi = 2 * batch->square_slopes[i], qj = 2 * batch->square_slopes[j];
            double same = batch->targets[i] == batch->targets[j];
            result[i * m + j] = si * sj * (double)layer->classes + si * qj * batch->sums[j] + qi * sj * batch->sums[i] +
                                si * oj + oi * sj + qi * qj * inner[i * m + j] + qi * oj * outputs[i * m + j] +
                                oi * qj * outputs[j * m + i] + oi * oj * same;
        }
    return result;
}

static void step_moments(FactoredOutput *layer, const FactoredBatch *batch, double rate, Arena *arena)
{
    int64_t m = batch->count, width = layer->width;
    double *pairs = gradient_products(layer, batch, arena), *half = doubles(arena, m * width);
    double *cross = doubles(arena, width * width), *square = doubles(arena, width * width);
    dgemm(true, false, width, width, m, batch->gradients, width, batch->inputs, width, 0, cross, width);
    dgemm(false, false, m, width, m, pairs, m, batch->inputs, width, 0, half, width);
    dgemm(true, false, width, width, m, batch->inputs, width, half, width, 0, square, width);
    for (int64_t a = 0; a < width; a++)
        for (int64_t b = 0; b < width; b++)
            layer->gram[a * width + b] += rate * rate * square[a * width + b] -
                                          rate * (cross[a * width + b] + cross[b * width + a]);
    for (int64_t i = 0; i < m; i++) {
        double sum = batch->sum_slopes[i] * (double)layer->classes + 2 * batch->square_slopes[i] * batch->sums[i] +
                     batch->output_slopes[i];
        add(width, -rate * sum, batch->inputs + i * width, layer->sums);
    }
}

/* U -= 2 rate sum_i L_q,i (U h_i) h_i^T in U, and by Sherman and Morrison in U^-T; false where that would make U all
   but singular. */
static bool step_factor(const FactoredBatch *batch, double rate, int64_t width, const double *old, double *u,
                        double *inverse, double *scratch)
{
    double *image = scratch, *back = scratch + width, *forth = scratch + 2 * width;
    for (int64_t i = 0; i < batch->count; i++) {
        const double *h = batch->inputs + i * width;
        double factor = -2 * rate * batch->square_slopes[i];
        times(width, old, h, image);
        times_transposed(width, inverse, image, back); /* U^-1 (U_old h) */
        times(width, inverse, h, forth);
        double denominator = 1 + factor * dot(width, h, back);
        if (!(fabs(denominator) >= least_denominator))
            return false;
        for (int64_t r = 0; r < width; r++) {
            add(width, factor * image[r], h, u + r * width);
            add(width, -factor / denominator * forth[r], back, inverse + r * width);
        }
    }
    return true;
}

/* The step as it is written, O(count classes width): where U would not bear it. */
static void step_dense(FactoredOutput *layer, const FactoredBatch *batch, double rate, Arena *arena)
{
    int64_t width = layer->width;
    multiply_out(layer);
    double *change = doubles(arena, width);
    for (int64_t k = 0; k < layer->classes; k++) {
        double *row = layer->v + k * width;
        memset(change, 0, (size_t)width * sizeof *change);
        for (int64_t i = 0; i < batch->count; i++) {
            const double *h = batch->inputs + i * width;
            double slope = batch->sum_slopes[i] + 2 * batch->square_slopes[i] * dot(width, row, h) +
                           (batch->targets[i] == k ? batch->output_slopes[i] : 0);
            add(width, -rate * slope, h, change);
        }
        add(width, 1, change, row);
    }
    factored_output_start(layer);
}

void factored_output_step(FactoredOutput *layer, const FactoredBatch *batch, double rate, int64_t refactor_every,
                          Arena *arena)
{
    int64_t width = layer->width, square = width * width;
    size_t bytes = (size_t)square * sizeof(double);
    double *u = memcpy(doubles(arena, square), layer->u, bytes);
    double *inverse = memcpy(doubles(arena, square), layer->inverse, bytes), *scratch = doubles(arena, 3 * width);
    if (!step_factor(batch, rate, width, layer->u, u, inverse, scratch)) {
        step_dense(layer, batch, rate, arena);
        return;
    }
    step_moments(layer, batch, rate, arena);
    double *shift = memcpy(doubles(arena, width), layer->shift, (size_t)width * sizeof(double));
    for (int64_t i = 0; i < batch->count; i++) { /* by the old w, and the new U^-T */
        const double *h = batch->inputs + i * width;
        double slope = batch->sum_slopes[i] + 2 * batch->square_slopes[i] * dot(width, shift, h);
        add(width, -rate * slope, h, layer->shift);
        times(width, inverse, h, scratch);
        add(width, -rate * batch->output_slopes[i], scratch, layer->v + batch->targets[i] * width);
    }
    memcpy(layer->u, u, bytes);
    memcpy(layer->inverse, inverse, bytes);
    if (++*layer->steps >= (double)refactor_every || !(factored_output_condition(layer) <= largest_condition))
        multiply_out(layer);
}
