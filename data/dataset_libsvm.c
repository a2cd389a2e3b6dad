/* The sparse text format of LIBSVM and of learning to rank: "label [qid:N] index:value ... [# comment]" a line, indices
   from 1 and rising. */
#include <math.h>
#include <string.h>

#include "core/base/file.h"
#include "data/csv_file.h"
#include "data/dataset_arrays.h"

enum { MOST_FEATURES = 1 << 24, MOST_CLASSES = 50 };
static const size_t file_limit = (size_t)1 << 30;

typedef enum Task { AUTO, CLASSIFICATION, REGRESSION } Task;
static const char *const tasks[] = {"auto", "classification", "regression", NULL};

struct libsvm {
    DatasetCommon common;
    const char *path, *query_path, *test_path, *test_query_path;
    int64_t features;
    int task;
};

static const Param params[] = {
    DATASET_COMMON_ROWS(struct libsvm, "true"),
    PARAM_REQUIRED(PATH, struct libsvm, path, .help = "the samples, plain or .gz"),
    PARAM_PATH(struct libsvm, query_path, null,
               .help = "numbers of samples of each group, one a line, where the samples say no qid"),
    PARAM_PATH(struct libsvm, test_path, null, .help = "such a file, the test split"),
    PARAM_PATH(struct libsvm, test_query_path, null, .help = "the groups of test_path"),
    PARAM_INT(struct libsvm, features, null, .min = 1, .max = MOST_FEATURES,
              .help = "number of features; the largest index of the files when absent"),
    PARAM_ENUM(struct libsvm, task, "auto", .choices = tasks,
               .help = "auto: at most 50 different whole numbers without groups are classes; all else values"),
    PARAM_END
};

/* Samples as they were read, in an arena: entries starts[i] .. starts[i + 1] - 1 are sample i's. */
typedef struct Sparse {
    const char *path;
    int64_t rows, width;
    double *labels, *values;
    int64_t *lines, *starts, *groups, *indices;
    bool has_groups;
} Sparse;

static bool fail_line(const Sparse *sparse, int64_t line, Error *error, const char *message, const char *token)
{
    return fail(error, "%s:%lld: %s, got \"%.40s\"", sparse->path, (long long)line, message, token);
}

/* One "index:value" of the last sample; `at` counts entries. */
static bool take_entry(Sparse *sparse, char *token, int64_t line, int64_t *at, Error *error)
{
    char *colon = strchr(token, ':');
    double index, value;
    bool first = *at == sparse->starts[sparse->rows];
    if (colon)
        *colon = '\0';
    if (!colon || !csv_number(token, &index) || index != floor(index) || index < 1 || index > MOST_FEATURES)
        return fail_line(sparse, line, error, "expected index:value with an index from 1", token);
    if (!first && (int64_t)index <= sparse->indices[*at - 1])
        return fail_line(sparse, line, error, "expected indices that rise", token);
    if (!csv_number(colon + 1, &value) || !isfinite((float)value))
        return fail_line(sparse, line, error, "expected a number as value", colon + 1);
    sparse->indices[*at] = (int64_t)index;
    sparse->values[(*at)++] = value;
    sparse->width = (int64_t)index > sparse->width ? (int64_t)index : sparse->width;
    return true;
}

static bool take_group(Sparse *sparse, const char *text, int64_t line, Error *error)
{
    double group;
    if (!csv_number(text, &group) || group != floor(group) || fabs(group) > 9e15)
        return fail_line(sparse, line, error, "expected a whole number as qid", text);
    sparse->groups[sparse->rows] = (int64_t)group;
    sparse->has_groups = true;
    return true;
}

/* A line that begins at `text` and ends with a NUL. */
static bool take_line(Sparse *sparse, char *text, int64_t line, int64_t *entries, Error *error)
{
    char *rest = NULL, *token = strtok_r(text, " \t\r", &rest);
    if (!token || token[0] == '#')
        return true;
    int64_t row = sparse->rows;
    bool grouped = false, expected = sparse->has_groups;
    sparse->starts[row] = *entries;
    if (!csv_number(token, &sparse->labels[row]) || !isfinite((float)sparse->labels[row]))
        return fail_line(sparse, line, error, "expected a number as label", token);
    while ((token = strtok_r(NULL, " \t\r", &rest)) && token[0] != '#') {
        bool group = strncmp(token, "qid:", 4) == 0;
        if (!(group ? take_group(sparse, token + 4, line, error) : take_entry(sparse, token, line, entries, error)))
            return false;
        grouped |= group;
    }
    if (row > 0 && grouped != expected)
        return fail(error, "%s:%lld: %s qid, but the samples before have %s", sparse->path, (long long)line,
                    grouped ? "a" : "no", grouped ? "none" : "one");
    sparse->lines[row] = line;
    sparse->starts[++sparse->rows] = *entries;
    return true;
}

