/* Figures of each class and the confusion matrix, for people and as JSON. */
#include <stdio.h>

#include "cli/evaluation.h"
#include "core/base/json.h"
#include "core/metrics/tables.h"

enum { MATRIX_CLASSES = 30 }; /* a wider matrix does not fit a terminal */

static const char *class_name(Arena *arena, const char *const *names, int64_t k)
{
    return names ? names[k] : arena_format(arena, "%lld", (long long)k);
}

static void print_matrix(Arena *arena, const Predictions *predictions, const char *const *names)
{
    int64_t classes = predictions->input.classes;
    double *matrix = arena_zero(arena, (size_t)(classes * classes), sizeof *matrix);
    confusion_matrix(predictions, matrix);
    printf("\n  %-18s", "target \\ predicted");
    for (int64_t k = 0; k < classes; k++)
        printf(" %7.7s", class_name(arena, names, k));
    for (int64_t i = 0; i < classes; i++) {
        printf("\n  %-18.18s", class_name(arena, names, i));
        for (int64_t k = 0; k < classes; k++)
            printf(" %7g", matrix[i * classes + k]);
    }
    putchar('\n');
}

void measured_print_tables(const MeasuredSplit *measured, const char *const *names)
{
    const Predictions *predictions = measured->predictions;
    int64_t classes = predictions->input.classes;
    if (predictions->input.kind != PREDICTION_CLASSIFICATION)
        return;
    Arena *arena = arena_new();
    ClassFigures *figures = arena_zero(arena, (size_t)classes, sizeof *figures);
    class_figures(predictions, figures);
    printf("\n  %-18s %10s %10s %10s %10s\n", "class", "samples", "precision", "recall", "f1");
    for (int64_t k = 0; k < classes; k++)
        printf("  %-18.18s %10g %10.4f %10.4f %10.4f\n", class_name(arena, names, k), figures[k].targets,
               figures[k].precision, figures[k].recall, figures[k].f1);
    if (classes <= MATRIX_CLASSES)
        print_matrix(arena, predictions, names);
    arena_free(arena);
}

void measured_add_tables(const MeasuredSplit *measured, const char *const *names, cJSON *object)
{
    const Predictions *predictions = measured->predictions;
    int64_t classes = predictions->input.classes;
    if (predictions->input.kind != PREDICTION_CLASSIFICATION)
        return;
    Arena *arena = arena_new();
    ClassFigures *figures = arena_zero(arena, (size_t)classes, sizeof *figures);
    double *matrix = arena_zero(arena, (size_t)(classes * classes), sizeof *matrix);
    class_figures(predictions, figures);
    confusion_matrix(predictions, matrix);
    cJSON *rows = cJSON_AddArrayToObject(object, "per_class"), *confusion = cJSON_AddArrayToObject(object, "confusion");
    for (int64_t k = 0; k < classes; k++) {
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "class", class_name(arena, names, k));
        cJSON_AddItemToObject(row, "samples", json_number9(figures[k].targets));
        cJSON_AddItemToObject(row, "precision", json_number9(figures[k].precision));
        cJSON_AddItemToObject(row, "recall", json_number9(figures[k].recall));
        cJSON_AddItemToObject(row, "f1", json_number9(figures[k].f1));
        cJSON_AddItemToArray(rows, row);
        cJSON_AddItemToArray(confusion, json_numbers9(matrix + k * classes, classes));
    }
    arena_free(arena);
}
