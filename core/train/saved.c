#include "core/train/saved.h"

#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "core/train/checkpoint.h"
#include "core/train/objective.h"
#include "data/safetensors.h"

static const char *const kinds[] = {"class", "soft", "labels", "values", "tokens", NULL};

/* What the metadata's "data" says, by the same tables as configs. */
struct description {
    int kind;
    int64_t classes, outputs, vocabulary, label_width;
    IntList shape;
    bool groups;
    const cJSON *class_names, *feature_names;
    FloatList fills, mean, deviation, target_mean, target_deviation;
};

static const Param description_params[] = {
    {.name = "targets", .type = PARAM_TYPE_ENUM, .offset = offsetof(struct description, kind), .choices = kinds},
    PARAM_REQUIRED(INT, struct description, classes, .min = 1, .max = 1e9),
    PARAM_INT(struct description, outputs, null, .min = 1, .max = 1e9, .optional = true),
    PARAM_INT(struct description, vocabulary, 0, .min = 0, .max = 1e9),
    PARAM_INTS(struct description, shape, NULL, .min = 1, .max = 1e9),
    PARAM_BOOL(struct description, groups, false),
    PARAM_INT(struct description, label_width, 0, .min = 0, .max = 1e9),
    PARAM_JSON(struct description, class_names, "null"),
    PARAM_JSON(struct description, feature_names, "null"),
    PARAM_FLOATS(struct description, fills, "[]"),
    PARAM_FLOATS(struct description, mean, "[]"),
    PARAM_FLOATS(struct description, deviation, "[]"),
    PARAM_FLOATS(struct description, target_mean, "[]"),
    PARAM_FLOATS(struct description, target_deviation, "[]"),
    PARAM_END
};

static const float *to_floats(Arena *arena, FloatList list)
{
    float *values = arena_zero(arena, (size_t)list.count, sizeof *values);
    for (int64_t i = 0; i < list.count; i++)
        values[i] = (float)list.items[i];
    return values;
}

/* *list stays NULL where there are no names. */
static bool read_names(Arena *arena, const char *key, const cJSON *names, int64_t count, const char *const **list,
                       Error *error)
{
    if (!names || cJSON_IsNull(names))
        return true;
    if (!cJSON_IsArray(names) || cJSON_GetArraySize(names) != count)
        return fail(error, "%s: expected %lld names", key, (long long)count);
    const char **copy = arena_zero(arena, (size_t)count, sizeof *copy);
    const cJSON *name;
    int64_t i = 0;
    cJSON_ArrayForEach(name, names)
    {
        if (!cJSON_IsString(name))
            return fail(error, "%s: expected strings", key);
        copy[i++] = arena_string(arena, name->valuestring);
    }
    *list = copy;
    return true;
}

static bool read_description(SavedModel *saved, JsonSource *source, const char *text, ModelInput *input, Error *error)
{
    struct description description;
    ParamContext context = {.source = source, .arena = saved->arena, .error = error};
    const cJSON *json = text ? json_parse(source, "data", text, strlen(text), error) : NULL;
    if (!text)
        return fail(error, "the file holds no description of its data; was it written by xent?");
    if (!json || !params_parse(&context, description_params, false, json, &description))
        return false;
    if (description.shape.count > TENSOR_MAX_RANK - 1 || description.mean.count != description.deviation.count
        || description.target_mean.count != description.target_deviation.count)
        return fail(error, "data: shapes of the description disagree");
    if (description.fills.count) {
        if (description.shape.count != 1 || description.fills.count != description.shape.items[0])
            return fail(error, "data: fills: expected one a feature");
        saved->fills = description.fills.items;
    }
    saved->target_kind = (TargetKind)description.kind;
    saved->classes = description.classes;
    saved->normalized = description.mean.count;
    saved->mean = to_floats(saved->arena, description.mean);
    saved->deviation = to_floats(saved->arena, description.deviation);
    if (description.target_mean.count == description.classes) {
        saved->target_mean = description.target_mean.items;
        saved->target_deviation = description.target_deviation.items;
    }
    *input = (ModelInput){.shape = shape_of((int)description.shape.count, description.shape.items),
                          .outputs = description.outputs == PARAM_UNSET ? description.classes : description.outputs,
                          .per_position = saved->target_kind == TARGET_TOKENS,
                          .groups = description.groups,
                          .label_width = description.label_width};
    input->shape.vocabulary = description.vocabulary;
    const int64_t columns = description.shape.count == 1 ? description.shape.items[0] : 0;
    return read_names(saved->arena, "class_names", description.class_names, saved->classes, &saved->class_names,
                      error) &&
           read_names(saved->arena, "feature_names", description.feature_names, columns, &saved->feature_names,
                      error) &&
           (input->feature_names = saved->feature_names, true);
}

