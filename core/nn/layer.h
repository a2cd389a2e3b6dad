/* Layers: shape inference and parameters at build time, operations at forward time.

   To add one: a file in this folder with `const LayerDef layer_NAME = {...};`. `build` reads
   layer->values and layer->input, asks the builder for parameters, and fills layer->output and
   layer->state; `forward` maps [batch, input...] to [batch, output...]. */
#ifndef XENT_NN_LAYER_H
#define XENT_NN_LAYER_H

#include "core/base/component.h"
#include "core/base/random.h"
#include "core/kernels/elementwise.h"
#include "core/nn/parameters.h"

/* Of one sample, without the batch axis. */
typedef struct Shape {
    int rank;
    int64_t sizes[TENSOR_MAX_RANK - 1];
    int64_t vocabulary;         /* not 0: I32 tokens below it, not features */
} Shape;

typedef struct LayerDef LayerDef;
typedef struct QuantizedWeight QuantizedWeight;     /* core/nn/quantized.h */

typedef struct Layer {
    const LayerDef *def;
    const void *values;         /* the component's parameters */
    const char *name;           /* dotted: "layers.3" */
    int depth;                  /* 0: of the model itself; 1: inside one of those, ... */
    Shape input, output;
    void *state;                /* the layer's own struct, in the builder's arena */
    const QuantizedWeight *quantized; /* its NAME.weight in integers, where the layer is quantizable; NULL: f32 alone */
    int64_t parameter_count;    /* trained elements, nested layers included */
    double flops;               /* multiplications and additions of a forward, a sample; nested included */
} Layer;

/* What a model may be. A checkpoint of more could not be read (data/safetensors.h), and what a sample takes is held
   whole. */
enum { MODEL_MOST_ELEMENTS = 500000000, MODEL_MOST_LAYERS = 10000 };

/* What a model is built with. Everything built belongs to `arena` and `parameters`. */
typedef struct Builder {
    Arena *arena;
    ParameterSet *parameters;
    uint64_t seed;
    Instance initializer;       /* of all weights; component NULL: each layer's own */
    char path[256];             /* dotted name of the layer being built */
    int depth;
    Layer **layers;             /* every layer built, in the order of the table */
    int layer_count, layer_room;
    int64_t elements;           /* of all parameters and buffers so far */
    Error *error;
} Builder;

/* What a forward pass knows and leaves behind. */
typedef struct Forward {
    bool training;
    uint64_t seed;
    int64_t step;
    uint32_t draws;             /* random operations so far: each has a sequence of its own */
    Tensor *features;           /* the input of the last linear map, when the model sets it */
    Tensor *penalty;            /* sum of what layers add to the loss; NULL: nothing */
    Tensor *groups;             /* I32 [N]: samples of a group stand side by side and share a number; NULL: no groups */
    Tensor *outputs;            /* I32 [n]: the outputs to compute, where the model selects_outputs; NULL: all */
    struct AttentionCache *cache; /* earlier positions (attention_cache.h); NULL: there are none */
    const struct LayerNoise *noise; /* added to layers' outputs (layer_noise.h); NULL: none */
    bool find_not_finite;       /* look at every layer's output, and keep the first with an infinity or NaN */
    const struct Layer *not_finite;
    const struct Layer *tap;    /* the layer whose output is left in `tapped`; NULL: none */
    Tensor *tapped;
    bool recompute;             /* keep little: see layers_in_segments; not with a tap */
    bool again;                 /* the second run of a segment: running statistics are up to date */
} Forward;

struct LayerDef {
    Component component;
    bool (*build)(Builder *builder, Layer *layer);
    Tensor *(*forward)(const Layer *layer, Forward *forward, Tensor *x);
    /* Not NULL: forward, then the largest of each 2 x 2 places where `pooled`, then max(x, 0) where `rectified`, in one
       pass; NULL where this layer has no such way for its input. */
    Tensor *(*forward_fused)(const Layer *layer, Tensor *x, bool pooled, bool rectified);
    /* Not NULL: forward, then an activation that unary_of knows, in one pass; NULL where it cannot. */
    Tensor *(*forward_activated)(const Layer *layer, Tensor *x, UnaryKernel activation);
    bool selects_maxima; /* each output is the largest of some inputs */
    bool quantizable; /* computes with layer->quantized, rows of the weight being outputs, where quantized_runs */
};

/* Builds a layer under builder->path + "." + name. NULL after an error, which names the layer. */
Layer *layer_build(Builder *builder, const char *name, const Instance *instance, Shape input);
/* The same from a component's name and values made in C: layer_build_with(builder, "head", "linear", &(struct
   linear){...}). */
Layer *layer_build_with(Builder *builder, const char *name, const char *component, const void *values, Shape input);
Tensor *layer_forward(const Layer *layer, Forward *forward, Tensor *x);
/* layer_forward and the activation, in one pass where that can be done. */
Tensor *layer_forward_activated(const Layer *layer, Forward *forward, const Instance *activation, Tensor *x);
/* Layers one after the other. An activation that commutes with the maximum is applied behind a max pooling that
   follows it, to fewer elements; the result is the same but for the sign of zeros. A convolution takes in a pooling of
   2 x 2 and a relu that follow, a linear map an activation. A tapped layer keeps its place. */
Tensor *layers_forward(Layer *const *layers, int64_t count, Forward *forward, Tensor *x);

/* layers_forward in less memory, with the same bits. With forward->recompute only what lies between segments of `size`
   layers (0: about sqrt(count)) is kept, and backward runs a segment again. While nothing is recorded, no layer's
   output is kept longer than the next one reads it. */
Tensor *layers_in_segments(Layer *const *layers, int64_t count, int64_t size, Forward *forward, Tensor *x);

/* A parameter of the layer being built, filled by builder->initializer (weights), or by `initializer`
   with its defaults. A weight [out, ...] counts fans over all but the first axis, times `receptive`
   (kernel elements) for fan_out. NULL after an error: the model has more than MODEL_MOST_ELEMENTS. */
Tensor *builder_weight(Builder *builder, const char *name, ParameterRole role, const char *initializer, int rank,
                       const int64_t *shape);
Tensor *builder_constant(Builder *builder, const char *name, ParameterRole role, double value, int rank,
                         const int64_t *shape);
/* An error about the layer being built, "model.layers.2: ..." (exit 2); returns false. */
bool builder_fail(Builder *builder, const char *format, ...) FORMAT_LIKE_PRINTF(2, 3);

Random forward_random(Forward *forward);
void forward_add_penalty(Forward *forward, Tensor *term);

Shape shape_of(int rank, const int64_t *sizes);
int64_t shape_count(Shape shape);
/* "[3, 28, 28]", "[64] tokens"; in the arena. */
const char *shape_text(Arena *arena, Shape shape);

#endif
