/* Losses of cut cross-entropy of floats, and the gradients by the embeddings; cut_cross_entropy.c tells the plan. */
#include <math.h>

#include "core/kernels/kernels.h"
#include "core/tensor/cut_work.h"

enum { STRIDE = COLUMNS + MARGIN };

/* Of the tokens held. */
typedef struct Sums {
    float largest[COLUMNS] __attribute__((aligned(64)));  /* logit so far */
    float shift[COLUMNS] __attribute__((aligned(64)));    /* the same; 0 where there is none yet but -inf */
    float target[COLUMNS];
    double sum[COLUMNS];                                  /* of exp(logit - shift) */
    float of_groups[GROUPS][COLUMNS] __attribute__((aligned(64))); /* largest logits of the tile's groups */
} Sums;

/* Rows first to first + rows of the words: logits, with the largest of each group. */
static void compute_tile(const Work *work, const Bench *bench, int64_t first, int64_t rows, int64_t columns, Sums *sums)
{
    const int64_t n = gemm_whole_panels(columns);
    float bias[COLUMNS];
    for (int64_t i = 0; i < rows && (work->bias || work->problem->options.softcap > 0); i++) {
        for (int64_t j = 0; j < n && work->bias; j++)
            bias[j] = work->bias[index_of(&work->words, first + i)];
        cut_finish_logits(work->problem, n, work->bias ? bias : NULL, bench->z + i * STRIDE);
    }
    for (int64_t i = 0; i < rows; i += GROUP) {
        float *largest = sums->of_groups[i / GROUP];
        for (int64_t j = 0; j < n; j++)
            largest[j] = -INFINITY;
        kernels()->rows.max_columns(smaller(GROUP, rows - i), n, STRIDE, bench->z + i * STRIDE, largest);
    }
}

/* Takes the tile's largest logits in; what was summed with a smaller one is scaled down. */
static void raise_shifts(const Work *work, const Bench *bench, int64_t groups, int64_t columns, Sums *sums,
                         float *by_embedding)
{
    const int64_t d = work->problem->width;
    for (int64_t j = 0; j < columns; j++) {
        float largest = sums->largest[j];
        for (int64_t g = 0; g < groups; g++)
            largest = sums->of_groups[g][j] > largest ? sums->of_groups[g][j] : largest;
        if (!(largest > sums->largest[j]))
            continue;
        const float factor = expf(sums->largest[j] - largest); /* 0 at first: what was summed then is 0 or no number */
        sums->sum[j] *= sums->largest[j] > -INFINITY ? (double)factor : 1;
        if (by_embedding && sums->largest[j] > -INFINITY)
            kernels()->rows.scale_row(d, factor, by_embedding + j * d);
        if (bench->lost)
            kernels()->rows.scale_row(d, factor, bench->lost + j * d);
        sums->largest[j] = sums->shift[j] = largest;
    }
}

/* Which groups reach the filter: exp(logit - lse) of some token, by the sum so far. That is at least the one by the
   whole sum, so that no group is left out that would then reach it. */
static void find_kept(const Work *work, int64_t groups, int64_t columns, Sums *sums, bool *kept)
{
    const CutCrossEntropyOptions *options = &work->problem->options;
    float unused[COLUMNS];
    for (int64_t g = 0; g < groups; g++) {
        kept[g] = !(options->filter > 0) || options->full_embeddings;
        if (kept[g])
            continue;
        float *largest = sums->of_groups[g];
        kernels()->rows.exp_columns(1, gemm_whole_panels(columns), 0, largest, sums->shift, 0, unused);
        for (int64_t j = 0; j < columns && !kept[g]; j++)
            kept[g] = !((double)largest[j] < options->filter * sums->sum[j]);
    }
}

