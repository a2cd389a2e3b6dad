/* Everything a config can name. To add one: write a file in its folder with
       const LossDef loss_NAME = { .component = { .name = ..., .summary = ..., ... }, ... };
   at the start of a line; the build finds it (scripts/generate-registry.sh). Nothing else is edited. */
#ifndef XENT_BASE_COMPONENT_H
#define XENT_BASE_COMPONENT_H

#include "core/base/param.h"

struct Component {
    const char *name;       /* the config's "type" */
    const char *summary;    /* one line */
    const Param *params;    /* NULL: none */
    size_t size;            /* of the struct that params fill */
    const char *source;     /* "arXiv:1805.07836" or a citation */
    const char *formula;    /* plain text; NULL where there is none */
    const char *notes;      /* further paragraphs for the page; NULL */
    /* What the ranges of single keys cannot say; NULL when there is nothing. */
    bool (*validate)(const void *values, Error *error);
    /* Fills fields that are no keys and follow from the keys, in the arena; after `validate`. NULL: there are none. */
    void (*derive)(void *values, Arena *arena);
    const char *no_weight;  /* of schedules: why a weight cannot move by it; NULL: it can */
};

typedef struct ComponentKind {
    const char *name, *plural;
    const Component *const *items;   /* sorted by name, NULL-terminated */
} ComponentKind;

extern const ComponentKind component_kinds[];   /* generated; ends with name NULL */

const ComponentKind *component_kind(const char *name_or_plural);
const Component *component_find(const char *kind, const char *name);
/* The name of the nearest component or word, or NULL when none is near. */
const char *nearest_name(const char *word, const char *const *names);
/* All defaults of a component, in the arena. */
Instance instance_default(Arena *arena, const char *kind, const char *name);

#endif
