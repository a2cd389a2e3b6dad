#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "data/byte_table.h"
#include "data/tokenizer.h"
#include "data/word_end.h"

struct word {
    int64_t vocabulary;
    bool punctuation;
};

static const Param params[] = {
    PARAM_INT(struct word, vocabulary, 10000, .min = 2, .max = 1 << 20,
              .help = "largest number of tokens, the unknown word among them; the most frequent words are kept"),
    PARAM_BOOL(struct word, punctuation, true,
               .help = "letters, digits and punctuation are words of their own; false: only white space divides"),
    PARAM_END
};

static const char unknown[] = "<unk>";

/* The words in the order of their tokens; the unknown word comes behind them. */
static void set_words(ByteTable *words, Arena *arena, Tokenizer *tokenizer)
{
    int32_t count = byte_table_count(words);
    const unsigned char **pieces = arena_alloc(arena, ((size_t)count + 1) * sizeof *pieces);
    int64_t *sizes = arena_alloc(arena, ((size_t)count + 1) * sizeof *sizes);
    for (int32_t i = 0; i < count; i++) {
        size_t size;
        pieces[i] = byte_table_get(words, i, &size);
        sizes[i] = (int64_t)size;
    }
    pieces[count] = (const unsigned char *)unknown;
    sizes[count] = (int64_t)strlen(unknown);
    tokenizer->state = words;
    tokenizer->vocabulary = count + 1;
    tokenizer->pieces = pieces;
    tokenizer->piece_sizes = sizes;
}

typedef struct Counted {
    const unsigned char *bytes;
    size_t size;
    int64_t count;
} Counted;

/* The most frequent first; of two that are as frequent, the smaller byte string. */
static int compare_words(const void *a, const void *b)
{
    const Counted *first = a, *second = b;
    if (first->count != second->count)
        return first->count > second->count ? -1 : 1;
    int order = memcmp(first->bytes, second->bytes, first->size < second->size ? first->size : second->size);
    return order ? order : (first->size > second->size) - (first->size < second->size);
}

/* A saved word is a JSON string, which holds neither bytes that are not UTF-8 nor NUL. */
static bool check_text(const unsigned char *text, size_t size, Error *error)
{
    for (size_t at = 0, length; at < size; at += length) {
        length = utf8_decode(text + at, size - at, NULL);
        if (!length || !text[at])
            return fail(error, "byte %zu: %s; the tokenizers byte and bpe take any bytes", at,
                        length ? "NUL byte" : "not valid UTF-8");
    }
    return size > 0 || fail(error, "no text to take words from");
}

static bool word_train(const void *values, const unsigned char *text, size_t size, Arena *arena, Tokenizer *tokenizer,
                       Error *error)
{
    const struct word *self = values;
    if (!check_text(text, size, error))
        return false;
    Arena *scratch = arena_new();
    ByteTable *all = byte_table_new(scratch), *kept = byte_table_new(arena);
    Counted *counted = NULL;
    size_t room = 0;
    for (size_t at = 0, end; at < size; at = end) {
        end = word_end(text, at, size, self->punctuation);
        size_t number = (size_t)byte_table_add(all, text + at, end - at);
        if (number >= room) {
            size_t more = room ? 2 * room : 1024;
            counted = memory_grow(counted, room * sizeof *counted, more * sizeof *counted);
            room = more;
        }
        counted[number] = (Counted){text + at, end - at, counted[number].count + 1};
    }
    int32_t count = byte_table_count(all);
    qsort(counted, (size_t)count, sizeof *counted, compare_words);
    for (int32_t i = 0; i < count && i < self->vocabulary - 1; i++)
        byte_table_add(kept, counted[i].bytes, counted[i].size);
    set_words(kept, arena, tokenizer);
    memory_free(counted);
    arena_free(scratch);
    return true;
}

static bool word_encode(const Tokenizer *tokenizer, const unsigned char *text, size_t size, Arena *arena,
                        int32_t **tokens, int64_t *count, Error *error)
{
    (void)error;
    const struct word *self = tokenizer->values;
    *count = 0;
    for (size_t at = 0; at < size; at = word_end(text, at, size, self->punctuation))
        ++*count;
    int32_t *out = *tokens = arena_alloc(arena, (size_t)*count * sizeof *out);
    for (size_t at = 0, end; at < size; at = end) {
        end = word_end(text, at, size, self->punctuation);
        int32_t token = byte_table_find(tokenizer->state, text + at, end - at);
        *out++ = token < 0 ? (int32_t)tokenizer->vocabulary - 1 : token;
    }
    return true;
}

static cJSON *word_save(const Tokenizer *tokenizer)
{
    cJSON *state = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(state, "words");
    for (int64_t i = 0; i < tokenizer->vocabulary - 1; i++) {
        size_t size = (size_t)tokenizer->piece_sizes[i];
        char *text = memory_new(size + 1);
        cJSON_AddItemToArray(list, cJSON_CreateString(memcpy(text, tokenizer->pieces[i], size)));
        memory_free(text);
    }
    return state;
}

static bool word_restore(const void *values, const cJSON *state, Arena *arena, Tokenizer *tokenizer, Error *error)
{
    const struct word *self = values;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(state, "words"), *item;
    if (!cJSON_IsArray(list))
        return fail(error, "expected \"words\", a list of strings");
    int count = cJSON_GetArraySize(list), i = 0;
    if (count > self->vocabulary - 1)
        return fail(error, "%d words, a vocabulary of %lld has at most %lld", count, (long long)self->vocabulary,
                    (long long)self->vocabulary - 1);
    ByteTable *words = byte_table_new(arena);
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item) || !item->valuestring[0])
            return fail(error, "words[%d]: expected a string that is not empty", i);
        if (byte_table_add(words, item->valuestring, strlen(item->valuestring)) != i)
            return fail(error, "words[%d]: the same as an earlier word", i);
        i++;
    }
    set_words(words, arena, tokenizer);
    return true;
}

const TokenizerDef tokenizer_word = {
    .component = {
        .name = "word",
        .summary = "a token for each frequent word of the training text, and one for all others",
        .params = params,
        .size = sizeof(struct word),
        .notes = "Words are runs of letters, digits, white space or other characters, each with the space before "
                 "it; without `punctuation`, runs of anything but white space. Tokens are numbered from the most "
                 "frequent word on, ties in the order of bytes. The last token is the unknown word, which decodes "
                 "to <unk>; what holds no unknown word decodes to the same bytes. The training text must be UTF-8 "
                 "without NUL bytes.",
    },
    .train = word_train, .encode = word_encode, .save = word_save, .restore = word_restore,
};
