/* The ranker of groups and the dual encoder. */
#include "tests/building.h"

#include "core/tensor/operations.h"

static Model *model_of(Texts *texts, const char *json, ModelInput input)
{
    Instance instance;
    if (!instance_try(texts, "model", json, &instance))
        fail_msg("%s: %s", json, texts->error.message);
    return model_new(&instance, input, 3, &texts->error);
}

static const char *const ranker = "{\"type\": \"pa_riskranker\", \"token_dim\": 8, \"self_depth\": 1, \"self_heads\": "
                                  "2, "
                                  "\"self_head_dim\": 3, \"cross_layers\": 2, \"cross_heads\": 2, \"cross_ff\": 8}";
enum { COLUMNS = 4 };

/* Scores of rows of x [N, 4] in groups of those sizes. */
static Tensor *scores_of(const Model *model, Tensor *x, int count, const int *sizes)
{
    Tensor *groups = t_new(ARRAY_I32, SHAPE(x->shape[0]));
    for (int g = 0, row = 0; g < count; g++)
        for (int i = 0; i < sizes[g]; i++)
            tensor_i32(groups)[row++] = 10 * g;
    Forward forward = {.groups = groups};
    return model_forward(model, &forward, x);
}

static void test_models_ranking__padding_changes_nothing(void **state)
{
    (void)state;
    Texts texts = texts_open();
    Model *model = model_of(&texts, ranker, (ModelInput){.shape = FEATURES(COLUMNS), .outputs = 1, .groups = true});
    Tensor *x = batch_of(FEATURES(COLUMNS), 9, 1), *together = scores_of(model, x, 3, (int[]){3, 5, 1});
    static const int begin[] = {0, 3, 8}, end[] = {3, 8, 9};
    for (int g = 0; g < 3; g++) {
        Tensor *alone = scores_of(model, t_slice(x, 0, begin[g], end[g]), 1, (int[]){end[g] - begin[g]});
        for (int i = begin[g]; i < end[g]; i++)
            assert_true(fabs(tensor_value(alone, i - begin[g]) - tensor_value(together, i)) < 1e-6);
    }
    /* company matters */
    Tensor *other = scores_of(model, x, 2, (int[]){4, 5});
    assert_true(fabs(tensor_value(other, 0) - tensor_value(together, 0)) > 1e-6);
    model_free(model);
    texts_close(&texts);
}

static void test_models_ranking__members_may_change_places(void **state)
{
    (void)state;
    Texts texts = texts_open();
    Model *model = model_of(&texts, ranker, (ModelInput){.shape = FEATURES(COLUMNS), .outputs = 1, .groups = true});
    Tensor *x = batch_of(FEATURES(COLUMNS), 5, 2), *order = t_new(ARRAY_I32, SHAPE(5));
    static const int32_t places[] = {3, 0, 4, 2, 1};
    for (int i = 0; i < 5; i++)
        tensor_i32(order)[i] = places[i];
    Tensor *plain = scores_of(model, x, 1, (int[]){5}),
           *moved = scores_of(model, t_index_select(x, order), 1, (int[]){5});
    for (int i = 0; i < 5; i++) {
        assert_true(fabs(tensor_value(moved, i) - tensor_value(plain, places[i])) < 1e-5);
        assert_true(fabs(tensor_value(plain, i)) < 1);
    }
    model_free(model);
    texts_close(&texts);
}

static void assert_all_learn(const Model *model, Tensor *outputs)
{
    Tensor *factors = t_random_normal(ARRAY_F32, outputs->rank, outputs->shape, random_start(1, "y", 0));
    t_backward(t_sum(t_mul(outputs, factors), ALL_AXES, false));
    for (int64_t i = 0; i < model->parameters->count; i++) {
        const Parameter *item = &model->parameters->items[i];
        double most = 0;
        for (int64_t k = 0; item->value->gradient && k < item->value->count; k++)
            most = fmax(most, fabs(tensor_value(item->value->gradient, k)));
        if ((item->role != ROLE_BUFFER) != (most > 0))
            fail_msg("%s: largest gradient %g", item->name, most);
    }
}

