/* Losses for classes of unequal size: class-balanced weights (Cui et al. 2019), label-distribution-aware margins
   (Cao et al. 2019), logit adjustment (Menon et al. 2021). */
#include <math.h>

#include "losses/rows.h"
#include "losses/shared.h"

/* The last field of each is derived, [classes]: weights, margins, tau log prior. */
struct class_balanced { double beta; FloatList class_counts; Instance base; const double *weights; };
struct ldam { FloatList class_counts; double max_margin, scale; const double *margins; };
struct logit_adjustment { FloatList class_counts; double tau; const double *shifts; };

#define CLASS_COUNTS(structure, least) \
    PARAM_FLOATS(structure, class_counts, NULL, .min = least, .min_count = 1, \
                 .help = "number of training samples of each class")

static const Param balanced_params[] = {
    PARAM_FLOAT(struct class_balanced, beta, 0.999, .min = 0, .max = 1 - 1e-12,
                .help = "0: equal weights; towards 1: 1/count"),
    CLASS_COUNTS(struct class_balanced, 1),
    PARAM_COMPONENT(struct class_balanced, base, "\"ce\"", "loss", .help = "the loss that is weighted"),
    PARAM_END
};
static const Param ldam_params[] = {
    CLASS_COUNTS(struct ldam, 1),
    PARAM_FLOAT(struct ldam, max_margin, 0.5, .min = 0, .help = "margin of the smallest class"),
    PARAM_FLOAT(struct ldam, scale, 30, .min = 1e-6, .help = "factor of the logits after the margin"),
    PARAM_END
};
static const Param adjustment_params[] = {
    CLASS_COUNTS(struct logit_adjustment, 1e-12),
    PARAM_FLOAT(struct logit_adjustment, tau, 1, .help = "factor of the log prior"),
    PARAM_END
};

/* As many of each. */
static void fit_counts(int64_t columns, cJSON *spec)
{
    cJSON *counts = cJSON_AddArrayToObject(spec, "class_counts");
    for (int64_t c = 0; c < columns; c++)
        cJSON_AddItemToArray(counts, cJSON_CreateNumber(10));
}

/* ---- Class-balanced ---- */

static const Instance *base_of(const void *values, int64_t index)
{
    return index == 0 ? &((const struct class_balanced *)values)->base : NULL;
}

static bool names_all_classes(const LossDef *def)
{
    return !def->whole_batch && !def->unnamed_classes;
}

static bool validate_balanced(const void *values, Error *error)
{
    const Instance *base = base_of(values, 0);
    LossTargets targets = loss_targets(base);
    bool classes = targets == LOSS_CLASSES || targets == LOSS_CLASSES_OR_SOFT;
    if (classes && loss_every_leaf(base, names_all_classes) && loss_outputs(base, 5) == 5)
        return true;
    return fail_usage(error, "base: %s cannot be: it is not a loss of classes with a value for each sample",
                      base->component->name);
}

static bool check_balanced(const void *values, const LossInput *in, Error *error)
{
    const struct class_balanced *self = values;
    if (in->targets->type != ARRAY_I32)
        return fail(error, "targets: class_balanced needs integers (classes)");
    return loss_check_per_class("class_counts", self->class_counts, false, in, error);
}

static void derive_balanced(void *values, Arena *arena)
{
    struct class_balanced *self = values;
    int64_t classes = self->class_counts.count;
    double *weights = arena_zero(arena, (size_t)classes, sizeof *weights), sum = 0;
    for (int64_t c = 0; c < classes; c++)
        sum += weights[c] = (1 - self->beta) / -expm1(self->class_counts.items[c] * log(self->beta));
    for (int64_t c = 0; c < classes; c++)
        weights[c] *= (double)classes / sum;
    self->weights = weights;
}

static Tensor *balanced_weights(const void *values, const LossInput *in)
{
    const struct class_balanced *self = values;
    Tensor *result = t_new(in->logits->type, SHAPE(in->targets->count));
    for (int64_t i = 0; i < result->count; i++) {
        int32_t target = tensor_i32(in->targets)[i]; /* outside the classes: the base ignores it */
        tensor_set(result, i, target >= 0 && target < self->class_counts.count ? self->weights[target] : 0);
    }
    return result;
}

static const char *const balanced_examples[] = {
    "{\"type\": \"class_balanced\", \"class_counts\": [900, 90, 10]}",
    "{\"type\": \"class_balanced\", \"class_counts\": [900, 90, 10], \"beta\": 0, \"base\": \"focal\"}", NULL};

const LossDef loss_class_balanced = {
    .component = {.name = "class_balanced",
                  .summary = "any loss of classes, weighted by the effective number of samples",
                  .params = balanced_params, .size = sizeof(struct class_balanced), .source = "arXiv:1901.05555",
                  .formula = "weights proportional to (1-beta) / (1-beta^n_c), their sum the number of classes",
                  .notes = "The weight of the target joins the sample weight in the mean.",
                  .validate = validate_balanced, .derive = derive_balanced},
    .targets = LOSS_CLASSES, .part = base_of, .weights = balanced_weights,
    .check = check_balanced, .fit = fit_counts, .examples = balanced_examples,
};

