/* RMSprop (Tieleman and Hinton 2012). */
#include "core/optim/optimizer.h"

struct rmsprop { OptimizerCommon common; double decay, momentum, epsilon; };

static const Param params[] = {
    OPTIMIZER_COMMON_ROWS(struct rmsprop, "0.01", "0"),
    PARAM_FLOAT(struct rmsprop, decay, 0.99, .min = 0, .max = 1, .help = "of the running mean of squares"),
    PARAM_FLOAT(struct rmsprop, momentum, 0, .min = 0, .max = 1, .help = "share of the last step's direction"),
    PARAM_FLOAT(struct rmsprop, epsilon, 1e-8, .min = 0, .help = "added to the root of the mean of squares"),
    PARAM_END
};

static void elements(const void *values, const Update *update, int64_t count, float *restrict weight, const float *restrict gradient, float *const *slots)
{
    const struct rmsprop *self = values;
    float *restrict square = slots[0], *restrict velocity = slots[1];
    float lr = (float)update->lr, weight_decay = (float)update->weight_decay, decay = (float)self->decay;
    float momentum = (float)self->momentum, epsilon = (float)self->epsilon;
    for (int64_t i = 0; i < count; i++) {
        float g = gradient[i] + weight_decay * weight[i];
        square[i] = decay * square[i] + (1 - decay) * g * g;
        velocity[i] = momentum * velocity[i] + g / (sqrtf(square[i]) + epsilon);
        weight[i] -= lr * velocity[i];
    }
}

const OptimizerDef optimizer_rmsprop = {
    .component = {.name = "rmsprop", .summary = "gradient over the root of its mean square", .params = params, .size = sizeof(struct rmsprop),
                  .formula = "s = d s + (1-d) g^2; v = m v + g / (sqrt(s) + epsilon); w -= lr v", .source = "Tieleman and Hinton 2012"},
    .slots = 2, .slot_names = {"square", "momentum"}, .elements = elements,
};
