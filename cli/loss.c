/* xent loss SPEC: the value of a registered loss on NPY arrays, and its gradients. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/loss_example.h"
#include "core/base/file.h"
#include "core/base/json_edit.h"
#include "core/base/memory_limit.h"
#include "core/schedules/weight.h"
#include "core/tensor/operations.h"
#include "data/npy.h"
#include "losses/loss.h"

typedef struct NamedArray {
    const char *name, *path;    /* "logits", "targets", ..., or the extra's name */
    Array array;
    Tensor *tensor;             /* of the type that the loss is computed in */
    const char *gradient_path;  /* NULL: not asked for */
} NamedArray;

enum { LOGITS, TARGETS, FEATURES, WEIGHTS, FIXED_COUNT };
static const char *const fixed_names[FIXED_COUNT] = {"logits", "targets", "features", "weights"};

typedef struct Work {
    Arena *arena;
    JsonSource *source;         /* what parameters of type JSON point into */
    Instance loss;
    NamedArray *arrays;         /* those of the fixed names, path NULL where not given; then the extras */
    int count;
} Work;

/* ---- The command line ---- */

/* An object or a name between quotes, as json.dumps writes them. */
static bool is_inline(const char *spec)
{
    return spec[0] == '{' || spec[0] == '"';
}

static cJSON *spec_tree(JsonSource *source, const char *spec, Error *error)
{
    if (is_inline(spec))
        return json_parse(source, "SPEC", spec, strlen(spec), error);
    if (component_find("loss", spec) || !file_exists(spec)) {
        cJSON *name = cJSON_CreateString(spec);
        char *text = cJSON_PrintUnformatted(name);
        cJSON *tree = json_parse(source, "SPEC", text, strlen(text), error);
        cJSON_free(text);
        cJSON_Delete(name);
        return tree;
    }
    return json_parse_file(source, spec, error);
}

static bool parse_spec(const Arguments *arguments, Work *work, Error *error)
{
    JsonSource *source = work->source;
    ParamContext context = {.source = source, .arena = work->arena, .error = error};
    cJSON *tree = spec_tree(source, arguments->words[0], error);
    const char **sets = argument_options(arguments, "set");
    if (tree && sets[0] && cJSON_IsString(tree)) {
        char *text = cJSON_PrintUnformatted(tree), *object = arena_format(work->arena, "{\"type\": %s}", text);
        cJSON_free(text);
        tree = json_parse(source, "SPEC", object, strlen(object), error);
    }
    bool good = tree != NULL;
    for (int i = 0; good && sets[i]; i++)
        good = json_set(source, tree, sets[i], error);
    good = good && instance_parse(&context, "loss", tree, &work->loss);
    memory_free(sets);
    return good;
}

/* NAME=FILE; NULL when there is no name before an equals sign. */
static const char *split_name(Arena *arena, const char *text, const char **path)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || memchr(text, '/', (size_t)(equals - text)))
        return NULL;
    *path = equals + 1;
    return arena_format(arena, "%.*s", (int)(equals - text), text);
}

static NamedArray *find_array(Work *work, const char *name)
{
    for (int i = 0; i < work->count; i++)
        if (work->arrays[i].path && strcmp(work->arrays[i].name, name) == 0)
            return &work->arrays[i];
    return NULL;
}

static bool collect_inputs(const Arguments *arguments, Work *work, Error *error)
{
    const char **extras = argument_options(arguments, "extra");
    int extra_count = 0;
    while (extras[extra_count])
        extra_count++;
    work->arrays = arena_zero(work->arena, (size_t)(FIXED_COUNT + extra_count), sizeof *work->arrays);
    for (work->count = 0; work->count < FIXED_COUNT; work->count++) {
        NamedArray *array = &work->arrays[work->count];
        array->name = fixed_names[work->count];
        array->path = argument_option(arguments, array->name);
    }
    bool good = true;
    for (int i = 0; good && i < extra_count; i++) {
        NamedArray extra = {0};
        extra.name = split_name(work->arena, extras[i], &extra.path);
        bool fixed = false;
        for (int k = 0; extra.name && k < FIXED_COUNT; k++)
            fixed |= strcmp(extra.name, fixed_names[k]) == 0;
        if (!extra.name || fixed || !extra.path[0])
            good = fail_usage(error, "--extra: expected NAME=FILE with the name of an extra, got \"%s\"", extras[i]);
        else if (find_array(work, extra.name))
            good = fail_usage(error, "--extra: %s is given twice", extra.name);
        else
            work->arrays[work->count++] = extra;
    }
    memory_free(extras);
    return good;
}

