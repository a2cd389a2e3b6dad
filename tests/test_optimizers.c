/* Steps of every optimizer against PyTorch's or against a plain reference, groups, and threads. */
#include "tests/instances.h"

#include "core/optim/optimizer.h"

enum { STEPS = 3, SIZE = 4 };
static const double initial[SIZE] = {0.5, -1, 2, 0.1};
static float gradients[STEPS][SIZE] = {{0.1f, -0.2f, 0.3f, 1.5f}, {-0.4f, 0.25f, 0.05f, 0.7f},
                                       {0.2f, 0.1f, -0.6f, -0.9f}};

/* One vector of the role of weights, at `initial`. */
static ParameterSet *one_vector(void)
{
    ParameterSet *parameters = parameters_new();
    Tensor *weight = parameters_add(parameters, "w", ROLE_WEIGHT, SHAPE(SIZE));
    for (int i = 0; i < SIZE; i++)
        tensor_set(weight, i, initial[i]);
    return parameters;
}

static Optimizer *optimizer_of(Texts *texts, const char *json, ParameterSet *parameters)
{
    Instance instance = instance_of(texts, "optimizer", json);
    Optimizer *optimizer = optimizer_new(&instance, parameters, &texts->error);
    if (!optimizer)
        fail_msg("%s", texts->error.message);
    return optimizer;
}

typedef struct Steps { const char *json; double after[STEPS][SIZE]; } Steps;

static void check_steps(const Steps *steps)
{
    Texts texts = texts_open();
    ParameterSet *parameters = one_vector();
    Optimizer *optimizer = optimizer_of(&texts, steps->json, parameters);
    for (int step = 0; step < STEPS; step++) {
        optimizer_step(optimizer, (float *[]){gradients[step]}, 1, step + 1);
        assert_near_values(tensor_f32(parameters->items[0].value), SIZE, steps->after[step], 2e-6);
    }
    optimizer_free(optimizer);
    parameters_free(parameters);
    texts_close(&texts);
}

/* By torch.optim 1.13, in float64: lr 0.1 and the settings that stand here. */
static const Steps torch_steps[] = {
    {"{\"type\": \"sgd\", \"lr\": 0.1, \"momentum\": 0}",
     {{0.49, -0.98, 1.97, -0.05}, {0.53, -1.005, 1.965, -0.12}, {0.51, -1.015, 2.025, -0.03}}},
    {"{\"type\": \"sgd\", \"lr\": 0.1}",
     {{0.49, -0.98, 1.97, -0.05}, {0.521, -0.987, 1.938, -0.255}, {0.5289, -1.0033, 1.9692, -0.3495}}},
    {"{\"type\": \"sgd\", \"lr\": 0.1, \"dampening\": 0.5, \"weight_decay\": 0.1}",
     {{0.485, -0.97, 1.95, -0.051},
      {0.489075, -0.95065, 1.89275, -0.221645},
      {0.480297125, -0.93348175, 1.86176125, -0.329117275}}},
    {"{\"type\": \"sgd\", \"lr\": 0.1, \"nesterov\": true, \"weight_decay\": 0.1}",
     {{0.4715, -0.943, 1.905, -0.1869},
      {0.5263915, -0.948283, 1.818805, -0.4386589},
      {0.496035911, -0.940007323, 1.84231721, -0.424589491}}},
    {"{\"type\": \"adam\", \"lr\": 0.1, \"betas\": [0.8, 0.95], \"weight_decay\": 0.1}",
     {{0.400000007, -0.900000003, 1.9, 6.62251656e-10},
      {0.447918539, -0.881380086, 1.80860127, -0.0908241541},
      {0.439815115, -0.870278903, 1.79908299, -0.114170952}}},
    {"{\"type\": \"adamw\", \"lr\": 0.1, \"weight_decay\": 0.2}",
     {{0.39000001, -0.880000005, 1.86, -0.00199999933},
      {0.438150357, -0.87867323, 1.74446727, -0.0941555069},
      {0.440404716, -0.892163998, 1.73921307, -0.124334875}}},
    {"{\"type\": \"rmsprop\", \"lr\": 0.1, \"decay\": 0.9, \"momentum\": 0.5, \"weight_decay\": 0.1}",
     {{0.183772301, -0.683772267, 1.68377225, -0.216227759},
      {0.321956955, -0.695773523, 1.39341504, -0.509684932},
      {0.228164969, -0.731676002, 1.46357594, -0.487388129}}},
    {"{\"type\": \"adagrad\", \"lr\": 0.1, \"weight_decay\": 0.1}",
     {{0.4, -0.9, 1.9, 6.6225081e-12},
      {0.492307692, -0.947058824, 1.85672689, -0.0420581646},
      {0.43845893, -0.948615728, 1.9165756, 0.00567936634}}},
};

