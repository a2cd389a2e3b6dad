/* Attention forward and backward: one sequence, 4 heads of 64. */
#include "core/bench/benchmark.h"
#include "core/tensor/operations.h"

enum { HEADS = 4, WIDTH = 64 };

typedef struct Heads { Tensor *query, *key, *value; AttentionOptions options; } Heads;

static double memory(const int64_t *sizes)
{
    return 4.0 * 7 * HEADS * WIDTH * (double)sizes[0];
}

static bool prepare(Benchmark *benchmark, bool causal)
{
    int64_t tokens = benchmark->sizes[0];
    Heads *heads = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *heads);
    Tensor **inputs[] = {&heads->query, &heads->key, &heads->value};
    for (int i = 0; i < 3; i++)
        *inputs[i] = benchmark_normals(benchmark, 1, true, SHAPE(1, tokens, HEADS, WIDTH));
    heads->options = (AttentionOptions){.scale = 1.0 / 8, .causal = causal};
    double array = 4.0 * HEADS * WIDTH * (double)tokens;
    /* Two products forward, four backward, of 2 T^2 D flops a head; a causal mask leaves half of them. */
    benchmark->flops = 12.0 * HEADS * WIDTH * (double)tokens * (double)tokens * (causal ? 0.5 : 1);
    benchmark->read_bytes = 4 * array;
    benchmark->write_bytes = 4 * array;
    benchmark->samples = tokens;
    return true;
}

static bool prepare_full(Benchmark *benchmark, Error *error)
{
    (void)error;
    return prepare(benchmark, false);
}

static bool prepare_causal(Benchmark *benchmark, Error *error)
{
    (void)error;
    return prepare(benchmark, true);
}

static void run(Benchmark *benchmark)
{
    Heads *heads = benchmark->state;
    tape_reset();
    tensor_clear_gradient(heads->query);
    tensor_clear_gradient(heads->key);
    tensor_clear_gradient(heads->value);
    t_backward(t_sum(t_attention(heads->query, heads->key, heads->value, NULL, &heads->options), ALL_AXES, false));
}

static const char *const examples[] = {"attention/512", "attention/2048", NULL};
static const char *const causal_examples[] = {"attention/causal-2048", NULL};

const BenchmarkDef benchmark_attention = {
    .component = {.name = "attention",
                  .summary = "attention of 4 heads of 64 over TOKENS, forward and backward",
                  .formula = "attention/TOKENS: flops 12 heads 64 TOKENS^2; the scores that the backward pass computes "
                             "again are not counted"},
    .pattern = "attention/TOKENS",
    .examples = examples,
    .memory = memory,
    .prepare = prepare_full,
    .run = run,
};

const BenchmarkDef benchmark_attention_causal = {
    .component = {.name = "attention/causal",
                  .summary = "the same where a token sees only the past",
                  .formula = "attention/causal-TOKENS: half of the flops"},
    .pattern = "attention/causal-TOKENS",
    .examples = causal_examples,
    .memory = memory,
    .prepare = prepare_causal,
    .run = run,
};
