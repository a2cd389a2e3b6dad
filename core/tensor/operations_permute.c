/* The order of axes. */
#include <assert.h>

#include "core/base/threads.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

typedef struct Order { int axis[TENSOR_MAX_RANK]; } Order;

/* The result's axes, those of size 1 left out, those that stay neighbours merged; and their strides in x. */
typedef struct Plan {
    int rank;
    int64_t shape[TENSOR_MAX_RANK], stride[TENSOR_MAX_RANK];
} Plan;

static Plan merged(const Tensor *x, const int *order)
{
    Plan plan = {0};
    int64_t stride[TENSOR_MAX_RANK], next = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        stride[i] = next;
        next *= x->shape[i];
    }
    for (int i = 0; i < x->rank; i++) {
        int64_t size = x->shape[order[i]], own = stride[order[i]];
        if (size == 1)
            continue;
        if (plan.rank && plan.stride[plan.rank - 1] == own * size) {
            plan.shape[plan.rank - 1] *= size;
            plan.stride[plan.rank - 1] = own;
        } else {
            plan.shape[plan.rank] = size;
            plan.stride[plan.rank++] = own;
        }
    }
    if (plan.rank == 0)
        plan = (Plan){1, {1}, {1}};
    return plan;
}

/* Planes of `height` by `width`: the axis that is contiguous in x goes down, the last of the result across. */
typedef struct Move {
    Plan plan;
    int down;                   /* -1: the last axis is contiguous in x, and rows are copied */
    int64_t down_stride;        /* in the result */
    int64_t strips;             /* of a plane */
    const void *from;
    void *to;
} Move;

/* Elements of any type are moved as so many bytes. */
typedef uint32_t Word __attribute__((may_alias));
typedef uint64_t DoubleWord __attribute__((may_alias));

enum { STRIP = 16, GRAIN = 1 << 15 };

/* The offsets of plane `index` in x and in the result: over every axis but the last and the one that goes down. */
static void find_plane(const Move *move, int64_t index, int64_t *from, int64_t *to)
{
    const Plan *plan = &move->plan;
    int64_t stride = plan->shape[plan->rank - 1];
    *from = *to = 0;
    for (int i = plan->rank - 2; i >= 0; i--) {
        if (i != move->down) {
            int64_t at = index % plan->shape[i];
            *from += at * plan->stride[i];
            *to += at * stride;
            index /= plan->shape[i];
        }
        stride *= plan->shape[i];
    }
}

/* In tiles, so that what is written across is read down while it is near. */
#define TILES(TYPE)                                                                                         \
    do {                                                                                                    \
        const TYPE *x = (const TYPE *)move->from + from;                                                    \
        TYPE *y = (TYPE *)move->to + to;                                                                    \
        for (int64_t left = 0; left < width; left += STRIP) {                                               \
            int64_t right = left + STRIP < width ? left + STRIP : width;                                    \
            for (int64_t row = top; row < bottom; row++)                                                    \
                for (int64_t column = left; column < right; column++)                                       \
                    y[row * move->down_stride + column] = x[row + column * across];                         \
        }                                                                                                   \
    } while (0)

#define DEFINE_MOVE(name, TYPE)                                                                             \
    static void name##_rows(void *context, int64_t begin, int64_t end)                                      \
    {                                                                                                       \
        const Move *move = context;                                                                         \
        const Plan *plan = &move->plan;                                                                     \
        int64_t n = plan->shape[plan->rank - 1], height = plan->rank > 1 ? plan->shape[plan->rank - 2] : 1;  \
        int64_t step = plan->rank > 1 ? plan->stride[plan->rank - 2] : 0, from, to;                         \
        for (int64_t row = begin; row < end;) {                                                             \
            find_plane(move, row, &from, &to);                                                              \
            int64_t left = height - row % height, stop = row + left < end ? row + left : end;               \
            for (; row < stop; row++, from += step, to += n)                                                \
                __builtin_memcpy((TYPE *)move->to + to, (const TYPE *)move->from + from, (size_t)n * sizeof(TYPE)); \
        }                                                                                                   \
    }                                                                                                       \
    static void name##_strips(void *context, int64_t begin, int64_t end)                                    \
    {                                                                                                       \
        const Move *move = context;                                                                         \
        int64_t width = move->plan.shape[move->plan.rank - 1], across = move->plan.stride[move->plan.rank - 1]; \
        int64_t height = move->plan.shape[move->down], from, to;                                            \
        for (int64_t strip = begin; strip < end; strip++) {                                                 \
            find_plane(move, strip / move->strips, &from, &to);                                             \
            int64_t top = strip % move->strips * STRIP, bottom = top + STRIP < height ? top + STRIP : height; \
            TILES(TYPE);                                                                                    \
        }                                                                                                   \
    }