/* ---- Label-distribution-aware margin ---- */

static bool check_ldam(const void *values, const LossInput *in, Error *error)
{
    return loss_check_per_class("class_counts", ((const struct ldam *)values)->class_counts, false, in, error);
}

static void derive_ldam(void *values, Arena *arena)
{
    struct ldam *self = values;
    FloatList counts = self->class_counts;
    double smallest = counts.items[0], *margins = arena_zero(arena, (size_t)counts.count, sizeof *margins);
    for (int64_t c = 1; c < counts.count; c++)
        smallest = fmin(smallest, counts.items[c]);
    for (int64_t c = 0; c < counts.count; c++)
        margins[c] = self->max_margin * pow(smallest / counts.items[c], 0.25);
    self->margins = margins;
}

static Tensor *ldam(const void *values, const LossInput *in)
{
    const struct ldam *self = values;
    Tensor *margins = loss_constants(in->logits, (FloatList){self->class_counts.count, self->margins});
    Tensor *margin = t_mul(loss_one_hot(in), margins);
    return t_softmax_cross_entropy(t_scale(t_sub(loss_centered(in->logits), margin), self->scale), in->targets);
}

ROW float ldam_row(const void *values, const LossRow *row, float *gradient)
{
    const struct ldam *self = values;
    const float scale = (float)self->scale, center = row_largest(row->logits, row->columns);
    const float own = scale * ((row->logits[row->target] - center) - (float)self->margins[row->target]);
    return row_margin_cross_entropy(row, scale, center, (RowMargin){own, scale}, gradient);
}

LOSS_ROWS(ldam)

static const char *const ldam_examples[] = {"{\"type\": \"ldam\", \"class_counts\": [900, 90, 10], \"scale\": 5}",
                                            NULL};

const LossDef loss_ldam = {
    .component = {.name = "ldam", .summary = "cross-entropy with a larger margin for smaller classes",
                  .params = ldam_params,
                  .size = sizeof(struct ldam), .source = "arXiv:1906.07413",
                  .formula = "-log softmax(scale (z - m_y e_y))_y, m_c = max_margin (min n / n_c)^(1/4)",
                  .derive = derive_ldam},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT, .forward = ldam,
    .rows = &rows_ldam, .check = check_ldam, .fit = fit_counts, .examples = ldam_examples,
};

/* ---- Logit adjustment ---- */

static bool check_adjustment(const void *values, const LossInput *in, Error *error)
{
    return loss_check_per_class("class_counts", ((const struct logit_adjustment *)values)->class_counts, false, in,
                                error);
}

static void derive_adjustment(void *values, Arena *arena)
{
    struct logit_adjustment *self = values;
    FloatList counts = self->class_counts;
    double *shifts = arena_zero(arena, (size_t)counts.count, sizeof *shifts), sum = 0;
    for (int64_t c = 0; c < counts.count; c++)
        sum += counts.items[c];
    for (int64_t c = 0; c < counts.count; c++)
        shifts[c] = self->tau * log(counts.items[c] / sum);
    self->shifts = shifts;
}

static Tensor *logit_adjustment(const void *values, const LossInput *in)
{
    const struct logit_adjustment *self = values;
    Tensor *shifts = loss_constants(in->logits, (FloatList){self->class_counts.count, self->shifts});
    return loss_cross_entropy_of(in, t_add(loss_centered(in->logits), shifts));
}

ROW float logit_adjustment_row(const void *values, const LossRow *row, float *gradient)
{
    const double *shifts = ((const struct logit_adjustment *)values)->shifts;
    const float *z = row->logits, center = row_largest(z, row->columns);
    float *shifted = row->scratch;
    const int64_t columns = row->columns;
    ROW_LOOP
    for (int64_t k = 0; k < columns; k++)
        shifted[k] = (z[k] - center) + (float)shifts[k];
    LossRow moved = *row;
    moved.logits = shifted;
    if (row->targets)
        return row_cross_entropy(&moved, row->targets, gradient);
    const RowSum all = row_log_sum_exp(&moved);
    if (gradient)
        row_likelihood_gradient(&moved, all, 1, gradient);
    return row_negative_log_likelihood(&moved, all);
}

LOSS_ROWS(logit_adjustment, .scratch = 1)

static const char *const adjustment_examples[] = {"{\"type\": \"logit_adjustment\", \"class_counts\": [900, 90, 10]}",
                                                  NULL};

const LossDef loss_logit_adjustment = {
    .component = {.name = "logit_adjustment", .summary = "cross-entropy of logits shifted by the log prior",
                  .params = adjustment_params, .size = sizeof(struct logit_adjustment), .source = "arXiv:2007.07314",
                  .formula = "-log softmax(z + tau log prior)_y, prior = class_counts / their sum",
                  .derive = derive_adjustment},
    .targets = LOSS_CLASSES_OR_SOFT, .properties = LOSS_TRANSLATION_INVARIANT, .forward = logit_adjustment,
    .rows = &rows_logit_adjustment, .check = check_adjustment, .fit = fit_counts, .examples = adjustment_examples,
};
