#include "core/train/run.h"

#include <string.h>

#include "core/schedules/weight.h"
#include "core/tensor/operations.h"
#include "core/train/checkpoint.h"
#include "data/tokenizer.h"
#include "data/transform.h"

ModelInput model_input_of(const Dataset *dataset, const Instance *loss)
{
    ModelInput input = {.outputs = loss_outputs(loss, dataset->classes),
                        .per_position = dataset->target_kind == TARGET_TOKENS,
                        .cosines = loss_any_leaf(loss, loss_is_of_cosines),
                        .groups = dataset->group_count > 0,
                        .label_width = dataset->label_width,
                        .label_features = dataset->label_features,
                        .heads = loss_any_leaf(loss, loss_is_of_heads),
                        .feature_names = dataset->rank == 1 ? dataset->feature_names : NULL};
    const Instance *leaf;
    for (int64_t i = 0; (leaf = loss_leaf(loss, i)); i++) {
        const LossDef *def = (const LossDef *)leaf->component;
        input.unit_directions |= def->unit_directions && def->unit_directions(leaf->values);
    }
    input.shape = shape_of(dataset->rank, dataset->shape);
    if (dataset->type == ARRAY_I32)
        input.shape.vocabulary = input.per_position ? dataset->classes
                                                    : dataset->tokenizer->vocabulary + 1; /* the padding token */
    return input;
}

const char *default_loss(TargetKind kind)
{
    switch (kind) {
    case TARGET_LABELS: return "bce";
    case TARGET_VALUES: return "mse";
    default: return "ce";
    }
}

/* Two rows of the shapes that training will have; the lists of a loss are held to them. */
static LossInput probe(const Instance *loss, const Dataset *dataset, bool soft)
{
    LossInput in = {.logits = t_zeros(ARRAY_F32, SHAPE(2, loss_outputs(loss, dataset->classes)))};
    if (dataset->target_kind == TARGET_LABELS || dataset->target_kind == TARGET_VALUES)
        in.targets = t_zeros(ARRAY_F32, SHAPE(2, dataset->classes));
    else
        in.targets = soft ? t_softmax(in.logits) : t_zeros(ARRAY_I32, SHAPE(2));
    for (int64_t row = 0; dataset->target_kind == TARGET_LABELS && row < 2; row++)
        tensor_set(in.targets, row * dataset->classes, 1); /* some losses want a positive label */
    in.features = t_zeros(ARRAY_F32, SHAPE(2, 2));
    if (loss_targets(loss) == LOSS_TOKENS) {
        in.logits = t_zeros(ARRAY_F32, SHAPE(2, dataset->shape[0], dataset->classes));
        in.targets = t_zeros(ARRAY_I32, SHAPE(2, dataset->shape[0]));
    }
    loss_drop_score_axis(loss, &in);
    if (loss_takes_extra(loss, "x"))
        loss_set_extra(&in, "x", t_zeros(ARRAY_F32, SHAPE(2, 1)));
    if (loss_takes_extra(loss, "group") && dataset->group_count)
        loss_set_extra(&in, "group", t_zeros(ARRAY_I32, SHAPE(2)));
    for (int i = 0; i < dataset->column_count; i++) {
        const DatasetColumn *column = &dataset->columns[i];
        if (loss_takes_extra(loss, column->name))
            loss_set_extra(&in, column->name, column->width == 1 ? t_zeros(ARRAY_F32, SHAPE(2))
                                                                  : t_zeros(ARRAY_F32, SHAPE(2, column->width)));
    }
    if (dataset->weights)
        in.weights = t_full(ARRAY_F32, SHAPE(2), 1);
    return in;
}

static bool check_shapes(const Instance *loss, const Dataset *dataset, bool soft, Error *error)
{
    const LossDef *def = (const LossDef *)loss->component;
    LossTargets targets = loss_targets(loss);
    bool tokens = dataset->target_kind == TARGET_TOKENS;
    if (tokens && (loss_state_width(loss, dataset->classes) || loss_any_leaf(loss, loss_is_of_cosines) ||
                   loss_any_leaf(loss, loss_looks_inside) || loss_outputs(loss, dataset->classes) != dataset->classes))
        return fail_usage(error, "loss: %s wants one class a sample, the data has tokens", def->component.name);
    if (loss_outputs(loss, dataset->classes) == 0)
        return fail_usage(error, "loss: %s cannot be had with data of %lld %s a sample", def->component.name,
                          (long long)dataset->classes, targets == LOSS_VALUES ? "values" : "classes");
    LossInput in = probe(loss, dataset, soft);
    if (loss_check(loss, &in, error))
        return true;
    error->status = STATUS_USAGE;
    return fail_at(error, "loss: %s", def->component.name);
}

