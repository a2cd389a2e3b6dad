/* Softmax of rows: as models compute it, and by one way whatever the shape. */
#include "core/bench/benchmark.h"
#include "core/kernels/softmax.h"

typedef struct Rows { SoftmaxPasses passes; const float *x; float *y; } Rows;

static double memory(const int64_t *sizes)
{
    return 8 * (double)sizes[0] * (double)sizes[1];
}

static bool prepare(Benchmark *benchmark, SoftmaxPasses passes)
{
    int64_t rows = benchmark->sizes[0], columns = benchmark->sizes[1];
    Rows *state = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *state);
    *state = (Rows){
        .passes = passes,
        .x = tensor_f32(benchmark_normals(benchmark, 3, false, SHAPE(rows, columns))),
        .y = tensor_f32(tensor_new(benchmark->arena, ARRAY_F32, SHAPE(rows, columns))),
    };
    benchmark->flops = 5 * (double)rows * (double)columns;
    benchmark->read_bytes = benchmark->write_bytes = 4 * (double)rows * (double)columns;
    benchmark->samples = rows;
    return true;
}

static bool prepare_by_shape(Benchmark *benchmark, Error *error)
{
    (void)error;
    return prepare(benchmark, SOFTMAX_BY_SHAPE);
}

static bool prepare_two_passes(Benchmark *benchmark, Error *error)
{
    (void)error;
    return prepare(benchmark, SOFTMAX_TWO_PASS);
}

static bool prepare_three_passes(Benchmark *benchmark, Error *error)
{
    (void)error;
    return prepare(benchmark, SOFTMAX_THREE_PASS);
}

static void run(Benchmark *benchmark)
{
    Rows *state = benchmark->state;
    softmax_rows(state->passes, benchmark->sizes[0], benchmark->sizes[1], state->x, state->y);
}

static const char *const examples[] = {"softmax/4096x1024", "softmax/2048x32768", NULL};
static const char *const two_pass_examples[] = {"softmax-two-pass/4096x1024", "softmax-two-pass/2048x32768", NULL};
static const char *const three_pass_examples[] = {"softmax-three-pass/4096x1024", "softmax-three-pass/2048x32768",
                                                   NULL};

const BenchmarkDef benchmark_softmax = {
    .component = {.name = "softmax", .summary = "softmax of each row, as models compute it: passes chosen by shape",
                  .formula = "softmax/ROWSxCOLS: flops 5 a value (maximum, subtraction, exp, sum, scale)"},
    .pattern = "softmax/ROWSxCOLS", .examples = examples, .memory = memory, .prepare = prepare_by_shape, .run = run,
};

const BenchmarkDef benchmark_softmax_two_pass = {
    .component = {.name = "softmax-two-pass", .summary = "the same in two passes whatever the shape",
                  .formula = "softmax-two-pass/ROWSxCOLS: flops 5 a value, the second exponential not counted"},
    .pattern = "softmax-two-pass/ROWSxCOLS", .examples = two_pass_examples, .on_demand = true,
    .memory = memory, .prepare = prepare_two_passes, .run = run,
};

const BenchmarkDef benchmark_softmax_three_pass = {
    .component = {.name = "softmax-three-pass", .summary = "the same in three passes whatever the shape",
                  .formula = "softmax-three-pass/ROWSxCOLS: flops 5 a value"},
    .pattern = "softmax-three-pass/ROWSxCOLS", .examples = three_pass_examples, .on_demand = true,
    .memory = memory, .prepare = prepare_three_passes, .run = run,
};
