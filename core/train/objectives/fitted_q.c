/* Fitted Q iteration (Ernst et al. 2005) with a target network (Mnih et al. 2015): the values of the actions taken are
   fitted to reward + gamma max_a Q_target(next state, a), by any loss of values. */
#include <string.h>

#include "core/tensor/operations.h"
#include "core/train/objective.h"

struct fitted_q { double gamma; int64_t target_period; bool double_q; };

static const Param params[] = {
    PARAM_FLOAT(struct fitted_q, gamma, 0.9, .min = 0, .max = 1, .help = "discount"),
    PARAM_INT(struct fitted_q, target_period, 100, .min = 1, .max = 1e12,
              .help = "steps between copies of the model to the target network"),
    {"double", PARAM_TYPE_BOOL, offsetof(struct fitted_q, double_q), "false", 0, 0, 0, NULL, NULL,
     "choose the next action by the model itself, not by the target network", false},
    PARAM_END
};

/* Whether its targets are the next state's distribution, which it moves by the reward itself. */
static bool moves_distribution(const Instance *loss)
{
    return loss_takes_extra(loss, "reward") && loss_targets(loss) == LOSS_SOFT;
}

/* Two rows as `loss` below will have them. */
static LossInput probe(const Instance *loss, int64_t width)
{
    LossInput in = {.logits = t_zeros(ARRAY_F32, SHAPE(2, width)), .targets = t_zeros(ARRAY_F32, SHAPE(2, 1))};
    if (moves_distribution(loss)) {
        in.targets = t_softmax(in.logits);
        loss_set_extra(&in, "reward", t_zeros(ARRAY_F32, SHAPE(2)));
        loss_set_extra(&in, "done", t_zeros(ARRAY_F32, SHAPE(2)));
    }
    return in;
}

/* A loss that discounts by itself must do so alike. */
static bool check_discount(const Instance *loss, double gamma, Error *error)
{
    const Instance *leaf;
    for (int64_t i = 0; (leaf = loss_leaf(loss, i)); i++)
        for (const Param *param = leaf->component->params; param && param->type != PARAM_TYPE_END; param++) {
            if (strcmp(param->name, "gamma") != 0 || param->type != PARAM_TYPE_FLOAT)
                continue;
            double own = *(const double *)(const void *)((const char *)leaf->values + param->offset);
            if (own != gamma)
                return fail_usage(error, "loss.gamma is %g, objective.gamma %g; give both the same", own, gamma);
        }
    return true;
}

static bool check(const void *values, const Instance *loss, const Dataset *shape, const TrainConfig *train,
                  Error *error)
{
    const char *name = loss->component->name;
    if (shape->target_kind != TARGET_VALUES || shape->type != ARRAY_F32)
        return fail_usage(error, "objective: fitted_q wants steps of a decision process, such as random-mdp");
    if (train->transforms.count)
        return fail_usage(error, "train.transforms: fitted_q takes next states as they are, so states cannot change");
    int64_t width = loss_outputs(loss, 1);
    const bool fits = loss_targets(loss) == LOSS_VALUES || moves_distribution(loss);
    if (!fits || loss_any_leaf(loss, loss_looks_inside) || width == 0 || loss_state_width(loss, width) ||
        loss_outputs(loss, shape->classes) != shape->classes * width)
        return fail_usage(error, "loss: fitted_q wants a loss of one value each of several actions, such as mse or "
                          "hl_gauss; %s is none", name);
    LossInput in = probe(loss, width);
    if (!loss_check(loss, &in, error)) {
        error->status = STATUS_USAGE;
        return fail_at(error, "loss: %s", name);
    }
    return !moves_distribution(loss) || check_discount(loss, ((const struct fitted_q *)values)->gamma, error);
}

/* Classes are the actions taken, and what all actions are worth is not known. */
static bool adapt(Dataset *dataset, Error *error)
{
    if (dataset->target_kind != TARGET_CLASS)
        return true;
    dataset->target_kind = TARGET_VALUES;
    dataset->values_unknown = true;
    if (!dataset->labels) /* a shape alone */
        return true;
    if (dataset_column(dataset, COLUMN_ACTION) || dataset->column_count == DATASET_MOST_COLUMNS)
        return fail(error, "data: the classes are the actions taken; leave out the extra %s", COLUMN_ACTION);
    float *taken = arena_alloc(dataset->arena, (size_t)dataset->count * sizeof *taken);
    for (int64_t i = 0; i < dataset->count; i++)
        taken[i] = (float)dataset->labels[i];
    dataset_add_column(dataset, COLUMN_ACTION, 1, taken);
    dataset->values = arena_zero(dataset->arena, (size_t)(dataset->count * dataset->classes), sizeof(float));
    return true;
}

