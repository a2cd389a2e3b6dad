/* A language model's head: cross-entropy of a linear map onto many words, forward and backward. */
#include "core/bench/benchmark.h"
#include "core/tensor/operations.h"

typedef struct Head { Tensor *embeddings, *weight, *targets; } Head;

static double memory(const int64_t *sizes)
{
    return 8 * (double)sizes[1] * ((double)sizes[0] + (double)sizes[2]);
}

static bool prepare(Benchmark *benchmark, Error *error)
{
    (void)error;
    int64_t tokens = benchmark->sizes[0], width = benchmark->sizes[1], words = benchmark->sizes[2];
    Head *head = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *head);
    head->embeddings = benchmark_normals(benchmark, 1, true, SHAPE(tokens, width));
    head->weight = benchmark_normals(benchmark, 0.02, true, SHAPE(words, width));
    head->targets = benchmark_classes(benchmark, words, tokens);
    benchmark->flops = 6 * (double)tokens * (double)width * (double)words;
    benchmark->read_bytes = benchmark->write_bytes = memory(benchmark->sizes) / 2;
    benchmark->samples = tokens;
    return true;
}

static void run(Benchmark *benchmark)
{
    Head *head = benchmark->state;
    tape_reset();
    tensor_clear_gradient(head->embeddings);
    tensor_clear_gradient(head->weight);
    t_backward(t_mean(t_linear_cross_entropy(head->embeddings, head->weight, NULL, head->targets, 0), ALL_AXES, false));
}

static const char *const examples[] = {"loss/linear-ce-2048x256x32768", NULL};

const BenchmarkDef benchmark_linear_cross_entropy = {
    .component = {.name = "loss/linear-ce", .summary = "cross-entropy of a linear map of TOKENS vectors onto WORDS, forward and backward",
                  .formula = "loss/linear-ce-TOKENSxWIDTHxWORDS: flops 6 TOKENS WIDTH WORDS; the logits that the backward pass computes again are not counted"},
    .pattern = "loss/linear-ce-TOKENSxWIDTHxWORDS", .examples = examples, .memory = memory, .prepare = prepare, .run = run,
};
