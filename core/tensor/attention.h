/* What the two element types of attention share. query is [batch, queries, heads, width], key and value [batch, keys,
   key_heads, width]: as a linear layer leaves them. Row i of head h, for i in 0..queries-1, reads the keys of
   head h / (heads / key_heads). */
#ifndef XENT_TENSOR_ATTENTION_H
#define XENT_TENSOR_ATTENTION_H

#include "core/tensor/tensor.h"

typedef struct Attention {
    int64_t batch, heads, key_heads, queries, keys, width;
    double scale;
    bool causal;
    const float *slopes;                        /* [heads] or NULL */
    int64_t mask_batch_stride, mask_head_stride; /* 0 where the mask is shared; its rows are `keys` long */
} Attention;

/* How many keys row i sees: the first ones. */
static inline int64_t attention_visible(const Attention *shape, int64_t i)
{
    const int64_t end = i + shape->keys - shape->queries + 1;
    return !shape->causal || end > shape->keys ? shape->keys : end > 0 ? end : 0;
}

static inline double attention_slope(const Attention *shape, int64_t head)
{
    return shape->slopes ? (double)shape->slopes[head] : 0;
}

/* Where row i of a head begins. */
static inline int64_t attention_query_at(const Attention *shape, int64_t n, int64_t head, int64_t i)
{
    return ((n * shape->queries + i) * shape->heads + head) * shape->width;
}

/* Where key j begins that a head of queries reads. */
static inline int64_t attention_key_at(const Attention *shape, int64_t n, int64_t head, int64_t j)
{
    const int64_t group = shape->heads / shape->key_heads;
    return ((n * shape->keys + j) * shape->key_heads + head / group) * shape->width;
}

/* output is like query; parts [batch, heads, queries, 2] is the log-sum-exp of each row as
   a sum of two: the largest score and the logarithm of the rest, so that large scores leave the second its bits.
   A row that sees nothing gives zeros, and infinity for the first part: then exp(score - parts) is 0. */
void attention_single(const Attention *shape, const Tensor *query, const Tensor *key, const Tensor *value,
                      const Tensor *mask, Tensor *output, Tensor *parts);
void attention_double(const Attention *shape, const Tensor *query, const Tensor *key, const Tensor *value,
                      const Tensor *mask, Tensor *output, Tensor *parts);

/* With p the softmax, delta_i = dout_i . out_i and ds = p (dout v^T - delta) (Dao et al. 2022, appendix B):
   dq = scale ds k, dk = scale ds^T q, dv = p^T dout, dmask = ds. Gradients that are not wanted are NULL. */
typedef struct AttentionGradient {
    const Tensor *query, *key, *value, *mask, *output, *parts, *gradient;
    Tensor *dquery, *dkey, *dvalue, *dmask;
} AttentionGradient;
void attention_gradient_single(const Attention *shape, const AttentionGradient *work);
void attention_gradient_double(const Attention *shape, const AttentionGradient *work);

/* y = x [N, T, H, D] turned by rotary positions (t_rotate_positions), or turned back; y may be x. */
void rotate_positions(const Tensor *x, int64_t first, double base, bool back, Tensor *y);

#endif
