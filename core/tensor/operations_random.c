/* Random tensors and dropout. Draw i is a function of the sequence's start and of i alone. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

enum { CHUNK = 1024, GRAIN = 16 * CHUNK };

/* ---- Dropout: word i of the sequence decides on group i ---- */

typedef struct Dropout {
    double rate;
    int axes;
    Random random;
} Dropout;

typedef struct DropoutWork {
    const Dropout *dropout;
    const Tensor *x;
    Tensor *result;
    int64_t group;      /* elements that share a draw */
    uint32_t below;     /* a word below this drops */
    double scale;
} DropoutWork;

/* Groups [first, first + count), by their words. */
static void drop_single(const DropoutWork *work, int64_t first, int64_t count, const uint32_t *words)
{
    const ElementwiseKernels *kernel = &kernels()->elementwise;
    const float *x = tensor_f32(work->x) + first * work->group;
    float *to = tensor_f32(work->result) + first * work->group;
    if (work->group == 1) {
        kernel->dropout(count, words, work->below, (float)work->scale, x, to);
        return;
    }
    for (int64_t i = 0; i < count; i++, x += work->group, to += work->group)
        if (words[i] < work->below)
            memset(to, 0, (size_t)work->group * sizeof *to);
        else
            kernel->unary[UNARY_scale](work->group, x, to, (float)work->scale, 0);
}

static void drop_double(const DropoutWork *work, int64_t first, int64_t count, const uint32_t *words)
{
    for (int64_t at = first * work->group; at < (first + count) * work->group; at++) {
        bool dropped = words[at / work->group - first] < work->below;
        tensor_f64(work->result)[at] = dropped ? 0 : work->scale * tensor_f64(work->x)[at];
    }
}

static void dropout_part(void *context, int64_t begin, int64_t end)
{
    const DropoutWork *work = context;
    const Random *random = &work->dropout->random;
    uint32_t words[CHUNK];
    for (int64_t first = begin; first < end; first += CHUNK) {
        int64_t count = end - first < CHUNK ? end - first : CHUNK;
        kernels()->elementwise.random_words(random->seed, random->stream, random->step,
                                            random->index + (uint64_t)(first / 4), (count + 3) / 4, words);
        if (work->x->type == ARRAY_F32)
            drop_single(work, first, count, words);
        else
            drop_double(work, first, count, words);
    }
}

/* Linear, and the mask comes from the numbers again: nothing needs to be kept. */
static void backward_dropout(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Dropout *dropout = node->attributes;
    gradients[0] = t_dropout(gradient, dropout->rate, dropout->axes, dropout->random);
}

static int sample_dropout(Random *random, int variant, Tensor **inputs)
{
    inputs[0] = variant == 3 ? sample_leaf(random, -2, 2, SHAPE(0, 3)) : sample_leaf(random, -2, 2, SHAPE(4, 3, 2));
    return 1;
}

static Tensor *apply_dropout(Tensor **inputs, int variant)
{
    static const int axes[] = {6, 1, 2, 6};
    return t_dropout(inputs[0], 0.4, axes[variant], random_start(3, "dropout", 1));
}

const OperationDef operation_dropout = {
    .component = {.name = "dropout", .summary = "values dropped at random, the others scaled up",
                  .source = "Srivastava et al. 2014"},
    .backward = backward_dropout, .variants = 4, .inputs = sample_dropout, .apply = apply_dropout,
};

Tensor *t_dropout(Tensor *x, double rate, int axes, Random random)
{
    assert(rate >= 0 && rate < 1 && axes >= 0);
    if (rate == 0)
        return x;
    Dropout dropout = {rate, axes, random};
    DropoutWork work = {.dropout = &dropout, .x = x, .result = t_like(x), .group = 1, .scale = 1 / (1 - rate)};
    work.below = (uint32_t)(rate * 0x1p32);
    for (int i = axes; i < x->rank; i++)
        work.group *= x->shape[i];
    if (x->count)
        parallel_for(x->count / work.group, (GRAIN / work.group / CHUNK + 1) * CHUNK, dropout_part, &work);
    op_record(&operation_dropout, work.result, 1, &x, &dropout, sizeof dropout);
    return work.result;
}

/* ---- Random tensors: block i / 2 of the sequence makes elements i and i + 1 ---- */

typedef struct RandomWork {
    Random random;
    Tensor *result;
    bool normal;
} RandomWork;

static double uniform_of(const uint32_t words[2])
{
    return (double)((uint64_t)(words[0] >> 5) << 26 | words[1] >> 6) * 0x1p-53;
}

/* In single precision [0, 1) must not be rounded up to 1. */
static void put_uniform(Tensor *result, int64_t at, double value)
{
    tensor_set(result, at, result->type == ARRAY_F32 ? floor(value * 0x1p24) * 0x1p-24 : value);
}

static void random_part(void *context, int64_t begin, int64_t end)
{
    const RandomWork *work = context;
    const Random *random = &work->random;
    for (int64_t at = begin; at < end; at += 2) {
        uint32_t words[4];
        random_block(random->seed, random->stream, random->step, random->index + (uint64_t)(at / 2), words);
        double value[2] = {uniform_of(words), uniform_of(words + 2)};
        if (work->normal) { /* Box and Muller 1958; 1 - u is never 0 */
            double radius = sqrt(-2 * log1p(-value[0])), angle = 2 * M_PI * value[1];
            value[0] = radius * cos(angle);
            value[1] = radius * sin(angle);
        }
        for (int k = 0; k < 2 && at + k < end; k++)
            if (work->normal)
                tensor_set(work->result, at + k, value[k]);
            else
                put_uniform(work->result, at + k, value[k]);
    }
}

static Tensor *random_tensor(ArrayType type, int rank, const int64_t *shape, Random random, bool normal)
{
    RandomWork work = {random, t_new(type, rank, shape), normal};
    parallel_for(work.result->count, GRAIN, random_part, &work);
    return work.result;
}

Tensor *t_random_normal(ArrayType type, int rank, const int64_t *shape, Random random)
{
    return random_tensor(type, rank, shape, random, true);
}

Tensor *t_random_uniform(ArrayType type, int rank, const int64_t *shape, Random random)
{
    return random_tensor(type, rank, shape, random, false);
}
