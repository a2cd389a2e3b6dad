/* The training loop. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/train/checkpoint.h"
#include "core/train/folder.h"
#include "core/train/gradients.h"

typedef struct Loop {
    Run *run;
    const TrainOptions *options;
    RunFolder *folder;
    int64_t total, steps_per_epoch;
    double began, before;       /* clock at the start; seconds of earlier parts of the run */
    int64_t samples;            /* in this part */
} Loop;

static double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double learning_rate_factor(const Loop *loop)
{
    const Run *run = loop->run;
    ScheduleContext at = {run->progress.step, loop->total, loop->steps_per_epoch};
    return schedule_factor(&run->config->schedule, &at) * run->progress.schedule_factor;
}

static cJSON *line_of(const Progress *progress, const char *split)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "step", (double)progress->step);
    cJSON_AddNumberToObject(line, "epoch", (double)progress->epoch);
    cJSON_AddStringToObject(line, "split", split);
    return line;
}

static bool log_step(Loop *loop, double loss, double lr, Error *error)
{
    cJSON *line = line_of(&loop->run->progress, "train");
    cJSON_AddItemToObject(line, "loss", json_number9(loss));
    cJSON_AddItemToObject(line, "lr", json_number9(lr));
    ObjectiveContext *context = &loop->run->context;
    for (int i = 0; i < context->figure_count; i++)
        cJSON_AddItemToObject(line, context->figures[i].name, json_number9(context->figures[i].value));
    context->figure_count = 0;
    return run_folder_log(loop->folder, line, error);
}

static void update_average(Run *run)
{
    float decay = (float)run->config->train.ema;
    for (int64_t i = 0; run->average && i < run->average->count; i++) {
        const float *value = tensor_f32(run->model->parameters->items[i].value);
        float *average = tensor_f32(run->average->items[i].value);
        for (int64_t k = 0; k < run->average->items[i].value->count; k++)
            average[k] = decay * average[k] + (1 - decay) * value[k];
    }
}

static void report(Loop *loop, bool epoch_end, double loss, double lr, Measure validation)
{
    double seconds = clock_seconds() - loop->began;
    TrainReport figures = {
        loop->run, epoch_end, loss, lr, validation, loop->total, seconds > 0 ? (double)loop->samples / seconds : 0};
    if (loop->options->report)
        loop->options->report(loop->options->report_context, &figures);
}

static bool run_step(Loop *loop, Error *error)
{
    Run *run = loop->run;
    Progress *progress = &run->progress;
    int64_t left = loader_batches(run->loader) - progress->batch, count = run->config->train.accumulate;
    count = count < left ? count : left;
    run->context.at = (ScheduleContext){progress->step, loop->total, loop->steps_per_epoch};
    double factor = learning_rate_factor(loop), lr = factor * optimizer_lr(run->optimizer);
    run->context.schedule_factor = factor;
    bool logged = (progress->step + 1) % run->config->train.log_every == 0;
    run->context.logged = logged;
    StepGradients step = step_gradients(run, progress->epoch, progress->batch, count);
    if (!isfinite(step.loss)) {
        const char *where = step.not_finite ? step.not_finite->name : NULL;
        return fail(error,
                    "%s: the loss is not finite at step %lld (epoch %lld), first in %s; try a lower optimizer.lr or "
                    "train.clip_norm",
                    loop->options->folder, (long long)progress->step + 1, (long long)progress->epoch,
                    where ? where : "the loss itself");
    }
    optimizer_step(run->optimizer, step.gradients, factor, progress->step + 1);
    update_average(run);
    progress->step++;
    progress->batch += count;
    loop->samples += step.samples;
    progress->seconds = loop->before + clock_seconds() - loop->began;
    if (logged && !log_step(loop, step.loss, lr, error))
        return false;
    report(loop, false, step.loss, lr, (Measure){.loss = NAN, .accuracy = NAN});
    return true;
}

/* The last update may have done what no loss has shown yet. */
static bool check_parameters(const Loop *loop, Error *error)
{
    const ParameterSet *parameters = loop->run->model->parameters;
    for (int64_t i = 0; i < parameters->count; i++)
        for (int64_t k = 0; k < parameters->items[i].value->count; k++)
            if (!isfinite(tensor_f32(parameters->items[i].value)[k]))
                return fail(
                    error,
                    "%s: parameter %s is not finite after step %lld; try a lower optimizer.lr or train.clip_norm",
                    loop->options->folder, parameters->items[i].name, (long long)loop->run->progress.step);
    return true;
}

static bool save_last(Loop *loop, Error *error)
{
    return checkpoint_save_last(loop->run, loop->folder->path, error) && run_folder_settle(loop->folder, error);
}

