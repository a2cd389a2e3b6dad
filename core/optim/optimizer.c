#include "core/optim/optimizer.h"

#include <stdio.h>
#include <string.h>

#include "core/base/threads.h"

/* A step over fewer elements than THREADS_PAY is over before another thread has begun. */
enum { ELEMENTS_PER_CHUNK = 1 << 14, THREADS_PAY = 3 << 14 };

typedef struct Entry {
    Parameter *parameter;
    double lr_scale, weight_decay;
    float *slots[OPTIMIZER_MAX_SLOTS];
    int64_t first_chunk;        /* chunks of all parameters are numbered through */
} Entry;

struct Optimizer {
    const OptimizerDef *def;
    const void *values;
    const OptimizerCommon *common;
    Arena *arena;
    Entry *entries;
    int64_t count, chunks, elements;
    /* Of the step that runs. */
    float *const *gradients;
    double lr_factor;
    int64_t step;
};

bool name_matches(const char *pattern, const char *name)
{
    const char *star = NULL, *resume = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            resume = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

struct group { const char *match; double lr_scale, weight_decay; bool frozen; };
static const Param group_params[] = {
    PARAM_REQUIRED(STRING, struct group, match, .help = "name pattern"),
    PARAM_FLOAT(struct group, lr_scale, 1, .min = 0, .help = "factor of the learning rate"),
    PARAM_FLOAT(struct group, weight_decay, null, .min = 0, .help = "instead of the optimizer's"),
    PARAM_BOOL(struct group, frozen, false, .help = "not trained"),
    PARAM_END
};

static double default_decay(const Optimizer *optimizer, const Parameter *parameter)
{
    return parameter->role == ROLE_WEIGHT || optimizer->common->decay_all ? optimizer->common->weight_decay : 0;
}

static bool apply_group(Optimizer *optimizer, const struct group *group)
{
    bool matched = false;
    for (int64_t i = 0; i < optimizer->count; i++) {
        Entry *entry = &optimizer->entries[i];
        if (!name_matches(group->match, entry->parameter->name))
            continue;
        matched = true;
        entry->lr_scale = group->lr_scale;
        entry->weight_decay = isnan(group->weight_decay) ? default_decay(optimizer, entry->parameter)
                                                         : group->weight_decay;
        if (entry->parameter->role != ROLE_BUFFER)
            entry->parameter->value->requires_gradient = !group->frozen;
    }
    return matched;
}

static bool apply_groups(Optimizer *optimizer, Error *error)
{
    const cJSON *item, *groups = optimizer->common->groups;
    if (!groups)
        return true;
    if (!cJSON_IsArray(groups))
        return fail_usage(error, "optimizer.groups: expected a list of objects");
    int number = 0;
    cJSON_ArrayForEach(item, groups)
    {
        JsonSource *source = json_source_new();
        ParamContext context = {.source = source, .arena = optimizer->arena, .error = error};
        struct group group;
        snprintf(context.path, sizeof context.path, "optimizer.groups[%d]", number++);
        bool good = params_parse(&context, group_params, false, item, &group);
        json_source_free(source);
        if (!good)
            return false;
        if (!apply_group(optimizer, &group))
            return fail_usage(error, "optimizer.groups[%d].match: no parameter is called \"%s\"", number - 1,
                              group.match);
    }
    return true;
}

Optimizer *optimizer_new(const Instance *instance, ParameterSet *parameters, Error *error)
{
    Optimizer *optimizer = memory_new(sizeof *optimizer);
    optimizer->def = (const OptimizerDef *)instance->component;
    optimizer->values = instance->values;
    optimizer->common = instance->values;
    optimizer->arena = arena_new();
    optimizer->count = parameters->count;
    optimizer->entries = arena_zero(optimizer->arena, (size_t)parameters->count, sizeof *optimizer->entries);
    for (int64_t i = 0; i < parameters->count; i++) {
        Entry *entry = &optimizer->entries[i];
        entry->parameter = &parameters->items[i];
        entry->lr_scale = 1;
        entry->weight_decay = default_decay(optimizer, entry->parameter);
        entry->first_chunk = optimizer->chunks;
        optimizer->elements += entry->parameter->value->count;
        optimizer->chunks += (entry->parameter->value->count + ELEMENTS_PER_CHUNK - 1) / ELEMENTS_PER_CHUNK;
    }
    if (!apply_groups(optimizer, error)) {
        optimizer_free(optimizer);
        return NULL;
    }
    for (int64_t i = 0; i < optimizer->count; i++)
        for (int s = 0; s < optimizer->def->slots && optimizer->entries[i].parameter->value->requires_gradient; s++)
            optimizer->entries[i].slots[s] =
                arena_zero(optimizer->arena, (size_t)optimizer->entries[i].parameter->value->count, sizeof(float));
    return optimizer;
}

void optimizer_free(Optimizer *optimizer)
{
    if (!optimizer)
        return;
    arena_free(optimizer->arena);
    memory_free(optimizer);
}

static Update update_of(const Optimizer *optimizer, const Entry *entry)
{
    return (Update){optimizer->common->lr * optimizer->lr_factor * entry->lr_scale, entry->weight_decay,
                    optimizer->step};
}

static bool is_whole(const Optimizer *optimizer, const Entry *entry)
{
    return optimizer->def->whole && entry->parameter->role == ROLE_WEIGHT && entry->parameter->value->rank >= 2;
}

static void update_chunks(void *context, int64_t begin, int64_t end)
{
    const Optimizer *optimizer = context;
    int64_t low = 0, high = optimizer->count - 1;
    while (low < high) { /* the last entry that begins at or before the chunk */
        int64_t middle = (low + high + 1) / 2;
        if (optimizer->entries[middle].first_chunk <= begin)
            low = middle;
        else
            high = middle - 1;
    }
    for (int64_t chunk = begin; chunk < end; chunk++) {
        while (low + 1 < optimizer->count && optimizer->entries[low + 1].first_chunk <= chunk)
            low++;
        const Entry *entry = &optimizer->entries[low];
        const float *gradient = optimizer->gradients[low];
        if (!gradient || is_whole(optimizer, entry))
            continue;
        int64_t at = (chunk - entry->first_chunk) * ELEMENTS_PER_CHUNK, count = entry->parameter->value->count - at;
        float *slots[OPTIMIZER_MAX_SLOTS];
        for (int s = 0; s < optimizer->def->slots; s++)
            slots[s] = entry->slots[s] + at;
        Update update = update_of(optimizer, entry);
        optimizer->def->elements(optimizer->values, &update, count < ELEMENTS_PER_CHUNK ? count : ELEMENTS_PER_CHUNK,
                                 tensor_f32(entry->parameter->value) + at, gradient + at, slots);
    }
}

void optimizer_step(Optimizer *optimizer, float *const *gradients, double lr_factor, int64_t step)
{
    optimizer->gradients = gradients;
    optimizer->lr_factor = lr_factor;
    optimizer->step = step;
    bool alone = optimizer->elements < THREADS_PAY;
    parallel_for(optimizer->chunks, alone ? optimizer->chunks : 1, update_chunks, optimizer);
    for (int64_t i = 0; i < optimizer->count; i++) {
        Entry *entry = &optimizer->entries[i];
        if (!gradients[i] || !is_whole(optimizer, entry))
            continue;
        Update update = update_of(optimizer, entry);
        optimizer->def->whole(optimizer->values, &update, entry->parameter, gradients[i], entry->slots);
    }
    for (int64_t i = 0; i < optimizer->count; i++)
        if (gradients[i] && optimizer->entries[i].parameter->unit_rows)
            parameter_unit_rows(optimizer->entries[i].parameter);
}

double optimizer_lr(const Optimizer *optimizer)
{
    return optimizer->common->lr;
}

int64_t optimizer_state_count(const Optimizer *optimizer)
{
    int64_t count = 0;
    for (int64_t i = 0; i < optimizer->count; i++)
        count += optimizer->entries[i].slots[0] ? optimizer->def->slots : 0;
    return count;
}

float *optimizer_state(const Optimizer *optimizer, int64_t k, const char **slot, const Parameter **parameter)
{
    for (int64_t i = 0; i < optimizer->count; i++) {
        const Entry *entry = &optimizer->entries[i];
        int slots = entry->slots[0] ? optimizer->def->slots : 0;
        if (k < slots) {
            *slot = optimizer->def->slot_names[k];
            *parameter = entry->parameter;
            return entry->slots[k];
        }
        k -= slots;
    }
    return NULL;
}
