/* Losses corrected by a known matrix of label noise M, M[true][noisy]: forward, the model's probabilities go through
   M; backward, the loss goes through its inverse. Patrini et al. 2017. */
#include <math.h>
#include <string.h>

#include "core/tensor/linear_algebra.h"
#include "losses/rows.h"
#include "losses/shared.h"

/* Derived from the key: M [classes, classes], and its inverse; NULL where there is no key, or no inverse. */
struct noise_correction { const cJSON *noise_matrix; int64_t classes; const double *matrix, *inverse; };

static const Param params[] = {
    PARAM_JSON(struct noise_correction, noise_matrix, "null",
               .help = "rows: true class, columns: probability of each noisy class; null: the extra of that name"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    const cJSON *matrix = ((const struct noise_correction *)values)->noise_matrix, *row, *value;
    if (cJSON_IsNull(matrix) || !matrix)
        return true;
    bool good = cJSON_IsArray(matrix);
    cJSON_ArrayForEach(row, matrix)
    {
        good = good && cJSON_IsArray(row) && cJSON_GetArraySize(row) == cJSON_GetArraySize(matrix);
        cJSON_ArrayForEach(value, row) good = good && cJSON_IsNumber(value);
    }
    return good || fail_usage(error, "noise_matrix: expected a square matrix, a list of lists of numbers");
}

static void derive_matrix(void *values, Arena *arena)
{
    struct noise_correction *self = values;
    const cJSON *row, *value;
    if (!cJSON_IsArray(self->noise_matrix))
        return;
    self->classes = cJSON_GetArraySize(self->noise_matrix);
    double *matrix = arena_zero(arena, (size_t)(self->classes * self->classes), sizeof *matrix), *next = matrix;
    cJSON_ArrayForEach(row, self->noise_matrix)
        cJSON_ArrayForEach(value, row) *next++ = value->valuedouble;
    self->matrix = matrix;
}

/* In the arena; NULL: it is singular. */
static double *inverse_of(int64_t classes, const double *matrix, Arena *arena)
{
    const size_t count = (size_t)(classes * classes);
    double *factors = memory_array(count, sizeof *factors), *inverse = arena_zero(arena, count, sizeof *inverse);
    int64_t *pivot = memory_array((size_t)classes, sizeof *pivot);
    memcpy(factors, matrix, count * sizeof *factors);
    bool regular = matrix_lu(classes, factors, pivot);
    for (int64_t k = 0; k < classes; k++)
        inverse[k * classes + k] = 1;
    if (regular)
        matrix_lu_solve(classes, factors, pivot, false, classes, inverse);
    memory_free(pivot);
    memory_free(factors);
    return regular ? inverse : NULL;
}

static void derive_inverse(void *values, Arena *arena)
{
    struct noise_correction *self = values;
    derive_matrix(values, arena);
    if (self->matrix)
        self->inverse = inverse_of(self->classes, self->matrix, arena);
}

/* [C, C], of the extra in the tape's arena, or of the key. */
static const double *matrix_of(const struct noise_correction *self, const LossInput *in)
{
    const Tensor *extra = loss_extra(in, "noise_matrix");
    if (!extra)
        return self->matrix;
    double *matrix = arena_alloc(tape_arena(), (size_t)extra->count * sizeof *matrix);
    for (int64_t i = 0; i < extra->count; i++)
        matrix[i] = tensor_value(extra, i);
    return matrix;
}

static bool check(const void *values, const LossInput *in, Error *error)
{
    const struct noise_correction *self = values;
    const Tensor *extra = loss_extra(in, "noise_matrix");
    int64_t classes = loss_columns(in);
    if (!extra && !cJSON_IsArray(self->noise_matrix))
        return fail_usage(error, "noise_matrix: give the key or the extra");
    if (extra && cJSON_IsArray(self->noise_matrix))
        return fail_usage(error, "noise_matrix: give the key or the extra, not both");
    bool square = extra ? extra->rank == 2 && extra->shape[0] == classes && extra->shape[1] == classes
                        : cJSON_GetArraySize(self->noise_matrix) == classes;
    int status = extra ? STATUS_FAILED : STATUS_USAGE;
    if (!square)
        fail(error, "noise_matrix: expected [%lld, %lld], a row and a column a class", (long long)classes,
             (long long)classes);
    const double *matrix = square ? matrix_of(self, in) : NULL;
    for (int64_t row = 0; square && row < classes; row++) {
        double sum = 0, least = 0;
        for (int64_t k = 0; k < classes; k++) {
            sum += matrix[row * classes + k];
            least = fmin(least, matrix[row * classes + k]);
        }
        square = least >= 0 && fabs(sum - 1) <= 1e-3;
        if (!square)
            fail(error, "noise_matrix: row %lld is not a distribution, its sum is %g", (long long)row, sum);
    }
    if (!square)
        error->status = status;
    return square;
}

static bool check_backward(const void *values, const LossInput *in, Error *error)
{
    if (!check(values, in, error))
        return false;
    const struct noise_correction *self = values;
    return self->inverse || inverse_of(loss_columns(in), matrix_of(self, in), tape_arena()) ||
        fail(error, "noise_matrix: it is singular, so it has no inverse");
}

/* Column y of M for each sample's y, [N, C], where log 0 is -infinity. */
static Tensor *log_columns(const struct noise_correction *self, const LossInput *in)
{
    Tensor *matrix = loss_extra(in, "noise_matrix");
    int64_t classes = loss_columns(in);
    if (!matrix)
        matrix = loss_constants(in->logits, (FloatList){classes * classes, self->matrix});
    matrix = t_reshape(matrix, SHAPE(classes, classes));
    Tensor *zero = t_scalar(matrix->type, 0), *positive = t_less(zero, matrix);
    Tensor *logs = t_where(positive, t_log(t_where(positive, matrix, t_scalar(matrix->type, 1))),
                           t_scalar(matrix->type, -INFINITY));
    return t_index_select(t_transpose(logs), in->targets);
}

static Tensor *forward_correction(const void *self, const LossInput *in)
{
    return t_neg(t_log_sum_exp(t_add(t_log_softmax(in->logits), log_columns(self, in)), -1, false));
}

static Tensor *backward_correction(const void *values, const LossInput *in)
{
    const struct noise_correction *self = values;
    int64_t classes = loss_columns(in);
    const double *inverse = self->inverse ? self->inverse : inverse_of(classes, matrix_of(self, in), tape_arena());
    Tensor *rows = t_reshape(loss_constants(in->logits, (FloatList){classes * classes, inverse}),
                             SHAPE(classes, classes));
    return t_neg(t_sum(t_mul(t_index_select(rows, in->targets), t_log_softmax(in->logits)), -1, false));
}

/* ---- In closed form ---- */

/* With w_k = z_k - max z + log M_ky: softmax(z) - softmax(w). */
ROW float forward_correction_row(const void *values, const LossRow *row, float *gradient)
{
    const struct noise_correction *self = values;
    const Tensor *extra = loss_extra(row->in, "noise_matrix");
    const int64_t columns = row->columns;
    const float *z = row->logits, *from = extra ? tensor_f32(extra) + row->target : NULL;
    const double *matrix = extra ? NULL : self->matrix + row->target;
    float *w = row->scratch;
    for (int64_t k = 0; k < columns; k++)
        w[k] = extra ? from[k * columns] : (float)matrix[k * columns];
    const RowSum all = row_log_sum_exp(row);
    ROW_LOOP
    for (int64_t k = 0; k < columns; k++)
        w[k] = (z[k] - all.largest) + float_log(w[k]);
    const RowSum mixed = row_log_sum_exp_of(w, columns);
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++)
        gradient[k] = float_exp((z[k] - all.largest) - all.log_sum) - float_exp((w[k] - mixed.largest) - mixed.log_sum);
    return all.log_sum - (mixed.largest + mixed.log_sum);
}

