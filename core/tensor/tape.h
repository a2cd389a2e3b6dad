/* The tape's own parts, shared by tensor.c and backward.c; nobody else includes this. */
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
void *tape_grow(void *list, int64_t count, int64_t *room, size_t size);

#endif
