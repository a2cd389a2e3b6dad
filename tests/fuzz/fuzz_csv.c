/* CSV from memory: any bytes give a table or an error, with every option; the first byte chooses them. */
#include <stdlib.h>
#include <string.h>

#include "data/csv_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (!size)
        return 0;
    CsvOptions options = {.separator = bytes[0] & 16 ? ' ' : "\0,\t;"[bytes[0] & 3], .header = bytes[0] & 4,
                          .skip_blank = bytes[0] & 8, .skip_lines = bytes[0] >> 6};
    Arena *arena = arena_new();
    CsvTable table;
    Error error;
    if (csv_parse("input", bytes + 1, size - 1, &options, arena, &table, &error)) {
        size_t total = 0;
        for (int64_t i = 0; i < table.rows * table.columns; i++)
            total += strlen(table.cells[i]);
        if (total > size)
            abort(); /* fields overlap */
    }
    arena_free(arena);
    return 0;
}
