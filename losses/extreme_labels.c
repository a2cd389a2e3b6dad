/* Losses of scores [B, L] of very many labels of which few are positive: Gupta et al. 2024 (DEXML). A label is positive
   where its target is above 0; the target's value matters only to the draw of positives. */
#include <math.h>
#include <string.h>

#include "losses/rows.h"
#include "losses/shared.h"

struct decoupled_softmax { bool sample_positives; };
struct soft_topk { const cJSON *k; double alpha; int64_t iters; bool sample_positives; };

#define SAMPLE_HELP "each row uses positives drawn in proportion to their targets; the others count for nothing"

static const Param decoupled_params[] = {
    PARAM_BOOL(struct decoupled_softmax, sample_positives, false, .help = SAMPLE_HELP ". One a row"),
    PARAM_END
};
static const Param topk_params[] = {
    PARAM_JSON(struct soft_topk, k, "5", .help = "labels in the top; \"num_pos\": as many as the row has positives"),
    PARAM_FLOAT(struct soft_topk, alpha, 2, .min = 1e-6, .help = "steepness of membership, multiplies the scores"),
    PARAM_INT(struct soft_topk, iters, 32, .min = 1, .max = 1000, .help = "halvings in the search of the threshold"),
    PARAM_BOOL(struct soft_topk, sample_positives, false, .help = SAMPLE_HELP ". k a row, or all where fewer"),
    PARAM_END
};

static bool is_positive(const LossInput *in, int64_t element)
{
    return tensor_value(in->targets, element) > 0;
}

static int64_t count_positives(const LossInput *in, int64_t row)
{
    int64_t labels = loss_columns(in), count = 0;
    for (int64_t l = row * labels; l < (row + 1) * labels; l++)
        count += is_positive(in, l);
    return count;
}

/* ---- Positives ---- */

/* Marks one more positive of the row as used, with probability in proportion to its target. */
static void draw(const LossInput *in, int64_t row, Random *random, bool *used)
{
    int64_t labels = loss_columns(in), first = row * labels, last = -1;
    double left = 0;
    for (int64_t l = first; l < first + labels; l++)
        left += used[l] ? 0 : tensor_value(in->targets, l);
    left *= random_uniform(random);
    for (int64_t l = first; l < first + labels && left >= 0; l++)
        if (!used[l] && is_positive(in, l)) {
            last = l;
            left -= tensor_value(in->targets, l);
        }
    used[last] = true;
}

static int64_t soft_topk_k(const struct soft_topk *self, const LossInput *in, int64_t row)
{
    return cJSON_IsNumber(self->k) ? (int64_t)self->k->valuedouble : count_positives(in, row);
}

/* [B L]: the positives that the loss is the mean over. topk NULL: one a row is drawn. */
static bool *used_positives(const struct soft_topk *topk, bool sampled, const LossInput *in)
{
    bool *used = arena_zero(tape_arena(), (size_t)in->logits->count, sizeof *used);
    for (int64_t i = 0; !sampled && i < in->logits->count; i++)
        used[i] = is_positive(in, i);
    Random random = in->random;
    for (int64_t row = 0; sampled && row < in->logits->shape[0]; row++) {
        int64_t positives = count_positives(in, row), wanted = topk ? soft_topk_k(topk, in, row) : 1;
        for (int64_t i = 0; i < wanted && i < positives; i++)
            draw(in, row, &random, used);
    }
    return used;
}

/* The mean over each row's used positives of terms [B, L], [B]. */
static Tensor *mean_over(const bool *used, Tensor *terms)
{
    int64_t labels = terms->shape[1];
    Tensor *shares = t_zeros(terms->type, SHAPE(terms->shape[0], labels));
    for (int64_t row = 0; row < terms->shape[0]; row++) {
        int64_t count = 0;
        for (int64_t l = row * labels; l < (row + 1) * labels; l++)
            count += used[l];
        for (int64_t l = row * labels; l < (row + 1) * labels; l++)
            if (used[l])
                tensor_set(shares, l, 1 / (double)count);
    }
    return t_sum(t_mul(shares, terms), -1, false);
}

static bool check_positives(const LossInput *in, Error *error)
{
    for (int64_t row = 0; row < in->logits->shape[0]; row++)
        if (count_positives(in, row) == 0)
            return fail(error, "targets: row %lld has no positive label", (long long)row);
    return true;
}

static bool check_some_positive(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    return check_positives(in, error);
}

/* [B, L] I32: 1 at positives. */
static Tensor *positive_mask(const LossInput *in)
{
    return t_less(t_scalar(in->targets->type, 0), in->targets);
}

/* ---- Softmax ---- */

