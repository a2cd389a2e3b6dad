#include <assert.h>
#include <png.h>
#include <setjmp.h>

#include "core/base/file.h"
#include "data/png_image.h"

/* What must survive libpng's longjmp. */
typedef struct Writer {
    png_structp png;
    png_infop info;
    OutputFile output;
    const PngImage *image;
    unsigned char *row;     /* [width, channels] */
    const char *path;
    Error *error;
} Writer;

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

static void on_error(png_structp png, png_const_charp message)
{
    Writer *writer = png_get_error_ptr(png);
    fail(writer->error, "%s: %s", writer->path, message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* A write that fails shows at the commit. */
static void take_bytes(png_structp png, png_bytep bytes, size_t count)
{
    Writer *writer = png_get_io_ptr(png);
    fwrite(bytes, 1, count, writer->output.stream);
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

/* The part that libpng may leave with a jump; it changes *writer only. */
static void write_rows(Writer *writer)
{
    const PngImage *image = writer->image;
    png_structp png = writer->png;
    png_set_write_fn(png, writer, take_bytes, flush_nothing);
    png_set_IHDR(png, writer->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 image->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, writer->info);
    int64_t plane = image->height * image->width;
    for (int64_t y = 0; y < image->height; y++) {
        for (int64_t x = 0; x < image->width; x++)
            for (int64_t c = 0; c < image->channels; c++)
                writer->row[x * image->channels + c] = image->pixels[c * plane + y * image->width + x];
        png_write_row(png, writer->row);
    }
    png_write_end(png, NULL);
}

bool png_image_write(const char *path, const PngImage *image, Error *error)
{
    assert(image->channels == 1 || image->channels == 3);
    Writer writer = {.image = image, .path = path, .error = error};
    if (!output_open(&writer.output, path, error))
        return false;
    writer.png =
        png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &writer, on_error, on_warning, NULL, allocate, release);
    if (!writer.png) {
        output_abandon(&writer.output);
        return fail(error, "%s: libpng does not start", path);
    }
    writer.info = png_create_info_struct(writer.png);
    writer.row = memory_array((size_t)image->width, (size_t)image->channels);
    bool good;
    if (setjmp(png_jmpbuf(writer.png)) == 0) {
        write_rows(&writer);
        good = true;
    } else {
        good = false;
    }
    png_destroy_write_struct(&writer.png, &writer.info);
    memory_free(writer.row);
    if (good)
        return output_commit(&writer.output, error);
    output_abandon(&writer.output);
    return false;
}
