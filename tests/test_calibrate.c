/* Calibrators: fits against figures computed by hand or by their conditions of optimality, limits, and files. */
#include <math.h>
#include <string.h>

#include "tests/testing.h"

#include "core/base/file.h"
#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/calibrate/calibrate.h"
#include "core/metrics/predictions.h"

static Arena *arena;
static Error error;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static Instance method(const char *json)
{
    JsonSource *source = json_source_new();
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    Instance instance = {0};
    const cJSON *tree = json_parse(source, "test", json, strlen(json), &error);
    if (!tree || !instance_parse(&context, "calibrator", tree, &instance))
        fail_msg("%s: %s", json, error.message);
    json_source_free(source);
    return instance;
}

static Calibration fitted(const char *json, const CalibrationData *data)
{
    Instance instance = method(json);
    Calibration calibration;
    if (!calibration_fit(&instance, data, arena, &calibration, &error))
        fail_msg("%s", error.message);
    return calibration;
}

static void close_to(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.12g, expected %.12g", value, expected);
}

/* Weighted mean NLL of logits. */
static double nll_of(const CalibrationData *data, const double *logits)
{
    double sum = 0, weight = 0, *log_p = arena_zero(arena, (size_t)data->classes, sizeof *log_p);
    for (int64_t i = 0; i < data->count; i++) {
        log_softmax_row(data->classes, logits + i * data->classes, log_p);
        for (int64_t k = 0; k < data->classes; k++)
            if (calibration_target(data, i, k) > 0)
                sum -= calibration_weight(data, i) * calibration_target(data, i, k) * log_p[k];
        weight += calibration_weight(data, i);
    }
    return sum / weight;
}

static double nll_after(const Calibration *calibration, const CalibrationData *data)
{
    double *out = arena_zero(arena, (size_t)(data->count * data->classes), sizeof *out);
    assert_true(calibration_apply(calibration, data->count, data->logits, out, &error));
    return nll_of(data, out);
}

/* Overconfident logits of noisy classes. */
enum { ROWS = 300, CLASSES = 3 };
static double noisy_logits[ROWS * CLASSES];
static int64_t noisy_targets[ROWS];

static CalibrationData noisy(void)
{
    Random random = random_start(1, "test", 0);
    for (int i = 0; i < ROWS; i++) {
        noisy_targets[i] = random_below(&random, CLASSES);
        for (int k = 0; k < CLASSES; k++)
            noisy_logits[i * CLASSES + k] = 4 * (random_normal(&random) + (k == noisy_targets[i]));
    }
    return (CalibrationData){ROWS, CLASSES, noisy_logits, noisy_targets, NULL, NULL};
}

static void test_calibrate__temperature_by_hand(void **state)
{
    (void)state;
    const double p[] = {.72, .18, .10, .13, .61, .26, .30, .31, .39, .48, .45, .07, .90, .06, .04, .05, .10, .85};
    const int64_t targets[] = {0, 1, 2, 1, 0, 1};
    double z[18];
    for (int at = 0; at < 18; at++)
        z[at] = log(p[at]);
    CalibrationData data = {6, 3, z, targets, NULL, NULL};
    Calibration c = fitted("\"temperature\"", &data);
    close_to(c.arrays[0].values[0], 1.152472, 5e-7);
    close_to(nll_after(&c, &data), 0.824165, 5e-7);
    /* Two classes, margins 1 three times right and once wrong: sigmoid(1 / T) = 3/4. */
    const double margin[] = {1, 0, 1, 0, 1, 0, 1, 0};
    const int64_t mostly[] = {0, 0, 0, 1};
    CalibrationData two = {4, 2, margin, mostly, NULL, NULL};
    c = fitted("\"temperature\"", &two);
    close_to(c.arrays[0].values[0], 1 / log(3), 1e-12);
    const double soft[] = {.75, .25}, weights[] = {3, 1};
    CalibrationData one = {1, 2, margin, NULL, soft, NULL}, weighted = {2, 2, margin, mostly + 2, NULL, weights};
    close_to(fitted("\"temperature\"", &one).arrays[0].values[0], 1 / log(3), 1e-12);
    close_to(fitted("\"temperature\"", &weighted).arrays[0].values[0], 1 / log(3), 1e-12);
}

