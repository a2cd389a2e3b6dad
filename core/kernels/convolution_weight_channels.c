/* The weight gradient with vectors along the channels of the result: places of the image are multiplied with rows of
   the gradient, turned round so that its channels lie together, and added up in registers for a tile of taps. A task
   takes a part of the images and a share of the columns. Parts have sums of their own, which are added in their
   order: how many there are follows from the shape alone. */
#include "core/kernels/convolution_weight.h"

#include <string.h>

#include "core/base/integers.h"
#include "core/base/threads.h"
#include "core/kernels/convolution_source.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/kernels.h"

/* Tasks that loops are cut into; floats of all sums; of the rows of the gradient that the first cache holds. */
enum { TASKS = 16, SUM_FLOATS = 1 << 20, GRADIENT_FLOATS = 6 * 1024, COLUMNS_TOGETHER = 48 };

typedef struct Outer {
    const ConvolutionShape *shape;
    const Kernels *kernels;
    Source source;
    const float *x, *y;
    const int32_t *places;          /* not NULL: y holds values and these their places, see convolution.h */
    float *weight, *sums;           /* sums: [parts, groups, panels, columns, nr] */
    int64_t *offsets;               /* [columns] of a group: channel and place of the kernel */
    ConvolutionRun *runs;           /* of an image, one for each row of the grid */
    int64_t in, out, taps, columns; /* channels of a group; its columns of the result */
    int64_t panels, parts, shares;  /* panels: of nr channels, in a group */
    int64_t rows, rows_together;    /* of the grid */
} Outer;

static int64_t product(const int64_t *size)
{
    return size[0] * size[1] * size[2];
}

static float *sums_of(const Outer *t, int64_t part, int64_t panel)
{
    return t->sums + (part * t->shape->groups * t->panels + panel) * t->columns * t->kernels->nr;
}

/* Rows first..first+count-1 of the grid, for the columns begin..end-1 of a group and `panel` of its gradient. */
static void run_columns(const Outer *t, int64_t first, int64_t count, int64_t begin, int64_t end, const float *x,
                        const float *gradient, float *sums)
{
    const int64_t pieces = ceil_div(end - begin, t->kernels->mr);
    const int64_t wide = t->panels * t->kernels->nr, width = t->shape->out[2];
    ConvolutionTaps tile = {.x = x, .y = gradient - first * width * wide, .runs = t->runs + first,
                            .run_count = count, .y_place = wide};
    for (int64_t piece = 0; piece < pieces; piece++) {
        const int64_t column = begin + piece * (end - begin) / pieces;
        const int64_t next = begin + (piece + 1) * (end - begin) / pieces;
        tile.offsets = t->offsets + column;
        tile.sums = sums + column * t->kernels->nr;
        t->kernels->convolution.taps[next - column - 1](&tile);
    }
}

/* Rows first..first+count-1 of the gradient of a group that begins with `channel`: [place, channel]. `scratch` has the
   same size. */
static void turn_round(const Outer *t, int64_t channel, int64_t first, int64_t count, float *scratch, float *to)
{
    const int64_t wide = t->panels * t->kernels->nr, width = t->shape->out[2], half = width / 2;
    if (!t->places) {
        const int64_t places = product(t->shape->out);
        t->kernels->convolution.transpose(t->out, count * width, t->y + channel * places + first * width, places, to,
                                          wide);
        return;
    }
    const int64_t size = t->shape->out[1] / 2 * half, from = channel * size + first / 2 * half, n = count / 2 * half;
    float *values = scratch, *places = scratch + n * wide; /* floats carry any bits */
    t->kernels->convolution.transpose(t->out, n, t->y + from, size, values, wide);
    t->kernels->convolution.transpose(t->out, n, (const float *)(t->places + from), size, places, wide);
    for (int64_t row = 0; row < count / 2; row++) {
        float *top = to + 2 * row * width * wide, *bottom = top + width * wide;
        t->kernels->convolution.unpool(half, wide, values + row * half * wide,
                                       (const int32_t *)places + row * half * wide,
                                       (int32_t)((first + 2 * row) * width), (int32_t)width, top, bottom);
        memset(top + 2 * half * wide, 0, (size_t)((width - 2 * half) * wide) * sizeof(float));
        memset(bottom + 2 * half * wide, 0, (size_t)((width - 2 * half) * wide) * sizeof(float));
    }
    memset(to + count / 2 * 2 * width * wide, 0, (size_t)(count % 2 * width * wide) * sizeof(float));
}

/* One group of one image, whose padded copy is x. */
static void run_group(const Outer *t, int64_t image, int64_t group, int64_t part, int64_t begin, int64_t end,
                      const float *x, float *gradient, float *scratch)
{
    const int64_t channel = image * t->shape->out_channels + group * t->out;
    for (int64_t first = 0, count; first < t->rows; first += count) {
        count = smaller(t->rows_together, t->rows - first);
        turn_round(t, channel, first, count, scratch, gradient);
        for (int64_t panel = 0; panel < t->panels; panel++)
            run_columns(t, first, count, begin, end, x, gradient + panel * t->kernels->nr,
                        sums_of(t, part, group * t->panels + panel));
    }
}