static bool check_column(const Dataset *dataset, const char *name, int64_t width, Error *error)
{
    const DatasetColumn *column = dataset_column(dataset, name);
    if (!column)
        return fail_usage(error, "objective: fitted_q wants steps of a decision process, such as random-mdp; the data "
                          "has no extra \"%s\" (data.extras)", name);
    return column->width == width ||
           fail(error, "data.extras.%s: %lld numbers a sample, fitted_q wants %lld%s", name, (long long)column->width,
                (long long)width, width == 1 ? "" : ", as many as the sample has");
}

/* Actions are among those that have values. */
static bool check_steps(const DataSplit *split, Error *error)
{
    const Dataset *dataset = split->dataset;
    if (!check_column(dataset, COLUMN_ACTION, 1, error) || !check_column(dataset, COLUMN_REWARD, 1, error) ||
        !check_column(dataset, COLUMN_NEXT, dataset_sample_size(dataset), error) ||
        (dataset_column(dataset, COLUMN_DONE) && !check_column(dataset, COLUMN_DONE, 1, error)))
        return false;
    const float *taken = dataset_column(dataset, COLUMN_ACTION)->values;
    for (int64_t i = 0; i < split->count; i++) {
        const double action = (double)taken[split->order[i]];
        if (!(action >= 0 && action < (double)dataset->classes && action == floor(action)))
            return fail(error, "data.extras.%s: sample %lld: %g is none of the actions 0 to %lld", COLUMN_ACTION,
                        (long long)split->order[i], action, (long long)dataset->classes - 1);
    }
    return true;
}

static bool prepare(ObjectiveContext *context, Error *error)
{
    const struct fitted_q *self = context->values;
    const Dataset *dataset = context->splits->train.dataset;
    if (!check_steps(&context->splits->train, error))
        return false;
    if (dataset->target_mean)
        return fail_usage(error, "data.standardize_targets: fitted_q learns from rewards, which it does not change");
    if (!isnan(dataset->discount) && dataset->discount != self->gamma)
        return fail_usage(error, "objective.gamma is %g, data.gamma, of the values that it is measured with, %g",
                          self->gamma, dataset->discount);
    context->state = parameters_copy(context->model->parameters);
    return true;
}

static void release(ObjectiveContext *context)
{
    parameters_free(context->state);
}

static ParameterSet *kept(const ObjectiveContext *context)
{
    return context->state;
}

static void copy_to_target(const ObjectiveContext *context)
{
    const ParameterSet *from = context->model->parameters;
    ParameterSet *to = context->state;
    for (int64_t i = 0; i < from->count; i++)
        memcpy(to->items[i].value->data, from->items[i].value->data,
               (size_t)from->items[i].value->count * sizeof(float));
}

/* The steps of a batch, in the tape's arena. */
typedef struct Steps {
    Tensor *next;               /* [N, shape...] */
    Tensor *reward, *done;      /* [N] */
} Steps;

static Steps steps_of(const Dataset *dataset, const BatchTensors *batch)
{
    int64_t count = batch->batch->count, size = dataset_sample_size(dataset);
    Steps steps = {.next = t_like(batch->x), .reward = batch_extra(batch, COLUMN_REWARD),
                   .done = batch_extra(batch, COLUMN_DONE)};
    for (int64_t i = 0; i < count; i++)
        dataset_next_sample(dataset, batch->batch->ids[i], tensor_f32(steps.next) + i * size);
    if (!steps.done)
        steps.done = t_zeros(ARRAY_F32, SHAPE(count));
    return steps;
}

/* Outputs in evaluation mode, without gradient. */
static Tensor *outputs_of(const Model *model, Tensor *x)
{
    Forward forward = {0};
    return model_forward(model, &forward, x);
}

static void exchange(ParameterSet *a, ParameterSet *b)
{
    for (int64_t i = 0; i < a->count; i++) {
        void *data = a->items[i].value->data;
        a->items[i].value->data = b->items[i].value->data;
        b->items[i].value->data = data;
    }
}

static Tensor *target_outputs(const ObjectiveContext *context, Tensor *x)
{
    exchange(context->model->parameters, context->state);
    Tensor *outputs = outputs_of(context->model, x);
    exchange(context->model->parameters, context->state);
    return outputs;
}

