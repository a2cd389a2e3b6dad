/* Forward and data gradient as matrix products whose right side is never formed. An image is copied once
   into the layout of convolution_source.h, where each row of that side (a channel and a place of the kernel)
   is one contiguous run; the tiles of kernels_convolution.inc.h read it there. A data gradient with stride s
   falls into s products an axis, one for each remainder of the place modulo s, because each of those
   meets other places of the kernel. */
#include "core/kernels/convolution.h"

#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/convolution_source.h"
#include "core/kernels/gemm.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/kernels.h"

/* Multiplications in a chunk of a parallel loop; batches and images (in floats) from which it is better to
   share out parts of an image than whole images; chunks that a loop over images is cut into. */
enum { CHUNK_WORK = 500 * 1000, SMALL_BATCH = 8, LARGE_IMAGE = 1 << 20, IMAGE_CHUNKS = 64 };

/* One product: `rows` channels of the result from k = depth * taps rows of the source. */
typedef struct Job {
    int64_t grid[3], start, step[3]; /* the places it computes, and where they go in a channel of the result */
    int64_t k, *offsets;             /* [k], from the group's first channel */
    float *packed;                   /* for each group and tile: k columns as high as the tile */
} Job;

typedef struct Plan {
    const Kernels *kernels;
    void (*tile)(const ConvolutionTile *tile);
    Source source;
    int64_t batch, groups, rows, depth, height, tiles; /* rows and depth: channels of a group */
    Job *jobs;
    int64_t job_count;
    const float *x;
    float *y, *start, *buffer;       /* start: bias of each row of each tile */
    int64_t x_size, y_size;          /* of a channel */
    const Job *job;                  /* under way, and the image */
    int64_t image;
} Plan;

/* The weight of a row, a channel of the source and a place of the kernel. */
typedef struct WeightStrides {
    const float *weight;
    int64_t group, row, channel;
} WeightStrides;

static int64_t cut(int64_t n, int64_t piece)
{
    return (n + piece - 1) / piece;
}

static int64_t product(const int64_t *size)
{
    return size[0] * size[1] * size[2];
}

static void choose_tile(Plan *t, const float *bias, Arena *arena)
{
    const ConvolutionKernels *kernel = &t->kernels->convolution;
    int best = 0;
    int64_t best_rows = INT64_MAX;
    for (int i = 0; i < CONVOLUTION_HEIGHTS; i++) {
        int64_t height = kernel->tiles[i].height, rows = cut(t->rows, height) * height;
        /* A single row computes with the speed of three rows of a tile, at best. */
        rows *= height == 1 ? 3 : 1;
        if (rows < best_rows) {
            best = i;
            best_rows = rows;
        }
    }
    t->tile = kernel->tiles[best].run;
    t->height = kernel->tiles[best].height;
    t->tiles = cut(t->rows, t->height);
    t->start = arena_zero(arena, (size_t)(t->groups * t->tiles * t->height), sizeof(float));
    for (int64_t row = 0; bias && row < t->groups * t->rows; row++)
        t->start[row / t->rows * t->tiles * t->height + row % t->rows] = bias[row];
}

/* Packs the weights of one place of the kernel, number `tap` of `taps` in the job. */
static void pack_tap(const Plan *t, Job *job, int64_t tap, int64_t taps, const WeightStrides *from, int64_t place)
{
    for (int64_t group = 0; group < t->groups; group++)
        for (int64_t row = 0; row < t->rows; row++) {
            int64_t tile = group * t->tiles + row / t->height;
            float *to = job->packed + tile * t->height * job->k + row % t->height;
            const float *weight = from->weight + group * from->group + row * from->row + place;
            for (int64_t c = 0; c < t->depth; c++)
                to[(c * taps + tap) * t->height] = weight[c * from->channel];
        }
}

static void job_memory(const Plan *t, Job *job, int64_t taps, Arena *arena)
{
    job->k = t->depth * taps;
    job->offsets = arena_alloc(arena, (size_t)job->k * sizeof(int64_t));
    job->packed = arena_zero(arena, (size_t)(t->groups * t->tiles * t->height * job->k), sizeof(float));
}

