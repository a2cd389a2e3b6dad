#include <assert.h>
#include <string.h>
#include <zlib.h>

#include "core/base/file.h"
#include "data/npy.h"
#include "data/npz.h"

/* What the local header and the directory record of a member share, and where it begins. */
typedef struct Member {
    uint32_t crc;
    size_t size, offset;
} Member;

typedef struct Record {
    unsigned char bytes[64];
    size_t length;
} Record;

static void put(Record *record, size_t value, int width)
{
    assert(record->length + (size_t)width <= sizeof record->bytes);
    for (int i = 0; i < width; i++)
        record->bytes[record->length++] = (unsigned char)(value >> 8 * i);
}

/* version needed ... length of the extra field, alike in both records (APPNOTE 4.3.7, 4.3.12). */
static void put_common(Record *record, const Member *member, size_t name_length)
{
    put(record, 20, 2);
    put(record, 0, 2);             /* flags */
    put(record, 0, 2);             /* stored */
    put(record, 0, 2);             /* 0:00 */
    put(record, 0x21, 2);          /* on 1 January 1980, the format's first day */
    put(record, member->crc, 4);
    put(record, member->size, 4);
    put(record, member->size, 4);
    put(record, name_length + 4, 2);
    put(record, 0, 2);
}

static void write_name(FILE *stream, const Record *record, const char *name)
{
    fwrite(record->bytes, 1, record->length, stream);
    fwrite(name, 1, strlen(name), stream);
    fwrite(".npy", 1, 4, stream);
}

static size_t write_member(FILE *stream, const char *name, const Array *array, Member *member)
{
    unsigned char header[NPY_HEADER_BYTES];
    size_t header_bytes = npy_header(array, header), data_bytes = (size_t)array->count * array_type_size(array->type);
    member->size = header_bytes + data_bytes;
    member->crc = (uint32_t)crc32_z(crc32_z(0, header, header_bytes), array->data, data_bytes);
    Record local = {0};
    put(&local, 0x04034b50, 4);
    put_common(&local, member, strlen(name));
    write_name(stream, &local, name);
    fwrite(header, 1, header_bytes, stream);
    fwrite(array->data, 1, data_bytes, stream);
    return local.length + strlen(name) + 4 + member->size;
}

static size_t write_directory_record(FILE *stream, const char *name, const Member *member)
{
    Record record = {0};
    put(&record, 0x02014b50, 4);
    put(&record, 20, 2);
    put_common(&record, member, strlen(name));
    put(&record, 0, 2 + 2 + 2); /* comment, disk, attributes of two kinds */
    put(&record, 0, 4);
    put(&record, member->offset, 4);
    write_name(stream, &record, name);
    return record.length + strlen(name) + 4;
}

static void write_end(FILE *stream, int64_t count, size_t start, size_t length)
{
    Record end = {0};
    put(&end, 0x06054b50, 4);
    put(&end, 0, 4); /* disks */
    put(&end, (size_t)count, 2);
    put(&end, (size_t)count, 2);
    put(&end, length, 4);
    put(&end, start, 4);
    put(&end, 0, 2);
    fwrite(end.bytes, 1, end.length, stream);
}

bool npz_write(const char *path, int64_t count, const char *const *names, const Array *arrays, Error *error)
{
    static const size_t limit = (size_t)2 << 30;
    assert(count >= 0 && count < 65535);
    size_t total = 0;
    for (int64_t i = 0; i < count; i++)
        total +=
            NPY_HEADER_BYTES + 128 + 2 * strlen(names[i]) + (size_t)arrays[i].count * array_type_size(arrays[i].type);
    if (total > limit)
        return fail(error, "%s: %zu bytes, an NPZ file is written up to %zu", path, total, limit);
    OutputFile output;
    if (!output_open(&output, path, error))
        return false;
    Member *members = memory_array((size_t)count, sizeof *members);
    size_t at = 0, length = 0;
    for (int64_t i = 0; i < count; i++) {
        members[i].offset = at;
        at += write_member(output.stream, names[i], &arrays[i], &members[i]);
    }
    for (int64_t i = 0; i < count; i++)
        length += write_directory_record(output.stream, names[i], &members[i]);
    write_end(output.stream, count, at, length);
    memory_free(members);
    return output_commit(&output, error);
}
