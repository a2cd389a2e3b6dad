/* Reports: pages and plots of run folders, and what is read for them. */
#include <ctype.h>
#include <math.h>
#include <png.h>
#include <string.h>

#include "tests/testing.h"

#include "core/base/file.h"
#include "core/report/page.h"
#include "core/report/report.h"

/* A run folder with everything in it. */
typedef struct Run { Arena *arena; char *base, *folder; Error error; } Run;

static const char config_text[] = "{\"seed\": 1, \"model\": {\"type\": \"mlp\", \"hidden\": [8, 8]}, \"loss\": \"ce\", "
                                  "\"note\": \"<script>alert(1)</script>\"}";

static void put(Run *run, const char *name, const char *text)
{
    assert_true(file_write(path_join(run->arena, run->folder, name), text, strlen(text), &run->error));
}

static void run_make(Run *run)
{
    const char *base = getenv("TMPDIR");
    *run = (Run){.arena = arena_new()};
    run->base = arena_format(run->arena, "%s/xent-test-XXXXXX", base ? base : P_tmpdir);
    assert_non_null(mkdtemp(run->base));
    run->folder = path_join(run->arena, run->base, "a & <b>");
    assert_true(folder_make(run->folder, &run->error));
    put(run, "config.json", config_text);
    put(run, "metrics.jsonl",
        "{\"step\":0,\"epoch\":1,\"split\":\"train\",\"loss\":2.5,\"lr\":0.1}\n{\"step\":5,\"epoch\":1,\"split\":"
        "\"train\",\"loss\":null,\"lr\":0.1}\n"
        "{\"step\":9,\"epoch\":1,\"split\":\"train\",\"loss\":1.5,\"lr\":0}\n{\"step\":9,\"epoch\":1,\"split\":\"val\","
        "\"loss\":1.25,\"accuracy\":0.5}\n"
        "{\"step\":18,\"epoch\":2,\"split\":\"val\",\"loss\":1.125,\"accuracy\":0.75}\n");
    put(run, "summary.json",
        "{\"epochs\":1,\"best_epoch\":1,\"metrics\":{\"test\":{\"accuracy\":0.75,\"ece\":0.0625}},\"ci\":{\"test\":{"
        "\"accuracy\":[0.7,0.8]}},"
        "\"wall_seconds\":12,\"machine\":{\"cpu\":\"x < y\"}}");
}

