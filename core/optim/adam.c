/* Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019): they differ in where the decay enters. */
#include "core/kernels/kernels.h"
#include "core/optim/optimizer.h"

struct adam { OptimizerCommon common; FloatList betas; double epsilon; };

#define ADAM_PARAMS(decay_)                                                                                            \
    {                                                                                                                  \
        OPTIMIZER_COMMON_ROWS(struct adam, "0.001", decay_),                                                           \
            PARAM_FLOATS(struct adam, betas, "[0.9, 0.999]", .min = 0, .max = 0.9999999, .min_count = 2,               \
                         .help = "decay of the two running means"),                                                    \
            PARAM_FLOAT(struct adam, epsilon, 1e-8, .min = 0, .help = "added to the root of the second mean"),         \
            PARAM_END                                                                                                  \
    }
static const Param adam_params[] = ADAM_PARAMS("0");
static const Param adamw_params[] = ADAM_PARAMS("0.01");

static bool validate(const void *values, Error *error)
{
    const struct adam *self = values;
    return self->betas.count == 2 ||
           fail_usage(error, "betas: expected 2 numbers, got %lld", (long long)self->betas.count);
}

static void step(const struct adam *self, const Update *update, bool decoupled, int64_t count, float *weight,
                 const float *gradient, float *const *slots)
{
    double beta1 = self->betas.items[0], beta2 = self->betas.items[1];
    double correction1 = 1 - pow(beta1, (double)update->step), correction2 = 1 - pow(beta2, (double)update->step);
    AdamStep by = {
        .beta1 = (float)beta1, .beta2 = (float)beta2, .epsilon = (float)self->epsilon,
        .keep = decoupled ? (float)(1 - update->lr * update->weight_decay) : 1,
        .decay = decoupled ? 0 : (float)update->weight_decay,
        .rate = (float)(update->lr / correction1), .root = (float)(1 / sqrt(correction2)),
    };
    kernels()->optimizer.adam(count, &by, weight, gradient, slots[0], slots[1]);
}

static void adam_elements(const void *values, const Update *update, int64_t count, float *weight, const float *gradient,
                          float *const *slots)
{
    step(values, update, false, count, weight, gradient, slots);
}

static void adamw_elements(const void *values, const Update *update, int64_t count, float *weight,
                           const float *gradient, float *const *slots)
{
    step(values, update, true, count, weight, gradient, slots);
}

const OptimizerDef optimizer_adam = {
    .component = {.name = "adam",
                  .summary = "adaptive moments; weight decay joins the gradient",
                  .params = adam_params,
                  .size = sizeof(struct adam),
                  .formula = "m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; w -= lr m^ / (sqrt(v^) + epsilon)",
                  .source = "arXiv:1412.6980",
                  .validate = validate},
    .slots = 2,
    .slot_names = {"mean", "square"},
    .elements = adam_elements,
};

const OptimizerDef optimizer_adamw = {
    .component = {.name = "adamw",
                  .summary = "adaptive moments with decoupled weight decay",
                  .params = adamw_params,
                  .size = sizeof(struct adam),
                  .formula = "w *= 1 - lr decay, then as adam",
                  .source = "arXiv:1711.05101",
                  .validate = validate},
    .slots = 2,
    .slot_names = {"mean", "square"},
    .elements = adamw_elements,
};
