/* Membership of the positives among very many labels in a differentiable top k: Gupta et al. 2024 (DEXML). */
#include <math.h>
#include <string.h>

#include "losses/labels.h"
#include "losses/rows.h"

struct soft_topk { const cJSON *k; double alpha; int64_t iters; bool sample_positives; };

static const Param params[] = {
    PARAM_JSON(struct soft_topk, k, "5", .help = "labels in the top; \"num_pos\": as many as the row has positives"),
    PARAM_FLOAT(struct soft_topk, alpha, 2, .min = 1e-6, .help = "steepness of membership, multiplies the scores"),
    PARAM_INT(struct soft_topk, iters, 32, .min = 1, .max = 1000,
              .help = "halvings in the search of the threshold; with single precision the most of Newton's steps"),
    PARAM_BOOL(struct soft_topk, sample_positives, false, .help = LABELS_SAMPLE_HELP ". k a row, or all where fewer"),
    PARAM_END
};

static int64_t soft_topk_k(const struct soft_topk *self, const LossInput *in, int64_t row)
{
    return cJSON_IsNumber(self->k) ? (int64_t)self->k->valuedouble : labels_positive(in, row);
}

static bool validate(const void *values, Error *error)
{
    const cJSON *k = ((const struct soft_topk *)values)->k;
    bool number = cJSON_IsNumber(k) && k->valuedouble >= 1 && k->valuedouble <= 1e9 &&
                  k->valuedouble == floor(k->valuedouble);
    return number || (cJSON_IsString(k) && strcmp(k->valuestring, "num_pos") == 0) ||
           fail_usage(error, "k: expected an integer >= 1 or \"num_pos\"");
}

static bool check(const void *values, const LossInput *in, Error *error)
{
    const struct soft_topk *self = values;
    int64_t labels = loss_columns(in);
    if (cJSON_IsNumber(self->k) && self->k->valuedouble >= (double)labels)
        return fail_usage(error, "k: %g of %lld labels; it must be less than their number", self->k->valuedouble,
                          (long long)labels);
    if (!labels_check(values, in, error))
        return false;
    for (int64_t row = 0; row < in->logits->shape[0]; row++) {
        int64_t k = soft_topk_k(self, in, row), positives = labels_positive(in, row), taken = labels;
        if (self->sample_positives)
            taken -= positives - (positives < k ? positives : k);
        if (k >= taken)
            return fail(error, "targets: row %lld leaves %lld labels to choose the top %lld from: there are too few "
                        "negatives", (long long)row, (long long)taken, (long long)k);
    }
    return true;
}

/* Whether sum_l sigmoid(x_l) < k, x = alpha (z + t). With c of the x above 0 it is c - k plus the small tails, those
   above 0 negative; they are compared relative to the largest, so scores of 1e4 leave no interval of t undecided. */
static bool is_below(double alpha, const double *z, int64_t count, double t, int64_t k)
{
    double nearest = INFINITY, tails = 0;
    int64_t above = 0;
    for (int64_t l = 0; l < count; l++)
        nearest = fmin(nearest, fabs(alpha * (z[l] + t)));
    const double scale = exp(-nearest);
    for (int64_t l = 0; l < count; l++) {
        double x = alpha * (z[l] + t), decay = exp(nearest - fabs(x)), tail = decay / (1 + decay * scale);
        above += x > 0;
        tails += x > 0 ? -tail : tail;
    }
    return above == k ? tails < 0 : (double)(above - k) + tails * scale < 0;
}

/* t with sum_l sigmoid(alpha (z_l + t)) = k, by halving. The paper's margin of 10 holds t up to e^10 labels. */
static double threshold(const struct soft_topk *self, const double *z, int64_t count, int64_t k)
{
    double largest = z[0], smallest = z[0], margin = fmax(10, log((double)count)) / self->alpha;
    for (int64_t l = 1; l < count; l++) {
        largest = fmax(largest, z[l]);
        smallest = fmin(smallest, z[l]);
    }
    double low = -largest - margin, high = -smallest + margin;
    for (int64_t i = 0; i < self->iters; i++) {
        double middle = low + (high - low) / 2;
        if (is_below(self->alpha, z, count, middle, k))
            low = middle;
        else
            high = middle;
    }
    return low + (high - low) / 2;
}

