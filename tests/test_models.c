/* Models: what they are built of, shapes for every kind of data, and what they refuse. */
#include "tests/building.h"

static const ModelInput vector = {.shape = {.rank = 1, .sizes = {3}}, .outputs = 2};
static const ModelInput image = {.shape = {.rank = 3, .sizes = {2, 8, 8}}, .outputs = 3};
static const ModelInput tokens = {.shape = {.rank = 1, .sizes = {6}, .vocabulary = 11}, .outputs = 4};
static const ModelInput language = {.shape = {.rank = 1, .sizes = {6}, .vocabulary = 11}, .outputs = 11,
                                    .per_position = true};

typedef struct Built { Texts texts; Model *model; } Built;

static Model *open_model(Built *built, const char *json, ModelInput input)
{
    built->texts = texts_open();
    Instance instance = instance_of(&built->texts, "model", json);
    built->model = model_new(&instance, input, 1, &built->texts.error);
    if (!built->model)
        fail_msg("%s: %s", json, built->texts.error.message);
    return built->model;
}

static void close_model(Built *built)
{
    model_free(built->model);
    texts_close(&built->texts);
}

static Tensor *logits_of(const Model *model, Tensor *x, bool training)
{
    Forward forward = {.training = training};
    return model_forward(model, &forward, x);
}

static Tensor *parameter(const Model *model, const char *name)
{
    Parameter *found = parameters_find(model->parameters, name);
    if (!found)
        fail_msg("no parameter %s", name);
    return found->value;
}

/* Shapes of logits and features, a gradient for every parameter, and the same bits for any number of threads. */
static void check_model(const char *json, ModelInput input, int64_t parameters)
{
    Built built;
    Model *model = open_model(&built, json, input);
    if (parameters_trainable(model->parameters) != parameters)
        fail_msg("%s: %lld parameters, not %lld", json, (long long)parameters_trainable(model->parameters),
                 (long long)parameters);
    Tensor *first = NULL;
    for (int threads = 1; threads <= 4; threads *= 2) {
        threads_set(threads);
        Tensor *logits = logits_of(model, batch_of(input.shape, 3, 0), false);
        first = first ? first : logits;
        assert_same_bits(logits, first);
    }
    assert_int_equal(first->rank, input.per_position ? 3 : 2);
    assert_int_equal(first->shape[0], 3);
    assert_int_equal(first->shape[first->rank - 1], input.outputs);
    if (input.per_position)
        assert_int_equal(first->shape[1], input.shape.sizes[0]);
    Forward forward = {.training = true};
    Tensor *logits = model_forward(model, &forward, batch_of(input.shape, 3, 1));
    assert_non_null(forward.features);
    t_backward(t_sum(t_mul(logits, batch_of((Shape){logits->rank - 1, {logits->shape[1], logits->shape[2]}, 0}, 3, 2)),
                     ALL_AXES, false));
    for (int64_t i = 0; i < model->parameters->count; i++) {
        const Parameter *item = &model->parameters->items[i];
        double most = 0;
        for (int64_t k = 0; item->value->gradient && k < item->value->count; k++)
            most = fmax(most, fabs(tensor_value(item->value->gradient, k)));
        /* Softmax does not see a shift of all scores: the bias of keys has no gradient but rounding. */
        bool silent = strstr(item->name, ".k.bias") != NULL;
        if (item->role != ROLE_BUFFER && !silent && !(most > 0))
            fail_msg("%s: %s has no gradient", json, item->name);
    }
    close_model(&built);
}

static void check_error(const char *json, ModelInput input, const char *message)
{
    Texts texts = texts_open();
    Instance instance = instance_of(&texts, "model", json);
    assert_null(model_new(&instance, input, 1, &texts.error));
    if (strcmp(texts.error.message, message) != 0)
        fail_msg("\"%s\"\nis not\n\"%s\"", texts.error.message, message);
    assert_int_equal(texts.error.status, STATUS_USAGE);
    texts_close(&texts);
}

