/* Tokenizers: what they learn, round trips, and the way through a checkpoint. A new tokenizer is
   added to `all`. */
#include "tests/testing.h"

#include <string.h>

#include "core/base/random.h"
#include "data/merges.h"
#include "data/tokenizer.h"
#include "data/word_end.h"

static Arena *arena;
static JsonSource *source;
static Error error;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    source = json_source_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_source_free(source);
    arena_free(arena);
    return 0;
}

/* Every tokenizer with its parameters. */
static const char *const all[] = {"\"byte\"", "\"char\"", "{\"type\": \"char\", \"unknown\": true}", "\"bpe\"",
                                  "{\"type\": \"bpe\", \"vocabulary\": 270}", "\"word\"", "\"wordpiece\"",
                                  "{\"type\": \"word\", \"punctuation\": false}"};
enum { ALL = sizeof all / sizeof *all };

static const cJSON *parse_json(const char *text)
{
    const cJSON *value = json_parse(source, "t.json", text, strlen(text), &error);
    assert_non_null(value);
    return value;
}

static bool train_bytes(const char *config, const void *text, size_t size, Tokenizer *tokenizer)
{
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    Instance instance;
    assert_true(instance_parse(&context, "tokenizer", parse_json(config), &instance));
    return tokenizer_train(&instance, text, size, arena, tokenizer, &error);
}

static bool train(const char *config, const char *text, Tokenizer *tokenizer)
{
    return train_bytes(config, text, strlen(text), tokenizer);
}

static void check_round_trip(const Tokenizer *tokenizer, const void *text, size_t size)
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

static const char verse[] = "Fünf Köche; drei Töpfe - \xE2\x98\x83 und 12 \xF0\x9F\x98\x80!\n\n  Fünf Köche.\t\x7F";

static void test_data_tokenizer__utf8_round_trip(void **state)
{
    (void)state;
    for (int i = 0; i < ALL; i++) {
        Tokenizer tokenizer;
        assert_true(train(all[i], verse, &tokenizer));
        check_round_trip(&tokenizer, verse, strlen(verse));
        check_round_trip(&tokenizer, verse, 0);
    }
}

static void test_data_tokenizer__any_bytes_round_trip(void **state)
{
    (void)state;
    static const char *const kinds[] = {"\"byte\"", "\"bpe\"", "\"wordpiece\""};
    Random random = random_start(7, "test", 0);
    unsigned char text[4000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)(i < 2000 ? random_below(&random, 256) : " ab1\0\n-\xC3"[random_below(&random, 8)]);
    for (int i = 0; i < 3; i++) {
        Tokenizer tokenizer;
        assert_true(train_bytes(kinds[i], text + 1000, 2000, &tokenizer));
        check_round_trip(&tokenizer, text, sizeof text);
    }
}

static void test_data_tokenizer__char_numbers_code_points_in_order(void **state)
{
    (void)state;
    Tokenizer tokenizer;
    int32_t *tokens;
    int64_t count;
    size_t size;
    assert_true(train("{\"type\": \"char\", \"unknown\": true}", "b\xE2\x98\x83" "a\xC3\xBC", &tokenizer));
    assert_int_equal(tokenizer.vocabulary, 5);
    assert_true(tokenizer_encode(&tokenizer, (const unsigned char *)"a\xC3\xBCq\xE2\x98\x83", 7, arena, &tokens, &count, &error));
    static const int32_t expected[] = {0, 2, 4, 3};
    assert_int_equal(count, 4);
    assert_memory_equal(tokens, expected, sizeof expected);
    assert_string_equal((char *)tokenizer_decode(&tokenizer, tokens + 1, 2, arena, &size), "\xC3\xBC\xEF\xBF\xBD");
}

