/* Benchmarks: computations of a named size whose time is measured. To add one: a file in this folder with

       const BenchmarkDef benchmark_NAME = {.component = {...}, .pattern = "NAME/ROWSxCOLS", .examples = examples,
                                            .memory = memory, .prepare = prepare, .run = run};

   It is then in `xent list benchmarks` and in `xent bench`. */
#ifndef XENT_BENCH_BENCHMARK_H
#define XENT_BENCH_BENCHMARK_H

#include "core/base/component.h"
#include "core/kernels/convolution.h"
#include "core/tensor/tensor.h"

enum { BENCHMARK_MAX_SIZES = 6, BENCHMARK_WORD = 64, BENCHMARK_NAME = 160 };

typedef struct Benchmark Benchmark;

typedef struct BenchmarkDef {
    Component component;
    /* Words in capitals are sizes, integers from 1; WORD is a name; everything else stands for itself. */
    const char *pattern;
    const char *const *examples;    /* what the bare name runs, NULL-terminated */
    /* Or, where they are not constants: calls `add` for each. */
    void (*each_example)(void (*add)(void *context, const char *name), void *context);
    bool on_demand;                 /* not among what is run when nothing is named */
    bool shares_tape;               /* what a run leaves on the tape is of no use to the next: others may use it too */
    bool table;                     /* shown as a table: a row for each WORD, a column for each size, time a sample */
    double seconds;                 /* least time of a measurement where none is asked for; 0: 0.02 */
    /* Bytes of its arrays at least, so that a size that cannot fit is found before anything is run. */
    double (*memory)(const int64_t *sizes);
    /* Fills state, flops, bytes, samples; what it allocates is the benchmark's arena's or tape's. False: exit 2. */
    bool (*prepare)(Benchmark *benchmark, Error *error);
    void (*run)(Benchmark *benchmark);      /* what is timed */
    void (*release)(Benchmark *benchmark);  /* what neither arena nor tape owns; NULL: nothing */
    /* The name of what it is measured beside; NULL: nothing. */
    void (*reference)(const Benchmark *benchmark, char *name, size_t size);
} BenchmarkDef;

struct Benchmark {
    const BenchmarkDef *def;
    char name[BENCHMARK_NAME], word[BENCHMARK_WORD];
    int64_t sizes[BENCHMARK_MAX_SIZES];
    uint64_t seed;                  /* of its inputs */
    Arena *arena;
    Tape *tape;                     /* in use while prepare and run are */
    void *state;
    const Benchmark *reference;     /* of the same list, or NULL */
    double flops;                   /* of a run: what the mathematics needs, recomputation not counted */
    double repeated_flops;          /* of what has to be computed again where memory is to stay small: in the roof */
    double read_bytes, write_bytes; /* of a run: inputs read once, results written once */
    int64_t samples;                /* of a run; 0: it has none */
    bool sized;                     /* in a table: it has other sizes than this one */
    const char *note;               /* what its row of a table says beside the figures; NULL: nothing */
    int64_t repeats;                /* runs of one measurement */
    double *times;                  /* seconds a run, one for each round */
    double *peaks;                  /* fused multiply-adds a second, counted as two, right after each */
    double median, least, most;
    double peak;                    /* the median of peaks; 0: not measured */
};

typedef struct BenchmarkList {
    Arena *arena;
    Tape *tape;                     /* of those that share theirs; NULL: none does */
    int64_t count;
    Benchmark **items;
} BenchmarkList;

/* What the names mean, each once, in their order; no names: everything that is not on demand. A name with its sizes
   is one benchmark, the beginning of names up to a '/' or '-' all examples that begin so. Nothing is prepared.
   False after an error (exit 2), which names the word; then there is nothing to free. */
bool benchmarks_find(int count, const char *const *names, BenchmarkList *list, Error *error);
/* Adds one by its full name, and its reference, unless they are there. */
bool benchmarks_add(BenchmarkList *list, const char *name, Error *error);
void benchmarks_free(BenchmarkList *list);

/* Prepares everything with inputs of that seed, runs it twice, and decides on repeats, so that a measurement takes
   `seconds` at least; NAN: what each definition says. */
bool benchmarks_prepare(BenchmarkList *list, uint64_t seed, int64_t rounds, double seconds, Error *error);
/* Measures each in turn. Rounds interleave: A B A B, so that a machine that slows down slows all alike. Where `peaks`,
   the machine's arithmetic is measured after each: its clock under that load, which is lower than when it rests. */
void benchmarks_round(BenchmarkList *list, int64_t round, bool peaks);
/* Median and spread of the rounds. */
void benchmarks_finish(BenchmarkList *list, int64_t rounds);

double clock_now(void);             /* seconds, monotonic */

/* Normal numbers of a deviation, of the seed, in the benchmark's arena (drawn up to a point, then repeated); a leaf
   that requires a gradient when told to. */
Tensor *benchmark_normals(Benchmark *benchmark, double deviation, bool leaf, int rank, const int64_t *shape);
/* Uniform classes of the benchmark's seed, I32 [count]. */
Tensor *benchmark_classes(Benchmark *benchmark, int64_t classes, int64_t count);

/* N, C, H, W, OUT, K: a convolution that keeps H x W. An even K is exit 2. */
bool same_convolution(const int64_t *sizes, ConvolutionShape *shape, Error *error);

#endif
