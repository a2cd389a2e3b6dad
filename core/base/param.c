#include "core/base/param.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/component.h"
#include "core/base/file.h"
#include "core/base/param_parse.h"

/* Beyond this a double, and so a JSON number, skips integers. */
#define LARGEST_INTEGER 9007199254740991.0

/* Both return the length to restore with param_leave. A path too long is cut: it only serves messages. */
size_t param_enter(ParamContext *context, const char *key)
{
    size_t length = strlen(context->path);
    snprintf(context->path + length, sizeof context->path - length, "%s%s", length ? "." : "", key);
    for (char *c = context->path + length; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?'; /* a message is one line */
    return length;
}

static size_t enter_index(ParamContext *context, int64_t index)
{
    size_t length = strlen(context->path);
    snprintf(context->path + length, sizeof context->path - length, "[%lld]", (long long)index);
    return length;
}

void param_leave(ParamContext *context, size_t length)
{
    context->path[length] = '\0';
}

/* Puts "file:line: path: " in front of the message, as far as they are known. */
static bool put_line(ParamContext *context, const cJSON *value)
{
    int line;
    const char *name = json_place(context->source, value, &line);
    context->error->status = STATUS_USAGE;
    return name ? fail_at(context->error, "%s:%d", name, line) : false;
}

static bool put_place(ParamContext *context, const cJSON *value)
{
    if (context->path[0])
        fail_at(context->error, "%s", context->path);
    return put_line(context, value);
}

bool param_refused(ParamContext *context, const cJSON *value)
{
    char said[sizeof context->error->message];
    memcpy(said, context->error->message, sizeof said);
    size_t key = strspn(said, "abcdefghijklmnopqrstuvwxyz0123456789_[]");
    if (!context->path[0] || key == 0 || said[key] != ':')
        return put_place(context, value);
    fail_usage(context->error, "%s.", context->path);
    size_t used = strlen(context->error->message), rest = strlen(said), room = sizeof said - 1 - used;
    memcpy(context->error->message + used, said, rest < room ? rest : room);
    context->error->message[used + (rest < room ? rest : room)] = '\0';
    return put_line(context, value);
}

bool param_fail(ParamContext *context, const cJSON *value, const char *format, ...)
{
    char message[sizeof context->error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fail_usage(context->error, "%s", message);
    return put_place(context, value);
}

bool param_fail_expected(ParamContext *context, const Param *param, ParamType type, const cJSON *value)
{
    char expected[512], got[80];
    param_expected(param, type, expected, sizeof expected);
    param_got(value, got, sizeof got);
    return param_fail(context, value, "expected %s, got %s", expected, got);
}

/* params_to_json writes a number that needs 17 digits as raw text. */
bool param_is_number(const cJSON *value, double *number)
{
    if (cJSON_IsNumber(value))
        *number = value->valuedouble;
    else if (cJSON_IsRaw(value))
        *number = strtod(value->valuestring, NULL);
    else
        return false;
    return true;
}

/* A number of the row's range, an integer where `type` says so. */
bool param_read_number(ParamContext *context, const Param *param, ParamType type, const cJSON *value, double *number)
{
    bool good = param_is_number(value, number) && isfinite(*number) && *number >= param->min && *number <= param->max;
    if (good && type == PARAM_TYPE_INT)
        good = *number == floor(*number) && fabs(*number) <= LARGEST_INTEGER;
    return good || param_fail_expected(context, param, type, value);
}

static bool read_int(ParamContext *context, const Param *param, const cJSON *value, int64_t *out)
{
    double number;
    if (!param_read_number(context, param, PARAM_TYPE_INT, value, &number))
        return false;
    *out = (int64_t)number;
    return true;
}

static bool read_string(ParamContext *context, const Param *param, const cJSON *value, const char **out)
{
    if (!cJSON_IsString(value))
        return param_fail_expected(context, param, PARAM_TYPE_STRING, value);
    *out = arena_string(context->arena, value->valuestring);
    return true;
}

/* Relative to the folder of the file the value stands in; where there is none, to the current one. */
static bool read_path(ParamContext *context, const Param *param, const cJSON *value, const char **out)
{
    if (!cJSON_IsString(value) || !value->valuestring[0])
        return param_fail_expected(context, param, PARAM_TYPE_PATH, value);
    const char *path = value->valuestring, *file = json_file(context->source, value);
    if (file)
        path = path_join(context->arena, path_folder(context->arena, file), path);
    Error error;
    *out = path_absolute(context->arena, path, &error);
    return *out || param_fail(context, value, "%s", error.message);
}

static bool read_enum(ParamContext *context, const Param *param, const cJSON *value, int *out)
{
    if (!cJSON_IsString(value))
        return param_fail_expected(context, param, PARAM_TYPE_ENUM, value);
    for (int i = 0; param->choices[i]; i++)
        if (strcmp(param->choices[i], value->valuestring) == 0) {
            *out = i;
            return true;
        }
    param_fail_expected(context, param, PARAM_TYPE_ENUM, value);
    const char *near = nearest_name(value->valuestring, param->choices);
    size_t length = strlen(context->error->message);
    if (near)
        snprintf(context->error->message + length, sizeof context->error->message - length,
                 "; did you mean \"%s\"?", near);
    return false;
}

/* Keys besides those of the table: none, a component's. */
static const char *const no_keys[] = {NULL}, *const typed_keys[] = {"type", NULL};

static bool read_element(ParamContext *context, const Param *param, const cJSON *value, char *items, int64_t i)
{
    switch (param->type) {
    case PARAM_TYPE_INTS:
        return read_int(context, param, value, (int64_t *)(void *)items + i);
    case PARAM_TYPE_FLOATS:
        return param_read_number(context, param, PARAM_TYPE_FLOAT, value, (double *)(void *)items + i);
    case PARAM_TYPE_TERMS:
        return param_read_term(context, param, value, (Term *)(void *)items + i);
    default:
        return instance_parse(context, param->kind, value, (Instance *)(void *)items + i);
    }
}

static bool read_list(ParamContext *context, const Param *param, const cJSON *value, int64_t *count, void **items)
{
    if (!cJSON_IsArray(value))
        return param_fail_expected(context, param, param->type, value);
    *count = cJSON_GetArraySize(value);
    if (*count < param->min_count)
        return param_fail(context, value, "expected a list of at least %lld, got %lld", (long long)param->min_count,
                          (long long)*count);
    size_t size = param->type == PARAM_TYPE_COMPONENTS ? sizeof(Instance)
                  : param->type == PARAM_TYPE_TERMS    ? sizeof(Term)
                                                       : sizeof(int64_t);
    *items = arena_zero(context->arena, (size_t)*count, size);
    int64_t i = 0;
    const cJSON *element;
    cJSON_ArrayForEach(element, value)
    {
        size_t length = enter_index(context, i);
        if (!read_element(context, param, element, *items, i++))
            return false;
        param_leave(context, length);
    }
    return true;
}

/* The list structs differ in their element type only, so each is filled by name. */
static bool read_lists(ParamContext *context, const Param *param, const cJSON *value, void *field)
{
    int64_t count = 0;
    void *items = NULL;
    if (!read_list(context, param, value, &count, &items))
        return false;
    if (param->type == PARAM_TYPE_INTS)
        *(IntList *)field = (IntList){count, items};
    else if (param->type == PARAM_TYPE_FLOATS)
        *(FloatList *)field = (FloatList){count, items};
    else if (param->type == PARAM_TYPE_TERMS)
        *(TermList *)field = (TermList){count, items};
    else
        *(InstanceList *)field = (InstanceList){count, items};
    return true;
}

static size_t field_size(ParamType type)
{
    static const size_t sizes[PARAM_TYPE_COUNT] = {
        [PARAM_TYPE_BOOL] = sizeof(bool),           [PARAM_TYPE_INT] = sizeof(int64_t),
        [PARAM_TYPE_FLOAT] = sizeof(double),        [PARAM_TYPE_STRING] = sizeof(char *),
        [PARAM_TYPE_PATH] = sizeof(char *),         [PARAM_TYPE_ENUM] = sizeof(int),
        [PARAM_TYPE_INTS] = sizeof(IntList),        [PARAM_TYPE_FLOATS] = sizeof(FloatList),
        [PARAM_TYPE_COMPONENT] = sizeof(Instance),  [PARAM_TYPE_COMPONENTS] = sizeof(InstanceList),
        [PARAM_TYPE_TERMS] = sizeof(TermList),      [PARAM_TYPE_WEIGHT] = sizeof(Weight),
        [PARAM_TYPE_JSON] = sizeof(cJSON *),
    };
    return sizes[type];
}

static bool read_null(ParamContext *context, const Param *param, const cJSON *value, void *field)
{
    bool allowed = param->optional || (param->fallback && strcmp(param->fallback, "null") == 0);
    if (!allowed)
        return param_fail_expected(context, param, param->type, value);
    memset(field, 0, field_size(param->type));
    if (param->type == PARAM_TYPE_INT)
        *(int64_t *)field = PARAM_UNSET;
    else if (param->type == PARAM_TYPE_FLOAT)
        *(double *)field = NAN;
    return true;
}

static bool read_value(ParamContext *context, const Param *param, const cJSON *value, void *field)
{
    if (cJSON_IsNull(value))
        return read_null(context, param, value, field);
    switch (param->type) {
    case PARAM_TYPE_BOOL:
        *(bool *)field = cJSON_IsTrue(value);
        return cJSON_IsBool(value) || param_fail_expected(context, param, param->type, value);
    case PARAM_TYPE_INT:
        return read_int(context, param, value, field);
    case PARAM_TYPE_FLOAT:
        return param_read_number(context, param, PARAM_TYPE_FLOAT, value, field);
    case PARAM_TYPE_STRING:
        return read_string(context, param, value, field);
    case PARAM_TYPE_PATH:
        return read_path(context, param, value, field);
    case PARAM_TYPE_ENUM:
        return read_enum(context, param, value, field);
    case PARAM_TYPE_INTS:
    case PARAM_TYPE_FLOATS:
    case PARAM_TYPE_COMPONENTS:
    case PARAM_TYPE_TERMS:
        return read_lists(context, param, value, field);
    case PARAM_TYPE_COMPONENT:
        return param_parse_instance(context, param->kind, param, typed_keys, value, field);
    case PARAM_TYPE_WEIGHT:
        return param_read_weight(context, param, value, field);
    case PARAM_TYPE_JSON:
        *(const cJSON **)field = value;
        return true;
    case PARAM_TYPE_END:
    case PARAM_TYPE_COUNT:
        break;
    }
    assert(false); /* a row without a type */
    return false;
}

/* A tree in the arena: it lives as long as the values, and no address of it has a place. */
static cJSON *copy_into_arena(Arena *arena, const cJSON *value)
{
    cJSON *copy = arena_alloc(arena, sizeof *copy), *last = NULL;
    *copy = *value;
    copy->next = copy->prev = copy->child = NULL;
    copy->valuestring = value->valuestring ? arena_string(arena, value->valuestring) : NULL;
    copy->string = value->string ? arena_string(arena, value->string) : NULL;
    for (const cJSON *child = value->child; child; child = child->next) {
        cJSON *item = copy_into_arena(arena, child);
        if (last)
            last->next = item;
        else
            copy->child = item;
        item->prev = last;
        last = item;
    }
    if (last)
        copy->child->prev = last; /* as cJSON keeps its lists */
    return copy;
}

static bool read_default(ParamContext *context, const Param *param, void *field)
{
    cJSON *tree = cJSON_Parse(param->fallback);
    assert(tree); /* the table's default is JSON */
    const cJSON *value = copy_into_arena(context->arena, tree);
    cJSON_Delete(tree);
    return read_value(context, param, value, field);
}

static bool fail_unknown_key(ParamContext *context, const Param *table, const char *const *also, const cJSON *item)
{
    size_t count = 0;
    while (table[count].type != PARAM_TYPE_END)
        count++;
    const char **names = arena_zero(context->arena, count + 4, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = table[i].name;
    for (; *also; also++)
        names[count++] = *also;
    const char *near = nearest_name(item->string, names);
    param_enter(context, item->string);
    if (near)
        return param_fail(context, item, "unknown key; did you mean \"%s\"?", near);
    return param_fail(context, item, "unknown key");
}

static bool check_keys(ParamContext *context, const Param *table, const char *const *also, const cJSON *object)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        bool known = false;
        for (const char *const *key = also; *key && !known; key++)
            known = strcmp(item->string, *key) == 0;
        for (const Param *param = table; param->type != PARAM_TYPE_END && !known; param++)
            known = strcmp(param->name, item->string) == 0;
        if (!known)
            return fail_unknown_key(context, table, also, item);
    }
    return true;
}

static bool parse_values(ParamContext *context, const Param *table, const char *const *also, const cJSON *object,
                         void *values)
{
    if (object && !cJSON_IsObject(object)) {
        char got[80];
        param_got(object, got, sizeof got);
        return param_fail(context, object, "expected an object, got %s", got);
    }
    if (!check_keys(context, table, also, object))
        return false;
    for (const Param *param = table; param->type != PARAM_TYPE_END; param++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, param->name);
        void *field = (char *)values + param->offset;
        if (!value && !param->fallback)
            return param_fail(context, object, "missing key \"%s\"", param->name);
        size_t length = param_enter(context, param->name);
        if (!(value ? read_value(context, param, value, field) : read_default(context, param, field)))
            return false;
        param_leave(context, length);
    }
    return true;
}

