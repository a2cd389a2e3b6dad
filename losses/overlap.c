/* Overlap of soft masks: Dice (Milletari et al. 2016) and Tversky (Salehi et al. 2017). A sample's pixels are all axes
   after the first. */
#include "losses/rows.h"
#include "losses/shared.h"

struct tversky { double alpha, beta, smooth; };
struct dice { double smooth; bool squared; };

static const Param tversky_params[] = {
    PARAM_FLOAT(struct tversky, alpha, 0.5, .min = 0, .help = "price of false positives"),
    PARAM_FLOAT(struct tversky, beta, 0.5, .min = 0, .help = "price of false negatives"),
    PARAM_FLOAT(struct tversky, smooth, 1e-5, .min = 0, .help = "added to numerator and denominator"),
    PARAM_END
};
static const Param dice_params[] = {
    PARAM_FLOAT(struct dice, smooth, 1e-5, .min = 0, .help = "added to numerator and denominator"),
    PARAM_BOOL(struct dice, squared, false, .help = "squares in the denominator, as in V-Net"),
    PARAM_END
};

static Tensor *rows(Tensor *x)
{
    return t_reshape(x, SHAPE(x->shape[0], x->count / x->shape[0]));
}

static Tensor *ratio(Tensor *numerator, Tensor *denominator, double smooth)
{
    return t_add_scalar(t_neg(t_div(t_add_scalar(numerator, smooth), t_add_scalar(denominator, smooth))), 1);
}

static Tensor *tversky(const void *values, const LossInput *in)
{
    const struct tversky *self = values;
    Tensor *p = rows(t_sigmoid(in->logits)), *t = rows(in->targets);
    Tensor *hits = t_sum(t_mul(p, t), -1, false);
    Tensor *false_positive = t_sum(t_mul(p, t_add_scalar(t_neg(t), 1)), -1, false);
    Tensor *false_negative = t_sum(t_mul(rows(t_sigmoid(t_neg(in->logits))), t), -1, false);
    Tensor *misses = t_add(t_scale(false_positive, self->alpha), t_scale(false_negative, self->beta));
    return ratio(hits, t_add(hits, misses), self->smooth);
}

static Tensor *dice(const void *values, const LossInput *in)
{
    const struct dice *self = values;
    Tensor *p = rows(t_sigmoid(in->logits)), *t = rows(in->targets);
    Tensor *sizes = self->squared ? t_add(t_square(p), t_square(t)) : t_add(p, t);
    return ratio(t_scale(t_sum(t_mul(p, t), -1, false), 2), t_sum(sizes, -1, false), self->smooth);
}

/* With the sums over pixels A = sum p t, B = sum (1-p) t, P = sum p (or p^2), T = sum t (or t^2). The smaller of p and
   1-p is left where the gradient goes. */
typedef struct Overlap { double hits, missed, predicted, actual; } Overlap;

ROW Overlap overlap(const LossRow *row, bool squared, float *smaller)
{
    const float *z = row->logits, *t = row->targets;
    const int64_t columns = row->columns;
    double hits = 0, missed = 0, predicted = 0, actual = 0;
    ROW_SUM(hits, missed, predicted, actual)
    for (int64_t k = 0; k < columns; k++) {
        const float e = float_exp(-fabsf(z[k])), large = 1 / (1 + e), small = e * large;
        const float p = z[k] < 0 ? small : large, rest = z[k] < 0 ? large : small;
        hits += (double)(p * t[k]);
        missed += (double)(rest * t[k]);
        predicted += (double)(squared ? p * p : p);
        actual += (double)(squared ? t[k] * t[k] : t[k]);
        if (smaller)
            smaller[k] = small;
    }
    return (Overlap){hits, missed, predicted, actual};
}

