/* Preloaded into the program under test (LD_PRELOAD), makes one call fail.

   XENT_FAULT=CALL:K:HOW    the K-th call, from 1, of CALL; K 0: every second one
     CALL   allocate (malloc, calloc, realloc, aligned_alloc), open (open, openat), write, fsync, rename,
            close (of descriptors open for writing), read, unlink, thread (pthread_create)
     HOW    the name of an error (ENOSPC), "short": half of what was asked for is read or written, or "kill": the
            process is killed before the call
   XENT_FAULT_COUNT=FILE    at exit, a line "CALL COUNT" for each of them

   Only calls from outside the C library are seen, and those from the time the program is loaded. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum call { ALLOCATE, OPEN, WRITE, FSYNC, RENAME, CLOSE, READ, UNLINK, THREAD, CALLS };

static const char *const call_names[CALLS] = {"allocate", "open", "write",  "fsync", "rename",
                                              "close",    "read", "unlink", "thread"};
static const struct { const char *name; int number;
} errors[] = {
    {"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EINTR", EINTR},   {"ENOMEM", ENOMEM}, {"EAGAIN", EAGAIN},
    {"EACCES", EACCES}, {"EMFILE", EMFILE}, {"EDQUOT", EDQUOT}, {"EFBIG", EFBIG},   {"EROFS", EROFS},
};

static atomic_long counts[CALLS];
static atomic_bool ready;
static enum call faulty = CALLS;
static long chosen;
static int number;          /* errno; 0: short, -1: kill */

static void wrong(const char *fault)
{
    fprintf(stderr, "fault: XENT_FAULT=%s is not understood\n", fault);
    _exit(99);
}

static void __attribute__((constructor)) begin(void)
{
    const char *fault = getenv("XENT_FAULT"), *how = fault ? strrchr(fault, ':') : NULL;
    for (int i = 0; how && i < CALLS; i++)
        if (strncmp(fault, call_names[i], strlen(call_names[i])) == 0 && fault[strlen(call_names[i])] == ':')
            faulty = (enum call)i;
    if (fault && faulty == CALLS)
        wrong(fault);
    if (fault) {
        chosen = strtol(strchr(fault, ':') + 1, NULL, 10);
        for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
            if (strcmp(errors[i].name, how + 1) == 0)
                number = errors[i].number;
        if (strcmp(how, ":kill") == 0)
            number = -1;
        if (number == 0 && strcmp(how, ":short") != 0)
            wrong(fault);
    }
    atomic_store(&ready, true);
}

static void __attribute__((destructor)) end(void)
{
    atomic_store(&ready, false);
    const char *path = getenv("XENT_FAULT_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    for (int i = 0; file && i < CALLS; i++)
        fprintf(file, "%s %ld\n", call_names[i], atomic_load(&counts[i]));
    if (file)
        fclose(file);
}

static bool fails_now(enum call call)
{
    if (!atomic_load(&ready))
        return false;
    long k = atomic_fetch_add(&counts[call], 1) + 1;
    bool now = call == faulty && (chosen ? k == chosen : k % 2 == 1);
    if (now && number == -1)
        raise(SIGKILL);
    return now;
}

static bool fails(enum call call)
{
    if (!fails_now(call))
        return false;
    errno = number;
    return true;
}

/* The function that this file stands before. */
#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
        *(void **)&real = dlsym(RTLD_NEXT, #name)

/* dlsym itself may allocate, so the allocators are taken by the names under which the C library has them. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes)
{
    return fails(ALLOCATE) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return fails(ALLOCATE) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes)
{
    return fails(ALLOCATE) ? NULL : __libc_realloc(block, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails(ALLOCATE) ? NULL : __libc_memalign(alignment, bytes);
}

int open(const char *path, int flags, ...)
{
    REAL(open);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return fails(OPEN) ? -1 : real(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    REAL(openat);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return fails(OPEN) ? -1 : real(folder, path, flags, mode);
}

static size_t part(size_t size)
{
    return size > 1 ? size / 2 : size;
}

ssize_t write(int descriptor, const void *bytes, size_t size)
{
    REAL(write);
    if (!fails(WRITE))
        return real(descriptor, bytes, size);
    return number ? -1 : real(descriptor, bytes, part(size));
}

ssize_t read(int descriptor, void *bytes, size_t size)
{
    REAL(read);
    if (!fails(READ))
        return real(descriptor, bytes, size);
    return number ? -1 : real(descriptor, bytes, part(size));
}

/* Nothing here loses power: a sync that does not fail costs nothing. */
int fsync(int descriptor)
{
    (void)descriptor;
    return fails(FSYNC) ? -1 : 0;
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    return fails(RENAME) ? -1 : real(from, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    REAL(renameat2);
    return fails(RENAME) ? -1 : real(from_folder, from, to_folder, to, flags);
}

int unlink(const char *path)
{
    REAL(unlink);
    return fails(UNLINK) ? -1 : real(path);
}

/* The descriptor is closed whatever close says, as on Linux. */
int close(int descriptor)
{
    REAL(close);
    int flags = fcntl(descriptor, F_GETFL);
    bool failing = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && fails_now(CLOSE);
    int status = real(descriptor);
    if (!failing)
        return status;
    errno = number;
    return -1;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    REAL(pthread_create);
    return fails_now(THREAD) ? number : real(thread, attributes, start, argument);
}
