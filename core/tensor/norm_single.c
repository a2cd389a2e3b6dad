/* Normalisation of floats. Three layouts have loops of their own: rows with parameters along them (layer
   norm), columns (batch norm of [N, C]), and segments of one channel (images). */
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/kernels.h"
#include "core/tensor/norm.h"

/* Elements worth a task of their own; rows whose float sums one double takes over. */
enum { TASK = 32 * 1024, COLUMNS = 64, ROWS_A_SUM = 256, MOST_CHUNKS = 64 };

typedef enum Layout { ROWS, BY_COLUMN, SEGMENTS } Layout;

static Layout layout_of(const Norm *norm)
{
    if (norm->inner == 1 && norm->per_channel)
        return BY_COLUMN;
    return norm->inner == 1 && norm->groups == 1 ? ROWS : SEGMENTS;
}

/* One pass over x, which `body` does by ranges of rows, column blocks, segments or statistics. */
typedef struct Pass {
    const Norm *norm;
    const float *x, *dy, *scale, *shift;
    const double *mean, *factor;
    double *mean_out, *variance_out;
    float *y;                           /* or dx; NULL: not wanted */
    float *partial_scale, *partial_shift; /* ROWS: a row of `channels` sums for each chunk */
    int64_t chunk;
    double *sums, *products;            /* BY_COLUMN: [channels]; SEGMENTS: [outer, channels] */
    const double *average, *product;    /* of the statistics */
    float *dscale, *dshift;
} Pass;

/* How many of the items of `size` elements make a task. */
static int64_t grain(int64_t size)
{
    return size >= TASK ? 1 : TASK / (size > 0 ? size : 1);
}

static double mean_divisor(const Norm *norm)
{
    return (double)(norm_elements(norm) > 0 ? norm_elements(norm) : 1);
}

static int64_t column_blocks(const Norm *norm)
{
    return (norm->channels + COLUMNS - 1) / COLUMNS;
}

static int64_t block_width(const Norm *norm, int64_t first)
{
    return norm->channels - first < COLUMNS ? norm->channels - first : COLUMNS;
}

static void spill(int64_t n, float *sum, double *total)
{
    for (int64_t i = 0; i < n; i++) {
        total[i] += (double)sum[i];
        sum[i] = 0;
    }
}

/* ---- Statistics ----

   Sums are of differences from some element, so that float holds them well when the mean is large. */

static void statistics_of_rows(void *context, int64_t begin, int64_t end)
{
    const Pass *pass = context;
    const RowKernels *rows = &kernels()->rows;
    const int64_t n = norm_elements(pass->norm);
    const double divisor = mean_divisor(pass->norm);
    for (int64_t row = begin; row < end; row++) {
        const float *x = pass->x + row * n;
        double mean = 0;
        if (pass->norm->centred && n > 0)
            mean = (double)x[0] + rows->centred_sum_row(n, x, x[0]) / divisor;
        pass->mean_out[row] = mean;
        pass->variance_out[row] = rows->centred_squares_row(n, x, (float)mean) / divisor;
    }
}

static void statistics_of_channels(void *context, int64_t begin, int64_t end)
{
    const Pass *pass = context;
    const Norm *norm = pass->norm;
    for (int64_t c = begin; c < end; c++) {
        const float *first = pass->x + c * norm->inner, some = norm_elements(norm) > 0 ? *first : 0;
        double sum = 0, squares = 0;
        const int64_t step = norm->channels * norm->inner;
        for (int64_t o = 0; o < norm->outer; o++)
            sum += kernels()->rows.centred_sum_row(norm->inner, first + o * step, some);
        const double mean = (double)some + sum / mean_divisor(norm);
        for (int64_t o = 0; o < norm->outer; o++)
            squares += kernels()->rows.centred_squares_row(norm->inner, first + o * step, (float)mean);
        pass->mean_out[c] = mean;
        pass->variance_out[c] = squares / mean_divisor(norm);
    }
}

