/* Words in the order of their mean logits, so that those that a filter drops lie together (Wijmans et al. 2024). The
   largest come first (there: last): after few words a token's running log-sum-exp is then almost the whole. */
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
        const float bias = work->bias ? work->bias[v] : 0;
        const float value = kernels()->dot(d, means->embedding, work->words.data + v * d) + bias;
        means->logits[v] = (MeanLogit){isnan(value) ? INFINITY : value, (int32_t)v};
    }
}

static int compare_means(const void *a, const void *b)
{
    const MeanLogit *x = a, *y = b;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
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
    for (int64_t i = 0; i < work->tokens.count; i++)
        kernels()->axpy(d, 1 / (float)work->tokens.count, vector_of(&work->tokens, i), embedding);
    MeanLogit *logits = (MeanLogit *)(void *)lent;
    parallel_for(words, GRAIN, compute_means, &(MeanLogits){work, embedding, logits});
    qsort(logits, (size_t)words, sizeof *logits, compare_means);
    room(embedding, d, sizeof(float), false);
    int32_t *place_of_word = (int32_t *)(void *)(logits + words);
    for (int64_t v = 0; v < words; v++) {
        work->order[v] = logits[v].word;
        place_of_word[logits[v].word] = (int32_t)v;
    }
    for (int64_t i = 0; i < work->tokens.count; i++) {
        const int64_t token = index_of(&work->tokens, i);
        work->places[token] = place_of_word[work->targets[token]];
    }
}

/* The words of one tile lie together anyway. */
bool cut_sorts(const CutProblem *problem)
{
    return problem->options.sorted && problem->options.filter > 0 && problem->words > COLUMNS;
}

void cut_make_order(Work *work, int32_t *to, float *lent, int64_t count)
{
    enum { LENT = 3 }; /* floats a word */
    const int64_t wanted = LENT * work->problem->words;
    work->order = to;
    work->places = to + work->problem->words;
    if (count >= wanted) {
        sort_words(work, lent);
    } else {
        float *own = room(NULL, wanted, sizeof(float), true);
        sort_words(work, own);
        room(own, wanted, sizeof(float), false);
    }
    work->words.index = work->order;
}
