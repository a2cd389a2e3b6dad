/* Recomputation: memory for time. Chen et al. 2016, "Training deep nets with sublinear memory cost". */
#include "core/tensor/operations.h"
#include "core/tensor/tape.h"

struct recompute { Tensor *(*function)(void *context, Tensor *x); void *context; };

/* A leaf over the elements of x: gradients stop there. */
static Tensor *leaf_over(Tensor *x)
{
    Tensor *leaf = op_view(x, x->rank, x->shape);
    leaf->requires_gradient = x->requires_gradient;
    return leaf;
}

/* For t_gradients: of what is asked for, what the recorded nodes from `first` on lead to. */
static void run_for_targets(Tape *tape, int64_t first, Tensor *root, Tensor *leaf, bool wants_leaf)
{
    Tensor *const *targets = tape->targets;
    int count = tape->target_count;
    Tensor **more = arena_alloc(tape->arena, (size_t)(count + 1) * sizeof *more);
    for (int i = 0; i < count; i++)
        more[i] = targets[i];
    more[count] = leaf;
    tape->targets = more;
    tape->target_count = count + wants_leaf;
    tape_run_needed(tape, first, tape_mark_needed(tape, first, root), root);
    tape->targets = targets;
    tape->target_count = count;
}

/* The function again, recorded this time; its nodes are run at once and forgotten. */
static void backward_recompute(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tape *tape = current_tape;
    const struct recompute *self = node->attributes;
    Tensor *leaf = leaf_over(node->inputs[0]);
    int64_t first = tape->node_count;
    bool tracking = tape->tracking, was = tape_record(true);
    tape->tracking = false; /* results live until their nodes have run */
    Tensor *root = self->function(self->context, leaf);
    tape_record(was);
    if (root == leaf) {
        gradients[0] = gradient;
    } else if (root->node) {
        root->gradient = gradient;
        if (gradient->storage)
            gradient->storage->readers++;
        if (tape->targets)
            run_for_targets(tape, first, root, leaf, op_wants(node, 0));
        else
            tape_consume(tape, first, root);
        gradients[0] = leaf->gradient;
    }
    tape->node_count = first;
    tape->tracking = tracking;
    if (!tracking)
        return;
    if (root != leaf)
        tape_track(root);
    if (leaf->gradient)
        tape_track(leaf->gradient); /* the leaf's slot was a reader */
}

static Tensor *sample_function(void *context, Tensor *x)
{
    Tensor *hidden = context ? t_mul(x, context) : x;
    return t_mul(t_tanh(hidden), t_sin(hidden));
}

static int sample_recompute(Random *random, int variant, Tensor **inputs)
{
    inputs[0] = sample_leaf(random, -1, 1, SHAPE(variant == 2 ? 0 : 3, 4));
    inputs[1] = sample_leaf(random, -1, 1, SHAPE(4));
    return variant == 1 ? 1 : 2;
}

/* The second input is one that the node does not show. */
static Tensor *apply_recompute(Tensor **inputs, int variant)
{
    return t_recompute(sample_function, variant == 1 ? NULL : inputs[1], inputs[0]);
}

const OperationDef operation_recompute = {
    .component = {.name = "recompute", .summary = "a function whose intermediate results are computed again for its "
                                                  "gradient instead of kept",
                  .source = "arXiv:1604.06174"},
    .backward = backward_recompute, .once = true, .hides_leaves = true,
    .variants = 3, .inputs = sample_recompute, .apply = apply_recompute,
};

Tensor *t_recompute(Tensor *(*function)(void *context, Tensor *x), void *context, Tensor *x)
{
    Tape *tape = current_tape;
    bool tracking = tape->tracking, recording = tape_record(false);
    int64_t fresh = tape->fresh_count;
    tape->tracking = true;
    Tensor *inner = function(context, x);
    tape->tracking = tracking;
    tape_record(recording);
    Tensor *result = op_view(inner, inner->rank, inner->shape);
    tape_release_fresh(tape, fresh);
    struct recompute self = {function, context};
    if (recording)
        tape_add_node(&operation_recompute, result, 1, &x, &self, sizeof self);
    return result;
}