bool params_parse(ParamContext *context, const Param *table, bool typed, const cJSON *object, void *values)
{
    return parse_values(context, table, typed ? typed_keys : no_keys, object, values);
}

static bool fail_unknown_component(ParamContext *context, const ComponentKind *kind, const cJSON *value)
{
    size_t count = 0;
    while (kind->items[count])
        count++;
    const char **names = arena_zero(context->arena, count + 1, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = kind->items[i]->name;
    const char *near = nearest_name(value->valuestring, names);
    char got[80];
    param_got(value, got, sizeof got);
    if (near)
        return param_fail(context, value, "unknown %s %s; did you mean \"%s\"? (\"xent list %s\" names all)",
                          kind->name, got, near, kind->plural);
    return param_fail(context, value, "unknown %s %s (\"xent list %s\" names all)", kind->name, got, kind->plural);
}

/* An object without "type" changes keys of the component that is the row's default; NULL: that is none. */
static const cJSON *default_type(ParamContext *context, const Param *row)
{
    if (!row || !row->fallback || row->fallback[0] != '"')
        return NULL;
    cJSON *tree = cJSON_Parse(row->fallback);
    const cJSON *type = copy_into_arena(context->arena, tree);
    cJSON_Delete(tree);
    return type;
}

/* The value that names the component: the string itself or the object's "type". `row` may be NULL. */
static const cJSON *type_of(ParamContext *context, const ComponentKind *kind, const Param *row, const cJSON *value)
{
    if (cJSON_IsString(value))
        return value;
    if (!cJSON_IsObject(value)) {
        char got[80];
        param_got(value, got, sizeof got);
        param_fail(context, value, "expected the name of a %s or an object with \"type\", got %s", kind->name, got);
        return NULL;
    }
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(value, "type");
    if (!type) {
        /* A key that is nearly "type" is what was meant to be it. */
        static const char *const names[] = {"type", NULL};
        const cJSON *item;
        cJSON_ArrayForEach(item, value)
            if (nearest_name(item->string, names)) {
                param_enter(context, item->string);
                param_fail(context, item, "unknown key; did you mean \"type\"?");
                return NULL;
            }
        const cJSON *otherwise = default_type(context, row);
        if (!otherwise)
            param_fail(context, value, "missing key \"type\"");
        return otherwise;
    }
    param_enter(context, "type");
    if (!cJSON_IsString(type)) {
        param_fail(context, type, "expected the name of a %s", kind->name);
        return NULL;
    }
    return type;
}

bool param_parse_instance(ParamContext *context, const char *kind_name, const Param *row, const char *const *also,
                          const cJSON *value, Instance *instance)
{
    static const Param none[] = {PARAM_END};
    const ComponentKind *kind = component_kind(kind_name);
    assert(kind);
    size_t length = strlen(context->path);
    const cJSON *type = type_of(context, kind, row, value);
    if (!type)
        return false;
    const Component *component = component_find(kind_name, type->valuestring);
    if (!component)
        return fail_unknown_component(context, kind, type);
    param_leave(context, length);
    void *values = arena_zero(context->arena, 1, component->size);
    const cJSON *object = cJSON_IsObject(value) ? value : NULL;
    if (!parse_values(context, component->params ? component->params : none, also, object, values)) {
        /* Keys that are missing behind a bare name are missing where the name stands. */
        int line;
        const char *name = object ? NULL : json_place(context->source, value, &line);
        return name ? fail_at(context->error, "%s:%d", name, line) : false;
    }
    if (component->validate && !component->validate(values, context->error))
        return param_refused(context, value);
    if (component->derive)
        component->derive(values, context->arena);
    *instance = (Instance){component, values};
    return true;
}

bool instance_parse(ParamContext *context, const char *kind, const cJSON *value, Instance *instance)
{
    return param_parse_instance(context, kind, NULL, typed_keys, value, instance);
}
