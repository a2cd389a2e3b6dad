/* A loss of a row in closed form. Beside its `forward`, which says what is meant and serves doubles, a loss may have,
   in its file,

       ROW float NAME_row(const void *self, const LossRow *row, float *gradient) {...}
       LOSS_ROWS(NAME)

   and `.rows = &rows_NAME`: the loss of one row in nats and, where `gradient` [columns] is not NULL, its derivatives by
   the row's logits; of masks, all axes after the first are a row. It is compiled for each instruction set, with
   gradients and without. Loops over columns behind ROW_LOOP, ROW_SUM or ROW_MAX are vectorised if what they read is in
   local variables (not behind `row->` or `self->`) and nothing in them branches; core/kernels/float_math.h has
   functions for them. Sums over columns are of doubles.
   A loss of several arrays of logits names the others, extras of the logits' shape, as `partners`: their rows come with
   it, and their derivatives go to `partner_gradients`, which are there where `gradient` is.
   tests/test_losses_rows.c compares every one of them with `forward`, for all examples of the loss. */
#ifndef XENT_LOSSES_ROWS_H
#define XENT_LOSSES_ROWS_H

#include "core/kernels/float_math.h"
#include "losses/loss.h"

enum { LOSS_MOST_PARTNERS = 2 };

typedef struct LossRow {
    const LossInput *in;
    int64_t index, columns;     /* of the row; of its logits */
    const float *logits;        /* [columns] */
    int32_t target;             /* of integer targets; -1: there are none */
    const float *targets;       /* of others, [columns of the targets]; NULL: there are none */
    float *scratch;             /* [scratch columns], undefined */
    const float *partners[LOSS_MOST_PARTNERS];          /* [columns] each */
    float *partner_gradients[LOSS_MOST_PARTNERS];       /* [columns] each */
} LossRow;

typedef float (*LossRowFunction)(const void *self, const LossRow *row, float *gradient);

enum { ROW_BASELINE, ROW_AVX2, ROW_AVX512, ROW_ISAS };

typedef struct LossRows {
    LossRowFunction run[ROW_ISAS];
    int64_t scratch;            /* floats for each column of a row */
    const char *partners[LOSS_MOST_PARTNERS];   /* extras that may want gradients as well; NULL: no more */
    /* Whether it serves these parameters and inputs; NULL: always. */
    bool (*takes)(const void *self, const LossInput *in);
} LossRows;

#define ROW static inline __attribute__((always_inline))
#define ROW_PRAGMA(text) _Pragma(#text)
/* Before a loop whose passes do not depend on each other; that add to the named doubles; that find the largest. */
#define ROW_LOOP ROW_PRAGMA(omp simd)
#define ROW_SUM(...) ROW_PRAGMA(omp simd reduction(+ : __VA_ARGS__))
#define ROW_MAX(...) ROW_PRAGMA(omp simd reduction(max : __VA_ARGS__))

#define ROW_VARIANT(name, isa, target)                                                                               \
    target static float name##_row_##isa(const void *self, const LossRow *row, float *gradient)                      \
    {                                                                                                                \
        return gradient ? name##_row(self, row, gradient) : name##_row(self, row, NULL);                             \
    }

#ifdef __x86_64__
#define ROW_TARGET(text) __attribute__((target(text)))
#ifdef __clang__
#define ROW_AVX512_TARGET ROW_TARGET("avx512f,avx512dq,avx512bw,avx512vl,fma")
#else
#define ROW_AVX512_TARGET ROW_TARGET("avx512f,avx512dq,avx512bw,avx512vl,fma,prefer-vector-width=512")
#endif
/* Further arguments: .scratch, .partners, .takes. */
#define LOSS_ROWS(name, ...)                                                                                         \
    ROW_VARIANT(name, baseline, )                                                                                    \
    ROW_VARIANT(name, avx2, ROW_TARGET("avx2,fma"))                                                                  \
    ROW_VARIANT(name, avx512, ROW_AVX512_TARGET)                                                                     \
    static const LossRows rows_##name = {.run = {name##_row_baseline, name##_row_avx2, name##_row_avx512},           \
                                         __VA_ARGS__};
