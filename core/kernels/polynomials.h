/* Polynomials of the elementary functions, for floats and for vectors of them: what kernels_isa.c and float_math.h
   share. Arguments are names, as they are read several times. */
#ifndef XENT_KERNELS_POLYNOMIALS_H
#define XENT_KERNELS_POLYNOMIALS_H

/* e^r, |r| <= ln2 / 2 */
#define EXP_POLYNOMIAL(r)                                                                                             \
    (((((((r * 1.9875691500e-4F + 1.3981999507e-3F) * r + 8.3334519073e-3F) * r + 4.1665795894e-2F) * r +             \
        1.6666665459e-1F) * r + 5.0000001201e-1F) * (r * r) + r) + 1.0F)

/* (log(1 + f) - f + f^2 / 2) / f^3, sqrt(1/2) <= 1 + f < sqrt(2) */
#define LOG_POLYNOMIAL(f)                                                                                             \
    ((((((((f * 7.0376836292e-2F + -1.1514610310e-1F) * f + 1.1676998740e-1F) * f + -1.2420140846e-1F) * f +          \
         1.4249322787e-1F) * f + -1.6668057665e-1F) * f + 2.0000714765e-1F) * f + -2.4999993993e-1F) * f +            \
     3.3333331174e-1F)

/* e^x - 1, |x| < 0.35: Taylor's series, as the difference would cancel. */
#define EXPM1_POLYNOMIAL(x)                                                                                           \
    ((((((x * (1.0F / 5040) + 1.0F / 720) * x + 1.0F / 120) * x + 1.0F / 24) * x + 1.0F / 6) * x + 0.5F) * (x * x) +  \
     x)

#endif
