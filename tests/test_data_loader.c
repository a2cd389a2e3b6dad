/* Batches: what is in them, and that nothing but (seed, epoch, index) decides it. */
#include <pthread.h>

#include "tests/testing_transforms.h"

#include "core/base/threads.h"

enum { COUNT = 53, CHANNELS = 3, SIDE = 6, PIXELS = CHANNELS * SIDE * SIDE, CLASSES = 4, BATCH = 12, EPOCHS = 3 };

static uint8_t pixels[COUNT * PIXELS];
static int32_t labels[COUNT];
static float weights[COUNT], mean[CHANNELS] = {0.5f, 0.25f, 0.4f}, deviation[CHANNELS] = {0.2f, 0.3f, 0.25f};
static int64_t positions[COUNT];
static Dataset images;
static DataSplit split = {.dataset = &images, .count = COUNT, .order = positions};
static Arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    Random random = random_start(1, "pixels", 0);
    for (int i = 0; i < COUNT * PIXELS; i++)
        pixels[i] = (uint8_t)random_below(&random, 256);
    for (int i = 0; i < COUNT; i++) {
        labels[i] = i % CLASSES;
        weights[i] = (float)i / 2;
        positions[i] = COUNT - 1 - i;
    }
    images = (Dataset){.count = COUNT, .type = ARRAY_U8, .rank = 3, .shape = {CHANNELS, SIDE, SIDE},
                       .sample_stride = PIXELS, .features = pixels, .normalized = CHANNELS, .mean = mean,
                       .deviation = deviation, .target_kind = TARGET_CLASS, .classes = CLASSES, .labels = labels,
                       .weights = weights};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    threads_set(1);
    arena_free(arena);
    return 0;
}

static void test_data_loader__batch_holds_the_samples_of_the_split(void **state)
{
    (void)state;
    for (int prefetch = 0; prefetch < 2; prefetch++) {
        Loader *loader = loader_new(&split, (LoaderOptions){.batch_size = BATCH, .prefetch = prefetch});
        assert_int_equal(loader_batches(loader), 5);
        for (int index = 0; index < 5; index++) {
            const Batch *batch = loader_batch(loader, 0, index);
            assert_int_equal(batch->count, index < 4 ? BATCH : COUNT - 4 * BATCH);
            assert_null(batch->tokens);
            assert_null(batch->values);
            for (int row = 0; row < batch->count; row++) {
                int id = COUNT - 1 - (index * BATCH + row);
                assert_int_equal(batch->ids[row], id);
                assert_int_equal(batch->labels[row], id % CLASSES);
                assert_true(batch->weights[row] == (float)id / 2);
                for (int i = 0; i < PIXELS; i++) {
                    int channel = i / (SIDE * SIDE);
                    float expected = ((float)pixels[id * PIXELS + i] / 255 - mean[channel]) / deviation[channel];
                    assert_true(batch->features[row * PIXELS + i] == expected);
                }
            }
        }
        loader_free(loader);
    }
}

static void test_data_loader__drop_last_leaves_out_what_is_not_full(void **state)
{
    (void)state;
    Loader *loader = loader_new(&split, (LoaderOptions){.batch_size = BATCH, .drop_last = true});
    assert_int_equal(loader_batches(loader), 4);
    loader_free(loader);
    loader = loader_new(&split, (LoaderOptions){.batch_size = COUNT, .drop_last = true});
    assert_int_equal(loader_batches(loader), 1);
    assert_int_equal(loader_batch(loader, 0, 0)->count, COUNT);
    loader_free(loader);
}

static void test_data_loader__every_sample_once_an_epoch_in_a_new_order(void **state)
{
    (void)state;
    int64_t orders[2][COUNT];
    LoaderOptions options = {.batch_size = BATCH, .shuffle = true, .seed = 3, .prefetch = true};
    Loader *loader = loader_new(&split, options);
    for (int epoch = 0; epoch < 2; epoch++) {
        int seen[COUNT] = {0};
        for (int index = 0, filled = 0; index < loader_batches(loader); index++) {
            const Batch *batch = loader_batch(loader, epoch, index);
            for (int row = 0; row < batch->count; row++) {
                assert_int_equal(seen[batch->ids[row]]++, 0);
                assert_int_equal(batch->labels[row], batch->ids[row] % CLASSES);
                orders[epoch][filled++] = batch->ids[row];
            }
        }
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(seen[i], 1);
    }
    assert_memory_not_equal(orders[0], orders[1], sizeof orders[0]);
    loader_free(loader);
}

