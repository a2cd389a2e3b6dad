/* Cut cross-entropy of floats (Wijmans et al., arXiv:2411.09009): the logits E W^T + b exist a tile at a time.

   There are two passes, alike but for who holds and who passes by. In each a task holds some vectors packed in its
   core's second cache, together with what it sums for them, and all vectors of the other side pass by where they lie:
   a chunk's logits are a product with those held; they are made exponentials; and their transpose times the chunk is
   added to the sums. Nothing goes from one thread to another, so that a second one costs nothing, and what a task sums
   comes in one order whatever the threads.

   Forward, where a gradient will be wanted (cut_forward.c): tokens hold, words pass. The sums are exp(logit - m) W with
   m the largest logit so far, rescaled when it grows (as in Dao et al., arXiv:2205.14135): divided by the sum of the
   exponentials and less the target's row they are the gradient of the token's loss by its embedding, which waits for
   the gradient of the loss. Backward (cut_backward.c): words hold, tokens pass; the sums are the weight's gradient. So
   there are four products, as in a forward pass and one backward pass that shares its logits between both gradients;
   but those would have to exchange tiles between threads.

   The filter tests groups of rows of a tile before they take part in the second product. */
#include <math.h>

#include "core/kernels/gemm_pack.h"
#include "core/kernels/kernels.h"
#include "core/tensor/cut_work.h"

enum { STRIDE = COLUMNS + MARGIN };

Work cut_start(const CutProblem *problem, Tensor *const *inputs)
{
    Work work = {.problem = problem, .bias = floats(inputs[2]), .targets = tensor_i32(inputs[3]),
                 .words = {floats(inputs[1]), NULL, problem->words, problem->width}};
    int64_t count = 0;
    for (int64_t token = 0; token < problem->tokens; token++)
        count += cut_counts(problem, work.targets[token]);
    if (count < problem->tokens) {
        work.valid = room(NULL, problem->tokens, sizeof(int32_t), true);
        for (int64_t token = 0, k = 0; token < problem->tokens; token++)
            if (cut_counts(problem, work.targets[token]))
                work.valid[k++] = (int32_t)token;
    }
    work.tokens = (Vectors){floats(inputs[0]), work.valid, count, problem->width};
    return work;
}

void cut_end(Work *work)
{
    if (work->valid)
        room(work->valid, work->problem->tokens, sizeof(int32_t), false);
}

/* ---- A pass ---- */

static void bench_memory(const Work *work, Bench *bench, bool packs, bool sums, bool take)
{
    const int64_t d = work->problem->width, width = gemm_whole_panels(d), nr = kernels()->nr;
    bench->held = room(bench->held, work->columns * d, sizeof(float), take);
    bench->z = room(bench->z, work->rows * STRIDE, sizeof(float), take);
    if (packs)
        bench->passing = room(bench->passing, (work->rows > nr ? work->rows : nr) * width, sizeof(float), take);
    if (sums)
        bench->sums = room(bench->sums, GROUP * d, sizeof(float), take);
    if (work->problem->options.compensated)
        bench->lost = room(bench->lost, work->columns * d, sizeof(float), take);
}

typedef struct Pass { Work *work; const Vectors *held; CutTask *task; } Pass;

static void run_tasks(void *context, int64_t number, int64_t end)
{
    (void)end;
    const Pass *pass = context;
    Work *work = pass->work;
    for (;;) {
        const int64_t first = work->columns * threads_take(&work->next);
        if (first >= pass->held->count)
            return;
        const Bench *bench = &work->benches[number];
        if (bench->lost)
            memset(bench->lost, 0, (size_t)(work->columns * pass->held->width) * sizeof(float));
        pass->task(work, bench, first, smaller(work->columns, pass->held->count - first));
    }
}

static int64_t clamped(int64_t x, int64_t least, int64_t most)
{
    return x < least ? least : smaller(x, most);
}

void cut_pass(Work *work, const Vectors *held, const Vectors *passing, bool sums, CutTask *task)
{
    const int64_t d = work->problem->width, nr = kernels()->nr;
    const bool packs = held->index || passing->index || d % nr != 0;
    const int64_t most_rows = packs ? GATHERED : ROWS;
    sums = sums || work->problem->options.compensated;
    work->rows = clamped(most_rows * NARROW / d / GROUP * GROUP, GROUP, most_rows);
    work->columns = clamped(smaller(COLUMN_VALUES / d / nr * nr, gemm_whole_panels(pieces(held->count, TASKS))), nr,
                            COLUMNS);
    work->bench_count = smaller(threads_count(), pieces(held->count, work->columns));
    work->next = 0;
    work->benches = room(NULL, work->bench_count, sizeof *work->benches, true);
    for (int64_t i = 0; i < work->bench_count; i++) {
        work->benches[i] = (Bench){0};
        bench_memory(work, &work->benches[i], packs, sums, true);
    }
    parallel_for(work->bench_count, 1, run_tasks, &(Pass){work, held, task});
    for (int64_t i = 0; i < work->bench_count; i++)
        bench_memory(work, &work->benches[i], packs, sums, false);
    room(work->benches, work->bench_count, sizeof *work->benches, false);
}

