/* Eigenvalues and singular values by Jacobi's plane rotations: slow for large matrices, short, and accurate
   to the last bits for small ones. */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/tensor/linear_algebra.h"

enum { MOST_SWEEPS = 60 }; /* convergence is quadratic: about 10 are needed */

/* (x, y) becomes (c x - s y, s x + c y). */
static void rotate(int64_t n, double *x, int64_t stride_x, double *y, int64_t stride_y, double c, double s)
{
    for (int64_t i = 0; i < n; i++) {
        const double before = x[i * stride_x];
        x[i * stride_x] = c * before - s * y[i * stride_y];
        y[i * stride_y] = s * before + c * y[i * stride_y];
    }
}

/* The smaller angle that makes the off-diagonal of [p, off; off, q] zero. */
static void rotation(double p, double off, double q, double *c, double *s)
{
    const double theta = (q - p) / (2 * off);
    const double t = copysign(1, theta) / (fabs(theta) + hypot(theta, 1));
    *c = 1 / hypot(t, 1);
    *s = t * *c;
}

static bool all_finite(int64_t count, const double *a)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(a[i]))
            return false;
    return true;
}

/* The order that sorts `values` descending; ties keep theirs. Small n: insertion. */
static void descending(int64_t n, const double *values, int64_t *order)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t at = i;
        for (; at > 0 && values[order[at - 1]] < values[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

/* One sweep over all pairs, with eigenvectors in the rows of v; returns whether anything was rotated. */
static bool eigen_sweep(int64_t n, double *a, double *v, double negligible)
{
    bool rotated = false;
    for (int64_t p = 0; p < n; p++)
        for (int64_t q = p + 1; q < n; q++) {
            const double off = a[p * n + q];
            if (fabs(off) <= negligible)
                continue;
            double c, s;
            rotation(a[p * n + p], off, a[q * n + q], &c, &s);
            rotate(n, a + p, n, a + q, n, c, s);
            rotate(n, a + p * n, 1, a + q * n, 1, c, s);
            a[p * n + q] = a[q * n + p] = 0;
            rotate(n, v + p * n, 1, v + q * n, 1, c, s);
            rotated = true;
        }
    return rotated;
}

bool matrix_symmetric_eigen(int64_t n, double *a, double *values, double *vectors, Arena *arena)
{
    if (!all_finite(n * n, a))
        return false;
    const size_t bytes = (size_t)(n * n) * sizeof(double);
    double *v = arena_zero(arena, (size_t)(n * n), sizeof *v), *diagonal = arena_alloc(arena, (size_t)n * sizeof *v);
    int64_t *order = arena_alloc(arena, (size_t)n * sizeof *order);
    double largest = 0;
    for (int64_t i = 0; i < n * n; i++)
        largest = fmax(largest, fabs(a[i]));
    for (int64_t i = 0; i < n; i++)
        v[i * n + i] = 1;
    int sweeps = 0;
    while (eigen_sweep(n, a, v, largest * DBL_EPSILON / 16) && ++sweeps < MOST_SWEEPS)
        ;
    for (int64_t i = 0; i < n; i++)
        diagonal[i] = a[i * n + i];
    descending(n, diagonal, order);
    for (int64_t k = 0; k < n; k++) {
        values[k] = diagonal[order[k]];
        for (int64_t i = 0; i < n; i++)
            vectors[i * n + k] = v[order[k] * n + i];
    }
    arena_recycle(arena, v, bytes);
    arena_recycle(arena, diagonal, (size_t)n * sizeof *v);
    arena_recycle(arena, order, (size_t)n * sizeof *order);
    return sweeps < MOST_SWEEPS;
}

/* Makes the rows of w [n, m] orthogonal, two at a time, and turns the rows of v [n, n] with them. */
static bool singular_sweep(int64_t m, int64_t n, double *w, double *v)
{
    const double rounding = (4 + sqrt((double)m)) * DBL_EPSILON; /* of a sum of m products */
    bool rotated = false;
    for (int64_t p = 0; p < n; p++)
        for (int64_t q = p + 1; q < n; q++) {
            double pp = 0, qq = 0, pq = 0;
            for (int64_t i = 0; i < m; i++) {
                pp += w[p * m + i] * w[p * m + i];
                qq += w[q * m + i] * w[q * m + i];
                pq += w[p * m + i] * w[q * m + i];
            }
            if (fabs(pq) <= rounding * sqrt(pp) * sqrt(qq))
                continue;
            double c, s;
            rotation(pp, pq, qq, &c, &s);
            rotate(m, w + p * m, 1, w + q * m, 1, c, s);
            rotate(n, v + p * n, 1, v + q * n, 1, c, s);
            rotated = true;
        }
    return rotated;
}

/* Column k of u [m, n] from the others before it: the unit vector that they cover least, made orthogonal
   to them, twice because once leaves rounding errors along them. */
static void complete_column(int64_t m, int64_t n, int64_t k, double *u)
{
    int64_t best = 0;
    double least = INFINITY;
    for (int64_t i = 0; i < m; i++) {
        double covered = 0;
        for (int64_t j = 0; j < k; j++)
            covered += u[i * n + j] * u[i * n + j];
        if (covered < least)
            least = covered, best = i;
    }
    for (int64_t i = 0; i < m; i++)
        u[i * n + k] = i == best ? 1 : 0;
    for (int64_t j = 0; j < 2 * k; j++) {
        double along = 0;
        for (int64_t i = 0; i < m; i++)
            along += u[i * n + j % k] * u[i * n + k];
        for (int64_t i = 0; i < m; i++)
            u[i * n + k] -= along * u[i * n + j % k];
    }
    double squares = 0;
    for (int64_t i = 0; i < m; i++)
        squares += u[i * n + k] * u[i * n + k];
    for (int64_t i = 0; i < m; i++)
        u[i * n + k] /= sqrt(squares);
}

/* m >= n, of the columns w holds as rows [n, m], scaled to a largest value of 1. */
static bool tall_svd(int64_t m, int64_t n, double *w, double *u, double *s, double *v, Arena *arena)
{
    const size_t bytes = (size_t)(n * n) * sizeof(double), list_bytes = (size_t)n * sizeof(double);
    double *turned = arena_zero(arena, (size_t)(n * n), sizeof *turned), *lengths = arena_alloc(arena, list_bytes);
    int64_t *order = arena_alloc(arena, list_bytes);
    for (int64_t i = 0; i < n; i++)
        turned[i * n + i] = 1;
    int sweeps = 0;
    while (singular_sweep(m, n, w, turned) && ++sweeps < MOST_SWEEPS)
        ;
    for (int64_t k = 0; k < n; k++) {
        double squares = 0;
        for (int64_t i = 0; i < m; i++)
            squares += w[k * m + i] * w[k * m + i];
        lengths[k] = sqrt(squares);
    }
    descending(n, lengths, order);
    for (int64_t k = 0; k < n; k++) {
        const int64_t from = order[k];
        /* What is left of dependent columns is rounding error without a direction of its own. */
        const bool nothing = !(lengths[from] > (double)m * DBL_EPSILON * lengths[order[0]]);
        s[k] = nothing ? 0 : lengths[from];
        for (int64_t i = 0; i < m && !nothing; i++)
            u[i * n + k] = w[from * m + i] / s[k];
        if (nothing)
            complete_column(m, n, k, u);
        for (int64_t i = 0; i < n; i++)
            v[i * n + k] = turned[from * n + i];
    }
    arena_recycle(arena, turned, bytes);
    arena_recycle(arena, lengths, list_bytes);
    arena_recycle(arena, order, list_bytes);
    return sweeps < MOST_SWEEPS;
}

bool matrix_svd(int64_t m, int64_t n, const double *a, double *u, double *s, double *v, Arena *arena)
{
    if (!all_finite(m * n, a))
        return false;
    const size_t bytes = (size_t)(m * n) * sizeof(double);
    double *w = arena_alloc(arena, bytes), largest = 0;
    for (int64_t i = 0; i < m * n; i++)
        largest = fmax(largest, fabs(a[i]));
    const double unit = largest > 0 ? largest : 1; /* squares neither overflow nor vanish */
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            w[m >= n ? j * m + i : i * n + j] = a[i * n + j] / unit;
    const bool found = m >= n ? tall_svd(m, n, w, u, s, v, arena) : tall_svd(n, m, w, v, s, u, arena);
    for (int64_t k = 0; k < (m < n ? m : n); k++)
        s[k] *= unit;
    arena_recycle(arena, w, bytes);
    return found;
}

bool matrix_least_squares(int64_t m, int64_t n, int64_t count, const double *a, const double *b, double rcond,
                          double *x, Arena *arena)
{
    assert(rcond >= 0);
    const int64_t rank = m < n ? m : n;
    const size_t size = sizeof(double), bytes_u = (size_t)(m * rank) * size, bytes_s = (size_t)rank * size,
                 bytes_v = (size_t)(n * rank) * size;
    double *u = arena_alloc(arena, bytes_u), *s = arena_alloc(arena, bytes_s), *v = arena_alloc(arena, bytes_v);
    const bool found = matrix_svd(m, n, a, u, s, v, arena);
    memset(x, 0, (size_t)(n * count) * size);
    for (int64_t k = 0; k < rank && found && s[k] > rcond * s[0] && s[k] > 0; k++)
        for (int64_t j = 0; j < count; j++) {
            double along = 0;
            for (int64_t i = 0; i < m; i++)
                along += u[i * rank + k] * b[i * count + j];
            for (int64_t i = 0; i < n; i++)
                x[i * count + j] += v[i * rank + k] * along / s[k];
        }
    arena_recycle(arena, u, bytes_u);
    arena_recycle(arena, s, bytes_s);
    arena_recycle(arena, v, bytes_v);
    return found;
}

bool matrix_pseudo_inverse(int64_t m, int64_t n, const double *a, double rcond, double *inverse, Arena *arena)
{
    double *identity = arena_zero(arena, (size_t)(m * m), sizeof *identity);
    for (int64_t i = 0; i < m; i++)
        identity[i * m + i] = 1;
    const bool found = matrix_least_squares(m, n, m, a, identity, rcond, inverse, arena);
    arena_recycle(arena, identity, (size_t)(m * m) * sizeof *identity);
    return found;
}
