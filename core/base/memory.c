#include "core/base/memory.h"

#include <assert.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/memory_limit.h"

enum { ALIGNMENT = 64, CHUNK_BYTES = 1 << 16, SIZE_CLASSES = 4 * 64 };
enum { HUGE_PAGE = 1 << 21, HUGE_BLOCK = 2 * HUGE_PAGE };

static void (*failure_handler)(size_t bytes);
static _Atomic uint64_t allocations;

/* Bytes in use, and how many there may be; threads that pass the limit together pass it by what each asks for. */
static _Atomic size_t in_use, most_in_use = SIZE_MAX;
static _Atomic bool limit_reached;

void memory_set_failure_handler(void (*handler)(size_t bytes))
{
    failure_handler = handler;
}

uint64_t memory_allocation_count(void)
{
    return atomic_load(&allocations);
}

static void out_of_memory(size_t bytes)
{
    if (failure_handler)
        failure_handler(bytes);
    abort(); /* a handler must not return */
}

size_t memory_limit(size_t bytes)
{
    size_t now = atomic_load(&in_use), before = atomic_load(&most_in_use);
    size_t wanted = bytes > SIZE_MAX - now ? SIZE_MAX : now + bytes;
    atomic_store(&most_in_use, wanted < before ? wanted : before);
    return before;
}

void memory_limit_restore(size_t before)
{
    atomic_store(&most_in_use, before);
}

bool memory_limit_reached(void)
{
    return atomic_load(&limit_reached);
}

static void check_limit(size_t bytes)
{
    size_t most = atomic_load_explicit(&most_in_use, memory_order_relaxed);
    if (most == SIZE_MAX)
        return;
    size_t now = atomic_load_explicit(&in_use, memory_order_relaxed);
    if (now > most || bytes > most - now) {
        atomic_store(&limit_reached, true);
        out_of_memory(bytes);
    }
}

static size_t round_up(size_t bytes, size_t alignment)
{
    if (bytes > SIZE_MAX - alignment)
        out_of_memory(bytes);
    return bytes == 0 ? alignment : (bytes + alignment - 1) / alignment * alignment;
}

/* Large blocks ask for huge pages, where the system gives them on request alone: activations of many megabytes
   are more pages than processors can keep track of. It is advice; a system without them loses nothing. */
static void *new_block(size_t bytes)
{
    size_t alignment = ALIGNMENT;
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_BLOCK)
        alignment = HUGE_PAGE;
#endif
    check_limit(bytes);
    void *block = aligned_alloc(alignment, round_up(bytes, alignment)); /* C11 wants whole multiples */
    if (!block)
        out_of_memory(bytes);
    atomic_fetch_add_explicit(&in_use, malloc_usable_size(block), memory_order_relaxed);
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_BLOCK)
        madvise(block, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    atomic_fetch_add(&allocations, 1);
    return block;
}

void *memory_new(size_t bytes)
{
    return memset(new_block(bytes), 0, round_up(bytes, ALIGNMENT));
}

static size_t multiply(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        out_of_memory(SIZE_MAX);
    return count * size;
}

void *memory_array(size_t count, size_t size)
{
    return memory_new(multiply(count, size));
}

void *memory_grow(void *block, size_t old_bytes, size_t new_bytes)
{
    char *grown = memory_new(new_bytes);
    if (block)
        memcpy(grown, block, old_bytes < new_bytes ? old_bytes : new_bytes);
    memory_free(block);
    return grown;
}

char *memory_copy_string(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(memory_new(bytes), text, bytes);
}

void memory_free(void *block)
{
    atomic_fetch_sub_explicit(&in_use, malloc_usable_size(block), memory_order_relaxed);
    free(block);
}

/* Chunks are kept in order of use. A reset starts at the first one again. */
typedef struct Chunk {
    struct Chunk *next;
    size_t capacity, used;
    char *bytes;
} Chunk;

typedef struct FreeBlock {
    struct FreeBlock *next;
} FreeBlock;

struct Arena {
    Chunk *first, *last, *current;
    size_t in_use, peak;
    FreeBlock *recycled[SIZE_CLASSES]; /* four classes an octave */
};

Arena *arena_new(void)
{
    return memory_new(sizeof(Arena));
}

void arena_free(Arena *arena)
{
    if (!arena)
        return;
    for (Chunk *chunk = arena->first, *next; chunk; chunk = next) {
        next = chunk->next;
        memory_free(chunk->bytes);
        memory_free(chunk);
    }
    memory_free(arena);
}

void arena_reset(Arena *arena)
{
    for (Chunk *chunk = arena->first; chunk; chunk = chunk->next)
        chunk->used = 0;
    arena->current = arena->first;
    arena->in_use = 0;
    memset(arena->recycled, 0, sizeof arena->recycled);
}

/* Large requests are rounded to a quarter of a power of two, so that a recycled block fits the next
   of its class and little is wasted. */
static size_t arena_size(size_t bytes, int *size_class)
{
    size_t rounded = round_up(bytes, ALIGNMENT);
    *size_class = -1;
    if (rounded < 4096)
        return rounded;
    int octave = 63 - __builtin_clzll((unsigned long long)rounded - 1);
    size_t quarter = (size_t)1 << (octave - 2);
    size_t quarters = (rounded + quarter - 1) / quarter; /* 5 to 8 */
    *size_class = octave * 4 + (int)quarters - 5;
    return quarters * quarter;
}

static Chunk *add_chunk(Arena *arena, size_t bytes)
{
    Chunk *chunk = memory_new(sizeof *chunk);
    chunk->capacity = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    chunk->bytes = new_block(chunk->capacity);
    if (arena->last)
        arena->last->next = chunk;
    else
        arena->first = chunk;
    return arena->last = chunk;
}

void *arena_alloc(Arena *arena, size_t bytes)
{
    int class;
    size_t rounded = arena_size(bytes, &class);
    if (class >= 0 && arena->recycled[class]) {
        FreeBlock *block = arena->recycled[class];
        arena->recycled[class] = block->next;
        return block;
    }
    Chunk *chunk = arena->current ? arena->current : arena->first;
    while (chunk && chunk->capacity - chunk->used < rounded)
        chunk = chunk->next;
    if (!chunk)
        chunk = add_chunk(arena, rounded);
    arena->current = chunk;
    void *block = chunk->bytes + chunk->used;
    chunk->used += rounded;
    arena->in_use += rounded;
    if (arena->in_use > arena->peak)
        arena->peak = arena->in_use;
    return block;
}

void *arena_zero(Arena *arena, size_t count, size_t size)
{
    size_t bytes = multiply(count, size);
    return memset(arena_alloc(arena, bytes), 0, bytes);
}

void arena_recycle(Arena *arena, void *block, size_t bytes)
{
    int class;
    arena_size(bytes, &class);
    if (class < 0)
        return;
    FreeBlock *freed = block;
    freed->next = arena->recycled[class];
    arena->recycled[class] = freed;
}

char *arena_string(Arena *arena, const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(arena_alloc(arena, bytes), text, bytes);
}

char *arena_format(Arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

size_t arena_peak(const Arena *arena)
{
    return arena->peak;
}
