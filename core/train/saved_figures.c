/* What an objective measures by itself, of a model from disk. */
#include "core/base/file.h"
#include "core/train/checkpoint.h"
#include "core/train/saved.h"

/* Other data than the objective's has only the metrics that apply to it. */
static bool fits(const SavedModel *saved, const ObjectiveDef *objective, const DataSplit *split)
{
    const Config *config = saved->config;
    Error reason;
    return split->count > 0 && (!objective->check || objective->check(config->objective.values, &config->loss,
                                                                      split->dataset, &config->train, &reason));
}

static bool is_quantized(const Model *model)
{
    for (int i = 0; i < model->layer_count; i++)
        if (model->layers[i]->quantized)
            return true;
    return false;
}

/* What the run kept, from the state beside the weights, or from the file that the config names. *missing: it is in
   neither. */
static bool load_kept(const SavedModel *saved, const ObjectiveDef *objective, const ObjectiveContext *context,
                      const char **missing, Error *error)
{
    ParameterSet *kept = objective->kept ? objective->kept(context) : NULL;
    if (!kept)
        return true;
    const char *state = path_join(saved->arena, path_folder(saved->arena, saved->path), "last.state.safetensors");
    if (file_exists(state))
        return checkpoint_load_kept(kept, state, error);
    const char *key = objective->unset_source ? objective->unset_source(context->values) : NULL;
    if (key)
        *missing = arena_format(saved->arena, "%s is not there; name it with --set objective.%s=FILE", state, key);
    return true;
}

bool saved_figures(const SavedModel *saved, const DataSplits *splits, const DataSplit *split, SplitFigures *figures,
                   const char **missing, Error *error)
{
    Config *config = saved->config;
    const ObjectiveDef *objective = (const ObjectiveDef *)config->objective.component;
    *figures = (SplitFigures){0};
    *missing = NULL;
    if (!objective->measure || !fits(saved, objective, split))
        return true;
    if (is_quantized(saved->model)) {
        *missing = "a quantized model cannot take the parameters of its reference";
        return true;
    }
    ObjectiveContext context = {.config = config, .model = saved->model, .splits = splits, .loss = config->loss,
                                .values = config->objective.values, .seed = (uint64_t)config->seed,
                                .at = SCHEDULE_END};
    bool good = objective_tap(saved->model, &config->loss, &context.tap, error) &&
                (!objective->prepare || objective->prepare(&context, error)) &&
                load_kept(saved, objective, &context, missing, error);
    if (good && !*missing)
        *figures = objective->measure(&context, split);
    if (context.state)
        objective->release(&context);
    return good || fail_at(error, "%s", saved->path);
}