/* The loss, which --set may have changed, is what reads the model's outputs. */
static bool settle_loss(const SavedModel *saved, ModelInput *input, Error *error)
{
    Config *config = saved->config;
    const ObjectiveDef *objective = (const ObjectiveDef *)config->objective.component;
    if (objective->outputs)
        return fail(error, "its outputs are embeddings of the objective %s, not predictions; train a model that "
                    "begins with its layers, by train.init_from", objective->component.name);
    if (!config->loss.component)
        config->loss = instance_default(config->arena, "loss", default_loss(saved->target_kind));
    input->cosines = loss_any_leaf(&config->loss, loss_is_of_cosines);
    input->heads = loss_any_leaf(&config->loss, loss_is_of_heads);
    int64_t outputs = loss_outputs(&config->loss, saved->classes);
    return outputs == input->outputs ||
           fail(error, "loss: %s needs %lld outputs for %lld classes or values, the model has %lld",
                config->loss.component->name, (long long)outputs, (long long)saved->classes, (long long)input->outputs);
}

static bool read_tokenizer(SavedModel *saved, JsonSource *source, const char *text, Error *error)
{
    if (!text)
        return true;
    ParamContext context = {.source = source, .arena = saved->arena, .error = error};
    const cJSON *json = json_parse(source, "tokenizer", text, strlen(text), error);
    saved->tokenizer = arena_zero(saved->arena, 1, sizeof *saved->tokenizer);
    return json && tokenizer_restore(&context, json, saved->arena, saved->tokenizer, error);
}

static int64_t read_number(const char *text)
{
    long long number = 0;
    return text && sscanf(text, "%lld", &number) == 1 ? number : 0;
}

static bool read_file(SavedModel *saved, const char *const *sets, const uint64_t *seed, Error *error)
{
    Safetensors file;
    ModelInput input;
    Arena *arena = arena_new();
    JsonSource *source = json_source_new();
    bool good = safetensors_read_header(saved->path, arena, &file, error);
    const char *config = good ? safetensors_metadata(&file, "config") : NULL;
    if (good && !config)
        good = fail(error, "%s: no config in __metadata__; was it written by xent?", saved->path);
    good = good && (saved->config = config_parse(saved->path, config, sets, seed, error));
    good = good && (read_description(saved, source, safetensors_metadata(&file, "data"), &input, error) ||
                    fail_at(error, "%s", saved->path));
    good = good && (read_tokenizer(saved, source, safetensors_metadata(&file, "tokenizer"), error) ||
                    fail_at(error, "%s", saved->path));
    good = good && (settle_loss(saved, &input, error) || fail_at(error, "%s", saved->path));
    if (good) {
        saved->step = read_number(safetensors_metadata(&file, "step"));
        saved->epoch = read_number(safetensors_metadata(&file, "epoch"));
        const char *calibration = safetensors_metadata(&file, "calibration");
        saved->calibration = calibration ? arena_string(saved->arena, calibration) : NULL;
        saved->model = model_new(&saved->config->model, input, (uint64_t)saved->config->seed, error);
        const Layer *tap; /* the loss may have been changed since training */
        good = (saved->model && objective_tap(saved->model, &saved->config->loss, &tap, error)) ||
               fail_at(error, "%s", saved->path);
    }
    json_source_free(source);
    arena_free(arena);
    return good && checkpoint_load_model(saved->model, saved->path, error);
}

static bool find_file(SavedModel *saved, const char *path, Error *error)
{
    saved->path = arena_string(saved->arena, path);
    if (!file_is_folder(path))
        return true;
    saved->folder = saved->path;
    static const char *const names[] = {"best", "last"};
    for (int i = 0; i < 2; i++) {
        const char *file = arena_format(saved->arena, "%s/checkpoints/%s.safetensors", path, names[i]);
        if (file_exists(file)) {
            saved->path = file;
            return true;
        }
    }
    return fail(error, "%s: no run, or one that has not saved yet: checkpoints/best.safetensors is missing", path);
}

