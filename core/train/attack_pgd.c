/* Projected gradient ascent (Madry et al. 2018). Displacements are kept in the units of raw data, where the ball is:
   x = (raw - mean) / deviation, so d(goal)/d(raw) = d(goal)/dx / deviation. */
#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/tensor/operations.h"
#include "core/train/attack.h"

typedef enum Norm { NORM_LINF, NORM_L2 } Norm;
static const char *const norms[] = {"linf", "l2", NULL};

struct pgd {
    int norm;
    double eps, step;
    int64_t iters, restarts;
    bool random_start;
    FloatList range;
};

static const Param params[] = {
    PARAM_ENUM(struct pgd, norm, "linf", .choices = norms,
               .help = "what `eps` bounds: the largest change, or the length"),
    PARAM_FLOAT(struct pgd, eps, 0.1, .min = 0, .help = "radius of the ball, in units of raw data: of images 0 to 1"),
    PARAM_FLOAT(struct pgd, step, 0.025, .min = 0, .help = "length of a step, in the same units"),
    PARAM_INT(struct pgd, iters, 10, .min = 1, .max = 1e6, .help = "steps"),
    PARAM_INT(struct pgd, restarts, 1, .min = 1, .max = 1000,
              .help = "attacks from different starts, of which the strongest counts"),
    PARAM_BOOL(struct pgd, random_start, true, .help = "begin at a uniform point of the ball, not at the sample"),
    PARAM_FLOATS(struct pgd, range, "[]",
                 .help = "smallest and largest value of raw data, which points keep to; empty: 0 and 1 for images read "
                         "as bytes, no bounds for other features"),
    PARAM_END};

static bool validate(const void *values, Error *error)
{
    const struct pgd *self = values;
    if (self->range.count && (self->range.count != 2 || self->range.items[0] >= self->range.items[1]))
        return fail_usage(error, "range: expected [low, high] with low below high");
    if (!self->random_start && self->restarts > 1)
        return fail_usage(error, "restarts: without random_start they are all the same");
    return true;
}

/* What the loops over rows share. */
typedef struct Rows {
    const struct pgd *self;
    const Attack *attack;
    const AttackInput *input;
    int64_t restart;
    float *moved, *points;      /* [N, size]: displacement in raw units, and x at it */
    const float *gradient;      /* [N, size] */
} Rows;

static double length_of(const float *row, int64_t size)
{
    double sum = 0;
    for (int64_t i = 0; i < size; i++)
        sum += (double)row[i] * (double)row[i];
    return sqrt(sum);
}

/* Into the ball and the range; a sample that is outside the range itself may stay, and go no further. */
static void project(const Rows *rows, int64_t n)
{
    const Attack *attack = rows->attack;
    int64_t size = attack->size;
    float *moved = rows->moved + n * size, *point = rows->points + n * size;
    const float *x = tensor_f32(rows->input->x) + n * size;
    double eps = rows->self->eps, length = rows->self->norm == NORM_L2 ? length_of(moved, size) : 0;
    double factor = length > eps ? eps / length : 1;
    for (int64_t i = 0; i < size; i++) {
        double deviation = (double)attack->deviation[i], raw = (double)x[i] * deviation + (double)attack->mean[i];
        double low = attack->low < raw ? attack->low - raw : 0, high = attack->high > raw ? attack->high - raw : 0;
        if (rows->self->norm == NORM_LINF) {
            low = low < -eps ? -eps : low;
            high = high > eps ? eps : high;
        }
        double d = factor * (double)moved[i];
        d = d < low ? low : d > high ? high : d;
        moved[i] = (float)d;
        point[i] = (float)((double)x[i] + d / deviation);
    }
}

static void start_rows(void *context, int64_t begin, int64_t end)
{
    const Rows *rows = context;
    const struct pgd *self = rows->self;
    int64_t size = rows->attack->size;
    for (int64_t n = begin; n < end; n++) {
        float *moved = rows->moved + n * size;
        Random random = random_start(rows->input->seed, "attack", rows->input->step);
        uint64_t sequence = (rows->input->first + (uint64_t)n) * (uint64_t)self->restarts + (uint64_t)rows->restart;
        random.index = sequence * (uint64_t)(size + 1); /* a block of four words an element, and one */
        for (int64_t i = 0; self->random_start && i < size; i++)
            moved[i] = (float)(self->norm == NORM_LINF ? self->eps * (2 * random_uniform(&random) - 1)
                                                       : random_normal(&random));
        if (self->random_start && self->norm == NORM_L2) {
            double radius = self->eps * pow(random_uniform(&random), 1 / (double)size);
            double factor = radius / fmax(length_of(moved, size), 1e-12);
            for (int64_t i = 0; i < size; i++)
                moved[i] = (float)(factor * (double)moved[i]);
        }
        project(rows, n);
    }
}