static void recycle(const Plan *t, Arena *arena)
{
    for (Job *job = t->jobs; job < t->jobs + t->job_count; job++) {
        arena_recycle(arena, job->offsets, (size_t)job->k * sizeof(int64_t));
        arena_recycle(arena, job->packed, (size_t)(t->groups * t->tiles * t->height * job->k) * sizeof(float));
    }
    arena_recycle(arena, t->start, (size_t)(t->groups * t->tiles * t->height) * sizeof(float));
}

/* ---- Running ---- */

/* Where the columns of a panel go; those between the places of the grid go nowhere. */
static int64_t panel_runs(const Plan *t, const Job *job, int64_t begin, int64_t end, ConvolutionRun *runs)
{
    const int64_t *step = t->source.step;
    int64_t count = 0;
    for (int64_t j = begin; j < end;) {
        int64_t at[3] = {j / step[0], j % step[0] / step[1], j % step[1]};
        int64_t length = job->grid[2] - at[2], left = end - j;
        if (at[1] >= job->grid[1] || length <= 0) {
            j += step[1] - at[2];
            continue;
        }
        length = length < left ? length : left;
        runs[count++] = (ConvolutionRun){j - begin, length, job->start + at[0] * job->step[0] + at[1] * job->step[1] + at[2] * job->step[2]};
        j += length;
    }
    return count;
}

static void run_panels(void *context, int64_t begin, int64_t end)
{
    const Plan *t = context;
    const Job *job = t->job;
    int64_t nr = t->kernels->nr, span = source_span(&t->source, job->grid), panels = cut(span, nr);
    for (int64_t i = begin; i < end; i++) {
        int64_t group = i / panels, first = i % panels * nr, last = first + nr < span ? first + nr : span;
        ConvolutionRun runs[KERNEL_MAX_NR];
        ConvolutionTile tile = {.k = job->k, .b = t->buffer + group * t->depth * t->source.channel + first,
                                .offsets = job->offsets, .row_stride = t->y_size, .step = job->step[2], .runs = runs};
        tile.run_count = panel_runs(t, job, first, last, runs);
        for (int64_t k = 0; k < t->tiles; k++) {
            int64_t row = k * t->height, number = group * t->tiles + k;
            tile.a = job->packed + number * t->height * job->k;
            tile.start = t->start + number * t->height;
            tile.rows = t->rows - row < t->height ? t->rows - row : t->height;
            tile.to = t->y + ((t->image * t->groups + group) * t->rows + row) * t->y_size;
            t->tile(&tile);
        }
    }
}

static void fill_channels(void *context, int64_t begin, int64_t end)
{
    const Plan *t = context;
    source_fill(&t->source, t->x + t->image * t->source.channels * t->x_size, t->buffer, begin, end);
}

/* Inside another parallel loop these run in line. */
static void run_image(Plan *t)
{
    enum { COPY_CHUNK = 32 * 1024 };
    parallel_for(t->source.channels, COPY_CHUNK / t->source.channel + 1, fill_channels, t);
    for (int64_t i = 0; i < t->job_count; i++) {
        t->job = &t->jobs[i];
        int64_t panels = cut(source_span(&t->source, t->job->grid), t->kernels->nr);
        int64_t work = t->job->k * t->tiles * t->height * t->kernels->nr;
        parallel_for(t->groups * panels, CHUNK_WORK / (work + 1) + 1, run_panels, t);
    }
}

static void run_images(void *context, int64_t begin, int64_t end)
{
    Plan mine = *(const Plan *)context;
    mine.buffer = gemm_scratch(mine.source.total);
    memset(mine.buffer, 0, (size_t)mine.source.total * sizeof(float));
    for (mine.image = begin; mine.image < end; mine.image++)
        run_image(&mine);
}

static void run(Plan *t, Arena *arena)
{
    bool share_images = t->batch >= SMALL_BATCH && t->source.total < LARGE_IMAGE;
    if (t->batch > 0)
        parallel_for(t->batch, share_images ? cut(t->batch, IMAGE_CHUNKS) : t->batch, run_images, t);
    recycle(t, arena);
}

