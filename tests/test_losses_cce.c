/* Cut cross-entropy as a loss: the figures of its specification, the dense loss, its keys, refusals. */
#include "tests/losses.h"

typedef struct Setting {
    JsonSource *source;
    Arena *arena;
    Instance loss;
    LossInput in;
    Tensor *weight;
} Setting;

static Tensor *matrix(ArrayType type, int64_t columns, int count, const double *values)
{
    Tensor *x = t_new(type, SHAPE(count / columns, columns));
    for (int i = 0; i < count; i++)
        tensor_set(x, i, values[i]);
    x->requires_gradient = true;
    return x;
}
#define MATRIX(type, columns, ...) matrix(type, columns, NUMBERS(__VA_ARGS__))

/* The worked example: three tokens of width 2, five words. */
static Setting worked(const char *keys, ArrayType type)
{
    Setting it = {.source = json_source_new(), .arena = arena_new()};
    it.loss = loss_from(it.source, it.arena, arena_format(it.arena, "{\"type\": \"cce\"%s}", keys));
    it.in.logits = MATRIX(type, 2, 1, 2, -0.5, 0.5, 0, 1);
    it.in.targets = INDICES(1, 3, 4);
    it.weight = MATRIX(type, 2, 0.5, -1, 1, 1, -1, 0.25, 0, 0, 2, -0.5);
    loss_set_extra(&it.in, "weight", it.weight);
    Error error;
    if (!loss_check(&it.loss, &it.in, &error))
        fail_msg("%s", error.message);
    return it;
}

static void drop(Setting *it)
{
    arena_free(it->arena);
    json_source_free(it->source);
}

static void assert_near(const Tensor *got, int count, const double *expected, double tolerance)
{
    assert_int_equal(got->count, count);
    for (int i = 0; i < count; i++)
        if (!(fabs(tensor_value(got, i) - expected[i]) <= tolerance))
            fail_msg("[%d] is %.9g, not %.9g", i, tensor_value(got, i), expected[i]);
}
#define ASSERT_NEAR(got, ...) assert_near(got, NUMBERS(__VA_ARGS__), 1.5e-6)

static void check_losses(const char *keys, double mean, const double *each)
{
    for (int type = ARRAY_F32; type <= ARRAY_F64; type++) {
        Setting it = worked(keys, (ArrayType)type);
        LossResult result = loss_evaluate(&it.loss, &it.in);
        assert_near(result.per_sample, 3, each, 5e-6); /* squares of figures of six digits */
        ASSERT_NEAR(result.loss, mean);
        drop(&it);
    }
}

static void test_losses_cce__worked_values(void **state)
{
    (void)state;
    const double plain[] = {0.204107, 1.531934, 2.287871}, ignored[] = {0.204107, 0, 2.287871};
    check_losses("", 1.341304, plain);
    check_losses(", \"reduction\": \"sum\"", 4.023912, plain);
    check_losses(", \"ignore_index\": 3", 1.245989, ignored);
    check_losses(", \"softcap\": 2", 1.443390, (double[]){0.543521, 1.536910, 2.249739});
    const double squares[] = {0.204107 + 10.266302, 1.531934 + 2.346822, 2.287871 + 3.196483};
    check_losses(", \"z_loss\": 1", 1.341304 + 5.269868, squares);
    /* Row t predicts the target of row t + 1: words 3 and 4 of rows 0 and 1. */
    check_losses(", \"shift\": 1", (3.204107 + 1.531934 + 1.25) / 2, (double[]){3.204107, 1.531934 + 1.25, 0});
}

static void test_losses_cce__worked_gradients(void **state)
{
    (void)state;
    for (int type = ARRAY_F32; type <= ARRAY_F64; type++) {
        Setting it = worked("", (ArrayType)type);
        Tensor *loss = loss_evaluate(&it.loss, &it.in).loss;
        ASSERT_NEAR(gradient_of(loss, it.in.logits), 0.005327, -0.080901, -0.004254, 0.061337, -0.508762, 0.298743);
        ASSERT_NEAR(gradient_of(loss, it.weight), -0.013995, 0.043571, -0.097561, 0.064541, -0.059086, 0.155321,
                    0.144179, -0.047812, 0.026463, -0.215620);
        drop(&it);
    }
}

/* Nothing counts: loss and gradient are 0. */
static void test_losses_cce__all_ignored(void **state)
{
    (void)state;
    Setting it = worked("", ARRAY_F32);
    it.in.targets = INDICES(-100, -100, -100);
    Tensor *loss = loss_evaluate(&it.loss, &it.in).loss;
    ASSERT_VALUES(loss, 0);
    ASSERT_VALUES(gradient_of(loss, it.in.logits), 0, 0, 0, 0, 0, 0);
    drop(&it);
}

