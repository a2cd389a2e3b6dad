/* Every loss forward and backward, beside plain cross-entropy. */
#include <stdio.h>
#include <string.h>

#include "core/base/random.h"
#include "core/bench/benchmark.h"
#include "losses/loss.h"

typedef struct LossState { JsonSource *source; Instance loss; LossInput input; } LossState;

/* Losses that compare samples take the time of a pair of samples, and no more than so many of them. Matrices of classes
   by classes have no more than so many rows. */
enum { BATCH = 64, SQUARE = 1000 };

/* About as many logits whatever the number of classes, but at least 16 samples. */
static int64_t samples_of_classes(int64_t classes)
{
    int64_t samples = 400000 / classes;
    return samples < 16 ? 16 : samples > 4096 ? 4096 : samples;
}

static bool compares_samples(const LossDef *def)
{
    return def->whole_batch || def->targets == LOSS_IDS;
}

static int64_t samples_of(const LossDef *def, int64_t classes)
{
    int64_t samples = samples_of_classes(classes);
    return compares_samples(def) && samples > BATCH ? BATCH : samples;
}

static double memory(const int64_t *sizes)
{
    return 8.0 * (double)samples_of_classes(sizes[0]) * (double)sizes[0];
}

/* How many columns it always has; 0: as many as there are classes, labels, bins, outputs. */
static int64_t own_size(const LossDef *def)
{
    return def->columns ? def->columns : def->most_rank == 1 ? 1 : 0;
}

/* What a size means for it where that is not classes or labels, or why it has no other. */
static const char *note(Arena *arena, const LossDef *def)
{
    const char *text = def->columns ? arena_format(arena, "%lld columns", (long long)def->columns)
        : def->most_rank == 1       ? "a score a sample"
        : def->square               ? arena_format(arena, "a matrix of the classes' square: %d at most", SQUARE)
        : def->targets == LOSS_IDS  ? "dimensions of embeddings"
        : def->targets == LOSS_TOKENS ? "words of a vocabulary; a sample is 6 tokens"
        : def->targets == LOSS_VALUES ? (def->outputs ? "columns that a value has" : "values")
                                    : NULL;
    if (!compares_samples(def))
        return text;
    return arena_format(arena, "%s%sbatches of up to %d", text ? text : "", text ? "; " : "", BATCH);
}

/* In the benchmark's arena, in single precision. */
static Tensor *kept(Benchmark *benchmark, const Tensor *from)
{
    if (!from)
        return NULL;
    ArrayType type = from->type == ARRAY_I32 ? ARRAY_I32 : ARRAY_F32;
    Tensor *to = tensor_new(benchmark->arena, type, from->rank, from->shape);
    for (int64_t i = 0; i < to->count; i++)
        tensor_set(to, i, tensor_value(from, i));
    return to;
}

/* Of cosines and of heads: without the head, which is none of the loss's work. */
static void drop_head(const LossDef *def, Random *random, int64_t samples, int64_t classes, LossInput *in)
{
    if (!def->cosines && !def->of_head)
        return;
    in->extra_count = 0;
    in->logits = t_new(ARRAY_F64, SHAPE(samples, classes));
    for (int64_t i = 0; i < in->logits->count; i++)
        tensor_set(in->logits, i, 2 * random_uniform(random) - 1);
}

static bool make(Benchmark *benchmark, const LossDef *def, int64_t classes, int64_t samples, Error *error)
{
    LossState *state = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *state);
    state->source = json_source_new();
    if (!loss_fitted(def, classes, state->source, benchmark->arena, &state->loss, error))
        return false;
    Random random = random_start(benchmark->seed, "benchmark", 0);
    LossInput in = loss_sample(&state->loss, &random, samples, classes - def->unnamed_classes);
    drop_head(def, &random, samples, classes, &in);
    LossInput *input = &state->input;
    *input = in;
    input->logits = kept(benchmark, in.logits);
    input->logits->requires_gradient = true;
    input->targets = kept(benchmark, in.targets);
    input->features = kept(benchmark, in.features);
    LossExtra *extras = arena_zero(benchmark->arena, (size_t)in.extra_count + 1, sizeof *extras);
    for (int i = 0; i < in.extra_count; i++)
        extras[i] = (LossExtra){in.extras[i].name, kept(benchmark, in.extras[i].value)};
    input->extras = extras;
    tape_reset();
    int64_t width = loss_state_width(&state->loss, classes);
    if (width)
        input->state = arena_zero(benchmark->arena, (size_t)(samples * width), sizeof(float));
    return loss_check(&state->loss, input, error);
}