static bool gives_extra(const void *data, const char *name)
{
    const Dataset *dataset = data;
    if (strcmp(name, "x") == 0)
        return dataset->type != ARRAY_I32;
    return strcmp(name, "group") == 0 ? dataset->group_count > 0 : dataset_column(dataset, name) != NULL;
}

static bool check_extras(const Instance *loss, const Dataset *dataset, Error *error)
{
    const char *missing = loss_missing_extra(loss, gives_extra, dataset);
    if (!missing)
        return true;
    if (strcmp(missing, "group") == 0)
        return fail_usage(error, "loss: %s compares members of groups, and the data has none; name their column in "
                          "data.group", loss->component->name);
    return fail_usage(error, "loss: %s needs the extra \"%s\", which neither the data (data.extras) nor this "
                      "objective gives", loss->component->name, missing);
}

/* A model has one head: terms are all of its cosines or none is, and all of several heads or none. */
static bool check_head(const Instance *loss, bool (*is)(const LossDef *), const char *what, Error *error)
{
    const Instance *leaf, *first = loss_leaf(loss, 0);
    for (int64_t i = 0; (leaf = loss_leaf(loss, i)); i++)
        if (is((const LossDef *)leaf->component) != is((const LossDef *)first->component)) {
            bool own = is((const LossDef *)leaf->component);
            return fail_usage(error, "loss: %s is of %s, %s is not; a model that gives both is none",
                              (own ? leaf : first)->component->name, what, (own ? first : leaf)->component->name);
        }
    return true;
}

bool check_loss(const Instance *loss, const Dataset *dataset, const TrainConfig *train, Error *error)
{
    const LossDef *def = (const LossDef *)loss->component;
    LossTargets targets = loss_targets(loss);
    static const char *const kinds[] = {"classes", "probabilities", "labels", "values", "tokens"};
    TargetKind kind = dataset->target_kind;
    bool classes = kind == TARGET_CLASS || kind == TARGET_TOKENS, mixes = false;
    for (int64_t i = 0; i < train->transforms.count; i++)
        mixes |= ((const TransformDef *)train->transforms.items[i].component)->batch != NULL;
    bool fits = (classes && (targets == LOSS_CLASSES || targets == LOSS_CLASSES_OR_SOFT)) ||
                (kind == TARGET_SOFT && (targets == LOSS_SOFT || targets == LOSS_CLASSES_OR_SOFT)) ||
                (kind == TARGET_LABELS && targets == LOSS_LABELS) ||
                (dataset->own_tokens && !dataset->masks_targets && targets == LOSS_TOKENS) ||
                (kind == TARGET_VALUES && targets == LOSS_VALUES);
    if (targets == LOSS_IDS)
        return fail_usage(error, "loss: %s compares embeddings of views, of which this objective makes none; train "
                          "with \"objective\": \"contrastive\"", def->component.name);
    if (kind == TARGET_TOKENS && targets == LOSS_TOKENS && !fits)
        return fail_usage(error, "loss: %s compares a predicted sequence with a whole target, such as those of "
                          "translation; here each token is predicted from those before it", def->component.name);
    if (!fits)
        return fail_usage(error, "loss: %s wants %s, the data has %s", def->component.name,
                          loss_targets_name(targets), kinds[kind]);
    if (mixes && targets != LOSS_CLASSES_OR_SOFT)
        return fail_usage(error, "loss: %s takes no probabilities, which mixing transforms make of classes",
                          def->component.name);
    return check_extras(loss, dataset, error) && check_head(loss, loss_is_of_cosines, "cosines", error) &&
           check_head(loss, loss_is_of_heads, "heads", error) &&
           check_shapes(loss, dataset, mixes || kind == TARGET_SOFT, error);
}

