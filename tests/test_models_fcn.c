/* The cross networks of fields: values of the paper's formulas worked by hand, and what they refuse. */
#include "tests/building.h"

#include "core/models/fields.h"
#include "core/tensor/operations.h"

static Model *model_of(Texts *texts, const char *json, ModelInput input)
{
    Instance instance;
    if (!instance_try(texts, "model", json, &instance))
        fail_msg("%s: %s", json, texts->error.message);
    return model_new(&instance, input, 3, &texts->error);
}

static void set(const Model *model, const char *name, int count, const double *values)
{
    Parameter *parameter = parameters_find(model->parameters, name);
    if (!parameter)
        fail_msg("no parameter %s", name);
    assert_int_equal(parameter->value->count, count);
    for (int i = 0; i < count; i++)
        tensor_set(parameter->value, i, values[i]);
}

static void set_all(const Model *model, const char *name, double value)
{
    Parameter *parameter = parameters_find(model->parameters, name);
    assert_non_null(parameter);
    for (int64_t i = 0; i < parameter->value->count; i++)
        tensor_set(parameter->value, i, value);
}

static const double weight[] = {0.2, -0.1, 0.4, 0.3, -0.3, 0.5, 0.1, 0.2}, bias[] = {0.1, 0.2, 0.3, 0.4},
                    output[] = {0.1, 0.2, -0.1, 0.05}, zero = 0;

/* Two numbers of value 1 and their embeddings: x_0 = [1, -0.5, 0.5, 2], the first halves first. */
static Model *worked_example(Texts *texts, int layers)
{
    char json[160];
    snprintf(json, sizeof json, "{\"type\": \"fcn\", \"embed_dim\": 2, \"ecn_layers\": %d, \"lcn_layers\": %d}", layers,
             layers);
    Model *model = model_of(texts, json, (ModelInput){.shape = FEATURES(2), .outputs = 2, .heads = true});
    set(model, "embedding.weight", 4, (double[]){1, 0.5, -0.5, 2});
    for (int net = 0; net < 2; net++) {
        char name[64];
        for (int l = 0; l < layers; l++) {
            snprintf(name, sizeof name, "%s.%d.weight", net ? "lcn" : "ecn", l);
            set(model, name, 8, weight);
            snprintf(name, sizeof name, "%s.%d.bias", net ? "lcn" : "ecn", l);
            set(model, name, 4, bias);
        }
        snprintf(name, sizeof name, "%s.output.weight", net ? "lcn" : "ecn");
        set(model, name, 4, output);
        snprintf(name, sizeof name, "%s.output.bias", net ? "lcn" : "ecn");
        set(model, name, 1, &zero);
    }
    return model;
}

static void test_models_fcn__values_by_hand(void **state)
{
    (void)state;
    static const double expected[3][8] = {
        {1, -0.5, 0.5, 2, 1, -0.5, 0.5, 2},
        {2.15, -0.55, 1.1749921, 2.8, 2.15, -0.55, 1.1749921, 2.8},
        {6.2242432, -0.5266246, 3.6365865, 3.92, 4.0449968, -0.5287496, 2.2224861, 3.6},
    };
    for (int layers = 0; layers <= 2; layers++) {
        Texts texts = texts_open();
        Model *model = worked_example(&texts, layers);
        Forward forward = {0};
        Tensor *logits = model_forward(model, &forward, t_full(ARRAY_F32, SHAPE(1, 2), 1));
        assert_int_equal(forward.features->count, 8);
        assert_near_values(tensor_f32(forward.features), 8, expected[layers], 2e-6);
        if (layers == 2)
            assert_near_values(tensor_f32(logits), 2, (double[]){0.3494408, 0.2565011}, 1e-6);
        model_free(model);
        texts_close(&texts);
    }
}

/* Where the loss compares no heads, logits are means of the networks'. */
static void test_models_fcn__the_mean_of_both_networks(void **state)
{
    (void)state;
    static const char *const names[] = {"embedding.weight", "ecn.0.weight", "ecn.0.bias", "lcn.0.weight", "lcn.0.bias",
                                        "ecn.output.weight", "lcn.output.weight"};
    static const char json[] = "{\"type\": \"fcn\", \"embed_dim\": 2, \"ecn_layers\": 1, \"lcn_layers\": 1}";
    Texts texts = texts_open();
    Model *heads = model_of(&texts, json, (ModelInput){.shape = FEATURES(2), .outputs = 2, .heads = true});
    Model *mean = model_of(&texts, json, (ModelInput){.shape = FEATURES(2), .outputs = 1});
    Tensor *x = batch_of(FEATURES(2), 3, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) /* the same initial values */
        assert_same_bits(parameters_find(heads->parameters, names[i])->value,
                         parameters_find(mean->parameters, names[i])->value);
    Forward forward = {0};
    Tensor *both = model_forward(heads, &forward, x), *one = model_forward(mean, &forward, x);
    for (int64_t i = 0; i < 3; i++)
        assert_true(fabs(tensor_value(one, i) - (tensor_value(both, 2 * i) + tensor_value(both, 2 * i + 1)) / 2) <
                    1e-6);
    model_free(heads);
    model_free(mean);
    texts_close(&texts);
}

