/* Gradients of cut cross-entropy of floats, with logits computed again; cut_cross_entropy.c tells the plan. */
#include <math.h>

#include "core/kernels/gemm_block.h"
#include "core/kernels/gemm_pack.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/kernels.h"
#include "core/tensor/cut_work.h"

static void backward_memory(Work *work, bool take)
{
    const int64_t d = work->problem->width, width = gemm_whole_panels(d), gathered = work->valid ? d : 0;
    const int64_t edge = width > d ? kernels()->nr : 0, most = BLOCK_VALUES / (WORDS + gathered + edge) / ROWS * ROWS;
    work->block = most < LEAST_BLOCK ? LEAST_BLOCK : smaller(most, MOST_BLOCK);
    work->by_width = room(work->by_width, WORDS * width, sizeof(float), take);
    work->by_word = room(work->by_word, WORDS * width, sizeof(float), take);
    for (Block *block = work->blocks; block < work->blocks + 2 && (work->dweight || work->dbias); block++) {
        block->turned = room(block->turned, work->block * WORDS, sizeof(float), take);
        if (gathered)
            block->gathered = room(block->gathered, work->block * gathered, sizeof(float), take);
        if (edge)
            block->edge = room(block->edge, work->block * edge, sizeof(float), take);
    }
}

static void pack_strip_twice(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    const int64_t d = work->problem->width, panel = WORDS * kernels()->nr;
    for (int64_t j = begin; j < end; j++)
        gemm_block_put_row(d, work->weight + word_of(work, j) * d, j, panel, work->by_word);
    gemm_block_turn(d, begin, end - begin, gemm_right_panels(work->by_word, WORDS), work->by_width + begin * d);
}

/* Column of the token's target in this strip, or -1. */
static int64_t target_column(const Work *work, int64_t token)
{
    const int64_t column = (work->order ? work->places[token] : work->targets[token]) - work->first_word;
    return column >= 0 && column < work->columns ? column : -1;
}

/* Whether |softmax - one hot| reaches the filter somewhere in a row of logits. What is not a number does. */
static bool reaches_filter(const Work *work, int64_t token, float *z)
{
    const int64_t column = target_column(work, token);
    const double filter = work->problem->options.filter;
    const float target = column >= 0 ? z[column] : 0, *parts = work->parts + 2 * token;
    if (column >= 0 && !(fabs(expm1((double)(target - parts[0]) - (double)parts[1])) < filter))
        return true;
    if (column >= 0)
        z[column] = -INFINITY;
    const double largest = (double)(kernels()->rows.max_row(work->columns, z) - parts[0]) - (double)parts[1];
    if (column >= 0)
        z[column] = target;
    return !(exp(largest) < filter);
}

/* A row of logits becomes the gradient by its products: g (softmax (1 + 2 a lse) - one hot) (1 - (z/c)^2). */
static void gradient_row(const Work *work, int64_t token, float *z)
{
    const float inverse_cap = work->problem->options.softcap > 0 ? (float)(1 / work->problem->options.softcap) : 0;
    const int64_t column = target_column(work, token);
    const float weight = work->gradient[token], *parts = work->parts + 2 * token;
    const double by_sum = 1 + 2 * work->problem->options.z_loss * ((double)parts[0] + (double)parts[1]);
    const float u = column >= 0 && inverse_cap > 0 ? z[column] * inverse_cap : 0;
    kernels()->rows.cross_entropy_gradient_row(work->columns, z, parts, (float)by_sum * weight, inverse_cap);
    if (column >= 0)
        z[column] -= weight * (1 - u * u);
}

/* The tile's gradients, and last columns of embeddings, to where the words' tasks read them; rows from `first` on. */
static void hand_over(const Work *work, Block *block, int64_t first, int64_t rows, const float *z)
{
    const int64_t mr = kernels()->mr, nr = kernels()->nr, at = first % work->block;
    for (int64_t j = 0; j < work->columns; j += mr) {
        float *to = block->turned + j * work->block + at * mr;
        if (j + mr <= work->columns)
            kernels()->gemm_pack_a(1, rows, z + j, WORDS, to);
        else
            pack_panel(mr, work->columns - j, rows, z + j, 1, WORDS, to);
    }
    const int64_t whole = work->problem->width / nr * nr;
    for (int64_t i = 0; i < rows && block->edge; i++)
        gemm_block_put_row(work->problem->width - whole, embedding_of(work, first + i) + whole, at + i, 0, block->edge);
}

/* Another core has read them last: asked for early, they are there when hand_over writes. */
static void fetch_turned(const Work *work, const Block *block, int64_t first, int64_t rows)
{
    enum { LINE = 16 };
    const int64_t mr = kernels()->mr;
    for (int64_t j = 0; j < work->columns; j += mr)
        for (int64_t k = 0; k < rows * mr; k += LINE)
            __builtin_prefetch(block->turned + j * work->block + first % work->block * mr + k, 1);
}

