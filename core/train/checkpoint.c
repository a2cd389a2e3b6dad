#include "core/train/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/train/quantized_file.h"
#include "data/safetensors.h"
#include "data/tokenizer.h"

/* A file being put together; grows in its arena. */
typedef struct Draft {
    Arena *arena;
    Safetensors file;
    int64_t item_room, key_room;
} Draft;

static void add_array(Draft *draft, const char *name, ArrayType type, int rank, const int64_t *shape, void *data)
{
    if (draft->file.count == draft->item_room) {
        int64_t room = draft->item_room ? 2 * draft->item_room : 64;
        NamedArray *larger = arena_zero(draft->arena, (size_t)room, sizeof *larger);
        if (draft->file.count)
            memcpy(larger, draft->file.items, (size_t)draft->file.count * sizeof *larger);
        draft->file.items = larger;
        draft->item_room = room;
    }
    NamedArray *item = &draft->file.items[draft->file.count++];
    *item = (NamedArray){name, {.type = type, .rank = rank, .count = 1, .data = data}};
    for (int i = 0; i < rank; i++) {
        item->array.shape[i] = shape[i];
        item->array.count *= shape[i];
    }
}

static void add_tensor(Draft *draft, const char *prefix, const char *name, const Tensor *tensor, void *data)
{
    add_array(draft, arena_format(draft->arena, "%s%s", prefix, name), tensor->type, tensor->rank, tensor->shape, data);
}

static void add_metadata(Draft *draft, const char *key, const char *value)
{
    if (draft->file.metadata_count == draft->key_room) {
        int64_t room = draft->key_room ? 2 * draft->key_room : 16;
        const char **keys = arena_zero(draft->arena, (size_t)room, sizeof *keys),
                   **values = arena_zero(draft->arena, (size_t)room, sizeof *values);
        for (int64_t i = 0; i < draft->file.metadata_count; i++) {
            keys[i] = draft->file.keys[i];
            values[i] = draft->file.values[i];
        }
        draft->file.keys = keys;
        draft->file.values = values;
        draft->key_room = room;
    }
    draft->file.keys[draft->file.metadata_count] = key;
    draft->file.values[draft->file.metadata_count++] = value;
}

static void add_json(Draft *draft, const char *key, cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    add_metadata(draft, key, arena_string(draft->arena, text));
    cJSON_free(text);
    cJSON_Delete(json);
}

/* What the data was, as far as prediction needs it. */
static cJSON *data_description(const Run *run)
{
    const Dataset *dataset = run->splits.train.dataset;
    static const char *const kinds[] = {"class", "soft", "labels", "values", "tokens"};
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "targets", kinds[dataset->target_kind]);
    cJSON_AddNumberToObject(object, "classes", (double)dataset->classes);
    if (run->model->input.outputs != dataset->classes)
        cJSON_AddNumberToObject(object, "outputs", (double)run->model->input.outputs);
    if (run->model->input.groups)
        cJSON_AddTrueToObject(object, "groups");
    if (run->model->input.label_width)
        cJSON_AddNumberToObject(object, "label_width", (double)run->model->input.label_width);
    cJSON *shape = cJSON_AddArrayToObject(object, "shape");
    for (int i = 0; i < dataset->rank; i++)
        cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)dataset->shape[i]));
    cJSON_AddNumberToObject(object, "vocabulary", (double)run->model->input.shape.vocabulary);
    if (dataset->class_names) {
        cJSON *names = cJSON_AddArrayToObject(object, "class_names");
        for (int64_t i = 0; i < dataset->classes; i++)
            cJSON_AddItemToArray(names, cJSON_CreateString(dataset->class_names[i]));
    }
    if (dataset->feature_names && dataset->rank == 1) {
        cJSON *names = cJSON_AddArrayToObject(object, "feature_names");
        for (int64_t i = 0; i < dataset->shape[0]; i++)
            cJSON_AddItemToArray(names, cJSON_CreateString(dataset->feature_names[i]));
    }
    if (dataset->fills && dataset->rank == 1) {
        cJSON *fills = cJSON_AddArrayToObject(object, "fills");
        for (int64_t i = 0; i < dataset->shape[0]; i++)
            cJSON_AddItemToArray(fills, json_number_exact(dataset->fills[i]));
    }
    cJSON *mean = cJSON_AddArrayToObject(object, "mean"), *deviation = cJSON_AddArrayToObject(object, "deviation");
    for (int64_t i = 0; i < dataset->normalized; i++) {
        cJSON_AddItemToArray(mean, cJSON_CreateNumber((double)dataset->mean[i]));
        cJSON_AddItemToArray(deviation, cJSON_CreateNumber((double)dataset->deviation[i]));
    }
    if (dataset->target_mean) {
        cJSON_AddItemToObject(object, "target_mean",
                              cJSON_CreateDoubleArray(dataset->target_mean, (int)dataset->classes));
        cJSON_AddItemToObject(object, "target_deviation",
                              cJSON_CreateDoubleArray(dataset->target_deviation, (int)dataset->classes));
    }
    return object;
}

