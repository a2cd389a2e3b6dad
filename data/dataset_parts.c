#include <string.h>

#include "data/parts.h"

static const Param params[] = {
    DATASET_DIVISION_ROWS(Parts),
    PARAM_COMPONENT(Parts, train, NULL, "dataset", .help = "the training data"),
    PARAM_COMPONENT(Parts, val, "null", "dataset", .help = "the validation data", .optional = true),
    PARAM_COMPONENT(Parts, test, "null", "dataset", .help = "the test data", .optional = true),
    PARAM_END
};

const DatasetCommon *parts_fitting_keys(const Instance *data)
{
    if (data->component == &dataset_parts.component)
        data = &((const Parts *)data->values)->train;
    return data->values;
}

/* Of a part that divides itself, the split of the part's name; otherwise all of it. */
static bool load_part(const Instance *part, const char *name, uint64_t seed, DataSplits *splits, DataSplit *out,
                      Error *error)
{
    DataSplits own;
    if (!data_load_unfitted(part, seed, &own, error))
        return false;
    DataSplit *chosen = &own.train;
    if (own.val.count || own.test.count)
        chosen = strcmp(name, "val") == 0 ? &own.val : strcmp(name, "test") == 0 ? &own.test : &own.train;
    bool good = chosen->count > 0;
    if (!good)
        fail(error, "data.%s: its data set divides itself and has no %s split", name, name);
    if (good && chosen->dataset->tokenizer)
        good = fail(error, "data.%s: each part would train a tokenizer of its own; %s has keys for val and test", name,
                    part->component->name);
    if (!good) {
        data_free(&own);
        return false;
    }
    size_t bytes = (size_t)chosen->count * sizeof *out->order;
    *out = (DataSplit){chosen->dataset, chosen->count, memcpy(arena_alloc(splits->arena, bytes), chosen->order, bytes)};
    int at = 0;
    while (splits->datasets[at])
        at++;
    splits->datasets[at] = chosen->dataset;
    for (int i = 0; i < 3; i++)
        if (own.datasets[i] == chosen->dataset)
            own.datasets[i] = NULL;
    data_free(&own);
    return true;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    const Parts *parts = values;
    return load_part(&parts->train, "train", seed, splits, &splits->train, error) &&
           (!parts->val.component || load_part(&parts->val, "val", seed, splits, &splits->val, error)) &&
           (!parts->test.component || load_part(&parts->test, "test", seed, splits, &splits->test, error));
}

static bool describe(const void *values, Dataset *shape)
{
    return data_describe(&((const Parts *)values)->train, shape);
}

static bool validate(const void *values, Error *error)
{
    const Parts *parts = values;
    const struct { const char *name; const Instance *part; } list[] = {
        {"train", &parts->train}, {"val", &parts->val}, {"test", &parts->test},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const Instance *part = list[i].part;
        if (part->component == &dataset_parts.component)
            return fail_usage(error, "%s: parts cannot be parts of parts", list[i].name);
        if (part->component && !dataset_common_validate(part->values, error))
            return fail_at(error, "%s", list[i].name);
    }
    return dataset_common_validate(values, error);
}

const DatasetDef dataset_parts = {
    .component = {
        .name = "parts",
        .summary = "a data set of its own for train, val and test",
        .params = params,
        .size = sizeof(Parts),
        .notes = "An object that has train, val or test and no \"type\" is read as parts. Of a data set that "
                 "divides itself a part takes the split of its name, of any other all samples. The train part's keys "
                 "normalize and standardize_targets hold for all parts: mean and deviation are those of the training "
                 "samples. split and folds cut the train part. Text, whose splits share a tokenizer, cannot be a part.",
        .validate = validate,
    },
    .load = load,
    .describe = describe,
};
