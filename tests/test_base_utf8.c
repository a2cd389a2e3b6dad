/* Every code point there and back, and what is not valid. */
#include "tests/testing.h"

#include <string.h>

#include "core/base/utf8.h"

static void test_base_utf8__every_code_point(void **state)
{
    (void)state;
    size_t lengths[UTF8_LONGEST + 1] = {0};
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        unsigned char bytes[UTF8_LONGEST];
        uint32_t decoded = 0;
        size_t length = utf8_encode(code, bytes);
        lengths[length]++;
        if (utf8_decode(bytes, length, &decoded) != length || decoded != code)
            fail_msg("U+%04X", (unsigned)code);
        if (length > 1 && utf8_decode(bytes, length - 1, NULL))
            fail_msg("U+%04X is valid without its last byte", (unsigned)code);
    }
    assert_int_equal(lengths[1], 0x80);
    assert_int_equal(lengths[2], 0x780);
    assert_int_equal(lengths[3], 0xF000);
    assert_int_equal(lengths[4], 0x100000);
}

/* Of all sequences of two bytes as many are valid as there are characters of one byte, before any
   byte, or of two. */
static void test_base_utf8__every_pair_of_bytes(void **state)
{
    (void)state;
    size_t valid = 0;
    for (unsigned i = 0; i < 0x10000; i++)
        valid += utf8_decode((unsigned char[]){(unsigned char)(i >> 8), (unsigned char)i}, 2, NULL) > 0;
    assert_int_equal(valid, 0x80 * 0x100 + 0x780);
}

static void test_base_utf8__invalid(void **state)
{
    (void)state;
    static const char *const cases[] = {"\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80",     "\xF0\x8F\xBF\xBF",
                                        "\xE0\x9F\xBF", "\xC1\xBF",     "\xF8\x88\x80\x80\x80", "\xFF",
                                        "\xBF",         "\xE2\x28\xA1"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (utf8_decode((const unsigned char *)cases[i], strlen(cases[i]), NULL))
            fail_msg("case %zu is taken for valid", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_utf8__every_code_point),
        cmocka_unit_test(test_base_utf8__every_pair_of_bytes),
        cmocka_unit_test(test_base_utf8__invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
