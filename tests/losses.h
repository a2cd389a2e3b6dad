/* For tests of losses: specs to instances, inputs in another precision, values and gradients. */
#ifndef XENT_TESTS_LOSSES_H
#define XENT_TESTS_LOSSES_H

#include "tests/tensors.h"

#include <stdio.h>
#include <string.h>

#include "losses/loss.h"

/* The instance lives as long as the arena and the source; both are leaked to the end of the test program's case. */
static inline Instance loss_from(JsonSource *source, Arena *arena, const char *spec)
{
    Error error;
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    Instance loss = {0};
    const cJSON *json = json_parse(source, "spec", spec, strlen(spec), &error);
    if (!json || !instance_parse(&context, "loss", json, &loss))
        fail_msg("%s: %s", spec, error.message);
    return loss;
}

static inline Tensor *converted(const Tensor *from, ArrayType type)
{
    if (!from)
        return NULL;
    Tensor *to = t_new(from->type == ARRAY_I32 ? ARRAY_I32 : type, from->rank, from->shape);
    for (int64_t i = 0; i < to->count; i++)
        tensor_set(to, i, tensor_value(from, i));
    return to;
}

/* A copy of the input, whose logits and extras require gradients. */
static inline LossInput input_in(const LossInput *in, ArrayType type)
{
    LossInput copy = *in;
    copy.logits = converted(in->logits, type);
    copy.targets = converted(in->targets, type);
    copy.weights = converted(in->weights, type);
    copy.features = converted(in->features, type);
    copy.logits->requires_gradient = true;
    copy.extra_count = 0;
    for (int i = 0; i < in->extra_count; i++) {
        loss_set_extra(&copy, in->extras[i].name, converted(in->extras[i].value, type));
        copy.extras[i].value->requires_gradient = true;
    }
    return copy;
}

static inline double loss_value(const Instance *loss, const LossInput *in)
{
    return tensor_value(loss_evaluate(loss, in).loss, 0);
}

static inline Tensor *loss_gradient(const Instance *loss, const LossInput *in)
{
    return gradient_of(loss_evaluate(loss, in).loss, in->logits);
}

#endif