DEFINE_MOVE(move_words, Word)
DEFINE_MOVE(move_double_words, DoubleWord)

static void permute(const Tensor *x, const int *order, Tensor *result)
{
    Move move = {.plan = merged(x, order), .down = -1, .from = x->data, .to = result->data};
    const Plan *plan = &move.plan;
    int64_t width = plan->shape[plan->rank - 1], stride = 1;
    bool narrow = array_type_size(x->type) == sizeof(float);
    if (x->count == 0)
        return;
    if (plan->stride[plan->rank - 1] == 1) {
        parallel_for(x->count / width, (GRAIN + width - 1) / width,
                     narrow ? move_words_rows : move_double_words_rows, &move);
        return;
    }
    for (int i = plan->rank - 1; i >= 0; i--) {
        if (plan->stride[i] == 1) {
            move.down = i;
            move.down_stride = stride;
        }
        stride *= plan->shape[i];
    }
    move.strips = (plan->shape[move.down] + STRIP - 1) / STRIP;
    int64_t planes = x->count / width / plan->shape[move.down];
    parallel_for(planes * move.strips, (GRAIN + width * STRIP - 1) / (width * STRIP),
                 narrow ? move_words_strips : move_double_words_strips, &move);
}

static void backward_permute(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Order *order = node->attributes;
    Order inverse;
    for (int i = 0; i < gradient->rank; i++)
        inverse.axis[order->axis[i]] = i;
    gradients[0] = t_permute(gradient, inverse.axis);
}

enum { VARIANTS = 7 };

static int sample_permute(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 4: inputs[0] = sample_leaf(random, -2, 2, SHAPE(0, 3, 4)); break;
    case 5: inputs[0] = sample_leaf(random, -2, 2, SHAPE(1, 20, 3)); break;
    case 6: inputs[0] = sample_leaf(random, -2, 2, SHAPE(1, 1, 1)); break;
    default: inputs[0] = sample_leaf(random, -2, 2, SHAPE(2, 3, 4)); break;
    }
    return 1;
}

static Tensor *apply_permute(Tensor **inputs, int variant)
{
    static const int orders[VARIANTS][3] = {
        {0, 1, 2}, {2, 0, 1}, {1, 0, 2}, {2, 1, 0}, {1, 2, 0}, {0, 2, 1}, {1, 2, 0},
    };
    return variant == 5 ? t_transpose(inputs[0]) : t_permute(inputs[0], orders[variant]);
}

const OperationDef operation_permute = {
    .component = {.name = "permute", .summary = "the axes in another order"},
    .backward = backward_permute, .variants = VARIANTS, .inputs = sample_permute, .apply = apply_permute,
};

Tensor *t_permute(Tensor *x, const int *order)
{
    int64_t shape[TENSOR_MAX_RANK];
    Order kept = {{0}};
    unsigned seen = 0;
    for (int i = 0; i < x->rank; i++) {
        assert(order[i] >= 0 && order[i] < x->rank && !(seen >> order[i] & 1));
        seen |= 1u << order[i];
        shape[i] = x->shape[order[i]];
        kept.axis[i] = order[i];
    }
    Tensor *result = t_new(x->type, x->rank, shape);
    permute(x, order, result);
    op_record(&operation_permute, result, 1, &x, &kept, sizeof kept);
    return result;
}

Tensor *t_transpose(Tensor *x)
{
    assert(x->rank >= 2);
    int order[TENSOR_MAX_RANK];
    for (int i = 0; i < x->rank; i++)
        order[i] = i;
    order[x->rank - 2] = x->rank - 1;
    order[x->rank - 1] = x->rank - 2;
    return t_permute(x, order);
}