static void add_description(Draft *draft, const Run *run)
{
    add_metadata(draft, "format", "xent");
    add_metadata(draft, "version", XENT_VERSION);
    add_metadata(draft, "step", arena_format(draft->arena, "%lld", (long long)run->progress.step));
    add_metadata(draft, "epoch", arena_format(draft->arena, "%lld", (long long)run->progress.epoch));
    add_json(draft, "config", config_resolved(run->config));
    add_json(draft, "data", data_description(run));
    if (run->splits.train.dataset->tokenizer)
        add_json(draft, "tokenizer", tokenizer_save(run->splits.train.dataset->tokenizer));
}

bool checkpoint_save_weights(Run *run, const char *path, Error *error)
{
    Draft draft = {.arena = arena_new()};
    const ParameterSet *parameters = run->model->parameters;
    for (int64_t i = 0; i < parameters->count; i++) {
        const Tensor *source = run->average ? run->average->items[i].value : parameters->items[i].value;
        add_tensor(&draft, "", parameters->items[i].name, source, source->data);
    }
    add_description(&draft, run);
    bool good = safetensors_write(path, &draft.file, error);
    arena_free(draft.arena);
    return good;
}

/* Counters travel as one F64 tensor; all are far below 2^53. */
enum { COUNTERS = 14 };

/* The clock is kept only for runs that it limits: the bytes of all others are the same each time. */
static void pack_progress(const Progress *progress, bool timed, double counters[COUNTERS])
{
    double packed[COUNTERS] = {
        (double)progress->step,        (double)progress->epoch,      (double)progress->batch,
        progress->best_loss,           (double)progress->best_epoch, (double)progress->best_step,
        (double)progress->bad_epochs,  progress->schedule_factor,    progress->schedule_state[0],
        progress->schedule_state[1],   progress->schedule_state[2],  progress->schedule_state[3],
        timed ? progress->seconds : 0, progress->finished,
    };
    memcpy(counters, packed, sizeof packed);
}

static void unpack_progress(const double counters[COUNTERS], Progress *progress)
{
    *progress = (Progress){
        .step = (int64_t)counters[0],
        .epoch = (int64_t)counters[1],
        .batch = (int64_t)counters[2],
        .best_loss = counters[3],
        .best_epoch = (int64_t)counters[4],
        .best_step = (int64_t)counters[5],
        .bad_epochs = (int64_t)counters[6],
        .schedule_factor = counters[7],
        .schedule_state = {counters[8], counters[9], counters[10], counters[11]},
        .seconds = counters[12],
        .finished = counters[13] != 0,
    };
}

static ParameterSet *kept_by_objective(const Run *run)
{
    return run->objective->kept ? run->objective->kept(&run->context) : NULL;
}

