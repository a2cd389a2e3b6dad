/* The drawn images: areas, contrast, and digits that can be told apart. */
#include "tests/generators.h"

#include "data/raster.h"

/* Anti-aliased areas: a disc, a capsule, a turned square that crosses pixels at an angle. */
static void test_data_generators_images__coverage_adds_up_to_the_area(void **state)
{
    (void)state;
    Canvas canvas;
    float coverage[32 * 32], square[4][2];
    for (int i = 0; i < 4; i++) {
        square[i][0] = 15.3f + 9 * cosf(0.3f + 1.5707963f * (float)i);
        square[i][1] = 14.8f + 9 * sinf(0.3f + 1.5707963f * (float)i);
    }
    static const float from[3] = {8.2f, 9.7f, 3}, to[3] = {20.9f, 18.1f, 3};
    double length = hypot(20.9 - 8.2, 18.1 - 9.7), areas[] = {3.14159265 * 9, 3.14159265 * 9 + 6 * length, 2 * 81};
    for (int figure = 0; figure < 3; figure++) {
        canvas_clear(&canvas, 32);
        if (figure == 2)
            canvas_polygon(&canvas, (const float (*)[2])square, 4);
        else
            canvas_segment(&canvas, from, figure == 1 ? to : from);
        canvas_coverage(&canvas, coverage);
        double sum = 0;
        for (int i = 0; i < 32 * 32; i++)
            sum += coverage[i];
        assert_true(fabs(sum / areas[figure] - 1) < 0.02);
    }
}

static void test_data_generators_images__ink_and_paper_differ_by_the_contrast(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 3; channels += 2) {
        DataSplits splits = load(1, "{'type': 'shapes', 'count': 200, 'test_count': 0, 'channels': %d, "
                                    "'contrast': 0.5, 'noise': 0, 'blur': 0, 'gradient': 0, 'clutter': 0}", channels);
        for (int64_t i = 0; i < splits.train.count; i++) {
            const uint8_t *image = (const uint8_t *)sample(&splits.train, i);
            double low = 255, high = 0;
            for (int k = 0; k < 32 * 32; k++) {
                double value = image[k];
                if (channels == 3)
                    value = 0.299 * image[k] + 0.587 * image[k + 1024] + 0.114 * image[k + 2048];
                low = fmin(low, value);
                high = fmax(high, value);
            }
            assert_true(high - low > 0.5 * 255 - 1.5); /* two roundings to bytes */
        }
        data_free(&splits);
    }
}

/* The digit whose mean training image is most like the image, by correlation: a crude classifier that
   knows far more than chance when labels belong to their images. */
static void test_data_generators_images__glyphs_look_like_their_labels(void **state)
{
    (void)state;
    DataSplits splits = load(1, "{'type': 'glyphs', 'count': 2000, 'test_count': 500, 'contrast': 0.8}");
    static double means[10][784];
    memset(means, 0, sizeof means);
    for (int64_t i = 0; i < splits.train.count; i++)
        for (int k = 0; k < 784; k++)
            means[splits.datasets[0]->labels[splits.train.order[i]]][k] += (uint8_t)sample(&splits.train, i)[k];
    int correct = 0;
    for (int64_t i = 0; i < splits.test.count; i++) {
        int best = 0;
        double scores[10];
        for (int c = 0; c < 10; c++) {
            double x = 0, m = 0, xm = 0, mm = 0;
            for (int k = 0; k < 784; k++) {
                double value = (uint8_t)sample(&splits.test, i)[k], mean = means[c][k];
                x += value;
                m += mean;
                xm += value * mean;
                mm += mean * mean;
            }
            scores[c] = (xm - x * m / 784) / sqrt(mm - m * m / 784);
            best = scores[c] > scores[best] ? c : best;
        }
        correct += best == splits.datasets[0]->labels[splits.test.order[i]];
    }
    assert_true(correct > 300);
    data_free(&splits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_generators_images__coverage_adds_up_to_the_area),
        TEST(test_data_generators_images__ink_and_paper_differ_by_the_contrast),
        TEST(test_data_generators_images__glyphs_look_like_their_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
