/* Label-distributionally robust losses (Zhu, Ying and Yang 2023): with margins d_k = f_k - f_y + c [k != y],

       max over distributions p of sum_k p_k d_k - lambda KL(p, uniform).

   ldr_kl: any p, so lambda log mean exp(d / lambda). aldr_kl: lambda of a sample follows its uncertainty.
   ldr_topk: p_k <= 1/k. */
#include <math.h>
#include <stdlib.h>

#include "losses/rows.h"
#include "losses/shared.h"

enum { NORM_NONE, NORM_L1, NORM_SOFTPLUS_L1 };
static const char *const norms[] = {"none", "l1", "softplus_l1", NULL};

struct ldr_kl { double lambda, margin; int norm; };
struct aldr_kl { double lambda0, alpha, margin; int norm; };
struct ldr_topk { int64_t k; double lambda, margin; int norm; };

#define LAMBDA(structure, key) \
    PARAM_FLOAT(structure, key, 1, .min = 1e-6, .help = "towards 0: the worst class; large: the mean of all")
#define MARGIN(structure) \
    PARAM_FLOAT(structure, margin, 0.1, .min = 0, .help = "c, added to the scores of the other classes")
#define NORM(structure, default_) \
    PARAM_ENUM(structure, norm, default_, .choices = norms, \
               .help = "scores divided by their mean absolute value, of softplus")

static const Param ldr_params[] = {
    LAMBDA(struct ldr_kl, lambda), MARGIN(struct ldr_kl), NORM(struct ldr_kl, "l1"), PARAM_END
};
static const Param aldr_params[] = {
    LAMBDA(struct aldr_kl, lambda0),
    PARAM_FLOAT(struct aldr_kl, alpha, 2, .min = 1 + 1e-9, .help = "how closely lambda keeps to lambda0"),
    MARGIN(struct aldr_kl), NORM(struct aldr_kl, "l1"), PARAM_END
};
static const Param topk_params[] = {
    PARAM_INT(struct ldr_topk, k, 5, .min = 1, .help = "classes among which the target is to be"),
    LAMBDA(struct ldr_topk, lambda), MARGIN(struct ldr_topk), NORM(struct ldr_topk, "none"), PARAM_END
};

static Tensor *normalize(Tensor *f, int norm)
{
    if (norm == NORM_NONE)
        return f;
    Tensor *scores = norm == NORM_SOFTPLUS_L1 ? t_softplus(f) : f;
    double classes = (double)f->shape[f->rank - 1];
    return t_scale(t_div(scores, t_add_scalar(t_sum(t_abs(scores), -1, true), 1e-8)), classes);
}

/* d, [N, K]; 0 at the target. */
static Tensor *margins(const LossInput *in, Tensor *f, double margin)
{
    Tensor *own = t_reshape(t_pick(f, in->targets), SHAPE(f->shape[0], 1));
    return loss_without_target(t_add_scalar(t_sub(f, own), margin), in->targets, 0);
}

/* lambda log mean exp(d / lambda), lambda a constant [N, 1] or rank 0. A large lambda multiplies what rounding is left
   in the logarithm, so near 0 it is taken by log1p. */
static Tensor *soft_maximum(Tensor *d, Tensor *lambda)
{
    Tensor *largest = t_detach(t_max(d, -1, true)), *x = t_div(t_sub(d, largest), lambda);
    Tensor *excess = t_mean(loss_expm1(x), -1, true), *near = t_less(t_scalar(d->type, -0.5), excess);
    Tensor *far = t_add_scalar(t_log_sum_exp(x, -1, true), -log((double)d->shape[1]));
    Tensor *log_mean = t_where(near, t_log1p(t_where(near, excess, t_scalar(d->type, 0))), far);
    return t_reshape(t_add(t_mul(log_mean, lambda), largest), SHAPE(d->shape[0]));
}

static Tensor *ldr_kl(const void *values, const LossInput *in)
{
    const struct ldr_kl *self = values;
    Tensor *d = margins(in, normalize(in->logits, self->norm), self->margin);
    return soft_maximum(d, t_scalar(d->type, self->lambda));
}

/* ---- Adaptive lambda ---- */

static int64_t aldr_state_width(const void *self, int64_t classes)
{
    (void)self, (void)classes;
    return 1; /* the sample's lambda; 0: lambda0 */
}

