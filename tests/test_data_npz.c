/* NPZ archives: written, read, deflated, damaged. */
#include "tests/testing.h"

#include <string.h>
#include <zlib.h>

#include "core/base/file.h"
#include "data/npy.h"
#include "data/npz.h"

static Arena *arena;
static Error error;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* An archive of one member "a.npy" made by hand, as another program might: with an extra field in the
   local header, sizes left out there, and a comment at the end. The fields that tests damage are named. */
typedef struct Made {
    unsigned char bytes[2048];
    size_t size, local, data, packed, central, end;
} Made;

static void put(Made *made, uint64_t value, int width)
{
    for (int i = 0; i < width; i++)
        made->bytes[made->size++] = (unsigned char)(value >> 8 * i);
}

static void put_text(Made *made, const char *text)
{
    memcpy(made->bytes + made->size, text, strlen(text));
    made->size += strlen(text);
}

static size_t deflate_raw(const unsigned char *bytes, size_t size, unsigned char *out, size_t room)
{
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)bytes,
                       .avail_in = (uInt)size,
                       .next_out = out,
                       .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

static void make_archive(Made *made, int method)
{
    float values[64];
    for (int i = 0; i < 64; i++)
        values[i] = (float)(i / 8);
    Array array = {.type = ARRAY_F32, .rank = 2, .shape = {8, 8}, .count = 64, .data = values};
    unsigned char member[NPY_HEADER_BYTES + sizeof values], packed[1024];
    size_t header = npy_header(&array, member), whole = header + sizeof values;
    memcpy(member + header, values, sizeof values);
    memcpy(packed, member, whole);
    *made = (Made){.packed = method ? deflate_raw(member, whole, packed, sizeof packed) : whole};
    put_text(made, "PK\3\4");
    put(made, 45, 2);
    put(made, 0, 2);
    put(made, (uint64_t)method, 2);
    put(made, 0, 4);
    put(made, 0, 4);
    put(made, 0xFFFFFFFF, 4);
    put(made, 0xFFFFFFFF, 4);
    put(made, 5, 2);
    put(made, 20, 2);
    put_text(made, "a.npy");
    made->size += 20;
    made->data = made->size;
    memcpy(made->bytes + made->size, packed, made->packed);
    made->size += made->packed;
    made->central = made->size;
    put_text(made, "PK\1\2");
    put(made, 45, 2);
    put(made, 45, 2);
    put(made, 0, 2);
    put(made, (uint64_t)method, 2);
    put(made, 0, 4);
    put(made, crc32(0, member, (uInt)whole), 4);
    put(made, made->packed, 4);
    put(made, whole, 4);
    put(made, 5, 2);
    made->size += 2 + 2 + 2 + 2 + 4 + 4;
    put_text(made, "a.npy");
    size_t length = made->size - made->central;
    made->end = made->size;
    put_text(made, "PK\5\6");
    put(made, 0, 4);
    put(made, 1, 2);
    put(made, 1, 2);
    put(made, length, 4);
    put(made, made->central, 4);
    put(made, 2, 2);
    put_text(made, "hi");
}

static bool read_all(const unsigned char *bytes, size_t size, Array *array)
{
    Npz npz;
    if (!npz_parse("t.npz", bytes, size, arena, &npz, &error))
        return false;
    for (int64_t i = 0; i < npz.count; i++)
        if (!npz_array(&npz, &npz.entries[i], arena, array, &error))
            return false;
    return true;
}

static void test_data_npz__stored_and_deflated(void **state)
{
    (void)state;
    for (int method = 0; method <= 8; method += 8) {
        Made made;
        make_archive(&made, method);
        Array array = {0};
        if (!read_all(made.bytes, made.size, &array))
            fail_msg("%s", error.message);
        assert_int_equal(array.rank, 2);
        assert_int_equal(array.shape[1], 8);
        assert_true(array_value(&array, 63) == 7);
    }
}

static void test_data_npz__what_is_written_reads_back(void **state)
{
    (void)state;
    Temporary temporary;
    temporary_make(&temporary, "a.npz");
    double reals[] = {1.5, -2};
    uint8_t bytes[] = {1, 2, 3};
    int8_t small[] = {-1};
    const char *names[] = {"x", "folder/y", "z"};
    const Array arrays[] = {
        {.type = ARRAY_F64, .rank = 1, .shape = {2}, .count = 2, .data = reals},
        {.type = ARRAY_U8, .rank = 3, .shape = {3, 1, 1}, .count = 3, .data = bytes},
        {.type = ARRAY_I8, .rank = 0, .count = 1, .data = small},
    };
    assert_true(npz_write(temporary.file, 3, names, arrays, &error));
    Npz npz;
    assert_true(npz_open(temporary.file, arena, &npz, &error));
    assert_int_equal(npz.count, 3);
    assert_null(npz_find(&npz, "y"));
    for (int i = 0; i < 3; i++) {
        const NpzEntry *entry = npz_find(&npz, names[i]);
        assert_non_null(entry);
        Array array;
        assert_true(npz_array(&npz, entry, arena, &array, &error));
        assert_int_equal(array.rank, arrays[i].rank);
        for (int64_t k = 0; k < arrays[i].count; k++)
            assert_true(array_value(&array, k) == array_value(&arrays[i], k));
    }
    assert_true(npz_write(temporary.file, 0, names, arrays, &error));
    assert_true(npz_open(temporary.file, arena, &npz, &error));
    assert_int_equal(npz.count, 0);
    temporary_drop(&temporary);
    assert_false(npz_open(temporary.file, arena, &npz, &error));
}

