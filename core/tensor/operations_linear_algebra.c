/* Factorisations as operations, on batches [..., n, n]. They are computed in double whatever the type of the
   tensor; where one does not exist (a is singular, or not positive definite) its matrix is NaN. Derivatives:
   Giles, "Collected matrix derivative results" (2008), and for Cholesky's, Murray, arXiv:1602.07527. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/tensor/linear_algebra.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* ---- Batches in double ---- */

static int64_t order_of(const Tensor *a)
{
    assert(a->rank >= 2 && a->shape[a->rank - 1] == a->shape[a->rank - 2] && a->shape[a->rank - 1] > 0);
    return a->shape[a->rank - 1];
}

static void load(const Tensor *tensor, int64_t matrix, int64_t count, double *values)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = tensor_value(tensor, matrix * count + i);
}

static void save(Tensor *tensor, int64_t matrix, int64_t count, const double *values, bool exists)
{
    for (int64_t i = 0; i < count; i++)
        tensor_set(tensor, matrix * count + i, exists ? values[i] : (double)NAN);
}

/* Derivatives are composed in double too: what passes between two operations is not rounded. */
static Tensor *in_double(Tensor *tensor)
{
    return tensor->type == ARRAY_F64 ? tensor : t_cast(tensor, ARRAY_F64);
}

static Tensor *in_type_of(Tensor *tensor, const Tensor *like)
{
    return tensor->type == like->type ? tensor : t_cast(tensor, like->type);
}

/* ---- Samples: leaves in [-1, 1], from which `apply` makes matrices far from singular ---- */

static int sample_matrix(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 0: inputs[0] = sample_leaf(random, -1, 1, SHAPE(4, 4)); break;
    case 1: inputs[0] = sample_leaf(random, -1, 1, SHAPE(2, 3, 3)); break;
    case 2: inputs[0] = sample_leaf(random, -1, 1, SHAPE(1, 1)); break;
    default: inputs[0] = sample_leaf(random, -1, 1, SHAPE(0, 2, 2)); break;
    }
    return 1;
}

static Tensor *add_to_diagonal(Tensor *x)
{
    const int64_t n = order_of(x);
    Tensor *diagonal = t_zeros(x->type, SHAPE(n, n));
    for (int64_t i = 0; i < n; i++)
        tensor_set(diagonal, i * n + i, (double)n);
    return t_add(x, diagonal);
}

static Tensor *positive_definite(Tensor *x)
{
    return add_to_diagonal(t_matmul(x, x, false, true));
}

/* ---- Cholesky ---- */

/* With P the lower triangle of L^T dL, its diagonal halved: the symmetric part of L^-T P L^-1. */
static void backward_cholesky(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *lower = in_double(node->output);
    const int64_t n = order_of(lower);
    Tensor *half = t_zeros(ARRAY_F64, SHAPE(n, n)), *transposed = t_transpose(lower);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++)
            tensor_f64(half)[i * n + j] = i == j ? 0.5 : 1;
    Tensor *p = t_mul(t_matmul(lower, in_double(gradient), true, false), half);
    Tensor *s = t_transpose(t_solve(transposed, t_transpose(t_solve(transposed, p))));
    gradients[0] = in_type_of(t_scale(t_add(s, t_transpose(s)), 0.5), node->inputs[0]);
}

static Tensor *apply_cholesky(Tensor **inputs, int variant)
{
    (void)variant;
    return t_cholesky(positive_definite(inputs[0]));
}

const OperationDef operation_cholesky = {
    .component = {.name = "cholesky",
                  .summary = "the lower factor of a positive definite matrix",
                  .source = "arXiv:1602.07527"},
    .backward = backward_cholesky,
    .variants = 4,
    .inputs = sample_matrix,
    .apply = apply_cholesky,
};

Tensor *t_cholesky(Tensor *a)
{
    const int64_t n = order_of(a);
    const size_t bytes = (size_t)(n * n) * sizeof(double);
    double *work = arena_alloc(tape_arena(), bytes);
    Tensor *result = t_like(a);
    for (int64_t matrix = 0; matrix < a->count / (n * n); matrix++) {
        load(a, matrix, n * n, work);
        const bool exists = matrix_cholesky(n, work);
        save(result, matrix, n * n, work, exists);
    }
    arena_recycle(tape_arena(), work, bytes);
    op_record(&operation_cholesky, result, 1, &a, NULL, 0);
    return result;
}

/* ---- Solving ---- */

static void backward_solve(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *a = node->inputs[0], *db = t_solve(t_transpose(in_double(a)), in_double(gradient));
    if (op_wants(node, 0))
        gradients[0] = in_type_of(t_neg(t_matmul(db, in_double(node->output), false, true)), a);
    if (op_wants(node, 1))
        gradients[1] = in_type_of(db, node->inputs[1]);
}

