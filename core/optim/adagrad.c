/* Adagrad (Duchi et al. 2011). */
#include "core/kernels/kernels.h"
#include "core/optim/optimizer.h"

struct adagrad { OptimizerCommon common; double epsilon; };

static const Param params[] = {
    OPTIMIZER_COMMON_ROWS(struct adagrad, "0.01", "0"),
    PARAM_FLOAT(struct adagrad, epsilon, 1e-10, .min = 0, .help = "added to the root of the sum of squares"),
    PARAM_END
};

static void elements(const void *values, const Update *update, int64_t count, float *weight, const float *gradient,
                     float *const *slots)
{
    const struct adagrad *self = values;
    AdagradStep by = {(float)update->lr, (float)update->weight_decay, (float)self->epsilon};
    kernels()->optimizer.adagrad(count, &by, weight, gradient, slots[0]);
}

const OptimizerDef optimizer_adagrad = {
    .component = {.name = "adagrad",
                  .summary = "gradient over the root of its sum of squares",
                  .params = params,
                  .size = sizeof(struct adagrad),
                  .formula = "s += g^2; w -= lr g / (sqrt(s) + epsilon)",
                  .source = "Duchi et al. 2011"},
    .slots = 1,
    .slot_names = {"sum"},
    .elements = elements,
};