/* ---- Kernels of one element ---- */

static bool is_plain(const ConvolutionShape *s)
{
    for (int a = 0; a < 3; a++)
        if (s->kernel[a] != 1 || s->stride[a] != 1 || s->padding[a] != 0 || s->in[a] != s->out[a])
            return false;
    return true;
}

static void start_with_bias(int64_t batch, int64_t channels, int64_t size, const float *bias, float *y)
{
    for (int64_t row = 0; row < batch * channels; row++)
        for (int64_t i = 0; i < size; i++)
            y[row * size + i] = bias[row % channels];
}

/* y = weight x (or its transpose x) for every image and group. */
static void plain_product(const ConvolutionShape *s, bool transpose, const float *x, const float *weight,
                          const float *bias, float *y)
{
    int64_t size = product(s->in), in = s->in_channels / s->groups, out = s->out_channels / s->groups;
    int64_t rows = transpose ? in : out, depth = transpose ? out : in;
    if (bias)
        start_with_bias(s->batch, rows * s->groups, size, bias, y);
    for (int64_t group = 0; group < s->groups; group++)
        sgemm_batch(transpose, false, rows, size, depth, weight + group * out * in, in, 0, x + group * depth * size,
                    size, depth * s->groups * size, bias ? 1.0F : 0.0F, y + group * rows * size, size,
                    rows * s->groups * size, s->batch);
}

/* ---- Plans ---- */

static Plan new_plan(const ConvolutionShape *s, int64_t rows, int64_t depth, const float *bias, Arena *arena)
{
    Plan plan = {.kernels = kernels(), .batch = s->batch, .groups = s->groups, .rows = rows / s->groups,
                 .depth = depth / s->groups};
    choose_tile(&plan, bias, arena);
    return plan;
}

void convolution_forward(const ConvolutionShape *s, const float *x, const float *weight, const float *bias,
                         float *y, Arena *arena)
{
    if (is_plain(s)) {
        plain_product(s, false, x, weight, bias, y);
        return;
    }
    if (product(s->out) == 0 || s->out_channels == 0)
        return;
    Plan plan = new_plan(s, s->out_channels, s->in_channels, bias, arena);
    int64_t reach[3], taps = product(s->kernel);
    for (int a = 0; a < 3; a++)
        reach[a] = (s->out[a] - 1) * s->stride[a] + (s->kernel[a] - 1) * s->dilation[a];
    plan.source = source_plan(s->in_channels, s->in, s->padding, s->stride, s->out, reach);
    Job job = {.step = {s->out[1] * s->out[2], s->out[2], 1}};
    memcpy(job.grid, s->out, sizeof job.grid);
    job_memory(&plan, &job, taps, arena);
    WeightStrides from = {weight, plan.rows * plan.depth * taps, plan.depth * taps, taps};
    for (int64_t k = 0; k < taps; k++) {
        int64_t padded[3] = {k / (s->kernel[1] * s->kernel[2]) * s->dilation[0],
                             k / s->kernel[2] % s->kernel[1] * s->dilation[1], k % s->kernel[2] * s->dilation[2]};
        for (int64_t c = 0; c < plan.depth; c++)
            job.offsets[c * taps + k] = c * plan.source.channel + source_place(&plan.source, padded);
        pack_tap(&plan, &job, k, taps, &from, k);
    }
    plan.jobs = &job;
    plan.job_count = 1;
    plan.x = x;
    plan.y = y;
    plan.x_size = product(s->in);
    plan.y_size = product(s->out);
    run(&plan, arena);
}

/* Along one axis, places i = s a + remainder of x get from y[a + shift] by the places k of the kernel for
   which shift = (remainder + padding - k dilation) / s is whole. */
static bool shift_of(const ConvolutionShape *s, int axis, int64_t remainder, int64_t k, int64_t *shift)
{
    int64_t distance = remainder + s->padding[axis] - k * s->dilation[axis];
    *shift = distance / s->stride[axis];
    return distance % s->stride[axis] == 0;
}

