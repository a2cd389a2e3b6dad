#include "core/train/summary.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/threads.h"
#include "core/kernels/kernels.h"

static void cpu_name(char *name, size_t size)
{
    snprintf(name, size, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !value)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, size, "%.*s", (int)size - 1, value + 2);
        break;
    }
    if (file)
        fclose(file);
}

cJSON *machine_description(void)
{
    char name[256];
    cpu_name(name, sizeof name);
    cJSON *machine = cJSON_CreateObject();
    cJSON_AddStringToObject(machine, "cpu", name);
    cJSON_AddNumberToObject(machine, "cores", (double)sysconf(_SC_NPROCESSORS_ONLN));
    cJSON_AddNumberToObject(machine, "threads", threads_count());
    cJSON_AddStringToObject(machine, "isa", kernels()->isa);
    return machine;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

cJSON *run_summary(const Run *run, double samples_per_second)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const Progress *progress = &run->progress;
    cJSON *summary = cJSON_CreateObject();
    cJSON_AddNumberToObject(summary, "epochs", (double)progress->epoch);
    cJSON_AddNumberToObject(summary, "steps", (double)progress->step);
    cJSON_AddNumberToObject(summary, "best_epoch", (double)progress->best_epoch);
    cJSON_AddNumberToObject(summary, "best_step", (double)progress->best_step);
    cJSON_AddNumberToObject(summary, "parameters", (double)parameters_trainable(run->model->parameters));
    cJSON_AddItemToObject(summary, "wall_seconds", json_number9(progress->seconds));
    cJSON_AddItemToObject(summary, "cpu_seconds",
                          json_number9(seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)));
    cJSON_AddNumberToObject(summary, "peak_memory_bytes", 1024.0 * (double)usage.ru_maxrss);
    cJSON_AddItemToObject(summary, "samples_per_second", json_number9(samples_per_second));
    cJSON_AddStringToObject(summary, "version", XENT_VERSION);
    cJSON_AddItemToObject(summary, "machine", machine_description());
    return summary;
}