static void test_data_tokenizer__char_names_the_byte(void **state)
{
    (void)state;
    Tokenizer tokenizer;
    int32_t *tokens;
    int64_t count;
    assert_true(train("\"char\"", "abc\xC3\xBC", &tokenizer));
    assert_int_equal(tokenizer.vocabulary, 4);
    assert_false(tokenizer_encode(&tokenizer, (const unsigned char *)"a\xC3\xBC\xE2\x98\x83", 6, arena, &tokens, &count, &error));
    assert_string_equal(error.message,
                        "byte 3: character U+2603 is not in the training text; set \"unknown\": true to allow it");
    assert_int_equal(error.status, STATUS_FAILED);
    static const struct { const char *text; size_t byte; } invalid[] = {
        {"ab\xC3", 2}, {"\x80", 0}, {"a\xC0\xAF", 1}, {"\xED\xA0\x80", 0}, {"abc\xF4\x90\x80\x80", 3}, {"\xE0\x9F\xBF", 0},
    };
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        char expected[100];
        snprintf(expected, sizeof expected, "byte %zu: not valid UTF-8; the tokenizers byte and bpe take any bytes",
                 invalid[i].byte);
        assert_false(train("\"char\"", invalid[i].text, &tokenizer));
        assert_string_equal(error.message, expected);
    }
    assert_false(train("\"char\"", "", &tokenizer));
    assert_string_equal(error.message, "no text to take characters from");
}

static void check_words(const char *text, bool classes, const char *const *words, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t end = word_end((const unsigned char *)text, at, strlen(text), classes);
        assert_int_equal(end - at, strlen(words[i]));
        assert_memory_equal(text + at, words[i], end - at);
        at = end;
    }
    assert_int_equal(at, strlen(text));
}

static void test_data_tokenizer__ends_of_words(void **state)
{
    (void)state;
    static const char text[] = "Hello, world  42\n\n x1\xC3\xBC ?!\t ";
    static const char *const by_class[] = {"Hello", ",", " world", " ", " 42", "\n\n", " x", "1", "\xC3\xBC", " ?!", "\t "};
    static const char *const by_space[] = {"Hello,", " world", " ", " 42", "\n\n", " x1\xC3\xBC", " ?!", "\t "};
    check_words(text, true, by_class, sizeof by_class / sizeof *by_class);
    check_words(text, false, by_space, sizeof by_space / sizeof *by_space);
}

static void check_pieces(const Tokenizer *tokenizer, const char *const *pieces, int64_t count)
{
    assert_int_equal(tokenizer->vocabulary, MERGE_BYTES + count);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(tokenizer->piece_sizes[MERGE_BYTES + i], strlen(pieces[i]));
        assert_memory_equal(tokenizer->pieces[MERGE_BYTES + i], pieces[i], strlen(pieces[i]));
    }
}

/* low x5, lower x2, newest x6, widest x3, the corpus of Sennrich, Haddow and Birch 2016. By hand: es 9
   (before st 9), est 9, lo 7 (before ow 7), low 7, ew 6 (before ne and w+est), ewest, newest, dest 3
   (before id, wi), idest, widest, er 2 (before low+e), lower. Then nothing occurs twice. */
static void test_data_tokenizer__bpe_by_hand(void **state)
{
    (void)state;
    static const char corpus[] = "low\nlow\nlow\nlow\nlow\nlower\nlower\nnewest\nnewest\nnewest\nnewest\nnewest\nnewest\n"
                                 "widest\nwidest\nwidest\n";
    static const char *const pieces[] = {"es", "est", "lo", "low", "ew", "ewest", "newest", "dest", "idest", "widest",
                                         "er", "lower"};
    Tokenizer tokenizer;
    assert_true(train("\"bpe\"", corpus, &tokenizer));
    check_pieces(&tokenizer, pieces, 12);
    assert_true(train("{\"type\": \"bpe\", \"vocabulary\": 260}", corpus, &tokenizer));
    check_pieces(&tokenizer, pieces, 4);
    int32_t *tokens;
    int64_t count;
    assert_true(tokenizer_encode(&tokenizer, (const unsigned char *)"lowest", 6, arena, &tokens, &count, &error));
    assert_int_equal(count, 2);
    assert_int_equal(tokens[0], 259);
    assert_int_equal(tokens[1], 257);
}