static void add_words(const Work *work, const Bench *bench, int64_t word, int64_t token, int64_t columns, Sums *sums)
{
    const int64_t rows = smaller(work->rows, work->words.count - word);
    const int64_t groups = pieces(rows, GROUP), n = gemm_whole_panels(columns);
    const float cap = (float)work->problem->options.softcap;
    const Chunk chunk = cut_passing(&work->words, word, rows, bench);
    cut_multiply(&chunk, columns, bench);
    compute_tile(work, bench, word, rows, columns, sums);
    for (int64_t j = 0; j < columns; j++) {
        const int64_t row = place_of(work, index_of(&work->tokens, token + j)) - word;
        if (row >= 0 && row < rows)
            sums->target[j] = bench->z[row * STRIDE + j];
    }
    float *by_embedding = work->unit ? work->unit + token * work->problem->width : NULL;
    float tile[COLUMNS] __attribute__((aligned(64)));
    raise_shifts(work, bench, groups, columns, sums, by_embedding);
    kernels()->rows.exp_columns(rows, n, STRIDE, bench->z, sums->shift, cap > 0 ? 1 / cap : 0, tile);
    for (int64_t j = 0; j < columns; j++)
        sums->sum[j] += (double)tile[j];
    if (!by_embedding)
        return;
    bool kept[GROUPS];
    find_kept(work, groups, columns, sums, kept);
    for (int64_t begin = 0, end; cut_next_kept(kept, rows, &begin, &end); begin = end)
        cut_add_products(&chunk, begin, end, bench, token, columns, NULL, true, work->unit);
}

/* From the sums of exp W (1 - (z/c)^2) to the gradient of the loss by the embedding. */
static void finish_gradient(const Work *work, int64_t token, double sum, double log_sum_exp, float target, float *row)
{
    const CutCrossEntropyOptions *options = &work->problem->options;
    const float u = options->softcap > 0 ? target / (float)options->softcap : 0;
    kernels()->rows.scale_row(work->problem->width, (float)((1 + 2 * options->z_loss * log_sum_exp) / sum), row);
    if (!(options->filter > 1) || options->full_embeddings) /* beyond 1 there is nothing that reaches it */
        kernels()->axpy(work->problem->width, -(1 - u * u),
                        work->words.data + work->targets[token] * work->problem->width, row);
}

static void forward_task(Work *work, const Bench *bench, int64_t first, int64_t columns)
{
    const int64_t d = work->problem->width;
    Sums sums;
    for (int64_t j = 0; j < COLUMNS; j++) {
        sums.largest[j] = -INFINITY;
        sums.shift[j] = sums.target[j] = 0;
        sums.sum[j] = 0;
    }
    cut_hold(&work->tokens, first, columns, bench);
    for (int64_t word = 0; word < work->words.count; word += work->rows)
        add_words(work, bench, word, first, columns, &sums);
    for (int64_t j = 0; j < columns; j++) {
        const int64_t token = index_of(&work->tokens, first + j);
        const double log_sum = log(sums.sum[j]), log_sum_exp = (double)sums.largest[j] + log_sum;
        work->parts[2 * token] = sums.largest[j];
        work->parts[2 * token + 1] = (float)log_sum;
        work->loss[token] = (float)((double)(sums.largest[j] - sums.target[j]) + log_sum +
                                    work->problem->options.z_loss * log_sum_exp * log_sum_exp);
        if (work->unit)
            finish_gradient(work, token, sums.sum[j], log_sum_exp, sums.target[j], work->unit + (first + j) * d);
    }
}

/* From the rows that count to those of their tokens, which never come before; the others become zeros. */
static void spread_rows(const Work *work)
{
    const int64_t d = work->problem->width;
    const size_t bytes = (size_t)d * sizeof(float);
    for (int64_t token = work->problem->tokens - 1, k = work->tokens.count - 1; token >= 0; token--) {
        const bool counts = k >= 0 && work->valid[k] == token;
        if (!counts)
            memset(work->unit + token * d, 0, bytes);
        else if (k < token)
            memcpy(work->unit + token * d, work->unit + k * d, bytes);
        k -= counts;
    }
}

void cut_forward_single(const CutProblem *problem, Tensor *const *inputs, Tensor *loss, Tensor *parts, Tensor *unit,
                        Tensor *order)
{
    Work work = cut_start(problem, inputs);
    work.loss = cleared(loss);
    work.parts = cleared(parts);
    if (order && work.tokens.count > 0)
        cut_make_order(&work, tensor_i32(order), unit ? tensor_f32(unit) : NULL, unit ? unit->count : 0);
    work.unit = cleared(unit);
    if (work.tokens.count > 0)
        cut_pass(&work, &work.tokens, &work.words, false, forward_task);
    if (work.unit && work.valid)
        spread_rows(&work);
    cut_end(&work);
}
