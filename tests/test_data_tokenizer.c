/* Tokenizers: what they learn, round trips, and the way through a checkpoint. A new tokenizer is
   added to `all`. */
#include "tests/tokenizing.h"

#include "core/base/random.h"
#include "data/byte_table.h"
#include "data/word_end.h"

/* Every tokenizer with its parameters. */
static const char *const all[] = {"\"byte\"", "\"char\"", "{\"type\": \"char\", \"unknown\": true}", "\"bpe\"",
                                  "{\"type\": \"bpe\", \"vocabulary\": 270}", "\"word\"", "\"wordpiece\"",
                                  "{\"type\": \"word\", \"punctuation\": false}"};
enum { ALL = sizeof all / sizeof *all };

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
    assert_true(tokenizer_encode(&tokenizer, (const unsigned char *)"a\xC3\xBCq\xE2\x98\x83", 7, arena, &tokens,
                                 &count, &error));
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
    assert_false(tokenizer_encode(&tokenizer, (const unsigned char *)"a\xC3\xBC\xE2\x98\x83", 6, arena, &tokens,
                                  &count, &error));
    assert_string_equal(error.message,
                        "byte 3: character U+2603 is not in the training text; set \"unknown\": true to allow it");
    assert_int_equal(error.status, STATUS_FAILED);
    static const struct { const char *text; size_t byte; } invalid[] = {
        {"ab\xC3", 2},       {"\x80", 0}, {"a\xC0\xAF", 1}, {"\xED\xA0\x80", 0}, {"abc\xF4\x90\x80\x80", 3},
        {"\xE0\x9F\xBF", 0},
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
    static const char *const by_class[] = {"Hello", ",", " world",   " ",   " 42", "\n\n",
                                           " x",    "1", "\xC3\xBC", " ?!", "\t "};
    static const char *const by_space[] = {"Hello,", " world", " ", " 42", "\n\n", " x1\xC3\xBC", " ?!", "\t "};
    check_words(text, true, by_class, sizeof by_class / sizeof *by_class);
    check_words(text, false, by_space, sizeof by_space / sizeof *by_space);
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
        {"{\"type\": \"char\", \"state\": []}",
         "char: state: expected \"characters\", a list of at least 1 code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": []}}", "char: state: expected \"characters\""},
        {"{\"type\": \"char\", \"state\": {\"characters\": [97, 55296]}}",
         "characters[1]: expected a Unicode code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": [1114112]}}",
         "characters[0]: expected a Unicode code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": [-1]}}", "characters[0]: expected a Unicode code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": [97.5]}}", "characters[0]: expected a Unicode code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": [1e300]}}",
         "characters[0]: expected a Unicode code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": [\"a\"]}}",
         "characters[0]: expected a Unicode code point"},
        {"{\"type\": \"char\", \"state\": {\"characters\": [97, 97]}}",
         "characters[1]: expected code points in ascending"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": {}}}",
         "bpe: state: expected \"merges\", a list of pairs of tokens"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[97, 256]]}}",
         "merges[0]: expected two tokens between 0 and 255"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[97, -1]]}}", "merges[0]: expected two tokens"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[97, 1.5]]}}", "merges[0]: expected two tokens"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[1, 2], [97]]}}",
         "merges[1]: expected two tokens between 0 and 256"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[1, 2, 3]]}}", "merges[0]: expected two tokens"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [7]}}", "merges[0]: expected two tokens"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[1, 2], [1, 2]]}}",
         "merges[1]: the same pair as an earlier merge"},
        {"{\"type\": \"bpe\", \"vocabulary\": 257, \"state\": {\"merges\": [[1, 2], [2, 3]]}}",
         "bpe: state: 2 merges, a vocabulary of 257 has at most 1"},
        {"{\"type\": \"bpe\", \"state\": {\"merges\": [[0, 0], [256, 256], [257, 257], [258, 258], [259, 259],"
         "[260, 260], [261, 261], [262, 262], [263, 263]]}}",
         "merges[8]: stands for more than 256 bytes"},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_tokenizer__byte_table_grows),
        TEST(test_data_tokenizer__utf8_round_trip),
        TEST(test_data_tokenizer__any_bytes_round_trip),
        TEST(test_data_tokenizer__char_numbers_code_points_in_order),
        TEST(test_data_tokenizer__char_names_the_byte),
        TEST(test_data_tokenizer__ends_of_words),
        TEST(test_data_tokenizer__word_keeps_the_most_frequent),
        TEST(test_data_tokenizer__save_and_restore),
        TEST(test_data_tokenizer__hostile_states_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
