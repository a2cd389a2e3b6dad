/* Analyses: figures of a formula, of runs, of a config or of files. To add one: a file in this folder with
   `const AnalysisDef analysis_NAME`; it is then in `xent analyze`, `xent list analyses` and on xent-analyses(7). */
#ifndef XENT_ANALYZE_ANALYSIS_H
#define XENT_ANALYZE_ANALYSIS_H

#include "core/train/config.h"

typedef struct AnalysisFigure { const char *name; double value; } AnalysisFigure;

typedef struct AnalysisTable {
    const char *name;
    const char *const *columns;         /* [column_count] */
    const char *const *row_names;       /* [rows]; NULL: rows have none */
    int64_t column_count, rows;
    double *values;                     /* [rows, column_count] */
} AnalysisTable;

/* What an analysis found. Everything belongs to the arena. Not finite: undefined, null in JSON. */
typedef struct AnalysisResult {
    Arena *arena;
    AnalysisFigure *figures;
    AnalysisTable *tables;
    int64_t figure_count, figure_room, table_count, table_room;
} AnalysisResult;

/* Names, columns and row names are borrowed. */
void analysis_add_figure(AnalysisResult *result, const char *name, double value);
/* Of zeros, for the caller to fill. */
AnalysisTable *analysis_add_table(AnalysisResult *result, const char *name, int64_t column_count,
                                  const char *const *columns, int64_t rows, const char *const *row_names);

typedef struct AnalysisInput {
    Config *config;                     /* never NULL; empty where none was given */
    int count;
    const char *const *words;           /* run folders and files, in the order given */
} AnalysisInput;

typedef struct AnalysisDef {
    Component component;
    const char *words;                  /* what the words are, for messages: "RUN..."; NULL: there are none */
    int least, most;                    /* how many */
    /* A tape may be made and used inside. Messages name the word or the key. */
    bool (*run)(const void *values, const AnalysisInput *input, AnalysisResult *result, Error *error);
} AnalysisDef;

/* The config's section `analyze` as parameters of the analysis `name`, which is one: its "type" may be left out, and
   must be that name where it is given. Without the section: the defaults. */
bool analysis_parse(Config *config, const char *name, Instance *analysis, Error *error);
/* Checks the number of words and runs it. */
bool analysis_run(const Instance *analysis, const AnalysisInput *input, AnalysisResult *result, Error *error);

#endif
