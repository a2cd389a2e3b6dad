/* Every operation on tensors. Floating arguments of one call have one type (F32 or F64), and so has the
   result. Shapes are asserted: layers check what users wrote before they get here. `axis` counts from 0,
   or from the end when negative. Broadcasting is numpy's: aligned at the last dimension, 1 stretches. */
#ifndef XENT_TENSOR_OPERATIONS_H
#define XENT_TENSOR_OPERATIONS_H

#include "core/base/random.h"
#include "core/kernels/elementwise.h"
#include "core/tensor/tensor.h"

/* Elementwise, two tensors, broadcasting (operations_binary.c, operations_compare.c). */
Tensor *t_add(Tensor *a, Tensor *b);
Tensor *t_sub(Tensor *a, Tensor *b);
Tensor *t_mul(Tensor *a, Tensor *b);
Tensor *t_div(Tensor *a, Tensor *b);
Tensor *t_maximum(Tensor *a, Tensor *b);        /* a tie sends half of the gradient to each; NaN if one is */
Tensor *t_minimum(Tensor *a, Tensor *b);
Tensor *t_pow(Tensor *a, Tensor *b);            /* a > 0 where b is not an integer */
Tensor *t_atan2(Tensor *y, Tensor *x);
Tensor *t_where(Tensor *condition, Tensor *a, Tensor *b); /* condition I32, not 0: a; all broadcast */
/* Comparisons give I32 0 or 1, and have no gradient; they take I32 too. */
Tensor *t_less(Tensor *a, Tensor *b);
Tensor *t_less_equal(Tensor *a, Tensor *b);
Tensor *t_equal(Tensor *a, Tensor *b);

/* Elementwise, one tensor (operations_unary.c, operations_activations.c, operations_identity.c). */
Tensor *t_neg(Tensor *x);
Tensor *t_scale(Tensor *x, double factor);
Tensor *t_add_scalar(Tensor *x, double term);
Tensor *t_pow_scalar(Tensor *x, double exponent);
Tensor *t_square(Tensor *x);
Tensor *t_sqrt(Tensor *x);
Tensor *t_rsqrt(Tensor *x);
Tensor *t_reciprocal(Tensor *x);
Tensor *t_abs(Tensor *x);                       /* derivative 0 at 0 */
Tensor *t_sign(Tensor *x);                      /* derivative 0 */
Tensor *t_exp(Tensor *x);
Tensor *t_expm1(Tensor *x);
Tensor *t_log(Tensor *x);
Tensor *t_log1p(Tensor *x);
Tensor *t_xlogx(Tensor *x);                     /* 0 at 0, and its derivative too: p log p under a softmax */
Tensor *t_sin(Tensor *x);
Tensor *t_cos(Tensor *x);
Tensor *t_acos(Tensor *x);
Tensor *t_tanh(Tensor *x);
Tensor *t_erf(Tensor *x);
Tensor *t_sigmoid(Tensor *x);
Tensor *t_log_sigmoid(Tensor *x);
Tensor *t_softplus(Tensor *x);                  /* max(x, 0) + log1p(exp(-|x|)) */
Tensor *t_softplus_inverse(Tensor *x);          /* x > 0 */
Tensor *t_relu(Tensor *x);                      /* derivative 0 at 0 */
Tensor *t_leaky_relu(Tensor *x, double slope);
Tensor *t_elu(Tensor *x, double alpha);
Tensor *t_gelu(Tensor *x);                      /* x Phi(x) by erf */
Tensor *t_gelu_tanh(Tensor *x);
Tensor *t_silu(Tensor *x);
Tensor *t_hard_sigmoid(Tensor *x);              /* clamp(x + 3, 0, 6) / 6 */
Tensor *t_clamp(Tensor *x, double low, double high); /* derivative 0 outside; infinities: no bound */
Tensor *t_round(Tensor *x);                     /* half to even; derivative 0 */
Tensor *t_round_straight_through(Tensor *x);    /* derivative 1 */
Tensor *t_straight_through(Tensor *forward, Tensor *gradient_to); /* value of the first, gradient to the second */
Tensor *t_detach(Tensor *x);                    /* same elements, no gradient */
Tensor *t_reverse_gradient(Tensor *x, double factor); /* identity; gradient times -factor */
Tensor *t_clamp_gradient(Tensor *x, double bound);    /* identity; gradient clamped to [-bound, bound] */
Tensor *t_cast(Tensor *x, ArrayType type);      /* F32 <-> F64 has a gradient; to I32 truncates */

