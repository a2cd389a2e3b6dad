/* Gradients of cut cross-entropy of floats; cut_cross_entropy.c tells the plan. */
#include <math.h>

#include "core/kernels/kernels.h"
#include "core/tensor/cut_work.h"

enum { STRIDE = COLUMNS + MARGIN };

/* Words first to first + columns of those in their order, held by a task. */
typedef struct Strip { int64_t first, columns; } Strip;

/* Column of the token's target in this strip, or -1. */
static int64_t target_column(const Work *work, Strip strip, int64_t token)
{
    const int64_t column = place_of(work, token) - strip.first;
    return column >= 0 && column < strip.columns ? column : -1;
}

/* Whether |softmax - one hot| reaches the filter somewhere in a row of logits. What is not a number does. */
static bool reaches_filter(const Work *work, Strip strip, int64_t token, float *z)
{
    const int64_t column = target_column(work, strip, token);
    const double filter = work->problem->options.filter;
    const float target = column >= 0 ? z[column] : 0, *parts = work->parts + 2 * token;
    if (column >= 0 && !(fabs(expm1((double)(target - parts[0]) - (double)parts[1])) < filter))
        return true;
    if (column >= 0)
        z[column] = -INFINITY;
    const double largest = (double)(kernels()->rows.max_row(strip.columns, z) - parts[0]) - (double)parts[1];
    if (column >= 0)
        z[column] = target;
    return !(exp(largest) < filter);
}

/* A row of logits becomes the gradient by its products: g (softmax (1 + 2 a lse) - one hot) (1 - (z/c)^2). */
static void gradient_row(const Work *work, Strip strip, int64_t token, float *z)
{
    const float inverse_cap = work->problem->options.softcap > 0 ? (float)(1 / work->problem->options.softcap) : 0;
    const int64_t column = target_column(work, strip, token);
    const float weight = work->gradient[token], *parts = work->parts + 2 * token;
    const double by_sum = 1 + 2 * work->problem->options.z_loss * ((double)parts[0] + (double)parts[1]);
    const float u = column >= 0 && inverse_cap > 0 ? z[column] * inverse_cap : 0;
    kernels()->rows.cross_entropy_gradient_row(strip.columns, z, parts, (float)by_sum * weight, inverse_cap);
    if (column >= 0)
        z[column] -= weight * (1 - u * u);
}

/* The tile's rows (tokens from `token` on) become gradients, where they reach the filter. */
static void make_gradients(const Work *work, Strip strip, int64_t token, int64_t rows, const float *bias,
                           const Bench *bench, bool *kept)
{
    const CutCrossEntropyOptions *options = &work->problem->options;
    for (int64_t group = 0; group < rows; group += GROUP) {
        const int64_t end = smaller(group + GROUP, rows);
        bool reaches = !(options->filter > 0) || options->full_weight;
        for (int64_t i = group; i < end; i++)
            cut_finish_logits(work->problem, strip.columns, bias, bench->z + i * STRIDE);
        for (int64_t i = group; i < end && !reaches; i++)
            reaches = reaches_filter(work, strip, index_of(&work->tokens, token + i), bench->z + i * STRIDE);
        for (int64_t i = group; i < end && reaches; i++)
            gradient_row(work, strip, index_of(&work->tokens, token + i), bench->z + i * STRIDE);
        kept[group / GROUP] = reaches;
    }
}

static void add_to_bias(const Work *work, Strip strip, int64_t begin, int64_t end, const Bench *bench)
{
    float sum[COLUMNS];
    kernels()->elementwise.sum_columns(end - begin, strip.columns, STRIDE, bench->z + begin * STRIDE, sum);
    for (int64_t j = 0; j < strip.columns; j++)
        work->dbias[index_of(&work->words, strip.first + j)] += sum[j];
}

static void backward_task(Work *work, const Bench *bench, int64_t first, int64_t columns)
{
    const Strip strip = {first, columns};
    float bias[COLUMNS];
    for (int64_t j = 0; j < columns && work->bias; j++)
        bias[j] = work->bias[index_of(&work->words, first + j)];
    cut_hold(&work->words, first, columns, bench);
    for (int64_t token = 0; token < work->tokens.count; token += work->rows) {
        const int64_t rows = smaller(work->rows, work->tokens.count - token);
        const Chunk chunk = cut_passing(&work->tokens, token, rows, bench);
        bool kept[GROUPS];
        cut_multiply(&chunk, columns, bench);
        make_gradients(work, strip, token, rows, work->bias ? bias : NULL, bench, kept);
        for (int64_t begin = 0, end; cut_next_kept(kept, rows, &begin, &end); begin = end) {
            if (work->dweight)
                cut_add_products(&chunk, begin, end, bench, first, columns, work->order, false, work->dweight);
            if (work->dbias)
                add_to_bias(work, strip, begin, end, bench);
        }
    }
}

/* unit *= gradient, token by token. */
typedef struct Scaling { const float *gradient; float *unit; int64_t width; } Scaling;

static void scale_rows(void *context, int64_t begin, int64_t end)
{
    const Scaling *scaling = context;
    for (int64_t i = begin; i < end; i++)
        kernels()->rows.scale_row(scaling->width, scaling->gradient[i], scaling->unit + i * scaling->width);
}

void cut_scale_unit(const Tensor *gradient, Tensor *unit)
{
    parallel_for(gradient->count, GROUP, scale_rows,
                 &(Scaling){tensor_f32(gradient), tensor_f32(unit), unit->shape[1]});
}

void cut_backward_single(const CutProblem *problem, Tensor *const *inputs, const Tensor *parts, const Tensor *order,
                         const Tensor *gradient, Tensor *dweight, Tensor *dbias)
{
    Work work = cut_start(problem, inputs);
    work.parts = tensor_f32(parts);
    work.gradient = floats(gradient);
    work.dweight = cleared(dweight);
    work.dbias = cleared(dbias);
    if (order) {
        work.words.index = work.order = tensor_i32(order);
        work.places = work.order + problem->words;
    }
    if (work.tokens.count > 0)
        cut_pass(&work, &work.words, &work.tokens, order != NULL, backward_task);
    cut_end(&work);
}
