/* Attention of doubles, for checks: row by row, in one thread. */
#include <math.h>
#include <string.h>

#include "core/tensor/attention.h"

/* One row: where it and the first of its keys lie, its row of the mask; from a key to the next. */
typedef struct Row {
    int64_t n, head, i, visible, query, key, stride, mask;
} Row;

static Row row_at(const Attention *shape, int64_t index)
{
    Row row = {.i = index % shape->queries, .head = index / shape->queries % shape->heads,
               .n = index / shape->queries / shape->heads};
    row.visible = attention_visible(shape, row.i);
    row.query = attention_query_at(shape, row.n, row.head, row.i);
    row.key = attention_key_at(shape, row.n, row.head, 0);
    row.stride = shape->key_heads * shape->width;
    row.mask = row.n * shape->mask_batch_stride + row.head * shape->mask_head_stride + row.i * shape->keys;
    return row;
}

static double dot(int64_t n, const double *x, const double *y)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static void axpy(int64_t n, double factor, const double *x, double *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

static void score(const Attention *shape, const Row *row, const double *query, const double *key, const double *mask,
                  double *s)
{
    const int64_t d = shape->width;
    for (int64_t j = 0; j < row->visible; j++) {
        const double distance = (double)(j - row->i - (shape->keys - shape->queries));
        s[j] = shape->scale * dot(d, query + row->query, key + row->key + j * row->stride) +
               attention_slope(shape, row->head) * distance;
        s[j] += mask ? mask[row->mask + j] : 0;
    }
}

void attention_double(const Attention *shape, const Tensor *query, const Tensor *key, const Tensor *value,
                      const Tensor *mask, Tensor *output, Tensor *parts)
{
    const int64_t d = shape->width;
    double *s = arena_alloc(tape_arena(), (size_t)shape->keys * sizeof *s), *out = tensor_f64(output);
    memset(out, 0, (size_t)output->count * sizeof *out);
    for (int64_t index = 0; index < shape->batch * shape->heads * shape->queries; index++) {
        const Row row = row_at(shape, index);
        double largest = -INFINITY, sum = 0;
        score(shape, &row, tensor_f64(query), tensor_f64(key), mask ? tensor_f64(mask) : NULL, s);
        for (int64_t j = 0; j < row.visible; j++)
            largest = s[j] <= largest ? largest : s[j]; /* takes NaN over */
        const bool nothing = largest == -INFINITY;
        for (int64_t j = 0; j < row.visible && !nothing; j++)
            sum += s[j] = exp(s[j] - largest);
        for (int64_t j = 0; j < row.visible && !nothing; j++)
            axpy(d, s[j] / sum, tensor_f64(value) + row.key + j * row.stride, out + row.query);
        tensor_f64(parts)[2 * index] = nothing ? INFINITY : largest;
        tensor_f64(parts)[2 * index + 1] = nothing ? 0 : log(sum);
    }
    arena_recycle(tape_arena(), s, (size_t)shape->keys * sizeof *s);
}

static double *cleared(Tensor *tensor)
{
    return tensor ? memset(tensor->data, 0, (size_t)tensor->count * sizeof(double)) : NULL;
}

void attention_gradient_double(const Attention *shape, const AttentionGradient *work)
{
    const int64_t d = shape->width;
    const double *query = tensor_f64(work->query), *key = tensor_f64(work->key), *value = tensor_f64(work->value);
    const double *parts = tensor_f64(work->parts), *mask = work->mask ? tensor_f64(work->mask) : NULL;
    double *s = arena_alloc(tape_arena(), (size_t)shape->keys * sizeof *s);
    double *dquery = cleared(work->dquery), *dkey = cleared(work->dkey), *dvalue = cleared(work->dvalue),
           *dmask = cleared(work->dmask);
    for (int64_t index = 0; index < shape->batch * shape->heads * shape->queries; index++) {
        const Row row = row_at(shape, index);
        const double *dout = tensor_f64(work->gradient) + row.query;
        const double delta = dot(d, dout, tensor_f64(work->output) + row.query);
        score(shape, &row, query, key, mask, s);
        for (int64_t j = 0; j < row.visible; j++) {
            const double p = exp(s[j] - parts[2 * index] - parts[2 * index + 1]);
            const double ds = p * (dot(d, dout, value + row.key + j * row.stride) - delta);
            if (dquery)
                axpy(d, shape->scale * ds, key + row.key + j * row.stride, dquery + row.query);
            if (dkey)
                axpy(d, shape->scale * ds, query + row.query, dkey + row.key + j * row.stride);
            if (dvalue)
                axpy(d, p, dout, dvalue + row.key + j * row.stride);
            if (dmask)
                dmask[row.mask + j] += ds;
        }
    }
    arena_recycle(tape_arena(), s, (size_t)shape->keys * sizeof *s);
}
