#include "core/calibrate/calibrate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/threads.h"
#include "core/metrics/predictions.h"

CalibrationArray calibration_array(Arena *arena, int64_t count, const double *values)
{
    int64_t *starts = arena_zero(arena, 2, sizeof *starts);
    double *copy = arena_zero(arena, (size_t)count, sizeof *copy);
    memcpy(copy, values, (size_t)count * sizeof *copy);
    starts[1] = count;
    return (CalibrationArray){1, count, starts, copy};
}

bool calibration_fit(const Instance *instance, const CalibrationData *data, Arena *arena, Calibration *calibration,
                     Error *error)
{
    const CalibratorDef *method = (const CalibratorDef *)instance->component;
    *calibration = (Calibration){.method = method, .values = instance->values, .classes = data->classes};
    if (data->classes < 2)
        return fail(error, "%s: one class leaves nothing to calibrate", method->component.name);
    double weight = 0;
    for (int64_t i = 0; i < data->count; i++)
        weight += calibration_weight(data, i);
    if (!(weight > 0))
        return fail(error, "%s: no sample to fit to has a weight", method->component.name);
    if (!method->fit(data, arena, calibration, error))
        return fail_at(error, "%s", method->component.name);
    return true;
}

typedef struct Applying {
    const Calibration *calibration;
    const double *logits;
    double *out;
} Applying;

static void apply_rows(void *context, int64_t begin, int64_t end)
{
    const Applying *a = context;
    int64_t classes = a->calibration->classes;
    double *row = memory_array((size_t)classes, sizeof *row);
    for (int64_t i = begin; i < end; i++) {
        memcpy(row, a->logits + i * classes, (size_t)classes * sizeof *row);
        a->calibration->method->apply(a->calibration, row, a->out + i * classes);
    }
    memory_free(row);
}

bool calibration_apply(const Calibration *calibration, int64_t count, const double *logits, double *out, Error *error)
{
    Applying a = {calibration, logits, out};
    parallel_for(count, 256, apply_rows, &a);
    int64_t bad = logits_first_bad_row(count, calibration->classes, out, true);
    if (bad >= 0)
        return fail(error, "%s: row %lld overflows", calibration->method->component.name, (long long)bad);
    return true;
}

static cJSON *row_to_json(const double *values, int64_t count, bool exact)
{
    cJSON *list = cJSON_CreateArray();
    for (int64_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, exact ? json_number_exact(values[i]) : json_number9(values[i]));
    return list;
}

static cJSON *array_to_json(const CalibrationArray *array, int rank, bool exact)
{
    if (rank == 0)
        return exact ? json_number_exact(array->values[0]) : json_number9(array->values[0]);
    if (rank == 1)
        return row_to_json(array->values, array->count, exact);
    cJSON *list = cJSON_CreateArray();
    for (int64_t r = 0; r < array->rows; r++)
        cJSON_AddItemToArray(list, row_to_json(calibration_row(array, r), calibration_row_length(array, r), exact));
    return list;
}

cJSON *calibration_parameters(const Calibration *calibration, bool exact)
{
    const CalibratorDef *method = calibration->method;
    cJSON *object = cJSON_CreateObject();
    for (int a = 0; method->arrays[a].name; a++)
        cJSON_AddItemToObject(object, method->arrays[a].name,
                              array_to_json(&calibration->arrays[a], method->arrays[a].rank, exact));
    return object;
}

char *calibration_text(const Calibration *calibration)
{
    cJSON *object = cJSON_CreateObject();
    Instance instance = {&calibration->method->component, (void *)(uintptr_t)calibration->values};
    cJSON_AddItemToObject(object, "calibrate", instance_to_json(&instance));
    cJSON_AddItemToObject(object, "classes", json_number_exact((double)calibration->classes));
    cJSON_AddItemToObject(object, "parameters", calibration_parameters(calibration, true));
    char *text = cJSON_Print(object);
    cJSON_Delete(object);
    return text;
}

bool calibration_write(const Calibration *calibration, const char *path, Error *error)
{
    char *text = calibration_text(calibration);
    size_t size = strlen(text);
    bool good = size <= JSON_MAX_BYTES ? file_write(path, text, size, error)
                                       : fail(error, "%s: %zu bytes of parameters, more than can be read back (%d)",
                                              path, size, (int)JSON_MAX_BYTES);
    cJSON_free(text);
    return good;
}

