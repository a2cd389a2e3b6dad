/* The tape's own parts, shared by tensor.c, backward.c and operations_recompute.c; nobody else includes this. */
#ifndef XENT_TENSOR_TAPE_H
#define XENT_TENSOR_TAPE_H

#include "core/tensor/operation.h"

/* `readers` counts the headers that may still be read and the gradient slots that hold one. At 0 the
   memory is handed back to the arena. */
struct Storage {
    void *data;
    size_t bytes;
    int readers;
};

struct Tape {
    Arena *arena;
    bool recording;
    Node **nodes;               /* in the order of recording: every input of a node is made before it */
    int64_t node_count, node_room;
    Tensor **fresh;             /* made since tracking began */
    int64_t fresh_count, fresh_room;
    bool tracking;
    Tensor *const *targets;     /* what t_gradients is asked for; NULL: every leaf */
    int target_count;
};

extern Tape *current_tape;

void storage_release(Storage *storage); /* NULL allowed */
void tape_track(Tensor *tensor);        /* while tracking: one reader of it is dropped with the fresh ones */
/* What was made since there were `first` fresh tensors loses the reader it was born with. */
void tape_release_fresh(Tape *tape, int64_t first);
/* op_record where a gradient is wanted even though no input says so. */
Node *tape_add_node(const OperationDef *operation, Tensor *output, int input_count, Tensor *const *inputs,
                    const void *attributes, size_t bytes);
/* Runs the nodes from `first` on backwards from root's gradient, handing memory back. */
void tape_consume(Tape *tape, int64_t first, const Tensor *root);
/* Marks the nodes from `first` on that have a target below them; returns the one behind the root's. */
int64_t tape_mark_needed(Tape *tape, int64_t first, const Tensor *root);
/* Runs marked nodes backwards from root's gradient; the graph stays. */
void tape_run_needed(Tape *tape, int64_t first, int64_t end, const Tensor *root);
void *tape_grow(void *list, int64_t count, int64_t *room, size_t size);

#endif
