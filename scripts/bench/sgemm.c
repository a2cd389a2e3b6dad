/* Our sgemm beside OpenBLAS's: interleaved rounds, medians, GFLOP/s. Usage: sgemm THREADS ROUNDS */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/kernels/gemm.h"

static const int shapes[][3] = {{64, 64, 64}, {128, 128, 128}, {256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024},
                                {2048, 2048, 2048}, {128, 256, 784}, {4096, 64, 576}};

/* The idle workers of the one spin for a while and would take a core from the other: pause between them. */
enum { MOST_ROUNDS = 101, PAUSE_NANOSECONDS = 100 * 1000 * 1000 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static float *filled(size_t count)
{
    float *values = memory_array(count, sizeof *values);
    Random random = random_start(1, "bench", 0);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)random_uniform(&random);
    return values;
}

/* Seconds for one product, averaged over enough of them to fill about 20 ms. */
static double measure(int peer, const int s[3], const float *a, const float *b, float *c)
{
    int m = s[0], n = s[1], k = s[2], repeats = (int)(2e9 / (2.0 * m * n * k)) + 1;
    double start = now();
    for (int r = 0; r < repeats; r++) {
        if (peer)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, 0, c, n);
        else
            sgemm(false, false, m, n, k, a, k, b, n, 0, c, n);
    }
    return (now() - start) / repeats;
}

static void compare_shape(const int s[3], int rounds)
{
    size_t m = (size_t)s[0], n = (size_t)s[1], k = (size_t)s[2];
    float *a = filled(m * k), *b = filled(k * n), *c = filled(m * n);
    double times[2][MOST_ROUNDS];
    for (int peer = 0; peer < 2; peer++)
        measure(peer, s, a, b, c);
    for (int round = 0; round < rounds; round++)
        for (int peer = 0; peer < 2; peer++) {
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_NANOSECONDS}, NULL);
            measure(peer, s, a, b, c); /* wakes the threads and lets them spread over the cores */
            times[peer][round] = measure(peer, s, a, b, c);
        }
    for (int peer = 0; peer < 2; peer++)
        qsort(times[peer], (size_t)rounds, sizeof(double), compare);
    double work = 2e-9 * (double)(m * n * k), ours = times[0][rounds / 2], theirs = times[1][rounds / 2];
    printf("%4zux%zux%zu  ours %6.1f  OpenBLAS %6.1f  ratio %.2f\n", m, n, k, work / ours, work / theirs, theirs / ours);
    memory_free(a);
    memory_free(b);
    memory_free(c);
}

int main(int count, char **words)
{
    int threads = count > 1 ? atoi(words[1]) : 1, rounds = count > 2 ? atoi(words[2]) : 15;
    if (threads < 1 || rounds < 1 || rounds > MOST_ROUNDS)
        return 2;
    threads_set(threads);
    openblas_set_num_threads(threads);
    printf("threads %d, median of %d interleaved rounds, GFLOP/s (M x N x K)\n", threads, rounds);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        compare_shape(shapes[i], rounds);
    threads_stop();
    return 0;
}