/* The same corpus: the scores are in the comments. */
static void test_data_tokenizer__wordpiece_by_hand(void **state)
{
    (void)state;
    static const char corpus[] = "low\nlow\nlow\nlow\nlow\nlower\nlower\nnewest\nnewest\nnewest\nnewest\nnewest\nnewest\n"
                                 "widest\nwidest\nwidest\n";
    static const char *const pieces[] = {
        "id" /* 3/9 */, "lo" /* 7/49 */, "st" /* 9/81 */, "low" /* 7/112, as w+id */, "wid" /* 3/27 */,
        "er" /* 2/34, as six others */, "lower" /* 2/14 */, "est" /* 9/135 */, "ew" /* 6/36, as n+e */,
        "new" /* 6/36 */, "newest" /* 6/54, as wid+est */, "widest" /* 3/9 */};
    Tokenizer tokenizer;
    assert_true(train("\"wordpiece\"", corpus, &tokenizer));
    check_pieces(&tokenizer, pieces, 12);
    int32_t *tokens;
    int64_t count;
    assert_true(tokenizer_encode(&tokenizer, (const unsigned char *)"lowesidst", 9, arena, &tokens, &count, &error));
    static const int32_t expected[] = {259, 'e', 's', 256, 258}; /* the longest that fits, from the left */
    assert_int_equal(count, 5);
    assert_memory_equal(tokens, expected, sizeof expected);
    assert_true(train("{\"type\": \"wordpiece\", \"min_count\": 7}", corpus, &tokenizer));
    static const char *const frequent[] = {"lo", "st", "low", "est"};
    check_pieces(&tokenizer, frequent, 4);
}

/* aa occurs four times in two words of three; the merge takes the left one of an overlap. */
static void test_data_tokenizer__bpe_overlaps(void **state)
{
    (void)state;
    static const char *const pieces[] = {"aa", "aaa"};
    Tokenizer tokenizer;
    assert_true(train("\"bpe\"", "aaa\naaa", &tokenizer));
    check_pieces(&tokenizer, pieces, 2);
    int32_t *tokens;
    int64_t count;
    assert_true(tokenizer_encode(&tokenizer, (const unsigned char *)"aaaaa", 5, arena, &tokens, &count, &error));
    assert_int_equal(count, 2);
    assert_int_equal(tokens[0], 256);
    assert_int_equal(tokens[1], 257);
}

/* A run of one letter: pieces stop growing at the limit. */
static void test_data_tokenizer__bpe_longest_piece(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'a', sizeof text);
    Tokenizer tokenizer;
    assert_true(train_bytes("\"bpe\"", text, sizeof text, &tokenizer));
    for (int64_t i = 0; i < tokenizer.vocabulary; i++)
        assert_in_range(tokenizer.piece_sizes[i], 1, MERGE_LONGEST);
    assert_int_equal(tokenizer.piece_sizes[tokenizer.vocabulary - 1], MERGE_LONGEST);
    check_round_trip(&tokenizer, text, sizeof text);
}

/* The algorithm word for word on one list of tokens, word borders as -1: what merge_train must equal. */
static int32_t compare_bytes(const unsigned char *a, int64_t a_size, const unsigned char *b, int64_t b_size)
{
    int order = memcmp(a, b, (size_t)(a_size < b_size ? a_size : b_size));
    return order ? order : (int32_t)(a_size - b_size);
}

static bool is_better(const int32_t a[2], const int32_t b[2], const unsigned char **pieces, const int64_t *sizes)
{
    for (int i = 0; i < 2; i++) {
        int32_t order = compare_bytes(pieces[a[i]], sizes[a[i]], pieces[b[i]], sizes[b[i]]);
        if (order)
            return order < 0;
    }
    return a[0] != b[0] ? a[0] < b[0] : a[1] < b[1];
}