/* `counters` must live as long as the draft. */
static void draft_state(const Run *run, Draft *draft, double counters[COUNTERS])
{
    const ParameterSet *parameters = run->model->parameters;
    pack_progress(&run->progress, !isnan(run->config->train.seconds), counters);
    add_array(draft, "progress", ARRAY_F64, 1, (int64_t[]){COUNTERS}, counters);
    if (run->loss_state_width)
        add_array(draft, "loss_state", ARRAY_F32, 2,
                  (int64_t[]){run->loss_state_rows, run->loss_state_width}, run->context.loss_state);
    if (run->loss_run_state_width)
        add_array(draft, "loss_run_state", ARRAY_F32, 1, (int64_t[]){run->loss_run_state_width},
                  run->context.loss_run_state);
    for (int64_t i = 0; i < parameters->count; i++)
        add_tensor(draft, "parameters.", parameters->items[i].name, parameters->items[i].value,
                   parameters->items[i].value->data);
    for (int64_t i = 0; run->average && i < parameters->count; i++)
        add_tensor(draft, "average.", parameters->items[i].name, run->average->items[i].value,
                   run->average->items[i].value->data);
    const ParameterSet *kept = kept_by_objective(run);
    for (int64_t i = 0; kept && i < kept->count; i++)
        add_tensor(draft, "objective.", kept->items[i].name, kept->items[i].value, kept->items[i].value->data);
    for (int64_t k = 0; k < optimizer_state_count(run->optimizer); k++) {
        const char *slot;
        const Parameter *parameter;
        float *data = optimizer_state(run->optimizer, k, &slot, &parameter);
        add_tensor(draft, arena_format(draft->arena, "optimizer.%s.", slot), parameter->name, parameter->value, data);
    }
}

static bool save_state(Run *run, const char *path, Error *error)
{
    Draft draft = {.arena = arena_new()};
    double counters[COUNTERS];
    draft_state(run, &draft, counters);
    add_metadata(&draft, "step", arena_format(draft.arena, "%lld", (long long)run->progress.step));
    bool good = safetensors_write(path, &draft.file, error);
    arena_free(draft.arena);
    return good;
}

bool checkpoint_fits(const Run *run, Error *error)
{
    Draft draft = {.arena = arena_new()};
    double counters[COUNTERS];
    draft_state(run, &draft, counters);
    size_t bytes = safetensors_data_bytes(&draft.file) + SAFETENSORS_MAX_HEADER;
    arena_free(draft.arena);
    return bytes <= SAFETENSORS_MOST_BYTES ||
           fail_usage(error,
                      "%s: model and optimizer %s have a state of %zu bytes, more than the %d of a checkpoint; make "
                      "the model smaller, or take an optimizer that keeps less",
                      run->config->name, run->config->optimizer.component->name, bytes, SAFETENSORS_MOST_BYTES);
}

bool checkpoint_save_last(Run *run, const char *folder, Error *error)
{
    if (run->objective->settle)
        run->objective->settle(&run->context);
    Arena *arena = arena_new();
    bool good = save_state(run, arena_format(arena, "%s/checkpoints/last.state.safetensors", folder), error)
                && checkpoint_save_weights(run, arena_format(arena, "%s/checkpoints/last.safetensors", folder), error);
    arena_free(arena);
    return good;
}

/* Copies PATH to COPY with the config of this run, unless that would write the same bytes over themselves. */
static bool copy_weights(const Run *run, const char *path, const char *copy, Error *error)
{
    Arena *arena = arena_new();
    Safetensors file;
    bool good = safetensors_read(path, arena, &file, error), changed = strcmp(path, copy) != 0;
    cJSON *resolved = config_resolved(run->config);
    char *config = cJSON_PrintUnformatted(resolved);
    for (int64_t i = 0; good && i < file.metadata_count; i++)
        if (strcmp(file.keys[i], "config") == 0 && strcmp(file.values[i], config) != 0) {
            file.values[i] = config;
            changed = true;
        }
    good = good && (!changed || safetensors_write(copy, &file, error));
    cJSON_free(config);
    cJSON_Delete(resolved);
    arena_free(arena);
    return good;
}