static void test_calibrate__temperature_scales_with_the_logits(void **state)
{
    (void)state;
    CalibrationData data = noisy();
    double T = fitted("\"temperature\"", &data).arrays[0].values[0];
    for (double factor = 1e-8; factor < 1e9; factor *= 1e4) {
        double scaled[ROWS * CLASSES];
        for (int at = 0; at < ROWS * CLASSES; at++)
            scaled[at] = factor * noisy_logits[at];
        CalibrationData other = data;
        other.logits = scaled;
        close_to(fitted("\"temperature\"", &other).arrays[0].values[0] / factor, T, 1e-9 * T);
    }
}

static void test_calibrate__temperature_limits(void **state)
{
    (void)state;
    const double z[] = {2, 0, 0, 1}, flat[] = {1, 1, 3, 3};
    const int64_t right[] = {0, 1}, wrong[] = {1, 0}, same[] = {0, 0};
    CalibrationData data = {2, 2, z, right, NULL, NULL};
    Calibration c = fitted("\"temperature\"", &data);
    assert_true(c.arrays[0].values[0] == 1e-4);
    assert_non_null(strstr(c.note, "every target has the largest logit"));
    Instance temperature = method("\"temperature\"");
    data.targets = wrong;
    assert_false(calibration_fit(&temperature, &data, arena, &c, &error));
    assert_int_equal(error.status, STATUS_FAILED);
    assert_string_equal(
        error.message,
        "temperature: the logits favour other classes than the targets: the likelihood rises for ever as T grows");
    data.logits = flat;
    assert_false(calibration_fit(&temperature, &data, arena, &c, &error));
    assert_string_equal(error.message,
                        "temperature: the logits of every sample are equal: no T changes the likelihood");
    data = (CalibrationData){2, 2, z, same, NULL, NULL}; /* one class among the targets is nothing special */
    c = fitted("\"temperature\"", &data);
    assert_null(c.note);
    data.classes = 1;
    assert_false(calibration_fit(&temperature, &data, arena, &c, &error));
    assert_string_equal(error.message, "temperature: one class leaves nothing to calibrate");
    const double none[] = {0, 0};
    data = (CalibrationData){2, 2, z, same, NULL, none};
    assert_false(calibration_fit(&temperature, &data, arena, &c, &error));
}

/* Penalised NLL with the arrays' values changed by `step` at one place. */
static double penalised(Calibration *c, const CalibrationData *data, int array, int64_t at, double step)
{
    double squares = 0, kept = c->arrays[array].values[at];
    c->arrays[array].values[at] += step;
    bool is_matrix = c->method->arrays[0].rank == 2;
    for (int64_t j = 0; j < c->arrays[0].count; j++) {
        double identity = is_matrix ? j / CLASSES == j % CLASSES : 1;
        squares += (c->arrays[0].values[j] - identity) * (c->arrays[0].values[j] - identity);
    }
    for (int64_t j = 0; j < c->arrays[1].count; j++)
        squares += c->arrays[1].values[j] * c->arrays[1].values[j];
    double value = nll_after(c, data) + 1e-4 * squares;
    c->arrays[array].values[at] = kept;
    return value;
}

static void test_calibrate__vector_and_matrix_are_at_their_minimum(void **state)
{
    (void)state;
    CalibrationData data = noisy();
    double weights[ROWS];
    for (int i = 0; i < ROWS; i++)
        weights[i] = 1 + i % 3;
    data.weights = weights;
    static const char *const names[] = {"\"vector\"", "\"matrix\""};
    double before = nll_of(&data, data.logits);
    for (int m = 0; m < 2; m++) {
        Calibration c = fitted(names[m], &data);
        assert_true(nll_after(&c, &data) < before - 0.1);
        for (int a = 0; a < 2; a++)
            for (int64_t at = 0; at < c.arrays[a].count; at++)
                close_to((penalised(&c, &data, a, at, 1e-4) - penalised(&c, &data, a, at, -1e-4)) / 2e-4, 0, 1e-7);
    }
    Calibration c = fitted("\"class_temperature\"", &data);
    for (int k = 0; k < CLASSES; k++) {
        double T = c.arrays[0].values[k], side[2];
        for (int s = 0; s < 2; s++) {
            c.arrays[0].values[k] = T + (s ? 1e-4 : -1e-4);
            side[s] = nll_after(&c, &data);
        }
        c.arrays[0].values[k] = T;
        close_to((side[1] - side[0]) / 2e-4, 0, 1e-7);
    }
}

