/* Layers on 8-bit integers: activations become codes as they are read, so that input and output are floats. Beside
   sgemm/ and convolution/ of the same sizes. */
#include "core/bench/benchmark.h"
#include "core/kernels/int8.h"

static const Int8Grid grid = {.bits = 8, .symmetric = true};

typedef struct Layer { Int8Panels *panels; const float *x; float *y; ConvolutionShape shape; } Layer;

/* A scale for each output, codes all over the range. */
static Int8Panels *pack(Benchmark *benchmark, int64_t outputs, int64_t inputs)
{
    Arena *arena = benchmark->arena;
    int8_t *codes = arena_alloc(arena, (size_t)(outputs * inputs));
    float *scales = arena_alloc(arena, (size_t)outputs * sizeof *scales);
    for (int64_t i = 0; i < outputs * inputs; i++)
        codes[i] = (int8_t)(i * 7919 % 255 - 127);
    for (int64_t i = 0; i < outputs; i++)
        scales[i] = 0.01F;
    const Int8Weights weights = {.outputs = outputs, .inputs = inputs, .group = inputs, .codes = codes,
                                 .scales = scales};
    return int8_pack(&weights, false, arena);
}

static double linear_memory(const int64_t *sizes)
{
    double m = (double)sizes[0], n = (double)sizes[1], k = (double)sizes[2];
    return 4 * (m * k + m * n) + n * k;
}

static bool prepare_linear(Benchmark *benchmark, Error *error)
{
    (void)error;
    int64_t m = benchmark->sizes[0], n = benchmark->sizes[1], k = benchmark->sizes[2];
    Layer *layer = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *layer);
    layer->panels = pack(benchmark, n, k);
    layer->x = tensor_f32(benchmark_normals(benchmark, 1, false, SHAPE(m, k)));
    layer->y = tensor_f32(tensor_new(benchmark->arena, ARRAY_F32, SHAPE(m, n)));
    benchmark->flops = 2 * (double)m * (double)n * (double)k;
    benchmark->write_bytes = 4 * (double)m * (double)n;
    benchmark->read_bytes = linear_memory(benchmark->sizes) - benchmark->write_bytes;
    benchmark->samples = m;
    return true;
}

static void run_linear(Benchmark *benchmark)
{
    const Layer *layer = benchmark->state;
    int8_linear(layer->panels, grid, benchmark->sizes[0], layer->x, NULL, layer->y);
}

/* N, C, H, W, OUT, K */
static double convolution_memory(const int64_t *s)
{
    double places = (double)s[0] * (double)s[2] * (double)s[3], weights = (double)s[1] * (double)s[4] * (double)s[5];
    return 4 * places * ((double)s[1] + (double)s[4]) + weights * (double)s[5];
}

static bool prepare_convolution(Benchmark *benchmark, Error *error)
{
    const int64_t *s = benchmark->sizes, n = s[0], c = s[1], h = s[2], w = s[3], out = s[4], k = s[5];
    Layer *layer = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *layer);
    if (!same_convolution(s, &layer->shape, error))
        return false;
    layer->panels = pack(benchmark, out, c * k * k);
    layer->x = tensor_f32(benchmark_normals(benchmark, 1, false, SHAPE(n, c, h, w)));
    layer->y = tensor_f32(tensor_new(benchmark->arena, ARRAY_F32, SHAPE(n, out, h, w)));
    benchmark->flops = 2 * (double)(n * out * h * w) * (double)(c * k * k);
    benchmark->write_bytes = 4 * (double)(n * out * h * w);
    benchmark->read_bytes = convolution_memory(s) - benchmark->write_bytes;
    benchmark->samples = n;
    return true;
}

static void run_convolution(Benchmark *benchmark)
{
    Layer *layer = benchmark->state;
    int8_convolution(&layer->shape, &layer->panels, grid, layer->x, NULL, layer->y);
}

static const char *const linear_examples[] = {"int8/linear-128x256x784", "int8/linear-1024x1024x1024", NULL};
static const char *const convolution_examples[] = {"int8/convolution-128x1x28x28-32x3",
                                                   "int8/convolution-128x32x14x14-64x3", NULL};

const BenchmarkDef benchmark_int8_linear = {
    .component = {.name = "int8/linear",
                  .summary = "Y [M, N] = X [M, K] W, weights of 8 bits, activations quantized row by row",
                  .formula = "int8/linear-MxNxK: operations 2 M N K",
                  .notes = "Its share is of the peak of floats, which integers can pass."},
    .pattern = "int8/linear-MxNxK", .examples = linear_examples, .on_demand = true,
    .memory = linear_memory, .prepare = prepare_linear, .run = run_linear,
};

const BenchmarkDef benchmark_int8_convolution = {
    .component = {.name = "int8/convolution",
                  .summary = "N images [C, H, W] with OUT filters of K x K of 8 bits, activations quantized",
                  .formula = "int8/convolution-NxCxHxW-OUTxK: operations 2 N OUT H W C K^2",
                  .notes = "A place of the output has a scale of its own, so that every value is quantized K^2 times: "
                           "with few filters that takes longer than what integers save."},
    .pattern = "int8/convolution-NxCxHxW-OUTxK", .examples = convolution_examples, .on_demand = true,
    .memory = convolution_memory, .prepare = prepare_convolution, .run = run_convolution,
};
