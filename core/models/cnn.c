/* Convolutional networks over one to three spatial axes: plain stages in the manner of VGG, or residual
   blocks in the manner of ResNet; each stage ends with half the resolution. */
#include <stdio.h>

#include "core/models/chain.h"

enum { STYLE_PLAIN, STYLE_RESIDUAL };
static const char *const styles[] = {"plain", "residual", NULL};
static const char *const norms[] = {"none", "batch_norm", "group_norm", NULL};
static const char *const poolings[] = {"flatten", "average", NULL};

struct cnn {
    IntList channels, kernel, hidden;
    int64_t blocks;
    int style, norm, pooling;
    Instance activation, init;
    double dropout;
};

static const Param params[] = {
    PARAM_INTS(struct cnn, channels, "[32, 64]", .min = 1, .max = 1e5, .min_count = 1,
               .help = "channels of each stage; each stage halves the resolution"),
    PARAM_INTS(struct cnn, kernel, "[3]", .min = 1, .max = 99, .min_count = 1,
               .help = "size of the filters; one for all axes; odd"),
    PARAM_INT(struct cnn, blocks, 1, .min = 1, .max = 1000,
              .help = "convolutions (plain) or residual blocks of two convolutions a stage"),
    PARAM_ENUM(struct cnn, style, "plain", .choices = styles, .help = "plain: as VGG; residual: as ResNet"),
    PARAM_ENUM(struct cnn, norm, "none", .choices = norms, .help = "after each convolution"),
    PARAM_COMPONENT(struct cnn, activation, "\"relu\"", "activation", .help = "after each convolution"),
    PARAM_ENUM(struct cnn, pooling, "flatten", .choices = poolings, .help = "how the last stage becomes a vector"),
    PARAM_INTS(struct cnn, hidden, "[128]", .min = 1, .max = 1e7, .help = "units of the linear layers before the head"),
    PARAM_FLOAT(struct cnn, dropout, 0, .min = 0, .max = 0.999, .help = "before the head, and after each hidden layer"),
    PARAM_COMPONENT(struct cnn, init, "null", "initializer", .help = "of the weights; null: kaiming_uniform"),
    PARAM_END};

static const int64_t one = 1, two = 2, zero = 0;

static Instance part(Arena *arena, const char *name, const void *values)
{
    Instance instance = {component_find("layer", name), NULL};
    size_t size = instance.component->size;
    instance.values = size ? __builtin_memcpy(arena_alloc(arena, size), values, size) : NULL;
    return instance;
}

static int64_t groups_for(int64_t channels)
{
    int64_t groups = channels < 8 ? channels : 8;
    while (channels % groups)
        groups--;
    return groups;
}

/* Convolution, norm, activation; returns how many instances were written to `out`. */
static int convolution_unit(Arena *arena, const struct cnn *self, int64_t channels, const int64_t *stride,
                            bool activate, Instance *out)
{
    int count = 0;
    struct convolution convolution = {channels, self->kernel,    {1, stride}, {1, &zero}, {1, &one},
                                      1,        self->norm == 0, true};
    struct batch_norm batch_norm = {0.1, 1e-5};
    struct group_norm group_norm = {groups_for(channels), 1e-5};
    struct activation_layer activation = {self->activation};
    out[count++] = part(arena, "convolution", &convolution);
    if (self->norm)
        out[count++] = part(arena, norms[self->norm], self->norm == 1 ? (void *)&batch_norm : &group_norm);
    if (activate)
        out[count++] = part(arena, "activation", &activation);
    return count;
}

static bool add_plain_stage(Chain *chain, const struct cnn *self, int64_t stage)
{
    char name[64];
    for (int64_t block = 0; block < self->blocks; block++) {
        Instance units[3];
        int count = convolution_unit(chain->builder->arena, self, self->channels.items[stage], &one, true, units);
        for (int i = 0; i < count; i++) {
            snprintf(name, sizeof name, "stages.%lld.%lld.%d", (long long)stage, (long long)block, i);
            if (!chain_add_instance(chain, name, &units[i]))
                return false;
        }
    }
    struct pool pool = {{1, &two}, {0, NULL}, {1, &zero}};
    snprintf(name, sizeof name, "stages.%lld.pool", (long long)stage);
    for (int i = 1; i < chain->shape.rank; i++)
        if (chain->shape.sizes[i] < 2)
            return true; /* nothing left to halve */
    return chain_add(chain, name, "max_pool", &pool);
}

