/* Supervised learning of very many classes without their outputs: the model's head is a factored output layer, which
   takes exact steps of gradient descent of its own; the layers below are the optimizer's. De Brebisson and Vincent
   2016. */
#include <string.h>

#include "core/nn/factored_output.h"
#include "core/tensor/operations.h"
#include "core/train/objective.h"
#include "data/transform.h"

struct factored_output { double lr; int64_t refactor_every; };

static const Param params[] = {
    PARAM_FLOAT(struct factored_output, lr, 0.1, .min = 0, .max = 1e6,
                .help = "learning rate of the head; the schedule acts on it"),
    PARAM_INT(struct factored_output, refactor_every, 512, .min = 1, .max = 1e12,
              .help = "steps between multiplying the factors out"),
    PARAM_END
};

typedef struct State {
    ParameterSet *kept;             /* the layer's block, F64 */
    FactoredOutput layer;
    Tensor *weight, *bias;          /* of the model's head; the bias is the layer's last column, or NULL */
} State;

static bool check(const void *values, const Instance *loss, const Dataset *shape, const TrainConfig *train,
                  Error *error)
{
    (void)values;
    const LossDef *def = (const LossDef *)loss->component;
    if (!def->of_moments)
        return fail_usage(error, "loss: factored_output wants a loss of the outputs' sum, squares and target alone, "
                                 "such "
                          "as z_loss; %s is none", def->component.name);
    if (shape->target_kind != TARGET_CLASS && shape->target_kind != TARGET_TOKENS)
        return fail_usage(error, "objective: factored_output wants one class a sample");
    if (shape->masks_targets)
        return fail_usage(error,
                          "objective: factored_output wants a target at every position; the data has some without");
    for (int64_t i = 0; i < train->transforms.count; i++)
        if (((const TransformDef *)train->transforms.items[i].component)->batch)
            return fail_usage(error, "train.transforms: %s mixes targets; factored_output takes one class a sample",
                              train->transforms.items[i].component->name);
    if (train->accumulate > 1)
        return fail_usage(error, "train.accumulate: the head of factored_output takes a step with every batch");
    return isnan(train->ema) || fail_usage(error, "train.ema: factored_output has no average of its head");
}

static int64_t width_of(const State *state)
{
    return state->weight->shape[1] + (state->bias != NULL);
}

static bool prepare(ObjectiveContext *context, Error *error)
{
    const Model *model = context->model;
    const Parameter *weight = parameters_find(model->parameters, "head.weight");
    const Parameter *bias = parameters_find(model->parameters, "head.bias");
    if (!weight || !model->def->features)
        return fail_usage(error, "objective: factored_output wants a model with a linear head of its own, such as "
                                 "mlp, cnn "
                          "or a transformer that does not share it with the embedding");
    State *state = context->state = memory_new(sizeof *state);
    state->weight = weight->value;
    state->bias = bias ? bias->value : NULL;
    int64_t classes = weight->value->shape[0], width = width_of(state), columns = weight->value->shape[1];
    state->kept = parameters_new();
    Tensor *block = parameters_add_double(state->kept, "head", factored_output_size(classes, width));
    state->layer = factored_output_over(block->data, classes, width);
    for (int64_t k = 0; k < classes; k++) {
        for (int64_t i = 0; i < columns; i++)
            state->layer.v[k * width + i] = (double)tensor_f32(state->weight)[k * columns + i];
        if (state->bias)
            state->layer.v[k * width + columns] = (double)tensor_f32(state->bias)[k];
    }
    factored_output_start(&state->layer);
    return true;
}

static void release(ObjectiveContext *context)
{
    State *state = context->state;
    if (state)
        parameters_free(state->kept);
    memory_free(state);
}

static ParameterSet *kept(const ObjectiveContext *context)
{
    return ((const State *)context->state)->kept;
}

static void settle(ObjectiveContext *context)
{
    const State *state = context->state;
    int64_t classes = state->layer.classes, width = state->layer.width, columns = state->weight->shape[1];
    double *weight = memory_array((size_t)(classes * width), sizeof *weight);
    factored_output_weight(&state->layer, weight);
    for (int64_t k = 0; k < classes; k++) {
        for (int64_t i = 0; i < columns; i++)
            tensor_f32(state->weight)[k * columns + i] = (float)weight[k * width + i];
        if (state->bias)
            tensor_f32(state->bias)[k] = (float)weight[k * width + columns];
    }
    memory_free(weight);
}

