/* The weight gradient: for each channel of the result and each place of the kernel, a dot product of the
   gradient with a shifted view of the image. Both are contiguous in the layout of convolution_source.h when
   the gradient is spread over the same places, with zeros between its rows. Images are taken a block at a
   time; a thread owns its part of the result, so sums over images always have one order. */
#include "core/kernels/convolution.h"

#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/convolution_source.h"
#include "core/kernels/kernels.h"

/* Floats of the copies of a block of images; multiplications in a chunk; tiles along the places of a task. */
enum { BLOCK_FLOATS = 1 << 20, MAX_BLOCK = 64, CHUNK_WORK = 500 * 1000, TASK_TILES = 16 };

typedef struct Block {
    const ConvolutionShape *shape;
    const Kernels *kernels;
    Source source;
    const float *x, *y;
    float *weight, *images, *spread;
    int64_t *offsets;                   /* [columns] of a group: channel and place of the kernel */
    int64_t in, out;                    /* channels of a group */
    int64_t columns, row;               /* row: floats of one channel of the spread gradient */
    int64_t first, count;               /* images */
    int64_t tiles_down, tasks_across;
} Block;

static int64_t cut(int64_t n, int64_t piece)
{
    return (n + piece - 1) / piece;
}

static int64_t product(const int64_t *size)
{
    return size[0] * size[1] * size[2];
}

static void copy_images(void *context, int64_t begin, int64_t end)
{
    const Block *t = context;
    const ConvolutionShape *s = t->shape;
    const int64_t *out = s->out, *step = t->source.step;
    for (int64_t i = begin; i < end; i++) {
        int64_t image = t->first + i;
        source_fill(&t->source, t->x + image * s->in_channels * product(s->in), t->images + i * t->source.total, 0,
                    s->in_channels);
        for (int64_t o = 0; o < s->out_channels; o++)
            for (int64_t j = 0; j < out[0] * out[1]; j++)
                memcpy(t->spread + (i * s->out_channels + o) * t->row + j / out[1] * step[0] + j % out[1] * step[1],
                       t->y + ((image * s->out_channels + o) * out[0] * out[1] + j) * out[2],
                       (size_t)out[2] * sizeof(float));
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
    const ConvolutionShape *s = t->shape;
    for (int64_t o = begin; o < end; o++)
        for (int64_t column = 0; column < t->columns; column++) {
            float sum = 0;
            for (int64_t i = 0; i < t->count; i++)
                sum += t->kernels->dot(t->row, t->spread + (i * s->out_channels + o) * t->row,
                                       t->images + i * t->source.total + o / t->out * t->in * t->source.channel + t->offsets[column]);
            add(t, o, column, sum);
        }
}

static void run_tile(const Block *t, int64_t group, int64_t first_row, int64_t first_column)
{
    int64_t high = t->kernels->convolution.weight_rows, wide = t->kernels->convolution.weight_taps;
    int64_t rows = t->out - first_row < high ? t->out - first_row : high;
    int64_t columns = t->columns - first_column < wide ? t->columns - first_column : wide;
    int64_t row = group * t->out + first_row;
    ConvolutionWeightTile tile = {.samples = t->count, .length = t->row, .y = t->spread + row * t->row, .y_row = t->row,
                                  .y_sample = t->shape->out_channels * t->row, .x_sample = t->source.total,
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

static void run_block(Block *t)
{
    const ConvolutionShape *s = t->shape;
    const ConvolutionKernels *kernel = &t->kernels->convolution;
    parallel_for(t->count, 1, copy_images, t);
    if (t->out < 3) {
        int64_t work = t->columns * t->row * t->count;
        parallel_for(s->out_channels, CHUNK_WORK / (work + 1) + 1, run_rows, t);
        return;
    }
    int64_t work = kernel->weight_rows * kernel->weight_taps * TASK_TILES * t->row * t->count;
    parallel_for(s->groups * t->tiles_down * t->tasks_across, CHUNK_WORK / (work + 1) + 1, run_tasks, t);
}

void convolution_weight(const ConvolutionShape *s, const float *x, const float *y, float *weight, Arena *arena)
{
    int64_t taps = product(s->kernel), reach[3];
    Block block = {.shape = s, .kernels = kernels(), .x = x, .y = y, .weight = weight,
                   .in = s->in_channels / s->groups, .out = s->out_channels / s->groups};
    block.columns = block.in * taps;
    if (s->batch == 0 || product(s->out) == 0) {
        memset(weight, 0, (size_t)(s->out_channels * block.columns) * sizeof(float));
        return;
    }
    for (int a = 0; a < 3; a++)
        reach[a] = (s->out[a] - 1) * s->stride[a] + (s->kernel[a] - 1) * s->dilation[a];
    block.source = source_plan(s->in_channels, s->in, s->padding, s->stride, s->out, reach);
    block.row = cut(source_span(&block.source, s->out), 16) * 16;
    block.tiles_down = cut(block.out, block.kernels->convolution.weight_rows);
    block.tasks_across = cut(block.columns, block.kernels->convolution.weight_taps * TASK_TILES);
    block.offsets = arena_alloc(arena, (size_t)block.columns * sizeof(int64_t));
    for (int64_t column = 0; column < block.columns; column++) {
        int64_t k = column % taps;
        int64_t padded[3] = {k / (s->kernel[1] * s->kernel[2]) * s->dilation[0],
                             k / s->kernel[2] % s->kernel[1] * s->dilation[1], k % s->kernel[2] * s->dilation[2]};
        block.offsets[column] = column / taps * block.source.channel + source_place(&block.source, padded);
    }
    int64_t spread = s->out_channels * block.row, most = BLOCK_FLOATS / (block.source.total + spread) + 1;
    most = most < MAX_BLOCK ? most : MAX_BLOCK;
    most = cut(s->batch, cut(s->batch, most));
    /* The last tile reads rows that are not there; what it reads must only be memory. */
    int64_t beyond = WEIGHT_MAX_ROWS * block.row;
    size_t image_bytes = (size_t)(most * block.source.total) * sizeof(float);
    size_t spread_bytes = (size_t)(most * spread + beyond) * sizeof(float);
    block.images = memset(arena_alloc(arena, image_bytes), 0, image_bytes);
    block.spread = memset(arena_alloc(arena, spread_bytes), 0, spread_bytes);
    for (; block.first < s->batch; block.first += most) {
        block.count = s->batch - block.first < most ? s->batch - block.first : most;
        run_block(&block);
    }
    arena_recycle(arena, block.offsets, (size_t)block.columns * sizeof(int64_t));
    arena_recycle(arena, block.images, image_bytes);
    arena_recycle(arena, block.spread, spread_bytes);
}