/* Validation, the best checkpoint, patience, the plateau schedule. */
static bool end_epoch(Loop *loop, Error *error)
{
    Run *run = loop->run;
    Progress *progress = &run->progress;
    bool keep_whole = progress->batch < loader_batches(run->loader) && progress->best_epoch >= 0;
    progress->epoch++;
    progress->batch = 0;
    if (run->objective->settle)
        run->objective->settle(&run->context);
    run_swap_average(run);
    Measure validation = {.loss = NAN, .accuracy = NAN};
    if (!run->objective->outputs)
        validation = run_measure(run, &run->splits.val);
    run_swap_average(run);
    if (validation.count && !isfinite(validation.loss))
        return fail(
            error,
            "%s: the validation loss is not finite after epoch %lld; try a lower optimizer.lr or train.clip_norm",
            loop->options->folder, (long long)progress->epoch);
    if (!check_parameters(loop, error))
        return false;
    bool better = validation.count == 0 || isnan(progress->best_loss) || validation.loss < progress->best_loss;
    progress->bad_epochs = better ? 0 : progress->bad_epochs + 1;
    if (better) {
        progress->best_loss = validation.loss;
        progress->best_epoch = progress->epoch;
        progress->best_step = progress->step;
    }
    if (validation.count) {
        cJSON *line = line_of(progress, "val");
        cJSON_AddItemToObject(line, "loss", json_number9(validation.loss));
        if (!isnan(validation.accuracy))
            cJSON_AddItemToObject(line, "accuracy", json_number9(validation.accuracy));
        for (int i = 1; i < validation.figures.count; i++)
            cJSON_AddItemToObject(line, validation.figures.items[i].name,
                                  json_number9(validation.figures.items[i].value));
        if (!run_folder_log(loop->folder, line, error))
            return false;
        const ScheduleDef *schedule = (const ScheduleDef *)run->config->schedule.component;
        if (schedule->observe)
            schedule->observe(run->config->schedule.values, validation.loss, progress->schedule_state,
                              &progress->schedule_factor);
    }
    report(loop, true, NAN, learning_rate_factor(loop) * optimizer_lr(run->optimizer), validation);
    return !better || checkpoint_save_best(run, loop->folder->path, keep_whole, error);
}

bool run_at_end(const Run *run)
{
    const TrainConfig *train = &run->config->train;
    const Progress *progress = &run->progress;
    return (train->epochs != PARAM_UNSET && progress->epoch >= train->epochs) ||
           (train->steps != PARAM_UNSET && progress->step >= train->steps) ||
           (!isnan(train->seconds) && progress->seconds >= train->seconds) ||
           (train->patience != PARAM_UNSET && progress->bad_epochs >= train->patience);
}

static bool go_on(const Loop *loop)
{
    return !loop->options->stop || !*loop->options->stop;
}

/* Steps to the end of the epoch, or of the run; `ended` when every batch of the epoch is done. */
static bool run_epoch(Loop *loop, bool *ended, Error *error)
{
    Run *run = loop->run;
    int64_t save_every = run->config->train.save_every;
    *ended = run->progress.batch >= loader_batches(run->loader);
    while (!*ended && !run_at_end(loop->run) && go_on(loop)) {
        if (!run_step(loop, error))
            return false;
        *ended = run->progress.batch >= loader_batches(run->loader);
        if (!*ended && save_every != PARAM_UNSET && run->progress.step % save_every == 0 && !save_last(loop, error))
            return false;
    }
    return true;
}

/* A run that ends inside an epoch is validated too, so that there is a best checkpoint; but what is saved
   for going on knows nothing of it, as a run that is not stopped there would not. */
static bool finish(Loop *loop, Error *error)
{
    Run *run = loop->run;
    Progress kept = run->progress;
    if (run->progress.batch > 0) {
        if (!end_epoch(loop, error))
            return false;
    } else if (run->progress.best_epoch < 0 && /* no step at all */
               !checkpoint_save_best(run, loop->folder->path, false, error)) {
        return false;
    }
    Progress after = run->progress;
    run->progress = kept;
    run->progress.finished = after.finished = true;
    if (!save_last(loop, error))
        return false;
    run->progress = after;
    return true;
}

static bool loop_steps(Loop *loop, Error *error)
{
    while (!run_at_end(loop->run) && go_on(loop)) {
        bool ended;
        if (!run_epoch(loop, &ended, error))
            return false;
        if (ended && !end_epoch(loop, error))
            return false;
        if (ended && !run_at_end(loop->run) && !save_last(loop, error))
            return false; /* at the end, finish saves */
    }
    if (run_at_end(loop->run))
        return finish(loop, error);
    bool nothing = loop->folder->replaced && loop->run->progress.step == 0; /* to replace a run with */
    return nothing || save_last(loop, error);
}

bool run_train(Run *run, RunFolder *folder, const TrainOptions *options, Error *error)
{
    run->progress.finished = false;
    Loop loop = {.run = run,
                 .options = options,
                 .folder = folder,
                 .total = run_total_steps(run),
                 .steps_per_epoch = run_steps_per_epoch(run),
                 .began = clock_seconds(),
                 .before = run->progress.seconds};
    return loop_steps(&loop, error);
}
