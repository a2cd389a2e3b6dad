/* PNG images: what libpng writes in every form is read as 8-bit grey or RGB; what is damaged is refused. */
#include "tests/testing.h"

#include <png.h>
#include <string.h>
#include <zlib.h>

#include "core/base/file.h"
#include "data/png_image.h"

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

typedef struct Form {
    int colour, depth, interlace;
    unsigned char row[16];          /* the one row of two pixels, as libpng takes it */
    int channels;                   /* what is read */
    unsigned char expected[6];      /* planar */
} Form;

static const Form forms[] = {
    {PNG_COLOR_TYPE_GRAY, 8, 0, {3, 200}, 1, {3, 200}},
    {PNG_COLOR_TYPE_GRAY, 1, 0, {0x40}, 1, {0, 255}},
    {PNG_COLOR_TYPE_GRAY, 2, 0, {0x60}, 1, {85, 170}},
    {PNG_COLOR_TYPE_GRAY, 4, 0, {0x1F}, 1, {17, 255}},
    {PNG_COLOR_TYPE_GRAY, 16, 0, {0xFF, 0xFF, 0x80, 0x80}, 1, {255, 128}},
    {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 0, {9, 0, 8, 255}, 1, {9, 8}},
    {PNG_COLOR_TYPE_RGB, 8, 0, {1, 2, 3, 4, 5, 6}, 3, {1, 4, 2, 5, 3, 6}},
    {PNG_COLOR_TYPE_RGB, 8, 1, {1, 2, 3, 4, 5, 6}, 3, {1, 4, 2, 5, 3, 6}},
    {PNG_COLOR_TYPE_RGB_ALPHA, 8, 0, {1, 2, 3, 0, 4, 5, 6, 128}, 3, {1, 4, 2, 5, 3, 6}},
    {PNG_COLOR_TYPE_PALETTE, 8, 0, {1, 0}, 3, {40, 10, 50, 20, 60, 30}},
    {PNG_COLOR_TYPE_PALETTE, 2, 0, {0x40}, 3, {40, 10, 50, 20, 60, 30}},
};

typedef struct Written {
    unsigned char bytes[512];
    size_t size;
} Written;

static void take(png_structp png, png_bytep bytes, size_t count)
{
    Written *written = png_get_io_ptr(png);
    assert_true(written->size + count <= sizeof written->bytes);
    memcpy(written->bytes + written->size, bytes, count);
    written->size += count;
}

static void write_form(const Form *form, Written *written)
{
    written->size = 0;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    assert_non_null(png);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, written, take, NULL);
    png_set_IHDR(png, info, 2, 1, form->depth, form->colour, form->interlace, 0, 0);
    png_color palette[2] = {{10, 20, 30}, {40, 50, 60}};
    if (form->colour == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 2);
    png_write_info(png, info);
    unsigned char row[16];
    memcpy(row, form->row, sizeof row);
    png_bytep rows[1] = {row};
    png_write_image(png, rows);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
}

static void test_data_png__every_form_becomes_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        Written written;
        write_form(&forms[i], &written);
        PngImage image;
        if (!png_image_parse("t.png", written.bytes, written.size, 0, arena, &image, &error))
            fail_msg("form %zu: %s", i, error.message);
        assert_int_equal(image.channels, forms[i].channels);
        assert_int_equal(image.height, 1);
        assert_int_equal(image.width, 2);
        assert_memory_equal(image.pixels, forms[i].expected, 2 * (size_t)forms[i].channels);
    }
}

static void test_data_png__channels_as_asked(void **state)
{
    (void)state;
    Written written;
    PngImage image;
    write_form(&forms[0], &written);
    assert_true(png_image_parse("t.png", written.bytes, written.size, 3, arena, &image, &error));
    static const unsigned char repeated[] = {3, 200, 3, 200, 3, 200};
    assert_int_equal(image.channels, 3);
    assert_memory_equal(image.pixels, repeated, 6);
    write_form(&forms[6], &written);
    assert_true(png_image_parse("t.png", written.bytes, written.size, 1, arena, &image, &error));
    assert_int_equal(image.channels, 1);
    assert_int_equal(image.pixels[0], 2); /* 0.299 + 2 * 0.587 + 3 * 0.114 = 1.815 */
    assert_int_equal(image.pixels[1], 5);
}