static void statistics_of_columns(void *context, int64_t begin, int64_t end)
{
    const Pass *pass = context;
    const Norm *norm = pass->norm;
    for (int64_t block = begin; block < end; block++) {
        const int64_t first = block * COLUMNS, n = block_width(norm, first);
        double *mean = pass->mean_out + first, *variance = pass->variance_out + first;
        float sum[COLUMNS] = {0}, centre[COLUMNS] = {0};
        if (norm->outer > 0)
            memcpy(centre, pass->x + first, (size_t)n * sizeof *centre);
        memset(mean, 0, (size_t)n * sizeof *mean);
        memset(variance, 0, (size_t)n * sizeof *variance);
        for (int64_t o = 0; o < norm->outer; o++) {
            kernels()->rows.centred_sum_columns(n, pass->x + o * norm->channels + first, centre, sum);
            if (o % ROWS_A_SUM == ROWS_A_SUM - 1 || o == norm->outer - 1)
                spill(n, sum, mean);
        }
        for (int64_t i = 0; i < n; i++) {
            mean[i] = (double)centre[i] + mean[i] / mean_divisor(norm);
            centre[i] = (float)mean[i];
        }
        for (int64_t o = 0; o < norm->outer; o++) {
            kernels()->rows.centred_squares_columns(n, pass->x + o * norm->channels + first, centre, sum);
            if (o % ROWS_A_SUM == ROWS_A_SUM - 1 || o == norm->outer - 1)
                spill(n, sum, variance);
        }
        for (int64_t i = 0; i < n; i++)
            variance[i] /= mean_divisor(norm);
    }
}

void norm_statistics_single(const Norm *norm, const Tensor *x, double *mean, double *variance)
{
    Pass pass = {.norm = norm, .x = tensor_f32(x), .mean_out = mean, .variance_out = variance};
    if (!norm->per_channel)
        parallel_for(norm_statistics_count(norm), grain(norm_elements(norm)), statistics_of_rows, &pass);
    else if (norm->inner == 1)
        parallel_for(column_blocks(norm), grain(norm->outer * COLUMNS), statistics_of_columns, &pass);
    else
        parallel_for(norm->channels, grain(norm_elements(norm)), statistics_of_channels, &pass);
}

/* ---- Forward ---- */

static void apply_to_rows(void *context, int64_t begin, int64_t end)
{
    const Pass *pass = context;
    const int64_t n = pass->norm->channels;
    for (int64_t row = begin; row < end; row++)
        kernels()->rows.norm_row(n, pass->x + row * n, (float)pass->mean[row], (float)pass->factor[row], pass->scale,
                                 pass->shift, pass->y + row * n);
}

static void apply_to_columns(void *context, int64_t begin, int64_t end)
{
    const Pass *pass = context;
    const int64_t channels = pass->norm->channels;
    for (int64_t block = begin; block < end; block++) {
        const int64_t first = block * COLUMNS, n = block_width(pass->norm, first);
        float mean[COLUMNS], factor[COLUMNS], shift[COLUMNS];
        for (int64_t i = 0; i < n; i++) {
            mean[i] = (float)pass->mean[first + i];
            factor[i] = (float)pass->factor[first + i] * (pass->scale ? pass->scale[first + i] : 1);
            shift[i] = pass->shift ? pass->shift[first + i] : 0;
        }
        for (int64_t at = first; at < pass->norm->outer * channels; at += channels)
            kernels()->rows.norm_columns(n, pass->x + at, mean, factor, shift, pass->y + at);
    }
}

static void apply_to_segments(void *context, int64_t begin, int64_t end)
{
    const Pass *pass = context;
    const Norm *norm = pass->norm;
    const int64_t n = norm->inner;
    for (int64_t segment = begin; segment < end; segment++) {
        const int64_t c = segment % norm->channels, s = norm_statistic_of(norm, segment / norm->channels, c);
        const float factor = (float)pass->factor[s] * (pass->scale ? pass->scale[c] : 1);
        /* y = factor x' + shift has the form of that gradient. */
        const float shift = pass->shift ? pass->shift[c] : 0, by[3] = {0, -shift, -factor};
        const float *x = pass->x + segment * n;
        kernels()->rows.norm_gradient_row(n, x, (float)pass->mean[s], x, NULL, by, pass->y + segment * n);
    }
}

static const float *floats(const Tensor *tensor)
{
    return tensor ? tensor_f32(tensor) : NULL;
}

void norm_apply_single(const Norm *norm, const Tensor *x, const double *mean, const double *factor, const Tensor *scale,
                       const Tensor *shift, Tensor *y)
{
    Pass pass = {.norm = norm, .x = floats(x), .mean = mean, .factor = factor, .scale = floats(scale),
                 .shift = floats(shift), .y = tensor_f32(y)};
    switch (layout_of(norm)) {
    case ROWS: parallel_for(norm->outer, grain(norm->channels), apply_to_rows, &pass); break;
    case BY_COLUMN: parallel_for(column_blocks(norm), grain(norm->outer * COLUMNS), apply_to_columns, &pass); break;
    case SEGMENTS: parallel_for(norm->outer * norm->channels, grain(norm->inner), apply_to_segments, &pass); break;
    }
}

/* ---- Backward ---- */

