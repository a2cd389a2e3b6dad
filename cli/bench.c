/* xent bench: how fast this machine is, and how much of that its computations reach. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/bench_table.h"
#include "cli/command.h"
#include "core/base/json_edit.h"
#include "core/bench/benchmark.h"
#include "core/bench/machine.h"
#include "core/train/summary.h"

enum { MOST_ROUNDS = 10001 };

struct settings { int64_t repeat; double seconds; bool peaks; };

static const Param params[] = {
    PARAM_INT(struct settings, repeat, 11, .min = 1, .max = MOST_ROUNDS,
              .help = "rounds; each measures everything once"),
    PARAM_FLOAT(struct settings, seconds, null, .min = 0, .max = 3600,
                .help = "least time of a measurement; what is shorter is repeated; null: 0.02, of losses 0.005"),
    PARAM_BOOL(struct settings, peaks, true, .help = "measure the machine first; without, shares are not known"),
    PARAM_END
};

static bool parse_settings(const Arguments *arguments, struct settings *settings, Error *error)
{
    Arena *arena = arena_new();
    JsonSource *source = json_source_new();
    const char **sets = argument_options(arguments, "set");
    cJSON *json = json_parse(source, "bench", "{}", 2, error);
    bool good = json != NULL;
    for (const char **set = sets; good && *set; set++)
        good = json_set(source, json, *set, error);
    ParamContext context = {.source = source, .arena = arena, .error = error};
    good = good && params_parse(&context, params, false, json, settings);
    memory_free(sets);
    json_source_free(source);
    arena_free(arena);
    return good;
}

/* Bytes, the most that the process has held so far. */
static double peak_memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return 1024.0 * (double)usage.ru_maxrss;
}

typedef struct Outcome { MachinePeaks peaks; bool measured; double memory; } Outcome;

/* Share of the roof, or NAN; *by_memory: which roof it is. */
static double share_of(const Benchmark *benchmark, const Outcome *outcome, bool *by_memory)
{
    *by_memory = false;
    if (!outcome->measured)
        return NAN;
    const double flops = benchmark->flops + benchmark->repeated_flops;
    const MachinePeaks peaks = {benchmark->peak > 0 ? benchmark->peak : outcome->peaks.flops, outcome->peaks.read,
                                outcome->peaks.write};
    return machine_bound(&peaks, flops, benchmark->read_bytes, benchmark->write_bytes, by_memory)
           / benchmark->median;
}

static void add_number(cJSON *object, const char *name, double value)
{
    cJSON_AddItemToObject(object, name, json_number9(value));
}

static cJSON *result_json(const Benchmark *benchmark, const Outcome *outcome)
{
    cJSON *result = cJSON_CreateObject();
    bool by_memory;
    double share = share_of(benchmark, outcome, &by_memory), bytes = benchmark->read_bytes + benchmark->write_bytes;
    cJSON_AddStringToObject(result, "name", benchmark->name);
    add_number(result, "seconds", benchmark->median);
    cJSON_AddItemToObject(result, "spread", json_numbers9((double[]){benchmark->least, benchmark->most}, 2));
    add_number(result, "flops", benchmark->flops);
    add_number(result, "bytes", bytes);
    add_number(result, "gflops", 1e-9 * benchmark->flops / benchmark->median);
    add_number(result, "gbs", 1e-9 * bytes / benchmark->median);
    add_number(result, "peak_gflops", benchmark->peak > 0 ? 1e-9 * benchmark->peak : NAN);
    add_number(result, "share", share);
    if (outcome->measured)
        cJSON_AddStringToObject(result, "bound", by_memory ? "memory" : "flops");
    if (benchmark->samples) {
        add_number(result, "samples", (double)benchmark->samples);
        add_number(result, "seconds_per_sample", benchmark->median / (double)benchmark->samples);
    }
    if (benchmark->reference)
        add_number(result, "relative", bench_relative(benchmark));
    if (benchmark->note)
        cJSON_AddStringToObject(result, "note", benchmark->note);
    return result;
}

static void print_json(const BenchmarkList *list, const Outcome *outcome)
{
    cJSON *object = cJSON_CreateObject(), *machine = machine_description();
    add_number(machine, "peak_gflops", outcome->measured ? 1e-9 * outcome->peaks.flops : NAN);
    add_number(machine, "read_gbs", outcome->measured ? 1e-9 * outcome->peaks.read : NAN);
    add_number(machine, "write_gbs", outcome->measured ? 1e-9 * outcome->peaks.write : NAN);
    cJSON_AddItemToObject(object, "machine", machine);
    cJSON *results = cJSON_AddArrayToObject(object, "results");
    for (int64_t i = 0; i < list->count; i++)
        cJSON_AddItemToArray(results, result_json(list->items[i], outcome));
    add_number(object, "memory_bytes", outcome->memory);
    print_json_object(object);
}

