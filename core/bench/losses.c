/* Every loss of a sample's logits, forward and backward, beside plain cross-entropy. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/random.h"
#include "core/bench/benchmark.h"
#include "losses/loss.h"

typedef struct LossState { JsonSource *source; Instance loss; LossInput input; } LossState;

/* About as many logits whatever the number of classes, but at least 16 samples. */
static int64_t samples_of(int64_t classes)
{
    int64_t samples = 400000 / classes;
    return samples < 16 ? 16 : samples > 4096 ? 4096 : samples;
}

static double memory(const int64_t *sizes)
{
    return 8.0 * (double)samples_of(sizes[0]) * (double)sizes[0];
}

/* The loss's defaults; a list of numbers that must be given has a value for each class, and a grid as many bins. NULL:
   another key must be given. */
static cJSON *specification(const Component *component, int64_t classes)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "type", component->name);
    for (const Param *param = component->params; param && param->type != PARAM_TYPE_END; param++) {
        if (strcmp(param->name, "bins") == 0)
            cJSON_AddItemToObject(json, "bins", cJSON_CreateNumber((double)classes));
        if (param->fallback)
            continue;
        if (param->type != PARAM_TYPE_FLOATS) {
            cJSON_Delete(json);
            return NULL;
        }
        cJSON *list = cJSON_AddArrayToObject(json, param->name);
        for (int64_t c = 0; c < classes; c++)
            cJSON_AddItemToArray(list, cJSON_CreateNumber(10));
    }
    return json;
}

static bool parse_loss(const Component *component, int64_t classes, Arena *arena, LossState *state, Error *error)
{
    cJSON *json = specification(component, classes);
    if (!json)
        return fail_usage(error, "%s has keys that must be given", component->name);
    ParamContext context = {.source = state->source, .arena = arena, .error = error};
    bool good = instance_parse(&context, "loss", json, &state->loss);
    cJSON_Delete(json);
    return good && (!component->validate || component->validate(state->loss.values, error));
}

/* Inputs that must be given stand beside the logits: a teacher's. */
static void make_extras(Benchmark *benchmark, const LossDef *def, LossInput *input)
{
    LossExtra *extras = NULL;
    for (const char *const *name = def->extras; name && *name; name++) {
        if (strchr(*name, '?'))
            continue;
        extras = extras ? extras : arena_zero(benchmark->arena, 8, sizeof *extras);
        int rank = strcmp(*name, "reward") == 0 || strcmp(*name, "done") == 0 ? 1 : 2;
        extras[input->extra_count++] =
            (LossExtra){*name, benchmark_normals(benchmark, 1, false, rank, input->logits->shape)};
        for (int64_t i = 0; strcmp(*name, "done") == 0 && i < input->logits->shape[0]; i++)
            tensor_set(extras[input->extra_count - 1].value, i, 0);
    }
    input->extras = extras;
}

/* A class, one label of all, or a value a sample. */
static Tensor *make_targets(Benchmark *benchmark, const LossDef *def, int64_t classes, int64_t samples)
{
    if (def->targets == LOSS_VALUES)
        return benchmark_normals(benchmark, 1, false, SHAPE(samples));
    Tensor *targets = benchmark_classes(benchmark, classes, samples);
    if (def->targets != LOSS_LABELS && def->targets != LOSS_SOFT)
        return targets;
    Tensor *labels = tensor_new(benchmark->arena, ARRAY_F32, SHAPE(samples, classes));
    memset(labels->data, 0, (size_t)labels->count * sizeof(float));
    for (int64_t i = 0; i < samples; i++)
        tensor_set(labels, i * classes + tensor_i32(targets)[i], 1);
    return labels;
}

static bool make(Benchmark *benchmark, const LossDef *def, int64_t classes, int64_t samples, Error *error)
{
    LossState *state = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *state);
    state->source = json_source_new();
    if (!parse_loss(&def->component, classes, benchmark->arena, state, error))
        return false;
    LossInput *input = &state->input;
    input->logits = benchmark_normals(benchmark, 2, true, SHAPE(samples, classes - def->unnamed_classes));
    for (int64_t i = 0; def->cosines && i < input->logits->count; i++)
        tensor_set(input->logits, i, sin(tensor_value(input->logits, i)));
    if (def->targets != LOSS_NO_TARGETS)
        input->targets = make_targets(benchmark, def, classes, samples);
    if (def->tap)
        input->features = benchmark_normals(benchmark, 1, false, SHAPE(samples, 64));
    make_extras(benchmark, def, input);
    int64_t width = loss_state_width(&state->loss, classes);
    if (width)
        input->state = arena_zero(benchmark->arena, (size_t)(samples * width), sizeof(float));
    return loss_check(&state->loss, input, error);
}

