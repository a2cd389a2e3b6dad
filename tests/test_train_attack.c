/* Attacks and the objectives under them. Numbers of the linear case: W = [[1, -2], [.5, 1]], b = [.1, -.2],
   x = [.3, .2], y = 0, where the largest change of the margin is eps times the dual norm of w_0 - w_1 = [.5, -3]. */
#include "tests/testing.h"

#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/operations.h"
#include "core/train/gradients.h"
#include "core/train/objectives/adversarial.h"
#include "core/train/robustness.h"

typedef struct Linear {
    Config *config;
    Model *model;
    Dataset dataset;
    DataSplits splits;
    Tape *tape;
    ObjectiveContext context;
    const ObjectiveDef *def;
    float features[2];
    int32_t labels[1];
    int64_t ids[1];
    Batch batch;
} Linear;

static void put(Model *model, const char *name, const float *values)
{
    Tensor *tensor = parameters_find(model->parameters, name)->value;
    memcpy(tensor->data, values, (size_t)tensor->count * sizeof(float));
}

static Linear *linear_new(const char *objective)
{
    Linear *linear = memory_new(sizeof *linear);
    Error error = {0};
    char text[512];
    snprintf(text, sizeof text,
             "{\"model\": {\"type\": \"mlp\", \"hidden\": []}, \"loss\": \"ce\", \"objective\": %s}",
             objective);
    linear->config = config_parse("config", text, NULL, NULL, &error);
    if (!linear->config)
        fail_msg("%s", error.message);
    linear->dataset = (Dataset){.count = 1, .type = ARRAY_F32, .rank = 1, .shape = {2}, .sample_stride = 2,
                                .target_kind = TARGET_CLASS, .classes = 2};
    linear->splits.train = (DataSplit){.dataset = &linear->dataset, .count = 1};
    linear->tape = tape_new();
    tape_use(linear->tape);
    ModelInput input = model_input_of(&linear->dataset, &linear->config->loss);
    linear->model = model_new(&linear->config->model, input, 0, &error);
    if (!linear->model)
        fail_msg("%s", error.message);
    put(linear->model, "head.weight", (float[]){1, -2, 0.5f, 1});
    put(linear->model, "head.bias", (float[]){0.1f, -0.2f});
    linear->features[0] = 0.3f;
    linear->features[1] = 0.2f;
    linear->batch = (Batch){.count = 1, .features = linear->features, .labels = linear->labels, .ids = linear->ids};
    linear->context = (ObjectiveContext){.config = linear->config, .model = linear->model, .splits = &linear->splits,
                                         .loss = linear->config->loss, .values = linear->config->objective.values};
    linear->def = (const ObjectiveDef *)linear->config->objective.component;
    if (linear->def->prepare && !linear->def->prepare(&linear->context, &error))
        fail_msg("%s", error.message);
    return linear;
}

static void linear_free(Linear *linear)
{
    if (linear->def->release)
        linear->def->release(&linear->context);
    model_free(linear->model);
    tape_free(linear->tape);
    config_free(linear->config);
    memory_free(linear);
}

static Tensor *linear_loss(Linear *linear)
{
    Forward forward = {.training = true};
    BatchTensors batch = batch_tensors(linear->model, &linear->dataset, &linear->batch);
    return linear->def->loss(&linear->context, &forward, &batch);
}

static double linear_value(const char *objective)
{
    Linear *linear = linear_new(objective);
    double value = tensor_value(linear_loss(linear), 0);
    linear_free(linear);
    return value;
}

