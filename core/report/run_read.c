#include "core/report/run_read.h"

#include <math.h>
#include <string.h>

#include "core/base/file.h"
#include "core/report/json_value.h"

static const double largest_step = 9007199254740992.0; /* 2^53 */

static Curve *find_curve(const ReportData *data, const char *split, const char *figure)
{
    for (int i = 0; i < data->curve_count; i++)
        if (strcmp(data->curves[i].figure, figure) == 0 && strcmp(data->curves[i].split, split) == 0)
            return &data->curves[i];
    return NULL;
}

static void add_point(Curve *curve, double step, double epoch, double value)
{
    if (curve->count == curve->room) {
        size_t old = (size_t)curve->room * sizeof(double), new = old ? old * 2 : 64 * sizeof(double);
        curve->steps = memory_grow(curve->steps, old, new);
        curve->epochs = memory_grow(curve->epochs, old, new);
        curve->values = memory_grow(curve->values, old, new);
        curve->room = (int64_t)(new / sizeof(double));
    }
    curve->steps[curve->count] = step;
    curve->epochs[curve->count] = epoch;
    curve->values[curve->count++] = value;
}

/* Where a line is, in messages, and what it says of all its figures. */
typedef struct Line {
    const char *path;
    long long number;
    Error *error;
    const char *split;
    double step, epoch;
} Line;

static bool add_figure(ReportData *data, const Line *line, const cJSON *entry)
{
    if (!cJSON_IsNumber(entry) && !cJSON_IsNull(entry))
        return fail(line->error, "%s:%lld: %s: expected a number or null", line->path, line->number, entry->string);
    Curve *curve = find_curve(data, line->split, entry->string);
    if (!curve) {
        if (data->curve_count == CURVES_MAX)
            return fail(line->error, "%s:%lld: more than %d figures", line->path, line->number, CURVES_MAX);
        curve = &data->curves[data->curve_count++];
        *curve = (Curve){.split = arena_string(data->arena, line->split),
                         .figure = arena_string(data->arena, entry->string)};
    }
    if (curve->count && line->step < curve->steps[curve->count - 1])
        return fail(line->error, "%s:%lld: step: %.0f after %.0f", line->path, line->number, line->step,
                    curve->steps[curve->count - 1]);
    add_point(curve, line->step, line->epoch, cJSON_IsNull(entry) ? NAN : entry->valuedouble);
    return true;
}

static bool add_line(ReportData *data, Line *line, const cJSON *object)
{
    if (!cJSON_IsObject(object))
        return fail(line->error, "%s:%lld: expected an object", line->path, line->number);
    const cJSON *step = json_member(object, "step"), *split = json_member(object, "split"),
                *epoch = json_member(object, "epoch"), *entry;
    if (!cJSON_IsNumber(step) || step->valuedouble < 0 || step->valuedouble > largest_step)
        return fail(line->error, "%s:%lld: step: expected an integer >= 0", line->path, line->number);
    if (!cJSON_IsString(split))
        return fail(line->error, "%s:%lld: split: expected train, val or test", line->path, line->number);
    if (epoch && !cJSON_IsNumber(epoch))
        return fail(line->error, "%s:%lld: epoch: expected a number", line->path, line->number);
    line->step = step->valuedouble;
    line->split = split->valuestring;
    line->epoch = epoch ? epoch->valuedouble : NAN;
    cJSON_ArrayForEach(entry, object)
        if (entry != step && entry != split && entry != epoch && !add_figure(data, line, entry))
            return false;
    return true;
}

/* A line of a text that is one line long: the parser's "NAME:1: message" becomes "PATH:LINE: message". */
static bool read_line(ReportData *data, Line *line, const char *text, size_t size, bool last)
{
    JsonSource *source = json_source_new();
    Error error = {0};
    cJSON *object = json_parse(source, "", text, size, &error);
    bool good;
    if (object)
        good = add_line(data, line, object);
    else if (last)
        good = data->last_line_cut = true;
    else
        good = fail(line->error, "%s:%lld: %s", line->path, line->number, error.message + strlen(":1: "));
    json_source_free(source);
    return good;
}

