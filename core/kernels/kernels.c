#include "core/kernels/kernels.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

extern const Kernels kernels_baseline;
#if defined(__x86_64__)
extern const Kernels kernels_avx2;
extern const Kernels kernels_avx512;
#endif

/* An instruction set this program was built for; `missing` names the first feature the machine
   lacks, or is NULL when it can run. */
typedef struct Variant {
    const Kernels *table;
    const char *(*missing)(void);
} Variant;

static const char *baseline_missing(void)
{
    return NULL;
}

#if defined(__x86_64__)
/* __builtin_cpu_supports wants a literal, hence a macro. It also asks whether the operating system
   saves the wide registers. */
#define REQUIRE(feature)                     \
    do {                                     \
        if (!__builtin_cpu_supports(feature)) \
            return feature;                  \
    } while (0)

static const char *avx2_missing(void)
{
    __builtin_cpu_init();
    REQUIRE("avx2");
    REQUIRE("fma");
    return NULL;
}

static const char *avx512_missing(void)
{
    __builtin_cpu_init();
    REQUIRE("avx512f");
    REQUIRE("avx512dq");
    REQUIRE("avx512bw");
    REQUIRE("avx512vl");
    REQUIRE("fma");
    return NULL;
}
#endif

/* Best first. */
static const Variant variants[] = {
#if defined(__x86_64__)
    {&kernels_avx512, avx512_missing},
    {&kernels_avx2, avx2_missing},
#endif
    {&kernels_baseline, baseline_missing},
};

enum { VARIANTS = sizeof variants / sizeof variants[0] };

static _Atomic(const Kernels *) selected;

static const Kernels *best(void)
{
    for (int i = 0; i < VARIANTS; i++)
        if (variants[i].missing() == NULL)
            return variants[i].table;
    return &kernels_baseline;
}

static const Kernels *find(const char *isa, const char *origin, Error *error)
{
    for (int i = 0; i < VARIANTS; i++) {
        if (strcmp(variants[i].table->isa, isa) != 0)
            continue;
        const char *missing = variants[i].missing();
        if (missing == NULL)
            return variants[i].table;
        fail_usage(error, "%s \"%s\" cannot run here: this machine lacks %s", origin, isa, missing);
        return NULL;
    }
    if (strcmp(isa, "avx2") == 0 || strcmp(isa, "avx512") == 0)
        fail_usage(error, "%s \"%s\" cannot run here: this program was built without %s", origin, isa, isa);
    else
        fail_usage(error, "%s \"%s\" is not one of baseline, avx2, avx512", origin, isa);
    return NULL;
}

bool kernels_select(const char *isa, Error *error)
{
    const char *origin = "instruction set";
    if (isa == NULL) {
        isa = getenv("XENT_ISA");
        origin = "XENT_ISA";
    }
    const Kernels *table = isa == NULL || isa[0] == '\0' ? best() : find(isa, origin, error);
    if (table == NULL)
        return false;
    atomic_store_explicit(&selected, table, memory_order_release);
    return true;
}

const Kernels *kernels(void)
{
    const Kernels *table = atomic_load_explicit(&selected, memory_order_acquire);
    if (table == NULL) {
        table = best();
        atomic_store_explicit(&selected, table, memory_order_release);
    }
    return table;
}
