/* Arithmetic at its fastest, to measure the machine with: part of kernels_isa.c. */

enum { PEAK_CHAINS = 12 };

/* x = factor x + term, `rounds` times in each lane of 12 vectors: as many independent chains as hide the latency
   of the operation. The result keeps the compiler from leaving anything out. */
static float multiply_add_chains(int64_t rounds, float factor, float term)
{
    Vec x[PEAK_CHAINS];
    const Vec by = splat(factor), plus = splat(term);
    for (int i = 0; i < PEAK_CHAINS; i++)
        x[i] = splat((float)i);
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < PEAK_CHAINS; i++)
            x[i] = x[i] * by + plus;
    Vec sum = x[0];
    for (int i = 1; i < PEAK_CHAINS; i++)
        sum += x[i];
    return sum_lanes(sum);
}
