/* Tensors and the tape.

   A Tensor is contiguous, row major, of at most 6 dimensions; rank 0 is a scalar. Operations
   (operations.h) are plain functions that run at once, allocate their result in the tape's arena and,
   where a gradient will be wanted, record themselves. F32 is for training; F64 goes through the same
   operations by plain loops, for finite differences and checks; I32 holds classes, indices, tokens.

   There is one tape in use at a time, set by tape_use; only the main thread builds graphs. Parallel
   loops inside an operation never touch it.

   Life of memory: a result lives until tape_reset, with one exception: t_backward consumes the graph,
   that is, it hands the memory of intermediate results back as soon as their last reader has run. After
   it, only leaves (and their gradients), the root, and what t_keep was called on may be read. */
#ifndef XENT_TENSOR_TENSOR_H
#define XENT_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/array.h"
#include "core/base/memory.h"

enum { TENSOR_MAX_RANK = 6 };

typedef struct Storage Storage;
typedef struct Node Node;

typedef struct Tensor {
    ArrayType type;                 /* ARRAY_F32, ARRAY_F64, ARRAY_I32 */
    int rank;
    int64_t shape[TENSOR_MAX_RANK]; /* entries from `rank` on are 1 */
    int64_t count;                  /* of elements; 0 when a size is 0 */
    void *data;
    bool requires_gradient;
    struct Tensor *gradient;        /* of a leaf: NULL until t_backward, then of its shape, in the tape's arena */
    Node *node;                     /* the operation that made it; NULL: a leaf or a constant */
    Storage *storage;               /* NULL: the memory is not the tape's */
} Tensor;

/* The tape. */
typedef struct Tape Tape;
Tape *tape_new(void);
void tape_free(Tape *tape);
Tape *tape_use(Tape *tape);         /* returns the one used before; NULL: none */
void tape_reset(void); /* every result and gradient of the tape in use is gone; no memory is returned to the system */
Arena *tape_arena(void);            /* for what an operation needs until the reset */
size_t tape_peak(void);             /* bytes, largest so far */
/* Recording is on in a new tape. Returns what it was: bool was = tape_record(false); ...; tape_record(was); */
bool tape_record(bool on);
bool tape_recording(void);

/* Not recorded; elements of t_new are undefined. */
Tensor *t_new(ArrayType type, int rank, const int64_t *shape);
Tensor *t_like(const Tensor *like);                     /* type and shape of `like`, undefined elements */
Tensor *t_zeros(ArrayType type, int rank, const int64_t *shape);
Tensor *t_full(ArrayType type, int rank, const int64_t *shape, double value);
Tensor *t_scalar(ArrayType type, double value);         /* rank 0 */
Tensor *t_from_array(const Array *array, ArrayType type); /* a converted copy */
/* A header over the caller's memory, which must live as long as the result. */
Tensor *t_wrap(ArrayType type, int rank, const int64_t *shape, void *data);
/* Zeroed, outside the tape: for parameters, buffers, constants. Lives as long as the arena. */
Tensor *tensor_new(Arena *arena, ArrayType type, int rank, const int64_t *shape);

#define SHAPE(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}

bool tensor_same_shape(const Tensor *a, const Tensor *b);
double tensor_value(const Tensor *tensor, int64_t index);       /* any type, as double */
void tensor_set(Tensor *tensor, int64_t index, double value);
static inline float *tensor_f32(const Tensor *tensor) { return (float *)tensor->data; }
static inline double *tensor_f64(const Tensor *tensor) { return (double *)tensor->data; }
static inline int32_t *tensor_i32(const Tensor *tensor) { return (int32_t *)tensor->data; }

/* Gradients. `root` has one element. Adds d(root)/d(leaf) to the gradient of every leaf that requires
   one, and consumes the graph. */
void t_backward(Tensor *root);
/* gradients[i] = d(sum(seed * root))/d(inputs[i]), zeros where root does not depend on it; `seed` NULL:
   ones. The graph stays. With `differentiable` the gradients are recorded themselves, so that they can
   be differentiated again. Inputs are leaves or intermediate results. Returns NULL, or with `differentiable` the
   name of an operation on the way that has no second derivative, for the caller's error: gradients are 0 then. */
const char *t_gradients(Tensor *root, Tensor *seed, int count, Tensor *const *inputs, Tensor **gradients,
                        bool differentiable);
/* While nothing is recorded: hands the memory of a result back that nobody reads again. */
void t_release(Tensor *result);
/* May be read after t_backward. Returns its argument. */
Tensor *t_keep(Tensor *tensor);
/* Puts the gradients of leaves back to NULL. */
void tensor_clear_gradient(Tensor *leaf);

#endif
