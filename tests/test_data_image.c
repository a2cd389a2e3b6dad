/* The arithmetic of images, on small cases by hand. */
#include <math.h>
#include <string.h>

#include "tests/testing.h"

#include "data/image.h"

enum { SIDE = 8, LARGEST = 3 * SIDE * SIDE };

static const float mean[] = {0.5f}, deviation[] = {0.25f};
static const TransformShape grey = {.channels = 1, .height = SIDE, .width = SIDE};
static const TransformShape plain = {.channels = 3, .height = SIDE, .width = SIDE};

static float largest_change(const TransformShape *shape, const float *a, const float *b)
{
    float largest = 0;
    for (int64_t i = 0; i < image_size(shape); i++) {
        assert_true(isfinite(a[i]));
        largest = fmaxf(largest, fabsf(a[i] - b[i]));
    }
    return largest;
}

static void test_data_image__mirror_does_not_repeat_the_border(void **state)
{
    (void)state;
    static const int expected[] = {1, 2, 1, 0, 1, 2, 1, 0, 1};
    for (int i = -3; i <= 5; i++)
        assert_int_equal(image_mirror(i, 3), expected[i + 3]);
    assert_int_equal(image_mirror(-7, 1), 0);
}

static void test_data_image__intensities_there_and_back(void **state)
{
    (void)state;
    static const TransformShape pixel = {.channels = 1, .height = 1, .width = 1, .mean = mean, .deviation = deviation};
    float image[] = {-2};
    image_to_intensities(&pixel, image);
    assert_true(image[0] == 0);
    image_from_intensities(&pixel, image);
    assert_true(image[0] == -2 && image_black(&pixel, 0) == -2 && image_black(&plain, 0) == 0);
}

