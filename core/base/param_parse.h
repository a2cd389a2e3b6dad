/* The parts of parsing that param.c and param_term.c share. */
#ifndef XENT_BASE_PARAM_PARSE_H
#define XENT_BASE_PARAM_PARSE_H

#include "core/base/param_text.h"

/* Appends the key to the context's path; returns the length to restore with param_leave. */
size_t param_enter(ParamContext *context, const char *key);
void param_leave(ParamContext *context, size_t length);
bool param_fail_expected(ParamContext *context, const Param *param, ParamType type, const cJSON *value);
bool param_is_number(const cJSON *value, double *number);
/* A number of the row's range, an integer where `type` says so. */
bool param_read_number(ParamContext *context, const Param *param, ParamType type, const cJSON *value, double *number);
/* `also`: keys that the object may have besides those of the component's table. `row`: where the component's default
   may be changed without its name; NULL: there is none. */
bool param_parse_instance(ParamContext *context, const char *kind_name, const Param *row, const char *const *also,
                          const cJSON *value, Instance *instance);

bool param_read_weight(ParamContext *context, const Param *param, const cJSON *value, Weight *weight);
bool param_read_term(ParamContext *context, const Param *param, const cJSON *value, Term *term);

#endif
