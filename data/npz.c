#include "data/npz.h"

#include <string.h>
#include <zlib.h>

#include "core/base/file.h"
#include "data/decode.h"
#include "data/npy.h"

/* Names of PKWARE's APPNOTE 6.3.10: the records' signatures and lengths without names and comments. */
enum { LOCAL_BYTES = 30, CENTRAL_BYTES = 46, END_BYTES = 22, LONGEST_COMMENT = 65535 };
static const uint32_t local_signature = 0x04034b50, central_signature = 0x02014b50, end_signature = 0x06054b50;
static const size_t npz_limit = (size_t)2 << 30;

/* Deflate packs at most 258 bytes into 2 bits, 1032 to 1. */
enum { HIGHEST_RATIO = 1032, MOST_MEMBERS = 4096 };

static size_t word16(const unsigned char *bytes)
{
    return (size_t)load_word(bytes, 2, false);
}

static size_t word32(const unsigned char *bytes)
{
    return (size_t)load_word(bytes, 4, false);
}

/* The end record is the last thing in the file, but for a comment. */
static bool find_end(const char *name, const unsigned char *bytes, size_t size, size_t *end, Error *error)
{
    if (size < END_BYTES)
        return fail(error, "%s: truncated at byte %zu, not an NPZ file", name, size);
    size_t lowest = size > END_BYTES + LONGEST_COMMENT ? size - END_BYTES - LONGEST_COMMENT : 0;
    for (size_t at = size - END_BYTES + 1; at-- > lowest;)
        if (word32(bytes + at) == end_signature && word16(bytes + at + 20) == size - at - END_BYTES) {
            *end = at;
            return true;
        }
    return fail(error, "%s: not an NPZ file, or truncated: no ZIP directory before byte %zu", name, size);
}

/* The local header repeats what the directory says; only its length is needed, the rest must agree. */
static bool check_local(const Npz *npz, const unsigned char *central, size_t directory, NpzEntry *entry, Error *error)
{
    size_t at = word32(central + 42), name_length = word16(central + 28);
    if (at > directory || directory - at < LOCAL_BYTES)
        return fail(error, "%s: a member begins at byte %zu, the directory at byte %zu", npz->path, at, directory);
    const unsigned char *local = npz->bytes + at;
    if (word32(local) != local_signature)
        return fail(error, "%s: no member at byte %zu where the directory says", npz->path, at);
    size_t header = LOCAL_BYTES + word16(local + 26) + word16(local + 28);
    if (directory - at < header || directory - at - header < entry->packed)
        return fail(error, "%s: the member at byte %zu does not end before byte %zu", npz->path, at, directory);
    if (word16(local + 26) != name_length || memcmp(local + LOCAL_BYTES, central + CENTRAL_BYTES, name_length) != 0 ||
        word16(local + 8) != word16(central + 10))
        return fail(error, "%s: the member at byte %zu is another than the directory says", npz->path, at);
    entry->offset = at + header;
    return true;
}

/* One record of the directory; members with other names than *.npy are not kept. */
static bool read_member(Npz *npz, const unsigned char *central, size_t directory, size_t *total, Arena *arena,
                        Error *error)
{
    size_t name_length = word16(central + 28), at = (size_t)(central - npz->bytes);
    const char *name = (const char *)central + CENTRAL_BYTES;
    if (name_length <= 4 || memcmp(name + name_length - 4, ".npy", 4) != 0)
        return true;
    for (size_t i = 0; i < name_length; i++)
        if ((unsigned char)name[i] < ' ' || (unsigned char)name[i] == 127)
            return fail(error, "%s: a control character in the name at byte %zu", npz->path, at + CENTRAL_BYTES);
    char *text = arena_alloc(arena, name_length - 3);
    memcpy(text, name, name_length - 4);
    text[name_length - 4] = '\0';
    NpzEntry entry = {.name = text, .crc = (uint32_t)word32(central + 16), .method = (int)word16(central + 10),
                      .packed = word32(central + 20), .size = word32(central + 24)};
    if (word16(central + 8) & 1)
        return fail(error, "%s: member \"%s\" is encrypted (byte %zu)", npz->path, text, at);
    if (entry.method != 0 && entry.method != 8)
        return fail(error, "%s: member \"%s\": ZIP method %d at byte %zu, stored (0) and deflated (8) are read",
                    npz->path, text, entry.method, at + 10);
    if (entry.size > npz_limit - *total)
        return fail(error, "%s: the arrays up to \"%s\" (byte %zu) have more than %zu bytes", npz->path, text, at,
                    npz_limit);
    if (entry.method == 0 ? entry.packed != entry.size : entry.size / HIGHEST_RATIO > entry.packed)
        return fail(error, "%s: member \"%s\": %zu bytes cannot hold %zu (byte %zu)", npz->path, text, entry.packed,
                    entry.size, at + 20);
    *total += entry.size;
    if (npz_find(npz, text))
        return fail(error, "%s: two members \"%s\" (byte %zu)", npz->path, text, at);
    if (!check_local(npz, central, directory, &entry, error))
        return false;
    npz->entries[npz->count++] = entry;
    return true;
}

