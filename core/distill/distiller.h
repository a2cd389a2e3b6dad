/* Distillers: objectives that train under a teacher. To add one: a file in this folder with
   `const DistillerDef distiller_NAME`, whose parameter struct begins with `const char *teacher` and whose
   table begins with DISTILLER_ROW(struct NAME). */
#ifndef XENT_DISTILL_DISTILLER_H
#define XENT_DISTILL_DISTILLER_H

#include "core/train/objective.h"
#include "core/train/saved.h"

typedef struct DistillerDef { ObjectiveDef objective; } DistillerDef;

#define DISTILLER_ROW(structure) \
    PARAM_REQUIRED(PATH, structure, teacher, .help = "run folder or .safetensors file of the teacher")

/* The path in a distiller's parameters. */
static inline const char *distiller_teacher(const Instance *distiller)
{
    return *(const char *const *)distiller->values;
}

/* The teacher of a distiller, ready for the student's batches. */
typedef struct Teacher {
    SavedModel *saved;
    int64_t normalized;             /* 0: the student's features are the teacher's */
    float *factor, *term;           /* x_teacher = factor[c] x_student + term[c] */
    bool per_channel;               /* c is the second axis, else the last */
} Teacher;

/* Loads the teacher and checks it against the student's data. NULL after an error. */
Teacher *teacher_open(const char *path, const ObjectiveContext *context, Error *error);
void teacher_close(Teacher *teacher);
/* Logits of the batch, in evaluation mode, without gradient. */
Tensor *teacher_logits(const Teacher *teacher, const BatchTensors *batch);

#endif