static void test_models_fcn__without_weights_nothing_is_crossed(void **state)
{
    (void)state;
    Texts texts = texts_open();
    Model *model = model_of(&texts, "{\"type\": \"lcn\", \"embed_dim\": 4}",
                            (ModelInput){.shape = FEATURES(3), .outputs = 1});
    Tensor *x = batch_of(FEATURES(3), 5, 1);
    for (int l = 0; l < 4; l++) {
        char name[32];
        snprintf(name, sizeof name, "lcn.%d.weight", l);
        set_all(model, name, 0);
        snprintf(name, sizeof name, "lcn.%d.bias", l);
        set_all(model, name, 0);
    }
    Forward forward = {0};
    model_forward(model, &forward, x);
    const Tensor *rows = parameters_find(model->parameters, "embedding.weight")->value;
    for (int64_t i = 0; i < 5; i++)
        for (int64_t k = 0; k < 12; k++) { /* half, field, place in the half */
            int64_t half = k / 6, field = k / 2 % 3, place = k % 2;
            double expected = tensor_value(x, 3 * i + field) * tensor_value(rows, 4 * field + 2 * half + place);
            assert_true(fabs(tensor_value(forward.features, 12 * i + k) - expected) < 1e-6);
        }
    model_free(model);
    texts_close(&texts);
}

/* Two heads are the mean of two models of one head, with each half of the embeddings. */
static void test_models_fcn__heads_are_averaged(void **state)
{
    (void)state;
    Texts texts = texts_open();
    ModelInput input = {.shape = FEATURES(3), .outputs = 2};
    Model *two = model_of(&texts, "{\"type\": \"ecn\", \"embed_dim\": 4, \"heads\": 2, \"ecn_layers\": 2}", input),
          *one = model_of(&texts, "{\"type\": \"ecn\", \"embed_dim\": 4, \"heads\": 1, \"ecn_layers\": 2}", input);
    Tensor *rows = parameters_find(two->parameters, "embedding.weight")->value, *x = batch_of(FEATURES(3), 4, 2);
    Tensor *alone = parameters_find(one->parameters, "embedding.weight")->value, *sum = NULL;
    for (int64_t head = 0; head < 2; head++) {
        for (int64_t i = 0; i < 12; i++)
            tensor_set(alone, i, tensor_value(rows, i / 4 * 8 + 4 * head + i % 4));
        Forward forward = {0};
        Tensor *logits = model_forward(one, &forward, x);
        sum = sum ? t_add(sum, logits) : logits;
    }
    Forward forward = {0};
    Tensor *together = model_forward(two, &forward, x);
    for (int64_t i = 0; i < together->count; i++)
        assert_true(fabs(tensor_value(together, i) - tensor_value(sum, i) / 2) < 1e-6);
    model_free(two);
    model_free(one);
    texts_close(&texts);
}

static const char *const columns[] = {"age", "color=blue", "color=red", "city=A", "city=B", "city=C", "x=y", "z"};

static void test_models_fcn__fields_from_names(void **state)
{
    (void)state;
    static const Field expected[] = {
        {"age", false, 0, 1}, {"color", true, 1, 2}, {"city", true, 3, 3}, {"x", true, 6, 1}, {"z", false, 7, 1}};
    Arena *arena = arena_new();
    int64_t count;
    Field *fields = fields_find(columns, 8, arena, &count);
    assert_int_equal(count, 5);
    for (int64_t f = 0; f < count; f++) {
        assert_string_equal(fields[f].name, expected[f].name);
        assert_int_equal(fields[f].categorical, expected[f].categorical);
        assert_int_equal(fields[f].first, expected[f].first);
        assert_int_equal(fields[f].count, expected[f].count);
    }
    fields = fields_find(NULL, 3, arena, &count);
    assert_int_equal(count, 3);
    assert_string_equal(fields[2].name, "");
    arena_free(arena);
}

