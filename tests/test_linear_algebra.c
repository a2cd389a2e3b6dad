/* Factorisations: what they are multiplied out again must be the matrix, on random and degenerate ones. */
#include "tests/testing.h"

#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "core/tensor/linear_algebra.h"
#include "core/tensor/operations.h"

static Arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static double *matrix(int64_t m, int64_t n)
{
    return arena_zero(arena, (size_t)(m * n), sizeof(double));
}

static double *copy(int64_t m, int64_t n, const double *a)
{
    return memcpy(matrix(m, n), a, (size_t)(m * n) * sizeof(double));
}

static double *random_matrix(int64_t m, int64_t n, uint32_t seed)
{
    Random random = random_start(3, "matrix", seed);
    double *a = matrix(m, n);
    for (int64_t i = 0; i < m * n; i++)
        a[i] = random_normal(&random);
    return a;
}

/* op(a) b with op(a) [m, k], b [k, n]. */
static double *product(bool transpose, int64_t m, int64_t k, int64_t n, const double *a, const double *b)
{
    double *c = matrix(m, n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t p = 0; p < k; p++)
            for (int64_t j = 0; j < n; j++)
                c[i * n + j] += (transpose ? a[p * m + i] : a[i * k + p]) * b[p * n + j];
    return c;
}

static double *transposed(int64_t m, int64_t n, const double *a)
{
    double *t = matrix(n, m);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            t[j * m + i] = a[i * n + j];
    return t;
}

static void check_near(int64_t count, const double *got, const double *expected, double tolerance)
{
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(got[i] - expected[i]) <= tolerance))
            fail_msg("[%lld] is %.17g, expected %.17g", (long long)i, got[i], expected[i]);
}

static void check_orthonormal_columns(int64_t m, int64_t n, const double *a)
{
    double *identity = matrix(n, n);
    for (int64_t i = 0; i < n; i++)
        identity[i * n + i] = 1;
    check_near(n * n, product(true, n, m, n, a, a), identity, 1e-12);
}

/* Random of rank `rank`, times `scale`. */
static double *of_rank(int64_t m, int64_t n, int64_t rank, double scale, uint32_t seed)
{
    double *a = product(false, m, rank, n, random_matrix(m, rank, seed), random_matrix(rank, n, seed + 1));
    for (int64_t i = 0; i < m * n; i++)
        a[i] *= scale;
    return a;
}

typedef struct Shape { int64_t m, n, rank; double scale; } Shape;
static const Shape shapes[] = {
    {1, 1, 1, 1}, {5, 5, 5, 1}, {7, 3, 3, 1}, {3, 7, 3, 1}, {6, 6, 2, 1}, {9, 4, 1, 1}, {4, 9, 2, 1}, {5, 5, 0, 1},
    {1, 6, 1, 1}, {6, 1, 1, 1}, {40, 30, 30, 1}, {5, 4, 4, 1e200}, {5, 4, 4, 1e-200}, {8, 8, 7, 1e-3},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static void test_linear_algebra__cholesky(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 20; n += 6) {
        double *g = random_matrix(n, n, (uint32_t)n), *a = product(false, n, n, n, g, transposed(n, n, g));
        for (int64_t i = 0; i < n; i++)
            a[i * n + i] += 1;
        double *l = copy(n, n, a);
        assert_true(matrix_cholesky(n, l));
        check_near(n * n, product(false, n, n, n, l, transposed(n, n, l)), a, 1e-12 * (double)n);
    }
    assert_false(matrix_cholesky(2, (double[]){1, 2, 2, 1}));
    assert_false(matrix_cholesky(2, (double[]){1, 1, 1, 1}));
    assert_false(matrix_cholesky(1, (double[]){NAN}));
}

static void test_linear_algebra__triangular_solves(void **state)
{
    (void)state;
    enum { N = 6, M = 3 };
    for (int kind = 0; kind < 4; kind++) {
        bool lower = kind & 1, transpose = kind & 2;
        double *t = random_matrix(N, N, 5), *x = random_matrix(N, M, 6), *clean = matrix(N, N);
        for (int64_t i = 0; i < N; i++) {
            t[i * N + i] = 2 + fabs(t[i * N + i]);
            for (int64_t j = 0; j < N; j++)
                clean[i * N + j] = (lower ? j <= i : j >= i) ? t[i * N + j] : 0;
        }
        double *b = product(transpose, N, N, M, clean, x);
        matrix_solve_triangular(N, t, lower, transpose, M, b);
        check_near(N * M, b, x, 1e-12);
    }
}