static void test_models_ranking__every_parameter_learns(void **state)
{
    (void)state;
    Texts texts = texts_open();
    Model *model = model_of(&texts, ranker, (ModelInput){.shape = FEATURES(COLUMNS), .outputs = 1, .groups = true});
    assert_all_learn(model, scores_of(model, batch_of(FEATURES(COLUMNS), 6, 3), 2, (int[]){4, 2}));
    model_free(model);
    float features[6] = {1, 2, 3, -1, 0.5f, 2};
    ModelInput labels = {.shape = FEATURES(COLUMNS), .outputs = 3, .label_width = 2, .label_features = features};
    model = model_of(&texts, "{\"type\": \"dual_encoder\", \"share\": false, \"dim\": 5, \"hidden\": [6], "
                             "\"activation\": \"tanh\"}", labels);
    Forward forward = {.training = true};
    assert_all_learn(model, model_forward(model, &forward, batch_of(FEATURES(COLUMNS), 6, 3)));
    model_free(model);
    texts_close(&texts);
}

static void test_models_ranking__a_dual_encoder_scores_by_cosines(void **state)
{
    (void)state;
    Texts texts = texts_open();
    float features[8] = {1, 0, 0, 0, 3, 0, 0, 0};
    ModelInput input = {.shape = FEATURES(COLUMNS), .outputs = 2, .label_width = COLUMNS, .label_features = features};
    Model *model = model_of(&texts, "{\"type\": \"dual_encoder\", \"temperature\": 0.1, \"dim\": 3}", input);
    Tensor *x = t_zeros(ARRAY_F32, SHAPE(2, COLUMNS));
    tensor_set(x, 0, 1);
    tensor_set(x, 5, 2);
    Forward forward = {0};
    Tensor *scores = model_forward(model, &forward, x);
    assert_int_equal(scores->shape[1], 2);
    /* a sample with a label's features has its vector, by the shared tower */
    assert_true(fabs(tensor_value(scores, 0) - 10) < 1e-4);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(tensor_value(scores, i)) < 10 + 1e-4);
    assert_int_equal(parameters_find(model->parameters, "labels.features")->role, ROLE_BUFFER);
    model_free(model);
    input.label_width = 0;
    model = model_of(&texts, "\"dual_encoder\"", input);
    assert_int_equal(parameters_find(model->parameters, "labels.vectors")->value->shape[0], 2);
    model_free(model);
    texts_close(&texts);
}

/* The gradients of all parameters under that chunk, which `model` shares with no other. */
static Model *learned(Texts *texts, int chunk, double dropout, bool share, Tensor **scores)
{
    static float features[11 * COLUMNS];
    char json[300];
    for (int i = 0; i < 11 * COLUMNS; i++)
        features[i] = (float)sin(i);
    snprintf(json, sizeof json, "{\"type\": \"dual_encoder\", \"share\": %s, \"dim\": 3, \"hidden\": [6, 5], "
                                "\"activation\": "
                                "\"tanh\", \"dropout\": %g, \"label_chunk\": %d}", share ? "true" : "false", dropout,
             chunk);
    ModelInput input = {.shape = FEATURES(COLUMNS), .outputs = 11, .label_width = COLUMNS, .label_features = features};
    Model *model = model_of(texts, json, input);
    Forward forward = {.training = true, .seed = 4};
    *scores = t_keep(model_forward(model, &forward, batch_of(FEATURES(COLUMNS), 6, 3)));
    Tensor *factors = t_random_normal(ARRAY_F32, SHAPE(6, 11), random_start(1, "y", 0));
    t_backward(t_sum(t_mul(*scores, factors), ALL_AXES, false));
    return model;
}

