/* Cut cross-entropy of floats (Wijmans et al., arXiv:2411.09009): the logits E W^T + b exist a tile at a time.

   Strips of WORDS words are packed once and meet all tokens. Forward keeps a running log-sum-exp of each token. Backward
   takes tokens by blocks: tasks of ROWS tokens compute their logits again, make gradients of them and add the product
   with the strip to their embeddings' gradients, all while the tile is in the first cache; they leave the gradients
   packed, and then tasks of some words multiply them with the block's embeddings, beside tasks of the next block's
   tokens. Each element of a result has one owner at a time and its terms come in a fixed order, so that the bits do not
   depend on threads. Beyond the results there are two copies of a strip and two blocks.

   A tile is also what the filter tests, before exponentials are taken: what is below it everywhere takes no part in the
   two products. */
#include <math.h>

#include "core/kernels/gemm_block.h"
#include "core/kernels/gemm_pack.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/kernels.h"
#include "core/tensor/cut_work.h"

void cut_find_valid(Work *work, bool take)
{
    const CutProblem *problem = work->problem;
    if (take) {
        work->count = 0;
        for (int64_t token = 0; token < problem->tokens; token++)
            work->count += cut_counts(problem, work->targets[token]);
    }
    if (work->count == problem->tokens)
        return;
    work->valid = room(work->valid, problem->tokens, sizeof(int32_t), take);
    for (int64_t token = 0, k = 0; take && token < problem->tokens; token++)
        if (cut_counts(problem, work->targets[token]))
            work->valid[k++] = (int32_t)token;
}

static void forward_memory(Work *work, bool take)
{
    cut_find_valid(work, take);
    work->by_width = room(work->by_width, WORDS * work->problem->width, sizeof(float), take);
    work->sum = room(work->sum, work->count, sizeof(double), take);
}

/* ---- Logits ---- */

/* Rows begin to end of the tokens that count, side by side: as they lie, or gathered in `to`. */
static GemmLeft embeddings_of(const Work *work, int64_t begin, int64_t end, float *to)
{
    const int64_t d = work->problem->width;
    if (!work->valid)
        return gemm_left_rows(work->embeddings + begin * d, d);
    for (int64_t i = begin; i < end; i++)
        memcpy(to + (i - begin) * d, embedding_of(work, i), (size_t)d * sizeof(float));
    return gemm_left_rows(to, d);
}

/* Row i of the tile as products becomes logits: z = x + b, or c tanh((x + b)/c). */
static void finish_logits(const Work *work, float *z)
{
    const float cap = (float)work->problem->options.softcap;
    if (work->bias && !work->order)
        kernels()->axpy(work->columns, 1, work->bias + work->first_word, z);
    for (int64_t j = 0; work->bias && work->order && j < work->columns; j++)
        z[j] += work->bias[word_of(work, j)];
    if (cap > 0) {
        kernels()->rows.scale_row(work->columns, 1 / cap, z);
        kernels()->tanh(work->columns, z, z);
        kernels()->rows.scale_row(work->columns, cap, z);
    }
}

void cut_compute_logits(const Work *work, int64_t begin, int64_t end, float *gathered, float *z)
{
    const int64_t d = work->problem->width, nr = kernels()->nr;
    GemmLeft left = embeddings_of(work, begin, end, work->valid && !gathered ? gemm_scratch(ROWS * d) : gathered);
    for (int64_t p = 0; p < d; p += PIECE, left.data += PIECE)
        gemm_block(end - begin, gemm_whole_panels(work->columns), smaller(PIECE, d - p), left,
                   (GemmRight){work->by_width + p * nr, d * nr, nr}, p > 0, z, WORDS);
    for (int64_t i = 0; i < end - begin; i++)
        finish_logits(work, z + i * WORDS);
}

/* ---- Forward ---- */

static void pack_strip(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    const int64_t d = work->problem->width, nr = kernels()->nr;
    for (int64_t j = begin; j < end; j += nr)
        pack_panel(nr, smaller(nr, end - j), d, work->weight + (work->first_word + j) * d, d, 1,
                   work->by_width + j * d);
}

static void forward_rows(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    float tile[ROWS * WORDS] __attribute__((aligned(64)));
    cut_compute_logits(work, begin, end, NULL, tile);
    for (int64_t i = begin; i < end; i++) {
        const int64_t token = token_of(work, i), column = work->targets[token] - work->first_word;
        float *z = tile + (i - begin) * WORDS, *largest = work->parts + 2 * token;
        if (column >= 0 && column < work->columns)
            work->loss[token] = z[column];
        const float before = *largest, here = kernels()->rows.max_row(work->columns, z);
        *largest = here > before ? here : before;
        if (*largest == -INFINITY) /* nothing so far, or not numbers, which the sum must keep */
            work->sum[i] += (double)kernels()->rows.exp_row(work->columns, z, 0, z);
        else
            work->sum[i] = work->sum[i] * exp((double)(before - *largest)) +
                           (double)kernels()->rows.exp_row(work->columns, z, *largest, z);
    }
}

void cut_forward_single(const CutProblem *problem, Tensor *const *inputs, Tensor *loss, Tensor *parts)
{
    Work work = {.problem = problem, .embeddings = floats(inputs[0]), .weight = floats(inputs[1]),
                 .bias = floats(inputs[2]), .targets = tensor_i32(inputs[3]), .loss = cleared(loss),
                 .parts = cleared(parts)};
    forward_memory(&work, true);
    for (int64_t i = 0; i < work.count; i++) {
        work.sum[i] = 0;
        work.parts[2 * token_of(&work, i)] = -INFINITY;
    }
    for (; work.count > 0 && work.first_word < problem->words; work.first_word += WORDS) {
        next_strip(&work);
        parallel_for(work.columns, kernels()->nr, pack_strip, &work);
        parallel_for(work.count, ROWS, forward_rows, &work);
    }
    for (int64_t i = 0; i < work.count; i++) {
        const int64_t token = token_of(&work, i);
        float *pair = work.parts + 2 * token, *value = work.loss + token;
        const double log_sum = log(work.sum[i]), log_sum_exp = (double)pair[0] + log_sum;
        pair[1] = (float)log_sum;
        *value = (float)((double)(pair[0] - *value) + log_sum + problem->options.z_loss * log_sum_exp * log_sum_exp);
    }
    forward_memory(&work, false);
}