static void test_data_png__write_reads_back(void **state)
{
    (void)state;
    Temporary temporary;
    temporary_make(&temporary, "a.png");
    unsigned char pixels[3 * 5 * 7];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (unsigned char)(i * 37);
    for (int64_t channels = 1; channels <= 3; channels += 2) {
        PngImage image = {channels, 5, 7, pixels}, back;
        assert_true(png_image_write(temporary.file, &image, &error));
        assert_true(png_image_read(temporary.file, 0, arena, &back, &error));
        assert_int_equal(back.channels, channels);
        assert_int_equal(back.height, 5);
        assert_int_equal(back.width, 7);
        assert_memory_equal(back.pixels, pixels, (size_t)(channels * 35));
    }
    temporary_drop(&temporary);
    assert_false(png_image_read(temporary.file, 0, arena, &(PngImage){0}, &error));
    PngImage image = {1, 5, 7, pixels};
    assert_false(png_image_write("/nowhere/a.png", &image, &error));
}

static void test_data_png__cut_and_flipped_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        Written written;
        write_form(&forms[i], &written);
        PngImage image;
        for (size_t cut = 0; cut < written.size; cut++) {
            unsigned char *copy = malloc(cut ? cut : 1);
            assert_non_null(copy);
            memcpy(copy, written.bytes, cut);
            assert_false(png_image_parse("t.png", copy, cut, 0, arena, &image, &error));
            assert_int_equal(strncmp(error.message, "t.png: ", 7), 0);
            free(copy);
        }
        char expected[64];
        snprintf(expected, sizeof expected, "t.png: truncated at byte %zu", written.size - 1);
        assert_string_equal(error.message, expected);
        for (size_t at = 0; at < written.size; at++) {
            written.bytes[at] ^= 0x21;
            if (!png_image_parse("t.png", written.bytes, written.size, 0, arena, &image, &error))
                assert_int_equal(strncmp(error.message, "t.png: ", 7), 0);
            written.bytes[at] ^= 0x21;
        }
    }
}

/* A header that announces a size with the right check sum is refused before memory is asked for. */
static void test_data_png__large_sizes_are_refused(void **state)
{
    (void)state;
    static const struct { uint32_t width, height; const char *message; } cases[] = {
        {16385, 1, "t.png: 16385 x 1 pixels (byte 16), at most 16384 a side and 67108864 together are read"},
        {1, 0x7FFFFFFF, "t.png: 1 x 2147483647 pixels (byte 16), at most 16384 a side and 67108864 together are read"},
        {16384, 4097, "t.png: 16384 x 4097 pixels (byte 16), at most 16384 a side and 67108864 together are read"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Written written;
        write_form(&forms[0], &written);
        for (int k = 0; k < 4; k++) {
            written.bytes[16 + k] = (unsigned char)(cases[i].width >> (24 - 8 * k));
            written.bytes[20 + k] = (unsigned char)(cases[i].height >> (24 - 8 * k));
        }
        uint32_t sum = (uint32_t)crc32(0, written.bytes + 12, 17);
        for (int k = 0; k < 4; k++)
            written.bytes[29 + k] = (unsigned char)(sum >> (24 - 8 * k));
        PngImage image;
        assert_false(png_image_parse("t.png", written.bytes, written.size, 0, arena, &image, &error));
        assert_string_equal(error.message, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_data_png__every_form_becomes_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_data_png__channels_as_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_data_png__write_reads_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_data_png__cut_and_flipped_at_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_data_png__large_sizes_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
