/* SkipNet: inverted residuals in the manner of MobileNetV3, with cheap skip blocks that add an early map to later
   stages, so that the last features differ more. Abrahamyan et al. 2021. */
#include <stdio.h>
#include <string.h>

#include "core/models/chain.h"
#include "core/nn/initializer.h"
#include "core/tensor/operations.h"

enum { TINY, LARGE };
static const char *const variants[] = {"tiny", "large", NULL};

struct skipnet { int variant; double width, dropout; bool skips; };

static const Param params[] = {
    PARAM_ENUM(struct skipnet, variant, "tiny", .choices = variants,
               .help = "tiny: for images of about 28x28; large: of about 224x224"),
    PARAM_FLOAT(struct skipnet, width, 1, .min = 0.05, .max = 10, .help = "factor of all channels"),
    PARAM_FLOAT(struct skipnet, dropout, 0.2, .min = 0, .max = 0.999, .help = "before the head"),
    PARAM_BOOL(struct skipnet, skips, true, .help = "false: without the skip blocks, to see what they do"),
    PARAM_END
};

typedef struct Block { int64_t kernel; double expansion; int64_t channels; bool squeeze, swish; int64_t stride; } Block;
enum { STAGES = 4, MOST_BLOCKS = 5, SKIPS = 2 };
typedef struct Plan {
    int64_t stem, stem_stride, hidden;
    Block stages[STAGES][MOST_BLOCKS];      /* ends with channels 0 */
} Plan;

static const Plan plans[] = {
    [TINY] = {8, 1, 64, {{{3, 3, 16, 0, 0, 2}, {3, 3, 16, 0, 0, 1}},
                         {{3, 3, 24, 1, 1, 2}, {3, 2.5, 24, 1, 1, 1}},
                         {{3, 3, 40, 1, 1, 1}}}},
    [LARGE] = {16, 2, 1280, {{{3, 4, 24, 0, 0, 2}, {3, 3, 24, 0, 0, 1}, {5, 3, 40, 1, 0, 2}, {5, 3, 40, 1, 0, 1},
                              {5, 6, 40, 1, 1, 1}},
                             {{3, 6, 80, 0, 1, 2}, {3, 2.5, 80, 0, 1, 1}, {3, 2.3, 80, 0, 1, 1},
                              {3, 2.3, 80, 0, 1, 1}},
                             {{3, 6, 112, 1, 1, 1}, {3, 6, 112, 1, 1, 1}},
                             {{5, 6, 160, 1, 1, 2}, {5, 6, 160, 1, 1, 1}, {5, 6, 160, 1, 1, 1}}}},
};
/* From the map before the first stage to the output of the first and the second. */
static const Block skip_blocks[SKIPS] = {{5, 6, 0, 0, 0, 1}, {3, 2.3, 0, 0, 0, 1}};

typedef struct Parts { Arena *arena; Instance items[12]; int count; } Parts;
typedef struct SkipNet {
    Layer *stem, *base, *last, *skips[SKIPS], *pools[SKIPS];
    Chain *stages[STAGES], *tail;
} SkipNet;

static const int64_t one = 1, zero = 0;

/* To a multiple of 8, but not below 90 % (Howard et al. 2019). */
static int64_t rounded(double channels)
{
    int64_t result = (int64_t)(channels + 4) / 8 * 8;
    result = result < 8 ? 8 : result;
    return (double)result < 0.9 * channels ? result + 8 : result;
}

static void add_part(Parts *parts, const char *name, const void *values)
{
    Instance *item = &parts->items[parts->count++];
    item->component = component_find("layer", name);
    item->values = memcpy(arena_alloc(parts->arena, item->component->size), values, item->component->size);
}

/* Convolution, norm, and the activation where it has a name. */
static void add_unit(Parts *parts, int64_t channels, int64_t kernel, int64_t stride, int64_t groups,
                     const char *activation)
{
    int64_t *sizes = arena_zero(parts->arena, 2, sizeof *sizes);
    sizes[0] = kernel;
    sizes[1] = stride;
    struct convolution convolution = {channels, {1, sizes}, {1, sizes + 1}, {1, &zero}, {1, &one}, groups, false, true};
    struct batch_norm norm = {0.1, 1e-5};
    add_part(parts, "convolution", &convolution);
    add_part(parts, "batch_norm", &norm);
    if (activation) {
        struct activation_layer values = {instance_default(parts->arena, "activation", activation)};
        add_part(parts, "activation", &values);
    }
}

static Layer *build_parts(Builder *builder, const char *name, const Parts *parts, bool residual, Shape input)
{
    Instance *items = arena_zero(builder->arena, (size_t)parts->count, sizeof *items);
    memcpy(items, parts->items, (size_t)parts->count * sizeof *items);
    struct layer_list list = {{parts->count, items}};
    return layer_build_with(builder, name, residual ? "residual" : "chain", &list, input);
}

/* Expand (but by 1), depthwise, squeeze and excitation, project. */
static Layer *build_block(Builder *builder, const char *name, const Block *block, int64_t channels, Shape input)
{
    Parts parts = {.arena = builder->arena};
    const char *activation = block->swish ? "hard_swish" : "relu";
    int64_t in = input.sizes[0], wide = block->expansion == 1 ? in : rounded((double)in * block->expansion);
    if (wide != in)
        add_unit(&parts, wide, 1, 1, 1, activation);
    add_unit(&parts, wide, block->kernel, block->stride, wide, activation);
    struct squeeze_excite squeeze = {rounded((double)wide / 4)};
    if (block->squeeze)
        add_part(&parts, "squeeze_excite", &squeeze);
    add_unit(&parts, channels, 1, 1, 1, NULL);
    return build_parts(builder, name, &parts, block->stride == 1 && in == channels, input);
}