static bool collect_gradients(const Arguments *arguments, Work *work, Error *error)
{
    const char **gradients = argument_options(arguments, "grad");
    bool good = true;
    for (int i = 0; good && gradients[i]; i++) {
        const char *path = gradients[i], *name = split_name(work->arena, gradients[i], &path);
        NamedArray *array = find_array(work, name ? name : "logits");
        if (!array || array == &work->arrays[TARGETS] || array == &work->arrays[WEIGHTS])
            good = fail_usage(error, "--grad: there is no input \"%s\" to differentiate by", name);
        else if (array->gradient_path)
            good = fail_usage(error, "--grad: %s is given twice", array->name);
        else if (!path[0])
            good = fail_usage(error, "--grad: the file's name is missing");
        else
            array->gradient_path = path;
    }
    memory_free(gradients);
    return good;
}

/* No output is an input or another output. */
static bool check_outputs(const Arguments *arguments, const Work *work, Error *error)
{
    for (int i = 0; i < work->count; i++) {
        const char *path = work->arrays[i].gradient_path;
        if (!path)
            continue;
        bool input = file_same(path, arguments->words[0]);
        for (int k = 0; k < work->count; k++) {
            const NamedArray *other = &work->arrays[k];
            input |= other->path && file_same(path, other->path);
            const char *before = k < i ? other->gradient_path : NULL;
            if (before && (strcmp(path, before) == 0 || file_same(path, before)))
                return fail_usage(error, "--grad: %s is given twice", path);
        }
        if (input)
            return fail_usage(error, "--grad: %s is an input", path);
    }
    return true;
}

/* ---- Arrays to tensors ---- */

static int compare_integers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Integers as I32. Ids, of which only equality matters, become their rank where they are too wide. */
static bool integer_tensor(const Work *work, NamedArray *array, bool ids, Error *error)
{
    const Array *from = &array->array;
    Tensor *tensor = t_new(ARRAY_I32, from->rank, from->shape);
    int64_t *sorted = ids ? arena_alloc(work->arena, (size_t)from->count * sizeof *sorted) : NULL, distinct = 0;
    for (int64_t i = 0; ids && i < from->count; i++)
        sorted[i] = array_integer(from, i);
    if (ids)
        qsort(sorted, (size_t)from->count, sizeof *sorted, compare_integers);
    for (int64_t i = 0; ids && i < from->count; i++)
        if (i == 0 || sorted[i] != sorted[distinct - 1])
            sorted[distinct++] = sorted[i];
    for (int64_t i = 0; i < from->count; i++) {
        int64_t value = array_integer(from, i);
        if (ids)
            value = (const int64_t *)bsearch(&value, sorted, (size_t)distinct, sizeof value, compare_integers) - sorted;
        if (value < INT32_MIN || value > INT32_MAX)
            return fail(error, "%s: %lld at row %lld is too large for a class", array->path, (long long)value,
                        (long long)(from->rank > 1 ? i / (from->count / from->shape[0]) : i));
        tensor_i32(tensor)[i] = (int32_t)value;
    }
    array->tensor = tensor;
    return true;
}

/* Integers stay integers only where the loss wants them: labels and values may be written as integers. */
static bool target_tensor(const Work *work, NamedArray *targets, ArrayType type, Error *error)
{
    LossTargets kind = loss_targets(&work->loss);
    bool integers = array_is_integer(&targets->array);
    bool wanted = kind == LOSS_CLASSES || kind == LOSS_IDS || kind == LOSS_TOKENS;
    if (kind == LOSS_CLASSES_OR_SOFT)
        wanted = targets->array.rank < work->arrays[LOGITS].array.rank;
    if (integers && wanted && targets->array.count)
        return integer_tensor(work, targets, kind == LOSS_IDS, error);
    if (wanted && !integers)
        return fail(error, "%s: %s needs integer targets (%s)", targets->path, work->loss.component->name,
                    loss_targets_name(kind));
    targets->tensor = t_from_array(&targets->array, type);
    return true;
}

static bool read_all(Work *work, Error *error)
{
    for (int i = 0; i < work->count; i++) {
        NamedArray *array = &work->arrays[i];
        if (array->path && !npy_read(array->path, work->arena, &array->array, error))
            return false;
    }
    const Array *logits = &work->arrays[LOGITS].array;
    if (logits->type != ARRAY_F32 && logits->type != ARRAY_F64)
        return fail(error, "%s: expected f4 or f8, the array holds integers", work->arrays[LOGITS].path);
    for (int i = 0; i < work->count; i++) {
        NamedArray *array = &work->arrays[i];
        if (!array->path)
            continue;
        if (i == TARGETS && !target_tensor(work, array, logits->type, error))
            return false;
        if (i != TARGETS)
            array->tensor = t_from_array(&array->array, logits->type);
        array->tensor->requires_gradient = array->gradient_path != NULL;
    }
    return true;
}

