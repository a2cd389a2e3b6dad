/* Stochastic gradient descent with momentum; weight decay joins the gradient. */
#include "core/kernels/kernels.h"
#include "core/optim/optimizer.h"

struct sgd { OptimizerCommon common; double momentum, dampening; bool nesterov; };

static const Param params[] = {
    OPTIMIZER_COMMON_ROWS(struct sgd, "0.1", "0"),
    PARAM_FLOAT(struct sgd, momentum, 0.9, .min = 0, .max = 1, .help = "share of the last step's direction"),
    PARAM_FLOAT(struct sgd, dampening, 0, .min = 0, .max = 1,
                .help = "the gradient enters the direction times 1 - dampening"),
    PARAM_BOOL(struct sgd, nesterov, false, .help = "look ahead along the direction"), PARAM_END};

static void elements(const void *values, const Update *update, int64_t count, float *weight, const float *gradient,
                     float *const *slots)
{
    const struct sgd *self = values;
    SgdStep by = {(float)update->lr, (float)update->weight_decay, (float)self->momentum,
                  update->step == 1 ? 1 : (float)(1 - self->dampening), self->nesterov};
    kernels()->optimizer.sgd(count, &by, weight, gradient, slots[0]);
}

const OptimizerDef optimizer_sgd = {
    .component = {.name = "sgd",
                  .summary = "stochastic gradient descent with momentum",
                  .params = params,
                  .size = sizeof(struct sgd),
                  .formula = "v = m v + (1 - d) g; w -= lr v (nesterov: w -= lr (g + m v))"},
    .slots = 1,
    .slot_names = {"momentum"},
    .elements = elements,
};