static bool read_metrics(ReportData *data, const char *path, Error *error)
{
    Arena *arena = arena_new();
    unsigned char *bytes;
    size_t size;
    bool good = file_read(path, METRICS_MAX_BYTES, arena, &bytes, &size, error);
    data->curves = memory_array(CURVES_MAX, sizeof *data->curves);
    Line line = {.path = path, .error = error};
    for (size_t at = 0; good && at < size;) {
        const char *start = (const char *)bytes + at, *end = memchr(start, '\n', size - at);
        size_t length = end ? (size_t)(end - start) : size - at;
        line.number++;
        if (length > 0)
            good = read_line(data, &line, start, length, !end);
        else
            good = fail(error, "%s:%lld: an empty line", path, line.number);
        at += length + 1;
    }
    arena_free(arena);
    return good;
}

static void add_metric(ReportData *data, const char *split, const char *name, double value, double low, double high)
{
    size_t count = (size_t)data->metric_count++;
    data->metrics = memory_grow(data->metrics, count * sizeof *data->metrics, (count + 1) * sizeof *data->metrics);
    data->metrics[count] = (FinalMetric){split, name, value, low, high};
}

static bool read_split_metrics(ReportData *data, const JsonReader *reader, const cJSON *metrics, const cJSON *intervals)
{
    const cJSON *entry;
    if (!cJSON_IsObject(metrics))
        return json_refuse(reader, metrics, "metrics.%s: expected an object", metrics->string);
    cJSON_ArrayForEach(entry, metrics) {
        const cJSON *interval = NULL;
        if (!cJSON_IsNumber(entry) && !cJSON_IsNull(entry))
            return json_refuse(reader, entry, "metrics.%s.%s: expected a number or null", metrics->string,
                               entry->string);
        if (data->metric_count == SUMMARY_METRICS_MAX)
            return json_refuse(reader, entry, "metrics: more than %d", SUMMARY_METRICS_MAX);
        if (intervals && !json_read_array(reader, intervals, entry->string, 2, 2, &interval))
            return false;
        bool known = interval && cJSON_IsNumber(interval->child) && cJSON_IsNumber(interval->child->next);
        add_metric(data, metrics->string, entry->string, cJSON_IsNull(entry) ? NAN : entry->valuedouble,
                   known ? interval->child->valuedouble : NAN, known ? interval->child->next->valuedouble : NAN);
    }
    return true;
}

static bool read_summary(ReportData *data, Error *error)
{
    JsonReader reader = {data->source, error};
    const cJSON *metrics, *intervals, *split, *of_split = NULL;
    if (!cJSON_IsObject(data->summary))
        return json_refuse(&reader, data->summary, "expected an object");
    if (!json_read_object(&reader, data->summary, "metrics", &metrics) ||
        !json_read_object(&reader, data->summary, "ci", &intervals))
        return false;
    cJSON_ArrayForEach(split, metrics)
        if ((intervals && !json_read_object(&reader, intervals, split->string, &of_split)) ||
            !read_split_metrics(data, &reader, split, of_split))
            return false;
    return true;
}

static bool read_evaluation(ReportData *data, const char *path, Error *error)
{
    Evaluation *evaluation = arena_alloc(data->arena, sizeof *evaluation);
    if (!evaluation_read(path, data->arena, evaluation, error))
        return false;
    data->evaluation = evaluation;
    for (int i = 0; i < evaluation->metric_count; i++) {
        const EvaluationMetric *metric = &evaluation->metrics[i];
        if (!report_metric(data, evaluation->split, metric->name))
            add_metric(data, evaluation->split, metric->name, metric->value, metric->low, metric->high);
    }
    return true;
}

