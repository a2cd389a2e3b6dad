#include "core/base/threads.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

/* A worker that slept is often woken on its caller's core, and both share it for some milliseconds until
   the scheduler moves one. So workers look for work for some tenths of a millisecond before they sleep:
   longer than the serial stretches between the loops of a computation. And who finds itself on the core of
   a thread with a lower number moves to another: at once when woken, else after so many looks. */
enum { MAX_WORKERS = 255, SPINS = 32000, LOOKS = 1000, MAX_SHARES = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_ready = PTHREAD_COND_INITIALIZER, work_done = PTHREAD_COND_INITIALIZER;
static pthread_t workers[MAX_WORKERS];
static int wanted = 1, started, spins;
static _Atomic int sleepers;        /* workers that wait for work_ready */
static _Atomic bool caller_sleeps;  /* the caller waits for work_done */
static _Atomic bool stopping;

/* Whether the loop still takes workers in, and how many are in it. A worker that comes late does not get in, and
   nobody waits for it: on a busy machine it may be milliseconds late. */
enum { INSIDE = 0xffff, OPEN = 0x10000 };
static _Atomic uint32_t state;

/* The loop in progress; written while it is closed and nobody is inside. */
static struct {
    ParallelBody body;
    void *context;
    int64_t n, grain, shares;
} loop;

/* The next chunk of each share of the loop, in a cache line of its own. A thread begins with the share that has its
   number, and then helps with the others: so it mostly meets what it left in its cache in the loop before, as the
   parts of an array go to the same threads from loop to loop. */
static struct {
    _Alignas(64) _Atomic int64_t next;
} shares[MAX_SHARES];

static _Thread_local bool inside;

static int64_t share_begin(int64_t share)
{
    int64_t chunks = (loop.n + loop.grain - 1) / loop.grain;
    return chunks / loop.shares * share + chunks % loop.shares * share / loop.shares;
}

static void take_chunks(int64_t number)
{
    inside = true;
    for (int64_t i = 0; i < loop.shares; i++) {
        int64_t share = (number + i) % loop.shares, last = share_begin(share + 1);
        for (int64_t k; (k = atomic_fetch_add(&shares[share].next, 1)) < last;) {
            int64_t end = (k + 1) * loop.grain;
            loop.body(loop.context, k * loop.grain, end < loop.n ? end : loop.n);
        }
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

#ifdef __linux__
static _Atomic int processors[MAX_WORKERS + 1]; /* where threads, the caller first, were seen last */

static void note_processor(intptr_t number)
{
    atomic_store_explicit(&processors[number], sched_getcpu(), memory_order_relaxed);
}

static int processor_of(intptr_t number)
{
    return atomic_load_explicit(&processors[number], memory_order_relaxed);
}

/* To be taken off the processors of the others moves a thread, and it stays moved when it may go back. */
static void leave_shared_processor(intptr_t number)
{
    cpu_set_t all, others;
    bool shares = false;
    note_processor(number);
    for (intptr_t i = 0; i < number; i++)
        shares |= processor_of(i) == processor_of(number);
    if (!shares || sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    others = all;
    for (intptr_t i = 0; i < number; i++)
        CPU_CLR((size_t)processor_of(i), &others);
    if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0)
        sched_setaffinity(0, sizeof all, &all);
    note_processor(number);
}
#else
static void note_processor(intptr_t number)
{
    (void)number;
}

static void leave_shared_processor(intptr_t number)
{
    (void)number;
}
#endif

static bool is_open(void)
{
    return atomic_load(&state) & OPEN;
}

/* Until there is an open loop, or the pool stops. */
static void wait_for_work(intptr_t number)
{
    for (int i = 1; i <= spins; i++, spin_once()) {
        if (is_open() || atomic_load(&stopping))
            return;
        if (i % LOOKS == 0)
            leave_shared_processor(number);
    }
    pthread_mutex_lock(&lock);
    atomic_fetch_add(&sleepers, 1); /* before the test: who opens a loop looks at it afterwards */
    while (!is_open() && !atomic_load(&stopping))
        pthread_cond_wait(&work_ready, &lock);
    atomic_fetch_sub(&sleepers, 1);
    pthread_mutex_unlock(&lock);
    if (spins > 0)
        leave_shared_processor(number);
}

static bool enter(void)
{
    uint32_t seen = atomic_load(&state);
    while (seen & OPEN)
        if (atomic_compare_exchange_weak(&state, &seen, seen + 1))
            return true;
    return false;
}

static void close_loop(void)
{
    atomic_fetch_and(&state, ~(uint32_t)OPEN);
}

static void leave(void)
{
    uint32_t before = atomic_fetch_sub(&state, 1);
    if ((before & INSIDE) == 1 && atomic_load(&caller_sleeps)) {
        pthread_mutex_lock(&lock); /* the caller is before its test or in its wait, not between */
        pthread_cond_signal(&work_done);
        pthread_mutex_unlock(&lock);
    }
}

static void *worker(void *number)
{
    for (;;) {
        wait_for_work((intptr_t)number);
        if (atomic_load(&stopping))
            return NULL;
        if (!enter())
            continue;
        take_chunks((intptr_t)number);
        close_loop(); /* all chunks are taken */
        leave();
    }
}

static bool somebody_is_inside(void)
{
    return atomic_load(&state) & INSIDE;
}

static void wait_for_workers(void)
{
    for (int i = 0; i < spins; i++, spin_once())
        if (!somebody_is_inside())
            return;
    pthread_mutex_lock(&lock);
    atomic_store(&caller_sleeps, true);
    while (somebody_is_inside())
        pthread_cond_wait(&work_done, &lock);
    atomic_store(&caller_sleeps, false);
    pthread_mutex_unlock(&lock);
}

void threads_wait(const ThreadsCounter *done, int64_t count)
{
    for (int i = 0; atomic_load_explicit(done, memory_order_acquire) < count; i++) {
        if (i < spins)
            spin_once();
        else
            sched_yield(); /* who is waited for may need this processor */
    }
}

void threads_add(ThreadsCounter *done)
{
    atomic_fetch_add_explicit(done, 1, memory_order_release);
}

int64_t threads_take(ThreadsCounter *next)
{
    return atomic_fetch_add_explicit(next, 1, memory_order_relaxed);
}

int threads_count(void)
{
    return wanted;
}

int threads_free(void)
{
    return inside ? 1 : wanted;
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
           pthread_create(&workers[started], NULL, worker, (void *)(intptr_t)(started + 1)) == 0)
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
    note_processor(0);
    loop.body = body;
    loop.context = context;
    loop.n = n;
    loop.grain = grain;
    loop.shares = wanted < MAX_SHARES ? wanted : MAX_SHARES;
    for (int64_t share = 0; share < loop.shares; share++)
        atomic_store(&shares[share].next, share_begin(share));
    atomic_store(&state, OPEN);
    if (atomic_load(&sleepers) > 0) {
        pthread_mutex_lock(&lock);
        pthread_cond_broadcast(&work_ready);
        pthread_mutex_unlock(&lock);
    }
    take_chunks(0);
    close_loop();
    wait_for_workers();
}