/* -dt/dz_l = v_l / sum v, v = m (1 - m): a softmax of log v, which never underflows. In place of z. */
static void threshold_shares(const struct soft_topk *self, double *z, int64_t count, double t)
{
    double largest = -INFINITY, sum = 0;
    for (int64_t l = 0; l < count; l++) {
        double x = fabs(self->alpha * (z[l] + t));
        z[l] = -x - 2 * log1p(exp(-x));
        largest = fmax(largest, z[l]);
    }
    for (int64_t l = 0; l < count; l++)
        sum += z[l] = exp(z[l] - largest);
    for (int64_t l = 0; l < count; l++)
        z[l] /= sum;
}

typedef struct Thresholds { Tensor *shift, *value, *shares; } Thresholds; /* [B, 1], [B, 1], [B, L] */

/* Of one row, over its used positives and its negatives; scores are shifted by their largest. */
static void threshold_row(const struct soft_topk *self, const LossInput *in, const bool *used, int64_t row,
                          Thresholds *to)
{
    int64_t labels = loss_columns(in), count = 0;
    double *z = arena_alloc(tape_arena(), (size_t)labels * sizeof *z), shift = -INFINITY;
    int64_t *place = arena_alloc(tape_arena(), (size_t)labels * sizeof *place);
    for (int64_t l = row * labels; l < (row + 1) * labels; l++)
        if (used[l] || !label_is_positive(in, l)) {
            place[count] = l;
            z[count++] = tensor_value(in->logits, l);
            shift = fmax(shift, z[count - 1]);
        }
    for (int64_t i = 0; i < count; i++)
        z[i] -= shift;
    double t = threshold(self, z, count, soft_topk_k(self, in, row));
    threshold_shares(self, z, count, t);
    /* z + t loses digits of scores of 1e4 in floats; their differences from the score of membership 1/2 do not */
    tensor_set(to->shift, row, shift - t);
    tensor_set(to->value, row, tensor_value(to->shift, row) - (shift - t));
    for (int64_t i = 0; i < count; i++)
        tensor_set(to->shares, place[i], z[i]);
}

static const int64_t *top_of_each(const struct soft_topk *self, const LossInput *in)
{
    int64_t *k = arena_alloc(tape_arena(), (size_t)in->logits->shape[0] * sizeof *k);
    for (int64_t row = 0; row < in->logits->shape[0]; row++)
        k[row] = soft_topk_k(self, in, row);
    return k;
}

/* The threshold's gradient by implicit differentiation. */
static Tensor *forward(const void *values, const LossInput *in)
{
    const struct soft_topk *self = values;
    int64_t rows = in->logits->shape[0];
    const bool *used = labels_used(in, self->sample_positives ? top_of_each(self, in) : NULL);
    ArrayType type = in->logits->type;
    Thresholds thresholds = {t_new(type, SHAPE(rows, 1)), t_new(type, SHAPE(rows, 1)),
                             t_zeros(type, SHAPE(rows, loss_columns(in)))};
    for (int64_t row = 0; row < rows; row++)
        threshold_row(self, in, used, row, &thresholds);
    Tensor *z = t_sub(in->logits, thresholds.shift);
    Tensor *t = t_straight_through(thresholds.value, t_neg(t_sum(t_mul(thresholds.shares, z), -1, true)));
    return labels_mean(used, t_softplus(t_scale(t_add(z, t), -self->alpha)));
}

/* ---- The same of a row in closed form ---- */

/* Where the top k of a row ends: its scores are those above `outside`, the (k+1)-th largest, and `tied` of those that
   equal it. `inside` is the k-th largest. */
typedef struct TopCut { float inside, outside; int64_t tied; } TopCut;

/* Integers in the order of floats, and back. */
ROW int32_t order_of(int32_t bits)
{
    return bits ^ ((bits >> 31) & INT32_MAX);
}

