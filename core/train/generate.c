#include "core/train/generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/nn/attention_cache.h"
#include "core/tensor/operations.h"

typedef struct Candidate {
    int32_t token;
    double logit, probability;
} Candidate;

static int by_logit(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->token < y->token ? -1 : 1;
}

/* Holtzman et al. 2020: nucleus sampling. */
static int64_t nucleus(Candidate *candidates, int64_t count, double top_p)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += candidates[i].probability;
        if (sum >= top_p)
            return i + 1;
    }
    return count;
}

static void softmax(Candidate *candidates, int64_t count, double temperature)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += candidates[i].probability = exp((candidates[i].logit - candidates[0].logit) / temperature);
    for (int64_t i = 0; i < count; i++)
        candidates[i].probability /= sum;
}

int32_t sample_token(const float *logits, int64_t vocabulary, const SamplingOptions *options, int64_t position,
                     Arena *scratch)
{
    Candidate *candidates = arena_alloc(scratch, (size_t)vocabulary * sizeof *candidates);
    int64_t count = 0;
    for (int64_t i = 0; i < vocabulary; i++)
        if (logits[i] > -INFINITY)
            candidates[count++] = (Candidate){(int32_t)i, (double)logits[i], 0};
    if (count == 0)
        return -1;
    qsort(candidates, (size_t)count, sizeof *candidates, by_logit);
    if (options->temperature == 0 || isinf(candidates[0].logit))
        return candidates[0].token;
    if (options->top_k > 0 && options->top_k < count)
        count = options->top_k;
    softmax(candidates, count, options->temperature);
    count = options->top_p < 1 ? nucleus(candidates, count, options->top_p) : count;
    double mass = 0;
    for (int64_t i = 0; i < count; i++)
        mass += candidates[i].probability;
    Random random = random_start(options->seed, "generate", 0);
    random.index = (uint64_t)position;
    double left = random_uniform(&random) * mass;
    for (int64_t i = 0; i < count; i++)
        if ((left -= candidates[i].probability) < 0)
            return candidates[i].token;
    return candidates[count - 1].token;
}

bool generator_check(const SavedModel *saved, Error *error)
{
    if (saved->target_kind != TARGET_TOKENS || !saved->model->input.per_position)
        return fail_usage(error, "%s: not a language model: it does not predict the next token", saved->path);
    if (!saved->tokenizer && !saved->class_names)
        return fail_usage(error, "%s: its tokens stand for no text", saved->path);
    cJSON *model = instance_to_json(&saved->model->instance);
    const cJSON *causal = cJSON_GetObjectItemCaseSensitive(model, "causal");
    bool sees_future = cJSON_IsString(causal) && strcmp(causal->valuestring, "no") == 0;
    cJSON_Delete(model);
    return !sees_future ||
           fail_usage(error, "%s: the model sees the tokens that follow (model.causal is \"no\")", saved->path);
}

/* The longest name that the text begins with. */
static int32_t find_name(const SavedModel *saved, const char *text, size_t *length)
{
    int32_t found = -1;
    *length = 0;
    for (int64_t k = 0; k < saved->classes; k++) {
        size_t size = strlen(saved->class_names[k]);
        if (size > *length && strncmp(saved->class_names[k], text, size) == 0) {
            *length = size;
            found = (int32_t)k;
        }
    }
    return found;
}

bool generator_encode(const SavedModel *saved, const char *text, Arena *arena, int32_t **tokens, int64_t *count,
                      Error *error)
{
    if (saved->tokenizer)
        return tokenizer_encode(saved->tokenizer, (const unsigned char *)text, strlen(text), arena, tokens, count,
                                error);
    *tokens = arena_alloc(arena, (strlen(text) + 1) * sizeof **tokens);
    *count = 0;
    for (size_t at = 0, length; text[at]; at += length) {
        int32_t token = find_name(saved, text + at, &length);
        if (token < 0)
            return fail(error, "byte %zu: not a character that the model knows", at);
        (*tokens)[(*count)++] = token;
    }
    return true;
}

const unsigned char *generator_piece(const SavedModel *saved, int32_t token, size_t *size)
{
    if (saved->tokenizer) {
        *size = (size_t)saved->tokenizer->piece_sizes[token];
        return saved->tokenizer->pieces[token];
    }
    *size = strlen(saved->class_names[token]);
    return (const unsigned char *)saved->class_names[token];
}

struct Generator {
    const SavedModel *saved;
    int64_t window;
    AttentionCache *cache; /* NULL: the whole context is computed for each token */
};

/* A transformer takes less than the window that it was trained on, and goes on from what a cache holds. */
Generator *generator_new(const SavedModel *saved)
{
    Generator *generator = memory_new(sizeof *generator);
    generator->saved = saved;
    generator->window = saved->model->input.shape.sizes[0];
    if (strcmp(saved->model->def->component.name, "transformer") == 0)
        generator->cache = attention_cache_new(generator->window);
    return generator;
}

void generator_free(Generator *generator)
{
    if (generator)
        attention_cache_free(generator->cache);
    memory_free(generator);
}

/* In place; a loss of tokens has a logit for each. Without a config, logits are what they are. */
static void decode(const SavedModel *saved, float *logits)
{
    const Instance *loss = saved->config ? &saved->config->loss : NULL;
    if (!loss || !loss_decodes(loss))
        return;
    double *decoded = arena_alloc(tape_arena(), (size_t)saved->classes * sizeof *decoded);
    loss_decode(loss, t_wrap(ARRAY_F32, SHAPE(1, saved->classes), logits), saved->classes, decoded);
    for (int64_t k = 0; k < saved->classes; k++)
        logits[k] = (float)decoded[k];
}

/* The last row of the decoded logits of tokens[0..used-1], in a tensor of `length` >= used, filled up behind them. */
static const float *run(const Generator *generator, AttentionCache *cache, const int32_t *tokens, int64_t used,
                        int64_t length)
{
    const Model *model = generator->saved->model;
    Tensor *x = t_zeros(ARRAY_I32, SHAPE(1, length));
    memcpy(x->data, tokens, (size_t)used * sizeof *tokens);
    Forward forward = {.cache = cache};
    bool was = tape_record(false);
    const Tensor *logits = model_forward(model, &forward, x);
    tape_record(was);
    float *last = tensor_f32(logits) + (used - 1) * model->input.outputs;
    decode(generator->saved, last);
    return last;
}

const float *generator_logits(Generator *generator, const int32_t *tokens, int64_t count)
{
    AttentionCache *cache = generator->cache;
    int64_t window = generator->window, used = count < window ? count : window;
    if (!cache) /* nothing that is read looks at what fills the window up */
        return run(generator, NULL, tokens + count - used, used, window);
    if (count > window) /* positions move: what was computed for the old ones is of no use */
        return run(generator, NULL, tokens + count - used, used, used);
    int64_t past = cache->past;
    cache->next = 0;
    const float *logits = run(generator, cache, tokens + past, count - past, count - past);
    cache->past = count;
    return logits;
}
