/* Parameters as text and as JSON. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/component.h"
#include "core/base/param_text.h"

static const char *const nouns[PARAM_TYPE_COUNT] = {
    [PARAM_TYPE_BOOL] = "true or false",
    [PARAM_TYPE_INT] = "an integer",
    [PARAM_TYPE_FLOAT] = "a number",
    [PARAM_TYPE_STRING] = "a string",
    [PARAM_TYPE_PATH] = "a path",
    [PARAM_TYPE_ENUM] = "one of",
    [PARAM_TYPE_INTS] = "a list of integers",
    [PARAM_TYPE_FLOATS] = "a list of numbers",
    [PARAM_TYPE_COMPONENT] = "a component",
    [PARAM_TYPE_COMPONENTS] = "a list of components",
    [PARAM_TYPE_TERMS] = "a list of components with weights",
    [PARAM_TYPE_WEIGHT] = "a number",
    [PARAM_TYPE_JSON] = "a value",
};

const char *param_type_name(ParamType type)
{
    static const char *const names[PARAM_TYPE_COUNT] = {
        [PARAM_TYPE_BOOL] = "boolean",          [PARAM_TYPE_INT] = "integer",
        [PARAM_TYPE_FLOAT] = "number",          [PARAM_TYPE_STRING] = "string",
        [PARAM_TYPE_PATH] = "path",             [PARAM_TYPE_ENUM] = "choice",
        [PARAM_TYPE_INTS] = "integers",         [PARAM_TYPE_FLOATS] = "numbers",
        [PARAM_TYPE_COMPONENT] = "component",   [PARAM_TYPE_COMPONENTS] = "components",
        [PARAM_TYPE_TERMS] = "terms",           [PARAM_TYPE_WEIGHT] = "number or schedule",
        [PARAM_TYPE_JSON] = "JSON",
    };
    return names[type] ? names[type] : "";
}

/* Appends; what does not fit is cut. */
static void append(char *out, size_t size, const char *format, ...) FORMAT_LIKE_PRINTF(3, 4);
static void append(char *out, size_t size, const char *format, ...)
{
    size_t length = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out + length, size - length, format, arguments);
    va_end(arguments);
}

static void append_range(const Param *param, char *out, size_t size)
{
    bool low = isfinite(param->min), high = isfinite(param->max);
    if (low && high)
        append(out, size, " between %.15g and %.15g", param->min, param->max);
    else if (low)
        append(out, size, " >= %.15g", param->min);
    else if (high)
        append(out, size, " <= %.15g", param->max);
}

void param_expected(const Param *param, ParamType type, char *out, size_t size)
{
    snprintf(out, size, "%s", nouns[type]);
    if (type == PARAM_TYPE_INT || type == PARAM_TYPE_FLOAT || type == PARAM_TYPE_WEIGHT)
        append_range(param, out, size);
    if (type == PARAM_TYPE_WEIGHT)
        append(out, size, " or a schedule");
    for (int i = 0; type == PARAM_TYPE_ENUM && param->choices[i]; i++)
        append(out, size, "%s \"%s\"", i ? "," : "", param->choices[i]);
    if (param->optional && type == param->type)
        append(out, size, " or null");
}

void param_got(const cJSON *value, char *out, size_t size)
{
    if (cJSON_IsObject(value) || cJSON_IsArray(value)) {
        snprintf(out, size, "%s", cJSON_IsObject(value) ? "an object" : "a list");
        return;
    }
    char *text = cJSON_PrintUnformatted(value);
    size_t length = strlen(text), limit = size - 4;
    if (length > limit) {
        while (limit > 0 && ((unsigned char)text[limit] & 0xC0) == 0x80)
            limit--; /* not inside a character */
        text[limit] = '\0';
    }
    snprintf(out, size, "%s%s", text, length > limit ? "..." : "");
    cJSON_free(text);
}

static cJSON *string_or_null(const char *text)
{
    return text ? cJSON_CreateString(text) : cJSON_CreateNull();
}