#else
#define LOSS_ROWS(name, ...)                                                                                         \
    ROW_VARIANT(name, baseline, )                                                                                    \
    static const LossRows rows_##name = {.run = {name##_row_baseline}, __VA_ARGS__};
#endif

/* Whether the loss has rows that serve this input, and their values, [N]. */
bool loss_rows_apply(const Instance *loss, const LossInput *in);
Tensor *loss_rows(const Instance *loss, const LossInput *in);
/* The function for the kernels' instruction set, or a narrower one: rows that fill none of the widest vectors are
   faster so. */
LossRowFunction loss_rows_function(const LossRows *rows, int64_t columns);

/* The log-sum-exp of a row in parts that are only added up with what is as large: in the sum, a large `largest` would
   take the low bits of the other. */
typedef struct RowSum {
    float largest;              /* logit; 0 where that is infinite */
    float log_sum;              /* log sum_k exp(z_k - largest) */
} RowSum;

ROW double row_sum_exp(const float *z, int64_t begin, int64_t end, float largest)
{
    double sum = 0;
    ROW_SUM(sum)
    for (int64_t k = begin; k < end; k++)
        sum += (double)float_exp(z[k] - largest);
    return sum;
}

ROW float row_largest(const float *z, int64_t columns)
{
    float largest = -INFINITY;
    ROW_MAX(largest)
    for (int64_t k = 0; k < columns; k++)
        largest = z[k] > largest ? z[k] : largest;
    return isinf(largest) ? 0 : largest;
}

ROW RowSum row_log_sum_exp_of(const float *z, int64_t columns)
{
    const float largest = row_largest(z, columns);
    return (RowSum){largest, (float)log(row_sum_exp(z, 0, columns, largest))};
}

ROW RowSum row_log_sum_exp(const LossRow *row)
{
    return row_log_sum_exp_of(row->logits, row->columns);
}

/* -log p_y of integer targets. */
ROW float row_negative_log_likelihood(const LossRow *row, RowSum sum)
{
    return sum.log_sum - (row->logits[row->target] - sum.largest);
}

/* gradient_k = slope dg/dz_k = slope (p_k - [k = y]), g the above. */
ROW void row_likelihood_gradient(const LossRow *row, RowSum sum, float slope, float *gradient)
{
    const float *z = row->logits;
    const int64_t columns = row->columns;
    ROW_LOOP
    for (int64_t k = 0; k < columns; k++)
        gradient[k] = slope * float_exp((z[k] - sum.largest) - sum.log_sum);
    gradient[row->target] -= slope;
}

/* -sum_k p_k log p_k */
ROW double row_entropy(const LossRow *row, RowSum all)
{
    const float *z = row->logits;
    const int64_t columns = row->columns;
    double entropy = 0;
    ROW_SUM(entropy)
    for (int64_t k = 0; k < columns; k++) {
        const float log_p = (z[k] - all.largest) - all.log_sum;
        entropy -= (double)(float_exp(log_p) * log_p);
    }
    return entropy;
}

/* -sum_k c_k log p_k of coefficients c [columns]; gradient_k = (sum c) p_k - c_k. */
ROW float row_cross_entropy(const LossRow *row, const float *c, float *gradient)
{
    const RowSum all = row_log_sum_exp(row);
    const float *z = row->logits;
    const int64_t columns = row->columns;
    double value = 0, total = 0;
    ROW_SUM(value, total)
    for (int64_t k = 0; k < columns; k++) {
        value -= (double)(c[k] * ((z[k] - all.largest) - all.log_sum));
        total += (double)c[k];
    }
    const float factor = (float)total;
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++)
        gradient[k] = factor * float_exp((z[k] - all.largest) - all.log_sum) - c[k];
    return (float)value;
}

