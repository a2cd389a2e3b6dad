/* The data sets idx, cifar, npy, npz, png and parts, on tiny files. */
#include "tests/data_testing.h"

#include <math.h>

#include "data/cifar.h"
#include "data/npy.h"
#include "data/npz.h"
#include "data/png_image.h"

static const unsigned char images2[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 102};
static const unsigned char images1[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 255, 0};
static const unsigned char labels2[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};
static const unsigned char labels1[] = {0, 0, 8, 1, 0, 0, 0, 1, 4};

static void test_data_formats__idx_folder_and_files(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    files_put(&files, "train-images-idx3-ubyte", images2, sizeof images2);
    assert_refused(&files, "{\"type\": \"idx\", \"path\": \"@\"}",
                   " no file train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz");
    files_put(&files, "train-labels-idx1-ubyte", labels2, sizeof labels2);
    DataSplits splits = load_or_fail(&files, "{\"type\": \"idx\", \"path\": \"@\", \"normalize\": false}");
    const Dataset *train = splits.train.dataset;
    assert_int_equal(train->type, ARRAY_U8);
    assert_int_equal(train->rank, 3);
    assert_int_equal(train->shape[0], 1);
    assert_int_equal(train->shape[2], 2);
    assert_int_equal(train->classes, 2);
    assert_int_equal(train->labels[0], 1);
    assert_int_equal(splits.test.count, 0);
    assert_sample(&splits.train, 1, (float[]){51 / 255.0f, 102 / 255.0f});
    data_free(&splits);
    files_put(&files, "t10k-images-idx3-ubyte", images1, sizeof images1);
    files_put(&files, "t10k-labels-idx1-ubyte", labels1, sizeof labels1);
    splits = load_or_fail(&files, "{\"type\": \"idx\", \"path\": \"@\"}");
    assert_int_equal(splits.test.count, 1);
    assert_int_equal(splits.train.dataset->classes, 5); /* the largest label of both + 1 */
    assert_true(fabs((double)splits.test.dataset->mean[0] - 0.4) < 1e-6);
    data_free(&splits);
#define PAIR "{\"type\": \"idx\", \"train_images\": \"@/train-images-idx3-ubyte\", " \
             "\"train_labels\": \"@/t10k-labels-idx1-ubyte\""
    assert_refused(&files, PAIR "}", "t10k-labels-idx1-ubyte: 1 targets for 2 samples");
    assert_refused(&files, "{\"type\": \"idx\", \"path\": \"@\", \"classes\": 3}",
                   "t10k-labels-idx1-ubyte: element 0: class 4, expected 0 to 2");
    assert_refused(&files, PAIR ", \"test_images\": \"@/x\"}",
                   "inline:1: data: test_images and test_labels go together");
    assert_refused(&files, PAIR ", \"path\": \"@\"}",
                   "inline:1: data.path: given beside single files; give one or the other");
    assert_refused(&files, "{\"type\": \"idx\"}",
                   "inline:1: data.path: missing; give the folder, or train_images and train_labels");
#undef PAIR
    files_drop(&files);
}

/* `count` records with `label_bytes` labels that grow from `first`. */
static unsigned char *make_cifar(Arena *arena, int64_t count, int label_bytes, int first, size_t *size)
{
    size_t record = (size_t)label_bytes + CIFAR_PIXELS;
    unsigned char *bytes = arena_zero(arena, (size_t)count, record);
    for (int64_t i = 0; i < count; i++) {
        for (int k = 0; k < label_bytes; k++)
            bytes[(size_t)i * record + (size_t)k] = (unsigned char)(first + i + 10 * k);
        memset(bytes + (size_t)i * record + label_bytes, (int)i + 1, CIFAR_PIXELS);
    }
    *size = (size_t)count * record;
    return bytes;
}

