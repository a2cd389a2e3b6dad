/* Models: an architecture built for the shape of the data. To add one: `const ModelDef model_NAME` in a
   file of this folder. */
#ifndef XENT_MODELS_MODEL_H
#define XENT_MODELS_MODEL_H

#include "core/nn/layer.h"

/* What the data asks of a model. */
typedef struct ModelInput {
    Shape shape;                /* of one sample; shape.vocabulary not 0: tokens */
    int64_t outputs;            /* logits of a sample, or of a position */
    bool per_position;          /* language model: logits at every token */
    int64_t label_width;        /* features of each output's label; 0: labels have none */
    const float *label_features;/* [outputs, label_width]; NULL: a checkpoint will bring them */
    bool groups;                /* batches hold whole groups, Forward.groups says which */
    bool cosines;               /* the logits are to be cosines: the head has length-free features and weights */
    bool unit_directions;       /* those weights are kept at length 1 */
    bool heads;                 /* outputs are no classes but one answer each of as many heads to the same question */
    const char *const *feature_names; /* [shape.sizes[0]] of a table, COLUMN or COLUMN=CATEGORY; NULL: no names */
} ModelInput;

typedef struct Model Model;

typedef struct ModelDef {
    Component component;
    /* Fills model->state and, through the builder, the parameters; the path is empty, so names begin with
       the layers'. False after an error, which names the layer. */
    bool (*build)(Builder *builder, Model *model);
    /* [N, shape...] (I32 [N, tokens] for tokens) -> logits [N, outputs] or [N, tokens, outputs]. Sets
       forward->features to the input of the head. */
    Tensor *(*forward)(const Model *model, Forward *forward, Tensor *x);
    /* The logits are t_linear(features, weight, bias) of these; for losses that never form them. NULL: not so. */
    void (*head)(const Model *model, Tensor **weight, Tensor **bias);
    /* As forward, but stops at the input of the head, the layer "head" (given where `head` is). NULL: not so. */
    Tensor *(*features)(const Model *model, Forward *forward, Tensor *x);
    bool selects_outputs;       /* heeds forward->outputs */
} ModelDef;

struct Model {
    const ModelDef *def;
    const void *values;
    Instance instance;
    ModelInput input;
    Arena *arena;               /* owns all but the parameters */
    ParameterSet *parameters;
    Layer **layers;             /* for the table, in order */
    int layer_count;
    double flops;               /* of a forward, a sample */
    void *state;
};

/* NULL after an error (exit 2), which names the layer: "model.layers.2: ...". Initial values are a function of `seed`
   and the parameters' names. */
Model *model_new(const Instance *instance, ModelInput input, uint64_t seed, Error *error);
void model_free(Model *model);
Tensor *model_forward(const Model *model, Forward *forward, Tensor *x);

/* Bytes of the activations of a forward, a sample: the sum over the outermost computing layers. */
double model_activation_bytes(const Model *model);

#endif