static bool has_inverse(const void *values, const LossInput *in)
{
    return ((const struct noise_correction *)values)->inverse && !loss_extra(in, "noise_matrix");
}

ROW float backward_correction_row(const void *values, const LossRow *row, float *gradient)
{
    const struct noise_correction *self = values;
    const int64_t columns = row->columns;
    const double *inverse = self->inverse + row->target * columns;
    float *c = row->scratch;
    ROW_LOOP
    for (int64_t k = 0; k < columns; k++)
        c[k] = (float)inverse[k];
    return row_cross_entropy(row, c, gradient);
}

LOSS_ROWS(forward_correction, .scratch = 1)
LOSS_ROWS(backward_correction, .scratch = 1, .takes = has_inverse)

/* A tenth of the samples of a class are given any of the classes. */
static void sample(const void *values, Random *random, LossInput *in)
{
    (void)random;
    if (cJSON_IsArray(((const struct noise_correction *)values)->noise_matrix))
        return;
    int64_t classes = loss_columns(in);
    Tensor *matrix = t_full(ARRAY_F64, SHAPE(classes, classes), 0.1 / (double)classes);
    for (int64_t c = 0; c < classes; c++)
        tensor_set(matrix, c * classes + c, 0.9 + 0.1 / (double)classes);
    loss_set_extra(in, "noise_matrix", matrix);
}

static const char *const extras[] = {"noise_matrix?", NULL};
static const char *const forward_examples[] = {
    "{\"type\": \"forward_correction\", \"noise_matrix\": [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0, 0, 1]]}", NULL};
static const char *const backward_examples[] = {
    "{\"type\": \"backward_correction\", \"noise_matrix\": [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0, 0, 1]]}", NULL};

const LossDef loss_forward_correction = {
    .component = {.name = "forward_correction",
                  .summary = "cross-entropy of probabilities sent through the label noise",
                  .params = params, .size = sizeof(struct noise_correction), .source = "arXiv:1609.03683",
                  .formula = "-log (p M)_y",
                  .notes = "M is the key noise_matrix or the extra of that name [C, C], rows the true class. The "
                           "gradient "
                           "by an entry of M that is 0 is given as 0.",
                  .validate = validate, .derive = derive_matrix},
    .targets = LOSS_CLASSES, .extras = extras, .properties = LOSS_TRANSLATION_INVARIANT, .forward = forward_correction,
    .rows = &rows_forward_correction, .sample = sample,
    .check = check, .examples = forward_examples, .square = true,
};

const LossDef loss_backward_correction = {
    .component = {.name = "backward_correction", .summary = "cross-entropy corrected by the inverse of the label noise",
                  .params = params, .size = sizeof(struct noise_correction), .source = "arXiv:1609.03683",
                  .formula = "sum_k (M^-1)_{y k} (-log p_k)",
                  .notes = "M is the key noise_matrix or the extra of that name [C, C], rows the true class. There is "
                           "no gradient by M, and of an extra the inverse is computed at every call. The loss may "
                           "be negative and has no lower bound.",
                  .validate = validate, .derive = derive_inverse},
    .targets = LOSS_CLASSES, .extras = extras, .properties = LOSS_TRANSLATION_INVARIANT, .forward = backward_correction,
    .rows = &rows_backward_correction, .sample = sample,
    .check = check_backward, .examples = backward_examples, .square = true,
};
