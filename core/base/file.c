#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/gzip.h"
#include "core/base/memory_limit.h"

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

char *path_absolute(Arena *arena, const char *path, Error *error)
{
    char here[4096];
    if (path[0] == '/')
        return arena_string(arena, path);
    if (getcwd(here, sizeof here))
        return path_join(arena, here, path);
    fail_errno(error, "%s: the current folder has no path", path);
    return NULL;
}

bool file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool file_is_named(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
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

static _Thread_local char last_read[512];

const char *file_last_read(void)
{
    return last_read;
}

bool file_read(const char *path, size_t limit, Arena *arena, unsigned char **data, size_t *size, Error *error)
{
    size_t stored = 0;
    snprintf(last_read, sizeof last_read, "%s", path);
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
        return gzip_unpack(path, limit < FILE_MOST_UNPACKED ? limit : FILE_MOST_UNPACKED, bytes, stored, arena, data,
                           size, error);
    *data = bytes;
    *size = stored;
    return true;
}

bool file_read_head(const char *path, size_t wanted, unsigned char *head, size_t *size, Error *error)
{
    size_t stored = 0;
    int descriptor = open_regular(path, &stored, error);
    if (descriptor < 0)
        return false;
    *size = stored < wanted ? stored : wanted;
    bool good = read_all(descriptor, path, head, *size, error);
    close(descriptor);
    return good;
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

/* What a stream writes to. Streams of the C library give up at an interrupted write; ours go on. */
typedef struct OutputTarget {
    int descriptor;
    int failure;            /* errno of the first write that failed; 0: none */
    const char *temporary;  /* the OutputFile's */
    struct OutputTarget *next;
} OutputTarget;

/* The files that are being written. Nothing allocates while the mutex is held, so the handler of a failed allocation
   can take it. */
static OutputTarget *open_targets;
static pthread_mutex_t open_targets_mutex = PTHREAD_MUTEX_INITIALIZER;

static void remember_target(OutputTarget *target)
{
    pthread_mutex_lock(&open_targets_mutex);
    target->next = open_targets;
    open_targets = target;
    pthread_mutex_unlock(&open_targets_mutex);
}

static void forget_target(const OutputTarget *target)
{
    pthread_mutex_lock(&open_targets_mutex);
    for (OutputTarget **at = &open_targets; *at; at = &(*at)->next)
        if (*at == target) {
            *at = target->next;
            break;
        }
    pthread_mutex_unlock(&open_targets_mutex);
}

void outputs_remove_temporaries(void)
{
    pthread_mutex_lock(&open_targets_mutex);
    for (const OutputTarget *target = open_targets; target; target = target->next)
        unlink(target->temporary);
    pthread_mutex_unlock(&open_targets_mutex);
}

static ssize_t write_all(void *cookie, const char *bytes, size_t size)
{
    OutputTarget *target = cookie;
    for (size_t done = 0; done < size;) {
        ssize_t wrote = write(target->descriptor, bytes + done, size - done);
        if (wrote >= 0)
            done += (size_t)wrote;
        else if (errno != EINTR) {
            target->failure = target->failure ? target->failure : errno;
            return 0;
        }
    }
    return (ssize_t)size;
}

/* The stream's end closes the descriptor; an interrupted close has closed it. */
static int close_target(void *cookie)
{
    int status = close(((OutputTarget *)cookie)->descriptor);
    return status != 0 && errno == EINTR ? 0 : status;
}

/* A temporary file that a killed process left, or anything else of its name, is never written through. */
static bool open_stream(OutputFile *output)
{
    if (unlink(output->temporary) != 0 && errno != ENOENT)
        return false;
    output->target->descriptor = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (output->target->descriptor < 0)
        return false;
    output->target->temporary = output->temporary;
    remember_target(output->target);
    output->stream =
        fopencookie(output->target, "wb", (cookie_io_functions_t){.write = write_all, .close = close_target});
    if (output->stream)
        return true;
    int number = errno;
    close(output->target->descriptor);
    unlink(output->temporary);
    errno = number;
    return false;
}

static void output_forget(OutputFile *output, bool remove_temporary)
{
    if (output->stream)
        fclose(output->stream);
    if (output->temporary && remove_temporary)
        unlink(output->temporary);
    forget_target(output->target);
    memory_free(output->path);
    memory_free(output->temporary);
    memory_free(output->target);
    *output = (OutputFile){0};
}

static const char *const descriptor_names[] = {"standard input", "standard output", "standard error"};

/* Renaming to a name takes it from whatever has it. A device, FIFO, socket or folder keeps its name, and so does what a
   standard descriptor reads or writes, /dev/stdout by any name. A link is replaced, not followed. */
static bool may_take_name(const char *path, Error *error)
{
    struct stat named, reached, standard;
    if (lstat(path, &named) != 0)
        return true;
    if (!S_ISREG(named.st_mode) && !S_ISLNK(named.st_mode))
        return fail(error, "%s: not a regular file, and results replace what they are written to", path);
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
        if (stat(path, &reached) == 0 && fstat(descriptor, &standard) == 0 && reached.st_dev == standard.st_dev &&
            reached.st_ino == standard.st_ino)
            return fail(error, "%s: this command's %s", path, descriptor_names[descriptor]);
    return true;
}

bool output_open(OutputFile *output, const char *path, Error *error)
{
    if (!may_take_name(path, error)) {
        *output = (OutputFile){0};
        return false;
    }
    size_t bytes = strlen(path) + sizeof ".tmp";
    *output = (OutputFile){
        .path = memory_copy_string(path), .temporary = memory_new(bytes), .target = memory_new(sizeof *output->target)};
    snprintf(output->temporary, bytes, "%s.tmp", path);
    if (open_stream(output))
        return true;
    fail_errno(error, "%s: cannot write", output->temporary);
    output_forget(output, false);
    return false;
}

void output_abandon(OutputFile *output)
{
    output_forget(output, true);
}

bool folder_sync(const char *path, Error *error)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return fail_errno(error, "%s: cannot open the folder", path);
    int status;
    do
        status = fsync(descriptor);
    while (status != 0 && errno == EINTR);
    bool good = status == 0 || errno == EINVAL; /* some file systems cannot sync folders */
    if (!good)
        fail_errno(error, "%s: cannot sync the folder", path);
    close(descriptor);
    return good;
}

/* The rename is durable only when the folder is on disk too. */
static bool sync_folder_of(const char *path, Error *error)
{
    Arena *arena = arena_new();
    bool good = folder_sync(path_folder(arena, path), error);
    arena_free(arena);
    return good;
}

/* Everything written and on disk, the stream closed; errno says what went wrong. */
static bool finish_stream(OutputFile *output)
{
    OutputTarget *target = output->target;
    FILE *stream = output->stream;
    output->stream = NULL;
    bool good = fflush(stream) == 0 && !ferror(stream);
    int number = good ? 0 : target->failure ? target->failure : EIO;
    int status = 0;
    while (good && (status = fsync(target->descriptor)) != 0 && errno == EINTR)
        continue;
    if (status != 0)
        number = errno;
    if (fclose(stream) != 0 && number == 0)
        number = errno;
    errno = number;
    return number == 0;
}

static bool rename_finished(const OutputFile *output, Error *error)
{
    return rename(output->temporary, output->path) == 0 || fail_errno(error, "%s: cannot rename to it", output->path);
}

bool output_commit(OutputFile *output, Error *error)
{
    bool good = finish_stream(output) || fail_errno(error, "%s: cannot write", output->path);
    bool renamed = good && rename_finished(output, error);
    good = renamed && sync_folder_of(output->path, error);
    output_forget(output, !renamed);
    return good;
}

bool file_write(const char *path, const void *data, size_t size, Error *error)
{
    return files_write(&(FileContents){path, data, size}, 1, error);
}

static bool same_folder(const char *a, const char *b)
{
    const char *end_a = strrchr(a, '/'), *end_b = strrchr(b, '/');
    size_t length_a = end_a ? (size_t)(end_a - a) + 1 : 0, length_b = end_b ? (size_t)(end_b - b) + 1 : 0;
    return length_a == length_b && memcmp(a, b, length_a) == 0;
}

bool files_write(const FileContents *files, int count, Error *error)
{
    OutputFile *outputs = memory_array((size_t)count, sizeof *outputs);
    int opened = 0, finished = 0, renamed = 0;
    for (; opened < count && output_open(&outputs[opened], files[opened].path, error); opened++)
        fwrite(files[opened].data, 1, files[opened].size, outputs[opened].stream); /* a short one shows in ferror */
    bool good = opened == count;
    for (; good && finished < count; finished++)
        good = finish_stream(&outputs[finished]) || fail_errno(error, "%s: cannot write", files[finished].path);
    for (; good && renamed < count; renamed += good)
        good = rename_finished(&outputs[renamed], error);
    for (int i = 0; good && i < count; i++)
        if (i + 1 == count || !same_folder(files[i].path, files[i + 1].path))
            good = sync_folder_of(files[i].path, error);
    for (int i = 0; i < opened; i++)
        output_forget(&outputs[i], i >= renamed);
    memory_free(outputs);
    return good;
}
