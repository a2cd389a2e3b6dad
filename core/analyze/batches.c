/* What stands together in the batches of a run: pairs of one class, which a contrastive loss holds apart unbeknown, and
   how clusters of a guide agree with classes (Chakraborty et al. 2020). */
#include <math.h>
#include <string.h>

#include "core/analyze/analysis.h"
#include "core/train/run.h"

struct batches { int64_t epochs; };

static const Param params[] = {
    PARAM_INT(struct batches, epochs, 1, .min = 1, .max = 1e6, .help = "epochs whose batches are counted"),
    PARAM_END
};

static const int32_t *true_labels(const Dataset *dataset)
{
    return dataset->clean_labels ? dataset->clean_labels : dataset->labels;
}

static double pairs_of(double count)
{
    return count * (count - 1) / 2;
}

/* Pairs of one class among `total` samples of which counts[c] are of class c. */
static double pairs_within(const int64_t *counts, int64_t classes)
{
    double pairs = 0;
    for (int64_t c = 0; c < classes; c++)
        pairs += pairs_of((double)counts[c]);
    return pairs;
}

static void count_batches(Run *run, int64_t epochs, AnalysisResult *result)
{
    const DataSplit *split = &run->splits.train;
    const Dataset *dataset = split->dataset;
    const int64_t batches = loader_batches(run->loader), classes = dataset->classes;
    int64_t *counts = arena_zero(result->arena, (size_t)classes, sizeof *counts), taken = 0;
    double together = 0, all = 0;
    for (int64_t b = 0; b < epochs * batches; b++) {
        const Batch *batch = loader_batch(run->loader, b / batches, b % batches);
        memset(counts, 0, (size_t)classes * sizeof *counts);
        for (int64_t i = 0; i < batch->count; i++)
            counts[true_labels(dataset)[batch->ids[i]]]++;
        together += pairs_within(counts, classes) / (double)(epochs * batches);
        all += pairs_of((double)batch->count) / (double)(epochs * batches);
        taken += batch->count;
    }
    memset(counts, 0, (size_t)classes * sizeof *counts);
    for (int64_t i = 0; i < split->count; i++)
        counts[true_labels(dataset)[split->order[i]]]++;
    analysis_add_figure(result, "batches", (double)batches);
    analysis_add_figure(result, "left_out", (double)split->count - (double)taken / (double)epochs);
    analysis_add_figure(result, "same_class_pairs", together);
    analysis_add_figure(result, "random_pairs", all * pairs_within(counts, classes) / pairs_of((double)split->count));
}

static double entropy(const double *shares, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum -= shares[i] > 0 ? shares[i] * log(shares[i]) : 0;
    return sum;
}

/* 2 I(cluster; class) / (H(cluster) + H(class)) */
static void compare_clusters(const Run *run, const int32_t *clusters, AnalysisResult *result)
{
    const DataSplit *split = &run->splits.train;
    const int64_t classes = split->dataset->classes;
    int64_t number = 0;
    for (int64_t i = 0; i < split->count; i++)
        number = clusters[i] >= number ? clusters[i] + 1 : number;
    double *joint = arena_zero(result->arena, (size_t)(number * classes), sizeof *joint);
    double *of_cluster = arena_zero(result->arena, (size_t)number, sizeof *of_cluster);
    double *of_class = arena_zero(result->arena, (size_t)classes, sizeof *of_class);
    for (int64_t i = 0; i < split->count; i++) {
        const int32_t label = true_labels(split->dataset)[split->order[i]];
        joint[clusters[i] * classes + label] += 1 / (double)split->count;
        of_cluster[clusters[i]] += 1 / (double)split->count;
        of_class[label] += 1 / (double)split->count;
    }
    const double sum = entropy(of_cluster, number) + entropy(of_class, classes);
    analysis_add_figure(result, "clusters", (double)number);
    analysis_add_figure(result, "nmi", sum > 0 ? 2 * (sum - entropy(joint, number * classes)) / sum : NAN);
}

static bool run_batches(const void *values, const AnalysisInput *input, AnalysisResult *result, Error *error)
{
    cJSON *resolved = config_resolved(input->config);
    char *text = cJSON_PrintUnformatted(resolved);
    Config *config = config_parse(input->config->name ? input->config->name : "config", text, NULL, NULL, error);
    cJSON_free(text);
    cJSON_Delete(resolved);
    Run *run = config ? run_new(config, NULL, error) : NULL;
    if (!run)
        return false;
    StrataRule rule;
    const int32_t *clusters = run->objective->strata ? run->objective->strata(&run->context, &rule) : NULL;
    bool good = run->splits.train.dataset->target_kind == TARGET_CLASS ||
                fail(error, "data: batches are compared by classes, and the data has none");
    if (good)
        count_batches(run, ((const struct batches *)values)->epochs, result);
    if (good && clusters)
        compare_clusters(run, clusters, result);
    run_free(run);
    return good;
}

const AnalysisDef analysis_batches = {
    .component = {.name = "batches",
                  .summary = "how many samples of one class stand together in the batches of a config",
                  .params = params,
                  .size = sizeof(struct batches),
                  .source = "arXiv:2009.12007",
                  .notes = "The config is that of a training run on data with classes; nothing is trained. "
                           "same_class_pairs: pairs of one class in a batch, the mean over batches; random_pairs: as "
                           "many as batches of that size have in the mean when they are drawn; left_out: samples in no "
                           "batch of an epoch. Under a guide (objective contrastive), nmi is the normalised mutual "
                           "information of its clusters and the classes, 2 I / (H + H)."},
    .run = run_batches,
};