static void release(Benchmark *benchmark)
{
    json_source_free(((LossState *)benchmark->state)->source);
}

static void each_example(void (*add)(void *context, const char *name), void *context)
{
    static const int64_t classes[] = {10, 1000, 100000};
    char name[BENCHMARK_NAME];
    for (const Component *const *item = component_kind("loss")->items; *item; item++) {
        const LossDef *def = (const LossDef *)*item;
        int64_t own = own_size(def);
        for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
            if ((own && i > 0) || (def->square && classes[i] > SQUARE))
                continue;
            snprintf(name, sizeof name, "losses/%s/%lld", (*item)->name, (long long)(own ? own : classes[i]));
            add(context, name);
        }
    }
}

static bool check_size(const LossDef *def, int64_t size, Error *error)
{
    int64_t own = own_size(def);
    if (own && size != own)
        return fail_usage(error, "%s has no size but %lld", def->component.name, (long long)own);
    if (def->square && size > SQUARE)
        return fail_usage(error, "%s needs a matrix of %lld x %lld; at most %d", def->component.name, (long long)size,
                          (long long)size, SQUARE);
    int64_t least = (def->least_columns ? def->least_columns : 1) + def->unnamed_classes;
    return size >= least || fail_usage(error, "%s needs a size of %lld at least", def->component.name,
                                       (long long)least);
}

static bool prepare(Benchmark *benchmark, Error *error)
{
    const LossDef *def = (const LossDef *)component_find("loss", benchmark->word);
    if (!def)
        return fail_usage(error, "unknown loss \"%s\"; see xent list losses", benchmark->word);
    if (!check_size(def, benchmark->sizes[0], error))
        return false;
    int64_t classes = benchmark->sizes[0], samples = samples_of(def, classes);
    bool good = make(benchmark, def, classes, samples, error);
    error->status = STATUS_USAGE;
    benchmark->samples = samples;
    benchmark->sized = !own_size(def);
    benchmark->note = note(benchmark->arena, def);
    const LossState *state = benchmark->state;
    benchmark->read_bytes = benchmark->write_bytes = good ? 4 * (double)state->input.logits->count : 0;
    return good;
}

static void run(Benchmark *benchmark)
{
    LossState *state = benchmark->state;
    tape_reset();
    tensor_clear_gradient(state->input.logits);
    state->input.random = random_start(benchmark->seed, "loss", 0);
    t_backward(loss_evaluate(&state->loss, &state->input).loss);
}

/* Of as many classes, or of two. */
static void reference(const Benchmark *benchmark, char *name, size_t size)
{
    int64_t classes = benchmark->sizes[0];
    snprintf(name, size, "losses/ce/%lld", (long long)(classes < 2 ? 2 : classes));
}

const BenchmarkDef benchmark_losses = {
    .component =
        {.name = "losses",
         .summary =
             "a loss of CLASSES classes or labels with its defaults, forward and backward, beside plain cross-entropy",
         .formula =
             "losses/NAME/CLASSES: bytes of the logits read and of their gradient written; flops are not counted",
         .notes = "The bare name runs every loss at 10, 1,000 and 100,000 classes, labels, bins, outputs or words. "
                  "Those of a fixed number of columns have that size alone. Inputs are made up. Losses that compare "
                  "samples with each other have batches of at most 64."},
    .pattern = "losses/WORD/CLASSES",
    .each_example = each_example,
    .on_demand = true,
    .shares_tape = true,
    .table = true,
    .seconds = 0.005,
    .memory = memory,
    .prepare = prepare,
    .run = run,
    .release = release,
    .reference = reference,
};
