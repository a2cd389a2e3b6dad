#include "core/kernels/gemm_scratch.h"

#include "core/base/memory.h"

#include <pthread.h>
#include <stdbool.h>

static _Thread_local float *scratch;
static _Thread_local int64_t scratch_count;

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static bool key_made;

static void free_scratch(void *block)
{
    memory_free(block);
}

/* The key serves only to free the memory of threads that end. Without one (the system has run out of
   keys) it is kept until the program ends. */
static void make_key(void)
{
    key_made = pthread_key_create(&key, free_scratch) == 0;
}

float *gemm_scratch(int64_t count)
{
    if (count > scratch_count) {
        memory_free(scratch);
        scratch = memory_array((size_t)count, sizeof(float));
        scratch_count = count;
        pthread_once(&key_once, make_key);
        if (key_made)
            pthread_setspecific(key, scratch);
    }
    return scratch;
}
