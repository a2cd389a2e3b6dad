/* Preference pairs from JSONL: {"prompt": ..., "chosen": ..., "rejected": ...} a line. */
#ifndef XENT_DATA_PREFERENCES_H
#define XENT_DATA_PREFERENCES_H

#include "core/base/error.h"
#include "core/base/memory.h"

typedef struct Preference {
    const char *prompt, *chosen, *rejected; /* UTF-8; the prompt may be empty */
    double probability;     /* that `chosen` is the better one, in [0, 1]; key "probability", 1 when absent */
    int line;               /* of the file */
} Preference;

typedef struct PreferenceList {
    int64_t count;          /* at least 1 */
    const Preference *items;
} PreferenceList;

/* Everything read goes to the arena; other keys are ignored. Errors begin with file:line. */
bool preferences_read(const char *path, Arena *arena, PreferenceList *list, Error *error);

#endif