static void run_drop(Run *run)
{
    static const char *const files[] = {
        "config.json",           "metrics.jsonl",      "summary.json",      "evaluation.json",
        "report.html",           "plots/loss.png",     "plots/metrics.png", "plots/learning_rate.png",
        "plots/reliability.png", "plots/confusion.png"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(path_join(run->arena, run->folder, files[i]));
    rmdir(path_join(run->arena, run->folder, "plots"));
    assert_int_equal(rmdir(run->folder), 0);
    assert_int_equal(rmdir(run->base), 0);
    arena_free(run->arena);
}

static void put_evaluation(Run *run, int classes)
{
    static const uint8_t pixels[3 * 4] = {255, 0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 128};
    EvaluationMetric metrics[] = {{"accuracy", 0.75, 0.7, 0.8}, {"nll", 0.5, NAN, NAN}};
    ReliabilityBin bins[] = {{.confidence = NAN, .accuracy = NAN},
                             {.count = 10, .confidence = 0.4, .accuracy = 0.5},
                             {.count = 30, .confidence = 0.9, .accuracy = 0.8}};
    HardExample hardest[] = {{17, 0, 1, 3.5, 0.97, {2, 2, 3, pixels, NULL}}, {4, 1, 1, 0.5, 0.6, {0}}};
    LayerRow layers[] = {{"layers.0", "linear", 1, {8}, 136, 256}, {"head", "linear", 1, {2}, 18, 32}};
    const char **names = arena_zero(run->arena, (size_t)classes, sizeof *names);
    double *confusion = arena_zero(run->arena, (size_t)(classes * classes), sizeof *confusion);
    ClassFigures *figures = arena_zero(run->arena, (size_t)classes, sizeof *figures);
    for (int i = 0; i < classes; i++) {
        names[i] = i == 0 ? "<i>\"cat\"" : arena_format(run->arena, "class %d", i);
        confusion[i * classes + i] = 15;
        confusion[i * classes + (i + 1) % classes] = 5 + i % 2;
        figures[i] = (ClassFigures){.precision = i == 1 ? NAN : 0.75, .recall = 0.7, .f1 = 0.72, .targets = 20};
    }
    Evaluation evaluation = {.split = "test",
                             .n = 40,
                             .class_count = classes,
                             .metric_count = 2,
                             .bin_count = 3,
                             .hardest_count = 2,
                             .layer_count = 2,
                             .classes = names,
                             .metrics = metrics,
                             .confusion = confusion,
                             .bins = bins,
                             .per_class = figures,
                             .hardest = hardest,
                             .layers = layers};
    assert_true(evaluation_write(path_join(run->arena, run->folder, "evaluation.json"), &evaluation, &run->error));
}

static void test_report__evaluation_comes_back(void **state)
{
    (void)state;
    Run run;
    run_make(&run);
    put_evaluation(&run, 2);
    Evaluation back;
    assert_true(evaluation_read(path_join(run.arena, run.folder, "evaluation.json"), run.arena, &back, &run.error));
    assert_string_equal(back.split, "test");
    assert_true(back.n == 40 && back.class_count == 2 && back.bin_count == 3 && back.hardest_count == 2 &&
                back.layer_count == 2);
    assert_string_equal(back.classes[0], "<i>\"cat\"");
    assert_true(back.metrics[0].low == 0.7 && back.metrics[0].high == 0.8 && isnan(back.metrics[1].low));
    assert_true(back.confusion[3] == 15 && isnan(back.per_class[1].precision) && isnan(back.bins[0].accuracy) &&
                back.bins[2].count == 30);
    assert_true(back.hardest[0].index == 17 && back.hardest[0].image.width == 2 && back.hardest[1].image.width == 0);
    assert_int_equal(strncmp(back.hardest[0].image.png_base64, "iVBORw0KGgo", 11), 0);
    assert_true(back.layers[1].rank == 1 && back.layers[1].output[0] == 2 && back.layers[0].parameters == 136);
    run_drop(&run);
}

static void test_report__bad_evaluations_are_errors(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{\"split\":\"test\"}",
        "{\"split\":1,\"n\":1}",
        "{\"split\":\"t\",\"n\":-1}",
        "{\"split\":\"t\",\"n\":1.5}",
        "{\"split\":\"t\",\"n\":1,\"metrics\":[]}",
        "{\"split\":\"t\",\"n\":1,\"metrics\":{\"a\":\"b\"}}",
        "{\"split\":\"t\",\"n\":1,\"classes\":[1]}",
        "{\"split\":\"t\",\"n\":1,\"confusion\":[]}",
        "{\"split\":\"t\",\"n\":1,\"confusion\":[[1,2],[3]]}",
        "{\"split\":\"t\",\"n\":1,\"confusion\":[[-1]]}",
        "{\"split\":\"t\",\"n\":1,\"classes\":[\"a\"],\"confusion\":[[1,2],[3,4]]}",
        "{\"split\":\"t\",\"n\":1,\"reliability\":[{\"count\":1}]}",
        "{\"split\":\"t\",\"n\":1,\"reliability\":[{\"count\":1,\"confidence\":null,\"accuracy\":1}]}",
        "{\"split\":\"t\",\"n\":1,\"reliability\":[{\"count\":1,\"confidence\":2,\"accuracy\":1}]}",
        "{\"split\":\"t\",\"n\":1,\"per_class\":[1]}",
        "{\"split\":\"t\",\"n\":1,\"layers\":[{\"name\":\"a\"}]}",
        "{\"split\":\"t\",\"n\":1,\"classes\":[\"a\"],\"hardest\":[{\"index\":0,\"label\":1,\"predicted\":0,\"loss\":1,"
        "\"confidence\":1}]}",
        "{\"split\":\"t\",\"n\":1,\"hardest\":[{\"index\":0,\"label\":0,\"predicted\":0,\"loss\":1,\"confidence\":1,"
        "\"image\":{\"width\":1,\"height\":1,\"channels\":1,"
        "\"png_base64\":\"\\\"><script>\"}}]}",
    };
    Run run;
    run_make(&run);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Evaluation back;
        put(&run, "evaluation.json", texts[i]);
        char *path = path_join(run.arena, run.folder, "evaluation.json");
        assert_false(evaluation_read(path, run.arena, &back, &run.error));
        assert_int_equal(run.error.status, STATUS_FAILED);
        assert_int_equal(strncmp(run.error.message, path, strlen(path)), 0);
        assert_int_equal(strncmp(run.error.message + strlen(path), ":1: ", 4), 0);
    }
    run_drop(&run);
}