static const char every_transform[] =
    "[\"crop\", \"flip\", {\"type\": \"rotate\", \"degrees\": 40}, \"affine\", \"color-jitter\", \"mixup\", \"grey\","
    " \"blur\", {\"type\": \"cutout\", \"size\": 2}, \"noise\", \"random-resized-crop\", \"randaugment\", \"cutmix\"]";

typedef struct Copy { float features[BATCH * PIXELS], values[BATCH * CLASSES]; int64_t ids[BATCH]; } Copy;

static LoaderOptions augmented(bool prefetch)
{
    return (LoaderOptions){.batch_size = BATCH, .shuffle = true, .seed = 7, .prefetch = prefetch,
                           .transforms = transforms_parse(arena, every_transform)};
}

static void take(Copy *copy, const Batch *batch)
{
    memset(copy, 0, sizeof *copy);
    memcpy(copy->features, batch->features, (size_t)batch->count * PIXELS * sizeof(float));
    memcpy(copy->values, batch->values, (size_t)batch->count * CLASSES * sizeof(float));
    memcpy(copy->ids, batch->ids, (size_t)batch->count * sizeof(int64_t));
}

/* Batches one after the other, scribbled over after use as a caller might. */
static Copy *read_in_order(bool prefetch)
{
    Loader *loader = loader_new(&split, augmented(prefetch));
    int64_t batches = loader_batches(loader);
    Copy *copies = arena_zero(arena, (size_t)(EPOCHS * batches), sizeof *copies);
    for (int64_t i = 0; i < EPOCHS * batches; i++) {
        const Batch *batch = loader_batch(loader, i / batches, i % batches);
        take(&copies[i], batch);
        memset(batch->features, 0x55, (size_t)batch->count * PIXELS * sizeof(float));
        memset(batch->values, 0x55, (size_t)batch->count * CLASSES * sizeof(float));
    }
    loader_free(loader);
    return copies;
}

/* With classes as strata every batch holds each once, in another order every epoch, prefetched or not. */
static void test_data_loader__batches_of_strata(void **state)
{
    (void)state;
    int32_t strata[COUNT];
    int64_t ids[3][CLASSES];
    for (int i = 0; i < COUNT; i++)
        strata[i] = labels[positions[i]];
    for (int kind = 0; kind < 3; kind++) { /* shuffled, shuffled and prefetched, in order */
        Loader *loader = loader_new(&split, (LoaderOptions){.batch_size = CLASSES, .shuffle = kind < 2, .seed = 3,
                                                            .prefetch = kind == 1});
        loader_stratify(loader, STRATA_STRICT, strata);
        assert_int_equal(loader_batches(loader), COUNT / CLASSES);
        for (int64_t b = 0; b < 2 * (COUNT / CLASSES); b++) {
            const Batch *batch = loader_batch(loader, b / (COUNT / CLASSES), b % (COUNT / CLASSES));
            bool seen[CLASSES] = {0};
            assert_int_equal(batch->count, CLASSES);
            for (int i = 0; i < CLASSES; i++) {
                assert_false(seen[batch->labels[i]]);
                seen[batch->labels[i]] = true;
            }
            if (b == COUNT / CLASSES) /* the first of the second epoch */
                memcpy(ids[kind], batch->ids, sizeof ids[kind]);
        }
        loader_free(loader);
    }
    assert_memory_equal(ids[0], ids[1], sizeof ids[0]);
    assert_memory_not_equal(ids[0], ids[2], sizeof ids[0]);
}

static void test_data_loader__same_bytes_for_any_threads_and_prefetching(void **state)
{
    (void)state;
    size_t bytes = EPOCHS * 5 * sizeof(Copy);
    Copy *expected = read_in_order(false);
    for (int i = 0; i < BATCH * PIXELS; i++)
        assert_true(isfinite(expected[0].features[i]));
    assert_memory_not_equal(&expected[0], &expected[5], sizeof(Copy));
    static const int threads[] = {1, 2, 4};
    for (int i = 0; i < 3; i++)
        for (int prefetch = 0; prefetch < 2; prefetch++) {
            threads_set(threads[i]);
            assert_memory_equal(read_in_order(prefetch), expected, bytes);
        }
}