static void test_optimizers__steps_are_those_of_pytorch(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof torch_steps / sizeof *torch_steps; i++)
        check_steps(&torch_steps[i]);
}

/* w (1 - lr decay) - lr sign(b1 m + (1 - b1) g), m = b2 m + (1 - b2) g; the signs by hand. */
static void test_optimizers__lion_by_hand(void **state)
{
    (void)state;
    static const double signs[STEPS][SIZE] = {{1, -1, 1, 1}, {-1, 1, 1, 1}, {1, 1, -1, -1}};
    Steps steps = {.json = "{\"type\": \"lion\", \"lr\": 0.1, \"betas\": [0.5, 0.9], \"weight_decay\": 0.5}"};
    for (int i = 0; i < SIZE; i++) {
        double weight = initial[i];
        for (int step = 0; step < STEPS; step++)
            steps.after[step][i] = weight = 0.95 * weight - 0.1 * signs[step][i];
    }
    check_steps(&steps);
}

static void test_optimizers__lion_stands_still_without_a_direction(void **state)
{
    (void)state;
    Texts texts = texts_open();
    ParameterSet *parameters = one_vector();
    Optimizer *optimizer = optimizer_of(&texts, "\"lion\"", parameters);
    float zero[SIZE] = {0};
    optimizer_step(optimizer, (float *[]){zero}, 1, 1);
    ASSERT_VALUES(parameters->items[0].value, 0.5, -1, 2, (double)0.1f);
    optimizer_free(optimizer);
    parameters_free(parameters);
    texts_close(&texts);
}

static void test_optimizers__unit_rows_stay_of_length_one(void **state)
{
    (void)state;
    static const char *const specs[] = {"{\"type\": \"sgd\", \"lr\": 3}", "{\"type\": \"adam\", \"lr\": 0.5}",
                                        "{\"type\": \"muon\", \"lr\": 0.5}"};
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        Texts texts = texts_open();
        ParameterSet *parameters = parameters_new();
        Tensor *value = parameters_add(parameters, "directions", ROLE_WEIGHT, SHAPE(2, 2));
        parameters->items[0].unit_rows = true;
        tensor_set(value, 0, 1);
        tensor_set(value, 3, 1);
        Optimizer *optimizer = optimizer_of(&texts, specs[s], parameters);
        float gradient[] = {0.25F, -1, 2, 0.5F};
        for (int64_t step = 1; step <= 5; step++) {
            optimizer_step(optimizer, (float *[]){gradient}, 1, step);
            for (int64_t r = 0; r < 2; r++)
                assert_true(fabs(hypot(tensor_value(value, 2 * r), tensor_value(value, 2 * r + 1)) - 1) < 1e-6);
        }
        assert_true(tensor_value(value, 1) > 0.3 && tensor_value(value, 2) < -0.3);
        optimizer_free(optimizer);
        parameters_free(parameters);
        texts_close(&texts);
    }
}

enum { MUON_SMALL = 3, MUON_LARGE = 5, MUON_COUNT = MUON_SMALL * MUON_LARGE };

