#include "core/train/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json_edit.h"
#include "data/dataset.h"

/* The sections as they are parsed; `data` and `train` have parsers of their own. */
struct sections {
    int64_t seed;
    const cJSON *data, *train, *metrics, *analyze;
    Instance model, loss, optimizer, schedule, objective, attack, calibrate, distill, quantize;
    const char *extends;
};

/* What a JSON number holds exactly. */
#define LARGEST_EXACT_SEED 9007199254740991.0

const Param config_params[] = {
    PARAM_INT(struct sections, seed, 0, .min = 0, .max = LARGEST_EXACT_SEED,
              .help = "of every random number of the run; above 2^53, to 2^63-1, as a string of digits"),
    PARAM_JSON(struct sections, data, "null",
               .help = "a data set, or {\"train\", \"val\", \"test\"} of data sets; see xent-datasets(7)"),
    PARAM_COMPONENT(struct sections, model, "null", "model", .help = "what is trained; see xent-models(7)"),
    PARAM_COMPONENT(struct sections, loss, "null", "loss",
                    .help = "what is minimised; null: ce for classes and tokens, bce for labels, mse for values"),
    PARAM_COMPONENT(struct sections, optimizer, "\"adam\"", "optimizer", .help = "how; see xent-optimizers(7)"),
    PARAM_COMPONENT(struct sections, schedule, "\"constant\"", "schedule",
                    .help = "of the learning rate; see xent-schedules(7)"),
    PARAM_COMPONENT(struct sections, objective, "\"supervised\"", "objective",
                    .help = "how a batch becomes the number to minimise; see xent-objectives(7)"),
    PARAM_COMPONENT(struct sections, attack, "null", "attack",
                    .help = "for xent eval: accuracy under this attack too; without type pgd; see xent-attacks(7)"),
    PARAM_JSON(struct sections, train, "{}", .help = "batches, lengths, limits"),
    PARAM_JSON(struct sections, metrics, "null", .help = "list of names; null: all that apply"),
    PARAM_COMPONENT(struct sections, calibrate, "null", "calibrator",
                    .help = "for xent calibrate; see xent-calibrators(7)"),
    PARAM_COMPONENT(struct sections, distill, "null", "distiller", .help = "for xent distill; see xent-distillers(7)"),
    PARAM_COMPONENT(struct sections, quantize, "null", "quantizer",
                    .help = "for xent quantize; see xent-quantizers(7)"),
    PARAM_JSON(struct sections, analyze, "null", .help = "for xent analyze"),
    PARAM_STRING(struct sections, extends, null, .help = "a config file that this one changes"),
    PARAM_END};

const Param config_train_params[] = {
    PARAM_INT(TrainConfig, batch_size, 128, .min = 1, .max = 1e7,
              .help = "samples a batch; groups, where the data has groups"),
    PARAM_INT(TrainConfig, eval_batch_size, 512, .min = 1, .max = 1e7, .help = "the same in evaluation"),
    PARAM_INT(TrainConfig, epochs, null, .min = 0, .max = 1e9,
              .help = "passes over the training split; 10 when steps and seconds are absent too"),
    PARAM_INT(TrainConfig, steps, null, .min = 0, .max = 1e12, .help = "updates of the parameters"),
    PARAM_FLOAT(TrainConfig, seconds, null, .min = 0, .help = "wall time; the run ends after the step that reaches it"),
    PARAM_INT(TrainConfig, patience, null, .min = 1, .max = 1e9,
              .help = "end after so many epochs without a lower validation loss"),
    PARAM_FLOAT(TrainConfig, clip_norm, null, .min = 0, .help = "largest norm of the whole gradient"),
    PARAM_FLOAT(TrainConfig, clip_value, null, .min = 0, .help = "largest magnitude of a gradient's element"),
    PARAM_INT(TrainConfig, accumulate, 1, .min = 1, .max = 1e6, .help = "batches whose mean gradient makes a step"),
    PARAM_BOOL(TrainConfig, recompute, false,
               .help =
                   "compute activations again for the gradient instead of keeping them: the same bits in less memory "
                   "and about a third more time"),
    PARAM_FLOAT(TrainConfig, ema, null, .min = 0, .max = 1,
                .help = "decay of an average of the weights, which is then what is evaluated and saved"),
    PARAM_INT(TrainConfig, log_every, 1, .min = 1, .max = 1e9, .help = "steps between lines of metrics.jsonl"),
    PARAM_INT(TrainConfig, save_every, null, .min = 1, .max = 1e12,
              .help = "steps between checkpoints, besides the end of each epoch"),
    PARAM_BOOL(TrainConfig, shuffle, true, .help = "a new order each epoch"),
    PARAM_BOOL(TrainConfig, prefetch, true, .help = "prepare the next batch on a thread of its own"),
    PARAM_BOOL(TrainConfig, report, true, .help = "write report.html and plots at the end"),
    PARAM_COMPONENTS(TrainConfig, transforms, "[]", "transform",
                     .help = "random changes of training samples, in order; see xent-transforms(7)"),
    PARAM_PATH(TrainConfig, init_from, null,
               .help = ".safetensors file whose tensors of the same name and shape are the initial values"),
    PARAM_END};