static bool read_arrays(Work *work, Error *error)
{
    size_t before = memory_limit(INPUT_MOST_MEMORY);
    bool good = read_all(work, error);
    memory_limit_restore(before);
    return good;
}

static LossInput loss_input(Work *work, uint64_t seed)
{
    LossInput in = {
        .logits = work->arrays[LOGITS].tensor, .targets = work->arrays[TARGETS].tensor,
        .features = work->arrays[FEATURES].tensor,
        .weights = work->arrays[WEIGHTS].tensor, .random = random_start(seed, "loss", 0), .at = SCHEDULE_END,
    };
    for (int i = FIXED_COUNT; i < work->count; i++)
        loss_set_extra(&in, work->arrays[i].name, work->arrays[i].tensor);
    return in;
}

/* A message that begins with an input's name gets its file in front, others the spec. */
static bool name_place(Work *work, const char *spec, Error *error)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(error->message, ":"), error->message);
    const NamedArray *array = find_array(work, name);
    return fail_at(error, "%s", array ? array->path : is_inline(spec) ? "SPEC" : spec);
}

/* ---- Results ---- */

static void print_json(const LossResult *result)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "loss", json_number9(tensor_value(result->loss, 0)));
    cJSON *list = result->per_sample ? cJSON_CreateArray() : cJSON_CreateNull();
    cJSON_AddItemToObject(object, "per_sample", list);
    for (int64_t i = 0; result->per_sample && i < result->per_sample->count; i++)
        cJSON_AddItemToArray(list, json_number9(tensor_value(result->per_sample, i) + 0.0)); /* -0 is 0 */
    print_json_object(object);
}

static void print_text(const LossResult *result, int64_t rows)
{
    const Tensor *values = result->per_sample;
    printf("loss     %.9g\nsamples  %lld\n", tensor_value(result->loss, 0), (long long)rows);
    if (!values)
        return;
    double least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < values->count; i++) {
        least = fmin(least, tensor_value(values, i));
        most = fmax(most, tensor_value(values, i));
    }
    printf("least    %.9g\nmost     %.9g\n", least, most);
}

/* The first element that is not finite, or -1. */
static int64_t first_not_finite(const Tensor *tensor)
{
    for (int64_t i = 0; i < tensor->count; i++)
        if (!isfinite(tensor_value(tensor, i)))
            return i;
    return -1;
}

static bool check_finite(const Work *work, const LossResult *result, Error *error)
{
    const char *path = work->arrays[LOGITS].path;
    int64_t row = result->per_sample ? first_not_finite(result->per_sample) : -1;
    if (row >= 0)
        return fail(error, "%s: the loss of row %lld is not finite", path, (long long)row);
    return isfinite(tensor_value(result->loss, 0)) || fail(error, "%s: the loss is not finite", path);
}

/* The gradients asked for, as arrays of their inputs' shape and type; all are there before the first is written. */
static bool write_gradients(Work *work, const LossResult *result, Error *error)
{
    Tensor **inputs = arena_zero(work->arena, (size_t)work->count, sizeof(Tensor *));
    Tensor **gradients = arena_zero(work->arena, (size_t)work->count, sizeof(Tensor *));
    NamedArray **asked = arena_zero(work->arena, (size_t)work->count, sizeof(NamedArray *));
    int count = 0;
    for (int i = 0; i < work->count; i++)
        if (work->arrays[i].gradient_path) {
            asked[count] = &work->arrays[i];
            inputs[count++] = work->arrays[i].tensor;
        }
    if (count == 0)
        return true;
    t_gradients(result->loss, NULL, count, inputs, gradients, false);
    for (int i = 0; i < count; i++) {
        int64_t at = first_not_finite(gradients[i]), rows = gradients[i]->rank ? gradients[i]->shape[0] : 1;
        if (at >= 0)
            return fail(error, "%s: the gradient by row %lld is not finite", asked[i]->path,
                        (long long)(at / (gradients[i]->count / rows)));
    }
    for (int i = 0; i < count; i++) {
        ArrayType type = asked[i]->array.type == ARRAY_F32 ? ARRAY_F32 : ARRAY_F64;
        Array array = {.type = type, .rank = gradients[i]->rank, .count = gradients[i]->count};
        memcpy(array.shape, gradients[i]->shape, sizeof array.shape);
        array.data = gradients[i]->type == type ? gradients[i]->data : t_cast(t_detach(gradients[i]), type)->data;
        if (!npy_write(asked[i]->gradient_path, &array, error))
            return false;
    }
    return true;
}

