/* Classes that a model has never seen, told by the means of its normalised features (Pereira et al. 2021). */
#include "core/analyze/analysis.h"
#include "core/train/new_classes.h"

struct novel_classes { const cJSON *data; int64_t shots, neighbours; };

static const Param params[] = {
    PARAM_JSON(struct novel_classes, data, "null",
               .help = "data of the new classes, as in a config; null: the classes that data.only_classes of the run "
                       "left out"),
    PARAM_INT(struct novel_classes, shots, 0, .min = 0, .max = 1e9,
              .help = "training samples of each new class that are its examples; 0: all"),
    PARAM_INT(struct novel_classes, neighbours, 5, .min = 1, .max = 64, .help = "of knn_accuracy"),
    PARAM_END
};

/* The model, and the directions of samples; names are what the data calls its classes. */
typedef struct Study {
    const struct novel_classes *self;
    SavedModel *saved;
    DataSplits seen, novel;
    Embeddings seen_train, seen_test, support, novel_test;
    Arena *arena;
    int64_t new_classes;
    const char **names;         /* [classes + new_classes] */
    double *prototypes;         /* [classes + new_classes, width] */
} Study;

/* ---- What is loaded ---- */

static const char *name_of(const Study *study, const Dataset *dataset, int64_t c, int64_t number)
{
    return dataset->class_names ? arena_string(study->arena, dataset->class_names[c])
                                : arena_format(study->arena, "%lld", (long long)number);
}

static void make_room_for_names(Study *study, int64_t new_classes)
{
    study->new_classes = new_classes;
    study->names = arena_zero(study->arena, (size_t)(study->saved->classes + new_classes), sizeof *study->names);
}

static bool load_left_out(Study *study, Error *error)
{
    NewClasses left_out;
    if (!new_classes_load(study->saved, study->arena, &left_out, error))
        return fail_at(error, "without analyze.data");
    study->novel = left_out.splits;
    make_room_for_names(study, left_out.count);
    const int64_t *known = ((const DatasetCommon *)study->saved->config->data.values)->only_classes.items;
    for (int64_t c = 0; c < left_out.count; c++)
        study->names[study->saved->classes + c] = name_of(study, study->novel.train.dataset, c, left_out.numbers[c]);
    for (int64_t c = 0; c < study->saved->classes; c++)
        study->names[c] = name_of(study, study->seen.train.dataset, c, known[c]);
    return true;
}

static bool load_given(Study *study, const Config *config, Error *error)
{
    Instance data;
    ParamContext context = {.source = config->source, .arena = config->arena, .path = "analyze.data", .error = error};
    if (!data_instance_parse(&context, study->self->data, &data) ||
        !saved_load_classes(study->saved, &data, &study->novel, error))
        return false;
    const Dataset *dataset = study->novel.train.dataset;
    make_room_for_names(study, dataset->classes);
    for (int64_t c = 0; c < dataset->classes; c++)
        study->names[study->saved->classes + c] =
            arena_format(study->arena, "new %s", name_of(study, dataset, c, c));
    for (int64_t c = 0; c < study->saved->classes; c++)
        study->names[c] = name_of(study, study->seen.train.dataset, c, c);
    return true;
}

static bool load_data(Study *study, const Config *config, Error *error)
{
    if (study->saved->target_kind != TARGET_CLASS)
        return fail(error, "%s: its targets are not classes", study->saved->path);
    if (!saved_load_data(study->saved, NULL, &study->seen, error))
        return false;
    bool given = study->self->data && !cJSON_IsNull(study->self->data);
    if (!(given ? load_given(study, config, error) : load_left_out(study, error)))
        return false;
    return (study->seen.test.count && study->novel.test.count) ||
           fail(error, "new classes are measured on the test splits, and there is none, or none of a new class");
}

