/* Calibrators: maps from a trained classifier's logits to better calibrated ones, fitted on held-out data.
   To add one: a `const CalibratorDef calibrator_NAME` at the start of a line in a file of this folder, its
   struct beginning with `double holdout` and its table with CALIBRATOR_PARAMS; nothing else is edited. */
#ifndef XENT_CALIBRATE_CALIBRATE_H
#define XENT_CALIBRATE_CALIBRATE_H

#include "core/base/component.h"
#include "core/base/json.h"
#include "core/base/memory.h"

/* Borrowed. All logits are finite, targets in range, weights >= 0 with a positive sum. */
typedef struct CalibrationData {
    int64_t count, classes;
    const double *logits;           /* [count, classes] */
    const int64_t *targets;         /* [count], or NULL: then soft_targets */
    const double *soft_targets;     /* [count, classes] probabilities, or NULL */
    const double *weights;          /* [count], or NULL: all 1 */
} CalibrationData;

static inline double calibration_target(const CalibrationData *data, int64_t i, int64_t k)
{
    return data->soft_targets ? data->soft_targets[i * data->classes + k] : data->targets[i] == k;
}

static inline double calibration_weight(const CalibrationData *data, int64_t i)
{
    return data->weights ? data->weights[i] : 1;
}

/* A fitted number (rank 0), list (1) or list of lists of any lengths (2). */
typedef struct CalibrationArray {
    int64_t rows, count;            /* count: of all values */
    const int64_t *starts;          /* [rows + 1], where each row begins; the last is count */
    double *values;                 /* [count], row after row */
} CalibrationArray;

static inline const double *calibration_row(const CalibrationArray *array, int64_t row)
{
    return array->values + array->starts[row];
}

static inline int64_t calibration_row_length(const CalibrationArray *array, int64_t row)
{
    return array->starts[row + 1] - array->starts[row];
}

enum { CALIBRATION_MAX_ARRAYS = 3 };

typedef struct CalibratorDef CalibratorDef;

/* What was fitted. Everything belongs to the arena it was fitted or read with. */
typedef struct Calibration {
    const CalibratorDef *method;
    const void *values;             /* the method's parameters from the config */
    int64_t classes;
    CalibrationArray arrays[CALIBRATION_MAX_ARRAYS]; /* as method->arrays names them */
    const char *note;               /* what the user should know of the fit, one line; or NULL */
} Calibration;

struct CalibratorDef {
    Component component;
    struct {
        const char *name;
        int rank;
    } arrays[CALIBRATION_MAX_ARRAYS + 1]; /* keys of "parameters"; ends with NULL */
    bool gives_probabilities;       /* `apply` gives logarithms of probabilities, which may be 0 */
    /* Fills calibration->arrays; method, values and classes are there. Converged, or an error. */
    bool (*fit)(const CalibrationData *data, Arena *arena, Calibration *calibration, Error *error);
    /* Whether arrays read from a file are of the right lengths and ranges; all values are finite. */
    bool (*check)(const Calibration *calibration, Error *error);
    /* One row, [classes] to [classes]. */
    void (*apply)(const Calibration *calibration, const double *logits, double *out);
};

/* The row of the key that every method has. */
#define CALIBRATOR_PARAMS(structure) \
    PARAM_FLOAT(structure, holdout, 0.3, .min = 0, .max = 0.99, \
                .help = "share of the samples that is measured and not fitted; 0 fits and measures on all")

static inline double calibrator_holdout(const Instance *instance)
{
    return *(const double *)instance->values;
}

bool calibration_fit(const Instance *instance, const CalibrationData *data, Arena *arena, Calibration *calibration,
                     Error *error);

/* logits, out [count, classes], which may be the same; out may hold -infinity, probability 0. Fails where a
   row overflows. */
bool calibration_apply(const Calibration *calibration, int64_t count, const double *logits, double *out, Error *error);

/* {"T": 1.5}; with 9 digits for people or exactly. The caller owns the result. */
cJSON *calibration_parameters(const Calibration *calibration, bool exact);

/* {"calibrate": {...}, "classes": C, "parameters": {...}} to a file, atomically, and back; reading trusts
   nothing and names the file. */
bool calibration_write(const Calibration *calibration, const char *path, Error *error);
bool calibration_read(const char *path, Arena *arena, Calibration *calibration, Error *error);
/* The same as text, which checkpoints carry in their metadata; cJSON_free it. */
char *calibration_text(const Calibration *calibration);
bool calibration_parse(const char *name, const char *text, Arena *arena, Calibration *calibration, Error *error);

/* For `fit`: an array of one row. */
CalibrationArray calibration_array(Arena *arena, int64_t count, const double *values);

#endif
