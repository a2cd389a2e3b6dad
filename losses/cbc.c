/* Cross-model confident cross-entropy: where the other network is sure, its answer is the target, and the classes that
   it finds unlikely are pushed away. Liu et al. 2022 (TraCoCo). */
#include <math.h>

#include "core/base/threads.h"
#include "core/tensor/row_function.h"
#include "losses/rows.h"
#include "losses/shared.h"

#define LEAST_REST 1e-6 /* 1 - p is clamped there */

struct cbc { double threshold, neg_threshold; };

static const Param params[] = {
    PARAM_FLOAT(struct cbc, threshold, 0.65, .min = 0, .max = 1,
                .help = "rows whose largest teacher probability reaches it are positive; above 1/classes"),
    PARAM_FLOAT(struct cbc, neg_threshold, 0.1, .min = 0, .max = 1,
                .help = "rows whose least teacher probability is below it are negative"),
    PARAM_END
};

static bool check(const void *values, const LossInput *in, Error *error)
{
    if (!loss_check_like_logits(in, "teacher_logits", error))
        return false;
    double threshold = ((const struct cbc *)values)->threshold;
    if (!(threshold * (double)loss_columns(in) > 1))
        return fail_usage(error, "threshold: %g must be above 1/classes = %g", threshold,
                          1 / (double)loss_columns(in));
    return true;
}

/* Of the teacher's row: its largest class; the probability of that and the least one. Then what log p of that class
   counts, and log(1 - p) of each other one: these probabilities over the numbers of terms, or 0. */
typedef struct Confidence { int32_t own; double most, least; } Confidence;

typedef struct Context {
    Confidence *weights;        /* [rows] */
    const Tensor *teacher_logits;
    LossRowFunction teacher, student;
} Context;

/* log(1 - p_c) of every class, [N, C], clamped at log 1e-6. The largest probability, which alone can come near 1, is
   left out of a log-sum-exp; the others are at most 1/2. */
static Tensor *log_of_rest(Tensor *z, Tensor *log_p)
{
    Tensor *best = t_argmax(z, -1);
    Tensor *is_best = t_cast(t_one_hot(best, z->shape[1], z->type), ARRAY_I32);
    Tensor *largest = t_reshape(loss_log_of_others(z, best), SHAPE(z->shape[0], 1));
    Tensor *small = t_where(is_best, t_scalar(z->type, -1), log_p);
    return t_clamp(t_where(is_best, largest, t_log1p(t_neg(t_exp(small)))), log(LEAST_REST), INFINITY);
}

/* [N] of the weights in [N] rows of z. */
static Tensor *composed(const void *context, Tensor *const *inputs)
{
    Tensor *z = inputs[0];
    const Confidence *weights = ((const Context *)context)->weights;
    int64_t rows = z->shape[0];
    Tensor *own = t_new(ARRAY_I32, SHAPE(rows)), *log_p = t_log_softmax(z);
    Tensor *positive = t_new(z->type, SHAPE(rows, 1)), *negative = t_new(z->type, SHAPE(rows, 1));
    for (int64_t i = 0; i < rows; i++) {
        tensor_i32(own)[i] = weights[i].own;
        tensor_set(positive, i, weights[i].most);
        tensor_set(negative, i, weights[i].least);
    }
    Tensor *is_own = t_cast(t_one_hot(own, z->shape[1], z->type), ARRAY_I32);
    Tensor *terms = t_where(is_own, t_mul(positive, log_p), t_mul(negative, log_of_rest(z, log_p)));
    return t_neg(t_sum(terms, -1, false));
}

/* ---- The same of a row in closed form ---- */

