#include "cli/evaluation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"

static bool asked_for(const cJSON *names, const char *name)
{
    const cJSON *item;
    if (!names)
        return true;
    cJSON_ArrayForEach(item, names)
        if (strcmp(item->valuestring, name) == 0)
            return true;
    return false;
}

MeasuredSplit measure_outputs(Arena *arena, const char *split, const PredictionInput *outputs, const cJSON *names, uint64_t seed, int resamples)
{
    MeasuredSplit measured = {.split = split, .outputs = *outputs, .loss = NAN};
    measured.predictions = predictions_new(arena, outputs);
    const MetricDef *const *all = metrics_that_apply(arena, measured.predictions);
    size_t count = 0, kept = 0;
    while (all[count])
        count++;
    const MetricDef **list = arena_zero(arena, count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++)
        if (asked_for(names, all[i]->component.name))
            list[kept++] = all[i];
    measured.metrics = list;
    measured.values = metric_values(arena, list, measured.predictions);
    if (resamples > 0) {
        measured.intervals = arena_zero(arena, kept + 1, sizeof *measured.intervals);
        bootstrap_intervals(list, measured.predictions, seed, resamples, measured.intervals);
    }
    return measured;
}

cJSON *measured_json(const MeasuredSplit *measured)
{
    cJSON *object = cJSON_CreateObject();
    if (measured->split)
        cJSON_AddStringToObject(object, "split", measured->split);
    else
        cJSON_AddNullToObject(object, "split");
    cJSON_AddNumberToObject(object, "n", (double)measured->outputs.count);
    cJSON *metrics = cJSON_AddObjectToObject(object, "metrics"), *intervals = cJSON_AddObjectToObject(object, "ci");
    if (!isnan(measured->loss))
        cJSON_AddItemToObject(metrics, "loss", json_number9(measured->loss));
    for (int i = 0; measured->metrics[i]; i++) {
        const char *name = measured->metrics[i]->component.name;
        cJSON_AddItemToObject(metrics, name, json_number9(measured->values[i]));
        if (measured->intervals)
            cJSON_AddItemToObject(intervals, name, json_numbers9(measured->intervals[i], 2));
    }
    return object;
}

void measured_print(const MeasuredSplit *measured)
{
    printf("%s%s%lld samples%s\n", measured->split ? measured->split : "", measured->split ? ": " : "", (long long)measured->outputs.count,
           measured->intervals ? "; 95% bootstrap intervals" : "");
    if (!isnan(measured->loss))
        printf("  %-18s %10.6g\n", "loss", measured->loss);
    for (int i = 0; measured->metrics[i]; i++) {
        printf("  %-18s %10.6g", measured->metrics[i]->component.name, measured->values[i]);
        if (measured->intervals)
            printf("  [%.6g, %.6g]", measured->intervals[i][0], measured->intervals[i][1]);
        putchar('\n');
    }
}
