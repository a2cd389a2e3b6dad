/* Cauchy-Schwarz information bottleneck for regression: the conditional divergence of predictions from targets, and the
   quadratic mutual information between inputs and representation, from Gram matrices of the batch. Yu et al. 2024. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "losses/shared.h"

enum { SUM_SQUARES, SQUARED_SUM };
static const char *const denominators[] = {"sum_sq", "sq_sum", NULL};
static const char *const bases[] = {"e", "2", NULL};

struct cs_ib {
    double sigma_y, sigma_t; Weight beta;
    const cJSON *sigma_x;
    int cond_denominator, log_base;
    bool normalize_qmi;
};

static const Param params[] = {
    PARAM_WEIGHT(struct cs_ib, beta, 0.01, .min = 0, .help = "factor of the mutual information of x and features"),
    PARAM_JSON(struct cs_ib, sigma_x, "1",
               .help = "width of the kernel of inputs; or \"median10\": ten times the median of squared distances"),
    PARAM_FLOAT(struct cs_ib, sigma_y, 1, .min = 1e-6, .help = "width of the kernel of targets and predictions"),
    PARAM_FLOAT(struct cs_ib, sigma_t, 1, .min = 1e-6, .help = "width of the kernel of features"),
    PARAM_ENUM(struct cs_ib, cond_denominator, "sum_sq", .choices = denominators,
               .help = "what a row's terms are divided by: sum of squares (the authors' code) or square of the sum "
                       "(their paper)"),
    PARAM_BOOL(struct cs_ib, normalize_qmi, true,
               .help = "divide the mutual information by the root of those of x and features with themselves"),
    PARAM_ENUM(struct cs_ib, log_base, "e", .choices = bases, .help = "of the logarithms"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    const cJSON *sigma = ((const struct cs_ib *)values)->sigma_x;
    bool median = cJSON_IsString(sigma) && strcmp(sigma->valuestring, "median10") == 0;
    return median || (cJSON_IsNumber(sigma) && sigma->valuedouble >= 1e-6) ||
           fail_usage(error, "sigma_x: expected a number above 0 or \"median10\"");
}

static bool check(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    int64_t n = in->logits->shape[0];
    const Tensor *x = loss_extra(in, "x"), *t = in->features;
    if (in->targets->count != in->logits->count)
        return fail(error, "targets: cs_ib is for values, as many as predictions (%lld a sample)",
                    (long long)in->logits->shape[1]);
    if (x->rank < 1 || x->shape[0] != n || x->count == 0)
        return fail(error, "x: expected %lld rows, the inputs of the model", (long long)n);
    if (!t)
        return fail_usage(error, "cs_ib needs features, the representation that is compressed");
    return (t->rank >= 1 && t->shape[0] == n && t->count > 0) ||
           fail(error, "features: expected %lld rows, as the logits", (long long)n);
}

static Tensor *rows(Tensor *x, ArrayType type)
{
    return t_cast(t_reshape(x, SHAPE(x->shape[0], x->count / x->shape[0])), type);
}

/* Logarithms of the Gaussian kernel, [N, N], in double: the loss is a small difference of logarithms of large sums. */
static Tensor *log_gram(Tensor *a, Tensor *b, double sigma)
{
    return t_scale(t_pairwise_squared_distances(a, b), -0.5 / (sigma * sigma));
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The authors' rule: the sample is doubled, so the strict lower triangle holds every pair four times and N zeros; the
   lower median of squared distances, their mean where it is 0, at least 0.01, times 10. */
static double median_width(Tensor *x)
{
    int64_t n = x->shape[0], count = n * (2 * n - 1), at = 0;
    Tensor *constant = t_detach(x), *squared = t_pairwise_squared_distances(constant, constant);
    double *sorted = arena_zero(tape_arena(), (size_t)count, sizeof *sorted), sum = 0;
    for (int64_t i = 0; i < 2 * n; i++)
        for (int64_t j = 0; j < i; j++) {
            sorted[at] = tensor_value(squared, i % n * n + j % n);
            sum += sorted[at++];
        }
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    double median = sorted[(count - 1) / 2];
    return 10 * fmax(median > 0 ? median : sum / (double)count, 1e-2);
}

/* log sum_ji exp(K_ji + L_ji - den_j). */
static Tensor *log_total(Tensor *log_k, Tensor *log_l, Tensor *log_denominator)
{
    return t_log_sum_exp(t_sub(t_add(log_k, log_l), log_denominator), ALL_AXES, false);
}

static Tensor *conditional_divergence(const struct cs_ib *self, Tensor *log_k, Tensor *y, Tensor *predicted)
{
    Tensor *denominator = self->cond_denominator == SUM_SQUARES ? t_log_sum_exp(t_scale(log_k, 2), -1, true)
                                                                : t_scale(t_log_sum_exp(log_k, -1, true), 2);
    Tensor *a = log_total(log_k, log_gram(y, y, self->sigma_y), denominator);
    Tensor *b = log_total(log_k, log_gram(predicted, predicted, self->sigma_y), denominator);
    Tensor *c = log_total(log_k, log_gram(predicted, y, self->sigma_y), denominator);
    return t_sub(t_add(a, b), t_scale(c, 2));
}

/* Logarithms of a Gram matrix, of the sums of its rows [N], of their sum. */
typedef struct LogSums { Tensor *log, *rows, *total; } LogSums;

static LogSums log_sums(Tensor *log_gram)
{
    Tensor *rows = t_log_sum_exp(log_gram, -1, false);
    return (LogSums){log_gram, rows, t_log_sum_exp(rows, ALL_AXES, false)};
}

/* log mean(K Q) + log (mean K mean Q) - 2 log mean_i(mean_j K_ij mean_j Q_ij); the powers of N cancel. */
static Tensor *mutual_information(LogSums k, LogSums q)
{
    Tensor *joint = t_log_sum_exp(t_add(k.log, q.log), ALL_AXES, false), *apart = t_add(k.total, q.total);
    return t_sub(t_add(joint, apart), t_scale(t_log_sum_exp(t_add(k.rows, q.rows), ALL_AXES, false), 2));
}

static Tensor *compression(const struct cs_ib *self, Tensor *log_k, Tensor *log_q)
{
    const LogSums k = log_sums(log_k), q = log_sums(log_q);
    Tensor *shared = mutual_information(k, q);
    if (!self->normalize_qmi)
        return shared;
    /* Neither is negative, but by rounding. */
    Tensor *own = t_relu(t_mul(mutual_information(k, k), mutual_information(q, q)));
    return t_mul(shared, t_rsqrt(t_add_scalar(own, 1e-8)));
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct cs_ib *self = values;
    const ArrayType type = in->logits->type;
    Tensor *x = rows(loss_extra(in, "x"), type), *t = rows(in->features, type);
    Tensor *predicted = rows(in->logits, type), *y = rows(in->targets, type);
    double sigma_x = cJSON_IsNumber(self->sigma_x) ? self->sigma_x->valuedouble : median_width(x);
    Tensor *log_k = log_gram(x, x, sigma_x);
    Tensor *divergence = conditional_divergence(self, log_k, y, predicted);
    Tensor *information = compression(self, log_k, log_gram(t, t, self->sigma_t));
    double unit = self->log_base ? 1 / M_LN2 : 1;
    /* A ratio of logarithms has no base. */
    double unit_of_information = self->normalize_qmi ? 1 : unit;
    double beta = weight_at(&self->beta, &in->at);
    Tensor *sum = t_add(t_scale(divergence, unit), t_scale(information, beta * unit_of_information));
    return t_cast(sum, type);
}

static void sample(const void *self, Random *random, LossInput *in)
{
    (void)self;
    in->features = t_random_normal(ARRAY_F64, SHAPE(in->logits->shape[0], 4), *random);
}

static const char *const extras[] = {"x", NULL};
static const char *const examples[] = {
    "\"cs_ib\"", "{\"type\": \"cs_ib\", \"beta\": 1, \"cond_denominator\": \"sq_sum\", \"log_base\": \"2\"}",
    "{\"type\": \"cs_ib\", \"sigma_x\": \"median10\", \"normalize_qmi\": false}", NULL};

const LossDef loss_cs_ib = {
    .component = {.name = "cs_ib", .summary = "information bottleneck of regression by Cauchy-Schwarz divergences",
                  .params = params, .size = sizeof(struct cs_ib), .source = "arXiv:2404.17951",
                  .formula = "D_CS(p(y|x); q(yhat|x)) + beta I_CS(x; t) / sqrt(I_CS(x; x) I_CS(t; t) + 1e-8)",
                  .notes = "Logits are predictions [N, K], targets values of as many; features the representation t "
                           "[N, ...], the extra x [N, ...] the inputs. The loss is one value of the batch, of at "
                           "least 2 samples. Standardise x and y; far-off predictions have almost no gradient. The "
                           "estimate of the divergence can lie a little below 0.",
                  .validate = validate},
    .targets = LOSS_VALUES, .extras = extras, .whole_batch = true, .least_samples = 2,
    .forward = forward, .check = check,
    .examples = examples, .sample = sample,
};