static void test_models__mlp(void **state)
{
    (void)state;
    check_model("{\"type\": \"mlp\", \"hidden\": []}", vector, 8);
    check_model("{\"type\": \"mlp\", \"hidden\": [5]}", vector, 32);
    check_model("{\"type\": \"mlp\", \"hidden\": [5, 4], \"dropout\": 0.1, \"activation\": \"tanh\"}", vector,
                20 + 24 + 10);
    check_model("{\"type\": \"mlp\", \"hidden\": [5], \"norm\": \"layer_norm\"}", vector, 42);
    check_model("{\"type\": \"mlp\", \"hidden\": [5], \"norm\": \"batch_norm\"}", vector, 42);
    check_model("{\"type\": \"mlp\", \"hidden\": [5], \"norm\": \"rms_norm\"}", vector, 37);
    check_model("{\"type\": \"mlp\", \"hidden\": [6], \"activation\": \"swiglu\"}", vector, 24 + 8);
    check_model("{\"type\": \"mlp\", \"hidden\": [5]}", image, 128 * 5 + 5 + 18);
    check_model("{\"type\": \"mlp\", \"hidden\": [5], \"embedding\": 7}", tokens, 77 + 40 + 24);
    check_error("\"mlp\"", language, "model: mlp cannot predict a token at every position; use transformer");
}

/* By hand: 1 x 1 relu and a head. */
static void test_models__mlp_values(void **state)
{
    (void)state;
    Built built;
    Model *model = open_model(&built, "{\"type\": \"mlp\", \"hidden\": [1]}", vector);
    static const char *const names[] = {"layers.0.weight", "layers.0.bias", "head.weight", "head.bias"};
    static const double values[4][3] = {{1, 2, 3}, {-4}, {5, -1}, {0.5, 0}};
    assert_int_equal(model->parameters->count, 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(model->parameters->items[i].name, names[i]);
        for (int64_t k = 0; k < model->parameters->items[i].value->count; k++)
            tensor_set(model->parameters->items[i].value, k, values[i][k]);
    }
    Forward forward = {0};
    Tensor *x = values_of(SHAPE(2, 3), (double[]){1, 1, 1, -1, 0, 0});
    ASSERT_NEAR(model_forward(model, &forward, x), 10.5, -2, 0.5, 0);
    ASSERT_NEAR(forward.features, 2, 0);
    assert_true(model->flops == 2 * 3 + 2 * 2);
    assert_true(model_activation_bytes(model) == 4 * (1 + 1 + 2));
    close_model(&built);
}

static void test_models__cnn_over_one_to_three_axes(void **state)
{
    (void)state;
    ModelInput line = {.shape = {.rank = 2, .sizes = {2, 12}}, .outputs = 3};
    ModelInput volume = {.shape = {.rank = 4, .sizes = {1, 4, 4, 4}}, .outputs = 3};
    check_model("{\"type\": \"cnn\", \"channels\": [4, 5], \"hidden\": [6]}", line, 28 + 65 + (15 * 6 + 6) + 21);
    check_model("{\"type\": \"cnn\", \"channels\": [4, 5], \"hidden\": [6]}", image, 76 + 185 + (20 * 6 + 6) + 21);
    check_model("{\"type\": \"cnn\", \"channels\": [4, 5], \"hidden\": []}", volume, 112 + 545 + 18);
    check_model("{\"type\": \"cnn\", \"channels\": [4], \"hidden\": [], \"pooling\": \"average\", \"norm\": "
                "\"batch_norm\"}", line, 24 + 8 + 15);
    check_model("{\"type\": \"cnn\", \"channels\": [4], \"hidden\": [], \"blocks\": 2, \"norm\": \"group_norm\"}", line,
                24 + 48 + 16 + 75);
    check_model("{\"type\": \"cnn\", \"channels\": [4], \"kernel\": [5, 1], \"hidden\": [], \"dropout\": 0.2}", image,
                44 + 195);
    /* Stages beyond the last pixel keep it. */
    check_model("{\"type\": \"cnn\", \"channels\": [2, 2, 2, 2, 2, 2], \"hidden\": [], \"activation\": \"tanh\"}", line,
                14 + 5 * 14 + 9);
    static const char residual[] = "{\"type\": \"cnn\", \"style\": \"residual\", \"channels\": [4, 5], "
                                   "\"hidden\": [], \"pooling\": \"average\", \"norm\": \"batch_norm\"}";
    check_model(residual, line, (24 + 8) + 2 * (48 + 8) + (60 + 10 + 75 + 10 + 20) + 18);
    check_model(residual, image, (72 + 8) + 2 * (144 + 8) + (180 + 10 + 225 + 10 + 20) + 18);
    check_model(residual, volume, (108 + 8) + 2 * (432 + 8) + (540 + 10 + 675 + 10 + 20) + 18);
    ModelInput odd = {.shape = {.rank = 3, .sizes = {1, 7, 5}}, .outputs = 3};
    check_model("{\"type\": \"cnn\", \"style\": \"residual\", \"channels\": [2, 3, 4], \"blocks\": 2, \"norm\": "
                "\"group_norm\"}", odd,
                (18 + 4) + 4 * (36 + 4) + (54 + 6 + 81 + 6 + 6 + 2 * (81 + 6)) +
                    (108 + 8 + 144 + 8 + 12 + 2 * (144 + 8)) + (16 * 128 + 128) + 387);
}

