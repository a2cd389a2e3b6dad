/* Large products: all threads share one packed copy of a part of B, panel by panel packed by whoever needs it first,
   and take rows of C in turn. Each begins at panels of its own, so that they share the packing and seldom wait. */
#include "core/base/integers.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/gemm_tiles.h"

typedef struct Part {
    Block block;            /* all but its rows and packed_a */
    int64_t workers, tasks;
    ThreadsCounter next;    /* task */
} Part;

/* Where task `task` begins: tasks differ by one row of tiles at most. */
static int64_t first_row(const Product *p, int64_t task, int64_t tasks)
{
    return smaller(ceil_div(p->m, p->kernels->mr) * task / tasks * p->kernels->mr, p->m);
}

static int64_t room_for_a(const Product *p, int64_t tasks)
{
    const int64_t mr = p->kernels->mr;
    return p->packs_a ? gemm_packed_rows(ceil_div(ceil_div(p->m, mr), tasks) * mr, p->piece_k) : 0;
}

static void run_worker(void *context, int64_t number, int64_t end)
{
    (void)end;
    Part *part = context;
    const Product *p = part->block.product;
    Block t = part->block;
    t.packed_a = gemm_scratch(room_for_a(p, part->tasks)); /* of the calling thread, what lies before packed_b */
    t.first_panel = ceil_div(t.column_end - t.column, p->kernels->nr) * number / part->workers;
    for (int64_t task; (task = threads_take(&part->next)) < part->tasks;) {
        t.row = first_row(p, task, part->tasks);
        t.row_end = first_row(p, task + 1, part->tasks);
        gemm_compute_block(&t);
    }
}

enum { MOST_PANELS = 256, MOST_VALUES = 1 << 21 };

bool gemm_large(const Product *p)
{
    /* Measured. With fewer values of k the traffic of C and of packed panels between caches costs more than is
       saved. */
    enum { PAYS = 300 * 1000 * 1000, LEAST_K = 512, LEAST_TILES = 16, TASKS_EACH = 4 };
    const int64_t mr = p->kernels->mr, nr = p->kernels->nr, tiles = ceil_div(p->m, mr), workers = threads_free();
    if (p->m * p->n * p->k < PAYS || p->k < LEAST_K || tiles < LEAST_TILES * workers || !p->packs_b ||
        gemm_finishes(p))
        return false;
    const int64_t most_columns = smaller(MOST_PANELS, MOST_VALUES / (p->piece_k * nr)) * nr;
    const int64_t columns = ceil_div(ceil_div(p->n, ceil_div(p->n, most_columns)), nr) * nr;
    int64_t tasks = ceil_div(p->m, p->most_rows);
    if (workers > 1)
        tasks = ceil_div(tasks > TASKS_EACH * workers ? tasks : TASKS_EACH * workers, workers) * workers;
    const int64_t room_a = room_for_a(p, tasks);
    float *packed_b = gemm_scratch(room_a + columns * p->piece_k) + room_a;
    for (int64_t column = 0; column < p->n; column += columns)
        for (int64_t k = 0; k < p->k; k += p->piece_k) {
            SharedPanel shared[MOST_PANELS] = {0};
            Part part = {.block = {.product = p, .column = column, .column_end = smaller(column + columns, p->n),
                                   .first_k = k, .k = smaller(p->piece_k, p->k - k), .packed_b = packed_b,
                                   .shared = shared},
                         .workers = workers,
                         .tasks = tasks};
            parallel_for(workers, 1, run_worker, &part);
        }
    return true;
}