ROW float cbc_teacher_row(const void *context, const LossRow *row, float *gradient)
{
    Confidence *to = ((const Context *)context)->weights + row->index;
    const float *z = row->logits, largest = row_largest(z, row->columns);
    const int32_t columns = (int32_t)row->columns;
    float depth = 0;
    double sum = 0;
    int32_t before = -columns;  /* of the largest: less its index, so the first */
    ROW_SUM(sum)
    for (int32_t k = 0; k < columns; k++)
        sum += (double)float_exp(z[k] - largest);
    ROW_MAX(depth, before)
    for (int32_t k = 0; k < columns; k++) {
        const float under = largest - z[k];
        const int32_t at = under > 0 ? -columns : -k;
        depth = under > depth ? under : depth;
        before = at > before ? at : before;
    }
    (void)gradient;
    *to = (Confidence){-before, 1 / sum, exp(-(double)depth) / sum};
    return (float)to->most;
}

LOSS_ROWS(cbc_teacher)

/* Probabilities of a row by exp(z - largest); those of the largest logit, which alone can be above 1/2, are left to
   what the others hold: p / (1 - p) = 1 / others. Ties hold no more than 1/2, and the same is true of each. */
typedef struct Student {
    const float *z;
    float largest, inverse;     /* inverse: 1 / sum of exponentials */
} Student;

/* Over classes but the largest: sum of -log(1 - p), of p / (1 - p); how many are the largest. */
typedef struct Rest { double cost, odds; int64_t tops; } Rest;

ROW Rest rest_of(Student of, int64_t begin, int64_t end)
{
    const float *z = of.z;
    double cost = 0, odds = 0, tops = 0;
    ROW_SUM(cost, odds, tops)
    for (int64_t k = begin; k < end; k++) {
        const float x = z[k] - of.largest, p = x < 0 ? float_exp(x) * of.inverse : 0;
        const float both = p / ((1 - p) * (2 - p));
        cost += (double)float_twice_artanh(both * (1 - p)); /* p / (2 - p) */
        odds += (double)(both * (2 - p));
        tops += x < 0 ? 0.0 : 1.0;
    }
    return (Rest){cost, odds, (int64_t)tops};
}

/* By z_k: w+ (p_k - [k = y]) + w- (o_k [k != y] - p_k sum_(c != y) o_c), odds o = p / (1 - p), 0 where clamped. As
   o (1 - p) = p, those of the largest do not cancel. */
ROW void cbc_gradient(Student of, int64_t columns, Confidence weight, double odds, double top_odds, float *gradient)
{
    const float *z = of.z, negative = (float)weight.least;
    const float slope = (float)(weight.most - weight.least * odds);
    const double own = top_odds > 0 ? weight.least : 0;
    const float top = (float)((weight.most - weight.least * (odds - top_odds) + own) * (double)of.inverse);
    ROW_LOOP
    for (int64_t k = 0; k < columns; k++) {
        const float x = z[k] - of.largest, p = x < 0 ? float_exp(x) * of.inverse : 0;
        const float under = slope * p + negative * (p / (1 - p));
        gradient[k] = x < 0 ? under : top;
    }
}

ROW float cbc_row(const void *context, const LossRow *row, float *gradient)
{
    const Confidence weight = ((const Context *)context)->weights[row->index];
    const int64_t columns = row->columns, own = weight.own;
    const float *z = row->logits, largest = row_largest(z, columns);
    /* exp(0) is 1, and what is lost beside it is below the clamp */
    const double sum = row_sum_exp(z, 0, columns, largest), others = sum - 1, rest = others / sum;
    const Student of = {z, largest, (float)(1 / sum)};
    const Rest before = rest_of(of, 0, own), behind = rest_of(of, own + 1, columns);
    const double tops = (double)(before.tops + behind.tops), top_odds = rest > LEAST_REST ? 1 / others : 0;
    const double cost = before.cost + behind.cost - tops * log(rest > LEAST_REST ? rest : LEAST_REST);
    const double odds = before.odds + behind.odds + tops * top_odds;
    if (gradient) {
        cbc_gradient(of, columns, weight, odds, top_odds, gradient);
        const double p = exp((double)(z[own] - largest)) / sum, missing = z[own] < largest ? 1 - p : rest;
        gradient[own] = (float)(-weight.most * missing - weight.least * odds * p);
    }
    return (float)(weight.most * (log(sum) - (double)(z[own] - largest)) + weight.least * cost);
}

LOSS_ROWS(cbc)