static void test_data_loader__same_bytes_in_any_order_of_calls(void **state)
{
    (void)state;
    Copy *expected = read_in_order(false), *got = arena_alloc(arena, sizeof *got);
    threads_set(2);
    for (int prefetch = 0; prefetch < 2; prefetch++) {
        Loader *loader = loader_new(&split, augmented(prefetch));
        Random random = random_start(5, "calls", 0);
        for (int call = 0; call < 60; call++) {
            int64_t i = call % 3 == 2 ? call % (EPOCHS * 5) : random_below(&random, EPOCHS * 5);
            for (int repeat = 0; repeat < 1 + call % 2; repeat++) {
                const Batch *batch = loader_batch(loader, i / 5, i % 5);
                take(got, batch);
                memset(batch->features, 0x55, (size_t)batch->count * PIXELS * sizeof(float));
                assert_memory_equal(got, &expected[i], sizeof *got);
            }
        }
        loader_free(loader);
    }
}

/* Two transforms of one kind draw from sequences of their own. */
static void test_data_loader__every_transform_draws_its_own(void **state)
{
    (void)state;
    float once[PIXELS];
    memset(pixels, 0, sizeof pixels);
    images.normalized = 0;
    static const char *const lists[] = {"[\"noise\"]", "[\"noise\", \"noise\"]"};
    for (int i = 0; i < 2; i++) {
        LoaderOptions options = {.batch_size = 1, .seed = 7, .transforms = transforms_parse(arena, lists[i])};
        Loader *loader = loader_new(&split, options);
        const float *features = loader_batch(loader, 0, 0)->features;
        for (int k = 0; k < PIXELS; k++)
            assert_true(i == 0 || fabsf(features[k] - 2 * once[k]) > 1e-6f);
        memcpy(once, features, sizeof once);
        loader_free(loader);
    }
}

/* Sequences are neither the same nor the same one moved along, not even for a sample that is there twice. */
static void test_data_loader__every_sample_and_epoch_draws_anew(void **state)
{
    (void)state;
    memset(pixels, 0, sizeof pixels);
    for (int i = 0; i < COUNT; i++)
        positions[i] = 4;
    LoaderOptions options = {.batch_size = COUNT, .seed = 7, .transforms = transforms_parse(arena, "[\"noise\"]")};
    Loader *loader = loader_new(&split, options);
    float *first = arena_alloc(arena, sizeof(float) * COUNT * PIXELS);
    memcpy(first, loader_batch(loader, 0, 0)->features, sizeof(float) * COUNT * PIXELS);
    const float *second = loader_batch(loader, 1, 0)->features;
    for (int shift = 0; shift < 4; shift++)
        for (int a = 0; a < COUNT; a++)
            for (int b = 0; b < COUNT; b++) {
                size_t bytes = sizeof(float) * (SIDE * SIDE - 4); /* of one channel, normalised alike */
                assert_true((a == b && shift == 0) ||
                            memcmp(first + a * PIXELS + shift, first + b * PIXELS, bytes) != 0);
                assert_memory_not_equal(first + a * PIXELS + shift, second + b * PIXELS, bytes);
            }
    loader_free(loader);
}

/* A stack too large for any machine makes the system refuse threads. */
static void *nothing(void *context)
{
    return context;
}

static void test_data_loader__refused_thread_changes_no_bit(void **state)
{
    (void)state;
    Copy *expected = read_in_order(true);
    pthread_attr_t usual, huge;
    pthread_t thread;
    assert_int_equal(pthread_getattr_default_np(&usual), 0);
    assert_int_equal(pthread_attr_init(&huge), 0);
    assert_int_equal(pthread_attr_setstacksize(&huge, (size_t)1 << 50), 0);
    assert_int_equal(pthread_setattr_default_np(&huge), 0);
    int refused = pthread_create(&thread, NULL, nothing, NULL);
    Copy *got = refused ? read_in_order(true) : NULL;
    assert_int_equal(pthread_setattr_default_np(&usual), 0);
    pthread_attr_destroy(&usual);
    pthread_attr_destroy(&huge);
    assert_int_not_equal(refused, 0);
    assert_memory_equal(got, expected, EPOCHS * 5 * sizeof(Copy));
}

/* Marks each image with the thread that prepared it. */
static pthread_t callers_thread;
static void mark_thread(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch)
{
    (void)values, (void)shape, (void)random, (void)scratch;
    image[0] = pthread_equal(pthread_self(), callers_thread) ? 1 : 2;
}

static const TransformDef marking = {.component = {.name = "mark"}, .image = mark_thread};

