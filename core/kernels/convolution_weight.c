/* The weight gradient: for each channel of the result and each place of the kernel, a dot product of the
   gradient with a shifted view of the image. Both are contiguous in the layout of convolution_source.h when
   the gradient is spread over the same places, with zeros between its rows. Small images would have too many
   zeros; there the views are copied without them, one image after the other, and multiplied like any matrix.
   Images are taken a block at a time; a thread owns its part of the result, so sums over images always have
   one order. */
#include "core/kernels/convolution_weight.h"

#include <string.h>

#include "core/base/integers.h"
#include "core/base/threads.h"
#include "core/kernels/gemm.h"
#include "core/kernels/kernels.h"

/* Floats of the copies of a block of images; multiplications in a chunk; columns of a task. */
enum { BLOCK_FLOATS = 1 << 19, MAX_BLOCK = 64, CHUNK_WORK = 500 * 1000, TASK_TILES = 16 };

typedef struct Block {
    const ConvolutionShape *shape;
    const Kernels *kernels;
    Source source;
    const float *x, *y;
    float *weight, *images, *gradient;
    int64_t *offsets;                   /* [columns] of a group: channel and place of the kernel */
    int64_t in, out, columns;           /* channels of a group; its columns of the result */
    bool dense;
    ConvolutionRun *runs;               /* dense: the places of the most images of a block, in their order */
    float *views;                       /* dense: [groups * columns, row] */
    int64_t row, image;                 /* floats of a channel, and of an image, of the gradient's copy */
    int64_t first, count, most;         /* images under way; in a block */
    int64_t tiles_down, tasks_across;
} Block;

static int64_t product(const int64_t *size)
{
    return size[0] * size[1] * size[2];
}

static void copy_images(void *context, int64_t begin, int64_t end)
{
    const Block *t = context;
    const ConvolutionShape *s = t->shape;
    const int64_t *out = s->out, *step = t->source.step, places = product(out);
    for (int64_t i = begin; i < end; i++) {
        const float *y = t->y + (t->first + i) * s->out_channels * places;
        const float *x = t->x + (t->first + i) * s->in_channels * product(s->in);
        source_fill(&t->source, x, t->images + i * t->source.total, 0, s->in_channels);
        for (int64_t o = 0; o < s->out_channels; o++, y += places) {
            if (t->dense) {
                memcpy(t->gradient + o * t->row + i * places, y, (size_t)places * sizeof(float));
                continue;
            }
            for (int64_t j = 0; j < out[0] * out[1]; j++)
                memcpy(t->gradient + i * t->image + o * t->row + j / out[1] * step[0] + j % out[1] * step[1],
                       y + j * out[2], (size_t)out[2] * sizeof(float));
        }
    }
}

static void copy_views(void *context, int64_t begin, int64_t end)
{
    const Block *t = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t group = i / t->columns, column = i % t->columns;
        t->kernels->convolution.pack(1, t->images + group * t->in * t->source.channel, t->offsets + column, t->runs,
                                     t->count * t->shape->out[0] * t->shape->out[1], t->row, t->views + i * t->row);
    }
}

static void add(const Block *t, int64_t row, int64_t column, float sum)
{
    float *to = &t->weight[row * t->columns + column];
    *to = t->first == 0 ? sum : *to + sum;
}

/* Few channels in a group: one dot product at a time. */
static void run_rows(void *context, int64_t begin, int64_t end)
{
    const Block *t = context;
    for (int64_t o = begin; o < end; o++)
        for (int64_t column = 0; column < t->columns; column++) {
            const float *x = t->images + o / t->out * t->in * t->source.channel + t->offsets[column];
            float sum = 0;
            for (int64_t i = 0; i < t->count; i++)
                sum += t->kernels->dot(t->row, t->gradient + i * t->image + o * t->row, x + i * t->source.total);
            add(t, o, column, sum);
        }
}