/* Five steps of the quintic iteration on x [3, 5], written out. */
static void newton_schulz_reference(double x[MUON_SMALL][MUON_LARGE])
{
    double norm = 1e-14, *flat = &x[0][0];
    for (int i = 0; i < MUON_COUNT; i++)
        norm += flat[i] * flat[i];
    for (int i = 0; i < MUON_COUNT; i++)
        flat[i] /= sqrt(norm);
    for (int k = 0; k < 5; k++) {
        double gram[MUON_SMALL][MUON_SMALL] = {{0}}, polynomial[MUON_SMALL][MUON_SMALL], next[MUON_SMALL][MUON_LARGE];
        for (int i = 0; i < MUON_SMALL; i++)
            for (int j = 0; j < MUON_SMALL; j++)
                for (int c = 0; c < MUON_LARGE; c++)
                    gram[i][j] += x[i][c] * x[j][c];
        for (int i = 0; i < MUON_SMALL; i++)
            for (int j = 0; j < MUON_SMALL; j++) {
                polynomial[i][j] = -4.7750 * gram[i][j];
                for (int c = 0; c < MUON_SMALL; c++)
                    polynomial[i][j] += 2.0315 * gram[i][c] * gram[c][j];
            }
        for (int i = 0; i < MUON_SMALL; i++)
            for (int c = 0; c < MUON_LARGE; c++) {
                next[i][c] = 3.4445 * x[i][c];
                for (int j = 0; j < MUON_SMALL; j++)
                    next[i][c] += polynomial[i][j] * x[j][c];
            }
        memcpy(x, next, sizeof next);
    }
}

/* Wide and tall matrices; a tall one steps sqrt(5/3) as far. */
static void test_optimizers__muon_as_the_reference(void **state)
{
    (void)state;
    for (int tall = 0; tall < 2; tall++) {
        Texts texts = texts_open();
        ParameterSet *parameters = parameters_new();
        Tensor *weight = parameters_add(parameters, "w", ROLE_WEIGHT,
                                        SHAPE(tall ? MUON_LARGE : MUON_SMALL, tall ? MUON_SMALL : MUON_LARGE));
        static const char json[] = "{\"type\": \"muon\", \"lr\": 0.1, \"weight_decay\": 0.3, \"momentum\": 0.8}";
        Optimizer *optimizer = optimizer_of(&texts, json, parameters);
        double expected[MUON_COUNT], velocity[MUON_COUNT] = {0};
        Random random = random_start(7, "muon", (uint32_t)tall);
        for (int i = 0; i < MUON_COUNT; i++)
            tensor_set(weight, i, expected[i] = (double)(float)random_normal(&random));
        for (int step = 0; step < STEPS; step++) {
            float gradient[MUON_COUNT];
            double direction[MUON_SMALL][MUON_LARGE];
            for (int i = 0; i < MUON_COUNT; i++) {
                gradient[i] = (float)random_normal(&random);
                velocity[i] = 0.8 * velocity[i] + 0.2 * (double)gradient[i];
                int row = tall ? i % MUON_SMALL : i / MUON_LARGE, column = tall ? i / MUON_SMALL : i % MUON_LARGE;
                direction[row][column] = 0.8 * velocity[i] + 0.2 * (double)gradient[i];
            }
            newton_schulz_reference(direction);
            for (int i = 0; i < MUON_COUNT; i++) {
                int row = tall ? i % MUON_SMALL : i / MUON_LARGE, column = tall ? i / MUON_SMALL : i % MUON_LARGE;
                expected[i] = 0.97 * expected[i] - 0.1 * (tall ? sqrt(5.0 / 3) : 1) * direction[row][column];
            }
            optimizer_step(optimizer, (float *[]){gradient}, 1, step + 1);
            assert_near_values(tensor_f32(weight), MUON_COUNT, expected, 1e-5);
        }
        optimizer_free(optimizer);
        parameters_free(parameters);
        texts_close(&texts);
    }
}