static bool build_model(Run *run, const Instance *objective, const Dataset *shape, Error *error)
{
    Config *config = run->config;
    const ObjectiveDef *def = (const ObjectiveDef *)objective->component;
    if (!config->loss.component)
        config->loss = instance_default(config->arena, "loss", default_loss(shape->target_kind));
    bool good = def->check ? def->check(objective->values, &config->loss, shape, &config->train, error)
                           : check_loss(&config->loss, shape, &config->train, error);
    if (!good)
        return fail_at(error, "%s", config->name);
    ModelInput input = model_input_of(shape, &config->loss);
    if (def->outputs)
        input.outputs = def->outputs(objective->values);
    run->model = model_new(&config->model, input, (uint64_t)config->seed, error);
    if (!run->model)
        return fail_at(error, "%s", config->name);
    if (!objective_tap(run->model, &config->loss, &run->tap, error))
        return fail_at(error, "%s", config->name);
    return !run->tap || !config->train.recompute ||
           fail_usage(error, "%s: train.recompute: loss %s looks at a layer inside the model, which would not be kept",
                      config->name, config->loss.component->name);
}

/* What the config alone shows is found before the data is read, and is exit 2. */
static bool load_data(Run *run, const Instance *objective, Error *error)
{
    Config *config = run->config;
    Dataset shape = {0};
    bool known = data_describe(&config->data, &shape);
    const ObjectiveDef *adapting = (const ObjectiveDef *)objective->component;
    if (known && adapting->adapt && !adapting->adapt(&shape, error))
        return fail_at(error, "%s", config->name);
    if (known && !build_model(run, objective, &shape, error))
        return false;
    if (!objective_load_data(adapting, config, &run->splits, error))
        return false;
    if (run->splits.train.count == 0)
        return fail(error, "%s: data: the training split is empty", config->name);
    if (known && shape.label_width == 0)
        return true;
    /* The features of labels, which models keep, are there only now. */
    model_free(run->model);
    run->model = NULL;
    if (build_model(run, objective, run->splits.train.dataset, error))
        return true;
    error->status = STATUS_FAILED;
    return false;
}

static bool check_labels_of(const Run *run, const Instance *loss, Error *error)
{
    const LossDef *def = (const LossDef *)loss->component;
    const DataSplit *split = &run->splits.train;
    const Dataset *dataset = split->dataset;
    if (def->targets != LOSS_LABELS || !def->check || loss_outputs(loss, dataset->classes) != dataset->classes)
        return true;
    bool good = true;
    for (int64_t i = 0; i < split->count && good; i++) {
        float *labels = dataset->values + split->order[i] * dataset->classes;
        LossInput in = {.logits = t_zeros(ARRAY_F32, SHAPE(1, dataset->classes)),
                        .targets = t_wrap(ARRAY_F32, SHAPE(1, dataset->classes), labels)};
        good = loss_check(loss, &in, error) ||
               fail_at(error, "%s: data: training sample %lld", run->config->name, (long long)split->order[i]);
        tape_reset();
    }
    return good;
}

/* What a loss of labels refuses in some sample is found before training, not in the middle of it. */
static bool check_labels(const Run *run, Error *error)
{
    const Instance *leaf;
    for (int64_t i = 0; (leaf = loss_leaf(&run->config->loss, i)); i++)
        if (!check_labels_of(run, leaf, error))
            return false;
    return true;
}

static bool prepare_objective(Run *run, const Instance *objective, Error *error)
{
    Config *config = run->config;
    run->loss_state_width = loss_state_width(&config->loss, run->model->input.outputs);
    run->loss_state_rows = run->splits.train.dataset->count;
    run->loss_run_state_width = loss_run_state_width(&config->loss);
    run->context = (ObjectiveContext){
        .config = config, .model = run->model, .splits = &run->splits, .loss = config->loss,
        .tap = run->tap, .values = objective->values, .schedule_factor = 1, .seed = (uint64_t)config->seed,
        .at = {0, run_total_steps(run), run_steps_per_epoch(run)},
    };
    if (run->loss_state_width)
        run->context.loss_state = memory_array((size_t)(run->loss_state_rows * run->loss_state_width), sizeof(float));
    if (run->loss_run_state_width)
        run->context.loss_run_state = memory_array((size_t)run->loss_run_state_width, sizeof(float));
    const ObjectiveDef *def = (const ObjectiveDef *)objective->component;
    run->objective = def;
    if (def->prepare && !def->prepare(&run->context, error))
        return fail_at(error, "%s", config->name);
    StrataRule rule;
    const int32_t *strata = def->strata ? def->strata(&run->context, &rule) : NULL;
    if (strata)
        loader_stratify(run->loader, rule, strata);
    return true;
}

