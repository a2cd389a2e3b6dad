/* Small dense matrices in double: one thread, plain loops, no tape. For what operations, metrics and
   analyses factorise (up to some hundreds of rows: Jacobi's methods cost about 10 n^3 per sweep).

   Every matrix is row major without gaps, [rows, columns]. Inputs that are declared const are kept, the
   others are overwritten as said. Working memory comes from `arena` and is handed back to it. Functions
   that return bool return false where the factorisation does not exist (not positive definite, singular)
   or the input is not finite; what they were to write is then undefined. */
#ifndef XENT_TENSOR_LINEAR_ALGEBRA_H
#define XENT_TENSOR_LINEAR_ALGEBRA_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/memory.h"

/* a [n, n] = L L^T; reads the lower triangle, writes L there and zeros above. */
bool matrix_cholesky(int64_t n, double *a);

/* Solves op(t) x = b for the columns of b [n, m] in place, where t [n, n] is read in its lower or upper
   triangle alone and op transposes when told to. The diagonal has no zeros. */
void matrix_solve_triangular(int64_t n, const double *t, bool lower, bool transpose, int64_t m, double *b);

/* Gaussian elimination with partial pivoting: a [n, n] becomes L (unit diagonal, below) and U; row i was
   exchanged with row pivot[i] >= i. */
bool matrix_lu(int64_t n, double *a, int64_t *pivot);
/* Solves a x = b, or a^T x = b, for the columns of b [n, m] in place. */
void matrix_lu_solve(int64_t n, const double *lu, const int64_t *pivot, bool transpose, int64_t m, double *b);

/* Householder: a [m, n], m >= n, = q r with q [m, n] of orthonormal columns (also where a has fewer than n
   independent ones) and r [n, n] upper triangular with a diagonal >= 0. */
void matrix_qr(int64_t m, int64_t n, const double *a, double *q, double *r, Arena *arena);

/* Cyclic Jacobi (Golub and Van Loan, section 8.5): a [n, n] symmetric (destroyed) = V diag(values) V^T, values
   descending, eigenvectors in the columns of V [n, n]. */
bool matrix_symmetric_eigen(int64_t n, double *a, double *values, double *vectors, Arena *arena);

/* One-sided Jacobi (Hestenes 1958): a [m, n] = U diag(s) V^T with k = min(m, n), U [m, k], s [k] descending
   and >= 0, V [n, k]; the columns of U and V are orthonormal, also those of singular values 0. */
bool matrix_svd(int64_t m, int64_t n, const double *a, double *u, double *s, double *v, Arena *arena);

/* Moore-Penrose: [n, m] from a [m, n]; singular values <= rcond * the largest count as 0. */
bool matrix_pseudo_inverse(int64_t m, int64_t n, const double *a, double rcond, double *inverse, Arena *arena);

/* x [n, count]: of all that minimise |a x - b| for each column of b [m, count], the shortest. */
bool matrix_least_squares(int64_t m, int64_t n, int64_t count, const double *a, const double *b, double rcond,
                          double *x, Arena *arena);

#endif