bool checkpoint_save_best(Run *run, const char *folder, bool keep_whole, Error *error)
{
    Arena *arena = arena_new();
    const char *best = arena_format(arena, "%s/checkpoints/best.safetensors", folder),
               *whole = arena_format(arena, "%s/checkpoints/best-epoch.safetensors", folder);
    bool good = (!keep_whole || copy_weights(run, best, whole, error)) &&
                checkpoint_save_weights(run, best, error);
    arena_free(arena);
    return good;
}

bool checkpoint_continue_best(const Run *run, const char *folder, Error *error)
{
    Arena *arena = arena_new();
    const char *best = arena_format(arena, "%s/checkpoints/best.safetensors", folder),
               *whole = arena_format(arena, "%s/checkpoints/best-epoch.safetensors", folder);
    bool good = (rename(whole, best) == 0 || errno == ENOENT || fail_errno(error, "%s", whole)) &&
                (!file_exists(best) || copy_weights(run, best, best, error));
    arena_free(arena);
    return good;
}

/* Copies one tensor of the file and counts it, so that what is left over can be found. */
static bool take(const Safetensors *file, const char *path, const char *name, const Tensor *shape, void *out,
                 int64_t *taken, Error *error)
{
    const Array *array = safetensors_find(file, name);
    if (!array)
        return fail(error, "%s: tensor %s is missing", path, name);
    bool same = array->type == shape->type && array->rank == shape->rank;
    for (int i = 0; same && i < shape->rank; i++)
        same = array->shape[i] == shape->shape[i];
    if (!same)
        return fail(error, "%s: tensor %s has another shape or type than the model's", path, name);
    if (array->data) /* the header alone: nothing is copied */
        memcpy(out, array->data, (size_t)array->count * array_type_size(shape->type));
    ++*taken;
    return true;
}

static bool take_set(const Safetensors *file, const char *path, const char *prefix, ParameterSet *set, int64_t *taken,
                     Arena *arena, Error *error)
{
    for (int64_t i = 0; i < set->count; i++)
        if (!take(file, path, arena_format(arena, "%s%s", prefix, set->items[i].name), set->items[i].value,
                  set->items[i].value->data, taken, error))
            return false;
    return true;
}

static bool take_progress(const Safetensors *file, const char *path, Run *run, int64_t *taken, Error *error)
{
    const Array *progress = safetensors_find(file, "progress");
    if (!progress || progress->type != ARRAY_F64 || progress->count != COUNTERS)
        return fail(error, "%s: tensor progress is missing or malformed", path);
    ++*taken;
    if (!progress->data) /* the header alone */
        return true;
    const double *counters = progress->data;
    for (int i = 0; i < 3; i++)
        if (!(counters[i] >= 0 && counters[i] < 9e15))
            return fail(error, "%s: tensor progress: %g is no count", path, counters[i]);
    unpack_progress(counters, &run->progress);
    if (run->progress.batch > loader_batches(run->loader))
        return fail(error, "%s: tensor progress: batch %lld of %lld", path, (long long)run->progress.batch,
                    (long long)loader_batches(run->loader));
    return true;
}

static bool take_loss_state(const Safetensors *file, const char *path, Run *run, int64_t *taken, Error *error)
{
    const Tensor samples = {.type = ARRAY_F32, .rank = 2, .shape = {run->loss_state_rows, run->loss_state_width}};
    const Tensor whole = {.type = ARRAY_F32, .rank = 1, .shape = {run->loss_run_state_width}};
    return (!run->loss_state_width ||
            take(file, path, "loss_state", &samples, run->context.loss_state, taken, error)) &&
           (!run->loss_run_state_width ||
            take(file, path, "loss_run_state", &whole, run->context.loss_run_state, taken, error));
}