static void gradient_of_rows(void *context, int64_t begin, int64_t end)
{
    const Pass *pass = context;
    const Norm *norm = pass->norm;
    const RowKernels *rows = &kernels()->rows;
    const int64_t n = norm->channels, chunk = begin / pass->chunk;
    float *dscale = pass->partial_scale + chunk * n, *dshift = pass->partial_shift + chunk * n;
    memset(dscale, 0, (size_t)n * sizeof *dscale);
    memset(dshift, 0, (size_t)n * sizeof *dshift);
    for (int64_t row = begin; row < end; row++) {
        const float *x = pass->x + row * n, *dy = pass->dy + row * n, mean = (float)pass->mean[row];
        const double factor = pass->factor[row];
        if (pass->dscale || pass->dshift)
            rows->norm_parameters_row(n, x, mean, (float)factor, dy, dscale, dshift);
        if (!pass->y)
            continue;
        double sum, product;
        rows->norm_sums(n, x, mean, dy, pass->scale, &sum, &product);
        const float by[3] = {(float)factor, norm->centred ? (float)(factor * sum / (double)n) : 0,
                             (float)(factor * factor * factor * product / (double)n)};
        rows->norm_gradient_row(n, x, mean, dy, pass->scale, by, pass->y + row * n);
    }
}

/* A tree over the chunks would gain nothing: double takes the at most 64 of them. */
static void add_chunks(int64_t n, int64_t chunks, const float *partial, float *sum)
{
    for (int64_t i = 0; i < n; i++) {
        double total = 0;
        for (int64_t chunk = 0; chunk < chunks; chunk++)
            total += (double)partial[chunk * n + i];
        sum[i] = (float)total;
    }
}

static void backward_rows(Pass *pass)
{
    const Norm *norm = pass->norm;
    const int64_t least = grain(norm->channels), even = (norm->outer + MOST_CHUNKS - 1) / MOST_CHUNKS;
    pass->chunk = least > even ? least : even;
    const int64_t chunks = (norm->outer + pass->chunk - 1) / pass->chunk;
    const size_t bytes = (size_t)(2 * chunks * norm->channels) * sizeof(float);
    pass->partial_scale = arena_alloc(tape_arena(), bytes);
    pass->partial_shift = pass->partial_scale + chunks * norm->channels;
    parallel_for(norm->outer, pass->chunk, gradient_of_rows, pass);
    if (pass->dscale)
        add_chunks(norm->channels, chunks, pass->partial_scale, pass->dscale);
    if (pass->dshift)
        add_chunks(norm->channels, chunks, pass->partial_shift, pass->dshift);
    arena_recycle(tape_arena(), pass->partial_scale, bytes);
}

static void gradient_of_columns(void *context, int64_t begin, int64_t end)
{
    const Pass *pass = context;
    const Norm *norm = pass->norm;
    const int64_t channels = norm->channels, last = norm->outer - 1;
    for (int64_t block = begin; block < end; block++) {
        const int64_t first = block * COLUMNS, n = block_width(norm, first);
        float mean[COLUMNS], sum[COLUMNS] = {0}, product[COLUMNS] = {0}, by[3][COLUMNS];
        double *sums = pass->sums + first, *products = pass->products + first;
        for (int64_t i = 0; i < n; i++) {
            mean[i] = (float)pass->mean[first + i];
            sums[i] = products[i] = 0;
        }
        for (int64_t o = 0; o <= last; o++) {
            const int64_t at = o * channels + first;
            kernels()->rows.norm_sums_columns(n, pass->x + at, mean, pass->dy + at, sum, product);
            if (o % ROWS_A_SUM == ROWS_A_SUM - 1 || o == last) {
                spill(n, sum, sums);
                spill(n, product, products);
            }
        }
        for (int64_t i = 0; i < n; i++) {
            const double factor = pass->factor[first + i], share = norm->given ? 0 : 1 / mean_divisor(norm);
            const double a = factor * (double)(pass->scale ? pass->scale[first + i] : 1);
            products[i] *= factor; /* now the gradient of the scale */
            by[0][i] = (float)a;
            by[1][i] = (float)(a * sums[i] * share);
            by[2][i] = (float)(a * factor * products[i] * share);
        }
        for (int64_t o = 0; o <= last && pass->y; o++) {
            const int64_t at = o * channels + first;
            kernels()->rows.norm_gradient_columns(n, pass->x + at, mean, pass->dy + at,
                                                  (const float *[]){by[0], by[1], by[2]}, pass->y + at);
        }
    }
}