static cJSON *ints_to_json(const IntList *list)
{
    cJSON *array = list->items ? cJSON_CreateArray() : cJSON_CreateNull();
    for (int64_t i = 0; list->items && i < list->count; i++)
        cJSON_AddItemToArray(array, json_number_exact((double)list->items[i]));
    return array;
}

static cJSON *floats_to_json(const FloatList *list)
{
    cJSON *array = list->items ? cJSON_CreateArray() : cJSON_CreateNull();
    for (int64_t i = 0; list->items && i < list->count; i++)
        cJSON_AddItemToArray(array, json_number_exact(list->items[i]));
    return array;
}

static cJSON *instances_to_json(const InstanceList *list)
{
    cJSON *array = list->items ? cJSON_CreateArray() : cJSON_CreateNull();
    for (int64_t i = 0; list->items && i < list->count; i++)
        cJSON_AddItemToArray(array, instance_to_json(&list->items[i]));
    return array;
}

static cJSON *weight_to_json(const Weight *weight)
{
    if (!weight->schedule.component)
        return json_number_exact(weight->value);
    cJSON *object = instance_to_json(&weight->schedule);
    cJSON_AddItemToObject(object, "from", json_number_exact(weight->value));
    cJSON_AddItemToObject(object, "to", json_number_exact(weight->to));
    return object;
}

static cJSON *terms_to_json(const TermList *list)
{
    cJSON *array = list->items ? cJSON_CreateArray() : cJSON_CreateNull();
    for (int64_t i = 0; list->items && i < list->count; i++) {
        cJSON *item = instance_to_json(&list->items[i].instance);
        cJSON_AddItemToObject(item, "weight", weight_to_json(&list->items[i].weight));
        cJSON_AddItemToArray(array, item);
    }
    return array;
}

static cJSON *field_to_json(const Param *param, const void *field)
{
    switch (param->type) {
    case PARAM_TYPE_BOOL:
        return cJSON_CreateBool(*(const bool *)field);
    case PARAM_TYPE_INT: {
        int64_t value = *(const int64_t *)field;
        return value == PARAM_UNSET ? cJSON_CreateNull() : json_number_exact((double)value);
    }
    case PARAM_TYPE_FLOAT:
        return json_number_exact(*(const double *)field);
    case PARAM_TYPE_STRING:
    case PARAM_TYPE_PATH:
        return string_or_null(*(const char *const *)field);
    case PARAM_TYPE_ENUM:
        return cJSON_CreateString(param->choices[*(const int *)field]);
    case PARAM_TYPE_INTS:
        return ints_to_json(field);
    case PARAM_TYPE_FLOATS:
        return floats_to_json(field);
    case PARAM_TYPE_COMPONENT:
        return instance_to_json(field);
    case PARAM_TYPE_COMPONENTS:
        return instances_to_json(field);
    case PARAM_TYPE_TERMS:
        return terms_to_json(field);
    case PARAM_TYPE_WEIGHT:
        return weight_to_json(field);
    case PARAM_TYPE_JSON: {
        const cJSON *value = *(const cJSON *const *)field;
        return value ? cJSON_Duplicate(value, true) : cJSON_CreateNull();
    }
    case PARAM_TYPE_END:
    case PARAM_TYPE_COUNT:
        break;
    }
    return cJSON_CreateNull();
}

static void add_params(cJSON *object, const Param *table, const void *values)
{
    for (const Param *param = table; param && param->type != PARAM_TYPE_END; param++)
        cJSON_AddItemToObject(object, param->name, field_to_json(param, (const char *)values + param->offset));
}

cJSON *params_to_json(const Param *table, const void *values)
{
    cJSON *object = cJSON_CreateObject();
    add_params(object, table, values);
    return object;
}

cJSON *instance_to_json(const Instance *instance)
{
    if (!instance->component)
        return cJSON_CreateNull();
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "type", instance->component->name);
    add_params(object, instance->component->params, instance->values);
    return object;
}
