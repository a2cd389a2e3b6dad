#include "core/quantize/quantize.h"

#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/gemm.h"

static const QuantizerDef *definition(const Instance *instance)
{
    return (const QuantizerDef *)instance->component;
}

bool quantizer_common_validate(const void *values, Error *error)
{
    const QuantizerCommon *common = values;
    const cJSON *item;
    if (common->activations.component && !definition(&common->activations)->activations)
        return fail_usage(error,
                          "activations: %s quantizes weights; per_token, per_tensor and none quantize activations",
                          common->activations.component->name);
    if (common->skip && !cJSON_IsArray(common->skip))
        return fail_usage(error, "skip: expected a list of names");
    cJSON_ArrayForEach(item, common->skip)
        if (!cJSON_IsString(item))
            return fail_usage(error, "skip: expected a list of names");
    return true;
}

bool quantizer_check(const Instance *instance, Error *error)
{
    if (definition(instance)->quantize)
        return true;
    return fail_usage(error,
                      "quantize: %s quantizes activations; give it as {\"type\": \"none\", \"activations\": \"%s\"}",
                      instance->component->name, instance->component->name);
}

/* ---- Errors ---- */

typedef struct Comparison {
    const LinearData *data;
    const float *weights, *activations;     /* quantized */
    const double *correction;               /* [outputs], or NULL */
    double *sums;                           /* a piece: of squared differences */
} Comparison;

enum { PIECE = 32 };

static double *differences(const float *a, const float *b, int64_t count)
{
    double *result = memory_array((size_t)count, sizeof *result);
    for (int64_t i = 0; i < count; i++)
        result[i] = (double)a[i] - (b ? (double)b[i] : 0);
    return result;
}

/* X W^T - Xq Wq^T = (X - Xq) W^T + Xq (W - Wq)^T, which does not cancel. */
static void compare_tokens(void *context, int64_t begin, int64_t end)
{
    const Comparison *t = context;
    const int64_t outputs = t->data->outputs, inputs = t->data->inputs;
    double *w = differences(t->data->weights, NULL, outputs * inputs),
           *dw = differences(t->data->weights, t->weights, outputs * inputs);
    for (int64_t piece = begin; piece < end; piece++) {
        const int64_t first = piece * PIECE, count = t->data->tokens - first < PIECE ? t->data->tokens - first : PIECE;
        const float *x = t->data->activations + first * inputs, *xq = t->activations + first * inputs;
        double *dx = differences(x, xq, count * inputs), *q = differences(xq, NULL, count * inputs);
        double *error = memory_array((size_t)(count * outputs), sizeof *error), sum = 0;
        dgemm(false, true, count, outputs, inputs, dx, inputs, w, inputs, 0, error, outputs);
        dgemm(false, true, count, outputs, inputs, q, inputs, dw, inputs, 1, error, outputs);
        for (int64_t i = 0; i < count * outputs; i++) {
            const double e = error[i] - (t->correction ? t->correction[i % outputs] : 0);
            sum += e * e;
        }
        t->sums[piece] = sum;
        memory_free(dx);
        memory_free(q);
        memory_free(error);
    }
    memory_free(w);
    memory_free(dw);
}

static double output_error(const LinearData *data, const float *weights, const float *activations,
                           const double *correction, Arena *arena)
{
    const int64_t pieces = (data->tokens + PIECE - 1) / PIECE;
    Comparison comparison = {data, weights, activations, correction, arena_zero(arena, (size_t)pieces, sizeof(double))};
    parallel_for(pieces, (pieces + 15) / 16, compare_tokens, &comparison);
    double sum = 0;
    for (int64_t i = 0; i < pieces; i++)
        sum += comparison.sums[i];
    return sum / ((double)data->tokens * (double)data->outputs);
}

static double weight_error(const LinearData *data, const float *weights)
{
    double sum = 0;
    for (int64_t i = 0; i < data->outputs * data->inputs; i++) {
        const double e = (double)data->weights[i] - (double)weights[i];
        sum += e * e;
    }
    return sum / ((double)data->outputs * (double)data->inputs);
}

