#include "core/analyze/analysis.h"

#include <string.h>

/* Room for one more, doubled in the arena; what is outgrown stays there until the end. */
static void *grow(Arena *arena, void *items, int64_t count, int64_t *room, size_t size)
{
    if (count < *room)
        return items;
    *room = *room ? 2 * *room : 8;
    void *larger = arena_zero(arena, (size_t)*room, size);
    if (count)
        memcpy(larger, items, (size_t)count * size);
    return larger;
}

void analysis_add_figure(AnalysisResult *result, const char *name, double value)
{
    result->figures = grow(result->arena, result->figures, result->figure_count, &result->figure_room,
                           sizeof *result->figures);
    result->figures[result->figure_count++] = (AnalysisFigure){name, value};
}

AnalysisTable *analysis_add_table(AnalysisResult *result, const char *name, int64_t column_count,
                                  const char *const *columns, int64_t rows, const char *const *row_names)
{
    result->tables = grow(result->arena, result->tables, result->table_count, &result->table_room,
                          sizeof *result->tables);
    AnalysisTable *table = &result->tables[result->table_count++];
    *table = (AnalysisTable){.name = name, .columns = columns, .row_names = row_names, .column_count = column_count,
                             .rows = rows};
    table->values = arena_zero(result->arena, (size_t)(rows * column_count), sizeof *table->values);
    return table;
}

bool analysis_parse(Config *config, const char *name, Instance *analysis, Error *error)
{
    cJSON *section = cJSON_GetObjectItemCaseSensitive(config->json, "analyze");
    if (!section || cJSON_IsNull(section)) {
        const char *text = arena_format(config->arena, "\"%s\"", name);
        section = json_parse(config->source, config->name, text, strlen(text), error);
    } else if (cJSON_IsObject(section) && !cJSON_GetObjectItemCaseSensitive(section, "type")) {
        cJSON_AddStringToObject(section, "type", name);
    }
    config->analyze = section;
    ParamContext context = {.source = config->source, .arena = config->arena, .path = "analyze", .error = error};
    if (!instance_parse(&context, "analysis", section, analysis))
        return false;
    if (strcmp(analysis->component->name, name) == 0)
        return true;
    return param_fail(&context, section, "this config is for xent analyze %s, not %s", analysis->component->name, name);
}

bool analysis_run(const Instance *analysis, const AnalysisInput *input, AnalysisResult *result, Error *error)
{
    const AnalysisDef *def = (const AnalysisDef *)analysis->component;
    const char *name = def->component.name;
    if (input->count > 0 && !def->words)
        return fail_usage(error, "%s: analyze %s takes no runs or files; its parameters are in a config or --set",
                          input->words[0], name);
    if (input->count < def->least || input->count > def->most)
        return fail_usage(error, "analyze %s: expected %s", name, def->words);
    return def->run(analysis->values, input, result, error);
}
