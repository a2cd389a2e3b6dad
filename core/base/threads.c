#include "core/base/threads.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

/* A worker that slept is often woken on its caller's core, and both share it for some milliseconds until
   the scheduler moves one. So workers look for work for some tenths of a millisecond before they sleep:
   longer than the serial stretches between the loops of a computation. */
enum { MAX_WORKERS = 255, SPINS = 32000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_ready = PTHREAD_COND_INITIALIZER, work_done = PTHREAD_COND_INITIALIZER;
static pthread_t workers[MAX_WORKERS];
static int wanted = 1, started, spins;
static _Atomic int busy;
static _Atomic uint64_t generation;
static _Atomic bool stopping;

/* The loop in progress; valid while busy > 0 or its caller is inside parallel_for. */
static struct {
    ParallelBody body;
    void *context;
    int64_t n, grain;
    _Atomic int64_t next;
} loop;

static _Thread_local bool inside;

static void take_chunks(void)
{
    int64_t chunks = (loop.n + loop.grain - 1) / loop.grain;
    inside = true;
    for (int64_t k; (k = atomic_fetch_add(&loop.next, 1)) < chunks;) {
        int64_t end = (k + 1) * loop.grain;
        loop.body(loop.context, k * loop.grain, end < loop.n ? end : loop.n);
    }
    inside = false;
}

static inline void spin_once(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Returns the generation after `seen`, or `seen` itself when the pool stops. */
static uint64_t wait_for_work(uint64_t seen)
{
    for (int i = 0; i < spins; i++, spin_once())
        if (atomic_load(&generation) != seen || atomic_load(&stopping))
            return atomic_load(&generation);
    pthread_mutex_lock(&lock);
    while (atomic_load(&generation) == seen && !atomic_load(&stopping))
        pthread_cond_wait(&work_ready, &lock);
    pthread_mutex_unlock(&lock);
    return atomic_load(&generation);
}

static void *worker(void *start)
{
    uint64_t seen = (uint64_t)(uintptr_t)start;
    for (uint64_t next; (next = wait_for_work(seen)) != seen; seen = next) {
        take_chunks();
        if (atomic_fetch_sub(&busy, 1) == 1) {
            pthread_mutex_lock(&lock); /* the caller is before its test or in its wait, not between */
            pthread_cond_signal(&work_done);
            pthread_mutex_unlock(&lock);
        }
    }
    return NULL;
}

static void wait_for_workers(void)
{
    for (int i = 0; i < spins; i++, spin_once())
        if (atomic_load(&busy) == 0)
            return;
    pthread_mutex_lock(&lock);
    while (atomic_load(&busy) > 0)
        pthread_cond_wait(&work_done, &lock);
    pthread_mutex_unlock(&lock);
}

int threads_count(void)
{
    return wanted;
}

void threads_stop(void)
{
    pthread_mutex_lock(&lock);
    atomic_store(&stopping, true);
    pthread_cond_broadcast(&work_ready);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < started; i++)
        pthread_join(workers[i], NULL);
    started = 0;
    atomic_store(&stopping, false);
}

void threads_set(int count)
{
    assert(count >= 1);
    threads_stop();
    wanted = count > MAX_WORKERS + 1 ? MAX_WORKERS + 1 : count;
}

/* Workers start at the first loop that can use them. A refused thread means fewer, not an error:
   the bits do not depend on the number. */
static void start_workers(void)
{
    spins = sysconf(_SC_NPROCESSORS_ONLN) >= wanted ? SPINS : 0; /* without a core each, spinning only hinders */
    while (started < wanted - 1 &&
           pthread_create(&workers[started], NULL, worker, (void *)(uintptr_t)atomic_load(&generation)) == 0)
        started++;
    wanted = started + 1;
}

void parallel_for(int64_t n, int64_t grain, ParallelBody body, void *context)
{
    assert(grain >= 1);
    if (n <= 0)
        return;
    if (inside || wanted == 1 || n <= grain) {
        for (int64_t begin = 0; begin < n; begin += grain)
            body(context, begin, begin + grain < n ? begin + grain : n);
        return;
    }
    if (started < wanted - 1)
        start_workers();
    loop.body = body;
    loop.context = context;
    loop.n = n;
    loop.grain = grain;
    atomic_store(&loop.next, 0);
    atomic_store(&busy, started);
    pthread_mutex_lock(&lock);
    atomic_fetch_add(&generation, 1); /* publishes the loop; under the lock for those that sleep */
    pthread_cond_broadcast(&work_ready);
    pthread_mutex_unlock(&lock);
    take_chunks();
    wait_for_workers();
}
