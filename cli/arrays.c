#include "cli/arrays.h"

#include <math.h>
#include <string.h>

#include "core/base/memory_limit.h"
#include "data/dataset_arrays.h"
#include "data/npy.h"

static const struct { const char *name; PredictionKind kind; } kinds[] = {
    {"classification", PREDICTION_CLASSIFICATION},
    {"multi-label", PREDICTION_MULTI_LABEL},
    {"regression", PREDICTION_REGRESSION},
    {"tokens", PREDICTION_TOKENS},
    {"ranking", PREDICTION_RANKING},
};

enum { OF_VALUES = PREDICTION_REGRESSION | PREDICTION_RANKING };

bool arrays_need(const Arguments *arguments, const char *command, Error *error)
{
    const char *names[] = {"logits", "targets"};
    for (int i = 0; i < 2; i++)
        if (!argument_option(arguments, names[i]))
            return fail_usage(error, "%s: --%s FILE is missing", command, names[i]);
    return true;
}

static bool parse_kind(const char *name, PredictionKind *kind, Error *error)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *kind = kinds[i].kind;
            return true;
        }
    return fail_usage(error, "--kind: expected classification, multi-label, regression, ranking or tokens, got \"%s\"",
                      name);
}

/* While reading: the arrays and what messages call them. */
typedef struct Reading {
    const char *logits_path, *targets_path;
    Array logits, targets;
    Arena *arena;
    PredictionInput *input;
} Reading;

static bool same_shape(const Array *a, const Array *b, int rank)
{
    for (int d = 0; d < rank; d++)
        if (a->shape[d] != b->shape[d])
            return false;
    return true;
}

/* Integers of one dimension less are classes or tokens; a single column is regression; what has the shape
   of the logits is probabilities or labels, by its values. */
static PredictionKind guess_kind(const Reading *r)
{
    const Array *z = &r->logits, *y = &r->targets;
    if (z->rank == 3)
        return PREDICTION_TOKENS;
    if (z->rank == 1 || (z->shape[1] == 1 && !(array_is_integer(y) && y->rank == 1)))
        return PREDICTION_REGRESSION;
    if (y->rank != 2 || !same_shape(z, y, 2))
        return PREDICTION_CLASSIFICATION;
    bool sums_to_one = true, labels = true;
    for (int64_t i = 0; i < y->shape[0]; i++) {
        double sum = 0;
        for (int64_t at = i * y->shape[1]; at < (i + 1) * y->shape[1]; at++) {
            double t = array_value(y, at);
            sum += t;
            labels &= t == 0 || t == 1;
        }
        sums_to_one &= fabs(sum - 1) <= 1e-4;
    }
    return labels && !sums_to_one ? PREDICTION_MULTI_LABEL : PREDICTION_CLASSIFICATION;
}

static double *to_doubles(Arena *arena, const Array *array)
{
    double *values = arena_zero(arena, (size_t)array->count, sizeof *values);
    array_to_doubles(array, values);
    return values;
}

static bool take_logits(Reading *r, Error *error)
{
    const Array *z = &r->logits;
    PredictionInput *in = r->input;
    int rank = in->kind == PREDICTION_TOKENS ? 3 : 2;
    bool column = in->kind & OF_VALUES && z->rank == 1;
    if (array_is_integer(z) || (z->rank != rank && !column) || z->count < 1)
        return fail(error, "%s: expected logits [%s] of f4 or f8", r->logits_path,
                    rank == 3 ? "batch, tokens, vocabulary" : "samples, classes");
    in->classes = column ? 1 : z->shape[z->rank - 1];
    in->count = z->count / in->classes;
    in->logits = to_doubles(r->arena, z);
    int64_t bad = logits_first_bad_row(in->count, in->classes, in->logits, !(in->kind & OF_VALUES));
    if (bad >= 0)
        return fail(error, "%s: row %lld is not finite", r->logits_path, (long long)bad);
    return true;
}

static bool take_classes(Reading *r, Error *error)
{
    const Array *y = &r->targets;
    PredictionInput *in = r->input;
    if (!array_is_integer(y) || y->rank != r->logits.rank - 1 || !same_shape(y, &r->logits, y->rank))
        return fail(error, "%s: expected %lld integer targets, one a row, or probabilities [rows, classes]",
                    r->targets_path, (long long)in->count);
    int64_t *targets = arena_zero(r->arena, (size_t)in->count, sizeof *targets);
    for (int64_t i = 0; i < in->count; i++) {
        targets[i] = array_integer(y, i);
        if (targets[i] < 0 || targets[i] >= in->classes)
            return fail(error, "%s: target %lld at row %lld is outside 0..%lld", r->targets_path, (long long)targets[i],
                        (long long)i, (long long)in->classes - 1);
    }
    in->targets = targets;
    return true;
}

