#include "losses/labels.h"

bool label_is_positive(const LossInput *in, int64_t element)
{
    return tensor_value(in->targets, element) > 0;
}

int64_t labels_positive(const LossInput *in, int64_t row)
{
    int64_t labels = loss_columns(in), count = 0;
    for (int64_t l = row * labels; l < (row + 1) * labels; l++)
        count += label_is_positive(in, l);
    return count;
}

/* Marks one more positive of the row as used, with probability in proportion to its target. */
static void draw(const LossInput *in, int64_t row, Random *random, bool *used)
{
    int64_t labels = loss_columns(in), first = row * labels, last = -1;
    double left = 0;
    for (int64_t l = first; l < first + labels; l++)
        left += used[l] ? 0 : tensor_value(in->targets, l);
    left *= random_uniform(random);
    for (int64_t l = first; l < first + labels && left >= 0; l++)
        if (!used[l] && label_is_positive(in, l)) {
            last = l;
            left -= tensor_value(in->targets, l);
        }
    used[last] = true;
}

bool *labels_used(const LossInput *in, const int64_t *drawn)
{
    bool *used = arena_zero(tape_arena(), (size_t)in->logits->count, sizeof *used);
    for (int64_t i = 0; !drawn && i < in->logits->count; i++)
        used[i] = label_is_positive(in, i);
    Random random = in->random;
    for (int64_t row = 0; drawn && row < in->logits->shape[0]; row++) {
        const int64_t positives = labels_positive(in, row);
        for (int64_t i = 0; i < drawn[row] && i < positives; i++)
            draw(in, row, &random, used);
    }
    return used;
}

Tensor *labels_mean(const bool *used, Tensor *terms)
{
    int64_t labels = terms->shape[1];
    Tensor *shares = t_zeros(terms->type, SHAPE(terms->shape[0], labels));
    for (int64_t row = 0; row < terms->shape[0]; row++) {
        int64_t count = 0;
        for (int64_t l = row * labels; l < (row + 1) * labels; l++)
            count += used[l];
        for (int64_t l = row * labels; l < (row + 1) * labels; l++)
            if (used[l])
                tensor_set(shares, l, 1 / (double)count);
    }
    return t_sum(t_mul(shares, terms), -1, false);
}

bool labels_check(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    for (int64_t row = 0; row < in->logits->shape[0]; row++)
        if (labels_positive(in, row) == 0)
            return fail(error, "targets: row %lld has no positive label", (long long)row);
    return true;
}

void labels_sample(const void *self, Random *random, LossInput *in)
{
    (void)self;
    int64_t rows = in->logits->shape[0], labels = in->logits->shape[1];
    in->targets = t_zeros(ARRAY_F64, SHAPE(rows, labels));
    for (int64_t row = 0; row < rows; row++)
        for (int64_t positives = labels > 3 ? row % 3 + 1 : 1; positives > 0; positives--)
            tensor_set(in->targets, row * labels + random_below(random, labels), 1);
}