/* By halving among floats: at most 32 passes, which only count. */
ROW TopCut top_cut(const float *z, int64_t columns, int64_t k)
{
    float largest = z[0], negated = -z[0];
    ROW_MAX(largest, negated)
    for (int64_t l = 0; l < columns; l++) {
        largest = z[l] > largest ? z[l] : largest;
        negated = -z[l] > negated ? -z[l] : negated;
    }
    /* of the scores, more than k are at `low` or above it, `top` of them, at most k, at `high`; 0 + -0 is 0 */
    int64_t low = order_of(float_bits(-negated)), high = (int64_t)order_of(float_bits(largest + 0.0F)) + 1, top = 0;
    while (top < k && high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        const float least = float_of_bits(order_of((int32_t)middle));
        int32_t count = 0;
        ROW_SUM(count)
        for (int64_t l = 0; l < columns; l++)
            count += z[l] >= least ? 1 : 0;
        low = count > k ? middle : low;
        high = count > k ? high : middle;
        top = count > k ? top : count;
    }
    const float least = float_of_bits(order_of((int32_t)high));
    float outside = -INFINITY, inside = -INFINITY;
    ROW_MAX(outside, inside)
    for (int64_t l = 0; l < columns; l++) {
        const float above = z[l] >= least ? -z[l] : -INFINITY, below = z[l] >= least ? -INFINITY : z[l];
        inside = above > inside ? above : inside;
        outside = below > outside ? below : outside;
    }
    return (TopCut){top < k ? outside : -inside, outside, k - top};
}

/* Memberships m = sigmoid(x), x = alpha (z + t), where x = half_gap + offset at `inside` and -half_gap + offset at
   `outside`. Kept is d = x inside the top k and -x outside, less `shift`, half_gap - |offset| if that is positive: then
   no d is negative, and what underflows in exp(-|x|) does not in exp(-|d|). */
typedef struct SoftTop {
    TopCut cut;
    float alpha, inside_offset, outside_offset, shift, decay;   /* decay: exp(-shift) */
} SoftTop;

ROW SoftTop soft_top_at(const SoftTop *top, double half_gap, double offset)
{
    const double size = fabs(offset), common = size < half_gap ? size : half_gap, shift = half_gap - common;
    return (SoftTop){top->cut, top->alpha, (float)(common + offset), (float)(common - offset), (float)shift,
                     (float)exp(-shift)};
}

/* Of one score: 1 inside, 0 outside, which selects by products, as the compiler splits loops at repeated conditions;
   e^shift times m (1 - m), and times 1 - m inside, m outside; 1 - m; exp(-|x|); max(-x, 0). */
typedef struct Membership { float in, both, part, rest, small, lack; } Membership;

ROW Membership membership(SoftTop top, float z)
{
    const float in = z > top.cut.outside ? 1 : 0, out = 1 - in, sign = in - out;
    const float from = in * top.cut.inside + out * top.cut.outside;
    const float d = sign * top.alpha * (z - from) + (in * top.inside_offset + out * top.outside_offset);
    const float u = float_exp(-fabsf(d)), small = u * top.decay, large = 1 / (1 + small), x = sign * d;
    const bool above = float_bits(x) >= 0; /* d = 0 is x = 0 inside, x = -0 outside */
    return (Membership){in, u * large * large, d >= 0 ? u * large : large, above ? small * large : large, small,
                        (above ? 0 : -x) + out * top.shift};
}

/* Of sum m = k: excess = log sum of m outside the top k - log sum of 1 - m inside, 0 at the threshold. Its slope by the
   offset is a mean of 1 - m over the outside plus one of m over the inside, so between 1 and 2. */
typedef struct Excess { double excess, slope; } Excess;

ROW Excess soft_top_excess(SoftTop top, const float *z, int64_t columns)
{
    double gained = 0, lost = 0, gained_slope = 0, lost_slope = 0;
    ROW_SUM(gained, lost, gained_slope, lost_slope)
    for (int64_t l = 0; l < columns; l++) {
        const Membership m = membership(top, z[l]);
        gained += (double)((1 - m.in) * m.part);
        lost += (double)(m.in * m.part);
        gained_slope += (double)((1 - m.in) * m.both);
        lost_slope += (double)(m.in * m.both);
    }
    /* the ties that the loop had outside; their shift is 0 */
    const Membership m = membership(top, top.cut.outside);
    const double tied = (double)top.cut.tied;
    gained -= tied * (double)m.part;
    lost += tied * (double)m.rest;
    gained_slope -= tied * (double)m.both;
    lost_slope += tied * (double)m.both;
    return (Excess){log(gained / lost), gained_slope / gained + lost_slope / lost};
}