/* Everything is below a filter of 2; each gradient can be had in full all the same. */
static void test_losses_cce__filter(void **state)
{
    (void)state;
    static const char *const keys[] = {", \"filter_eps\": 2", ", \"filter_eps\": 2, \"filter_e\": false",
                                       ", \"filter_eps\": 2, \"filter_c\": false"};
    for (int type = ARRAY_F32; type <= ARRAY_F64; type++)
        for (int k = 0; k < 3; k++) {
            Setting it = worked(keys[k], (ArrayType)type), exact = worked(", \"filter_eps\": null", (ArrayType)type);
            Tensor *loss = loss_evaluate(&it.loss, &it.in).loss, *whole = loss_evaluate(&exact.loss, &exact.in).loss;
            assert_same_bits(loss, whole);
            Tensor *gradients[] = {gradient_of(loss, it.in.logits), gradient_of(loss, it.weight)};
            Tensor *expected[] = {gradient_of(whole, exact.in.logits), gradient_of(whole, exact.weight)};
            for (int i = 0; i < 2; i++)
                if (k == i + 1)
                    assert_same_bits(gradients[i], expected[i]);
                else
                    for (int64_t j = 0; j < gradients[i]->count; j++)
                        assert_true(tensor_value(gradients[i], j) == 0);
            drop(&it);
            drop(&exact);
        }
}

/* A preset is the keys that it stands for. */
static void test_losses_cce__presets(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {", \"preset\": \"cce\"", ""},
        {", \"preset\": \"cce_kahan\"", ", \"accum\": \"kahan\""},
        {", \"preset\": \"cce_kahan_full_c\"", ", \"accum\": \"kahan\", \"filter_c\": false"},
        {", \"preset\": \"cce_kahan_full_e\"", ", \"accum\": \"kahan\", \"filter_e\": false"},
        {", \"preset\": \"cce_exact\"", ", \"accum\": \"kahan\", \"filter_eps\": null"}};
    for (size_t k = 0; k < sizeof pairs / sizeof pairs[0]; k++) {
        Setting it = worked(pairs[k][0], ARRAY_F32), other = worked(pairs[k][1], ARRAY_F32);
        Tensor *loss = loss_evaluate(&it.loss, &it.in).loss, *same = loss_evaluate(&other.loss, &other.in).loss;
        assert_same_bits(loss, same);
        assert_same_bits(gradient_of(loss, it.weight), gradient_of(same, other.weight));
        assert_same_bits(gradient_of(loss, it.in.logits), gradient_of(same, other.in.logits));
        drop(&it);
        drop(&other);
    }
}

static Tensor *normals(ArrayType type, const char *stream, int rank, const int64_t *shape)
{
    Tensor *x = t_new(type, rank, shape);
    Random random = random_start(4, stream, 0);
    for (int64_t i = 0; i < x->count; i++)
        tensor_set(x, i, random_normal(&random));
    x->requires_gradient = true;
    return x;
}

/* Embeddings with weight and bias against their logits, with sample weights; "auto" changes nothing that shows. */
static void test_losses_cce__embeddings_agree_with_their_logits(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "\"cce\"", "{\"type\": \"cce\", \"softcap\": 3, \"z_loss\": 0.01, \"ignore_index\": 7, \"shift\": 2}",
        "{\"type\": \"cce\", \"sort_vocab\": false, \"reduction\": \"sum\"}"};
    enum { TOKENS = 61, WIDTH = 19, WORDS = 430 };
    for (int k = 0; k < 3; k++)
        for (int type = ARRAY_F32; type <= ARRAY_F64; type++) {
            Setting it = worked("", (ArrayType)type);
            it.loss = loss_from(it.source, it.arena, specs[k]);
            Tensor *embeddings = normals((ArrayType)type, "embeddings", SHAPE(TOKENS, WIDTH));
            Tensor *weight = normals((ArrayType)type, "weight", SHAPE(WORDS, WIDTH));
            Tensor *bias = normals((ArrayType)type, "bias", SHAPE(WORDS)), *inputs[] = {embeddings, weight, bias};
            LossInput in = {.logits = embeddings, .targets = t_new(ARRAY_I32, SHAPE(TOKENS)),
                            .weights = t_new((ArrayType)type, SHAPE(TOKENS))};
            for (int64_t i = 0; i < TOKENS; i++) {
                tensor_set(in.targets, i, (double)(i * 7 % WORDS));
                tensor_set(in.weights, i, 0.1 * (double)(i % 5));
            }
            LossInput dense = in;
            dense.logits = t_linear(embeddings, weight, bias);
            loss_set_extra(&in, "weight", weight);
            loss_set_extra(&in, "bias", bias);
            Tensor *cut = loss_evaluate(&it.loss, &in).loss, *whole = loss_evaluate(&it.loss, &dense).loss;
            const double scale = tensor_value(whole, 0), tolerance = (type == ARRAY_F32 ? 2e-6 : 1e-12) * scale;
            assert_near(cut, 1, (double[]){scale}, tolerance);
            for (int i = 0; i < 3; i++) {
                Tensor *got = gradient_of(cut, inputs[i]), *expected = gradient_of(whole, inputs[i]);
                for (int64_t j = 0; j < got->count; j++)
                    assert_true(fabs(tensor_value(got, j) - tensor_value(expected, j)) <= tolerance);
            }
            drop(&it);
        }
}

