/* All memory of the program comes from here. An allocation never returns NULL: when the system has
   no more, the failure handler (set by cli/: one line, exit 1) is called and must not return. */
#ifndef XENT_BASE_MEMORY_H
#define XENT_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

void *memory_new(size_t bytes);                   /* zeroed, 64-byte aligned; free with memory_free */
void *memory_array(size_t count, size_t size);    /* as memory_new(count * size), overflow checked */
void *memory_grow(void *block, size_t old_bytes, size_t new_bytes); /* new bytes are zeroed */
char *memory_copy_string(const char *text);
void memory_free(void *block);                    /* NULL allowed */

void memory_set_failure_handler(void (*handler)(size_t bytes));
uint64_t memory_allocation_count(void);           /* calls so far, arena chunks included */

/* Arena: many allocations, one owner, freed or reset together. */
typedef struct Arena Arena;
Arena *arena_new(void);
void arena_free(Arena *arena);                    /* NULL allowed */
void arena_reset(Arena *arena); /* keeps its chunks: the next round of the same size allocates nothing */
void *arena_alloc(Arena *arena, size_t bytes);    /* NOT zeroed, 64-byte aligned */
void *arena_zero(Arena *arena, size_t count, size_t size); /* zeroed */
char *arena_string(Arena *arena, const char *text);
char *arena_format(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t arena_peak(const Arena *arena);            /* bytes, largest so far */

/* Gives a block back before the reset; the next request of the same rounded size takes it. */
void arena_recycle(Arena *arena, void *block, size_t bytes);

#endif
