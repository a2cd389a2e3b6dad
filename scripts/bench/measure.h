/* How the peers are measured: as xent bench measures itself. Prints "seconds bytes": the median of three measurements,
   each of at least 20 ms, or one where a run takes over 0.3 s, and how much the largest resident memory of the process
   grew. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { MEASUREMENTS = 3 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static long peak_memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return 1024 * usage.ru_maxrss;
}

/* Values in [-10, 10). */
static float *filled(size_t count)
{
    float *values = aligned_alloc(64, (4 * count + 63) / 64 * 64);
    if (!values)
        exit(1);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(i * 7919 % 2000) / 100 - 10;
    return values;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(void (*run)(void *state), void *state, long memory_before)
{
    double times[MEASUREMENTS];
    run(state);
    double start = now();
    run(state);
    double once = now() - start;
    int repeats = (int)(0.02 / (once + 1e-9)) + 1, measurements = once > 0.3 ? 1 : MEASUREMENTS;
    for (int k = 0; k < measurements; k++) {
        if (repeats > 1)
            run(state);
        start = now();
        for (int i = 0; i < repeats; i++)
            run(state);
        times[k] = (now() - start) / repeats;
    }
    qsort(times, (size_t)measurements, sizeof *times, compare);
    printf("%.9g %ld\n", times[measurements / 2], peak_memory() - memory_before);
}
