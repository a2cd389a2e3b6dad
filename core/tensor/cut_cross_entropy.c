/* Cut cross-entropy of floats (Wijmans et al., arXiv:2411.09009): the logits E W^T + b exist a tile at a time.

   Strips of WORDS words are packed once and meet all tokens. Forward keeps a running log-sum-exp of each token. Backward
   takes tokens by blocks: tasks of ROWS tokens compute their logits again, make gradients of them and add the product
   with the strip to their embeddings' gradients, all while the tile is in the first cache; they leave the gradients
   packed, and then tasks of some words multiply them with the block's embeddings, beside tasks of the next block's
   tokens. Each element of a result has one owner at a time and its terms come in a fixed order, so that the bits do not
   depend on threads. Beyond the results there are two copies of a strip and two blocks.

   A tile is also what the filter tests, before exponentials are taken: what is below it everywhere takes no part in the
   two products. */
#include "core/tensor/cut_cross_entropy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/gemm_block.h"
#include "core/kernels/gemm_pack.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/kernels.h"

/* A tile is ROWS x WORDS; both are multiples of every kernel's tiles. A block is as large as BLOCK_VALUES allow (at
   width 256 all the extra memory is then below 1 MB, the order of 32,768 words included). PIECE: of a sum, so that a
   panel stays in the first cache. */
enum { ROWS = 24, WORDS = 192, LEAST_BLOCK = 4 * ROWS, MOST_BLOCK = 10 * ROWS, BLOCK_VALUES = 10 * ROWS * WORDS,
       PIECE = 384, WORDS_OF_TASK = 24 };

/* What a block's tasks of tokens leave to its tasks of words. There are two in turn: with block b + 1 under way, block b
   is done. */
typedef struct Block {
    float *turned;              /* gradients by logits, packed as A of gradient^T * embeddings */
    float *gathered;            /* the embeddings side by side; NULL: they lie so */
    float *edge;                /* their last columns, where these fill no panel of B; else NULL */
    bool kept[MOST_BLOCK / ROWS]; /* tiles that the weight's gradient takes in */
    ThreadsCounter rows_done, words_done; /* tasks of this strip */
} Block;

typedef struct Work {
    const CutProblem *problem;
    const float *embeddings, *weight, *bias, *gradient;
    const int32_t *targets;
    float *loss, *parts;
    float *dembeddings, *dweight, *dbias; /* NULL: not wanted; the first by rows that count, until spread_rows */
    int32_t *valid;             /* [count] the tokens that are not ignored; NULL: all */
    int32_t *order;             /* [words] in which they are taken; NULL: as they come */
    int32_t *places;            /* [tokens] with an order: where the target stands in it */
    double *sum;                /* [count] in forward: exp(logit - largest) over the strips so far */
    float *by_word;             /* the strip, packed as B of gradient * weight; backward only */
    float *by_width;            /* and as B of embeddings * weight^T */
    Block blocks[2];
    int64_t count, block;       /* tokens that count; of a block */
    int64_t first_word, columns; /* the strip under way */
} Work;

static int64_t smaller(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static int64_t pieces(int64_t n, int64_t piece)
{
    return (n + piece - 1) / piece;
}

static int64_t rows_of(const Work *work, int64_t block)
{
    return smaller(work->block, work->count - block * work->block);
}

static int64_t token_of(const Work *work, int64_t row)
{
    return work->valid ? work->valid[row] : row;
}

static int64_t word_of(const Work *work, int64_t column)
{
    return work->order ? work->order[work->first_word + column] : work->first_word + column;
}

static const float *embedding_of(const Work *work, int64_t row)
{
    return work->embeddings + token_of(work, row) * work->problem->width;
}

static const float *floats(const Tensor *tensor)
{
    return tensor ? tensor_f32(tensor) : NULL;
}

static float *cleared(Tensor *tensor)
{
    return tensor ? memset(tensor->data, 0, (size_t)tensor->count * sizeof(float)) : NULL;
}

/* ---- Working memory ---- */

/* An array of the tape's arena, or, with `take` false, back to it. */
static void *room(void *block, int64_t count, size_t size, bool take)
{
    const size_t bytes = (size_t)count * size;
    if (take)
        return arena_alloc(tape_arena(), bytes);
    arena_recycle(tape_arena(), block, bytes);
    return NULL;
}

static void find_valid(Work *work, bool take)
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
    find_valid(work, take);
    work->by_width = room(work->by_width, WORDS * work->problem->width, sizeof(float), take);
    work->sum = room(work->sum, work->count, sizeof(double), take);
}

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

/* Logits of rows begin to end and the strip's words, WORDS floats apart. Embeddings that must be gathered stay in
   `gathered`; NULL: in scratch. */
static void compute_logits(const Work *work, int64_t begin, int64_t end, float *gathered, float *z)
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
    compute_logits(work, begin, end, NULL, tile);
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

