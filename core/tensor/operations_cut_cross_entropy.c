/* Cut cross-entropy (Wijmans et al., arXiv:2411.09009): the operation, its second derivatives, and in doubles, token by
   token, what cut_cross_entropy.c does in floats by blocks. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/tensor/cut_cross_entropy.h"

/* What a node saves; all but PARTS only of floats. USED: whether UNIT has become a gradient already (one I32). */
enum { PARTS, UNIT, USED, ORDER };

/* ---- Doubles ---- */

static void logits_double(const CutProblem *problem, Tensor *const *inputs, int64_t token, double *z)
{
    const double *embedding = tensor_f64(inputs[0]) + token * problem->width, cap = problem->options.softcap;
    for (int64_t v = 0; v < problem->words; v++) {
        const double *row = tensor_f64(inputs[1]) + v * problem->width;
        double sum = inputs[2] ? tensor_f64(inputs[2])[v] : 0;
        for (int64_t k = 0; k < problem->width; k++)
            sum += embedding[k] * row[k];
        z[v] = cap > 0 ? cap * tanh(sum / cap) : sum;
    }
}

static void forward_double(const CutProblem *problem, Tensor *const *inputs, Tensor *loss, Tensor *parts)
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
        const double log_sum_exp = largest + log(sum);
        tensor_f64(loss)[token] = 0;
        if (cut_counts(problem, target))
            tensor_f64(loss)[token] = (largest - z[target]) + log(sum) +
                                      problem->options.z_loss * log_sum_exp * log_sum_exp;
    }
    arena_recycle(tape_arena(), z, bytes);
}

static void backward_double(const CutProblem *problem, const Node *node, Tensor *gradient, Tensor **gradients)
{
    const CutCrossEntropyOptions *options = &problem->options;
    const int64_t d = problem->width;
    const size_t bytes = (size_t)problem->words * sizeof(double);
    const double *embeddings = tensor_f64(node->inputs[0]), *weight = tensor_f64(node->inputs[1]);
    double *z = arena_alloc(tape_arena(), bytes), cap = options->softcap;
    for (int i = 0; i < 3; i++)
        if (gradients[i])
            memset(gradients[i]->data, 0, (size_t)gradients[i]->count * sizeof(double));
    for (int64_t token = 0; token < problem->tokens; token++) {
        const double *parts = tensor_f64(node->saved[PARTS]) + 2 * token;
        const int32_t target = tensor_i32(node->inputs[3])[token];
        if (!cut_counts(problem, target))
            continue;
        logits_double(problem, node->inputs, token, z);
        for (int64_t v = 0; v < problem->words; v++) {
            const double slope = cap > 0 ? 1 - z[v] / cap * (z[v] / cap) : 1;
            const double difference = exp(z[v] - parts[0] - parts[1]) - (v == target);
            const bool drops = fabs(difference) < options->filter;
            const double by_sum = 2 * options->z_loss * (parts[0] + parts[1]) * exp(z[v] - parts[0] - parts[1]);
            const double g = tensor_f64(gradient)[token] * slope * (difference + by_sum);
            for (int64_t k = 0; k < d && gradients[0] && (!drops || options->full_embeddings); k++)
                tensor_f64(gradients[0])[token * d + k] += g * weight[v * d + k];
            if (drops && !options->full_weight)
                continue;
            for (int64_t k = 0; k < d && gradients[1]; k++)
                tensor_f64(gradients[1])[v * d + k] += g * embeddings[token * d + k];
            if (gradients[2])
                tensor_f64(gradients[2])[v] += g;
        }
    }
    arena_recycle(tape_arena(), z, bytes);
}

/* ---- The operation: inputs embeddings, weight, bias, targets ---- */

/* For gradients that are to be differentiated again: with all logits. */
static void backward_composed(const CutProblem *problem, const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *embeddings = node->inputs[0], *weight = node->inputs[1], *targets = node->inputs[3];
    Tensor *z = t_linear(embeddings, weight, node->inputs[2]), *slope = NULL;
    if (problem->options.softcap > 0) {
        Tensor *bent = t_tanh(t_scale(z, 1 / problem->options.softcap));
        slope = t_add_scalar(t_neg(t_square(bent)), 1);
        z = t_scale(bent, problem->options.softcap);
    }
    Tensor *valid = t_new(z->type, SHAPE(problem->tokens, 1));
    for (int64_t token = 0; token < problem->tokens; token++)
        tensor_set(valid, token, cut_counts(problem, tensor_i32(targets)[token]));
    Tensor *p = t_softmax(z);
    if (problem->options.z_loss > 0)
        p = t_mul(p, t_add_scalar(t_scale(t_log_sum_exp(z, 1, true), 2 * problem->options.z_loss), 1));
    Tensor *g = t_sub(p, t_one_hot(targets, problem->words, z->type));
    g = t_mul(g, t_mul(t_reshape(gradient, SHAPE(problem->tokens, 1)), valid));
    g = slope ? t_mul(g, slope) : g;
    if (op_wants(node, 0))
        gradients[0] = t_matmul(g, weight, false, false);
    if (op_wants(node, 1))
        gradients[1] = t_matmul(g, embeddings, true, false);
    if (op_wants(node, 2))
        gradients[2] = t_sum(g, 0, false);
}

