/* What a cross network has learned to multiply: the mean absolute weight between two fields, layer by layer (Li et al.
   2024). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/analyze/analysis.h"
#include "core/models/fields.h"
#include "core/train/saved.h"

typedef struct Cross {
    const Model *model;
    Field *fields;
    const char **names;         /* [count], of fields */
    int64_t count, half;        /* of fields; columns of a field in each half of a layer's input */
} Cross;

static void find_fields(Cross *cross, Arena *arena)
{
    const ModelInput *input = &cross->model->input;
    cross->fields = fields_find(input->feature_names, shape_count(input->shape), arena, &cross->count);
    cross->names = arena_zero(arena, (size_t)cross->count, sizeof *cross->names);
    for (int64_t f = 0; f < cross->count; f++)
        cross->names[f] = *cross->fields[f].name ? cross->fields[f].name : arena_format(arena, "%lld", (long long)f);
}

/* W [D/2, D]: rows are the first halves of all fields, columns the first halves and then the second. */
static void add_layer(const Cross *cross, const char *name, const Tensor *weight, AnalysisResult *result, double *sums)
{
    int64_t n = cross->count, half = cross->half;
    AnalysisTable *table = analysis_add_table(result, name, n, cross->names, n, cross->names);
    for (int64_t i = 0; i < n * half; i++)
        for (int64_t k = 0; k < 2 * n * half; k++)
            table->values[i / half * n + k / half % n] +=
                fabs(tensor_value(weight, i * 2 * n * half + k)) / (double)(2 * half * half);
    for (int64_t i = 0; i < n * n; i++) {
        sums[3 * (i / n)] += table->values[i];
        sums[3 * (i % n) + 1] += table->values[i];
    }
}

/* The root mean square of a field's embeddings. */
static void measure_embeddings(const Cross *cross, const Tensor *embedding, double *sums)
{
    int64_t width = embedding->shape[1];
    for (int64_t f = 0; f < cross->count; f++) {
        const Field *field = &cross->fields[f];
        double squares = 0;
        for (int64_t i = field->first * width; i < (field->first + field->count) * width; i++)
            squares += tensor_value(embedding, i) * tensor_value(embedding, i);
        sums[3 * f + 2] = sqrt(squares / (double)(field->count * width));
    }
}

static bool measure(const SavedModel *saved, AnalysisResult *result, Error *error)
{
    static const char *const networks[] = {"ecn", "lcn"}, *const columns[] = {"row_sum", "column_sum", "embedding"};
    const ParameterSet *parameters = saved->model->parameters;
    const char *type = saved->model->def->component.name;
    if (strcmp(type, "fcn") != 0 && strcmp(type, "ecn") != 0 && strcmp(type, "lcn") != 0)
        return fail_usage(error, "%s: its model, %s, is not a cross network: fcn, ecn or lcn", saved->path, type);
    Cross cross = {.model = saved->model};
    find_fields(&cross, result->arena);
    AnalysisTable *table = analysis_add_table(result, "fields", 3, columns, cross.count, cross.names);
    double *sums = table->values;
    int64_t layers = 0;
    for (int which = 0; which < 2; which++)
        for (int64_t l = 0;; l++, layers++) {
            const char *name = arena_format(result->arena, "%s.%lld", networks[which], (long long)l);
            const Parameter *weight =
                parameters_find(parameters, arena_format(result->arena, "%s.weight", name));
            if (!weight)
                break;
            cross.half = weight->value->shape[0] / cross.count;
            add_layer(&cross, name, weight->value, result, sums);
        }
    for (int64_t i = 0; i < 3 * cross.count && layers; i++)
        sums[i] /= (double)layers;
    measure_embeddings(&cross, parameters_find(parameters, "embedding.weight")->value, sums);
    return true;
}

static bool run(const void *values, const AnalysisInput *input, AnalysisResult *result, Error *error)
{
    (void)values;
    Tape *tape = tape_new();
    tape_use(tape);
    SavedModel *saved = saved_open(input->words[0], NULL, NULL, error);
    bool good = saved && measure(saved, result, error);
    saved_close(saved);
    tape_free(tape);
    return good;
}

static const Param params[] = {PARAM_END};

const AnalysisDef analysis_cross = {
    .component = {
        .name = "cross",
        .summary = "what a cross network multiplies: weights between fields, layer by layer",
        .params = params,
        .size = 0,
        .source = "arXiv:2407.13349",
        .formula = "mean of |W| over the rows of field i and the columns of field j",
        .notes = "One run or file of the models fcn, ecn and lcn. Rows of a layer's table are the fields whose "
                 "embeddings are multiplied, columns those that they are multiplied with. In the table of fields "
                 "row_sum and column_sum are means over layers and networks, embedding is the root mean square of a "
                 "field's embeddings: weights say something about fields whose embeddings are of about the same size, "
                 "and training without weight decay leaves weights that nothing asks for where they began.",
    },
    .words = "RUN", .least = 1, .most = 1, .run = run,
};
