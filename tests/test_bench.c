#include "tests/testing.h"

#include <string.h>

#include "core/base/threads.h"
#include "core/bench/benchmark.h"
#include "core/bench/machine.h"
#include "core/train/run.h"

static const char *const some[] = {"step", "sgemm/3x4x5", "step/mlp-b16", "sgemm/3x4x5"};

static void test_bench__names_become_benchmarks_once(void **state)
{
    (void)state;
    BenchmarkList list;
    Error error;
    assert_true(benchmarks_find(4, some, &list, &error));
    int small = 0, products = 0;
    for (int64_t i = 0; i < list.count; i++) {
        small += strcmp(list.items[i]->name, "step/mlp-b16") == 0;
        products += strcmp(list.items[i]->name, "sgemm/3x4x5") == 0;
    }
    assert_int_equal(small, 1);
    assert_int_equal(products, 1);
    const Benchmark *last = list.items[list.count - 1];
    assert_string_equal(last->name, "sgemm/3x4x5");
    assert_int_equal(last->sizes[0], 3);
    assert_int_equal(last->sizes[1], 4);
    assert_int_equal(last->sizes[2], 5);
    benchmarks_free(&list);
}

static void test_bench__no_names_are_all_but_those_on_demand(void **state)
{
    (void)state;
    BenchmarkList list;
    Error error;
    assert_true(benchmarks_find(0, NULL, &list, &error));
    for (const Component *const *item = component_kind("benchmark")->items; *item; item++) {
        int64_t found = 0;
        for (int64_t i = 0; i < list.count; i++)
            found += &list.items[i]->def->component == *item;
        assert_int_equal(found > 0, !((const BenchmarkDef *)*item)->on_demand);
    }
    benchmarks_free(&list);
}

static void test_bench__references_stand_before(void **state)
{
    (void)state;
    BenchmarkList list;
    Error error;
    assert_true(benchmarks_find(1, (const char *const[]){"losses/gce/7"}, &list, &error));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0]->name, "losses/ce/7");
    assert_string_equal(list.items[1]->name, "losses/gce/7");
    assert_ptr_equal(list.items[0]->reference, list.items[0]);
    assert_ptr_equal(list.items[1]->reference, list.items[0]);
    benchmarks_free(&list);
}

/* Every loss has a row, and runs at its least usual size. */
static void test_bench__every_loss_is_timed(void **state)
{
    (void)state;
    BenchmarkList all, least = {.arena = arena_new()};
    Error error;
    assert_true(benchmarks_find(1, (const char *const[]){"losses"}, &all, &error));
    for (const Component *const *item = component_kind("loss")->items; *item; item++) {
        int64_t from = least.count;
        for (int64_t i = 0; i < all.count; i++)
            if (strcmp(all.items[i]->word, (*item)->name) == 0 && all.items[i]->sizes[0] <= 10 && from == least.count)
                assert_true(benchmarks_add(&least, all.items[i]->name, &error));
        if (from == least.count && strcmp((*item)->name, "ce") != 0) /* the others' reference is there already */
            fail_msg("%s is not timed", (*item)->name);
    }
    Tape *before = tape_use(NULL);
    if (!benchmarks_prepare(&least, 0, 1, 0, &error))
        fail_msg("%s", error.message);
    benchmarks_round(&least, 0, false);
    benchmarks_finish(&least, 1);
    for (int64_t i = 0; i < least.count; i++)
        assert_true(least.items[i]->median > 0 && least.items[i]->samples > 0);
    benchmarks_free(&least);
    benchmarks_free(&all);
    tape_use(before);
}

static void test_bench__wrong_names_are_usage_errors(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",         "sgem", "sgemm/", "sgemm/1x2", "sgemm/1x2x3x", "sgemm/0x1x1", "sgemm/99999999999999999999x1x1",
        "losses//3"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        BenchmarkList list;
        Error error;
        if (benchmarks_find(1, &wrong[i], &list, &error))
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_int_equal(error.status, STATUS_USAGE);
    }
}

