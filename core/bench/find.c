/* From names to benchmarks. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/bench/benchmark.h"

enum { MAX_SIZE = 1000000000 };

/* Digits of a number from 1 to MAX_SIZE without leading zeros; how many there are, or 0. */
static size_t parse_size(const char *text, int64_t *size)
{
    size_t length = 0;
    int64_t value = 0;
    for (; isdigit((unsigned char)text[length]) && value <= MAX_SIZE; length++)
        value = 10 * value + (text[length] - '0');
    *size = value;
    return text[0] == '0' || value > MAX_SIZE ? 0 : length;
}

static bool matches(Benchmark *benchmark, const BenchmarkDef *def, const char *name)
{
    const char *pattern = def->pattern, *text = name;
    int count = 0;
    while (*pattern) {
        if (!isupper((unsigned char)*pattern)) {
            if (*pattern++ != *text++)
                return false;
            continue;
        }
        size_t word = strspn(pattern, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        bool any = word == 4 && strncmp(pattern, "WORD", word) == 0;
        size_t length = any ? strcspn(text, "/") : parse_size(text, &benchmark->sizes[count++]);
        if (length == 0 || (any && length >= sizeof benchmark->word))
            return false;
        if (any)
            snprintf(benchmark->word, sizeof benchmark->word, "%.*s", (int)length, text);
        text += length;
        pattern += word;
    }
    benchmark->def = def;
    return *text == '\0';
}

/* The definition a full name belongs to; NULL: none. */
static const BenchmarkDef *find_definition(const char *name, Benchmark *benchmark)
{
    for (const Component *const *item = component_kind("benchmark")->items; *item; item++)
        if (matches(benchmark, (const BenchmarkDef *)*item, name))
            return (const BenchmarkDef *)*item;
    return NULL;
}

static bool fits(const Benchmark *benchmark, Error *error)
{
    double needed = benchmark->def->memory(benchmark->sizes);
    double there = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return needed <= there
           || fail_usage(error, "bench: %s: needs %.3g GB of memory at least, and this machine has %.3g", benchmark->name, 1e-9 * needed, 1e-9 * there);
}

static Benchmark *find_item(const BenchmarkList *list, const char *name)
{
    for (int64_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i]->name, name) == 0)
            return list->items[i];
    return NULL;
}

static void append(BenchmarkList *list, Benchmark *benchmark)
{
    Benchmark **items = arena_alloc(list->arena, (size_t)(list->count + 1) * sizeof(Benchmark *));
    if (list->count)
        memcpy(items, list->items, (size_t)list->count * sizeof(Benchmark *));
    items[list->count++] = benchmark;
    list->items = items;
}

bool benchmarks_add(BenchmarkList *list, const char *name, Error *error)
{
    if (find_item(list, name))
        return true;
    Benchmark *benchmark = arena_zero(list->arena, 1, sizeof *benchmark);
    if (strlen(name) >= sizeof benchmark->name || !find_definition(name, benchmark))
        return fail_usage(error, "bench: %s: unknown benchmark; see xent list benchmarks", name);
    snprintf(benchmark->name, sizeof benchmark->name, "%s", name);
    if (!fits(benchmark, error))
        return false;
    char reference[BENCHMARK_NAME] = "";
    if (benchmark->def->reference)
        benchmark->def->reference(benchmark, reference, sizeof reference);
    bool own = strcmp(reference, name) == 0;
    if (reference[0] && !own && !benchmarks_add(list, reference, error))
        return false;
    append(list, benchmark);
    benchmark->reference = reference[0] ? find_item(list, reference) : NULL;
    return true;
}

typedef struct Search { BenchmarkList *list; const char *word; int found; bool good; Error *error; } Search;

/* Adds an example that begins with the word, up to a place where a name may end; every one where there is no word. */
static void add_example(void *context, const char *name)
{
    Search *search = context;
    size_t length = search->word ? strlen(search->word) : 0;
    bool chosen = !search->word || (strncmp(name, search->word, length) == 0 && strchr("/-", name[length]));
    if (!chosen || !search->good)
        return;
    search->found++;
    search->good = benchmarks_add(search->list, name, search->error);
}

static void search_examples(const BenchmarkDef *def, Search *search)
{
    for (const char *const *name = def->examples; name && *name; name++)
        add_example(search, *name);
    if (def->each_example)
        def->each_example(add_example, search);
}

/* What a pattern begins with before its first size or word. */
static size_t literal(const char *pattern)
{
    return strcspn(pattern, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static bool unknown(const char *word, Error *error)
{
    const BenchmarkDef *nearest = NULL;
    const char *names[64] = {0};
    int count = 0;
    for (const Component *const *item = component_kind("benchmark")->items; *item && count < 63; item++) {
        const BenchmarkDef *def = (const BenchmarkDef *)*item;
        size_t length = literal(def->pattern);
        if (strncmp(word, def->pattern, length) == 0 && (!nearest || length > literal(nearest->pattern)))
            nearest = def;
        names[count++] = (*item)->name;
    }
    if (nearest)
        return fail_usage(error, "bench: %s: expected %s, with sizes from 1 to %d", word, nearest->pattern, MAX_SIZE);
    const char *near = nearest_name(word, names);
    if (near)
        return fail_usage(error, "bench: %s: unknown benchmark; did you mean \"%s\"?", word, near);
    return fail_usage(error, "bench: %s: unknown benchmark; see xent list benchmarks", word);
}

static bool find_word(BenchmarkList *list, const char *word, Error *error)
{
    Benchmark benchmark = {0};
    if (strlen(word) < BENCHMARK_NAME && find_definition(word, &benchmark))
        return benchmarks_add(list, word, error);
    Search search = {list, word, 0, true, error};
    for (const Component *const *item = component_kind("benchmark")->items; *item; item++)
        search_examples((const BenchmarkDef *)*item, &search);
    return search.good && (search.found || unknown(word, error));
}

bool benchmarks_find(int count, const char *const *names, BenchmarkList *list, Error *error)
{
    *list = (BenchmarkList){.arena = arena_new()};
    bool good = true;
    for (int i = 0; good && i < count; i++)
        good = find_word(list, names[i], error);
    Search search = {list, NULL, 0, true, error};
    for (const Component *const *item = component_kind("benchmark")->items; count == 0 && *item; item++)
        if (!((const BenchmarkDef *)*item)->on_demand)
            search_examples((const BenchmarkDef *)*item, &search);
    good = good && search.good;
    if (!good)
        benchmarks_free(list);
    return good;
}
