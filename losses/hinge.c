/* Hinge losses of several classes: one against the rest (as the last layer: Tang 2013; Agarap 2018), or the best rival
   alone (Crammer and Singer 2001). */
#include <math.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "losses/rows.h"
#include "losses/shared.h"

enum { OVR, CRAMMER_SINGER };
static const char *const multiclass_choices[] = {"ovr", "crammer_singer", NULL};

struct hinge { int multiclass; double margin; };

static const Param params[] = {
    PARAM_ENUM(struct hinge, multiclass, "ovr", .choices = multiclass_choices,
               .help = "each class on its own, or the best rival"),
    PARAM_FLOAT(struct hinge, margin, 1, .min = 0, .help = "distance that costs nothing"),
    PARAM_END
};

enum { MEAN, SUM };
static const char *const reductions[] = {"mean", "sum", NULL};

struct l2svm { double C; int64_t p; int reduction; };

static const Param l2svm_params[] = {
    PARAM_FLOAT(struct l2svm, C, 0.5, .min = 1e-12, .help = "factor of the hinge part"),
    PARAM_INT(struct l2svm, p, 2, .min = 1, .max = 2, .help = "power of the hinge"),
    PARAM_ENUM(struct l2svm, reduction, "mean", .choices = reductions, .help = "over the samples"),
    PARAM_END
};

static bool sums(const void *values)
{
    return ((const struct l2svm *)values)->reduction == SUM;
}

/* What falls short of the margin: [N, C] for ovr, [N] for crammer_singer. */
static Tensor *shortfall(const struct hinge *self, const LossInput *in)
{
    if (self->multiclass == CRAMMER_SINGER) {
        Tensor *rival = t_max(loss_without_target(in->logits, in->targets, -INFINITY), -1, false);
        return t_relu(t_add_scalar(t_sub(rival, t_pick(in->logits, in->targets)), self->margin));
    }
    Tensor *sign = t_add_scalar(t_scale(loss_one_hot(in), 2), -1);
    return t_relu(t_add_scalar(t_neg(t_mul(sign, in->logits)), self->margin));
}

static Tensor *over_classes(Tensor *terms)
{
    return terms->rank == 2 ? t_sum(terms, -1, false) : terms;
}

static Tensor *hinge(const void *self, const LossInput *in)
{
    return over_classes(shortfall(self, in));
}

static Tensor *squared_hinge(const void *self, const LossInput *in)
{
    return over_classes(t_square(shortfall(self, in)));
}

static Tensor *l2svm(const void *values, const LossInput *in)
{
    const struct l2svm *self = values;
    Tensor *terms = shortfall(&(struct hinge){.multiclass = OVR, .margin = 1}, in);
    return t_scale(t_sum(self->p == 2 ? t_square(terms) : terms, -1, false), self->C);
}

/* sum h_k, or h_k^2, of h = max(0, margin + z), or - z for the target; k in [begin, end). dh/dz = +-[h > 0]. */
ROW double terms(const LossRow *row, int64_t begin, int64_t end, float sign, float margin, bool squared, float factor,
                 float *gradient)
{
    const float *z = row->logits;
    double sum = 0;
    ROW_SUM(sum)
    for (int64_t k = begin; k < end; k++) {
        const float x = margin + sign * z[k], h = x < 0 ? 0 : x;
        sum += (double)(squared ? h * h : h);
        if (gradient)
            gradient[k] = factor * sign * (squared ? 2 * h : (float)(h > 0));
    }
    return sum;
}

ROW double one_against_rest(const LossRow *row, float margin, bool squared, float factor, float *gradient)
{
    const int64_t y = row->target;
    return terms(row, 0, y, 1, margin, squared, factor, gradient) +
           terms(row, y + 1, row->columns, 1, margin, squared, factor, gradient) +
           terms(row, y, y + 1, -1, margin, squared, factor, gradient);
}

typedef struct Rival { float logit; int32_t class; } Rival;

/* The largest of z_k, k in [begin, end), the first of equals; -inf where there is none. */
static Rival best_of(const float *z, int64_t begin, int64_t end)
{
    Rival best = {-INFINITY, -1};
    if (begin < end)
        kernels()->elementwise.search_rows(1, end - begin, z + begin, 1, &best.logit, &best.class);
    best.class += (int32_t)begin;
    return best;
}

