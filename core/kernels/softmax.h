/* Softmax of wide rows in two passes (Dukhan and Ablavatski 2020, arXiv:2001.04438): each exponential is a pair
   mantissa 2^exponent, sums of pairs cannot overflow, and so nobody has to look for the largest value first. */
#ifndef XENT_KERNELS_SOFTMAX_H
#define XENT_KERNELS_SOFTMAX_H

#include <stdbool.h>
#include <stdint.h>

/* Values of a row that are summed at once in single precision; rows are cut into such pieces whoever computes them,
   so the bits do not depend on threads. */
enum { SOFTMAX_PIECE = 1 << 14 };

/* sum 2^exponent */
typedef struct SoftmaxSum {
    double sum;
    float exponent;
} SoftmaxSum;

/* The sums of `count` pieces of a row together, in order. */
SoftmaxSum softmax_add(int64_t count, const SoftmaxSum *pieces);
/* Whether the pairs are exact: the largest value lies within 2^21 of 0 and none is NaN. Other rows take three
   passes. */
bool softmax_sum_is_exact(SoftmaxSum sum);

typedef struct SoftmaxKernels {
    /* y = softmax(x); y may be x, n >= 0. */
    void (*three_pass_row)(int64_t n, const float *x, float *y);
    /* The sum of a piece, n <= SOFTMAX_PIECE; y = exp(x) / whole, any n, written past the caches where `stream`. */
    SoftmaxSum (*sum_piece)(int64_t n, const float *x);
    void (*divide_piece)(int64_t n, const float *x, SoftmaxSum whole, bool stream, float *y);
    bool cheap_exponentials;    /* one instruction multiplies by a power of two: a second exponential may pay */
} SoftmaxKernels;

/* Two passes read the values twice and take two exponentials of each; three read the values twice, what is written
   once, and take one exponential. */
typedef enum SoftmaxPasses { SOFTMAX_BY_SHAPE, SOFTMAX_TWO_PASS, SOFTMAX_THREE_PASS } SoftmaxPasses;

/* y [rows, n] = softmax of each row of x; y may be x. By shape: whichever was measured to be faster. */
void softmax_rows(SoftmaxPasses passes, int64_t rows, int64_t n, const float *x, float *y);

#endif