static void run_tile(const Block *t, int64_t group, int64_t first_row, int64_t first_column)
{
    int64_t high = t->kernels->convolution.weight_rows, wide = t->kernels->convolution.weight_taps;
    int64_t rows = t->out - first_row < high ? t->out - first_row : high;
    int64_t columns = t->columns - first_column < wide ? t->columns - first_column : wide;
    int64_t row = group * t->out + first_row;
    ConvolutionWeightTile tile = {.samples = t->count, .length = t->row, .y_row = t->row, .y_sample = t->image,
                                  .x_sample = t->source.total, .y = t->gradient + row * t->row,
                                  .x = t->images + group * t->in * t->source.channel};
    for (int64_t k = 0; k < wide; k++)
        tile.offsets[k] = t->offsets[first_column + (k < columns ? k : 0)];
    t->kernels->convolution.weight_tile(&tile);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++)
            add(t, row + i, first_column + k, tile.sums[i * wide + k]);
}

static void run_tasks(void *context, int64_t begin, int64_t end)
{
    const Block *t = context;
    int64_t high = t->kernels->convolution.weight_rows, wide = t->kernels->convolution.weight_taps;
    for (int64_t task = begin; task < end; task++) {
        int64_t down = task / t->tasks_across, first = task % t->tasks_across * TASK_TILES * wide;
        int64_t last = first + TASK_TILES * wide < t->columns ? first + TASK_TILES * wide : t->columns;
        for (int64_t column = first; column < last; column += wide)
            run_tile(t, down / t->tiles_down, down % t->tiles_down * high, column);
    }
}

static void multiply_views(const Block *t)
{
    int64_t groups = t->shape->groups, used = t->count * product(t->shape->out);
    parallel_for(groups * t->columns, 8 * 1024 / t->row + 1, copy_views, (void *)t);
    for (int64_t group = 0; group < groups; group++)
        sgemm(false, true, t->out, t->columns, used, t->gradient + group * t->out * t->row, t->row,
              t->views + group * t->columns * t->row, t->row, t->first == 0 ? 0.0F : 1.0F,
              t->weight + group * t->out * t->columns, t->columns);
}

static void run_block(Block *t)
{
    const ConvolutionShape *s = t->shape;
    const ConvolutionKernels *kernel = &t->kernels->convolution;
    parallel_for(t->count, 1, copy_images, t);
    if (t->dense) {
        multiply_views(t);
    } else if (t->out < 3) {
        int64_t work = t->columns * t->row * t->count;
        parallel_for(s->out_channels, CHUNK_WORK / (work + 1) + 1, run_rows, t);
    } else {
        int64_t work = kernel->weight_rows * kernel->weight_taps * TASK_TILES * t->row * t->count;
        parallel_for(s->groups * t->tiles_down * t->tasks_across, CHUNK_WORK / (work + 1) + 1, run_tasks, t);
    }
}

/* ---- Preparing ---- */

void convolution_weight_offsets(const ConvolutionShape *s, const Source *source, int64_t columns, int64_t *offsets)
{
    int64_t taps = product(s->kernel);
    for (int64_t column = 0; column < columns; column++) {
        int64_t k = column % taps;
        int64_t padded[3] = {k / (s->kernel[1] * s->kernel[2]) * s->dilation[0],
                             k / s->kernel[2] % s->kernel[1] * s->dilation[1], k % s->kernel[2] * s->dilation[2]};
        offsets[column] = column / taps * source->channel + source_place(source, padded);
    }
}

/* The last tile of a group reads rows that may not be there, WEIGHT_MAX_ROWS at most. Besides, with these rows
   and one cache line more, the rows of a tile in one image do not fall into the cache sets of those in the
   next. Copying the views costs about as much as COPY_ROWS more channels of the result. */
