/* Recurrent network: gated recurrent units read the parts of a sample one after the other; the head sees the last
   state. Of language models it sees every state. */
#include <stdio.h>

#include "core/models/chain.h"
#include "core/nn/initializer.h"

struct gru_model {
    int64_t hidden, layers, steps, embedding;
    int reset;
    double input_dropout, out_init_std, out_bias;
    Instance init;
};

static const Param params[] = {
    PARAM_INT(struct gru_model, hidden, 256, .min = 1, .max = 1e6, .help = "size of the state"),
    PARAM_INT(struct gru_model, layers, 1, .min = 1, .max = 1000,
              .help = "recurrent layers, each over the states of the one before"),
    PARAM_INT(struct gru_model, steps, 0, .min = 0, .max = 1e8,
              .help = "of samples that are vectors: number of equal parts, read one after the other; 0: one number a "
                      "step"),
    PARAM_ENUM(struct gru_model, reset, "before", .choices = gru_resets,
               .help = "the reset gate acts before or after the recurrent product"),
    PARAM_FLOAT(struct gru_model, input_dropout, 0, .min = 0, .max = 0.999, .help = "of what the first layer reads"),
    PARAM_INT(struct gru_model, embedding, 64, .min = 1, .max = 1e6,
              .help = "width of the vectors of tokens; for data of tokens"),
    PARAM_FLOAT(struct gru_model, out_init_std, 0.01, .min = 0, .max = 1e3,
                .help = "standard deviation of the head's initial weights"),
    PARAM_FLOAT(struct gru_model, out_bias, 0.1, .help = "initial bias of every output"),
    PARAM_COMPONENT(struct gru_model, init, "null", "initializer",
                    .help = "of the weights but the head's; null: xavier_uniform, of embeddings normal"),
    PARAM_END};

/* Steps as the rows of a matrix: the last axis of an image is what a step reads. */
static bool add_steps(Builder *builder, Chain *chain, const struct gru_model *self)
{
    const Shape shape = chain->shape;
    if (self->steps && (shape.rank != 1 || shape.vocabulary))
        return builder_fail(builder, "steps divides samples that are vectors; these are %s",
                            shape_text(builder->arena, shape));
    if (shape.vocabulary) {
        struct embedding embedding = {self->embedding};
        return chain_add(chain, "embedding", "embedding", &embedding);
    }
    if (shape.rank == 2)
        return true;
    const int64_t count = shape_count(shape), width = shape.rank ? shape.sizes[shape.rank - 1] : 1;
    const int64_t steps = shape.rank > 1 ? count / width : self->steps ? self->steps : count;
    if (count % steps)
        return builder_fail(builder, "%lld features cannot be read in %lld equal steps", (long long)count,
                            (long long)steps);
    int64_t *sizes = arena_zero(builder->arena, 2, sizeof *sizes);
    sizes[0] = steps;
    sizes[1] = count / steps;
    struct reshape reshape = {{2, sizes}};
    return chain_add(chain, "steps", "reshape", &reshape);
}

static bool add_head(Builder *builder, Chain *chain, const Model *model, const struct gru_model *self)
{
    struct normal normal = {0, self->out_init_std};
    const Instance before = builder->initializer;
    builder->initializer = (Instance){component_find("initializer", "normal"), &normal};
    const bool good = chain_add_head(chain, model->input);
    builder->initializer = before;
    const Parameter *bias = good ? parameters_find(builder->parameters, "head.bias") : NULL;
    for (int64_t i = 0; bias && i < bias->value->count; i++)
        tensor_f32(bias->value)[i] = (float)self->out_bias;
    return good;
}

static bool build(Builder *builder, Model *model)
{
    const struct gru_model *self = model->values;
    Chain *chain = model->state = chain_new(builder, model->input.shape);
    builder->initializer = self->init;
    if (!add_steps(builder, chain, self))
        return false;
    struct dropout dropout = {self->input_dropout};
    if (self->input_dropout > 0 && !chain_add(chain, "dropout", "dropout", &dropout))
        return false;
    for (int64_t i = 0; i < self->layers; i++) {
        char name[32];
        snprintf(name, sizeof name, "layers.%lld", (long long)i);
        struct gru gru = {self->hidden, model->input.per_position || i + 1 < self->layers, self->reset};
        if (!chain_add(chain, name, "gru", &gru))
            return false;
    }
    return add_head(builder, chain, model, self);
}

static Tensor *forward(const Model *model, Forward *forward_, Tensor *x)
{
    return chain_forward(model->state, forward_, x);
}

static Tensor *features(const Model *model, Forward *forward_, Tensor *x)
{
    return chain_features(model->state, forward_, x);
}

static void head(const Model *model, Tensor **weight, Tensor **bias)
{
    *weight = parameters_find(model->parameters, "head.weight")->value;
    const Parameter *found = parameters_find(model->parameters, "head.bias");
    *bias = found ? found->value : NULL;
}

const ModelDef model_gru = {
    .component = {.name = "gru",
                  .summary = "gated recurrent units, one part of a sample after the other",
                  .params = params,
                  .size = sizeof(struct gru_model),
                  .source = "arXiv:1709.03082",
                  .notes = "Sequences of vectors [steps, width] are read vector by vector, texts token by token, "
                           "images row by row (channel after channel), vectors as steps says: of 21 numbers, each "
                           "one-hot in 10 bins, steps 21 reads one a step."},
    .build = build,
    .forward = forward,
    .head = head,
    .features = features,
};
