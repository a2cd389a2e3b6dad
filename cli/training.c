#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/evaluation.h"
#include "cli/progress.h"
#include "cli/training.h"
#include "core/base/file.h"
#include "core/distill/distiller.h"
#include "core/report/report.h"
#include "core/train/checkpoint.h"
#include "core/train/folder.h"
#include "core/train/outputs.h"
#include "core/train/summary.h"

static volatile sig_atomic_t stop_signal;

/* The second signal ends the program at once. */
static void on_signal(int number)
{
    if (stop_signal)
        _exit(128 + number);
    stop_signal = number;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

typedef struct Training {
    const Arguments *arguments;
    bool distill;
    Arena *arena;
    const char *folder_path;
    bool resume, force, quiet, json;
    Run *run;
    RunFolder folder;
    double samples_per_second;
} Training;

/* runs/NAME for a config NAME.json. */
static const char *default_folder(Arena *arena, const char *config)
{
    if (config[0] == '{')
        return "runs/run";
    const char *base = strrchr(config, '/') ? strrchr(config, '/') + 1 : config;
    size_t length = strlen(base);
    if (length > 5 && strcmp(base + length - 5, ".json") == 0)
        length -= 5;
    return arena_format(arena, "runs/%.*s", (int)length, base);
}

static bool fail_taken(const Training *training, Error *error)
{
    return fail_usage(error, "%s holds a run already; give --resume to go on with it, --force to replace it, or "
                      "-o another folder", training->folder_path);
}

static bool check_folder(Training *training, Error *error)
{
    if (training->resume && training->force)
        return fail_usage(error, "--resume: cannot be given with --force");
    if (!argument_option(training->arguments, "dry-run") &&
        !run_folder_lock(&training->folder, training->folder_path, error))
        return false;
    bool has = folder_has_run(training->folder_path);
    if (training->resume && !has)
        return fail_usage(error, "--resume: %s holds no run", training->folder_path);
    if (has && !training->resume && !training->force)
        return fail_taken(training, error);
    if (file_exists(training->folder_path) && !file_is_folder(training->folder_path))
        return fail_usage(error, "-o: %s is not a folder", training->folder_path);
    return true;
}

/* The best checkpoint, as `xent eval` would load it. */
static bool load_best(Training *training, Error *error)
{
    const char *path = arena_format(training->arena, "%s/checkpoints/best.safetensors", training->folder_path);
    return checkpoint_load_weights(training->run->model->parameters, path, error);
}

/* The line of metrics.jsonl that is written once, at the end. */
static bool log_test(Training *training, const MeasuredSplit *measured, Error *error)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "step", (double)training->run->progress.step);
    cJSON_AddNumberToObject(line, "epoch", (double)training->run->progress.epoch);
    cJSON_AddStringToObject(line, "split", "test");
    cJSON_AddItemToObject(line, "loss", json_number9(measured->loss));
    for (int i = 0; measured->metrics[i]; i++)
        cJSON_AddItemToObject(line, measured->metrics[i]->component.name, json_number9(measured->values[i]));
    return run_folder_log(&training->folder, line, error);
}

/* What an objective measures by itself is no metric of predictions: it has no interval and no evaluation. */
static bool add_figures(Training *training, const char *name, const SplitFigures *figures, cJSON *summary,
                        Error *error)
{
    cJSON *json = cJSON_AddObjectToObject(cJSON_GetObjectItemCaseSensitive(summary, "metrics"), name);
    const Progress *progress = &training->run->progress;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "step", (double)progress->step);
    cJSON_AddNumberToObject(line, "epoch", (double)progress->epoch);
    cJSON_AddStringToObject(line, "split", name);
    for (int i = 0; i < figures->count; i++) {
        cJSON_AddItemToObject(json, figures->items[i].name, json_number9(figures->items[i].value));
        cJSON_AddItemToObject(line, figures->items[i].name, json_number9(figures->items[i].value));
        if (!training->quiet && !training->json)
            printf("%s: %s %.6g\n", name, figures->items[i].name, figures->items[i].value);
    }
    if (strcmp(name, "test") == 0)
        return run_folder_log(&training->folder, line, error);
    cJSON_Delete(line);
    return true;
}