static void choose_block(Block *t)
{
    enum { COPY_ROWS = 12 };
    const ConvolutionShape *s = t->shape;
    int64_t places = product(s->out), views = s->groups * t->columns * places;
    t->row = ceil_div(source_span(&t->source, s->out), 16) * 16;
    t->image = (s->out_channels + WEIGHT_MAX_ROWS) * t->row + 16;
    t->dense = t->out >= 3 && places * (t->out + COPY_ROWS) < t->row * t->out;
    int64_t floats = t->source.total + (t->dense ? s->out_channels * places + views : t->image);
    t->most = BLOCK_FLOATS / floats + 1;
    t->most = t->most < MAX_BLOCK ? t->most : MAX_BLOCK;
    t->most = ceil_div(s->batch, ceil_div(s->batch, t->most));
    if (t->dense) /* an odd number of cache lines, as rows are read side by side */
        t->row = (ceil_div(t->most * places, 16) | 1) * 16;
}

static void find_runs(Block *t)
{
    const int64_t *out = t->shape->out, *step = t->source.step, rows = out[0] * out[1];
    for (int64_t i = 0; i < t->most * rows; i++)
        t->runs[i] = (ConvolutionRun){.from = i * out[2], .count = out[2], .source = i / rows * t->source.total +
                                      i % rows / out[1] * step[0] + i % out[1] * step[1]};
}

static float *zeros(Arena *arena, int64_t floats)
{
    return arena_zero(arena, (size_t)floats, sizeof(float));
}

static void recycle(Arena *arena, float *block, int64_t floats)
{
    arena_recycle(arena, block, (size_t)floats * sizeof(float));
}

void convolution_weight(const ConvolutionShape *s, const float *x, const float *y, const int32_t *places, float *weight,
                        Arena *arena)
{
    Block t = {.shape = s, .kernels = kernels(), .x = x, .y = y, .weight = weight, .in = s->in_channels / s->groups,
               .out = s->out_channels / s->groups};
    t.columns = t.in * product(s->kernel);
    if (s->batch == 0 || product(s->out) == 0) {
        memset(weight, 0, (size_t)(s->out_channels * t.columns) * sizeof(float));
        return;
    }
    int64_t reach[3];
    for (int a = 0; a < 3; a++)
        reach[a] = (s->out[a] - 1) * s->stride[a] + (s->kernel[a] - 1) * s->dilation[a];
    t.source = source_plan(s->in_channels, s->in, s->padding, s->stride, s->out, reach);
    if (places || convolution_weight_channels_pay(s, &t.source)) {
        convolution_weight_channels(s, &t.source, x, y, places, weight, arena);
        return;
    }
    t.tiles_down = ceil_div(t.out, t.kernels->convolution.weight_rows);
    t.tasks_across = ceil_div(t.columns, t.kernels->convolution.weight_taps * TASK_TILES);
    t.offsets = arena_alloc(arena, (size_t)t.columns * sizeof(int64_t));
    convolution_weight_offsets(s, &t.source, t.columns, t.offsets);
    choose_block(&t);
    int64_t images = t.most * t.source.total, views = t.dense ? s->groups * t.columns * t.row : 0;
    int64_t gradient = t.dense ? s->out_channels * t.row : t.most * t.image;
    size_t runs = t.dense ? (size_t)(t.most * s->out[0] * s->out[1]) * sizeof(ConvolutionRun) : 0;
    t.images = zeros(arena, images);
    t.gradient = zeros(arena, gradient);
    if (t.dense) {
        t.views = arena_alloc(arena, (size_t)views * sizeof(float));
        t.runs = arena_alloc(arena, runs);
        find_runs(&t);
    }
    for (; t.first < s->batch; t.first += t.most) {
        t.count = s->batch - t.first < t.most ? s->batch - t.first : t.most;
        run_block(&t);
    }
    recycle(arena, t.images, images);
    recycle(arena, t.gradient, gradient);
    if (t.dense) {
        recycle(arena, t.views, views);
        arena_recycle(arena, t.runs, runs);
    }
    arena_recycle(arena, t.offsets, (size_t)t.columns * sizeof(int64_t));
}
