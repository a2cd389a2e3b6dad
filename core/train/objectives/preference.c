/* Learning from preferences (Rafailov et al. 2023; Zhai et al. 2024): pairs of responses to a prompt, whose
   log-likelihoods under the model are compared with those under a reference that stands still. */
#include <math.h>
#include <string.h>

#include "core/tensor/operations.h"
#include "core/train/checkpoint.h"
#include "core/train/objective.h"
#include "data/generator.h"

struct preference { const char *reference; int64_t samples; };

static const Param params[] = {
    PARAM_PATH(struct preference, reference, null,
               .help = "checkpoint of the reference policy; absent: the model as training begins"),
    PARAM_INT(struct preference, samples, 64, .min = 0, .max = 1000000,
              .help = "prompts of a split to which a response is drawn, to measure the divergence from the reference"),
    PARAM_END
};

/* The factor of the difference of log-ratios, which these losses have under this name; a sum, of the first of them. */
static double beta_of(const Instance *whole)
{
    const Instance *loss = loss_leaf(whole, 0);
    for (int64_t i = 1; !loss_takes_extra(loss, "reference"); i++)
        loss = loss_leaf(whole, i);
    const Param *param = loss->component->params;
    while (strcmp(param->name, "beta") != 0)
        param++;
    return *(const double *)(const void *)((const char *)loss->values + param->offset);
}

static bool check(const void *values, const Instance *loss, const Dataset *shape, const TrainConfig *train,
                  Error *error)
{
    (void)values, (void)train;
    if (!dataset_column(shape, "preference") || !shape->masks_targets)
        return fail_usage(error, "objective: preference wants pairs of responses; take data of the type preferences, "
                          "with its responses \"pairs\"");
    LossInput in = {.logits = t_zeros(ARRAY_F32, SHAPE(2, 2))};
    const LossTargets targets = loss_targets(loss);
    if (!loss_takes_extra(loss, "reference") || (targets != LOSS_VALUES && targets != LOSS_NO_TARGETS))
        return fail_usage(error, "loss: preference wants a loss of preferences, spce or dpo; %s is none",
                          loss->component->name);
    if (targets == LOSS_VALUES)
        in.targets = t_zeros(ARRAY_F32, SHAPE(2));
    loss_set_extra(&in, "reference", in.logits);
    if (loss_check(loss, &in, error))
        return true;
    error->status = STATUS_USAGE;
    return fail_at(error, "loss: %s", loss->component->name);
}

static bool prepare(ObjectiveContext *context, Error *error)
{
    const struct preference *self = context->values;
    ParameterSet *reference = context->state = parameters_copy(context->model->parameters);
    return !self->reference || checkpoint_load_weights(reference, self->reference, error) ||
           fail_at(error, "objective.reference");
}

static void release(ObjectiveContext *context)
{
    parameters_free(context->state);
}

static ParameterSet *kept(const ObjectiveContext *context)
{
    return context->state;
}

static const char *unset_source(const void *values)
{
    return ((const struct preference *)values)->reference ? NULL : "reference";
}

static void exchange(ParameterSet *a, ParameterSet *b)
{
    for (int64_t i = 0; i < a->count; i++) {
        void *data = a->items[i].value->data;
        a->items[i].value->data = b->items[i].value->data;
        b->items[i].value->data = data;
    }
}

/* ---- Log-likelihoods of responses: sums over their tokens, [N] ---- */

static Tensor *log_likelihood(Tensor *logits, Tensor *targets, Tensor *mask)
{
    int64_t count = logits->shape[0];
    Tensor *flat = t_reshape(logits, SHAPE(-1, logits->shape[2]));
    Tensor *rows = t_softmax_cross_entropy(flat, t_reshape(targets, SHAPE(-1)));
    return t_neg(t_sum(t_mul(t_reshape(rows, SHAPE(count, -1)), mask), -1, false));
}

/* Of the reference, in evaluation mode, without gradient. */
static Tensor *reference_likelihood(const ObjectiveContext *context, const BatchTensors *batch)
{
    Forward forward = {.groups = batch->groups};
    bool was = tape_record(false);
    exchange(context->model->parameters, context->state);
    Tensor *logits = model_forward(context->model, &forward, batch->x);
    exchange(context->model->parameters, context->state);
    Tensor *likelihood = log_likelihood(logits, batch->targets, batch->mask);
    tape_record(was);
    return likelihood;
}

