#include "losses/loss.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/tensor/operations.h"
#include "losses/rows.h"

static const char *const target_names[] = {
    [LOSS_NO_TARGETS] = "none", [LOSS_CLASSES] = "classes", [LOSS_CLASSES_OR_SOFT] = "classes or probabilities",
    [LOSS_SOFT] = "probabilities", [LOSS_LABELS] = "labels", [LOSS_VALUES] = "values", [LOSS_IDS] = "ids",
    [LOSS_TOKENS] = "tokens",
};

const char *loss_targets_name(LossTargets targets)
{
    return target_names[targets];
}

const char *loss_kind_name(const LossDef *def)
{
    return def->part && def->targets == LOSS_NO_TARGETS ? "those of its parts" : target_names[def->targets];
}

void loss_property_letters(const LossDef *def, char letters[5])
{
    snprintf(letters, 5, "%s", def->part ? "part" : "----");
    for (int bit = 0; !def->part && letters[bit]; bit++)
        if (def->properties & (1 << bit))
            letters[bit] = loss_property_name(1 << bit)[0];
}

Tensor *loss_extra(const LossInput *in, const char *name)
{
    for (int i = 0; i < in->extra_count; i++)
        if (strcmp(in->extras[i].name, name) == 0)
            return in->extras[i].value;
    return NULL;
}

const char *loss_property_name(int property)
{
    switch (property) {
    case LOSS_BOUNDED: return "bounded";
    case LOSS_SYMMETRIC: return "symmetric";
    case LOSS_TRANSLATION_INVARIANT: return "translation invariant";
    case LOSS_PROPER: return "proper";
    default: return NULL;
    }
}

static bool has_extra(const void *in, const char *name)
{
    return loss_extra(in, name) != NULL;
}

static bool check_extras(const Instance *loss, const LossInput *in, Error *error)
{
    const char *missing = loss_missing_extra(loss, has_extra, in);
    if (missing)
        return fail_usage(error, "%s needs the extra \"%s\"", loss->component->name, missing);
    for (int i = 0; i < in->extra_count; i++)
        if (!loss_takes_extra(loss, in->extras[i].name))
            return fail_usage(error, "%s takes no extra \"%s\"", loss->component->name, in->extras[i].name);
    return true;
}

static bool check_logits(const LossDef *def, const Tensor *logits, Error *error)
{
    int least = def->least_rank ? def->least_rank : 2, most = def->most_rank ? def->most_rank : 2;
    if (logits->rank < least || logits->rank > most) {
        if (least == most)
            return fail(error, "logits: %s needs %d axes, here are %d", def->component.name, least, logits->rank);
        return fail(error, "logits: %s needs %d to %d axes, here are %d", def->component.name, least, most,
                    logits->rank);
    }
    if (logits->count == 0)
        return fail(error, "logits: there are no elements");
    int64_t columns = logits->shape[logits->rank - 1];
    if (def->columns && columns != def->columns)
        return fail(error, "logits: %s needs %lld columns, here are %lld", def->component.name,
                    (long long)def->columns, (long long)columns);
    if (columns < def->least_columns)
        return fail(error, "logits: %s needs at least %lld columns, here are %lld", def->component.name,
                    (long long)def->least_columns, (long long)columns);
    if (logits->shape[0] < def->least_samples)
        return fail(error, "logits: %s needs at least %lld samples", def->component.name,
                    (long long)def->least_samples);
    return true;
}

static bool check_classes(const Instance *loss, const LossInput *in, Error *error)
{
    const LossDef *def = (const LossDef *)loss->component;
    const Tensor *targets = in->targets, *logits = in->logits;
    if (targets->rank != logits->rank - 1)
        return fail(error, "targets: classes have one axis less than the logits");
    int64_t ignored = def->ignore_index ? def->ignore_index(loss->values) : PARAM_UNSET;
    int64_t classes = logits->shape[logits->rank - 1] + def->unnamed_classes;
    for (int64_t i = 0; !def->own_classes && i < targets->count; i++) {
        int64_t target = tensor_i32(targets)[i];
        if ((target < 0 || target >= classes) && target != ignored)
            return fail(error, "targets: %lld at row %lld is outside 0..%lld", (long long)target, (long long)i,
                        (long long)classes - 1);
    }
    return true;
}

/* Probabilities are checked to sum to 1 up to the rounding of half precision. */
static bool check_shares(LossTargets kind, const LossInput *in, Error *error)
{
    const Tensor *targets = in->targets;
    int64_t columns = targets->shape[targets->rank - 1];
    for (int64_t row = 0; row < targets->count / columns; row++) {
        double sum = 0;
        for (int64_t i = row * columns; i < (row + 1) * columns; i++) {
            double t = tensor_value(targets, i);
            if (!(t >= 0 && t <= 1))
                return fail(error, "targets: %g at row %lld is not within 0..1", t, (long long)row);
            sum += t;
        }
        if (kind != LOSS_LABELS && fabs(sum - 1) > 1e-3)
            return fail(error, "targets: the probabilities of row %lld sum to %g", (long long)row, sum);
    }
    return true;
}