static bool take_state(const Safetensors *file, const char *path, Run *run, Arena *arena, Error *error)
{
    int64_t taken = 0;
    ParameterSet *kept = kept_by_objective(run);
    if (!take_progress(file, path, run, &taken, error) || !take_loss_state(file, path, run, &taken, error) ||
        !take_set(file, path, "parameters.", run->model->parameters, &taken, arena, error) ||
        (run->average && !take_set(file, path, "average.", run->average, &taken, arena, error)) ||
        (kept && !take_set(file, path, "objective.", kept, &taken, arena, error)))
        return false;
    for (int64_t k = 0; k < optimizer_state_count(run->optimizer); k++) {
        const char *slot;
        const Parameter *parameter;
        float *data = optimizer_state(run->optimizer, k, &slot, &parameter);
        if (!take(file, path, arena_format(arena, "optimizer.%s.%s", slot, parameter->name), parameter->value, data,
                  &taken, error))
            return false;
    }
    return taken == file->count ||
           fail(error, "%s: %lld tensors belong to nothing in this run", path, (long long)(file->count - taken));
}

bool checkpoint_resume(Run *run, const char *folder, bool *found, Error *error)
{
    Arena *arena = arena_new();
    const char *path = arena_format(arena, "%s/checkpoints/last.state.safetensors", folder);
    Safetensors file;
    *found = file_is_named(path); /* one that cannot be read is an error, no reason to begin anew */
    bool good = !*found || (safetensors_read_header(path, arena, &file, error) &&
                            take_state(&file, path, run, arena, error) && /* what does not belong is not read */
                            safetensors_read(path, arena, &file, error) &&
                            take_state(&file, path, run, arena, error));
    arena_free(arena);
    return good;
}

bool checkpoint_initialise(ParameterSet *parameters, const char *path, Error *error)
{
    Arena *arena = arena_new();
    Safetensors file;
    int64_t taken = 0;
    bool good = safetensors_read(path, arena, &file, error);
    for (int64_t i = 0; good && i < parameters->count; i++) {
        Tensor *value = parameters->items[i].value;
        Error other;
        if (safetensors_find(&file, parameters->items[i].name))
            take(&file, path, parameters->items[i].name, value, value->data, &taken, &other);
    }
    if (good && taken == 0)
        good = fail(error, "%s: no tensor has the name and shape of one of the model's", path);
    arena_free(arena);
    return good;
}

/* The tensors of that prefix; *left: how many others the file has. */
static bool load_set(ParameterSet *set, const char *path, const char *prefix, int64_t *left, Error *error)
{
    Arena *arena = arena_new();
    Safetensors file;
    int64_t taken = 0;
    bool good = safetensors_read(path, arena, &file, error) &&
                take_set(&file, path, prefix, set, &taken, arena, error);
    *left = good ? file.count - taken : 0;
    arena_free(arena);
    return good;
}

bool checkpoint_load_kept(ParameterSet *kept, const char *path, Error *error)
{
    int64_t left;
    return load_set(kept, path, "objective.", &left, error);
}

bool checkpoint_load_weights(ParameterSet *parameters, const char *path, Error *error)
{
    int64_t left;
    return load_set(parameters, path, "", &left, error) &&
           (left == 0 || fail(error, "%s: %lld tensors belong to nothing in the model", path, (long long)left));
}

static bool take_model(const Safetensors *file, const char *path, const Model *model, Error *error)
{
    int64_t taken = 0;
    bool good = quantized_take(file, path, model, &taken, error);
    for (int64_t i = 0; good && i < model->parameters->count; i++) {
        const Parameter *parameter = &model->parameters->items[i];
        const Layer *layer = quantizable_layer(model, parameter->name);
        if (!layer || !layer->quantized)
            good = take(file, path, parameter->name, parameter->value, parameter->value->data, &taken, error);
    }
    return good && (taken == file->count || fail(error, "%s: %lld tensors belong to nothing in the model", path,
                                                 (long long)(file->count - taken)));
}

bool checkpoint_load_model(const Model *model, const char *path, Error *error)
{
    Arena *arena = arena_new();
    Safetensors file;
    /* What does not fit is refused before its data is read, which quantized tensors need. */
    bool good = safetensors_read_header(path, arena, &file, error) &&
                (safetensors_metadata(&file, "quantization") || take_model(&file, path, model, error)) &&
                safetensors_read(path, arena, &file, error) && take_model(&file, path, model, error);
    arena_free(arena);
    return good;
}
