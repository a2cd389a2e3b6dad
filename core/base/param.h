/* Parameter tables: the one place where a key, its type, range, default and help stand. Parsing,
   validation, `xent describe`, `xent check`, completion and the generated pages come from them.

       struct gce { double q; };
       static const Param params[] = {
           PARAM_FLOAT(struct gce, q, 0.7, .min = 0, .max = 1, .help = "0 is cross-entropy"),
           PARAM_END
       };

   Field types: BOOL bool; INT int64_t; FLOAT double; STRING, PATH const char *; ENUM int (index into
   .choices); INTS IntList; FLOATS FloatList; COMPONENT Instance; COMPONENTS InstanceList; TERMS
   TermList; WEIGHT Weight; JSON const cJSON *. A default of `null` leaves INT at PARAM_UNSET, FLOAT at NAN, the others
   at zero/NULL. */
#ifndef XENT_BASE_PARAM_H
#define XENT_BASE_PARAM_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/json.h"

typedef enum ParamType {
    PARAM_TYPE_END, PARAM_TYPE_BOOL, PARAM_TYPE_INT, PARAM_TYPE_FLOAT, PARAM_TYPE_STRING, PARAM_TYPE_PATH,
    PARAM_TYPE_ENUM, PARAM_TYPE_INTS, PARAM_TYPE_FLOATS, PARAM_TYPE_COMPONENT, PARAM_TYPE_COMPONENTS,
    PARAM_TYPE_TERMS, PARAM_TYPE_WEIGHT, PARAM_TYPE_JSON, PARAM_TYPE_COUNT
} ParamType;

#define PARAM_UNSET INT64_MIN

typedef struct IntList { int64_t count; const int64_t *items; } IntList;
typedef struct FloatList { int64_t count; const double *items; } FloatList;

typedef struct Component Component;
/* A component with its parsed parameters; component NULL means "none given". */
typedef struct Instance { const Component *component; void *values; } Instance;
typedef struct InstanceList { int64_t count; const Instance *items; } InstanceList;
/* A number, or one that moves with a schedule's factor f: to + f (value - to). In JSON a number, or the schedule with
   the further keys "from" (1), which is `value`, and "to" (0). schedule.component NULL: the number `value`. */
typedef struct Weight { double value, to; Instance schedule; } Weight;
/* A part of a weighted sum: a component whose object may have the key "weight" (1) besides its own. */
typedef struct Term { Instance instance; Weight weight; } Term;
typedef struct TermList { int64_t count; const Term *items; } TermList;

typedef struct Param {
    const char *name;
    ParamType type;
    size_t offset;
    const char *fallback;           /* default as JSON text; NULL: the key must be given */
    double min, max;                /* inclusive; of each element in lists */
    int64_t min_count;              /* lists */
    const char *const *choices;     /* ENUM, NULL-terminated */
    const char *kind;               /* COMPONENT(S), TERMS: "loss", "activation", ... */
    const char *help;
    bool optional;                  /* null is allowed */
} Param;

#define PARAM_ROW(type_, structure, field, default_, ...) \
    { .name = #field, .type = type_, .offset = offsetof(structure, field), .fallback = default_, \
      .min = -INFINITY, .max = INFINITY, __VA_ARGS__ }
#define PARAM_BOOL(structure, field, default_, ...) PARAM_ROW(PARAM_TYPE_BOOL, structure, field, #default_, __VA_ARGS__)
#define PARAM_INT(structure, field, default_, ...) PARAM_ROW(PARAM_TYPE_INT, structure, field, #default_, __VA_ARGS__)
#define PARAM_FLOAT(structure, field, default_, ...)                                                                   \
    PARAM_ROW(PARAM_TYPE_FLOAT, structure, field, #default_, __VA_ARGS__)
#define PARAM_STRING(structure, field, default_, ...)                                                                  \
    PARAM_ROW(PARAM_TYPE_STRING, structure, field, #default_, __VA_ARGS__)
#define PARAM_PATH(structure, field, default_, ...) PARAM_ROW(PARAM_TYPE_PATH, structure, field, #default_, __VA_ARGS__)
#define PARAM_ENUM(structure, field, default_, ...) PARAM_ROW(PARAM_TYPE_ENUM, structure, field, #default_, __VA_ARGS__)
/* Lists, components and raw JSON give their default as JSON text in quotes, or NULL for required. */
#define PARAM_INTS(structure, field, json, ...) PARAM_ROW(PARAM_TYPE_INTS, structure, field, json, __VA_ARGS__)
#define PARAM_FLOATS(structure, field, json, ...) PARAM_ROW(PARAM_TYPE_FLOATS, structure, field, json, __VA_ARGS__)
#define PARAM_COMPONENT(structure, field, json, kind_, ...)                                                            \
    PARAM_ROW(PARAM_TYPE_COMPONENT, structure, field, json, .kind = kind_, __VA_ARGS__)
#define PARAM_COMPONENTS(structure, field, json, kind_, ...)                                                           \
    PARAM_ROW(PARAM_TYPE_COMPONENTS, structure, field, json, .kind = kind_, __VA_ARGS__)
#define PARAM_TERMS(structure, field, json, kind_, ...)                                                                \
    PARAM_ROW(PARAM_TYPE_TERMS, structure, field, json, .kind = kind_, __VA_ARGS__)
#define PARAM_WEIGHT(structure, field, default_, ...)                                                                  \
    PARAM_ROW(PARAM_TYPE_WEIGHT, structure, field, #default_, __VA_ARGS__)
#define PARAM_JSON(structure, field, json, ...) PARAM_ROW(PARAM_TYPE_JSON, structure, field, json, __VA_ARGS__)
/* A key that must be given. */
#define PARAM_REQUIRED(type_, structure, field, ...) PARAM_ROW(PARAM_TYPE_##type_, structure, field, NULL, __VA_ARGS__)
#define PARAM_END { .type = PARAM_TYPE_END }

/* Where values come from and go to while a config is read. */
typedef struct ParamContext {
    JsonSource *source;
    Arena *arena;           /* owns every string, list and nested struct of the result */
    char path[512];         /* "model.hidden[1]" */
    Error *error;
} ParamContext;

/* Fills `values` (size bytes given by the table's struct) from a JSON object; `object` NULL: all
   defaults. The key "type" is accepted and ignored when `typed`. Errors name file:line: path. */
bool params_parse(ParamContext *context, const Param *table, bool typed, const cJSON *object, void *values);
/* {"type": NAME, ...} or "NAME" to an Instance of that kind. */
bool instance_parse(ParamContext *context, const char *kind, const cJSON *value, Instance *instance);
/* Back to JSON, every key written out; the caller owns the result. */
cJSON *params_to_json(const Param *table, const void *values);
cJSON *instance_to_json(const Instance *instance);
/* The first weight, in the order of tables and of what they hold, that matches; NULL: none. */
const Weight *instance_find_weight(const Instance *instance, bool (*matches)(const Weight *));
/* A file:line: path: error at `value` (status 2); returns false. */
bool param_fail(ParamContext *context, const cJSON *value, const char *format, ...) FORMAT_LIKE_PRINTF(3, 4);
/* Puts the place in front of what a component's own check said; "KEY: ..." becomes "PATH.KEY: ...". Returns false. */
bool param_refused(ParamContext *context, const cJSON *value);
const char *param_type_name(ParamType type);

#endif
