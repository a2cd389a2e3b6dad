#include "data/decode.h"

#include <string.h>

uint64_t load_word(const unsigned char *bytes, int width, bool big_endian)
{
    uint64_t word = 0;
    for (int i = 0; i < width; i++)
        word = word << 8 | bytes[big_endian ? i : width - 1 - i];
    return word;
}

static ArrayType type_in_memory(Encoding encoding)
{
    if (encoding.kind == 'f')
        return encoding.width == 4 ? ARRAY_F32 : ARRAY_F64;
    if (encoding.kind == 'u' && encoding.width == 1)
        return ARRAY_U8;
    return encoding.kind == 'i' && encoding.width == 4 ? ARRAY_I32 : ARRAY_I64;
}

static int64_t as_integer(Encoding encoding, uint64_t word)
{
    if (encoding.kind == 'b')
        return word != 0;
    int unused = encoding.kind == 'i' ? 64 - 8 * encoding.width : 0;
    return (int64_t)(word << unused) >> unused; /* up and back extends the sign */
}

/* What the file holds is what memory holds: bytes, and words of the machine's order that keep their width. */
static bool is_as_in_memory(Encoding encoding, size_t size)
{
    static const uint16_t one = 1;
    bool machine_is_big = *(const unsigned char *)&one == 0;
    if ((size_t)encoding.width != size || encoding.kind == 'b' || (encoding.kind == 'u' && size > 1))
        return false;
    return size == 1 || encoding.big_endian == machine_is_big;
}

bool array_decode(const char *name, Encoding encoding, const unsigned char *bytes, Arena *arena, Array *array,
                  Error *error)
{
    array->type = type_in_memory(encoding);
    size_t stored = (size_t)encoding.width, size = array_type_size(array->type);
    if ((size_t)array->count > DECODED_MOST_BYTES / size)
        return fail(error, "%s: %lld elements would take more than %zu bytes in memory; save them as u1, i4 or f4",
                    name, (long long)array->count, (size_t)DECODED_MOST_BYTES);
    unsigned char *data = array->data = arena_alloc(arena, (size_t)array->count * size);
    if (is_as_in_memory(encoding, size)) {
        memcpy(data, bytes, (size_t)array->count * size);
        return true;
    }
    for (int64_t i = 0; i < array->count; i++) {
        uint64_t word = load_word(bytes + (size_t)i * stored, encoding.width, encoding.big_endian);
        if (encoding.kind == 'u' && word > INT64_MAX)
            return fail(error, "%s: element %lld is above 2^63-1", name, (long long)i);
        if (size == 4) { /* f4 and i4: the same bits */
            uint32_t half = (uint32_t)word;
            memcpy(data + (size_t)i * 4, &half, 4);
        } else {
            int64_t whole = encoding.kind == 'f' ? 0 : as_integer(encoding, word);
            memcpy(data + (size_t)i * 8, encoding.kind == 'f' ? (const void *)&word : &whole, 8);
        }
    }
    return true;
}
