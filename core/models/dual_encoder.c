/* Dual encoder for very many labels: one tower for samples, one for labels; scores against all labels, cosines of their
   vectors over a temperature. Gupta et al. 2024 (DEXML). */
#include <stdio.h>
#include <string.h>

#include "core/models/chain.h"
#include "core/tensor/operations.h"

struct dual_encoder {
    IntList hidden;
    Instance activation;
    int64_t dim, label_chunk;
    bool share, normalize;
    double temperature, dropout;
};

static const Param params[] = {
    PARAM_INTS(struct dual_encoder, hidden, "[]", .min = 1, .max = 1e7,
               .help = "units of each hidden layer of a tower; empty: linear towers"),
    PARAM_COMPONENT(struct dual_encoder, activation, "\"relu\"", "activation", .help = "after each hidden layer"),
    PARAM_INT(struct dual_encoder, dim, 32, .min = 1, .max = 1e6, .help = "width of the vectors that are compared"),
    PARAM_BOOL(struct dual_encoder, share, true,
               .help = "one tower for samples and labels, whose features must be as many; false: one each"),
    PARAM_BOOL(struct dual_encoder, normalize, true, .help = "vectors have length 1"),
    PARAM_FLOAT(struct dual_encoder, temperature, 0.05, .min = 1e-6, .help = "divides the scores"),
    PARAM_INT(struct dual_encoder, label_chunk, 1024, .min = 1, .max = 1e9,
              .help = "so many labels are encoded at a time, and once more for their gradient: memory for the layers "
                      "of as many"),
    PARAM_FLOAT(struct dual_encoder, dropout, 0, .min = 0, .max = 0.999, .help = "after each activation"),
    PARAM_END
};

struct dual_state {
    Chain *samples, *labels;
    Tensor *label_features;     /* [labels, width], a buffer; NULL: labels have none */
    Tensor *label_vectors;      /* [labels, dim], trained, where labels have no features */
};

static bool build_tower(const struct dual_encoder *self, const char *path, Chain *chain)
{
    for (int64_t i = 0; i < self->hidden.count; i++) {
        char name[64];
        struct linear linear = {self->hidden.items[i], true};
        struct activation_layer activation = {self->activation};
        struct dropout dropout = {self->dropout};
        snprintf(name, sizeof name, "%s.layers.%lld", path, (long long)i);
        if (!chain_add(chain, name, "linear", &linear))
            return false;
        snprintf(name, sizeof name, "%s.activations.%lld", path, (long long)i);
        if (!chain_add(chain, name, "activation", &activation))
            return false;
        snprintf(name, sizeof name, "%s.dropouts.%lld", path, (long long)i);
        if (self->dropout > 0 && !chain_add(chain, name, "dropout", &dropout))
            return false;
    }
    char name[64];
    struct linear out = {self->dim, true};
    snprintf(name, sizeof name, "%s.out", path);
    return chain_add(chain, name, "linear", &out);
}

static bool build_labels(Builder *builder, Model *model, int64_t features)
{
    const struct dual_encoder *self = model->values;
    struct dual_state *state = model->state;
    const ModelInput *input = &model->input;
    if (input->label_width == 0) {
        state->label_vectors = builder_weight(builder, "labels.vectors", ROLE_EMBEDDING, "normal",
                                              SHAPE(input->outputs, self->dim));
        return true;
    }
    if (self->share && input->label_width != features)
        return builder_fail(builder, "share: samples have %lld features, labels %lld; set it to false",
                            (long long)features, (long long)input->label_width);
    Tensor *own = builder_constant(builder, "labels.features", ROLE_BUFFER, 0,
                                   SHAPE(input->outputs, input->label_width));
    if (input->label_features)
        memcpy(tensor_f32(own), input->label_features, (size_t)own->count * sizeof(float));
    state->label_features = own;
    state->labels = state->samples;
    if (self->share)
        return true;
    state->labels = chain_new(builder, shape_of(1, &input->label_width));
    return build_tower(self, "labels", state->labels);
}