/* Reductions (operations_reduce.c, operations_extrema.c). A kept axis has size 1. Axis ALL_AXES: over
   everything, rank 0. */
enum { ALL_AXES = 127 };
Tensor *t_sum(Tensor *x, int axis, bool keep);
Tensor *t_mean(Tensor *x, int axis, bool keep);
Tensor *t_max(Tensor *x, int axis, bool keep);  /* gradient to the first largest; NaN is above all, in t_min below */
Tensor *t_min(Tensor *x, int axis, bool keep);
Tensor *t_log_sum_exp(Tensor *x, int axis, bool keep); /* of nothing but -inf: -inf, zero gradient */
Tensor *t_variance(Tensor *x, int axis, bool keep);    /* divided by n */
Tensor *t_norm(Tensor *x, int axis, bool keep);        /* Euclidean; derivative 0 at 0 */
Tensor *t_cumulative_sum(Tensor *x, int axis);
Tensor *t_sum_to(Tensor *x, int rank, const int64_t *shape); /* undoes broadcasting */
Tensor *t_broadcast_to(Tensor *x, int rank, const int64_t *shape);

/* Shapes (operations_shape.c, operations_permute.c). */
Tensor *t_reshape(Tensor *x, int rank, const int64_t *shape); /* one size may be -1; no copy */
Tensor *t_permute(Tensor *x, const int *order);         /* order[rank]: axis i of the result is order[i] of x */
Tensor *t_transpose(Tensor *x);                         /* swaps the last two axes */
Tensor *t_slice(Tensor *x, int axis, int64_t begin, int64_t end);
Tensor *t_concat(int count, Tensor *const *parts, int axis);
Tensor *t_pad(Tensor *x, int axis, int64_t before, int64_t after, double value);
Tensor *t_roll(Tensor *x, int axis, int64_t shift);     /* element i moves to (i + shift) mod n */
Tensor *t_flip(Tensor *x, int axis);

/* Indices (operations_index.c, operations_sort.c); indices are I32, in range (asserted) and have no gradient.
   Where several positions name one element, they are added in their order. */
Tensor *t_pick(Tensor *x, Tensor *index);               /* x [..., C], index [...] -> [...] */
Tensor *t_gather(Tensor *x, int axis, Tensor *index);   /* index has x's shape but along axis */
Tensor *t_scatter(Tensor *values, int axis, Tensor *index, int64_t size); /* values added to zeros: undoes t_gather */
Tensor *t_scatter_add(Tensor *into, int axis, Tensor *index, Tensor *values); /* a copy of `into` with values added */
Tensor *t_index_select(Tensor *x, Tensor *index);       /* rows: x [N, ...], index [...] -> [index..., ...] */
Tensor *t_one_hot(Tensor *index, int64_t classes, ArrayType type); /* [...] -> [..., classes]; out of range: zeros */
Tensor *t_segment_sum(Tensor *x, Tensor *segment, int64_t segments); /* x [N, ...] -> [segments, ...] */
Tensor *t_segment_mean(Tensor *x, Tensor *segment, int64_t segments); /* empty: 0 */
Tensor *t_argmax(Tensor *x, int axis);                  /* I32, the first largest; the axis is dropped */
/* Stable, descending when told to; values carry the gradient. order (I32) may be NULL. Last axis. */
Tensor *t_sort(Tensor *x, bool descending, Tensor **order);
Tensor *t_top_k(Tensor *x, int64_t k, Tensor **order);  /* last axis: the k largest, largest first */

/* Products (operations_matrix.c). */
/* op(a) [.., M, K] times op(b) [.., K, N] -> [.., M, N]; leading axes equal, or one of the two of rank 2 is shared. */
Tensor *t_matmul(Tensor *a, Tensor *b, bool transpose_a, bool transpose_b);
/* x [..., in], weight [out, in], bias [out] or NULL -> [..., out]. */
Tensor *t_linear(Tensor *x, Tensor *weight, Tensor *bias);
/* The activation of it, one that unary_of knows, in one pass (operations_linear_fused.c). */
Tensor *t_linear_activated(Tensor *x, Tensor *weight, Tensor *bias, UnaryKernel activation);

/* Distances (operations_distance.c). [N, D], [M, D] -> [N, M], F64 of either type, never below 0. */
Tensor *t_pairwise_squared_distances(Tensor *a, Tensor *b);

/* Convolution (operations_convolution.c): x [N, C, spatial...], weight [out, C/groups, kernel...]; 1 to 3
   spatial axes; the arrays of the options have one entry for each. Zero padding. */
