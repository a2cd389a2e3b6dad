#include "core/train/embeddings.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/train/objective.h"

enum { MOST_NEIGHBOURS = 64, QUERIES_PER_TASK = 16 };
static const double limit = 2147483648.0; /* bytes */

/* v of length 1, or as it is where it has none; the length. */
static double normalize(int64_t width, double *v)
{
    double square = 0;
    for (int64_t k = 0; k < width; k++)
        square += v[k] * v[k];
    for (int64_t k = 0; square > 0 && k < width; k++)
        v[k] /= sqrt(square);
    return sqrt(square);
}

static double dot(int64_t width, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t k = 0; k < width; k++)
        sum += a[k] * b[k];
    return sum;
}

static void take_batch(Embeddings *embeddings, const Forward *forward, const Tensor *logits, const Batch *batch,
                       int64_t first)
{
    for (int64_t i = 0; i < batch->count; i++) {
        double *direction = embeddings->directions + (first + i) * embeddings->width;
        for (int64_t k = 0; k < embeddings->width; k++)
            direction[k] = tensor_value(forward->features, i * embeddings->width + k);
        embeddings->lengths[first + i] = normalize(embeddings->width, direction);
        for (int64_t c = 0; c < embeddings->outputs; c++)
            embeddings->logits[(first + i) * embeddings->outputs + c] =
                tensor_value(logits, i * embeddings->outputs + c);
        embeddings->labels[first + i] = batch->labels[i];
    }
}

static bool make_room(const DataSplit *split, const Tensor *features, int64_t outputs, Arena *arena,
                      Embeddings *embeddings, Error *error)
{
    if (!features || features->rank != 2)
        return fail(error, "the model's head does not take one vector a sample");
    int64_t width = features->shape[1], count = split->count;
    if ((double)count * (double)(width + outputs) * sizeof(double) > limit)
        return fail(error, "embeddings of %lld samples take more than 2 GB; set data.subset, or shots",
                    (long long)count);
    *embeddings = (Embeddings){
        .count = count, .width = width, .outputs = outputs, .classes = split->dataset->classes,
        .lengths = arena_alloc(arena, (size_t)count * sizeof(double)),
        .directions = arena_alloc(arena, (size_t)(count * width) * sizeof(double)),
        .logits = arena_alloc(arena, (size_t)(count * outputs) * sizeof(double)),
        .labels = arena_alloc(arena, (size_t)count * sizeof(int32_t)),
    };
    return true;
}

bool split_embeddings(const Model *model, const DataSplit *split, int64_t batch_size, Arena *arena,
                      Embeddings *embeddings, Error *error)
{
    assert(split->dataset->target_kind == TARGET_CLASS);
    bool was = tape_record(false), good = true;
    Loader *loader = loader_new(split, (LoaderOptions){.batch_size = batch_size});
    int64_t first = 0;
    for (int64_t i = 0; i < loader_batches(loader) && good; i++) {
        const Batch *batch = loader_batch(loader, 0, i);
        BatchTensors tensors = batch_tensors(model, split->dataset, batch);
        Forward forward = {.groups = tensors.groups};
        Tensor *logits = model_forward(model, &forward, tensors.x);
        good = i > 0 || make_room(split, forward.features, model->input.outputs, arena, embeddings, error);
        if (good)
            take_batch(embeddings, &forward, logits, batch, first);
        first += batch->count;
        tape_reset();
    }
    loader_free(loader);
    tape_record(was);
    for (int64_t i = 0; good && i < embeddings->count; i++)
        good = isfinite(embeddings->lengths[i]) ||
               fail(error, "the model's features for row %lld of the split are not finite", (long long)i);
    return good;
}