static int64_t count_pair(const int32_t *list, size_t length, const int32_t pair[2])
{
    int64_t count = 0;
    for (size_t i = 0; i + 1 < length; i++)
        count += list[i] == pair[0] && list[i + 1] == pair[1];
    return count;
}

static bool find_best(const int32_t *list, size_t length, const unsigned char **pieces, const int64_t *sizes, int32_t best[2])
{
    int64_t most = 1;
    for (size_t i = 0; i + 1 < length; i++) {
        if (list[i] < 0 || list[i + 1] < 0)
            continue;
        int64_t count = count_pair(list, length, list + i);
        if (count > most || (count == most && count > 1 && is_better(list + i, best, pieces, sizes))) {
            most = count;
            memcpy(best, list + i, 2 * sizeof *best);
        }
    }
    return most > 1;
}

static size_t replace(int32_t *list, size_t length, const int32_t pair[2], int32_t token)
{
    size_t kept = 0;
    for (size_t i = 0; i < length; i++) {
        bool here = i + 1 < length && list[i] == pair[0] && list[i + 1] == pair[1];
        list[kept++] = here ? token : list[i];
        i += here;
    }
    return kept;
}

static void check_against_reference(uint64_t seed, const char *letters)
{
    enum { SIZE = 400 };
    unsigned char text[SIZE];
    int32_t list[2 * SIZE], best[2];
    size_t length = 0;
    Random random = random_start(seed, "test", 1);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (unsigned char)letters[random_below(&random, (int64_t)strlen(letters))];
    for (size_t at = 0, end; at < SIZE; at = end) {
        for (end = word_end(text, at, SIZE, true); at < end; at++)
            list[length++] = text[at];
        list[length++] = -1;
    }
    Tokenizer tokenizer;
    assert_true(train_bytes("{\"type\": \"bpe\", \"vocabulary\": 400}", text, SIZE, &tokenizer));
    const unsigned char **pieces = (const unsigned char **)(uintptr_t)tokenizer.pieces;
    int32_t token = MERGE_BYTES;
    for (; token < 400 && find_best(list, length, pieces, tokenizer.piece_sizes, best); token++) {
        Merge merge = {best[0], best[1]};
        size_t size = (size_t)(tokenizer.piece_sizes[best[0]] + tokenizer.piece_sizes[best[1]]);
        assert_in_range(token, 0, tokenizer.vocabulary - 1);
        assert_int_equal(tokenizer.piece_sizes[token], size);
        assert_memory_equal(tokenizer.pieces[token], merge_join(arena, merge, pieces, tokenizer.piece_sizes), size);
        length = replace(list, length, best, token);
    }
    assert_int_equal(tokenizer.vocabulary, token);
    /* The training text is encoded as the merges left it. */
    int32_t *tokens;
    int64_t count;
    assert_true(tokenizer_encode(&tokenizer, text, SIZE, arena, &tokens, &count, &error));
    for (size_t i = 0, j = 0; i < length; i++)
        if (list[i] >= 0)
            assert_int_equal(tokens[j++], list[i]);
}

static void test_data_tokenizer__bpe_equals_the_plain_algorithm(void **state)
{
    (void)state;
    static const char *const letters[] = {"ab", "aab ", "abcde  ", "abcdefghij 12.", "a "};
    for (uint64_t seed = 0; seed < 4; seed++)
        for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
            check_against_reference(seed, letters[i]);
}

