/* Cross networks over the fields of a table, without a multi-layer perceptron: in the linear one (LCN) the degree of
   the polynomial in the embeddings grows by one a layer, in the exponential one (ECN) it doubles. FCN is both, fused by
   the mean of their logits. Li et al. 2024.

       c = W x_l                        [D/2], of the D = fields embed_dim embeddings
       H = [c; c relu(norm(c))]         [D]: the second half through the self-mask, whose values are not 0 and 1
       x_{l+1} = x_l (H + b) + x_l      ECN
       x_{l+1} = x_0 (H + b) + x_l      LCN

   As in their code, heads share W, b and the output layer, and their logits are averaged; x holds the first halves of
   all embeddings and then the second halves, so that the mask falls on the second half of every field. */
#include <stdio.h>

#include "core/models/fields.h"
#include "core/models/model.h"
#include "core/nn/initializer.h"
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

enum { ECN, LCN, NETWORKS };
static const char *const network_names[] = {"ecn", "lcn"};

struct fcn {
    int64_t embed_dim, heads, layers[NETWORKS];
    double embedding_deviation, dropout[NETWORKS];
    bool layer_norm, batch_norm;
};

#define EMBEDDING_ROWS                                                                                             \
    PARAM_INT(struct fcn, embed_dim, 16, .min = 2, .max = 1e4, .help = "width of a field's embedding, even"),        \
    PARAM_INT(struct fcn, heads, 1, .min = 1, .max = 1000,                                                          \
              .help = "embeddings of each field, which go through the same network; their logits are averaged")
#define NETWORK_ROWS(name_, index_, dropout_)                                                                      \
    {name_ "_layers", PARAM_TYPE_INT, offsetof(struct fcn, layers[index_]), "4", 0, 1000, 0, NULL, NULL,             \
     "layers of the " name_ "; 0: its logits are linear in the embeddings", false},                                \
    {name_ "_dropout", PARAM_TYPE_FLOAT, offsetof(struct fcn, dropout[index_]), dropout_, 0, 0.999, 0, NULL, NULL,   \
     "after each of them", false}
#define NORM_ROWS                                                                                                  \
    PARAM_BOOL(struct fcn, layer_norm, true, .help = "normalise what the self-mask is made of"),                     \
    PARAM_BOOL(struct fcn, batch_norm, false, .help = "normalise W x over the batch, for each head"),                \
    PARAM_FLOAT(struct fcn, embedding_deviation, 0.01, .min = 0, .max = 100, .help = "of the initial embeddings")

static const Param fcn_params[] = {
    EMBEDDING_ROWS, NETWORK_ROWS("ecn", ECN, "0.1"), NETWORK_ROWS("lcn", LCN, "0.3"), NORM_ROWS, PARAM_END};
static const Param ecn_params[] = {EMBEDDING_ROWS, NETWORK_ROWS("ecn", ECN, "0.1"), NORM_ROWS, PARAM_END};
static const Param lcn_params[] = {EMBEDDING_ROWS, NETWORK_ROWS("lcn", LCN, "0.3"), NORM_ROWS, PARAM_END};

typedef struct CrossLayer {
    Layer *weight, *batch_norm, *layer_norm; /* norms are NULL where they are off */
    Tensor *bias;               /* [D] */
} CrossLayer;

typedef struct Network {
    CrossLayer *layers;
    Layer *output;              /* NULL: the model has no such network */
} Network;

typedef struct Cross {
    Field *fields;
    int64_t field_count;
    Tensor *embedding;          /* [features, heads embed_dim] */
    Network networks[NETWORKS];
} Cross;

static Instance uniform_initializer(Builder *builder)
{
    struct uniform *uniform = arena_zero(builder->arena, 1, sizeof *uniform);
    uniform->high = 1;
    return (Instance){component_find("initializer", "uniform"), uniform};
}

static Instance normal_initializer(Builder *builder, double deviation)
{
    struct normal *normal = arena_zero(builder->arena, 1, sizeof *normal);
    normal->deviation = deviation;
    return (Instance){component_find("initializer", "normal"), normal};
}