static void test_report__bad_metrics_are_errors_with_their_line(void **state)
{
    (void)state;
    static const char *const lines[] = {"",
                                        "[]",
                                        "{",
                                        "{\"step\":1}",
                                        "{\"step\":-1,\"split\":\"val\"}",
                                        "{\"step\":\"1\",\"split\":\"val\"}",
                                        "{\"step\":1,\"split\":2}",
                                        "{\"step\":1,\"split\":\"val\",\"loss\":\"x\"}",
                                        "{\"step\":1,\"split\":\"val\",\"epoch\":\"x\"}",
                                        "{\"step\":1,\"step\":1,\"split\":\"val\"}",
                                        "{\"step\":0,\"split\":\"val\",\"loss\":1}",
                                        "{\"step\":1,\"split\":\"val\",\"loss\":NaN}"};
    Run run;
    run_make(&run);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        put(&run, "metrics.jsonl",
            arena_format(run.arena, "{\"step\":1,\"split\":\"val\",\"loss\":1}\n%s\n", lines[i]));
        assert_null(report_data_read(run.folder, &run.error));
        assert_int_equal(run.error.status, STATUS_FAILED);
        assert_non_null(strstr(run.error.message, "metrics.jsonl:2: "));
    }
    put(&run, "metrics.jsonl", "{\"step\":1,\"split\":\"val\",\"loss\":1}\n{\"step\":2,\"spl");
    ReportData *data = report_data_read(run.folder, &run.error);
    assert_non_null(data);
    assert_true(data->last_line_cut && report_curve(data, "val", "loss")->count == 1);
    report_data_free(data);
    run_drop(&run);
}

/* Every element that is opened is closed, in order; the text holds no bare "<". Returns the elements. */
static int check_balance(const char *html)
{
    static const char *const empty[] = {"meta", "img", "br", "!DOCTYPE"};
    char open[64][16];
    int depth = 0, elements = 0;
    for (const char *at = html; (at = strchr(at, '<')) != NULL; at++) {
        bool closing = at[1] == '/';
        char name[16] = "";
        const char *end = strchr(at, '>');
        assert_non_null(end);
        at += closing ? 2 : 1;
        for (int i = 0; i < 15 && (isalnum((unsigned char)at[i]) || at[i] == '!'); i++)
            name[i] = at[i];
        assert_true(name[0] != '\0');
        bool alone = end[-1] == '/';
        for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
            alone |= strcmp(name, empty[i]) == 0;
        elements++;
        if (closing) {
            assert_true(depth > 0);
            assert_string_equal(open[--depth], name);
        } else if (!alone) {
            assert_true(depth < 64);
            strcpy(open[depth++], name);
        }
        at = end;
    }
    assert_int_equal(depth, 0);
    return elements;
}

static const char *read_page(Run *run, const char *path)
{
    unsigned char *text;
    size_t size;
    assert_true(file_read(path, 1 << 24, run->arena, &text, &size, &run->error));
    assert_int_equal(strlen((char *)text), size);
    return (const char *)text;
}

static void check_picture(Run *run, const char *name)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, path_join(run->arena, run->folder, name)));
    image.format = PNG_FORMAT_RGB;
    uint8_t *pixels = arena_alloc(run->arena, PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    size_t ink = 0, count = (size_t)image.width * image.height;
    for (size_t i = 0; i < count; i++)
        ink += pixels[3 * i] < 200 || pixels[3 * i + 1] < 200 || pixels[3 * i + 2] < 200;
    assert_true(image.width >= 480 && image.height >= 400 && ink > count / 500 && ink < count);
}

