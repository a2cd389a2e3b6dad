/* Benchmarks of a WORD and a size as a table. */
#ifndef XENT_CLI_BENCH_TABLE_H
#define XENT_CLI_BENCH_TABLE_H

#include "core/bench/benchmark.h"

/* Prints those of the list whose definition wants a table: a row for each word; for each size the time a sample, and as
   a multiple of the reference's. Nothing where there are none. */
void bench_print_table(const BenchmarkList *list);
/* Time a sample over that of its reference, which it has. */
double bench_relative(const Benchmark *benchmark);

#endif
