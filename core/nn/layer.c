#include "core/nn/layer.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/nn/activation.h"
#include "core/nn/initializer.h"
#include "core/nn/layer_noise.h"
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

Shape shape_of(int rank, const int64_t *sizes)
{
    Shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.sizes[i] = sizes[i];
    return shape;
}

int64_t shape_count(Shape shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++)
        count *= shape.sizes[i];
    return count;
}

const char *shape_text(Arena *arena, Shape shape)
{
    const char *text = "[";
    for (int i = 0; i < shape.rank; i++)
        text = arena_format(arena, "%s%s%lld", text, i ? ", " : "", (long long)shape.sizes[i]);
    return arena_format(arena, "%s]%s", text, shape.vocabulary ? " tokens" : "");
}

bool builder_fail(Builder *builder, const char *format, ...)
{
    char message[sizeof builder->error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return fail_usage(builder->error, "model%s%s: %s", builder->path[0] ? "." : "", builder->path, message);
}

static void list_layer(Builder *builder, Layer *layer)
{
    if (builder->layer_count == builder->layer_room) {
        int room = builder->layer_room ? 2 * builder->layer_room : 32;
        Layer **larger = arena_zero(builder->arena, (size_t)room, sizeof *larger);
        if (builder->layers)
            memcpy(larger, builder->layers, (size_t)builder->layer_count * sizeof *larger);
        builder->layers = larger;
        builder->layer_room = room;
    }
    builder->layers[builder->layer_count++] = layer;
}

/* Multiplied up; MODEL_MOST_ELEMENTS + 1 for all that is more. */
static int64_t count_elements(int rank, const int64_t *sizes)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        if (sizes[i] == 0)
            return 0;
    for (int i = 0; i < rank; i++)
        count = count > MODEL_MOST_ELEMENTS / sizes[i] ? MODEL_MOST_ELEMENTS + 1 : count * sizes[i];
    return count;
}

static bool check_output(Builder *builder, const Layer *layer)
{
    if (count_elements(layer->output.rank, layer->output.sizes) <= MODEL_MOST_ELEMENTS)
        return true;
    return builder_fail(builder, "the output %s has more than %d elements a sample",
                        shape_text(builder->arena, layer->output), MODEL_MOST_ELEMENTS);
}

static Layer *build(Builder *builder, const char *name, const LayerDef *def, const void *values, Shape input)
{
    size_t length = strlen(builder->path);
    snprintf(builder->path + length, sizeof builder->path - length, "%s%s", length ? "." : "", name);
    Layer *layer = arena_zero(builder->arena, 1, sizeof *layer);
    layer->def = def;
    layer->values = values;
    layer->name = arena_string(builder->arena, builder->path);
    layer->input = layer->output = input;
    layer->depth = builder->depth++;
    if (builder->layer_count == MODEL_MOST_LAYERS) {
        builder_fail(builder, "a model has at most %d layers", MODEL_MOST_LAYERS);
        return NULL;
    }
    list_layer(builder, layer);
    int64_t before = parameters_trainable(builder->parameters);
    if (!def->build(builder, layer) || !check_output(builder, layer))
        return NULL; /* the path stays: it is part of the message */
    layer->parameter_count = parameters_trainable(builder->parameters) - before;
    builder->depth--;
    builder->path[length] = '\0';
    return layer;
}

Layer *layer_build(Builder *builder, const char *name, const Instance *instance, Shape input)
{
    return build(builder, name, (const LayerDef *)instance->component, instance->values, input);
}

Layer *layer_build_with(Builder *builder, const char *name, const char *component, const void *values, Shape input)
{
    const Component *found = component_find("layer", component);
    assert(found);
    void *copy = arena_alloc(builder->arena, found->size ? found->size : 1);
    if (found->size)
        memcpy(copy, values, found->size);
    return build(builder, name, (const LayerDef *)found, copy, input);
}

static bool is_finite(const Tensor *tensor)
{
    for (int64_t i = 0; i < tensor->count; i++)
        if (!isfinite(tensor_value(tensor, i)))
            return false;
    return true;
}

Tensor *layer_forward(const Layer *layer, Forward *forward, Tensor *x)
{
    Tensor *result = layer->def->forward(layer, forward, x);
    if (forward->noise)
        result = layer_noise_add(forward->noise, layer, forward, result);
    if (forward->find_not_finite && !forward->not_finite && !is_finite(result))
        forward->not_finite = layer;
    if (forward->tap == layer)
        forward->tapped = result;
    return result;
}

static bool commutes_with_maximum(const Layer *layer)
{
    if (layer->def != &layer_activation)
        return false;
    const Instance *activation = &((const struct activation_layer *)layer->values)->activation;
    return ((const ActivationDef *)activation->component)->commutes_with_maximum;
}

static bool is_relu(const Layer *layer)
{
    if (layer->def != &layer_activation)
        return false;
    return ((const struct activation_layer *)layer->values)->activation.component == &activation_relu.component;
}

