/* Losses corrected by a known matrix of label noise M, M[true][noisy]: forward, the model's probabilities go through
   M; backward, the loss goes through its inverse. Patrini et al. 2017. */
#include <math.h>
#include <stdlib.h>

#include "core/tensor/linear_algebra.h"
#include "losses/shared.h"

struct noise_correction { const cJSON *noise_matrix; };

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

/* [C, C] in double, in the tape's arena, from the extra or the key. */
static double *matrix_of(const struct noise_correction *self, const LossInput *in)
{
    int64_t classes = loss_columns(in), i = 0;
    double *matrix = arena_zero(tape_arena(), (size_t)(classes * classes), sizeof *matrix);
    const Tensor *extra = loss_extra(in, "noise_matrix");
    const cJSON *row, *value;
    for (; extra && i < classes * classes; i++)
        matrix[i] = tensor_value(extra, i);
    if (!extra)
        cJSON_ArrayForEach(row, self->noise_matrix)
            cJSON_ArrayForEach(value, row) matrix[i++] = value->valuedouble;
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
    int64_t classes = loss_columns(in), *pivot = arena_alloc(tape_arena(), (size_t)classes * sizeof *pivot);
    return matrix_lu(classes, matrix_of(values, in), pivot) ||
        fail(error, "noise_matrix: it is singular, so it has no inverse");
}

/* Column y of M for each sample's y, [N, C], where log 0 is -infinity. */
static Tensor *log_columns(const struct noise_correction *self, const LossInput *in)
{
    Tensor *matrix = loss_extra(in, "noise_matrix");
    int64_t classes = loss_columns(in);
    if (!matrix)
        matrix = t_cast(t_wrap(ARRAY_F64, SHAPE(classes, classes), matrix_of(self, in)), in->logits->type);
    Tensor *zero = t_scalar(matrix->type, 0), *positive = t_less(zero, matrix);
    Tensor *logs = t_where(positive, t_log(t_where(positive, matrix, t_scalar(matrix->type, 1))),
                           t_scalar(matrix->type, -INFINITY));
    return t_index_select(t_transpose(logs), in->targets);
}

static Tensor *forward_correction(const void *self, const LossInput *in)
{
    return t_neg(t_log_sum_exp(t_add(t_log_softmax(in->logits), log_columns(self, in)), -1, false));
}

static Tensor *backward_correction(const void *self, const LossInput *in)
{
    int64_t classes = loss_columns(in), *pivot = arena_alloc(tape_arena(), (size_t)classes * sizeof *pivot);
    double *matrix = matrix_of(self, in), *inverse = arena_zero(tape_arena(), (size_t)(classes * classes),
                                                                sizeof *inverse);
    for (int64_t k = 0; k < classes; k++)
        inverse[k * classes + k] = 1;
    matrix_lu(classes, matrix, pivot);
    matrix_lu_solve(classes, matrix, pivot, false, classes, inverse);
    Tensor *rows = t_index_select(t_cast(t_wrap(ARRAY_F64, SHAPE(classes, classes), inverse), in->logits->type),
                                  in->targets);
    return t_neg(t_sum(t_mul(rows, t_log_softmax(in->logits)), -1, false));
}

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
                  .validate = validate},
    .targets = LOSS_CLASSES, .extras = extras, .properties = LOSS_TRANSLATION_INVARIANT, .forward = forward_correction,
    .check = check, .examples = forward_examples, .square = true,
    .sample = sample,
};

const LossDef loss_backward_correction = {
    .component = {.name = "backward_correction", .summary = "cross-entropy corrected by the inverse of the label noise",
                  .params = params, .size = sizeof(struct noise_correction), .source = "arXiv:1609.03683",
                  .formula = "sum_k (M^-1)_{y k} (-log p_k)",
                  .notes = "M is the key noise_matrix or the extra of that name [C, C], rows the true class. There is "
                           "no "
                           "gradient by M. The loss may be negative and has no lower bound.",
                  .validate = validate},
    .targets = LOSS_CLASSES, .extras = extras, .properties = LOSS_TRANSLATION_INVARIANT, .forward = backward_correction,
    .check = check_backward, .examples = backward_examples, .square = true,
    .sample = sample,
};