static double *values_of(const ObjectiveContext *context, const Tensor *outputs, int64_t actions)
{
    double *values = arena_alloc(tape_arena(), (size_t)(outputs->shape[0] * actions) * sizeof *values);
    loss_decode(&context->loss, outputs, actions, values);
    return values;
}

/* The outputs of one action of each row: [N, actions * width] -> [N, width]. */
static Tensor *outputs_of_actions(Tensor *outputs, int64_t actions, const int32_t *chosen)
{
    int64_t count = outputs->shape[0];
    Tensor *index = t_new(ARRAY_I32, SHAPE(count));
    for (int64_t i = 0; i < count; i++)
        tensor_i32(index)[i] = (int32_t)(i * actions + chosen[i]);
    return t_index_select(t_reshape(outputs, SHAPE(count * actions, -1)), index);
}

static int32_t *greedy(const double *values, int64_t count, int64_t actions)
{
    int32_t *best = arena_zero(tape_arena(), (size_t)count, sizeof *best);
    for (int64_t i = 0; i < count; i++)
        for (int32_t a = 1; a < actions; a++)
            best[i] = values[i * actions + a] > values[i * actions + best[i]] ? a : best[i];
    return best;
}

/* What the outputs of the taken actions are held to. */
static void set_targets(const ObjectiveContext *context, const Dataset *dataset, const Steps *steps, LossInput *in)
{
    const struct fitted_q *self = context->values;
    int64_t count = steps->next->shape[0], actions = dataset->classes;
    Tensor *outputs = target_outputs(context, steps->next);
    double *values = values_of(context, outputs, actions);
    const double *choosing =
        self->double_q ? values_of(context, outputs_of(context->model, steps->next), actions) : values;
    int32_t *best = greedy(choosing, count, actions);
    if (moves_distribution(&context->loss)) {
        in->targets = t_softmax(outputs_of_actions(outputs, actions, best));
        loss_set_extra(in, "reward", steps->reward);
        loss_set_extra(in, "done", steps->done);
        return;
    }
    in->targets = t_new(ARRAY_F32, SHAPE(count, 1));
    for (int64_t i = 0; i < count; i++) {
        double later = self->gamma * (1 - tensor_value(steps->done, i)) * values[i * actions + best[i]];
        tensor_set(in->targets, i, tensor_value(steps->reward, i) + later);
    }
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const struct fitted_q *self = context->values;
    const Dataset *dataset = context->splits->train.dataset;
    if (forward->step % self->target_period == 0)
        copy_to_target(context);
    LossInput in = objective_loss_input(context, forward, batch, objective_logits(context, forward, batch));
    bool was = tape_record(false);
    Steps steps = steps_of(dataset, batch);
    set_targets(context, dataset, &steps, &in);
    tape_record(was);
    int32_t *taken = arena_zero(tape_arena(), (size_t)batch->batch->count, sizeof *taken);
    for (int64_t i = 0; i < batch->batch->count; i++)
        taken[i] = (int32_t)tensor_value(batch_extra(batch, COLUMN_ACTION), i);
    in.logits = outputs_of_actions(in.logits, dataset->classes, taken);
    return loss_evaluate(&context->loss, &in).loss;
}

const ObjectiveDef objective_fitted_q = {
    .component = {.name = "fitted_q",
                  .summary = "values of actions from steps of a decision process",
                  .params = params,
                  .size = sizeof(struct fitted_q),
                  .source = "Ernst et al. 2005; Mnih et al. 2015",
                  .formula = "L(Q(s, a), r + gamma (1 - done) max_a' Q_target(s', a'))",
                  .notes = "For data with steps, such as random-mdp: samples are states s, the extras reward, next "
                           "(s', as long as s) and, where episodes end, done (1 where one did) say what followed. "
                           "Where the targets are classes they are the actions taken, outputs are the values of all "
                           "of them, and nothing is measured: what they are worth is not known. Where the targets are "
                           "values of all actions, the extra action says which was taken (0, 1, ...), and what is "
                           "measured on val and test are the predicted values beside those. Q_target is the model as "
                           "it was at the last copy. With double the action a' is the best of the model itself (van "
                           "Hasselt et al. 2016). c51 takes the distribution of the best action in its place."},
    .adapt = adapt, .prepare = prepare, .release = release, .check = check, .kept = kept, .loss = loss,
};
