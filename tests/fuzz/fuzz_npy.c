/* NPY from memory: any bytes give an array or an error. */
#include "data/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena *arena = arena_new();
    Array array;
    Error error;
    if (npy_parse("input", bytes, size, arena, &array, &error) && array.count)
        (void)array_value(&array, array.count - 1);
    arena_free(arena);
    return 0;
}
