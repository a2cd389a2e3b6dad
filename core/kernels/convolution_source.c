#include "core/kernels/convolution_source.h"

#include <string.h>

#include "core/kernels/kernels.h"

enum { BEYOND = 64 }; /* floats that a tile may read after the last one it needs */

static int64_t larger(int64_t x, int64_t y)
{
    return x > y ? x : y;
}

/* An odd number of cache lines, so that the same place of many channels does not fall into few sets. */
static int64_t odd_lines(int64_t floats)
{
    int64_t lines = (floats + 15) / 16;
    return (lines | 1) * 16;
}

int64_t source_place(const Source *source, const int64_t *padded)
{
    int64_t phase = 0, place = 0;
    for (int a = 0; a < 3; a++) {
        phase = phase * source->phases[a] + padded[a] % source->phases[a];
        place += padded[a] / source->phases[a] * source->step[a];
    }
    return phase * source->plane + place;
}

int64_t source_span(const Source *source, const int64_t *grid)
{
    int64_t last = 0;
    for (int a = 0; a < 3; a++)
        last += (grid[a] - 1) * source->step[a];
    return last + 1;
}

Source source_plan(int64_t channels, const int64_t *size, const int64_t *lead, const int64_t *phases,
                   const int64_t *grid, const int64_t *reach)
{
    Source source = {.channels = channels};
    int64_t step = 1, last_read = 0, last_kept = 0;
    for (int a = 2; a >= 0; a--) {
        int64_t s = phases[a];
        source.size[a] = size[a];
        source.lead[a] = lead[a];
        source.phases[a] = s;
        source.step[a] = step;
        last_read += reach[a] / s * step;
        last_kept += (size[a] + lead[a]) / s * step;
        /* Reading past the end of a row must end within the zeros that lead the next. */
        int64_t length = larger(size[a] + lead[a], reach[a] + 1 - lead[a]);
        step *= larger((length + s - 1) / s, grid[a]);
    }
    source.plane = larger(last_read, last_kept) + 1;
    source.channel = odd_lines(source.plane * phases[0] * phases[1] * phases[2]);
    source.total = channels * source.channel + BEYOND;
    return source;
}

static void fill_row(const Source *t, const float *x, const int64_t *padded, float *to)
{
    int64_t s = t->phases[2];
    if (s == 1) {
        memcpy(to + source_place(t, padded), x, (size_t)t->size[2] * sizeof(float));
        return;
    }
    for (int64_t first = 0; first < s && first < t->size[2]; first++) {
        float *place = to + source_place(t, (int64_t[]){padded[0], padded[1], padded[2] + first});
        for (int64_t i = first; i < t->size[2]; i += s)
            *place++ = x[i];
    }
}

/* One plane of a channel, whose rows are only moved apart where no axis has phases. */
static void fill_plane(const Source *t, const float *x, int64_t i0, float *to)
{
    const int64_t rows = t->size[1], width = t->size[2];
    int64_t padded[3] = {i0 + t->lead[0], t->lead[1], t->lead[2]};
    if (t->phases[1] == 1 && t->phases[2] == 1) {
        kernels()->convolution.copy_rows(rows, width, x, width, to + source_place(t, padded), t->step[1]);
        return;
    }
    for (int64_t i1 = 0; i1 < rows; i1++, padded[1]++)
        fill_row(t, x + i1 * width, padded, to);
}

void source_fill(const Source *t, const float *x, float *to, int64_t begin, int64_t end)
{
    for (int64_t c = begin; c < end; c++)
        for (int64_t i0 = 0; i0 < t->size[0]; i0++)
            fill_plane(t, x + (c * t->size[0] + i0) * t->size[1] * t->size[2], i0, to + c * t->channel);
}

void source_spread(const Source *t, const float *y, const int32_t *places, float *to, int64_t begin, int64_t end)
{
    const int64_t width = t->size[2], rows = t->size[1] / 2, n = width / 2;
    to += source_place(t, t->lead);
    for (int64_t c = begin; c < end; c++)
        kernels()->max_spread_2x2(rows, n, y + c * rows * n, places + c * rows * n, (t->channels - c - 1) * rows * n, 0,
                                  (int32_t)width, to + c * t->channel, t->step[1]);
}
