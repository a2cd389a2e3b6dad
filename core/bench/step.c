/* Whole training steps, through what xent train runs: the loader, the objective, the tape, the optimizer. */
#include <assert.h>
#include <stdio.h>

#include "core/bench/benchmark.h"
#include "core/train/gradients.h"

static double memory(const int64_t *sizes)
{
    return 4 * 784 * (double)sizes[0]; /* the samples alone */
}

/* 8 batches of the samples, or one where they are large. */
static int64_t batches_of(int64_t batch)
{
    return batch <= 1024 ? 8 : 1;
}

/* The run owns the config; each run has a tape of its own. */
static bool prepare(Benchmark *benchmark, const char *config_text, Error *error)
{
    Config *config = config_parse("config", config_text, NULL, &benchmark->seed, error);
    Run *run = config ? run_new(config, NULL, error) : NULL;
    if (!run)
        return false;
    benchmark->state = run;
    int64_t parameters = 0, batch = benchmark->sizes[0];
    for (int64_t i = 0; i < run->model->parameters->count; i++)
        parameters += run->model->parameters->items[i].value->count;
    /* The products forward, and twice as many backward. */
    benchmark->flops = 3 * run->model->flops * (double)batch;
    /* Weights, gradients and two moments of Adam. */
    benchmark->read_bytes = benchmark->write_bytes = 16 * (double)parameters;
    benchmark->samples = batch;
    return true;
}

static void run_step(Benchmark *benchmark)
{
    Run *run = benchmark->state;
    Progress *progress = &run->progress;
    tape_use(run->tape);
    StepGradients step = step_gradients(run, progress->epoch, progress->batch, 1);
    assert(isfinite(step.loss));
    optimizer_step(run->optimizer, step.gradients, 1, ++progress->step);
    if (++progress->batch == loader_batches(run->loader)) {
        progress->batch = 0;
        progress->epoch++;
    }
}

static void release(Benchmark *benchmark)
{
    run_free(benchmark->state);
}

/* Images of 28 x 28 in 10 classes. */
static bool prepare_images(Benchmark *benchmark, const char *model, Error *error)
{
    long long batch = benchmark->sizes[0], count = batch * batches_of(batch);
    const char *config = arena_format(
        benchmark->arena,
        "{\"data\": {\"type\": \"glyphs\", \"count\": %lld, \"val_count\": 0, \"test_count\": 0},"
        " \"model\": %s, \"optimizer\": \"adam\", \"train\": {\"batch_size\": %lld, \"steps\": 1}}",
        count, model, batch);
    return prepare(benchmark, config, error);
}

static bool prepare_mlp(Benchmark *benchmark, Error *error)
{
    return prepare_images(benchmark, "{\"type\": \"mlp\", \"hidden\": [256]}", error);
}

static bool prepare_cnn(Benchmark *benchmark, Error *error)
{
    return prepare_images(benchmark, "{\"type\": \"cnn\", \"channels\": [32, 64], \"kernel\": [3], \"hidden\": [128]}",
                          error);
}

static bool prepare_gpt(Benchmark *benchmark, Error *error)
{
    enum { TOKENS = 128 };
    long long batch = benchmark->sizes[0], count = batch * batches_of(batch) * TOKENS + 1;
    const char *config = arena_format(
        benchmark->arena,
        "{\"data\": {\"type\": \"markov-text\", \"classes\": 65, \"length\": %d, \"count\": %lld,"
        " \"val_count\": 0, \"test_count\": 0},"
        " \"model\": {\"type\": \"transformer\", \"layers\": 4, \"width\": 128, \"heads\": 4, \"tie\": false},"
        " \"optimizer\": \"adamw\", \"train\": {\"batch_size\": %lld, \"steps\": 1}}",
        TOKENS, count, batch);
    return prepare(benchmark, config, error);
}

static const char *const mlp_examples[] = {"step/mlp-b128", "step/mlp-b16", NULL};
static const char *const cnn_examples[] = {"step/cnn-b128", NULL};
static const char *const gpt_examples[] = {"step/gpt-b16", NULL};

#define STEP_FORMULA(pattern) .formula = pattern ": flops three times those of the model's forward"

const BenchmarkDef benchmark_step_mlp = {
    .component = {.name = "step/mlp",
                  .summary = "training step of an MLP 784-256-10 with Adam, BATCH samples",
                  STEP_FORMULA("step/mlp-bBATCH")},
    .pattern = "step/mlp-bBATCH",
    .examples = mlp_examples,
    .memory = memory,
    .prepare = prepare_mlp,
    .run = run_step,
    .release = release,
};

const BenchmarkDef benchmark_step_cnn = {
    .component = {.name = "step/cnn",
                  .summary = "of a CNN with 3 x 3 filters (32, 64) and layers of 128 and 10 on 28 x 28 images, Adam",
                  STEP_FORMULA("step/cnn-bBATCH")},
    .pattern = "step/cnn-bBATCH",
    .examples = cnn_examples,
    .memory = memory,
    .prepare = prepare_cnn,
    .run = run_step,
    .release = release,
};

const BenchmarkDef benchmark_step_gpt = {
    .component = {.name = "step/gpt",
                  .summary = "of a transformer of 4 layers, width 128, 4 heads, 128 tokens of 65, AdamW",
                  STEP_FORMULA("step/gpt-bBATCH")},
    .pattern = "step/gpt-bBATCH",
    .examples = gpt_examples,
    .memory = memory,
    .prepare = prepare_gpt,
    .run = run_step,
    .release = release,
};
