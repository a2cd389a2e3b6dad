#include "data/loader.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base/threads.h"
#include "data/transform.h"

enum {
    GRAIN = 8,          /* samples that one thread prepares at a time */
    MOST_TABLES = 64    /* for so many channels a byte's value is looked up; the columns of long vectors are computed */
};

typedef struct Slot {
    Batch batch;
    int64_t *positions;     /* [rows] in the split, of groups; NULL: samples are taken one by one */
    int64_t epoch, index;   /* which batch waits here to be called; epoch -1: none */
} Slot;

/* Whoever assembles a batch, the caller or the prefetching thread, has the whole loader to itself: the
   caller waits until the thread is idle. The batch that the caller holds is in the other slot. */
struct Loader {
    Arena *arena, *scratch;
    const DataSplit *split;
    LoaderOptions options;
    TransformShape shape;
    int64_t size;           /* elements of a sample */
    int64_t span;           /* elements in a row that are normalised alike */
    float *table;           /* what a byte becomes, [size / span, 256], or NULL */
    uint32_t *streams;      /* of random numbers, [transforms] */
    float *image_scratch;   /* two images for each GRAIN of a batch */
    int64_t units;          /* what batches take: samples, or groups */
    int64_t *starts;        /* [units + 1], the positions in the split where groups begin; NULL: samples */
    int64_t *order, order_epoch;    /* of units; order_epoch -1: none yet */
    const int32_t *strata;  /* of samples; NULL: none */
    StrataRule rule;

