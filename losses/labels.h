/* What losses of scores [B, L] of very many labels share. A label is positive where its target is above 0; the target's
   value matters only to the draw of positives. */
#ifndef XENT_LOSSES_LABELS_H
#define XENT_LOSSES_LABELS_H

#include "losses/shared.h"

#define LABELS_SAMPLE_HELP "each row uses positives drawn in proportion to their targets; the others count for nothing"
#define LABELS_NOTES \
    "Logits are scores [B, L], already divided by the temperature; a label is positive where its target is above 0."

/* Of the element of [B, L]. */
bool label_is_positive(const LossInput *in, int64_t element);
/* How many the row has. */
int64_t labels_positive(const LossInput *in, int64_t row);
/* [B, L]: the positives that the loss is the mean over: all, or of each row so many that are drawn, [B]. */
bool *labels_used(const LossInput *in, const int64_t *drawn);
/* The mean over each row's used positives of terms [B, L], [B]. */
Tensor *labels_mean(const bool *used, Tensor *terms);
/* LossDef's `check`: that each row has a positive. */
bool labels_check(const void *self, const LossInput *in, Error *error);
/* LossDef's `sample`: each row has positives, and negatives where there are labels enough. */
void labels_sample(const void *self, Random *random, LossInput *in);

#endif
