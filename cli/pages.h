/* Pages and completion scripts that are printed from the tables of commands and components. */
#ifndef XENT_CLI_PAGES_H
#define XENT_CLI_PAGES_H

#include "core/base/error.h"

/* "xent-losses.7", one a line. */
void pages_print_names(void);
/* mdoc source of "xent-losses", with or without ".7"; exit 2 for a name that is none. */
bool page_print(const char *name, Error *error);
/* For "bash" or "zsh". */
bool completion_print(const char *shell, Error *error);

#endif