/* Rows of features, with a 1 for the bias. */
static FactoredBatch batch_of(const State *state, const Tensor *features, const Tensor *targets)
{
    int64_t columns = state->weight->shape[1], width = width_of(state), count = features->count / columns;
    double *inputs = arena_alloc(tape_arena(), (size_t)(count * width) * sizeof *inputs);
    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < columns; k++)
            inputs[i * width + k] = tensor_value(features, i * columns + k);
        if (state->bias)
            inputs[i * width + columns] = 1;
    }
    return (FactoredBatch){.count = count, .inputs = inputs, .targets = tensor_i32(targets)};
}

/* The mean loss, and the slopes of it. */
static double evaluate(const ObjectiveContext *context, const Tensor *weights, FactoredBatch *batch)
{
    const State *state = context->state;
    const LossDef *def = (const LossDef *)context->loss.component;
    int64_t per_sample = weights ? batch->count / weights->count : 1;
    double total = weights ? 0 : (double)batch->count, value = 0;
    for (int64_t i = 0; weights && i < batch->count; i++)
        total += tensor_value(weights, i / per_sample);
    for (int64_t i = 0; i < batch->count && total > 0; i++) {
        LossMoments moments = {state->layer.classes, batch->sums[i], batch->squares[i], batch->outputs[i]};
        double slopes[3], share = (weights ? tensor_value(weights, i / per_sample) : 1) / total;
        value += share * def->of_moments(context->loss.values, &moments, slopes);
        batch->sum_slopes[i] = share * slopes[0];
        batch->square_slopes[i] = share * slopes[1];
        batch->output_slopes[i] = share * slopes[2];
    }
    return value;
}

/* The value, with the gradient that the head gives to the features. */
static Tensor *with_gradient(const State *state, const FactoredBatch *batch, double value, Tensor *features)
{
    int64_t columns = state->weight->shape[1], width = width_of(state);
    Tensor *gradient = t_like(features);
    for (int64_t i = 0; i < batch->count; i++)
        for (int64_t k = 0; k < columns; k++)
            tensor_set(gradient, i * columns + k, batch->gradients[i * width + k]);
    Tensor *carrier = t_sum(t_mul(gradient, features), ALL_AXES, false);
    return t_straight_through(t_scalar(features->type, value), carrier);
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const struct factored_output *self = context->values;
    State *state = context->state;
    Tensor *features = context->model->def->features(context->model, forward, batch->x);
    FactoredBatch rows = batch_of(state, features, batch->targets);
    factored_output_read(&state->layer, &rows, tape_arena());
    double value = evaluate(context, batch->weights, &rows);
    factored_output_gradients(&state->layer, &rows);
    Tensor *result = with_gradient(state, &rows, value, features);
    if (isfinite(value) && !forward->find_not_finite)
        factored_output_step(&state->layer, &rows, self->lr * context->schedule_factor, self->refactor_every,
                             tape_arena());
    return result;
}

const ObjectiveDef objective_factored_output = {
    .component = {.name = "factored_output",
                  .summary = "very many classes, without forming their outputs",
                  .params = params,
                  .size = sizeof(struct factored_output),
                  .source = "arXiv:1604.08859, arXiv:1412.7091",
                  .formula = "L(W h, y), W = V U + 1 w^T, W -= lr dL/dW exactly",
                  .notes = "For z_loss, taylor_softmax, spherical_softmax and mse_onehot. A step costs the head "
                           "O(width^2) a sample, whatever the number of classes. The head takes plain steps of "
                           "gradient descent at lr, before those of the optimizer, which has the other layers; "
                           "momentum, weight decay and clipping do not reach it. Every refactor_every steps, or when "
                           "the factors become badly conditioned, W is multiplied out, which costs O(classes width^2); "
                           "so does measuring and saving."},
    .check = check, .prepare = prepare, .release = release, .kept = kept, .settle = settle, .loss = loss,
};
