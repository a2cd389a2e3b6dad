/* Transforms: exact small cases, limits in which they change nothing, and the arithmetic of images. */
#include <math.h>

#include "tests/testing_transforms.h"

#include "data/image.h"

enum { SIDE = 8, LARGEST = 3 * 16 * 16 };

static Arena *arena;
static const float mean[] = {0.5f, 0.4f, 0.3f}, deviation[] = {0.25f, 0.2f, 0.5f};
static const TransformShape grey = {.channels = 1, .height = SIDE, .width = SIDE};
static const TransformShape plain = {.channels = 3, .height = SIDE, .width = SIDE};
static const TransformShape normalised = {.channels = 3, .height = SIDE, .width = SIDE, .mean = mean,
                                          .deviation = deviation};

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

/* Image transform number `draw` of the sequence of draws; `json` is one transform. */
static void apply(const char *json, const TransformShape *shape, uint32_t draw, float *image)
{
    InstanceList list = transforms_parse(arena, arena_format(arena, "[%s]", json));
    const TransformDef *transform = (const TransformDef *)list.items[0].component;
    Random random = random_start(17, "test", draw);
    Error error;
    float scratch[2 * LARGEST];
    assert_true(!transform->check || transform->check(list.items[0].values, shape, &error));
    transform->image(list.items[0].values, shape, &random, image, scratch);
}

/* Intensities 0..1, normalised as `shape` says. */
static void fill_random(const TransformShape *shape, float *image)
{
    Random random = random_start(18, "image", 0);
    for (int64_t i = 0; i < image_size(shape); i++)
        image[i] = (float)random_uniform(&random);
    image_from_intensities(shape, image);
}

static float largest_change(const TransformShape *shape, const float *a, const float *b)
{
    float largest = 0;
    for (int64_t i = 0; i < image_size(shape); i++) {
        assert_true(isfinite(a[i]));
        largest = fmaxf(largest, fabsf(a[i] - b[i]));
    }
    return largest;
}