static bool build_layer(Builder *builder, const struct fcn *self, const char *path, int64_t width, CrossLayer *layer)
{
    char name[96];
    struct linear linear = {width / 2, false};
    struct norm norm = {1e-5};
    struct batch_norm batch_norm = {0.1, 1e-5};
    builder->initializer = instance_default(builder->arena, "initializer", "xavier_normal");
    if (!(layer->weight = layer_build_with(builder, path, "linear", &linear, shape_of(SHAPE(self->heads, width)))))
        return false;
    Shape half = layer->weight->output;
    snprintf(name, sizeof name, "%s.batch_norm", path);
    if (self->batch_norm && !(layer->batch_norm = layer_build_with(builder, name, "batch_norm", &batch_norm, half)))
        return false;
    snprintf(name, sizeof name, "%s.layer_norm", path);
    if (self->layer_norm && !(layer->layer_norm = layer_build_with(builder, name, "layer_norm", &norm, half)))
        return false;
    builder->initializer = uniform_initializer(builder);
    snprintf(name, sizeof name, "%s.bias", path);
    return (layer->bias = builder_weight(builder, name, ROLE_BIAS, "uniform", SHAPE(width))) != NULL;
}

static bool build_network(Builder *builder, const Model *model, int which, int64_t width, int64_t outputs)
{
    const struct fcn *self = model->values;
    Network *network = &((Cross *)model->state)->networks[which];
    char name[64];
    network->layers = arena_zero(builder->arena, (size_t)self->layers[which] + 1, sizeof *network->layers);
    for (int64_t l = 0; l < self->layers[which]; l++) {
        snprintf(name, sizeof name, "%s.%lld", network_names[which], (long long)l);
        if (!build_layer(builder, self, name, width, &network->layers[l]))
            return false;
    }
    struct linear linear = {outputs, true};
    builder->initializer = instance_default(builder->arena, "initializer", "xavier_normal");
    snprintf(name, sizeof name, "%s.output", network_names[which]);
    network->output = layer_build_with(builder, name, "linear", &linear, shape_of(1, &width));
    return network->output != NULL;
}

static bool build(Builder *builder, Model *model, bool ecn, bool lcn)
{
    const struct fcn *self = model->values;
    const ModelInput *input = &model->input;
    const char *type = model->def->component.name;
    Cross *cross = model->state = arena_zero(builder->arena, 1, sizeof *cross);
    if (input->shape.vocabulary || input->shape.rank != 1)
        return builder_fail(builder, "%s takes the columns of a table, not %s", type,
                            input->shape.vocabulary ? "tokens" : shape_text(builder->arena, input->shape));
    if (input->cosines)
        return builder_fail(builder, "%s gives no cosines; choose another loss", type);
    if (input->heads && input->outputs != ecn + lcn)
        return builder_fail(builder, "the loss compares %lld heads, %s has %d; choose fcn, or another loss",
                            (long long)input->outputs, type, ecn + lcn);
    if (self->embed_dim % 2)
        return builder_fail(builder, "embed_dim %lld is odd; choose an even one, the self-mask takes half of it",
                            (long long)self->embed_dim);
    cross->fields = fields_find(input->feature_names, shape_count(input->shape), builder->arena, &cross->field_count);
    builder->initializer = normal_initializer(builder, self->embedding_deviation);
    cross->embedding = builder_weight(builder, "embedding.weight", ROLE_EMBEDDING, "normal",
                                      SHAPE(shape_count(input->shape), self->heads * self->embed_dim));
    int64_t width = cross->field_count * self->embed_dim, outputs = input->heads ? 1 : input->outputs;
    return cross->embedding && (!ecn || build_network(builder, model, ECN, width, outputs)) &&
           (!lcn || build_network(builder, model, LCN, width, outputs));
}

static bool build_fcn(Builder *builder, Model *model)
{
    return build(builder, model, true, true);
}

static bool build_ecn(Builder *builder, Model *model)
{
    return build(builder, model, true, false);
}

static bool build_lcn(Builder *builder, Model *model)
{
    return build(builder, model, false, true);
}

