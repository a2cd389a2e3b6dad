/* Gated recurrent units: the layer against another implementation's numbers, and the models made of it. */
#include "tests/building.h"

#include "core/tensor/operations.h"

/* PyTorch 1.13, nn.GRU(2, 2) in double over two sequences of three steps, whose states' sum weighted by 0.1, 0.2, ...,
   1.2 is differentiated. Both biases of a gate are added up here. */
static const double weight_input[] = {.5, -.3, .2, .7, -.6, .1, .4, .9, -.8, .3, .1, -.5};
static const double weight_hidden[] = {.3, .2, -.4, .6, .8, -.1, .5, -.7, .2, .9, -.3, .4};
static const double sequences[] = {1, -.5, .3, .8, -1.2, .4, 0, 2, -.7, .1, 1.5, -1};
static const double states[] = {-0.5024611930772964, 0.2757253763986482, -0.3897411926884382, 0.24200735947790009,
                                -0.06302088067616174, 0.22228366019378434, 0.07247772605218461, -0.058285302841159514,
                                0.1058991274461872, 0.09751559202176241, -0.5742854210955082, 0.43872238727113955};
static const double gradient_x[] = {-0.11600397066879599, -0.2299121128036884, -0.15107859072949592,
                                    -0.037143202791772426, 0.018785143163618064, -0.13477728848849418,
                                    -0.32785880540239853, 0.17541193776386604, -0.31156041315444455,
                                    -0.43408573417192725, -0.29099056917678195, -0.251574825570249};
static const double gradient_input[] = {-0.007284222826814308, 0.08506962241462929, 0.017525667003312203,
                                        -0.008130218265574708, 0.6008660994822754, -0.4980709848689173,
                                        -0.3549267288330289, 0.519178364370084, -0.16051077981958123,
                                        1.2943739916854184, -0.2804457886139168, 0.36846576197540276};
static const double gradient_hidden[] = {-0.014375936193806515, 0.008586662962492103, -0.00035751838098756596,
                                         -0.001247508561006163, 0.08116133554651632, -0.006446882146161971,
                                         -0.045762932229009665, -0.004925145937736641, -0.056300612089940985,
                                         0.038756070738026796, -0.11541769597943524, 0.0733634479324846};
static const double gradient_bias[] = {0.0973051103488164, -0.12530412636474236, 0.0871842797941286,
                                       -0.38383061904882365, 1.4704671019477111, 1.7991756118441713};
static const double gradient_bias_hidden[] = {0.6481387445271879, 0.8884863136084493};

static void open_reference(Build *build, bool sequence)
{
    char json[128];
    snprintf(json, sizeof json, "{\"type\": \"gru\", \"units\": 2, \"reset\": \"after\", \"sequence\": %s}",
             sequence ? "true" : "false");
    build_open(build, json, FEATURES(3, 2));
    build_set(build, "weight_input", 12, weight_input);
    build_set(build, "weight_hidden", 12, weight_hidden);
    build_set(build, "bias", NUMBERS(.1, -.2, .3, .4, -.5, .6));
    build_set(build, "bias_hidden", NUMBERS(.25, -.35));
}

static const Tensor *parameter_gradient(const Build *build, const char *name)
{
    return parameters_find(build->builder.parameters, name)->value->gradient;
}

static void test_models_recurrent__gru_agrees_with_another_implementation(void **state)
{
    (void)state;
    Build build;
    open_reference(&build, true);
    Tensor *x = values_of(SHAPE(2, 3, 2), sequences), *weights = t_new(ARRAY_F32, SHAPE(2, 3, 2));
    for (int64_t i = 0; i < 12; i++)
        tensor_set(weights, i, 0.1 * (double)(i + 1));
    x->requires_gradient = true;
    Forward forward = {.training = true};
    Tensor *y = layer_forward(build.layer, &forward, x);
    assert_near(y, 12, states);
    t_backward(t_sum(t_mul(y, weights), ALL_AXES, false));
    assert_near(x->gradient, 12, gradient_x);
    assert_near(parameter_gradient(&build, "layers.2.weight_input"), 12, gradient_input);
    assert_near(parameter_gradient(&build, "layers.2.weight_hidden"), 12, gradient_hidden);
    assert_near(parameter_gradient(&build, "layers.2.bias"), 6, gradient_bias);
    assert_near(parameter_gradient(&build, "layers.2.bias_hidden"), 2, gradient_bias_hidden);
    build_close(&build);
}

static void test_models_recurrent__the_last_state_alone(void **state)
{
    (void)state;
    Build build;
    open_reference(&build, false);
    Forward forward = {0};
    Tensor *y = layer_forward(build.layer, &forward, values_of(SHAPE(2, 3, 2), sequences));
    assert_int_equal(y->rank, 2);
    ASSERT_NEAR(y, states[4], states[5], states[10], states[11]);
    build_close(&build);
}

/* A cell by hand: x = [1, 0] and h = 0.5, weights' rows [.1 .2], [.3 .4], [.5 .6] of r and u over x and h, gates' bias
   1, the candidate's weights .7, .8, .9. A first step whose update gate is shut makes the state 0.5. */
static void test_models_recurrent__reset_before_the_product(void **state)
{
    (void)state;
    Tensor *projected = values_of(SHAPE(2, 1, 3), (double[]){0, -1000, atanh(0.5), 1.1, 1.2, 0.7});
    Tensor *y = t_gru(projected, values_of(SHAPE(3, 1), (double[]){.5, .6, .9}), NULL, false);
    ASSERT_NEAR(y, 0.5, 0.55192786);
}