static void test_calibrate__separable_classes(void **state)
{
    (void)state;
    const double z[] = {2, 0, 0, 1};
    const int64_t right[] = {0, 1};
    CalibrationData data = {2, 2, z, right, NULL, NULL};
    Calibration c = fitted("\"vector\"", &data); /* the penalty keeps it finite */
    assert_true(isfinite(c.arrays[0].values[0]) && c.arrays[0].values[0] > 1);
    c = fitted("\"platt\"", &data); /* so do Platt's targets 2/3 and 1/3 */
    double A = c.arrays[0].values[0], B = c.arrays[1].values[0];
    close_to(A * -2 + B, -log(2), 1e-8);
    close_to(A + B, log(2), 1e-8);
}

static void test_calibrate__platt_top_label(void **state)
{
    (void)state;
    /* c is 0.8 six times, four of them right, and 0.5 four times, one right. */
    double p[30], z[30];
    int64_t targets[10];
    for (int i = 0; i < 10; i++) {
        double c = i < 6 ? 0.8 : 0.5;
        p[3 * i] = c;
        p[3 * i + 1] = (1 - c) * 0.75;
        p[3 * i + 2] = (1 - c) * 0.25;
        targets[i] = i < 4 || i == 6 ? 0 : 1;
    }
    for (int at = 0; at < 30; at++)
        z[at] = log(p[at]);
    CalibrationData data = {10, 3, z, targets, NULL, NULL};
    Calibration c = fitted("\"platt\"", &data);
    double positive = 6.0 / 7, negative = 1.0 / 7, out[30];
    double high = (4 * positive + 2 * negative) / 6, low = (positive + 3 * negative) / 4;
    double A = c.arrays[0].values[0], B = c.arrays[1].values[0];
    close_to(A * log(4) + B, log(high / (1 - high)), 1e-8);
    close_to(B, log(low / (1 - low)), 1e-8);
    assert_true(calibration_apply(&c, 10, z, out, &error));
    close_to(exp(out[0]), high, 1e-8);
    close_to(exp(out[1]), (1 - high) * 0.75, 1e-8);
    close_to(exp(out[2]), (1 - high) * 0.25, 1e-8);
}

/* Two classes with p_1 as given. */
static CalibrationData two_classes(int64_t count, const double *p, const int64_t *targets)
{
    double *z = arena_zero(arena, (size_t)count * 2, sizeof *z);
    for (int64_t i = 0; i < count; i++) {
        z[2 * i] = log(1 - p[i]);
        z[2 * i + 1] = log(p[i]);
    }
    return (CalibrationData){count, 2, z, targets, NULL, NULL};
}

static void test_calibrate__isotonic_by_hand(void **state)
{
    (void)state;
    const double p[] = {0.30, 0.55, 0.62, 0.85, 0.90, 0.95};
    const int64_t a[] = {0, 0, 1, 0, 1, 1};
    CalibrationData data = two_classes(6, p, a);
    Calibration c = fitted("\"isotonic\"", &data);
    const double x[] = {0.30, 0.55, 0.62, 0.85, 0.90, 0.95}, y[] = {0, 0, 0.5, 0.5, 1, 1};
    /* Of the map of class 1, the second: blocks 0, 0 | 1, 0 | 1, 1. */
    const double *map_x = calibration_row(&c.arrays[0], 1), *map_y = calibration_row(&c.arrays[1], 1);
    assert_int_equal(calibration_row_length(&c.arrays[0], 1), 6);
    for (int j = 0; j < 6; j++) {
        close_to(map_x[j], x[j], 1e-12);
        close_to(map_y[j], y[j], 1e-12);
    }
    const double between[] = {0.585, 0.7, 0.1, 0.99};
    const double expected[] = {0.25, 0.5, 0, 1};
    CalibrationData ask = two_classes(4, between, a);
    double out[8];
    assert_true(calibration_apply(&c, 4, ask.logits, out, &error));
    for (int i = 0; i < 4; i++)
        close_to(exp(out[2 * i + 1]), expected[i], 1e-12);
}

