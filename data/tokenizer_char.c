#include <string.h>

#include "core/base/utf8.h"
#include "data/tokenizer.h"

struct character { bool unknown; };

static const Param params[] = {
    PARAM_BOOL(struct character, unknown, false,
               .help = "add a token for characters that the training text lacks; false: they are an error"),
    PARAM_END
};

enum { CHARACTERS = 0x110000 };
static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD, what the unknown token decodes to */

typedef struct Alphabet {
    int32_t count;
    const uint32_t *characters; /* ascending; the token is the index */
} Alphabet;

static bool next_character(const unsigned char *text, size_t size, size_t *at, uint32_t *character, Error *error)
{
    size_t length = utf8_decode(text + *at, size - *at, character);
    if (!length)
        return fail(error, "byte %zu: not valid UTF-8; the tokenizers byte and bpe take any bytes", *at);
    *at += length;
    return true;
}

static void set_alphabet(const struct character *self, const uint32_t *characters, int32_t count, Arena *arena,
                         Tokenizer *tokenizer)
{
    int32_t vocabulary = count + self->unknown;
    unsigned char *bytes = arena_alloc(arena, (size_t)vocabulary * UTF8_LONGEST);
    const unsigned char **pieces = arena_alloc(arena, (size_t)vocabulary * sizeof *pieces);
    int64_t *sizes = arena_alloc(arena, (size_t)vocabulary * sizeof *sizes);
    for (int32_t i = 0; i < count; i++, bytes += UTF8_LONGEST) {
        pieces[i] = bytes;
        sizes[i] = (int64_t)utf8_encode(characters[i], bytes);
    }
    if (self->unknown) {
        pieces[count] = (const unsigned char *)replacement;
        sizes[count] = (int64_t)strlen(replacement);
    }
    Alphabet *alphabet = arena_alloc(arena, sizeof *alphabet);
    *alphabet = (Alphabet){count, characters};
    tokenizer->state = alphabet;
    tokenizer->vocabulary = vocabulary;
    tokenizer->pieces = pieces;
    tokenizer->piece_sizes = sizes;
}

static bool char_train(const void *values, const unsigned char *text, size_t size, Arena *arena, Tokenizer *tokenizer,
                       Error *error)
{
    bool *seen = memory_array(CHARACTERS, sizeof *seen), good = size > 0;
    int32_t count = 0;
    if (!good)
        fail(error, "no text to take characters from");
    for (size_t at = 0; good && at < size;) {
        uint32_t character;
        good = next_character(text, size, &at, &character, error);
        if (good) {
            count += !seen[character];
            seen[character] = true;
        }
    }
    if (good) {
        uint32_t *characters = arena_alloc(arena, (size_t)count * sizeof *characters);
        for (uint32_t c = 0, i = 0; c < CHARACTERS; c++)
            if (seen[c])
                characters[i++] = c;
        set_alphabet(values, characters, count, arena, tokenizer);
    }
    memory_free(seen);
    return good;
}

/* Binary search; -1 when the alphabet lacks it. */
static int32_t find_character(const Alphabet *alphabet, uint32_t character)
{
    int32_t low = 0, high = alphabet->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (alphabet->characters[middle] < character)
            low = middle + 1;
        else
            high = middle;
    }
    return low < alphabet->count && alphabet->characters[low] == character ? low : -1;
}

static bool char_encode(const Tokenizer *tokenizer, const unsigned char *text, size_t size, Arena *arena,
                        int32_t **tokens, int64_t *count, Error *error)
{
    const struct character *self = tokenizer->values;
    const Alphabet *alphabet = tokenizer->state;
    int32_t *out = arena_alloc(arena, size * sizeof *out);
    int64_t used = 0;
    for (size_t at = 0; at < size;) {
        size_t begin = at;
        uint32_t character;
        if (!next_character(text, size, &at, &character, error))
            return false;
        int32_t token = find_character(alphabet, character);
        if (token < 0 && !self->unknown)
            return fail(error,
                        "byte %zu: character U+%04X is not in the training text; set \"unknown\": true to allow it",
                        begin, (unsigned)character);
        out[used++] = token < 0 ? alphabet->count : token;
    }
    *tokens = out;
    *count = used;
    return true;
}

static cJSON *char_save(const Tokenizer *tokenizer)
{
    const Alphabet *alphabet = tokenizer->state;
    cJSON *state = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(state, "characters");
    for (int32_t i = 0; i < alphabet->count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(alphabet->characters[i]));
    return state;
}

static bool char_restore(const void *values, const cJSON *state, Arena *arena, Tokenizer *tokenizer, Error *error)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(state, "characters"), *item;
    int32_t count = 0;
    if (!cJSON_IsArray(list) || !list->child)
        return fail(error, "expected \"characters\", a list of at least 1 code point");
    uint32_t *characters = arena_alloc(arena, (size_t)cJSON_GetArraySize(list) * sizeof *characters);
    cJSON_ArrayForEach(item, list)
    {
        double number = cJSON_IsNumber(item) ? item->valuedouble : -1;
        if (!(number >= 0 && number < CHARACTERS) || number != (uint32_t)number ||
            (number >= 0xD800 && number < 0xE000))
            return fail(error, "characters[%d]: expected a Unicode code point", count);
        if (count && number <= characters[count - 1])
            return fail(error, "characters[%d]: expected code points in ascending order", count);
        characters[count++] = (uint32_t)number;
    }
    set_alphabet(values, characters, count, arena, tokenizer);
    return true;
}

const TokenizerDef tokenizer_char = {
    .component = {
        .name = "char",
        .summary = "a token for each character of the training text",
        .params = params,
        .size = sizeof(struct character),
        .notes = "Characters are Unicode code points, numbered in ascending order. The text must be UTF-8. The token "
                 "of unknown characters comes last and decodes to U+FFFD.",
    },
    .train = char_train, .encode = char_encode, .save = char_save, .restore = char_restore,
};
