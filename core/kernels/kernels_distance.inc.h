/* Squared distances of one row to many. Part of kernels_isa.c. */

#define ZERO_DISTANCE(row) Vec sum##row = {0};
#define ADD_DISTANCE(row)                                        \
    {                                                            \
        const Vec apart = here - load(y + row * n + i);          \
        sum##row += apart * apart;                               \
    }
#define FINISH_DISTANCE(row)                                     \
    {                                                            \
        float rest = 0;                                          \
        for (int64_t k = i; k < n; k++)                          \
            rest += (x[k] - y[row * n + k]) * (x[k] - y[row * n + k]); \
        result[row] = sum_lanes(sum##row) + rest;                \
    }
#define FOUR_DISTANCES(X) X(0) X(1) X(2) X(3)
#define ONE_DISTANCE(X) X(0)
#define DEFINE_DISTANCES(name, EACH)                                                \
    INLINE void name(int64_t n, const float *x, const float *y, float *result)      \
    {                                                                               \
        int64_t i = 0;                                                              \
        EACH(ZERO_DISTANCE)                                                         \
        for (; i + LANES <= n; i += LANES) {                                        \
            const Vec here = load(x + i);                                           \
            EACH(ADD_DISTANCE)                                                      \
        }                                                                           \
        EACH(FINISH_DISTANCE)                                                       \
    }

DEFINE_DISTANCES(four_distances, FOUR_DISTANCES)
DEFINE_DISTANCES(one_distance, ONE_DISTANCE)

static void squared_distances(int64_t n, const float *x, int64_t rows, const float *y, float *result)
{
    int64_t j = 0;
    for (; j + 4 <= rows; j += 4)
        four_distances(n, x, y + j * n, result + j);
    for (; j < rows; j++)
        one_distance(n, x, y + j * n, result + j);
}
