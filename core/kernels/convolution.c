/* Forward and data gradient as matrix products whose right side is never formed. An image is copied once
   into the layout of convolution_source.h, where each row of that side (a channel and a place of the kernel)
   is one contiguous run; the tiles of kernels_convolution.inc.h read it there. A data gradient with stride s
   falls into s products an axis, one for each remainder of the place modulo s, because each of those
   meets other places of the kernel. Kernels of one element go the same way where whole images are shared out; few
   images, or large ones, are products of matrices. */
#include "core/kernels/convolution.h"

#include <string.h>

#include "core/base/integers.h"
#include "core/base/threads.h"
#include "core/kernels/convolution_run.h"
#include "core/kernels/gemm.h"

static int64_t product(const int64_t *size)
{
    return size[0] * size[1] * size[2];
}

static void job_memory(const Plan *t, Job *job, int64_t taps, Arena *arena)
{
    job->taps = taps;
    job->k = t->depth * taps;
    job->places = arena_alloc(arena, (size_t)taps * sizeof(int64_t));
    job->offsets = arena_alloc(arena, (size_t)job->k * sizeof(int64_t));
}

/* Tap number `tap` is the element `place` of the kernel, and reads the padded place. */
static void set_tap(const Plan *t, Job *job, int64_t tap, int64_t place, const int64_t *padded)
{
    job->places[tap] = place;
    for (int64_t c = 0; c < t->depth; c++)
        job->offsets[c * job->taps + tap] = c * t->source.channel + source_place(&t->source, padded);
}

bool convolution_pools(const ConvolutionShape *s)
{
    enum { LEAST_WIDTH = 4 };
    const int64_t out = s->out_channels / s->groups, nr = kernels()->nr;
    return s->in[0] == 1 && s->kernel[0] == 1 && s->out[0] == 1 && s->out[1] >= 2 && s->out[2] >= LEAST_WIDTH &&
           s->out[1] * s->out[2] <= INT32_MAX && 2 * out >= nr;
}

/* ---- As products of matrices ---- */

enum { FEW_IMAGES = 8, LARGE_IMAGE = 512 };

/* Whether an image is best taken as a matrix: then threads that share one need not meet, and nothing is copied. */
static bool is_product(const ConvolutionShape *s)
{
    bool plain = s->groups == 1 && (s->batch < FEW_IMAGES || product(s->in) >= LARGE_IMAGE) &&
                 product(s->kernel) == 1 && product(s->stride) == 1;
    for (int a = 0; a < 3; a++)
        plain = plain && s->padding[a] == 0;
    return plain;
}

/* to [rows, size] = op(weight) [rows, depth] from [depth, size] for each image. */
typedef struct Products {
    const float *weight, *from;
    bool transposed;
    int64_t rows, depth, size, weight_row;
    GemmFinish finish;
    float *to;
} Products;

static void multiply_images(void *context, int64_t begin, int64_t end)
{
    const Products *t = context;
    for (int64_t i = begin; i < end; i++)
        sgemm_finish(t->transposed, false, t->rows, t->size, t->depth, t->weight, t->weight_row,
                     t->from + i * t->depth * t->size, t->size, 0, &t->finish, t->to + i * t->rows * t->size, t->size);
}

/* Threads share the images, or the products of few. */
static void multiply_batch(int64_t batch, Products t)
{
    parallel_for(batch, batch < FEW_IMAGES ? batch : 1, multiply_images, &t);
}

/* ---- Forward and data gradient ---- */