typedef struct ConvolutionOptions {
    int64_t stride[3], padding[3], dilation[3], output_padding[3], groups; /* output_padding: transposed only */
} ConvolutionOptions;
int64_t convolution_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation);
Tensor *t_convolution(Tensor *x, Tensor *weight, Tensor *bias, const ConvolutionOptions *options);
/* max(convolution, 0) in one pass, as t_relu; and the largest of each 2 x 2 places over two axes, as t_max_pool with
   stride 2, before the maximum with 0 where `rectified` (operations_convolution_fused.c). */
Tensor *t_convolution_relu(Tensor *x, Tensor *weight, Tensor *bias, const ConvolutionOptions *options);
Tensor *t_convolution_max_pool(Tensor *x, Tensor *weight, Tensor *bias, const ConvolutionOptions *options,
                               bool rectified);
/* weight [C, out/groups, kernel...]: the transpose of the above. */
Tensor *t_convolution_transposed(Tensor *x, Tensor *weight, Tensor *bias, const ConvolutionOptions *options);

/* Pooling (operations_max_pool.c, operations_average_pool.c): x [N, C, spatial...]. */
typedef struct PoolingOptions {
    int64_t kernel[3], stride[3], padding[3];
    bool count_padding;     /* average: padded zeros count */
} PoolingOptions;
Tensor *t_max_pool(Tensor *x, const PoolingOptions *options); /* ties: first */
Tensor *t_average_pool(Tensor *x, const PoolingOptions *options);
Tensor *t_adaptive_average_pool(Tensor *x, const int64_t *sizes); /* bin i covers floor(i n/s) .. ceil((i+1) n/s) */
Tensor *t_adaptive_max_pool(Tensor *x, const int64_t *sizes);
/* operations_resize.c: results at (i + 0.5) H/height - 0.5, or with align_corners at i (H - 1)/(height - 1). */
Tensor *t_resize_bilinear(Tensor *x, int64_t height, int64_t width, bool align_corners); /* x [N, C, H, W] */

/* Softmax family (operations_softmax.c, operations_sparsemax.c), over the last axis. */
Tensor *t_softmax(Tensor *x);
Tensor *t_log_softmax(Tensor *x);
Tensor *t_sparsemax(Tensor *x);                         /* Martins and Astudillo 2016 */
Tensor *t_entmax15(Tensor *x);                          /* Peters et al. 2019, alpha 1.5 */
/* Fused: x [N, C], index [N] I32 (outside 0..C-1: ignored, 0) -> [N] nats. */
Tensor *t_softmax_cross_entropy(Tensor *x, Tensor *index);
/* Fused: x [N, C], index [N, K] I32 in 0..C-1 -> [N, K], log softmax(x) in nats of these columns. */
Tensor *t_log_probabilities(Tensor *x, Tensor *index);

/* Normalisation (operations_norm.c). scale and shift [C] may be NULL. */
Tensor *t_layer_norm(Tensor *x, Tensor *scale, Tensor *shift, double epsilon);   /* over the last axis */
Tensor *t_rms_norm(Tensor *x, Tensor *scale, double epsilon);                    /* over the last axis */
Tensor *t_group_norm(Tensor *x, int64_t groups, Tensor *scale, Tensor *shift, double epsilon); /* x [N, C, ...] */
/* x [N, C, ...]; batch statistics; mean and variance (divided by n) of the batch [C] are returned
   detached through the pointers, which may be NULL. */
Tensor *t_batch_norm(Tensor *x, Tensor *scale, Tensor *shift, double epsilon, Tensor **mean, Tensor **variance);
/* With given statistics [C] (no gradient to them). */
Tensor *t_batch_norm_fixed(Tensor *x, Tensor *scale, Tensor *shift, Tensor *mean, Tensor *variance, double epsilon);

/* Attention (operations_attention.c): query [N, T, H, D], key and value [N, S, H_kv, D], as linear layers leave them,
   H a multiple of H_kv; softmax(scale q k^T + slope_h (j - i - (S - T)) + mask) v -> [N, T, H, D]. Blocked with an
   online softmax: memory linear in T and S. mask [T, S] or [N, 1|H, T, S] is added (NULL: none) and may have a
   gradient. A row that sees nothing gives zeros. Second derivatives do form the scores. */
typedef struct AttentionOptions {
    double scale;               /* usually 1/sqrt(D) */
    bool causal;                /* position i sees j <= i + S - T */
    const float *alibi_slopes;  /* [H] or NULL */
    double rope_base;           /* > 0: q and k are turned by rotary positions, i + S - T and j; 0: they are not */
} AttentionOptions;
Tensor *t_attention(Tensor *query, Tensor *key, Tensor *value, Tensor *mask, const AttentionOptions *options);
/* Rotary positions (operations_rotate_positions.c; Su et al. 2021): x [N, T, H, D], pairs (i, i + D/2), angle
   (first + t) base^(-2i/D); back: the opposite angle, which is the inverse and the transpose. */
