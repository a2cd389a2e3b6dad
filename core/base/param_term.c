/* Weights, which may move by a schedule, and the terms of weighted sums. */
#include "core/base/component.h"
#include "core/base/param_parse.h"

static bool read_end(ParamContext *context, const Param *param, const cJSON *object, const char *key, double *end)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!value)
        return true;
    size_t length = param_enter(context, key);
    if (!param_read_number(context, param, PARAM_TYPE_FLOAT, value, end))
        return false;
    param_leave(context, length);
    return true;
}

bool param_read_weight(ParamContext *context, const Param *param, const cJSON *value, Weight *weight)
{
    static const char *const keys[] = {"type", "from", "to", NULL};
    *weight = (Weight){.value = 1};
    if (param_is_number(value, &weight->value))
        return param_read_number(context, param, PARAM_TYPE_FLOAT, value, &weight->value);
    if (!cJSON_IsObject(value) && !cJSON_IsString(value))
        return param_fail_expected(context, param, PARAM_TYPE_WEIGHT, value);
    if (!param_parse_instance(context, "schedule", NULL, keys, value, &weight->schedule) ||
        !read_end(context, param, value, "from", &weight->value) || !read_end(context, param, value, "to", &weight->to))
        return false;
    const char *reason = weight->schedule.component->no_weight;
    return !reason || param_fail(context, value, "%s", reason);
}

bool param_read_term(ParamContext *context, const Param *param, const cJSON *value, Term *term)
{
    static const char *const keys[] = {"type", "weight", NULL};
    const cJSON *weight = cJSON_GetObjectItemCaseSensitive(value, "weight");
    term->weight = (Weight){.value = 1};
    if (!param_parse_instance(context, param->kind, NULL, keys, value, &term->instance))
        return false;
    if (!weight)
        return true;
    size_t length = param_enter(context, "weight");
    if (!param_read_weight(context, param, weight, &term->weight))
        return false;
    param_leave(context, length);
    return true;
}

static const Weight *find_in_field(const Param *param, const void *field, bool (*matches)(const Weight *))
{
    const Weight *found = NULL;
    const InstanceList *list = field;
    const TermList *terms = field;
    switch (param->type) {
    case PARAM_TYPE_WEIGHT:
        return matches(field) ? field : NULL;
    case PARAM_TYPE_COMPONENT:
        return instance_find_weight(field, matches);
    case PARAM_TYPE_COMPONENTS:
        for (int64_t i = 0; i < list->count && !found; i++)
            found = instance_find_weight(&list->items[i], matches);
        return found;
    case PARAM_TYPE_TERMS:
        for (int64_t i = 0; i < terms->count && !found; i++)
            found = matches(&terms->items[i].weight) ? &terms->items[i].weight
                                                     : instance_find_weight(&terms->items[i].instance, matches);
        return found;
    default:
        return NULL;
    }
}

const Weight *instance_find_weight(const Instance *instance, bool (*matches)(const Weight *))
{
    const Weight *found = NULL;
    const Param *param = instance->component ? instance->component->params : NULL;
    for (; param && param->type != PARAM_TYPE_END && !found; param++)
        found = find_in_field(param, (const char *)instance->values + param->offset, matches);
    return found;
}