void convolution_forward(const ConvolutionShape *s, const float *x, const float *weight, const float *bias,
                         const ConvolutionFinish *finish, float *y, Arena *arena)
{
    if (product(s->out) == 0 || s->out_channels == 0)
        return;
    if (is_product(s) && !(finish && finish->places)) {
        const UnaryKernel activation = finish && finish->rectified ? UNARY_relu : UNARY_none;
        multiply_batch(s->batch, (Products){weight, x, false, s->out_channels, s->in_channels, product(s->in),
                                            s->in_channels, {.row_bias = bias, .activation = activation}, y});
        return;
    }
    int64_t reach[3], taps = product(s->kernel), in = s->in_channels / s->groups, out = s->out_channels / s->groups;
    for (int a = 0; a < 3; a++)
        reach[a] = (s->out[a] - 1) * s->stride[a] + (s->kernel[a] - 1) * s->dilation[a];
    Plan plan = {.batch = s->batch, .groups = s->groups, .rows = out, .depth = in, .x = x, .weight = weight,
                 .bias = bias, .y = y, .x_size = product(s->in), .y_size = product(s->out),
                 .weight_group = out * in * taps, .weight_row = in * taps, .weight_channel = taps};
    if (finish) {
        plan.rectified = finish->rectified;
        plan.places = finish->places;
    }
    plan.y_size = plan.places ? s->out[1] / 2 * (s->out[2] / 2) : plan.y_size;
    plan.source = source_plan(s->in_channels, s->in, s->padding, s->stride, s->out, reach);
    Job job = {.step = {s->out[1] * s->out[2], s->out[2], 1}};
    memcpy(job.grid, s->out, sizeof job.grid);
    job_memory(&plan, &job, taps, arena);
    for (int64_t k = 0; k < taps; k++) {
        int64_t padded[3] = {k / (s->kernel[1] * s->kernel[2]) * s->dilation[0],
                             k / s->kernel[2] % s->kernel[1] * s->dilation[1], k % s->kernel[2] * s->dilation[2]};
        set_tap(&plan, &job, k, k, padded);
    }
    plan.jobs = &job;
    plan.job_count = 1;
    plan_run(&plan, arena);
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
    return remainder < s->in[axis] ? ceil_div(s->in[axis] - remainder, s->stride[axis]) : 0;
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
static Job data_job(const Plan *t, const ConvolutionShape *s, const int64_t *remainder, Arena *arena)
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
        if (met)
            set_tap(t, &job, tap++, k, padded);
    }
    return job;
}

void convolution_data(const ConvolutionShape *s, const float *y, const int32_t *places, const float *weight,
                      const float *bias, float *x, Arena *arena)
{
    if (product(s->in) == 0 || s->in_channels == 0)
        return;
    if (is_product(s) && !places) {
        multiply_batch(s->batch, (Products){weight, y, true, s->in_channels, s->out_channels, product(s->in),
                                            s->in_channels, {.row_bias = bias}, x});
        return;
    }
    int64_t taps = product(s->kernel), most = product(s->stride), in = s->in_channels / s->groups;
    Plan plan = {.batch = s->batch, .groups = s->groups, .rows = in, .depth = s->out_channels / s->groups, .x = y,
                 .weight = weight, .bias = bias, .y = x, .x_size = product(s->out), .y_size = product(s->in),
                 .weight_row = taps, .weight_channel = in * taps};
    plan.weight_group = plan.depth * in * taps;
    plan.x_places = places;
    plan.x_size = places ? s->out[1] / 2 * (s->out[2] / 2) : plan.x_size;
    plan.source = data_source(s);
    plan.jobs = arena_alloc(arena, (size_t)most * sizeof *plan.jobs);
    for (int64_t r0 = 0; r0 < s->stride[0] && r0 < s->in[0]; r0++)
        for (int64_t r1 = 0; r1 < s->stride[1] && r1 < s->in[1]; r1++)
            for (int64_t r2 = 0; r2 < s->stride[2] && r2 < s->in[2]; r2++)
                plan.jobs[plan.job_count++] = data_job(&plan, s, (int64_t[]){r0, r1, r2}, arena);
    plan_run(&plan, arena);
    arena_recycle(arena, plan.jobs, (size_t)most * sizeof *plan.jobs);
}
