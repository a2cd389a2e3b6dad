/* NPZ from memory: any bytes give arrays or an error. */
#include "data/npz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena *arena = arena_new();
    Npz npz;
    Error error;
    if (npz_parse("input", bytes, size, arena, &npz, &error))
        for (int64_t i = 0; i < npz.count; i++) {
            Array array;
            if (npz_array(&npz, &npz.entries[i], arena, &array, &error) && array.count)
                (void)array_value(&array, array.count - 1);
        }
    arena_free(arena);
    return 0;
}
