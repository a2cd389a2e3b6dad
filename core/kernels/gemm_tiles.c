/* The tiles of a block of C, and the packing of what they read. */
#include "core/kernels/gemm_tiles.h"

#include "core/base/integers.h"
#include "core/kernels/gemm_pack.h"

#include <string.h>

/* ---- Packing ---- */

/* So many panels read whole cache lines of rows that lie next to each other. */
enum { PANELS_TOGETHER = 4, LINE = 16 };

/* Rows along k are copied as they are, an odd number of cache lines apart. */
static int64_t copied_stride(int64_t k)
{
    return (k + 2 * LINE - 1) / (2 * LINE) * 2 * LINE + LINE;
}

int64_t gemm_packed_rows(int64_t rows, int64_t k)
{
    return rows * copied_stride(k);
}

/* Rows from `row` on, as many as are packed at once. */
static void pack_a(const Block *t, int64_t row)
{
    const Matrix *a = &t->product->a;
    const int64_t mr = t->product->kernels->mr, rows = smaller(PANELS_TOGETHER * mr, t->row_end - row);
    const float *from = a->data + row * a->row_stride + t->first_k * a->column_stride;
    if (a->column_stride == 1) {
        const int64_t stride = copied_stride(t->k);
        float *to = t->packed_a + (row - t->row) * stride;
        for (int64_t i = 0; i < rows; i++, from += a->row_stride, to += stride)
            memcpy(to, from, (size_t)t->k * sizeof(float));
        return;
    }
    float *to = t->packed_a + (row - t->row) * t->k;
    const int64_t whole = rows / mr * mr;
    if (whole > 0)
        t->product->kernels->gemm_pack_a(whole / mr, t->k, from, a->column_stride, to);
    for (int64_t i = whole; i < rows; i += mr)
        pack_panel(mr, rows - i, t->k, from + i, 1, a->column_stride, to + i * t->k);
}

/* Where the panel of B that begins at `column` is packed: one after the other into the same memory, which stays near,
   where none is read again. */
static float *packed_panel(const Block *t, int64_t column)
{
    return t->packed_b + (t->alone ? 0 : (column - t->column) * t->k);
}

static void pack_b(const Block *t, int64_t column)
{
    const Matrix *b = &t->product->b;
    const int64_t nr = t->product->kernels->nr, columns = smaller(nr, t->column_end - column);
    const float *from = b->data + t->first_k * b->row_stride + column * b->column_stride;
    float *to = packed_panel(t, column);
    const bool whole = columns == nr, apart = b->column_stride % GEMM_PAGE != 0;
    if (whole && b->column_stride == 1)
        t->product->kernels->gemm_pack_b(t->k, from, b->row_stride, to);
    else if (b->column_stride == 1)
        t->product->kernels->gemm_pack_edge(columns, t->k, from, b->row_stride, to);
    else if (whole && apart)
        t->product->kernels->gemm_turn_b(t->k, from, b->column_stride, to);
    else
        pack_panel(nr, columns, t->k, from, b->column_stride, b->row_stride, to);
}

/* ---- Computing ---- */

typedef struct Panel {
    const float *data;
    int64_t row, step;
} Panel;

static Panel panel_of_a(const Block *t, int64_t row)
{
    const Product *p = t->product;
    if (p->packs_a && p->a.column_stride == 1)
        return (Panel){t->packed_a + (row - t->row) * copied_stride(t->k), copied_stride(t->k), 1};
    if (p->packs_a)
        return (Panel){t->packed_a + (row - t->row) * t->k, 1, p->kernels->mr};
    return (Panel){p->a.data + row * p->a.row_stride + t->first_k * p->a.column_stride, p->a.row_stride,
                   p->a.column_stride};
}

static Panel panel_of_b(const Block *t, int64_t column)
{
    const Product *p = t->product;
    if (p->packs_b || column + p->kernels->nr > t->column_end)
        return (Panel){packed_panel(t, column), p->kernels->nr, p->kernels->nr};
    return (Panel){p->b.data + t->first_k * p->b.row_stride + column, 1, p->b.row_stride};
}

static void need_panel(const Block *t, int64_t column)
{
    const int64_t nr = t->product->kernels->nr;
    SharedPanel *panel = t->shared ? &t->shared[(column - t->column) / nr] : NULL;
    if (!panel && !t->fresh)
        return;
    if (!panel) {
        pack_b(t, column);
    } else if (panel->packed == 0 && threads_take(&panel->taken) == 0) {
        pack_b(t, column);
        threads_add(&panel->packed);
    } else {
        threads_wait(&panel->packed, 1);
    }
}

/* A and B are packed when they are first read: by then they are near, and stay so. */
static void compute_panel(const Block *t, int64_t j, bool needs_a)
{
    const Product *p = t->product;
    const int64_t mr = p->kernels->mr, nr = p->kernels->nr;
    /* Later parts of k add to what the first one left. */
    const bool first = t->first_k == 0;
    const float beta = first ? p->beta : 1.0F;
    if (p->packs_b || j + nr > t->column_end)
        need_panel(t, j);
    const Panel b = panel_of_b(t, j);
    const float *bias = first && p->finish->bias != NULL ? p->finish->bias + j : NULL;
    /* The panel that follows may have left the second cache since it was packed: each tile fetches a part. */
    const bool follows = p->far && p->packs_b && !t->fresh && j + nr < t->column_end &&
                         (!t->shared || t->shared[(j - t->column) / nr + 1].packed != 0);
    int64_t part = 0;
    for (int64_t i = t->row; i < t->row_end; i += mr, part += GEMM_AHEAD) {
        if (needs_a && (i - t->row) % (PANELS_TOGETHER * mr) == 0)
            pack_a(t, i);
        const Panel a = panel_of_a(t, i);
        float *c = p->c + i * p->ldc + j;
        const int64_t rows = smaller(mr, t->row_end - i), columns = smaller(nr, t->column_end - j);
        const float *ahead = follows && part + GEMM_AHEAD <= nr ? b.data + (nr + part) * t->k : NULL;
        if (columns == nr && p->far)
            p->kernels->gemm_far_tile[rows - 1](t->k, a.data, a.row, a.step, b.data, b.step, bias, beta, c, p->ldc,
                                                ahead);
        else if (columns == nr)
            p->kernels->gemm_tile[rows - 1](t->k, a.data, a.row, a.step, b.data, b.step, bias, beta, c, p->ldc);
        else
            p->kernels->gemm_edge[rows - 1](columns, t->k, a.data, a.row, a.step, b.data, b.step, bias, beta, c,
                                            p->ldc);
    }
}

void gemm_compute_block(const Block *t)
{
    const int64_t nr = t->product->kernels->nr, first = t->column + t->first_panel * nr;
    bool needs_a = t->product->packs_a;
    for (int64_t j = first; j < t->column_end; j += nr, needs_a = false)
        compute_panel(t, j, needs_a);
    for (int64_t j = t->column; j < first; j += nr, needs_a = false)
        compute_panel(t, j, needs_a);
}
