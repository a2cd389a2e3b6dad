/* A part of a graph that is computed again for its gradient: core/tensor/recompute.h. */
#include "core/tensor/recompute.h"

#include <string.h>

#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

extern const OperationDef operation_recompute;

struct recompute { RecomputeFunction function; const void *context; };

/* A copy on the tape in use. */
static Tensor *bring(const Tensor *from)
{
    Tensor *copy = t_like(from);
    if (from->count)
        memcpy(copy->data, from->data, (size_t)from->count * array_type_size(from->type));
    return copy;
}

/* On a tape of its own, whose memory goes when it is done. */
static void backward(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const struct recompute *self = node->attributes;
    int count = node->input_count, wanted = 0;
    Tensor **inputs = arena_alloc(tape_arena(), (size_t)count * sizeof *inputs);
    Tensor **targets = arena_alloc(tape_arena(), (size_t)count * sizeof *targets);
    Tensor **results = arena_alloc(tape_arena(), (size_t)count * sizeof *results);
    for (int i = 0; i < count; i++) {
        inputs[i] = node->inputs[i];
        if (inputs[i]->node) { /* a leaf in its place */
            inputs[i] = arena_alloc(tape_arena(), sizeof **inputs);
            *inputs[i] = *node->inputs[i];
            inputs[i]->node = NULL;
            inputs[i]->gradient = NULL;
            inputs[i]->storage = NULL;
        }
        if (op_wants(node, i))
            targets[wanted++] = inputs[i];
    }
    Tape *own = tape_new(), *outer = tape_use(own);
    t_gradients(self->function(self->context, inputs), gradient, wanted, targets, results, false);
    tape_use(outer);
    for (int i = 0, k = 0; i < count; i++)
        if (op_wants(node, i))
            gradients[i] = bring(results[k++]);
    tape_free(own);
}

Tensor *t_recompute(RecomputeFunction function, const void *context, size_t bytes, int count, Tensor *const *inputs)
{
    Tape *own = tape_new(), *outer = tape_use(own);
    tape_record(false);
    const Tensor *result = function(context, inputs);
    tape_use(outer);
    Tensor *output = bring(result);
    tape_free(own);
    struct recompute self = {function, NULL};
    if (bytes && op_will_record(count, inputs))
        self.context = memcpy(arena_alloc(tape_arena(), bytes), context, bytes);
    op_record(&operation_recompute, output, count, inputs, &self, sizeof self);
    return output;
}

/* ---- For the check ---- */

static int inputs(Random *random, int variant, Tensor **to)
{
    (void)variant;
    to[0] = sample_leaf(random, -1, 1, SHAPE(3, 4));
    to[1] = sample_leaf(random, -1, 1, SHAPE(2, 4));
    return 2;
}

static Tensor *layer(const void *context, Tensor *const *of)
{
    return t_scale(t_tanh(t_linear(of[0], of[1], NULL)), *(const double *)context);
}

/* Of leaves, and of what another operation made. */
static Tensor *apply(Tensor **of, int variant)
{
    double factor = 1.5;
    Tensor *const given[] = {variant ? t_square(of[0]) : of[0], of[1]};
    return t_recompute(layer, &factor, sizeof factor, 2, given);
}

const OperationDef operation_recompute = {
    .component = {.name = "recompute", .summary = "a part of a graph, computed again for its gradient",
                  .source = "arXiv:1604.06174"},
    .backward = backward, .once = true, .variants = 2, .inputs = inputs, .apply = apply,
};
