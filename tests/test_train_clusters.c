/* Clusters and the batches made of them. */
#include "tests/testing.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/train/k_means.h"
#include "data/strata.h"

enum { POINTS = 240, WIDTH = 3 };

/* Point i belongs to blob i % 3; blobs are `far` apart. */
static void draw_blobs(float *points, double far)
{
    Random random = random_start(3, "blobs", 0);
    for (int i = 0; i < POINTS; i++)
        for (int k = 0; k < WIDTH; k++)
            points[i * WIDTH + k] = (float)(random_normal(&random) + (k == i % 3 ? far : 0));
}

static void test_train_clusters__three_blobs_are_found(void **state)
{
    (void)state;
    float points[POINTS * WIDTH];
    int32_t assigned[POINTS];
    draw_blobs(points, 100);
    const KMeans options = {3, 5, 100, 1};
    const double inertia = k_means(&options, points, POINTS, WIDTH, assigned);
    double expected = 0;
    for (int b = 0; b < 3; b++)
        for (int k = 0; k < WIDTH; k++) {
            double mean = 0;
            for (int i = b; i < POINTS; i += 3)
                mean += (double)points[i * WIDTH + k] / (POINTS / 3);
            for (int i = b; i < POINTS; i += 3)
                expected += ((double)points[i * WIDTH + k] - mean) * ((double)points[i * WIDTH + k] - mean);
        }
    for (int i = 3; i < POINTS; i++)
        assert_int_equal(assigned[i], assigned[i % 3]);
    assert_true(assigned[0] != assigned[1] && assigned[1] != assigned[2] && assigned[0] != assigned[2]);
    assert_true(fabs(inertia / expected - 1) < 1e-9);
}

static void test_train_clusters__inertia_never_rises(void **state)
{
    (void)state;
    float points[POINTS * WIDTH];
    int32_t assigned[POINTS], other[POINTS];
    draw_blobs(points, 2);
    double before = INFINITY, first = 0;
    for (int64_t iterations = 0; iterations < 12; iterations++) {
        const KMeans options = {10, 1, iterations, 4};
        threads_set(1);
        const double inertia = k_means(&options, points, POINTS, WIDTH, assigned);
        threads_set(3);
        assert_true(k_means(&options, points, POINTS, WIDTH, other) == inertia);
        assert_memory_equal(assigned, other, sizeof assigned);
        assert_true(inertia <= before);
        before = inertia;
        first = iterations == 0 ? inertia : first;
    }
    assert_true(before < 0.98 * first);
    const KMeans several = {10, 8, 12, 4};
    assert_true(k_means(&several, points, POINTS, WIDTH, other) <= before);
    threads_set(1);
}

/* More centres than different points: those without points move, and nothing is lost. */
static void test_train_clusters__as_many_clusters_as_points(void **state)
{
    (void)state;
    static const float points[6] = {1, 1, 1, 5, 5, 9};
    int32_t assigned[6];
    const KMeans options = {6, 2, 20, 1};
    assert_true(k_means(&options, points, 6, 1, assigned) == 0);
    assert_true(assigned[0] == assigned[1] && assigned[3] == assigned[4] && assigned[0] != assigned[3]);
    assert_true(assigned[5] != assigned[0] && assigned[5] != assigned[3]);
}

/* Every batch holds strata apart, every sample stands once at most, and the order is another with other draws. */
static void test_train_clusters__strict_batches_hold_strata_apart(void **state)
{
    (void)state;
    enum { SAMPLES = 200, STRATA = 12, BATCH = 8 };
    int32_t strata[SAMPLES];
    int64_t order[SAMPLES], again[SAMPLES];
    for (int i = 0; i < SAMPLES; i++)
        strata[i] = (i * i) % 37 % STRATA; /* of unequal sizes */
    Random random = random_start(1, "strata", 0), other = random_start(1, "strata", 1);
    const int64_t placed = strata_order(STRATA_STRICT, SAMPLES, strata, BATCH, &random, order);
    assert_true(placed > SAMPLES / 2 && placed % BATCH == 0);
    bool seen[SAMPLES] = {0};
    for (int64_t b = 0; b < placed; b += BATCH) {
        bool taken[STRATA] = {0};
        for (int64_t i = b; i < b + BATCH; i++) {
            assert_false(taken[strata[order[i]]] || seen[order[i]]);
            taken[strata[order[i]]] = seen[order[i]] = true;
        }
    }
    int64_t left[STRATA] = {0}, some = 0;
    for (int i = 0; i < SAMPLES; i++)
        left[strata[i]] += !seen[i];
    for (int s = 0; s < STRATA; s++)
        some += left[s] > 0;
    assert_true(some < BATCH);
    assert_int_equal(strata_order(STRATA_STRICT, SAMPLES, strata, BATCH, &other, again), placed);
    assert_memory_not_equal(order, again, (size_t)placed * sizeof *order);
    assert_int_equal(strata_order(STRATA_STRICT, SAMPLES, strata, STRATA + 1, NULL, order), 0);
}

static void test_train_clusters__interleaved_batches(void **state)
{
    (void)state;
    static const int32_t uneven[] = {0, 0, 1, 0}, even[] = {1, 0, 2, 2, 1, 0};
    int64_t order[6];
    assert_int_equal(strata_order(STRATA_INTERLEAVED, 4, uneven, 2, NULL, order), 4);
    assert_memory_equal(order, ((int64_t[]){0, 2, 1, 3}), 4 * sizeof *order);
    assert_int_equal(strata_order(STRATA_INTERLEAVED, 6, even, 3, NULL, order), 6);
    assert_memory_equal(order, ((int64_t[]){1, 0, 2, 5, 4, 3}), sizeof order);
    assert_int_equal(strata_order(STRATA_INTERLEAVED, 4, uneven, 3, NULL, order), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_clusters__three_blobs_are_found),
        cmocka_unit_test(test_train_clusters__inertia_never_rises),
        cmocka_unit_test(test_train_clusters__as_many_clusters_as_points),
        cmocka_unit_test(test_train_clusters__strict_batches_hold_strata_apart),
        cmocka_unit_test(test_train_clusters__interleaved_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
