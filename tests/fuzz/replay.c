/* Runs a fuzz target without a fuzzer: every seed, then so many mutations of them. The mutations are a function
   of their number, so a failure comes back. usage: fuzz_NAME SEEDS RUNS [FIRST]; it prints the number of the run that
   is going on when the target ends the program. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { SEEDS_MAX = 4096, INPUT_MAX = 1 << 16 };

typedef struct Seed { unsigned char *bytes; size_t size; } Seed;

static Seed seeds[SEEDS_MAX];
static int seed_count;
static long long current;

static void read_seeds(const char *folder, Arena *arena)
{
    static unsigned char nothing[1];
    seeds[seed_count++] = (Seed){nothing, 0};
    DIR *directory = opendir(folder);
    for (const struct dirent *entry; directory && (entry = readdir(directory)) && seed_count < SEEDS_MAX;) {
        char *path = arena_format(arena, "%s/%s", folder, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (!file)
            continue;
        Seed *seed = &seeds[seed_count++];
        seed->bytes = arena_alloc(arena, INPUT_MAX); /* as it is, packed or not: file_read would unpack */
        seed->size = fread(seed->bytes, 1, INPUT_MAX, file);
        fclose(file);
    }
    if (directory)
        closedir(directory);
}

static int by_bytes(const void *a, const void *b)
{
    const Seed *left = a, *right = b;
    int order = memcmp(left->bytes, right->bytes, left->size < right->size ? left->size : right->size);
    return order ? order : (left->size > right->size) - (left->size < right->size);
}

static size_t below(Random *random, size_t n)
{
    return n ? (size_t)random_below(random, (int64_t)n) : 0;
}

/* One change in place; returns the new size. */
static size_t mutate(Random *random, unsigned char *bytes, size_t size)
{
    static const unsigned char edges[] = {0, 1, 0x7f, 0x80, 0xff, '"', '{', '[', ',', '\n', '0', '-'};
    size_t at = below(random, size), length = 1 + below(random, 8), other = below(random, size);
    switch (below(random, 6)) {
    case 0: /* flip a bit */
        if (size)
            bytes[at] ^= (unsigned char)(1u << below(random, 8));
        return size;
    case 1: /* an edge value */
        if (size)
            bytes[at] = edges[below(random, sizeof edges)];
        return size;
    case 2: /* insert */
        if (size + length > INPUT_MAX)
            return size;
        memmove(bytes + at + length, bytes + at, size - at);
        for (size_t i = 0; i < length; i++)
            bytes[at + i] = (unsigned char)random_word(random);
        return size + length;
    case 3: /* delete */
        length = length < size - at ? length : size - at;
        memmove(bytes + at, bytes + at + length, size - at - length);
        return size - length;
    case 4: /* copy a part over another */
        length = 1 + below(random, 64);
        if (at + length <= size && other + length <= size)
            memmove(bytes + at, bytes + other, length);
        return size;
    default: /* cut off */
        return below(random, 4) ? size : at;
    }
}

static void run_mutation(long long number)
{
    static unsigned char bytes[INPUT_MAX];
    Random random = random_start(1, "mutation", (uint32_t)number);
    const Seed *seed = &seeds[below(&random, (size_t)seed_count)];
    memcpy(bytes, seed->bytes, seed->size);
    size_t size = seed->size;
    for (size_t changes = 1 + below(&random, 6); changes; changes--)
        size = mutate(&random, bytes, size);
    LLVMFuzzerTestOneInput(bytes, size);
}

static void on_crash(int number)
{
    char text[64];
    int length = snprintf(text, sizeof text, "signal %d in run %lld\n", number, current);
    if (length > 0 && write(2, text, (size_t)length) < 0)
        _exit(3);
    _exit(2);
}

int main(int count, char **words)
{
    if (count < 3)
        return 1;
    signal(SIGSEGV, on_crash);
    signal(SIGABRT, on_crash);
    Arena *arena = arena_new();
    read_seeds(words[1], arena);
    qsort(seeds, (size_t)seed_count, sizeof *seeds, by_bytes);
    long long runs = atoll(words[2]), first = count > 3 ? atoll(words[3]) : 0;
    for (current = -seed_count; first == 0 && current < 0; current++)
        LLVMFuzzerTestOneInput(seeds[current + seed_count].bytes, seeds[current + seed_count].size);
    for (current = first; current < first + runs; current++)
        run_mutation(current);
    printf("%d seeds, %lld mutations\n", seed_count, runs);
    arena_free(arena);
    return 0;
}