/* The top level of the file. */
struct file { Instance calibrate; int64_t classes; const cJSON *parameters; };
static const Param file_params[] = {
    PARAM_COMPONENT(struct file, calibrate, NULL, "calibrator", .help = "the method"),
    PARAM_REQUIRED(INT, struct file, classes, .min = 2, .max = 1 << 24, .help = "number of classes"),
    PARAM_JSON(struct file, parameters, NULL, .help = "what was fitted"),
    PARAM_END,
};

static bool read_number(ParamContext *context, const cJSON *value, double *number)
{
    if (!cJSON_IsNumber(value) || !isfinite(value->valuedouble))
        return param_fail(context, value, "expected a number");
    *number = value->valuedouble;
    return true;
}

/* values has room for the list. */
static bool read_list(ParamContext *context, const cJSON *list, double *values)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
        if (!read_number(context, item, values++))
            return false;
    return true;
}

/* A number, a list of them, or a list of lists. */
static bool read_array(ParamContext *context, const cJSON *value, int rank, CalibrationArray *array)
{
    double number = 0;
    if (rank == 0) {
        if (!read_number(context, value, &number))
            return false;
        *array = calibration_array(context->arena, 1, &number);
        return true;
    }
    if (!cJSON_IsArray(value))
        return param_fail(context, value, "expected a list");
    int64_t rows = rank == 2 ? cJSON_GetArraySize(value) : 1;
    int64_t *starts = arena_zero(context->arena, (size_t)rows + 1, sizeof *starts);
    const cJSON *row = rank == 2 ? value->child : value;
    for (int64_t r = 0; r < rows; r++, row = row->next) {
        if (!cJSON_IsArray(row))
            return param_fail(context, row, "expected a list");
        starts[r + 1] = starts[r] + cJSON_GetArraySize(row);
    }
    *array = (CalibrationArray){rows, starts[rows], starts,
                                arena_zero(context->arena, (size_t)starts[rows], sizeof(double))};
    row = rank == 2 ? value->child : value;
    for (int64_t r = 0; r < rows; r++, row = row->next)
        if (!read_list(context, row, array->values + starts[r]))
            return false;
    return true;
}

static bool read_arrays(ParamContext *context, const cJSON *object, Calibration *calibration)
{
    const CalibratorDef *method = calibration->method;
    int known = 0;
    for (; method->arrays[known].name; known++) {
        const char *name = method->arrays[known].name;
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
        snprintf(context->path, sizeof context->path, "parameters");
        if (!value)
            return param_fail(context, object, "missing key \"%s\"", name);
        snprintf(context->path, sizeof context->path, "parameters.%s", name);
        if (!read_array(context, value, method->arrays[known].rank, &calibration->arrays[known]))
            return false;
    }
    snprintf(context->path, sizeof context->path, "parameters");
    if (cJSON_GetArraySize(object) != known)
        return param_fail(context, object, "expected %d keys, got %d", known, cJSON_GetArraySize(object));
    return true;
}

static bool read_tree(JsonSource *source, const char *name, const cJSON *tree, Arena *arena, Calibration *calibration,
                      Error *error)
{
    struct file file = {0};
    ParamContext context = {.source = source, .arena = arena, .error = error};
    bool good = tree && params_parse(&context, file_params, false, tree, &file);
    if (good) {
        *calibration = (Calibration){.method = (const CalibratorDef *)file.calibrate.component,
                                     .values = file.calibrate.values,
                                     .classes = file.classes};
        good = read_arrays(&context, file.parameters, calibration) &&
               (calibration->method->check(calibration, error) || fail_at(error, "%s: parameters", name));
    }
    if (!good)
        error->status = STATUS_FAILED; /* a damaged file, not a wrong command */
    return good;
}

bool calibration_read(const char *path, Arena *arena, Calibration *calibration, Error *error)
{
    JsonSource *source = json_source_new();
    bool good = read_tree(source, path, json_parse_file(source, path, error), arena, calibration, error);
    json_source_free(source);
    return good;
}

bool calibration_parse(const char *name, const char *text, Arena *arena, Calibration *calibration, Error *error)
{
    JsonSource *source = json_source_new();
    bool good = read_tree(source, name, json_parse(source, name, text, strlen(text), error), arena, calibration, error);
    json_source_free(source);
    return good;
}