Tensor *t_rotate_positions(Tensor *x, int64_t first, double base);
Tensor *t_rotate_positions_back(Tensor *x, int64_t first, double base);

/* Dropout (operations_random.c): a value is kept with probability 1 - rate and divided by it; draws are a
   function of where `random` stands, counted in blocks (what it has buffered is passed over). Axes from `axes`
   on share one draw (1: drop path, 2: whole channels; 6: none). Rate 0: x itself. */
Tensor *t_dropout(Tensor *x, double rate, int axes, Random random);
Tensor *t_random_normal(ArrayType type, int rank, const int64_t *shape, Random random);  /* constants */
Tensor *t_random_uniform(ArrayType type, int rank, const int64_t *shape, Random random); /* [0, 1) */

/* Fused: embedding rows are t_index_select; its gradient is a scatter by sorted index (same bits always). */

/* Cut cross-entropy (operations_cut_cross_entropy.c; Wijmans et al. 2024): embeddings [N, D], weight [V, D],
   bias [V] or NULL, targets [N] I32 (outside 0..V-1: ignored, 0) -> [N] nats, without the logits. Second derivatives do
   form the logits, all of them. */
typedef struct CutCrossEntropyOptions {
    double softcap;             /* c > 0: logits are c tanh(z / c); 0: none */
    double z_loss;              /* a >= 0: a lse^2 is added to a token's loss, lse its log-sum-exp */
    /* e > 0: gradients leave out blocks of logits where |softmax - one hot| < e everywhere (of doubles, single logits;
       that by the embeddings of floats, where the softmax over the words so far is below e, and never the target's own
       term unless e > 1), so that of a token is off by at most g e (sum of the |weight| left out), that of a word
       likewise; 0: exact. From about 1/V on a filter takes all that a flat softmax pushes down; 2^-28 is below what
       floats resolve. The loss is never filtered. */
    double filter;
    bool compensated;           /* sums of floats over chunks of words and tokens keep their rounding errors (2Sum) */
    bool full_embeddings, full_weight; /* the gradient by these (the bias goes with the weight) is exact all the same */
    bool sorted;                /* words meet the filter in the order of their mean logits (before the softcap), so
                                   that those that it drops lie together; the loss depends on it by rounding */
} CutCrossEntropyOptions;
/* options NULL: zeros. */
Tensor *t_linear_cross_entropy(Tensor *embeddings, Tensor *weight, Tensor *bias, Tensor *targets,
                               const CutCrossEntropyOptions *options);

/* Recurrence (operations_recurrent.c). Gated recurrent units: projected [T, N, 3 n] holds x W_x' + b of every step,
   gates in the order r, u, c; weight [3 n, n] is W_h. From h = 0, with s the logistic function and p of `projected`,
       r = s(p_r + h W_r'), u = s(p_u + h W_u'), h <- u h + (1 - u) c,
       c = tanh(p_c + (r h) W_c')              (Cho et al. 2014), or with reset_after
       c = tanh(p_c + r (h W_c' + bias)),      bias [n], else NULL.
   -> the states [T, N, n], T >= 1. No second derivatives. */
Tensor *t_gru(Tensor *projected, Tensor *weight, Tensor *bias, bool reset_after);

/* Recomputation (operations_recompute.c): function(context, x), of which only x and the result are kept; backward calls
   it a second time. It must make the same result from the same x, may read parameters, and may leave nothing of its
   tape behind. `context` must live as long as the tape is not reset. No second derivatives. While nothing is recorded
   its intermediate results are handed back at once. */
Tensor *t_recompute(Tensor *(*function)(void *context, Tensor *x), void *context, Tensor *x);

/* Small matrices (operations_linear_algebra.c): batches [..., n, n], n >= 1; one thread, plain loops, in double for
   either type. Where the result does not exist its matrix is NaN. Of what is said to be symmetric the lower
   triangle is read, and the gradient is symmetric. */
Tensor *t_cholesky(Tensor *a);                          /* lower; a symmetric positive definite */
Tensor *t_solve(Tensor *a, Tensor *b);                  /* a [..., n, n], b [..., n, m] */
Tensor *t_inverse(Tensor *a);
Tensor *t_log_determinant(Tensor *a);                   /* of a positive definite */

#endif