static int64_t count_bytes(const unsigned char *bytes, size_t size, int wanted)
{
    int64_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += bytes[i] == wanted;
    return count;
}

static bool read_sparse(const char *path, Arena *arena, Sparse *sparse, Error *error)
{
    unsigned char *bytes;
    size_t size;
    if (!file_read(path, file_limit, arena, &bytes, &size, error))
        return false;
    int64_t lines = count_bytes(bytes, size, '\n') + 1, colons = count_bytes(bytes, size, ':'), entries = 0;
    if (count_bytes(bytes, size, 0))
        return fail(error, "%s: a NUL byte; this is no text", path);
    *sparse = (Sparse){.path = path,
                       .labels = arena_alloc(arena, (size_t)lines * sizeof(double)),
                       .lines = arena_alloc(arena, (size_t)lines * sizeof(int64_t)),
                       .starts = arena_zero(arena, (size_t)lines + 1, sizeof(int64_t)),
                       .groups = arena_zero(arena, (size_t)lines, sizeof(int64_t)),
                       .indices = arena_alloc(arena, (size_t)(colons + 1) * sizeof(int64_t)),
                       .values = arena_alloc(arena, (size_t)(colons + 1) * sizeof(double))};
    char *at = (char *)bytes;
    for (int64_t line = 1; at < (char *)bytes + size; line++) {
        char *end = strchr(at, '\n');
        if (end)
            *end = '\0';
        if (!take_line(sparse, at, line, &entries, error))
            return false;
        at = end ? end + 1 : (char *)bytes + size;
    }
    return sparse->rows > 0 || fail(error, "%s: no samples", path);
}

/* Group sizes, one a line, which sum to the number of samples. */
static bool read_queries(const char *path, Arena *arena, Sparse *sparse, Error *error)
{
    unsigned char *bytes;
    size_t size;
    if (sparse->has_groups)
        return fail(error, "%s: its samples have a qid, and %s gives groups too; leave one out", sparse->path, path);
    if (!file_read(path, file_limit, arena, &bytes, &size, error))
        return false;
    char *rest = NULL, *token = strtok_r((char *)bytes, " \t\r\n", &rest);
    int64_t rows = 0, group = 0;
    for (; token; token = strtok_r(NULL, " \t\r\n", &rest), group++) {
        double count;
        if (!csv_number(token, &count) || count != floor(count) || count < 1)
            return fail(error, "%s: group %lld: expected a number of samples, got \"%.40s\"", path, (long long)group,
                        token);
        for (int64_t i = 0; i < (int64_t)fmin(count, (double)(sparse->rows - rows)); i++)
            sparse->groups[rows + i] = group;
        if (count > (double)(sparse->rows - rows))
            return fail(error, "%s: the groups have more samples than %s (%lld)", path, sparse->path,
                        (long long)sparse->rows);
        rows += (int64_t)count;
    }
    sparse->has_groups = true;
    return rows == sparse->rows || fail(error, "%s: the groups have %lld samples, %s has %lld", path, (long long)rows,
                                        sparse->path, (long long)sparse->rows);
}

/* The different labels in rising order, at most MOST_CLASSES; 0: they are not classes. */
static int64_t find_classes(const Sparse *sparse, double classes[MOST_CLASSES])
{
    int64_t count = 0;
    for (int64_t i = 0; i < sparse->rows; i++) {
        int64_t at = 0;
        while (at < count && classes[at] < sparse->labels[i])
            at++;
        if (at < count && classes[at] == sparse->labels[i])
            continue;
        if (count == MOST_CLASSES || sparse->labels[i] != floor(sparse->labels[i]))
            return 0;
        memmove(classes + at + 1, classes + at, (size_t)(count - at) * sizeof *classes);
        classes[at] = sparse->labels[i];
        count++;
    }
    return count;
}

typedef struct Classes { int64_t count; double labels[MOST_CLASSES]; } Classes; /* count 0: values */

