/* xent check CONFIG: everything that training checks before it begins, and nothing written. */
#include <stdio.h>
#include <string.h>

#include "cli/configs.h"

static cJSON *layer_json(const Layer *layer)
{
    cJSON *object = cJSON_CreateObject(), *shape = cJSON_CreateArray();
    cJSON_AddStringToObject(object, "name", layer->name);
    cJSON_AddStringToObject(object, "type", layer->def->component.name);
    cJSON_AddNumberToObject(object, "depth", layer->depth);
    for (int i = 0; i < layer->output.rank; i++)
        cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)layer->output.sizes[i]));
    cJSON_AddItemToObject(object, "output", shape);
    cJSON_AddNumberToObject(object, "parameters", (double)layer->parameter_count);
    cJSON_AddNumberToObject(object, "flops", layer->flops);
    cJSON_AddNumberToObject(object, "activation_bytes", 4.0 * (double)shape_count(layer->output));
    return object;
}

static void add_run(cJSON *object, const Run *run)
{
    const Model *model = run->model;
    cJSON *layers = cJSON_AddArrayToObject(object, "layers"), *totals = cJSON_AddObjectToObject(object, "totals");
    for (int i = 0; i < model->layer_count; i++)
        cJSON_AddItemToArray(layers, layer_json(model->layers[i]));
    cJSON_AddNumberToObject(totals, "parameters", (double)parameters_trainable(model->parameters));
    cJSON_AddNumberToObject(totals, "flops", model->flops);
    cJSON_AddNumberToObject(totals, "activation_bytes", model_activation_bytes(model));
    cJSON *samples = cJSON_AddObjectToObject(object, "samples");
    cJSON_AddNumberToObject(samples, "train", (double)run->splits.train.count);
    cJSON_AddNumberToObject(samples, "val", (double)run->splits.val.count);
    cJSON_AddNumberToObject(samples, "test", (double)run->splits.test.count);
    cJSON_AddNumberToObject(object, "steps_per_epoch", (double)run_steps_per_epoch(run));
    cJSON_AddNumberToObject(object, "steps", (double)run_total_steps(run));
}

static void print_layers(const Model *model)
{
    Arena *arena = arena_new();
    int widest = 5;
    for (int i = 0; i < model->layer_count; i++) {
        int length = (int)strlen(model->layers[i]->name);
        widest = length > widest ? length : widest;
    }
    printf("\n%-*s  %-22s  %-18s  %12s  %12s  %16s\n", widest, "layer", "type", "output", "parameters", "FLOPs",
           "activation bytes");
    for (int i = 0; i < model->layer_count; i++) {
        const Layer *layer = model->layers[i];
        printf("%-*s  %-22s  %-18s  %12lld  %12.4g  %16.0f\n", widest, layer->name, layer->def->component.name,
               shape_text(arena, layer->output), (long long)layer->parameter_count, layer->flops,
               4.0 * (double)shape_count(layer->output));
    }
    printf("%-*s  %-22s  %-18s  %12lld  %12.4g  %16.0f\n", widest, "total", "", "a sample",
           (long long)parameters_trainable(model->parameters), model->flops, model_activation_bytes(model));
    arena_free(arena);
}

static void print_text(const cJSON *config, const Run *run)
{
    char *text = cJSON_Print(config);
    puts(text);
    cJSON_free(text);
    if (!run)
        return;
    print_layers(run->model);
    printf("\n%lld training, %lld validation and %lld test samples; %lld steps an epoch",
           (long long)run->splits.train.count, (long long)run->splits.val.count, (long long)run->splits.test.count,
           (long long)run_steps_per_epoch(run));
    if (run_total_steps(run))
        printf(", %lld steps at most", (long long)run_total_steps(run));
    putchar('\n');
}

/* A config may be for xent eval, calibrate, quantize or analyze alone. One with a distill section is for xent
   distill. */
static bool trains(const Config *config)
{
    return config->data.component || config->model.component ||
           !(config->calibrate.component || config->quantize.component || config->distill.component ||
             config->analyze || config->attack.component);
}

static bool run(const Arguments *arguments, Error *error)
{
    Config *config = argument_config(arguments, arguments->words[0], error);
    if (!config)
        return false;
    Run *run = NULL;
    if (trains(config)) {
        if (!(run = run_new(config, config->distill.component ? &config->distill : NULL, error)))
            return false;
        config = run->config;
    }
    cJSON *resolved = config_resolved(config);
    if (argument_option(arguments, "json")) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToObject(object, "config", resolved);
        if (run)
            add_run(object, run);
        print_json_object(object);
    } else {
        print_text(resolved, run);
        cJSON_Delete(resolved);
    }
    if (run)
        run_free(run);
    else
        config_free(config);
    return true;
}

const Command command_check = {
    .name = "check",
    .synopsis = "check CONFIG [--json]",
    .summary = "validate a config and print it resolved",
    .description = "Checks CONFIG as xent train does before it begins, reads the data, and prints the config with\n"
                   "every key written out, and the table of layers, a sample each. Writes nothing.",
    .least = 1,
    .most = 1,
    .run = run,
};
