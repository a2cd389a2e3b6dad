/* Softmax of cosines between embeddings and class directions, with margins for the target: none (Wang et al. 2017),
   on the cosine (Wang et al. 2018), on the angle (Deng et al. 2019), a multiple of the angle (Liu et al. 2017). */
#include <math.h>

#include "losses/rows.h"
#include "losses/shared.h"

/* weight_norm is that of the layer cosine_linear. */
enum { REPARAM, PROJECT };
static const char *const weight_norms[] = {"reparam", "project", NULL};

struct head { double scale, margin; int weight_norm; };
struct sphereface { double scale; int64_t margin; };

#define SCALE(structure, default_) PARAM_FLOAT(structure, scale, default_, .min = 1e-6, .help = "factor of the cosines")

static const Param normalized_params[] = {
    SCALE(struct head, 10),
    PARAM_FLOAT(struct head, margin, 0, .min = 0, .help = "subtracted from the target's cosine"),
    PARAM_ENUM(struct head, weight_norm, "project", .choices = weight_norms,
               .help = "project: in training, directions are brought back to length 1 after every step; reparam: they "
                       "are not"),
    PARAM_END
};
static const Param cosface_params[] = {
    SCALE(struct head, 30), PARAM_FLOAT(struct head, margin, 0.35, .min = 0,
                                        .help = "subtracted from the target's cosine"), PARAM_END
};
static const Param arcface_params[] = {
    SCALE(struct head, 30),
    PARAM_FLOAT(struct head, margin, 0.5, .min = 0, .max = 1.5, .help = "added to the target's angle, radians"),
        PARAM_END
};
static const Param sphereface_params[] = {
    SCALE(struct sphereface, 30),
    PARAM_INT(struct sphereface, margin, 4, .min = 1, .max = 16, .help = "factor of the target's angle"), PARAM_END
};

static bool check(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    const Tensor *weight = loss_extra(in, "weight"), *targets = in->targets;
    if (weight && (weight->rank != 2 || weight->shape[1] != in->logits->shape[1]))
        return fail(error, "weight: expected [classes, %lld], a direction a class", (long long)in->logits->shape[1]);
    int64_t classes = weight ? weight->shape[0] : in->logits->shape[1];
    for (int64_t i = 0; i < targets->count; i++)
        if (tensor_i32(targets)[i] < 0 || tensor_i32(targets)[i] >= classes)
            return fail(error, "targets: %d at row %lld is outside 0..%lld", tensor_i32(targets)[i], (long long)i,
                        (long long)classes - 1);
    for (int64_t i = 0; !weight && i < in->logits->count; i++)
        if (fabs(tensor_value(in->logits, i)) > 1 + 1e-3)
            return fail(error, "logits: %g at row %lld is not a cosine; for embeddings give the extra \"weight\"",
                        tensor_value(in->logits, i), (long long)(i / in->logits->shape[1]));
    return true;
}

static Tensor *cosines(const LossInput *in)
{
    Tensor *weight = loss_extra(in, "weight");
    return weight ? t_matmul(loss_normalized(in->logits), loss_normalized(weight), false, true) : in->logits;
}

/* Cross-entropy of the scaled cosines with the target's replaced by `target` [N]. */
static Tensor *scaled_loss(const LossInput *in, Tensor *cosine, Tensor *target, double scale)
{
    Tensor *one_hot = t_one_hot(in->targets, cosine->shape[1], cosine->type);
    Tensor *change = t_reshape(t_sub(target, t_pick(cosine, in->targets)), SHAPE(cosine->shape[0], 1));
    return t_softmax_cross_entropy(t_scale(t_add(cosine, t_mul(one_hot, change)), scale), in->targets);
}

static Tensor *cosine_margin(const void *values, const LossInput *in)
{
    const struct head *self = values;
    Tensor *cosine = cosines(in);
    return scaled_loss(in, cosine, t_add_scalar(t_pick(cosine, in->targets), -self->margin), self->scale);
}

/* cos(a + m) = cos a cos m - sin a sin m up to a = pi - m, then cos a - m sin m. At the angles 0 and pi, where the
   sine has no derivative, it is taken as 0. */
