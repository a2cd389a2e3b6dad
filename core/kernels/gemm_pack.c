#include "core/kernels/gemm_pack.h"

#include <string.h>

#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLE
#endif
#endif

typedef float Four __attribute__((vector_size(16)));
typedef float FourInMemory __attribute__((vector_size(16), aligned(4), may_alias));

/* to[p * width + line] = from[line * line_stride + p] for 4 lines and 4 p. */
static inline void transpose_4x4(int64_t width, const float *from, int64_t line_stride, float *to)
{
#ifdef HAVE_SHUFFLE
    const Four x0 = *(const FourInMemory *)from;
    const Four x1 = *(const FourInMemory *)(from + line_stride);
    const Four x2 = *(const FourInMemory *)(from + 2 * line_stride);
    const Four x3 = *(const FourInMemory *)(from + 3 * line_stride);
    const Four low01 = __builtin_shufflevector(x0, x1, 0, 4, 1, 5);
    const Four low23 = __builtin_shufflevector(x2, x3, 0, 4, 1, 5);
    const Four high01 = __builtin_shufflevector(x0, x1, 2, 6, 3, 7);
    const Four high23 = __builtin_shufflevector(x2, x3, 2, 6, 3, 7);
    *(FourInMemory *)to = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    *(FourInMemory *)(to + width) = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    *(FourInMemory *)(to + 2 * width) = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    *(FourInMemory *)(to + 3 * width) = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
#else
    for (int p = 0; p < 4; p++)
        for (int line = 0; line < 4; line++)
            to[p * width + line] = from[line * line_stride + p];
#endif
}

/* Lines that are contiguous along k. Four at a time, so that both reading and writing stay within few
   cache lines; strides that are powers of two would otherwise make all lines of a panel fall into one
   cache set. */
static void pack_lines(int64_t width, int64_t lines, int64_t k, const float *from,
                       int64_t line_stride, float *to)
{
    int64_t line = 0;
    for (; line + 4 <= lines; line += 4) {
        const float *x = from + line * line_stride;
        int64_t p = 0;
        for (; p + 4 <= k; p += 4)
            transpose_4x4(width, x + p, line_stride, to + p * width + line);
        for (; p < k; p++)
            for (int i = 0; i < 4; i++)
                to[p * width + line + i] = x[i * line_stride + p];
    }
    for (; line < lines; line++)
        for (int64_t p = 0; p < k; p++)
            to[p * width + line] = from[line * line_stride + p];
}

/* Lines that lie next to each other. */
static void pack_adjacent(int64_t width, int64_t lines, int64_t k, const float *from, int64_t k_stride, float *to)
{
    for (int64_t p = 0; p < k; p++)
        for (int64_t i = 0; i < lines; i++)
            to[p * width + i] = from[p * k_stride + i];
}

void pack_panel(int64_t width, int64_t lines, int64_t k, const float *from, int64_t line_stride, int64_t k_stride,
                float *to)
{
    if (line_stride == 1)
        pack_adjacent(width, lines, k, from, k_stride, to);
    else
        pack_lines(width, lines, k, from, line_stride, to);
    if (lines < width)
        for (int64_t p = 0; p < k; p++)
            memset(to + p * width + lines, 0, (size_t)(width - lines) * sizeof(float));
}