static bool build_stage(Chain *chain, const struct skipnet *self, const Block *blocks, int stage)
{
    for (int i = 0; i < MOST_BLOCKS && blocks[i].channels; i++) {
        char name[32];
        snprintf(name, sizeof name, "stages.%d.%d", stage, i);
        Layer *block = build_block(chain->builder, name, &blocks[i], rounded((double)blocks[i].channels * self->width),
                                   chain->shape);
        if (!chain_append(chain, block))
            return false;
    }
    return true;
}

/* The early map, pooled to the size of the stage's output and brought to its channels. */
static bool build_skip(Builder *builder, SkipNet *net, int index, Shape from, Shape to)
{
    char name[32];
    int64_t *sizes = arena_zero(builder->arena, 2, sizeof *sizes);
    memcpy(sizes, to.sizes + 1, 2 * sizeof *sizes);
    struct adaptive_pool pool = {{2, sizes}};
    snprintf(name, sizeof name, "skips.%d.pool", index);
    net->pools[index] = layer_build_with(builder, name, "adaptive_average_pool", &pool, from);
    snprintf(name, sizeof name, "skips.%d.block", index);
    if (net->pools[index])
        net->skips[index] = build_block(builder, name, &skip_blocks[index], to.sizes[0], net->pools[index]->output);
    return net->skips[index] != NULL;
}

static bool build_head(Builder *builder, SkipNet *net, const struct skipnet *self, const Model *model, Shape input)
{
    struct linear hidden = {plans[self->variant].hidden, true};
    struct activation_layer swish = {instance_default(builder->arena, "activation", "hard_swish")};
    struct dropout dropout = {self->dropout};
    builder->initializer = instance_default(builder->arena, "initializer", "normal");
    ((struct normal *)builder->initializer.values)->deviation = 0.01;
    net->tail = chain_new(builder, input);
    return chain_add(net->tail, "pool", "global_average_pool", NULL) &&
           chain_add(net->tail, "hidden", "linear", &hidden) &&
           chain_add(net->tail, "activation", "activation", &swish) &&
           (self->dropout == 0 || chain_add(net->tail, "dropout", "dropout", &dropout)) &&
           chain_add_head(net->tail, model->input);
}

static bool build(Builder *builder, Model *model)
{
    const struct skipnet *self = model->values;
    const Plan *plan = &plans[self->variant];
    SkipNet *net = model->state = arena_zero(builder->arena, 1, sizeof *net);
    Shape shape = model->input.shape;
    if (shape.vocabulary || shape.rank != 3)
        return builder_fail(builder, "skipnet needs images [channels, height, width], got %s",
                            shape_text(builder->arena, shape));
    builder->initializer = instance_default(builder->arena, "initializer", "kaiming_normal_out");
    Parts stem = {.arena = builder->arena}, last = {.arena = builder->arena};
    int64_t early = rounded((double)plan->stem * self->width), wide = early;
    add_unit(&stem, early, 3, plan->stem_stride, 1, "hard_swish");
    const Block base = {3, 1, early, false, true, 1};
    if (!(net->stem = build_parts(builder, "stem", &stem, false, shape)) ||
        !(net->base = build_block(builder, "base", &base, early, net->stem->output)))
        return false;
    Shape from = shape = net->base->output;
    for (int s = 0; s < STAGES && plan->stages[s][0].channels; s++) {
        net->stages[s] = chain_new(builder, shape);
        if (!build_stage(net->stages[s], self, plan->stages[s], s))
            return false;
        shape = net->stages[s]->shape;
        if (s < SKIPS && self->skips && !build_skip(builder, net, s, from, shape))
            return false;
        for (int i = 0; i < MOST_BLOCKS && plan->stages[s][i].channels; i++)
            wide = rounded(plan->stages[s][i].expansion * (double)shape.sizes[0]);
    }
    add_unit(&last, wide, 1, 1, 1, "hard_swish");
    net->last = build_parts(builder, "last", &last, false, shape);
    return net->last && build_head(builder, net, self, model, net->last->output);
}

static Tensor *forward(const Model *model, Forward *forward_, Tensor *x)
{
    const SkipNet *net = model->state;
    Tensor *early = x = layer_forward(net->base, forward_, layer_forward(net->stem, forward_, x));
    for (int s = 0; s < STAGES && net->stages[s]; s++) {
        x = layers_in_segments(net->stages[s]->layers, net->stages[s]->count, 0, forward_, x);
        if (s < SKIPS && net->skips[s])
            x = t_add(x, layer_forward(net->skips[s], forward_, layer_forward(net->pools[s], forward_, early)));
    }
    return chain_forward(net->tail, forward_, layer_forward(net->last, forward_, x));
}

const ModelDef model_skipnet = {
    .component = {.name = "skipnet",
                  .summary = "mobile network with skip blocks from an early map to later stages",
                  .params = params,
                  .size = sizeof(struct skipnet),
                  .source = "arXiv:2107.11170"},
    .build = build,
    .forward = forward,
};
