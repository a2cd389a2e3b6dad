/* A language model's head: cross-entropy of a linear map onto many words, forward and backward. */
#include <math.h>

#include "core/base/random.h"
#include "core/bench/benchmark.h"
#include "core/tensor/operations.h"

typedef struct Head { Tensor *embeddings, *weight, *targets; CutCrossEntropyOptions options; } Head;

static double memory(const int64_t *sizes)
{
    return 8 * (double)sizes[1] * ((double)sizes[0] + (double)sizes[2]);
}

static Head *prepare_head(Benchmark *benchmark, double deviation)
{
    int64_t tokens = benchmark->sizes[0], width = benchmark->sizes[1], words = benchmark->sizes[2];
    Head *head = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *head);
    head->embeddings = benchmark_normals(benchmark, 1, true, SHAPE(tokens, width));
    head->weight = benchmark_normals(benchmark, deviation, true, SHAPE(words, width));
    head->targets = benchmark_classes(benchmark, words, tokens);
    benchmark->flops = 6 * (double)tokens * (double)width * (double)words;
    benchmark->repeated_flops = 2 * (double)tokens * (double)width * (double)words;
    benchmark->read_bytes = benchmark->write_bytes = memory(benchmark->sizes) / 2;
    benchmark->samples = tokens;
    return head;
}

static bool prepare(Benchmark *benchmark, Error *error)
{
    (void)error;
    prepare_head(benchmark, 0.02);
    return true;
}

/* benchmark_normals repeats itself and begins alike, so that words and tokens would be copies of each other. */
static void draw_again(Tensor *tensor, const char *stream, double deviation)
{
    Random random = random_start(1, stream, 0);
    for (int64_t i = 0; i < tensor->count; i++)
        tensor_f32(tensor)[i] = (float)(deviation * random_normal(&random));
}

/* As after training: words sorted by frequency, logits log(1 / (1 + word)) + normal noise + 6 at the target, and
   targets drawn from those frequencies. A uniform u gives the word (1 + words)^u - 1. */
static bool prepare_trained(Benchmark *benchmark, Error *error)
{
    (void)error;
    int64_t tokens = benchmark->sizes[0], width = benchmark->sizes[1], words = benchmark->sizes[2];
    Head *head = prepare_head(benchmark, 1 / sqrt((double)width));
    draw_again(head->embeddings, "embeddings", 1);
    draw_again(head->weight, "weight", 1 / sqrt((double)width));
    benchmark->flops = benchmark->repeated_flops = 2 * (double)tokens * (double)width * (double)words;
    head->options = (CutCrossEntropyOptions){.filter = 0x1p-12, .sorted = true};
    for (int64_t word = 0; word < words; word++)
        tensor_f32(head->weight)[word * width] = -logf((float)(1 + word));
    for (int64_t token = 0; token < tokens; token++) {
        const double uniform = (double)tensor_i32(head->targets)[token] / (double)words;
        const int64_t target = (int64_t)pow((double)(1 + words), uniform) - 1;
        tensor_i32(head->targets)[token] = (int32_t)target;
        for (int64_t i = 1; i < width; i++)
            tensor_f32(head->embeddings)[token * width + i] += 6 * tensor_f32(head->weight)[target * width + i];
        tensor_f32(head->embeddings)[token * width] = 1;
    }
    return true;
}

static void run(Benchmark *benchmark)
{
    Head *head = benchmark->state;
    tape_reset();
    tensor_clear_gradient(head->embeddings);
    tensor_clear_gradient(head->weight);
    Tensor *losses = t_linear_cross_entropy(head->embeddings, head->weight, NULL, head->targets, &head->options);
    t_backward(t_mean(losses, ALL_AXES, false));
}

static const char *const examples[] = {"loss/linear-ce-2048x256x32768", NULL};
static const char *const trained_examples[] = {"loss/linear-ce-trained-2048x256x32768", NULL};

const BenchmarkDef benchmark_linear_cross_entropy = {
    .component = {.name = "loss/linear-ce",
                  .summary = "cross-entropy of a linear map of TOKENS vectors onto WORDS, forward and backward",
                  .formula = "loss/linear-ce-TOKENSxWIDTHxWORDS: flops 6 TOKENS WIDTH WORDS; the roof "
                             "has 8, with the logits that the backward pass computes again, because it keeps none"},
    .pattern = "loss/linear-ce-TOKENSxWIDTHxWORDS",
    .examples = examples,
    .memory = memory,
    .prepare = prepare,
    .run = run,
};

const BenchmarkDef benchmark_linear_cross_entropy_trained = {
    .component = {.name = "loss/linear-ce-trained",
                  .summary = "the same on peaked logits, gradients filtered at 2^-12, words sorted",
                  .formula = "loss/linear-ce-trained-TOKENSxWIDTHxWORDS: logits -log(1 + word) + normal noise + 6 at "
                             "the target; flops 2 TOKENS WIDTH WORDS, in the roof 4, with the logits that the "
                             "backward pass computes again; what the filter leaves of the gradients' products is not "
                             "counted"},
    .pattern = "loss/linear-ce-trained-TOKENSxWIDTHxWORDS",
    .examples = trained_examples,
    .memory = memory,
    .prepare = prepare_trained,
    .run = run,
};