/* What is no matrix, or an embedding, goes through AdamW at adam_lr; filters count as matrices. */
static void test_optimizers__muon_leaves_the_rest_to_adamw(void **state)
{
    (void)state;
    Texts texts = texts_open();
    ParameterSet *parameters = parameters_new(), *others = parameters_new();
    parameters_add(parameters, "bias", ROLE_BIAS, SHAPE(SIZE));
    parameters_add(parameters, "embedding", ROLE_EMBEDDING, SHAPE(2, 2));
    parameters_add(parameters, "filter", ROLE_WEIGHT, SHAPE(1, 1, 2, 2));
    for (int i = 0; i < 3; i++)
        parameters_add(others, parameters->items[i].name, parameters->items[i].role, SHAPE(SIZE));
    Optimizer *muon = optimizer_of(&texts, "{\"type\": \"muon\", \"lr\": 0.2, \"adam_lr\": 0.05}", parameters);
    Optimizer *adamw = optimizer_of(&texts,
                                    "{\"type\": \"adamw\", \"lr\": 0.05, \"betas\": [0.9, 0.95], \"epsilon\": 1e-10}",
                                    others);
    for (int step = 0; step < STEPS; step++) {
        float *same[] = {gradients[step], gradients[step], gradients[step]};
        optimizer_step(muon, same, 0.5, step + 1);
        optimizer_step(adamw, same, 0.5, step + 1);
    }
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < SIZE; k++)
            assert_true(fabs(tensor_value(parameters->items[i].value, k)
                             - tensor_value(others->items[i].value, k)) < 1e-6);
    /* An orthogonalised row has a length near 1: each step moves the filter by about lr 0.1. */
    double square = 0;
    optimizer_step(muon, (float *[]){NULL, NULL, gradients[0]}, 0.5, STEPS + 1);
    for (int k = 0; k < SIZE; k++)
        square += tensor_value(parameters->items[2].value, k) * tensor_value(parameters->items[2].value, k);
    assert_true(square > 0.01 && square < 0.3);
    optimizer_free(muon);
    optimizer_free(adamw);
    parameters_free(parameters);
    parameters_free(others);
    texts_close(&texts);
}

static ParameterSet *every_role(void)
{
    ParameterSet *parameters = parameters_new();
    static const char *const names[] = {"body.weight", "body.bias", "norm.weight", "embedding.weight",
                                        "norm.running_mean", "head.weight"};
    static const ParameterRole roles[] = {ROLE_WEIGHT, ROLE_BIAS, ROLE_SCALE, ROLE_EMBEDDING, ROLE_BUFFER, ROLE_WEIGHT};
    for (int i = 0; i < 6; i++)
        tensor_set(parameters_add(parameters, names[i], roles[i], SHAPE(1)), 0, 1);
    return parameters;
}

/* One step of sgd with lr 0.1, decay 0.5 and gradient 1 from weight 1: 0.85 with decay, 0.9 without. */
static void check_groups(const char *keys, const double expected[6])
{
    Texts texts = texts_open();
    ParameterSet *parameters = every_role();
    char json[512];
    snprintf(json, sizeof json, "{\"type\": \"sgd\", \"lr\": 0.1, \"weight_decay\": 0.5, %s}", keys);
    Optimizer *optimizer = optimizer_of(&texts, json, parameters);
    float one = 1, *all[6];
    for (int i = 0; i < 6; i++)
        all[i] = parameters->items[i].value->requires_gradient ? &one : NULL;
    optimizer_step(optimizer, all, 1, 1);
    for (int i = 0; i < 6; i++)
        if (fabs(tensor_value(parameters->items[i].value, 0) - expected[i]) > 1e-6)
            fail_msg("%s: %s is %g, not %g", keys, parameters->items[i].name,
                     tensor_value(parameters->items[i].value, 0), expected[i]);
    optimizer_free(optimizer);
    parameters_free(parameters);
    texts_close(&texts);
}

static void test_optimizers__decay_is_for_matrices_unless_told(void **state)
{
    (void)state;
    check_groups("\"decay_all\": false", (double[]){0.85, 0.9, 0.9, 0.9, 1, 0.85});
    check_groups("\"decay_all\": true", (double[]){0.85, 0.85, 0.85, 0.85, 1, 0.85});
}