static void test_data_transforms__limits_that_change_nothing(void **state)
{
    (void)state;
    static const struct { const char *json; float tolerance; } cases[] = {
        {"{\"type\": \"crop\", \"padding\": 0}", 0},
        {"{\"type\": \"flip\", \"horizontal\": 0}", 0},
        {"{\"type\": \"rotate\", \"degrees\": 0}", 0},
        {"{\"type\": \"affine\", \"degrees\": 0, \"translate\": 0, \"scale\": [1, 1], \"shear\": 0}", 0},
        {"{\"type\": \"color-jitter\", \"brightness\": 0, \"contrast\": 0, \"saturation\": 0, \"hue\": 0}", 1e-6f},
        {"{\"type\": \"grey\", \"probability\": 0}", 0},
        {"{\"type\": \"blur\", \"probability\": 0}", 0},
        {"{\"type\": \"blur\", \"probability\": 1, \"sigma\": [0.01, 0.01]}", 0},
        {"{\"type\": \"cutout\", \"size\": 0}", 0},
        {"{\"type\": \"noise\", \"deviation\": 0}", 0},
        {"{\"type\": \"random-resized-crop\", \"scale\": [1, 1], \"ratio\": [1, 1]}", 0},
        {"{\"type\": \"randaugment\", \"n\": 0}", 1e-6f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint32_t draw = 0; draw < 3; draw++) {
            float before[LARGEST], image[LARGEST];
            fill_random(&normalised, before);
            memcpy(image, before, sizeof image);
            apply(cases[i].json, &normalised, draw, image);
            if (largest_change(&normalised, image, before) > cases[i].tolerance)
                fail_msg("%s changes the image", cases[i].json);
        }
}

static void test_data_transforms__flip(void **state)
{
    (void)state;
    static const TransformShape shape = {.channels = 2, .height = 2, .width = 3};
    static const float original[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const float mirrored[] = {3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10};
    static const float turned[] = {6, 5, 4, 3, 2, 1, 12, 11, 10, 9, 8, 7};
    float image[12];
    memcpy(image, original, sizeof image);
    apply("{\"type\": \"flip\", \"horizontal\": 1}", &shape, 0, image);
    assert_memory_equal(image, mirrored, sizeof image);
    memcpy(image, original, sizeof image);
    apply("{\"type\": \"flip\", \"horizontal\": 1, \"vertical\": 1}", &shape, 0, image);
    assert_memory_equal(image, turned, sizeof image);
    int flips = 0;
    for (uint32_t draw = 0; draw < 400; draw++) {
        memcpy(image, original, sizeof image);
        apply("\"flip\"", &shape, draw, image);
        flips += image[0] == 3;
    }
    assert_in_range(flips, 160, 240);
}

/* With padding 1 there are nine windows of a 3x3 image: all occur, each exactly as padded by hand. */
static void test_data_transforms__crop_cuts_every_window(void **state)
{
    (void)state;
    static const TransformShape shape = {.channels = 1, .height = 3, .width = 3, .mean = mean, .deviation = deviation};
    static const float padded[2][5][5] = {
        {{-2, -2, -2, -2, -2}, {-2, 1, 2, 3, -2}, {-2, 4, 5, 6, -2}, {-2, 7, 8, 9, -2}, {-2, -2, -2, -2, -2}},
        {{5, 4, 5, 6, 5}, {2, 1, 2, 3, 2}, {5, 4, 5, 6, 5}, {8, 7, 8, 9, 8}, {5, 4, 5, 6, 5}}};
    static const char *const json[] = {"{\"type\": \"crop\", \"padding\": 1}",
                                       "{\"type\": \"crop\", \"padding\": 1, \"reflect\": true}"};
    for (int reflect = 0; reflect < 2; reflect++) {
        int seen[9] = {0}, kinds = 0;
        for (uint32_t draw = 0; draw < 200; draw++) {
            float image[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
            int matches = 0;
            apply(json[reflect], &shape, draw, image);
            for (int window = 0; window < 9; window++) {
                bool same = true;
                for (int i = 0; i < 9; i++)
                    same &= image[i] == padded[reflect][window / 3 + i / 3][window % 3 + i % 3];
                matches += same;
                seen[window] |= same;
            }
            assert_int_equal(matches, 1);
        }
        for (int window = 0; window < 9; window++)
            kinds += seen[window];
        assert_int_equal(kinds, 9);
    }
}

static void test_data_transforms__cutout_area(void **state)
{
    (void)state;
    int smallest = SIDE * SIDE, most = 0;
    for (uint32_t draw = 0; draw < 200; draw++) {
        float image[LARGEST];
        int zeros = 0;
        for (int i = 0; i < 3 * SIDE * SIDE; i++)
            image[i] = 1;
        apply("{\"type\": \"cutout\", \"size\": 4}", &plain, draw, image);
        for (int i = 0; i < SIDE * SIDE; i++) {
            zeros += image[i] == 0;
            assert_true(image[i] == image[SIDE * SIDE + i] && image[i] == image[2 * SIDE * SIDE + i]);
        }
        smallest = zeros < smallest ? zeros : smallest;
        most = zeros > most ? zeros : most;
    }
    assert_int_equal(most, 16);     /* whole */
    assert_int_equal(smallest, 4);  /* centred on the upper left pixel */
}

/* A disc about the centre never meets the border: it keeps a constant under every rotation. */
static void test_data_transforms__rotation_keeps_a_constant_inside(void **state)
{
    (void)state;
    for (uint32_t draw = 0; draw < 20; draw++) {
        float image[LARGEST];
        for (int i = 0; i < 3 * SIDE * SIDE; i++)
            image[i] = 0.75f;
        apply("{\"type\": \"rotate\", \"degrees\": 180}", &normalised, draw, image);
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                if (hypot(x - 3.5, y - 3.5) < 3.5)
                    assert_true(fabsf(image[y * SIDE + x] - 0.75f) < 1e-6f);
    }
}

static void test_data_transforms__resized_crop_stays_between_the_values(void **state)
{
    (void)state;
    for (uint32_t draw = 0; draw < 50; draw++) {
        float before[LARGEST], after[LARGEST];
        fill_random(&plain, before);
        memcpy(after, before, sizeof after);
        apply("\"random-resized-crop\"", &plain, draw, after);
        for (int i = 0; i < 3 * SIDE * SIDE; i++)
            assert_true(after[i] >= 0 && after[i] <= 1);
    }
}

/* No box of 8 : 1 with all of the area fits: the largest at the centre is taken, which is row 3. */
static void test_data_transforms__resized_crop_falls_back_to_the_centre(void **state)
{
    (void)state;
    float image[LARGEST];
    for (int i = 0; i < SIDE * SIDE; i++)
        image[i] = (float)(i / SIDE);
    apply("{\"type\": \"random-resized-crop\", \"scale\": [1, 1], \"ratio\": [8, 8]}", &grey, 0, image);
    for (int i = 0; i < SIDE * SIDE; i++)
        assert_true(image[i] == 3);
}

/* In intensities the noise has the deviation asked for, whatever each channel was divided by. */
static void test_data_transforms__noise_deviation(void **state)
{
    (void)state;
    static const TransformShape shape = {.channels = 3, .height = 16, .width = 16, .mean = mean,
                                         .deviation = deviation};
    for (int channel = 0; channel < 3; channel++) {
        double sum = 0;
        for (uint32_t draw = 0; draw < 20; draw++) {
            float image[LARGEST] = {0};
            apply("{\"type\": \"noise\", \"deviation\": 0.1}", &shape, draw, image);
            for (int i = channel * 256; i < (channel + 1) * 256; i++)
                sum += pow(image[i] * deviation[channel], 2) / (20 * 256);
        }
        assert_true(fabs(sqrt(sum) - 0.1) < 0.005);
    }
}

/* Intensities stay in 0..1, and black padding is black, for every operation at every strength. */
static void test_data_transforms__randaugment_stays_in_range(void **state)
{
    (void)state;
    static const char *const json[] = {"{\"type\": \"randaugment\", \"n\": 1, \"magnitude\": 30}", "\"randaugment\"",
                                       "{\"type\": \"randaugment\", \"n\": 5, \"magnitude\": 15}"};
    for (int i = 0; i < 3; i++) {
        int changed = 0;
        for (uint32_t draw = 0; draw < 60; draw++) {
            float before[LARGEST], image[LARGEST];
            fill_random(&normalised, before);
            memcpy(image, before, sizeof image);
            apply(json[i], &normalised, draw, image);
            changed += largest_change(&normalised, image, before) > 1e-3f;
            image_to_intensities(&normalised, image);
            for (int k = 0; k < 3 * SIDE * SIDE; k++)
                assert_true(image[k] > -1e-5f && image[k] < 1 + 1e-5f);
        }
        assert_in_range(changed, 40, 60);
    }
}

enum { COUNT = 5, CLASSES = 3 };

/* Image i is constant 10 i, its class i mod CLASSES. Returns the transform's result in `batch`. */
static void mix(const char *json, uint32_t draw, Batch *batch)
{
    InstanceList list = transforms_parse(arena, arena_format(arena, "[%s]", json));
    Random random = random_start(19, "mix", draw);
    memset(batch->values, 0, COUNT * CLASSES * sizeof(float));
    for (int i = 0; i < COUNT; i++) {
        batch->values[i * CLASSES + i % CLASSES] = 1;
        for (int k = 0; k < SIDE * SIDE; k++)
            batch->features[i * SIDE * SIDE + k] = (float)(10 * i);
    }
    Arena *scratch = arena_new();
    const TransformDef *transform = (const TransformDef *)list.items[0].component;
    transform->batch(list.items[0].values, &grey, &random, CLASSES, batch, scratch);
    arena_free(scratch);
}

static void check_target_sums(const Batch *batch)
{
    for (int i = 0; i < COUNT; i++) {
        float sum = 0;
        for (int k = 0; k < CLASSES; k++) {
            assert_true(batch->values[i * CLASSES + k] >= 0);
            sum += batch->values[i * CLASSES + k];
        }
        assert_true(fabsf(sum - 1) < 1e-6f);
    }
}

static void test_data_transforms__mixup_mixes_features_and_targets_alike(void **state)
{
    (void)state;
    float features[COUNT * SIDE * SIDE], values[COUNT * CLASSES];
    Batch batch = {.count = COUNT, .features = features, .values = values};
    int mixed = 0;
    for (uint32_t draw = 0; draw < 30; draw++) {
        float total = 0;
        mix("{\"type\": \"mixup\", \"alpha\": 1}", draw, &batch);
        check_target_sums(&batch);
        for (int i = 0; i < COUNT; i++) {
            float own = values[i * CLASSES + i % CLASSES], pixel = features[i * SIDE * SIDE];
            total += pixel;
            for (int k = 1; k < SIDE * SIDE; k++)
                assert_true(features[i * SIDE * SIDE + k] == pixel);
            bool found = false; /* a partner that explains the pixel also explains the target */
            for (int other = 0; other < COUNT && own < 1; other++)
                found |= fabsf(own * (float)(10 * i) + (1 - own) * (float)(10 * other) - pixel) < 1e-4f &&
                         fabsf(values[i * CLASSES + other % CLASSES] - (1 - own)) < 1e-6f;
            assert_true(own == 1 || found);
            mixed += own < 1;
        }
        assert_true(fabsf(total - 100) < 1e-3f); /* each sample's share is given away once */
    }
    assert_true(mixed > 60);
    mix("{\"type\": \"mixup\", \"alpha\": 0}", 0, &batch);
    for (int i = 0; i < COUNT; i++)
        assert_true(features[i * SIDE * SIDE] == (float)(10 * i) && values[i * CLASSES + i % CLASSES] == 1);
}

static void test_data_transforms__cutmix_targets_are_areas(void **state)
{
    (void)state;
    float features[COUNT * SIDE * SIDE], values[COUNT * CLASSES];
    Batch batch = {.count = COUNT, .features = features, .values = values};
    int mixed = 0;
    for (uint32_t draw = 0; draw < 30; draw++) {
        mix("\"cutmix\"", draw, &batch);
        check_target_sums(&batch);
        for (int i = 0; i < COUNT; i++) {
            float expected[CLASSES] = {0};
            int own = 0;
            for (int k = 0; k < SIDE * SIDE; k++) {
                int source = (int)features[i * SIDE * SIDE + k] / 10;
                expected[source % CLASSES] += 1.0f / (SIDE * SIDE);
                own += source == i;
            }
            mixed += own < SIDE * SIDE;
            for (int k = 0; k < CLASSES; k++)
                assert_true(fabsf(values[i * CLASSES + k] - expected[k]) < 1e-5f);
        }
    }
    assert_true(mixed > 60);
}

static void test_data_transforms__mistaken_parameters_are_named(void **state)
{
    (void)state;
    static const struct { const char *json, *message; } cases[] = {
        {"[{\"type\": \"affine\", \"scale\": [2, 1]}]", "scale: expected the lower number first, got [2, 1]"},
        {"[{\"type\": \"blur\", \"sigma\": [1, 2, 3]}]", "sigma: expected two numbers, the lower first, got 3"},
        {"[{\"type\": \"random-resized-crop\", \"ratio\": [2, 1]}]",
         "ratio: expected the lower number first, got [2, 1]"},
        {"[{\"type\": \"mixup\", \"alpha\": 1e-9}]", "alpha: expected 0 or at least 1e-6, got 1e-09"},
        {"[{\"type\": \"cutmix\", \"alpha\": 1e-9}]", "alpha: expected 0 or at least 1e-6, got 1e-09"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error error = {0};
        InstanceList list;
        assert_false(transforms_try(arena, cases[i].json, &list, &error));
        assert_non_null(strstr(error.message, cases[i].message));
        assert_int_equal(error.status, STATUS_USAGE);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_transforms__limits_that_change_nothing),
        TEST(test_data_transforms__flip),
        TEST(test_data_transforms__crop_cuts_every_window),
        TEST(test_data_transforms__cutout_area),
        TEST(test_data_transforms__rotation_keeps_a_constant_inside),
        TEST(test_data_transforms__resized_crop_stays_between_the_values),
        TEST(test_data_transforms__resized_crop_falls_back_to_the_centre),
        TEST(test_data_transforms__noise_deviation),
        TEST(test_data_transforms__randaugment_stays_in_range),
        TEST(test_data_transforms__mixup_mixes_features_and_targets_alike),
        TEST(test_data_transforms__cutmix_targets_are_areas),
        TEST(test_data_transforms__mistaken_parameters_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
