#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

ProgressLine progress_start(bool quiet, int64_t first_step)
{
    return (ProgressLine){
        .quiet = quiet, .terminal = isatty(2) == 1, .shown = -1e9, .began = now(), .first_step = first_step};
}

static void erase(const ProgressLine *line)
{
    if (line->terminal)
        fputs("\r\033[K", stderr);
}

static void print_epoch(ProgressLine *line, const TrainReport *report)
{
    erase(line);
    fprintf(stderr, "epoch %-4lld step %-8lld", (long long)report->run->progress.epoch,
            (long long)report->run->progress.step);
    if (report->validation.count)
        fprintf(stderr, "  val loss %.4f", report->validation.loss);
    if (report->validation.count && !isnan(report->validation.accuracy))
        fprintf(stderr, "  accuracy %.2f%%", 100 * report->validation.accuracy);
    fprintf(stderr, "  %.0f samples/s\n", report->samples_per_second);
}

static double share_done(const TrainReport *report)
{
    const Run *run = report->run;
    double by_steps = report->total_steps ? (double)run->progress.step / (double)report->total_steps : 0;
    double seconds = run->config->train.seconds, by_time = seconds > 0 ? run->progress.seconds / seconds : 0;
    double share = by_steps > by_time ? by_steps : by_time;
    return share > 1 ? 1 : share;
}

static void print_step(ProgressLine *line, const TrainReport *report)
{
    enum { WIDTH = 24 };
    double share = share_done(report), spent = now() - line->began;
    double before = report->total_steps ? (double)line->first_step / (double)report->total_steps : 0;
    double left = share > before ? spent * (1 - share) / (share - before) : 0;
    char bar[WIDTH + 1];
    for (int i = 0; i < WIDTH; i++)
        bar[i] = i < (int)(share * WIDTH + 0.5) ? '#' : '-';
    bar[WIDTH] = '\0';
    erase(line);
    fprintf(stderr, "[%s] step %lld", bar, (long long)report->run->progress.step);
    if (report->total_steps)
        fprintf(stderr, "/%lld", (long long)report->total_steps);
    fprintf(stderr, "  loss %.4f  %.0f samples/s  %d:%02d left", report->loss, report->samples_per_second,
            (int)left / 60, (int)left % 60);
    if (!line->terminal)
        fputc('\n', stderr);
    fflush(stderr);
}

void progress_report(void *context, const TrainReport *report)
{
    ProgressLine *line = context;
    if (line->quiet)
        return;
    if (report->epoch_end) {
        print_epoch(line, report);
        return;
    }
    double time = now();
    if (time - line->shown < (line->terminal ? 0.25 : 10) || (!line->terminal && time - line->began < 10))
        return;
    line->shown = time;
    print_step(line, report);
}

void progress_end(ProgressLine *line)
{
    if (!line->quiet)
        erase(line);
}