/* KL(softmax(f / lambda), uniform) of a row. */
static double divergence(const Tensor *f, int64_t row, double lambda)
{
    int64_t classes = f->shape[1];
    double largest = -INFINITY, sum = 0, mean = 0;
    for (int64_t k = 0; k < classes; k++)
        largest = fmax(largest, tensor_value(f, row * classes + k) / lambda);
    for (int64_t k = 0; k < classes; k++) {
        double shifted = tensor_value(f, row * classes + k) / lambda - largest;
        sum += exp(shifted);
        mean += exp(shifted) * shifted;
    }
    return mean / sum - log(sum) + log((double)classes);
}

/* One step of each sample's lambda, from the scores without margin; [N, 1], constant. */
static Tensor *update(const struct aldr_kl *self, const LossInput *in, const Tensor *f)
{
    Tensor *lambdas = t_new(f->type, SHAPE(f->shape[0], 1));
    for (int64_t i = 0; i < f->shape[0]; i++) {
        float *kept = loss_state_of(in, i, 1);
        double before = kept && *kept > 0 ? (double)*kept : self->lambda0;
        double share = f->shape[1] > 1 ? divergence(f, i, before) / log((double)f->shape[1]) : 0; /* of its largest */
        double after = self->lambda0 * (1 - share / self->alpha);
        if (kept)
            *kept = (float)after;
        tensor_set(lambdas, i, after);
    }
    return lambdas;
}

static Tensor *aldr_kl(const void *values, const LossInput *in)
{
    const struct aldr_kl *self = values;
    Tensor *f = normalize(in->logits, self->norm), *lambdas = update(self, in, f);
    double a = self->alpha * log((double)f->shape[1]) / self->lambda0;
    Tensor *price = t_scale(t_square(t_add_scalar(lambdas, -self->lambda0)), a / 2);
    return t_sub(soft_maximum(margins(in, f, self->margin), lambdas), t_reshape(price, SHAPE(f->shape[0])));
}

/* ---- Top k ---- */

static bool check_topk(const void *values, const LossInput *in, Error *error)
{
    int64_t k = ((const struct ldr_topk *)values)->k;
    return k <= loss_columns(in) ||
           fail_usage(error, "k: %lld of %lld classes", (long long)k, (long long)loss_columns(in));
}

/* The maximising p of a row whose d is sorted, largest first: the m largest hold 1/k each, the rest shares
   1 - m/k in proportion to exp(d / lambda); the first m that leaves nothing above 1/k. */
static void capped(int64_t classes, const double *d, int64_t k, double lambda, double *p)
{
    double cap = 1 / (double)k;
    for (int64_t m = 0; m <= k; m++) {
        double mass = m == k ? 0 : 1 - (double)m * cap, sum = 0;
        for (int64_t j = m; j < classes; j++)
            sum += exp((d[j] - d[m]) / lambda);
        for (int64_t j = 0; j < classes; j++)
            p[j] = j < m ? cap : mass * exp((d[j] - d[m]) / lambda) / sum;
        if (m == k || p[m] <= cap * (1 + 1e-12))
            return;
    }
}

static Tensor *ldr_topk(const void *values, const LossInput *in)
{
    const struct ldr_topk *self = values;
    Tensor *d = margins(in, normalize(in->logits, self->norm), self->margin), *order;
    Tensor *sorted = t_sort(d, true, &order), *p = t_like(d), *price = t_new(d->type, SHAPE(d->shape[0]));
    int64_t classes = d->shape[1];
    double *row = arena_zero(tape_arena(), (size_t)classes * 2, sizeof *row), *share = row + classes;
    for (int64_t i = 0; i < d->shape[0]; i++) {
        for (int64_t j = 0; j < classes; j++)
            row[j] = tensor_value(sorted, i * classes + j);
        capped(classes, row, self->k, self->lambda, share);
        double divergence = 0;
        for (int64_t j = 0; j < classes; j++) {
            divergence += share[j] > 0 ? share[j] * log((double)classes * share[j]) : 0;
            tensor_set(p, i * classes + j, share[j]);
        }
        tensor_set(price, i, self->lambda * divergence);
    }
    /* At the maximum the derivative through p is 0 (envelope theorem). */
    return t_sub(t_sum(t_mul(p, sorted), -1, false), price);
}

/* ---- Rows ---- */

