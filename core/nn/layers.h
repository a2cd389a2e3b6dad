/* Parameters of the layers that models build in C. The tables stand beside the layers. */
#ifndef XENT_NN_LAYERS_H
#define XENT_NN_LAYERS_H

#include "core/nn/layer.h"

struct linear { int64_t units; bool bias; };
struct cosine_linear { int64_t units; int weight_norm; };
enum { WEIGHT_NORM_REPARAM, WEIGHT_NORM_PROJECT };
struct convolution { int64_t channels; IntList kernel, stride, padding, dilation; int64_t groups; bool bias, same; };
struct squeeze_excite { int64_t units; };
struct adaptive_pool { IntList size; };
struct pool { IntList kernel, stride, padding; };
struct activation_layer { Instance activation; };
extern const LayerDef layer_activation;
extern const LayerDef layer_max_pool;
/* Whether it is a max pooling of 2 x 2 places, side by side, over two axes. */
bool pools_2x2(const Layer *layer);
struct dropout { double rate; };
struct norm { double epsilon; };
struct batch_norm { double momentum, epsilon; };
struct group_norm { int64_t groups; double epsilon; };
struct layer_list { InstanceList layers; };
struct embedding { int64_t width; };
struct reshape { IntList shape; };
struct gru { int64_t units; bool sequence; int reset; /* index into gru_resets */ };
struct attention {
    int64_t heads, kv_heads;            /* kv_heads 0: as many as heads */
    bool causal, bias;
    int positions;                      /* index into attention_positions */
    double rope_base, dropout, output_scale;
};
struct feed_forward { int64_t width; Instance activation; double dropout, output_scale; bool bias; };

struct transformer_block {
    int64_t heads, kv_heads, feed_forward;
    bool causal, bias;
    int positions, norm;
    double dropout, output_scale;
    Instance activation;
};

enum { POSITIONS_NONE, POSITIONS_ROPE, POSITIONS_ALIBI };
extern const char *const attention_positions[];
extern const char *const gru_resets[];
extern const char *const transformer_norms[];      /* names of layers */

#endif
