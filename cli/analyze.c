/* xent analyze KIND [RUN|CONFIG|FILE]...: the figures and tables of one analysis. */
#include <stdio.h>
#include <string.h>

#include "cli/configs.h"
#include "core/analyze/analysis.h"

/* ---- JSON ---- */

static cJSON *table_to_json(const AnalysisTable *table)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *columns = cJSON_AddArrayToObject(object, "columns");
    for (int64_t c = 0; c < table->column_count; c++)
        cJSON_AddItemToArray(columns, cJSON_CreateString(table->columns[c]));
    cJSON *names = table->row_names ? cJSON_AddArrayToObject(object, "row_names") : NULL;
    for (int64_t r = 0; names && r < table->rows; r++)
        cJSON_AddItemToArray(names, cJSON_CreateString(table->row_names[r]));
    cJSON *rows = cJSON_AddArrayToObject(object, "rows");
    for (int64_t r = 0; r < table->rows; r++)
        cJSON_AddItemToArray(rows, json_numbers9(table->values + r * table->column_count, (int)table->column_count));
    return object;
}

static void print_json(const Instance *analysis, const AnalysisResult *result)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "analyze", instance_to_json(analysis));
    cJSON *figures = cJSON_AddObjectToObject(object, "figures"), *tables = cJSON_AddObjectToObject(object, "tables");
    for (int64_t i = 0; i < result->figure_count; i++)
        cJSON_AddItemToObject(figures, result->figures[i].name, json_number9(result->figures[i].value));
    for (int64_t i = 0; i < result->table_count; i++)
        cJSON_AddItemToObject(tables, result->tables[i].name, table_to_json(&result->tables[i]));
    print_json_object(object);
}

/* ---- Text ---- */

static int widest(const char *const *names, int64_t count, int width)
{
    for (int64_t i = 0; i < count; i++)
        width = (int)strlen(names[i]) > width ? (int)strlen(names[i]) : width;
    return width;
}

static void print_table(const AnalysisTable *table)
{
    int name_width = table->row_names ? widest(table->row_names, table->rows, 4) : 0;
    int width = widest(table->columns, table->column_count, 12);
    printf("\n%s\n  %*s", table->name, name_width, "");
    for (int64_t c = 0; c < table->column_count; c++)
        printf(" %*s", width, table->columns[c]);
    putchar('\n');
    for (int64_t r = 0; r < table->rows; r++) {
        printf("  %-*s", name_width, table->row_names ? table->row_names[r] : "");
        for (int64_t c = 0; c < table->column_count; c++)
            printf(" %*.6g", width, table->values[r * table->column_count + c]);
        putchar('\n');
    }
}

static void print_text(const Instance *analysis, const AnalysisResult *result)
{
    printf("%s: %s\n", analysis->component->name, analysis->component->summary);
    for (int64_t i = 0; i < result->figure_count; i++)
        printf("  %-18s %12.6g\n", result->figures[i].name, result->figures[i].value);
    for (int64_t i = 0; i < result->table_count; i++)
        print_table(&result->tables[i]);
}

static bool is_config(const char *word)
{
    return word[0] == '{' || name_ends_with(word, ".json");
}

/* A word that is an object or ends in .json is the config, the others are runs and files. */
static bool sort_words(const Arguments *arguments, const char **config, const char **words, int *count, Error *error)
{
    for (int i = 1; i < arguments->count; i++) {
        const char *word = arguments->words[i];
        if (is_config(word) && *config)
            return fail_usage(error, "%s: analyze takes one config, and has %s", word, *config);
        if (is_config(word))
            *config = word;
        else
            words[(*count)++] = word;
    }
    return true;
}

static bool analyze(const Arguments *arguments, const char **words, Arena *arena, Error *error)
{
    const char *name = arguments->words[0], *config_word = NULL;
    AnalysisInput input = {.words = words};
    AnalysisResult result = {.arena = arena};
    Instance analysis;
    if (!component_find("analysis", name))
        return fail_unknown_component("analysis", name, error);
    if (!sort_words(arguments, &config_word, words, &input.count, error))
        return false;
    input.config = argument_config(arguments, config_word ? config_word : "{}", error);
    if (!input.config)
        return false;
    bool good = analysis_parse(input.config, name, &analysis, error) && analysis_run(&analysis, &input, &result, error);
    if (good)
        (argument_option(arguments, "json") ? print_json : print_text)(&analysis, &result);
    config_free(input.config);
    return good;
}

static bool run(const Arguments *arguments, Error *error)
{
    Arena *arena = arena_new();
    const char **words = memory_array((size_t)arguments->count, sizeof *words);
    bool good = analyze(arguments, words, arena, error);
    memory_free(words);
    arena_free(arena);
    return good;
}

const Command command_analyze = {
    .name = "analyze", .synopsis = "analyze KIND [RUN|CONFIG|FILE]... [--json]",
    .summary = "one method of analysis: figures and tables",
    .description = "Runs the analysis KIND, whose parameters are the section analyze of CONFIG (a file that ends in "
                   ".json,\n"
                   "or an object) and --set analyze.KEY=VALUE. xent list analyses names all.",
    .least = 1, .most = 64, .run = run,
};
