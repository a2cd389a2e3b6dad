/* A loss whose weight moves along a line while a model trains, mostly a term of a sum:

       {"type": "sum", "terms": ["ce", {"type": "ramp", "base": "entropy", "weight": -0.1, "end": 0.5}]} */
#include <math.h>

#include "losses/shared.h"

struct ramp { Instance base; double from, to, start, end; };

static const Param params[] = {
    PARAM_COMPONENT(struct ramp, base, NULL, "loss", .help = "a loss of classes, labels or values, or of no targets"),
    PARAM_FLOAT(struct ramp, from, 0, .help = "factor until `start`"),
    PARAM_FLOAT(struct ramp, to, 1, .help = "factor from `end` on"),
    PARAM_FLOAT(struct ramp, start, 0, .min = 0, .max = 1, .help = "share of training done where the line begins"),
    PARAM_FLOAT(struct ramp, end, 1, .min = 0, .max = 1, .help = "share of training done where it ends"),
    PARAM_END
};

static const LossDef *base_of(const struct ramp *self)
{
    return (const LossDef *)self->base.component;
}

static bool validate(const void *values, Error *error)
{
    const struct ramp *self = values;
    const LossDef *base = base_of(self);
    LossTargets targets = loss_targets(&self->base);
    bool fits = targets != LOSS_SOFT && targets != LOSS_IDS && targets != LOSS_TOKENS;
    if (!fits || base->whole_batch || base->state_of_run || base->sums || base->extras || base->any_extras ||
        base->cosines)
        return fail_usage(error,
                          "base: %s cannot be: it is not a loss of classes, labels or values, of logits as they come, "
                          "with a value for each sample alone", base->component.name);
    return self->start <= self->end || fail_usage(error, "start: %g is after end, %g", self->start, self->end);
}

static bool check(const void *values, const LossInput *in, Error *error)
{
    return loss_check(&((const struct ramp *)values)->base, in, error);
}

/* Where start is end, a step. */
static double factor(const struct ramp *self, double progress)
{
    if (progress >= self->end)
        return self->to;
    double share = progress <= self->start ? 0 : (progress - self->start) / (self->end - self->start);
    return self->from + share * (self->to - self->from);
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct ramp *self = values;
    return t_scale(base_of(self)->forward(self->base.values, in), factor(self, schedule_share(&in->at)));
}

static Tensor *weights(const void *values, const LossInput *in)
{
    const struct ramp *self = values;
    return base_of(self)->weights ? base_of(self)->weights(self->base.values, in) : NULL;
}

static LossTargets targets_of(const void *values)
{
    LossTargets targets = loss_targets(&((const struct ramp *)values)->base);
    return targets == LOSS_NO_TARGETS ? LOSS_CLASSES_OR_SOFT : targets;
}

static int properties_of(const void *values)
{
    const struct ramp *self = values;
    int own = loss_properties(&self->base);
    return self->from >= 0 && self->to > 0 ? own : own & ~LOSS_PROPER;
}

static int64_t outputs(const void *values, int64_t classes)
{
    return loss_outputs(&((const struct ramp *)values)->base, classes);
}

static int64_t state_width(const void *values, int64_t classes)
{
    return loss_state_width(&((const struct ramp *)values)->base, classes);
}

static bool decodes(const void *values)
{
    return loss_decodes(&((const struct ramp *)values)->base);
}

static void decode(const void *values, int64_t columns, const double *logits, double *decoded)
{
    const struct ramp *self = values;
    base_of(self)->decode(self->base.values, columns, logits, decoded);
}

static void fit(int64_t columns, cJSON *spec)
{
    (void)columns;
    cJSON_AddStringToObject(spec, "base", "ce");
}

static const char *const examples[] = {
    "{\"type\": \"ramp\", \"base\": \"ce\", \"from\": 0.5}",
    "{\"type\": \"sum\", \"terms\": [\"ce\", {\"type\": \"ramp\", \"base\": \"entropy\", \"weight\": -0.1, "
    "\"start\": 0.25, \"end\": 0.75}]}", NULL};

const LossDef loss_ramp = {
    .component = {.name = "ramp", .summary = "a loss whose weight moves along a line during training", .params = params,
                  .size = sizeof(struct ramp),
                  .formula = "f L, f = from + (to - from) min(1, max(0, (s - start) / (end - start))), s the share of "
                             "training done",
                  .notes = "s is the steps done over the steps planned, 0 throughout where train.seconds alone limits "
                           "a run. A model is measured (validation, test, xent eval, xent loss) with f = to, so that "
                           "figures of different epochs compare.",
                  .validate = validate},
    .targets = LOSS_CLASSES_OR_SOFT, .targets_of = targets_of, .properties_of = properties_of,
    .own_classes = true, .least_rank = 1, .most_rank = 6,
    .outputs = outputs, .decode = decode, .decodes = decodes, .state_width = state_width, .forward = forward,
    .weights = weights, .check = check, .examples = examples, .fit = fit,
};