static void test_train_attack__the_smooth_term_of_a_linear_model_is_exact(void **state)
{
    (void)state;
    assert_true(fabs(linear_value("{\"type\": \"adv_comp_sum\", \"rho\": 0.5}") - 1.2043552) < 1e-5);
    double base = linear_value("{\"type\": \"adv_comp_sum\", \"rho\": 0.5, \"nu\": 0}");
    assert_true(fabs(base - 0.8543552) < 1e-6);
    assert_true(base == linear_value("{\"type\": \"adv_comp_sum\", \"rho\": 0.5, \"attack\": {\"eps\": 0}}"));
    double l2 = linear_value("{\"type\": \"adv_comp_sum\", \"rho\": 0.5, \"attack\": {\"norm\": \"l2\", "
                             "\"iters\": 100}}");
    assert_true(fabs(l2 - base - 0.1 * sqrt(0.25 + 9)) < 1e-5);
    /* From [.3, .2] a range of [.2, .3] leaves the quadrant in which the term is largest anyway. */
    double cut = linear_value("{\"type\": \"adv_comp_sum\", \"rho\": 0.5, \"attack\": {\"range\": [0.2, 0.3], "
                              "\"restarts\": 8}}");
    assert_true(fabs(cut - base - 0.35) < 1e-5);
    /* x_1 may move to .32 alone, and x_2, which is outside the range, to .3. */
    double corner = linear_value("{\"type\": \"adv_comp_sum\", \"rho\": 0.5, \"attack\": {\"range\": [0.3, 0.32], "
                                 "\"restarts\": 8}}");
    assert_true(fabs(corner - base - 0.3) < 1e-5);
}

/* A plain linear classifier: the worst point moves the margin by eps ||w_0 - w_1||_1 against the class. */
static void test_train_attack__pgd_at_and_trades_of_a_linear_model(void **state)
{
    (void)state;
    double clean = log1p(exp(0.15)), moved = log1p(exp(0.5));
    assert_true(fabs(linear_value("\"pgd_at\"") - moved) < 1e-5);
    assert_true(fabs(linear_value("{\"type\": \"pgd_at\", \"attack\": {\"eps\": 0}}") - clean) < 1e-6);
    assert_true(fabs(linear_value("{\"type\": \"trades\", \"beta\": 0}") - clean) < 1e-6);
    double p = 1 / (1 + exp(0.15)), up = 1 / (1 + exp(-0.2)), down = 1 / (1 + exp(0.5));
    double divergence = fmax(p * log(p / up) + (1 - p) * log((1 - p) / (1 - up)),
                             p * log(p / down) + (1 - p) * log((1 - p) / (1 - down)));
    double trades = linear_value("{\"type\": \"trades\", \"attack\": {\"restarts\": 8}}");
    assert_true(fabs(trades - clean - 6 * divergence) < 1e-4);
}

/* The worst point of a linear model does not move with small changes of its weights, so that the derivative of the
   objective is that at a fixed point, through both the sample and the point. */
static void check_gradient(const char *objective)
{
    Linear *linear = linear_new(objective);
    Tensor *loss = linear_loss(linear);
    t_backward(loss);
    double analytic[6], step = 4e-3, largest = 0;
    Tensor *parameters[2] = {linear->model->parameters->items[0].value, linear->model->parameters->items[1].value};
    int count = 0;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < parameters[k]->count; i++) {
            analytic[count++] = tensor_value(parameters[k]->gradient, i);
            largest = fmax(largest, fabs(analytic[count - 1]));
        }
    count = 0;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < parameters[k]->count; i++) {
            double values[2];
            float kept = tensor_f32(parameters[k])[i];
            for (int side = 0; side < 2; side++) {
                tensor_f32(parameters[k])[i] = kept + (float)(side ? step : -step);
                values[side] = tensor_value(linear_loss(linear), 0);
            }
            tensor_f32(parameters[k])[i] = kept;
            double numeric = (values[1] - values[0]) / (2 * step);
            if (fabs(numeric - analytic[count]) > 1e-2 * largest)
                fail_msg("%s: element %d: %g, by differences %g", objective, count, analytic[count], numeric);
            count++;
        }
    linear_free(linear);
}

static void test_train_attack__gradients_agree_with_differences(void **state)
{
    (void)state;
    static const double taus[] = {0, 0.5, 1, 1.7, 2, 3};
    for (size_t i = 0; i < sizeof taus / sizeof *taus; i++) {
        char text[128];
        snprintf(text, sizeof text, "{\"type\": \"adv_comp_sum\", \"tau\": %g, \"rho\": 0.5, \"nu\": 0.7}", taus[i]);
        check_gradient(text);
    }
    check_gradient("\"pgd_at\"");
    check_gradient("{\"type\": \"trades\", \"attack\": {\"restarts\": 8}}");
}

