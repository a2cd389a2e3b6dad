/* Multi-layer perceptron: flatten, then linear, norm, activation, dropout for each hidden layer, then a
   linear head. */
#include <stdio.h>
#include <string.h>

#include "core/models/chain.h"
#include "core/tensor/operations.h"

struct mlp { IntList hidden; Instance activation, init; int norm; double dropout; int64_t embedding; };

static const char *const norms[] = {"none", "layer_norm", "batch_norm", "rms_norm", NULL};

static const Param params[] = {
    PARAM_INTS(struct mlp, hidden, "[256]", .min = 1, .max = 1e7,
               .help = "units of each hidden layer; empty: a linear model"),
    PARAM_COMPONENT(struct mlp, activation, "\"relu\"", "activation", .help = "after each hidden layer"),
    PARAM_ENUM(struct mlp, norm, "none", .choices = norms, .help = "normalisation before each activation"),
    PARAM_FLOAT(struct mlp, dropout, 0, .min = 0, .max = 0.999, .help = "after each activation"),
    PARAM_INT(struct mlp, embedding, 64, .min = 1, .max = 1e6,
              .help = "width of the vectors of tokens, which are averaged; for data of tokens"),
    PARAM_COMPONENT(struct mlp, init, "null", "initializer", .help = "of the weights; null: kaiming_uniform"),
    PARAM_END};

static bool add_hidden(Chain *chain, const struct mlp *self, int64_t index)
{
    char name[64];
    struct linear linear = {self->hidden.items[index], true};
    struct norm norm = {1e-5};
    struct batch_norm batch_norm = {0.1, 1e-5};
    struct activation_layer activation = {self->activation};
    struct dropout dropout = {self->dropout};
    snprintf(name, sizeof name, "layers.%lld", (long long)index);
    if (!chain_add(chain, name, "linear", &linear))
        return false;
    snprintf(name, sizeof name, "norms.%lld", (long long)index);
    if (self->norm && !chain_add(chain, name, norms[self->norm],
                                 strcmp(norms[self->norm], "batch_norm") == 0 ? (void *)&batch_norm : &norm))
        return false;
    snprintf(name, sizeof name, "activations.%lld", (long long)index);
    if (!chain_add(chain, name, "activation", &activation))
        return false;
    snprintf(name, sizeof name, "dropouts.%lld", (long long)index);
    return self->dropout == 0 || chain_add(chain, name, "dropout", &dropout);
}

static bool build(Builder *builder, Model *model)
{
    const struct mlp *self = model->values;
    Chain *chain = model->state = chain_new(builder, model->input.shape);
    builder->initializer = self->init;
    if (model->input.per_position)
        return builder_fail(builder, "mlp cannot predict a token at every position; use transformer");
    if (model->input.shape.vocabulary) {
        struct embedding embedding = {self->embedding};
        if (!chain_add(chain, "embedding", "embedding", &embedding) || !chain_add(chain, "mean", "mean_tokens", NULL))
            return false;
    } else if (model->input.shape.rank != 1 && !chain_add(chain, "flatten", "flatten", NULL)) {
        return false;
    }
    for (int64_t i = 0; i < self->hidden.count; i++)
        if (!add_hidden(chain, self, i))
            return false;
    return chain_add_head(chain, model->input);
}

static Tensor *forward(const Model *model, Forward *forward_, Tensor *x)
{
    return chain_forward(model->state, forward_, x);
}

static Tensor *features(const Model *model, Forward *forward_, Tensor *x)
{
    return chain_features(model->state, forward_, x);
}

const ModelDef model_mlp = {
    .component = {.name = "mlp", .summary = "multi-layer perceptron", .params = params, .size = sizeof(struct mlp)},
    .build = build, .forward = forward, .features = features,
};