static bool measure_split(Training *training, const char *name, const DataSplit *split, cJSON *summary, Error *error)
{
    Run *run = training->run;
    PredictionInput outputs;
    if (split->count == 0 || run->objective->outputs || split->dataset->values_unknown)
        return true;
    Measure measure = run_measure(run, split);
    double loss = measure.loss;
    if (measure.count && !isfinite(loss)) /* metrics take logits that are finite */
        return fail(error, "%s: the loss on the %s split is not finite; try a lower optimizer.lr or train.clip_norm",
                    training->folder_path, name);
    if (measure.figures.count)
        return add_figures(training, name, &measure.figures, summary, error);
    if (!split_outputs(run->model, &run->config->loss, split, run->config->train.eval_batch_size, training->arena,
                       &outputs, error))
        return false;
    MeasuredSplit measured =
        measure_outputs(training->arena, name, &outputs, run->config->metrics, (uint64_t)run->config->seed,
                        EVALUATION_RESAMPLES);
    measured.loss = loss;
    cJSON *json = measured_json(&measured);
    cJSON_AddItemToObject(cJSON_GetObjectItemCaseSensitive(summary, "metrics"), name,
                          cJSON_DetachItemFromObjectCaseSensitive(json, "metrics"));
    cJSON_AddItemToObject(cJSON_GetObjectItemCaseSensitive(summary, "ci"), name,
                          cJSON_DetachItemFromObjectCaseSensitive(json, "ci"));
    cJSON_Delete(json);
    if (!training->quiet && !training->json)
        measured_print(&measured);
    bool test = strcmp(name, "test") == 0, detailed = test || run->splits.test.count == 0;
    const char *path = arena_format(training->arena, "%s/evaluation.json", training->folder_path);
    return (!test || log_test(training, &measured, error)) &&
           (!detailed || measured_write(&measured, run->model, split, path, error));
}

/* Final figures, of the best checkpoint: validation chose it, the test split is only measured. */
static bool summarise(Training *training, Error *error)
{
    Run *run = training->run;
    cJSON *summary = run_summary(run, training->samples_per_second);
    cJSON_AddObjectToObject(summary, "metrics");
    cJSON_AddObjectToObject(summary, "ci");
    bool good = load_best(training, error) && measure_split(training, "val", &run->splits.val, summary, error)
                && measure_split(training, "test", &run->splits.test, summary, error)
                && run_folder_write_json(&training->folder, "summary.json", summary, error)
                && (!run->config->train.report || report_write(training->folder_path, error));
    if (good && training->json)
        print_json_object(summary);
    else
        cJSON_Delete(summary);
    if (good && !training->json && !training->quiet)
        printf("%s: %lld epochs, %lld steps, %.1f s\n", training->folder_path, (long long)run->progress.epoch,
               (long long)run->progress.step, run->progress.seconds);
    return good;
}

static void keep_rate(void *context, const TrainReport *report)
{
    Training *training = ((void **)context)[0];
    training->samples_per_second = report->samples_per_second;
    progress_report(((void **)context)[1], report);
}

static bool train_in_folder(Training *training, Error *error)
{
    Run *run = training->run;
    if (!run_folder_open_metrics(&training->folder, &run->progress, error)
        || !checkpoint_continue_best(run, training->folder.path, error))
        return false;
    ProgressLine line = progress_start(training->quiet, run->progress.step);
    void *contexts[] = {training, &line};
    TrainOptions options = {
        .folder = training->folder_path, .stop = &stop_signal, .report = keep_rate, .report_context = contexts};
    catch_signals();
    bool good = run_train(run, &training->folder, &options, error);
    progress_end(&line);
    return good && (!run->progress.finished || summarise(training, error));
}

/* A run that has its end behind it stays as it is; a page that could not be written at the end is made good. */
static bool print_finished(const Training *training, Error *error)
{
    const char *page = arena_format(training->arena, "%s/report.html", training->folder_path);
    if (training->run->config->train.report && !file_exists(page) && !report_write(training->folder_path, error))
        return false;
    JsonSource *source = json_source_new();
    const cJSON *summary =
        json_parse_file(source, arena_format(training->arena, "%s/summary.json", training->folder_path), error);
    if (summary && training->json)
        print_json_object(cJSON_Duplicate(summary, true));
    else if (summary && !training->quiet)
        fprintf(stderr, "%s: finished already\n", training->folder_path);
    json_source_free(source);
    return summary != NULL;
}

