#include "core/tensor/walk.h"

#include <assert.h>

#include "core/base/threads.h"
#include "core/tensor/operations.h"

enum { GRAIN = 1 << 15 };

int axis_number(const Tensor *x, int axis)
{
    axis = axis < 0 ? axis + x->rank : axis;
    assert(axis >= 0 && axis < x->rank);
    return axis;
}

Axis axis_around(const Tensor *x, int axis, bool keep)
{
    Axis result = {1, 1, 1, axis, 0, {0}};
    if (axis == ALL_AXES) {
        result.size = x->count;
        for (int i = 0; keep && i < x->rank; i++)
            result.shape[result.rank++] = 1;
        return result;
    }
    result.number = axis = axis_number(x, axis);
    for (int i = 0; i < x->rank; i++) {
        if (i < axis)
            result.outer *= x->shape[i];
        else if (i > axis)
            result.inner *= x->shape[i];
        else
            result.size = x->shape[i];
        if (i != axis || keep)
            result.shape[result.rank++] = i == axis ? 1 : x->shape[i];
    }
    return result;
}

/* Size of axis i of the result in an operand, which is aligned at the last. */
static int64_t operand_size(const Tensor *operand, int rank, int i)
{
    int own = i - (rank - operand->rank);
    return own >= 0 ? operand->shape[own] : 1;
}

/* Puts an axis before those that are there, or into the first where all operands go on in one stride. */
static void add_axis(Walk *walk, int64_t size, const int64_t *stride)
{
    bool merges = walk->rank > 0;
    int64_t *first = &walk->shape[TENSOR_MAX_RANK - walk->rank];
    for (int k = 0; k < walk->operands && merges; k++)
        merges = stride[k] == walk->stride[k][TENSOR_MAX_RANK - walk->rank] * *first;
    if (merges) {
        *first *= size;
        return;
    }
    walk->rank++;
    walk->shape[TENSOR_MAX_RANK - walk->rank] = size;
    for (int k = 0; k < walk->operands; k++)
        walk->stride[k][TENSOR_MAX_RANK - walk->rank] = stride[k];
}

Walk walk_together(int operands, Tensor *const *operand)
{
    Walk walk = {.operands = operands};
    for (int k = 0; k < operands; k++)
        walk.result_rank = operand[k]->rank > walk.result_rank ? operand[k]->rank : walk.result_rank;
    int64_t next[WALK_MAX_OPERANDS] = {1, 1, 1}, stride[WALK_MAX_OPERANDS];
    for (int i = walk.result_rank - 1; i >= 0; i--) {
        int64_t size = 1;
        for (int k = 0; k < operands; k++) {
            int64_t own = operand_size(operand[k], walk.result_rank, i);
            assert(own == size || own == 1 || size == 1);
            size = own == 1 ? size : own;
        }
        for (int k = 0; k < operands; k++) {
            int64_t own = operand_size(operand[k], walk.result_rank, i);
            stride[k] = own == 1 ? 0 : next[k];
            next[k] *= own;
        }
        walk.result_shape[i] = size;
        if (size != 1)
            add_axis(&walk, size, stride);
    }
    while (walk.rank < 2)
        add_axis(&walk, 1, walk.rank ? (int64_t[]){-1, -1, -1} : (int64_t[]){0, 0, 0});
    return walk;
}

typedef struct Run {
    const Walk *walk;
    WalkBody body;
    void *context;
    int64_t blocks, block;              /* of a row, when rows are long */
} Run;

/* Where row `row` begins. */
static void find_row(const Walk *walk, int64_t row, int64_t *from)
{
    for (int k = 0; k < walk->operands; k++)
        from[k] = 0;
    for (int i = TENSOR_MAX_RANK - 2; i >= TENSOR_MAX_RANK - walk->rank; i--) {
        int64_t index = row % walk->shape[i];
        for (int k = 0; k < walk->operands; k++)
            from[k] += index * walk->stride[k][i];
        row /= walk->shape[i];
    }
}

static void run_part(void *context, int64_t begin, int64_t end)
{
    const Run *run = context;
    const Walk *walk = run->walk;
    int64_t n = walk->shape[TENSOR_MAX_RANK - 1], height = walk->shape[TENSOR_MAX_RANK - 2];
    WalkRows rows = {.n = n};
    for (int k = 0; k < walk->operands; k++) {
        rows.stride[k] = walk->stride[k][TENSOR_MAX_RANK - 1];
        rows.row_stride[k] = walk->stride[k][TENSOR_MAX_RANK - 2];
    }
    for (int64_t unit = begin; unit < end; unit += rows.rows) {
        int64_t row = unit / run->blocks, skipped = unit % run->blocks * run->block;
        find_row(walk, row, rows.from);
        rows.rows = 1;
        if (run->blocks == 1) {
            int64_t left = height - row % height;
            rows.rows = end - unit < left ? end - unit : left;
        } else {
            rows.n = n - skipped < run->block ? n - skipped : run->block;
        }
        for (int k = 0; k < walk->operands; k++)
            rows.from[k] += skipped * rows.stride[k];
        rows.to = row * n + skipped;
        run->body(run->context, &rows);
    }
}

void walk_run(const Walk *walk, WalkBody body, void *context)
{
    int64_t n = walk->shape[TENSOR_MAX_RANK - 1], rows = 1;
    for (int i = TENSOR_MAX_RANK - walk->rank; i < TENSOR_MAX_RANK - 1; i++)
        rows *= walk->shape[i];
    if (n == 0 || rows == 0)
        return;
    Run run = {walk, body, context, (n + GRAIN - 1) / GRAIN, GRAIN};
    parallel_for(rows * run.blocks, run.blocks > 1 ? 1 : (GRAIN + n - 1) / n, run_part, &run);
}
