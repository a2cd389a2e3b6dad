/* Rotary positions (Su et al. 2021). */
#include <assert.h>
#include <math.h>

#include "core/base/threads.h"
#include "core/tensor/attention.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

typedef struct Rotation {
    int64_t first;
    double base;
    bool back;              /* by the opposite angle: the transpose, which is the inverse */
} Rotation;

typedef struct Turn {
    const float *x, *cosine, *sine;
    float *y;
    int64_t positions, heads, pairs;
} Turn;

/* cosine and sine [positions, pairs]. Each position is the one before it turned by the pair's frequency; the
   double's rounding errors stay far below a float's over any length that fits memory. */
static void fill_angles(const Rotation *rotation, int64_t positions, int64_t pairs, double *cosine, double *sine)
{
    for (int64_t i = 0; i < pairs; i++) {
        const double frequency = pow(rotation->base, -(double)i / (double)pairs) * (rotation->back ? -1 : 1);
        const double step_cosine = cos(frequency), step_sine = sin(frequency);
        double c = cos((double)rotation->first * frequency), s = sin((double)rotation->first * frequency);
        for (int64_t t = 0; t < positions; t++) {
            cosine[t * pairs + i] = c;
            sine[t * pairs + i] = s;
            const double before = c;
            c = before * step_cosine - s * step_sine;
            s = before * step_sine + s * step_cosine;
        }
    }
}

static Tensor *rotate(Tensor *x, const Rotation *rotation);

static void backward_rotate(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Rotation opposite = *(const Rotation *)node->attributes;
    opposite.back = !opposite.back;
    gradients[0] = rotate(gradient, &opposite);
}

static int sample_rotate(Random *random, int variant, Tensor **inputs)
{
    inputs[0] = variant == 0 ? sample_leaf(random, -2, 2, SHAPE(2, 3, 2, 6))
                             : sample_leaf(random, -2, 2, SHAPE(0, 3, 1, 2));
    return 1;
}

static Tensor *apply_rotate(Tensor **inputs, int variant)
{
    return t_rotate_positions(inputs[0], variant == 0 ? 2 : 0, 100);
}

const OperationDef operation_rotate_positions = {
    .component = {.name = "rotate_positions",
                  .summary = "turn pairs of features by an angle that grows with the position",
                  .source = "arXiv:2104.09864"},
    .backward = backward_rotate,
    .variants = 2,
    .inputs = sample_rotate,
    .apply = apply_rotate,
};

#define TURN_ROWS(TYPE, begin, end, x, y, cosine, sine)                                          \
    for (int64_t row = begin; row < end; row++) {                                                \
        const TYPE *left = (x) + row * 2 * pairs, *right = left + pairs;                         \
        TYPE *to = (y) + row * 2 * pairs;                                                        \
        for (int64_t i = 0, at = row / heads % positions * pairs; i < pairs; i++, at++) {        \
            const TYPE l = left[i], r = right[i];                                                \
            to[i] = l * (cosine)[at] - r * (sine)[at];                                           \
            to[pairs + i] = l * (sine)[at] + r * (cosine)[at];                                   \
        }                                                                                        \
    }

static void turn_rows(void *context, int64_t begin, int64_t end)
{
    const Turn *turn = context;
    const int64_t positions = turn->positions, heads = turn->heads, pairs = turn->pairs;
    TURN_ROWS(float, begin, end, turn->x, turn->y, turn->cosine, turn->sine)
}

static void rotate_single(const Tensor *x, const double *angles, Tensor *y)
{
    const int64_t positions = x->shape[1], heads = x->shape[2], pairs = x->shape[3] / 2;
    const int64_t count = 2 * positions * pairs, grain = 32 * 1024 / (2 * pairs) + 1;
    float *single = arena_alloc(tape_arena(), (size_t)count * sizeof *single);
    for (int64_t i = 0; i < count; i++)
        single[i] = (float)angles[i];
    Turn turn = {.x = tensor_f32(x), .y = tensor_f32(y), .cosine = single, .sine = single + count / 2,
                 .positions = positions, .heads = heads, .pairs = pairs};
    parallel_for(x->count / (2 * pairs), grain, turn_rows, &turn);
    arena_recycle(tape_arena(), single, (size_t)count * sizeof *single);
}

void rotate_positions(const Tensor *x, int64_t first, double base, bool back, Tensor *y)
{
    const int64_t positions = x->shape[1], heads = x->shape[2], pairs = x->shape[3] / 2, count = 2 * positions * pairs;
    double *angles = arena_alloc(tape_arena(), (size_t)count * sizeof *angles);
    fill_angles(&(Rotation){first, base, back}, positions, pairs, angles, angles + count / 2);
    if (x->type == ARRAY_F32)
        rotate_single(x, angles, y);
    else
        TURN_ROWS(double, 0, x->count / (2 * pairs), tensor_f64(x), tensor_f64(y), angles, angles + count / 2)
    arena_recycle(tape_arena(), angles, (size_t)count * sizeof *angles);
}

static Tensor *rotate(Tensor *x, const Rotation *rotation)
{
    assert(x->rank == 4 && x->shape[3] >= 2 && x->shape[3] % 2 == 0 && rotation->base > 0);
    Tensor *y = t_like(x);
    rotate_positions(x, rotation->first, rotation->base, rotation->back, y);
    op_record(&operation_rotate_positions, y, 1, &x, rotation, sizeof *rotation);
    return y;
}

Tensor *t_rotate_positions(Tensor *x, int64_t first, double base)
{
    return rotate(x, &(Rotation){.first = first, .base = base});
}

Tensor *t_rotate_positions_back(Tensor *x, int64_t first, double base)
{
    return rotate(x, &(Rotation){.first = first, .base = base, .back = true});
}
