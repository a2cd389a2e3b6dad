/* Contrastive learning (Chen et al. 2020): two views of each sample, drawn by the transforms, are to be near each other
   and far from the rest of the batch. */
#include "core/train/guide.h"
#include "data/transform.h"
#include "losses/shared.h"

typedef enum Positives { VIEWS, CLASSES } Positives;
static const char *const positives[] = {"views", "classes", NULL};

struct contrastive {
    int64_t dimension, clusters, restarts;
    int positives, batching;
    const char *guide, *guide_layer;
};

static const Param params[] = {
    PARAM_INT(struct contrastive, dimension, 64, .min = 1, .max = 1000000,
              .help = "outputs of the model: elements of an embedding"),
    PARAM_ENUM(struct contrastive, positives, "views", .choices = positives,
               .help = "what belongs together: the views of a sample, or all views of a class"),
    PARAM_PATH(struct contrastive, guide, null,
               .help = "a trained model, a run or a file, by whose features batches are made: of samples from clusters "
                       "apart, so that fewer belong together unbeknown"),
    PARAM_STRING(struct contrastive, guide_layer, null, .help = "the layer of the guide whose output is clustered"),
    PARAM_INT(struct contrastive, clusters, 0, .min = 0, .max = 1e6,
              .help = "number of clusters; 0: as many as a batch has samples"),
    PARAM_INT(struct contrastive, restarts, 10, .min = 1, .max = 1e6,
              .help = "starts of k-means, the best of which counts"),
    PARAM_ENUM(struct contrastive, batching, "strict", .choices = strata_rules,
               .help = "under a guide. strict: no batch holds two samples of a cluster, and a rest is left out; "
                       "interleaved: the first samples of all clusters, then the second ones"),
    PARAM_END
};

static int64_t outputs(const void *values)
{
    return ((const struct contrastive *)values)->dimension;
}

static bool takes_embeddings(const Instance *loss)
{
    return loss_targets(loss) == LOSS_IDS;
}

enum { SCORES = 4 }; /* of the batch that losses are tried with */

static bool is_of_scores(const LossDef *def)
{
    return !def->cosines && !def->tap && !def->unnamed_classes;
}

/* Losses of classes take the scores of a view against all others of the batch, whose number is no class count. */
static bool takes_scores(const Instance *loss)
{
    LossTargets targets = loss_targets(loss);
    return (targets == LOSS_CLASSES || targets == LOSS_CLASSES_OR_SOFT) && loss_outputs(loss, SCORES) == SCORES &&
           !loss_state_width(loss, SCORES) && loss_every_leaf(loss, is_of_scores) && loss_measures(loss);
}

static LossInput probe(const Instance *loss, int64_t dimension)
{
    LossInput in = {.logits = t_zeros(ARRAY_F32, SHAPE(SCORES, takes_embeddings(loss) ? dimension : SCORES)),
                    .targets = t_new(ARRAY_I32, SHAPE(SCORES))};
    for (int32_t i = 0; i < SCORES; i++)
        tensor_i32(in.targets)[i] = takes_embeddings(loss) ? i / 2 : i;
    return in;
}

static int64_t clusters_of(const struct contrastive *self, int64_t batch_size)
{
    return self->clusters ? self->clusters : batch_size;
}

static bool check_guide(const struct contrastive *self, const Dataset *shape, int64_t batch_size, Error *error)
{
    if (!self->guide)
        return true;
    if (!self->guide_layer)
        return fail_usage(error, "objective.guide_layer: name the layer of the guide whose output is clustered");
    if (shape->group_count)
        return fail_usage(error, "objective.guide: the data has groups, which batches take whole");
    return self->batching != STRATA_STRICT || clusters_of(self, batch_size) >= batch_size ||
           fail_usage(error, "objective.clusters: strict needs at least as many clusters as a batch has samples, %lld, "
                      "got %lld", (long long)batch_size, (long long)self->clusters);
}

static bool check(const void *values, const Instance *loss, const Dataset *shape, const TrainConfig *train,
                  Error *error)
{
    const struct contrastive *self = values;
    const char *name = loss->component->name;
    if (shape->type == ARRAY_I32)
        return fail_usage(error, "objective: contrastive makes views by transforms, of which tokens have none");
    if (!train->transforms.count)
        return fail_usage(error, "objective: contrastive makes views by train.transforms; give some, such as crop");
    for (int64_t i = 0; i < train->transforms.count; i++)
        if (((const TransformDef *)train->transforms.items[i].component)->batch)
            return fail_usage(error, "train.transforms: %s mixes samples; contrastive compares views of one",
                              train->transforms.items[i].component->name);
    if (train->batch_size < 2)
        return fail_usage(error, "train.batch_size: contrastive compares samples of a batch, and needs at least 2");
    if (!takes_embeddings(loss) && !takes_scores(loss))
        return fail_usage(error, "loss: contrastive wants a loss of embeddings or of scores, such as nt_xent or "
                          "infonce; %s is none", name);
    if (self->positives == CLASSES && (!takes_embeddings(loss) || shape->target_kind != TARGET_CLASS))
        return fail_usage(error, "objective.positives: classes need a loss of embeddings, such as supcon, and one "
                          "class a sample");
    if (!check_guide(self, shape, train->batch_size, error))
        return false;
    LossInput in = probe(loss, self->dimension);
    if (loss_check(loss, &in, error))
        return true;
    error->status = STATUS_USAGE;
    return fail_at(error, "loss: %s", name);
}