static void test_models__cnn_errors(void **state)
{
    (void)state;
    check_error("\"cnn\"", vector, "model: cnn needs data [channels, 1 to 3 sizes], got [3]");
    check_error("\"cnn\"", tokens, "model: cnn needs data [channels, 1 to 3 sizes], got [6] tokens");
    check_error("{\"type\": \"cnn\", \"kernel\": [2]}", image,
                "model.stages.0.0.0: \"same\" needs an odd kernel, got 2");
    check_error("{\"type\": \"cnn\", \"kernel\": [3, 3, 3]}", image,
                "model.stages.0.0.0: kernel has 3 numbers for 2 spatial axes");
    check_error("{\"type\": \"cnn\", \"kernel\": [3, 3, 3], \"style\": \"residual\"}", image,
                "model.stem.0: kernel has 3 numbers for 2 spatial axes");
    check_error("{\"type\": \"cnn\", \"activation\": \"swiglu\", \"channels\": [3]}",
                (ModelInput){.shape = {.rank = 2, .sizes = {1, 7}}, .outputs = 2},
                "model.stages.0.0.1: swiglu needs an even last axis, got [3, 7]");
}

#define TRANSFORMER "{\"type\": \"transformer\", \"layers\": 2, \"width\": 8, \"heads\": 2"
/* Of a block of width 8: two norms, four projections, feed-forward of 32. */
enum { BLOCK = 2 * 16 + 4 * 72 + 552 };

static void test_models__transformer(void **state)
{
    (void)state;
    ModelInput rows = {.shape = {.rank = 2, .sizes = {4, 3}}, .outputs = 2};
    check_model(TRANSFORMER "}", language, 88 + 48 + 2 * BLOCK + 16);
    check_model(TRANSFORMER ", \"tie\": false}", language, 88 + 48 + 2 * BLOCK + 16 + 88);
    check_model(TRANSFORMER ", \"positions\": \"rope\", \"dropout\": 0.1}", language, 88 + 2 * BLOCK + 16);
    check_model(TRANSFORMER ", \"positions\": \"alibi\", \"kv_heads\": 1}", language, 88 + 2 * (BLOCK - 72) + 16);
    check_model(TRANSFORMER ", \"positions\": \"sinusoidal\"}", language, 88 + 2 * BLOCK + 16);
    check_model(TRANSFORMER ", \"norm\": \"rms_norm\", \"bias\": false, \"feed_forward\": 4, \"activation\": "
                            "\"swiglu\", \"positions\": \"none\"}", language,
                88 + 2 * (16 + 256 + 64 + 32) + 8);
    check_model(TRANSFORMER "}", tokens, 88 + 48 + 2 * BLOCK + 16 + 36);
    check_model(TRANSFORMER ", \"pooling\": \"cls\"}", tokens, 88 + 8 + 56 + 2 * BLOCK + 16 + 36);
    check_model(TRANSFORMER "}", image, (2 * 16 * 8 + 8) + 32 + 2 * BLOCK + 16 + 27);
    check_model(TRANSFORMER ", \"patch\": 2, \"pooling\": \"cls\", \"positions\": \"sinusoidal\"}", image,
                (2 * 4 * 8 + 8) + 8 + 2 * BLOCK + 16 + 27);
    check_model(TRANSFORMER "}", rows, 32 + 32 + 2 * BLOCK + 16 + 18);
}

