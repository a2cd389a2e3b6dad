/* openblas sgemm/MxNxK THREADS: the product by OpenBLAS. */
#include <cblas.h>

#include "scripts/bench/measure.h"

typedef struct Product { int m, n, k; const float *a, *b; float *c; } Product;

static void run(void *state)
{
    const Product *p = state;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->m, p->n, p->k, 1, p->a, p->k, p->b, p->n, 0, p->c, p->n);
}

int main(int count, char **words)
{
    Product p;
    if (count != 3 || sscanf(words[1], "sgemm/%dx%dx%d", &p.m, &p.n, &p.k) != 3)
        return 2;
    openblas_set_num_threads(atoi(words[2]));
    long before = peak_memory();
    p.a = filled((size_t)p.m * (size_t)p.k);
    p.b = filled((size_t)p.k * (size_t)p.n);
    p.c = filled((size_t)p.m * (size_t)p.n);
    measure(run, &p, before);
    return 0;
}