/* Gates' biases are 1 at first, the candidate's 0. */
static void test_models_recurrent__initial_values_and_refusals(void **state)
{
    (void)state;
    Build build;
    build_open(&build, "{\"type\": \"gru\", \"units\": 2}", FEATURES(5, 3));
    ASSERT_NEAR(parameters_find(build.builder.parameters, "layers.2.bias")->value, 1, 1, 1, 1, 0, 0);
    assert_int_equal(build.layer->parameter_count, 6 * (3 + 2) + 6);
    assert_int_equal(build.layer->output.rank, 1);
    assert_int_equal(build.layer->output.sizes[0], 2);
    assert_true(build.layer->flops == 2 * 5 * 6 * (3 + 2));
    build_close(&build);
    build_try(&build, "{\"type\": \"gru\", \"units\": 2}", FEATURES(5));
    assert_null(build.layer);
    assert_string_equal(build.texts.error.message, "model.layers.2: gru needs [steps, width], got [5]");
    build_close(&build);
}

static const ModelInput vector = {.shape = {.rank = 1, .sizes = {6}}, .outputs = 2};
static const ModelInput sequence = {.shape = {.rank = 2, .sizes = {4, 3}}, .outputs = 2};
static const ModelInput image = {.shape = {.rank = 3, .sizes = {2, 5, 3}}, .outputs = 2};
static const ModelInput language = {.shape = {.rank = 1, .sizes = {6}, .vocabulary = 11}, .outputs = 11,
                                    .per_position = true};

static Model *model_of(Texts *texts, const char *json, ModelInput input)
{
    *texts = texts_open();
    Instance instance = instance_of(texts, "model", json);
    Model *model = model_new(&instance, input, 1, &texts->error);
    if (!model)
        fail_msg("%s: %s", json, texts->error.message);
    return model;
}

static void test_models_recurrent__what_a_step_reads(void **state)
{
    (void)state;
    static const struct { const char *json; const ModelInput *input; int64_t width, steps; } cases[] = {
        {"{\"type\": \"gru\", \"hidden\": 4}", &vector, 1, 6},
        {"{\"type\": \"gru\", \"hidden\": 4, \"steps\": 2, \"input_dropout\": 0.2}", &vector, 3, 2},
        {"{\"type\": \"gru\", \"hidden\": 4, \"layers\": 2}", &sequence, 3, 4},
        {"{\"type\": \"gru\", \"hidden\": 4, \"reset\": \"after\"}", &image, 3, 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Texts texts;
        Model *model = model_of(&texts, cases[i].json, *cases[i].input);
        const Layer *first = NULL;
        for (int k = 0; k < model->layer_count && !first; k++)
            if (strcmp(model->layers[k]->name, "layers.0") == 0)
                first = model->layers[k];
        assert_non_null(first);
        assert_int_equal(first->input.sizes[0], cases[i].steps);
        assert_int_equal(first->input.sizes[1], cases[i].width);
        Forward forward = {.training = true};
        Tensor *logits = model_forward(model, &forward, batch_of(cases[i].input->shape, 3, 0));
        assert_int_equal(logits->rank, 2);
        assert_int_equal(logits->shape[1], 2);
        assert_int_equal(forward.features->shape[1], 4);
        t_backward(t_sum(t_square(logits), ALL_AXES, false));
        for (int64_t k = 0; k < model->parameters->count; k++)
            assert_non_null(model->parameters->items[k].value->gradient);
        ASSERT_NEAR(parameters_find(model->parameters, "head.bias")->value, 0.1, 0.1);
        model_free(model);
        texts_close(&texts);
    }
}

/* What follows a token changes nothing before it. */
static void test_models_recurrent__a_language_model_does_not_see_the_future(void **state)
{
    (void)state;
    Texts texts;
    Model *model =
        model_of(&texts, "{\"type\": \"gru\", \"hidden\": 5, \"embedding\": 3, \"out_init_std\": 1}", language);
    Tensor *x = batch_of(language.shape, 1, 0);
    Forward forward = {0};
    const Tensor *before = model_forward(model, &forward, x);
    tensor_i32(x)[3] = (tensor_i32(x)[3] + 1) % 11;
    const Tensor *after = model_forward(model, &forward, x);
    double least = 1, most = 0;
    for (int64_t i = 0; i < 66; i++) {
        const double change = fabs(tensor_value(after, i) - tensor_value(before, i));
        if (i < 33)
            most = fmax(most, change);
        else
            least = fmin(least, change);
    }
    assert_true(most == 0 && least > 0);
    model_free(model);
    texts_close(&texts);
}

static void test_models_recurrent__errors(void **state)
{
    (void)state;
    static const struct { const char *json; const ModelInput *input; const char *message; } cases[] = {
        {"{\"type\": \"gru\", \"steps\": 4}", &vector, "model: 6 features cannot be read in 4 equal steps"},
        {"{\"type\": \"gru\", \"steps\": 4}", &sequence,
         "model: steps divides samples that are vectors; these are [4, 3]"},
        {"{\"type\": \"gru\", \"steps\": 2}", &language,
         "model: steps divides samples that are vectors; these are [6] tokens"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Texts texts = texts_open();
        Instance instance = instance_of(&texts, "model", cases[i].json);
        assert_null(model_new(&instance, *cases[i].input, 1, &texts.error));
        assert_string_equal(texts.error.message, cases[i].message);
        assert_int_equal(texts.error.status, STATUS_USAGE);
        texts_close(&texts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_models_recurrent__gru_agrees_with_another_implementation),
        TAPE_TEST(test_models_recurrent__the_last_state_alone),
        TAPE_TEST(test_models_recurrent__reset_before_the_product),
        TAPE_TEST(test_models_recurrent__initial_values_and_refusals),
        TAPE_TEST(test_models_recurrent__what_a_step_reads),
        TAPE_TEST(test_models_recurrent__a_language_model_does_not_see_the_future),
        TAPE_TEST(test_models_recurrent__errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