static bool build(Builder *builder, Model *model)
{
    const struct dual_encoder *self = model->values;
    struct dual_state *state = model->state = arena_zero(builder->arena, 1, sizeof *state);
    if (model->input.shape.vocabulary)
        return builder_fail(builder, "dual_encoder takes features, not tokens");
    int64_t features = shape_count(model->input.shape);
    state->samples = chain_new(builder, shape_of(1, &features));
    return build_tower(self, self->share && model->input.label_width ? "tower" : "samples", state->samples) &&
           build_labels(builder, model, features);
}

static Tensor *normalized(const struct dual_encoder *self, Tensor *x)
{
    return self->normalize ? t_div(x, t_maximum(t_norm(x, -1, true), t_scalar(x->type, 1e-12))) : x;
}

static Tensor *encode(const struct dual_encoder *self, const Chain *tower, Forward *forward, Tensor *x)
{
    return normalized(self, layers_forward(tower->layers, tower->count, forward, x));
}

typedef struct Chunk { const Model *model; Forward start, end; bool ran; } Chunk;

/* Run again for the gradient, it draws what it drew. */
static Tensor *encode_chunk(void *context, Tensor *features)
{
    Chunk *chunk = context;
    const struct dual_state *state = chunk->model->state;
    Forward pass = chunk->start;
    pass.again = chunk->ran;
    Tensor *encoded = encode(chunk->model->values, state->labels, &pass, features);
    chunk->end = pass;
    chunk->ran = true;
    return encoded;
}

/* features [labels, width] -> [labels, dim] */
static Tensor *encode_labels(const Model *model, Forward *forward, Tensor *features)
{
    const struct dual_encoder *self = model->values;
    const struct dual_state *state = model->state;
    int64_t labels = features->shape[0], count = (labels + self->label_chunk - 1) / self->label_chunk;
    if (count == 1)
        return encode(self, state->labels, forward, features);
    Tensor **parts = arena_alloc(tape_arena(), (size_t)count * sizeof *parts);
    for (int64_t i = 0; i < count; i++) {
        int64_t begin = i * self->label_chunk, end = begin + self->label_chunk;
        Chunk *chunk = arena_zero(tape_arena(), 1, sizeof *chunk);
        *chunk = (Chunk){.model = model, .start = *forward};
        parts[i] = t_recompute(encode_chunk, chunk, t_slice(features, 0, begin, end < labels ? end : labels));
        forward->draws = chunk->end.draws;
    }
    return t_concat((int)count, parts, 0);
}

/* [N, features] -> scores [N, labels] */
static Tensor *forward(const Model *model, Forward *forward_, Tensor *x)
{
    const struct dual_encoder *self = model->values;
    const struct dual_state *state = model->state;
    Tensor *samples = encode(self, state->samples, forward_, t_reshape(x, SHAPE(x->shape[0], -1)));
    Tensor *labels = state->label_features ? state->label_features : state->label_vectors;
    if (forward_->outputs)
        labels = t_index_select(labels, forward_->outputs);
    labels = state->label_features ? encode_labels(model, forward_, labels) : normalized(self, labels);
    forward_->features = samples;
    return t_scale(t_matmul(samples, labels, false, true), 1 / self->temperature);
}

const ModelDef model_dual_encoder = {
    .component = {.name = "dual_encoder", .summary = "vectors of samples and of labels, compared with each other",
                  .params = params, .size = sizeof(struct dual_encoder), .source = "arXiv:2310.10636",
                  .formula = "s_l = f(x) . g(label l) / temperature, f and g of length 1",
                  .notes = "The labels' features come with the data and stay in the checkpoint. Labels without "
                           "features have a trained vector each."},
    .build = build, .forward = forward, .selects_outputs = true,
};
