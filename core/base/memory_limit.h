/* How much memory reading may take: an input is refused before it costs more (LIMITS of xent-run(5)). */
#ifndef XENT_BASE_MEMORY_LIMIT_H
#define XENT_BASE_MEMORY_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

/* What the data of a config, or the arrays of a command, may take while they are read, all together. */
#define INPUT_MOST_MEMORY ((size_t)1900 * 1000 * 1000)

/* Until memory_limit_restore, at most `bytes` more than now may be in use; an outer limit goes on to hold. Passing it
   calls memory.h's failure handler, for which memory_limit_reached tells the two failures apart. Returns what is to
   be restored. One thread sets limits; they hold for all. */
size_t memory_limit(size_t bytes);
void memory_limit_restore(size_t before);
bool memory_limit_reached(void);

/* The path that this thread gave to file_read last; "" when there was none. */
const char *file_last_read(void);

#endif