static Tensor *try_activated(const Layer *layer, const Forward *forward, const Instance *activation, Tensor *x)
{
    const UnaryKernel kernel = ((const ActivationDef *)activation->component)->kernel;
    if (!kernel || !layer->def->forward_activated || forward->find_not_finite || forward->noise ||
        forward->tap == layer)
        return NULL;
    return layer->def->forward_activated(layer, x, kernel);
}

Tensor *layer_forward_activated(const Layer *layer, Forward *forward, const Instance *activation, Tensor *x)
{
    Tensor *result = try_activated(layer, forward, activation, x);
    return result ? result : activation_apply(activation, layer_forward(layer, forward, x));
}

/* The activation behind the layer, unless its own output is looked at. */
static const Instance *activation_behind(Layer *const *layers, int64_t count, const Forward *forward)
{
    if (count < 2 || layers[1]->def != &layer_activation || forward->tap == layers[1])
        return NULL;
    return &((const struct activation_layer *)layers[1]->values)->activation;
}

/* How many of these layers one pass can do, and what they are; 0: none. Each layer's output is looked at when values
   that are not finite are searched for, and a tap's is. */
static int64_t find_fused(Layer *const *layers, int64_t count, const Forward *forward, bool *pooled, bool *rectified)
{
    if (!layers[0]->def->forward_fused || forward->find_not_finite || forward->noise)
        return 0;
    int64_t taken = 1;
    *pooled = *rectified = false;
    for (; taken < count && taken < 3; taken++) {
        if (!*pooled && pools_2x2(layers[taken]))
            *pooled = true;
        else if (!*rectified && is_relu(layers[taken]))
            *rectified = true;
        else
            break;
    }
    for (int64_t i = 0; i < taken; i++)
        if (forward->tap == layers[i])
            return 0;
    return taken > 1 ? taken : 0;
}

Tensor *layers_forward(Layer *const *layers, int64_t count, Forward *forward, Tensor *x)
{
    for (int64_t i = 0; i < count; i++) {
        bool pooled, rectified;
        const int64_t fused = find_fused(layers + i, count - i, forward, &pooled, &rectified);
        Tensor *result = fused ? layers[i]->def->forward_fused(layers[i], x, pooled, rectified) : NULL;
        if (result) {
            x = result;
            i += fused - 1;
            continue;
        }
        const Instance *activation = activation_behind(layers + i, count - i, forward);
        result = activation ? try_activated(layers[i], forward, activation, x) : NULL;
        if (result) {
            x = result;
            i++;
            continue;
        }
        bool watched = forward->tap && (forward->tap == layers[i] || (i + 1 < count && forward->tap == layers[i + 1]));
        if (i + 1 < count && layers[i + 1]->def->selects_maxima && commutes_with_maximum(layers[i]) && !watched) {
            x = layer_forward(layers[i + 1], forward, x);
            x = layer_forward(layers[i], forward, x);
            i++;
        } else {
            x = layer_forward(layers[i], forward, x);
        }
    }
    return x;
}

static Tensor *add_parameter(Builder *builder, const char *name, ParameterRole role, int rank, const int64_t *shape)
{
    int64_t count = count_elements(rank, shape);
    if (count > MODEL_MOST_ELEMENTS - builder->elements) {
        builder_fail(builder, "with %s %s the model has more than %d parameters", name,
                     shape_text(builder->arena, shape_of(rank, shape)), MODEL_MOST_ELEMENTS);
        return NULL;
    }
    builder->elements += count;
    char full[sizeof builder->path + 64];
    snprintf(full, sizeof full, "%s%s%s", builder->path, builder->path[0] ? "." : "", name);
    return parameters_add(builder->parameters, full, role, rank, shape);
}

Tensor *builder_weight(Builder *builder, const char *name, ParameterRole role, const char *initializer, int rank,
                       const int64_t *shape)
{
    Tensor *weight = add_parameter(builder, name, role, rank, shape);
    if (!weight)
        return NULL;
    int64_t rows = rank ? shape[0] : 1, columns = rows ? weight->count / rows : 0, receptive = 1;
    for (int i = 2; i < rank; i++)
        receptive *= shape[i];
    Instance chosen = builder->initializer;
    if (!chosen.component)
        chosen = instance_default(builder->arena, "initializer", initializer);
    /* A sequence for each name: adding a layer leaves the others' initial values as they were. */
    Random random = random_start(builder->seed, builder->parameters->items[builder->parameters->count - 1].name, 0);
    initializer_fill(&chosen, &random, rows, columns, (double)columns, (double)(rows * receptive), tensor_f32(weight));
    return weight;
}

Tensor *builder_constant(Builder *builder, const char *name, ParameterRole role, double value, int rank,
                         const int64_t *shape)
{
    Tensor *parameter = add_parameter(builder, name, role, rank, shape);
    for (int64_t i = 0; parameter && i < parameter->count; i++)
        tensor_f32(parameter)[i] = (float)value;
    return parameter;
}

Random forward_random(Forward *forward)
{
    Random random = random_start(forward->seed, "forward", (uint32_t)forward->step);
    random.index = (uint64_t)forward->draws++ << 40;
    return random;
}

void forward_add_penalty(Forward *forward, Tensor *term)
{
    forward->penalty = forward->penalty ? t_add(forward->penalty, term) : term;
}