/* block: NULL where the weight's gradient is not wanted. */
static void gradient_rows(const Work *work, int64_t begin, int64_t end, Block *block)
{
    const CutCrossEntropyOptions *options = &work->problem->options;
    const int64_t rows = end - begin, d = work->problem->width;
    float tile[ROWS * WORDS] __attribute__((aligned(64)));
    if (block)
        fetch_turned(work, block, begin, rows);
    cut_compute_logits(work, begin, end, block && work->valid ? block->gathered + begin % work->block * d : NULL, tile);
    bool reaches = !(options->filter > 0);
    for (int64_t i = 0; i < rows && !reaches; i++)
        reaches = reaches_filter(work, token_of(work, begin + i), tile + i * WORDS);
    const bool embeddings = work->dembeddings && (reaches || options->full_embeddings);
    const bool weight = block && (reaches || options->full_weight);
    for (int64_t i = 0; i < rows && (embeddings || weight); i++)
        gradient_row(work, token_of(work, begin + i), tile + i * WORDS);
    if (embeddings)
        gemm_block(rows, d, work->columns, gemm_left_rows(tile, WORDS),
                   gemm_right_panels(work->by_word, WORDS), true, work->dembeddings + begin * d, d);
    if (weight)
        hand_over(work, block, begin, rows, tile);
    if (block)
        block->kept[begin % work->block / ROWS] = weight;
}

static void gradient_rows_alone(void *context, int64_t begin, int64_t end)
{
    gradient_rows(context, begin, end, NULL);
}

/* The next run of kept tiles of `rows` from row *begin on, as rows *begin to *end; false: there is none. */
static bool next_kept(const Block *block, int64_t rows, int64_t *begin, int64_t *end)
{
    while (*begin < rows && !block->kept[*begin / ROWS])
        *begin += ROWS;
    for (*end = *begin; *end < rows && block->kept[*end / ROWS];)
        *end = smaller(*end + ROWS, rows);
    return *begin < rows;
}

/* c += what rows `row` to `after` of the block give to the gradient of the strip's words begin to end, or c = that. */
static void multiply_rows(const Work *work, int64_t b, int64_t row, int64_t after, int64_t begin, int64_t end, bool adds,
                          float *c)
{
    const Block *block = &work->blocks[b % 2];
    const int64_t d = work->problem->width, mr = kernels()->mr, nr = kernels()->nr, whole = d / nr * nr;
    const GemmLeft gradient = {block->turned + begin * work->block + row * mr, work->block * mr, 1, mr};
    const float *embeddings = block->gathered ? block->gathered : work->embeddings + b * work->block * d;
    gemm_block(end - begin, whole, after - row, gradient, (GemmRight){embeddings + row * d, nr, d}, adds, c, d);
    if (block->edge)
        gemm_block(end - begin, d - whole, after - row, gradient, gemm_right_panels(block->edge + row * nr, 0), adds,
                   c + whole, d);
}

/* What block b adds to the weight's gradient for the strip's words begin to end; where these do not lie together, by way
   of a copy. */
static void add_to_weight(const Work *work, int64_t b, int64_t begin, int64_t end)
{
    const int64_t d = work->problem->width, rows = rows_of(work, b);
    float *sums = work->order ? gemm_scratch(WORDS_OF_TASK * d) : NULL;
    float *to = sums ? sums : work->dweight + (work->first_word + begin) * d;
    bool adds = !sums;
    for (int64_t row = 0, after; next_kept(&work->blocks[b % 2], rows, &row, &after); row = after) {
        multiply_rows(work, b, row, after, begin, end, adds, to);
        adds = true;
    }
    for (int64_t j = begin; j < end && sums && adds; j++)
        kernels()->axpy(d, 1, sums + (j - begin) * d, work->dweight + word_of(work, j) * d);
}

static void add_to_bias(const Work *work, int64_t b, int64_t begin, int64_t end)
{
    const Block *block = &work->blocks[b % 2];
    const int64_t mr = kernels()->mr, rows = rows_of(work, b);
    float sum[KERNEL_MAX_MR];
    for (int64_t row = 0, after; next_kept(block, rows, &row, &after); row = after)
        for (int64_t j = begin; j < end; j += mr) {
            kernels()->elementwise.sum_columns(after - row, mr, mr, block->turned + j * work->block + row * mr, sum);
            for (int64_t k = j; k < smaller(j + mr, end); k++)
                work->dbias[word_of(work, k)] += sum[k - j];
        }
}

/* ---- The tasks of a strip: rows of block 0, rows of block 1, words of block 0, rows of block 2, words of block 1, ...,
   words of the last ---- */

