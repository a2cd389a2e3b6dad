/* Loss and accuracy of a split, in evaluation mode. */
#include <string.h>

#include "core/tensor/operations.h"
#include "core/train/run.h"

typedef struct Sums { double loss, weight, correct; int64_t count; } Sums;

static int64_t count_correct(const Tensor *logits, const Tensor *targets)
{
    if (targets->type != ARRAY_I32)
        return 0;
    int64_t classes = logits->shape[logits->rank - 1], correct = 0;
    for (int64_t i = 0; i < targets->count; i++) {
        const float *row = tensor_f32(logits) + i * classes;
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++)
            best = row[c] > row[best] ? c : best;
        correct += best == tensor_i32(targets)[i];
    }
    return correct;
}

static void add_batch(Run *run, const Batch *batch, const Dataset *dataset, Sums *sums)
{
    Forward forward = {.seed = (uint64_t)run->config->seed};
    BatchTensors tensors = batch_tensors(run->model, dataset, batch);
    Tensor *logits = model_forward(run->model, &forward, tensors.x);
    LossInput input = objective_loss_input(&run->context, &forward, &tensors, logits);
    input.state = NULL; /* samples of other splits have none */
    input.ids = NULL;
    Tensor *loss = loss_evaluate(&run->config->loss, &input).loss;
    double weight = input.weights ? 0 : (double)input.logits->shape[0];
    for (int64_t i = 0; input.weights && i < input.weights->count; i++)
        weight += tensor_value(input.weights, i);
    sums->loss += weight * tensor_value(loss, 0);
    sums->weight += weight;
    sums->correct += (double)count_correct(input.logits, input.targets);
    sums->count += input.logits->shape[0];
}

Measure run_measure(Run *run, const DataSplit *split)
{
    if (split->count == 0)
        return (Measure){0, NAN, NAN};
    bool was = tape_record(false);
    LoaderOptions options = {.batch_size = run->config->train.eval_batch_size, .prefetch = false};
    Loader *loader = loader_new(split, options);
    Sums sums = {0};
    for (int64_t i = 0; i < loader_batches(loader); i++) {
        add_batch(run, loader_batch(loader, 0, i), split->dataset, &sums);
        tape_reset();
    }
    loader_free(loader);
    tape_record(was);
    TargetKind kind = split->dataset->target_kind;
    bool counted = kind == TARGET_CLASS || kind == TARGET_TOKENS;
    return (Measure){sums.count, sums.loss / sums.weight, counted ? sums.correct / (double)sums.count : NAN};
}