/* What the losses take: [pairs, 2] of (chosen, rejected), which stand side by side. */
static LossInput pairs_of(const ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    Tensor *logits = objective_logits(context, forward, batch);
    int64_t pairs = batch->x->shape[0] / 2;
    LossInput in = {.logits = t_reshape(log_likelihood(logits, batch->targets, batch->mask), SHAPE(pairs, 2)),
                    .at = context->at};
    if (loss_targets(&context->loss) == LOSS_VALUES) {
        Tensor *both = t_reshape(batch_extra(batch, "preference"), SHAPE(pairs, 2));
        in.targets = t_reshape(t_slice(both, 1, 0, 1), SHAPE(pairs));
    }
    loss_set_extra(&in, "reference", t_reshape(reference_likelihood(context, batch), SHAPE(pairs, 2)));
    return in;
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    LossInput in = pairs_of(context, forward, batch);
    return loss_evaluate(&context->loss, &in).loss;
}

/* ---- Figures of a split ---- */

typedef struct Sums {
    double loss, agreed, decided, away, pairs;  /* over pairs */
    double divergence, tokens, samples;         /* over drawn responses */
} Sums;

static void add_pairs(const ObjectiveContext *context, const BatchTensors *batch, Sums *sums)
{
    Forward forward = {.groups = batch->groups};
    LossInput in = pairs_of(context, &forward, batch);
    int64_t pairs = in.logits->shape[0];
    double beta = beta_of(&context->loss);
    sums->loss += (double)pairs * tensor_value(loss_evaluate(&context->loss, &in).loss, 0);
    sums->pairs += (double)pairs;
    const Tensor *reference = loss_extra(&in, "reference"), *preference = batch_extra(batch, "preference");
    for (int64_t i = 0; i < pairs; i++) {
        double p = tensor_value(preference, 2 * i), ratio[2];
        for (int k = 0; k < 2; k++)
            ratio[k] = tensor_value(in.logits, 2 * i + k) - tensor_value(reference, 2 * i + k);
        double h = beta * (ratio[0] - ratio[1]);
        sums->decided += p != 0.5;
        sums->agreed += p != 0.5 && (h > 0) == (p > 0.5) && h != 0;
        sums->away += fabs(1 / (1 + exp(-h)) - p);
    }
}

/* A token for each row from the model's probabilities at position t, by draws of the samples' own. */
static void draw_tokens(const Tensor *logits, int64_t t, Random *draws, int32_t *tokens)
{
    int64_t rows = logits->shape[0], positions = logits->shape[1], words = logits->shape[2];
    double *p = memory_array((size_t)words, sizeof *p);
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t k = 0; k < words; k++)
            p[k] = tensor_value(logits, (row * positions + t) * words + k);
        softmax_in_place(p, words);
        tokens[row] = (int32_t)random_choice(p, words, random_uniform(&draws[row]));
    }
    memory_free(p);
}

/* The prompts of the first `count` pairs, with responses that the model draws, to the end token or to the end of the
   window. */
static BatchTensors draw_responses(const ObjectiveContext *context, const BatchTensors *batch, int64_t count,
                                   int32_t end_token)
{
    int64_t positions = batch->x->shape[1];
    BatchTensors drawn = {.x = t_new(ARRAY_I32, SHAPE(count, positions)),
                          .targets = t_zeros(ARRAY_I32, SHAPE(count, positions)),
                          .mask = t_zeros(ARRAY_F32, SHAPE(count, positions))};
    Random *draws = arena_zero(tape_arena(), (size_t)count, sizeof *draws);
    bool *begun = arena_zero(tape_arena(), (size_t)count, sizeof *begun);
    bool *ended = arena_zero(tape_arena(), (size_t)count, sizeof *ended);
    int32_t *tokens = arena_zero(tape_arena(), (size_t)count, sizeof *tokens);
    for (int64_t i = 0; i < count; i++) {
        draws[i] = (Random){.seed = context->seed, .stream = random_stream("preference"),
                            .index = (uint64_t)batch->batch->ids[2 * i] << 32};
        memcpy(tensor_i32(drawn.x) + i * positions, tensor_i32(batch->x) + 2 * i * positions,
               (size_t)positions * sizeof(int32_t));
    }
    for (int64_t t = 0; t < positions; t++) {
        Forward forward = {0};
        draw_tokens(model_forward(context->model, &forward, drawn.x), t, draws, tokens);
        for (int64_t i = 0; i < count; i++) {
            int64_t at = i * positions + t;
            begun[i] |= tensor_f32(batch->mask)[2 * i * positions + t] > 0;
            if (!begun[i] || ended[i])
                continue;
            tensor_f32(drawn.mask)[at] = 1;
            tensor_i32(drawn.targets)[at] = tokens[i];
            if (t + 1 < positions)
                tensor_i32(drawn.x)[at + 1] = tokens[i];
            ended[i] = tokens[i] == end_token;
        }
    }
    return drawn;
}

