/* Reverse-mode differentiation over the tape, and the recording of nodes. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/tensor/operations.h"
#include "core/tensor/tape.h"

bool op_will_record(int input_count, Tensor *const *inputs)
{
    if (!tape_recording())
        return false;
    for (int i = 0; i < input_count; i++)
        if (inputs[i] && inputs[i]->requires_gradient)
            return true;
    return false;
}

Node *op_record(const OperationDef *operation, Tensor *output, int input_count, Tensor *const *inputs,
                const void *attributes, size_t bytes)
{
    return op_will_record(input_count, inputs)
               ? tape_add_node(operation, output, input_count, inputs, attributes, bytes) : NULL;
}

Node *tape_add_node(const OperationDef *operation, Tensor *output, int input_count, Tensor *const *inputs,
                    const void *attributes, size_t bytes)
{
    Tape *tape = current_tape;
    Node *node = arena_zero(tape->arena, 1, sizeof *node);
    node->operation = operation;
    node->output = output;
    node->input_count = input_count;
    node->inputs = arena_alloc(tape->arena, (size_t)input_count * sizeof *node->inputs);
    memcpy(node->inputs, inputs, (size_t)input_count * sizeof *node->inputs);
    if (bytes)
        node->attributes = memcpy(arena_alloc(tape->arena, bytes), attributes, bytes);
    output->node = node;
    output->requires_gradient = true;
    tape->nodes = tape_grow(tape->nodes, tape->node_count, &tape->node_room, sizeof *tape->nodes);
    tape->nodes[tape->node_count++] = node;
    return node;
}

static bool is_target(const Tensor *tensor)
{
    for (int k = 0; k < current_tape->target_count; k++)
        if (current_tape->targets[k] == tensor)
            return true;
    return false;
}

/* In t_gradients only what is asked for, or leads to it; in t_backward everything. */
static bool wanted(const Tensor *input)
{
    if (!input || !input->requires_gradient)
        return false;
    return !current_tape->targets || is_target(input) || (input->node && input->node->needed);
}

bool op_wants(const Node *node, int input)
{
    return input < node->input_count && wanted(node->inputs[input]);
}

/* The slot holds one reader of its storage. Never in place: the first gradient may be another's too. */
static void add_to_gradient(Tensor *input, Tensor *gradient)
{
    assert(tensor_same_shape(input, gradient) && input->type == gradient->type);
    Tensor *before = input->gradient;
    input->gradient = before ? t_add(before, gradient) : gradient;
    if (input->gradient->storage)
        input->gradient->storage->readers++;
    if (before)
        storage_release(before->storage);
}

void tape_release_fresh(Tape *tape, int64_t first)
{
    for (int64_t i = first; i < tape->fresh_count; i++)
        storage_release(tape->fresh[i]->storage);
    tape->fresh_count = first;
}

static void run_node(Node *node)
{
    Tensor *gradients[64] = {0}, **slots = gradients;
    if (node->input_count > 64)
        slots = arena_zero(tape_arena(), (size_t)node->input_count, sizeof *slots);
    node->operation->backward(node, node->output->gradient, slots);
    for (int i = 0; i < node->input_count; i++)
        if (slots[i] && op_wants(node, i))
            add_to_gradient(node->inputs[i], slots[i]);
}

static void release_node(Node *node, const Tensor *root)
{
    Tensor *output = node->output;
    storage_release(output->gradient->storage);
    output->gradient = NULL;
    if (output != root)
        storage_release(output->storage);
    for (int i = 0; i < OPERATION_MAX_SAVED; i++)
        if (node->saved[i])
            storage_release(node->saved[i]->storage);
    node->done = true;
}

void tape_consume(Tape *tape, int64_t first, const Tensor *root)
{
    bool tracking = tape->tracking;
    int64_t fresh = tape->fresh_count;
    tape->tracking = true;
    for (int64_t i = tape->node_count - 1; i >= first; i--) {
        Node *node = tape->nodes[i];
        if (!node->output->gradient)
            continue;
        assert(!node->done); /* a consumed graph cannot be differentiated again */
        run_node(node);
        tape_release_fresh(tape, fresh);
        release_node(node, root);
    }
    tape->tracking = tracking;
}

