#include "core/base/gzip.h"

#include <stdint.h>
#include <zlib.h>

enum { PIECE = 1 << 30 };   /* zlib counts in 32 bits */

/* One member that has the size its last four bytes announce, into exactly that room: no copies. NULL: it is
   otherwise, or damaged. Deflate packs 1032 to 1 at most, so a false size asks for no more memory. */
static unsigned char *unpack_announced(size_t limit, const unsigned char *packed, size_t packed_size, Arena *arena,
                                       size_t *size)
{
    if (packed_size < 18 || packed_size > UINT32_MAX)
        return NULL;
    const unsigned char *last = packed + packed_size - 4;
    *size = last[0] | (size_t)last[1] << 8 | (size_t)last[2] << 16 | (size_t)last[3] << 24;
    if (*size > limit || *size / 1032 > packed_size)
        return NULL;
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)packed, .avail_in = (uInt)packed_size};
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return NULL;
    unsigned char *out = arena_alloc(arena, *size + 1);
    stream.next_out = out;
    stream.avail_out = (uInt)*size;
    bool good = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
    inflateEnd(&stream);
    out[*size] = 0;
    return good ? out : NULL;
}

/* Unpacks into `out` of `room` bytes, or, where out is NULL, to nowhere. *size: bytes that came out. */
static bool unpack_members(const char *path, size_t room, const unsigned char *packed, size_t packed_size,
                           unsigned char *out, size_t *size, Error *error)
{
    static _Thread_local unsigned char nowhere[1 << 16];
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)packed};
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return fail(error, "%s: out of memory while unpacking", path);
    size_t used = 0, taken = 0;
    int status = Z_OK;
    while (status == Z_OK && used <= room) {
        size_t rest = packed_size - taken, free = out ? room + 1 - used : sizeof nowhere;
        uInt offered_in = (uInt)(rest < PIECE ? rest : PIECE), offered_out = (uInt)(free < PIECE ? free : PIECE);
        stream.avail_in = offered_in;
        stream.next_out = out ? out + used : nowhere;
        stream.avail_out = offered_out;
        status = inflate(&stream, Z_NO_FLUSH);
        taken += offered_in - stream.avail_in;
        used += offered_out - stream.avail_out;
        if (status == Z_STREAM_END && taken < packed_size)
            status = inflateReset(&stream);
        else if (status == Z_OK && taken == packed_size && stream.avail_out != 0)
            status = Z_BUF_ERROR;
    }
    inflateEnd(&stream);
    *size = used;
    if (used > room)
        return fail(error, "%s: unpacks to more than %zu bytes", path, room);
    return status == Z_STREAM_END || fail(error, "%s: damaged or truncated gzip data at byte %zu", path, taken);
}

bool gzip_unpack(const char *path, size_t limit, const unsigned char *packed, size_t packed_size, Arena *arena,
                 unsigned char **data, size_t *size, Error *error)
{
    *data = unpack_announced(limit, packed, packed_size, arena, size);
    if (*data)
        return true;
    /* Several members, or damage: first how much it is, so that a bomb costs time only. */
    if (!unpack_members(path, limit, packed, packed_size, NULL, size, error))
        return false;
    *data = arena_alloc(arena, *size + 1);
    if (!unpack_members(path, *size, packed, packed_size, *data, size, error))
        return false;
    (*data)[*size] = 0;
    return true;
}
