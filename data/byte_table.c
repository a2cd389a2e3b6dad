#include "data/byte_table.h"

#include <assert.h>
#include <string.h>

typedef struct Entry {
    size_t offset, size;
    uint64_t hash;
} Entry;

struct ByteTable {
    Arena *arena;
    unsigned char *bytes;       /* all strings, one after the other */
    size_t used, capacity;
    Entry *entries;
    int32_t count;
    size_t room;
    int32_t *slots;             /* numbers plus one, 0: free; linear probing, at most half full */
    size_t slot_count;          /* a power of two */
};

enum { FIRST_ROOM = 32, FIRST_CAPACITY = 1024 };

ByteTable *byte_table_new(Arena *arena)
{
    ByteTable *table = arena_zero(arena, 1, sizeof *table);
    table->arena = arena;
    table->capacity = FIRST_CAPACITY;
    table->bytes = arena_alloc(arena, table->capacity);
    table->room = FIRST_ROOM;
    table->entries = arena_alloc(arena, table->room * sizeof *table->entries);
    table->slot_count = 2 * FIRST_ROOM;
    table->slots = arena_zero(arena, table->slot_count, sizeof *table->slots);
    return table;
}

int32_t byte_table_count(const ByteTable *table)
{
    return table->count;
}

/* FNV-1a, then a mix of the high bits into the low ones that choose the slot. */
static uint64_t hash_bytes(const unsigned char *bytes, size_t size)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3);
    return hash ^ hash >> 32;
}

/* The slot that holds the string, or the free one where it belongs. */
static size_t find_slot(const ByteTable *table, uint64_t hash, const void *bytes, size_t size)
{
    size_t slot = (size_t)hash & (table->slot_count - 1);
    for (; table->slots[slot]; slot = (slot + 1) & (table->slot_count - 1)) {
        const Entry *entry = &table->entries[table->slots[slot] - 1];
        if (entry->hash == hash && entry->size == size && memcmp(table->bytes + entry->offset, bytes, size) == 0)
            break;
    }
    return slot;
}

static void *grow(Arena *arena, void *block, size_t old_bytes, size_t new_bytes)
{
    void *grown = memcpy(arena_alloc(arena, new_bytes), block, old_bytes);
    arena_recycle(arena, block, old_bytes);
    return grown;
}

static void grow_slots(ByteTable *table)
{
    arena_recycle(table->arena, table->slots, table->slot_count * sizeof *table->slots);
    table->slot_count *= 2;
    table->slots = arena_zero(table->arena, table->slot_count, sizeof *table->slots);
    for (int32_t i = 0; i < table->count; i++) {
        size_t slot = (size_t)table->entries[i].hash & (table->slot_count - 1);
        while (table->slots[slot])
            slot = (slot + 1) & (table->slot_count - 1);
        table->slots[slot] = i + 1;
    }
}

static void make_room(ByteTable *table, size_t size)
{
    if (size > table->capacity - table->used) {
        size_t capacity = 2 * (table->used + size);
        table->bytes = grow(table->arena, table->bytes, table->capacity, capacity);
        table->capacity = capacity;
    }
    if ((size_t)table->count == table->room) {
        size_t room = 2 * table->room;
        table->entries = grow(table->arena, table->entries, table->room * sizeof(Entry), room * sizeof(Entry));
        table->room = room;
    }
    if (2 * ((size_t)table->count + 1) > table->slot_count)
        grow_slots(table);
}

int32_t byte_table_add(ByteTable *table, const void *bytes, size_t size)
{
    uint64_t hash = hash_bytes(bytes, size);
    size_t slot = find_slot(table, hash, bytes, size);
    if (table->slots[slot])
        return table->slots[slot] - 1;
    assert(table->count < INT32_MAX - 1);
    make_room(table, size);
    slot = find_slot(table, hash, bytes, size);
    table->entries[table->count] = (Entry){table->used, size, hash};
    memcpy(table->bytes + table->used, bytes, size);
    table->used += size;
    table->slots[slot] = ++table->count;
    return table->count - 1;
}

int32_t byte_table_find(const ByteTable *table, const void *bytes, size_t size)
{
    return table->slots[find_slot(table, hash_bytes(bytes, size), bytes, size)] - 1;
}

const unsigned char *byte_table_get(const ByteTable *table, int32_t number, size_t *size)
{
    assert(number >= 0 && number < table->count);
    *size = table->entries[number].size;
    return table->bytes + table->entries[number].offset;
}
