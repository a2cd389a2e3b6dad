#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

char *path_join(Arena *arena, const char *folder, const char *name)
{
    return name[0] == '/' ? arena_string(arena, name) : arena_format(arena, "%s/%s", folder, name);
}

char *path_folder(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return arena_string(arena, ".");
    if (slash == path)
        return arena_string(arena, "/");
    char *folder = arena_string(arena, path);
    folder[slash - path] = '\0';
    return folder;
}

char *path_absolute(Arena *arena, const char *path)
{
    char here[4096];
    if (path[0] == '/' || !getcwd(here, sizeof here))
        return arena_string(arena, path);
    return path_join(arena, here, path);
}

bool file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool file_same(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* Opens without blocking, so that a FIFO is refused and not waited for. */
static int open_regular(const char *path, size_t *size, Error *error)
{
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) {
        fail_errno(error, "%s", path);
        return -1;
    }
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        fail_errno(error, "%s", path);
    else if (!S_ISREG(status.st_mode))
        fail(error, "%s: not a regular file", path);
    else {
        *size = (size_t)status.st_size;
        return descriptor;
    }
    close(descriptor);
    return -1;
}

static bool read_all(int descriptor, const char *path, unsigned char *data, size_t size, Error *error)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(descriptor, data + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(error, "%s: reading at byte %zu", path, done);
        if (got == 0)
            return fail(error, "%s: the file became shorter while it was read (byte %zu of %zu)", path, done, size);
        done += (size_t)got;
    }
    return true;
}

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

/* Unpacks all members of a gzip file; the output doubles until it fits or the limit is passed. */
static bool unpack_gzip(const char *path, size_t limit, const unsigned char *packed, size_t packed_size,
                        Arena *arena, unsigned char **data, size_t *size, Error *error)
{
    *data = unpack_announced(limit, packed, packed_size, arena, size);
    if (*data)
        return true;
    size_t capacity = packed_size * 4 + 64, used = 0;
    unsigned char *out = memory_new(capacity + 1);
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)packed};
    if (inflateInit2(&stream, 15 + 16) != Z_OK) {
        memory_free(out);
        return fail(error, "%s: out of memory while unpacking", path);
    }
    int status = Z_OK;
    size_t taken = 0;
    while (true) {
        if (used == capacity && used <= limit) {
            out = memory_grow(out, capacity + 1, capacity * 2 + 1);
            capacity *= 2;
        }
        size_t room = capacity - used, rest = packed_size - taken, piece = 1u << 30;
        stream.next_out = out + used;
        stream.avail_out = (uInt)(room < piece ? room : piece);
        stream.avail_in = (uInt)(rest < piece ? rest : piece);
        uInt offered_in = stream.avail_in, offered_out = stream.avail_out;
        status = inflate(&stream, Z_NO_FLUSH);
        taken += offered_in - stream.avail_in;
        used += offered_out - stream.avail_out;
        if (used > limit)
            break;
        if (status == Z_STREAM_END) {
            if (taken == packed_size || inflateReset(&stream) != Z_OK)
                break;
        } else if (status != Z_OK || (taken == packed_size && stream.avail_out != 0))
            break;
    }
    inflateEnd(&stream);
    bool good = used <= limit && status == Z_STREAM_END;
    if (used > limit)
        fail(error, "%s: unpacks to more than %zu bytes", path, limit);
    else if (!good)
        fail(error, "%s: damaged or truncated gzip data at byte %zu", path, taken);
    else {
        *data = memcpy(arena_alloc(arena, used + 1), out, used);
        (*data)[used] = 0;
        *size = used;
    }
    memory_free(out);
    return good;
}

bool file_read(const char *path, size_t limit, Arena *arena, unsigned char **data, size_t *size, Error *error)
{
    size_t stored = 0;
    int descriptor = open_regular(path, &stored, error);
    if (descriptor < 0)
        return false;
    if (stored > limit) {
        close(descriptor);
        return fail(error, "%s: %zu bytes, more than the limit of %zu", path, stored, limit);
    }
    unsigned char *bytes = arena_alloc(arena, stored + 1);
    bool good = read_all(descriptor, path, bytes, stored, error);
    close(descriptor);
    if (!good)
        return false;
    bytes[stored] = 0;
    if (stored >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b)
        return unpack_gzip(path, limit, bytes, stored, arena, data, size, error);
    *data = bytes;
    *size = stored;
    return true;
}

bool folder_make(const char *path, Error *error)
{
    char *copy = memory_copy_string(path);
    bool good = true;
    for (char *slash = copy + 1; good; slash++) {
        if (*slash != '/' && *slash != '\0')
            continue;
        char kept = *slash;
        *slash = '\0';
        if (mkdir(copy, 0777) != 0 && !(errno == EEXIST && file_is_folder(copy)))
            good = fail_errno(error, "%s: cannot make the folder", path);
        *slash = kept;
        if (kept == '\0')
            break;
    }
    memory_free(copy);
    return good;
}

bool output_open(OutputFile *output, const char *path, Error *error)
{
    size_t bytes = strlen(path) + sizeof ".tmp";
    output->path = memory_copy_string(path);
    output->temporary = memory_new(bytes);
    snprintf(output->temporary, bytes, "%s.tmp", path);
    output->stream = fopen(output->temporary, "wbe");
    if (output->stream)
        return true;
    fail_errno(error, "%s: cannot write", output->temporary);
    memory_free(output->path);
    memory_free(output->temporary);
    *output = (OutputFile){0};
    return false;
}

static void output_forget(OutputFile *output, bool remove_temporary)
{
    if (output->stream)
        fclose(output->stream);
    if (output->temporary && remove_temporary)
        unlink(output->temporary);
    memory_free(output->path);
    memory_free(output->temporary);
    *output = (OutputFile){0};
}

void output_abandon(OutputFile *output)
{
    output_forget(output, true);
}

/* The rename is durable only when the folder is on disk too. */
static bool sync_folder(const char *path, Error *error)
{
    Arena *arena = arena_new();
    int descriptor = open(path_folder(arena, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    arena_free(arena);
    if (descriptor < 0)
        return fail_errno(error, "%s: cannot open its folder", path);
    int status;
    do
        status = fsync(descriptor);
    while (status != 0 && errno == EINTR);
    bool good = status == 0 || errno == EINVAL; /* some file systems cannot sync folders */
    if (!good)
        fail_errno(error, "%s: cannot sync its folder", path);
    close(descriptor);
    return good;
}

bool output_commit(OutputFile *output, Error *error)
{
    bool good = fflush(output->stream) == 0 && !ferror(output->stream);
    int status = -1;
    while (good && (status = fsync(fileno(output->stream))) != 0 && errno == EINTR)
        continue;
    good = good && status == 0;
    if (!good)
        fail_errno(error, "%s: cannot write", output->path);
    FILE *stream = output->stream;
    output->stream = NULL;
    if (fclose(stream) != 0 && good)
        good = fail_errno(error, "%s: cannot write", output->path);
    if (good && rename(output->temporary, output->path) != 0)
        good = fail_errno(error, "%s: cannot rename to it", output->path);
    bool renamed = good;
    if (good)
        good = sync_folder(output->path, error);
    output_forget(output, !renamed);
    return good;
}

bool file_write(const char *path, const void *data, size_t size, Error *error)
{
    OutputFile output;
    if (!output_open(&output, path, error))
        return false;
    fwrite(data, 1, size, output.stream); /* a short write shows in ferror at the commit */
    return output_commit(&output, error);
}
