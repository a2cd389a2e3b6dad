/* Softmax's relatives with exact zeros, over the last axis. Both find a threshold from the values in
   descending order; they come out of a heap, so only as many are sorted as the result has nonzeros. */
#include <assert.h>
#include <math.h>

#include "core/base/threads.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* Restores the heap below `root`: no value is larger than the one above it. */
static void sift_down(double *heap, int64_t n, int64_t root)
{
    double value = heap[root];
    for (int64_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && heap[child + 1] > heap[child])
            child++;
        if (!(heap[child] > value))
            break;
        heap[root] = heap[child];
    }
    heap[root] = value;
}

static double take_largest(double *heap, int64_t n)
{
    double largest = heap[0];
    heap[0] = heap[n - 1];
    sift_down(heap, n - 1, 0);
    return largest;
}

/* Martins and Astudillo 2016, algorithm 1: y = max(z - threshold, 0) sums to 1. */
static double sparsemax_threshold(double *heap, int64_t n)
{
    double sum = 0, threshold = 0;
    for (int64_t k = 1; k <= n; k++) {
        double z = take_largest(heap, n - k + 1);
        sum += z;
        if (!(1 + (double)k * z > sum))
            break;
        threshold = (sum - 1) / (double)k;
    }
    return threshold;
}

/* Peters, Niculae and Martins 2019, algorithm 2: the squares of y = max(z - threshold, 0) sum to 1. */
static double entmax15_threshold(double *heap, int64_t n)
{
    double sum = 0, squares = 0, threshold = 0;
    for (int64_t k = 1; k <= n; k++) {
        double z = take_largest(heap, n - k + 1), count = (double)k;
        sum += z;
        squares += z * z;
        double mean = sum / count, spread = squares - count * mean * mean; /* times k */
        double candidate = mean - sqrt(fmax((1 - spread) / count, 0));
        if (!(candidate <= z))
            break;
        threshold = candidate;
    }
    return threshold;
}

typedef struct Rows {
    double (*threshold)(double *heap, int64_t n);
    double scale;           /* of x */
    const Tensor *x;
    Tensor *result;
    int64_t n, grain;
    double *heaps;          /* [chunks, n] */
} Rows;

/* y = max(scale x - threshold, 0), everything relative to the largest value. */
static void threshold_rows(void *context, int64_t begin, int64_t end)
{
    const Rows *t = context;
    double *heap = t->heaps + begin / t->grain * t->n;
    for (int64_t at = begin * t->n; at < end * t->n; at += t->n) {
        double largest = -INFINITY;
        for (int64_t j = 0; j < t->n; j++)
            largest = tensor_value(t->x, at + j) <= largest ? largest : tensor_value(t->x, at + j);
        for (int64_t j = 0; j < t->n; j++)
            heap[j] = t->scale * (tensor_value(t->x, at + j) - largest);
        for (int64_t root = t->n / 2 - 1; root >= 0; root--)
            sift_down(heap, t->n, root);
        double threshold = t->threshold(heap, t->n);
        for (int64_t j = 0; j < t->n; j++) {
            double above = t->scale * (tensor_value(t->x, at + j) - largest) - threshold;
            tensor_set(t->result, at + j, above <= 0 ? 0 : above); /* NaN passes */
        }
    }
}

static Tensor *thresholded(const Tensor *x, double scale, double (*threshold)(double *heap, int64_t n))
{
    enum { MOST_CHUNKS = 32, LEAST_WORK = 2048 };
    assert(x->rank >= 1);
    Tensor *result = t_like(x);
    if (x->count == 0)
        return result;
    Rows rows = {threshold, scale, x, result, x->shape[x->rank - 1], 0, NULL};
    int64_t count = x->count / rows.n, least = LEAST_WORK / rows.n + 1;
    rows.grain = (count + MOST_CHUNKS - 1) / MOST_CHUNKS;
    rows.grain = rows.grain > least ? rows.grain : least;
    size_t bytes = (size_t)((count + rows.grain - 1) / rows.grain * rows.n) * sizeof(double);
    rows.heaps = arena_alloc(tape_arena(), bytes);
    parallel_for(count, rows.grain, threshold_rows, &rows);
    arena_recycle(tape_arena(), rows.heaps, bytes);
    return result;
}

/* 1 where y is not 0: a constant, as the set only changes at kinks. */
static Tensor *support_of(const Tensor *y)
{
    Tensor *support = t_like(y);
    for (int64_t i = 0; i < y->count; i++)
        tensor_set(support, i, tensor_value(y, i) > 0);
    return support;
}

static int sample_rows(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 0: inputs[0] = sample_leaf(random, -1, 1, SHAPE(2, 3, 4)); break;
    case 1: inputs[0] = sample_leaf(random, -3, 3, SHAPE(3, 1)); break;
    case 2: inputs[0] = sample_leaf(random, -1, 1, SHAPE(5)); break;
    case 3: inputs[0] = sample_leaf(random, -3, 3, SHAPE(0, 3)); break;
    default: inputs[0] = sample_leaf(random, -3, 3, SHAPE(2, 37)); break;
    }
    return 1;
}

/* On the support, the gradient less its mean there. */
static void backward_sparsemax(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *support = support_of(node->output), *inside = t_mul(gradient, support);
    Tensor *mean = t_div(t_sum(inside, -1, true), t_sum(support, -1, true));
    gradients[0] = t_sub(inside, t_mul(support, mean));
}

static Tensor *apply_sparsemax(Tensor **inputs, int variant)
{
    (void)variant;
    return t_sparsemax(inputs[0]);
}

const OperationDef operation_sparsemax = {
    .component = {.name = "sparsemax", .summary = "the nearest point of the probability simplex",
                  .source = "arXiv:1602.02068"},
    .backward = backward_sparsemax, .variants = 5, .inputs = sample_rows, .apply = apply_sparsemax,
};

Tensor *t_sparsemax(Tensor *x)
{
    Tensor *result = thresholded(x, 1, sparsemax_threshold);
    op_record(&operation_sparsemax, result, 1, &x, NULL, 0);
    return result;
}

/* With s = max(x/2 - threshold, 0) and sum s^2 = 1: ds = (dx - sum(s dx) / sum(s)) / 2 on the support. */
static void backward_entmax15_root(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *s = node->output, *inside = t_mul(gradient, support_of(s));
    Tensor *ratio = t_div(t_sum(inside, -1, true), t_sum(s, -1, true));
    gradients[0] = t_scale(t_sub(inside, t_mul(s, ratio)), 0.5);
}

static Tensor *apply_entmax15(Tensor **inputs, int variant)
{
    (void)variant;
    return t_entmax15(inputs[0]);
}

const OperationDef operation_entmax15_root = {
    .component = {.name = "entmax15_root", .summary = "the square root of entmax with alpha 1.5",
                  .source = "arXiv:1905.05702"},
    .backward = backward_entmax15_root, .variants = 5, .inputs = sample_rows, .apply = apply_entmax15,
};

/* Through its root, whose derivative is bounded everywhere. */
Tensor *t_entmax15(Tensor *x)
{
    Tensor *root = thresholded(x, 0.5, entmax15_threshold);
    op_record(&operation_entmax15_root, root, 1, &x, NULL, 0);
    return t_square(root);
}