typedef struct Damage {
    const char *part;           /* 'l'ocal, 'd'ata, 'c'entral, 'e'nd */
    size_t offset;
    uint64_t value;
    int width;
    const char *what;
} Damage;

static void test_data_npz__damage_is_named(void **state)
{
    (void)state;
    static const Damage cases[] = {
        {"e", 0, 0, 4, "t.npz: not an NPZ file, or truncated: no ZIP directory before byte"},
        {"e", 4, 1, 2, "in several parts"},
        {"e", 8, 2, 2, "in several parts"},
        {"e", 12, 5, 4, "the directory from byte"},
        {"e", 16, 0xFFFFFFFF, 4, "the directory from byte 4294967295 on does not end"},
        {"e", 8, 0x00020002, 4, "2 members in a directory of 51 bytes"},
        {"c", 0, 0, 4, "no directory record at byte"},
        {"c", 8, 1, 2, "member \"a\" is encrypted"},
        {"c", 10, 12, 2, "ZIP method 12"},
        {"c", 16, 1, 4, "wrong CRC"},
        {"c", 20, 7, 4, "7 bytes cannot hold 384"},
        {"c", 24, 0xFFFFFFFF, 4, "have more than 2147483648 bytes"},
        {"c", 24, 383, 4, "cannot hold 383"},
        {"c", 28, 600, 2, "passes byte"},
        {"c", 30, 600, 2, "passes byte"},
        {"c", 42, 0xFFFFFF00, 4, "a member begins at byte 4294967040"},
        {"c", 42, 1, 4, "no member at byte 1"},
        {"l", 0, 0, 4, "no member at byte 0"},
        {"l", 8, 8, 2, "is another than the directory says"},
        {"l", 28, 0xFFFF, 2, "does not end before byte"},
        {"l", 30, 'b', 1, "is another than the directory says"},
        {"d", 140, 9, 1, "wrong CRC"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Made made;
        make_archive(&made, 0);
        char part = cases[i].part[0];
        size_t begin = part == 'l' ? 0 : part == 'd' ? made.data : part == 'c' ? made.central : made.end;
        size_t at = begin + cases[i].offset;
        for (int k = 0; k < cases[i].width; k++)
            made.bytes[at + (size_t)k] = (unsigned char)(cases[i].value >> 8 * k);
        Array array;
        if (read_all(made.bytes, made.size, &array))
            fail_msg("case %zu was read", i);
        if (!strstr(error.message, cases[i].what) || strncmp(error.message, "t.npz: ", 7) != 0)
            fail_msg("case %zu: %s", i, error.message);
    }
}

/* A member that announces more or less than its deflate data give. */
static void test_data_npz__sizes_are_exact(void **state)
{
    (void)state;
    static const int64_t changes[] = {-1, 1, 1000};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        Made made;
        make_archive(&made, 8);
        size_t size = 384 + (size_t)changes[i];
        for (int k = 0; k < 4; k++)
            made.bytes[made.central + 24 + (size_t)k] = (unsigned char)(size >> 8 * k);
        Array array;
        assert_false(read_all(made.bytes, made.size, &array));
        assert_non_null(strstr(error.message, "member \"a\": damaged deflate data at byte"));
    }
}

/* Exact copies, so that the address sanitizer sees a read past the end. */
static void test_data_npz__cut_and_flipped_at_every_byte(void **state)
{
    (void)state;
    for (int method = 0; method <= 8; method += 8) {
        Made made;
        make_archive(&made, method);
        for (size_t cut = 0; cut < made.size; cut++) {
            unsigned char *copy = malloc(cut ? cut : 1);
            assert_non_null(copy);
            memcpy(copy, made.bytes, cut);
            Array array;
            assert_false(read_all(copy, cut, &array));
            assert_int_equal(strncmp(error.message, "t.npz: ", 7), 0);
            free(copy);
        }
        for (size_t at = 0; at < made.size; at++) {
            made.bytes[at] ^= 0x55;
            Array array;
            if (!read_all(made.bytes, made.size, &array))
                assert_int_equal(strncmp(error.message, "t.npz: ", 7), 0);
            else if (at >= made.data && at < made.central)
                fail_msg("a change of byte %zu goes unseen", at);
            made.bytes[at] ^= 0x55;
        }
        arena_reset(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_data_npz__stored_and_deflated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_data_npz__what_is_written_reads_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_data_npz__damage_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_data_npz__sizes_are_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_data_npz__cut_and_flipped_at_every_byte, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