/* Scores f_k = scale g_k. */
typedef struct Scores {
    const float *g;
    float scale;
    double length;              /* sum |g| + 1e-8 */
} Scores;

ROW Scores row_scores(const LossRow *row, int norm, float *room)
{
    const float *z = row->logits;
    const int64_t columns = row->columns;
    if (norm == NORM_NONE)
        return (Scores){z, 1, 1};
    double length = 1e-8;
    if (norm == NORM_SOFTPLUS_L1) {
        ROW_SUM(length)
        for (int64_t k = 0; k < columns; k++) {
            const float softplus = (z[k] > 0 ? z[k] : 0) + float_softplus_tail(z[k]);
            room[k] = softplus;
            length += (double)softplus;
        }
        return (Scores){room, (float)((double)columns / length), length};
    }
    ROW_SUM(length)
    for (int64_t k = 0; k < columns; k++)
        length += (double)fabsf(z[k]);
    return (Scores){z, (float)((double)columns / length), length};
}

/* In place, by f to by z: df_j / dg_k = scale ([j = k] - g_j sign(g_k) / length). Derivatives by f sum to 0. */
ROW void scores_gradient(const LossRow *row, int norm, Scores f, float *gradient)
{
    if (norm == NORM_NONE)
        return;
    const float *z = row->logits, *g = f.g, own = g[row->target], scale = f.scale;
    const int64_t columns = row->columns;
    double product = 0;
    ROW_SUM(product)
    for (int64_t k = 0; k < columns; k++)
        product += (double)(gradient[k] * (g[k] - own));
    const float share = (float)(product / f.length);
    if (norm == NORM_L1) {
        ROW_LOOP
        for (int64_t k = 0; k < columns; k++)
            gradient[k] = scale * (gradient[k] - share * ((float)(z[k] > 0) - (float)(z[k] < 0)));
    } else {
        ROW_LOOP
        for (int64_t k = 0; k < columns; k++)
            gradient[k] = scale * (gradient[k] - share) * float_sigmoid(z[k]);
    }
}

/* x = (d - D) / lambda with the largest D, which is returned; by differences from the score that is the largest d, as
   others take its low bits. */
ROW float row_margins(const LossRow *row, Scores f, float margin, double lambda, float *x)
{
    const float *g = f.g, scale = f.scale, inverse = (float)(1 / lambda);
    const int64_t columns = row->columns;
    const float own = g[row->target], rival = row_largest_but(g, columns, row->target);
    const float gap = scale * (rival - own) + margin, largest = gap > 0 ? gap : 0;
    const float from = gap > 0 ? rival : own, offset = gap > 0 ? 0 : margin;
    ROW_LOOP
    for (int64_t k = 0; k < columns; k++)
        x[k] = (scale * (g[k] - from) + offset) * inverse;
    x[row->target] = -largest * inverse;
    return largest;
}

/* log mean exp of `count` values from sum exp and sum expm1. */
ROW double log_mean(double sum, double excess, double count)
{
    return excess > -0.5 * count ? log1p(excess / count) : log(sum / count);
}

/* As soft_maximum; gradient, by f: softmax(d / lambda) less one at the target. */
ROW double row_soft_maximum(const LossRow *row, Scores f, double margin, double lambda, float *x, float *gradient)
{
    const int64_t columns = row->columns;
    const float largest = row_margins(row, f, (float)margin, lambda, x);
    double sum = 0, excess = 0;
    ROW_SUM(sum, excess)
    for (int64_t k = 0; k < columns; k++) {
        const float e = float_exp(x[k]);
        excess += (double)float_expm1(x[k]);
        sum += (double)e;
        x[k] = e;
    }
    const float inverse = (float)(1 / sum);
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++)
        gradient[k] = x[k] * inverse;
    if (gradient)
        gradient[row->target] -= 1;
    return (double)largest + lambda * log_mean(sum, excess, (double)columns);
}

ROW float ldr_kl_row(const void *values, const LossRow *row, float *gradient)
{
    const struct ldr_kl *self = values;
    float *x = row->scratch, *room = x + row->columns;
    const Scores f = row_scores(row, self->norm, room);
    const double value = row_soft_maximum(row, f, self->margin, self->lambda, x, gradient);
    if (gradient)
        scores_gradient(row, self->norm, f, gradient);
    return (float)value;
}