/* ---- Tiles ---- */

static void gather(const Vectors *vectors, int64_t first, int64_t rows, float *to)
{
    const int64_t d = vectors->width, width = gemm_whole_panels(d);
    for (int64_t i = 0; i < rows; i++, to += width) {
        memcpy(to, vector_of(vectors, first + i), (size_t)d * sizeof(float));
        memset(to + d, 0, (size_t)(width - d) * sizeof(float));
    }
}

void cut_hold(const Vectors *held, int64_t first, int64_t columns, const Bench *bench)
{
    const int64_t d = held->width, nr = kernels()->nr;
    for (int64_t j = 0; j < columns; j += nr) {
        const int64_t lines = smaller(nr, columns - j);
        if (held->index)
            gather(held, first + j, lines, bench->passing);
        if (held->index)
            pack_panel(nr, lines, d, bench->passing, gemm_whole_panels(d), 1, bench->held + j * d);
        else
            pack_panel(nr, lines, d, held->data + (first + j) * d, d, 1, bench->held + j * d);
    }
}

Chunk cut_passing(const Vectors *passing, int64_t first, int64_t rows, const Bench *bench)
{
    Chunk chunk = {passing, first, rows, gemm_whole_panels(passing->width), bench->passing};
    if (passing->index || chunk.stride != passing->width)
        gather(passing, first, rows, bench->passing);
    else
        chunk.data = vector_of(passing, first);
    return chunk;
}

void cut_multiply(const Chunk *chunk, int64_t columns, const Bench *bench)
{
    const int64_t d = chunk->vectors->width, nr = kernels()->nr;
    for (int64_t p = 0; p < d; p += PIECE)
        gemm_block(chunk->rows, gemm_whole_panels(columns), smaller(PIECE, d - p),
                   gemm_left_rows(chunk->data + p, chunk->stride), (GemmRight){bench->held + p * nr, d * nr, nr}, p > 0,
                   bench->z, STRIDE);
}

/* Vectors begin to end, as far as there are so many. */
static void fetch(const Vectors *vectors, int64_t begin, int64_t end)
{
    enum { LINE = 16 };
    for (int64_t i = begin; i < smaller(end, vectors->count); i++)
        for (int64_t k = 0; k < vectors->width; k += LINE)
            __builtin_prefetch(vector_of(vectors, i) + k, 0, 2);
}

/* c [columns, width] = z^T * chunk, or c += that. */
static void multiply_transposed(const Chunk *chunk, int64_t begin, int64_t end, int64_t columns, const float *z,
                                bool adds, bool fetches, float *c)
{
    const int64_t d = chunk->vectors->width, rows = end - begin, next = chunk->first + chunk->rows + begin;
    const int64_t mr = kernels()->mr, nr = kernels()->nr;
    for (int64_t j = 0; j < d; j += nr) {
        if (fetches)
            fetch(chunk->vectors, next + j * rows / d, next + smaller(j + nr, d) * rows / d);
        gemm_block(columns, smaller(nr, d - j), rows, (GemmLeft){z + begin * STRIDE, mr, 1, STRIDE},
                   (GemmRight){chunk->data + begin * chunk->stride + j, nr, chunk->stride}, adds, c + j, d);
    }
}

void cut_add_products(const Chunk *chunk, int64_t begin, int64_t end, const Bench *bench, int64_t first,
                      int64_t columns, const int32_t *index, bool fetches, float *to)
{
    const int64_t d = chunk->vectors->width;
    if (!bench->sums) {
        multiply_transposed(chunk, begin, end, columns, bench->z, true, fetches, to + first * d);
        return;
    }
    for (int64_t j = 0; j < columns; j += GROUP) {
        const int64_t n = smaller(GROUP, columns - j);
        multiply_transposed(chunk, begin, end, n, bench->z + j, false, fetches && j == 0, bench->sums);
        for (int64_t i = 0; i < n; i++) {
            float *row = to + (index ? index[first + j + i] : first + j + i) * d;
            if (bench->lost)
                kernels()->rows.add_compensated(d, bench->sums + i * d, row, bench->lost + (j + i) * d);
            else
                kernels()->axpy(d, 1, bench->sums + i * d, row);
        }
    }
}

void cut_finish_logits(const CutProblem *problem, int64_t n, const float *bias, float *z)
{
    const float cap = (float)problem->options.softcap;
    if (bias)
        kernels()->axpy(n, 1, bias, z);
    if (cap > 0) {
        kernels()->rows.scale_row(n, 1 / cap, z);
        kernels()->tanh(n, z, z);
        kernels()->rows.scale_row(n, cap, z);
    }
}

bool cut_next_kept(const bool *kept, int64_t rows, int64_t *begin, int64_t *end)
{
    while (*begin < rows && !kept[*begin / GROUP])
        *begin += GROUP;
    for (*end = *begin; *end < rows && kept[*end / GROUP];)
        *end = smaller(*end + GROUP, rows);
    return *begin < rows;
}