static bool evaluate(const Arguments *arguments, Work *work, Error *error)
{
    uint64_t seed = 0;
    const uint64_t *given;
    if (!argument_seed(arguments, &seed, &given, error) || !read_arrays(work, error))
        return false;
    LossInput in = loss_input(work, given ? seed : 0);
    if (instance_find_weight(&work->loss, weight_moves) && !argument_option(arguments, "quiet"))
        fputs("xent: loss: weights that move are taken as at the end of training; numbers in their place give others\n",
              stderr);
    if (!loss_check(&work->loss, &in, error))
        return name_place(work, arguments->words[0], error);
    LossResult result = loss_evaluate(&work->loss, &in);
    bool good = check_finite(work, &result, error) && write_gradients(work, &result, error);
    if (argument_option(arguments, "json"))
        print_json(&result);
    else if (good)
        print_text(&result, in.logits->shape[0]);
    return good;
}

static bool is_given(const void *work, const char *name)
{
    return find_array((Work *)work, name) != NULL;
}

static bool check_words(const Work *work, Error *error)
{
    const char *name = work->loss.component->name;
    if (!work->arrays[LOGITS].path)
        return fail_usage(error, "loss: --logits FILE is missing");
    LossTargets kind = loss_targets(&work->loss);
    if (kind != LOSS_NO_TARGETS && !work->arrays[TARGETS].path)
        return fail_usage(error, "loss: --targets FILE is missing, %s needs %s", name, loss_targets_name(kind));
    for (int i = FIXED_COUNT; i < work->count; i++)
        if (!loss_takes_extra(&work->loss, work->arrays[i].name))
            return fail_usage(error, "--extra: %s takes no \"%s\"; see xent describe loss %s", name,
                              work->arrays[i].name, name);
    const char *missing = loss_missing_extra(&work->loss, is_given, work);
    return !missing || fail_usage(error, "loss: --extra %s=FILE is missing", missing);
}

/* Writes inputs, and prints the command that takes them. */
static bool sample(const Arguments *arguments, Work *work, Error *error)
{
    static const char *const others[] = {"logits", "targets", "features", "weights", "extra", "grad", NULL};
    for (const char *const *name = others; *name; name++)
        if (argument_option(arguments, *name))
            return fail_usage(error, "--sample: --%s does not go with it; the sample has its own", *name);
    const char *folder = argument_option(arguments, "sample");
    uint64_t seed = 0;
    const uint64_t *given;
    if (!argument_seed(arguments, &seed, &given, error) ||
        !loss_example_write(&work->loss, folder, given ? seed : 0, error))
        return false;
    const char **sets = argument_options(arguments, "set");
    char *command = loss_example_command(&work->loss, arguments->words[0], sets, folder, work->arena);
    memory_free(sets);
    if (argument_option(arguments, "json")) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "command", command);
        print_json_object(object);
    } else {
        puts(command);
    }
    return true;
}

static bool compute(const Arguments *arguments, Work *work, Error *error)
{
    return collect_inputs(arguments, work, error) && check_words(work, error) &&
        collect_gradients(arguments, work, error) && check_outputs(arguments, work, error) &&
        evaluate(arguments, work, error);
}

static bool run(const Arguments *arguments, Error *error)
{
    Work work = {.arena = arena_new(), .source = json_source_new()};
    Tape *tape = tape_new(), *before = tape_use(tape);
    bool sampled = argument_option(arguments, "sample") != NULL;
    bool good = parse_spec(arguments, &work, error) && (sampled ? sample : compute)(arguments, &work, error);
    tape_use(before);
    tape_free(tape);
    json_source_free(work.source);
    arena_free(work.arena);
    return good;
}

static const Option options[] = {
    {"logits", "FILE", "NPY array, f4 or f8, that the loss is a function of", 0, false},
    {"targets", "FILE", "NPY array of the loss's kind of targets", 0, false},
    {"features", "FILE", "NPY array of features, for losses that look at them", 0, false},
    {"weights", "FILE", "NPY array [samples] of sample weights, >= 0", 0, false},
    {"extra", "NAME=FILE", "a further input of the loss; may be given again", 0, true},
    {"grad", "[NAME=]FILE", "write the gradient by the logits, or by NAME; may be given again", 0, true},
    {"sample", "FOLDER", "instead write random inputs of the loss into a new folder, and print how to use them", 0,
     false},
    {0},
};

const Command command_loss = {
    .name = "loss",
    .synopsis = "loss SPEC {--logits FILE | --sample FOLDER} [--targets FILE] [--extra NAME=FILE]... [--grad FILE] "
                "[--json]",
    .summary = "a loss and its gradient, of arrays",
    .description = "Computes a loss of NPY arrays: SPEC is a name, a JSON object or a file that holds one. Weights "
                   "that move during training are taken as at its end.",
    .least = 1, .most = 1, .options = options, .run = run,
};
