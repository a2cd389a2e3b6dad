/* Squared distances of one row to many, and their derivative. Part of kernels_isa.c. */

enum { DOUBLES = LANES / 2 };

typedef double DoubleVec __attribute__((vector_size(KERNEL_VECTOR_BYTES)));
typedef float HalfInMemory __attribute__((vector_size(KERNEL_VECTOR_BYTES / 2), aligned(4), may_alias));

/* What the vector extensions say at the end is made of halves by some compilers. */
INLINE DoubleVec load_doubles(const float *x)
{
#if KERNEL_VECTOR_BYTES == 64
    return (DoubleVec)_mm512_cvtps_pd(_mm256_loadu_ps(x));
#elif KERNEL_VECTOR_BYTES == 32
    return (DoubleVec)_mm256_cvtps_pd(_mm_loadu_ps(x));
#else
    return __builtin_convertvector(*(const HalfInMemory *)x, DoubleVec);
#endif
}

INLINE double sum_doubles(DoubleVec v)
{
    double sum = 0;
    for (int i = 0; i < DOUBLES; i++)
        sum += v[i];
    return sum;
}

#define ZERO_DISTANCE(row) DoubleVec sum##row = {0};
#define ADD_DISTANCE(row)                                        \
    {                                                            \
        const DoubleVec apart = here - load_doubles(y + row * stride + i); \
        sum##row += apart * apart;                               \
    }
#define FINISH_DISTANCE(row)                                     \
    {                                                            \
        double rest = 0;                                         \
        for (int64_t k = i; k < n; k++) {                        \
            const double apart = (double)x[k] - (double)y[row * stride + k]; \
            rest += apart * apart;                               \
        }                                                        \
        result[row] += sum_doubles(sum##row) + rest;             \
    }
#define FOUR_DISTANCES(X) X(0) X(1) X(2) X(3)
#define ONE_DISTANCE(X) X(0)
#define DEFINE_DISTANCES(name, EACH)                                                           \
    INLINE void name(int64_t n, int64_t stride, const float *x, const float *y, double *result) \
    {                                                                                          \
        int64_t i = 0;                                                                         \
        EACH(ZERO_DISTANCE)                                                                    \
        for (; i + DOUBLES <= n; i += DOUBLES) {                                               \
            const DoubleVec here = load_doubles(x + i);                                        \
            EACH(ADD_DISTANCE)                                                                 \
        }                                                                                      \
        EACH(FINISH_DISTANCE)                                                                  \
    }

DEFINE_DISTANCES(four_distances, FOUR_DISTANCES)
DEFINE_DISTANCES(one_distance, ONE_DISTANCE)

static void squared_distances(int64_t n, int64_t stride, const float *x, int64_t rows, const float *y, double *result)
{
    int64_t j = 0;
    for (; j + 4 <= rows; j += 4)
        four_distances(n, stride, x, y + j * stride, result + j);
    for (; j < rows; j++)
        one_distance(n, stride, x, y + j * stride, result + j);
}

static void weighted_differences(int64_t n, int64_t stride, const float *x, int64_t rows, const float *y,
                                 const float *weights, float *result)
{
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        const Vec here = load(x + i), next = load(x + i + LANES);
        Vec sum = {0}, sum_next = {0};
        for (int64_t j = 0; j < rows; j++) {
            sum += weights[j] * (here - load(y + j * stride + i));
            sum_next += weights[j] * (next - load(y + j * stride + i + LANES));
        }
        store(result + i, sum);
        store(result + i + LANES, sum_next);
    }
    for (; i < n; i++) {
        float sum = 0;
        for (int64_t j = 0; j < rows; j++)
            sum += weights[j] * (x[i] - y[j * stride + i]);
        result[i] = sum;
    }
}
