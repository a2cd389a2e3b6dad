/* Lion: the sign of an interpolated momentum, with decoupled decay (Chen et al. 2023). */
#include "core/kernels/kernels.h"
#include "core/optim/optimizer.h"

struct lion { OptimizerCommon common; FloatList betas; };

static const Param params[] = {OPTIMIZER_COMMON_ROWS(struct lion, "0.0001", "0"),
                               PARAM_FLOATS(struct lion, betas, "[0.9, 0.99]", .min = 0, .max = 1, .min_count = 2,
                                            .help = "of the step's direction, of the momentum"),
                               PARAM_END};

static bool validate(const void *values, Error *error)
{
    const struct lion *self = values;
    return self->betas.count == 2 ||
           fail_usage(error, "betas: expected 2 numbers, got %lld", (long long)self->betas.count);
}

static void elements(const void *values, const Update *update, int64_t count, float *weight, const float *gradient,
                     float *const *slots)
{
    const struct lion *self = values;
    LionStep by = {(float)update->lr, (float)(1 - update->lr * update->weight_decay), (float)self->betas.items[0],
                   (float)self->betas.items[1]};
    kernels()->optimizer.lion(count, &by, weight, gradient, slots[0]);
}

const OptimizerDef optimizer_lion = {
    .component = {.name = "lion",
                  .summary = "sign of an interpolated momentum",
                  .params = params,
                  .size = sizeof(struct lion),
                  .formula = "w = (1 - lr decay) w - lr sign(b1 m + (1-b1) g); m = b2 m + (1-b2) g",
                  .source = "arXiv:2302.06675",
                  .validate = validate},
    .slots = 1,
    .slot_names = {"momentum"},
    .elements = elements,
};