/* [N, features] -> [N, heads, D]. A one-hot column picks its row, one that is all zeros has the embedding 0. */
static Tensor *embed(const Model *model, Tensor *x)
{
    const struct fcn *self = model->values;
    const Cross *cross = model->state;
    int64_t n = x->shape[0], half = self->embed_dim / 2;
    Tensor **parts = arena_zero(tape_arena(), (size_t)cross->field_count, sizeof(Tensor *));
    for (int64_t f = 0; f < cross->field_count; f++) {
        int64_t first = cross->fields[f].first, end = first + cross->fields[f].count;
        Tensor *values = t_slice(x, 1, first, end), *rows = t_slice(cross->embedding, 0, first, end);
        parts[f] = end - first == 1 ? t_mul(values, rows) : t_matmul(values, rows, false, false);
    }
    Tensor *all = cross->field_count == 1 ? parts[0] : t_concat((int)cross->field_count, parts, 1);
    all = t_reshape(all, SHAPE(n, cross->field_count, self->heads, 2, half));
    return t_reshape(t_permute(all, (int[]){0, 2, 3, 1, 4}), SHAPE(n, self->heads, cross->field_count * 2 * half));
}

/* x_0 [N, heads, D] -> [N, D], the mean over heads, from which the output layer makes the mean of their logits. */
static Tensor *run(const Model *model, int which, Forward *forward, Tensor *x)
{
    const struct fcn *self = model->values;
    const Network *network = &((const Cross *)model->state)->networks[which];
    Tensor *first = x;
    for (int64_t l = 0; l < self->layers[which]; l++) {
        const CrossLayer *layer = &network->layers[l];
        Tensor *c = layer_forward(layer->weight, forward, x);
        c = layer->batch_norm ? layer_forward(layer->batch_norm, forward, c) : c;
        Tensor *mask = t_relu(layer->layer_norm ? layer_forward(layer->layer_norm, forward, c) : c);
        Tensor *h = t_add(t_concat(2, (Tensor *[]){c, t_mul(c, mask)}, 2), layer->bias);
        x = t_add(t_mul(which == ECN ? x : first, h), x);
        if (forward->training && self->dropout[which] > 0)
            x = t_dropout(x, self->dropout[which], TENSOR_MAX_RANK, forward_random(forward));
    }
    return t_mean(x, 1, false);
}

/* Columns of logits: those of the networks side by side where the loss compares heads, else their mean. */
static Tensor *forward(const Model *model, Forward *forward_, Tensor *x)
{
    const Cross *cross = model->state;
    Tensor *features[NETWORKS], *logits[NETWORKS], *embedded = embed(model, x);
    int count = 0;
    for (int which = 0; which < NETWORKS; which++) {
        if (!cross->networks[which].output)
            continue;
        features[count] = run(model, which, forward_, embedded);
        logits[count] = layer_forward(cross->networks[which].output, forward_, features[count]);
        count++;
    }
    forward_->features = count == 1 ? features[0] : t_concat(count, features, 1);
    if (count == 1)
        return logits[0];
    return model->input.heads ? t_concat(count, logits, 1) : t_scale(t_add(logits[0], logits[1]), 0.5);
}

#define FIELDS                                                                                                         \
    "Categories of a CSV column are one field, with an embedding for each category; a category that training "         \
    "did not see has the embedding 0. A number is a field of its own, whose embedding is a vector times the "          \
    "number. Take \"normalize\": false, or one-hot columns are shifted and scaled too."

const ModelDef model_fcn = {
    .component = {.name = "fcn", .summary = "exponential and linear cross networks over the fields of a table",
                  .params = fcn_params, .size = sizeof(struct fcn), .source = "arXiv:2407.13349",
                  .formula = "z = (z_ecn + z_lcn) / 2; x' = x (H + b) + x in the ecn, x_0 (H + b) + x in the lcn; H = "
                             "[c; c relu(norm(c))], c = W x",
                  .notes = FIELDS " With the loss tri_bce the two networks are its heads, the ecn first."},
    .build = build_fcn, .forward = forward,
};

const ModelDef model_ecn = {
    .component = {.name = "ecn", .summary = "exponential cross network over the fields of a table",
                  .params = ecn_params, .size = sizeof(struct fcn), .source = "arXiv:2407.13349",
                  .formula = "x' = x (H + b) + x, H = [c; c relu(norm(c))], c = W x", .notes = FIELDS},
    .build = build_ecn, .forward = forward,
};

const ModelDef model_lcn = {
    .component = {.name = "lcn", .summary = "linear cross network over the fields of a table",
                  .params = lcn_params, .size = sizeof(struct fcn), .source = "arXiv:2407.13349",
                  .formula = "x' = x_0 (H + b) + x, H = [c; c relu(norm(c))], c = W x", .notes = FIELDS},
    .build = build_lcn, .forward = forward,
};