/* E[X] (W - Wq)^T */
static double *bias_correction(const LinearData *data, const float *weights, Arena *arena)
{
    double *mean = arena_zero(arena, (size_t)data->inputs, sizeof *mean),
           *correction = arena_zero(arena, (size_t)data->outputs, sizeof *correction);
    for (int64_t i = 0; i < data->tokens * data->inputs; i++)
        mean[i % data->inputs] += (double)data->activations[i] / (double)data->tokens;
    for (int64_t i = 0; i < data->outputs * data->inputs; i++)
        correction[i / data->inputs] += mean[i % data->inputs] * ((double)data->weights[i] - (double)weights[i]);
    return correction;
}

/* Shares of elements that round to zero: of all, and of those that are not zero. */
static void add_kernel(cJSON *parameters, int64_t count, const float *x, const float *quantized)
{
    double zeros = 0, lost = 0, filled = 0;
    for (int64_t i = 0; i < count; i++) {
        zeros += quantized[i] == 0;
        lost += quantized[i] == 0 && x[i] != 0;
        filled += x[i] != 0;
    }
    cJSON_AddItemToObject(parameters, "kernel", json_number9(zeros / (double)count));
    cJSON_AddItemToObject(parameters, "kernel_nonzero", json_number9(filled > 0 ? lost / filled : 0));
}

static bool measure_outputs(const Instance *instance, const LinearData *data, Arena *arena, LinearReport *report,
                            Error *error)
{
    const QuantizerCommon *common = quantizer_common(instance);
    const Instance *method = &common->activations;
    const int64_t count = data->tokens * data->inputs;
    report->activations = arena_alloc(arena, (size_t)count * sizeof(float));
    memcpy(report->activations, data->activations, (size_t)count * sizeof(float));
    if (method->component) {
        if (!definition(method)->activations(method->values, data->tokens, data->inputs, data->activations,
                                             report->activations, error))
            return fail_at(error, "%s", method->component->name);
        add_kernel(report->parameters, count, data->activations, report->activations);
    }
    double *correction = common->bias_correction ? bias_correction(data, report->linear.weights, arena) : NULL;
    if (correction)
        cJSON_AddItemToObject(report->parameters, "bias_correction", json_numbers9(correction, data->outputs));
    report->output_mse = output_error(data, report->linear.weights, report->activations, correction, arena);
    return true;
}

bool quantize_linear(const Instance *instance, const LinearData *data, Arena *arena, LinearReport *report, Error *error)
{
    *report = (LinearReport){.output_mse = NAN};
    if (quantizer_common(instance)->bias_correction && !data->activations)
        return fail_usage(error, "%s: bias_correction needs activations", instance->component->name);
    if (!definition(instance)->quantize(instance->values, data, arena, &report->linear, error))
        return fail_at(error, "%s", instance->component->name);
    report->parameters = report->linear.parameters ? report->linear.parameters : cJSON_CreateObject();
    report->bits_per_weight = 8.0 * (double)report->linear.bytes / ((double)data->outputs * (double)data->inputs);
    report->weight_mse = weight_error(data, report->linear.weights);
    if (!data->activations || measure_outputs(instance, data, arena, report, error))
        return true;
    cJSON_Delete(report->parameters);
    return false;
}

cJSON *linear_report_json(const Instance *instance, LinearReport *report)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "method", instance->component->name);
    cJSON_AddNumberToObject(object, "bits", report->linear.bits);
    cJSON_AddNumberToObject(object, "bytes", (double)report->linear.bytes);
    cJSON_AddItemToObject(object, "bits_per_weight", json_number9(report->bits_per_weight));
    cJSON_AddItemToObject(object, "weight_mse", json_number9(report->weight_mse));
    if (report->activations)
        cJSON_AddItemToObject(object, "output_mse", json_number9(report->output_mse));
    cJSON_AddItemToObject(object, "parameters", report->parameters);
    report->parameters = NULL;
    return object;
}