/* Newton's steps, between bounds that the slopes give. */
ROW SoftTop soft_top(const struct soft_topk *self, const float *z, int64_t columns, int64_t k)
{
    SoftTop top = {.cut = top_cut(z, columns, k), .alpha = (float)self->alpha};
    const double half_gap = 0.5 * self->alpha * ((double)top.cut.inside - (double)top.cut.outside);
    double offset = 0, step = 1, low = -INFINITY, high = INFINITY;
    for (int64_t i = 0; i < self->iters && fabs(step) > 1e-4; i++) {
        top = soft_top_at(&top, half_gap, offset);
        const Excess at = soft_top_excess(top, z, columns);
        const double whole = offset - at.excess, half = offset - 0.5 * at.excess;
        low = fmax(low, fmin(whole, half));
        high = fmin(high, fmax(whole, half));
        const double newton = offset - at.excess / at.slope;
        const double next = newton < low || newton > high ? low + (high - low) / 2 : newton;
        step = next - offset;
        offset = next;
    }
    return soft_top_at(&top, half_gap, offset);
}

/* dx_l = alpha (dz_l - sum_j v_j dz_j / sum v) with v = m (1 - m); of P positives each costs softplus(-x) / P. */
ROW float soft_topk_row(const void *values, const LossRow *row, float *gradient)
{
    const struct soft_topk *self = values;
    const int64_t columns = row->columns;
    const float *z = row->logits, *t = row->targets;
    double positives = 0;
    ROW_SUM(positives)
    for (int64_t l = 0; l < columns; l++)
        positives += t[l] > 0 ? 1 : 0;
    const int64_t k = cJSON_IsNumber(self->k) ? (int64_t)self->k->valuedouble : (int64_t)positives;
    const SoftTop top = soft_top(self, z, columns, k);
    double value = 0, pushed = 0, total = 0;
    ROW_SUM(value, pushed, total)
    for (int64_t l = 0; l < columns; l++) {
        const Membership m = membership(top, z[l]);
        value += (double)(t[l] > 0 ? m.lack + float_twice_artanh(m.small / (2 + m.small)) : 0);
        pushed += (double)(t[l] > 0 ? m.rest : 0);
        total += (double)m.both;
    }
    const float share = (float)(self->alpha / positives), factor = (float)(self->alpha / positives * pushed / total);
    ROW_LOOP
    for (int64_t l = 0; l < (gradient ? columns : 0); l++) {
        const Membership m = membership(top, z[l]);
        gradient[l] = factor * m.both - (t[l] > 0 ? share * m.rest : 0);
    }
    return (float)(value / positives);
}

static bool takes(const void *values, const LossInput *in)
{
    (void)in;
    return !((const struct soft_topk *)values)->sample_positives;
}

LOSS_ROWS(soft_topk, .takes = takes)

/* Half of few labels. 60 halvings find the threshold to the resolution of doubles. */
static void fit(int64_t columns, cJSON *spec)
{
    cJSON_AddNumberToObject(spec, "k", columns >= 10 ? 5 : columns >= 2 ? (double)(columns / 2) : 1);
    cJSON_AddNumberToObject(spec, "iters", 60);
}

static const char *const examples[] = {
    "{\"type\": \"soft_topk\", \"iters\": 60}", "{\"type\": \"soft_topk\", \"k\": \"num_pos\", \"iters\": 60}",
    "{\"type\": \"soft_topk\", \"k\": 2, \"alpha\": 0.7, \"iters\": 60, \"sample_positives\": true}", NULL};

const LossDef loss_soft_topk = {
    .component = {.name = "soft_topk", .summary = "membership of the positive labels in a differentiable top k",
                  .params = params, .size = sizeof(struct soft_topk), .source = "arXiv:2310.10636",
                  .formula = "-mean over positives p of log m_p, m = sigmoid(alpha (s + t)), t such that sum m = k",
                  .notes = LABELS_NOTES " k is less than the number of labels. There is no second derivative.",
                  .validate = validate},
    .targets = LOSS_LABELS, .properties = LOSS_TRANSLATION_INVARIANT, .forward = forward,
    .rows = &rows_soft_topk, .check = check, .positives = true, .least_columns = 2, .fit = fit, .examples = examples,
    .sample = labels_sample, .sample_columns = 7,
};
