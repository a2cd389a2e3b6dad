/* PNG images of 8 bits a sample in memory, over libpng. */
#ifndef XENT_DATA_PNG_IMAGE_H
#define XENT_DATA_PNG_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/memory.h"

enum { PNG_LARGEST_SIDE = 16384, PNG_MOST_PIXELS = 1 << 26 };

/* pixels is [channels, height, width], 1 channel (grey) or 3 (red, green, blue). */
typedef struct PngImage {
    int64_t channels, height, width;
    unsigned char *pixels;
} PngImage;

/* Any PNG: 16 bits are scaled to 8, palettes and 1 to 4 bits expanded, transparency left out. `channels` 1
   makes colours grey, (299 R + 587 G + 114 B) / 1000 (ITU-R BT.601); 3 repeats grey; 0 takes what the file
   has. Sides above 16384, more than 2^26 pixels and files above 512 MB are errors. Errors name the file and
   the byte up to which it was read. pixels belong to the arena. */
bool png_image_read(const char *path, int channels, Arena *arena, PngImage *image, Error *error);
/* The same from memory; `name` is what messages call it. */
bool png_image_parse(const char *name, const unsigned char *bytes, size_t size, int channels, Arena *arena,
                     PngImage *image, Error *error);
/* What a PNG file's header announces, without decoding it; 0 x 0 where the file does not begin like one. */
bool png_image_size(const char *path, int64_t *height, int64_t *width, Error *error);
enum { PNG_PALETTE_MOST = 256 };

/* Red, green and blue of each. */
typedef struct PngPalette {
    uint8_t items[PNG_PALETTE_MOST][3];
    int count;
} PngPalette;

/* An 8-bit PNG of a drawing: of places in a palette, pixels [height, width], or of colors (palette NULL), pixels
   [height, width, 3]. *data is the caller's, freed with memory_free; NULL after an error. */
bool png_encode(int width, int height, const uint8_t *pixels, const PngPalette *palette, uint8_t **data, size_t *size,
                Error *error);
/* An 8-bit PNG of an image of `channels` 1 (grey) or 3 (RGB), pixels [channels, height, width]; *data as above. */
bool png_encode_planes(int width, int height, int channels, const uint8_t *planes, uint8_t **data, size_t *size,
                       Error *error);
/* Grey or RGB, 8 bits, atomic. */
bool png_image_write(const char *path, const PngImage *image, Error *error);

#endif
