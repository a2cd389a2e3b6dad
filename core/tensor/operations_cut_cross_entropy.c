/* Cross-entropy of the logits E W^T + b without the matrix of logits (Wijmans et al., arXiv:2411.09009). A block of
   tokens meets the vocabulary strip by strip; forward keeps a running log-sum-exp of each token, backward computes
   the strips again. The products run in threads (sgemm), and the strips follow each other in a fixed order, so
   the bits do not depend on threads. Beyond the results there is one strip, whatever N and V are; where tokens are
   ignored, the others are gathered block by block, so that ignored ones cost nothing. With a filter, backward tests
   each tile of a strip before it takes exponentials: what is below the filter everywhere takes no part in the two
   products that follow. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/gemm.h"
#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* Size of a strip: 512 KB; how many of its rows make a task and a tile of the filter; the least block of gathered
   tokens, and the values that one may hold where it is larger (256 KB). */
enum { TOKENS = 512, WORDS = 256, TASK_ROWS = 32, TILES = TOKENS / TASK_ROWS, GATHERED = 64 * 1024 };

typedef struct Problem {
    int64_t tokens, words, width;
    double softcap, filter;
} Problem;

/* parts [N, 2]: the log-sum-exp of each token in two parts, the largest logit and the logarithm of the rest. */
typedef struct Work {
    const Problem *problem;
    const float *embeddings, *weight, *bias, *gradient;
    const int32_t *targets;
    float *loss, *parts, *strip;
    double *sum;                        /* of the block's tokens: exp(logit - largest) over the strips so far */
    int32_t *valid;                     /* [count] the tokens that are not ignored; NULL: all */
    float *gathered;                    /* [block, width] their embeddings; NULL: the block's lie together */
    float *scattered;                   /* in backward, the same of their gradients */
    int64_t block, count, first, rows, first_word, columns; /* `rows` of `count` from `first` on, `block` at most */
    bool kept[TILES];                   /* in backward, the strip's tiles that have a gradient */
} Work;