/* A layer has D^2/2 + D, and D more for the norm; a category picks its row, an unknown one has the embedding 0. */
static void test_models_fcn__categories_share_a_field(void **state)
{
    (void)state;
    Texts texts = texts_open();
    ModelInput input = {.shape = FEATURES(8), .outputs = 1, .feature_names = columns};
    Model *model = model_of(&texts, "{\"type\": \"ecn\", \"embed_dim\": 4, \"ecn_layers\": 3}", input);
    int64_t width = 5 * 4;
    assert_int_equal(parameters_trainable(model->parameters), 8 * 4 + 3 * (width * width / 2 + 2 * width) + width + 1);
    Model *plain =
        model_of(&texts, "{\"type\": \"ecn\", \"embed_dim\": 4, \"ecn_layers\": 3, \"layer_norm\": false}", input);
    assert_int_equal(parameters_trainable(plain->parameters), 8 * 4 + 3 * (width * width / 2 + width) + width + 1);
    model_free(plain);
    plain = model_of(&texts, "{\"type\": \"ecn\", \"embed_dim\": 4, \"ecn_layers\": 0}", input);
    Tensor *x = t_zeros(ARRAY_F32, SHAPE(2, 8)), *rows = parameters_find(plain->parameters, "embedding.weight")->value;
    tensor_set(x, 2, 1); /* color=red, no city */
    Forward forward = {0};
    model_forward(plain, &forward, x);
    for (int64_t k = 0; k < width; k++) {
        int64_t half = k / 10, field = k / 2 % 5;
        double expected = field == 1 ? tensor_value(rows, 2 * 4 + 2 * half + k % 2) : 0;
        assert_true(fabs(tensor_value(forward.features, k) - expected) < 1e-7);
        assert_true(tensor_value(forward.features, width + k) == 0);
    }
    model_free(plain);
    model_free(model);
    texts_close(&texts);
}

static void test_models_fcn__every_parameter_has_its_gradient(void **state)
{
    (void)state;
    Texts texts = texts_open();
    Model *model = model_of(&texts, "{\"type\": \"fcn\", \"embed_dim\": 4, \"heads\": 2, \"ecn_layers\": 2, "
                                    "\"lcn_layers\": 2, \"batch_norm\": true, \"embedding_deviation\": 1}",
                            (ModelInput){.shape = FEATURES(8), .outputs = 3, .feature_names = columns});
    Tensor *x = batch_of(FEATURES(8), 16, 1), *factors = batch_of(FEATURES(3), 16, 2);
    Forward forward = {.training = true, .seed = 4};
    t_backward(t_sum(t_mul(model_forward(model, &forward, x), factors), ALL_AXES, false));
    int checked = 0;
    for (int64_t i = 0; i < model->parameters->count; i++) {
        const Parameter *item = &model->parameters->items[i];
        if (item->role == ROLE_BUFFER)
            continue;
        Tensor *gradient = item->value->gradient;
        for (int64_t k = 0; k < item->value->count; k += 1 + item->value->count / 3) {
            double sums[2], before = tensor_value(item->value, k), step = 3e-3;
            for (int side = 0; side < 2; side++) {
                tensor_set(item->value, k, before + (side ? step : -step));
                forward = (Forward){.training = true, .seed = 4};
                sums[side] = tensor_value(t_sum(t_mul(model_forward(model, &forward, x), factors), ALL_AXES, false), 0);
            }
            tensor_set(item->value, k, before);
            double slope = (sums[1] - sums[0]) / (2 * step), got = tensor_value(gradient, k);
            if (!(fabs(slope - got) <= 0.05 * (1 + fabs(slope))))
                fail_msg("%s[%d]: %g, by differences %g", item->name, (int)k, got, slope);
            checked++;
        }
    }
    assert_true(checked > 40);
    model_free(model);
    texts_close(&texts);
}

static void test_models_fcn__what_cannot_be_built(void **state)
{
    (void)state;
    static const struct { const char *json; ModelInput input; const char *message; } cases[] = {
        {"{\"type\": \"fcn\", \"embed_dim\": 3}", {.shape = {1, {4}, 0}, .outputs = 1},
         "model: embed_dim 3 is odd; choose an even one, the self-mask takes half of it"},
        {"\"fcn\"", {.shape = {1, {4}, 9}, .outputs = 1}, "model: fcn takes the columns of a table, not tokens"},
        {"\"lcn\"", {.shape = {2, {4, 4}, 0}, .outputs = 1}, "model: lcn takes the columns of a table, not [4, 4]"},
        {"\"ecn\"", {.shape = {1, {4}, 0}, .outputs = 2, .heads = true},
         "model: the loss compares 2 heads, ecn has 1; choose fcn, or another loss"},
        {"\"fcn\"", {.shape = {1, {4}, 0}, .outputs = 2, .cosines = true},
         "model: fcn gives no cosines; choose another loss"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Texts texts = texts_open();
        assert_null(model_of(&texts, cases[i].json, cases[i].input));
        assert_string_equal(texts.error.message, cases[i].message);
        assert_int_equal(texts.error.status, STATUS_USAGE);
        texts_close(&texts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_models_fcn__values_by_hand),
        TAPE_TEST(test_models_fcn__the_mean_of_both_networks),
        TAPE_TEST(test_models_fcn__without_weights_nothing_is_crossed),
        TAPE_TEST(test_models_fcn__heads_are_averaged),
        TAPE_TEST(test_models_fcn__fields_from_names),
        TAPE_TEST(test_models_fcn__categories_share_a_field),
        TAPE_TEST(test_models_fcn__every_parameter_has_its_gradient),
        TAPE_TEST(test_models_fcn__what_cannot_be_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
