#include "losses/rows.h"

#include <string.h>

#include "core/kernels/kernels.h"
#include "core/tensor/operations.h"
#include "core/tensor/row_function.h"

_Static_assert((int)LOSS_MOST_PARTNERS < (int)ROW_MOST_INPUTS, "a row has logits and their partners");

typedef struct RowContext {
    const Instance *loss;
    LossInput in;
    LossRowFunction run;
} RowContext;

static const LossDef *definition(const Instance *loss)
{
    return (const LossDef *)loss->component;
}

static bool wants_gradient(const Tensor *tensor)
{
    return tensor && tensor->requires_gradient;
}

static bool is_partner(const LossRows *rows, const char *name)
{
    for (int i = 0; i < LOSS_MOST_PARTNERS && rows->partners[i]; i++)
        if (strcmp(rows->partners[i], name) == 0)
            return true;
    return false;
}

bool loss_rows_apply(const Instance *loss, const LossInput *in)
{
    const LossRows *rows = definition(loss)->rows;
    if (!rows || in->logits->type != ARRAY_F32 || in->logits->rank < 2 || wants_gradient(in->targets) ||
        wants_gradient(in->features))
        return false;
    for (int i = 0; i < in->extra_count; i++)
        if (wants_gradient(in->extras[i].value) && !is_partner(rows, in->extras[i].name))
            return false;
    return !rows->takes || rows->takes(loss->values, in);
}

static LossRow loss_row(const RowContext *context, const Row *row)
{
    const Tensor *targets = context->in.targets;
    LossRow result = {.in = &context->in, .index = row->index, .columns = row->columns, .logits = row->x[0],
                      .target = -1, .scratch = row->scratch};
    for (int i = 0; i < LOSS_MOST_PARTNERS; i++) {
        result.partners[i] = row->x[1 + i];
        result.partner_gradients[i] = row->gradients[1 + i];
    }
    if (targets && targets->type == ARRAY_I32)
        result.target = tensor_i32(targets)[row->index];
    else if (targets)
        result.targets = tensor_f32(targets) + row->index * (targets->count / targets->shape[0]);
    return result;
}

static float run_row(const void *values, const Row *row)
{
    const RowContext *context = values;
    const LossRow own = loss_row(context, row);
    return context->run(context->loss->values, &own, row->gradients[0]);
}

static Tensor *composed(const void *values, Tensor *const *inputs)
{
    const RowContext *context = values;
    LossInput in = context->in;
    in.logits = inputs[0];
    return definition(context->loss)->forward(context->loss->values, &in);
}

LossRowFunction loss_rows_function(const LossRows *rows, int64_t columns)
{
    enum { WIDEST = 16 };
    const char *isa = kernels()->isa;
    if (strcmp(isa, "avx512") == 0)
        return rows->run[columns < WIDEST ? ROW_AVX2 : ROW_AVX512];
    return rows->run[strcmp(isa, "avx2") == 0 ? ROW_AVX2 : ROW_BASELINE];
}

Tensor *loss_rows(const Instance *loss, const LossInput *in)
{
    const LossRows *rows = definition(loss)->rows;
    Tensor *z = in->logits;
    const int64_t columns = z->count / z->shape[0]; /* masks: all axes after the first are a row's */
    RowContext *context = arena_zero(tape_arena(), 1, sizeof *context);
    *context = (RowContext){loss, *in, loss_rows_function(rows, columns)};
    RowFunction *function = arena_zero(tape_arena(), 1, sizeof *function);
    *function = (RowFunction){rows->scratch, run_row, composed};
    Tensor *inputs[ROW_MOST_INPUTS] = {z};
    int count = 1;
    for (int i = 0; i < LOSS_MOST_PARTNERS && rows->partners[i]; i++)
        inputs[count++] = loss_extra(in, rows->partners[i]);
    for (int i = 0; i < count; i++)
        inputs[i] = inputs[i]->rank == 2 ? inputs[i] : t_reshape(inputs[i], SHAPE(z->shape[0], columns));
    return t_rows(function, context, count, inputs);
}
