#include "tests/testing.h"

#include <string.h>
#include <zlib.h>

#include "data/npy.h"

static size_t make(unsigned char *bytes, const char *header, size_t data_bytes)
{
    size_t length = strlen(header);
    memcpy(bytes, "\x93NUMPY\1\0", 8);
    bytes[8] = (unsigned char)length;
    bytes[9] = (unsigned char)(length >> 8);
    memcpy(bytes + 10, header, length);
    for (size_t i = 0; i < data_bytes; i++)
        bytes[10 + length + i] = (unsigned char)(i + 250);
    return 10 + length + data_bytes;
}

static void test_data_npy__integers_keep_sign_and_byte_order(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    unsigned char bytes[512];
    Array array;
    Error error;
    size_t size = make(bytes, "{'descr': '|i1', 'fortran_order': False, 'shape': (3,), }", 3);
    assert_true(npy_parse("a", bytes, size, arena, &array, &error));
    assert_int_equal(((int64_t *)array.data)[0], -6);
    size = make(bytes, "{'descr': '>u2', 'fortran_order': False, 'shape': (1, 2)}\n", 4);
    assert_true(npy_parse("a", bytes, size, arena, &array, &error));
    assert_int_equal(array.rank, 2);
    assert_int_equal(((int64_t *)array.data)[0], 250 * 256 + 251);
    size = make(bytes, "{'descr': '<f4', 'fortran_order': False, 'shape': ()}", 4);
    assert_true(npy_parse("a", bytes, size, arena, &array, &error));
    assert_int_equal(array.count, 1);
    arena_free(arena);
}

static void test_data_npy__hostile_headers_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "", "{", "{}", "{'descr': '<f4'}", "{'descr': 'O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000,2000000000,4)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1)}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f2', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
        "{'descr': 4, 'fortran_order': False, 'shape': (1,)}",
        "{4: '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
    };
    Arena *arena = arena_new();
    unsigned char bytes[512];
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        Array array;
        Error error;
        size_t size = make(bytes, headers[i], 4);
        assert_false(npy_parse("bad.npy", bytes, size, arena, &array, &error));
        assert_int_equal(strncmp(error.message, "bad.npy: ", 9), 0);
    }
    arena_free(arena);
}

static void test_data_npy__written_file_reads_back_and_no_prefix_does(void **state)
{
    (void)state;
    Temporary temporary;
    temporary_make(&temporary, "a.npy");
    const char *path = temporary.file;
    double values[6] = {1, -2.5, 3, 1e300, -0.0, 7};
    Array written = {ARRAY_F64, 2, {2, 3}, 6, values}, array;
    Error error;
    Arena *arena = arena_new();
    assert_true(npy_write(path, &written, &error));
    assert_true(npy_read(path, arena, &array, &error));
    assert_int_equal(array.shape[1], 3);
    assert_memory_equal(array.data, values, sizeof values);
    FILE *stream = fopen(path, "rb");
    unsigned char bytes[512];
    size_t size = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    assert_int_equal(size % 64, sizeof values);
    for (size_t cut = 0; cut < size; cut++)
        assert_false(npy_parse("cut", bytes, cut, arena, &array, &error));
    temporary_drop(&temporary);
    arena_free(arena);
}

static void test_data_npy__types_keep_or_widen(void **state)
{
    (void)state;
    static const struct { const char *code; int width; ArrayType type; int64_t first; } cases[] = {
        {"|u1", 1, ARRAY_U8, 250}, {"|i1", 1, ARRAY_I64, -6}, {"|b1", 1, ARRAY_I64, 1},
        {"<i2", 2, ARRAY_I64, -1030}, {">i4", 4, ARRAY_I32, -84148995}, {"<u4", 4, ARRAY_I64, 4261215226},
        {"<i8", 8, ARRAY_I64, 72339064685919226}, {">i8", 8, ARRAY_I64, -361417177238142975},
    };
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char bytes[512];
        char header[128];
        Array array;
        Error error;
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (1,)}", cases[i].code);
        size_t size = make(bytes, header, (size_t)cases[i].width);
        assert_true(npy_parse("a", bytes, size, arena, &array, &error));
        assert_int_equal(array.type, cases[i].type);
        double value;
        array_to_doubles(&array, &value);
        assert_true(value == (double)cases[i].first);
        assert_true(array_integer(&array, 0) == cases[i].first);
        assert_false(npy_parse("a", bytes, size - 1, arena, &array, &error));
        assert_false(npy_parse("a", bytes, size + 1, arena, &array, &error));
        assert_non_null(strstr(error.message, "from byte "));
    }
    arena_free(arena);
}

static void test_data_npy__every_type_is_written_and_gzip_read(void **state)
{
    (void)state;
    Temporary temporary;
    temporary_make(&temporary, "a.npy");
    Arena *arena = arena_new();
    unsigned char values[48] = {0}, bytes[512];
    values[0] = 200;
    for (int type = ARRAY_F32; type <= ARRAY_U8; type++) {
        Array written = {(ArrayType)type, 3, {1, 2, 3}, 6, values}, array;
        Error error;
        assert_true(npy_write(temporary.file, &written, &error));
        assert_true(npy_read(temporary.file, arena, &array, &error));
        assert_int_equal(array.type, type);
        assert_int_equal(array.rank, 3);
        assert_memory_equal(array.data, values, 6 * array_type_size(array.type));
    }
    FILE *stream = fopen(temporary.file, "rb");
    assert_non_null(stream);
    unsigned size = (unsigned)fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    gzFile packed = gzopen(temporary.file, "wb");
    assert_int_equal(gzwrite(packed, bytes, size), size);
    assert_int_equal(gzclose(packed), Z_OK);
    Array array;
    Error error;
    assert_true(npy_read(temporary.file, arena, &array, &error));
    assert_int_equal(array_integer(&array, 0), 200);
    temporary_drop(&temporary);
    arena_free(arena);
}

/* Versions 2 and 3 have four bytes of header length; one that runs past the file is refused. */
static void test_data_npy__versions(void **state)
{
    (void)state;
    static const char header[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (0, 5), }\n";
    Arena *arena = arena_new();
    for (unsigned char version = 0; version < 5; version++) {
        unsigned char bytes[128] = {0x93, 'N', 'U', 'M', 'P', 'Y', version, 0, sizeof header - 1};
        size_t start = version < 2 ? 10 : 12;
        memcpy(bytes + start, header, sizeof header - 1);
        Array array;
        Error error;
        bool known = version >= 1 && version <= 3;
        assert_int_equal(npy_parse("a", bytes, start + sizeof header - 1, arena, &array, &error), known);
        bytes[start - 1] = 0xFF;
        assert_false(npy_parse("a", bytes, start + sizeof header - 1, arena, &array, &error));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_npy__integers_keep_sign_and_byte_order),
        cmocka_unit_test(test_data_npy__types_keep_or_widen),
        cmocka_unit_test(test_data_npy__every_type_is_written_and_gzip_read),
        cmocka_unit_test(test_data_npy__versions),
        cmocka_unit_test(test_data_npy__hostile_headers_are_refused_by_name),
        cmocka_unit_test(test_data_npy__written_file_reads_back_and_no_prefix_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
