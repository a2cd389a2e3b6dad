#include "data/idx.h"

#include "core/base/file.h"
#include "data/decode.h"

enum { IDX_MAX_RANK = 4 };

static const size_t idx_limit = (size_t)1 << 30;

static bool find_encoding(int code, Encoding *encoding)
{
    static const struct { int code; Encoding encoding; } known[] = {
        {0x08, {'u', 1, true}}, {0x09, {'i', 1, true}}, {0x0B, {'i', 2, true}},
        {0x0C, {'i', 4, true}}, {0x0D, {'f', 4, true}}, {0x0E, {'f', 8, true}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].code == code) {
            *encoding = known[i].encoding;
            return true;
        }
    return false;
}

/* The sizes; their product stays below the limit, so that bytes can be counted without overflow. */
static bool read_shape(const char *name, const unsigned char *bytes, Array *array, Error *error)
{
    array->count = 1;
    for (int i = 0; i < array->rank; i++) {
        int64_t extent = (int64_t)load_word(bytes + 4 + 4 * i, 4, true);
        if (extent && array->count > (int64_t)idx_limit / extent)
            return fail(error, "%s: the sizes up to byte %d give more than 2^30 elements", name, 8 + 4 * i);
        array->count *= extent;
        array->shape[i] = extent;
    }
    return true;
}

bool idx_parse(const char *name, const unsigned char *bytes, size_t size, Arena *arena, Array *array, Error *error)
{
    Encoding encoding;
    if (size < 4)
        return fail(error, "%s: truncated at byte %zu, an IDX file begins with 4", name, size);
    if (bytes[0] || bytes[1])
        return fail(error, "%s: not an IDX file (byte 0)", name);
    if (!find_encoding(bytes[2], &encoding))
        return fail(error, "%s: IDX type 0x%02X at byte 2 is not known", name, bytes[2]);
    if (bytes[3] < 1 || bytes[3] > IDX_MAX_RANK)
        return fail(error, "%s: IDX rank %d at byte 3, 1 to %d are read", name, bytes[3], IDX_MAX_RANK);
    array->rank = bytes[3];
    size_t start = 4 + 4 * (size_t)array->rank;
    if (size < start)
        return fail(error, "%s: truncated at byte %zu, the header has %zu", name, size, start);
    if (!read_shape(name, bytes, array, error))
        return false;
    size_t expected = (size_t)array->count * (size_t)encoding.width;
    if (size - start != expected)
        return fail(error, "%s: %zu bytes of data from byte %zu on, the header announces %zu", name, size - start,
                    start, expected);
    return array_decode(name, encoding, bytes + start, arena, array, error);
}

bool idx_read(const char *path, Arena *arena, Array *array, Error *error)
{
    Arena *scratch = arena_new(); /* the file's bytes go when the elements are read */
    unsigned char *bytes;
    size_t size;
    bool good = file_read(path, idx_limit, scratch, &bytes, &size, error) &&
                idx_parse(path, bytes, size, arena, array, error);
    arena_free(scratch);
    return good;
}
