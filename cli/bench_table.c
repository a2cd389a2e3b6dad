#include "cli/bench_table.h"

#include <stdio.h>
#include <string.h>

enum { MOST_SIZES = 8 };

double bench_relative(const Benchmark *benchmark)
{
    const Benchmark *beside = benchmark->reference;
    double share = benchmark->median / beside->median;
    return share * (double)beside->samples / (double)benchmark->samples;
}

/* Three digits with a unit. */
static void print_time(double seconds)
{
    const char *unit = seconds < 1e-6 ? "ns" : seconds < 1e-3 ? "us" : "ms";
    double value = seconds * (seconds < 1e-6 ? 1e9 : seconds < 1e-3 ? 1e6 : 1e3);
    printf("  %6.*f %s", value < 10 ? 2 : value < 100 ? 1 : 0, value, unit);
}

static void print_cell(const Benchmark *benchmark)
{
    if (!benchmark) {
        printf("  %9s  %8s", "-", "");
        return;
    }
    print_time(benchmark->median / (double)benchmark->samples);
    printf("  %6.2f x", benchmark->reference ? bench_relative(benchmark) : 1);
}

/* The sizes of those that have several, in the order in which they come. */
static int collect_sizes(const BenchmarkList *list, int64_t *sizes)
{
    int count = 0;
    for (int64_t i = 0; i < list->count; i++) {
        int64_t size = list->items[i]->sizes[0];
        bool known = !list->items[i]->def->table || !list->items[i]->sized;
        for (int k = 0; k < count; k++)
            known |= sizes[k] == size;
        if (!known && count < MOST_SIZES)
            sizes[count++] = size;
    }
    return count;
}

static const Benchmark *find(const BenchmarkList *list, const char *word, int64_t size)
{
    for (int64_t i = 0; i < list->count; i++) {
        const Benchmark *item = list->items[i];
        if (item->def->table && strcmp(item->word, word) == 0 && (item->sizes[0] == size || !item->sized))
            return item;
    }
    return NULL;
}

/* One without sizes of its own stands in the first column. */
static void print_row(const BenchmarkList *list, const Benchmark *first, int count, const int64_t *sizes)
{
    printf("%-20s", first->word);
    for (int k = 0; k < count; k++)
        print_cell(first->sized ? find(list, first->word, sizes[k]) : k == 0 ? first : NULL);
    printf("%s%s\n", first->note ? "  " : "", first->note ? first->note : "");
}

void bench_print_table(const BenchmarkList *list)
{
    int64_t sizes[MOST_SIZES];
    int count = collect_sizes(list, sizes);
    bool headed = false;
    for (int64_t i = 0; i < list->count; i++) {
        const Benchmark *item = list->items[i];
        bool first = item->def->table;
        for (int64_t k = 0; first && k < i; k++)
            first = !list->items[k]->def->table || strcmp(list->items[k]->word, item->word) != 0;
        if (!first)
            continue;
        if (!headed) {
            printf("time a sample, forward and backward, and as a multiple of ce's\n\n%-20s",
                   item->def->component.name);
            for (int k = 0; k < count; k++)
                printf("  %9lld  %8s", (long long)sizes[k], "");
            putchar('\n');
        }
        headed = true;
        print_row(list, item, count, sizes);
    }
}
