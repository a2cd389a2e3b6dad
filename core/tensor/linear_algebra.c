/* Factorisations by elimination and reflection. Those by rotation are in linear_algebra_jacobi.c. */
#include "core/tensor/linear_algebra.h"

#include <assert.h>
#include <math.h>
#include <string.h>

bool matrix_cholesky(int64_t n, double *a)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double rest = a[i * n + j];
            for (int64_t k = 0; k < j; k++)
                rest -= a[i * n + k] * a[j * n + k];
            if (j < i)
                a[i * n + j] = rest / a[j * n + j];
            else if (rest > 0 && isfinite(rest))
                a[i * n + i] = sqrt(rest);
            else
                return false;
        }
        memset(a + i * n + i + 1, 0, (size_t)(n - i - 1) * sizeof *a);
    }
    return true;
}

void matrix_solve_triangular(int64_t n, const double *t, bool lower, bool transpose, int64_t m, double *b)
{
    const int64_t row_stride = transpose ? 1 : n, column_stride = transpose ? n : 1;
    const bool forward = lower != transpose;
    for (int64_t step = 0; step < n; step++) {
        const int64_t i = forward ? step : n - 1 - step;
        const double diagonal = t[i * n + i];
        for (int64_t done = 0; done < step; done++) {
            const int64_t k = forward ? done : n - 1 - done;
            const double factor = t[i * row_stride + k * column_stride];
            for (int64_t j = 0; j < m; j++)
                b[i * m + j] -= factor * b[k * m + j];
        }
        for (int64_t j = 0; j < m; j++)
            b[i * m + j] /= diagonal;
    }
}

static void exchange_rows(int64_t columns, double *a, int64_t i, int64_t j)
{
    for (int64_t k = 0; i != j && k < columns; k++) {
        const double value = a[i * columns + k];
        a[i * columns + k] = a[j * columns + k];
        a[j * columns + k] = value;
    }
}

bool matrix_lu(int64_t n, double *a, int64_t *pivot)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t best = i;
        for (int64_t k = i + 1; k < n; k++)
            if (fabs(a[k * n + i]) > fabs(a[best * n + i]))
                best = k;
        pivot[i] = best;
        exchange_rows(n, a, i, best);
        const double diagonal = a[i * n + i];
        if (!isfinite(diagonal) || diagonal == 0)
            return false;
        for (int64_t k = i + 1; k < n; k++) {
            const double factor = a[k * n + i] /= diagonal;
            for (int64_t j = i + 1; j < n; j++)
                a[k * n + j] -= factor * a[i * n + j];
        }
    }
    return true;
}

static void solve_unit_lower(int64_t n, const double *lu, bool transpose, int64_t m, double *b)
{
    for (int64_t step = 0; step < n; step++) {
        const int64_t i = transpose ? n - 1 - step : step;
        for (int64_t done = 0; done < step; done++) {
            const int64_t k = transpose ? n - 1 - done : done;
            const double factor = transpose ? lu[k * n + i] : lu[i * n + k];
            for (int64_t j = 0; j < m; j++)
                b[i * m + j] -= factor * b[k * m + j];
        }
    }
}

void matrix_lu_solve(int64_t n, const double *lu, const int64_t *pivot, bool transpose, int64_t m, double *b)
{
    if (!transpose) {
        for (int64_t i = 0; i < n; i++)
            exchange_rows(m, b, i, pivot[i]);
        solve_unit_lower(n, lu, false, m, b);
        matrix_solve_triangular(n, lu, false, false, m, b);
    } else {
        matrix_solve_triangular(n, lu, false, true, m, b);
        solve_unit_lower(n, lu, true, m, b);
        for (int64_t i = n - 1; i >= 0; i--)
            exchange_rows(m, b, i, pivot[i]);
    }
}

/* x [m] from row k on becomes x - 2 v (v.x), where v [m] has length 1, or is 0: nothing to reflect. */
static void reflect(int64_t m, int64_t k, const double *v, double *x, int64_t stride)
{
    double along = 0;
    for (int64_t i = k; i < m; i++)
        along += v[i] * x[i * stride];
    for (int64_t i = k; i < m; i++)
        x[i * stride] -= 2 * along * v[i];
}

/* Stores in v the unit normal of the mirror that sends x [m], from row k on, to a multiple of e_k. */
static void make_mirror(int64_t m, int64_t k, const double *x, int64_t stride, double *v)
{
    double largest = 0, squares = 0, length = 0;
    for (int64_t i = k; i < m; i++)
        largest = fmax(largest, fabs(x[i * stride]));
    memset(v, 0, (size_t)m * sizeof *v);
    if (largest == 0)
        return;
    for (int64_t i = k; i < m; i++) {
        v[i] = x[i * stride] / largest; /* no overflow in the squares */
        squares += v[i] * v[i];
    }
    v[k] += copysign(sqrt(squares), v[k]);
    for (int64_t i = k; i < m; i++)
        length += v[i] * v[i];
    length = sqrt(length);
    for (int64_t i = k; i < m; i++)
        v[i] /= length;
}

void matrix_qr(int64_t m, int64_t n, const double *a, double *q, double *r, Arena *arena)
{
    assert(m >= n);
    const size_t bytes = (size_t)(m * n) * sizeof(double);
    double *work = arena_alloc(arena, bytes), *mirrors = arena_alloc(arena, bytes);
    memcpy(work, a, bytes);
    for (int64_t k = 0; k < n; k++) {
        make_mirror(m, k, work + k, n, mirrors + k * m);
        for (int64_t j = k; j < n; j++)
            reflect(m, k, mirrors + k * m, work + j, n);
    }
    memset(q, 0, bytes);
    for (int64_t i = 0; i < n; i++) {
        const double sign = work[i * n + i] < 0 ? -1 : 1;
        for (int64_t j = 0; j < n; j++)
            r[i * n + j] = j < i ? 0 : sign * work[i * n + j];
        q[i * n + i] = sign;
        for (int64_t k = n - 1; k >= 0; k--)
            reflect(m, k, mirrors + k * m, q + i, n);
    }
    arena_recycle(arena, work, bytes);
    arena_recycle(arena, mirrors, bytes);
}