static void test_data_loader__next_batch_is_prepared_on_another_thread(void **state)
{
    (void)state;
    Instance mark = {.component = &marking.component};
    callers_thread = pthread_self();
    threads_set(1);
    for (int prefetch = 0; prefetch < 2; prefetch++) {
        Loader *loader = loader_new(&split, (LoaderOptions){.batch_size = BATCH, .prefetch = prefetch,
                                                            .transforms = {.count = 1, .items = &mark}});
        for (int i = 0; i < 10; i++) {
            const Batch *batch = loader_batch(loader, i / 5, i % 5);
            for (int row = 0; row < batch->count; row++)
                assert_true(batch->features[row * PIXELS] == (prefetch && i > 0 ? 2 : 1));
        }
        loader_free(loader);
    }
}

static void test_data_loader__later_epochs_allocate_nothing(void **state)
{
    (void)state;
    for (int prefetch = 0; prefetch < 2; prefetch++) {
        Loader *loader = loader_new(&split, augmented(prefetch));
        uint64_t before = 0;
        for (int epoch = 0; epoch < EPOCHS; epoch++)
            for (int index = 0; index < 5; index++) {
                loader_batch(loader, epoch, index);
                if (epoch == 0 && index == 2)
                    before = memory_allocation_count();
            }
        loader_free(loader);
        assert_int_equal(memory_allocation_count(), before);
    }
}

static void test_data_loader__token_windows_and_the_tokens_that_follow(void **state)
{
    (void)state;
    enum { LENGTH = 5, STRIDE = 2, WINDOWS = 7 };
    int32_t text[(WINDOWS - 1) * STRIDE + LENGTH + 1];
    int64_t order[WINDOWS] = {6, 1, 2, 3, 4, 5, 0};
    for (int i = 0; i < (int)(sizeof text / sizeof *text); i++)
        text[i] = 100 + i;
    Dataset windows = {.count = WINDOWS, .type = ARRAY_I32, .rank = 1, .shape = {LENGTH}, .sample_stride = STRIDE,
                       .features = text, .target_kind = TARGET_TOKENS, .classes = 256};
    DataSplit part = {.dataset = &windows, .count = WINDOWS, .order = order};
    Loader *loader = loader_new(&part, (LoaderOptions){.batch_size = 4, .prefetch = true});
    for (int index = 0; index < 2; index++) {
        const Batch *batch = loader_batch(loader, 0, index);
        assert_null(batch->features);
        assert_null(batch->values);
        for (int row = 0; row < batch->count; row++)
            for (int i = 0; i < LENGTH; i++) {
                assert_int_equal(batch->tokens[row * LENGTH + i], 100 + STRIDE * order[4 * index + row] + i);
                assert_int_equal(batch->labels[row * LENGTH + i], 101 + STRIDE * order[4 * index + row] + i);
            }
    }
    loader_free(loader);
}

static void test_data_loader__vectors_are_normalised_by_column(void **state)
{
    (void)state;
    float values[] = {1, 10, 3, 30, 5, 50}, targets[] = {0.1f, 0.2f, 0.3f};
    float column_mean[] = {3, 30}, column_deviation[] = {2, 10};
    int64_t order[] = {0, 2};
    Dataset table = {.count = 3, .type = ARRAY_F32, .rank = 1, .shape = {2}, .sample_stride = 2, .features = values,
                     .normalized = 2, .mean = column_mean, .deviation = column_deviation, .target_kind = TARGET_VALUES,
                     .classes = 1, .values = targets};
    DataSplit part = {.dataset = &table, .count = 2, .order = order};
    Loader *loader = loader_new(&part, (LoaderOptions){.batch_size = 8});
    const Batch *batch = loader_batch(loader, 0, 0);
    static const float expected[] = {-1, -2, 1, 2};
    assert_int_equal(batch->count, 2);
    assert_memory_equal(batch->features, expected, sizeof expected);
    assert_true(batch->values[0] == 0.1f && batch->values[1] == 0.3f);
    assert_null(batch->labels);
    assert_null(batch->weights);
    loader_free(loader);
}

/* Long vectors of bytes are computed where images are looked up. */
static void test_data_loader__bytes_are_scaled_with_and_without_tables(void **state)
{
    (void)state;
    float column_mean[PIXELS], column_deviation[PIXELS];
    for (int i = 0; i < PIXELS; i++) {
        column_mean[i] = (float)i / PIXELS;
        column_deviation[i] = 0.1f + (float)i / PIXELS;
    }
    images.rank = 1;
    images.shape[0] = PIXELS;
    for (int normalized = 0; normalized <= PIXELS; normalized += PIXELS) {
        images.normalized = normalized;
        images.mean = column_mean;
        images.deviation = column_deviation;
        Loader *loader = loader_new(&split, (LoaderOptions){.batch_size = 1});
        const Batch *batch = loader_batch(loader, 0, COUNT - 1); /* sample 0 */
        for (int i = 0; i < PIXELS; i++) {
            float value = (float)pixels[i] / 255;
            assert_true(batch->features[i] == (normalized ? (value - column_mean[i]) / column_deviation[i] : value));
        }
        loader_free(loader);
    }
}

