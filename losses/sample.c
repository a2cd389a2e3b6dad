/* Random inputs for a loss, by its declared kinds: what the tests walk the registry with. */
#include <string.h>

#include "losses/shared.h"

enum { SAMPLES = 5, COLUMNS = 3 };

static Tensor *normals(Random *random, double scale, int rank, const int64_t *shape)
{
    Tensor *result = t_new(ARRAY_F64, rank, shape);
    for (int64_t i = 0; i < result->count; i++)
        tensor_set(result, i, scale * random_normal(random));
    return result;
}

static Tensor *sample_targets(LossTargets kind, Random *random)
{
    Tensor *targets = NULL;
    switch (kind) {
    case LOSS_NO_TARGETS:
        return NULL;
    case LOSS_CLASSES:
    case LOSS_CLASSES_OR_SOFT:
    case LOSS_IDS:
    case LOSS_TOKENS:
        targets = t_new(ARRAY_I32, SHAPE(SAMPLES));
        for (int64_t i = 0; i < SAMPLES; i++)
            tensor_i32(targets)[i] = (int32_t)random_below(random, COLUMNS);
        return targets;
    case LOSS_SOFT:
        return t_softmax(normals(random, 1, SHAPE(SAMPLES, COLUMNS)));
    case LOSS_LABELS:
        targets = t_new(ARRAY_F64, SHAPE(SAMPLES, COLUMNS));
        for (int64_t i = 0; i < targets->count; i++)
            tensor_set(targets, i, i % 4 == 3 ? random_uniform(random) : (double)random_below(random, 2));
        return targets;
    case LOSS_VALUES:
        return normals(random, 1, SHAPE(SAMPLES, COLUMNS));
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

LossInput loss_sample(const Instance *loss, Random *random)
{
    bool was = tape_record(false);
    LossInput in = {.logits = normals(random, 1.5, SHAPE(SAMPLES, COLUMNS)), .random = random_start(1, "loss", 0)};
    in.targets = sample_targets(loss_targets(loss), random);
    const Instance *leaf;
    for (int64_t i = 0; (leaf = loss_leaf(loss, i)); i++) {
        const LossDef *def = (const LossDef *)leaf->component;
        for (const char *const *name = def->extras; name && *name; name++)
            if (!strchr(*name, '?'))
                loss_set_extra(&in, *name, normals(random, 1, SHAPE(SAMPLES, COLUMNS)));
        if (def->sample)
            def->sample(leaf->values, random, &in);
    }
    tape_record(was);
    return in;
}
