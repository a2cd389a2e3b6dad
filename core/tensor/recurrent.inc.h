/* The gated recurrent unit of one element type: included with REAL (float, double), NAMED(name), VALUES(tensor),
   MULTIPLY (a gemm), sigmoid_row and tanh_row. Steps are [batch, ...]; see operations_recurrent.c for the equations. */

typedef struct NAMED(Step) {
    const Gru *gru;
    const REAL *before;         /* [batch, width], the state that the step begins with */
    REAL *gates;                /* [batch, 3 width]: r, u, c */
    REAL *product;              /* [batch, width]: reset before, r h; reset after, h W_c' + bias */
    REAL *after;
    const REAL *gradient;       /* of `after`, by what reads it beside the next step */
    REAL *carried;              /* gradient of `after` by the next step; becomes that of `before` */
    REAL *dgates, *dproduct;
} NAMED(Step);

static void NAMED(reset_rows)(void *context, int64_t begin, int64_t end)
{
    const NAMED(Step) *step = context;
    const int64_t n = step->gru->width;
    for (int64_t i = begin; i < end; i++) {
        REAL *gates = step->gates + 3 * i * n;
        NAMED(sigmoid_row)(2 * n, gates);
        for (int64_t k = 0; k < n; k++)
            step->product[i * n + k] = gates[k] * step->before[i * n + k];
    }
}

static void NAMED(state_rows)(void *context, int64_t begin, int64_t end)
{
    const NAMED(Step) *step = context;
    const int64_t n = step->gru->width;
    for (int64_t i = begin; i < end; i++) {
        REAL *gates = step->gates + 3 * i * n, *update = gates + n, *candidate = gates + 2 * n;
        const REAL *before = step->before + i * n;
        if (step->gru->reset_after) {
            NAMED(sigmoid_row)(2 * n, gates);
            for (int64_t k = 0; k < n; k++)
                candidate[k] += gates[k] * step->product[i * n + k];
        }
        NAMED(tanh_row)(n, candidate);
        for (int64_t k = 0; k < n; k++)
            step->after[i * n + k] = update[k] * before[k] + (1 - update[k]) * candidate[k];
    }
}

/* projected [steps, batch, 3 width] -> states; gates and product have room for `kept` steps, steps or 1. */
static void NAMED(run)(const Gru *gru, const Tensor *projected, const Tensor *weight, const Tensor *bias, int64_t kept,
                       Tensor *gates, Tensor *product, Tensor *states)
{
    const int64_t n = gru->width, rows = gru->batch, size = rows * n;
    const REAL *w = VALUES(weight);
    const Tensor *zeros = t_zeros(states->type, SHAPE(rows, n));
    for (int64_t t = 0; t < gru->steps; t++) {
        NAMED(Step) step = {.gru = gru,
                            .before = t ? VALUES(states) + (t - 1) * size : VALUES(zeros),
                            .gates = VALUES(gates) + t % kept * 3 * size,
                            .product = VALUES(product) + t % kept * size,
                            .after = VALUES(states) + t * size};
        memcpy(step.gates, VALUES(projected) + t * 3 * size, (size_t)(3 * size) * sizeof(REAL));
        MULTIPLY(false, true, rows, 2 * n, n, step.before, n, w, n, 1, step.gates, 3 * n);
        if (gru->reset_after) {
            for (int64_t i = 0; i < rows; i++)
                memcpy(step.product + i * n, VALUES(bias), (size_t)n * sizeof(REAL));
            MULTIPLY(false, true, rows, n, n, step.before, n, w + 2 * n * n, n, 1, step.product, n);
        } else {
            parallel_for(rows, gru_grain(gru), NAMED(reset_rows), &step);
            MULTIPLY(false, true, rows, n, n, step.product, n, w + 2 * n * n, n, 1, step.gates + 2 * n, 3 * n);
        }
        parallel_for(rows, gru_grain(gru), NAMED(state_rows), &step);
    }
}