/* eps is in raw units: what the model sees moves by eps / deviation. */
static void test_train_attack__distances_are_of_raw_data(void **state)
{
    (void)state;
    Linear *linear = linear_new("{\"type\": \"adv_comp_sum\", \"rho\": 0.5}");
    static float mean[] = {1, -1}, deviation[] = {0.5f, 4};
    linear->dataset.normalized = 2;
    linear->dataset.mean = mean;
    linear->dataset.deviation = deviation;
    linear->def->release(&linear->context);
    Error error;
    assert_true(linear->def->prepare(&linear->context, &error));
    double term = tensor_value(linear_loss(linear), 0) - 0.8543552;
    assert_true(fabs(term - 0.1 * (0.5 / 0.5 + 3.0 / 4)) < 1e-5);
    linear_free(linear);
}

static Run *run_of(const char *text)
{
    Error error = {0};
    Config *config = config_parse("config", text, NULL, NULL, &error);
    Run *run = config ? run_new(config, NULL, &error) : NULL;
    if (!run)
        fail_msg("%s", error.message);
    return run;
}

static const char glyphs[] =
    "{\"data\": {\"type\": \"glyphs\", \"count\": 48, \"val_count\": 0, \"test_count\": 0}, \"model\": {\"type\": "
    "\"cnn\", \"channels\": [4], \"norm\": \"batch_norm\"}, \"train\": {\"batch_size\": 24}, \"objective\": "
    "{\"type\": \"pgd_at\", \"attack\": {\"norm\": \"%s\", \"eps\": %g, \"step\": %g, \"iters\": 3, \"restarts\": 3}}}";

/* Points of images stay in the ball and in 0..1, whatever the normalisation. */
static void check_points(const Run *run, const Tensor *x, const Tensor *points, bool l2, double eps)
{
    const Dataset *dataset = run->splits.train.dataset;
    double mean = (double)dataset->mean[0], deviation = (double)dataset->deviation[0], moved = 0;
    int64_t size = x->count / x->shape[0];
    for (int64_t n = 0; n < x->shape[0]; n++) {
        double squares = 0, largest = 0;
        for (int64_t i = n * size; i < (n + 1) * size; i++) {
            double raw = deviation * tensor_value(points, i) + mean,
                   d = deviation * (tensor_value(points, i) - tensor_value(x, i));
            assert_true(raw > -1e-6 && raw < 1 + 1e-6);
            squares += d * d;
            largest = fmax(largest, fabs(d));
        }
        assert_true((l2 ? sqrt(squares) : largest) < eps * (1 + 1e-5));
        moved += largest;
    }
    assert_true(moved > 0);
}

static void check_attack(const char *norm, double eps)
{
    char text[512];
    snprintf(text, sizeof text, glyphs, norm, eps, eps / 3);
    Run *run = run_of(text);
    BatchTensors batch = batch_tensors(run->model, run->splits.train.dataset, loader_batch(run->loader, 0, 0));
    AttackInput input = {.x = batch.x, .classes = batch.batch->labels, .goal = attack_cross_entropy, .seed = 5};
    int64_t parameters = run->model->parameters->count;
    double values[24], before[64];
    for (int64_t i = 0; i < parameters; i++)
        before[i] = tensor_value(run->model->parameters->items[i].value, 0);
    threads_set(1);
    Tensor *first = attack_strongest(run->context.state, &input, values);
    check_points(run, batch.x, first, strcmp(norm, "l2") == 0, eps);
    for (int threads = 2; threads <= 4; threads += 2) {
        threads_set(threads);
        Tensor *again = attack_strongest(run->context.state, &input, NULL);
        assert_memory_equal(first->data, again->data, (size_t)first->count * sizeof(float));
    }
    Forward forward = {0};
    Tensor *classes = adversarial_classes(&batch);
    Tensor *clean = attack_cross_entropy(model_forward(run->model, &forward, batch.x), NULL, classes);
    for (int64_t r = 0; r < 3; r++) {
        Tensor *points = attack_restart(run->context.state, &input, r);
        Tensor *reached = attack_cross_entropy(model_forward(run->model, &forward, points), NULL, classes);
        for (int64_t i = 0; i < 24; i++)
            assert_true(tensor_value(reached, i) <= values[i] + 1e-5);
    }
    double gain = 0;
    for (int64_t i = 0; i < 24; i++)
        gain += values[i] - tensor_value(clean, i);
    assert_true(gain > 0);
    for (int64_t i = 0; i < parameters; i++) {
        assert_null(run->model->parameters->items[i].value->gradient);
        assert_true(before[i] == tensor_value(run->model->parameters->items[i].value, 0));
    }
    run_free(run);
}

