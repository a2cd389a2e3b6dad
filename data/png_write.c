#include <assert.h>
#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "core/base/file.h"
#include "data/png_image.h"

enum { SLOTS = 1024 };

/* The colors of a picture, found by hashing; color 0 of a slot is none, others are 2^24 + RGB. */
typedef struct Palette {
    png_color colors[PNG_MAX_PALETTE_LENGTH];
    int count;
    uint32_t slots[SLOTS];
    uint8_t places[SLOTS];
} Palette;

/* What libpng's jump must not lose. */
typedef struct Encoder {
    png_structp png;
    png_infop info;
    uint8_t *data;
    size_t size, room;
    int filters; /* PNG_FILTER_NONE or PNG_ALL_FILTERS */
    const Palette *palette; /* NULL: none */
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
    int type = encoder->palette ? PNG_COLOR_TYPE_PALETTE : channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB;
    png_set_IHDR(png, encoder->info, (png_uint_32)width, (png_uint_32)height, 8, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_check_for_invalid_index(png, 0); /* there are none, and looking takes a tenth of the time */
    if (encoder->palette)
        png_set_PLTE(png, encoder->info, encoder->palette->colors, encoder->palette->count);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, encoder->filters);
    if (encoder->filters == PNG_FILTER_NONE)
        png_set_compression_level(png, 1);
    png_write_info(png, encoder->info);
    for (int y = 0; y < height; y++)
        png_write_row(png, pixels + (size_t)y * (size_t)width * (size_t)channels);
    png_write_end(png, NULL);
}

static bool encode(int width, int height, int channels, const uint8_t *pixels, int filters,
                   const Palette *palette, uint8_t **data, size_t *size, Error *error)
{
    assert(channels == 1 || channels == 3);
    *data = NULL;
    *size = 0;
    Encoder encoder = {.error = error, .filters = filters, .palette = palette};
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

/* The place of a color in the palette, where it is added; -1 when there is no room. */
static int palette_place(Palette *palette, uint32_t color)
{
    uint32_t slot = color * 2654435761u >> 22, key = color | 1u << 24; /* Knuth's multiplicative hash, ten bits */
    while (palette->slots[slot] && palette->slots[slot] != key)
        slot = (slot + 1) % SLOTS;
    if (!palette->slots[slot]) {
        if (palette->count == PNG_MAX_PALETTE_LENGTH)
            return -1;
        palette->colors[palette->count] =
            (png_color){(png_byte)(color >> 16), (png_byte)(color >> 8), (png_byte)color};
        palette->slots[slot] = key;
        palette->places[slot] = (uint8_t)palette->count++;
    }
    return palette->places[slot];
}

/* Fills places [count]; false when there are too many colors. */
static bool find_palette(Palette *palette, const uint8_t *pixels, size_t count, uint8_t *places)
{
    uint32_t last = UINT32_MAX;
    int place = 0;
    for (size_t i = 0; i < count; i++, pixels += 3) {
        uint32_t color = (uint32_t)pixels[0] << 16 | (uint32_t)pixels[1] << 8 | pixels[2];
        if (color != last && (place = palette_place(palette, color)) < 0)
            return false;
        last = color;
        places[i] = (uint8_t)place;
    }
    return true;
}

/* Pictures of lines and areas pack as well unfiltered, and trying five filters a row took most of the time. Level 1
   takes under half the time of level 6 and a third more bytes; a palette, which most of them fit in, makes up for that.
   */
bool png_encode(int width, int height, int channels, const uint8_t *pixels, uint8_t **data, size_t *size, Error *error)
{
    size_t count = (size_t)width * (size_t)height;
    Palette *palette = channels == 3 ? memory_new(sizeof *palette) : NULL;
    uint8_t *places = palette ? memory_new(count) : NULL;
    bool found = palette && find_palette(palette, pixels, count, places);
    bool good = encode(width, height, found ? 1 : channels, found ? places : pixels, PNG_FILTER_NONE,
                       found ? palette : NULL, data, size, error);
    memory_free(palette);
    memory_free(places);
    return good;
}

bool png_encode_planes(int width, int height, int channels, const uint8_t *planes, uint8_t **data, size_t *size,
                       Error *error)
{
    size_t plane = (size_t)width * (size_t)height, count = (size_t)channels;
    uint8_t *interleaved = memory_array(plane, count);
    for (size_t c = 0; c < count; c++)
        for (size_t i = 0; i < plane; i++)
            interleaved[i * count + c] = planes[c * plane + i];
    bool good = encode(width, height, channels, interleaved, PNG_ALL_FILTERS, NULL, data, size, error);
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
