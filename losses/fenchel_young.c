/* Fenchel-Young losses of Tsallis entropies (Blondel et al. 2020): with the sparse prediction p,

       max_p (<p, z> + H(p)) - H(t) - <t, z>,   gradient p - t. */
#include <math.h>
#include <string.h>

#include "losses/rows.h"
#include "losses/shared.h"

/* H of exponent 2 (Martins and Astudillo 2016) and 1.5 (Peters et al. 2019), rows. */
static Tensor *tsallis_2(Tensor *p)
{
    return t_scale(t_add_scalar(t_neg(t_sum(t_square(p), -1, false)), 1), 0.5);
}

static Tensor *tsallis_15(Tensor *p)
{
    return t_scale(t_add_scalar(t_neg(t_sum(t_mul(p, t_sqrt(p)), -1, false)), 1), 4.0 / 3);
}

/* p maximises, so the derivative through it is 0; p - t sums to 0, so z may be shifted. */
static Tensor *fenchel_young(const LossInput *in, Tensor *(*predict)(Tensor *), Tensor *(*entropy)(Tensor *))
{
    Tensor *p = predict(t_detach(in->logits)), *t = loss_soft_targets(in);
    Tensor *z = loss_centered(in->logits);
    Tensor *gap = t_sub(entropy(p), entropy(t));
    return t_add(t_sum(t_mul(t_sub(p, t), z), -1, false), gap);
}

static Tensor *sparsemax(const void *self, const LossInput *in)
{
    (void)self;
    return fenchel_young(in, t_sparsemax, tsallis_2);
}

static Tensor *entmax15(const void *self, const LossInput *in)
{
    (void)self;
    return fenchel_young(in, t_entmax15, tsallis_15);
}

/* ---- Rows ---- */

/* With x = z - max z, sparsemax is p_k = s_k = max(x_k - tau, 0), and entmax15 p_k = s_k^2, s_k = max(x_k/2 - tau, 0):
   from `tau` below it, the tau for which p sums to 1. Sum s, and of entmax15 the square root of sum s^2, are convex in
   tau, so Newton's method stays below. */
ROW double raise_threshold(bool entmax, const float *z, int64_t columns, float largest, double tau)
{
    const double scale = entmax ? 0.5 : 1, precision = 1e-10;
    for (;;) {
        double mass = 0, squares = 0, count = 0;
        ROW_SUM(mass, squares, count)
        for (int64_t k = 0; k < columns; k++) {
            const double above = scale * (double)(z[k] - largest) - tau, s = above > 0 ? above : 0;
            mass += s;
            squares += s * s;
            count += above > 0 ? 1 : 0;
        }
        const double total = entmax ? squares : mass;
        const double next = tau + (entmax ? (squares - sqrt(squares)) / mass : (mass - 1) / count);
        if (!(total - 1 > precision) || !(next > tau)) /* the second: rounding of a very long sum is above it */
            return tau;
        tau = next;
    }
}

/* top_j = the largest of z_j, z_(j + lanes), ...; lanes <= columns. */
ROW void fold(const float *z, int64_t columns, int64_t lanes, float *top)
{
    memcpy(top, z, (size_t)lanes * sizeof *top);
    for (int64_t begin = lanes; begin < columns; begin += lanes) {
        const int64_t count = columns - begin < lanes ? columns - begin : lanes;
        ROW_LOOP
        for (int64_t j = 0; j < count; j++)
            top[j] = z[begin + j] > top[j] ? z[begin + j] : top[j];
    }
}

/* The threshold of a part of the values is not above that of all, so a few of the largest come first. */
ROW double threshold(bool entmax, const float *z, int64_t columns, float *largest)
{
    enum { MANY = 1024, FEW = 32 };
    float many[MANY], few[FEW];
    const int64_t wide = columns < MANY ? columns : MANY, narrow = columns < FEW ? columns : FEW;
    fold(z, columns, wide, many);
    fold(many, wide, narrow, few);
    *largest = row_largest(few, narrow);
    double tau = raise_threshold(entmax, few, narrow, *largest, -1);
    if (narrow < wide)
        tau = raise_threshold(entmax, many, wide, *largest, tau);
    return wide < columns ? raise_threshold(entmax, z, columns, *largest, tau) : tau;
}

/* sum (p - t) x + H(p) - H(t), H(p) = factor (1 - sum p s). */
ROW float fenchel_young_of(bool entmax, bool soft, const LossRow *row, float *gradient)
{
    const float *z = row->logits, *targets = row->targets;
    const int64_t columns = row->columns;
    float largest;
    const double tau = threshold(entmax, z, columns, &largest), scale = entmax ? 0.5 : 1;
    double linear = 0, predicted = 0, actual = 0;
    ROW_SUM(linear, predicted, actual)
    for (int64_t k = 0; k < columns; k++) {
        const double x = (double)(z[k] - largest), above = scale * x - tau, s = above > 0 ? above : 0;
        const double p = entmax ? s * s : s, t = soft ? (double)targets[k] : 0;
        linear += (p - t) * x;
        predicted += p * s;
        actual += entmax ? t * sqrt(t) : t * t;
        if (gradient)
            gradient[k] = (float)(p - t);
    }
    if (!soft) {
        linear -= (double)(z[row->target] - largest);
        actual = 1;
        if (gradient)
            gradient[row->target] -= 1;
    }
    return (float)(linear + (entmax ? 4.0 / 3 : 0.5) * (actual - predicted));
}

ROW float sparsemax_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    return row->targets ? fenchel_young_of(false, true, row, gradient) : fenchel_young_of(false, false, row, gradient);
}

LOSS_ROWS(sparsemax)

ROW float entmax15_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    return row->targets ? fenchel_young_of(true, true, row, gradient) : fenchel_young_of(true, false, row, gradient);
}

LOSS_ROWS(entmax15)

const LossDef loss_sparsemax = {
    .component = {.name = "sparsemax", .summary = "Fenchel-Young loss of sparsemax", .source = "arXiv:1602.02068",
                  .formula = "max_p (<p, z> + H(p)) - H(t) - <t, z>, H(p) = (1 - sum p^2) / 2"},
    .targets = LOSS_CLASSES_OR_SOFT, .properties = LOSS_TRANSLATION_INVARIANT, .forward = sparsemax,
    .rows = &rows_sparsemax,
};

const LossDef loss_entmax15 = {
    .component = {.name = "entmax15", .summary = "Fenchel-Young loss of 1.5-entmax", .source = "arXiv:1905.05702",
                  .formula = "max_p (<p, z> + H(p)) - H(t) - <t, z>, H(p) = 4/3 (1 - sum p^1.5)"},
    .targets = LOSS_CLASSES_OR_SOFT, .properties = LOSS_TRANSLATION_INVARIANT, .forward = entmax15,
    .rows = &rows_entmax15,
};