typedef struct State {
    Loader *second;             /* of the second view of every batch */
    int32_t *clusters;          /* [training samples]; NULL: there is no guide */
} State;

static bool find_clusters(ObjectiveContext *context, Error *error)
{
    const struct contrastive *self = context->values;
    State *state = context->state;
    const DataSplit *split = &context->splits->train;
    const int64_t batch = context->config->train.batch_size;
    const KMeans options = {clusters_of(self, batch), self->restarts, 300, context->seed};
    state->clusters = memory_array((size_t)split->count, sizeof *state->clusters);
    if (!guide_clusters(self->guide, self->guide_layer, split, &options, state->clusters, error))
        return false;
    loader_stratify(state->second, (StrataRule)self->batching, state->clusters);
    return loader_batches(state->second) > 0 ||
           fail(error, "objective.guide: no batch of %lld samples can be made of the clusters; use smaller batches",
                (long long)batch);
}

static bool prepare(ObjectiveContext *context, Error *error)
{
    const TrainConfig *train = &context->config->train;
    State *state = context->state = memory_new(sizeof *state);
    state->second = loader_new(&context->splits->train, (LoaderOptions){
        .batch_size = train->batch_size, .shuffle = train->shuffle, .transforms = train->transforms,
        .seed = context->seed, .prefetch = train->prefetch, .view = 1});
    return !((const struct contrastive *)context->values)->guide || find_clusters(context, error);
}

static void release(ObjectiveContext *context)
{
    State *state = context->state;
    loader_free(state->second);
    memory_free(state->clusters);
    memory_free(state);
}

static const int32_t *strata(const ObjectiveContext *context, StrataRule *rule)
{
    *rule = (StrataRule)((const struct contrastive *)context->values)->batching;
    return ((const State *)context->state)->clusters;
}

/* Of 2N views: the first views of all samples, then the second ones. */
static Tensor *ids_of(const struct contrastive *self, const Batch *batch)
{
    Tensor *ids = t_new(ARRAY_I32, SHAPE(2 * batch->count));
    for (int64_t i = 0; i < 2 * batch->count; i++) {
        int64_t sample = i % batch->count;
        tensor_i32(ids)[i] = self->positives == CLASSES ? batch->labels[sample] : (int32_t)sample;
    }
    return ids;
}

/* Cosines of the first views with the second ones, [N, N]; the sample itself is the target. */
static void set_scores(Tensor *embeddings, int64_t count, LossInput *in)
{
    Tensor *unit = loss_normalized(embeddings);
    in->logits = t_matmul(t_slice(unit, 0, 0, count), t_slice(unit, 0, count, 2 * count), false, true);
    in->targets = t_new(ARRAY_I32, SHAPE(count));
    for (int64_t i = 0; i < count; i++)
        tensor_i32(in->targets)[i] = (int32_t)i;
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const Batch *first = batch->batch, *second = loader_batch(((const State *)context->state)->second, first->epoch,
                                                                     first->index);
    BatchTensors other = batch_tensors(context->model, context->splits->train.dataset, second);
    Tensor *x = t_concat(2, (Tensor *[]){batch->x, other.x}, 0);
    Tensor *embeddings = model_forward(context->model, forward, x);
    if (first->count == 1) /* the rest of an epoch: nothing to compare with */
        return t_scale(t_sum(embeddings, ALL_AXES, false), 0);
    LossInput in = {.logits = embeddings, .random = random_start(context->seed, "loss", (uint32_t)forward->step),
                    .at = context->at};
    if (takes_embeddings(&context->loss))
        in.targets = ids_of(context->values, first);
    else
        set_scores(embeddings, first->count, &in);
    return loss_evaluate(&context->loss, &in).loss;
}

const ObjectiveDef objective_contrastive = {
    .component = {.name = "contrastive",
                  .summary = "embeddings in which two views of a sample are near each other",
                  .params = params,
                  .size = sizeof(struct contrastive),
                  .source = "arXiv:2002.05709",
                  .formula = "L(f(v1), f(v2)), v1 and v2 two draws of train.transforms of each sample",
                  .notes = "The loss is of embeddings (nt_xent, supcon), or one of classes (infonce, mw, ce) that is "
                           "given the cosines of the first views with the second. The model's last layers, up to its "
                           "dimension outputs, are the projection head; what is before them is kept by a second run "
                           "with train.init_from, whose model has the same layers up to there. The other samples of a "
                           "batch count as unlike, also where they are of one class. A guide, such as an autoencoder "
                           "(objective reconstruction), makes that rarer: samples that k-means finds near each other "
                           "in its features (means over maps) stand in different batches (Chakraborty et al. 2020). "
                           "Nothing is measured on val and test, and sample weights are not used."},
    .check = check, .outputs = outputs, .prepare = prepare, .release = release, .strata = strata,
    .loss = loss,
};