static bool start(Training *training, Error *error)
{
    Run *run = training->run;
    if (training->resume && !run_folder_check_config(training->folder_path, run->config, error))
        return false;
    const char *teacher = training->distill ? distiller_teacher(&run->config->distill) : NULL;
    const char *inputs[] = {training->arguments->words[0], run->config->train.init_from, teacher};
    if (teacher && file_same(training->folder_path, teacher))
        return fail_usage(error, "-o: %s is the teacher itself", training->folder_path);
    for (int i = 0; i < 3; i++)
        if (training->force && run_folder_owns(training->folder_path, inputs[i]))
            return fail_usage(error, "--force: %s is read by this run, and would be removed", inputs[i]);
    bool fresh = training->folder.lock < 0; /* there was no folder when this command began */
    if (!run_folder_open(&training->folder, training->folder_path, training->force, error))
        return false;
    if (fresh && !training->force && folder_has_run(training->folder_path))
        return fail_taken(training, error);
    bool found = false;
    if (training->resume && !checkpoint_resume(run, training->folder_path, &found, error))
        return false;
    const char *summary = arena_format(training->arena, "%s/summary.json", training->folder_path);
    if (found && run->progress.finished && run_at_end(run) && file_exists(summary))
        return print_finished(training, error);
    if (!training->folder.replaced)
        unlink(summary); /* of a shorter run */
    return run_folder_write_config(&training->folder, run->config, error) && train_in_folder(training, error);
}

static void print_plan(const Training *training)
{
    const Run *run = training->run;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "config", config_resolved(run->config));
    cJSON_AddNumberToObject(object, "parameters", (double)parameters_trainable(run->model->parameters));
    cJSON_AddNumberToObject(object, "train_samples", (double)run->splits.train.count);
    cJSON_AddNumberToObject(object, "val_samples", (double)run->splits.val.count);
    cJSON_AddNumberToObject(object, "test_samples", (double)run->splits.test.count);
    cJSON_AddNumberToObject(object, "steps_per_epoch", (double)run_steps_per_epoch(run));
    cJSON_AddNumberToObject(object, "steps", (double)run_total_steps(run));
    if (training->json) {
        print_json_object(object);
        return;
    }
    char *text = cJSON_Print(object);
    puts(text);
    cJSON_free(text);
    cJSON_Delete(object);
}

static bool train(Training *training, Error *error)
{
    uint64_t seed;
    const uint64_t *given;
    if (!argument_seed(training->arguments, &seed, &given, error) || !check_folder(training, error))
        return false;
    const char **sets = argument_options(training->arguments, "set");
    Config *config = config_load(training->arguments->words[0], sets, given, error);
    memory_free(sets);
    if (!config)
        return false;
    if (training->distill && !config_require(config, "distill", error)) {
        config_free(config);
        return false;
    }
    training->run = run_new(config, training->distill ? &config->distill : NULL, error);
    if (!training->run)
        return false;
    if (!argument_option(training->arguments, "dry-run"))
        return start(training, error);
    print_plan(training);
    return true;
}

bool training_command(const Arguments *arguments, bool distill, Error *error)
{
    Training training = {
        .arguments = arguments, .distill = distill, .arena = arena_new(), .folder = {.lock = -1, .metrics = -1}};
    const char *output = argument_option(arguments, "output");
    training.folder_path = output ? output : default_folder(training.arena, arguments->words[0]);
    training.resume = argument_option(arguments, "resume") != NULL;
    training.force = argument_option(arguments, "force") != NULL;
    training.quiet = argument_option(arguments, "quiet") != NULL;
    training.json = argument_option(arguments, "json") != NULL;
    bool good = train(&training, error);
    Error closing;
    if (training.folder.arena && !run_folder_close(&training.folder, &closing) && good) {
        *error = closing;
        good = false;
    }
    run_free(training.run);
    arena_free(training.arena);
    if (good && stop_signal)
        command_exit_status = 128 + (int)stop_signal;
    return good;
}