static void test_data_image__quarter_turn_is_counterclockwise(void **state)
{
    (void)state;
    static const TransformShape shape = {.channels = 1, .height = 3, .width = 3};
    static const float image[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, expected[] = {3, 6, 9, 2, 5, 8, 1, 4, 7};
    float turned[9];
    ImageMap map = image_affine(&shape, (Affine){.radians = acos(0), .scale = 1});
    image_warp(&shape, &map, image, turned);
    assert_true(largest_change(&shape, turned, expected) < 1e-5f);
}

static void test_data_image__move_scale_and_shear_by_hand(void **state)
{
    (void)state;
    static const TransformShape shape = {.channels = 1, .height = 3, .width = 3, .mean = mean, .deviation = deviation};
    static const float image[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const struct { Affine affine; float expected[9]; } cases[] = {
        {{.scale = 1, .right = 1}, {-2, 1, 2, -2, 4, 5, -2, 7, 8}},
        {{.scale = 1, .down = -1}, {4, 5, 6, 7, 8, 9, -2, -2, -2}},
        {{.scale = 1, .right = 0.5}, {-0.5f, 1.5f, 2.5f, 1, 4.5f, 5.5f, 2.5f, 7.5f, 8.5f}},
        {{.scale = 2}, {3, 3.5f, 4, 4.5f, 5, 5.5f, 6, 6.5f, 7}},
        {{.scale = 1, .shear_x = 1}, {2, 3, -2, 4, 5, 6, -2, 7, 8}},
        {{.scale = 1, .shear_y = 1}, {4, 2, -2, 7, 5, 3, -2, 8, 6}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float changed[9];
        ImageMap map = image_affine(&shape, cases[i].affine);
        image_warp(&shape, &map, image, changed);
        if (largest_change(&shape, changed, cases[i].expected) > 1e-5f)
            fail_msg("case %zu", i);
    }
}

static void test_data_image__blur(void **state)
{
    (void)state;
    float image[LARGEST], scratch[LARGEST];
    for (int i = 0; i < SIDE * SIDE; i++)
        image[i] = 2;
    image_blur(&grey, 16, image, scratch);
    for (int i = 0; i < SIDE * SIDE; i++)
        assert_true(fabsf(image[i] - 2) < 1e-5f);
    memset(image, 0, sizeof image);
    image[3 * SIDE + 3] = 1;
    image_blur(&grey, 1, image, scratch);
    double scale = 0;
    for (int i = -3; i <= 3; i++)
        scale += exp(-0.5 * i * i);
    assert_true(fabs(image[3 * SIDE + 3] - 1 / (scale * scale)) < 1e-6);
    assert_true(fabs(image[4 * SIDE + 5] - exp(-2.5) / (scale * scale)) < 1e-6);
    assert_true(fabs(image[3 * SIDE] - 2 * exp(-4.5) / (scale * scale)) < 1e-6); /* from both sides of the border */
}

static void test_data_image__hue_and_colour_spaces(void **state)
{
    (void)state;
    static const float rgb[][3] = {{1, 0, 0}, {0, 0.5f, 0}, {0, 0, 1}, {0.5f, 0.5f, 0.5f}, {1, 1, 0},
                                   {0.5f, 0.25f, 0.5f}};
    static const float hsv[][3] = {{0, 1, 1}, {1.0f / 3, 1, 0.5f}, {2.0f / 3, 1, 1}, {0, 0, 0.5f}, {1.0f / 6, 1, 1},
                                   {5.0f / 6, 0.5f, 0.5f}};
    static const TransformShape pixel = {.channels = 3, .height = 1, .width = 1};
    for (size_t i = 0; i < sizeof rgb / sizeof *rgb; i++) {
        float there[3], back[3];
        image_rgb_to_hsv(rgb[i], there);
        image_hsv_to_rgb(there, back);
        assert_true(largest_change(&pixel, there, hsv[i]) < 1e-6f);
        assert_true(largest_change(&pixel, back, rgb[i]) < 1e-6f);
    }
    float red[] = {0.8f, 0.2f, 0.2f}, green[] = {0.2f, 0.8f, 0.2f}, image[LARGEST], before[LARGEST];
    image_hue(&pixel, 1.0 / 3, red);
    assert_true(largest_change(&pixel, red, green) < 1e-6f);
    Random random = random_start(18, "image", 0);
    for (int i = 0; i < LARGEST; i++)
        before[i] = (float)random_uniform(&random);
    for (int turns = -1; turns <= 2; turns++) {
        memcpy(image, before, sizeof image);
        image_hue(&plain, turns, image);
        assert_true(largest_change(&plain, image, before) < 1e-5f);
    }
}

static void test_data_image__intensities_by_hand(void **state)
{
    (void)state;
    static const TransformShape shape = {.channels = 1, .height = 1, .width = 4};
    static const TransformShape pixel = {.channels = 3, .height = 1, .width = 1};
    static const float original[] = {0.2f, 0.4f, 0.4f, 0.6f};
    float image[4], color[3] = {1, 0.5f, 0}, luma = 0.299f + 0.587f * 0.5f;
    static const float brighter[] = {0.4f, 0.8f, 0.8f, 1}, flatter[] = {0.3f, 0.4f, 0.4f, 0.5f};
    static const float solar[] = {0.2f, 0.4f, 0.4f, 0.4f};
    static const float stretched[] = {0, 0.5f, 0.5f, 1}, equalized[] = {0, 1.0f / 3, 1.0f / 3, 1};
    memcpy(image, original, sizeof image);
    image_brightness(&shape, 2, image);
    assert_true(largest_change(&shape, image, brighter) < 1e-6f);
    memcpy(image, original, sizeof image);
    image_contrast(&shape, 0.5f, image);
    assert_true(largest_change(&shape, image, flatter) < 1e-6f);
    memcpy(image, original, sizeof image);
    image_solarize(&shape, 0.5f, image);
    assert_true(largest_change(&shape, image, solar) < 1e-6f);
    memcpy(image, original, sizeof image);
    image_autocontrast(&shape, image);
    assert_true(largest_change(&shape, image, stretched) < 1e-6f);
    memcpy(image, original, sizeof image);
    image_equalize(&shape, image);
    assert_true(largest_change(&shape, image, equalized) < 1e-6f);
    float bytes[] = {200.0f / 255, 127.0f / 255, 128.0f / 255, 1};
    image_posterize(&shape, 1, bytes);
    assert_true(bytes[0] == 128.0f / 255 && bytes[1] == 0 && bytes[2] == 128.0f / 255 && bytes[3] == 128.0f / 255);
    float between[] = {127.4f / 255, 127.6f / 255, 0.2f / 255, 254.6f / 255};
    image_posterize(&shape, 8, between); /* to the nearest byte */
    assert_true(between[0] == 127.0f / 255 && between[1] == 128.0f / 255 && between[2] == 0 && between[3] == 1);
    image_grey(&pixel, color);
    for (int i = 0; i < 3; i++)
        assert_true(fabsf(color[i] - luma) < 1e-6f);
}

/* The centre of a cross: smoothed it is 5/13, and factor 2 goes as far the other way. */
static void test_data_image__sharpness_by_hand(void **state)
{
    (void)state;
    static const TransformShape shape = {.channels = 1, .height = 3, .width = 3};
    float image[] = {0.25f, 0.25f, 0.25f, 0.25f, 0.5f, 0.25f, 0.25f, 0.25f, 0.25f}, scratch[9];
    float smooth = (8 * 0.25f + 5 * 0.5f) / 13;
    image_sharpness(&shape, 2, image, scratch);
    assert_true(fabsf(image[4] - (0.5f + 0.5f - smooth)) < 1e-6f);
    for (int i = 0; i < 9; i++)
        assert_true(i == 4 || image[i] == 0.25f);
}

static void test_data_image__resized_box(void **state)
{
    (void)state;
    static const TransformShape shape = {.channels = 1, .height = 2, .width = 4};
    static const float image[] = {0, 1, 2, 3, 4, 5, 6, 7}, expected[] = {1, 1.25f, 1.75f, 2, 1, 1.25f, 1.75f, 2};
    float resized[8];
    image_resize_box(&shape, 0, 1, 1, 2, image, resized); /* columns 1 and 2 of the first row */
    assert_memory_equal(resized, expected, sizeof expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_image__mirror_does_not_repeat_the_border),
        cmocka_unit_test(test_data_image__intensities_there_and_back),
        cmocka_unit_test(test_data_image__quarter_turn_is_counterclockwise),
        cmocka_unit_test(test_data_image__move_scale_and_shear_by_hand),
        cmocka_unit_test(test_data_image__resized_box),
        cmocka_unit_test(test_data_image__blur),
        cmocka_unit_test(test_data_image__hue_and_colour_spaces),
        cmocka_unit_test(test_data_image__intensities_by_hand),
        cmocka_unit_test(test_data_image__sharpness_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