static cJSON *read_extending(JsonSource *source, cJSON *json, const char *path, int depth, Error *error);

/* The base is read first, then covered by what extends it. */
static cJSON *read_base(JsonSource *source, cJSON *json, const char *path, int depth, Error *error)
{
    const cJSON *extends = cJSON_GetObjectItemCaseSensitive(json, "extends");
    int line = 0;
    const char *place = json_place(source, extends, &line);
    if (!cJSON_IsString(extends))
        return fail_usage(error, "%s:%d: extends: expected a path", place ? place : "config", line), NULL;
    if (depth == CONFIG_MAX_EXTENDS)
        return fail_usage(error, "%s:%d: extends: deeper than %d files; is there a circle?", place, line,
                          CONFIG_MAX_EXTENDS),
               NULL;
    Arena *arena = arena_new();
    const char *base_path = path ? path_join(arena, path_folder(arena, path), extends->valuestring)
                                 : extends->valuestring;
    cJSON *base = json_parse_file(source, base_path, error);
    if (!base)
        fail_at(error, "%s:%d: extends", place ? place : "config", line);
    else if (!cJSON_IsObject(base))
        base = (fail_usage(error, "%s:1: expected an object", base_path), NULL);
    else
        base = read_extending(source, base, base_path, depth + 1, error);
    arena_free(arena);
    return base ? json_merge(source, base, json) : NULL;
}

static cJSON *read_extending(JsonSource *source, cJSON *json, const char *path, int depth, Error *error)
{
    if (!cJSON_GetObjectItemCaseSensitive(json, "extends"))
        return json;
    cJSON *merged = read_base(source, json, path, depth, error);
    if (merged)
        cJSON_DeleteItemFromObjectCaseSensitive(merged, "extends");
    return merged;
}

static bool check_metrics(ParamContext *context, const cJSON *metrics)
{
    const cJSON *item;
    bool list = !metrics || cJSON_IsNull(metrics) || cJSON_IsArray(metrics);
    snprintf(context->path, sizeof context->path, "metrics");
    if (!list)
        return param_fail(context, metrics, "expected a list of names");
    if (!cJSON_IsArray(metrics))
        return true;
    cJSON_ArrayForEach(item, metrics)
    {
        if (!cJSON_IsString(item))
            return param_fail(context, item, "expected a name");
        if (!component_find("metric", item->valuestring) && strcmp(item->valuestring, "loss") != 0)
            return param_fail(context, item, "unknown metric \"%s\"; see xent list metrics", item->valuestring);
    }
    context->path[0] = '\0';
    return true;
}

/* Takes a seed that is written as a string out of the object; *seed stays as it is where there is none. */
static bool take_large_seed(const JsonSource *source, cJSON *json, int64_t *seed, Error *error)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, "seed");
    if (!item)
        return true;
    int line = 0;
    const char *place = json_place(source, item, &line);
    if (cJSON_IsNumber(item) && item->valuedouble > LARGEST_EXACT_SEED)
        return fail_usage(error, "%s:%d: seed: numbers above 2^53 are not exact; write its digits as a string, \"...\"",
                          place, line);
    if (!cJSON_IsString(item))
        return true;
    const char *text = item->valuestring;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno)
        return fail_usage(error, "%s:%d: seed: expected decimal digits, 0 to %lld, got \"%s\"", place, line,
                          (long long)INT64_MAX, text);
    *seed = number;
    cJSON_DeleteItemFromObjectCaseSensitive(json, "seed");
    return true;
}

/* Sections whose default is a name need no type (core/base/param.c); an attack, of which there is none by default, is
   the one that objectives have. */
static void name_default_attack(cJSON *json)
{
    cJSON *attack = cJSON_GetObjectItemCaseSensitive(json, "attack");
    if (cJSON_IsObject(attack) && !cJSON_GetObjectItemCaseSensitive(attack, "type"))
        cJSON_AddStringToObject(attack, "type", "pgd");
}

