#include <assert.h>
#include <png.h>
#include <setjmp.h>
#include <string.h>
#include <zlib.h>

#include "core/base/file.h"
#include "data/png_image.h"

/* What libpng's jump must not lose. */
typedef struct Encoder {
    png_structp png;
    png_infop info;
    uint8_t *data;
    size_t size, room;
    bool drawing;
    const PngPalette *palette; /* NULL: none */
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

static void set_palette(Encoder *encoder)
{
    png_color colors[PNG_PALETTE_MOST];
    for (int i = 0; i < encoder->palette->count; i++) {
        const uint8_t *color = encoder->palette->items[i];
        colors[i] = (png_color){color[0], color[1], color[2]};
    }
    png_set_PLTE(encoder->png, encoder->info, colors, encoder->palette->count);
}

static void write_rows(Encoder *encoder, int width, int height, int channels, const uint8_t *pixels)
{
    png_structp png = encoder->png;
    png_set_write_fn(png, encoder, take_bytes, flush_nothing);
    int type = encoder->palette ? PNG_COLOR_TYPE_PALETTE : channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB;
    png_set_IHDR(png, encoder->info, (png_uint_32)width, (png_uint_32)height, 8, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_check_for_invalid_index(png, 0); /* there are none, and looking takes a tenth of the time */
    if (encoder->palette)
        set_palette(encoder);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, encoder->drawing ? PNG_FILTER_NONE : PNG_ALL_FILTERS);
    if (encoder->drawing)
        png_set_compression_level(png, 1);
    if (encoder->palette) {
        png_set_compression_strategy(png, Z_RLE);
        png_set_compression_mem_level(png, 6);
    }
    png_write_info(png, encoder->info);
    for (int y = 0; y < height; y++)
        png_write_row(png, pixels + (size_t)y * (size_t)width * (size_t)channels);
    png_write_end(png, NULL);
}

static bool encode(int width, int height, int channels, const uint8_t *pixels, bool drawing,
                   const PngPalette *palette, uint8_t **data, size_t *size, Error *error)
{
    assert(channels == 1 || channels == 3);
    *data = NULL;
    *size = 0;
    Encoder encoder = {.error = error, .drawing = drawing, .palette = palette};
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

/* Drawings of lines and areas pack as well unfiltered, and trying five filters a row took most of the time. Level 1
   takes under half the time of level 6. In a palette they are runs: looking for nothing else packs better than level 1,
   and a smaller hash table, which nothing reads then, is moved along faster. */
bool png_encode(int width, int height, const uint8_t *pixels, const PngPalette *palette, uint8_t **data, size_t *size,
                Error *error)
{
    return encode(width, height, palette ? 1 : 3, pixels, true, palette, data, size, error);
}

bool png_encode_planes(int width, int height, int channels, const uint8_t *planes, uint8_t **data, size_t *size,
                       Error *error)
{
    size_t plane = (size_t)width * (size_t)height, count = (size_t)channels;
    uint8_t *interleaved = memory_array(plane, count);
    for (size_t c = 0; c < count; c++)
        for (size_t i = 0; i < plane; i++)
            interleaved[i * count + c] = planes[c * plane + i];
    bool good = encode(width, height, channels, interleaved, false, NULL, data, size, error);
    memory_free(interleaved);
    return good;
}

bool png_image_write(const char *path, const PngImage *image, Error *error)
{
    uint8_t *data;
    size_t size;
    if (!png_encode_planes((int)image->width, (int)image->height, (int)image->channels, image->pixels, &data, &size,
                           error))
        return fail_at(error, "%s", path);
    bool good = file_write(path, data, size, error);
    memory_free(data);
    return good;
}