ROW float best_rival(const LossRow *row, float margin, bool squared, float *gradient)
{
    const float *z = row->logits;
    const Rival before = best_of(z, 0, row->target), behind = best_of(z, row->target + 1, row->columns);
    const Rival rival = behind.logit <= before.logit || isnan(before.logit) ? before : behind;
    const float x = rival.logit - z[row->target] + margin, h = x < 0 ? 0 : x, slope = squared ? 2 * h : (float)(h > 0);
    if (gradient)
        memset(gradient, 0, (size_t)row->columns * sizeof *gradient);
    if (gradient && h > 0) {
        gradient[rival.class] = slope;
        gradient[row->target] = -slope;
    }
    return squared ? h * h : h;
}

ROW float hinge_of(const struct hinge *self, const LossRow *row, bool squared, float *gradient)
{
    const float margin = (float)self->margin;
    return self->multiclass == CRAMMER_SINGER ? best_rival(row, margin, squared, gradient) :
                                                (float)one_against_rest(row, margin, squared, 1, gradient);
}

ROW float hinge_row(const void *self, const LossRow *row, float *gradient)
{
    return hinge_of(self, row, false, gradient);
}

ROW float squared_hinge_row(const void *self, const LossRow *row, float *gradient)
{
    return hinge_of(self, row, true, gradient);
}

ROW float l2svm_row(const void *values, const LossRow *row, float *gradient)
{
    const struct l2svm *self = values;
    const float factor = (float)self->C;
    return (float)(self->C * (self->p == 2 ? one_against_rest(row, 1, true, factor, gradient)
                                           : one_against_rest(row, 1, false, factor, gradient)));
}

LOSS_ROWS(hinge)
LOSS_ROWS(squared_hinge)
LOSS_ROWS(l2svm)

static const char *const hinge_examples[] = {
    "\"hinge\"", "{\"type\": \"hinge\", \"multiclass\": \"crammer_singer\", \"margin\": 2}", NULL};
static const char *const squared_examples[] = {
    "\"squared_hinge\"", "{\"type\": \"squared_hinge\", \"multiclass\": \"crammer_singer\"}", NULL};
static const char *const l2svm_examples[] = {
    "\"l2svm\"", "{\"type\": \"l2svm\", \"C\": 2, \"p\": 1, \"reduction\": \"sum\"}", NULL};

const LossDef loss_hinge = {
    .component = {.name = "hinge", .summary = "hinge loss, one against the rest or Crammer and Singer's",
                  .params = params,
                  .size = sizeof(struct hinge), .source = "Crammer and Singer 2001",
                  .formula = "ovr: sum_k max(0, margin - s_k z_k), s = +1 for the target, -1 else; "
                             "crammer_singer: max(0, margin + max_{k != y} z_k - z_y)"},
    .targets = LOSS_CLASSES, .forward = hinge, .rows = &rows_hinge, .examples = hinge_examples,
};

const LossDef loss_squared_hinge = {
    .component = {.name = "squared_hinge", .summary = "hinge loss, squared after the maximum", .params = params,
                  .size = sizeof(struct hinge), .source = "Crammer and Singer 2001",
                  .formula = "as hinge, each max(0, ...) squared"},
    .targets = LOSS_CLASSES, .forward = squared_hinge, .rows = &rows_squared_hinge, .examples = squared_examples,
};

const LossDef loss_l2svm = {
    .component = {.name = "l2svm", .summary = "squared hinge of one class against the rest, as in a linear SVM",
                  .params = l2svm_params, .size = sizeof(struct l2svm), .source = "arXiv:1709.03082",
                  .formula = "C sum_k max(0, 1 - s_k z_k)^p, s = +1 for the target, -1 else",
                  .notes = "The penalty of the weights' norm is the optimizer's. reduction sum: the loss is the sum "
                           "over samples."},
    .targets = LOSS_CLASSES, .forward = l2svm, .rows = &rows_l2svm, .sums = sums, .examples = l2svm_examples,
};