static void test_models_ranking__labels_in_chunks_learn_the_same(void **state)
{
    (void)state;
    Texts texts = texts_open();
    for (int share = 0; share < 2; share++) {
        Tensor *direct_scores, *scores;
        Model *direct = learned(&texts, 11, 0, share, &direct_scores);
        for (int chunk = 1; chunk < 11; chunk += 3) {
            Model *model = learned(&texts, chunk, 0, share, &scores);
            for (int64_t i = 0; i < scores->count; i++)
                assert_true(fabs(tensor_value(scores, i) - tensor_value(direct_scores, i)) < 1e-5);
            for (int64_t i = 0; i < model->parameters->count; i++) {
                const Tensor *a = model->parameters->items[i].value->gradient,
                             *b = direct->parameters->items[i].value->gradient;
                assert_int_equal(a == NULL, b == NULL);
                for (int64_t k = 0; a && k < a->count; k++)
                    if (!(fabs(tensor_value(a, k) - tensor_value(b, k)) <= 1e-5 * (10 + fabs(tensor_value(b, k)))))
                        fail_msg("chunk %d, %s: %g, not %g", chunk, model->parameters->items[i].name,
                                 tensor_value(a, k), tensor_value(b, k));
            }
            model_free(model);
        }
        model_free(direct);
    }
    texts_close(&texts);
}

/* The slope of the loss along a parameter, by finite differences: the second pass draws what the first did. */
static void test_models_ranking__labels_in_chunks_learn_under_dropout(void **state)
{
    (void)state;
    Texts texts = texts_open();
    Tensor *scores, *factors;
    Model *model = learned(&texts, 4, 0.5, false, &scores);
    Tensor *weight = parameters_find(model->parameters, "labels.layers.1.weight")->value, *x;
    Tensor *gradient = weight->gradient;
    for (int64_t k = 0; k < weight->count; k += 7) {
        double sums[2], before = tensor_value(weight, k), step = 1e-2;
        for (int side = 0; side < 2; side++) {
            tensor_set(weight, k, before + (side ? step : -step));
            Forward forward = {.training = true, .seed = 4};
            x = batch_of(FEATURES(COLUMNS), 6, 3);
            factors = t_random_normal(ARRAY_F32, SHAPE(6, 11), random_start(1, "y", 0));
            sums[side] = tensor_value(t_sum(t_mul(model_forward(model, &forward, x), factors), ALL_AXES, false), 0);
        }
        tensor_set(weight, k, before);
        double slope = (sums[1] - sums[0]) / (2 * step), got = tensor_value(gradient, k);
        if (!(fabs(slope - got) <= 0.02 * (1 + fabs(slope))))
            fail_msg("[%d]: %g, by differences %g", (int)k, got, slope);
    }
    model_free(model);
    texts_close(&texts);
}

static void test_models_ranking__what_cannot_be_built(void **state)
{
    (void)state;
    static const struct { const char *json; ModelInput input; const char *message; } cases[] = {
        {"\"pa_riskranker\"", {.shape = {1, {4}, 0}, .outputs = 1},
         "model: pa_riskranker compares the members of a group, and the data has no groups; name their column in "
         "data.group, or set model.cross_layers to 0"},
        {"\"pa_riskranker\"", {.shape = {1, {4}, 0}, .outputs = 2, .groups = true},
         "model: pa_riskranker gives one score to a vector of features; the data asks for 2 outputs"},
        {"{\"type\": \"pa_riskranker\", \"token_dim\": 6}", {.shape = {1, {4}, 0}, .outputs = 1, .groups = true},
         "model: cross_heads 4 does not divide token_dim 6"},
        {"\"dual_encoder\"", {.shape = {1, {4}, 0}, .outputs = 3, .label_width = 2},
         "model: share: samples have 4 features, labels 2; set it to false"},
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
        TAPE_TEST(test_models_ranking__padding_changes_nothing),
        TAPE_TEST(test_models_ranking__members_may_change_places),
        TAPE_TEST(test_models_ranking__every_parameter_learns),
        TAPE_TEST(test_models_ranking__a_dual_encoder_scores_by_cosines),
        TAPE_TEST(test_models_ranking__labels_in_chunks_learn_the_same),
        TAPE_TEST(test_models_ranking__labels_in_chunks_learn_under_dropout),
        TAPE_TEST(test_models_ranking__what_cannot_be_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