static void run_tasks(void *context, int64_t first_task, int64_t last_task)
{
    const Outer *t = context;
    const ConvolutionShape *s = t->shape;
    const int64_t nr = t->kernels->nr, chunk = t->rows_together * s->out[2] * t->panels * nr;
    float *x = gemm_scratch(t->source.total + 2 * chunk), *gradient = x + t->source.total, *scratch = gradient + chunk;
    memset(x, 0, (size_t)(t->source.total + 2 * chunk) * sizeof(float));
    for (int64_t task = first_task; task < last_task; task++) {
        const int64_t part = task / t->shares, share = task % t->shares;
        const int64_t begin = share * t->columns / t->shares, end = (share + 1) * t->columns / t->shares;
        for (int64_t panel = 0; panel < s->groups * t->panels; panel++)
            memset(sums_of(t, part, panel) + begin * nr, 0, (size_t)((end - begin) * nr) * sizeof(float));
        const int64_t last = (part + 1) * s->batch / t->parts;
        for (int64_t image = part * s->batch / t->parts; image < last; image++)
            for (int64_t group = 0; group < s->groups; group++) {
                const int64_t channel = group * t->in;
                source_fill(&t->source, t->x + image * s->in_channels * product(s->in), x, channel + begin / t->taps,
                            channel + ceil_div(end, t->taps));
                run_group(t, image, group, part, begin, end, x + channel * t->source.channel, gradient, scratch);
            }
    }
}

/* Adds the parts up, and turns the result round: COLUMNS_TOGETHER columns of a panel at a time. */
static void add_parts(void *context, int64_t first, int64_t last)
{
    const Outer *t = context;
    const int64_t nr = t->kernels->nr, pieces = ceil_div(t->columns, COLUMNS_TOGETHER);
    for (int64_t i = first; i < last; i++) {
        const int64_t panel = i / pieces, begin = i % pieces * COLUMNS_TOGETHER;
        const int64_t count = smaller(COLUMNS_TOGETHER, t->columns - begin), row = panel % t->panels * nr;
        float *sum = sums_of(t, 0, panel) + begin * nr;
        for (int64_t part = 1; part < t->parts; part++)
            t->kernels->axpy(count * nr, 1, sums_of(t, part, panel) + begin * nr, sum);
        t->kernels->convolution.transpose(count, smaller(nr, t->out - row), sum, nr,
                                          t->weight + (panel / t->panels * t->out + row) * t->columns + begin,
                                          t->columns);
    }
}

static void prepare(Outer *t, Arena *arena)
{
    const ConvolutionShape *s = t->shape;
    const int64_t *step = t->source.step;
    t->offsets = arena_alloc(arena, (size_t)t->columns * sizeof(int64_t));
    convolution_weight_offsets(s, &t->source, t->columns, t->offsets);
    t->runs = arena_alloc(arena, (size_t)t->rows * sizeof *t->runs);
    for (int64_t i = 0; i < t->rows; i++)
        t->runs[i] = (ConvolutionRun){.from = i * s->out[2], .count = s->out[2],
                                      .source = i / s->out[1] * step[0] + i % s->out[1] * step[1]};
    t->rows_together = smaller(GRADIENT_FLOATS / (s->out[2] * t->kernels->nr) + 1, t->rows);
    t->rows_together = ceil_div(t->rows, ceil_div(t->rows, t->rows_together));
    t->rows_together += t->places ? t->rows_together % 2 : 0; /* pairs stay together */
    const int64_t floats = s->groups * t->panels * t->columns * t->kernels->nr;
    t->parts = smaller(smaller(TASKS, s->batch), SUM_FLOATS / floats + 1);
    t->shares = smaller(ceil_div(TASKS, t->parts), ceil_div(t->columns, 2 * t->kernels->mr));
    t->sums = arena_alloc(arena, (size_t)(t->parts * floats) * sizeof(float));
}

void convolution_weight_channels(const ConvolutionShape *s, const Source *source, const float *x, const float *y,
                                 const int32_t *places, float *weight, Arena *arena)
{
    Outer t = {.shape = s, .kernels = kernels(), .source = *source, .x = x, .y = y, .places = places, .weight = weight,
               .in = s->in_channels / s->groups, .out = s->out_channels / s->groups, .taps = product(s->kernel),
               .rows = s->out[0] * s->out[1]};
    t.columns = t.in * t.taps;
    t.panels = ceil_div(t.out, t.kernels->nr);
    prepare(&t, arena);
    parallel_for(t.parts * t.shares, 1, run_tasks, &t);
    parallel_for(s->groups * t.panels * ceil_div(t.columns, COLUMNS_TOGETHER), 1, add_parts, &t);
    arena_recycle(arena, t.sums,
                  (size_t)(t.parts * s->groups * t.panels * t.columns * t.kernels->nr) * sizeof(float));
    arena_recycle(arena, t.runs, (size_t)t.rows * sizeof *t.runs);
    arena_recycle(arena, t.offsets, (size_t)t.columns * sizeof(int64_t));
}

bool convolution_weight_channels_pay(const ConvolutionShape *s, const Source *source)
{
    /* The turning round costs about as much as so many columns, a row of the grid half a place; and the other way
       brings three quarters of the speed of this one. */
    enum { TURNING = 5 };
    const Kernels *kernel = kernels();
    const int64_t out = s->out_channels / s->groups, columns = s->in_channels / s->groups * product(s->kernel);
    const int64_t places = product(s->out), rows = s->out[0] * s->out[1], nr = kernel->nr;
    const int64_t high = kernel->convolution.weight_rows, wide = kernel->convolution.weight_taps;
    const int64_t mine = ceil_div(out, nr) * nr * (2 * places + rows) / 2 * (columns + TURNING);
    const int64_t row = smaller(ceil_div(source_span(source, s->out), 16) * 16, places * (out + 12) / out);
    return mine < ceil_div(out, high) * high * row * ceil_div(columns, wide) * wide * 4 / 3;
}
