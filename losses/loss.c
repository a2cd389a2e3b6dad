#include "losses/loss.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/tensor/operations.h"

static const char *const target_names[] = {
    [LOSS_NO_TARGETS] = "none", [LOSS_CLASSES] = "classes", [LOSS_CLASSES_OR_SOFT] = "classes or probabilities",
    [LOSS_SOFT] = "probabilities", [LOSS_LABELS] = "labels", [LOSS_VALUES] = "values", [LOSS_IDS] = "ids",
    [LOSS_TOKENS] = "tokens",
};

const char *loss_targets_name(LossTargets targets)
{
    return target_names[targets];
}

Tensor *loss_extra(const LossInput *in, const char *name)
{
    for (int i = 0; i < in->extra_count; i++)
        if (strcmp(in->extras[i].name, name) == 0)
            return in->extras[i].value;
    return NULL;
}

bool loss_targets_are_soft(const LossInput *in)
{
    return in->targets->type != ARRAY_I32;
}

Tensor *loss_soft_targets(const LossInput *in)
{
    if (loss_targets_are_soft(in))
        return in->targets;
    return t_one_hot(in->targets, in->logits->shape[in->logits->rank - 1], in->logits->type);
}

Tensor *loss_constants(const Tensor *like, FloatList values)
{
    Tensor *constants = t_new(like->type, SHAPE(values.count));
    for (int64_t i = 0; i < values.count; i++)
        tensor_set(constants, i, values.items[i]);
    return constants;
}

static bool check_extras(const LossDef *def, const LossInput *in, Error *error)
{
    for (const char *const *name = def->extras; name && *name; name++) {
        size_t length = strlen(*name);
        if ((*name)[length - 1] != '?' && !loss_extra(in, *name))
            return fail_usage(error, "%s needs the extra \"%s\"", def->component.name, *name);
    }
    for (int i = 0; i < in->extra_count; i++) {
        bool known = false;
        for (const char *const *name = def->extras; name && *name; name++)
            known |= strncmp(*name, in->extras[i].name, strcspn(*name, "?")) == 0 && strlen(in->extras[i].name) == strcspn(*name, "?");
        if (!known)
            return fail_usage(error, "%s takes no extra \"%s\"", def->component.name, in->extras[i].name);
    }
    return true;
}

/* Classes outside 0..C-1 are left to `check` and `weights`: some losses ignore an index. */
static bool check_targets(const LossDef *def, const LossInput *in, Error *error)
{
    const Tensor *targets = in->targets, *logits = in->logits;
    LossTargets kind = def->targets;
    if (kind == LOSS_NO_TARGETS)
        return true;
    if (!targets)
        return fail_usage(error, "%s needs targets (%s)", def->component.name, target_names[kind]);
    bool integers = targets->type == ARRAY_I32;
    bool wants_integers = kind == LOSS_CLASSES || kind == LOSS_IDS || kind == LOSS_TOKENS;
    if (wants_integers && !integers)
        return fail(error, "%s needs integer targets (%s)", def->component.name, target_names[kind]);
    if ((kind == LOSS_SOFT || kind == LOSS_LABELS || kind == LOSS_VALUES) && integers)
        return fail(error, "%s needs targets of real numbers (%s)", def->component.name, target_names[kind]);
    if (targets->rank < 1 || targets->shape[0] != logits->shape[0])
        return fail(error, "targets: %lld rows for %lld rows of logits", (long long)targets->shape[0], (long long)logits->shape[0]);
    bool soft = kind == LOSS_SOFT || kind == LOSS_LABELS || (kind == LOSS_CLASSES_OR_SOFT && !integers);
    if (soft && !tensor_same_shape(targets, logits))
        return fail(error, "targets: %s [N, C] must have the shape of the logits", target_names[kind]);
    if ((kind == LOSS_CLASSES || (kind == LOSS_CLASSES_OR_SOFT && integers)) && targets->rank != logits->rank - 1)
        return fail(error, "targets: classes have one axis less than the logits");
    for (int64_t i = 0; soft && i < targets->count; i++) {
        double t = tensor_value(targets, i);
        if (!(t >= 0 && t <= 1))
            return fail(error, "targets: %g at row %lld is not within 0..1", t, (long long)(i / targets->shape[targets->rank - 1]));
    }
    return true;
}

bool loss_check(const Instance *loss, const LossInput *in, Error *error)
{
    const LossDef *def = (const LossDef *)loss->component;
    if (!check_extras(def, in, error) || !check_targets(def, in, error))
        return false;
    if (in->weights && (in->weights->rank != 1 || in->weights->shape[0] != in->logits->shape[0]))
        return fail(error, "weights: expected [%lld], one a row of the logits", (long long)in->logits->shape[0]);
    for (int64_t i = 0; in->weights && i < in->weights->count; i++)
        if (!(tensor_value(in->weights, i) >= 0 && isfinite(tensor_value(in->weights, i))))
            return fail(error, "weights: %g at row %lld is not a finite number >= 0", tensor_value(in->weights, i), (long long)i);
    return !def->check || def->check(loss->values, in, error);
}

static Tensor *weighted_mean(Tensor *per_sample, Tensor *weights)
{
    double sum = 0;
    for (int64_t i = 0; i < weights->count; i++)
        sum += tensor_value(weights, i);
    Tensor *total = t_sum(t_mul(per_sample, weights), ALL_AXES, false);
    return t_scale(total, sum > 0 ? 1 / sum : 0);
}

LossResult loss_evaluate(const Instance *loss, const LossInput *in)
{
    const LossDef *def = (const LossDef *)loss->component;
    Tensor *value = def->forward(loss->values, in);
    if (def->whole_batch)
        return (LossResult){value, NULL};
    assert(value->rank == 1 && value->shape[0] == in->logits->shape[0]);
    Tensor *weights = def->weights ? def->weights(loss->values, in) : NULL;
    if (weights && in->weights)
        weights = t_mul(weights, in->weights);
    else if (in->weights)
        weights = in->weights;
    Tensor *mean;
    if (weights)
        mean = weighted_mean(value, weights);
    else
        mean = value->count ? t_mean(value, ALL_AXES, false) : t_sum(value, ALL_AXES, false);
    return (LossResult){mean, value};
}