void t_backward(Tensor *root)
{
    Tape *tape = current_tape;
    assert(root->count == 1);
    if (!root->requires_gradient)
        return;
    bool was = tape_record(false);
    Tensor *one = t_full(root->type, root->rank, root->shape, 1);
    if (root->node) {
        root->gradient = one;
        tape_consume(tape, 0, root);
    } else {
        add_to_gradient(root, one);
    }
    tape_record(was);
}

int64_t tape_mark_needed(Tape *tape, int64_t first, const Tensor *root)
{
    int64_t end = first;
    for (int64_t i = first; i < tape->node_count; i++) {
        Node *node = tape->nodes[i];
        node->needed = node->operation->hides_leaves;
        for (int j = 0; j < node->input_count && !node->needed; j++)
            node->needed = wanted(node->inputs[j]);
        if (node->output == root)
            end = i + 1;
    }
    return end;
}

void tape_run_needed(Tape *tape, int64_t first, int64_t end, const Tensor *root)
{
    for (int64_t i = end - 1; i >= first; i--) {
        Node *node = tape->nodes[i];
        Tensor *output = node->output;
        if (!node->needed || !output->gradient)
            continue;
        assert(!node->done);
        run_node(node);
        if (output == root || is_target(output))
            continue;
        storage_release(output->gradient->storage);
        output->gradient = NULL;
    }
}

/* Of the first `end` nodes, an operation that will run and has no second derivative; NULL: none. */
static const OperationDef *only_once(const Tape *tape, int64_t end)
{
    for (int64_t i = 0; i < end; i++)
        if (tape->nodes[i]->needed && tape->nodes[i]->operation->once)
            return tape->nodes[i]->operation;
    return NULL;
}

const char *t_gradients(Tensor *root, Tensor *seed, int count, Tensor *const *inputs, Tensor **gradients,
                        bool differentiable)
{
    Tape *tape = current_tape;
    Tensor **before = arena_alloc(tape->arena, (size_t)count * sizeof *before), *root_before = root->gradient;
    for (int k = 0; k < count; k++) {
        before[k] = inputs[k]->gradient;
        inputs[k]->gradient = NULL;
    }
    tape->targets = inputs;
    tape->target_count = count;
    int64_t end = tape_mark_needed(tape, 0, root);
    const OperationDef *refused = differentiable ? only_once(tape, end) : NULL;
    if (refused)
        end = 0;
    bool was = tape_record(differentiable);
    root->gradient = seed ? seed : t_full(root->type, root->rank, root->shape, 1);
    tape_run_needed(tape, 0, end, root);
    for (int k = 0; k < count; k++) {
        Tensor *gradient = inputs[k]->gradient;
        gradients[k] = gradient ? gradient : t_zeros(inputs[k]->type, inputs[k]->rank, inputs[k]->shape);
    }
    root->gradient = root_before;
    for (int k = 0; k < count; k++)
        inputs[k]->gradient = before[k];
    tape->targets = NULL;
    tape->target_count = 0;
    tape_record(was);
    return refused ? refused->component.name : NULL;
}

Tensor *sample_leaf(Random *random, double low, double high, int rank, const int64_t *shape)
{
    Tensor *leaf = t_new(ARRAY_F64, rank, shape);
    for (int64_t i = 0; i < leaf->count; i++)
        tensor_f64(leaf)[i] = low + (high - low) * random_uniform(random);
    leaf->requires_gradient = true;
    return leaf;
}

Tensor *sample_indices(Random *random, int64_t below, int rank, const int64_t *shape)
{
    Tensor *indices = t_new(ARRAY_I32, rank, shape);
    for (int64_t i = 0; i < indices->count; i++)
        tensor_i32(indices)[i] = (int32_t)random_below(random, below);
    return indices;
}