static bool read_json(ReportData *data, const char *path, const cJSON **tree, Error *error)
{
    *tree = json_parse_file(data->source, path, error);
    if (!*tree)
        error->status = STATUS_FAILED;
    return *tree != NULL;
}

/* The last name of the path, or the path as given where that says nothing (".", "..", "/"). */
static const char *folder_name(Arena *arena, const char *folder)
{
    Error ignored; /* a folder whose path nobody knows is called as it was given */
    char *path = path_absolute(arena, folder, &ignored), *slash;
    while (path && (slash = strrchr(path, '/')) != NULL) {
        const char *name = slash + 1;
        if (*name && strcmp(name, ".") != 0)
            return strcmp(name, "..") == 0 ? folder : name;
        *slash = '\0';
    }
    return folder;
}

static bool read_folder(ReportData *data, Error *error)
{
    Arena *arena = data->arena;
    const char *config = path_join(arena, data->folder, "config.json"),
               *metrics = path_join(arena, data->folder, "metrics.jsonl");
    const char *summary = path_join(arena, data->folder, "summary.json"),
               *evaluation = path_join(arena, data->folder, "evaluation.json");
    const char *calibration = path_join(arena, data->folder, "calibration.json"),
               *quantization = path_join(arena, data->folder, "quantization.json");
    if (!file_is_folder(data->folder))
        return fail_usage(error, "%s: not a folder; expected that of a run", data->folder);
    if (!file_exists(config))
        return fail_usage(error, "%s: not a run folder: it holds no config.json", data->folder);
    if (!read_json(data, config, &data->config, error))
        return false;
    if (!cJSON_IsObject(data->config))
        return fail(error, "%s:1: expected an object", config);
    if (file_exists(metrics) && !read_metrics(data, metrics, error))
        return false;
    if (file_exists(summary) && (!read_json(data, summary, &data->summary, error) || !read_summary(data, error)))
        return false;
    if (file_exists(calibration) && !read_json(data, calibration, &data->calibration, error))
        return false;
    if (file_exists(quantization) && !read_json(data, quantization, &data->quantization, error))
        return false;
    return !file_exists(evaluation) || read_evaluation(data, evaluation, error);
}

ReportData *report_data_read(const char *folder, Error *error)
{
    ReportData *data = memory_new(sizeof *data);
    data->arena = arena_new();
    data->source = json_source_new();
    data->folder = arena_string(data->arena, folder);
    data->name = folder_name(data->arena, folder);
    if (read_folder(data, error))
        return data;
    report_data_free(data);
    return NULL;
}

void report_data_free(ReportData *data)
{
    if (!data)
        return;
    for (int i = 0; i < data->curve_count; i++) {
        memory_free(data->curves[i].steps);
        memory_free(data->curves[i].epochs);
        memory_free(data->curves[i].values);
    }
    memory_free(data->curves);
    memory_free(data->metrics);
    json_source_free(data->source);
    arena_free(data->arena);
    memory_free(data);
}

const Curve *report_curve(const ReportData *data, const char *split, const char *figure)
{
    return find_curve(data, split, figure);
}

const FinalMetric *report_metric(const ReportData *data, const char *split, const char *name)
{
    for (int i = 0; i < data->metric_count; i++)
        if (strcmp(data->metrics[i].name, name) == 0 && strcmp(data->metrics[i].split, split) == 0)
            return &data->metrics[i];
    return NULL;
}

const char *report_split(const ReportData *data)
{
    if (data->evaluation)
        return data->evaluation->split;
    for (const char *const *split = (const char *const[]){"test", "val", "train", NULL}; *split; split++)
        for (int i = 0; i < data->metric_count; i++)
            if (strcmp(data->metrics[i].split, *split) == 0)
                return *split;
    return NULL;
}

const char *report_component(const ReportData *data, const char *section)
{
    const cJSON *value = json_member(data->config, section);
    if (cJSON_IsString(value))
        return value->valuestring;
    value = json_member(value, "type");
    return cJSON_IsString(value) ? value->valuestring : NULL;
}