/* gradient = (constant + of_true t + of_predicted p) p (1-p) */
ROW void overlap_gradient(const LossRow *row, double constant, double of_true, double of_predicted, float *gradient)
{
    const float *z = row->logits, *t = row->targets;
    const float a = (float)constant, b = (float)of_true, c = (float)of_predicted;
    const int64_t columns = row->columns;
    ROW_LOOP
    for (int64_t k = 0; k < columns; k++) {
        const float small = gradient[k], large = 1 - small, p = z[k] < 0 ? small : large;
        gradient[k] = (a + b * t[k] + c * p) * (small * large);
    }
}

/* L = 1 - N / D, N = A + smooth, D = A + alpha (P - A) + beta B + smooth: with dN/dp = t and
   dD/dp = alpha + (1 - alpha - beta) t, dL/dp = (N dD/dp - D dN/dp) / D^2. */
ROW float tversky_row(const void *values, const LossRow *row, float *gradient)
{
    const struct tversky *self = values;
    const Overlap sums = overlap(row, false, gradient);
    const double misses = self->alpha * (sums.predicted - sums.hits) + self->beta * sums.missed;
    const double numerator = sums.hits + self->smooth, whole = numerator + misses, ratio = numerator / whole;
    if (gradient)
        overlap_gradient(row, ratio * self->alpha / whole, (ratio * (1 - self->alpha - self->beta) - 1) / whole, 0,
                         gradient);
    return (float)(misses / whole);
}

LOSS_ROWS(tversky)

/* N = 2 A + smooth, D = P + T + smooth, dN/dp = 2 t, dD/dp = 1 or 2 p. */
ROW float dice_of(const struct dice *self, bool squared, const LossRow *row, float *gradient)
{
    const Overlap sums = overlap(row, squared, gradient);
    const double sizes = sums.predicted + sums.actual, whole = sizes + self->smooth;
    const double slope = (2 * sums.hits + self->smooth) / whole / whole;
    if (gradient)
        overlap_gradient(row, squared ? 0 : slope, -2 / whole, squared ? 2 * slope : 0, gradient);
    return (float)((sizes - 2 * sums.hits) / whole);
}

ROW float dice_row(const void *values, const LossRow *row, float *gradient)
{
    const struct dice *self = values;
    return self->squared ? dice_of(self, true, row, gradient) : dice_of(self, false, row, gradient);
}

LOSS_ROWS(dice)

static const char *const tversky_examples[] = {"\"tversky\"",
                                               "{\"type\": \"tversky\", \"alpha\": 0.3, \"beta\": 0.7}", NULL};
static const char *const dice_examples[] = {"\"dice\"", "{\"type\": \"dice\", \"smooth\": 1, \"squared\": true}", NULL};

const LossDef loss_tversky = {
    .component = {.name = "tversky", .summary = "overlap of masks, with prices for both kinds of miss",
                  .params = tversky_params,
                  .size = sizeof(struct tversky), .source = "arXiv:1706.05721",
                  .formula = "1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth), p = sigmoid(z)",
                  .notes = "Logits and targets are [N, ...], a mask a sample; TP = sum p t, FP = sum p (1-t), FN = "
                           "sum (1-p) t."},
    .targets = LOSS_LABELS, .least_rank = 2, .most_rank = 6, .properties = LOSS_BOUNDED, .forward = tversky,
    .rows = &rows_tversky, .examples = tversky_examples,
};

const LossDef loss_dice = {
    .component = {.name = "dice", .summary = "overlap of masks, Dice's coefficient", .params = dice_params,
                  .size = sizeof(struct dice), .source = "arXiv:1606.04797",
                  .formula = "1 - (2 sum p t + smooth) / (sum p + sum t + smooth), p = sigmoid(z)",
                  .notes = "Logits and targets are [N, ...], a mask a sample. squared: sum p^2 + sum t^2 below."},
    .targets = LOSS_LABELS, .least_rank = 2, .most_rank = 6, .properties = LOSS_BOUNDED, .forward = dice,
    .rows = &rows_dice, .examples = dice_examples,
};
