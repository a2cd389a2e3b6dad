/* Analyses. Values of T for 10 classes at an excess error rate of one half are the specification's. */
#include "tests/testing.h"

#include <math.h>
#include <string.h>

#include "core/analyze/analysis.h"

static double figure(const AnalysisResult *result, const char *name)
{
    for (int64_t i = 0; i < result->figure_count; i++)
        if (strcmp(result->figures[i].name, name) == 0)
            return result->figures[i].value;
    fail_msg("no figure %s", name);
    return NAN;
}

typedef struct Bounds { double t, inverse, closed_form; } Bounds;

static Bounds bounds(double tau, int classes, double gap)
{
    char text[256];
    Error error = {0};
    snprintf(text, sizeof text, "{\"analyze\": {\"tau\": %.17g, \"classes\": %d, \"gap\": %.17g}}", tau, classes, gap);
    Config *config = config_parse("config", text, NULL, NULL, &error);
    assert_non_null(config);
    AnalysisInput input = {.config = config};
    AnalysisResult result = {.arena = arena_new()};
    Instance analysis;
    if (!analysis_parse(config, "bounds", &analysis, &error) || !analysis_run(&analysis, &input, &result, &error))
        fail_msg("%s", error.message);
    Bounds found = {figure(&result, "T"), figure(&result, "inverse"), figure(&result, "closed_form")};
    for (int64_t r = 0; r < result.tables[0].rows; r++) {
        const double *row = result.tables[0].values + 3 * r;
        assert_true(row[2] >= row[0] * (1 - 1e-12));
    }
    arena_free(result.arena);
    config_free(config);
    return found;
}

static void test_analyze__bounds_have_the_specified_values(void **state)
{
    (void)state;
    static const struct { double tau, t, closed_form; } rows[] = {
        {0, 0.1339746, 0.517638}, {0.5, 0.1256278, 0.516233}, {1, 0.1308120, 0.511492},
        {1.5, 0.0746512, 0.687121}, {2, 0.05, 0.5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double t = bounds(rows[i].tau, 10, 0.5).t;
        Bounds there = bounds(rows[i].tau, 10, t);
        assert_true(fabs(t - rows[i].t) < 1e-7);
        assert_true(fabs(there.closed_form - rows[i].closed_form) < 1e-6);
        assert_true(fabs(there.inverse - 0.5) < 1e-12);
    }
}

static void test_analyze__the_inverse_undoes_t_and_the_closed_form_is_above_it(void **state)
{
    (void)state;
    static const double taus[] = {0, 0.3, 0.9, 0.999999, 1, 1.000001, 1.2, 1.9, 1.999, 2, 2.5, 4};
    static const double gaps[] = {1e-7, 1e-3, 0.1, 0.4, 0.77, 0.999, 1};
    for (size_t i = 0; i < sizeof taus / sizeof *taus; i++) {
        double before = 0;
        for (size_t k = 0; k < sizeof gaps / sizeof *gaps; k++) {
            double t = bounds(taus[i], 7, gaps[k]).t;
            Bounds there = bounds(taus[i], 7, t);
            assert_true(t > before);
            assert_true(fabs(there.inverse - gaps[k]) < 1e-6 * gaps[k]);
            assert_true(there.closed_form >= gaps[k] * (1 - 1e-6));
            before = t;
        }
    }
}

static void test_analyze__bounds_at_the_ends(void **state)
{
    (void)state;
    assert_true(bounds(1, 10, 0).t == 0 && bounds(1, 10, 0).inverse == 0 && bounds(1.5, 10, 0).closed_form == 0);
    assert_true(fabs(bounds(1, 10, 1).t - log(2)) < 1e-15);
    assert_true(bounds(1, 10, 1).inverse == 1); /* above T(1) any error rate is allowed */
    /* Only above tau = 1 does the number of classes matter. */
    assert_true(bounds(0.7, 2, 0.2).t == bounds(0.7, 1000, 0.2).t);
    assert_true(bounds(1.5, 2, 0.2).t > 20 * bounds(1.5, 1000, 0.2).t);
    /* T is continuous at tau = 1. */
    assert_true(fabs(bounds(1 - 1e-7, 10, 0.3).t - bounds(1, 10, 0.3).t) < 1e-7);
    assert_true(fabs(bounds(1 + 1e-7, 10, 0.3).t - bounds(1, 10, 0.3).t) < 1e-6);
}

static void test_analyze__a_section_for_another_analysis_is_refused(void **state)
{
    (void)state;
    Error error = {0};
    Config *config = config_parse("config", "{\"analyze\": \"boundaries\"}", NULL, NULL, &error);
    Instance analysis;
    assert_false(analysis_parse(config, "bounds", &analysis, &error));
    assert_non_null(strstr(error.message, "config:1: analyze: unknown analysis \"boundaries\""));
    config_free(config);
    config = config_parse("config", "{\"analyze\": null}", NULL, NULL, &error);
    assert_true(analysis_parse(config, "bounds", &analysis, &error));
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_analyze__bounds_have_the_specified_values),
        cmocka_unit_test(test_analyze__the_inverse_undoes_t_and_the_closed_form_is_above_it),
        cmocka_unit_test(test_analyze__bounds_at_the_ends),
        cmocka_unit_test(test_analyze__a_section_for_another_analysis_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
