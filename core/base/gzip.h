/* gzip in memory. */
#ifndef XENT_BASE_GZIP_H
#define XENT_BASE_GZIP_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/base/memory.h"

/* Unpacks all members into the arena; more than `limit` bytes is an error, found before more is asked for.
   A NUL byte follows the data. `path` is for messages. */
bool gzip_unpack(const char *path, size_t limit, const unsigned char *packed, size_t packed_size, Arena *arena,
                 unsigned char **data, size_t *size, Error *error);

#endif
