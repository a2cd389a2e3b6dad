/* Cosines of the features with a direction for each output: the last layer of losses with margins on angles. */
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

static const char *const weight_norms[] = {"reparam", "project", NULL};

static const Param params[] = {
    PARAM_REQUIRED(INT, struct cosine_linear, units, .min = 1, .max = 1e8, .help = "number of outputs"),
    PARAM_ENUM(struct cosine_linear, weight_norm, "reparam", .choices = weight_norms,
               .help = "reparam: directions of any length; project: brought back to length 1 after every step"),
    PARAM_END
};

static bool build(Builder *builder, Layer *layer)
{
    const struct cosine_linear *self = layer->values;
    if (layer->input.vocabulary || layer->input.rank < 1)
        return builder_fail(builder, "cosine_linear needs features [..., n], got %s",
                            layer->input.vocabulary ? "tokens" : "a scalar");
    int last = layer->input.rank - 1;
    int64_t inputs = layer->input.sizes[last];
    layer->state = builder_weight(builder, "weight", ROLE_WEIGHT, "kaiming_uniform", SHAPE(self->units, inputs));
    if (layer->state && self->weight_norm == WEIGHT_NORM_PROJECT) {
        Parameter *weight = &builder->parameters->items[builder->parameters->count - 1];
        weight->unit_rows = true;
        parameter_unit_rows(weight);
    }
    layer->output.sizes[last] = self->units;
    layer->flops = 2.0 * (double)inputs * (double)shape_count(layer->output);
    return layer->state != NULL;
}

/* Lengths below 1e-12 count as 1e-12. */
static Tensor *normalized(Tensor *x)
{
    return t_div(x, t_maximum(t_norm(x, -1, true), t_scalar(x->type, 1e-12)));
}

static Tensor *forward(const Layer *layer, Forward *forward_, Tensor *x)
{
    (void)forward_;
    return t_linear(normalized(x), normalized(layer->state), NULL);
}

const LayerDef layer_cosine_linear = {
    .component = {.name = "cosine_linear",
                  .summary = "cosines with learned directions, over the last axis",
                  .params = params,
                  .size = sizeof(struct cosine_linear),
                  .source = "arXiv:1704.06369",
                  .formula = "y_k = x . w_k / (|x| |w_k|)"},
    .build = build,
    .forward = forward,
};
