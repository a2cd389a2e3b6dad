/* Losses of a score matrix [B, M], the column of each row's positive being its target. InfoNCE: van den Oord et al.
   2018. MW: Sheikholeslami et al. 2025, every positive against every negative of the batch. */
#include <math.h>

#include "core/base/threads.h"
#include "losses/shared.h"

enum { MEAN, SUM_NEG };
static const char *const reductions[] = {"mean", "sum_neg", NULL};

struct infonce { double temperature; };
struct mw { double temperature; int reduction; };

static const Param infonce_params[] = {
    PARAM_FLOAT(struct infonce, temperature, 0.1, .min = 1e-6, .help = "divides the scores"),
    PARAM_END
};
static const Param mw_params[] = {
    PARAM_FLOAT(struct mw, temperature, 0.1, .min = 1e-6, .help = "divides the differences of scores"),
    PARAM_ENUM(struct mw, reduction, "mean", .choices = reductions, .help = "over the negatives; sum_neg: their sum"),
    PARAM_END
};

static Tensor *infonce(const void *values, const LossInput *in)
{
    return loss_cross_entropy_of(in, t_scale(in->logits, 1 / ((const struct infonce *)values)->temperature));
}

/* All B x B(M-1) pairs in one pass: for row r of the matrix the sum of softplus(-(positive - s) / T) over its
   negatives s and all positives, and both derivatives. Nothing of the size of the pairs is kept. */
typedef struct Pairs {
    const Tensor *scores;
    const int32_t *target;
    const double *positive;     /* [B] */
    double temperature;
    double *values;             /* [B]: a row's sum */
    double *by_negative;        /* [B, M]: minus the sum of sigmoids, 0 at the target */
    double *by_positive;        /* [B, B]: of row r to positive i */
} Pairs;

static void pair_rows(void *context, int64_t begin, int64_t end)
{
    const Pairs *pairs = context;
    int64_t rows = pairs->scores->shape[0], columns = pairs->scores->shape[1];
    for (int64_t r = begin; r < end; r++)
        for (int64_t k = 0; k < columns; k++) {
            if (k == pairs->target[r])
                continue;
            double score = tensor_value(pairs->scores, r * columns + k);
            for (int64_t i = 0; i < rows; i++) {
                double x = (score - pairs->positive[i]) / pairs->temperature, decay = exp(-fabs(x));
                double slope = (x > 0 ? 1 : decay) / (1 + decay);
                pairs->values[r] += fmax(x, 0) + log1p(decay);
                pairs->by_negative[r * columns + k] += slope;
                pairs->by_positive[r * rows + i] += slope;
            }
        }
}

/* Up to so many pairs are held as tensors, which have every derivative. */
enum { PAIRS_HELD = 1 << 20 };

/* 1 / what the sum over pairs is divided by. */
static double share_of_pair(const struct mw *self, const LossInput *in)
{
    const double rows = (double)in->logits->shape[0], negatives = (double)in->logits->shape[1] - 1;
    return 1 / (self->reduction == MEAN && negatives > 0 ? rows * rows * negatives : rows);
}

/* [B, B M] pairs, of which those with a positive instead of a negative count 0. */
static Tensor *mw_held(const struct mw *self, const LossInput *in)
{
    int64_t rows = in->logits->shape[0], columns = in->logits->shape[1];
    Tensor *negative = t_full(in->logits->type, SHAPE(1, rows * columns), 1);
    for (int64_t i = 0; i < rows; i++)
        tensor_set(negative, i * columns + tensor_i32(in->targets)[i], 0);
    Tensor *positive = t_reshape(t_pick(in->logits, in->targets), SHAPE(rows, 1));
    Tensor *differences = t_sub(t_reshape(in->logits, SHAPE(1, rows * columns)), positive);
    Tensor *terms = t_mul(t_softplus(t_scale(differences, 1 / self->temperature)), negative);
    return t_scale(t_sum(terms, ALL_AXES, false), share_of_pair(self, in));
}

/* The value of the sum over pairs, and a tensor that carries its gradient: <slopes, scores>. */
static Tensor *mw(const void *values, const LossInput *in)
{
    const struct mw *self = values;
    int64_t rows = in->logits->shape[0], columns = in->logits->shape[1];
    if (rows * rows * columns <= PAIRS_HELD)
        return mw_held(self, in);
    double *positive = arena_zero(tape_arena(), (size_t)rows, sizeof *positive);
    for (int64_t i = 0; i < rows; i++)
        positive[i] = tensor_value(in->logits, i * columns + tensor_i32(in->targets)[i]);
    Pairs pairs = {in->logits, tensor_i32(in->targets), positive, self->temperature,
                   arena_zero(tape_arena(), (size_t)rows, sizeof(double)),
                   arena_zero(tape_arena(), (size_t)(rows * columns), sizeof(double)),
                   arena_zero(tape_arena(), (size_t)(rows * rows), sizeof(double))};
    parallel_for(rows, 1, pair_rows, &pairs);

    double scale = share_of_pair(self, in), sum = 0;
    Tensor *slopes = t_like(in->logits);
    for (int64_t i = 0; i < slopes->count; i++)
        tensor_set(slopes, i, scale / self->temperature * pairs.by_negative[i]);
    for (int64_t i = 0; i < rows; i++) {
        double slope = 0;
        for (int64_t r = 0; r < rows; r++)
            slope += pairs.by_positive[r * rows + i];
        tensor_set(slopes, i * columns + pairs.target[i], -scale / self->temperature * slope);
        sum += pairs.values[i];
    }
    return t_straight_through(t_scalar(in->logits->type, sum * scale), t_sum(t_mul(slopes, in->logits), ALL_AXES,
                                                                             false));
}

static const char *const mw_examples[] = {"\"mw\"",
                                          "{\"type\": \"mw\", \"temperature\": 1, \"reduction\": \"sum_neg\"}", NULL};

const LossDef loss_infonce = {
    .component = {.name = "infonce", .summary = "cross-entropy of the positive among a row's scores",
                  .params = infonce_params,
                  .size = sizeof(struct infonce), .source = "arXiv:1807.03748",
                      .formula = "-log softmax(s / T)_positive",
                  .notes = "Logits are scores [B, M], targets the positive's column."},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT, .forward = infonce,
};

const LossDef loss_mw = {
    .component = {.name = "mw",
                  .summary = "every positive score against every negative of the batch, a bound of 1 - AUC",
                  .params = mw_params,
                  .size = sizeof(struct mw),
                  .source = "arXiv:2510.00137",
                  .formula = "mean over i and all negatives s of the batch of softplus(-(s_i+ - s) / T)",
                  .notes =
                      "Logits are scores [B, M], targets the positive's column; the other columns of all rows are "
                      "negatives. Above 2^20 pairs, counted as B B M, nothing of their number is kept, and there is "
                      "no second derivative."},
    .targets = LOSS_CLASSES,
    .whole_batch = true,
    .forward = mw,
    .examples = mw_examples,
};