/* softplus(A - s_p), A over the negatives; a row without negatives costs nothing. */
static Tensor *decoupled(const void *values, const LossInput *in)
{
    Tensor *nothing = t_scalar(in->logits->type, -INFINITY), *z = loss_centered(in->logits);
    Tensor *others = t_log_sum_exp(t_where(positive_mask(in), nothing, z), -1, true);
    const bool *used = used_positives(NULL, ((const struct decoupled_softmax *)values)->sample_positives, in);
    return mean_over(used, t_softplus(t_sub(others, z)));
}

static Tensor *softmax_multi(const void *self, const LossInput *in)
{
    (void)self;
    Tensor *positive = t_cast(positive_mask(in), in->logits->type);
    return t_neg(t_sum(t_mul(positive, t_log_softmax(in->logits)), -1, false));
}

/* Positives are counted whatever their value. */
ROW float softmax_multi_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    const int64_t columns = row->columns;
    const float *t = row->targets;
    float *positive = row->scratch;
    ROW_LOOP
    for (int64_t k = 0; k < columns; k++)
        positive[k] = t[k] > 0 ? 1 : 0;
    return row_cross_entropy(row, positive, gradient);
}

LOSS_ROWS(softmax_multi, .scratch = 1)

static bool takes_all_positives(const void *values, const LossInput *in)
{
    (void)in;
    return !((const struct decoupled_softmax *)values)->sample_positives;
}

/* With u_l = sigmoid(A - s_l) / P of the P positives and A the log-sum-exp of the negatives: -u_l at a positive, the
   sum of the u_l times softmax of the negatives at a negative. */
ROW float decoupled_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    const int64_t columns = row->columns;
    const float *z = row->logits, *t = row->targets;
    float rival = -INFINITY;
    ROW_MAX(rival)
    for (int64_t k = 0; k < columns; k++) {
        const float x = t[k] > 0 ? -INFINITY : z[k];
        rival = x > rival ? x : rival;
    }
    const bool alone = rival == -INFINITY;
    rival = alone ? 0 : rival;
    double negatives = 0, positives = 0;
    ROW_SUM(negatives, positives)
    for (int64_t k = 0; k < columns; k++) {
        const float e = float_exp(z[k] - rival);
        negatives += (double)(t[k] > 0 ? 0 : e);
        positives += (double)(t[k] > 0 ? 1.0F : 0.0F);
    }
    const float log_sum = alone ? -INFINITY : (float)log(negatives), share = (float)(1 / positives);
    double value = 0, pushed = 0;
    ROW_SUM(value, pushed)
    for (int64_t k = 0; k < columns; k++) {
        const float gap = alone ? -200 : (rival - z[k]) + log_sum, u = float_sigmoid(gap);
        const float cost = (gap > 0 ? gap : 0) + float_softplus_tail(gap);
        value += (double)(t[k] > 0 ? cost : 0);
        pushed += (double)(t[k] > 0 ? u : 0);
    }
    const float factor = share * (float)pushed;
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++) {
        const float gap = alone ? -200 : (rival - z[k]) + log_sum, u = float_sigmoid(gap);
        const float p = alone ? 0 : float_exp(-gap);
        gradient[k] = t[k] > 0 ? -share * u : factor * p;
    }
    return (float)(value / positives);
}

LOSS_ROWS(decoupled, .takes = takes_all_positives)

/* ---- Soft top-k ---- */

static bool validate_topk(const void *values, Error *error)
{
    const cJSON *k = ((const struct soft_topk *)values)->k;
    bool number = cJSON_IsNumber(k) && k->valuedouble >= 1 && k->valuedouble <= 1e9 &&
                  k->valuedouble == floor(k->valuedouble);
    return number || (cJSON_IsString(k) && strcmp(k->valuestring, "num_pos") == 0) ||
           fail_usage(error, "k: expected an integer >= 1 or \"num_pos\"");
}

