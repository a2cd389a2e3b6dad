/* Directions of samples, the means of classes among them, and neighbours, by hand. */
#include "tests/testing.h"

#include <math.h>
#include <string.h>

#include "core/train/embeddings.h"
#include "core/train/run.h"

enum { WIDTH = 2 };

static void put(Embeddings *embeddings, const double (*vectors)[WIDTH])
{
    for (int64_t i = 0; i < embeddings->count; i++) {
        embeddings->lengths[i] = hypot(vectors[i][0], vectors[i][1]);
        for (int k = 0; k < WIDTH; k++)
            embeddings->directions[WIDTH * i + k] = vectors[i][k] / embeddings->lengths[i];
    }
}

static void test_train_embeddings__prototypes(void **state)
{
    (void)state;
    double lengths[3], directions[3 * WIDTH], means[2 * WIDTH];
    Embeddings embeddings = {.count = 3, .width = WIDTH, .classes = 2, .lengths = lengths, .directions = directions,
                             .labels = (int32_t[]){1, 1, 1}};
    put(&embeddings, (const double[][WIDTH]){{1, .2}, {.8, .6}, {.5, .9}});
    embeddings_prototypes(&embeddings, means);
    assert_true(means[0] == 0 && means[1] == 0); /* of a class without samples */
    assert_true(fabs(means[2] - 0.8049838) < 1e-7 && fabs(means[3] - 0.5932967) < 1e-7);
    embeddings.count = 1; /* of a single one: its own direction */
    embeddings_prototypes(&embeddings, means);
    assert_true(fabs(means[2] * directions[0] + means[3] * directions[1] - 1) < 1e-15);
}

/* At the angles 0, 10, 25, 90, 95, 101, of classes 0 0 1 1 1 0. */
static void test_train_embeddings__neighbours(void **state)
{
    (void)state;
    static const double angles[] = {0, 10, 25, 90, 95, 101};
    double lengths[6], directions[6 * WIDTH], vectors[6][WIDTH];
    for (int i = 0; i < 6; i++) {
        vectors[i][0] = (i + 1) * cos(angles[i] * M_PI / 180);
        vectors[i][1] = (i + 1) * sin(angles[i] * M_PI / 180);
    }
    Embeddings embeddings = {.count = 6, .width = WIDTH, .classes = 2, .lengths = lengths, .directions = directions,
                             .labels = (int32_t[]){0, 0, 1, 1, 1, 0}};
    put(&embeddings, (const double (*)[WIDTH])vectors);
    /* nearest others: 10 0 10 95 90 95 */
    assert_true(embeddings_recall(&embeddings, 1) == 4.0 / 6);
    assert_true(embeddings_recall(&embeddings, 2) == 4.0 / 6); /* second: 25 25 0 101 101 90 */
    assert_true(embeddings_recall(&embeddings, 3) == 5.0 / 6); /* third: of 25 it is 90 */
    assert_true(embeddings_recall(&embeddings, 64) == 1);
    /* themselves among the examples: the nearest is right, of three the majority: 0 0 0 1 1 1 */
    assert_true(embeddings_neighbour_accuracy(&embeddings, &embeddings, 1) == 1);
    assert_true(embeddings_neighbour_accuracy(&embeddings, &embeddings, 3) == 4.0 / 6);
    assert_true(embeddings_neighbour_accuracy(&embeddings, &embeddings, 2) == 1); /* ties: the nearer one */
}

static Run *small_run(const char *loss)
{
    char text[512];
    Error error = {0};
    snprintf(
        text, sizeof text,
        "{\"data\": {\"type\": \"gaussian-mixture\", \"classes\": 4, \"count\": 60, \"test_count\": "
        "10}, \"model\": {\"type\": \"mlp\", \"hidden\": [5]}, \"loss\": \"%s\", \"train\": {\"prefetch\": false}}",
        loss);
    Config *config = config_parse("config", text, NULL, NULL, &error);
    Run *run = config ? run_new(config, NULL, &error) : NULL;
    if (!run)
        fail_msg("%s", error.message);
    return run;
}

static void test_train_embeddings__logits_are_those_of_the_directions(void **state)
{
    (void)state;
    static const char *const losses[] = {"normalized_softmax", "ce"};
    for (int l = 0; l < 2; l++) {
        Run *run = small_run(losses[l]);
        Arena *arena = arena_new();
        Embeddings embeddings;
        Error error = {0};
        assert_true(split_embeddings(run->model, &run->splits.train, 7, arena, &embeddings, &error));
        assert_true(embeddings.count == 60 && embeddings.width == 5 && embeddings.outputs == 4);
        const Tensor *weight = parameters_find(run->model->parameters, "head.weight")->value;
        const Parameter *bias = parameters_find(run->model->parameters, "head.bias");
        for (int64_t i = 0; i < 60 * 4; i++) {
            int64_t row = i / 4, c = i % 4;
            double sum = 0, square = 0;
            for (int64_t k = 0; k < 5; k++) {
                sum += embeddings.directions[row * 5 + k] * tensor_value(weight, c * 5 + k);
                square += pow(tensor_value(weight, c * 5 + k), 2);
            }
            if (bias)
                sum = sum * embeddings.lengths[row] + tensor_value(bias->value, c);
            else
                assert_true(fabs(square - 1) < 1e-6); /* weight_norm: project, from the first step */
            assert_true(fabs(sum - embeddings.logits[i]) < 1e-5);
        }
        arena_free(arena);
        run_free(run);
    }
}

static void test_train_embeddings__shots(void **state)
{
    (void)state;
    Run *run = small_run("ce");
    Arena *arena = arena_new();
    DataSplit five, again, other;
    Error error = {0};
    const int32_t *labels = run->splits.train.dataset->labels;
    assert_true(split_shots(&run->splits.train, 5, 1, arena, &five, &error));
    assert_true(split_shots(&run->splits.train, 5, 1, arena, &again, &error));
    assert_true(split_shots(&run->splits.train, 5, 2, arena, &other, &error));
    assert_int_equal(five.count, 20);
    assert_memory_equal(five.order, again.order, 20 * sizeof *five.order);
    assert_memory_not_equal(five.order, other.order, 20 * sizeof *five.order);
    int counts[4] = {0};
    for (int64_t i = 0; i < 20; i++)
        counts[labels[five.order[i]]]++;
    for (int c = 0; c < 4; c++)
        assert_int_equal(counts[c], 5);
    assert_false(split_shots(&run->splits.train, 50, 1, arena, &five, &error));
    assert_non_null(strstr(error.message, "50 asked for"));
    arena_free(arena);
    run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_embeddings__prototypes),
        cmocka_unit_test(test_train_embeddings__neighbours),
        cmocka_unit_test(test_train_embeddings__logits_are_those_of_the_directions),
        cmocka_unit_test(test_train_embeddings__shots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
