#include "tests/testing.h"

#include <string.h>

#include "core/base/file.h"
#include "data/idx.h"

static void test_data_idx__every_type(void **state)
{
    (void)state;
    static const struct { unsigned char code, data[8]; size_t width; ArrayType type; double value; } cases[] = {
        {0x08, {200}, 1, ARRAY_U8, 200},
        {0x09, {200}, 1, ARRAY_I64, -56},
        {0x0B, {0xFF, 0xFE}, 2, ARRAY_I64, -2},
        {0x0C, {0xFF, 0xFF, 0xFF, 0xFD}, 4, ARRAY_I32, -3},
        {0x0D, {0x3F, 0xC0, 0, 0}, 4, ARRAY_F32, 1.5},
        {0x0E, {0xC0, 0x04, 0, 0, 0, 0, 0, 0}, 8, ARRAY_F64, -2.5},
    };
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char bytes[16] = {0, 0, cases[i].code, 1, 0, 0, 0, 1};
        memcpy(bytes + 8, cases[i].data, cases[i].width);
        Array array;
        Error error;
        assert_true(idx_parse("a", bytes, 8 + cases[i].width, arena, &array, &error));
        assert_int_equal(array.type, cases[i].type);
        assert_int_equal(array.count, 1);
        assert_true(array_value(&array, 0) == cases[i].value);
    }
    arena_free(arena);
}

static void test_data_idx__file_reads_back_and_no_prefix_does(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 99};
    size_t size = sizeof bytes - 1;
    Temporary temporary;
    temporary_make(&temporary, "a.idx");
    Arena *arena = arena_new();
    Array array;
    Error error;
    assert_true(file_write(temporary.file, bytes, size, &error));
    assert_true(idx_read(temporary.file, arena, &array, &error));
    assert_int_equal(array.rank, 3);
    assert_int_equal(array.shape[0], 2);
    assert_int_equal(array.shape[2], 3);
    assert_memory_equal(array.data, bytes + 16, 6);
    for (size_t cut = 0; cut < size; cut++) {
        assert_false(idx_parse("cut", bytes, cut, arena, &array, &error));
        assert_int_equal(strncmp(error.message, "cut: ", 5), 0);
    }
    assert_false(idx_parse("long", bytes, size + 1, arena, &array, &error));
    assert_string_equal(error.message, "long: 7 bytes of data from byte 16 on, the header announces 6");
    temporary_drop(&temporary);
    assert_false(idx_read(temporary.file, arena, &array, &error));
    arena_free(arena);
}

static void test_data_idx__hostile_headers_are_refused(void **state)
{
    (void)state;
    static const struct { unsigned char bytes[20]; const char *what; } cases[] = {
        {{1, 0, 8, 1, 0, 0, 0, 16}, "not an IDX file"},
        {{0, 1, 8, 1, 0, 0, 0, 16}, "not an IDX file"},
        {{0, 0, 0x0A, 1, 0, 0, 0, 16}, "type 0x0A at byte 2"},
        {{0, 0, 8, 0}, "rank 0 at byte 3"},
        {{0, 0, 8, 5}, "rank 5 at byte 3"},
        {{0, 0, 8, 255}, "rank 255 at byte 3"},
        {{0, 0, 8, 1, 0xFF, 0xFF, 0xFF, 0xFF}, "more than 2^30"},
        {{0, 0, 14, 4, 0xFF, 0, 0, 0, 0xFF, 0, 0, 0, 0xFF, 0, 0, 0, 0xFF, 0, 0, 0}, "more than 2^30"},
        {{0, 0, 14, 2, 0, 1, 0, 0, 0, 0, 0x10, 0}, "announces"},
    };
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Array array;
        Error error;
        assert_false(idx_parse("bad", cases[i].bytes, sizeof cases[i].bytes, arena, &array, &error));
        assert_non_null(strstr(error.message, cases[i].what));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_idx__every_type),
        cmocka_unit_test(test_data_idx__file_reads_back_and_no_prefix_does),
        cmocka_unit_test(test_data_idx__hostile_headers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
