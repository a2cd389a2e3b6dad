#include "tests/testing.h"

#include <string.h>

#include "data/safetensors.h"

typedef struct Bytes { unsigned char *data; size_t size; } Bytes;

/* A file of the given header and `payload` zero bytes; the header is padded to 8 unless `raw`. */
static Bytes make(Arena *arena, const char *header, size_t payload, bool raw)
{
    size_t length = strlen(header), padded = raw ? length : (length + 7) / 8 * 8;
    Bytes bytes = {arena_zero(arena, 8 + padded + payload, 1), 8 + padded + payload};
    for (int i = 0; i < 8; i++)
        bytes.data[i] = (unsigned char)(padded >> 8 * i);
    memset(bytes.data + 8, ' ', padded);
    memcpy(bytes.data + 8, header, length);
    return bytes;
}

static void test_data_safetensors__round_trip(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    float weight[6] = {1, -2, 3.5f, 0, 1e-30f, 7};
    int64_t step = 1234567890123;
    unsigned char flags[3] = {1, 0, 255};
    NamedArray items[] = {
        {"layers.0.weight", {ARRAY_F32, 2, {2, 3}, 6, weight}}, {"flags", {ARRAY_U8, 1, {3}, 3, flags}},
        {"step", {ARRAY_I64, 0, {0}, 1, &step}}, {"none", {ARRAY_F64, 2, {0, 4}, 0, weight}},
    };
    const char *keys[] = {"config"}, *values[] = {"{\"seed\": 1, \"x\": \"\\u00e9\"}"};
    Safetensors file = {4, items, 1, keys, values}, back;
    Temporary temporary;
    temporary_make(&temporary, "a.safetensors");
    Error error = {0};
    assert_true(safetensors_write(temporary.file, &file, &error));
    assert_true(safetensors_read(temporary.file, arena, &back, &error));
    assert_int_equal(back.count, 4);
    assert_memory_equal(safetensors_find(&back, "layers.0.weight")->data, weight, sizeof weight);
    assert_memory_equal(safetensors_find(&back, "flags")->data, flags, 3);
    assert_true(array_integer(safetensors_find(&back, "step"), 0) == step);
    assert_int_equal(safetensors_find(&back, "none")->count, 0);
    assert_null(safetensors_find(&back, "missing"));
    Safetensors head;
    assert_true(safetensors_read_header(temporary.file, arena, &head, &error));
    assert_int_equal(head.count, 4);
    assert_int_equal(safetensors_find(&head, "layers.0.weight")->count, 6);
    assert_null(safetensors_find(&head, "layers.0.weight")->data);
    assert_string_equal(safetensors_metadata(&back, "config"), values[0]);
    temporary_drop(&temporary);
    arena_free(arena);
}

static void refuse(const char *header, size_t payload, bool raw, const char *part)
{
    Arena *arena = arena_new();
    Bytes bytes = make(arena, header, payload, raw);
    Safetensors file;
    Error error = {0};
    assert_false(safetensors_parse("a.safetensors", bytes.data, bytes.size, arena, &file, &error));
    assert_int_equal(error.status, STATUS_FAILED);
    assert_non_null(strstr(error.message, "a.safetensors"));
    if (!strstr(error.message, part))
        fail_msg("expected \"%s\" in \"%s\"", part, error.message);
    arena_free(arena);
}

static void test_data_safetensors__refuses(void **state)
{
    (void)state;
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],"
           "\"data_offsets\":[8,16]}}",
           16, false, "duplicate");
    refuse("{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, false, "dtype");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,12]}}", 12, false, "do not hold its shape");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, false, "outside");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 12, false, "belong to no tensor");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, false, "begins at byte 4");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],"
           "\"data_offsets\":[4,12]}}",
           12, false, "begins at byte 4");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,8]}}", 8, false, "shape");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, false, "shape");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,6]}}", 6, false, "shape");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, false, "shape");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, false, "outside");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, false, "expected dtype, shape and data_offsets");
    refuse("{\"__metadata__\":{\"a\":1}}", 0, false, "not a string");
    refuse("[]", 0, false, "not a JSON object");
    refuse("{}x", 0, false, "a.safetensors");
    refuse("{ }", 0, true, "multiple of 8");
}

static void test_data_safetensors__truncated_anywhere(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Bytes whole = make(arena, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, false);
    for (size_t size = 0; size < whole.size; size++) {
        unsigned char *part = memory_new(size + 1);
        memcpy(part, whole.data, size);
        Safetensors file;
        Error error = {0};
        assert_false(safetensors_parse("a", part, size, arena, &file, &error));
        memory_free(part);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_safetensors__round_trip),
        cmocka_unit_test(test_data_safetensors__refuses),
        cmocka_unit_test(test_data_safetensors__truncated_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