static void next_strip(Work *work)
{
    work->columns = smaller(WORDS, work->problem->words - work->first_word);
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

/* ---- The order of the words ---- */

typedef struct MeanLogit {
    float value;
    int32_t word;
} MeanLogit;

typedef struct MeanLogits {
    const Work *work;
    const float *embedding;     /* the mean of those that count */
    MeanLogit *logits;
} MeanLogits;

/* What is no number counts as large, so that there is an order. */
static void compute_means(void *context, int64_t begin, int64_t end)
{
    const MeanLogits *means = context;
    const Work *work = means->work;
    const int64_t d = work->problem->width;
    for (int64_t v = begin; v < end; v++) {
        const float value = kernels()->dot(d, means->embedding, work->weight + v * d) + (work->bias ? work->bias[v] : 0);
        means->logits[v] = (MeanLogit){isnan(value) ? INFINITY : value, (int32_t)v};
    }
}

static int compare_means(const void *a, const void *b)
{
    const MeanLogit *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->word > y->word) - (x->word < y->word);
}

/* By mean logit, which without a softcap is the logit of the mean embedding. lent: room for the logits and as many
   places. */
static void sort_words(Work *work, float *lent)
{
    enum { GRAIN = 256 };
    const CutProblem *problem = work->problem;
    const int64_t words = problem->words, d = problem->width;
    float *embedding = room(NULL, d, sizeof(float), true);
    memset(embedding, 0, (size_t)d * sizeof(float));
    for (int64_t i = 0; i < work->count; i++)
        kernels()->axpy(d, 1 / (float)work->count, embedding_of(work, i), embedding);
    MeanLogit *logits = (MeanLogit *)(void *)lent;
    parallel_for(words, GRAIN, compute_means, &(MeanLogits){work, embedding, logits});
    qsort(logits, (size_t)words, sizeof *logits, compare_means);
    room(embedding, d, sizeof(float), false);
    int32_t *place_of = (int32_t *)(void *)(logits + words);
    work->order = room(NULL, words, sizeof(int32_t), true);
    work->places = room(NULL, problem->tokens, sizeof(int32_t), true);
    for (int64_t v = 0; v < words; v++) {
        work->order[v] = logits[v].word;
        place_of[logits[v].word] = (int32_t)v;
    }
    for (int64_t i = 0; i < work->count; i++)
        work->places[token_of(work, i)] = place_of[work->targets[token_of(work, i)]];
}

/* The weight's gradient, of which nothing is there yet, lends its memory where that is enough. */
static void make_order(Work *work, Tensor *dweight)
{
    enum { LENT = 3 }; /* floats a word */
    const CutProblem *problem = work->problem;
    if (!problem->options.sorted || !(problem->options.filter > 0) || problem->words <= WORDS || work->count == 0)
        return;
    if (dweight && problem->width >= LENT) {
        sort_words(work, tensor_f32(dweight));
        return;
    }
    float *lent = room(NULL, LENT * problem->words, sizeof(float), true);
    sort_words(work, lent);
    room(lent, LENT * problem->words, sizeof(float), false);
}

/* ---- Backward ---- */

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

/* The tile's gradients, and last columns of embeddings, to where gradient_words reads them; rows from `first` on. */
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
    compute_logits(work, begin, end, block && work->valid ? block->gathered + begin % work->block * d : NULL, tile);
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

/* What block b adds to the gradient of the strip's words begin to end; where these do not lie together, by
   way of a copy. */
static void gradient_words(const Work *work, int64_t b, int64_t begin, int64_t end)
{
    const Block *block = &work->blocks[b % 2];
    const int64_t rows = rows_of(work, b), d = work->problem->width, mr = kernels()->mr;
    float *sums = work->order ? gemm_scratch(WORDS_OF_TASK * d) : NULL;
    float *to = sums ? sums : work->dweight + (work->first_word + begin) * d;
    bool adds = !sums;
    for (int64_t row = 0, after; next_kept(block, rows, &row, &after); row = after) {
        if (work->dweight)
            multiply_rows(work, b, row, after, begin, end, adds, to);
        adds = true;
        for (int64_t j = begin; j < end && work->dbias; j += mr) {
            float sum[KERNEL_MAX_MR];
            kernels()->elementwise.sum_columns(after - row, mr, mr, block->turned + j * work->block + row * mr, sum);
            for (int64_t k = j; k < smaller(j + mr, end); k++)
                work->dbias[word_of(work, k)] += sum[k - j];
        }
    }
    for (int64_t j = begin; j < end && sums && adds && work->dweight; j++)
        kernels()->axpy(d, 1, sums + (j - begin) * d, work->dweight + word_of(work, j) * d);
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
    gradient_words(work, b, begin, smaller(begin + WORDS_OF_TASK, work->columns));
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
    find_valid(&work, true);
    make_order(&work, gradients[1]);
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
    find_valid(&work, false);
}
