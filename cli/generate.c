/* xent generate RUN: text from a language model, written as it comes. */
#include <stdio.h>
#include <string.h>

#include "cli/configs.h"
#include "core/base/utf8.h"
#include "core/train/generate.h"

typedef struct Generating {
    Arena *arena;
    SavedModel *saved;
    Generator *generator;
    SamplingOptions sampling;
    int64_t wanted, count; /* new tokens; tokens so far, the prompt's included */
    int32_t *tokens;
    unsigned char *text; /* all so far */
    size_t size, room;
    bool stream;
} Generating;

static void append(Generating *g, int32_t token)
{
    size_t size;
    const unsigned char *piece = generator_piece(g->saved, token, &size);
    if (g->size + size > g->room) {
        size_t room = 2 * (g->room + size) + 64;
        g->text = memory_grow(g->text, g->room, room);
        g->room = room;
    }
    memcpy(g->text + g->size, piece, size);
    g->size += size;
    g->tokens[g->count++] = token;
    if (g->stream) {
        fwrite(piece, 1, size, stdout);
        fflush(stdout);
    }
}

static bool start(Generating *g, const char *prompt, Error *error)
{
    int32_t *tokens;
    int64_t count;
    if (!generator_encode(g->saved, prompt, g->arena, &tokens, &count, error)) {
        error->status = STATUS_USAGE;
        return fail_at(error, "--prompt");
    }
    g->tokens = memory_array((size_t)(count + g->wanted) + 1, sizeof *g->tokens);
    for (int64_t i = 0; i < count; i++)
        append(g, tokens[i]);
    return true;
}

/* Without a prompt the first token is any, all alike. */
static bool next(Generating *g, Error *error)
{
    int64_t vocabulary = g->saved->model->input.outputs;
    const float *logits = NULL;
    if (g->count == 0)
        logits =
            memset(arena_alloc(g->arena, (size_t)vocabulary * sizeof *logits), 0, (size_t)vocabulary * sizeof *logits);
    else
        logits = generator_logits(g->generator, g->tokens, g->count);
    int32_t token = sample_token(logits, vocabulary, &g->sampling, g->count, tape_arena());
    tape_reset();
    if (token < 0)
        return fail(error, "%s: the model's output for token %lld is not a number", g->saved->path,
                    (long long)g->count);
    append(g, token);
    return true;
}

/* Bytes that are no UTF-8 become U+FFFD, for JSON. */
static char *valid_text(const Generating *g)
{
    char *out = arena_alloc(g->arena, 3 * g->size + 1), *at = out;
    for (size_t i = 0; i < g->size;) {
        size_t length = g->text[i] ? utf8_decode(g->text + i, g->size - i, NULL) : 0;
        if (length)
            memcpy(at, g->text + i, length);
        at += length ? length : utf8_encode(0xFFFD, (unsigned char *)at);
        i += length ? length : 1;
    }
    *at = '\0';
    return out;
}

static void print_json(const Generating *g, const char *prompt)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "prompt", prompt);
    cJSON_AddStringToObject(object, "text", valid_text(g));
    cJSON_AddItemToObject(object, "tokens", cJSON_CreateIntArray(g->tokens, (int)g->count));
    print_json_object(object);
}

static bool generate(Generating *g, const Arguments *arguments, Error *error)
{
    const char *prompt = argument_option(arguments, "prompt");
    prompt = prompt ? prompt : "";
    if (!argument_integer(arguments, "tokens", 1, 1 << 24, &g->wanted, error) ||
        !argument_share(arguments, "temperature", 0, 1000, &g->sampling.temperature, error) ||
        !argument_integer(arguments, "top-k", 0, INT32_MAX, &g->sampling.top_k, error) ||
        !argument_share(arguments, "top-p", 0, 1, &g->sampling.top_p, error) ||
        !(g->saved = argument_run(arguments, arguments->words[0], error)) || !generator_check(g->saved, error))
        return false;
    g->generator = generator_new(g->saved);
    g->sampling.seed = (uint64_t)g->saved->config->seed;
    if (!start(g, prompt, error))
        return false;
    for (int64_t i = 0; i < g->wanted && !ferror(stdout); i++)
        if (!next(g, error))
            return false;
    if (g->stream)
        putchar('\n');
    else
        print_json(g, prompt);
    return true;
}

static bool run(const Arguments *arguments, Error *error)
{
    Generating g = {.arena = arena_new(),
                    .wanted = 256,
                    .sampling = {.temperature = 1, .top_p = 1},
                    .stream = !argument_option(arguments, "json")};
    Tape *tape = tape_new();
    tape_use(tape);
    bool good = generate(&g, arguments, error);
    memory_free(g.tokens);
    memory_free(g.text);
    generator_free(g.generator);
    saved_close(g.saved);
    tape_free(tape);
    arena_free(g.arena);
    return good;
}

static const Option options[] = {
    {"prompt", "TEXT", "what the text begins with; when not given a first token is drawn", 0, false},
    {"tokens", "N", "new tokens (256)", 0, false},
    {"temperature", "T", "logits are divided by it (1); 0: always the most likely token", 0, false},
    {"top-k", "K", "draw from the K most likely tokens alone (0: all)", 0, false},
    {"top-p", "P", "draw from the fewest most likely tokens that have probability P (1: all)", 0, false},
    {0},
};

const Command command_generate = {
    .name = "generate",
    .synopsis = "generate RUN [--prompt TEXT] [--tokens N] [--temperature T] [--top-k K] [--top-p P]",
    .summary = "text from a language model",
    .description = "Writes the prompt and the tokens that the language model of RUN (a run folder or a .safetensors\n"
                   "file) adds to it. The text is a function of model, prompt, options and seed.",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
};
