/* One persistent pool. Work is cut by `grain` alone, never by the number of threads, so a body whose
   result depends only on (begin, end) gives the same bits for any number. Not reentrant: a
   parallel_for inside a body runs in line. */
#ifndef XENT_BASE_THREADS_H
#define XENT_BASE_THREADS_H

#include <stdint.h>

typedef void (*ParallelBody)(void *context, int64_t begin, int64_t end);

void threads_set(int count);   /* >= 1; fewer are used when the system refuses more */
int threads_count(void);
int threads_free(void);         /* that a parallel_for from here could use: 1 inside a body */
/* Calls body(context, k*grain, min(n, (k+1)*grain)) for every k; n <= grain runs in line. */
void parallel_for(int64_t n, int64_t grain, ParallelBody body, void *context);
void threads_stop(void);
/* For bodies whose chunks build on earlier ones of the same loop: returns once *done >= count, after which what was
   written before threads_add is seen. Chunks are begun in ascending order, so that what a chunk waits for, if it only
   waits for smaller ones, is done or under way. */
typedef _Atomic int64_t ThreadsCounter;
void threads_wait(const ThreadsCounter *done, int64_t count);
void threads_add(ThreadsCounter *done);
/* Counts one further and returns where it was: for bodies that share out work among themselves. */
int64_t threads_take(ThreadsCounter *next);

#endif