static void test_data_loader__what_cannot_work_is_a_usage_error(void **state)
{
    (void)state;
    int64_t pair[] = {2, 3}, cube[] = {PIXELS}, grey[] = {1, SIDE, SIDE}, colour[] = {3, SIDE, SIDE};
    const struct { ArrayType type; int rank; const int64_t *shape; const char *transforms, *message; } cases[] = {
        {ARRAY_F32, 1, cube, "[\"mixup\", \"crop\"]",
         "transforms[1]: crop: needs images [channels, height, width], and a sample has 1 axis; leave it out"},
        {ARRAY_F32, 2, pair, "[\"cutmix\"]",
         "transforms[0]: cutmix: needs images [channels, height, width], and a sample has 2 axes; leave it out"},
        {ARRAY_I32, 1, cube, "[\"noise\"]", "transforms[0]: noise: tokens cannot be transformed; leave it out"},
        {ARRAY_U8, 3, grey, "[\"grey\"]", "transforms[0]: grey: needs three channels, the images have 1; leave it out"},
        {ARRAY_U8, 3, grey, "[\"color-jitter\"]",
         "transforms[0]: color-jitter: saturation and hue need three channels, the images have 1; set both to 0"},
        {ARRAY_U8, 3, grey, "[{\"type\": \"crop\", \"padding\": 6, \"reflect\": true}]",
         "transforms[0]: crop: padding: with reflect, expected less than height and width (6 x 6), got 6"},
        {ARRAY_F32, 1, cube, "[\"mixup\", \"noise\"]", NULL},
        {ARRAY_U8, 3, grey, "[{\"type\": \"color-jitter\", \"saturation\": 0, \"hue\": 0}, \"randaugment\"]", NULL},
        {ARRAY_U8, 3, colour, every_transform, NULL},
    };
    images.normalized = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        images.type = cases[i].type;
        images.rank = cases[i].rank;
        memcpy(images.shape, cases[i].shape, (size_t)cases[i].rank * sizeof(int64_t));
        LoaderOptions options = {.batch_size = 4, .transforms = transforms_parse(arena, cases[i].transforms)};
        Error error = {0};
        assert_true(loader_check(&split, &options, &error) == (cases[i].message == NULL));
        assert_string_equal(error.message, cases[i].message ? cases[i].message : "");
        assert_int_equal(error.status, cases[i].message ? STATUS_USAGE : STATUS_OK);
    }
    LoaderOptions options = {.batch_size = COUNT + 1};
    Error error = {0};
    assert_true(loader_check(&split, &options, &error));
    options.drop_last = true;
    assert_false(loader_check(&split, &options, &error));
    assert_string_equal(error.message,
                        "batch_size: 54 is more than the split's 53 samples, and drop_last leaves none; lower it");
    DataSplit empty = {.dataset = &images};
    assert_false(loader_check(&empty, &options, &error));
    assert_string_equal(error.message, "the split has no samples");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_loader__batch_holds_the_samples_of_the_split),
        TEST(test_data_loader__drop_last_leaves_out_what_is_not_full),
        TEST(test_data_loader__every_sample_once_an_epoch_in_a_new_order),
        TEST(test_data_loader__batches_of_strata),
        TEST(test_data_loader__same_bytes_for_any_threads_and_prefetching),
        TEST(test_data_loader__same_bytes_in_any_order_of_calls),
        TEST(test_data_loader__every_transform_draws_its_own),
        TEST(test_data_loader__every_sample_and_epoch_draws_anew),
        TEST(test_data_loader__refused_thread_changes_no_bit),
        TEST(test_data_loader__next_batch_is_prepared_on_another_thread),
        TEST(test_data_loader__later_epochs_allocate_nothing),
        TEST(test_data_loader__token_windows_and_the_tokens_that_follow),
        TEST(test_data_loader__vectors_are_normalised_by_column),
        TEST(test_data_loader__bytes_are_scaled_with_and_without_tables),
        TEST(test_data_loader__what_cannot_work_is_a_usage_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