LOSS_ROWS(ldr_kl, .scratch = 2)

/* As `divergence`. */
ROW double row_divergence(const Scores f, int64_t columns, double lambda)
{
    const float *g = f.g, largest = row_largest(g, columns), factor = (float)((double)f.scale / lambda);
    double sum = 0, mean = 0;
    ROW_SUM(sum, mean)
    for (int64_t k = 0; k < columns; k++) {
        const float shifted = factor * (g[k] - largest), e = float_exp(shifted);
        sum += (double)e;
        mean += (double)(e * shifted);
    }
    return mean / sum - log(sum) + log((double)columns);
}

ROW float aldr_kl_row(const void *values, const LossRow *row, float *gradient)
{
    const struct aldr_kl *self = values;
    float *x = row->scratch, *room = x + row->columns, *kept = loss_state_of(row->in, row->index, 1);
    const Scores f = row_scores(row, self->norm, room);
    const double before = kept && *kept > 0 ? (double)*kept : self->lambda0, most = log((double)row->columns);
    const double share = row->columns > 1 ? row_divergence(f, row->columns, before) / most : 0;
    const double lambda = self->lambda0 * (1 - share / self->alpha), away = lambda - self->lambda0;
    if (kept)
        *kept = (float)lambda;
    const double value = row_soft_maximum(row, f, self->margin, lambda, x, gradient);
    if (gradient)
        scores_gradient(row, self->norm, f, gradient);
    return (float)(value - self->alpha * most / self->lambda0 / 2 * away * away);
}

LOSS_ROWS(aldr_kl, .scratch = 2, .takes = loss_samples_differ)

/* Values x <= 0 that no more than k are above, or at least k and few more. */
ROW float limit_near(const float *x, int64_t columns, int64_t k)
{
    const int64_t enough = 2 * k + 16;
    int32_t low = 0, high = float_bits(INFINITY); /* of -limit: fewer than k are above -low, the others above -high */
    while (high - low > 1) {
        const int32_t middle = low + (high - low) / 2;
        const float limit = -float_of_bits(middle);
        int64_t above = 0;
        ROW_SUM(above)
        for (int64_t j = 0; j < columns; j++)
            above += x[j] > limit;
        if (above >= k && above <= enough)
            return limit;
        if (above < k)
            low = middle;
        else
            high = middle;
    }
    return -float_of_bits(low);
}

static int descending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Classes that share what the cap leaves: `count` of them, with d of `largest` at most; sum exp(x - largest), sum
   expm1(x - largest). */
typedef struct Uncapped { int64_t count; double largest, sum, excess; } Uncapped;

ROW Uncapped below_limit(const float *x, int64_t columns, float limit)
{
    int64_t count = 0;
    double sum = 0, excess = 0;
    ROW_SUM(count, sum, excess)
    for (int64_t j = 0; j < columns; j++) {
        const bool above = x[j] > limit;
        const float e = float_exp(x[j] - limit), difference = float_expm1(x[j] - limit);
        count += !above;
        sum += (double)(above ? 0 : e);
        excess += (double)(above ? 0 : difference);
    }
    return (Uncapped){count, (double)limit, sum, excess};
}

/* From the limit up, until one more would have a share above 1/k. `sorted` has room for all. */
ROW Uncapped uncapped_of(const float *x, int64_t columns, int64_t k, float *sorted)
{
    const float limit = limit_near(x, columns, k);
    Uncapped result = below_limit(x, columns, limit);
    int64_t above = 0;
    for (int64_t j = 0; j < columns; j++)
        if (x[j] > limit)
            sorted[above++] = x[j];
    qsort(sorted, (size_t)above, sizeof *sorted, descending);
    for (int64_t j = above - 1; j >= 0; j--) {
        const double step = result.largest - (double)sorted[j], decay = exp(step);
        const double excess = decay * result.excess + (double)result.count * expm1(step);
        const Uncapped more = {result.count + 1, (double)sorted[j], 1 + decay * result.sum, excess};
        if ((double)(k - j) > more.sum * (1 + 1e-12))
            break;
        result = more;
    }
    return result;
}

/* With m = K - count capped and M = 1 - m/k left, p_j = M exp(x_j - largest) / sum, and
   x_j - log(K p_j) = largest + log(count / (K M)) + log(sum / count) of each that shares. */
