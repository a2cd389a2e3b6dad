/* Words in the order of their mean logits, so that those that a filter drops lie together (Wijmans et al. 2024). */
#include <math.h>
#include <stdlib.h>

#include "core/kernels/kernels.h"
#include "core/tensor/cut_work.h"

typedef struct MeanLogit {
    float value;
    int32_t word;
} MeanLogit;

typedef struct MeanLogits {
    const Work *work;
    const float *embedding;     /* the mean of those that count */
    MeanLogit *logits;
} MeanLogits;

/* What is no number counts as large, so that there is an order. */
static void compute_means(void *context, int64_t begin, int64_t end)
{
    const MeanLogits *means = context;
    const Work *work = means->work;
    const int64_t d = work->problem->width;
    for (int64_t v = begin; v < end; v++) {
        const float value = kernels()->dot(d, means->embedding, work->weight + v * d) + (work->bias ? work->bias[v] : 0);
        means->logits[v] = (MeanLogit){isnan(value) ? INFINITY : value, (int32_t)v};
    }
}

static int compare_means(const void *a, const void *b)
{
    const MeanLogit *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->word > y->word) - (x->word < y->word);
}

/* By mean logit, which without a softcap is the logit of the mean embedding. lent: room for the logits and as many
   places. */
static void sort_words(Work *work, float *lent)
{
    enum { GRAIN = 256 };
    const CutProblem *problem = work->problem;
    const int64_t words = problem->words, d = problem->width;
    float *embedding = room(NULL, d, sizeof(float), true);
    memset(embedding, 0, (size_t)d * sizeof(float));
    for (int64_t i = 0; i < work->count; i++)
        kernels()->axpy(d, 1 / (float)work->count, embedding_of(work, i), embedding);
    MeanLogit *logits = (MeanLogit *)(void *)lent;
    parallel_for(words, GRAIN, compute_means, &(MeanLogits){work, embedding, logits});
    qsort(logits, (size_t)words, sizeof *logits, compare_means);
    room(embedding, d, sizeof(float), false);
    int32_t *place_of = (int32_t *)(void *)(logits + words);
    work->order = room(NULL, words, sizeof(int32_t), true);
    work->places = room(NULL, problem->tokens, sizeof(int32_t), true);
    for (int64_t v = 0; v < words; v++) {
        work->order[v] = logits[v].word;
        place_of[logits[v].word] = (int32_t)v;
    }
    for (int64_t i = 0; i < work->count; i++)
        work->places[token_of(work, i)] = place_of[work->targets[token_of(work, i)]];
}

void cut_make_order(Work *work, Tensor *dweight)
{
    enum { LENT = 3 }; /* floats a word */
    const CutProblem *problem = work->problem;
    if (!problem->options.sorted || !(problem->options.filter > 0) || problem->words <= WORDS || work->count == 0)
        return;
    if (dweight && problem->width >= LENT) {
        sort_words(work, tensor_f32(dweight));
        return;
    }
    float *lent = room(NULL, LENT * problem->words, sizeof(float), true);
    sort_words(work, lent);
    room(lent, LENT * problem->words, sizeof(float), false);
}