static bool embed(Study *study, uint64_t seed, Error *error)
{
    const Model *model = study->saved->model;
    int64_t batch = study->saved->config->train.eval_batch_size;
    DataSplit support;
    if (!split_shots(&study->novel.train, study->self->shots, seed, study->arena, &support, error))
        return fail_at(error, "analyze.shots");
    if (!split_embeddings(model, &study->seen.train, batch, study->arena, &study->seen_train, error) ||
        !split_embeddings(model, &study->seen.test, batch, study->arena, &study->seen_test, error) ||
        !split_embeddings(model, &support, batch, study->arena, &study->support, error) ||
        !split_embeddings(model, &study->novel.test, batch, study->arena, &study->novel_test, error))
        return fail_at(error, "%s", study->saved->path);
    int64_t classes = study->saved->classes, width = study->support.width;
    if (model->input.outputs != classes)
        return fail(error, "%s: its loss has %lld outputs for %lld classes; new ones cannot stand beside them",
                    study->saved->path, (long long)model->input.outputs, (long long)classes);
    study->prototypes = arena_alloc(study->arena, (size_t)((classes + study->new_classes) * width) * sizeof(double));
    embeddings_prototypes(&study->seen_train, study->prototypes);
    embeddings_prototypes(&study->support, study->prototypes + classes * width);
    return true;
}

/* ---- What is found ---- */

/* The score of class c for sample i: the model's logit, or, of a new class or with `means`, that of the class's mean
   direction. Cosines stand beside cosines; a linear head gets a direction of length 1 without bias. */
static double score(const Study *study, const Embeddings *samples, int64_t i, int64_t c, bool means)
{
    int64_t width = samples->width;
    if (c < study->saved->classes && !means)
        return samples->logits[i * samples->outputs + c];
    double cosine = 0;
    for (int64_t k = 0; k < width; k++)
        cosine += samples->directions[i * width + k] * study->prototypes[c * width + k];
    return means || study->saved->model->input.cosines ? cosine : cosine * samples->lengths[i];
}

/* Of labels that begin at `offset`, among the classes begin to end - 1; counts right ones by class where asked for. */
static int64_t right(const Study *study, const Embeddings *samples, int64_t offset, int64_t begin, int64_t end,
                     bool means, double *by_class)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < samples->count; i++) {
        int64_t best = begin, own = samples->labels[i] + offset;
        double most = score(study, samples, i, begin, means);
        for (int64_t c = begin + 1; c < end; c++) {
            double value = score(study, samples, i, c, means);
            if (value > most) {
                most = value;
                best = c;
            }
        }
        sum += best == own;
        if (by_class && best == own)
            by_class[own]++;
    }
    return sum;
}

static double share(int64_t part, int64_t whole)
{
    return (double)part / (double)whole;
}

static double harmonic(double a, double b)
{
    return a + b > 0 ? 2 * a * b / (a + b) : 0;
}

static void add_joint(Study *study, AnalysisResult *result, double *by_class)
{
    const Embeddings *seen = &study->seen_test, *novel = &study->novel_test;
    int64_t old = study->saved->classes, all = old + study->new_classes, both = seen->count + novel->count;
    int64_t seen_right = right(study, seen, 0, 0, all, false, by_class),
            novel_right = right(study, novel, old, 0, all, false, by_class);
    analysis_add_figure(result, "seen_accuracy", share(right(study, seen, 0, 0, old, false, NULL), seen->count));
    analysis_add_figure(result, "joint_accuracy", share(seen_right + novel_right, both));
    analysis_add_figure(result, "joint_seen", share(seen_right, seen->count));
    analysis_add_figure(result, "joint_novel", share(novel_right, novel->count));
    analysis_add_figure(result, "joint_harmonic",
                        harmonic(share(seen_right, seen->count), share(novel_right, novel->count)));
    seen_right = right(study, seen, 0, 0, all, true, NULL);
    novel_right = right(study, novel, old, 0, all, true, NULL);
    analysis_add_figure(result, "means_accuracy", share(seen_right + novel_right, both));
    analysis_add_figure(result, "means_novel", share(novel_right, novel->count));
}

