/* Products of matrices in single precision. */
#include "core/bench/benchmark.h"
#include "core/kernels/gemm.h"

typedef struct Product { const float *a, *b; float *c; } Product;

static double memory(const int64_t *sizes)
{
    double m = (double)sizes[0], n = (double)sizes[1], k = (double)sizes[2];
    return 4 * (m * k + k * n + m * n);
}

static bool prepare(Benchmark *benchmark, Error *error)
{
    (void)error;
    int64_t m = benchmark->sizes[0], n = benchmark->sizes[1], k = benchmark->sizes[2];
    Product *product = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *product);
    product->a = tensor_f32(benchmark_normals(benchmark, 1, false, SHAPE(m, k)));
    product->b = tensor_f32(benchmark_normals(benchmark, 1, false, SHAPE(k, n)));
    product->c = tensor_f32(tensor_new(benchmark->arena, ARRAY_F32, SHAPE(m, n)));
    benchmark->flops = 2 * (double)m * (double)n * (double)k;
    benchmark->write_bytes = 4 * (double)m * (double)n;
    benchmark->read_bytes = memory(benchmark->sizes) - benchmark->write_bytes;
    return true;
}

static void run(Benchmark *benchmark)
{
    int64_t m = benchmark->sizes[0], n = benchmark->sizes[1], k = benchmark->sizes[2];
    const Product *product = benchmark->state;
    sgemm(false, false, m, n, k, product->a, k, product->b, n, 0, product->c, n);
}

static const char *const examples[] = {"sgemm/128x128x128", "sgemm/512x512x512", "sgemm/1024x1024x1024", "sgemm/2048x2048x2048",
                                       "sgemm/128x256x784", "sgemm/4096x64x576", "sgemm/2048x8192x256", NULL};

const BenchmarkDef benchmark_sgemm = {
    .component = {.name = "sgemm", .summary = "C [M, N] = A [M, K] B [K, N] in single precision", .formula = "sgemm/MxNxK: flops 2 M N K"},
    .pattern = "sgemm/MxNxK", .examples = examples, .memory = memory, .prepare = prepare, .run = run,
};