static bool parse_sections(Config *config, Error *error)
{
    struct sections sections;
    int64_t large_seed = -1;
    ParamContext context = {.source = config->source, .arena = config->arena, .error = error};
    name_default_attack(config->json);
    if (!take_large_seed(config->source, config->json, &large_seed, error)
        || !params_parse(&context, config_params, false, config->json, &sections))
        return false;
    config->seed = large_seed < 0 ? sections.seed : large_seed;
    config->model = sections.model;
    config->loss = sections.loss;
    config->optimizer = sections.optimizer;
    config->schedule = sections.schedule;
    config->objective = sections.objective;
    config->attack = sections.attack;
    config->calibrate = sections.calibrate;
    config->quantize = sections.quantize;
    config->distill = sections.distill;
    config->analyze = cJSON_IsNull(sections.analyze) ? NULL : sections.analyze;
    config->metrics = cJSON_IsNull(sections.metrics) ? NULL : sections.metrics;
    snprintf(context.path, sizeof context.path, "data");
    if (sections.data && !cJSON_IsNull(sections.data) && !data_instance_parse(&context, sections.data, &config->data))
        return false;
    snprintf(context.path, sizeof context.path, "train");
    if (!params_parse(&context, config_train_params, false, sections.train, &config->train))
        return false;
    TrainConfig *train = &config->train;
    if (train->epochs == PARAM_UNSET && train->steps == PARAM_UNSET && isnan(train->seconds))
        train->epochs = 10;
    return check_metrics(&context, sections.metrics);
}

static Config *finish(Config *config, cJSON *json, const char *path, const char *const *sets, const uint64_t *seed,
                      Error *error)
{
    bool good = json != NULL;
    if (good && !cJSON_IsObject(json))
        good = fail_usage(error, "%s:1: expected an object", config->name);
    if (good)
        good = (json = read_extending(config->source, json, path, 0, error)) != NULL;
    for (; good && sets && *sets; sets++)
        good = json_set(config->source, json, *sets, error);
    if (good && cJSON_GetObjectItemCaseSensitive(json, "extends"))
        good =
            fail_usage(error, "--set extends: only a config can name what it extends; --set changes what came of both");
    if (good && seed) {
        char assignment[64];
        snprintf(assignment, sizeof assignment, "seed=\"%llu\"", (unsigned long long)*seed);
        good = json_set(config->source, json, assignment, error);
    }
    config->json = json;
    if (good && parse_sections(config, error))
        return config;
    config_free(config);
    return NULL;
}

static Config *config_new(const char *name)
{
    Config *config = memory_new(sizeof *config);
    config->arena = arena_new();
    config->source = json_source_new();
    config->name = arena_string(config->arena, name);
    return config;
}

Config *config_parse(const char *name, const char *text, const char *const *sets, const uint64_t *seed, Error *error)
{
    Config *config = config_new(name);
    cJSON *json = json_parse(config->source, name, text, strlen(text), error);
    return finish(config, json, NULL, sets, seed, error);
}

Config *config_load(const char *argument, const char *const *sets, const uint64_t *seed, Error *error)
{
    if (argument[0] == '{')
        return config_parse("config", argument, sets, seed, error);
    Config *config = config_new(argument);
    return finish(config, json_parse_file(config->source, argument, error), argument, sets, seed, error);
}

void config_free(Config *config)
{
    if (!config)
        return;
    json_source_free(config->source);
    arena_free(config->arena);
    memory_free(config);
}

bool config_require(const Config *config, const char *keys, Error *error)
{
    const struct { const char *key; bool there;
    } sections[] = {
        {"data", config->data.component},           {"model", config->model.component},
        {"calibrate", config->calibrate.component}, {"quantize", config->quantize.component},
        {"distill", config->distill.component},
    };
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strstr(keys, sections[i].key) && !sections[i].there)
            return fail_usage(error, "%s:1: missing key \"%s\"", config->name, sections[i].key);
    return true;
}

static void add_instance(cJSON *object, const char *key, const Instance *instance)
{
    if (instance->component)
        cJSON_AddItemToObject(object, key, instance_to_json(instance));
}

static void add_copy(cJSON *object, const char *key, const cJSON *value)
{
    if (value)
        cJSON_AddItemToObject(object, key, cJSON_Duplicate(value, true));
}

cJSON *config_resolved(const Config *config)
{
    cJSON *object = cJSON_CreateObject();
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)config->seed);
    if ((double)config->seed <= LARGEST_EXACT_SEED)
        cJSON_AddItemToObject(object, "seed", json_number_exact((double)config->seed));
    else
        cJSON_AddStringToObject(object, "seed", digits);
    add_instance(object, "data", &config->data);
    add_instance(object, "model", &config->model);
    add_instance(object, "loss", &config->loss);
    add_instance(object, "optimizer", &config->optimizer);
    add_instance(object, "schedule", &config->schedule);
    add_instance(object, "objective", &config->objective);
    add_instance(object, "attack", &config->attack);
    cJSON_AddItemToObject(object, "train", params_to_json(config_train_params, &config->train));
    add_copy(object, "metrics", config->metrics);
    add_instance(object, "calibrate", &config->calibrate);
    add_instance(object, "distill", &config->distill);
    add_instance(object, "quantize", &config->quantize);
    add_copy(object, "analyze", config->analyze);
    return object;
}
