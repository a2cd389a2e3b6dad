/* RMSprop (Tieleman and Hinton 2012). */
#include "core/kernels/kernels.h"
#include "core/optim/optimizer.h"

struct rmsprop { OptimizerCommon common; double decay, momentum, epsilon; };

static const Param params[] = {
    OPTIMIZER_COMMON_ROWS(struct rmsprop, "0.01", "0"),
    PARAM_FLOAT(struct rmsprop, decay, 0.99, .min = 0, .max = 1, .help = "of the running mean of squares"),
    PARAM_FLOAT(struct rmsprop, momentum, 0, .min = 0, .max = 1, .help = "share of the last step's direction"),
    PARAM_FLOAT(struct rmsprop, epsilon, 1e-8, .min = 0, .help = "added to the root of the mean of squares"),
    PARAM_END
};

static void elements(const void *values, const Update *update, int64_t count, float *weight, const float *gradient,
                     float *const *slots)
{
    const struct rmsprop *self = values;
    RmspropStep by = {(float)update->lr, (float)update->weight_decay, (float)self->decay, (float)self->momentum,
                      (float)self->epsilon};
    kernels()->optimizer.rmsprop(count, &by, weight, gradient, slots[0], slots[1]);
}

const OptimizerDef optimizer_rmsprop = {
    .component = {.name = "rmsprop",
                  .summary = "gradient over the root of its mean square",
                  .params = params,
                  .size = sizeof(struct rmsprop),
                  .formula = "s = d s + (1-d) g^2; v = m v + g / (sqrt(s) + epsilon); w -= lr v",
                  .source = "Tieleman and Hinton 2012"},
    .slots = 2,
    .slot_names = {"square", "momentum"},
    .elements = elements,
};
