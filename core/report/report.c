#include "core/report/report.h"

#include <assert.h>
#include <string.h>

#include "core/base/file.h"
#include "core/report/page.h"
#include "core/report/plots.h"

static bool write_page(const ReportData *data, const char *path, Error *error)
{
    Arena *arena = arena_new();
    Markup markup = {0};
    page_run(&markup, arena, data);
    bool good = file_write(path, markup.text, markup.size, error);
    markup_free(&markup);
    arena_free(arena);
    return good;
}

static bool write_all(const ReportData *data, const PlotFile *plots, int plot_count, Error *error)
{
    Arena *arena = arena_new();
    Markup markup = {0};
    page_run(&markup, arena, data);
    FileContents files[PLOTS_MAX + 1];
    const char *folder = path_join(arena, data->folder, "plots");
    for (int i = 0; i < plot_count; i++)
        files[i] = (FileContents){path_join(arena, folder, plots[i].name), plots[i].data, plots[i].size};
    files[plot_count] = (FileContents){path_join(arena, data->folder, "report.html"), markup.text, markup.size};
    bool good = folder_make(folder, error) && files_write(files, plot_count + 1, error);
    markup_free(&markup);
    arena_free(arena);
    return good;
}

bool report_write(const char *run_folder, Error *error)
{
    ReportData *data = report_data_read(run_folder, error);
    PlotFile plots[PLOTS_MAX];
    int count = data ? plots_draw(data, plots, error) : -1;
    bool good = count >= 0 && write_all(data, plots, count, error);
    for (int i = 0; i < count; i++)
        memory_free(plots[i].data);
    report_data_free(data);
    return good;
}

bool report_page(const char *run_folder, const char *output_path, Error *error)
{
    ReportData *data = report_data_read(run_folder, error);
    bool good = data && write_page(data, output_path, error);
    report_data_free(data);
    return good;
}

static void tell_apart(ReportData **runs, int count)
{
    bool same[RUNS_MAX] = {false};
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++)
            same[i] |= i != j && strcmp(runs[i]->name, runs[j]->name) == 0;
    for (int i = 0; i < count; i++)
        if (same[i])
            runs[i]->name = runs[i]->folder;
}

bool report_compare(int count, const char *const *folders, const char *output_path, Error *error)
{
    assert(count >= 2);
    if (count > RUNS_MAX)
        return fail_usage(error, "%d runs are too many for one page; at most %d", count, RUNS_MAX);
    ReportData *runs[RUNS_MAX] = {NULL};
    bool good = true;
    for (int i = 0; good && i < count; i++)
        good = (runs[i] = report_data_read(folders[i], error)) != NULL;
    if (good) {
        Arena *arena = arena_new();
        Markup markup = {0};
        tell_apart(runs, count);
        page_compare(&markup, arena, (const ReportData *const *)runs, count);
        good = file_write(output_path, markup.text, markup.size, error);
        markup_free(&markup);
        arena_free(arena);
    }
    for (int i = 0; i < count; i++)
        report_data_free(runs[i]);
    return good;
}