static void test_linear_algebra__elimination_solves(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 17; n += 4)
        for (int transpose = 0; transpose < 2; transpose++) {
            double *a = random_matrix(n, n, (uint32_t)n), *x = random_matrix(n, 2, 100 + (uint32_t)n);
            int64_t pivot[32];
            if (n > 1)
                a[0] = 0; /* needs an exchange */
            double *b = product(transpose, n, n, 2, a, x);
            assert_true(matrix_lu(n, a, pivot));
            matrix_lu_solve(n, a, pivot, transpose, 2, b);
            check_near(n * 2, b, x, 1e-10);
        }
    int64_t pivot[2];
    assert_false(matrix_lu(2, (double[]){1, 2, 2, 4}, pivot));
    assert_false(matrix_lu(2, (double[]){INFINITY, 2, 2, 4}, pivot));
}

static void test_linear_algebra__qr(void **state)
{
    (void)state;
    for (int k = 0; k < SHAPES; k++) {
        const Shape *shape = &shapes[k];
        if (shape->m < shape->n)
            continue;
        int64_t m = shape->m, n = shape->n;
        double *a = of_rank(m, n, shape->rank, shape->scale, (uint32_t)k), *q = matrix(m, n), *r = matrix(n, n);
        matrix_qr(m, n, a, q, r, arena);
        check_orthonormal_columns(m, n, q);
        check_near(m * n, product(false, m, n, n, q, r), a, 1e-12 * shape->scale * 10);
        for (int64_t i = 0; i < n; i++) {
            assert_true(r[i * n + i] >= 0);
            for (int64_t j = 0; j < i; j++)
                assert_true(r[i * n + j] == 0);
        }
    }
}

static void check_eigen(int64_t n, const double *a, double scale)
{
    double *values = matrix(1, n), *v = matrix(n, n), *scaled = matrix(n, n);
    assert_true(matrix_symmetric_eigen(n, copy(n, n, a), values, v, arena));
    check_orthonormal_columns(n, n, v);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++)
            scaled[i * n + k] = v[i * n + k] * values[k];
    check_near(n * n, product(false, n, n, n, scaled, transposed(n, n, v)), a, 1e-13 * scale * (double)(n + 5));
    for (int64_t k = 1; k < n; k++)
        assert_true(values[k - 1] >= values[k]);
}

static void test_linear_algebra__symmetric_eigen(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 31; n += 5)
        for (int64_t rank = 0; rank <= n; rank += n > 6 ? 6 : 1) {
            double *g = of_rank(n, n, rank, 1, (uint32_t)(n + rank)), *a = matrix(n, n);
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < n; j++)
                    a[i * n + j] = g[i * n + j] + g[j * n + i];
            check_eigen(n, a, 10);
        }
    check_eigen(3, (double[]){2, 0, 0, 0, 2, 0, 0, 0, 2}, 1);
    check_eigen(3, (double[]){1, 1, 1, 1, 1, 1, 1, 1, 1}, 1);
    double values[2], vectors[4];
    assert_true(matrix_symmetric_eigen(2, (double[]){2, 1, 1, 2}, values, vectors, arena));
    check_near(2, values, (double[]){3, 1}, 1e-15);
    assert_false(matrix_symmetric_eigen(1, (double[]){NAN}, values, vectors, arena));
}

static void test_linear_algebra__singular_values(void **state)
{
    (void)state;
    for (int k = 0; k < SHAPES; k++) {
        int64_t m = shapes[k].m, n = shapes[k].n, rank = m < n ? m : n;
        double *a = of_rank(m, n, shapes[k].rank, shapes[k].scale, (uint32_t)k), *u = matrix(m, rank),
               *s = matrix(1, rank), *v = matrix(n, rank), *scaled = matrix(m, rank);
        assert_true(matrix_svd(m, n, a, u, s, v, arena));
        check_orthonormal_columns(m, rank, u);
        check_orthonormal_columns(n, rank, v);
        for (int64_t i = 0; i < m * rank; i++)
            scaled[i] = u[i] * s[i % rank];
        check_near(m * n, product(false, m, rank, n, scaled, transposed(n, rank, v)), a, 1e-12 * shapes[k].scale);
        for (int64_t i = 0; i < rank; i++)
            assert_true(i < shapes[k].rank ? s[i] > 1e-6 * shapes[k].scale : s[i] == 0);
        for (int64_t i = 1; i < rank; i++)
            assert_true(s[i - 1] >= s[i]);
    }
    double s[2], u[4], v[4];
    assert_true(matrix_svd(2, 2, (double[]){3, 0, 4, 5}, u, s, v, arena));
    check_near(2, s, (double[]){sqrt(45), sqrt(5)}, 1e-14);
    assert_false(matrix_svd(1, 1, (double[]){INFINITY}, u, s, v, arena));
}

