/* Softmax of rows. */
#include "core/base/threads.h"
#include "core/bench/benchmark.h"
#include "core/kernels/kernels.h"

typedef struct Rows { VectorFunction row; int64_t columns; const float *x; float *y; } Rows;

static double memory(const int64_t *sizes)
{
    return 8 * (double)sizes[0] * (double)sizes[1];
}

static bool prepare(Benchmark *benchmark, VectorFunction row)
{
    int64_t rows = benchmark->sizes[0], columns = benchmark->sizes[1];
    Rows *state = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *state);
    *state = (Rows){
        .row = row, .columns = columns, .x = tensor_f32(benchmark_normals(benchmark, 3, false, SHAPE(rows, columns))),
        .y = tensor_f32(tensor_new(benchmark->arena, ARRAY_F32, SHAPE(rows, columns))),
    };
    benchmark->flops = 5 * (double)rows * (double)columns;
    benchmark->read_bytes = benchmark->write_bytes = 4 * (double)rows * (double)columns;
    benchmark->samples = rows;
    return true;
}

/* A row for another kernel is this function and a definition. */
static bool prepare_softmax(Benchmark *benchmark, Error *error)
{
    (void)error;
    return prepare(benchmark, kernels()->softmax_row);
}

static void some_rows(void *context, int64_t begin, int64_t end)
{
    const Rows *state = context;
    for (int64_t i = begin; i < end; i++)
        state->row(state->columns, state->x + i * state->columns, state->y + i * state->columns);
}

/* Cut as t_softmax does. */
static void run(Benchmark *benchmark)
{
    enum { CHUNK = 16 * 1024 };
    Rows *state = benchmark->state;
    parallel_for(benchmark->sizes[0], CHUNK / (state->columns + 1) + 1, some_rows, state);
}

static const char *const examples[] = {"softmax/4096x1024", "softmax/2048x32768", NULL};

const BenchmarkDef benchmark_softmax = {
    .component = {.name = "softmax", .summary = "softmax of each row, by the kernel that models use",
                  .formula = "softmax/ROWSxCOLS: flops 5 a value (maximum, subtraction, exp, sum, scale)"},
    .pattern = "softmax/ROWSxCOLS", .examples = examples, .memory = memory, .prepare = prepare_softmax, .run = run,
};