/* A gradient of NaN, of a model that has diverged, moves nothing. */
static void step_rows(void *context, int64_t begin, int64_t end)
{
    const Rows *rows = context;
    const struct pgd *self = rows->self;
    int64_t size = rows->attack->size;
    for (int64_t n = begin; n < end; n++) {
        float *moved = rows->moved + n * size;
        const float *gradient = rows->gradient + n * size, *deviation = rows->attack->deviation;
        double sum = 0;
        for (int64_t i = 0; i < size && self->norm == NORM_L2; i++)
            sum += pow((double)gradient[i] / (double)deviation[i], 2);
        double factor = isfinite(sum) ? self->step / fmax(sqrt(sum), 1e-12) : 0;
        for (int64_t i = 0; i < size; i++) {
            double g = (double)gradient[i] / (double)deviation[i];
            if (self->norm == NORM_LINF)
                moved[i] += (float)(g > 0 ? self->step : g < 0 ? -self->step : 0);
            else if (factor > 0)
                moved[i] += (float)(factor * g);
        }
        project(rows, n);
    }
}

/* On the attack's tape. */
static const float *gradient_of_goal(Attack *attack, const AttackInput *input, const float *clean, float *points)
{
    int64_t n = input->x->shape[0], outputs = attack->model->input.outputs;
    Tensor *x = t_wrap(ARRAY_F32, input->x->rank, input->x->shape, points), *gradient;
    x->requires_gradient = true;
    Forward forward = {0};
    Tensor *logits = model_forward(attack->model, &forward, x);
    Tensor *goal = input->goal(logits, t_wrap(ARRAY_F32, SHAPE(n, outputs), (void *)(uintptr_t)clean),
                               t_wrap(ARRAY_I32, SHAPE(n), (void *)(uintptr_t)input->classes));
    t_gradients(t_sum(goal, ALL_AXES, false), NULL, 1, &x, &gradient, false);
    return tensor_f32(gradient);
}

enum { GRAIN_ELEMENTS = 4096 };

static void points(Attack *attack, const AttackInput *input, const float *clean, int64_t restart, float *moved,
                   float *points)
{
    const struct pgd *self = attack->values;
    int64_t n = input->x->shape[0], grain = GRAIN_ELEMENTS / attack->size + 1;
    memset(moved, 0, (size_t)(n * attack->size) * sizeof *moved);
    Rows rows = {self, attack, input, restart, moved, points, NULL};
    parallel_for(n, grain, start_rows, &rows);
    for (int64_t i = 0; i < self->iters; i++) {
        rows.gradient = gradient_of_goal(attack, input, clean, points);
        parallel_for(n, grain, step_rows, &rows);
        tape_reset();
    }
}

static int64_t restarts(const void *values)
{
    return ((const struct pgd *)values)->restarts;
}

static bool moves(const void *values)
{
    return ((const struct pgd *)values)->eps > 0;
}

static bool starts_at_sample(const void *values)
{
    return !((const struct pgd *)values)->random_start;
}

static FloatList range(const void *values)
{
    return ((const struct pgd *)values)->range;
}

const AttackDef attack_pgd = {
    .component = {.name = "pgd",
                  .summary = "projected gradient ascent, in an L-infinity or L2 ball",
                  .params = params,
                  .size = sizeof(struct pgd),
                  .source = "arXiv:1706.06083",
                  .formula = "x' <- project(x' + step sign(g)) or project(x' + step g / ||g||), g = d(goal)/d(x')",
                  .notes =
                      "Distances are in the units of the data before normalize: of images read as bytes 0 to 1, of "
                      "other features those of the file. With normalize a feature moves by up to eps divided by its "
                      "deviation in what the model sees. Points stay in the range of the data. Layers are in "
                      "evaluation: batch normalization on running statistics, no dropout.",
                  .validate = validate},
    .points = points,
    .restarts = restarts,
    .moves = moves,
    .starts_at_sample = starts_at_sample,
    .range = range,
};