bool npz_parse(const char *name, const unsigned char *bytes, size_t size, Arena *arena, Npz *npz, Error *error)
{
    size_t end = 0;
    if (!find_end(name, bytes, size, &end, error))
        return false;
    size_t members = word16(bytes + end + 10), length = word32(bytes + end + 12), start = word32(bytes + end + 16);
    if (word16(bytes + end + 4) || word16(bytes + end + 6) || word16(bytes + end + 8) != members)
        return fail(error, "%s: an archive in several parts (byte %zu)", name, end + 4);
    if (start > end || end - start != length)
        return fail(error, "%s: ZIP64, or damaged: the directory from byte %zu on does not end at byte %zu", name,
                    start, end);
    if (members > length / CENTRAL_BYTES)
        return fail(error, "%s: %zu members in a directory of %zu bytes (byte %zu)", name, members, length, end + 10);
    if (members > MOST_MEMBERS)
        return fail(error, "%s: %zu members (byte %zu), at most %d are read", name, members, end + 10, MOST_MEMBERS);
    *npz = (Npz){.path = name, .bytes = bytes, .entries = arena_alloc(arena, members * sizeof(NpzEntry))};
    size_t at = start, total = 0;
    for (size_t i = 0; i < members; i++) {
        if (end - at < CENTRAL_BYTES || word32(bytes + at) != central_signature)
            return fail(error, "%s: no directory record at byte %zu", name, at);
        size_t record = CENTRAL_BYTES + word16(bytes + at + 28) + word16(bytes + at + 30) + word16(bytes + at + 32);
        if (end - at < record)
            return fail(error, "%s: the directory record at byte %zu passes byte %zu", name, at, end);
        if (!read_member(npz, bytes + at, start, &total, arena, error))
            return false;
        at += record;
    }
    return at == end || fail(error, "%s: %zu bytes at byte %zu behind the last directory record", name, end - at, at);
}

bool npz_open(const char *path, Arena *arena, Npz *npz, Error *error)
{
    unsigned char *bytes;
    size_t size;
    return file_read(path, npz_limit, arena, &bytes, &size, error) &&
           npz_parse(arena_string(arena, path), bytes, size, arena, npz, error);
}

const NpzEntry *npz_find(const Npz *npz, const char *name)
{
    for (int64_t i = 0; i < npz->count; i++)
        if (strcmp(npz->entries[i].name, name) == 0)
            return &npz->entries[i];
    return NULL;
}

static void *zlib_new(void *unused, uInt count, uInt size)
{
    (void)unused;
    return memory_array(count, size);
}

static void zlib_free(void *unused, void *block)
{
    (void)unused;
    memory_free(block);
}

/* Exactly entry->size bytes, and all of the packed ones: sizes fit zlib's 32 bits. */
static bool inflate_entry(const Npz *npz, const NpzEntry *entry, unsigned char *out, Error *error)
{
    z_stream stream = {.zalloc = zlib_new, .zfree = zlib_free,
                       .next_in = (unsigned char *)(uintptr_t)(npz->bytes + entry->offset),
                       .avail_in = (uInt)entry->packed, .next_out = out, .avail_out = (uInt)entry->size};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return fail(error, "%s: zlib does not start", npz->path);
    int status = inflate(&stream, Z_FINISH);
    size_t taken = entry->packed - stream.avail_in;
    bool good = status == Z_STREAM_END && stream.avail_out == 0 && stream.avail_in == 0;
    inflateEnd(&stream);
    return good || fail(error, "%s: member \"%s\": damaged deflate data at byte %zu", npz->path, entry->name,
                        entry->offset + taken);
}

bool npz_array(const Npz *npz, const NpzEntry *entry, Arena *arena, Array *array, Error *error)
{
    Arena *scratch = arena_new();
    const unsigned char *bytes = npz->bytes + entry->offset;
    bool good = true;
    if (entry->method == 8) {
        unsigned char *unpacked = arena_alloc(scratch, entry->size);
        good = inflate_entry(npz, entry, unpacked, error);
        bytes = unpacked;
    }
    if (good && crc32_z(0, bytes, entry->size) != entry->crc)
        good = fail(error, "%s: member \"%s\": wrong CRC of the bytes from %zu on", npz->path, entry->name,
                    entry->offset);
    if (good) {
        const char *name = arena_format(scratch, "%s: member \"%s\"", npz->path, entry->name);
        good = npy_parse(name, bytes, entry->size, arena, array, error);
    }
    arena_free(scratch);
    return good;
}