static bool check_targets(const Instance *loss, const LossInput *in, Error *error)
{
    const LossDef *def = (const LossDef *)loss->component;
    const Tensor *targets = in->targets;
    LossTargets kind = loss_targets(loss);
    if (kind == LOSS_NO_TARGETS)
        return true;
    if (!targets)
        return fail_usage(error, "%s needs targets (%s)", def->component.name, target_names[kind]);
    bool integers = targets->type == ARRAY_I32;
    if ((kind == LOSS_CLASSES || kind == LOSS_IDS || kind == LOSS_TOKENS) && !integers)
        return fail(error, "targets: %s needs integers (%s)", def->component.name, target_names[kind]);
    if ((kind == LOSS_SOFT || kind == LOSS_LABELS || kind == LOSS_VALUES) && integers)
        return fail(error, "targets: %s needs real numbers (%s)", def->component.name, target_names[kind]);
    if (targets->rank < 1 || targets->shape[0] != in->logits->shape[0])
        return fail(error, "targets: %lld rows for %lld rows of logits",
                    (long long)(targets->rank ? targets->shape[0] : 0),
                    (long long)in->logits->shape[0]);
    if (kind == LOSS_CLASSES || (kind == LOSS_CLASSES_OR_SOFT && integers))
        return check_classes(loss, in, error);
    if (kind == LOSS_IDS && targets->rank != 1)
        return fail(error, "targets: ids have one axis, here are %d", targets->rank);
    for (int64_t i = 0; kind == LOSS_VALUES && i < targets->count; i++)
        if (!isfinite(tensor_value(targets, i)))
            return fail(error, "targets: row %lld is not finite",
                        (long long)(i / (targets->count / targets->shape[0])));
    if (integers || kind == LOSS_VALUES)
        return true;
    if (!tensor_same_shape(targets, in->logits))
        return fail(error, "targets: %s must have the shape of the logits", target_names[kind]);
    return check_shares(kind, in, error);
}

static bool check_weights(const LossDef *def, const LossInput *in, Error *error)
{
    const Tensor *weights = in->weights;
    if (!weights)
        return true;
    if (def->whole_batch)
        return fail_usage(error, "%s takes no weights: it is one value of the whole batch", def->component.name);
    if (weights->rank != 1 || weights->shape[0] != in->logits->shape[0])
        return fail(error, "weights: expected [%lld], one a row of the logits", (long long)in->logits->shape[0]);
    for (int64_t i = 0; i < weights->count; i++)
        if (!(tensor_value(weights, i) >= 0 && isfinite(tensor_value(weights, i))))
            return fail(error, "weights: %g at row %lld is not a finite number >= 0", tensor_value(weights, i),
                        (long long)i);
    return true;
}

static bool check_parts(const Instance *loss, const LossInput *in, Error *error)
{
    const LossDef *def = (const LossDef *)loss->component;
    const Instance *part;
    for (int64_t i = 0; (part = def->part(loss->values, i)); i++) {
        LossInput own = loss_part_input(loss, i, in);
        if (!loss_check(part, &own, error))
            return false;
    }
    return true;
}

bool loss_check(const Instance *loss, const LossInput *in, Error *error)
{
    const LossDef *def = (const LossDef *)loss->component;
    if (!check_extras(loss, in, error))
        return false;
    bool good = def->part ? check_parts(loss, in, error)
                          : check_logits(def, in->logits, error) && check_targets(loss, in, error) &&
                            check_weights(def, in, error);
    return good && (!def->check || def->check(loss->values, in, error));
}

/* sum(w l) / sum(w), or only the sum; 0 where every weight is 0. */
static Tensor *weighted(Tensor *per_sample, Tensor *weights, bool sums)
{
    double total = weights ? 0 : (double)per_sample->count;
    for (int64_t i = 0; weights && i < weights->count; i++)
        total += tensor_value(weights, i);
    Tensor *sum = t_sum(weights ? t_mul(per_sample, weights) : per_sample, ALL_AXES, false);
    return sums ? sum : t_scale(sum, total > 0 ? 1 / total : 0);
}

static Tensor *product(Tensor *a, Tensor *b)
{
    return a && b ? t_mul(a, b) : a ? a : b;
}

/* The sum of the parts' values times their factors, and of their rows' where all have some. */
static LossResult evaluate_parts(const Instance *loss, const LossInput *in)
{
    const LossDef *def = (const LossDef *)loss->component;
    LossResult total = {0};
    const Instance *part;
    for (int64_t i = 0; (part = def->part(loss->values, i)); i++) {
        LossInput own = loss_part_input(loss, i, in);
        LossResult result = loss_evaluate(part, &own);
        const double factor = loss_part_factor(loss, i, &in->at);
        Tensor *value = t_scale(result.loss, factor);
        Tensor *rows = result.per_sample ? t_scale(result.per_sample, factor) : NULL;
        total.loss = total.loss ? t_add(total.loss, value) : value;
        total.per_sample = i == 0 ? rows : rows && total.per_sample ? t_add(total.per_sample, rows) : NULL;
    }
    return total;
}

LossResult loss_evaluate(const Instance *loss, const LossInput *in)
{
    const LossDef *def = (const LossDef *)loss->component;
    Tensor *weights = product(def->weights ? def->weights(loss->values, in) : NULL, in->weights);
    if (def->part) {
        LossInput weighed = *in;
        weighed.weights = weights;
        return evaluate_parts(loss, &weighed);
    }
    Tensor *value = loss_rows_apply(loss, in) ? loss_rows(loss, in) : def->forward(loss->values, in);
    if (def->whole_batch)
        return (LossResult){value, NULL};
    assert(value->rank == 1 && value->shape[0] == in->logits->shape[0]);
    return (LossResult){weighted(value, weights, def->sums && def->sums(loss->values)), value};
}