static int64_t smaller(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static bool counts(const Problem *problem, int32_t target)
{
    return target >= 0 && target < problem->words;
}

/* ---- Floats ---- */

static size_t block_bytes(const Work *work)
{
    return (size_t)(work->block * work->problem->width) * sizeof(float);
}

static size_t strip_bytes(const Work *work)
{
    return (size_t)work->block * WORDS * sizeof(float);
}

static void start(Work *work)
{
    const Problem *problem = work->problem;
    for (int64_t token = 0; token < problem->tokens; token++)
        work->count += counts(problem, work->targets[token]);
    work->block = TOKENS;
    if (work->count < problem->tokens && problem->width * TOKENS > GATHERED)
        work->block = problem->width * TASK_ROWS < GATHERED ? GATHERED / problem->width : TASK_ROWS;
    work->strip = arena_alloc(tape_arena(), strip_bytes(work));
    work->sum = arena_alloc(tape_arena(), TOKENS * sizeof(double));
    if (work->count == problem->tokens)
        return;
    work->valid = arena_alloc(tape_arena(), (size_t)problem->tokens * sizeof(int32_t));
    work->gathered = arena_alloc(tape_arena(), block_bytes(work));
    if (work->gradient)
        work->scattered = arena_alloc(tape_arena(), block_bytes(work));
    for (int64_t token = 0, k = 0; token < problem->tokens; token++)
        if (counts(problem, work->targets[token]))
            work->valid[k++] = (int32_t)token;
}

static void finish(Work *work)
{
    const Problem *problem = work->problem;
    arena_recycle(tape_arena(), work->strip, strip_bytes(work));
    arena_recycle(tape_arena(), work->sum, TOKENS * sizeof(double));
    if (!work->valid)
        return;
    arena_recycle(tape_arena(), work->valid, (size_t)problem->tokens * sizeof(int32_t));
    arena_recycle(tape_arena(), work->gathered, block_bytes(work));
    if (work->scattered)
        arena_recycle(tape_arena(), work->scattered, block_bytes(work));
}

/* The token of row i of the block. */
static int64_t token_of(const Work *work, int64_t i)
{
    return work->valid ? work->valid[work->first + i] : work->first + i;
}

/* The block's embeddings, side by side. */
static const float *block_embeddings(const Work *work)
{
    const int64_t d = work->problem->width;
    if (!work->valid)
        return work->embeddings + work->first * d;
    for (int64_t i = 0; i < work->rows; i++)
        memcpy(work->gathered + i * d, work->embeddings + token_of(work, i) * d, (size_t)d * sizeof(float));
    return work->gathered;
}

static void compute_strip(const Work *work, const float *embeddings)
{
    const int64_t d = work->problem->width;
    sgemm(false, true, work->rows, work->columns, d, embeddings, d, work->weight + work->first_word * d, d, 0,
          work->strip, WORDS);
}

/* Row i of the strip as products becomes logits: z = x + b, or c tanh((x + b)/c). */
static float *finish_logits(const Work *work, int64_t i)
{
    float *z = work->strip + i * WORDS;
    const float cap = (float)work->problem->softcap;
    if (work->bias)
        kernels()->axpy(work->columns, 1, work->bias + work->first_word, z);
    if (cap > 0) {
        kernels()->rows.scale_row(work->columns, 1 / cap, z);
        kernels()->tanh(work->columns, z, z);
        kernels()->rows.scale_row(work->columns, cap, z);
    }
    return z;
}

/* Column of the token's target in this strip, or -1. */
static int64_t target_column(const Work *work, int64_t token)
{
    const int64_t column = work->targets[token] - work->first_word;
    return column >= 0 && column < work->columns ? column : -1;
}

static void forward_rows(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t token = token_of(work, i), column = target_column(work, token);
        float *z = finish_logits(work, i), *largest = work->parts + 2 * token;
        if (column >= 0)
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

static void forward_block(Work *work)
{
    const Problem *problem = work->problem;
    const float *embeddings = block_embeddings(work);
    for (int64_t i = 0; i < work->rows; i++) {
        work->sum[i] = 0;
        work->parts[2 * token_of(work, i)] = -INFINITY;
    }
    for (work->first_word = 0; work->first_word < problem->words; work->first_word += WORDS) {
        work->columns = smaller(WORDS, problem->words - work->first_word);
        compute_strip(work, embeddings);
        parallel_for(work->rows, TASK_ROWS, forward_rows, work);
    }
    for (int64_t i = 0; i < work->rows; i++) {
        const int64_t token = token_of(work, i);
        float *parts = work->parts + 2 * token, *loss = work->loss + token;
        parts[1] = (float)log(work->sum[i]);
        *loss = (float)((double)(parts[0] - *loss) + log(work->sum[i]));
    }
}

static const float *floats(const Tensor *tensor)
{
    return tensor ? tensor_f32(tensor) : NULL;
}

static float *cleared(Tensor *tensor)
{
    return tensor ? memset(tensor->data, 0, (size_t)tensor->count * sizeof(float)) : NULL;
}

static void forward_single(const Problem *problem, Tensor *const *inputs, Tensor *loss, Tensor *parts)
{
    Work work = {.problem = problem,
                 .embeddings = floats(inputs[0]),
                 .weight = floats(inputs[1]),
                 .bias = floats(inputs[2]),
                 .targets = tensor_i32(inputs[3]),
                 .loss = cleared(loss),
                 .parts = cleared(parts)};
    start(&work);
    for (; work.first < work.count; work.first += work.block) {
        work.rows = smaller(work.block, work.count - work.first);
        forward_block(&work);
    }
    finish(&work);
}

/* Whether |softmax - one hot| reaches the filter somewhere in a row of logits. What is not a number does. */
static bool reaches_filter(const Work *work, int64_t token, float *z)
{
    const int64_t column = target_column(work, token);
    const double filter = work->problem->filter;
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

/* Row i of logits becomes the gradient by its products: g (softmax - one hot) (1 - (z/c)^2). */
static void gradient_row(const Work *work, int64_t i)
{
    const float inverse_cap = work->problem->softcap > 0 ? (float)(1 / work->problem->softcap) : 0;
    const int64_t token = token_of(work, i), column = target_column(work, token);
    const float weight = work->gradient[token];
    float *z = work->strip + i * WORDS;
    const float u = column >= 0 && inverse_cap > 0 ? z[column] * inverse_cap : 0;
    kernels()->rows.cross_entropy_gradient_row(work->columns, z, work->parts + 2 * token, weight, inverse_cap);
    if (column >= 0)
        z[column] -= weight * (1 - u * u);
}

static void backward_tile(void *context, int64_t begin, int64_t end)
{
    Work *work = context;
    bool kept = !(work->problem->filter > 0);
    for (int64_t i = begin; i < end; i++) {
        float *z = finish_logits(work, i);
        kept = kept || reaches_filter(work, token_of(work, i), z);
    }
    work->kept[begin / TASK_ROWS] = kept;
    for (int64_t i = begin; i < end && kept; i++)
        gradient_row(work, i);
}

/* The next run of kept tiles from row *begin on, as rows *begin to *end; false: there is none. */
static bool next_kept(const Work *work, int64_t *begin, int64_t *end)
{
    while (*begin < work->rows && !work->kept[*begin / TASK_ROWS])
        *begin += TASK_ROWS;
    for (*end = *begin; *end < work->rows && work->kept[*end / TASK_ROWS];)
        *end = smaller(*end + TASK_ROWS, work->rows);
    return *begin < work->rows;
}

/* What rows `begin` to `end` of the strip's gradient add to the results (each NULL: not wanted). */
static void add_products(const Work *work, int64_t begin, int64_t end, const float *embeddings, float *dembeddings,
                         float *dweight, float *dbias)
{
    const int64_t d = work->problem->width, rows = end - begin, at = work->first_word * d;
    const float *gradient = work->strip + begin * WORDS;
    float sum[WORDS];
    if (dembeddings)
        sgemm(false, false, rows, d, work->columns, gradient, WORDS, work->weight + at, d, 1, dembeddings + begin * d,
              d);
    if (dweight)
        sgemm(true, false, work->columns, d, rows, gradient, WORDS, embeddings + begin * d, d, 1, dweight + at, d);
    if (dbias) {
        kernels()->elementwise.sum_columns(rows, work->columns, WORDS, gradient, sum);
        kernels()->axpy(work->columns, 1, sum, dbias + work->first_word);
    }
}

/* dembeddings: [rows, width], of the block, zeros before. */
static void backward_block(Work *work, float *dembeddings, float *dweight, float *dbias)
{
    const float *embeddings = block_embeddings(work);
    for (work->first_word = 0; work->first_word < work->problem->words; work->first_word += WORDS) {
        work->columns = smaller(WORDS, work->problem->words - work->first_word);
        compute_strip(work, embeddings);
        parallel_for(work->rows, TASK_ROWS, backward_tile, work);
        for (int64_t begin = 0, end; next_kept(work, &begin, &end); begin = end)
            add_products(work, begin, end, embeddings, dembeddings, dweight, dbias);
    }
}

static void backward_single(const Problem *problem, const Node *node, Tensor *gradient, Tensor **gradients)
{
    const int64_t d = problem->width;
    Work work = {.problem = problem,
                 .embeddings = floats(node->inputs[0]),
                 .weight = floats(node->inputs[1]),
                 .bias = floats(node->inputs[2]),
                 .targets = tensor_i32(node->inputs[3]),
                 .gradient = floats(gradient),
                 .parts = tensor_f32(node->saved[0])};
    float *dembeddings = cleared(gradients[0]), *dweight = cleared(gradients[1]), *dbias = cleared(gradients[2]);
    start(&work);
    for (; work.first < work.count; work.first += work.block) {
        work.rows = smaller(work.block, work.count - work.first);
        const bool scatter = dembeddings && work.valid;
        float *block = dembeddings ? dembeddings + work.first * d : NULL;
        if (scatter)
            memset(work.scattered, 0, block_bytes(&work));
        backward_block(&work, scatter ? work.scattered : block, dweight, dbias);
        for (int64_t i = 0; i < work.rows && scatter; i++)
            memcpy(dembeddings + token_of(&work, i) * d, work.scattered + i * d, (size_t)d * sizeof(float));
    }
    finish(&work);
}

/* ---- Doubles: token by token ---- */

static void logits_double(const Problem *problem, Tensor *const *inputs, int64_t token, double *z)
{
    const double *embedding = tensor_f64(inputs[0]) + token * problem->width, cap = problem->softcap;
    for (int64_t v = 0; v < problem->words; v++) {
        const double *row = tensor_f64(inputs[1]) + v * problem->width;
        double sum = inputs[2] ? tensor_f64(inputs[2])[v] : 0;
        for (int64_t k = 0; k < problem->width; k++)
            sum += embedding[k] * row[k];
        z[v] = cap > 0 ? cap * tanh(sum / cap) : sum;
    }
}

static void forward_double(const Problem *problem, Tensor *const *inputs, Tensor *loss, Tensor *parts)
{
    const size_t bytes = (size_t)problem->words * sizeof(double);
    double *z = arena_alloc(tape_arena(), bytes);
    for (int64_t token = 0; token < problem->tokens; token++) {
        const int32_t target = tensor_i32(inputs[3])[token];
        double largest = -INFINITY, sum = 0;
        logits_double(problem, inputs, token, z);
        for (int64_t v = 0; v < problem->words; v++)
            largest = z[v] > largest ? z[v] : largest;
        for (int64_t v = 0; v < problem->words; v++)
            sum += exp(z[v] - largest);
        tensor_f64(parts)[2 * token] = largest;
        tensor_f64(parts)[2 * token + 1] = log(sum);
        tensor_f64(loss)[token] = counts(problem, target) ? (largest - z[target]) + log(sum) : 0;
    }
    arena_recycle(tape_arena(), z, bytes);
}

static void backward_double(const Problem *problem, const Node *node, Tensor *gradient, Tensor **gradients)
{
    const int64_t d = problem->width;
    const size_t bytes = (size_t)problem->words * sizeof(double);
    const double *embeddings = tensor_f64(node->inputs[0]), *weight = tensor_f64(node->inputs[1]);
    double *z = arena_alloc(tape_arena(), bytes), cap = problem->softcap;
    for (int i = 0; i < 3; i++)
        if (gradients[i])
            memset(gradients[i]->data, 0, (size_t)gradients[i]->count * sizeof(double));
    for (int64_t token = 0; token < problem->tokens; token++) {
        const double *parts = tensor_f64(node->saved[0]) + 2 * token;
        const int32_t target = tensor_i32(node->inputs[3])[token];
        if (!counts(problem, target))
            continue;
        logits_double(problem, node->inputs, token, z);
        for (int64_t v = 0; v < problem->words; v++) {
            const double slope = cap > 0 ? 1 - z[v] / cap * (z[v] / cap) : 1;
            const double difference = exp(z[v] - parts[0] - parts[1]) - (v == target);
            if (fabs(difference) < problem->filter)
                continue;
            const double g = tensor_f64(gradient)[token] * slope * difference;
            for (int64_t k = 0; k < d && gradients[0]; k++)
                tensor_f64(gradients[0])[token * d + k] += g * weight[v * d + k];
            for (int64_t k = 0; k < d && gradients[1]; k++)
                tensor_f64(gradients[1])[v * d + k] += g * embeddings[token * d + k];
            if (gradients[2])
                tensor_f64(gradients[2])[v] += g;
        }
    }
    arena_recycle(tape_arena(), z, bytes);
}

/* ---- The operation: inputs embeddings, weight, bias, targets; saved: parts ---- */

/* For gradients that are to be differentiated again: with all logits. */
static void backward_composed(const Problem *problem, const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *embeddings = node->inputs[0], *weight = node->inputs[1], *targets = node->inputs[3];
    Tensor *z = t_linear(embeddings, weight, node->inputs[2]), *slope = NULL;
    if (problem->softcap > 0) {
        Tensor *bent = t_tanh(t_scale(z, 1 / problem->softcap));
        slope = t_add_scalar(t_neg(t_square(bent)), 1);
        z = t_scale(bent, problem->softcap);
    }
    Tensor *valid = t_new(z->type, SHAPE(problem->tokens, 1));
    for (int64_t token = 0; token < problem->tokens; token++)
        tensor_set(valid, token, counts(problem, tensor_i32(targets)[token]));
    Tensor *g = t_sub(t_softmax(z), t_one_hot(targets, problem->words, z->type));
    g = t_mul(g, t_mul(t_reshape(gradient, SHAPE(problem->tokens, 1)), valid));
    g = slope ? t_mul(g, slope) : g;
    if (op_wants(node, 0))
        gradients[0] = t_matmul(g, weight, false, false);
    if (op_wants(node, 1))
        gradients[1] = t_matmul(g, embeddings, true, false);
    if (op_wants(node, 2))
        gradients[2] = t_sum(g, 0, false);
}

static void backward_cross_entropy(const Node *node, Tensor *gradient, Tensor **gradients)
{
    if (tape_recording()) {
        backward_composed(node->attributes, node, gradient, gradients);
        return;
    }
    for (int i = 0; i < 3; i++)
        if (op_wants(node, i))
            gradients[i] = t_like(node->inputs[i]);
    (gradient->type == ARRAY_F32 ? backward_single : backward_double)(node->attributes, node, gradient, gradients);
}

/* Variants: plain; bias, softcap and an ignored token; several strips; no tokens; one word. */
static int sample_cross_entropy(Random *random, int variant, Tensor **inputs)
{
    const int64_t tokens[] = {3, 4, 2, 0, 2}, words[] = {5, 4, 300, 4, 1}, width[] = {2, 3, 1, 2, 2};
    inputs[0] = sample_leaf(random, -2, 2, SHAPE(tokens[variant], width[variant]));
    inputs[1] = sample_leaf(random, -2, 2, SHAPE(words[variant], width[variant]));
    inputs[2] = sample_leaf(random, -2, 2, SHAPE(words[variant]));
    inputs[3] = sample_indices(random, words[variant], SHAPE(tokens[variant]));
    if (variant == 1)
        tensor_i32(inputs[3])[1] = -100;
    return 4;
}

static Tensor *apply_cross_entropy(Tensor **inputs, int variant)
{
    return t_linear_cross_entropy(inputs[0], inputs[1], variant == 0 ? NULL : inputs[2], inputs[3],
                                  variant == 1 || variant == 2 ? 3 : 0, 0);
}

const OperationDef operation_linear_cross_entropy = {
    .component = {.name = "linear_cross_entropy", .summary = "cross-entropy of a linear layer, without its logits",
                  .source = "arXiv:2411.09009"},
    .backward = backward_cross_entropy, .variants = 5, .inputs = sample_cross_entropy, .apply = apply_cross_entropy,
};

Tensor *t_linear_cross_entropy(Tensor *embeddings, Tensor *weight, Tensor *bias, Tensor *targets, double softcap,
                               double filter)
{
    assert(embeddings->rank == 2 && weight->rank == 2 && embeddings->shape[1] == weight->shape[1]);
    assert(weight->shape[0] > 0 && (!bias || (bias->count == weight->shape[0] && bias->type == weight->type)));
    assert(targets->type == ARRAY_I32 && targets->count == embeddings->shape[0] && embeddings->type == weight->type);
    assert(softcap >= 0 && filter >= 0);
    const Problem problem = {embeddings->shape[0], weight->shape[0], weight->shape[1], softcap, filter};
    Tensor *inputs[4] = {embeddings, weight, bias, targets};
    Tensor *loss = t_new(weight->type, SHAPE(problem.tokens)), *parts = t_new(weight->type, SHAPE(problem.tokens, 2));
    (weight->type == ARRAY_F32 ? forward_single : forward_double)(&problem, inputs, loss, parts);
    Node *node = op_record(&operation_linear_cross_entropy, loss, 4, inputs, &problem, sizeof problem);
    if (node)
        node->saved[0] = parts;
    return loss;
}