    Slot slots[2];
    int slot_count, current;
    bool threaded, busy, stopping;  /* the last two under the lock */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static const TransformDef *transform_at(const LoaderOptions *options, int64_t index)
{
    return (const TransformDef *)options->transforms.items[index].component;
}

static float normalize(const Dataset *dataset, int64_t group, float value)
{
    return dataset->normalized ? (value - dataset->mean[group]) / dataset->deviation[group] : value;
}

static float *byte_table(Arena *arena, const Dataset *dataset, int64_t groups)
{
    float *table = arena_alloc(arena, (size_t)groups * 256 * sizeof *table);
    for (int64_t group = 0; group < groups; group++)
        for (int byte = 0; byte < 256; byte++)
            table[256 * group + byte] = normalize(dataset, group, (float)byte / 255);
    return table;
}

static void read_bytes(const Loader *loader, const uint8_t *bytes, float *out)
{
    const float *table = loader->table;
    for (int64_t i = 0, group = 0; i < loader->size; group++)
        for (int64_t end = i + loader->span; i < end; i++)
            out[i] = table ? table[256 * group + bytes[i]]
                           : normalize(loader->split->dataset, group, (float)bytes[i] / 255);
}

static void read_features(const Loader *loader, int64_t id, float *out)
{
    const Dataset *dataset = loader->split->dataset;
    int64_t start = id * dataset->sample_stride;
    if (dataset->type == ARRAY_U8) {
        read_bytes(loader, (const uint8_t *)dataset->features + start, out);
        return;
    }
    const float *values = (const float *)dataset->features + start;
    if (!dataset->normalized) {
        memcpy(out, values, (size_t)loader->size * sizeof *out);
        return;
    }
    for (int64_t i = 0, group = 0; i < loader->size; group++) {
        float mean = dataset->mean[group], deviation = dataset->deviation[group];
        for (int64_t end = i + loader->span; i < end; i++)
            out[i] = (values[i] - mean) / deviation;
    }
}

static void read_targets(const Dataset *dataset, int64_t id, int64_t row, Batch *batch)
{
    if (dataset->target_kind == TARGET_CLASS) {
        batch->labels[row] = dataset->labels[id];
        if (batch->values) { /* a transform will mix them */
            float *values = batch->values + row * dataset->classes;
            memset(values, 0, (size_t)dataset->classes * sizeof *values);
            values[dataset->labels[id]] = 1;
        }
    } else if (batch->values) {
        memcpy(batch->values + row * dataset->classes, dataset->values + id * dataset->classes,
               (size_t)dataset->classes * sizeof *batch->values);
    }
}

static void read_sample(const Loader *loader, int64_t position, int64_t row, Batch *batch)
{
    const Dataset *dataset = loader->split->dataset;
    int64_t id = loader->split->order[position], size = loader->size;
    batch->ids[row] = id;
    if (batch->features)
        read_features(loader, id, batch->features + row * size);
    if (batch->tokens) {
        const int32_t *window = (const int32_t *)dataset->features + id * dataset->sample_stride;
        memcpy(batch->tokens + row * size, window, (size_t)size * sizeof *window);
        if (dataset->target_kind == TARGET_TOKENS)
            memcpy(batch->labels + row * size, dataset->own_tokens ? dataset->labels + id * size : window + 1,
                   (size_t)size * sizeof *window);
    }
    read_targets(dataset, id, row, batch);
    if (batch->weights)
        batch->weights[row] = dataset->weights[id];
    if (batch->groups)
        batch->groups[row] = dataset->groups[id];
    for (int c = 0; c < dataset->column_count; c++) {
        int64_t width = dataset->columns[c].width;
        memcpy(batch->columns[c] + row * width, dataset->columns[c].values + id * width,
               (size_t)width * sizeof(float));
    }
}

/* A sequence of its own for (transform, epoch, item): the blocks item 2^32 .. (item + 1) 2^32 - 1. */
static Random draws_for(const Loader *loader, int64_t transform, int64_t epoch, int64_t item)
{
    return (Random){.seed = loader->options.seed, .stream = loader->streams[transform], .step = (uint32_t)epoch,
                    .index = (uint64_t)item << 32};
}

/* The work between two transforms of whole batches: image transforms first..end-1, reading the samples before. */
typedef struct Pass {
    Loader *loader;
    Slot *slot;
    int64_t first, end;
} Pass;

static void pass_samples(void *context, int64_t begin, int64_t end)
{
    const Pass *pass = context;
    Loader *loader = pass->loader;
    Slot *slot = pass->slot;
    float *scratch = loader->image_scratch ? loader->image_scratch + begin / GRAIN * 2 * loader->size : NULL;
    for (int64_t row = begin; row < end; row++) {
        int64_t place = slot->index * loader->options.batch_size + row;
        int64_t position = slot->positions ? slot->positions[row]
                           : loader->order ? loader->order[place] : place;
        if (pass->first == 0)
            read_sample(loader, position, row, &slot->batch);
        for (int64_t t = pass->first; t < pass->end; t++) {
            Random random = draws_for(loader, t, slot->epoch, position);
            const void *values = loader->options.transforms.items[t].values;
            transform_at(&loader->options, t)->image(values, &loader->shape, &random,
                                                     slot->batch.features + row * loader->size, scratch);
        }
    }
}

/* The pool serves one thread at a time, the caller's; the prefetching thread goes through the same pieces alone. */
static void run_pass(Pass *pass, bool with_pool)
{
    int64_t count = pass->slot->batch.count;
    if (with_pool) {
        parallel_for(count, GRAIN, pass_samples, pass);
        return;
    }
    for (int64_t begin = 0; begin < count; begin += GRAIN)
        pass_samples(pass, begin, begin + GRAIN < count ? begin + GRAIN : count);
}

static void shuffle_epoch(Loader *loader, int64_t epoch)
{
    if (!loader->order || loader->order_epoch == epoch)
        return;
    Random random = random_start(loader->options.seed, "shuffle", (uint32_t)epoch);
    if (loader->strata)
        strata_order(loader->rule, loader->split->count, loader->strata, loader->options.batch_size,
                     loader->options.shuffle ? &random : NULL, loader->order);
    else
        random_permutation(&random, loader->units, loader->order);
    loader->order_epoch = epoch;
}

/* How many of the batch's samples there are, and of groups where they stand. */
static int64_t choose_samples(const Loader *loader, Slot *slot)
{
    int64_t begin = slot->index * loader->options.batch_size, count = 0;
    int64_t left = loader->units - begin, taken = left < loader->options.batch_size ? left : loader->options.batch_size;
    for (int64_t unit = begin; slot->positions && unit < begin + taken; unit++) {
        int64_t group = loader->order ? loader->order[unit] : unit;
        for (int64_t position = loader->starts[group]; position < loader->starts[group + 1]; position++)
            slot->positions[count++] = position;
    }
    return slot->positions ? count : taken;
}

static void assemble(Loader *loader, Slot *slot, int64_t epoch, int64_t index, bool with_pool)
{
    const LoaderOptions *options = &loader->options;
    int64_t transforms = options->transforms.count;
    shuffle_epoch(loader, epoch);
    slot->epoch = epoch;
    slot->index = index;
    slot->batch.epoch = epoch;
    slot->batch.index = index;
    slot->batch.count = choose_samples(loader, slot);
    Pass pass = {.loader = loader, .slot = slot};
    for (;; pass.first = pass.end + 1) {
        pass.end = pass.first;
        while (pass.end < transforms && transform_at(options, pass.end)->image)
            pass.end++;
        run_pass(&pass, with_pool);
        if (pass.end == transforms)
            return;
        Random random = draws_for(loader, pass.end, epoch, index);
        transform_at(options, pass.end)->batch(options->transforms.items[pass.end].values, &loader->shape, &random,
                                               loader->split->dataset->classes, &slot->batch, loader->scratch);
        arena_reset(loader->scratch);
    }
}

static void *prefetch(void *context)
{
    Loader *loader = context;
    pthread_mutex_lock(&loader->lock);
    for (;;) {
        while (!loader->busy && !loader->stopping)
            pthread_cond_wait(&loader->changed, &loader->lock);
        if (loader->stopping)
            break;
        pthread_mutex_unlock(&loader->lock);
        Slot *slot = &loader->slots[1 - loader->current];
        assemble(loader, slot, slot->epoch, slot->index, false);
        pthread_mutex_lock(&loader->lock);
        loader->busy = false;
        pthread_cond_signal(&loader->changed);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

static void wait_until_idle(Loader *loader)
{
    if (!loader->threaded)
        return;
    pthread_mutex_lock(&loader->lock);
    while (loader->busy)
        pthread_cond_wait(&loader->changed, &loader->lock);
    pthread_mutex_unlock(&loader->lock);
}

/* Where nothing is random, all epochs are one: its first batch is prefetched whatever epoch comes next. */
static int64_t effective_epoch(const Loader *loader, int64_t epoch)
{
    return loader->options.shuffle || loader->options.transforms.count ? epoch : 0;
}

static void prefetch_after(Loader *loader, int64_t epoch, int64_t index)
{
    if (!loader->threaded)
        return;
    Slot *slot = &loader->slots[1 - loader->current];
    bool last = index + 1 == loader_batches(loader);
    slot->epoch = effective_epoch(loader, epoch + last);
    slot->index = last ? 0 : index + 1;
    pthread_mutex_lock(&loader->lock);
    loader->busy = true;
    pthread_cond_signal(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
}

/* No batch has more samples. */
static int64_t largest_batch(const Loader *loader)
{
    int64_t count = loader->split->count, size = loader->options.batch_size, largest = 1;
    for (int64_t unit = 0; loader->starts && unit < loader->units; unit++) {
        int64_t members = loader->starts[unit + 1] - loader->starts[unit];
        largest = members > largest ? members : largest;
    }
    return size < loader->units && size * largest < count ? size * largest : count;
}

static void find_groups(Loader *loader)
{
    const DataSplit *split = loader->split;
    loader->units = split->count;
    if (split->dataset->group_count == 0)
        return;
    loader->units = 0;
    loader->starts = arena_alloc(loader->arena, (size_t)(split->count + 1) * sizeof *loader->starts);
    for (int64_t i = 0; i < split->count; i = dataset_group_end(split->dataset, split->order, i, split->count))
        loader->starts[loader->units++] = i;
    loader->starts[loader->units] = split->count;
}

static void allocate_slot(Loader *loader, Slot *slot, bool mixes)
{
    Batch *batch = &slot->batch;
    slot->epoch = -1;
    const Dataset *dataset = loader->split->dataset;
    size_t count = (size_t)largest_batch(loader), size = (size_t)loader->size;
    bool tokens = dataset->type == ARRAY_I32;
    if (tokens)
        batch->tokens = arena_zero(loader->arena, count * size, sizeof *batch->tokens);
    else
        batch->features = arena_zero(loader->arena, count * size, sizeof *batch->features);
    if (dataset->target_kind == TARGET_CLASS)
        batch->labels = arena_zero(loader->arena, count, sizeof *batch->labels);
    if (dataset->target_kind == TARGET_TOKENS)
        batch->labels = arena_zero(loader->arena, count * size, sizeof *batch->labels);
    else if (dataset->target_kind != TARGET_CLASS || mixes)
        batch->values = arena_zero(loader->arena, count * (size_t)dataset->classes, sizeof *batch->values);
    if (dataset->weights)
        batch->weights = arena_zero(loader->arena, count, sizeof *batch->weights);
    batch->ids = arena_zero(loader->arena, count, sizeof *batch->ids);
    for (int c = 0; c < dataset->column_count; c++)
        batch->columns[c] = arena_zero(loader->arena, count * (size_t)dataset->columns[c].width, sizeof(float));
    if (dataset->group_count) {
        batch->groups = arena_zero(loader->arena, count, sizeof *batch->groups);
        slot->positions = arena_zero(loader->arena, count, sizeof *slot->positions);
    }
}

/* Returns whether a transform mixes the samples of a batch. */
static bool prepare_transforms(Loader *loader)
{
    const LoaderOptions *options = &loader->options;
    int64_t count = options->transforms.count, chunks = (largest_batch(loader) + GRAIN - 1) / GRAIN;
    bool mixes = false;
    if (!count)
        return false;
    loader->image_scratch = arena_alloc(loader->arena, (size_t)(chunks * 2 * loader->size) * sizeof(float));
    loader->streams = arena_alloc(loader->arena, (size_t)count * sizeof *loader->streams);
    for (int64_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "transform %lld", (long long)i);
        if (options->view)
            snprintf(name, sizeof name, "transform %lld view %lld", (long long)i, (long long)options->view);
        loader->streams[i] = random_stream(name);
        mixes |= transform_at(options, i)->batch != NULL;
    }
    return mixes;
}

Loader *loader_new(const DataSplit *split, LoaderOptions options)
{
    const Dataset *dataset = split->dataset;
    assert(dataset->type == ARRAY_U8 || dataset->type == ARRAY_F32 || dataset->type == ARRAY_I32);
    assert(options.batch_size >= 1 && dataset->sample_stride >= 1);
    Loader *loader = memory_new(sizeof *loader);
    loader->arena = arena_new();
    loader->scratch = arena_new();
    loader->split = split;
    loader->options = options;
    loader->shape = transform_shape(dataset);
    loader->size = loader->shape.channels * loader->shape.height * loader->shape.width;
    int64_t groups = dataset->normalized ? dataset->normalized : 1;
    assert(loader->size % groups == 0);
    loader->span = loader->size / groups;
    if (dataset->type == ARRAY_U8 && groups <= MOST_TABLES)
        loader->table = byte_table(loader->arena, dataset, groups);
    find_groups(loader);
    if (options.shuffle)
        loader->order = arena_alloc(loader->arena, (size_t)loader->units * sizeof *loader->order);
    loader->order_epoch = -1;
    bool mixes = prepare_transforms(loader);
    loader->slot_count = options.prefetch ? 2 : 1;
    for (int i = 0; i < loader->slot_count; i++)
        allocate_slot(loader, &loader->slots[i], mixes);
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->changed, NULL);
    loader->threaded = options.prefetch && pthread_create(&loader->thread, NULL, prefetch, loader) == 0;
    return loader;
}

void loader_free(Loader *loader)
{
    if (!loader)
        return;
    if (loader->threaded) {
        pthread_mutex_lock(&loader->lock);
        loader->stopping = true;
        pthread_cond_signal(&loader->changed);
        pthread_mutex_unlock(&loader->lock);
        pthread_join(loader->thread, NULL);
    }
    pthread_mutex_destroy(&loader->lock);
    pthread_cond_destroy(&loader->changed);
    arena_free(loader->scratch);
    arena_free(loader->arena);
    memory_free(loader);
}

void loader_stratify(Loader *loader, StrataRule rule, const int32_t *strata)
{
    const int64_t count = loader->split->count;
    assert(!loader->starts && loader->order_epoch == -1);
    loader->strata = strata;
    loader->rule = rule;
    if (!loader->order)
        loader->order = arena_alloc(loader->arena, (size_t)count * sizeof *loader->order);
    loader->units = strata_order(rule, count, strata, loader->options.batch_size, NULL, loader->order);
}

int64_t loader_batches(const Loader *loader)
{
    int64_t count = loader->units, size = loader->options.batch_size;
    return count / size + (count % size && !loader->options.drop_last);
}

const Batch *loader_batch(Loader *loader, int64_t epoch, int64_t index)
{
    assert(epoch >= 0 && epoch <= UINT32_MAX && index >= 0 && index < loader_batches(loader));
    epoch = effective_epoch(loader, epoch);
    wait_until_idle(loader);
    int next = loader->slot_count == 2 ? 1 - loader->current : 0;
    Slot *slot = &loader->slots[next];
    if (slot->epoch != epoch || slot->index != index)
        assemble(loader, slot, epoch, index, true);
    slot->epoch = -1; /* the caller may write into it */
    loader->current = next;
    prefetch_after(loader, epoch, index);
    return &slot->batch;
}