/* The gradients by the embeddings wait since forward, and are handed over; who asks again has them made again. */
static Tensor *take_unit(const CutProblem *problem, const Node *node, const Tensor *gradient)
{
    Tensor *unit = node->saved[UNIT];
    if (tensor_i32(node->saved[USED])[0]) {
        const Tensor *loss = node->output, *parts = node->saved[PARTS];
        unit = t_like(node->inputs[0]);
        cut_forward_single(problem, node->inputs, t_like(loss), t_like(parts), unit, node->saved[ORDER]);
    }
    tensor_i32(node->saved[USED])[0] = 1;
    cut_scale_unit(gradient, unit);
    return unit;
}

static void backward_cross_entropy(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const CutProblem *problem = node->attributes;
    if (tape_recording()) {
        backward_composed(problem, node, gradient, gradients);
        return;
    }
    const bool single = gradient->type == ARRAY_F32;
    for (int i = single; i < 3; i++)
        if (op_wants(node, i))
            gradients[i] = t_like(node->inputs[i]);
    if (single && op_wants(node, 0))
        gradients[0] = take_unit(problem, node, gradient);
    if (single && (gradients[1] || gradients[2]))
        cut_backward_single(problem, node->inputs, node->saved[PARTS], node->saved[ORDER], gradient, gradients[1],
                            gradients[2]);
    if (!single)
        backward_double(problem, node, gradient, gradients);
}

/* Variants: plain; bias, softcap and an ignored token; several strips, with both; no tokens; one word; the square of
   the log-sum-exp, alone and with the rest. */
static int sample_cross_entropy(Random *random, int variant, Tensor **inputs)
{
    const int64_t tokens[] = {3, 4, 2, 0, 2, 3, 4}, words[] = {5, 4, 300, 4, 1, 5, 6}, width[] = {2, 3, 1, 2, 2, 2, 2};
    inputs[0] = sample_leaf(random, -2, 2, SHAPE(tokens[variant], width[variant]));
    inputs[1] = sample_leaf(random, -2, 2, SHAPE(words[variant], width[variant]));
    inputs[2] = sample_leaf(random, -2, 2, SHAPE(words[variant]));
    inputs[3] = sample_indices(random, words[variant], SHAPE(tokens[variant]));
    if (variant == 1 || variant == 6)
        tensor_i32(inputs[3])[1] = -100;
    return 4;
}

static Tensor *apply_cross_entropy(Tensor **inputs, int variant)
{
    const CutCrossEntropyOptions options = {.softcap = variant == 1 || variant == 2 || variant == 6 ? 3 : 0,
                                            .z_loss = variant >= 5 ? 0.1 : 0};
    return t_linear_cross_entropy(inputs[0], inputs[1], variant == 0 || variant == 5 ? NULL : inputs[2], inputs[3],
                                  &options);
}

const OperationDef operation_linear_cross_entropy = {
    .component = {.name = "linear_cross_entropy", .summary = "cross-entropy of a linear layer, without its logits",
                  .source = "arXiv:2411.09009"},
    .backward = backward_cross_entropy, .variants = 7, .inputs = sample_cross_entropy, .apply = apply_cross_entropy,
};

Tensor *t_linear_cross_entropy(Tensor *embeddings, Tensor *weight, Tensor *bias, Tensor *targets,
                               const CutCrossEntropyOptions *options)
{
    assert(embeddings->rank == 2 && weight->rank == 2 && embeddings->shape[1] == weight->shape[1]);
    assert(weight->shape[0] > 0 && (!bias || (bias->count == weight->shape[0] && bias->type == weight->type)));
    assert(targets->type == ARRAY_I32 && targets->count == embeddings->shape[0] && embeddings->type == weight->type);
    static const CutCrossEntropyOptions none;
    const CutProblem problem = {embeddings->shape[0], weight->shape[0], weight->shape[1], options ? *options : none};
    assert(problem.options.softcap >= 0 && problem.options.filter >= 0 && problem.options.z_loss >= 0);
    Tensor *inputs[4] = {embeddings, weight, bias, targets};
    Tensor *loss = t_new(weight->type, SHAPE(problem.tokens)), *parts = t_new(weight->type, SHAPE(problem.tokens, 2));
    Tensor *unit = NULL, *order = NULL;
    const bool single = weight->type == ARRAY_F32, records = op_will_record(4, inputs);
    if (single && records && embeddings->requires_gradient)
        unit = t_like(embeddings);
    if (single && records && cut_sorts(&problem))
        order = t_new(ARRAY_I32, SHAPE(problem.words + problem.tokens));
    if (single)
        cut_forward_single(&problem, inputs, loss, parts, unit, order);
    else
        forward_double(&problem, inputs, loss, parts);
    Node *node = op_record(&operation_linear_cross_entropy, loss, 4, inputs, &problem, sizeof problem);
    if (!node)
        return loss;
    node->saved[PARTS] = parts;
    node->saved[ORDER] = order;
    node->saved[UNIT] = unit;
    if (unit)
        node->saved[USED] = t_zeros(ARRAY_I32, SHAPE(1));
    return loss;
}