/* The four conditions of Penrose define it. */
static void test_linear_algebra__pseudo_inverse(void **state)
{
    (void)state;
    for (int k = 0; k < SHAPES; k++) {
        int64_t m = shapes[k].m, n = shapes[k].n;
        double scale = shapes[k].scale, *a = of_rank(m, n, shapes[k].rank, scale, (uint32_t)k), *x = matrix(n, m);
        assert_true(matrix_pseudo_inverse(m, n, a, 1e-10, x, arena));
        double *ax = product(false, m, n, m, a, x), *xa = product(false, n, m, n, x, a);
        check_near(m * m, ax, transposed(m, m, ax), 1e-9);
        check_near(n * n, xa, transposed(n, n, xa), 1e-9);
        check_near(m * n, product(false, m, m, n, ax, a), a, 1e-9 * scale);
        check_near(n * m, product(false, n, n, m, xa, x), x, 1e-7 / scale);
    }
    double inverse[4]; /* the small singular value counts only below the threshold */
    assert_true(matrix_pseudo_inverse(2, 2, (double[]){1, 0, 0, 1e-3}, 1e-2, inverse, arena));
    check_near(4, inverse, (double[]){1, 0, 0, 0}, 1e-15);
    assert_true(matrix_pseudo_inverse(2, 2, (double[]){1, 0, 0, 1e-3}, 1e-4, inverse, arena));
    check_near(4, inverse, (double[]){1, 0, 0, 1000}, 1e-10);
}

static void test_linear_algebra__least_squares(void **state)
{
    (void)state;
    enum { M = 12, N = 4 };
    double *a = random_matrix(M, N, 1), *b = random_matrix(M, 2, 2), *x = matrix(N, 2);
    assert_true(matrix_least_squares(M, N, 2, a, b, 0, x, arena));
    double *residual = product(false, M, N, 2, a, x);
    for (int i = 0; i < M * 2; i++)
        residual[i] -= b[i];
    check_near(N * 2, product(true, N, M, 2, a, residual), matrix(N, 2), 1e-12);
    /* One equation, two unknowns: the shortest solution. */
    assert_true(matrix_least_squares(1, 2, 1, (double[]){1, 1}, (double[]){4}, 0, x, arena));
    check_near(2, x, (double[]){2, 2}, 1e-14);
}

/* As operations: one matrix of a batch that has no result leaves the others theirs. */
static void test_linear_algebra__what_does_not_exist_is_nan(void **state)
{
    (void)state;
    Tape *tape = tape_new();
    tape_use(tape);
    Tensor *a = t_wrap(ARRAY_F32, SHAPE(2, 2, 2), (float[]){1, 2, 2, 4, 4, 0, 0, 9});
    Tensor *results[] = {t_cholesky(a), t_inverse(a), t_log_determinant(a)};
    double diagonal[] = {2, 3, 0.25, 1.0 / 9};
    for (int k = 0; k < 2; k++) {
        assert_true(isnan(tensor_value(results[k], 0)) && isnan(tensor_value(results[k], 3)));
        for (int i = 0; i < 2; i++)
            check_near(1, (double[]){tensor_value(results[k], 4 + 3 * i)}, &diagonal[2 * k + i], 1e-7);
    }
    assert_true(isnan(tensor_value(results[2], 0)));
    check_near(1, (double[]){tensor_value(results[2], 1)}, (double[]){log(36)}, 1e-6);
    Tensor *x = t_solve(a, t_full(ARRAY_F32, SHAPE(2, 2, 1), 18));
    assert_true(isnan(tensor_value(x, 0)));
    check_near(2, (double[]){tensor_value(x, 2), tensor_value(x, 3)}, (double[]){4.5, 2}, 1e-6);
    tape_free(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_algebra__cholesky),
        cmocka_unit_test(test_linear_algebra__triangular_solves),
        cmocka_unit_test(test_linear_algebra__elimination_solves),
        cmocka_unit_test(test_linear_algebra__qr),
        cmocka_unit_test(test_linear_algebra__symmetric_eigen),
        cmocka_unit_test(test_linear_algebra__singular_values),
        cmocka_unit_test(test_linear_algebra__pseudo_inverse),
        cmocka_unit_test(test_linear_algebra__least_squares),
        cmocka_unit_test(test_linear_algebra__what_does_not_exist_is_nan),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