static Tensor *arcface(const void *values, const LossInput *in)
{
    const struct head *self = values;
    double m = self->margin;
    Tensor *cosine = cosines(in), *own = t_pick(cosine, in->targets), *zero = t_scalar(own->type, 0),
        *one = t_scalar(own->type, 1);
    Tensor *squared = t_mul(t_sub(one, own), t_add(one, own)), *inside = t_less(zero, squared);
    Tensor *sine = t_where(inside, t_sqrt(t_where(inside, squared, one)), zero);
    Tensor *moved = t_sub(t_scale(own, cos(m)), t_scale(sine, sin(m)));
    Tensor *within = t_less_equal(t_scalar(own->type, -cos(m)), own);
    return scaled_loss(in, cosine, t_where(within, moved, t_add_scalar(own, -m * sin(m))), self->scale);
}

/* k = floor(m a / pi) */
static double sphere_turns(const struct sphereface *self, double cosine)
{
    const double angle = acos(fmin(fmax(cosine, -1), 1)), m = (double)self->margin;
    return fmin(floor(m * angle / M_PI), m - 1);
}

/* (-1)^k and 2k */
static double sphere_sign(const struct sphereface *self, double cosine)
{
    return fmod(sphere_turns(self, cosine), 2) == 0 ? 1 : -1;
}

static double sphere_shift(const struct sphereface *self, double cosine)
{
    return 2 * sphere_turns(self, cosine);
}

/* (-1)^k cos(m a) - 2k; cos(m a) is Chebyshev's polynomial of cos a. */
static Tensor *sphereface(const void *values, const LossInput *in)
{
    const struct sphereface *self = values;
    Tensor *cosine = cosines(in), *own = t_pick(cosine, in->targets);
    Tensor *before = t_full(own->type, own->rank, own->shape, 1), *multiple = own, *sign = t_like(own),
        *shift = t_like(own);
    for (int64_t n = 1; n < self->margin; n++) {
        Tensor *next = t_sub(t_scale(t_mul(own, multiple), 2), before);
        before = multiple;
        multiple = next;
    }
    for (int64_t i = 0; i < own->count; i++) {
        tensor_set(sign, i, sphere_sign(self, tensor_value(own, i)));
        tensor_set(shift, i, sphere_shift(self, tensor_value(own, i)));
    }
    return scaled_loss(in, cosine, t_sub(t_mul(sign, multiple), shift), self->scale);
}

/* ---- In closed form, of cosines ---- */

static bool are_cosines(const void *self, const LossInput *in)
{
    (void)self;
    return !loss_extra(in, "weight");
}

ROW float cosine_margin_row(const void *values, const LossRow *row, float *gradient)
{
    const struct head *self = values;
    const float scale = (float)self->scale;
    const RowMargin margin = {scale * (row->logits[row->target] - (float)self->margin), scale};
    return row_margin_cross_entropy(row, scale, 0, margin, gradient);
}

ROW float arcface_row(const void *values, const LossRow *row, float *gradient)
{
    const struct head *self = values;
    const double m = self->margin, own = (double)row->logits[row->target], squared = (1 - own) * (1 + own);
    const double sine = squared > 0 ? sqrt(squared) : 0;
    const bool within = -cos(m) <= own;
    const double moved = within ? own * cos(m) - sine * sin(m) : own - m * sin(m);
    const double slope = within ? cos(m) + (sine > 0 ? own / sine * sin(m) : 0) : 1;
    const RowMargin margin = {(float)(self->scale * moved), (float)(self->scale * slope)};
    return row_margin_cross_entropy(row, (float)self->scale, 0, margin, gradient);
}

/* Chebyshev's polynomials and their derivatives by the same recurrence. */
ROW float sphereface_row(const void *values, const LossRow *row, float *gradient)
{
    const struct sphereface *self = values;
    const double own = (double)row->logits[row->target], sign = sphere_sign(self, own), shift = sphere_shift(self, own);
    double before = 1, slope_before = 0, multiple = own, slope = 1;
    for (int64_t n = 1; n < self->margin; n++) {
        const double next = 2 * own * multiple - before, next_slope = 2 * (multiple + own * slope) - slope_before;
        before = multiple, slope_before = slope;
        multiple = next, slope = next_slope;
    }
    const RowMargin margin = {(float)(self->scale * (sign * multiple - shift)), (float)(self->scale * sign * slope)};
    return row_margin_cross_entropy(row, (float)self->scale, 0, margin, gradient);
}