static void test_data_formats__cifar(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Files files;
    files_make(&files);
    size_t size;
    unsigned char *bytes = make_cifar(arena, 3, 1, 7, &size);
    files_put(&files, "data_batch_1.bin", bytes, size);
    bytes = make_cifar(arena, 2, 1, 0, &size);
    files_put(&files, "data_batch_2.bin", bytes, size);
    files_put(&files, "test_batch.bin", bytes, size);
    DataSplits splits = load_or_fail(&files, "{\"type\": \"cifar\", \"path\": \"@\"}");
    const Dataset *train = splits.train.dataset;
    static const int32_t labels[] = {7, 8, 9, 0, 1};
    assert_int_equal(splits.train.count, 5);
    assert_int_equal(splits.test.count, 2);
    assert_memory_equal(train->labels, labels, sizeof labels);
    assert_int_equal(((const uint8_t *)train->features)[2 * CIFAR_PIXELS], 3);
    assert_int_equal(((const uint8_t *)train->features)[5 * CIFAR_PIXELS - 1], 2);
    assert_string_equal(train->class_names[9], "truck");
    data_free(&splits);
    splits = load_or_fail(&files, "{\"type\": \"cifar\", \"path\": \"@/test_batch.bin\"}");
    assert_int_equal(splits.train.count, 2);
    data_free(&splits);
    files_put(&files, "test_batch.bin", bytes, size - 1);
    assert_refused(&files, "{\"type\": \"cifar\", \"path\": \"@\"}",
                   "test_batch.bin: truncated at byte 6145, the record from byte 3073 on has 3073 bytes");
    bytes[3073] = 10;
    files_put(&files, "test_batch.bin", bytes, size);
    assert_refused(&files, "{\"type\": \"cifar\", \"path\": \"@\"}",
                   "test_batch.bin: label 10 at byte 3073, expected below 10");
    files_put(&files, "test_batch.bin", "", 0);
    assert_refused(&files, "{\"type\": \"cifar\", \"path\": \"@\"}",
                   "test_batch.bin: empty, a CIFAR record has 3073 bytes");
    assert_refused(&files, "{\"type\": \"cifar\", \"path\": \"@\", \"classes\": 11}",
                   "inline:1: data.classes: expected 10 or 100, got 11");
    bytes = make_cifar(arena, 3, 2, 4, &size);
    files_put(&files, "train.bin", bytes, size);
    splits = load_or_fail(&files, "{\"type\": \"cifar\", \"path\": \"@\", \"classes\": 100}");
    assert_int_equal(splits.train.dataset->labels[1], 15);
    assert_int_equal(splits.train.dataset->classes, 100);
    data_free(&splits);
    splits = load_or_fail(&files, "{\"type\": \"cifar\", \"path\": \"@\", \"classes\": 100, \"labels\": \"coarse\"}");
    assert_int_equal(splits.train.dataset->labels[1], 5);
    assert_int_equal(splits.train.dataset->classes, 20);
    data_free(&splits);
    files_drop(&files);
    arena_free(arena);
}

static void put_array(Files *files, const char *name, ArrayType type, int rank, const int64_t *shape, void *data)
{
    Array array = {.type = type, .rank = rank, .count = 1, .data = data};
    for (int i = 0; i < rank; i++) {
        array.shape[i] = shape[i];
        array.count *= shape[i];
    }
    Error error;
    assert_true(npy_write(files_path(files, name), &array, &error));
}