static int sample_system(Random *random, int variant, Tensor **inputs)
{
    sample_matrix(random, variant, inputs);
    switch (variant) {
    case 0: inputs[1] = sample_leaf(random, -2, 2, SHAPE(4, 2)); break;
    case 1: inputs[1] = sample_leaf(random, -2, 2, SHAPE(2, 3, 1)); break;
    case 2: inputs[1] = sample_leaf(random, -2, 2, SHAPE(1, 1)); break;
    default: inputs[1] = sample_leaf(random, -2, 2, SHAPE(0, 2, 3)); break;
    }
    return 2;
}

static Tensor *apply_solve(Tensor **inputs, int variant)
{
    (void)variant;
    return t_solve(add_to_diagonal(inputs[0]), inputs[1]);
}

const OperationDef operation_solve = {
    .component = {.name = "solve", .summary = "x with a x = b, by elimination with pivots"},
    .backward = backward_solve, .variants = 4, .inputs = sample_system, .apply = apply_solve,
};

/* b NULL: the identity. */
static void solve_all(const Tensor *a, const Tensor *b, Tensor *x)
{
    const int64_t n = order_of(a), m = x->shape[x->rank - 1];
    const size_t bytes = (size_t)(n * (n + m)) * sizeof(double), pivot_bytes = (size_t)n * sizeof(int64_t);
    double *lu = arena_alloc(tape_arena(), bytes), *columns = lu + n * n;
    int64_t *pivot = arena_alloc(tape_arena(), pivot_bytes);
    for (int64_t matrix = 0; matrix < a->count / (n * n); matrix++) {
        load(a, matrix, n * n, lu);
        if (b)
            load(b, matrix, n * m, columns);
        else
            for (int64_t i = 0; i < n * n; i++)
                columns[i] = i % (n + 1) == 0;
        const bool exists = matrix_lu(n, lu, pivot);
        if (exists)
            matrix_lu_solve(n, lu, pivot, false, m, columns);
        save(x, matrix, n * m, columns, exists);
    }
    arena_recycle(tape_arena(), lu, bytes);
    arena_recycle(tape_arena(), pivot, pivot_bytes);
}

Tensor *t_solve(Tensor *a, Tensor *b)
{
    assert(a->type == b->type && a->rank == b->rank && b->shape[b->rank - 2] == order_of(a));
    assert(memcmp(a->shape, b->shape, (size_t)(a->rank - 2) * sizeof *a->shape) == 0);
    Tensor *result = t_like(b);
    solve_all(a, b, result);
    op_record(&operation_solve, result, 2, (Tensor *[]){a, b}, NULL, 0);
    return result;
}

/* ---- Inverse ---- */

static void backward_inverse(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *inverse = in_double(node->output);
    Tensor *product = t_matmul(t_matmul(inverse, in_double(gradient), true, false), inverse, false, true);
    gradients[0] = in_type_of(t_neg(product), node->inputs[0]);
}

static Tensor *apply_inverse(Tensor **inputs, int variant)
{
    (void)variant;
    return t_inverse(add_to_diagonal(inputs[0]));
}

const OperationDef operation_inverse = {
    .component = {.name = "inverse", .summary = "of a square matrix, by elimination with pivots"},
    .backward = backward_inverse, .variants = 4, .inputs = sample_matrix, .apply = apply_inverse,
};

Tensor *t_inverse(Tensor *a)
{
    Tensor *result = t_like(a);
    solve_all(a, NULL, result);
    op_record(&operation_inverse, result, 1, &a, NULL, 0);
    return result;
}

/* ---- Logarithm of the determinant ---- */

/* The inverse: of a symmetric matrix it is its own transpose. */
static void backward_log_determinant(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *a = node->inputs[0];
    int64_t shape[TENSOR_MAX_RANK] = {0};
    for (int i = 0; i < a->rank; i++)
        shape[i] = i < gradient->rank ? gradient->shape[i] : 1;
    Tensor *by = t_reshape(in_double(gradient), a->rank, shape);
    gradients[0] = in_type_of(t_mul(by, t_inverse(in_double(a))), a);
}

static Tensor *apply_log_determinant(Tensor **inputs, int variant)
{
    (void)variant;
    return t_log_determinant(positive_definite(inputs[0]));
}

const OperationDef operation_log_determinant = {
    .component = {.name = "log_determinant", .summary = "of a positive definite matrix"},
    .backward = backward_log_determinant, .variants = 4, .inputs = sample_matrix, .apply = apply_log_determinant,
};

Tensor *t_log_determinant(Tensor *a)
{
    const int64_t n = order_of(a);
    const size_t bytes = (size_t)(n * n) * sizeof(double);
    double *work = arena_alloc(tape_arena(), bytes);
    Tensor *result = t_new(a->type, a->rank - 2, a->shape);
    for (int64_t matrix = 0; matrix < result->count; matrix++) {
        load(a, matrix, n * n, work);
        const bool exists = matrix_cholesky(n, work);
        double sum = 0;
        for (int64_t i = 0; i < n && exists; i++)
            sum += 2 * log(work[i * n + i]);
        save(result, matrix, 1, &sum, exists);
    }
    arena_recycle(tape_arena(), work, bytes);
    op_record(&operation_log_determinant, result, 1, &a, NULL, 0);
    return result;
}