static void test_data_tokenizer__word_keeps_the_most_frequent(void **state)
{
    (void)state;
    static const char *const config = "{\"type\": \"word\", \"vocabulary\": 4, \"punctuation\": false}";
    static const char *const pieces[] = {" b", "\n", " a-1", "<unk>"}; /* 3 times, 2, 1; " c" comes behind " a-1" */
    static const int32_t expected[] = {3, 3, 0, 2, 1};
    Tokenizer tokenizer;
    assert_true(train(config, " b\n b a-1\n c b", &tokenizer));
    assert_int_equal(tokenizer.vocabulary, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(tokenizer.piece_sizes[i], strlen(pieces[i]));
        assert_memory_equal(tokenizer.pieces[i], pieces[i], strlen(pieces[i]));
    }
    int32_t *tokens;
    int64_t count;
    size_t size;
    assert_true(tokenizer_encode(&tokenizer, (const unsigned char *)"b c b a-1\n", 10, arena, &tokens, &count, &error));
    assert_int_equal(count, 5);
    assert_memory_equal(tokens, expected, sizeof expected);
    assert_string_equal((char *)tokenizer_decode(&tokenizer, tokens, count, arena, &size), "<unk><unk> b a-1\n");
    assert_false(train_bytes(config, "a\0b", 3, &tokenizer));
    assert_string_equal(error.message, "byte 1: NUL byte; the tokenizers byte and bpe take any bytes");
    assert_false(train(config, "ab\xFF", &tokenizer));
    assert_string_equal(error.message, "byte 2: not valid UTF-8; the tokenizers byte and bpe take any bytes");
}

/* Through text, as a checkpoint keeps it. */
static void test_data_tokenizer__save_and_restore(void **state)
{
    (void)state;
    for (int i = 0; i < ALL; i++) {
        Tokenizer tokenizer, again, restored;
        assert_true(train(all[i], verse, &tokenizer) && train(all[i], verse, &again));
        cJSON *saved = tokenizer_save(&tokenizer), *same = tokenizer_save(&again);
        assert_true(cJSON_Compare(saved, same, true));
        char *text = cJSON_PrintUnformatted(saved);
        ParamContext context = {.source = source, .path = "tokenizer"};
        assert_true(tokenizer_restore(&context, parse_json(text), arena, &restored, &error));
        assert_ptr_equal(restored.def, tokenizer.def);
        assert_int_equal(restored.vocabulary, tokenizer.vocabulary);
        int32_t *first, *second;
        int64_t first_count, second_count;
        const unsigned char *bytes = (const unsigned char *)verse;
        assert_true(tokenizer_encode(&tokenizer, bytes, strlen(verse), arena, &first, &first_count, &error));
        assert_true(tokenizer_encode(&restored, bytes, strlen(verse), arena, &second, &second_count, &error));
        assert_int_equal(first_count, second_count);
        assert_memory_equal(first, second, (size_t)first_count * sizeof *first);
        check_round_trip(&restored, verse, strlen(verse));
        cJSON_free(text);
        cJSON_Delete(saved);
        cJSON_Delete(same);
    }
}