static void print_machine(const Outcome *outcome)
{
    cJSON *machine = machine_description();
    const char *cpu = cJSON_GetObjectItemCaseSensitive(machine, "cpu")->valuestring,
               *isa = cJSON_GetObjectItemCaseSensitive(machine, "isa")->valuestring;
    printf("%s, %s, threads %d\n", cpu, isa, cJSON_GetObjectItemCaseSensitive(machine, "threads")->valueint);
    if (outcome->measured)
        printf("peak at rest %.1f GFLOP/s, read %.1f GB/s, write %.1f GB/s\n", 1e-9 * outcome->peaks.flops,
               1e-9 * outcome->peaks.read, 1e-9 * outcome->peaks.write);
    cJSON_Delete(machine);
}

/* A figure that may be unknown. */
static void print_figure(double value, const char *format)
{
    if (value > 0)
        printf(format, value);
    else
        printf("%9s", "-");
}

static void print_result(const Benchmark *benchmark, const Outcome *outcome)
{
    bool by_memory;
    double share = share_of(benchmark, outcome, &by_memory), ms = 1e3;
    printf("%-42s %11.4f %11.4f %11.4f ", benchmark->name, ms * benchmark->median, ms * benchmark->least,
           ms * benchmark->most);
    print_figure(1e-9 * benchmark->flops / benchmark->median, "%9.1f");
    print_figure(1e-9 * (benchmark->read_bytes + benchmark->write_bytes) / benchmark->median, "%9.1f");
    if (outcome->measured)
        printf(" %6.1f%% %s", 100 * share, by_memory ? "memory" : "flops ");
    putchar('\n');
}

static void print_table(const BenchmarkList *list, const struct settings *settings, const Outcome *outcome)
{
    print_machine(outcome);
    printf("median of %lld interleaved rounds\n\n", (long long)settings->repeat);
    bool headed = false;
    for (int64_t i = 0; i < list->count; i++) {
        if (list->items[i]->def->table)
            continue;
        if (!headed)
            printf("%-42s %11s %11s %11s %9s%9s%s\n", "", "ms", "least", "most", "GFLOP/s", "GB/s",
                   outcome->measured ? "  share of" : "");
        headed = true;
        print_result(list->items[i], outcome);
    }
    bench_print_table(list);
}

/* Prepares first, so that what is wrong is found before anything is measured; then the machine, then rounds, with a
   line on a terminal that says which. */
static bool measure(BenchmarkList *list, const struct settings *settings, uint64_t seed, bool quiet, Outcome *outcome,
                    Error *error)
{
    bool show = !quiet && isatty(STDERR_FILENO);
    double before = peak_memory();
    if (show)
        fprintf(stderr, "preparing %lld benchmarks", (long long)list->count);
    bool good = benchmarks_prepare(list, seed, settings->repeat, settings->seconds, error);
    outcome->measured = settings->peaks;
    if (good && settings->peaks)
        machine_measure(&outcome->peaks);
    for (int64_t round = 0; good && round < settings->repeat; round++) {
        if (show)
            fprintf(stderr, "\r\033[Kround %lld of %lld", (long long)round + 1, (long long)settings->repeat);
        benchmarks_round(list, round, settings->peaks);
    }
    if (good && settings->peaks)
        machine_measure(&outcome->peaks);
    if (show)
        fputs("\r\033[K", stderr);
    if (good)
        benchmarks_finish(list, settings->repeat);
    outcome->memory = settings->peaks ? NAN : peak_memory() - before; /* measuring the machine takes more */
    return good;
}

static bool run(const Arguments *arguments, Error *error)
{
    struct settings settings;
    BenchmarkList list;
    uint64_t seed;
    const uint64_t *given;
    if (!argument_seed(arguments, &seed, &given, error) || !parse_settings(arguments, &settings, error)
        || !benchmarks_find(arguments->count, arguments->words, &list, error))
        return false;
    Outcome outcome = {0};
    bool good = measure(&list, &settings, seed, argument_option(arguments, "quiet") != NULL, &outcome, error);
    if (good && argument_option(arguments, "json"))
        print_json(&list, &outcome);
    else if (good)
        print_table(&list, &settings, &outcome);
    benchmarks_free(&list);
    return good;
}

const Command command_bench = {
    .name = "bench",
    .synopsis = "bench [NAME]... [--set KEY=VALUE]... [--seed N] [--json]",
    .summary = "kernels and training steps beside this machine's peaks",
    .description =
        "Measures this machine's arithmetic and memory, then each benchmark in interleaved rounds, and prints\n"
        "medians, spreads and the share of the roof that bounds it. NAME is a benchmark with its sizes\n"
        "(sgemm/512x512x512), or the beginning of names (step). See xent list benchmarks, and xent-bench(1)\n"
        "for the keys of --set: repeat, seconds, peaks.",
    .most = 1000,
    .run = run,
};
