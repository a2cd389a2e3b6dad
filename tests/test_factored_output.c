/* The factored output layer against the plain one, in double, and losses of moments against those of logits. */
#include "tests/losses.h"

#include "core/nn/factored_output.h"

enum { CLASSES = 50, WIDTH = 8, ROWS = 4, STEPS = 200 };

typedef struct Pair {
    FactoredOutput factored;
    double *block;
    double weight[CLASSES * WIDTH];     /* of the plain layer */
} Pair;

static void pair_start(Pair *pair, Random *random)
{
    pair->block = memory_array((size_t)factored_output_size(CLASSES, WIDTH), sizeof(double));
    pair->factored = factored_output_over(pair->block, CLASSES, WIDTH);
    for (int i = 0; i < CLASSES * WIDTH; i++)
        pair->weight[i] = pair->factored.v[i] = 0.3 * random_normal(random);
    factored_output_start(&pair->factored);
}

static void draw_batch(Random *random, double *h, int32_t *targets)
{
    for (int i = 0; i < ROWS * WIDTH; i++)
        h[i] = i % WIDTH == WIDTH - 1 ? 1 : random_normal(random); /* a bias */
    for (int i = 0; i < ROWS; i++)
        targets[i] = (int32_t)random_below(random, CLASSES);
    targets[1] = targets[0];
}

/* A step of gradient descent on the mean loss by the tape; the gradient for h in `gradient`. Returns the loss. */
static double plain_step(Pair *pair, const Instance *loss, const double *h, const int32_t *targets, double rate,
                         double *gradient)
{
    tape_reset();
    Tensor *inputs = t_new(ARRAY_F64, SHAPE(ROWS, WIDTH)), *weight = t_new(ARRAY_F64, SHAPE(CLASSES, WIDTH));
    Tensor *classes = t_new(ARRAY_I32, SHAPE(ROWS));
    memcpy(inputs->data, h, ROWS * WIDTH * sizeof *h);
    memcpy(weight->data, pair->weight, sizeof pair->weight);
    memcpy(classes->data, targets, ROWS * sizeof *targets);
    inputs->requires_gradient = weight->requires_gradient = true;
    LossInput in = {.logits = t_matmul(inputs, weight, false, true), .targets = classes};
    Tensor *value = loss_evaluate(loss, &in).loss;
    t_backward(value);
    for (int i = 0; i < CLASSES * WIDTH; i++)
        pair->weight[i] -= rate * tensor_value(weight->gradient, i);
    for (int i = 0; i < ROWS * WIDTH; i++)
        gradient[i] = tensor_value(inputs->gradient, i);
    return tensor_value(value, 0);
}

static double factored_step(Pair *pair, const Instance *loss, const double *h, const int32_t *targets, double rate,
                            int64_t refactor_every, double *gradient)
{
    tape_reset();
    const LossDef *def = (const LossDef *)loss->component;
    FactoredBatch batch = {.count = ROWS, .inputs = h, .targets = targets};
    double value = 0;
    factored_output_read(&pair->factored, &batch, tape_arena());
    for (int i = 0; i < ROWS; i++) {
        LossMoments moments = {CLASSES, batch.sums[i], batch.squares[i], batch.outputs[i]};
        double slopes[3];
        value += def->of_moments(loss->values, &moments, slopes) / ROWS;
        batch.sum_slopes[i] = slopes[0] / ROWS;
        batch.square_slopes[i] = slopes[1] / ROWS;
        batch.output_slopes[i] = slopes[2] / ROWS;
    }
    factored_output_gradients(&pair->factored, &batch);
    memcpy(gradient, batch.gradients, ROWS * WIDTH * sizeof *gradient);
    factored_output_step(&pair->factored, &batch, rate, refactor_every, tape_arena());
    return value;
}

static double largest_difference(const double *a, const double *b, int count)
{
    double largest = 0;
    for (int i = 0; i < count; i++)
        largest = fmax(largest, fabs(a[i] - b[i]));
    return largest;
}

/* W = V U + 1 w^T, and what is kept beside it. */
static void assert_consistent(const Pair *pair, double tolerance)
{
    double weight[CLASSES * WIDTH], gram[WIDTH * WIDTH] = {0}, product[WIDTH * WIDTH] = {0};
    factored_output_weight(&pair->factored, weight);
    assert_true(largest_difference(weight, pair->weight, CLASSES * WIDTH) < tolerance);
    for (int a = 0; a < WIDTH; a++)
        for (int b = 0; b < WIDTH; b++) {
            for (int k = 0; k < CLASSES; k++)
                gram[a * WIDTH + b] += pair->weight[k * WIDTH + a] * pair->weight[k * WIDTH + b];
            for (int k = 0; k < WIDTH; k++) /* U (U^-T)^T */
                product[a * WIDTH + b] += pair->factored.u[a * WIDTH + k] * pair->factored.inverse[b * WIDTH + k];
            product[a * WIDTH + b] -= a == b;
        }
    assert_true(largest_difference(gram, pair->factored.gram, WIDTH * WIDTH) < 100 * tolerance);
    for (int i = 0; i < WIDTH * WIDTH; i++)
        assert_true(fabs(product[i]) < tolerance);
}