static void test_optimizers__groups_by_pattern(void **state)
{
    (void)state;
    check_groups("\"groups\": [{\"match\": \"head.*\", \"lr_scale\": 2}]", (double[]){0.85, 0.9, 0.9, 0.9, 1, 0.7});
    check_groups("\"groups\": [{\"match\": \"body.*\", \"weight_decay\": 0}]", (double[]){0.9, 0.9, 0.9, 0.9, 1, 0.85});
    check_groups("\"groups\": [{\"match\": \"*bias\", \"weight_decay\": 1}]", (double[]){0.85, 0.8, 0.9, 0.9, 1, 0.85});
    check_groups("\"groups\": [{\"match\": \"*\", \"frozen\": true}, {\"match\": \"?ead.weight\"}]",
                 (double[]){1, 1, 1, 1, 1, 0.85});
    /* The last that matches holds, with all its keys. */
    check_groups("\"groups\": [{\"match\": \"*weight\", \"lr_scale\": 3, \"weight_decay\": 2}, {\"match\": \"head*\", "
                 "\"lr_scale\": 0.5}]",
                 (double[]){0.1, 0.9, 0.1, 0.1, 1, 0.925});
}

static void test_optimizers__frozen_parameters_have_no_state(void **state)
{
    (void)state;
    Texts texts = texts_open();
    ParameterSet *parameters = every_role();
    Optimizer *optimizer = optimizer_of(&texts,
                                        "{\"type\": \"adam\", \"groups\": [{\"match\": \"body*\", \"frozen\": true}]}",
                                        parameters);
    assert_false(parameters_find(parameters, "body.weight")->value->requires_gradient);
    assert_false(parameters_find(parameters, "norm.running_mean")->value->requires_gradient);
    assert_int_equal(parameters_trainable(parameters), 3);
    assert_int_equal(optimizer_state_count(optimizer), 6);
    const char *slot;
    const Parameter *parameter;
    assert_non_null(optimizer_state(optimizer, 3, &slot, &parameter));
    assert_string_equal(slot, "square");
    assert_string_equal(parameter->name, "embedding.weight");
    assert_null(optimizer_state(optimizer, 6, &slot, &parameter));
    optimizer_free(optimizer);
    parameters_free(parameters);
    texts_close(&texts);
}

static void test_optimizers__wrong_settings_are_named(void **state)
{
    (void)state;
    static const struct { const char *json, *part; } cases[] = {
        {"{\"type\": \"sgd\", \"groups\": 3}", "optimizer.groups: expected a list"},
        {"{\"type\": \"sgd\", \"groups\": [3]}", "optimizer.groups[0]"},
        {"{\"type\": \"sgd\", \"groups\": [{\"lr_scale\": 1}]}", "match"},
        {"{\"type\": \"sgd\", \"groups\": [{\"match\": \"*\"}, {\"match\": \"*\", \"lr_scal\": 1}]}",
         "optimizer.groups[1].lr_scal: unknown key; did you mean \"lr_scale\"?"},
        {"{\"type\": \"sgd\", \"groups\": [{\"match\": \"tail.*\"}]}",
         "optimizer.groups[0].match: no parameter is called \"tail.*\""},
        {"{\"type\": \"sgd\", \"groups\": [{\"match\": \"*\", \"lr_scale\": -1}]}",
         "optimizer.groups[0].lr_scale: expected"},
        {"{\"type\": \"adam\", \"betas\": [0.9]}", "betas: expected"},
        {"{\"type\": \"adam\", \"betas\": [0.9, 0.99, 0.999]}", "betas: expected 2 numbers, got 3"},
        {"{\"type\": \"lion\", \"betas\": [0.9, 1.5]}", "betas[1]: expected"},
        {"{\"type\": \"sgd\", \"lr\": -1}", "lr: expected"},
    };
    ParameterSet *parameters = every_role();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Texts texts = texts_open();
        Instance instance;
        assert_false(instance_try(&texts, "optimizer", cases[i].json, &instance)
                     && optimizer_new(&instance, parameters, &texts.error));
        assert_error(&texts, STATUS_USAGE, cases[i].part);
        texts_close(&texts);
    }
    parameters_free(parameters);
}

