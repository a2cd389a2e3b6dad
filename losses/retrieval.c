/* Losses of a score matrix [B, M], the column of each row's positive being its target. InfoNCE: van den Oord et al.
   2018. MW: Sheikholeslami et al. 2025, every positive against every negative of the batch. */
#include <math.h>

#include "core/base/threads.h"
#include "losses/rows.h"
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

ROW float infonce_row(const void *values, const LossRow *row, float *gradient)
{
    const float inverse = (float)(1 / ((const struct infonce *)values)->temperature);
    return row_margin_cross_entropy(row, inverse, row->logits[row->target], (RowMargin){0, inverse}, gradient);
}

LOSS_ROWS(infonce)

/* All B x B(M-1) pairs in one pass: for row r of the matrix the sum of softplus(-(positive - s) / T) over its
   negatives s and all positives, and both derivatives. Nothing of the size of the pairs is kept. */
typedef struct Pairs {
    const Tensor *scores;
    const int32_t *target;
    const double *positive;     /* [B] */
    double temperature, scale;  /* scale: what a sigmoid's slope counts */
    Tensor *slopes;             /* [B, M]: scale times the sum of sigmoids, 0 at the target */
    double *values;             /* [B]: a row's sum */
    double *by_positive;        /* [B, B]: of row r to positive i, the sum of sigmoids */
} Pairs;

static void pair_rows(void *context, int64_t begin, int64_t end)
{
    const Pairs *pairs = context;
    const int64_t rows = pairs->scores->shape[0], columns = pairs->scores->shape[1];
    for (int64_t r = begin; r < end; r++)
        for (int64_t k = 0; k < columns; k++) {
            if (k == pairs->target[r])
                continue;
            double score = tensor_value(pairs->scores, r * columns + k), sum = 0;
            for (int64_t i = 0; i < rows; i++) {
                double x = (score - pairs->positive[i]) / pairs->temperature, decay = exp(-fabs(x));
                double slope = (x > 0 ? 1 : decay) / (1 + decay);
                pairs->values[r] += fmax(x, 0) + log1p(decay);
                pairs->by_positive[r * rows + i] += slope;
                sum += slope;
            }
            tensor_set(pairs->slopes, r * columns + k, pairs->scale * sum);
        }
}

/* The same in single precision, of columns begin..end of a row; adds to `sums` [B] and `slopes` [M]. Sums of a block,
   which stays in the first cache for all positives, are short enough for floats. */
ROW double pair_block(const Pairs *pairs, const float *z, int64_t begin, int64_t end, double *sums, float *slopes)
{
    const float inverse = (float)(1 / pairs->temperature);
    double value = 0;
    for (int64_t i = 0; i < pairs->scores->shape[0]; i++) {
        const float positive = (float)pairs->positive[i];
        float cost = 0, sum = 0;
        ROW_SUM(cost, sum)
        for (int64_t k = begin; k < end; k++) {
            const float x = (z[k] - positive) * inverse;
            const RowLogistic of = row_logistic(x);
            cost += (x > 0 ? x : 0) + of.tail;
            sum += of.p;
            slopes[k] += of.p;
        }
        value += (double)cost;
        sums[i] += (double)sum;
    }
    return value;
}

ROW double pair_blocks(const Pairs *pairs, const LossRow *row, int64_t begin, int64_t end, float *slopes)
{
    enum { BLOCK = 256 };
    double *sums = pairs->by_positive + row->index * pairs->scores->shape[0], value = 0;
    for (; begin < end; begin += BLOCK)
        value += pair_block(pairs, row->logits, begin, begin + BLOCK < end ? begin + BLOCK : end, sums, slopes);
    return value;
}

ROW float mw_row(const void *values, const LossRow *row, float *slopes)
{
    const Pairs *pairs = values;
    const float scale = (float)pairs->scale;
    const int64_t columns = row->columns;
    pairs->values[row->index] = pair_blocks(pairs, row, 0, row->target, slopes) +
                                pair_blocks(pairs, row, row->target + 1, columns, slopes);
    ROW_LOOP
    for (int64_t k = 0; k < columns; k++)
        slopes[k] *= scale;
    return (float)pairs->values[row->index];
}

LOSS_ROWS(mw)

static void pair_rows_single(void *context, int64_t begin, int64_t end)
{
    const Pairs *pairs = context;
    const int64_t columns = pairs->scores->shape[1];
    const LossRowFunction run = loss_rows_function(&rows_mw, columns);
    for (int64_t r = begin; r < end; r++) {
        const LossRow row = {.index = r, .columns = columns, .logits = tensor_f32(pairs->scores) + r * columns,
                             .target = pairs->target[r]};
        run(pairs, &row, tensor_f32(pairs->slopes) + r * columns);
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
    const bool single = in->logits->type == ARRAY_F32;
    int64_t rows = in->logits->shape[0], columns = in->logits->shape[1];
    if (!single && rows * rows * columns <= PAIRS_HELD)
        return mw_held(self, in);
    double *positive = arena_zero(tape_arena(), (size_t)rows, sizeof *positive), share = share_of_pair(self, in);
    for (int64_t i = 0; i < rows; i++)
        positive[i] = tensor_value(in->logits, i * columns + tensor_i32(in->targets)[i]);
    Pairs pairs = {in->logits, tensor_i32(in->targets), positive, self->temperature, share / self->temperature,
                   t_zeros(in->logits->type, SHAPE(rows, columns)),
                   arena_zero(tape_arena(), (size_t)rows, sizeof(double)),
                   arena_zero(tape_arena(), (size_t)(rows * rows), sizeof(double))};
    parallel_for(rows, 1, single ? pair_rows_single : pair_rows, &pairs);

    double sum = 0;
    for (int64_t i = 0; i < rows; i++) {
        double slope = 0;
        for (int64_t r = 0; r < rows; r++)
            slope += pairs.by_positive[r * rows + i];
        tensor_set(pairs.slopes, i * columns + pairs.target[i], -pairs.scale * slope);
        sum += pairs.values[i];
    }
    return t_straight_through(t_scalar(in->logits->type, sum * share),
                              t_sum(t_mul(pairs.slopes, in->logits), ALL_AXES, false));
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
    .rows = &rows_infonce,
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
                      "negatives. In single precision, and above 2^20 pairs, counted as B B M, nothing of their "
                      "number is kept, and there is no second derivative."},
    .targets = LOSS_CLASSES,
    .whole_batch = true,
    .forward = mw,
    .examples = mw_examples,
};
