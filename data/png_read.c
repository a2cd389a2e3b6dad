#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "core/base/file.h"
#include "data/png_image.h"

static const size_t file_limit = (size_t)512 << 20;

/* Everything that must survive libpng's longjmp lies here, not in variables of the function it returns to. */
typedef struct Reader {
    png_structp png;
    png_infop info;
    const char *name;
    const unsigned char *bytes;
    size_t size, at;
    Arena *scratch;
    unsigned char *interleaved;         /* [height, width, channels], as libpng gives rows */
    png_bytep *rows;
    int64_t channels, height, width;    /* channels of the file, without transparency */
    Error *error;
} Reader;

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

/* libpng leaves on errors through a longjmp of ours, with the message already written. */
static void on_error(png_structp png, png_const_charp message)
{
    Reader *reader = png_get_error_ptr(png);
    if (!reader->error->message[0])
        fail(reader->error, "%s: not a sound PNG file, byte %zu: %s", reader->name, reader->at, message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png; /* about ancillary chunks, which do not touch the pixels */
    (void)message;
}

static void give_bytes(png_structp png, png_bytep out, size_t count)
{
    Reader *reader = png_get_io_ptr(png);
    if (count > reader->size - reader->at) {
        fail(reader->error, "%s: truncated at byte %zu", reader->name, reader->size);
        png_error(png, "truncated");
    }
    memcpy(out, reader->bytes + reader->at, count);
    reader->at += count;
}

/* Refusals of ours take the same way out as libpng's. */
static void check_size(Reader *reader)
{
    if (reader->width <= PNG_LARGEST_SIDE && reader->height <= PNG_LARGEST_SIDE &&
        reader->width <= PNG_MOST_PIXELS / reader->height)
        return;
    fail(reader->error, "%s: %lld x %lld pixels (byte 16), at most %d a side and %d together are read", reader->name,
         (long long)reader->width, (long long)reader->height, PNG_LARGEST_SIDE, PNG_MOST_PIXELS);
    png_error(reader->png, "too large");
}

/* To 8 bits, grey or RGB. */
static void set_conversions(Reader *reader)
{
    png_structp png = reader->png;
    int colour = png_get_color_type(png, reader->info);
    png_set_scale_16(png);
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    else if (colour == PNG_COLOR_TYPE_GRAY)
        png_set_expand_gray_1_2_4_to_8(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, reader->info);
}

/* The part that libpng may leave with a jump; it changes *reader only. */
static void read_rows(Reader *reader)
{
    png_structp png = reader->png;
    png_set_read_fn(png, reader, give_bytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* check_size has the limits, and says them */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* only what pixels are made of */
    png_read_info(png, reader->info);
    reader->width = png_get_image_width(png, reader->info);
    reader->height = png_get_image_height(png, reader->info);
    check_size(reader);
    set_conversions(reader);
    reader->channels = png_get_channels(png, reader->info);
    size_t row = png_get_rowbytes(png, reader->info), height = (size_t)reader->height;
    if ((reader->channels != 1 && reader->channels != 3) || row != (size_t)(reader->width * reader->channels))
        png_error(png, "neither grey nor RGB");
    reader->interleaved = arena_alloc(reader->scratch, row * height);
    reader->rows = arena_alloc(reader->scratch, height * sizeof *reader->rows);
    for (size_t y = 0; y < height; y++)
        reader->rows[y] = reader->interleaved + y * row;
    png_read_image(png, reader->rows);
    png_read_end(png, NULL);
}

static bool decode(Reader *reader)
{
    reader->error->message[0] = '\0';
    reader->png =
        png_create_read_struct_2(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning, NULL, allocate, release);
    if (!reader->png)
        return fail(reader->error, "%s: libpng does not start", reader->name);
    bool good;
    reader->info = png_create_info_struct(reader->png);
    if (setjmp(png_jmpbuf(reader->png)) == 0) {
        read_rows(reader);
        good = true;
    } else {
        good = false;
    }
    png_destroy_read_struct(&reader->png, &reader->info, NULL);
    return good;
}

static void to_planes(const Reader *reader, PngImage *image)
{
    int64_t count = reader->height * reader->width, from = reader->channels;
    const unsigned char *pixels = reader->interleaved;
    for (int64_t i = 0; i < count; i++) {
        const unsigned char *pixel = pixels + i * from;
        if (image->channels == 1 && from == 3)
            image->pixels[i] = (unsigned char)((299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2] + 500) / 1000);
        else
            for (int64_t c = 0; c < image->channels; c++)
                image->pixels[c * count + i] = pixel[from == 1 ? 0 : c];
    }
}

bool png_image_parse(const char *name, const unsigned char *bytes, size_t size, int channels, Arena *arena,
                     PngImage *image, Error *error)
{
    Reader reader = {.name = name, .bytes = bytes, .size = size, .error = error, .scratch = arena_new()};
    bool good = decode(&reader);
    if (good) {
        *image = (PngImage){channels ? channels : reader.channels, reader.height, reader.width, NULL};
        image->pixels = arena_alloc(arena, (size_t)(image->channels * image->height * image->width));
        to_planes(&reader, image);
    }
    arena_free(reader.scratch);
    return good;
}

bool png_image_read(const char *path, int channels, Arena *arena, PngImage *image, Error *error)
{
    Arena *scratch = arena_new();
    unsigned char *bytes;
    size_t size;
    bool good = file_read(path, file_limit, scratch, &bytes, &size, error) &&
                png_image_parse(path, bytes, size, channels, arena, image, error);
    arena_free(scratch);
    return good;
}

bool png_image_size(const char *path, int64_t *height, int64_t *width, Error *error)
{
    unsigned char head[24]; /* signature, length and name of the first chunk, width, height */
    size_t size;
    *height = *width = 0;
    if (!file_read_head(path, sizeof head, head, &size, error))
        return false;
    if (size < sizeof head || png_sig_cmp(head, 0, 8) != 0 || memcmp(head + 12, "IHDR", 4) != 0)
        return true;
    *width = (int64_t)png_get_uint_32(head + 16);
    *height = (int64_t)png_get_uint_32(head + 20);
    return true;
}
