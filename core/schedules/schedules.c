/* The schedules in common use. Steps and periods can be given in steps or, where a key says so, as a share
   of the run. */
#include "core/schedules/schedule.h"

static const double pi = 3.14159265358979323846;

double schedule_factor(const Instance *schedule, const ScheduleContext *context)
{
    return ((const ScheduleDef *)schedule->component)->factor(schedule->values, context);
}

bool schedule_needs_total(const Instance *schedule)
{
    const ScheduleDef *def = (const ScheduleDef *)schedule->component;
    return def->needs_total && def->needs_total(schedule->values);
}

double schedule_share(const ScheduleContext *context)
{
    return context->total > 0 ? (double)context->step / (double)context->total : 0;
}

static bool always(const void *values)
{
    (void)values;
    return true;
}

/* A linear rise from 0 over the first `warmup` steps; the first step is already above 0. */
static double rise(int64_t warmup, int64_t step)
{
    return step < warmup ? (double)(step + 1) / (double)warmup : 1;
}

/* Share of the way from the end of warm-up to the end of the run. A run that ends in its warm-up never falls. */
static double progress(const ScheduleContext *context, int64_t warmup)
{
    if (context->step < warmup)
        return 0;
    double span = (double)(context->total - warmup);
    double done = span > 0 ? (double)(context->step - warmup) / span : 1;
    return done > 1 ? 1 : done;
}

struct constant { int64_t warmup; };
static const Param constant_params[] = {
    PARAM_INT(struct constant, warmup, 0, .min = 0, .max = 1e12, .help = "steps of linear rise at the start"),
    PARAM_END};

static double constant_factor(const void *values, const ScheduleContext *context)
{
    return rise(((const struct constant *)values)->warmup, context->step);
}

const ScheduleDef schedule_constant = {.component = {.name = "constant",
                                                     .summary = "the optimizer's rate, after an optional warm-up",
                                                     .params = constant_params,
                                                     .size = sizeof(struct constant)},
                                       .factor = constant_factor};

struct step { int64_t every; IntList milestones; double gamma; int64_t warmup; };
static const Param step_params[] = {
    PARAM_INT(struct step, every, 10, .min = 1, .max = 1e9, .help = "epochs between drops; when milestones is empty"),
    PARAM_INTS(struct step, milestones, "[]", .min = 0, .max = 1e9, .help = "epochs of the drops"),
    PARAM_FLOAT(struct step, gamma, 0.1, .min = 0, .max = 1, .help = "factor of a drop"),
    PARAM_INT(struct step, warmup, 0, .min = 0, .max = 1e12, .help = "steps of linear rise at the start"),
    PARAM_END
};

static double step_factor(const void *values, const ScheduleContext *context)
{
    const struct step *self = values;
    int64_t epoch = context->step / (context->steps_per_epoch > 0 ? context->steps_per_epoch : 1), drops = 0;
    for (int64_t i = 0; i < self->milestones.count; i++)
        drops += epoch >= self->milestones.items[i];
    if (self->milestones.count == 0)
        drops = epoch / self->every;
    return rise(self->warmup, context->step) * pow(self->gamma, (double)drops);
}

const ScheduleDef schedule_step = {.component = {.name = "step",
                                                 .summary = "drops by a factor at epochs",
                                                 .params = step_params,
                                                 .size = sizeof(struct step)},
                                   .factor = step_factor};

struct exponential { double gamma; int64_t warmup; };
static const Param exponential_params[] = {
    PARAM_FLOAT(struct exponential, gamma, 0.95, .min = 0, .max = 1, .help = "factor an epoch"),
    PARAM_INT(struct exponential, warmup, 0, .min = 0, .max = 1e12, .help = "steps of linear rise at the start"),
    PARAM_END
};

static double exponential_factor(const void *values, const ScheduleContext *context)
{
    const struct exponential *self = values;
    double epochs = (double)context->step / (double)(context->steps_per_epoch > 0 ? context->steps_per_epoch : 1);
    return rise(self->warmup, context->step) * pow(self->gamma, epochs);
}

const ScheduleDef schedule_exponential = {.component = {.name = "exponential",
                                                        .summary = "falls by a factor an epoch, smoothly",
                                                        .params = exponential_params,
                                                        .size = sizeof(struct exponential)},
                                          .factor = exponential_factor};

struct decay { int64_t warmup; double final; };
#define DECAY_PARAMS                                                                                             \
    {PARAM_INT(struct decay, warmup, 0, .min = 0, .max = 1e12, .help = "steps of linear rise at the start"),     \
     PARAM_FLOAT(struct decay, final, 0, .min = 0, .max = 1, .help = "factor at the end of the run"), PARAM_END}
static const Param decay_params[] = DECAY_PARAMS;

static double cosine_factor(const void *values, const ScheduleContext *context)
{
    const struct decay *self = values;
    double wave = 0.5 * (1 + cos(pi * progress(context, self->warmup)));
    return rise(self->warmup, context->step) * (self->final + (1 - self->final) * wave);
}

const ScheduleDef schedule_cosine = {.component = {.name = "cosine",
                                                   .summary = "half a cosine from the rate to `final` times it",
                                                   .params = decay_params,
                                                   .size = sizeof(struct decay),
                                                   .source = "arXiv:1608.03983"},
                                     .factor = cosine_factor,
                                     .needs_total = always};

static double linear_factor(const void *values, const ScheduleContext *context)
{
    const struct decay *self = values;
    return rise(self->warmup, context->step) * (1 + (self->final - 1) * progress(context, self->warmup));
}