/* What a capped model predicts is what its loss is of. */
static void test_losses_cce__decodes_capped_logits(void **state)
{
    (void)state;
    Setting it = worked(", \"softcap\": 2", ARRAY_F64), plain = worked("", ARRAY_F64);
    assert_true(loss_decodes(&it.loss) && !loss_decodes(&plain.loss));
    LossInput in = {.logits = MATRIX(ARRAY_F64, 3, 1, -5, 2.5), .targets = INDICES(2)};
    double log_p[3];
    loss_decode(&it.loss, in.logits, 3, log_p);
    ASSERT_NEAR(loss_evaluate(&it.loss, &in).loss, -log_p[2]);
    assert_true(fabs(exp(log_p[0]) + exp(log_p[1]) + exp(log_p[2]) - 1) < 1e-12);
    drop(&it);
    drop(&plain);
}

static void check_refused(Setting *it, const char *message)
{
    Error error;
    assert_false(loss_check(&it->loss, &it->in, &error));
    assert_string_equal(error.message, message);
    drop(it);
}

static void test_losses_cce__refusals(void **state)
{
    (void)state;
    Setting it = worked("", ARRAY_F32);
    it.in.targets = INDICES(1, 3, 5);
    check_refused(&it, "targets: 5 at row 2 is outside 0..4");
    it = worked("", ARRAY_F32);
    it.in.targets = INDICES(1, -1, 4);
    check_refused(&it, "targets: -1 at row 1 is outside 0..4");
    it = worked("", ARRAY_F32);
    loss_set_extra(&it.in, "weight", MATRIX(ARRAY_F32, 3, 1, 2, 3));
    check_refused(&it, "weight: expected [words, 2], as wide as the embeddings");
    it = worked("", ARRAY_F32);
    loss_set_extra(&it.in, "bias", LEAF(1, 2));
    check_refused(&it, "bias: expected [5], one for each row of weight");
    it = worked("", ARRAY_F32);
    it.loss = loss_from(it.source, it.arena, "{\"type\": \"cce\", \"shift\": 3}");
    check_refused(&it, "logits: shift 3 leaves none of 3 rows");
    it = worked("", ARRAY_F32);
    it.in.extra_count = 0;
    loss_set_extra(&it.in, "bias", LEAF(1, 2));
    it.in.targets = INDICES(0, 1, 0);
    check_refused(&it, "bias goes with the extra \"weight\", which is missing");
}

static void test_losses_cce__keys_out_of_range(void **state)
{
    (void)state;
    static const char *const specs[] = {"{\"type\": \"cce\", \"softcap\": 0}",
                                        "{\"type\": \"cce\", \"shift\": -1}",
                                        "{\"type\": \"cce\", \"filter_eps\": \"most\"}",
                                        "{\"type\": \"cce\", \"filter_eps\": -1}",
                                        "{\"type\": \"cce\", \"z_loss\": -1}",
                                        "{\"type\": \"cce\", \"preset\": \"cce_most\"}",
                                        "{\"type\": \"cce\", \"preset\": \"cce\", \"accum\": \"kahan\"}"};
    for (size_t k = 0; k < sizeof specs / sizeof specs[0]; k++) {
        JsonSource *source = json_source_new();
        Arena *arena = arena_new();
        Error error;
        ParamContext context = {.source = source, .arena = arena, .error = &error};
        Instance loss;
        const cJSON *json = json_parse(source, "spec", specs[k], strlen(specs[k]), &error);
        assert_non_null(json);
        if (instance_parse(&context, "loss", json, &loss))
            fail_msg("%s is taken", specs[k]);
        arena_free(arena);
        json_source_free(source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_losses_cce__worked_values),
        TAPE_TEST(test_losses_cce__worked_gradients),
        TAPE_TEST(test_losses_cce__all_ignored),
        TAPE_TEST(test_losses_cce__filter),
        TAPE_TEST(test_losses_cce__presets),
        TAPE_TEST(test_losses_cce__embeddings_agree_with_their_logits),
        TAPE_TEST(test_losses_cce__decodes_capped_logits),
        TAPE_TEST(test_losses_cce__refusals),
        TAPE_TEST(test_losses_cce__keys_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
