/* PNG in memory, and base64 for data URIs. */
#include <assert.h>
#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/report/picture.h"

/* What libpng's jump must not lose. */
typedef struct Encoder {
    png_structp png;
    png_infop info;
    uint8_t *data;
    size_t size, room;
    Error *error;
} Encoder;

static png_voidp allocate(png_structp png, png_alloc_size_t bytes)
{
    (void)png;
    return memory_new(bytes);
}

static void release(png_structp png, png_voidp block)
{
    (void)png;
    memory_free(block);
}

static void take_bytes(png_structp png, png_bytep data, png_size_t size)
{
    Encoder *encoder = png_get_io_ptr(png);
    if (encoder->size + size > encoder->room) {
        size_t room = (encoder->size + size) * 2;
        encoder->data = memory_grow(encoder->data, encoder->room, room);
        encoder->room = room;
    }
    memcpy(encoder->data + encoder->size, data, size);
    encoder->size += size;
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static void on_error(png_structp png, png_const_charp message)
{
    Encoder *encoder = png_get_error_ptr(png);
    fail(encoder->error, "writing a PNG: %s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void write_rows(Encoder *encoder, int width, int height, int channels, const uint8_t *pixels)
{
    png_structp png = encoder->png;
    png_set_write_fn(png, encoder, take_bytes, flush_nothing);
    png_set_IHDR(png, encoder->info, (png_uint_32)width, (png_uint_32)height, 8,
                 channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    /* Pictures of lines and areas pack as well unfiltered, and trying five filters a row took most of the time. */
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
    png_write_info(png, encoder->info);
    for (int y = 0; y < height; y++)
        png_write_row(png, pixels + (size_t)y * (size_t)width * (size_t)channels);
    png_write_end(png, NULL);
}

bool png_encode(int width, int height, int channels, const uint8_t *pixels, uint8_t **data, size_t *size, Error *error)
{
    assert(channels == 1 || channels == 3);
    *data = NULL;
    *size = 0;
    Encoder encoder = {.error = error};
    encoder.png =
        png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &encoder, on_error, on_warning, NULL, allocate, release);
    if (!encoder.png)
        return fail(error, "writing a PNG: libpng does not start");
    encoder.info = png_create_info_struct(encoder.png);
    bool good;
    if (setjmp(png_jmpbuf(encoder.png)) == 0) {
        write_rows(&encoder, width, height, channels, pixels);
        good = true;
    } else {
        good = false;
    }
    png_destroy_write_struct(&encoder.png, &encoder.info);
    if (!good) {
        memory_free(encoder.data);
        return false;
    }
    *data = encoder.data;
    *size = encoder.size;
    return true;
}

char *base64_encode(const uint8_t *data, size_t size)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = memory_new((size + 2) / 3 * 4 + 1), *at = text;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)data[i] << 16;
        bits |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)data[i + 2] : 0;
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & 63];
        *at++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *at++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    return text;
}
