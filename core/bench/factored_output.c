/* The output layer of very many classes under the Z-loss: factored, whose cost classes do not change, and plain. */
#include "core/bench/benchmark.h"
#include "core/nn/factored_output.h"
#include "core/tensor/operations.h"
#include "losses/loss.h"

enum { REFACTOR_EVERY = 512 };
static const double rate = 0.01;

typedef struct Factored { FactoredOutput layer; FactoredBatch batch; Instance loss; Arena *scratch; } Factored;

static double factored_memory(const int64_t *sizes)
{
    return 8 * (double)sizes[1] * ((double)sizes[0] + (double)sizes[2] + 3 * (double)sizes[1]);
}

static bool prepare_factored(Benchmark *benchmark, Error *error)
{
    (void)error;
    int64_t rows = benchmark->sizes[0], width = benchmark->sizes[1], classes = benchmark->sizes[2];
    Factored *state = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *state);
    state->scratch = arena_new();
    state->loss = instance_default(benchmark->arena, "loss", "z_loss");
    double *block = arena_zero(benchmark->arena, (size_t)factored_output_size(classes, width), sizeof *block);
    state->layer = factored_output_over(block, classes, width);
    const Tensor *weight = benchmark_normals(benchmark, 0.1, false, SHAPE(classes, width));
    for (int64_t i = 0; i < weight->count; i++)
        state->layer.v[i] = tensor_value(weight, i);
    factored_output_start(&state->layer);
    const Tensor *inputs = benchmark_normals(benchmark, 1, false, SHAPE(rows, width));
    double *h = arena_zero(benchmark->arena, (size_t)inputs->count, sizeof *h);
    for (int64_t i = 0; i < inputs->count; i++)
        h[i] = tensor_value(inputs, i);
    state->batch = (FactoredBatch){.count = rows, .inputs = h,
                                   .targets = tensor_i32(benchmark_classes(benchmark, classes, rows))};
    double m = (double)rows, d = (double)width;
    benchmark->flops = m * d * (20 * d + 6 * m);
    benchmark->read_bytes = benchmark->write_bytes = 8 * d * (3 * d + 3 * m);
    benchmark->samples = rows;
    return true;
}

/* A step; now and then, as in training, W is multiplied out. */
static void run_factored(Benchmark *benchmark)
{
    Factored *state = benchmark->state;
    FactoredBatch *batch = &state->batch;
    const LossDef *def = (const LossDef *)state->loss.component;
    arena_reset(state->scratch);
    factored_output_read(&state->layer, batch, state->scratch);
    for (int64_t i = 0; i < batch->count; i++) {
        LossMoments moments = {state->layer.classes, batch->sums[i], batch->squares[i], batch->outputs[i]};
        double slopes[3], share = 1 / (double)batch->count;
        def->of_moments(state->loss.values, &moments, slopes);
        batch->sum_slopes[i] = slopes[0] * share;
        batch->square_slopes[i] = slopes[1] * share;
        batch->output_slopes[i] = slopes[2] * share;
    }
    factored_output_gradients(&state->layer, batch);
    factored_output_step(&state->layer, batch, rate, REFACTOR_EVERY, state->scratch);
}

static void release_factored(Benchmark *benchmark)
{
    arena_free(((Factored *)benchmark->state)->scratch);
}

typedef struct Plain { Tensor *inputs, *weight, *targets; Instance loss; } Plain;

static double plain_memory(const int64_t *sizes)
{
    return 8 * ((double)sizes[1] + (double)sizes[0]) * (double)sizes[2];
}

static bool prepare_plain(Benchmark *benchmark, Error *error)
{
    (void)error;
    int64_t rows = benchmark->sizes[0], width = benchmark->sizes[1], classes = benchmark->sizes[2];
    Plain *state = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *state);
    state->loss = instance_default(benchmark->arena, "loss", "z_loss");
    state->inputs = benchmark_normals(benchmark, 1, true, SHAPE(rows, width));
    state->weight = benchmark_normals(benchmark, 0.1, true, SHAPE(classes, width));
    state->targets = benchmark_classes(benchmark, classes, rows);
    benchmark->flops = 6 * (double)rows * (double)width * (double)classes;
    benchmark->read_bytes = benchmark->write_bytes = plain_memory(benchmark->sizes) / 2;
    benchmark->samples = rows;
    return true;
}

static void run_plain(Benchmark *benchmark)
{
    Plain *state = benchmark->state;
    tape_reset();
    tensor_clear_gradient(state->inputs);
    tensor_clear_gradient(state->weight);
    LossInput in = {.logits = t_linear(state->inputs, state->weight, NULL), .targets = state->targets};
    t_backward(loss_evaluate(&state->loss, &in).loss);
    const float *gradient = tensor_f32(state->weight->gradient);
    float *weight = tensor_f32(state->weight);
    for (int64_t i = 0; i < state->weight->count; i++)
        weight[i] -= (float)rate * gradient[i];
}

static const char *const factored_examples[] = {"output/factored-64x64x10000", "output/factored-64x64x40000", NULL};
static const char *const plain_examples[] = {"output/plain-64x64x10000", "output/plain-64x64x40000", NULL};

const BenchmarkDef benchmark_output_factored = {
    .component = {.name = "output/factored",
                  .summary = "a step of the factored output layer under the Z-loss, in double",
                  .formula = "output/factored-ROWSxWIDTHxCLASSES: flops ROWS WIDTH (20 WIDTH + 6 ROWS), which do not "
                             "depend on CLASSES; the multiplying out every 512 steps is in the time alone"},
    .pattern = "output/factored-ROWSxWIDTHxCLASSES",
    .examples = factored_examples,
    .memory = factored_memory,
    .prepare = prepare_factored,
    .run = run_factored,
    .release = release_factored,
};

const BenchmarkDef benchmark_output_plain = {
    .component = {.name = "output/plain",
                  .summary = "the same step with all outputs formed, in float",
                  .formula = "output/plain-ROWSxWIDTHxCLASSES: flops 6 ROWS WIDTH CLASSES"},
    .pattern = "output/plain-ROWSxWIDTHxCLASSES",
    .examples = plain_examples,
    .memory = plain_memory,
    .prepare = prepare_plain,
    .run = run_plain,
};