static void test_calibrate__isotonic_pools_equal_scores(void **state)
{
    (void)state;
    const double p[] = {0.25, 0.25, 0.75, 0.75, 0.75};
    const int64_t first[] = {1, 0, 1, 0, 1};
    CalibrationData data = two_classes(5, p, first);
    Calibration c = fitted("{\"type\": \"isotonic\", \"mode\": \"top\"}", &data);
    assert_int_equal(c.arrays[0].count, 1); /* both are confidence 0.75 */
    close_to(c.arrays[1].values[0], 3.0 / 5, 1e-15);
    c = fitted("{\"type\": \"isotonic\", \"mode\": \"pooled\"}", &data);
    assert_int_equal(c.arrays[0].count, 2);
    close_to(c.arrays[1].values[0], 2.0 / 5, 1e-15);
    close_to(c.arrays[1].values[1], 3.0 / 5, 1e-15);
}

static void test_calibrate__histogram_by_hand(void **state)
{
    (void)state;
    const double p[] = {0.1, 0.2, 0.4, 0.6, 0.7};
    const int64_t a[] = {0, 1, 0, 1, 1};
    CalibrationData data = two_classes(5, p, a);
    Calibration c = fitted("{\"type\": \"histogram\", \"bins\": 2}", &data);
    close_to(calibration_row(&c.arrays[0], 1)[0], 0.5, 1e-12); /* three and two, half-way between 0.4 and 0.6 */
    close_to(calibration_row(&c.arrays[1], 1)[0], 1.0 / 3, 1e-15);
    close_to(calibration_row(&c.arrays[1], 1)[1], 1, 0);
    const double ties[] = {0.5, 0.5, 0.5, 0.5, 0.9, 0.9};
    const int64_t b[] = {0, 1, 0, 1, 1, 1};
    data = two_classes(6, ties, b);
    c = fitted("{\"type\": \"histogram\", \"bins\": 3}", &data); /* the second group would be empty */
    assert_int_equal(calibration_row_length(&c.arrays[0], 1), 1);
    close_to(calibration_row(&c.arrays[1], 1)[0], 0.5, 0);
    close_to(calibration_row(&c.arrays[1], 1)[1], 1, 0);
}

static const char *const all[] = {
    "\"temperature\"", "\"vector\"", "\"matrix\"", "\"class_temperature\"",
    "\"platt\"", "\"isotonic\"", "\"histogram\"",
    "{\"type\": \"isotonic\", \"mode\": \"top\"}",
    "{\"type\": \"histogram\", \"mode\": \"pooled\", \"bins\": 7}",
};
enum { ALL = sizeof all / sizeof *all };

static void test_calibrate__rows_stay_distributions(void **state)
{
    (void)state;
    CalibrationData data = noisy();
    for (int m = 0; m < ALL; m++) {
        Calibration c = fitted(all[m], &data);
        double out[ROWS * CLASSES], extreme[] = {1e4, -1e4, 0, -1e4, -1e4, -1e4};
        assert_true(calibration_apply(&c, ROWS, data.logits, out, &error));
        for (int i = 0; i < ROWS && c.method->gives_probabilities; i++)
            close_to(exp(out[3 * i]) + exp(out[3 * i + 1]) + exp(out[3 * i + 2]), 1, 1e-12);
        assert_true(calibration_apply(&c, 2, extreme, out, &error));
    }
    double huge[] = {1e308, 0, 0};
    Calibration c = fitted("\"temperature\"", &data);
    c.arrays[0].values[0] = 1e-4;
    assert_false(calibration_apply(&c, 1, huge, huge, &error));
    assert_string_equal(error.message, "temperature: row 0 overflows");
}

static void test_calibrate__bits_do_not_depend_on_threads(void **state)
{
    (void)state;
    CalibrationData data = noisy();
    double out[2][ROWS * CLASSES];
    for (int m = 0; m < ALL; m++) {
        for (int t = 0; t < 2; t++) {
            threads_set(t ? 3 : 1);
            Calibration c = fitted(all[m], &data);
            assert_true(calibration_apply(&c, ROWS, data.logits, out[t], &error));
        }
        assert_memory_equal(out[0], out[1], sizeof out[0]);
    }
    threads_set(1);
}

static void test_calibrate__files_read_back_exactly(void **state)
{
    (void)state;
    CalibrationData data = noisy();
    for (int m = 0; m < ALL; m++) {
        Calibration c = fitted(all[m], &data), again;
        Temporary temporary;
        temporary_make(&temporary, "calibration.json");
        assert_true(calibration_write(&c, temporary.file, &error));
        if (!calibration_read(temporary.file, arena, &again, &error))
            fail_msg("%s", error.message);
        double one[ROWS * CLASSES], two[ROWS * CLASSES];
        assert_true(calibration_apply(&c, ROWS, data.logits, one, &error));
        assert_true(calibration_apply(&again, ROWS, data.logits, two, &error));
        assert_memory_equal(one, two, sizeof one);
        temporary_drop(&temporary);
    }
}

