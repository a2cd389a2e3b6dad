/* mdoc(7) source, a paragraph at a time; what is printed passes mandoc -Tlint. */
#ifndef XENT_CLI_MDOC_H
#define XENT_CLI_MDOC_H

#include "core/base/param.h"

/* .Dd to .Nd; `name` as "xent-losses". */
void mdoc_begin(const char *name, int section, const char *description);
/* Words broken into lines; a sentence begins a new one. Nothing in it is taken for a request. */
void mdoc_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* An indented line that is kept as it is. */
void mdoc_display(const char *text);
/* A list of keys: what each is, its type, range and default. Rows whose help stands in `except`, with the same name
   and default, are left out; `except` NULL: none. Nothing where no row is left. */
void mdoc_params(const Param *table, const Param *except);
bool mdoc_has_params(const Param *table, const Param *except);

#endif