static bool check_topk(const void *values, const LossInput *in, Error *error)
{
    const struct soft_topk *self = values;
    int64_t labels = loss_columns(in);
    if (cJSON_IsNumber(self->k) && self->k->valuedouble >= (double)labels)
        return fail_usage(error, "k: %g of %lld labels; it must be less than their number", self->k->valuedouble,
                          (long long)labels);
    if (!check_positives(in, error))
        return false;
    for (int64_t row = 0; row < in->logits->shape[0]; row++) {
        int64_t k = soft_topk_k(self, in, row), positives = count_positives(in, row), taken = labels;
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
        if (used[l] || !is_positive(in, l)) {
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

/* The threshold's gradient by implicit differentiation. */
static Tensor *soft_topk(const void *values, const LossInput *in)
{
    const struct soft_topk *self = values;
    int64_t rows = in->logits->shape[0];
    const bool *used = used_positives(self, self->sample_positives, in);
    ArrayType type = in->logits->type;
    Thresholds thresholds = {t_new(type, SHAPE(rows, 1)), t_new(type, SHAPE(rows, 1)),
                             t_zeros(type, SHAPE(rows, loss_columns(in)))};
    for (int64_t row = 0; row < rows; row++)
        threshold_row(self, in, used, row, &thresholds);
    Tensor *z = t_sub(in->logits, thresholds.shift);
    Tensor *t = t_straight_through(thresholds.value, t_neg(t_sum(t_mul(thresholds.shares, z), -1, true)));
    return mean_over(used, t_softplus(t_scale(t_add(z, t), -self->alpha)));
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

/* By halving among floats: fewer passes than columns of any kind need comparisons. */
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
    while (top != k && high - low > 1) {
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
        const double newton = offset - at.excess / at.slope, next = newton < low || newton > high ? low + (high - low) / 2
                                                                                                  : newton;
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

static bool takes_topk(const void *values, const LossInput *in)
{
    (void)in;
    return !((const struct soft_topk *)values)->sample_positives;
}

LOSS_ROWS(soft_topk, .takes = takes_topk)

/* ---- Definitions ---- */

/* Each row has positives, and negatives where there are labels enough. */
static void sample(const void *self, Random *random, LossInput *in)
{
    (void)self;
    int64_t rows = in->logits->shape[0], labels = in->logits->shape[1];
    in->targets = t_zeros(ARRAY_F64, SHAPE(rows, labels));
    for (int64_t row = 0; row < rows; row++)
        for (int64_t positives = labels > 3 ? row % 3 + 1 : 1; positives > 0; positives--)
            tensor_set(in->targets, row * labels + random_below(random, labels), 1);
}

/* Half of few labels. 60 halvings find the threshold to the resolution of doubles. */
static void fit_topk(int64_t columns, cJSON *spec)
{
    cJSON_AddNumberToObject(spec, "k", columns >= 10 ? 5 : columns >= 2 ? (double)(columns / 2) : 1);
    cJSON_AddNumberToObject(spec, "iters", 60);
}

#define NOTES "Logits are scores [B, L], already divided by the temperature; a label is positive where its target is " \
              "above 0."

static const char *const decoupled_examples[] = {
    "\"decoupled_softmax\"", "{\"type\": \"decoupled_softmax\", \"sample_positives\": true}", NULL};
static const char *const topk_examples[] = {
    "{\"type\": \"soft_topk\", \"iters\": 60}", "{\"type\": \"soft_topk\", \"k\": \"num_pos\", \"iters\": 60}",
    "{\"type\": \"soft_topk\", \"k\": 2, \"alpha\": 0.7, \"iters\": 60, \"sample_positives\": true}", NULL};

const LossDef loss_decoupled_softmax = {
    .component = {.name = "decoupled_softmax", .summary = "softmax of each positive label against the negatives only",
                  .params = decoupled_params, .size = sizeof(struct decoupled_softmax), .source = "arXiv:2310.10636",
                  .formula = "mean over positives p of log(e^{s_p} + sum_n e^{s_n}) - s_p, n negatives",
                  .notes = NOTES},
    .targets = LOSS_LABELS, .properties = LOSS_TRANSLATION_INVARIANT, .forward = decoupled,
    .rows = &rows_decoupled, .any_labels = true,
    .positives = true, .check = check_some_positive, .examples = decoupled_examples, .sample = sample,
    .sample_columns = 7,
};

const LossDef loss_soft_topk = {
    .component = {.name = "soft_topk", .summary = "membership of the positive labels in a differentiable top k",
                  .params = topk_params, .size = sizeof(struct soft_topk), .source = "arXiv:2310.10636",
                  .formula = "-mean over positives p of log m_p, m = sigmoid(alpha (s + t)), t such that sum m = k",
                  .notes = NOTES " k is less than the number of labels. There is no second derivative.",
                  .validate = validate_topk},
    .targets = LOSS_LABELS, .properties = LOSS_TRANSLATION_INVARIANT, .forward = soft_topk,
    .rows = &rows_soft_topk, .check = check_topk, .positives = true, .least_columns = 2, .fit = fit_topk, .examples = topk_examples, .sample = sample,
    .sample_columns = 7,
};

const LossDef loss_softmax_multi = {
    .component = {.name = "softmax_multi", .summary = "softmax of each positive label against all labels, summed",
                  .source = "arXiv:2310.10636", .formula = "sum over positives p of log sum_l e^{s_l} - s_p",
                  .notes = NOTES},
    .targets = LOSS_LABELS, .properties = LOSS_TRANSLATION_INVARIANT, .forward = softmax_multi,
    .rows = &rows_softmax_multi, .any_labels = true, .positives = true,
    .check = check_some_positive, .sample = sample, .sample_columns = 7,
};
