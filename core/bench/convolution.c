/* Convolution of images, stride 1, as many zeros around as keep their size. */
#include "core/bench/benchmark.h"
#include "core/kernels/convolution.h"

typedef struct Images { ConvolutionShape shape; float *x, *weight, *y, *dx, *dweight; Arena *scratch; } Images;

/* N, C, H, W, OUT, K */
static double values_in(const int64_t *s) { return (double)s[0] * (double)s[1] * (double)s[2] * (double)s[3]; }
static double values_out(const int64_t *s) { return (double)s[0] * (double)s[4] * (double)s[2] * (double)s[3]; }
static double weights(const int64_t *s) { return (double)s[1] * (double)s[4] * (double)s[5] * (double)s[5]; }

static double memory(const int64_t *sizes)
{
    return 4 * (values_in(sizes) + values_out(sizes) + weights(sizes));
}

static double gradients_memory(const int64_t *sizes)
{
    return 4 * (2 * values_in(sizes) + values_out(sizes) + 2 * weights(sizes));
}

bool same_convolution(const int64_t *sizes, ConvolutionShape *shape, Error *error)
{
    int64_t h = sizes[2], w = sizes[3], k = sizes[5];
    if (k % 2 == 0)
        return fail_usage(error, "the filter's size must be odd, got %lld", (long long)k);
    *shape = (ConvolutionShape){
        .batch = sizes[0],
        .groups = 1,
        .in_channels = sizes[1],
        .out_channels = sizes[4],
        .in = {1, h, w},
        .kernel = {1, k, k},
        .out = {1, h, w},
        .stride = {1, 1, 1},
        .padding = {0, k / 2, k / 2},
        .dilation = {1, 1, 1},
    };
    return true;
}

static bool prepare(Benchmark *benchmark, Error *error)
{
    const int64_t *s = benchmark->sizes, n = s[0], c = s[1], h = s[2], w = s[3], out = s[4], k = s[5];
    Images *images = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *images);
    if (!same_convolution(s, &images->shape, error))
        return false;
    images->x = tensor_f32(benchmark_normals(benchmark, 1, false, SHAPE(n, c, h, w)));
    images->weight = tensor_f32(benchmark_normals(benchmark, 0.1, false, SHAPE(out, c, k, k)));
    images->y = tensor_f32(benchmark_normals(benchmark, 1, false, SHAPE(n, out, h, w)));
    images->scratch = tape_arena();
    benchmark->flops = 2 * values_out(s) * (double)c * (double)(k * k);
    benchmark->read_bytes = 4 * (values_in(s) + weights(s));
    benchmark->write_bytes = 4 * values_out(s);
    benchmark->samples = n;
    return true;
}

static void run(Benchmark *benchmark)
{
    Images *images = benchmark->state;
    tape_reset();
    convolution_forward(&images->shape, images->x, images->weight, NULL, NULL, images->y, images->scratch);
}

static bool prepare_filters(Benchmark *benchmark, Error *error)
{
    if (!prepare(benchmark, error))
        return false;
    const int64_t *s = benchmark->sizes;
    Images *images = benchmark->state;
    images->dweight = tensor_f32(tensor_new(benchmark->arena, ARRAY_F32, SHAPE(s[4], s[1], s[5], s[5])));
    benchmark->read_bytes = 4 * (values_in(s) + values_out(s));
    benchmark->write_bytes = 4 * weights(s);
    return true;
}

static void run_filters(Benchmark *benchmark)
{
    Images *images = benchmark->state;
    tape_reset();
    convolution_weight(&images->shape, images->x, images->y, NULL, images->dweight, images->scratch);
}

static bool prepare_gradients(Benchmark *benchmark, Error *error)
{
    if (!prepare_filters(benchmark, error))
        return false;
    const int64_t *s = benchmark->sizes;
    Images *images = benchmark->state;
    images->dx = tensor_f32(tensor_new(benchmark->arena, ARRAY_F32, SHAPE(s[0], s[1], s[2], s[3])));
    benchmark->flops *= 2;
    benchmark->read_bytes = 4 * (values_in(s) + values_out(s) + weights(s));
    benchmark->write_bytes = 4 * (values_in(s) + weights(s));
    return true;
}

static void run_gradients(Benchmark *benchmark)
{
    Images *images = benchmark->state;
    tape_reset();
    convolution_data(&images->shape, images->y, NULL, images->weight, NULL, images->dx, images->scratch);
    convolution_weight(&images->shape, images->x, images->y, NULL, images->dweight, images->scratch);
}

static const char *const examples[] = {"convolution/128x1x28x28-32x3", "convolution/128x32x14x14-64x3", NULL};
static const char *const filter_examples[] = {"convolution/filters-128x1x28x28-32x3", NULL};
static const char *const gradient_examples[] = {"convolution/gradients-128x32x14x14-64x3", NULL};

const BenchmarkDef benchmark_convolution = {
    .component = {.name = "convolution",
                  .summary = "N images [C, H, W] with OUT filters of K x K, forward",
                  .formula = "convolution/NxCxHxW-OUTxK: flops 2 N OUT H W C K^2",
                  .notes = "Stride 1; zeros around the images keep their size."},
    .pattern = "convolution/NxCxHxW-OUTxK",
    .examples = examples,
    .memory = memory,
    .prepare = prepare,
    .run = run,
};

const BenchmarkDef benchmark_convolution_gradients = {
    .component = {.name = "convolution/gradients", .summary = "the gradients of its images and of its filters",
                  .formula = "convolution/gradients-NxCxHxW-OUTxK: flops 4 N OUT H W C K^2"},
    .pattern = "convolution/gradients-NxCxHxW-OUTxK", .examples = gradient_examples, .memory = gradients_memory,
    .prepare = prepare_gradients, .run = run_gradients,
};

const BenchmarkDef benchmark_convolution_filters = {
    .component = {.name = "convolution/filters", .summary = "the gradient of its filters alone, as of a first layer",
                  .formula = "convolution/filters-NxCxHxW-OUTxK: flops 2 N OUT H W C K^2"},
    .pattern = "convolution/filters-NxCxHxW-OUTxK", .examples = filter_examples, .memory = gradients_memory,
    .prepare = prepare_filters, .run = run_filters,
};