/* How many tasks of the blocks b, b - 2, b - 4, ... there are, given those of b itself and of a whole block. */
static int64_t tasks_until(int64_t b, int64_t own, int64_t whole)
{
    return b / 2 * whole + own;
}

static void run_rows(Work *work, int64_t b, int64_t task)
{
    Block *block = &work->blocks[b % 2];
    const int64_t begin = b * work->block + task * ROWS, words = pieces(work->columns, WORDS_OF_TASK);
    if (b >= 2)
        threads_wait(&block->words_done, tasks_until(b - 2, words, words)); /* the memory is free again */
    gradient_rows(work, begin, smaller(begin + ROWS, smaller((b + 1) * work->block, work->count)), block);
    threads_add(&block->rows_done);
}

static void run_words(Work *work, int64_t b, int64_t task)
{
    Block *block = &work->blocks[b % 2];
    const int64_t begin = task * WORDS_OF_TASK, words = pieces(work->columns, WORDS_OF_TASK);
    threads_wait(&block->rows_done, tasks_until(b, pieces(rows_of(work, b), ROWS), work->block / ROWS));
    if (b >= 1) /* who adds to the same words before */
        threads_wait(&work->blocks[(b - 1) % 2].words_done, tasks_until(b - 1, words, words));
    const int64_t end = smaller(begin + WORDS_OF_TASK, work->columns);
    if (work->dweight)
        add_to_weight(work, b, begin, end);
    if (work->dbias)
        add_to_bias(work, b, begin, end);
    threads_add(&block->words_done);
}

static void run_task(void *context, int64_t task, int64_t end)
{
    (void)end;
    Work *work = context;
    const int64_t blocks = pieces(work->count, work->block), words = pieces(work->columns, WORDS_OF_TASK);
    const int64_t whole = work->block / ROWS;
    int64_t b = task < whole ? 0 : smaller(1 + (task - whole) / (whole + words), blocks - 1);
    task -= b > 0 ? whole + (b - 1) * (whole + words) : 0;
    for (; b <= blocks; b++) {
        const int64_t rows = b < blocks ? pieces(rows_of(work, b), ROWS) : 0;
        if (task < rows) {
            run_rows(work, b, task);
            return;
        }
        task -= rows;
        if (b > 0 && task < words) {
            run_words(work, b - 1, task);
            return;
        }
        task -= b > 0 ? words : 0;
    }
}

/* From the rows that count to those of their tokens, which never come before; the others become zeros. */
static void spread_rows(const Work *work)
{
    const int64_t d = work->problem->width;
    const size_t bytes = (size_t)d * sizeof(float);
    for (int64_t token = work->problem->tokens - 1, k = work->count - 1; token >= 0; token--) {
        const bool counts = k >= 0 && work->valid[k] == token;
        if (!counts)
            memset(work->dembeddings + token * d, 0, bytes);
        else if (k < token)
            memcpy(work->dembeddings + token * d, work->dembeddings + k * d, bytes);
        k -= counts;
    }
}

static void backward_strip(Work *work)
{
    next_strip(work);
    parallel_for(work->columns, kernels()->nr, pack_strip_twice, work);
    if (!work->blocks[0].turned) {
        parallel_for(work->count, ROWS, gradient_rows_alone, work);
        return;
    }
    for (Block *block = work->blocks; block < work->blocks + 2; block++)
        block->rows_done = block->words_done = 0;
    parallel_for(pieces(work->count, ROWS) + pieces(work->count, work->block) * pieces(work->columns, WORDS_OF_TASK), 1,
                 run_task, work);
}

void cut_backward_single(const CutProblem *problem, Tensor *const *inputs, const Tensor *parts, const Tensor *gradient,
                         Tensor **gradients)
{
    Work work = {.problem = problem, .embeddings = floats(inputs[0]), .weight = floats(inputs[1]),
                 .bias = floats(inputs[2]), .targets = tensor_i32(inputs[3]), .parts = tensor_f32(parts),
                 .gradient = floats(gradient)};
    cut_find_valid(&work, true);
    cut_make_order(&work, gradients[1]);
    work.dembeddings = cleared(gradients[0]);
    work.dweight = cleared(gradients[1]);
    work.dbias = cleared(gradients[2]);
    backward_memory(&work, true);
    for (; work.count > 0 && work.first_word < problem->words; work.first_word += WORDS)
        backward_strip(&work);
    if (work.dembeddings && work.valid)
        spread_rows(&work);
    backward_memory(&work, false);
    if (work.order) {
        room(work.order, problem->words, sizeof(int32_t), false);
        room(work.places, problem->tokens, sizeof(int32_t), false);
    }
    cut_find_valid(&work, false);
}