/* The first block of every stage but the first halves the resolution by its stride. */
static bool add_residual_stage(Chain *chain, const struct cnn *self, int64_t stage)
{
    struct activation_layer activation = {self->activation};
    for (int64_t block = 0; block < self->blocks; block++) {
        char name[64];
        Arena *arena = chain->builder->arena;
        Instance *units = arena_zero(arena, 6, sizeof *units);
        int count = convolution_unit(arena, self, self->channels.items[stage], stage > 0 && block == 0 ? &two : &one,
                                     true, units);
        count += convolution_unit(arena, self, self->channels.items[stage], &one, false, units + count);
        struct layer_list layers = {{count, units}};
        snprintf(name, sizeof name, "stages.%lld.%lld", (long long)stage, (long long)block);
        if (!chain_add(chain, name, "residual", &layers))
            return false;
        snprintf(name, sizeof name, "stages.%lld.%lld.activation", (long long)stage, (long long)block);
        if (!chain_add(chain, name, "activation", &activation))
            return false;
    }
    return true;
}

static bool add_head(Chain *chain, const struct cnn *self, ModelInput input)
{
    struct dropout dropout = {self->dropout};
    struct activation_layer activation = {self->activation};
    char name[64];
    if (!chain_add(chain, "pool", self->pooling ? "global_average_pool" : "flatten", NULL))
        return false;
    for (int64_t i = 0; i < self->hidden.count; i++) {
        struct linear linear = {self->hidden.items[i], true};
        snprintf(name, sizeof name, "hidden.%lld", (long long)i);
        if (!chain_add(chain, name, "linear", &linear))
            return false;
        snprintf(name, sizeof name, "activations.%lld", (long long)i);
        if (!chain_add(chain, name, "activation", &activation))
            return false;
        snprintf(name, sizeof name, "dropouts.%lld", (long long)i);
        if (self->dropout > 0 && !chain_add(chain, name, "dropout", &dropout))
            return false;
    }
    if (self->hidden.count == 0 && self->dropout > 0 && !chain_add(chain, "dropout", "dropout", &dropout))
        return false;
    return chain_add_head(chain, input);
}

static bool build(Builder *builder, Model *model)
{
    const struct cnn *self = model->values;
    Chain *chain = model->state = chain_new(builder, model->input.shape);
    builder->initializer = self->init;
    if (model->input.shape.vocabulary || model->input.shape.rank < 2 || model->input.shape.rank > 4)
        return builder_fail(builder, "cnn needs data [channels, 1 to 3 sizes], got %s",
                            shape_text(builder->arena, model->input.shape));
    if (self->style == STYLE_RESIDUAL) {
        Instance units[3];
        int count = convolution_unit(builder->arena, self, self->channels.items[0], &one, true, units);
        for (int i = 0; i < count; i++) {
            char name[16];
            snprintf(name, sizeof name, "stem.%d", i);
            if (!chain_add_instance(chain, name, &units[i]))
                return false;
        }
    }
    for (int64_t stage = 0; stage < self->channels.count; stage++)
        if (!(self->style == STYLE_RESIDUAL ? add_residual_stage : add_plain_stage)(chain, self, stage))
            return false;
    return add_head(chain, self, model->input);
}

static Tensor *forward(const Model *model, Forward *forward_, Tensor *x)
{
    return chain_forward(model->state, forward_, x);
}

static Tensor *features(const Model *model, Forward *forward_, Tensor *x)
{
    return chain_features(model->state, forward_, x);
}

const ModelDef model_cnn = {
    .component = {.name = "cnn",
                  .summary = "convolutional network, plain or residual",
                  .params = params,
                  .size = sizeof(struct cnn)},
    .build = build, .features = features,
    .forward = forward,
};