static void test_report__page_is_whole_and_escaped(void **state)
{
    (void)state;
    for (int classes = 2; classes <= 40; classes += 38) {
        Run run;
        run_make(&run);
        put_evaluation(&run, classes);
        assert_true(report_write(run.folder, &run.error));
        const char *page = read_page(&run, path_join(run.arena, run.folder, "report.html"));
        assert_true(check_balance(page) > 200);
        assert_null(strstr(page, "http:"));
        assert_null(strstr(page, "https:"));
        assert_null(strstr(page, "<script"));
        assert_null(strstr(page, "<i>"));
        assert_non_null(strstr(page, "<h1>a &amp; &lt;b&gt;</h1>"));
        assert_non_null(strstr(page, "&lt;i&gt;&quot;cat&quot;"));
        assert_non_null(strstr(page, "95% interval 0.7 to 0.8"));
        assert_non_null(strstr(page, "data:image/png;base64,iVBORw0KGgo"));
        assert_non_null(strstr(page, "ECE 0.0625"));
        assert_null(strstr(page, "nan"));
        static const char *const pictures[] = {"loss", "metrics", "learning_rate", "reliability", "confusion"};
        for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
            check_picture(&run, arena_format(run.arena, "plots/%s.png", pictures[i]));
        run_drop(&run);
    }
}

static void test_report__run_without_results(void **state)
{
    (void)state;
    Run run;
    run_make(&run);
    unlink(path_join(run.arena, run.folder, "summary.json"));
    assert_true(report_write(run.folder, &run.error));
    const char *page = read_page(&run, path_join(run.arena, run.folder, "report.html"));
    check_balance(page);
    assert_non_null(strstr(page, "no summary.json"));
    unlink(path_join(run.arena, run.folder, "metrics.jsonl"));
    assert_true(report_write(run.folder, &run.error));
    check_balance(read_page(&run, path_join(run.arena, run.folder, "report.html")));
    put(&run, "metrics.jsonl", "{\"step\":0,\"split\":\"val\",\"loss\":null}\n"); /* diverged at once */
    assert_true(report_write(run.folder, &run.error));
    check_balance(read_page(&run, path_join(run.arena, run.folder, "report.html")));
    run_drop(&run);
}

static void test_report__comparison_shows_only_differences(void **state)
{
    (void)state;
    Run a, b;
    run_make(&a);
    run_make(&b);
    put(&b, "config.json",
        "{\"seed\": 2, \"model\": {\"type\": \"mlp\", \"hidden\": [8, 8]}, \"loss\": \"ce\", \"note\": "
        "\"<script>alert(1)</script>\", \"train\": {\"epochs\": 3}}");
    put(&b, "summary.json", "{\"metrics\":{\"test\":{\"accuracy\":0.875}}}");
    char *path = path_join(a.arena, a.folder, "report.html");
    assert_true(report_compare(2, (const char *[]){a.folder, b.folder}, path, &a.error));
    const char *page = read_page(&a, path);
    check_balance(page);
    assert_non_null(strstr(page, "<th scope=\"row\">seed</th>"));
    assert_non_null(strstr(page, "<th scope=\"row\">train.epochs</th>"));
    assert_null(strstr(page, "model.hidden"));
    assert_null(strstr(page, "<script"));
    assert_non_null(strstr(page, "<td class=\"best\">0.875"));
    assert_null(strstr(page, "<td class=\"best\">0.75"));
    run_drop(&a);
    run_drop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report__evaluation_comes_back),
        cmocka_unit_test(test_report__bad_evaluations_are_errors),
        cmocka_unit_test(test_report__bad_metrics_are_errors_with_their_line),
        cmocka_unit_test(test_report__page_is_whole_and_escaped),
        cmocka_unit_test(test_report__run_without_results),
        cmocka_unit_test(test_report__comparison_shows_only_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
