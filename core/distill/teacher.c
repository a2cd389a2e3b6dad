#include <string.h>

#include "core/distill/distiller.h"
#include "core/tensor/operations.h"

/* Both were normalised with statistics of their own training data; the student's batches are turned over. */
static void match_normalization(Teacher *teacher, const Dataset *dataset)
{
    const SavedModel *saved = teacher->saved;
    int64_t count = saved->normalized > dataset->normalized ? saved->normalized : dataset->normalized;
    bool same = saved->normalized == dataset->normalized;
    for (int64_t c = 0; same && c < count; c++)
        same = saved->mean[c] == dataset->mean[c] && saved->deviation[c] == dataset->deviation[c];
    if (same)
        return;
    teacher->normalized = count;
    teacher->per_channel = dataset->rank >= 3;
    teacher->factor = arena_zero(saved->arena, (size_t)count, sizeof(float));
    teacher->term = arena_zero(saved->arena, (size_t)count, sizeof(float));
    for (int64_t c = 0; c < count; c++) {
        float mean = dataset->normalized ? dataset->mean[c] : 0,
              deviation = dataset->normalized ? dataset->deviation[c] : 1;
        float other_mean = saved->normalized ? saved->mean[c] : 0, other = saved->normalized ? saved->deviation[c] : 1;
        teacher->factor[c] = deviation / other;
        teacher->term[c] = (mean - other_mean) / other;
    }
}

static bool check_teacher(const SavedModel *saved, const ObjectiveContext *context, Error *error)
{
    const ModelInput *student = &context->model->input, *teacher = &saved->model->input;
    bool same = student->shape.rank == teacher->shape.rank && student->shape.vocabulary == teacher->shape.vocabulary
                && student->outputs == teacher->outputs && student->per_position == teacher->per_position;
    for (int i = 0; same && i < student->shape.rank; i++)
        same = student->shape.sizes[i] == teacher->shape.sizes[i];
    if (same)
        return true;
    Arena *arena = arena_new();
    fail(error, "distill.teacher: %s takes %s and gives %lld outputs, the data has %s and %lld", saved->path,
         shape_text(arena, teacher->shape), (long long)teacher->outputs, shape_text(arena, student->shape),
         (long long)student->outputs);
    arena_free(arena);
    return false;
}

Teacher *teacher_open(const char *path, const ObjectiveContext *context, Error *error)
{
    SavedModel *saved = saved_open(path, NULL, NULL, error);
    if (!saved) {
        fail_at(error, "distill.teacher");
        return NULL;
    }
    if (!check_teacher(saved, context, error)) {
        saved_close(saved);
        return NULL;
    }
    Teacher *teacher = memory_new(sizeof *teacher);
    teacher->saved = saved;
    match_normalization(teacher, context->splits->train.dataset);
    return teacher;
}

void teacher_close(Teacher *teacher)
{
    if (!teacher)
        return;
    saved_close(teacher->saved);
    memory_free(teacher);
}

Tensor *teacher_logits(const Teacher *teacher, const BatchTensors *batch)
{
    bool was = tape_record(false);
    Tensor *x = batch->x;
    if (teacher->normalized) {
        int64_t shape[TENSOR_MAX_RANK];
        for (int i = 0; i < x->rank; i++)
            shape[i] = i == (teacher->per_channel ? 1 : x->rank - 1) ? teacher->normalized : 1;
        Tensor *factor = t_wrap(ARRAY_F32, x->rank, shape, teacher->factor),
               *term = t_wrap(ARRAY_F32, x->rank, shape, teacher->term);
        x = t_add(t_mul(x, factor), term);
    }
    Forward forward = {.groups = batch->groups};
    Tensor *logits = model_forward(teacher->saved->model, &forward, x);
    tape_record(was);
    return logits;
}