static void test_train_attack__points_stay_near_and_are_the_same_for_any_threads(void **state)
{
    (void)state;
    check_attack("linf", 0.05);
    check_attack("l2", 0.7);
}

/* A point drawn for a sample depends on its number, not on the batch that it is in. */
static void test_train_attack__a_point_is_a_function_of_the_sample(void **state)
{
    (void)state;
    char text[512];
    snprintf(text, sizeof text, glyphs, "linf", 0.05, 0.01);
    Run *run = run_of(text);
    BatchTensors batch = batch_tensors(run->model, run->splits.train.dataset, loader_batch(run->loader, 0, 0));
    AttackInput whole = {.x = batch.x, .classes = batch.batch->labels, .goal = attack_margin_change, .seed = 5};
    AttackInput tail = whole;
    int64_t size = batch.x->count / 24;
    tail.x = t_wrap(ARRAY_F32, batch.x->rank, (int64_t[]){8, 1, 28, 28}, tensor_f32(batch.x) + 16 * size);
    tail.classes = whole.classes + 16;
    tail.first = 16;
    Tensor *all = attack_restart(run->context.state, &whole, 1), *some = attack_restart(run->context.state, &tail, 1);
    assert_memory_equal(tensor_f32(all) + 16 * size, some->data, (size_t)(8 * size) * sizeof(float));
    run_free(run);
}

static void test_train_attack__robust_accuracy_of_a_linear_model(void **state)
{
    (void)state;
    Linear *linear = linear_new("{\"type\": \"adv_comp_sum\", \"rho\": 0.5, \"attack\": {\"restarts\": 2}}");
    /* Margins of class 0: .15 and .4; an attack of .1 moves them by .35. The third sample is wrong without it. */
    static float features[] = {0.3f, 0.1f, 0.2f, 0, 0.3f, 0.2f};
    static int32_t labels[3];
    static int64_t order[] = {0, 1, 2};
    linear->dataset.count = 3;
    linear->dataset.features = features;
    linear->dataset.labels = labels;
    DataSplit split = {&linear->dataset, 3, order};
    Arena *arena = arena_new();
    Robustness robustness = {0};
    Error error;
    const struct { Instance attack; } *values = linear->config->objective.values;
    assert_true(split_robustness(linear->model, &linear->config->loss, &values->attack, &split, 2, 1, arena,
                                 &robustness, &error));
    static const double expected[] = {0, 1, 0};
    for (int i = 0; i < 3; i++) {
        assert_true(robustness.robust[i] == expected[i]);
        assert_true(fabs(robustness.margin_change[i] - 0.35) < 1e-5);
    }
    arena_free(arena);
    linear_free(linear);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_attack__the_smooth_term_of_a_linear_model_is_exact),
        cmocka_unit_test(test_train_attack__pgd_at_and_trades_of_a_linear_model),
        cmocka_unit_test(test_train_attack__gradients_agree_with_differences),
        cmocka_unit_test(test_train_attack__distances_are_of_raw_data),
        cmocka_unit_test(test_train_attack__points_stay_near_and_are_the_same_for_any_threads),
        cmocka_unit_test(test_train_attack__a_point_is_a_function_of_the_sample),
        cmocka_unit_test(test_train_attack__robust_accuracy_of_a_linear_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