static void release(Benchmark *benchmark)
{
    json_source_free(((LossState *)benchmark->state)->source);
}

static bool has_key(const Component *component, const char *name)
{
    const Param *param = component->params;
    while (param && param->type != PARAM_TYPE_END && strcmp(param->name, name) != 0)
        param++;
    return param && param->type != PARAM_TYPE_END;
}

/* Of logits that are as many as classes, labels, or bins of a grid of values. */
static bool of_classes(const LossDef *def)
{
    bool classes = (def->targets != LOSS_VALUES || has_key(&def->component, "bins")) && def->targets != LOSS_IDS &&
        def->targets != LOSS_TOKENS;
    return classes && !def->whole_batch && def->least_rank <= 2 && def->most_rank != 1;
}

/* Whether logits and classes are all it needs. */
static bool can_run(const LossDef *def)
{
    if (!of_classes(def))
        return false;
    Benchmark probe = {.arena = arena_new(), .tape = tape_new()};
    Tape *before = tape_use(probe.tape);
    Error error;
    bool good = make(&probe, def, 10, 4, &error);
    release(&probe);
    tape_free(probe.tape);
    tape_use(before);
    arena_free(probe.arena);
    return good;
}

static void each_example(void (*add)(void *context, const char *name), void *context)
{
    static const int classes[] = {10, 1000, 100000};
    char name[BENCHMARK_NAME];
    for (const Component *const *item = component_kind("loss")->items; *item; item++)
        for (size_t i = 0; i < sizeof classes / sizeof *classes && can_run((const LossDef *)*item); i++) {
            snprintf(name, sizeof name, "losses/%s/%d", (*item)->name, classes[i]);
            add(context, name);
        }
}

static bool prepare(Benchmark *benchmark, Error *error)
{
    const LossDef *def = (const LossDef *)component_find("loss", benchmark->word);
    if (!def)
        return fail_usage(error, "unknown loss \"%s\"; see xent list losses", benchmark->word);
    if (!of_classes(def))
        return fail_usage(error, "%s is not a loss of a sample's logits for each of so many classes", benchmark->word);
    int64_t classes = benchmark->sizes[0], samples = samples_of(classes);
    bool good = make(benchmark, def, classes, samples, error);
    error->status = STATUS_USAGE;
    benchmark->samples = samples;
    benchmark->read_bytes = benchmark->write_bytes = 4 * (double)samples * (double)classes;
    return good;
}

static void run(Benchmark *benchmark)
{
    LossState *state = benchmark->state;
    tape_reset();
    tensor_clear_gradient(state->input.logits);
    state->input.random = random_start(benchmark->seed, "loss", 0);
    t_backward(loss_evaluate(&state->loss, &state->input).loss);
}

static void reference(const Benchmark *benchmark, char *name, size_t size)
{
    snprintf(name, size, "losses/ce/%lld", (long long)benchmark->sizes[0]);
}

const BenchmarkDef benchmark_losses = {
    .component =
        {.name = "losses",
         .summary =
             "a loss of CLASSES classes or labels with its defaults, forward and backward, beside plain cross-entropy",
         .formula =
             "losses/NAME/CLASSES: bytes of the logits read and of their gradient written; flops are not counted",
         .notes = "The bare name runs every loss whose logits are as many as classes, labels or bins of a grid and "
                  "that needs no key but a list of class counts, at 10, 1,000 and 100,000 of them. Targets are one "
                  "class, one label, or a value; other inputs, as a teacher's logits, are made up."},
    .pattern = "losses/WORD/CLASSES",
    .each_example = each_example,
    .on_demand = true,
    .memory = memory,
    .prepare = prepare,
    .run = run,
    .release = release,
    .reference = reference,
};