static bool make_loader(Run *run, Error *error)
{
    const TrainConfig *train = &run->config->train;
    LoaderOptions options = {.batch_size = train->batch_size,
                             .shuffle = train->shuffle,
                             .transforms = train->transforms,
                             .seed = (uint64_t)run->config->seed,
                             .prefetch = train->prefetch};
    if (!loader_check(&run->splits.train, &options, error))
        return fail_at(error, "%s: train", run->config->name);
    run->loader = loader_new(&run->splits.train, options);
    return true;
}

static void make_buffers(Run *run)
{
    ParameterSet *parameters = run->model->parameters;
    if (run->config->train.accumulate > 1) {
        run->gradient_sums = memory_array((size_t)parameters->count, sizeof *run->gradient_sums);
        for (int64_t i = 0; i < parameters->count; i++)
            run->gradient_sums[i] = memory_array((size_t)parameters->items[i].value->count, sizeof(float));
    }
    if (!isnan(run->config->train.ema))
        run->average = parameters_copy(parameters);
}

static bool check_schedules(const Run *run, const Instance *objective, Error *error)
{
    const Instance *schedule = &run->config->schedule;
    if (run_total_steps(run) == 0 && schedule_needs_total(schedule))
        return fail_usage(error,
                          "%s: schedule: %s needs train.epochs or train.steps; seconds alone do not tell the length",
                          run->config->name, schedule->component->name);
    const char *section = objective == &run->config->objective ? "objective" : "distill";
    const struct { const char *key; const Instance *instance;
    } parts[] = {{"loss", &run->config->loss}, {section, objective}};
    for (size_t i = 0; run_total_steps(run) == 0 && i < sizeof parts / sizeof *parts; i++) {
        const Weight *weight = instance_find_weight(parts[i].instance, weight_needs_total);
        if (weight)
            return fail_usage(error,
                              "%s: %s: a weight moves by %s, which needs train.epochs or train.steps; seconds alone do "
                              "not tell the length", run->config->name, parts[i].key, weight->schedule.component->name);
    }
    return true;
}

Run *run_new(Config *config, const Instance *objective, Error *error)
{
    Run *run = memory_new(sizeof *run);
    run->config = config;
    run->progress = (Progress){.best_loss = NAN, .best_epoch = -1, .schedule_factor = 1};
    run->tape = tape_new();
    tape_use(run->tape);
    objective = objective ? objective : &config->objective;
    bool good =
        config_require(config, "data model", error) && load_data(run, objective, error) && check_labels(run, error) &&
        make_loader(run, error) &&
        check_schedules(run, objective, error) &&
        (!config->train.init_from || checkpoint_initialise(run->model->parameters, config->train.init_from, error)) &&
        prepare_objective(run, objective, error);
    if (good) {
        run->optimizer = optimizer_new(&config->optimizer, run->model->parameters, error);
        good = run->optimizer || fail_at(error, "%s", config->name);
    }
    if (good)
        make_buffers(run);
    if (good && checkpoint_fits(run, error))
        return run;
    run_free(run);
    return NULL;
}

void run_free(Run *run)
{
    if (!run)
        return;
    loader_free(run->loader);
    if (run->context.state && run->objective->release)
        run->objective->release(&run->context);
    memory_free(run->context.loss_state);
    memory_free(run->context.loss_run_state);
    for (int64_t i = 0; run->gradient_sums && i < run->model->parameters->count; i++)
        memory_free(run->gradient_sums[i]);
    memory_free(run->gradient_sums);
    optimizer_free(run->optimizer);
    parameters_free(run->average);
    model_free(run->model);
    if (run->splits.arena)
        data_free(&run->splits);
    tape_free(run->tape);
    config_free(run->config);
    memory_free(run);
}

int64_t run_steps_per_epoch(const Run *run)
{
    int64_t accumulate = run->config->train.accumulate;
    return (loader_batches(run->loader) + accumulate - 1) / accumulate;
}

int64_t run_total_steps(const Run *run)
{
    const TrainConfig *train = &run->config->train;
    int64_t by_epochs = train->epochs == PARAM_UNSET ? 0 : train->epochs * run_steps_per_epoch(run);
    if (train->steps == PARAM_UNSET)
        return by_epochs;
    return train->epochs == PARAM_UNSET || train->steps < by_epochs ? train->steps : by_epochs;
}

void run_swap_average(Run *run)
{
    ParameterSet *parameters = run->model->parameters;
    for (int64_t i = 0; run->average && i < parameters->count; i++) {
        void *data = parameters->items[i].value->data;
        parameters->items[i].value->data = run->average->items[i].value->data;
        run->average->items[i].value->data = data;
    }
}
