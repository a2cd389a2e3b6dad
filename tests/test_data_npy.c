#include <stdio.h>

#include "tests/testing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/array.h"

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
    char path[] = "/tmp/xent-npy-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
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
    assert_int_equal(unlink(path), 0);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_npy__integers_keep_sign_and_byte_order),
        cmocka_unit_test(test_data_npy__hostile_headers_are_refused_by_name),
        cmocka_unit_test(test_data_npy__written_file_reads_back_and_no_prefix_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
