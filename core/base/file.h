/* Files: whole reads with limits, atomic writes, folders. Paths in messages are the user's. */
#ifndef XENT_BASE_FILE_H
#define XENT_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/error.h"
#include "core/base/memory.h"

/* Packed data may be a bomb: what it unpacks to counts against this too. */
enum { FILE_MOST_UNPACKED = 1 << 30 };

/* Reads a regular file (FIFO, device, folder: error) into the arena; gzip is recognised by content
   and unpacked. More than `limit` bytes, or FILE_MOST_UNPACKED after unpacking, is an error. A NUL
   byte follows the data. */
bool file_read(const char *path, size_t limit, Arena *arena, unsigned char **data, size_t *size, Error *error);
/* The first bytes of a regular file as they are stored, at most `wanted`, into the caller's head. */
bool file_read_head(const char *path, size_t wanted, unsigned char *head, size_t *size, Error *error);

/* Atomic output: write to PATH.tmp, then fsync, rename, fsync of the folder. A PATH that is a device, FIFO, socket or
   folder, or that descriptor 0, 1 or 2 has open, is refused by output_open; a symbolic link is replaced. */
typedef struct OutputFile {
    FILE *stream;          /* write here, errors are checked at commit; it has no descriptor (fileno) */
    char *path, *temporary;
    struct OutputTarget *target;
} OutputFile;
bool output_open(OutputFile *output, const char *path, Error *error);
bool output_commit(OutputFile *output, Error *error);  /* on failure the temporary file is gone */
void output_abandon(OutputFile *output);
/* Removes the temporary file of every output that is open, for a process that is about to end. */
void outputs_remove_temporaries(void);
bool file_write(const char *path, const void *data, size_t size, Error *error); /* the three above */

/* Several files at once. All are written and on disk before the first gets its name; names appear in the order given,
   and each folder is synced once. After a failure every name is as it was, or holds the whole of the new file. */
typedef struct FileContents {
    const char *path;
    const void *data;
    size_t size;
} FileContents;
bool files_write(const FileContents *files, int count, Error *error);

bool folder_make(const char *path, Error *error);      /* with its parents; existing is fine */
bool folder_sync(const char *path, Error *error);      /* names in it are durable */
bool file_exists(const char *path);
bool file_is_named(const char *path);                  /* as file_exists, but a link that leads nowhere counts */
bool file_is_folder(const char *path);
bool file_same(const char *a, const char *b);          /* same device and inode */
char *path_join(Arena *arena, const char *folder, const char *name); /* an absolute name wins */
char *path_folder(Arena *arena, const char *path);     /* "." when there is none */
char *path_absolute(Arena *arena, const char *path, Error *error); /* NULL: the current folder has no path */

#endif