static void sums_of_segments(void *context, int64_t begin, int64_t end)
{
    const Pass *pass = context;
    const Norm *norm = pass->norm;
    for (int64_t segment = begin; segment < end; segment++) {
        const int64_t s = norm_statistic_of(norm, segment / norm->channels, segment % norm->channels);
        const int64_t at = segment * norm->inner;
        kernels()->rows.norm_sums(norm->inner, pass->x + at, (float)pass->mean[s], pass->dy + at, NULL,
                                  pass->sums + segment, pass->products + segment);
        pass->products[segment] *= pass->factor[s];
    }
}

static void gradient_of_segments(void *context, int64_t begin, int64_t end)
{
    const Pass *pass = context;
    const Norm *norm = pass->norm;
    for (int64_t segment = begin; segment < end; segment++) {
        const int64_t c = segment % norm->channels, s = norm_statistic_of(norm, segment / norm->channels, c);
        const int64_t at = segment * norm->inner;
        const double factor = pass->factor[s];
        const float by[3] = {(float)factor * (pass->scale ? pass->scale[c] : 1), (float)(factor * pass->average[s]),
                             (float)(factor * factor * pass->product[s])};
        kernels()->rows.norm_gradient_row(norm->inner, pass->x + at, (float)pass->mean[s], pass->dy + at, NULL, by,
                                          pass->y + at);
    }
}

static void backward_segments(Pass *pass)
{
    const Norm *norm = pass->norm;
    const int64_t segments = norm->outer * norm->channels, statistics = norm_statistics_count(norm);
    const size_t bytes = (size_t)segments * sizeof(double), few = (size_t)statistics * sizeof(double);
    double *average = arena_zero(tape_arena(), (size_t)statistics, sizeof *average);
    double *product = arena_zero(tape_arena(), (size_t)statistics, sizeof *product);
    double *parameter = arena_zero(tape_arena(), 2 * (size_t)norm->channels, sizeof *parameter);
    pass->sums = arena_alloc(tape_arena(), bytes);
    pass->products = arena_alloc(tape_arena(), bytes);
    parallel_for(segments, grain(norm->inner), sums_of_segments, pass);
    for (int64_t segment = 0; segment < segments; segment++) {
        const int64_t c = segment % norm->channels, s = norm_statistic_of(norm, segment / norm->channels, c);
        const double weight = norm->given ? 0 : (double)(pass->scale ? pass->scale[c] : 1) / mean_divisor(norm);
        average[s] += weight * pass->sums[segment];
        product[s] += weight * pass->products[segment];
        parameter[c] += pass->products[segment];
        parameter[norm->channels + c] += pass->sums[segment];
    }
    for (int64_t c = 0; c < norm->channels; c++) {
        if (pass->dscale)
            pass->dscale[c] = (float)parameter[c];
        if (pass->dshift)
            pass->dshift[c] = (float)parameter[norm->channels + c];
    }
    pass->average = average;
    pass->product = product;
    if (pass->y)
        parallel_for(segments, grain(norm->inner), gradient_of_segments, pass);
    arena_recycle(tape_arena(), pass->sums, bytes);
    arena_recycle(tape_arena(), pass->products, bytes);
    arena_recycle(tape_arena(), average, few);
    arena_recycle(tape_arena(), product, few);
    arena_recycle(tape_arena(), parameter, 2 * (size_t)norm->channels * sizeof *parameter);
}

static void backward_columns(Pass *pass)
{
    const Norm *norm = pass->norm;
    const size_t bytes = 2 * (size_t)norm->channels * sizeof(double);
    pass->sums = arena_alloc(tape_arena(), bytes);
    pass->products = pass->sums + norm->channels;
    parallel_for(column_blocks(norm), grain(norm->outer * COLUMNS), gradient_of_columns, pass);
    for (int64_t c = 0; c < norm->channels; c++) {
        if (pass->dscale)
            pass->dscale[c] = (float)pass->products[c];
        if (pass->dshift)
            pass->dshift[c] = (float)pass->sums[c];
    }
    arena_recycle(tape_arena(), pass->sums, bytes);
}

static float *output(Tensor *tensor)
{
    return tensor ? tensor_f32(tensor) : NULL;
}

void norm_gradient_single(const Norm *norm, const NormGradient *work)
{
    Pass pass = {.norm = norm, .x = floats(work->x), .dy = floats(work->dy), .scale = floats(work->scale),
                 .mean = work->mean, .factor = work->factor, .y = output(work->dx), .dscale = output(work->dscale),
                 .dshift = output(work->dshift)};
    switch (layout_of(norm)) {
    case ROWS: backward_rows(&pass); break;
    case BY_COLUMN: backward_columns(&pass); break;
    case SEGMENTS: backward_segments(&pass); break;
    }
}
