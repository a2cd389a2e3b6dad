/* Memory, random numbers, threads and files. */
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "tests/testing.h"

#include "core/base/file.h"
#include "core/base/memory_limit.h"
#include "core/base/random.h"
#include "core/base/threads.h"

static void test_base_error__places_are_put_in_front_and_never_overrun(void **state)
{
    (void)state;
    Error error = {0};
    assert_false(fail_usage(&error, "expected %d", 3));
    assert_false(fail_at(&error, "a.json:%d", 7));
    assert_string_equal(error.message, "a.json:7: expected 3");
    assert_int_equal(error.status, STATUS_USAGE);
    for (int i = 0; i < 300; i++)
        fail_at(&error, "%s", "a long place");
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

static void test_base_arena__steady_state_allocates_nothing(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    uint64_t before = 0;
    for (int round = 0; round < 5; round++) {
        if (round == 1)
            before = memory_allocation_count();
        arena_reset(arena);
        for (size_t bytes = 1; bytes < 300000; bytes = bytes * 3 + 1) {
            char *block = arena_alloc(arena, bytes);
            assert_int_equal((uintptr_t)block % 64, 0);
            memset(block, round, bytes);
        }
    }
    assert_int_equal(memory_allocation_count(), before);
    arena_free(arena);
}

static void test_base_arena__recycled_block_is_taken_by_the_next_of_its_size(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    void *first = arena_alloc(arena, 10000);
    arena_recycle(arena, first, 10000);
    assert_ptr_equal(arena_alloc(arena, 9000), first);
    assert_ptr_not_equal(arena_alloc(arena, 9000), first);
    arena_free(arena);
}

/* The known answers of the Random123 distribution for philox4x32, 10 rounds. */
static void test_base_random__philox_known_answers(void **state)
{
    (void)state;
    uint32_t words[4];
    random_block(0, 0, 0, 0, words);
    assert_int_equal(words[0], 0x6627e8d5);
    assert_int_equal(words[1], 0xe169c58d);
    assert_int_equal(words[2], 0xbc57ac4c);
    assert_int_equal(words[3], 0x9b00dbd8);
    random_block(UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT64_MAX, words);
    assert_int_equal(words[0], 0x408f276d);
    assert_int_equal(words[1], 0x41c83b0e);
    assert_int_equal(words[2], 0xa20bc7c6);
    assert_int_equal(words[3], 0x6d5451fd);
}

static void test_base_random__draws_together_are_draws_one_by_one(void **state)
{
    (void)state;
    enum { COUNT = 777 };
    const int64_t ranges[] = {1, 2, 10, 1000, ((int64_t)1 << 62) + 1}; /* the last throws a quarter away */
    for (int r = 0; r < 5; r++)
        for (uint32_t before = 0; before < 3; before++) {
            Random one = random_start(0x123456789abcdef0u, "test", 7), together = one;
            one.index = together.index = 0xfffffff0u; /* the lower half runs over */
            int64_t draws[COUNT];
            for (uint32_t i = 0; i < before; i++)
                assert_int_equal(random_word(&one), random_word(&together));
            random_below_each(&together, ranges[r], COUNT, draws);
            for (int i = 0; i < COUNT; i++) {
                uint64_t range = (uint64_t)ranges[r], excess = (UINT64_MAX % range + 1) % range, word;
                do {
                    word = (uint64_t)random_word(&one) << 32;
                    word |= random_word(&one);
                } while (word > UINT64_MAX - excess);
                assert_int_equal(draws[i], word % range);
            }
            assert_int_equal(random_word(&one), random_word(&together));
        }
}

static void test_base_random__moments(void **state)
{
    (void)state;
    enum { N = 200000 };
    Random random = random_start(1, "test", 0);
    double mean = 0, square = 0, uniform = 0;
    for (int i = 0; i < N; i++) {
        double x = random_normal(&random);
        mean += x / N;
        square += x * x / N;
        uniform += random_uniform(&random) / N;
    }
    assert_true(mean > -0.01 && mean < 0.01);
    assert_true(square > 0.98 && square < 1.02);
    assert_true(uniform > 0.497 && uniform < 0.503);
}

static void test_base_random__permutation_holds_every_index_once(void **state)
{
    (void)state;
    enum { N = 1000 };
    int64_t order[N];
    char seen[N] = {0};
    Random random = random_start(9, "order", 3);
    random_permutation(&random, N, order);
    for (int i = 0; i < N; i++) {
        assert_in_range(order[i], 0, N - 1);
        assert_int_equal(seen[order[i]]++, 0);
    }
}

typedef struct Sums {
    const float *values;
    float parts[64];
} Sums;

static void sum_part(void *context, int64_t begin, int64_t end)
{
    Sums *sums = context;
    float sum = 0;
    for (int64_t i = begin; i < end; i++)
        sum += sums->values[i];
    sums->parts[begin / 100] = sum;
}

static void test_base_threads__same_bits_for_any_number(void **state)
{
    (void)state;
    float values[6400];
    Random random = random_start(5, "values", 0);
    for (int i = 0; i < 6400; i++)
        values[i] = (float)random_normal(&random);
    Sums one = {.values = values};
    threads_set(1);
    parallel_for(6400, 100, sum_part, &one);
    for (int threads = 2; threads <= 4; threads++) {
        threads_set(threads);
        for (int repeat = 0; repeat < 50; repeat++) {
            Sums many = {.values = values};
            parallel_for(6400, 100, sum_part, &many);
            assert_memory_equal(one.parts, many.parts, sizeof one.parts);
        }
    }
    threads_set(1);
}

typedef struct Chain {
    int64_t values[200];
    ThreadsCounter done;
} Chain;

/* Each link needs the one before. */
static void add_link(void *context, int64_t begin, int64_t end)
{
    (void)end;
    Chain *chain = context;
    threads_wait(&chain->done, begin);
    chain->values[begin] = begin ? 3 * chain->values[begin - 1] % 1009 + 1 : 1;
    threads_add(&chain->done);
}

static void test_base_threads__chunks_wait_for_earlier_ones(void **state)
{
    (void)state;
    Chain one = {.done = 0};
    threads_set(1);
    parallel_for(200, 1, add_link, &one);
    for (int threads = 2; threads <= 4; threads++) {
        threads_set(threads);
        Chain many = {.done = 0};
        parallel_for(200, 1, add_link, &many);
        assert_memory_equal(one.values, many.values, sizeof one.values);
    }
    threads_set(1);
}

static void test_base_file__write_is_atomic_and_reads_back(void **state)
{
    (void)state;
    Error error;
    Arena *arena = arena_new();
    unsigned char *data;
    size_t size;
    Temporary temporary;
    temporary_make(&temporary, "a");
    const char *path = temporary.file;
    assert_true(file_write(path, "hello", 5, &error));
    OutputFile output;
    assert_true(output_open(&output, path, &error));
    fputs("half", output.stream);
    output_abandon(&output);
    assert_true(file_read(path, 100, arena, &data, &size, &error));
    assert_int_equal(size, 5);
    assert_memory_equal(data, "hello", 6);
    assert_false(file_read(path, 4, arena, &data, &size, &error));
    temporary_drop(&temporary);
    arena_free(arena);
}

static void test_base_file__several_files_get_their_names_together(void **state)
{
    (void)state;
    Error error;
    Arena *arena = arena_new();
    unsigned char *data;
    size_t size;
    Temporary temporary;
    temporary_make(&temporary, "a");
    const char *first = temporary.file, *second = path_join(arena, temporary.folder, "b");
    FileContents files[] = {{first, "one", 3}, {second, "two", 3}};
    assert_true(files_write(files, 2, &error));
    assert_true(file_read(first, 10, arena, &data, &size, &error) && strcmp((char *)data, "one") == 0);
    assert_true(file_read(second, 10, arena, &data, &size, &error) && strcmp((char *)data, "two") == 0);
    files[0].data = "new";
    files[1].path = path_join(arena, temporary.folder, "none/b");
    assert_false(files_write(files, 2, &error));
    assert_true(file_read(first, 10, arena, &data, &size, &error) && strcmp((char *)data, "one") == 0);
    assert_false(file_exists(arena_format(arena, "%s.tmp", first)));
    unlink(second);
    temporary_drop(&temporary);
    arena_free(arena);
}

static void test_base_file__gzip_is_recognised_and_damage_is_named(void **state)
{
    (void)state;
    Error error;
    Arena *arena = arena_new();
    unsigned char *data, *packed;
    size_t size, packed_size;
    Temporary temporary;
    temporary_make(&temporary, "b");
    const char *path = temporary.file;
    char zeros[100000] = {0};
    gzFile stream = gzopen(path, "wb");
    gzwrite(stream, zeros, sizeof zeros);
    gzclose(stream);
    assert_true(file_read(path, 1 << 20, arena, &data, &size, &error));
    assert_int_equal(size, sizeof zeros);
    assert_false(file_read(path, 5000, arena, &data, &size, &error)); /* a bomb */
    FILE *raw = fopen(path, "rb");
    packed = arena_alloc(arena, 4096);
    packed_size = fread(packed, 1, 4096, raw);
    fclose(raw);
    for (size_t cut = 2; cut < packed_size; cut++) {
        assert_true(file_write(path, packed, cut, &error));
        assert_false(file_read(path, 1 << 20, arena, &data, &size, &error));
        assert_non_null(strstr(error.message, path));
    }
    temporary_drop(&temporary);
    arena_free(arena);
}

/* Two members, and a last size that is announced wrongly, small and large. */
static void test_base_file__gzip_members_and_false_sizes(void **state)
{
    (void)state;
    Error error;
    Arena *arena = arena_new();
    unsigned char *data, packed[256];
    size_t size;
    Temporary temporary;
    temporary_make(&temporary, "b");
    for (int member = 0; member < 2; member++) {
        gzFile stream = gzopen(temporary.file, "ab");
        gzwrite(stream, member ? "second" : "first ", 6);
        gzclose(stream);
    }
    assert_true(file_read(temporary.file, 1 << 20, arena, &data, &size, &error));
    assert_int_equal(size, 12);
    assert_memory_equal(data, "first second", 13);
    FILE *raw = fopen(temporary.file, "rb");
    size_t packed_size = fread(packed, 1, sizeof packed, raw);
    fclose(raw);
    for (int value = 0; value < 256; value += 5) {
        packed[packed_size - 4] = packed[packed_size / 2 - 4] = (unsigned char)value;
        assert_true(file_write(temporary.file, packed, packed_size, &error));
        assert_false(file_read(temporary.file, 1 << 20, arena, &data, &size, &error));
        assert_true(file_write(temporary.file, packed, packed_size / 2, &error));
        assert_false(file_read(temporary.file, 1 << 20, arena, &data, &size, &error));
    }
    temporary_drop(&temporary);
    arena_free(arena);
}

static void test_base_file__only_regular_files_are_read(void **state)
{
    (void)state;
    Error error;
    Arena *arena = arena_new();
    unsigned char *data;
    size_t size;
    Temporary temporary;
    temporary_make(&temporary, "fifo");
    const char *path = temporary.file;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(file_read(path, 100, arena, &data, &size, &error));
    assert_non_null(strstr(error.message, "not a regular file"));
    assert_false(file_read("/dev/zero", 100, arena, &data, &size, &error));
    assert_false(file_read(temporary.folder, 100, arena, &data, &size, &error));
    assert_false(file_write("/dev/full/x", "x", 1, &error));
    assert_int_equal(error.status, STATUS_FAILED);
    temporary_drop(&temporary);
    arena_free(arena);
}

static jmp_buf refused;

static void jump_out(size_t bytes)
{
    (void)bytes;
    longjmp(refused, 1);
}

static bool is_refused(size_t bytes)
{
    if (setjmp(refused) != 0)
        return true;
    memory_free(memory_new(bytes));
    return false;
}

static void test_base_memory__a_limit_holds_until_it_is_restored(void **state)
{
    (void)state;
    enum { LIMIT = 1 << 20 };
    memory_set_failure_handler(jump_out);
    size_t before = memory_limit(LIMIT), inner = memory_limit(SIZE_MAX);
    for (int round = 0; round < 4; round++)
        assert_false(is_refused(LIMIT / 2)); /* what is given back counts no more */
    assert_false(memory_limit_reached());
    assert_true(is_refused(LIMIT + 1)); /* the outer one holds */
    assert_true(memory_limit_reached());
    memory_limit_restore(inner);
    memory_limit_restore(before);
    assert_false(is_refused(LIMIT + 1));
    memory_set_failure_handler(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_error__places_are_put_in_front_and_never_overrun),
        cmocka_unit_test(test_base_arena__steady_state_allocates_nothing),
        cmocka_unit_test(test_base_arena__recycled_block_is_taken_by_the_next_of_its_size),
        cmocka_unit_test(test_base_memory__a_limit_holds_until_it_is_restored),
        cmocka_unit_test(test_base_random__philox_known_answers),
        cmocka_unit_test(test_base_random__draws_together_are_draws_one_by_one),
        cmocka_unit_test(test_base_random__moments),
        cmocka_unit_test(test_base_random__permutation_holds_every_index_once),
        cmocka_unit_test(test_base_threads__same_bits_for_any_number),
        cmocka_unit_test(test_base_threads__chunks_wait_for_earlier_ones),
        cmocka_unit_test(test_base_file__write_is_atomic_and_reads_back),
        cmocka_unit_test(test_base_file__several_files_get_their_names_together),
        cmocka_unit_test(test_base_file__gzip_is_recognised_and_damage_is_named),
        cmocka_unit_test(test_base_file__gzip_members_and_false_sizes),
        cmocka_unit_test(test_base_file__only_regular_files_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
