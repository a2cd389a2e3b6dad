/* Elementary functions of floats without branches, for loops that the compiler is to vectorise: what kernels_isa.c does
   with vectors. Errors are at most 2 ulp, of log1p, expm1 and sigmoid 3, of softplus_tail 4. NaN gives NaN. */
#ifndef XENT_KERNELS_FLOAT_MATH_H
#define XENT_KERNELS_FLOAT_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/kernels/polynomials.h"

#define FLOAT_MATH static inline __attribute__((always_inline))

FLOAT_MATH int32_t float_bits(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

FLOAT_MATH float float_of_bits(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* -127 < n < 128; unsigned, as n of a NaN is anything. */
FLOAT_MATH float float_power_of_two(int32_t n)
{
    return float_of_bits((int32_t)((uint32_t)(n + 127) << 23));
}

/* x = n ln2 + r, |r| <= ln2 / 2; the scale 2^n in two halves, for results beyond the largest number. Below the smallest
   normal one they are 0: subnormal numbers, which softmaxes of distant logits are full of, take a hundred times as
   long. */
FLOAT_MATH float float_exp(float x)
{
    const float round_bias = 12582912.0F; /* 1.5 * 2^23: adding it rounds to an integer */
    const float least = -87.33654F;
    const int32_t nothing = x < least;
    x = x > 89.0F ? 89.0F : x;
    x = nothing ? least : x;
    const float biased = x * 1.44269504F + round_bias, n = biased - round_bias;
    const float r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
    const float p = EXP_POLYNOMIAL(r);
    const int32_t exponent = float_bits(biased) - float_bits(round_bias), half = exponent >> 1;
    const float result = (p * float_power_of_two(half)) * float_power_of_two(exponent - half);
    return nothing ? 0 : result;
}

/* x = m 2^e with m in [sqrt(1/2), sqrt(2)). -inf at 0, NaN below. */
FLOAT_MATH float float_log(float x)
{
    const int32_t small = x < 1.17549435e-38F ? 23 : 0;
    const float scaled = x > 0.0F ? (small ? x * 8388608.0F : x) : 1.0F;
    const int32_t bits = float_bits(scaled) - 0x3f3504f3;
    const float e = (float)((bits >> 23) - small);
    const float f = float_of_bits((bits & 0x7fffff) + 0x3f3504f3) - 1.0F, z = f * f;
    float p = LOG_POLYNOMIAL(f);
    p = p * f * z + e * -2.12194440e-4F;
    p = p - z * 0.5F;
    float y = (f + p) + e * 0.693359375F;
    y = x == 0.0F ? -INFINITY : y;
    y = x < 0.0F ? NAN : y;
    return x < INFINITY ? y : x;
}

/* x >= -1 and finite. The rounding error of 1 + x, divided by its derivative, is put back. */
FLOAT_MATH float float_log1p(float x)
{
    const float w = 1.0F + x;
    const float corrected = float_log(w) + (x - (w - 1.0F)) / w;
    return w == 0.0F ? -INFINITY : corrected;
}

FLOAT_MATH float float_expm1(float x)
{
    const float near = EXPM1_POLYNOMIAL(x), far = float_exp(x) - 1.0F;
    return fabsf(x) < 0.35F ? near : far;
}

/* 2 artanh(s) = log((1 + s) / (1 - s)), 0 <= s <= 1/3, by a polynomial of s^2 with a relative error of 5e-9. What is
   added to the square changes no result, and keeps it out of the subnormal numbers, which are slow. */
FLOAT_MATH float float_twice_artanh(float s)
{
    const float square = s * s + 1e-30F;
    float p = square * 0.280121654F + 0.280017704F;
    p = p * square + 0.400215298F;
    p = p * square + 0.666664183F;
    return s * (p * square) + (s + s);
}

/* log(1 + exp(-|x|)) = softplus(x) - max(x, 0) */
FLOAT_MATH float float_softplus_tail(float x)
{
    const float e = float_exp(-fabsf(x));
    return float_twice_artanh(e / (2.0F + e));
}

FLOAT_MATH float float_sigmoid(float x)
{
    const float e = float_exp(-fabsf(x));
    return (x < 0.0F ? e : 1.0F) / (1.0F + e);
}

#endif
