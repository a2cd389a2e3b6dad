#include "core/kernels/softmax.h"

#include <math.h>

SoftmaxSum softmax_add(int64_t count, const SoftmaxSum *pieces)
{
    SoftmaxSum whole = {0, -INFINITY};
    for (int64_t i = 0; i < count; i++)
        whole.exponent = pieces[i].exponent > whole.exponent ? pieces[i].exponent : whole.exponent;
    for (int64_t i = 0; i < count; i++)
        whole.sum += ldexp(pieces[i].sum, (int)(pieces[i].exponent - whole.exponent));
    return whole;
}

/* Values below -2^21 count as 0: right where the largest is 200 above. */
bool softmax_sum_is_exact(SoftmaxSum sum)
{
    return sum.sum > 0 && isfinite(sum.sum) && sum.exponent > -3025000.0F;
}