static void add_disjoint(Study *study, AnalysisResult *result)
{
    const Embeddings *novel = &study->novel_test;
    int64_t old = study->saved->classes, all = old + study->new_classes;
    analysis_add_figure(result, "disjoint_accuracy",
                        share(right(study, novel, old, old, all, true, NULL), novel->count));
    analysis_add_figure(result, "knn_accuracy",
                        embeddings_neighbour_accuracy(novel, &study->support, study->self->neighbours));
    analysis_add_figure(result, "recall@1", embeddings_recall(novel, 1));
    analysis_add_figure(result, "recall@5", embeddings_recall(novel, 5));
}

static void report(Study *study, AnalysisResult *result)
{
    static const char *const columns[] = {"new", "samples", "recall"};
    int64_t old = study->saved->classes, all = old + study->new_classes;
    double *by_class = arena_zero(study->arena, (size_t)all, sizeof *by_class);
    add_joint(study, result, by_class);
    add_disjoint(study, result);
    AnalysisTable *table = analysis_add_table(result, "classes", 3, columns, all, study->names);
    for (int64_t c = 0; c < all; c++)
        table->values[3 * c] = c >= old;
    for (int64_t i = 0; i < study->seen_test.count; i++)
        table->values[3 * study->seen_test.labels[i] + 1]++;
    for (int64_t i = 0; i < study->novel_test.count; i++)
        table->values[3 * (old + study->novel_test.labels[i]) + 1]++;
    double least = 1;
    for (int64_t c = 0; c < all; c++) {
        table->values[3 * c + 2] = by_class[c] / table->values[3 * c + 1];
        if (c >= old && table->values[3 * c + 2] < least)
            least = table->values[3 * c + 2];
    }
    analysis_add_figure(result, "joint_novel_least", least);
}

static bool run(const void *values, const AnalysisInput *input, AnalysisResult *result, Error *error)
{
    Study study = {.self = values, .arena = result->arena};
    Tape *tape = tape_new();
    tape_use(tape);
    study.saved = saved_open(input->words[0], NULL, NULL, error);
    bool good = study.saved && load_data(&study, input->config, error) &&
                embed(&study, (uint64_t)input->config->seed, error);
    if (good)
        report(&study, result);
    if (study.novel.arena)
        data_free(&study.novel);
    if (study.seen.arena)
        data_free(&study.seen);
    saved_close(study.saved);
    tape_free(tape);
    return good;
}

const AnalysisDef analysis_novel_classes = {
    .component = {
        .name = "novel_classes",
        .summary = "classes that a model was not trained on, told by a few examples of each",
        .params = params,
        .size = sizeof(struct novel_classes),
        .source = "arXiv:2102.03243",
        .formula = "w_new = m / |m|, m = mean_i e_i / |e_i| over the examples of a new class, e the input of the head",
        .notes = "One run. New classes are those that data.only_classes left out, with training samples as "
                 "examples, or those of analyze.data. Nothing is trained.\n\n"
                 "joint_accuracy is that on the test samples of seen and new classes, told apart by the model's "
                 "logits and by x . w_new: a cosine where the model's are cosines, otherwise as of a linear head "
                 "with w_new and no bias; joint_seen and joint_novel are its parts, joint_harmonic their harmonic "
                 "mean, joint_novel_least the least recall of a new class, seen_accuracy what it was before, and "
                 "the table the recall of each class. means_accuracy and means_novel tell all classes, also those "
                 "that were trained on, by their mean directions.\n\n"
                 "The other figures are of test samples of new classes among themselves: disjoint_accuracy by mean "
                 "directions, knn_accuracy by a vote of the nearest examples, recall@k the share of samples that "
                 "have one of their class among the k nearest others. Near means a large cosine.",
    },
    .words = "RUN", .least = 1, .most = 1, .run = run,
};
