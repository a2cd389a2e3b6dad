/* PNG from memory: any bytes give an image or an error; the first byte chooses the channels. */
#include "data/png_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const int channels[] = {0, 1, 3};
    if (!size)
        return 0;
    Arena *arena = arena_new();
    PngImage image;
    Error error;
    unsigned char last = 0;
    if (png_image_parse("input", bytes + 1, size - 1, channels[bytes[0] % 3], arena, &image, &error))
        last = image.pixels[image.channels * image.height * image.width - 1];
    (void)last;
    arena_free(arena);
    return 0;
}