static void test_models__transformer_errors(void **state)
{
    (void)state;
    check_error("\"transformer\"", vector,
                "model: transformer needs tokens, [tokens, features] or an image [channels, height, width], got [3]");
    check_error("{\"type\": \"transformer\", \"patch\": 3}", image,
                "model: patch 3 does not divide the image [2, 8, 8]");
    check_error("{\"type\": \"transformer\", \"width\": 9}", tokens,
                "model.blocks.0.attention: heads 4 does not divide the width 9");
    check_error("{\"type\": \"transformer\", \"width\": 12, \"positions\": \"rope\"}", tokens,
                "model.blocks.0.attention: rope needs an even head size, got 3");
    check_error("{\"type\": \"transformer\", \"kv_heads\": 3}", tokens,
                "model.blocks.0.attention: kv_heads 3 does not divide heads 4");
}

/* Another token at `at` leaves the bits of all logits before it, and changes those from it on. */
static void test_models__language_models_do_not_see_the_future(void **state)
{
    (void)state;
    static const char *const models[] = {
        TRANSFORMER "}",
        TRANSFORMER ", \"positions\": \"rope\"}",
        TRANSFORMER ", \"positions\": \"alibi\", \"kv_heads\": 1}",
        TRANSFORMER ", \"positions\": \"sinusoidal\", \"tie\": false}",
        TRANSFORMER ", \"positions\": \"none\", \"norm\": \"rms_norm\"}",
    };
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        Built built;
        Model *model = open_model(&built, models[m], language);
        Tensor *before = logits_of(model, batch_of(language.shape, 1, 0), false);
        for (int64_t at = 1; at < 6; at++) {
            Tensor *x = batch_of(language.shape, 1, 0);
            tensor_set(x, at, fmod(tensor_value(x, at) + 1, 11));
            Tensor *after = logits_of(model, x, false);
            assert_memory_equal(before->data, after->data, (size_t)(at * 11) * sizeof(float));
            for (int64_t t = at; t < 6; t++)
                assert_memory_not_equal(tensor_f32(before) + t * 11, tensor_f32(after) + t * 11, 11 * sizeof(float));
        }
        close_model(&built);
    }
}

