/* Vocabularies made by merging, by hand and against the plain algorithm. */
#include "tests/tokenizing.h"

#include "core/base/random.h"
#include "data/merges.h"
#include "data/word_end.h"

static void check_pieces(const Tokenizer *tokenizer, const char *const *pieces, int64_t count)
{
    assert_int_equal(tokenizer->vocabulary, MERGE_BYTES + count);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(tokenizer->piece_sizes[MERGE_BYTES + i], strlen(pieces[i]));
        assert_memory_equal(tokenizer->pieces[MERGE_BYTES + i], pieces[i], strlen(pieces[i]));
    }
}

/* The example of Sennrich, Haddow and Birch 2016: low x5, lower x2, newest x6, widest x3. */
static const char corpus[] = "low\nlow\nlow\nlow\nlow\nlower\nlower\nwidest\nwidest\nwidest\n"
                             "newest\nnewest\nnewest\nnewest\nnewest\nnewest\n";

/* es 9
   (before st 9), est 9, lo 7 (before ow 7), low 7, ew 6 (before ne and w+est), ewest, newest, dest 3
   (before id, wi), idest, widest, er 2 (before low+e), lower. Then nothing occurs twice. */
static void test_data_merges__bpe_by_hand(void **state)
{
    (void)state;
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

/* The scores are in the comments. */
static void test_data_merges__wordpiece_by_hand(void **state)
{
    (void)state;
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
static void test_data_merges__bpe_overlaps(void **state)
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
static void test_data_merges__bpe_longest_piece(void **state)
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

static bool find_best(const int32_t *list, size_t length, const unsigned char **pieces, const int64_t *sizes,
                      int32_t best[2])
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

static void test_data_merges__bpe_equals_the_plain_algorithm(void **state)
{
    (void)state;
    static const char *const letters[] = {"ab", "aab ", "abcde  ", "abcdefghij 12.", "a "};
    for (uint64_t seed = 0; seed < 4; seed++)
        for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
            check_against_reference(seed, letters[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_merges__bpe_by_hand),
        TEST(test_data_merges__wordpiece_by_hand),
        TEST(test_data_merges__bpe_overlaps),
        TEST(test_data_merges__bpe_longest_piece),
        TEST(test_data_merges__bpe_equals_the_plain_algorithm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
