#include "data/tokenizer.h"

#include <assert.h>
#include <string.h>

bool tokenizer_train(const Instance *instance, const unsigned char *text, size_t size, Arena *arena,
                     Tokenizer *tokenizer, Error *error)
{
    assert(size <= TOKENIZER_MAX_BYTES);
    const TokenizerDef *def = (const TokenizerDef *)instance->component;
    *tokenizer = (Tokenizer){.def = def, .values = instance->values};
    return def->train(instance->values, text, size, arena, tokenizer, error);
}

bool tokenizer_encode(const Tokenizer *tokenizer, const unsigned char *text, size_t size, Arena *arena,
                      int32_t **tokens, int64_t *count, Error *error)
{
    assert(size <= TOKENIZER_MAX_BYTES);
    return tokenizer->def->encode(tokenizer, text, size, arena, tokens, count, error);
}

unsigned char *tokenizer_decode(const Tokenizer *tokenizer, const int32_t *tokens, int64_t count, Arena *arena,
                                size_t *size)
{
    *size = 0;
    for (int64_t i = 0; i < count; i++) {
        assert(tokens[i] >= 0 && tokens[i] < tokenizer->vocabulary);
        *size += (size_t)tokenizer->piece_sizes[tokens[i]];
    }
    unsigned char *text = arena_alloc(arena, *size + 1), *out = text;
    for (int64_t i = 0; i < count; i++) {
        size_t length = (size_t)tokenizer->piece_sizes[tokens[i]];
        memcpy(out, tokenizer->pieces[tokens[i]], length);
        out += length;
    }
    *out = '\0';
    return text;
}

cJSON *tokenizer_save(const Tokenizer *tokenizer)
{
    Instance instance = {&tokenizer->def->component, (void *)(uintptr_t)tokenizer->values};
    cJSON *saved = instance_to_json(&instance);
    if (tokenizer->def->save)
        cJSON_AddItemToObject(saved, "state", tokenizer->def->save(tokenizer));
    return saved;
}

/* The object without "state", which is no parameter: its nodes in the arena, what is below them shared. */
static cJSON *without_state(Arena *arena, const cJSON *saved)
{
    cJSON *copy = arena_alloc(arena, sizeof *copy), **end = &copy->child;
    *copy = *saved;
    copy->child = NULL;
    for (const cJSON *item = saved->child; item; item = item->next) {
        if (item->string && strcmp(item->string, "state") == 0)
            continue;
        cJSON *node = arena_alloc(arena, sizeof *node);
        *node = *item;
        node->next = NULL;
        *end = node;
        end = &node->next;
    }
    return copy;
}

static bool restore(ParamContext *context, const cJSON *saved, Tokenizer *tokenizer)
{
    Instance instance;
    if (!cJSON_IsObject(saved))
        return fail(context->error, "expected a saved tokenizer, an object with \"type\"");
    if (!instance_parse(context, "tokenizer", without_state(context->arena, saved), &instance))
        return false;
    *tokenizer = (Tokenizer){.def = (const TokenizerDef *)instance.component, .values = instance.values};
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(saved, "state");
    if ((state != NULL) != (tokenizer->def->save != NULL))
        return fail(context->error, "%s: %s", instance.component->name,
                    state ? "unknown key \"state\": it learns nothing" : "missing key \"state\"");
    return tokenizer->def->restore(instance.values, state, context->arena, tokenizer, context->error) ||
           fail_at(context->error, "%s: state", instance.component->name);
}

bool tokenizer_restore(ParamContext *context, const cJSON *saved, Arena *arena, Tokenizer *tokenizer, Error *error)
{
    /* The path is put in front here, once: what is below begins anew, because no node of the copy has a place. */
    ParamContext inner = {.source = context->source, .arena = arena, .error = error};
    if (restore(&inner, saved, tokenizer))
        return true;
    if (context->path[0])
        fail_at(error, "%s", context->path);
    int line;
    const char *name = json_place(context->source, saved, &line);
    if (name)
        fail_at(error, "%s:%d", name, line);
    error->status = STATUS_FAILED; /* a checkpoint is data, not a config */
    return false;
}