static void NAMED(state_gradient_rows)(void *context, int64_t begin, int64_t end)
{
    const NAMED(Step) *step = context;
    const int64_t n = step->gru->width;
    for (int64_t i = begin; i < end; i++) {
        const REAL *reset = step->gates + 3 * i * n, *update = reset + n, *candidate = reset + 2 * n;
        REAL *dreset = step->dgates + 3 * i * n, *dupdate = dreset + n, *dcandidate = dreset + 2 * n;
        for (int64_t k = 0; k < n; k++) {
            const int64_t at = i * n + k;
            const REAL d = step->carried[at] + step->gradient[at];
            dupdate[k] = d * (step->before[at] - candidate[k]) * update[k] * (1 - update[k]);
            dcandidate[k] = d * (1 - update[k]) * (1 - candidate[k] * candidate[k]);
            step->carried[at] = d * update[k];
        }
        for (int64_t k = 0; step->gru->reset_after && k < n; k++) {
            dreset[k] = dcandidate[k] * step->product[i * n + k] * reset[k] * (1 - reset[k]);
            step->dproduct[i * n + k] = dcandidate[k] * reset[k];
        }
    }
}

static void NAMED(reset_gradient_rows)(void *context, int64_t begin, int64_t end)
{
    const NAMED(Step) *step = context;
    const int64_t n = step->gru->width;
    for (int64_t i = begin; i < end; i++) {
        const REAL *reset = step->gates + 3 * i * n;
        REAL *dreset = step->dgates + 3 * i * n;
        for (int64_t k = 0; k < n; k++) {
            const int64_t at = i * n + k;
            dreset[k] = step->dproduct[at] * step->before[at] * reset[k] * (1 - reset[k]);
            step->carried[at] += step->dproduct[at] * reset[k];
        }
    }
}

/* dgates [steps, batch, 3 width] is the gradient of what was projected; dproduct [steps, batch, width]. */
static void NAMED(run_back)(const Gru *gru, const Node *node, const Tensor *gradient, Tensor *dgates, Tensor *dproduct)
{
    const int64_t n = gru->width, rows = gru->batch, size = rows * n;
    const REAL *w = VALUES(node->inputs[1]);
    const Tensor *zeros = t_zeros(gradient->type, SHAPE(rows, n)), *carried = t_zeros(gradient->type, SHAPE(rows, n));
    for (int64_t t = gru->steps - 1; t >= 0; t--) {
        NAMED(Step) step = {.gru = gru,
                            .before = t ? VALUES(node->output) + (t - 1) * size : VALUES(zeros),
                            .gates = VALUES(node->saved[0]) + t * 3 * size,
                            .product = VALUES(node->saved[1]) + t * size,
                            .gradient = VALUES(gradient) + t * size,
                            .carried = VALUES(carried),
                            .dgates = VALUES(dgates) + t * 3 * size,
                            .dproduct = VALUES(dproduct) + t * size};
        parallel_for(rows, gru_grain(gru), NAMED(state_gradient_rows), &step);
        if (gru->reset_after) {
            MULTIPLY(false, false, rows, n, n, step.dproduct, n, w + 2 * n * n, n, 1, step.carried, n);
        } else {
            MULTIPLY(false, false, rows, n, n, step.dgates + 2 * n, 3 * n, w + 2 * n * n, n, 0, step.dproduct, n);
            parallel_for(rows, gru_grain(gru), NAMED(reset_gradient_rows), &step);
        }
        MULTIPLY(false, false, rows, n, 2 * n, step.dgates, 3 * n, w, n, 1, step.carried, n);
    }
}

/* The first step begins with zeros, which leave nothing in the weight. */
static void NAMED(weight_gradient)(const Gru *gru, const Node *node, const Tensor *dgates, const Tensor *dproduct,
                                   Tensor *dweight)
{
    const int64_t n = gru->width, size = gru->batch * n, rows = (gru->steps - 1) * gru->batch;
    const REAL *states = VALUES(node->output);
    REAL *to = VALUES(dweight);
    MULTIPLY(true, false, 2 * n, n, rows, VALUES(dgates) + 3 * size, 3 * n, states, n, 0, to, n);
    if (gru->reset_after)
        MULTIPLY(true, false, n, n, rows, VALUES(dproduct) + size, n, states, n, 0, to + 2 * n * n, n);
    else
        MULTIPLY(true, false, n, n, rows, VALUES(dgates) + 3 * size + 2 * n, 3 * n, VALUES(node->saved[1]) + size, n,
                 0, to + 2 * n * n, n);
}

#undef REAL
#undef NAMED
#undef VALUES
#undef MULTIPLY
