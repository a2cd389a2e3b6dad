/* The parameters and buffers of a model, in the order of creation, each under a dotted name such as
   "blocks.0.attention.q.weight". The set owns their memory. */
#ifndef XENT_NN_PARAMETERS_H
#define XENT_NN_PARAMETERS_H

#include "core/tensor/tensor.h"

typedef enum ParameterRole {
    ROLE_WEIGHT,        /* matrices and filters */
    ROLE_EMBEDDING,
    ROLE_BIAS,
    ROLE_SCALE,         /* factors and shifts of normalisations */
    ROLE_BUFFER         /* not trained: running statistics, fixed tables */
} ParameterRole;

typedef struct Parameter {
    const char *name;
    Tensor *value;      /* F32; requires a gradient unless it is a buffer or frozen */
    ParameterRole role;
    bool unit_rows;     /* rows are brought back to length 1 after every step of an optimizer */
} Parameter;

typedef struct ParameterSet {
    Arena *arena;
    Parameter *items;
    int64_t count, room;
} ParameterSet;

ParameterSet *parameters_new(void);
void parameters_free(ParameterSet *set);
/* Zeros of that shape under a new name, which is copied. */
Tensor *parameters_add(ParameterSet *set, const char *name, ParameterRole role, int rank, const int64_t *shape);
/* A buffer of `count` doubles, for what a set keeps that is no parameter of a model. */
Tensor *parameters_add_double(ParameterSet *set, const char *name, int64_t count);
/* Rows [rows, n] of a parameter to length 1; those of length 0 stay. */
void parameter_unit_rows(const Parameter *parameter);
Parameter *parameters_find(const ParameterSet *set, const char *name);   /* NULL: none */
int64_t parameters_trainable(const ParameterSet *set);                   /* number of elements */
/* Same names and shapes, values copied; gradients not required. For EMA, teachers, references. */
ParameterSet *parameters_copy(const ParameterSet *set);

#endif