static int64_t places_with_remainder(const ConvolutionShape *s, int axis, int64_t remainder)
{
    return remainder < s->in[axis] ? cut(s->in[axis] - remainder, s->stride[axis]) : 0;
}

static Source data_source(const ConvolutionShape *s)
{
    int64_t lead[3] = {0}, reach[3] = {0}, grid[3];
    for (int a = 0; a < 3; a++) {
        grid[a] = places_with_remainder(s, a, 0);
        for (int64_t r = 0; r < s->stride[a] && r < s->in[a]; r++)
            for (int64_t k = 0, shift; k < s->kernel[a]; k++)
                if (shift_of(s, a, r, k, &shift)) {
                    int64_t last = places_with_remainder(s, a, r) - 1 + shift;
                    lead[a] = -shift > lead[a] ? -shift : lead[a];
                    reach[a] = last > reach[a] ? last : reach[a];
                }
        reach[a] += lead[a];
    }
    return source_plan(s->out_channels, s->out, lead, (const int64_t[]){1, 1, 1}, grid, reach);
}

/* The job for one remainder along each axis. */
static Job data_job(const Plan *t, const ConvolutionShape *s, const int64_t *remainder, const WeightStrides *from,
                    Arena *arena)
{
    const int64_t *kernel = s->kernel, size[3] = {s->in[1] * s->in[2], s->in[2], 1};
    Job job = {0};
    int64_t taps = 1, tap = 0;
    for (int a = 0; a < 3; a++) {
        int64_t met = 0;
        for (int64_t k = 0, shift; k < kernel[a]; k++)
            met += shift_of(s, a, remainder[a], k, &shift);
        taps *= met;
        job.grid[a] = places_with_remainder(s, a, remainder[a]);
        job.start += remainder[a] * size[a];
        job.step[a] = s->stride[a] * size[a];
    }
    job_memory(t, &job, taps, arena);
    for (int64_t k = 0; k < product(kernel); k++) {
        int64_t at[3] = {k / (kernel[1] * kernel[2]), k / kernel[2] % kernel[1], k % kernel[2]}, padded[3];
        bool met = true;
        for (int a = 0; a < 3; a++) {
            met = shift_of(s, a, remainder[a], at[a], &padded[a]) && met;
            padded[a] += t->source.lead[a];
        }
        if (!met)
            continue;
        for (int64_t c = 0; c < t->depth; c++)
            job.offsets[c * taps + tap] = c * t->source.channel + source_place(&t->source, padded);
        pack_tap(t, &job, tap++, taps, from, k);
    }
    return job;
}

void convolution_data(const ConvolutionShape *s, const float *y, const float *weight, const float *bias, float *x,
                      Arena *arena)
{
    if (is_plain(s)) {
        plain_product(s, true, y, weight, bias, x);
        return;
    }
    if (product(s->in) == 0 || s->in_channels == 0)
        return;
    Plan plan = new_plan(s, s->in_channels, s->out_channels, bias, arena);
    plan.source = data_source(s);
    int64_t taps = product(s->kernel), most = product(s->stride);
    plan.jobs = arena_alloc(arena, (size_t)most * sizeof *plan.jobs);
    WeightStrides from = {weight, plan.depth * plan.rows * taps, taps, plan.rows * taps};
    for (int64_t r0 = 0; r0 < s->stride[0] && r0 < s->in[0]; r0++)
        for (int64_t r1 = 0; r1 < s->stride[1] && r1 < s->in[1]; r1++)
            for (int64_t r2 = 0; r2 < s->stride[2] && r2 < s->in[2]; r2++)
                plan.jobs[plan.job_count++] = data_job(&plan, s, (int64_t[]){r0, r1, r2}, &from, arena);
    plan.x = y;
    plan.y = x;
    plan.x_size = product(s->out);
    plan.y_size = product(s->in);
    run(&plan, arena);
    arena_recycle(arena, plan.jobs, (size_t)most * sizeof *plan.jobs);
}