const ScheduleDef schedule_linear = {.component = {.name = "linear",
                                                   .summary = "a straight line from the rate to `final` times it",
                                                   .params = decay_params,
                                                   .size = sizeof(struct decay)},
                                     .factor = linear_factor,
                                     .needs_total = always};

static double inverse_sqrt_factor(const void *values, const ScheduleContext *context)
{
    int64_t warmup = ((const struct constant *)values)->warmup;
    if (context->step == INT64_MAX)
        return 0;
    double start = warmup > 0 ? (double)warmup : 1, now = (double)context->step + 1;
    return now < start ? now / start : sqrt(start / now);
}

const ScheduleDef schedule_inverse_sqrt = {.component = {.name = "inverse_sqrt",
                                                         .summary = "warm-up, then the inverse root of the step",
                                                         .params = constant_params,
                                                         .size = sizeof(struct constant),
                                                         .source = "arXiv:1706.03762"},
                                           .factor = inverse_sqrt_factor};

struct one_cycle { double rise, start, final; };
static const Param one_cycle_params[] = {
    PARAM_FLOAT(struct one_cycle, rise, 0.3, .min = 0, .max = 1, .help = "share of the run that rises"),
    PARAM_FLOAT(struct one_cycle, start, 0.04, .min = 0, .max = 1, .help = "factor at the start"),
    PARAM_FLOAT(struct one_cycle, final, 0.0001, .min = 0, .max = 1, .help = "factor at the end"),
    PARAM_END
};

static double one_cycle_factor(const void *values, const ScheduleContext *context)
{
    const struct one_cycle *self = values;
    double done = progress(context, 0);
    if (done < self->rise)
        return self->start + (1 - self->start) * 0.5 * (1 - cos(pi * done / self->rise));
    double rest = self->rise < 1 ? (done - self->rise) / (1 - self->rise) : 1;
    return self->final + (1 - self->final) * 0.5 * (1 + cos(pi * rest));
}

const ScheduleDef schedule_one_cycle = {
    .component = {.name = "one_cycle", .summary = "rises to the rate, then falls below where it began, both by cosines",
                  .params = one_cycle_params, .size = sizeof(struct one_cycle), .source = "arXiv:1708.07120"},
    .factor = one_cycle_factor, .needs_total = always};

struct wsd { int64_t warmup; double decay, final; };
static const Param wsd_params[] = {
    PARAM_INT(struct wsd, warmup, 0, .min = 0, .max = 1e12, .help = "steps of linear rise at the start"),
    PARAM_FLOAT(struct wsd, decay, 0.2, .min = 0, .max = 1, .help = "share of the run that falls, at its end"),
    PARAM_FLOAT(struct wsd, final, 0, .min = 0, .max = 1, .help = "factor at the end"),
    PARAM_END
};

static double wsd_factor(const void *values, const ScheduleContext *context)
{
    const struct wsd *self = values;
    double done = progress(context, 0), begin = 1 - self->decay;
    double fall = done <= begin || self->decay <= 0 ? 0 : (done - begin) / self->decay;
    return rise(self->warmup, context->step) * (1 + (self->final - 1) * fall);
}

const ScheduleDef schedule_wsd = {.component = {.name = "wsd",
                                                .summary = "warm-up, stable, decay by a straight line",
                                                .params = wsd_params,
                                                .size = sizeof(struct wsd),
                                                .source = "arXiv:2404.06395"},
                                  .factor = wsd_factor,
                                  .needs_total = always};

struct plateau { double gamma, threshold; int64_t patience, warmup; double least; };
static const Param plateau_params[] = {
    PARAM_FLOAT(struct plateau, gamma, 0.1, .min = 0, .max = 1, .help = "factor of a drop"),
    PARAM_INT(struct plateau, patience, 5, .min = 0, .max = 1e9,
              .help = "epochs without a better validation loss before a drop"),
    PARAM_FLOAT(struct plateau, threshold, 0.0001, .min = 0, .max = 1, .help = "relative improvement that counts"),
    PARAM_FLOAT(struct plateau, least, 0, .min = 0, .max = 1, .help = "smallest factor"),
    PARAM_INT(struct plateau, warmup, 0, .min = 0, .max = 1e12, .help = "steps of linear rise at the start"),
    PARAM_END};

static double plateau_factor(const void *values, const ScheduleContext *context)
{
    return rise(((const struct plateau *)values)->warmup, context->step);
}

/* state: best loss, epochs since, whether there is a best. */
static void plateau_observe(const void *values, double loss, double state[4], double *factor)
{
    const struct plateau *self = values;
    if (state[2] == 0 || loss < state[0] - self->threshold * fabs(state[0])) {
        state[0] = loss;
        state[1] = 0;
        state[2] = 1;
    } else if (++state[1] > (double)self->patience) {
        *factor = *factor * self->gamma > self->least ? *factor * self->gamma : self->least;
        state[1] = 0;
    }
}

const ScheduleDef schedule_plateau = {.component = {.name = "plateau",
                                                    .summary = "drops when the validation loss no longer falls",
                                                    .no_weight = "plateau follows the validation loss, which is "
                                                                 "measured with the weights; take a schedule of the "
                                                                 "step",
                                                    .params = plateau_params,
                                                    .size = sizeof(struct plateau)},
                                      .factor = plateau_factor,
                                      .observe = plateau_observe};
