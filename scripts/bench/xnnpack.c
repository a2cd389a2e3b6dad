/* xnnpack softmax/ROWSxCOLS THREADS: softmax of rows by XNNPACK's operator. */
#include <pthreadpool.h>
#include <xnnpack.h>

#include "scripts/bench/measure.h"

typedef struct Softmax { xnn_operator_t operation; pthreadpool_t pool; } Softmax;

static void run(void *state)
{
    Softmax *softmax = state;
    if (xnn_run_operator(softmax->operation, softmax->pool) != xnn_status_success)
        exit(1);
}

int main(int count, char **words)
{
    size_t rows, columns;
    if (count != 3 || sscanf(words[1], "softmax/%zux%zu", &rows, &columns) != 2)
        return 2;
    int threads = atoi(words[2]);
    Softmax softmax = {.pool = threads > 1 ? pthreadpool_create((size_t)threads) : NULL};
    long before = peak_memory();
    float *x = filled(rows * columns), *y = filled(rows * columns);
    if (xnn_initialize(NULL) != xnn_status_success
        || xnn_create_softmax_nc_f32(columns, columns, columns, 0, &softmax.operation) != xnn_status_success
        || xnn_setup_softmax_nc_f32(softmax.operation, rows, x, y, softmax.pool) != xnn_status_success)
        return 1;
    measure(run, &softmax, before);
    return 0;
}
