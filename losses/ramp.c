/* A loss whose weight moves along a line while a model trains, mostly a term of a sum:

       {"type": "sum", "terms": ["ce", {"type": "ramp", "base": "entropy", "weight": -0.1, "end": 0.5}]} */
#include <math.h>

#include "losses/shared.h"

struct ramp { Instance base; double from, to, start, end; };

static const Param params[] = {
    PARAM_COMPONENT(struct ramp, base, NULL, "loss", .help = "the loss that is multiplied"),
    PARAM_FLOAT(struct ramp, from, 0, .help = "factor until `start`"),
    PARAM_FLOAT(struct ramp, to, 1, .help = "factor from `end` on"),
    PARAM_FLOAT(struct ramp, start, 0, .min = 0, .max = 1, .help = "share of training done where the line begins"),
    PARAM_FLOAT(struct ramp, end, 1, .min = 0, .max = 1, .help = "share of training done where it ends"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    const struct ramp *self = values;
    return self->start <= self->end || fail_usage(error, "start: %g is after end, %g", self->start, self->end);
}

static const Instance *part(const void *values, int64_t index)
{
    return index == 0 ? &((const struct ramp *)values)->base : NULL;
}

/* Where start is end, a step. */
static double factor(const void *values, int64_t index, const ScheduleContext *at)
{
    (void)index;
    const struct ramp *self = values;
    const double progress = schedule_share(at);
    if (progress >= self->end)
        return self->to;
    double share = progress <= self->start ? 0 : (progress - self->start) / (self->end - self->start);
    return self->from + share * (self->to - self->from);
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
    .part = part, .factor = factor, .examples = examples, .fit = fit,
};
