/* Safetensors from memory: any bytes give tensors or an error. */
#include <string.h>

#include "data/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena *arena = arena_new();
    unsigned char *copy = arena_zero(arena, size + 1, 1); /* aligned, and the reader's own */
    memcpy(copy, bytes, size);
    Safetensors file;
    Error error;
    if (safetensors_parse("input", copy, size, arena, &file, &error) && file.count && file.items[0].array.count)
        (void)array_value(&file.items[0].array, file.items[0].array.count - 1);
    arena_free(arena);
    return 0;
}