bool split_shots(const DataSplit *split, int64_t shots, uint64_t seed, Arena *arena, DataSplit *support, Error *error)
{
    int64_t classes = split->dataset->classes, *order = arena_alloc(arena, (size_t)split->count * sizeof *order);
    int64_t *taken = arena_zero(arena, (size_t)classes, sizeof *taken);
    *support = (DataSplit){split->dataset, 0, arena_alloc(arena, (size_t)split->count * sizeof *order)};
    Random random = random_start(seed, "shots", 0);
    random_permutation(&random, split->count, order);
    for (int64_t i = 0; i < split->count; i++) {
        int64_t sample = split->order[order[i]], label = split->dataset->labels[sample];
        if (shots == 0 || taken[label] < shots) {
            support->order[support->count++] = sample;
            taken[label]++;
        }
    }
    for (int64_t c = 0; c < classes; c++)
        if (taken[c] == 0 || taken[c] < shots)
            return fail(error, "%lld training samples of a class, %lld asked for", (long long)taken[c],
                        (long long)(shots ? shots : 1));
    return true;
}

void embeddings_prototypes(const Embeddings *embeddings, double *out)
{
    int64_t width = embeddings->width;
    memset(out, 0, (size_t)(embeddings->classes * width) * sizeof *out);
    for (int64_t i = 0; i < embeddings->count; i++)
        for (int64_t k = 0; k < width; k++)
            out[embeddings->labels[i] * width + k] += embeddings->directions[i * width + k];
    for (int64_t c = 0; c < embeddings->classes; c++)
        normalize(width, out + c * width);
}

/* ---- Neighbours ---- */

typedef struct Search {
    const Embeddings *queries, *among;
    bool leave_out;             /* the query itself */
    int64_t k;
    bool votes;                 /* by the most frequent class; else one of the k is enough */
    unsigned char *hits;        /* [queries] */
} Search;

/* labels[0..] of the nearest, nearest first; how many. Of equally near ones the earlier comes first. */
static int64_t find_nearest(const Search *search, int64_t query, int32_t *labels)
{
    double cosines[MOST_NEIGHBOURS];
    int64_t count = 0, width = search->queries->width;
    const double *direction = search->queries->directions + query * width;
    for (int64_t i = 0; i < search->among->count; i++) {
        if (search->leave_out && i == query)
            continue;
        double cosine = dot(width, direction, search->among->directions + i * width);
        if (count == search->k && cosine <= cosines[count - 1])
            continue;
        int64_t at = count < search->k ? count++ : count - 1;
        for (; at > 0 && cosines[at - 1] < cosine; at--) {
            cosines[at] = cosines[at - 1];
            labels[at] = labels[at - 1];
        }
        cosines[at] = cosine;
        labels[at] = search->among->labels[i];
    }
    return count;
}

static int32_t most_frequent(int64_t count, const int32_t *labels)
{
    int64_t best = 0, most = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t same = 0;
        for (int64_t j = 0; j < count; j++)
            same += labels[j] == labels[i];
        if (same > most) {
            most = same;
            best = i;
        }
    }
    return labels[best];
}

static void search_range(void *context, int64_t begin, int64_t end)
{
    Search *search = context;
    for (int64_t query = begin; query < end; query++) {
        int32_t labels[MOST_NEIGHBOURS], own = search->queries->labels[query];
        int64_t count = find_nearest(search, query, labels);
        bool hit = search->votes && count > 0 && most_frequent(count, labels) == own;
        for (int64_t i = 0; i < count && !search->votes; i++)
            hit |= labels[i] == own;
        search->hits[query] = hit;
    }
}

static double share_of_hits(Search *search)
{
    assert(search->k >= 1 && search->k <= MOST_NEIGHBOURS);
    search->hits = memory_array((size_t)search->queries->count, 1);
    parallel_for(search->queries->count, QUERIES_PER_TASK, search_range, search);
    int64_t hits = 0;
    for (int64_t i = 0; i < search->queries->count; i++)
        hits += search->hits[i];
    memory_free(search->hits);
    return (double)hits / (double)search->queries->count;
}

double embeddings_recall(const Embeddings *embeddings, int64_t k)
{
    return share_of_hits(&(Search){.queries = embeddings, .among = embeddings, .leave_out = true, .k = k});
}

double embeddings_neighbour_accuracy(const Embeddings *embeddings, const Embeddings *support, int64_t k)
{
    return share_of_hits(&(Search){.queries = embeddings, .among = support, .k = k, .votes = true});
}
