/* What this machine can do at most: the roofs that benchmarks are held against. */
#ifndef XENT_BENCH_MACHINE_H
#define XENT_BENCH_MACHINE_H

#include <stdbool.h>

/* For the threads in use; the best of several tries, because a roof is a maximum. */
typedef struct MachinePeaks {
    double flops;               /* fused multiply-adds a second, counted as two, by the instruction set in use */
    double read, write;         /* bytes a second from and to memory, in order, far beyond the caches */
} MachinePeaks;

/* Fused multiply-adds a second as above, in one try of a millisecond or two: what the clock allows now. */
double machine_flops_now(void);

/* Raises the peaks to what is measured; they begin as zeros. Measuring again finds what a busy moment hid. */
void machine_measure(MachinePeaks *peaks);

/* Seconds that a computation takes at least, when arithmetic and memory overlap. *by_memory: memory takes longer. */
double machine_bound(const MachinePeaks *peaks, double flops, double read_bytes, double write_bytes, bool *by_memory);

#endif