/* log model - log reference of responses that the model draws, whose mean is the divergence. */
static void add_drawn(const ObjectiveContext *context, const BatchTensors *batch, int32_t end_token, int64_t most,
                      Sums *sums)
{
    int64_t pairs = batch->x->shape[0] / 2, left = most - (int64_t)sums->samples, count = pairs < left ? pairs : left;
    if (count <= 0)
        return;
    BatchTensors drawn = draw_responses(context, batch, count, end_token);
    Forward forward = {0};
    Tensor *logits = model_forward(context->model, &forward, drawn.x);
    const Tensor *own = log_likelihood(logits, drawn.targets, drawn.mask),
                 *reference = reference_likelihood(context, &drawn);
    for (int64_t i = 0; i < count; i++)
        sums->divergence += tensor_value(own, i) - tensor_value(reference, i);
    for (int64_t i = 0; i < drawn.mask->count; i++)
        sums->tokens += tensor_value(drawn.mask, i);
    sums->samples += (double)count;
}

static SplitFigures measure(ObjectiveContext *context, const DataSplit *split)
{
    const struct preference *self = context->values;
    Loader *loader = loader_new(split, (LoaderOptions){.batch_size = context->config->train.eval_batch_size});
    bool was = tape_record(false);
    const ScheduleContext at = context->at;
    context->at = SCHEDULE_END;
    Sums sums = {0};
    for (int64_t i = 0; i < loader_batches(loader); i++) {
        BatchTensors batch = batch_tensors(context->model, split->dataset, loader_batch(loader, 0, i));
        add_pairs(context, &batch, &sums);
        add_drawn(context, &batch, split->dataset->end_token, self->samples, &sums);
        tape_reset();
    }
    context->at = at;
    tape_record(was);
    loader_free(loader);
    SplitFigures figures = {3, {{"loss", sums.loss / sums.pairs},
                                    {"implicit_accuracy", sums.agreed / sums.decided},
                                    {"calibration", sums.away / sums.pairs},
                                    {"kl_reference", sums.divergence / sums.samples},
                                    {"response_tokens", sums.tokens / sums.samples}}};
    if (sums.samples > 0)
        figures.count = 5;
    return figures;
}

const ObjectiveDef objective_preference = {
    .component = {.name = "preference",
                  .summary = "likelihoods of responses that follow preferences, against a reference",
                  .params = params,
                  .size = sizeof(struct preference),
                  .source = "arXiv:2305.18290, arXiv:2405.14103",
                  .formula = "L(h, p), h = beta ((log pi(w) - log ref(w)) - (log pi(l) - log ref(l)))",
                  .notes = "For data of the type preferences and the losses spce and dpo. log pi of a response is the "
                           "sum over its tokens, its end included, given the prompt. The reference is computed in "
                           "evaluation mode and has no gradient. In place of metrics a split is measured by the loss; "
                           "implicit_accuracy, the share of pairs with p other than 1/2 where h has the sign of "
                           "p - 1/2; calibration, the mean of |sigmoid(h) - p|, both with the data's p whatever the "
                           "loss; and, of responses drawn from the model, kl_reference, the mean of log pi - log ref, "
                           "and response_tokens. Responses without an end of one token are drawn to the end of the "
                           "window. Nothing holds pairs to what the model would answer by itself: far from the "
                           "reference its likelihood goes to responses that no pair has, often short ones."},
    .check = check, .prepare = prepare, .release = release, .kept = kept, .unset_source = unset_source,
    .loss = loss, .measure = measure,
};
