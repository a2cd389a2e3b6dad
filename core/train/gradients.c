#include "core/train/gradients.h"

#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/operations.h"

static Forward training_pass(const Run *run, int64_t draw)
{
    Forward forward = {.training = true,
                       .recompute = run->config->train.recompute,
                       .seed = (uint64_t)run->config->seed,
                       .step = run->progress.step};
    forward.draws = (uint32_t)draw << 16; /* the batches of one step draw apart */
    return forward;
}

static Tensor *batch_loss(Run *run, Forward *forward, const Batch *batch)
{
    BatchTensors tensors = batch_tensors(run->model, run->splits.train.dataset, batch);
    Tensor *loss = run->objective->loss(&run->context, forward, &tensors);
    return forward->penalty ? t_add(loss, forward->penalty) : loss;
}

/* The same pass again, looking at every layer. */
static const Layer *find_not_finite(Run *run, const Batch *batch, int64_t draw)
{
    Forward forward = training_pass(run, draw);
    forward.find_not_finite = true;
    bool was = tape_record(false);
    batch_loss(run, &forward, batch);
    tape_record(was);
    return forward.not_finite;
}

/* Means over `count` batches, in the run's own buffers. */
static void accumulate(Run *run, float **gradients, int64_t index, int64_t count)
{
    ParameterSet *parameters = run->model->parameters;
    float share = 1 / (float)count;
    for (int64_t i = 0; i < parameters->count; i++) {
        Tensor *value = parameters->items[i].value;
        float *sum = run->gradient_sums[i];
        if (index == 0)
            memset(sum, 0, (size_t)value->count * sizeof *sum);
        const float *gradient = value->gradient ? tensor_f32(value->gradient) : NULL;
        for (int64_t k = 0; gradient && k < value->count; k++)
            sum[k] += share * gradient[k];
        if (gradient)
            gradients[i] = sum;
    }
}

enum { NORM_CHUNK = 1 << 14 };

typedef struct NormWork { const float *gradient; int64_t count; double *sums; } NormWork;

static void norm_chunks(void *context, int64_t begin, int64_t end)
{
    const NormWork *work = context;
    double sum = 0;
    for (int64_t i = begin; i < end; i++)
        sum += (double)work->gradient[i] * (double)work->gradient[i];
    work->sums[begin / NORM_CHUNK] = sum;
}

/* Sum of squares, cut by size and added in order. */
static double sum_of_squares(const float *gradient, int64_t count)
{
    int64_t chunks = (count + NORM_CHUNK - 1) / NORM_CHUNK;
    NormWork work = {gradient, count, arena_alloc(tape_arena(), (size_t)chunks * sizeof(double))};
    parallel_for(count, NORM_CHUNK, norm_chunks, &work);
    double sum = 0;
    for (int64_t i = 0; i < chunks; i++)
        sum += work.sums[i];
    return sum;
}

/* Into new memory: one gradient may be that of two parameters. */
static void clip(Run *run, float **gradients)
{
    const TrainConfig *train = &run->config->train;
    const ParameterSet *parameters = run->model->parameters;
    double factor = 1, bound = isnan(train->clip_value) ? INFINITY : train->clip_value;
    if (!isnan(train->clip_norm)) {
        double sum = 0;
        for (int64_t i = 0; i < parameters->count; i++)
            sum += gradients[i] ? sum_of_squares(gradients[i], parameters->items[i].value->count) : 0;
        factor = sqrt(sum) > train->clip_norm ? train->clip_norm / sqrt(sum) : 1;
    }
    if (factor == 1 && isinf(bound))
        return;
    for (int64_t i = 0; i < parameters->count; i++) {
        int64_t count = parameters->items[i].value->count;
        if (!gradients[i])
            continue;
        float *clipped = arena_alloc(tape_arena(), (size_t)count * sizeof *clipped), scale = (float)factor,
              limit = (float)bound;
        for (int64_t k = 0; k < count; k++) {
            float g = gradients[i][k];
            g = g > limit ? limit : g < -limit ? -limit : g;
            clipped[k] = scale * g;
        }
        gradients[i] = clipped;
    }
}

StepGradients step_gradients(Run *run, int64_t epoch, int64_t first, int64_t count)
{
    ParameterSet *parameters = run->model->parameters;
    StepGradients result = {0};
    tape_reset();
    for (int64_t b = 0; b < count; b++) {
        if (b > 0)
            tape_reset(); /* the sums are not the tape's */
        result.gradients = arena_zero(tape_arena(), (size_t)parameters->count, sizeof *result.gradients);
        for (int64_t i = 0; i < parameters->count; i++)
            tensor_clear_gradient(parameters->items[i].value);
        const Batch *batch = loader_batch(run->loader, epoch, first + b);
        Forward forward = training_pass(run, b);
        Tensor *loss = batch_loss(run, &forward, batch);
        double value = tensor_value(loss, 0);
        result.loss += value / (double)count;
        result.samples += batch->count;
        if (!isfinite(value)) {
            result.not_finite = find_not_finite(run, batch, b);
            return result;
        }
        t_backward(loss);
        if (run->gradient_sums)
            accumulate(run, result.gradients, b, count);
    }
    for (int64_t i = 0; i < parameters->count && !run->gradient_sums; i++)
        if (parameters->items[i].value->gradient)
            result.gradients[i] = tensor_f32(parameters->items[i].value->gradient);
    clip(run, result.gradients);
    return result;
}