static bool check_soft_row(const Reading *r, int64_t i, const double *row, Error *error)
{
    PredictionKind kind = r->input->kind;
    double sum = 0;
    for (int64_t k = 0; k < r->input->classes; k++) {
        double t = row[k];
        const char *expected = NULL;
        if (kind & OF_VALUES && !isfinite(t))
            expected = "finite";
        else if (kind == PREDICTION_MULTI_LABEL && t != 0 && t != 1)
            expected = "0 or 1";
        else if (kind == PREDICTION_CLASSIFICATION && !(t >= 0 && t <= 1))
            expected = "a probability";
        if (expected)
            return fail(error, "%s: row %lld: %g is not %s", r->targets_path, (long long)i, t, expected);
        sum += t;
    }
    if (kind == PREDICTION_CLASSIFICATION && !(fabs(sum - 1) <= 1e-4))
        return fail(error, "%s: row %lld: the probabilities add up to %.9g, not 1", r->targets_path, (long long)i, sum);
    return true;
}

static bool take_rows(Reading *r, Error *error)
{
    const Array *y = &r->targets;
    PredictionInput *in = r->input;
    bool same = in->classes == 1 ? y->count == in->count && (y->rank == 1 || (y->rank == 2 && y->shape[1] == 1))
                                 : y->rank == 2 && same_shape(y, &r->logits, 2);
    if (!same)
        return fail(error, "%s: expected targets in the shape of the logits, %lld rows of %lld", r->targets_path,
                    (long long)in->count, (long long)in->classes);
    in->soft_targets = to_doubles(r->arena, y);
    for (int64_t i = 0; i < in->count; i++)
        if (!check_soft_row(r, i, in->soft_targets + i * in->classes, error))
            return false;
    return true;
}

static bool take_weights(const char *path, Reading *r, Error *error)
{
    Array weights;
    if (!npy_read(path, r->arena, &weights, error))
        return false;
    bool shaped =
        weights.rank == 1 || (r->logits.rank == 3 && weights.rank == 2 && same_shape(&weights, &r->logits, 2));
    if (!shaped || weights.count != r->input->count)
        return fail(error, "%s: expected %lld weights, one a row of the logits", path, (long long)r->input->count);
    double *values = to_doubles(r->arena, &weights), sum = 0;
    for (int64_t i = 0; i < weights.count; i++) {
        if (!(values[i] >= 0) || !isfinite(values[i]))
            return fail(error, "%s: row %lld: the weight %g is not a finite number >= 0", path, (long long)i,
                        values[i]);
        sum += values[i];
    }
    if (!(sum > 0) || !isfinite(sum))
        return fail(error, "%s: the weights add up to %g", path, sum);
    r->input->weights = values;
    return true;
}

static bool take_groups(const char *path, Reading *r, Error *error)
{
    Array groups;
    Dataset dataset = {.arena = r->arena, .count = r->input->count};
    if (!npy_read(path, r->arena, &groups, error) || !dataset_take_groups(&dataset, path, &groups, error))
        return false;
    r->input->groups = dataset.groups;
    return true;
}

static bool read_input(const Arguments *arguments, const char *kind_name, Arena *arena, PredictionInput *input,
                       Error *error)
{
    const char *weights_path = argument_option(arguments, "weights"),
               *groups_path = argument_option(arguments, "group");
    Reading r = {argument_option(arguments, "logits"), argument_option(arguments, "targets"), .arena = arena,
                 .input = input};
    *input = (PredictionInput){0};
    kind_name = kind_name || !groups_path ? kind_name : "ranking";
    if (kind_name && !parse_kind(kind_name, &input->kind, error))
        return false;
    if (input->kind == PREDICTION_RANKING && !groups_path)
        return fail_usage(error, "--group FILE is missing: ranking is measured inside groups");
    if (!npy_read(r.logits_path, arena, &r.logits, error) || !npy_read(r.targets_path, arena, &r.targets, error))
        return false;
    if (r.logits.rank < 1 || r.logits.rank > 3)
        return fail(error, "%s: expected logits [samples, classes] of f4 or f8", r.logits_path);
    if (!kind_name)
        input->kind = guess_kind(&r);
    if (!take_logits(&r, error))
        return false;
    bool soft = input->kind & (PREDICTION_MULTI_LABEL | OF_VALUES) ||
                (input->kind == PREDICTION_CLASSIFICATION && r.targets.rank == 2);
    return (soft ? take_rows : take_classes)(&r, error) &&
           (!weights_path || take_weights(weights_path, &r, error)) &&
           (!groups_path || take_groups(groups_path, &r, error));
}

bool arrays_read(const Arguments *arguments, const char *kind_name, Arena *arena, PredictionInput *input, Error *error)
{
    size_t before = memory_limit(INPUT_MOST_MEMORY);
    bool good = read_input(arguments, kind_name, arena, input, error);
    memory_limit_restore(before);
    return good;
}
