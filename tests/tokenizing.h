/* What the tests of tokenizers share: an arena and a JSON source a test, training from a config. */
#ifndef XENT_TESTS_TOKENIZING_H
#define XENT_TESTS_TOKENIZING_H

#include "tests/testing.h"

#include <string.h>

#include "data/tokenizer.h"

static Arena *arena;
static JsonSource *source;
static Error error;

static inline int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    source = json_source_new();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    json_source_free(source);
    arena_free(arena);
    return 0;
}

static inline const cJSON *parse_json(const char *text)
{
    const cJSON *value = json_parse(source, "t.json", text, strlen(text), &error);
    assert_non_null(value);
    return value;
}

static inline bool train_bytes(const char *config, const void *text, size_t size, Tokenizer *tokenizer)
{
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    Instance instance;
    assert_true(instance_parse(&context, "tokenizer", parse_json(config), &instance));
    return tokenizer_train(&instance, text, size, arena, tokenizer, &error);
}

static inline bool train(const char *config, const char *text, Tokenizer *tokenizer)
{
    return train_bytes(config, text, strlen(text), tokenizer);
}

static inline void check_round_trip(const Tokenizer *tokenizer, const void *text, size_t size)
{
    int32_t *tokens;
    int64_t count;
    size_t decoded_size;
    assert_true(tokenizer_encode(tokenizer, text, size, arena, &tokens, &count, &error));
    for (int64_t i = 0; i < count; i++)
        assert_in_range(tokens[i], 0, tokenizer->vocabulary - 1);
    unsigned char *decoded = tokenizer_decode(tokenizer, tokens, count, arena, &decoded_size);
    assert_int_equal(decoded_size, size);
    assert_memory_equal(decoded, text, size);
    assert_int_equal(decoded[size], 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