static void test_optimizers__name_patterns(void **state)
{
    (void)state;
    static const struct { const char *pattern, *name; bool matches; } cases[] = {
        {"*", "", true}, {"*", "a.b", true}, {"", "", true}, {"", "a", false}, {"a", "a", true}, {"a", "ab", false},
        {"?", "", false},
        {"a?c", "abc", true}, {"a?c", "ac", false}, {"*.bias", "a.bias.bias", true}, {"*.bias", "a.bias.b", false},
        {"blocks.*.attention.?.weight", "blocks.11.attention.q.weight", true}, {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXcYb", false}, {"**", "x", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (name_matches(cases[i].pattern, cases[i].name) != cases[i].matches)
            fail_msg("%s against %s", cases[i].pattern, cases[i].name);
}

/* Large enough for several chunks of elements and of products. */
static void test_optimizers__same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    static const char *const names[] = {"sgd", "adam", "adamw", "rmsprop", "adagrad", "lion", "muon"};
    enum { ROWS = 96, COLUMNS = 800, COUNT = ROWS * COLUMNS };
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        float *first = memory_array(COUNT, sizeof *first), *gradient = memory_array(COUNT, sizeof *gradient);
        for (int threads = 1; threads <= 4; threads *= 2) {
            Texts texts = texts_open();
            char json[64];
            snprintf(json, sizeof json, "\"%s\"", names[n]);
            ParameterSet *parameters = parameters_new();
            Tensor *weight = parameters_add(parameters, "w", ROLE_WEIGHT, SHAPE(ROWS, COLUMNS));
            Optimizer *optimizer = optimizer_of(&texts, json, parameters);
            threads_set(threads);
            for (int step = 0; step < 2; step++) {
                for (int i = 0; i < COUNT; i++)
                    gradient[i] = (float)((i * 37 + step * 11) % 101 - 50) / 50;
                optimizer_step(optimizer, (float *[]){gradient}, 1, step + 1);
            }
            if (threads == 1)
                memcpy(first, weight->data, COUNT * sizeof *first);
            assert_memory_equal(first, weight->data, COUNT * sizeof *first);
            optimizer_free(optimizer);
            parameters_free(parameters);
            texts_close(&texts);
        }
        memory_free(first);
        memory_free(gradient);
    }
}

/* Without a gradient neither weight nor state changes, and no decay is applied. */
static void test_optimizers__no_gradient_no_change(void **state)
{
    (void)state;
    Texts texts = texts_open();
    ParameterSet *parameters = one_vector();
    Optimizer *optimizer = optimizer_of(&texts, "{\"type\": \"adamw\", \"weight_decay\": 0.5}", parameters);
    optimizer_step(optimizer, (float *[]){NULL}, 1, 1);
    ASSERT_VALUES(parameters->items[0].value, 0.5, -1, 2, (double)0.1f);
    optimizer_free(optimizer);
    parameters_free(parameters);
    texts_close(&texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_optimizers__steps_are_those_of_pytorch),
        TAPE_TEST(test_optimizers__lion_by_hand),
        TAPE_TEST(test_optimizers__unit_rows_stay_of_length_one),
        TAPE_TEST(test_optimizers__lion_stands_still_without_a_direction),
        TAPE_TEST(test_optimizers__muon_as_the_reference),
        TAPE_TEST(test_optimizers__muon_leaves_the_rest_to_adamw),
        TAPE_TEST(test_optimizers__decay_is_for_matrices_unless_told),
        TAPE_TEST(test_optimizers__groups_by_pattern),
        TAPE_TEST(test_optimizers__frozen_parameters_have_no_state),
        TAPE_TEST(test_optimizers__wrong_settings_are_named),
        TAPE_TEST(test_optimizers__name_patterns),
        TAPE_TEST(test_optimizers__same_bits_for_any_number_of_threads),
        TAPE_TEST(test_optimizers__no_gradient_no_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
