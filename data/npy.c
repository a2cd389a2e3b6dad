#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "data/decode.h"
#include "data/npy.h"

static const size_t npy_limit = (size_t)1 << 30;

/* The header's dictionary, read by a cursor over text that ends at `end`. */
typedef struct Cursor {
    const char *name, *start, *at, *end;
    Error *error;
} Cursor;

static bool refuse(Cursor *cursor, const char *expected)
{
    return fail(cursor->error, "%s: NPY header, byte %td: expected %s", cursor->name, cursor->at - cursor->start,
                expected);
}

static void skip_blanks(Cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\n'))
        cursor->at++;
}

static bool take(Cursor *cursor, const char *word)
{
    skip_blanks(cursor);
    size_t length = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

static bool read_quoted(Cursor *cursor, char *text, size_t room)
{
    if (!take(cursor, "'"))
        return refuse(cursor, "a quoted word");
    size_t length = 0;
    /* Printable only: a NUL inside would hide the rest of the word from strcmp. */
    while (cursor->at < cursor->end && *cursor->at != '\'' && *cursor->at >= ' ' && *cursor->at <= '~' &&
           length + 1 < room)
        text[length++] = *cursor->at++;
    text[length] = '\0';
    return take(cursor, "'") || refuse(cursor, "the end of a quoted word");
}

static bool read_shape(Cursor *cursor, Array *array)
{
    if (!take(cursor, "("))
        return refuse(cursor, "a shape");
    array->rank = 0;
    array->count = 1;
    bool comma = false;
    while (!take(cursor, ")")) {
        skip_blanks(cursor);
        if (array->rank == ARRAY_MAX_RANK)
            return refuse(cursor, "at most 6 dimensions");
        if (cursor->at == cursor->end || *cursor->at < '0' || *cursor->at > '9')
            return refuse(cursor, "a size");
        int64_t extent = 0;
        for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++)
            if ((extent = extent * 10 + (*cursor->at - '0')) > (int64_t)npy_limit)
                return refuse(cursor, "a size below 2^30");
        if (extent && array->count > (int64_t)npy_limit / extent)
            return refuse(cursor, "fewer than 2^30 elements");
        array->count *= extent;
        array->shape[array->rank++] = extent;
        skip_blanks(cursor);
        comma = take(cursor, ",");
        if (!comma && (cursor->at == cursor->end || *cursor->at != ')'))
            return refuse(cursor, "',' or ')'");
    }
    /* In Python "(3)" is a number; a tuple of one size is "(3,)". */
    return array->rank != 1 || comma || refuse(cursor, "',' after the only size");
}

typedef struct Header {
    char description[16];
    bool has_description, has_order, has_shape;
} Header;

static bool read_entry(Cursor *cursor, Header *header, Array *array)
{
    char key[24];
    if (!read_quoted(cursor, key, sizeof key))
        return false;
    if (!take(cursor, ":"))
        return refuse(cursor, "':'");
    if (strcmp(key, "descr") == 0 && !header->has_description) {
        header->has_description = true;
        return read_quoted(cursor, header->description, sizeof header->description);
    }
    if (strcmp(key, "shape") == 0 && !header->has_shape) {
        header->has_shape = true;
        return read_shape(cursor, array);
    }
    if (strcmp(key, "fortran_order") == 0 && !header->has_order) {
        header->has_order = true;
        if (take(cursor, "True"))
            return fail(cursor->error, "%s: Fortran order; save numpy.ascontiguousarray(x) instead", cursor->name);
        return take(cursor, "False") || refuse(cursor, "True or False");
    }
    return refuse(cursor, "one each of descr, fortran_order, shape");
}

static bool read_header(Cursor *cursor, Header *header, Array *array)
{
    if (!take(cursor, "{"))
        return refuse(cursor, "'{'");
    while (!take(cursor, "}")) {
        if (!read_entry(cursor, header, array))
            return false;
        skip_blanks(cursor);
        if (!take(cursor, ",") && (cursor->at == cursor->end || *cursor->at != '}'))
            return refuse(cursor, "',' or '}'");
    }
    skip_blanks(cursor);
    if (cursor->at != cursor->end)
        return refuse(cursor, "nothing after '}'");
    if (!header->has_description || !header->has_order || !header->has_shape)
        return refuse(cursor, "descr, fortran_order and shape");
    return true;
}