/* The work of a product, and rounds in order of size: median, least, most. */
static void test_bench__measures(void **state)
{
    (void)state;
    enum { ROUNDS = 4 };
    BenchmarkList list;
    Error error;
    assert_true(benchmarks_find(1, (const char *const[]){"sgemm/3x4x5"}, &list, &error));
    assert_true(benchmarks_prepare(&list, 0, ROUNDS, 0, &error));
    Benchmark *product = list.items[0];
    assert_int_equal(product->repeats, 1);
    assert_true(product->flops == 2 * 3 * 4 * 5);
    assert_true(product->read_bytes == 4 * (3 * 5 + 5 * 4) && product->write_bytes == 4 * 3 * 4);
    for (int round = 0; round < ROUNDS; round++) {
        benchmarks_round(&list, round, round > 0);
        assert_true(product->times[round] >= 0 && (product->peaks[round] > 0) == (round > 0));
    }
    memcpy(product->times, (double[]){3, 1, 2, 9}, ROUNDS * sizeof(double));
    memcpy(product->peaks, (double[]){8, 6, 1, 5}, ROUNDS * sizeof(double));
    benchmarks_finish(&list, ROUNDS);
    assert_true(product->median == 2.5 && product->least == 1 && product->most == 9 && product->peak == 5.5);
    benchmarks_free(&list);
}

/* The same inputs for the same seed, others for another. */
static void test_bench__inputs_are_of_the_seed(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {1, 1, 2};
    Benchmark benchmarks[3] = {0};
    float *normals[3];
    int32_t *classes[3];
    for (int i = 0; i < 3; i++) {
        benchmarks[i].arena = arena_new();
        benchmarks[i].seed = seeds[i];
        normals[i] = tensor_f32(benchmark_normals(&benchmarks[i], 1, false, SHAPE(50)));
        classes[i] = tensor_i32(benchmark_classes(&benchmarks[i], 1000, 50));
    }
    assert_memory_equal(normals[0], normals[1], 50 * sizeof(float));
    assert_memory_equal(classes[0], classes[1], 50 * sizeof(int32_t));
    assert_memory_not_equal(normals[0], normals[2], 50 * sizeof(float));
    assert_memory_not_equal(classes[0], classes[2], 50 * sizeof(int32_t));
    for (int i = 0; i < 3; i++)
        arena_free(benchmarks[i].arena);
}

/* The seed reaches every benchmark of a list. */
static void test_bench__prepares_with_the_seed(void **state)
{
    (void)state;
    BenchmarkList list;
    Error error;
    assert_true(benchmarks_find(2, (const char *const[]){"sgemm/1x1x1", "step/mlp-b1"}, &list, &error));
    assert_true(benchmarks_prepare(&list, 7, 1, 0, &error));
    assert_int_equal(list.items[0]->seed, 7);
    const Run *run = list.items[1]->state;
    assert_int_equal(run->config->seed, 7);
    benchmarks_free(&list);
}

static void test_bench__bound_is_the_lower_roof(void **state)
{
    (void)state;
    const MachinePeaks peaks = {.flops = 100, .read = 10, .write = 5};
    bool by_memory;
    assert_true(machine_bound(&peaks, 1000, 10, 5, &by_memory) == 10);
    assert_false(by_memory);
    assert_true(machine_bound(&peaks, 100, 10, 5, &by_memory) == 2);
    assert_true(by_memory);
}

static void test_bench__peaks_are_measured(void **state)
{
    (void)state;
    threads_set(2);
    MachinePeaks peaks = {0};
    machine_measure(&peaks);
    MachinePeaks first = peaks;
    machine_measure(&peaks);
    threads_stop();
    assert_true(peaks.flops > 0 && isfinite(peaks.flops));
    assert_true(peaks.read > 0 && isfinite(peaks.read));
    assert_true(peaks.write > 0 && isfinite(peaks.write));
    assert_true(peaks.flops >= first.flops && peaks.read >= first.read && peaks.write >= first.write);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bench__names_become_benchmarks_once),
        cmocka_unit_test(test_bench__no_names_are_all_but_those_on_demand),
        cmocka_unit_test(test_bench__references_stand_before),
        cmocka_unit_test(test_bench__every_loss_is_timed),
        cmocka_unit_test(test_bench__wrong_names_are_usage_errors),
        cmocka_unit_test(test_bench__measures),
        cmocka_unit_test(test_bench__inputs_are_of_the_seed),
        cmocka_unit_test(test_bench__prepares_with_the_seed),
        cmocka_unit_test(test_bench__bound_is_the_lower_roof),
        cmocka_unit_test(test_bench__peaks_are_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