/* An encoder does, unless it is told not to. */
static void test_models__causal_by_choice(void **state)
{
    (void)state;
    static const struct { const char *json; ModelInput input; bool sees; } cases[] = {
        {TRANSFORMER ", \"pooling\": \"cls\"}", {.shape = {.rank = 1, .sizes = {6}, .vocabulary = 11}, .outputs = 4},
         true},
        {TRANSFORMER ", \"pooling\": \"cls\", \"causal\": \"yes\"}",
         {.shape = {.rank = 1, .sizes = {6}, .vocabulary = 11}, .outputs = 4}, false},
        {TRANSFORMER ", \"causal\": \"no\"}", {.shape = {.rank = 1, .sizes = {6}, .vocabulary = 11}, .outputs = 11,
                                               .per_position = true}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Built built;
        Model *model = open_model(&built, cases[i].json, cases[i].input);
        Tensor *x = batch_of(cases[i].input.shape, 1, 0), *before = logits_of(model, x, false);
        tensor_set(x, 5, fmod(tensor_value(x, 5) + 1, 11));
        Tensor *after = logits_of(model, x, false);
        assert_int_equal(memcmp(before->data, after->data, 4 * sizeof(float)) != 0, cases[i].sees);
        close_model(&built);
    }
}

/* Without positions the order of tokens means nothing, with any kind of them it does. */
static void test_models__positions(void **state)
{
    (void)state;
    static const char *const names[] = {"none", "learned", "sinusoidal", "rope", "alibi"};
    for (int i = 0; i < 5; i++) {
        char json[256];
        snprintf(json, sizeof json, TRANSFORMER ", \"positions\": \"%s\", \"init\": {\"type\": \"normal\", "
                                                "\"deviation\": 0.5}}", names[i]);
        Built built;
        Model *model = open_model(&built, json, tokens);
        Tensor *logits[2];
        for (int order = 0; order < 2; order++)
            logits[order] = logits_of(model, t_reshape(order ? INDICES(5, 4, 3, 2, 1, 0) : INDICES(0, 1, 2, 3, 4, 5),
                                                       SHAPE(1, 6)), false);
        double apart = 0;
        for (int k = 0; k < 4; k++)
            apart = fmax(apart, fabs(tensor_value(logits[0], k) - tensor_value(logits[1], k)));
        if (i == 0 ? apart > 1e-5 : apart < 1e-3)
            fail_msg("%s: %g apart", names[i], apart);
        assert_int_equal(parameters_find(model->parameters, "position") != NULL, i == 1);
        close_model(&built);
    }
}

/* sin and cos of t / 10000^(2i/8): the embedding is zero, the norm's input is the position alone. */
static void test_models__sinusoidal_positions_by_hand(void **state)
{
    (void)state;
    Built built;
    Model *model = open_model(&built, "{\"type\": \"transformer\", \"layers\": 1, \"width\": 4, \"heads\": 1, "
                                      "\"positions\": \"sinusoidal\", \"init\": \"constant\"}", language);
    Forward forward = {0};
    model_forward(model, &forward, batch_of(language.shape, 1, 0));
    for (int t = 0; t < 6; t++) {
        double position[] = {sin(t), cos(t), sin(t / 100.0), cos(t / 100.0)}, mean = 0, variance = 1e-5;
        for (int i = 0; i < 4; i++)
            mean += position[i] / 4;
        for (int i = 0; i < 4; i++)
            variance += (position[i] - mean) * (position[i] - mean) / 4;
        for (int i = 0; i < 4; i++)
            assert_true(fabs(tensor_value(forward.features, t * 4 + i) - (position[i] - mean) / sqrt(variance)) < 1e-5);
    }
    close_model(&built);
}

/* Prompts are shorter than the window that a model was trained on. */
static void test_models__a_shorter_prompt(void **state)
{
    (void)state;
    static const char *const names[] = {"learned", "sinusoidal", "rope", "alibi"};
    for (int i = 0; i < 4; i++) {
        char json[128];
        snprintf(json, sizeof json, TRANSFORMER ", \"positions\": \"%s\"}", names[i]);
        Built built;
        Model *model = open_model(&built, json, language);
        Tensor *whole = logits_of(model, t_reshape(INDICES(7, 1, 2, 3, 4, 5), SHAPE(1, 6)), false);
        Tensor *part = logits_of(model, t_reshape(INDICES(7, 1, 2), SHAPE(1, 3)), false);
        assert_int_equal(part->shape[1], 3);
        for (int64_t k = 0; k < part->count; k++)
            assert_true(fabs(tensor_value(part, k) - tensor_value(whole, k)) < 1e-6);
        close_model(&built);
    }
}

/* The head is the embedding, or a map of its own; either way logits are t_linear of the features. */
static void test_models__head_and_features(void **state)
{
    (void)state;
    for (int tie = 0; tie < 2; tie++) {
        Built built;
        Model *model = open_model(&built, tie ? TRANSFORMER "}" : TRANSFORMER ", \"tie\": false}", language);
        Tensor *x = batch_of(language.shape, 2, 0), *weight, *bias;
        model->def->head(model, &weight, &bias);
        assert_ptr_equal(weight, parameter(model, tie ? "embedding.weight" : "head.weight"));
        assert_null(bias);
        Forward forward = {0};
        Tensor *features = model->def->features(model, &forward, x);
        assert_ptr_equal(features, forward.features);
        assert_same_bits(t_linear(features, weight, bias), logits_of(model, x, false));
        close_model(&built);
    }
    Built built;
    Tensor *weight, *bias;
    Model *model = open_model(&built, TRANSFORMER "}", tokens);
    model->def->head(model, &weight, &bias);
    assert_ptr_equal(weight, parameter(model, "head.weight"));
    assert_ptr_equal(bias, parameter(model, "head.bias"));
    close_model(&built);
}

/* A tied embedding that no input names has a gradient through the head. */
static void test_models__tied_weights_learn_from_both_ends(void **state)
{
    (void)state;
    Built built;
    Model *model = open_model(&built, TRANSFORMER "}", language);
    Tensor *logits = logits_of(model, t_reshape(INDICES(1, 1, 1, 1, 1, 1), SHAPE(1, 6)), true);
    t_backward(t_sum(t_softmax_cross_entropy(t_reshape(logits, SHAPE(6, 11)), INDICES(2, 2, 2, 2, 2, 2)), ALL_AXES,
                     false));
    const Tensor *gradient = parameter(model, "embedding.weight")->gradient;
    for (int token = 0; token < 11; token++) {
        double sum = 0;
        for (int i = 0; i < 8; i++)
            sum += fabs(tensor_value(gradient, token * 8 + i));
        assert_true(sum > 0);
    }
    close_model(&built);
}

/* Patches are tokens: without positions their order does not matter, that of pixels inside one does. */
static void test_models__patches(void **state)
{
    (void)state;
    Built built;
    Model *model = open_model(&built, TRANSFORMER ", \"positions\": \"none\", \"init\": {\"type\": \"normal\", "
                                                  "\"deviation\": 0.3}}", image);
    Tensor *x = batch_of(image.shape, 1, 0);
    Tensor *patches = t_roll(x, 3, 4), *pixels = t_roll(x, 3, 1);
    Tensor *logits[] = {logits_of(model, x, false), logits_of(model, patches, false), logits_of(model, pixels, false)};
    double apart[3] = {0};
    for (int i = 1; i < 3; i++)
        for (int k = 0; k < 3; k++)
            apart[i] = fmax(apart[i], fabs(tensor_value(logits[i], k) - tensor_value(logits[0], k)));
    assert_true(apart[1] < 1e-5 && apart[2] > 1e-3);
    close_model(&built);
}

static void test_models__sequential(void **state)
{
    (void)state;
    check_model("{\"type\": \"sequential\", \"layers\": [{\"type\": \"linear\", \"units\": 4}, \"activation\"]}",
                vector, 16 + 10);
    check_model("{\"type\": \"sequential\", \"head\": false, \"layers\": [{\"type\": \"linear\", \"units\": 2}]}",
                vector, 8);
    check_model("{\"type\": \"sequential\", \"layers\": [{\"type\": \"convolution\", \"channels\": 2}, \"max_pool\"]}",
                image, 38 + 99);
    check_model("{\"type\": \"sequential\", \"layers\": [{\"type\": \"embedding\", \"width\": 8}, {\"type\": "
                "\"transformer_block\", \"heads\": 2, \"causal\": true}]}", language,
                88 + BLOCK + 99);
    check_model("{\"type\": \"sequential\", \"layers\": [{\"type\": \"embedding\", \"width\": 8}, \"mean_tokens\"]}",
                tokens, 88 + 36);
    check_error("{\"type\": \"sequential\", \"head\": false, \"layers\": [{\"type\": \"linear\", \"units\": 3}]}",
                vector, "model: the last layer gives [3], the data needs 2 outputs");
    check_error("{\"type\": \"sequential\", \"head\": false, \"layers\": [\"activation\"]}", image,
                "model: the last layer gives [2, 8, 8], the data needs 3 outputs");
    check_error("{\"type\": \"sequential\", \"layers\": [\"activation\", \"flatten\", \"max_pool\"]}", image,
                "model.layers.2: max_pool needs [channels, 1 to 3 sizes], got [128]");
    check_error("{\"type\": \"sequential\", \"layers\": [\"activation\"]}", tokens,
                "model.layers.0: activation needs features, got tokens");
    check_error("{\"type\": \"sequential\", \"layers\": [{\"type\": \"embedding\", \"width\": 8}, \"flatten\"]}",
                language, "model: the last layer gives [11], the data needs 11 outputs at each of 6 positions");
}

/* Initial values are a function of seed and name; the chosen initializer is for weights alone. */
static void test_models__initial_values(void **state)
{
    (void)state;
    Built built, deeper;
    Model *model = open_model(&built, "{\"type\": \"mlp\", \"hidden\": [5]}", vector);
    Model *deep = open_model(&deeper, "{\"type\": \"mlp\", \"hidden\": [5, 5]}", vector);
    assert_same_bits(parameter(model, "layers.0.weight"), parameter(deep, "layers.0.weight"));
    assert_same_bits(parameter(model, "head.weight"), parameter(deep, "head.weight"));
    close_model(&deeper);
    Model *other = model_new(&model->instance, vector, 2, &built.texts.error);
    assert_memory_not_equal(parameter(model, "head.weight")->data, parameter(other, "head.weight")->data,
                            10 * sizeof(float));
    model_free(other);
    close_model(&built);
    model = open_model(&built, "{\"type\": \"mlp\", \"hidden\": [2], \"norm\": \"layer_norm\", \"init\": {\"type\": "
                               "\"constant\", \"value\": 3}}", vector);
    ASSERT_VALUES(parameter(model, "head.weight"), 3, 3, 3, 3);
    ASSERT_VALUES(parameter(model, "head.bias"), 0, 0);
    ASSERT_VALUES(parameter(model, "norms.0.weight"), 1, 1);
    close_model(&built);
    /* GPT-2's rule: the last maps of a block begin at 1 / sqrt(2 layers). */
    model = open_model(&built, "{\"type\": \"transformer\", \"layers\": 8, \"width\": 4, \"heads\": 1, \"init\": "
                               "{\"type\": \"constant\", \"value\": 1}}", language);
    assert_true(tensor_value(parameter(model, "blocks.7.attention.out.weight"), 0) == 0.25);
    assert_true(tensor_value(parameter(model, "blocks.7.feed_forward.down.weight"), 0) == 0.25);
    assert_true(tensor_value(parameter(model, "blocks.7.feed_forward.up.weight"), 0) == 1);
    close_model(&built);
}

static void test_models__a_head_of_cosines(void **state)
{
    (void)state;
    ModelInput cosines = vector;
    cosines.cosines = true;
    Built built;
    Model *model = open_model(&built, "{\"type\": \"mlp\", \"hidden\": [4]}", cosines);
    assert_null(parameters_find(model->parameters, "head.bias"));
    Tensor *logits = logits_of(model, batch_of(cosines.shape, 3, 0), false);
    for (int64_t i = 0; i < logits->count; i++)
        assert_true(fabs(tensor_value(logits, i)) <= 1 + 1e-6);
    for (int64_t i = 0; i < 8; i++)
        tensor_f32(parameter(model, "head.weight"))[i] *= 16;
    Tensor *again = logits_of(model, batch_of(cosines.shape, 3, 0), false);
    for (int64_t i = 0; i < logits->count; i++)
        assert_true(fabs(tensor_value(logits, i) - tensor_value(again, i)) < 1e-6);
    close_model(&built);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_models__mlp),
        TAPE_TEST(test_models__mlp_values),
        TAPE_TEST(test_models__cnn_over_one_to_three_axes),
        TAPE_TEST(test_models__cnn_errors),
        TAPE_TEST(test_models__transformer),
        TAPE_TEST(test_models__transformer_errors),
        TAPE_TEST(test_models__language_models_do_not_see_the_future),
        TAPE_TEST(test_models__causal_by_choice),
        TAPE_TEST(test_models__positions),
        TAPE_TEST(test_models__sinusoidal_positions_by_hand),
        TAPE_TEST(test_models__a_shorter_prompt),
        TAPE_TEST(test_models__head_and_features),
        TAPE_TEST(test_models__tied_weights_learn_from_both_ends),
        TAPE_TEST(test_models__patches),
        TAPE_TEST(test_models__sequential),
        TAPE_TEST(test_models__initial_values),
        TAPE_TEST(test_models__a_head_of_cosines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
