/* Muon: the momentum of a matrix is replaced by the nearest semi-orthogonal matrix, approximated by five
   steps of a quintic Newton-Schulz iteration (Jordan et al. 2024). Everything that is not a matrix goes
   through AdamW. */
#include "core/kernels/gemm.h"
#include "core/optim/optimizer.h"

struct muon { OptimizerCommon common; double momentum; bool nesterov; int64_t iterations; double adam_lr; };

static const Param params[] = {
    OPTIMIZER_COMMON_ROWS(struct muon, "0.02", "0"),
    PARAM_FLOAT(struct muon, momentum, 0.95, .min = 0, .max = 1, .help = "share of the last step's direction"),
    PARAM_BOOL(struct muon, nesterov, true, .help = "look ahead along the direction"),
    PARAM_INT(struct muon, iterations, 5, .min = 1, .max = 20, .help = "Newton-Schulz steps"),
    PARAM_FLOAT(struct muon, adam_lr, 0.0003, .min = 0, .help = "learning rate of AdamW, for what is not a matrix"),
    PARAM_END
};

/* X <- a X + (b A + c A^2) X with A = X X^T; rows <= columns. */
static void newton_schulz(float *x, int64_t rows, int64_t columns, int64_t iterations)
{
    static const float a = 3.4445f, b = -4.7750f, c = 2.0315f;
    size_t square = (size_t)(rows * rows), whole = (size_t)(rows * columns);
    float *gram = arena_alloc(tape_arena(), (2 * square + whole) * sizeof *gram), *polynomial = gram + square,
          *next = polynomial + square;
    double norm = 0;
    for (size_t i = 0; i < whole; i++)
        norm += (double)x[i] * (double)x[i];
    float inverse = (float)(1 / (sqrt(norm) + 1e-7));
    for (size_t i = 0; i < whole; i++)
        x[i] *= inverse;
    for (int64_t k = 0; k < iterations; k++) {
        sgemm(false, true, rows, rows, columns, x, columns, x, columns, 0, gram, rows);
        sgemm(false, false, rows, rows, rows, gram, rows, gram, rows, 0, polynomial, rows);
        for (size_t i = 0; i < square; i++)
            polynomial[i] = b * gram[i] + c * polynomial[i];
        sgemm(false, false, rows, columns, rows, polynomial, rows, x, columns, 0, next, columns);
        for (size_t i = 0; i < whole; i++)
            x[i] = a * x[i] + next[i];
    }
}

static void transpose(const float *from, int64_t rows, int64_t columns, float *to)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            to[c * rows + r] = from[r * columns + c];
}

/* Filters count as matrices [out, everything else]. */
static void whole(const void *values, const Update *update, const Parameter *parameter, const float *gradient,
                  float *const *slots)
{
    const struct muon *self = values;
    int64_t rows = parameter->value->shape[0], columns = parameter->value->count / rows, count = rows * columns;
    float *weight = tensor_f32(parameter->value), *velocity = slots[0], m = (float)self->momentum;
    float *direction = arena_alloc(tape_arena(), (size_t)(2 * count) * sizeof *direction), *turned = direction + count;
    for (int64_t i = 0; i < count; i++) {
        velocity[i] = m * velocity[i] + (1 - m) * gradient[i];
        direction[i] = self->nesterov ? m * velocity[i] + (1 - m) * gradient[i] : velocity[i];
    }
    if (rows <= columns) {
        newton_schulz(direction, rows, columns, self->iterations);
    } else {
        transpose(direction, rows, columns, turned);
        newton_schulz(turned, columns, rows, self->iterations);
        transpose(turned, columns, rows, direction);
    }
    double tall = (double)rows / (double)columns;
    float lr = (float)(update->lr * sqrt(tall > 1 ? tall : 1)), keep = (float)(1 - update->lr * update->weight_decay);
    for (int64_t i = 0; i < count; i++)
        weight[i] = keep * weight[i] - lr * direction[i];
}

static void elements(const void *values, const Update *update, int64_t count, float *restrict weight,
                     const float *restrict gradient, float *const *slots)
{
    const struct muon *self = values;
    float *restrict mean = slots[0], *restrict square = slots[1];
    double scale = self->common.lr > 0 ? self->adam_lr / self->common.lr : 0; /* schedules and groups act on both */
    float rate = (float)(update->lr * scale / (1 - pow(0.9, (double)update->step)));
    float root = (float)(1 / sqrt(1 - pow(0.95, (double)update->step)));
    float keep = (float)(1 - update->lr * scale * update->weight_decay);
    for (int64_t i = 0; i < count; i++) {
        mean[i] = 0.9f * mean[i] + 0.1f * gradient[i];
        square[i] = 0.95f * square[i] + 0.05f * gradient[i] * gradient[i];
        weight[i] = keep * weight[i] - rate * mean[i] / (sqrtf(square[i]) * root + 1e-10f);
    }
}

const OptimizerDef optimizer_muon = {
    .component =
        {.name = "muon",
         .summary = "orthogonalised momentum for matrices, AdamW for the rest",
         .params = params,
         .size = sizeof(struct muon),
         .formula = "v = m v + (1-m) g; w -= lr sqrt(max(1, out/in)) NewtonSchulz(v)",
         .source = "Jordan et al. 2024",
         .notes =
             "AdamW runs with betas 0.9 and 0.95 at adam_lr; embeddings, biases and scales are not matrices here."},
    .slots = 2,
    .slot_names = {"momentum", "square"},
    .elements = elements,
    .whole = whole,
};