static const char *const specs[] = {"\"z_loss\"", "\"taylor_softmax\"", "\"spherical_softmax\"", "\"mse_onehot\"",
                                    "{\"type\": \"z_loss\", \"a\": 2, \"b\": 1.5}"};
enum { SPECS = sizeof specs / sizeof *specs };

/* The moments' value and derivatives are those of the logits, for every loss that has them. */
static void test_factored_output__moments_are_the_losses(void **state)
{
    (void)state;
    int found = 0;
    JsonSource *source = json_source_new();
    Arena *arena = arena_new();
    for (const Component *const *item = component_kind("loss")->items; *item; item++)
        found += ((const LossDef *)*item)->of_moments != NULL;
    assert_int_equal(found, SPECS - 1);
    for (int s = 0; s < SPECS; s++) {
        Instance loss = loss_from(source, arena, specs[s]);
        Random random = random_start(5, specs[s], 0);
        Tensor *logits = t_new(ARRAY_F64, SHAPE(1, 7)), *target = t_new(ARRAY_I32, SHAPE(1));
        LossMoments moments = {.classes = 7};
        tensor_i32(target)[0] = 3;
        logits->requires_gradient = true;
        for (int k = 0; k < 7; k++) {
            double z = random_normal(&random);
            tensor_set(logits, k, z);
            moments.sum += z;
            moments.squares += z * z;
        }
        moments.target = tensor_value(logits, 3);
        Tensor *value = loss_evaluate(&loss, &(LossInput){.logits = logits, .targets = target}).loss;
        t_backward(value);
        double slopes[3], own = ((const LossDef *)loss.component)->of_moments(loss.values, &moments, slopes);
        assert_true(fabs(own - tensor_value(value, 0)) < 1e-12);
        for (int k = 0; k < 7; k++) {
            double slope = slopes[0] + 2 * slopes[1] * tensor_value(logits, k) + (k == 3 ? slopes[2] : 0);
            assert_true(fabs(slope - tensor_value(logits->gradient, k)) < 1e-12);
        }
        tape_reset();
    }
    arena_free(arena);
    json_source_free(source);
}

/* U stays near I under the losses of ratios. Under mse_onehot, whose slope for q is 1, its condition grows to the
   largest that is allowed, 1e3, and errors with its square. */
static void test_factored_output__is_the_plain_layer(void **state)
{
    (void)state;
    JsonSource *source = json_source_new();
    Arena *arena = arena_new();
    static const int64_t periods[] = {1000, 7};
    for (int s = 0; s < SPECS; s++)
        for (int p = 0; p < 2; p++) {
            Instance loss = loss_from(source, arena, specs[s]);
            Random random = random_start(1, specs[s], 0);
            double tolerance = strcmp(specs[s], "\"mse_onehot\"") == 0 && p == 0 ? 1e-8 : 1e-12;
            Pair pair;
            pair_start(&pair, &random);
            for (int step = 0; step < STEPS; step++) {
                double h[ROWS * WIDTH], a[ROWS * WIDTH], b[ROWS * WIDTH];
                int32_t targets[ROWS];
                draw_batch(&random, h, targets);
                double plain = plain_step(&pair, &loss, h, targets, 0.05, a);
                double own = factored_step(&pair, &loss, h, targets, 0.05, periods[p], b);
                assert_true(fabs(plain - own) < tolerance && largest_difference(a, b, ROWS * WIDTH) < tolerance);
            }
            assert_consistent(&pair, tolerance);
            assert_true(p == 0 || *pair.factored.steps == STEPS % 7);
            memory_free(pair.block);
        }
    arena_free(arena);
    json_source_free(source);
}

/* mse_onehot with rate 1/(2 |h|^2) times the number of rows makes 1 + factor |h|^2 zero: the step is done plainly. */
static void test_factored_output__a_step_that_u_would_not_bear(void **state)
{
    (void)state;
    JsonSource *source = json_source_new();
    Arena *arena = arena_new();
    Instance loss = loss_from(source, arena, "\"mse_onehot\"");
    Random random = random_start(2, "singular", 0);
    Pair pair;
    pair_start(&pair, &random);
    double h[ROWS * WIDTH], a[ROWS * WIDTH], b[ROWS * WIDTH], square = 0;
    int32_t targets[ROWS];
    draw_batch(&random, h, targets);
    for (int k = 0; k < WIDTH; k++)
        square += h[k] * h[k];
    double rate = ROWS / (2 * square);
    plain_step(&pair, &loss, h, targets, rate, a);
    factored_step(&pair, &loss, h, targets, rate, 1000, b);
    assert_consistent(&pair, 1e-12);
    assert_true(*pair.factored.steps == 0 && fabs(factored_output_condition(&pair.factored) - 1) < 1e-12);
    memory_free(pair.block);
    arena_free(arena);
    json_source_free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_factored_output__moments_are_the_losses),
        TAPE_TEST(test_factored_output__is_the_plain_layer),
        TAPE_TEST(test_factored_output__a_step_that_u_would_not_bear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
