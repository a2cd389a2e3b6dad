/* Retrieval by the batch's own classes (Karpukhin et al. 2020): each sample's class against those of the other samples,
   and against classes that score high though they are wrong. */
#include "core/tensor/operations.h"
#include "core/train/objective.h"
#include "data/transform.h"

struct in_batch { int64_t hard_negatives; };

static const Param params[] = {
    PARAM_INT(struct in_batch, hard_negatives, 0, .min = 0, .max = 1e6,
              .help = "wrong classes of highest score of each sample that are compared too, with all samples"),
    PARAM_END
};

static bool is_of_scores(const LossDef *def)
{
    return !def->outputs && !def->state_width && !def->cosines && !def->tap && !def->unnamed_classes && !def->extras;
}

static bool takes_scores(const Instance *loss)
{
    LossTargets targets = loss_targets(loss);
    return (targets == LOSS_CLASSES || targets == LOSS_CLASSES_OR_SOFT) && loss_every_leaf(loss, is_of_scores);
}

static bool check(const void *values, const Instance *loss, const Dataset *shape, const TrainConfig *train,
                  Error *error)
{
    (void)values;
    if (shape->target_kind != TARGET_CLASS)
        return fail_usage(error, "objective: in_batch wants one class a sample, such as the document of a query");
    if (!takes_scores(loss))
        return fail_usage(error, "loss: in_batch wants a loss of scores, such as mw or infonce; %s is none",
                          loss->component->name);
    if (shape->classes < 2)
        return fail_usage(error, "objective: in_batch compares classes, and the data has one");
    for (int64_t i = 0; i < train->transforms.count; i++)
        if (((const TransformDef *)train->transforms.items[i].component)->batch)
            return fail_usage(error, "train.transforms: %s mixes samples; in_batch wants one class of each",
                              train->transforms.items[i].component->name);
    return true;
}

typedef struct Columns {
    int64_t count;
    int32_t *classes;           /* [count], in the order in which they were met */
    int32_t *places;            /* [all classes], where a class stands; -1: nowhere */
} Columns;

static void add_column(Columns *columns, int32_t class)
{
    if (columns->places[class] >= 0)
        return;
    columns->places[class] = (int32_t)columns->count;
    columns->classes[columns->count++] = class;
}

/* The `count` wrong classes of highest score, the first of equal ones first. */
static void add_hardest(Columns *columns, const Tensor *scores, int64_t row, int32_t own, int64_t count)
{
    int64_t all = scores->shape[1];
    unsigned char *taken = arena_zero(tape_arena(), (size_t)all, 1);
    taken[own] = 1;
    for (int64_t i = 0; i < count && i < all - 1; i++) {
        int64_t best = -1;
        for (int64_t c = 0; c < all; c++)
            if (!taken[c] && (best < 0 || tensor_value(scores, row * all + c) > tensor_value(scores, row * all + best)))
                best = c;
        taken[best] = 1;
        add_column(columns, (int32_t)best);
    }
}

/* A batch of a single class is compared with the hardest of the others. */
static Columns choose_columns(const Tensor *scores, const int32_t *labels, int64_t hard_negatives)
{
    int64_t rows = scores->shape[0], all = scores->shape[1];
    Columns columns = {0, arena_alloc(tape_arena(), (size_t)all * sizeof(int32_t)),
                       arena_alloc(tape_arena(), (size_t)all * sizeof(int32_t))};
    for (int64_t c = 0; c < all; c++)
        columns.places[c] = -1;
    for (int64_t i = 0; i < rows; i++)
        add_column(&columns, labels[i]);
    if (columns.count == 1 && hard_negatives == 0)
        hard_negatives = 1;
    for (int64_t i = 0; i < rows; i++)
        add_hardest(&columns, scores, i, labels[i], hard_negatives);
    return columns;
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const struct in_batch *self = context->values;
    LossInput input = objective_loss_input(context, forward, batch, objective_logits(context, forward, batch));
    Columns columns = choose_columns(input.logits, tensor_i32(input.targets), self->hard_negatives);
    Tensor *index = t_wrap(ARRAY_I32, SHAPE(columns.count), columns.classes), *targets = t_like(input.targets);
    for (int64_t i = 0; i < targets->count; i++)
        tensor_i32(targets)[i] = columns.places[tensor_i32(input.targets)[i]];
    const int swapped[] = {1, 0};
    input.logits = t_permute(t_index_select(t_permute(input.logits, swapped), index), swapped);
    input.targets = targets;
    return loss_evaluate(&context->loss, &input).loss;
}

const ObjectiveDef objective_in_batch = {
    .component = {.name = "in_batch",
                  .summary = "the loss of scores of the batch's own classes, and of hard negatives",
                  .params = params,
                  .size = sizeof(struct in_batch),
                  .source = "arXiv:2004.04906",
                  .formula = "L(s[:, classes of the batch and their hard negatives])",
                  .notes =
                      "The classes of a batch, each once, are the columns of the scores; a class that two samples "
                      "share is no negative of either. Hard negatives are chosen by the scores of the step itself, "
                      "and are negatives of all samples. A batch of a single class gets one for each sample. "
                      "Figures while training and after it are of all classes."},
    .check = check,
    .loss = loss,
};
