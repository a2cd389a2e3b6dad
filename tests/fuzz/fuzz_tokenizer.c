/* Tokenizers from hostile JSON, up to the first NUL byte; what follows it is text. A tokenizer that is
   restored encodes or refuses, and what it encodes decodes to the same bytes where the tokenizer knows all bytes. */
#include <stdlib.h>
#include <string.h>

#include "data/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_text(const Tokenizer *tokenizer, const uint8_t *text, size_t size, Arena *arena)
{
    Error error;
    int32_t *tokens;
    int64_t count;
    if (!tokenizer_encode(tokenizer, text, size, arena, &tokens, &count, &error))
        return;
    for (int64_t i = 0; i < count; i++)
        if (tokens[i] < 0 || tokens[i] >= tokenizer->vocabulary)
            abort();
    size_t decoded_size;
    const unsigned char *decoded = tokenizer_decode(tokenizer, tokens, count, arena, &decoded_size);
    const char *name = tokenizer->def->component.name;
    bool any_bytes = strcmp(name, "byte") == 0 || strcmp(name, "bpe") == 0 || strcmp(name, "wordpiece") == 0;
    if (any_bytes && (decoded_size != size || (size && memcmp(decoded, text, size) != 0)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const uint8_t *end = size ? memchr(bytes, 0, size) : NULL;
    size_t json_size = end ? (size_t)(end - bytes) : size;
    JsonSource *source = json_source_new();
    Arena *arena = arena_new();
    Error error;
    Tokenizer tokenizer;
    ParamContext context = {.source = source, .path = "tokenizer"};
    const cJSON *saved = json_parse(source, "input", (const char *)bytes, json_size, &error);
    if (saved && tokenizer_restore(&context, saved, arena, &tokenizer, &error)) {
        check_text(&tokenizer, bytes + json_size, size - json_size, arena);
        if (end)
            check_text(&tokenizer, end + 1, size - json_size - 1, arena);
        cJSON_Delete(tokenizer_save(&tokenizer));
    }
    arena_free(arena);
    json_source_free(source);
    return 0;
}
