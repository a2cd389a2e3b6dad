/* Adagrad (Duchi et al. 2011). */
#include "core/optim/optimizer.h"

struct adagrad { OptimizerCommon common; double epsilon; };

static const Param params[] = {
    OPTIMIZER_COMMON_ROWS(struct adagrad, "0.01", "0"),
    PARAM_FLOAT(struct adagrad, epsilon, 1e-10, .min = 0, .help = "added to the root of the sum of squares"),
    PARAM_END
};

static void elements(const void *values, const Update *update, int64_t count, float *restrict weight, const float *restrict gradient, float *const *slots)
{
    const struct adagrad *self = values;
    float *restrict sum = slots[0];
    float lr = (float)update->lr, decay = (float)update->weight_decay, epsilon = (float)self->epsilon;
    for (int64_t i = 0; i < count; i++) {
        float g = gradient[i] + decay * weight[i];
        sum[i] += g * g;
        weight[i] -= lr * g / (sqrtf(sum[i]) + epsilon);
    }
}

const OptimizerDef optimizer_adagrad = {
    .component = {.name = "adagrad", .summary = "gradient over the root of its sum of squares", .params = params, .size = sizeof(struct adagrad),
                  .formula = "s += g^2; w -= lr g / (sqrt(s) + epsilon)", .source = "Duchi et al. 2011"},
    .slots = 1, .slot_names = {"sum"}, .elements = elements,
};
