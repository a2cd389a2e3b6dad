#include "cli/evaluation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/calibrate/calibrate.h"

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

MeasuredSplit measure_outputs(Arena *arena, const char *split, const PredictionInput *outputs, const cJSON *names,
                              uint64_t seed, int resamples)
{
    MeasuredSplit measured = {.split = split, .outputs = *outputs, .resamples = resamples, .loss = NAN};
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
    for (int i = 1; i < measured->figures.count; i++)
        cJSON_AddItemToObject(metrics, measured->figures.items[i].name, json_number9(measured->figures.items[i].value));
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
    printf("%s%s%lld samples", measured->split ? measured->split : "", measured->split ? ": " : "",
           (long long)measured->outputs.count);
    if (measured->intervals)
        printf("; 95%% bootstrap intervals of %d resamples", measured->resamples);
    putchar('\n');
    if (!isnan(measured->loss))
        printf("  %-18s %10.6g\n", "loss", measured->loss);
    for (int i = 1; i < measured->figures.count; i++)
        printf("  %-18s %10.6g\n", measured->figures.items[i].name, measured->figures.items[i].value);
    for (int i = 0; measured->metrics[i]; i++) {
        printf("  %-18s %10.6g", measured->metrics[i]->component.name, measured->values[i]);
        if (measured->intervals)
            printf("  [%.6g, %.6g]", measured->intervals[i][0], measured->intervals[i][1]);
        putchar('\n');
    }
}

void measured_warn(const MeasuredSplit *measured)
{
    for (int i = 0; measured->metrics[i]; i++)
        if (!isfinite(measured->values[i]))
            fprintf(stderr, "xent: %s: %s for these %s\n", measured->metrics[i]->component.name,
                    isnan(measured->values[i]) ? "undefined" : "infinite", measured->split ? "samples" : "arrays");
}

bool outputs_calibrate(const char *name, const char *text, Arena *arena, PredictionInput *outputs, Error *error)
{
    Calibration calibration;
    if (!text)
        return true;
    if (!calibration_parse(name, text, arena, &calibration, error))
        return false;
    if (outputs->kind != PREDICTION_CLASSIFICATION || calibration.classes != outputs->classes)
        return fail(error, "%s: its calibration of %lld classes does not fit the model", name,
                    (long long)calibration.classes);
    double *calibrated = arena_alloc(arena, (size_t)(outputs->count * outputs->classes) * sizeof *calibrated);
    if (!calibration_apply(&calibration, outputs->count, outputs->logits, calibrated, error))
        return fail_at(error, "%s", name);
    outputs->logits = calibrated;
    outputs->probabilities_only = calibration.method->gives_probabilities;
    return true;
}