static void test_data_tokenizer__hostile_states_are_refused(void **state)
{
    (void)state;
    static const struct { const char *saved, *message; } cases[] = {
        {"3", "expected a saved tokenizer, an object with \"type\""},
        {"{}", "missing key \"type\""},
        {"{\"type\": \"nope\"}", "type: unknown tokenizer \"nope\""},
        {"{\"type\": \"bpe\", \"vocabulary\": 3, \"state\": {}}", "vocabulary: expected an integer between 257 and"},
        {"{\"type\": \"bpe\"}", "bpe: missing key \"state\""},
        {"{\"type\": \"byte\", \"state\": {}}", "byte: unknown key \"state\": it learns nothing"},
        {"{\"type\": \"char\", \"state\": []}", "char: state: expected \"characters\", a list of at least 1 code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": []}}", "char: state: expected \"characters\""},
        {"{\"type\": \"char\", \"state\": {\"characters\": [97, 55296]}}", "characters[1]: expected a Unicode code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": [1114112]}}", "characters[0]: expected a Unicode code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": [-1]}}", "characters[0]: expected a Unicode code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": [97.5]}}", "characters[0]: expected a Unicode code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": [1e300]}}", "characters[0]: expected a Unicode code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": [\"a\"]}}", "characters[0]: expected a Unicode code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": [97, 97]}}", "characters[1]: expected code points in ascending"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": {}}}", "bpe: state: expected \"merges\", a list of pairs of tokens"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[97, 256]]}}", "merges[0]: expected two tokens between 0 and 255"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[97, -1]]}}", "merges[0]: expected two tokens"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[97, 1.5]]}}", "merges[0]: expected two tokens"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[1, 2], [97]]}}", "merges[1]: expected two tokens between 0 and 256"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[1, 2, 3]]}}", "merges[0]: expected two tokens"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [7]}}", "merges[0]: expected two tokens"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[1, 2], [1, 2]]}}", "merges[1]: the same pair as an earlier merge"},
        {"{\"type\": \"bpe\", \"vocabulary\": 257, \"state\": {\"merges\": [[1, 2], [2, 3]]}}",
         "bpe: state: 2 merges, a vocabulary of 257 has at most 1"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[0, 0], [256, 256], [257, 257], [258, 258], [259, 259],"
         "[260, 260], [261, 261], [262, 262], [263, 263]]}}", "merges[8]: stands for more than 256 bytes"},
        {"{\"type\": \"word\", \"state\": {}}", "word: state: expected \"words\", a list of strings"},
        {"{\"type\": \"word\", \"state\": {\"words\": [\"a\", 3]}}", "words[1]: expected a string that is not empty"},
        {"{\"type\": \"word\", \"state\": {\"words\": [\"\"]}}", "words[0]: expected a string that is not empty"},
        {"{\"type\": \"word\", \"state\": {\"words\": [\"a\", \"a\"]}}", "words[1]: the same as an earlier word"},
        {"{\"type\": \"word\", \"vocabulary\": 2, \"state\": {\"words\": [\"a\", \"b\"]}}",
         "word: state: 2 words, a vocabulary of 2 has at most 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ParamContext context = {.source = source, .path = "tokenizer"};
        Tokenizer tokenizer;
        assert_false(tokenizer_restore(&context, parse_json(cases[i].saved), arena, &tokenizer, &error));
        assert_int_equal(strncmp(error.message, "t.json:1: tokenizer: ", 21), 0);
        if (!strstr(error.message, cases[i].message))
            fail_msg("case %zu: %s", i, error.message);
        assert_int_equal(error.status, STATUS_FAILED);
    }
}

static void test_data_tokenizer__byte_table_grows(void **state)
{
    (void)state;
    ByteTable *table = byte_table_new(arena);
    char key[2000];
    memset(key, 0x7E, sizeof key);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 3000; i++) {
            size_t size = (size_t)i % 7 == 0 ? (size_t)(i / 7) : 4; /* the empty string too */
            memcpy(key, &i, sizeof i);
            int32_t number = i % 7 == 0 ? byte_table_add(table, key + 4, size) : byte_table_add(table, key, size);
            assert_int_equal(number, i);
            assert_int_equal(byte_table_find(table, i % 7 == 0 ? key + 4 : key, size), i);
        }
    assert_int_equal(byte_table_count(table), 3000);
    assert_int_equal(byte_table_find(table, "absent", 6), -1);
    size_t size;
    assert_int_equal(byte_table_get(table, 7 * 300, &size)[299], 0x7E);
    assert_int_equal(size, 300);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_tokenizer__byte_table_grows),
        TEST(test_data_tokenizer__utf8_round_trip),
        TEST(test_data_tokenizer__any_bytes_round_trip),
        TEST(test_data_tokenizer__char_numbers_code_points_in_order),
        TEST(test_data_tokenizer__char_names_the_byte),
        TEST(test_data_tokenizer__ends_of_words),
        TEST(test_data_tokenizer__bpe_by_hand),
        TEST(test_data_tokenizer__wordpiece_by_hand),
        TEST(test_data_tokenizer__bpe_overlaps),
        TEST(test_data_tokenizer__bpe_longest_piece),
        TEST(test_data_tokenizer__bpe_equals_the_plain_algorithm),
        TEST(test_data_tokenizer__word_keeps_the_most_frequent),
        TEST(test_data_tokenizer__save_and_restore),
        TEST(test_data_tokenizer__hostile_states_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