static void test_data_formats__npy_targets(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    float x[] = {1, 2, 3, 4, 5, 6}, soft[] = {0.25f, 0.75f, 1, 0, 0.5f, 0.5f}, bad[] = {0.25f, 0.75f, 1, 0, 0.5f, 0.4f};
    int32_t classes[] = {2, 0, 1}, negative[] = {0, -1, 1};
    int64_t labels[] = {1, 0, 1, 1, 0, 0};
    double values[] = {0.5, -1e3, 7}, huge[] = {0, 0, 1e39};
    put_array(&files, "x.npy", ARRAY_F32, 2, (int64_t[]){3, 2}, x);
    put_array(&files, "soft.npy", ARRAY_F32, 2, (int64_t[]){3, 2}, soft);
    put_array(&files, "bad.npy", ARRAY_F32, 2, (int64_t[]){3, 2}, bad);
    put_array(&files, "class.npy", ARRAY_I32, 1, (int64_t[]){3}, classes);
    put_array(&files, "negative.npy", ARRAY_I32, 1, (int64_t[]){3}, negative);
    put_array(&files, "labels.npy", ARRAY_I64, 2, (int64_t[]){3, 2}, labels);
    put_array(&files, "values.npy", ARRAY_F64, 1, (int64_t[]){3}, values);
    put_array(&files, "huge.npy", ARRAY_F64, 1, (int64_t[]){3}, huge);
    put_array(&files, "two.npy", ARRAY_I32, 1, (int64_t[]){2}, classes);
    static const struct { const char *y, *targets; TargetKind kind; int64_t classes; const char *message; } cases[] = {
        {"class", "auto", TARGET_CLASS, 3, NULL},
        {"labels", "auto", TARGET_LABELS, 2, NULL},
        {"values", "auto", TARGET_VALUES, 1, NULL},
        {"soft", "auto", TARGET_VALUES, 2, NULL},
        {"soft", "soft", TARGET_SOFT, 2, NULL},
        {"class", "values", TARGET_VALUES, 1, NULL},
        {"bad", "soft", 0, 0, "bad.npy: row 2: the probabilities sum to 0.9"},
        {"soft", "labels", 0, 0, "soft.npy: element 0: expected a label 0 or 1, got 0.25"},
        {"values", "class", 0, 0, "values.npy: classes are integers [N], got reals of 1 dimensions"},
        {"negative", "auto", 0, 0, "negative.npy: element 1: class -1, expected 0 to 16777215"},
        {"huge", "auto", 0, 0, "huge.npy: element 2 is 1e+39, not a finite f32"},
        {"two", "auto", 0, 0, "two.npy: 2 targets for 3 samples"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char config[256];
        snprintf(config, sizeof config,
                 "{\"type\": \"npy\", \"x\": \"@/x.npy\", \"y\": \"@/%s.npy\", \"targets\": \"%s\"}", cases[i].y,
                 cases[i].targets);
        if (cases[i].message) {
            assert_refused(&files, config, cases[i].message);
            continue;
        }
        DataSplits splits = load_or_fail(&files, config);
        assert_int_equal(splits.train.dataset->target_kind, cases[i].kind);
        assert_int_equal(splits.train.dataset->classes, cases[i].classes);
        assert_sample(&splits.train, 2, x + 4);
        data_free(&splits);
    }
    x[3] = NAN;
    put_array(&files, "x.npy", ARRAY_F32, 2, (int64_t[]){3, 2}, x);
    assert_refused(&files, "{\"type\": \"npy\", \"x\": \"@/x.npy\", \"y\": \"@/class.npy\"}",
                   "x.npy: element 3 is nan, not a finite f32");
    files_drop(&files);
}

static void test_data_formats__npz_splits(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    float x[] = {1, 2, 3, 4};
    int32_t y[] = {0, 1, 6};
    const char *names[] = {"x", "y", "x_test", "y_test", "x_val"};
    Array arrays[] = {
        {.type = ARRAY_F32, .rank = 2, .shape = {2, 2}, .count = 4, .data = x},
        {.type = ARRAY_I32, .rank = 1, .shape = {2}, .count = 2, .data = y},
        {.type = ARRAY_F32, .rank = 2, .shape = {1, 2}, .count = 2, .data = x + 1},
        {.type = ARRAY_I32, .rank = 1, .shape = {1}, .count = 1, .data = y + 2},
        {.type = ARRAY_F32, .rank = 2, .shape = {1, 2}, .count = 2, .data = x + 1},
    };
    Error error;
    const char *path = files_path(&files, "a.npz");
    assert_true(npz_write(path, 4, names, arrays, &error));
    DataSplits splits = load_or_fail(&files, "{\"type\": \"npz\", \"path\": \"@/a.npz\"}");
    assert_int_equal(splits.train.count, 2);
    assert_int_equal(splits.test.count, 1);
    assert_int_equal(splits.val.count, 0);
    assert_int_equal(splits.train.dataset->classes, 7);
    assert_sample(&splits.test, 0, (float[]){2, 3});
    data_free(&splits);
    assert_true(npz_write(path, 5, names, arrays, &error));
    assert_refused(&files, "{\"type\": \"npz\", \"path\": \"@/a.npz\"}", "a.npz: no array \"y_val\"");
    assert_true(npz_write(path, 1, names, arrays, &error));
    assert_refused(&files, "{\"type\": \"npz\", \"path\": \"@/a.npz\"}", "a.npz: no array \"y\"");
    arrays[2].shape[1] = 1;
    arrays[2].count = 1;
    assert_true(npz_write(path, 4, names, arrays, &error));
    assert_refused(&files, "{\"type\": \"npz\", \"path\": \"@/a.npz\"}",
                   "data.test: its samples are of another shape than those of train (1 and 2 elements)");
    files_drop(&files);
}

static void put_png(Files *files, const char *name, int64_t channels, int64_t height, int64_t width,
                    unsigned char *pixels)
{
    Error error;
    PngImage image = {channels, height, width, pixels};
    assert_true(png_image_write(files_path(files, name), &image, &error));
}

static void test_data_formats__png_folders(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    unsigned char grey[] = {0, 51, 102, 255}, colour[] = {255, 0, 0, 255, 0, 0, 0, 0, 255, 51, 51, 51};
    put_png(&files, "train/dog/1.png", 1, 2, 2, grey);
    put_png(&files, "train/cat/2.png", 3, 2, 2, colour);
    files_text(&files, "train/cat/notes.txt", "passed over");
    files_text(&files, "train/cat/.hidden.png", "passed over");
    put_png(&files, "test/dog/x.png", 1, 2, 2, grey);
    DataSplits splits = load_or_fail(&files, "{\"type\": \"png\", \"path\": \"@/train\", \"test_path\": \"@/test\", "
                                     "\"normalize\": false}");
    assert_int_equal(splits.train.count, 2);
    assert_int_equal(splits.train.dataset->shape[0], 3); /* the first image is the cat, in colour */
    assert_string_equal(splits.train.dataset->class_names[0], "cat");
    assert_int_equal(splits.train.dataset->labels[1], 1);
    assert_int_equal(splits.test.dataset->labels[0], 1);
    assert_int_equal(splits.test.dataset->classes, 2);
    assert_memory_equal(splits.train.dataset->features, colour, 12);
    assert_sample(&splits.test, 0, (float[]){0, 0.2f, 0.4f, 1, 0, 0.2f, 0.4f, 1, 0, 0.2f, 0.4f, 1});
    data_free(&splits);
    splits = load_or_fail(&files, "{\"type\": \"png\", \"path\": \"@/train\", \"channels\": 1}");
    static const unsigned char luma[] = {(299 * 255 + 114 * 255 + 500) / 1000, (114 * 51 + 500) / 1000,
                                         (114 * 51 + 500) / 1000, (299 * 255 + 114 * 51 + 500) / 1000};
    assert_memory_equal(splits.train.dataset->features, luma, 4);
    data_free(&splits);
    assert_refused(&files, "{\"type\": \"png\", \"path\": \"@/train\", \"size\": [2, 3]}",
                   "train/cat/2.png: 2 x 2 pixels (height x width), expected 2 x 3");
    assert_refused(&files, "{\"type\": \"png\", \"path\": \"@/train\", \"size\": [2]}",
                   "inline:1: data.size: expected [height, width], got a list of 1");
    assert_refused(&files, "{\"type\": \"png\", \"path\": \"@/train\", \"channels\": 2}",
                   "inline:1: data.channels: expected 1 or 3, got 2");
    assert_refused(&files, "{\"type\": \"png\", \"path\": \"@/train/cat\"}",
                   "train/cat: no folders in it; there must be one for each class");
    /* Sizes are compared before any image is unpacked: the first one is broken, the second has another size. */
    files_text(&files, "sizes/a/1.png", "");
    put_png(&files, "sizes/a/2.png", 1, 2, 2, grey);
    put_png(&files, "sizes/a/3.png", 1, 1, 4, grey);
    assert_refused(&files, "{\"type\": \"png\", \"path\": \"@/sizes\"}",
                   "sizes/a/3.png: 1 x 4 pixels (height x width), expected 2 x 2");
    put_png(&files, "test/cow/x.png", 1, 2, 2, grey);
    assert_refused(&files, "{\"type\": \"png\", \"path\": \"@/train\", \"test_path\": \"@/test\"}",
                   "test/cow: a class that the training images do not have");
    files_text(&files, "train/dog/2.png", "not a png");
    assert_refused(&files, "{\"type\": \"png\", \"path\": \"@/train\"}",
                   "train/dog/2.png: not a sound PNG file, byte 8: Not a PNG file");
    files_drop(&files);
}

static void test_data_formats__parts(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    files_text(&files, "a.csv", "1,0\n3,1\n");
    files_text(&files, "b.csv", "4,0\n6,1\n");
    files_text(&files, "c.csv", "4,5,0\n6,5,1\n");
    files_text(&files, "d.csv", "4,0\n6,2\n");
    files_put(&files, "train-images-idx3-ubyte", images2, sizeof images2);
    files_put(&files, "train-labels-idx1-ubyte", labels2, sizeof labels2);
    files_put(&files, "t10k-images-idx3-ubyte", images1, sizeof images1);
    files_put(&files, "t10k-labels-idx1-ubyte", labels1, sizeof labels1);
#define TABLE(name) "{\"type\": \"csv\", \"path\": \"@/" name ".csv\"}"
    DataSplits splits = load_or_fail(&files, "{\"train\": " TABLE("a") ", "
                                     "\"test\": {\"type\": \"csv\", \"path\": \"@/b.csv\", \"normalize\": false}}");
    assert_sample(&splits.train, 0, (float[]){-1});
    assert_sample(&splits.test, 0, (float[]){2}); /* with train's mean 2 and deviation 1, as the train part asks for */
    data_free(&splits);
    /* A set that divides itself gives the split of the part's name. */
    splits = load_or_fail(&files, "{\"train\": {\"type\": \"idx\", \"path\": \"@\"}, "
                                  "\"test\": {\"type\": \"idx\", \"path\": \"@\"}}");
    assert_int_equal(splits.train.count, 2);
    assert_int_equal(splits.test.count, 1);
    data_free(&splits);
    splits = load_or_fail(&files, "{\"type\": \"parts\", \"train\": " TABLE("a") ", \"split\": [0.5, 0.5]}");
    assert_int_equal(splits.val.count, 1);
    data_free(&splits);
    static const struct { const char *config, *message; } cases[] = {
        {"{\"val\": " TABLE("a") "}", "inline:1: data: missing key \"train\""},
        {"{\"train\": " TABLE("a") ", \"tset\": 1}", "inline:1: data.tset: unknown key; did you mean \"test\"?"},
        {"{\"train\": " TABLE("a") ", \"val\": {\"type\": \"idx\", \"path\": \"@\"}}",
         "data.val: its data set divides itself and has no val split"},
        {"{\"train\": " TABLE("a") ", \"test\": " TABLE("c") "}",
         "data.test: its samples are of another shape than those of train (2 and 1 elements)"},
        {"{\"train\": " TABLE("a") ", \"test\": " TABLE("d") "}",
         "data.test: its classes have other names than those of train"},
        {"{\"train\": {\"type\": \"parts\", \"train\": " TABLE("a") "}}",
         "inline:1: data.train: parts cannot be parts of parts"},
        {"{\"train\": {\"type\": \"csv\", \"path\": \"@/a.csv\", \"folds\": 1}}",
         "inline:1: data.train: folds: one part leaves nothing to train on; give 0 or at least 2"},
        {"{\"train\": " TABLE("a") ", \"test\": " TABLE("none") "}", "none.csv: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(&files, cases[i].config, cases[i].message);
#undef TABLE
    files_drop(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_formats__idx_folder_and_files),
        cmocka_unit_test(test_data_formats__cifar),
        cmocka_unit_test(test_data_formats__npy_targets),
        cmocka_unit_test(test_data_formats__npz_splits),
        cmocka_unit_test(test_data_formats__png_folders),
        cmocka_unit_test(test_data_formats__parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