/* The largest but for one; -inf where there is no other. */
ROW float row_largest_but(const float *z, int64_t columns, int64_t one)
{
    float largest = -INFINITY;
    ROW_MAX(largest)
    for (int64_t k = 0; k < one; k++)
        largest = z[k] > largest ? z[k] : largest;
    ROW_MAX(largest)
    for (int64_t k = one + 1; k < columns; k++)
        largest = z[k] > largest ? z[k] : largest;
    return largest;
}

/* What stands in for the target's logit in a loss with a margin, and its derivative by that logit. */
typedef struct RowMargin { float own, slope; } RowMargin;

/* Cross-entropy of integer targets at logits scale (z - center), where `margin` replaces the target's. */
ROW float row_margin_cross_entropy(const LossRow *row, float scale, float center, RowMargin margin, float *gradient)
{
    const float *z = row->logits;
    const int64_t columns = row->columns, target = row->target;
    const float rival = scale * (row_largest_but(z, columns, target) - center);
    const float largest = rival > margin.own ? rival : margin.own;
    double sum = exp((double)(margin.own - largest));
    ROW_SUM(sum)
    for (int64_t k = 0; k < target; k++)
        sum += (double)float_exp(scale * (z[k] - center) - largest);
    ROW_SUM(sum)
    for (int64_t k = target + 1; k < columns; k++)
        sum += (double)float_exp(scale * (z[k] - center) - largest);
    const float log_sum = (float)log(sum), loss = log_sum - (margin.own - largest);
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++)
        gradient[k] = scale * float_exp((scale * (z[k] - center) - largest) - log_sum);
    if (gradient)
        gradient[target] = margin.slope * float_expm1(-loss);
    return loss;
}

/* sigmoid(z); sigmoid(-z), without the rounding of 1 - p; log(1 + exp(-|z|)) = softplus(z) - max(z, 0). */
typedef struct RowLogistic { float p, rest, tail; } RowLogistic;

ROW RowLogistic row_logistic(float z)
{
    const float e = float_exp(-fabsf(z)), inverse = 1 / ((1 + e) * (2 + e));
    const float large = (2 + e) * inverse, small = e * large;
    return (RowLogistic){z < 0 ? small : large, z < 0 ? large : small, float_twice_artanh((e + e * e) * inverse)};
}

/* sum_k (z_k - t_k)^2 of targets that are no integers; gradient_k = 2 slope (z_k - t_k). */
ROW double row_squares(const LossRow *row, float slope, float *gradient)
{
    const float *z = row->logits, *t = row->targets;
    const int64_t columns = row->columns;
    double sum = 0;
    ROW_SUM(sum)
    for (int64_t k = 0; k < columns; k++) {
        const float r = z[k] - t[k];
        sum += (double)(r * r);
        if (gradient)
            gradient[k] = 2 * slope * r;
    }
    return sum;
}

/* A function of the moments of z - shift, of integer targets, as LossDef's of_moments. */
ROW float row_of_moments(const void *self, double (*of)(const void *self, const LossMoments *m, double slopes[3]),
                         float shift, const LossRow *row, float *gradient)
{
    const float *z = row->logits;
    const int64_t columns = row->columns;
    double sum = 0, squares = 0;
    ROW_SUM(sum, squares)
    for (int64_t k = 0; k < columns; k++) {
        const double x = (double)(z[k] - shift);
        sum += x;
        squares += x * x;
    }
    const LossMoments moments = {columns, sum, squares, (double)(z[row->target] - shift)};
    double slopes[3];
    const float value = (float)of(self, &moments, slopes), constant = (float)slopes[0], linear = (float)(2 * slopes[1]);
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++)
        gradient[k] = constant + linear * (z[k] - shift);
    if (gradient)
        gradient[row->target] += (float)slopes[2];
    return value;
}

#endif
