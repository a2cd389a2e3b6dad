/* Loss and accuracy of a split, in evaluation mode. */
#include <assert.h>
#include <string.h>

#include "core/tensor/operations.h"
#include "core/train/run.h"

/* Of a loss, or of each term of a sum, which may count groups where others count samples. */
typedef struct Share { double loss, weight; } Share;
typedef struct Sums { Share *shares; double correct; int64_t count; } Sums;

static int64_t count_correct(const Instance *loss, const Tensor *logits, const Tensor *targets, const Tensor *mask,
                             int64_t classes)
{
    if (targets->type != ARRAY_I32)
        return 0;
    int64_t correct = 0;
    double *decoded = arena_alloc(tape_arena(), (size_t)(targets->count * classes) * sizeof *decoded);
    loss_decode(loss, logits, classes, decoded);
    for (int64_t i = 0; i < targets->count; i++) {
        const double *row = decoded + i * classes;
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++)
            best = row[c] > row[best] ? c : best;
        correct += best == tensor_i32(targets)[i] && (!mask || tensor_f32(mask)[i] > 0);
    }
    return correct;
}

/* What a batch counts for: a loss of the whole batch is a mean over groups, where there are groups. */
static double rows_of(const LossDef *def, const LossInput *in, const Tensor *groups)
{
    double count = 0;
    for (int64_t i = 0; def->whole_batch && groups && i < groups->count; i++)
        count += i == 0 || tensor_i32(groups)[i] != tensor_i32(groups)[i - 1];
    return count > 0 ? count : (double)in->logits->shape[0];
}

/* What is a sum of its terms, whatever the samples' weights. */
static bool has_terms(const LossDef *def)
{
    return def->part && !def->weights;
}

/* Returns the place behind the shares of this loss. */
static Share *add_loss(const Instance *loss, const LossInput *in, const Tensor *groups, Share *at)
{
    const LossDef *def = (const LossDef *)loss->component;
    const Instance *part;
    for (int64_t i = 0; has_terms(def) && (part = def->part(loss->values, i)); i++) {
        LossInput own = loss_part_input(loss, i, in);
        at = add_loss(part, &own, groups, at);
    }
    if (has_terms(def))
        return at;
    double weight = in->weights ? 0 : rows_of(def, in, groups);
    for (int64_t i = 0; in->weights && i < in->weights->count; i++)
        weight += tensor_value(in->weights, i);
    at->loss += weight * tensor_value(loss_evaluate(loss, in).loss, 0);
    at->weight += weight;
    return at + 1;
}

static double mean_loss(const Instance *loss, const Share **at)
{
    const LossDef *def = (const LossDef *)loss->component;
    const ScheduleContext end = SCHEDULE_END;
    const Instance *part;
    double sum = 0;
    for (int64_t i = 0; has_terms(def) && (part = def->part(loss->values, i)); i++)
        sum += loss_part_factor(loss, i, &end) * mean_loss(part, at);
    if (has_terms(def))
        return sum;
    const Share *own = (*at)++;
    return own->loss / own->weight;
}

static int64_t count_leaves(const Instance *loss)
{
    int64_t count = 0;
    while (loss_leaf(loss, count))
        count++;
    return count;
}

/* Samples, or positions that have a target. */
static int64_t count_of(const LossInput *in, const Tensor *mask)
{
    int64_t count = in->targets && in->targets->type == ARRAY_I32 ? in->targets->count : in->logits->shape[0];
    for (int64_t i = 0; mask && i < mask->count; i++)
        count -= tensor_f32(mask)[i] == 0;
    return count;
}

static void add_batch(ObjectiveContext *context, const Batch *batch, const Dataset *dataset, Sums *sums)
{
    Forward forward = {.seed = context->seed};
    BatchTensors tensors = batch_tensors(context->model, dataset, batch);
    Tensor *logits = objective_logits(context, &forward, &tensors);
    LossInput input = objective_loss_input(context, &forward, &tensors, logits);
    input.ids = NULL; /* samples of other splits have no state */
    add_loss(&context->loss, &input, tensors.groups, sums->shares);
    sums->correct += (double)count_correct(&context->loss, input.logits, input.targets, tensors.mask, dataset->classes);
    sums->count += count_of(&input, tensors.mask);
}

static bool gives_groups(const void *dataset, const char *name)
{
    return strcmp(name, "group") != 0 || ((const Dataset *)dataset)->group_count > 0;
}

Measure split_measure(Model *model, const Instance *loss, const DataSplit *split, int64_t batch_size, uint64_t seed)
{
    if (split->count == 0 || split->dataset->values_unknown || !loss_measures(loss) ||
        loss_missing_extra(loss, gives_groups, split->dataset))
        return (Measure){.loss = NAN, .accuracy = NAN};
    ObjectiveContext context = {.model = model, .loss = *loss, .seed = seed, .at = SCHEDULE_END};
    Error error;
    bool found = objective_tap(model, loss, &context.tap, &error);
    assert(found); /* run_new and saved_open have looked */
    (void)found;
    bool was = tape_record(false);
    Loader *loader = loader_new(split, (LoaderOptions){.batch_size = batch_size});
    Sums sums = {.shares = memory_array((size_t)count_leaves(loss), sizeof(Share))};
    for (int64_t i = 0; i < loader_batches(loader); i++) {
        add_batch(&context, loader_batch(loader, 0, i), split->dataset, &sums);
        tape_reset();
    }
    loader_free(loader);
    tape_record(was);
    const Share *shares = sums.shares;
    const double mean = mean_loss(loss, &shares);
    memory_free(sums.shares);
    TargetKind kind = split->dataset->target_kind;
    bool counted = kind == TARGET_CLASS || kind == TARGET_TOKENS;
    return (Measure){.count = sums.count, .loss = mean,
                     .accuracy = counted ? sums.correct / (double)sums.count : NAN};
}

Measure run_measure(Run *run, const DataSplit *split)
{
    const Config *config = run->config;
    if (split->count && run->objective->measure) {
        SplitFigures figures = run->objective->measure(&run->context, split);
        return (Measure){.count = split->count, .loss = figures.items[0].value, .accuracy = NAN, .figures = figures};
    }
    return split_measure(run->model, &config->loss, split, config->train.eval_batch_size, (uint64_t)config->seed);
}