static void refused(const char *text, const char *message)
{
    Temporary temporary;
    temporary_make(&temporary, "calibration.json");
    Calibration c;
    assert_true(file_write(temporary.file, text, strlen(text), &error));
    assert_false(calibration_read(temporary.file, arena, &c, &error));
    assert_int_equal(error.status, STATUS_FAILED);
    if (!strstr(error.message, message) || strncmp(error.message, temporary.file, strlen(temporary.file)) != 0)
        fail_msg("%s: %s", text, error.message);
    temporary_drop(&temporary);
}

static void test_calibrate__damaged_files_are_refused(void **state)
{
    (void)state;
    static const struct { const char *method, *parameters, *message; } cases[] = {
        {"temperature", "3", "parameters: missing key \"T\""},
        {"temperature", "{}", "parameters: missing key \"T\""},
        {"temperature", "{\"T\": 0}", "T: expected a number above 0"},
        {"temperature", "{\"T\": null}", "parameters.T: expected a number"},
        {"temperature", "{\"T\": [1, 2, 3]}", "parameters.T: expected a number"},
        {"temperature", "{\"T\": 1, \"b\": 2}", "parameters: expected 1 keys, got 2"},
        {"vector", "{\"w\": [1, 2], \"b\": [1]}", "b: expected 2 numbers, got 1"},
        {"vector", "{\"w\": 1, \"b\": [1, 1]}", "parameters.w: expected a list"},
        {"matrix", "{\"W\": [[1, 2], [1]], \"b\": [1, 1]}", "W, b: expected 2 rows of 2"},
        {"matrix", "{\"W\": [1, 2], \"b\": [1, 1]}", "parameters.W: expected a list"},
        {"class_temperature", "{\"T\": [1, -1]}", "T[1]: expected a number above 0"},
        {"isotonic", "{\"x\": [[0], []], \"y\": [[0], []]}", "two lists of the same length"},
        {"isotonic", "{\"x\": [[0, 0], [1]], \"y\": [[0, 1], [1]]}", "expected rising x"},
        {"isotonic", "{\"x\": [[0]], \"y\": [[0]]}", "expected 2 lists each"},
        {"histogram", "{\"edges\": [[], []], \"shares\": [[0], [2]]}", "from 0 to 1, got 2"},
        {"histogram", "{\"edges\": [[1], []], \"shares\": [[0], [1]]}", "one more than edges"},
        {"temperatur", "{}", "did you mean \"temperature\"?"},
        {"temperature\", \"x\": \"", "{}", "x: unknown key"},
    };
    static const struct { const char *text, *message; } others[] = {
        {"{", ""},
        {"[]", "expected an object"},
        {"{\"classes\": 2, \"parameters\": {\"T\": 1}}", "missing key \"calibrate\""},
        {"{\"calibrate\": \"platt\", \"classes\": 1, \"parameters\": {}}", "classes: expected an integer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(arena_format(arena, "{\"calibrate\": \"%s\", \"classes\": 2, \"parameters\": %s}", cases[i].method,
                             cases[i].parameters), cases[i].message);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        refused(others[i].text, others[i].message);
    Calibration c;
    assert_false(calibration_read("/nowhere/calibration.json", arena, &c, &error));
    assert_int_equal(error.status, STATUS_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calibrate__temperature_by_hand),
        cmocka_unit_test(test_calibrate__temperature_scales_with_the_logits),
        cmocka_unit_test(test_calibrate__temperature_limits),
        cmocka_unit_test(test_calibrate__vector_and_matrix_are_at_their_minimum),
        cmocka_unit_test(test_calibrate__separable_classes),
        cmocka_unit_test(test_calibrate__platt_top_label),
        cmocka_unit_test(test_calibrate__isotonic_by_hand),
        cmocka_unit_test(test_calibrate__isotonic_pools_equal_scores),
        cmocka_unit_test(test_calibrate__histogram_by_hand),
        cmocka_unit_test(test_calibrate__rows_stay_distributions),
        cmocka_unit_test(test_calibrate__bits_do_not_depend_on_threads),
        cmocka_unit_test(test_calibrate__files_read_back_exactly),
        cmocka_unit_test(test_calibrate__damaged_files_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
