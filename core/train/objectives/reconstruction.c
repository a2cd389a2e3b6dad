/* Autoencoders: the targets are the samples themselves, as the model sees them without transforms. */
#include "core/train/objective.h"

enum { MOST_VALUES = 400000000 };

static bool adapt(Dataset *dataset, Error *error)
{
    const int64_t size = dataset_sample_size(dataset);
    if (dataset->type == ARRAY_I32)
        return fail(error, "objective: reconstruction gives features back, and the data has tokens");
    dataset->target_kind = TARGET_VALUES;
    dataset->classes = size;
    dataset->class_names = NULL;
    dataset->posteriors = NULL;
    dataset->target_mean = dataset->target_deviation = NULL;
    if (!dataset->features) /* a shape alone */
        return true;
    if ((double)dataset->count * (double)size > MOST_VALUES)
        return fail(error, "objective: reconstruction holds %lld samples of %lld numbers twice, more than %d numbers; "
                    "use fewer samples", (long long)dataset->count, (long long)size, MOST_VALUES);
    dataset->values = arena_alloc(dataset->arena, (size_t)(dataset->count * size) * sizeof *dataset->values);
    for (int64_t i = 0; i < dataset->count; i++)
        dataset_sample(dataset, i, dataset->values + i * size);
    return true;
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    LossInput input = objective_loss_input(context, forward, batch, objective_logits(context, forward, batch));
    return loss_evaluate(&context->loss, &input).loss;
}

const ObjectiveDef objective_reconstruction = {
    .component = {.name = "reconstruction",
                  .summary = "the samples themselves, through a model that narrows: an autoencoder",
                  .source = "arXiv:2009.12007",
                  .formula = "L(f(T(x)), x), T the train.transforms",
                  .notes = "The model has as many outputs as a sample has numbers, in their order: end a sequential "
                           "model with flatten and head false. Losses are those of values, such as mse. Transforms "
                           "change what the model sees and not what it is held to: with noise it is a denoising "
                           "autoencoder. Validation, test and predictions are of the samples, too; targets of the "
                           "data are not used."},
    .adapt = adapt, .loss = loss,
};