static bool set_targets(const Sparse *sparse, const Classes *classes, Dataset *dataset, Error *error)
{
    dataset->target_kind = classes->count ? TARGET_CLASS : TARGET_VALUES;
    dataset->classes = classes->count ? classes->count : 1;
    if (classes->count == 0) {
        dataset->values = arena_alloc(dataset->arena, (size_t)sparse->rows * sizeof *dataset->values);
        for (int64_t i = 0; i < sparse->rows; i++)
            dataset->values[i] = (float)sparse->labels[i];
        return true;
    }
    const char **names = arena_alloc(dataset->arena, (size_t)classes->count * sizeof *names);
    for (int64_t c = 0; c < classes->count; c++)
        names[c] = arena_format(dataset->arena, "%g", classes->labels[c]);
    dataset->class_names = names;
    dataset->labels = arena_alloc(dataset->arena, (size_t)sparse->rows * sizeof *dataset->labels);
    for (int64_t i = 0; i < sparse->rows; i++) {
        int64_t c = 0;
        while (c < classes->count && classes->labels[c] != sparse->labels[i])
            c++;
        if (c == classes->count)
            return fail(error, "%s:%lld: %g is no class of the training file", sparse->path,
                        (long long)sparse->lines[i], sparse->labels[i]);
        dataset->labels[i] = (int32_t)c;
    }
    return true;
}

static bool make_dataset(const Sparse *sparse, int64_t width, const Classes *classes, Dataset *dataset, Error *error)
{
    if (sparse->width > width)
        return fail(error, "%s: index %lld, but data.features is %lld", sparse->path, (long long)sparse->width,
                    (long long)width);
    if ((double)sparse->rows * (double)width > 5e8)
        return fail(error, "%s: %lld samples of %lld features are more than 2 GB", sparse->path,
                    (long long)sparse->rows, (long long)width);
    float *features = arena_zero(dataset->arena, (size_t)(sparse->rows * width), sizeof *features);
    for (int64_t i = 0; i < sparse->rows; i++)
        for (int64_t k = sparse->starts[i]; k < sparse->starts[i + 1]; k++)
            features[i * width + sparse->indices[k] - 1] = (float)sparse->values[k];
    dataset->type = ARRAY_F32;
    dataset->rank = 1;
    dataset->shape[0] = dataset->sample_stride = width;
    dataset->features = features;
    dataset->count = sparse->rows;
    Array groups = {.type = ARRAY_I64, .rank = 1, .shape = {sparse->rows}, .count = sparse->rows,
                    .data = sparse->groups};
    return set_targets(sparse, classes, dataset, error) &&
           (!sparse->has_groups || dataset_take_groups(dataset, sparse->path, &groups, error));
}

static bool load_into(const struct libsvm *self, Arena *arena, DataSplits *splits, Error *error)
{
    Sparse train, test = {0};
    if (!read_sparse(self->path, arena, &train, error) ||
        (self->query_path && !read_queries(self->query_path, arena, &train, error)) ||
        (self->test_path && !read_sparse(self->test_path, arena, &test, error)) ||
        (self->test_query_path && !read_queries(self->test_query_path, arena, &test, error)))
        return false;
    int64_t width = train.width > test.width ? train.width : test.width;
    width = self->features != PARAM_UNSET ? self->features : width;
    if (width == 0)
        return fail(error, "%s: no sample has a feature", self->path);
    Classes classes = {0};
    bool wanted = self->task == CLASSIFICATION || (self->task == AUTO && !train.has_groups);
    classes.count = wanted ? find_classes(&train, classes.labels) : 0;
    if (self->task == CLASSIFICATION && classes.count == 0)
        return fail(error, "%s: the labels are not classes: expected at most %d different whole numbers", self->path,
                    MOST_CLASSES);
    if (!make_dataset(&train, width, &classes, data_splits_add(splits), error))
        return false;
    splits->train = data_split_all(splits->arena, splits->datasets[0]);
    if (!self->test_path)
        return true;
    if (!make_dataset(&test, width, &classes, data_splits_add(splits), error))
        return false;
    splits->test = data_split_all(splits->arena, splits->datasets[1]);
    return true;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)seed;
    Arena *arena = arena_new();
    bool good = load_into(values, arena, splits, error);
    arena_free(arena);
    return good;
}

static bool validate(const void *values, Error *error)
{
    const struct libsvm *self = values;
    return !self->test_query_path || self->test_path ||
           fail_usage(error, "test_query_path: there is no test_path whose groups these could be");
}

const DatasetDef dataset_libsvm = {
    .component = {
        .name = "libsvm", .summary = "sparse features in text, with groups to rank where there are queries",
        .params = params, .size = sizeof(struct libsvm), .validate = validate,
        .formula = "label [qid:N] index:value ... [# comment]",
        .notes = "What a line leaves out is 0. Samples of a query stand side by side; the relevance of data with "
                 "queries is a value, of which metrics of ranking make gains.",
    },
    .load = load,
};
