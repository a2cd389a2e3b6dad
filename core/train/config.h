/* A run's config: one JSON object, read, merged with what it extends, changed by --set, and checked
   against the tables of every component it names. */
#ifndef XENT_TRAIN_CONFIG_H
#define XENT_TRAIN_CONFIG_H

#include "core/base/component.h"

enum { CONFIG_MAX_EXTENDS = 16 };

/* The `train` object. */
typedef struct TrainConfig {
    int64_t batch_size, eval_batch_size;
    int64_t epochs, steps;          /* PARAM_UNSET: no limit; both and seconds unset: 10 epochs */
    double seconds;                 /* NAN: no limit */
    int64_t patience;               /* epochs without a better validation; PARAM_UNSET: never */
    double clip_norm, clip_value;   /* NAN: none */
    int64_t accumulate;             /* batches a step */
    bool recompute;                 /* activations inside the model's parts are not kept for the gradient */
    double ema;                     /* decay of the averaged weights that are evaluated and saved; NAN: none */
    int64_t log_every, save_every;  /* steps; save_every PARAM_UNSET: at the end of every epoch only */
    bool shuffle, prefetch, report;
    InstanceList transforms;
    const char *init_from;          /* .safetensors whose tensors of the same name and shape are the initial values */
} TrainConfig;

typedef struct Config {
    Arena *arena;
    JsonSource *source;
    cJSON *json;                    /* merged, as written; belongs to the source */
    int64_t seed;
    Instance data, model, loss, optimizer, schedule, objective, attack, calibrate, distill, quantize;
    TrainConfig train;
    const cJSON *metrics, *analyze;
    const char *name;               /* what messages call the config */
} Config;

/* `argument` is a file or, beginning with '{', the object itself. `sets` are PATH=JSON, NULL-terminated;
   `seed` overrides the config's when it is not NULL. NULL after an error (status 2, nothing to free).
   Sections that are absent leave component NULL; data and model are asked for by config_require. */
Config *config_load(const char *argument, const char *const *sets, const uint64_t *seed, Error *error);
/* From a JSON text, for configs kept in checkpoints. */
Config *config_parse(const char *name, const char *text, const char *const *sets, const uint64_t *seed, Error *error);
void config_free(Config *config);
/* "missing key \"data\"" unless the section is there; keys are separated by spaces. */
bool config_require(const Config *config, const char *keys, Error *error);

/* Every key written out, paths absolute: running it again gives the same bits. The caller owns it. */
cJSON *config_resolved(const Config *config);
/* The tables, for the pages: the whole config and its `train`. */
extern const Param config_params[], config_train_params[];

#endif