/* ---- Both ---- */

static float run_student(const void *values, const Row *row)
{
    const LossRow own = {.index = row->index, .columns = row->columns, .logits = row->x[0]};
    return ((const Context *)values)->student(values, &own, row->gradients[0]);
}

static void run_teacher(void *values, int64_t begin, int64_t end)
{
    const Context *context = values;
    const Tensor *z = context->teacher_logits;
    const int64_t columns = z->shape[1];
    for (int64_t i = begin; i < end; i++) {
        const LossRow row = {.index = i, .columns = columns, .logits = tensor_f32(z) + i * columns};
        context->teacher(context, &row, NULL);
    }
}

static void teach_in_double(const Tensor *p, Tensor *best, Confidence *weights)
{
    int64_t columns = p->shape[1];
    for (int64_t i = 0; i < p->shape[0]; i++) {
        Confidence *of = &weights[i];
        of->own = tensor_i32(best)[i];
        of->most = of->least = tensor_value(p, i * columns + of->own);
        for (int64_t c = 0; c < columns; c++)
            of->least = fmin(of->least, tensor_value(p, i * columns + c));
    }
}

static void teach(Context *context, Tensor *z)
{
    enum { TASK = 16 * 1024 };
    int64_t rows = z->shape[0], columns = z->shape[1];
    context->teacher_logits = z;
    context->weights = arena_zero(tape_arena(), (size_t)rows, sizeof *context->weights);
    if (z->type == ARRAY_F32) {
        parallel_for(rows, TASK / columns + 1, run_teacher, context);
    } else {
        Tensor *p = t_softmax(z);
        teach_in_double(p, t_argmax(p, -1), context->weights);
    }
}

/* From probabilities to weights. */
static void weigh(const struct cbc *self, int64_t rows, int64_t columns, Confidence *weights)
{
    int64_t sure = 0, terms = 0;
    for (int64_t i = 0; i < rows; i++) {
        sure += weights[i].most >= self->threshold;
        terms += weights[i].least < self->neg_threshold ? columns - 1 : 0;
    }
    for (int64_t i = 0; i < rows; i++) {
        const double most = weights[i].most, least = weights[i].least;
        weights[i].most = most >= self->threshold ? most / (double)sure : 0;
        weights[i].least = least < self->neg_threshold ? least / (double)terms : 0;
    }
}

static Tensor *forward(const void *self, const LossInput *in)
{
    static const RowFunction function = {0, run_student, composed};
    const int64_t columns = loss_columns(in);
    Tensor *z = t_reshape(in->logits, SHAPE(-1, columns));
    Context *context = arena_zero(tape_arena(), 1, sizeof *context);
    context->teacher = loss_rows_function(&rows_cbc_teacher, columns);
    context->student = loss_rows_function(&rows_cbc, columns);
    teach(context, t_detach(t_reshape(loss_extra(in, "teacher_logits"), SHAPE(-1, columns))));
    weigh(self, z->shape[0], columns, context->weights);
    return t_sum(t_rows(&function, context, 1, &z), ALL_AXES, false);
}

static const char *const extras[] = {"teacher_logits", NULL};

const LossDef loss_cbc = {
    .component = {.name = "cbc", .summary = "confident pseudo-labels of another network, towards and away",
                  .params = params, .size = sizeof(struct cbc), .source = "arXiv:2203.14523",
                  .formula = "mean over sure rows of -w+ log p_y + mean over (row, c != y) of -w- log max(1 - p_c, "
                             "1e-6)",
                  .notes = "Extra teacher_logits, of the logits' shape [..., C], without gradient: y is their largest "
                           "class, w+ its probability, w- the least one. Sure rows have w+ >= threshold, rows of the "
                           "second mean w- < neg_threshold; a mean of nothing is 0. There are no targets, and the "
                           "loss is one value of the batch."},
    .targets = LOSS_NO_TARGETS, .extras = extras, .whole_batch = true, .least_rank = 2, .most_rank = 6,
    .least_columns = 2, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_DETACHED, .forward = forward, .check = check,
};
