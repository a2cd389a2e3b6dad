#include "core/bench/machine.h"

#include <math.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/threads.h"
#include "core/bench/benchmark.h"
#include "core/kernels/kernels.h"

/* Far more than caches hold; and pieces that are long beside what handing them out costs. */
enum { FLOPS_TRIES = 25, MEMORY_TRIES = 7, PIECES = 64, ROUNDS = 20000, MEMORY = 256 << 20, PIECE = 4 << 20 };

/* What pieces compute is added up here, so that none is left out. */
typedef struct Probe { float results[PIECES]; unsigned char *memory; int value; } Probe;

static void multiply_add(void *context, int64_t begin, int64_t end)
{
    Probe *probe = context;
    for (int64_t i = begin; i < end; i++)
        probe->results[i] = kernels()->multiply_add_chains(ROUNDS, 0.999F, 0.001F);
}

static void read_memory(void *context, int64_t begin, int64_t end)
{
    Probe *probe = context;
    int64_t half = (end - begin) / 2 / (int64_t)sizeof(float);
    const float *values = (const float *)(probe->memory + begin);
    probe->results[begin / PIECE] = kernels()->dot(half, values, values + half);
}

/* The C library's memset knows stores that pass the caches by. */
static void write_memory(void *context, int64_t begin, int64_t end)
{
    Probe *probe = context;
    memset(probe->memory + begin, probe->value, (size_t)(end - begin));
}

/* Raises *best to `units` a second where a try reaches that. */
static void try_rate(int tries, int64_t n, int64_t grain, double units, ParallelBody body, Probe *probe, double *best)
{
    for (int i = 0; i < tries; i++) {
        probe->value = i;
        double start = clock_now();
        parallel_for(n, grain, body, probe);
        *best = fmax(*best, units / (clock_now() - start));
    }
}

double machine_flops_now(void)
{
    Probe probe = {0};
    double rate = 0;
    try_rate(1, PIECES, 1, (double)kernels()->chain_flops * ROUNDS * PIECES, multiply_add, &probe, &rate);
    return rate;
}

void machine_measure(MachinePeaks *peaks)
{
    Probe probe = {.memory = memory_new(MEMORY)};
    /* Written first: memory that was never written is not there to be read. A piece a thread, as long as can be: from
       some size on memset passes the caches by. */
    try_rate(MEMORY_TRIES, MEMORY, MEMORY / threads_count(), MEMORY, write_memory, &probe, &peaks->write);
    try_rate(MEMORY_TRIES, MEMORY, PIECE, MEMORY, read_memory, &probe, &peaks->read);
    for (int i = 0; i < FLOPS_TRIES; i++)
        peaks->flops = fmax(peaks->flops, machine_flops_now());
    memory_free(probe.memory);
}

double machine_bound(const MachinePeaks *peaks, double flops, double read_bytes, double write_bytes, bool *by_memory)
{
    double arithmetic = flops / peaks->flops, memory = read_bytes / peaks->read + write_bytes / peaks->write;
    *by_memory = memory > arithmetic;
    return fmax(arithmetic, memory);
}
