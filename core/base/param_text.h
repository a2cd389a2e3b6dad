/* What messages about parameters say, for param.c alone. */
#ifndef XENT_BASE_PARAM_TEXT_H
#define XENT_BASE_PARAM_TEXT_H

#include "core/base/param.h"

/* "an integer >= 1", "one of "sum", "mean"", ...; `type` is an element's in lists. */
void param_expected(const Param *param, ParamType type, char *out, size_t size);
/* The value itself when it is short and simple, cut where it is long. */
void param_got(const cJSON *value, char *out, size_t size);

#endif