SavedModel *saved_open(const char *path, const char *const *sets, const uint64_t *seed, Error *error)
{
    SavedModel *saved = memory_new(sizeof *saved);
    saved->arena = arena_new();
    if (find_file(saved, path, error) && read_file(saved, sets, seed, error))
        return saved;
    saved_close(saved);
    return NULL;
}

void saved_close(SavedModel *saved)
{
    if (!saved)
        return;
    model_free(saved->model);
    config_free(saved->config);
    arena_free(saved->arena);
    memory_free(saved);
}

static bool same_samples(const SavedModel *saved, Shape shape)
{
    const Shape *expected = &saved->model->input.shape;
    bool same = shape.rank == expected->rank && shape.vocabulary == expected->vocabulary;
    for (int i = 0; same && i < shape.rank; i++)
        same = shape.sizes[i] == expected->sizes[i];
    return same;
}

static bool check_shape(const SavedModel *saved, const Dataset *dataset, const char *name, Error *error)
{
    const ModelInput input = model_input_of(dataset, &saved->config->loss), *expected = &saved->model->input;
    if (same_samples(saved, input.shape) && dataset->classes == saved->classes &&
        dataset->target_kind == saved->target_kind)
        return true;
    Arena *arena = arena_new();
    fail(error, "%s: data: samples %s with %lld classes or values, but %s was trained on %s with %lld", name,
         shape_text(arena, input.shape), (long long)dataset->classes, saved->path, shape_text(arena, expected->shape),
         (long long)saved->classes);
    arena_free(arena);
    return false;
}

static void take_normalization(const SavedModel *saved, Dataset *dataset)
{
    if (dataset->normalized != saved->normalized)
        return;
    for (int64_t c = 0; c < saved->normalized; c++) {
        dataset->mean[c] = saved->mean[c];
        dataset->deviation[c] = saved->deviation[c];
    }
}

bool saved_load_data(const SavedModel *saved, const Config *config, DataSplits *splits, Error *error)
{
    config = config ? config : saved->config;
    const ObjectiveDef *objective = (const ObjectiveDef *)saved->config->objective.component;
    if (!config_require(config, "data", error) || !objective_load_data(objective, config, splits, error))
        return false;
    DataSplit *all[] = {&splits->train, &splits->val, &splits->test};
    for (int i = 0; i < 3; i++) {
        Dataset *dataset = all[i]->dataset;
        if (all[i]->count == 0)
            continue;
        if (!check_shape(saved, dataset, config->name, error)) {
            data_free(splits);
            return false;
        }
        take_normalization(saved, dataset);
    }
    return true;
}

bool saved_load_classes(const SavedModel *saved, const Instance *data, DataSplits *splits, Error *error)
{
    if (!data_load(data, (uint64_t)saved->config->seed, splits, error))
        return false;
    bool good = true;
    for (int i = 0; i < 3 && splits->datasets[i] && good; i++) {
        Dataset *dataset = splits->datasets[i];
        good = dataset->target_kind == TARGET_CLASS || fail(error, "data: the targets are not classes");
        good = good && (same_samples(saved, model_input_of(dataset, &saved->config->loss).shape) ||
                        fail(error, "data: samples of another shape than those that %s was trained on", saved->path));
        good = good && (dataset->normalized == saved->normalized ||
                        fail(error, "data: normalize: not as %s was trained", saved->path));
        if (good)
            take_normalization(saved, dataset);
    }
    if (!good)
        data_free(splits);
    return good;
}

bool saved_copy(const SavedModel *saved, const char *key, const char *value, const char *path, Error *error)
{
    Arena *arena = arena_new();
    Safetensors file;
    bool good = safetensors_read(saved->path, arena, &file, error);
    if (good) {
        const char **keys = arena_zero(arena, (size_t)file.metadata_count + 1, sizeof *keys),
                   **values = arena_zero(arena, (size_t)file.metadata_count + 1, sizeof *values);
        int64_t count = 0;
        for (int64_t i = 0; i < file.metadata_count; i++)
            if (strcmp(file.keys[i], key) != 0) {
                keys[count] = file.keys[i];
                values[count++] = file.values[i];
            }
        keys[count] = key;
        values[count++] = value;
        file.keys = keys;
        file.values = values;
        file.metadata_count = count;
        good = safetensors_write(path, &file, error);
    }
    arena_free(arena);
    return good;
}