/* "<f4": byte order, kind, width. '=' and '|' are read as little-endian. */
static bool parse_encoding(const char *code, Encoding *encoding)
{
    if (strlen(code) != 3 || !strchr("<>=|", code[0]) || code[2] < '1' || code[2] > '8')
        return false;
    int width = code[2] - '0';
    *encoding = (Encoding){code[1], width, code[0] == '>'};
    switch (code[1]) {
    case 'f': return width == 4 || width == 8;
    case 'i':
    case 'u': return width == 1 || width == 2 || width == 4 || width == 8;
    case 'b': return width == 1;
    default: return false;
    }
}

static bool convert(const char *name, const Header *header, const unsigned char *bytes, size_t size, size_t offset,
                    Arena *arena, Array *array, Error *error)
{
    Encoding encoding;
    if (!parse_encoding(header->description, &encoding))
        return fail(error, "%s: type \"%s\" is not read; use f4, f8 or an integer type", name, header->description);
    size_t expected = (size_t)array->count * (size_t)encoding.width;
    if (size - offset != expected)
        return fail(error, "%s: %zu bytes of data from byte %zu on, the header announces %zu", name, size - offset,
                    offset, expected);
    return array_decode(name, encoding, bytes + offset, arena, array, error);
}

bool npy_parse(const char *name, const unsigned char *bytes, size_t size, Arena *arena, Array *array, Error *error)
{
    if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return fail(error, "%s: not an NPY file (byte 0)", name);
    int version = bytes[6];
    if (version < 1 || version > 3)
        return fail(error, "%s: NPY version %d at byte 6, 1 to 3 are read", name, version);
    size_t start = version == 1 ? 10 : 12;
    if (size < start)
        return fail(error, "%s: truncated at byte %zu", name, size);
    size_t length = (size_t)load_word(bytes + 8, version == 1 ? 2 : 4, false);
    if (length > size - start)
        return fail(error, "%s: the header ends at byte %zu, the file at byte %zu", name, start + length, size);
    Cursor cursor = {name, (const char *)bytes, (const char *)bytes + start, (const char *)bytes + start + length,
                     error};
    Header header = {0};
    return read_header(&cursor, &header, array) &&
           convert(name, &header, bytes, size, start + length, arena, array, error);
}

bool npy_read(const char *path, Arena *arena, Array *array, Error *error)
{
    Arena *scratch = arena_new(); /* the file's bytes go when the elements are read */
    unsigned char *bytes;
    size_t size;
    bool good = file_read(path, npy_limit, scratch, &bytes, &size, error) &&
                npy_parse(path, bytes, size, arena, array, error);
    arena_free(scratch);
    return good;
}

size_t npy_header(const Array *array, unsigned char header[NPY_HEADER_BYTES])
{
    static const char *const codes[] = {"<f4", "<f8", "<i4", "<i8", "|u1", "|i1"};
    static const unsigned char magic[8] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    enum { PREFIX = 10 };
    char *text = (char *)header + PREFIX;
    size_t room = NPY_HEADER_BYTES - PREFIX;
    int length = snprintf(text, room, "{'descr': '%s', 'fortran_order': False, 'shape': (", codes[array->type]);
    for (int i = 0; i < array->rank; i++)
        length += snprintf(text + length, room - (size_t)length, "%lld,", (long long)array->shape[i]);
    length += snprintf(text + length, room - (size_t)length, "), }");
    size_t padded = ((size_t)length + 1 + PREFIX + 63) / 64 * 64 - PREFIX; /* the data begins on a multiple of 64 */
    assert(padded <= room);
    memset(text + length, ' ', padded - (size_t)length);
    text[padded - 1] = '\n';
    memcpy(header, magic, sizeof magic);
    header[8] = (unsigned char)padded;
    header[9] = (unsigned char)(padded >> 8);
    return PREFIX + padded;
}

bool npy_write(const char *path, const Array *array, Error *error)
{
    unsigned char header[NPY_HEADER_BYTES];
    size_t length = npy_header(array, header);
    OutputFile output;
    if (!output_open(&output, path, error))
        return false;
    fwrite(header, 1, length, output.stream);
    fwrite(array->data, array_type_size(array->type), (size_t)array->count, output.stream);
    return output_commit(&output, error);
}
