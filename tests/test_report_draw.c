/* Reports: text, scales and pictures. */
#include <math.h>
#include <string.h>

#include "tests/testing.h"

#include "core/base/memory.h"
#include "core/report/markup.h"
#include "core/report/picture.h"
#include "core/report/scale.h"

static void test_report_draw__escapes_text(void **state)
{
    (void)state;
    Markup markup = {0};
    markup_escape(&markup, "<b a=\"1\" b='2'>&\x01\x7f\xff\xc3\xa9\n");
    assert_string_equal(markup.text,
                        "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xc3\xa9\n");
    markup_free(&markup);
}

static void test_report_draw__utf8_sequences(void **state)
{
    (void)state;
    assert_int_equal(utf8_sequence("a"), 1);
    assert_int_equal(utf8_sequence("\xc3\xa9"), 2);
    assert_int_equal(utf8_sequence("\xf0\x9f\x98\x80"), 4);
    const char *bad[] = {"",
                         "\x80",
                         "\xc3",
                         "\xc0\xaf",
                         "\xed\xa0\x80",
                         "\xe2\x82",
                         "\xf5\x80\x80\x80",
                         "\xe0\x80\x80",
                         "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(utf8_sequence(bad[i]), 0);
}

static void test_report_draw__figures_for_people(void **state)
{
    (void)state;
    char out[FIGURE_ROOM];
    assert_string_equal(figure_text(out, 0.912345), "0.9123");
    assert_string_equal(figure_text(out, 123456.4), "123456");
    assert_string_equal(figure_text(out, NAN), "not finite");
    assert_string_equal(figure_count(out, 1234567), "1,234,567");
    assert_string_equal(figure_count(out, -999), "-999");
    assert_string_equal(figure_short(out, 999.9), "1k");
    assert_string_equal(figure_short(out, 4567890), "4.57M");
    assert_string_equal(figure_duration(out, 7500), "2 h 05 min");
    assert_string_equal(figure_duration(out, 1.25), "1.25 s");
    assert_string_equal(figure_duration(out, 3599.7), "1 h 00 min");
    assert_string_equal(figure_bytes(out, 1536), "1.5 KiB");
}

static void check_ticks(Scale scale, const char *expected)
{
    char joined[TICKS_MAX * TICK_ROOM] = "";
    for (int i = 0; i < scale.tick_count; i++) {
        assert_true(scale.ticks[i] >= scale.low - 1e-9 * fabs(scale.low) && scale.ticks[i] <= scale.high * (1 + 1e-3));
        strcat(strcat(joined, i ? " " : ""), scale.labels[i]);
    }
    assert_string_equal(joined, expected);
}

static void test_report_draw__ticks_are_nice(void **state)
{
    (void)state;
    check_ticks(scale_linear(0.03, 0.97, 5, true), "0 0.2 0.4 0.6 0.8 1.0");
    check_ticks(scale_linear(0, 4690, 5, false), "0 1000 2000 3000 4000");
    check_ticks(scale_linear(0, 46900, 5, false), "0 10k 20k 30k 40k");
    check_ticks(scale_linear(0, 9e-6, 5, true), "0 2e-6 4e-6 6e-6 8e-6 1e-5");
    check_ticks(scale_linear(-1, 1, 4, true), "-1.0 -0.5 0 0.5 1.0");
    check_ticks(scale_linear(1, 1, 2, false), "0.95 1.00 1.05");
    check_ticks(scale_log(0.001, 10), "0.001 0.01 0.1 1 10");
    check_ticks(scale_log(0.5, 20), "0.5 1 2 5 10 20");
    Scale wide = scale_log(1e-300, 1e300);
    assert_true(wide.tick_count >= 2);
}

static void test_report_draw__positions(void **state)
{
    (void)state;
    Scale linear = scale_linear(0, 10, 5, false), logarithmic = scale_log(0.01, 100);
    assert_true(fabs(scale_position(&linear, 2.5) - 0.25) < 1e-12);
    assert_true(fabs(scale_position(&logarithmic, 1) - 0.5) < 1e-12);
    assert_true(isnan(scale_position(&logarithmic, 0)) && isnan(scale_position(&linear, NAN)));
}

static void test_report_draw__downsampling_keeps_ends_and_spikes(void **state)
{
    (void)state;
    enum { COUNT = 100000, MOST = 500 };
    double *y = memory_array(COUNT, sizeof *y);
    int64_t kept[MOST];
    for (int i = 0; i < COUNT; i++)
        y[i] = sin(i * 0.01);
    y[54321] = 50;
    y[777] = -50;
    y[90000] = NAN;
    int64_t count = downsample(y, COUNT, MOST, kept);
    bool high = false, low = false, hole = false;
    assert_true(count <= MOST && count > MOST / 2);
    assert_int_equal(kept[0], 0);
    assert_int_equal(kept[count - 1], COUNT - 1);
    for (int64_t i = 0; i < count; i++) {
        assert_true(i == 0 || kept[i] > kept[i - 1]);
        high |= kept[i] == 54321;
        low |= kept[i] == 777;
        hole |= kept[i] == 90000;
    }
    assert_true(high && low && hole);
    for (int n = 0; n <= 12; n++) {
        count = downsample(y, n, 6, kept);
        assert_true(count <= 6 && (n == 0 || (kept[0] == 0 && kept[count - 1] == n - 1)));
    }
    memory_free(y);
}

static void test_report_draw__base64(void **state)
{
    (void)state;
    const char *cases[][2] = {{"", ""},        {"f", "Zg=="},          {"fo", "Zm8="},
                              {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xff\xff\xfe", "///+"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) { /* RFC 4648, section 10 */
        char *text = base64_encode((const uint8_t *)cases[i][0], strlen(cases[i][0]));
        assert_string_equal(text, cases[i][1]);
        memory_free(text);
    }
}

static void test_report_draw__strokes_cover_what_they_should(void **state)
{
    (void)state;
    Picture *picture = picture_new(16, 16, (Color){255, 255, 255});
    picture_rectangle(picture, 2, 2, 3.5, 1, (Color){0, 0, 0}, 1);
    assert_int_equal(picture_color(picture, 2, 2).red, 0);
    assert_int_equal(picture_color(picture, 4, 2).red, 0);
    assert_in_range(picture_color(picture, 5, 2).red, 127, 128);
    assert_int_equal(picture_color(picture, 6, 2).red, 255);
    picture_stroke(picture, (Point[]){{8, 8}, {8, 8}, {12, 8}}, 3, 2, (Color){255, 0, 0}, 1);
    assert_int_equal(picture_color(picture, 10, 7).green, 0);
    assert_int_equal(picture_color(picture, 10, 10).green, 255);
    /* far outside: nothing, and no crash */
    picture_stroke(picture, (Point[]){{-1e9, 1e9}, {-1e8, 1e9}}, 2, 2, (Color){0, 0, 0}, 1);
    picture_rectangle(picture, 1e12, -1e12, 5, 5, (Color){0, 0, 0}, 1);
    picture_free(picture);
}

static void test_report_draw__text_fits(void **state)
{
    (void)state;
    char out[32], tiny[4];
    font_fit(out, sizeof out, "short", 12, 100);
    assert_string_equal(out, "short");
    font_fit(out, sizeof out, "a very long name of a run", 12, 60);
    assert_true(font_width(out, 12) <= 60 && strcmp(out + strlen(out) - 3, "...") == 0 && out[0] == 'a');
    font_fit(out, sizeof out,
             "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
             "\xc3\xa9\xc3\xa9\xc3\xa9",
             12, 1e9);
    for (const char *at = out; *at; at += utf8_sequence(at))
        assert_true(utf8_sequence(at) > 0);
    font_fit(tiny, sizeof tiny, "abcdef", 12, 1e9);
    assert_string_equal(tiny, "...");
}

static void count_stroke(void *context, const Point *points, int count)
{
    for (int i = 0; i < count; i++)
        assert_true(points[i].x >= 0 && points[i].x <= 20 && points[i].y >= -13 && points[i].y <= 4);
    *(int *)context += count;
}

static void test_report_draw__every_glyph_has_ink_within_its_box(void **state)
{
    (void)state;
    for (char c = '!'; c <= '~'; c++) {
        int points = 0;
        font_strokes((char[]){c, 0}, 1 / 0.06, count_stroke, &points);
        assert_true(points >= 2);
        assert_true(font_width((char[]){c, 0}, 1 / 0.06) <= 15.001);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_draw__escapes_text),
        cmocka_unit_test(test_report_draw__utf8_sequences),
        cmocka_unit_test(test_report_draw__figures_for_people),
        cmocka_unit_test(test_report_draw__ticks_are_nice),
        cmocka_unit_test(test_report_draw__positions),
        cmocka_unit_test(test_report_draw__downsampling_keeps_ends_and_spikes),
        cmocka_unit_test(test_report_draw__base64),
        cmocka_unit_test(test_report_draw__strokes_cover_what_they_should),
        cmocka_unit_test(test_report_draw__text_fits),
        cmocka_unit_test(test_report_draw__every_glyph_has_ink_within_its_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
