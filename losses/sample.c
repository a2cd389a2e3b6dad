/* Random inputs for a loss, by its declared kinds: what the tests walk the registry with. */
#include <string.h>

#include "losses/shared.h"

/* Drawn up to a point, then repeated. */
static Tensor *normals(Random *random, double scale, int rank, const int64_t *shape)
{
    enum { DRAWN = 1 << 18 };
    Tensor *result = t_new(ARRAY_F64, rank, shape);
    for (int64_t i = 0; i < result->count; i++)
        tensor_f64(result)[i] = i < DRAWN ? scale * random_normal(random) : tensor_f64(result)[i - DRAWN];
    return result;
}

static Tensor *integers(Random *random, int64_t samples, int64_t below)
{
    Tensor *result = t_new(ARRAY_I32, SHAPE(samples));
    for (int64_t i = 0; i < samples; i++)
        tensor_i32(result)[i] = (int32_t)random_below(random, below);
    return result;
}

static Tensor *sample_targets(LossTargets kind, Random *random, int64_t samples, int64_t columns)
{
    Tensor *targets = NULL;
    switch (kind) {
    case LOSS_NO_TARGETS:
        return NULL;
    case LOSS_CLASSES:
    case LOSS_CLASSES_OR_SOFT:
    case LOSS_TOKENS:
        return integers(random, samples, columns);
    case LOSS_IDS:
        return integers(random, samples, (samples + 1) / 2);
    case LOSS_SOFT:
        return t_softmax(normals(random, 1, SHAPE(samples, columns)));
    case LOSS_LABELS:
        targets = t_new(ARRAY_F64, SHAPE(samples, columns));
        for (int64_t i = 0; i < targets->count; i++)
            tensor_set(targets, i, i % 4 == 3 ? random_uniform(random) : (double)random_below(random, 2));
        return targets;
    case LOSS_VALUES:
        return normals(random, 1, SHAPE(samples, columns));
    }
    return NULL;
}

void loss_set_extra(LossInput *in, const char *name, Tensor *value)
{
    LossExtra *extras = arena_zero(tape_arena(), (size_t)in->extra_count + 1, sizeof *extras);
    int count = 0;
    for (int i = 0; i < in->extra_count; i++)
        if (strcmp(in->extras[i].name, name) != 0)
            extras[count++] = in->extras[i];
    extras[count++] = (LossExtra){name, value};
    in->extras = extras;
    in->extra_count = count;
}

/* So many, those of its definition, or those that its examples are for. */
static int64_t sample_columns(const Instance *leaf, int64_t columns)
{
    const LossDef *def = (const LossDef *)leaf->component;
    return def->columns ? def->columns : columns ? columns : def->sample_columns;
}

LossInput loss_sample(const Instance *loss, Random *random, int64_t samples, int64_t columns)
{
    bool was = tape_record(false);
    const Instance *leaf;
    for (int64_t i = 0; (leaf = loss_leaf(loss, i)); i++)
        columns = sample_columns(leaf, columns);
    columns = columns ? columns : 3;
    LossInput in = {.logits = normals(random, 1.5, SHAPE(samples, columns)), .random = random_start(1, "loss", 0)};
    in.targets = sample_targets(loss_targets(loss), random, samples, columns);
    for (int64_t i = 0; (leaf = loss_leaf(loss, i)); i++) {
        const LossDef *def = (const LossDef *)leaf->component;
        for (const char *const *name = def->extras; name && *name; name++)
            if (!strchr(*name, '?'))
                loss_set_extra(&in, *name, normals(random, 1, SHAPE(samples, columns)));
        if (def->sample)
            def->sample(leaf->values, random, &in);
    }
    tape_record(was);
    return in;
}

bool loss_fitted(const LossDef *def, int64_t columns, JsonSource *source, Arena *arena, Instance *loss, Error *error)
{
    cJSON *spec = cJSON_CreateObject();
    cJSON_AddStringToObject(spec, "type", def->component.name);
    if (def->fit)
        def->fit(columns, spec);
    char *text = cJSON_PrintUnformatted(spec);
    cJSON_Delete(spec);
    ParamContext context = {.source = source, .arena = arena, .error = error};
    const cJSON *tree = json_parse(source, def->component.name, text, strlen(text), error);
    cJSON_free(text);
    return tree && instance_parse(&context, "loss", tree, loss);
}