ROW float ldr_topk_row(const void *values, const LossRow *row, float *gradient)
{
    const struct ldr_topk *self = values;
    const int64_t columns = row->columns;
    const double classes = (double)columns, cap = 1 / (double)self->k;
    float *x = row->scratch, *sorted = x + columns, *room = sorted + columns;
    const Scores f = row_scores(row, self->norm, room);
    const double largest = (double)row_margins(row, f, (float)self->margin, self->lambda, x);
    const Uncapped rest = uncapped_of(x, columns, self->k, sorted);
    const double count = (double)rest.count, left = 1 - (classes - count) * cap;
    double sum = 0;
    for (int64_t j = 0; j < columns - rest.count; j++)
        sum += cap * ((double)sorted[j] - log(classes * cap));
    sum += left * (rest.largest + log(count / (classes * left)) + log_mean(rest.sum, rest.excess, count));
    const float from = (float)rest.largest, log_share = (float)log(rest.sum / left), most = (float)cap;
    ROW_LOOP
    for (int64_t j = 0; j < (gradient ? columns : 0); j++) {
        const float p = float_exp((x[j] - from) - log_share);
        gradient[j] = p > most ? most : p;
    }
    if (gradient) {
        gradient[row->target] -= 1;
        scores_gradient(row, self->norm, f, gradient);
    }
    return (float)(largest + self->lambda * sum);
}

LOSS_ROWS(ldr_topk, .scratch = 3)

/* Below six classes all of them, which is the mean. */
static void fit_topk(int64_t columns, cJSON *spec)
{
    cJSON_AddNumberToObject(spec, "k", columns < 5 ? (double)columns : 5);
}

static const char *const ldr_examples[] = {
    "\"ldr_kl\"", "{\"type\": \"ldr_kl\", \"lambda\": 0.3, \"norm\": \"none\"}",
    "{\"type\": \"ldr_kl\", \"norm\": \"softplus_l1\"}", NULL};
static const char *const topk_examples[] = {
    "{\"type\": \"ldr_topk\", \"k\": 2}", "{\"type\": \"ldr_topk\", \"k\": 3, \"lambda\": 0.5, \"norm\": \"l1\"}",
        NULL};

const LossDef loss_ldr_kl = {
    .component = {.name = "ldr_kl", .summary = "softmax loss at a temperature, robust over label distributions",
                  .params = ldr_params, .size = sizeof(struct ldr_kl), .source = "arXiv:2112.14869",
                  .formula = "lambda log((1/K) sum_k exp(d_k / lambda)), d_k = f_k - f_y + margin [k != y]",
                  .notes = "norm l1: f = z K / (sum |z| + 1e-8); softplus_l1: of softplus(z)."},
    .targets = LOSS_CLASSES, .properties = LOSS_BOUNDED, .forward = ldr_kl, .rows = &rows_ldr_kl,
    .examples = ldr_examples,
};

const LossDef loss_aldr_kl = {
    .component = {.name = "aldr_kl", .summary = "ldr_kl with a lambda for each sample, by its uncertainty",
                  .params = aldr_params,
                  .size = sizeof(struct aldr_kl), .source = "arXiv:2112.14869",
                  .formula = "lambda log((1/K) sum_k exp(d_k / lambda)) - (a/2) (lambda - lambda0)^2, a = alpha log K "
                             "/ lambda0",
                  .notes = "lambda = lambda0 (1 - KL(softmax(f / lambda), uniform) / (alpha log K)) is kept for each "
                           "sample "
                           "of the data set, starts at lambda0, is updated before it is used, and has no gradient."},
    .targets = LOSS_CLASSES, .properties = LOSS_BOUNDED | LOSS_DETACHED, .state_width = aldr_state_width,
    .forward = aldr_kl, .rows = &rows_aldr_kl,
};

const LossDef loss_ldr_topk = {
    .component = {.name = "ldr_topk", .summary = "label-distributionally robust loss for the k best classes",
                  .params = topk_params, .size = sizeof(struct ldr_topk), .source = "arXiv:2112.14869",
                  .formula = "max over p with p_k <= 1/k of sum_k p_k d_k - lambda KL(p, uniform)"},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT, .forward = ldr_topk, .rows = &rows_ldr_topk,
    .check = check_topk, .fit = fit_topk, .examples = topk_examples,
};