LOSS_ROWS(cosine_margin, .takes = are_cosines)
LOSS_ROWS(arcface, .takes = are_cosines)
LOSS_ROWS(sphereface, .takes = are_cosines)

/* Softmax of the scaled cosines, without the margin that the target has in training. */
static void decode_scaled(int64_t outputs, double scale, const double *cosine, double *log_p)
{
    double most = -INFINITY, sum = 0;
    for (int64_t k = 0; k < outputs; k++)
        most = fmax(most, scale * cosine[k]);
    for (int64_t k = 0; k < outputs; k++)
        sum += exp(scale * cosine[k] - most);
    for (int64_t k = 0; k < outputs; k++)
        log_p[k] = scale * cosine[k] - most - log(sum);
}

static void decode(const void *self, int64_t outputs, const double *cosine, double *log_p)
{
    decode_scaled(outputs, ((const struct head *)self)->scale, cosine, log_p);
}

static void decode_sphereface(const void *self, int64_t outputs, const double *cosine, double *log_p)
{
    decode_scaled(outputs, ((const struct sphereface *)self)->scale, cosine, log_p);
}

/* Embeddings and directions of four dimensions. */
static void sample(const void *self, Random *random, LossInput *in)
{
    (void)self;
    int64_t samples = in->logits->shape[0], classes = in->logits->shape[1];
    in->logits = t_new(ARRAY_F64, SHAPE(samples, 4));
    for (int64_t i = 0; i < in->logits->count; i++)
        tensor_set(in->logits, i, 1.5 * random_normal(random));
    loss_set_extra(in, "weight", t_random_normal(ARRAY_F64, SHAPE(classes, 4), *random));
}

static const char *const extras[] = {"weight?", NULL};
#define NOTES                                                                                              \
    "With the extra weight [C, D] the logits are embeddings [N, D]; both are normalised inside. Without it " \
    "they are cosines [N, C]: a model that trains with this loss has a head that gives them, and predicts with " \
    "the softmax of scale cos."
#define HEAD                                                                                               \
    .targets = LOSS_CLASSES, .properties = LOSS_BOUNDED, .own_classes = true, .cosines = true,             \
    .extras = extras, .check = check, .sample = sample

static bool unit_directions(const void *self)
{
    return ((const struct head *)self)->weight_norm == PROJECT;
}

const LossDef loss_normalized_softmax = {
    .component = {.name = "normalized_softmax", .summary = "cross-entropy of scaled cosines",
                  .params = normalized_params,
                  .size = sizeof(struct head), .source = "arXiv:1704.06369, arXiv:2102.03243",
                  .formula = "-log softmax(scale (cos - margin e_y))_y", .notes = NOTES},
    HEAD, .unit_directions = unit_directions, .decode = decode, .forward = cosine_margin, .rows = &rows_cosine_margin,
};

const LossDef loss_cosface = {
    .component = {.name = "cosface", .summary = "cross-entropy of scaled cosines with a margin on the cosine",
                  .params = cosface_params, .size = sizeof(struct head), .source = "arXiv:1801.09414",
                  .formula = "-log softmax(scale (cos - margin e_y))_y", .notes = NOTES},
    HEAD, .decode = decode, .forward = cosine_margin, .rows = &rows_cosine_margin,
};

const LossDef loss_arcface = {
    .component = {.name = "arcface", .summary = "cross-entropy of scaled cosines with a margin on the angle",
                  .params = arcface_params, .size = sizeof(struct head), .source = "arXiv:1801.07698",
                  .formula = "-log softmax(scale cos')_y, cos'_y = cos(a + margin); beyond a = pi - margin: cos a - "
                             "margin sin margin",
                  .notes = NOTES " At the angles 0 and pi the derivative of the sine is taken as 0."},
    HEAD, .decode = decode, .forward = arcface, .rows = &rows_arcface,
};

const LossDef loss_sphereface = {
    .component = {.name = "sphereface", .summary = "cross-entropy of scaled cosines with a multiple of the angle",
                  .params = sphereface_params, .size = sizeof(struct sphereface), .source = "arXiv:1704.08063",
                  .formula = "-log softmax(scale cos')_y, cos'_y = (-1)^k cos(margin a) - 2k, k = floor(margin a / pi)",
                  .notes = NOTES},
    HEAD, .decode = decode_sphereface, .forward = sphereface, .rows = &rows_sphereface,
};
