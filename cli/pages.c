#include "cli/pages.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cli/loss_example.h"
#include "cli/mdoc.h"
#include "core/base/component.h"
#include "core/nn/layer.h"
#include "core/train/config.h"
#include "data/dataset.h"
#include "losses/loss.h"

/* What a page says of its kind before the components; key: where a config names one. In the order of page names. */
typedef struct PageRow {
    const char *kind, *key, *text;
} PageRow;

static const PageRow rows[] = {
    {"activation", "\"model\": {\"type\": MODEL, \"activation\": NAME}",
     "Activations are applied to every element; gated ones halve the last axis."},
    {"analysis", "\"analyze\": {\"type\": NAME, ...}", "Methods of xent analyze."},
    {"attack", "\"objective\": {\"type\": OBJECTIVE, \"attack\": {\"type\": NAME, ...}}",
     "An attack looks near each sample for a point at which a goal is large: in training that of the objective, in "
     "xent "
     "eval, by the config's own key attack, what the model gets wrong."},
    {"calibrator", "\"calibrate\": {\"type\": NAME, ...}",
     "Calibrators map a trained classifier's logits to better calibrated ones; xent calibrate fits one to held-out "
     "data."},
    {"dataset", "\"data\": {\"type\": NAME, ...}",
     "Data sets are read from files, whose form the type names, or generated. Instead of one, data may be an object of "
     "the keys train, val and test, a data set each. Relative paths are relative to the file that holds them."},
    {"distiller", "\"distill\": {\"type\": NAME, ...}", "How a teacher's outputs teach a student; for xent distill."},
    {"initializer", "\"model\": {\"type\": MODEL, \"init\": NAME}",
     "Initial values of weights, a function of the seed and of each parameter's name."},
    {"layer", "\"model\": {\"type\": \"sequential\", \"layers\": [NAME, {\"type\": NAME, ...}]}",
     "Layers are what a sequential model lists."},
    {"loss", "\"loss\": {\"type\": NAME, ...}",
     "A loss is what training minimises, in nats, the mean over the samples of a batch. xent loss evaluates one on "
     "arrays."},
    {"metric", "\"metrics\": [NAME, ...]",
     "Figures of a model's outputs beside their targets, computed in double precision. A config without metrics gets "
     "all that apply."},
    {"model", "\"model\": {\"type\": NAME, ...}",
     "A model is built for the shape of the data; xent check prints its layers."},
    {"objective", "\"objective\": {\"type\": NAME, ...}",
     "An objective turns a batch into the number that a step minimises."},
    {"optimizer", "\"optimizer\": {\"type\": NAME, ...}", "How a gradient becomes a step."},
    {"quantizer", "\"quantize\": {\"type\": NAME, ...}", "How weights are rounded to few bits; for xent quantize."},
    {"schedule", "\"schedule\": {\"type\": NAME, ...}",
     "A factor of the learning rate, 0 to 1, for each step. A weight of losses (of the terms of sum, and whatever "
     "xent-losses(7), xent-objectives(7) and xent-distillers(7) call a number or a schedule) moves by them too: "
     "{\"type\": NAME, \"from\": A, \"to\": B, ...} is B + (A - B) factor, so that linear goes from A to B. Without "
     "them A is 1 and B 0. All but plateau can be had. A model is measured (validation, test, xent eval, xent loss) "
     "with the weights that the schedules come to if they go on for ever, so that figures of different epochs compare: "
     "B, or what final makes of it, except that constant ends at A, and step where its milestones lead."},
    {"tokenizer", "\"data\": {\"type\": \"text\", \"tokenizer\": NAME, ...}",
     "Tokenizers turn text into tokens and back; what they learn they learn from the training text alone."},
    {"transform", "\"train\": {\"transforms\": [NAME, {\"type\": NAME, ...}]}",
     "Random changes of training samples, applied in order; a function of the seed, the epoch and the sample."},
};

/* Keys that every data set takes; the defaults of those that differ stand with the data set. */
struct keys_of_all {
    DatasetCommon common;
};
static const Param dataset_keys[] = {DATASET_COMMON_ROWS(struct keys_of_all, "false"), PARAM_END};

static void print_loss(const LossDef *loss)
{
    mdoc_text("Targets: %s.", loss_kind_name(loss));
    char properties[128] = "";
    for (int bit = 1; loss_property_name(bit); bit <<= 1)
        if (loss->properties & bit)
            snprintf(properties + strlen(properties), sizeof properties - strlen(properties), "%s%s",
                     properties[0] ? ", " : "", loss_property_name(bit));
    if (properties[0] || loss->part)
        mdoc_text("Properties: %s.", properties[0] ? properties : "those of its parts");
    for (const char *const *extra = loss->extras; extra && *extra; extra++) {
        size_t length = strlen(*extra);
        bool optional = (*extra)[length - 1] == '?';
        mdoc_text("Further input: %.*s%s.", (int)(optional ? length - 1 : length), *extra,
                  optional ? " (optional)" : "");
    }
}

/* How to try it: arrays of its kinds, and the command that takes them. */
static void print_loss_example(const LossDef *loss)
{
    const char *spec = loss->examples ? loss->examples[0] : loss->component.name;
    Arena *arena = arena_new();
    JsonSource *source = json_source_new();
    Instance instance;
    Error error;
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    const char *text = loss->examples ? spec : arena_format(arena, "\"%s\"", spec);
    const cJSON *json = json_parse(source, "example", text, strlen(text), &error);
    bool good = json && instance_parse(&context, "loss", json, &instance);
    assert(good);
    (void)good;
    if (cJSON_IsString(json))
        spec = json->valuestring;
    puts(".Pp");
    mdoc_text("Example, with inputs made up:");
    char *command = loss_example_command(&instance, spec, NULL, "DIR", arena);
    size_t words = (size_t)(strstr(command, " --logits ") - command);
    mdoc_display(arena_format(arena, "%.*s --sample DIR\n%s", (int)words, command, command));
    json_source_free(source);
    arena_free(arena);
}

static void print_component(const ComponentKind *kind, const Component *component)
{
    const Param *except = strcmp(kind->name, "dataset") == 0 ? dataset_keys : NULL;
    printf(".Ss %s\n", component->name);
    mdoc_text("%s.", component->summary);
    if (strcmp(kind->name, "loss") == 0)
        print_loss((const LossDef *)component);
    if (component->formula)
        mdoc_display(component->formula);
    if (component->notes) {
        puts(".Pp");
        mdoc_text("%s", component->notes);
    }
    mdoc_params(component->params, except);
    if (component->source) {
        if (component->formula || component->notes || !mdoc_has_params(component->params, except))
            puts(".Pp");
        mdoc_text("Source: %s", component->source);
    }
    if (strcmp(kind->name, "loss") == 0)
        print_loss_example((const LossDef *)component);
}

static const ComponentKind *kind_of(const PageRow *row)
{
    const ComponentKind *kind = component_kind(row->kind);
    return kind && kind->items[0] ? kind : NULL;
}

static void print_kind(const PageRow *row, const ComponentKind *kind)
{
    char name[64], description[96];
    snprintf(name, sizeof name, "xent-%s", kind->plural);
    snprintf(description, sizeof description, "%s that a config of xent can name", kind->plural);
    mdoc_begin(name, 7, description);
    puts(".Sh DESCRIPTION");
    mdoc_display(row->key);
    puts(".Pp");
    mdoc_text("%s A component without keys may be written as its name alone; keys that are not given have their "
              "defaults, and unknown keys are errors.",
              row->text);
    if (strcmp(kind->name, "dataset") == 0) {
        puts(".Sh KEYS OF ALL DATA SETS");
        mdoc_params(dataset_keys, NULL);
    }
    printf(".Sh %s\n", "COMPONENTS");
    for (const Component *const *item = kind->items; *item; item++)
        print_component(kind, *item);
    fputs(".Sh SEE ALSO\n.Xr xent 1 ,\n.Xr xent-list 1 ,\n.Xr xent-config 5\n", stdout);
}

static void print_limits(void)
{
    fputs(".Sh LIMITS\n.Bl -bullet -compact\n", stdout);
    printf(".It\n%d MB a config, files that it extends each\n", JSON_MAX_BYTES >> 20);
    printf(".It\n%d levels of nesting\n", JSON_MAX_DEPTH);
    printf(".It\n%d files deep, by\n.Ic extends\n", CONFIG_MAX_EXTENDS);
    printf(".It\n%d parameters of a model, %d layers, and elements of a layer's output for a sample as many as "
           "parameters\n", MODEL_MOST_ELEMENTS, MODEL_MOST_LAYERS);
    fputs(".It\n1 GB a data file after unpacking, 1.9 GB of pixels or table columns\n.It\nseeds from 0 to "
          "9007199254740991 in a config, to "
          "9223372036854775807 by\n.Fl -seed\n.El\n",
          stdout);
}

static void print_config(void)
{
    mdoc_begin("xent-config", 5, "what xent is to do, as JSON");
    puts(".Sh DESCRIPTION");
    mdoc_text("A config is one JSON object, in a file or, beginning with {, in the command line itself. Comments from "
              "// to the end of a line and between /* and */ are allowed; apart from them JSON is strict: duplicate "
              "keys, NaN, Infinity, numbers that overflow, NUL, lone surrogates and text behind the object are errors. "
              "A component is written as an object with type and its keys, or as its name alone. Unknown keys are "
              "errors. An error names file, line and key, and the exit status is 2.");
    puts(".Pp");
    mdoc_text("The key extends names another config, which is read first; objects of both are merged key by key, "
              "anything else takes the place of what was there, and a component of another type takes the place of the "
              "whole object. Relative paths, that of extends too, are relative to the file that holds them, in the "
              "command line to the current folder.");
    fputs(".Pp\nThe option\n.Fl -set Ar PATH Ns = Ns Ar JSON\nof every command changes a key after that, as in\n",
          stdout);
    mdoc_display("xent train a.json --set model.hidden='[256,128]' --set train.transforms.0=flip");
    puts(".Pp");
    mdoc_text("A path is keys with dots between them, elements of lists by number; a value that is no JSON is a "
              "string. It may be given again, and applies in order.");
    puts(".Sh KEYS");
    mdoc_params(config_params, NULL);
    puts(".Sh KEYS OF TRAIN");
    mdoc_text("A run ends at the first of epochs, steps and seconds that is reached.");
    mdoc_params(config_train_params, NULL);
    print_limits();
    puts(".Sh EXAMPLES");
    mdoc_display("{\n    \"data\": \"glyphs\",\n    \"model\": {\"type\": \"mlp\", \"hidden\": [128]},\n    \"train\": "
                 "{\"epochs\": 3}\n}");
    fputs(".Sh SEE ALSO\n.Xr xent 1 ,\n.Xr xent-check 1 ,\n.Xr xent-train 1 ,\n.Xr xent-run 5", stdout);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (kind_of(&rows[i]))
            printf(" ,\n.Xr xent-%s 7", kind_of(&rows[i])->plural);
    putchar('\n');
}

void pages_print_names(void)
{
    puts("xent-config.5");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (kind_of(&rows[i]))
            printf("xent-%s.7\n", kind_of(&rows[i])->plural);
}

bool page_print(const char *name, Error *error)
{
    char page[64];
    if (strcmp(name, "xent-config") == 0 || strcmp(name, "xent-config.5") == 0) {
        print_config();
        return true;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const ComponentKind *kind = kind_of(&rows[i]);
        if (!kind)
            continue;
        snprintf(page, sizeof page, "xent-%s.7", kind->plural);
        if (strcmp(page, name) == 0 || (strlen(name) + 2 == strlen(page) && strncmp(page, name, strlen(name)) == 0)) {
            print_kind(&rows[i], kind);
            return true;
        }
    }
    return fail_usage(error, "--page: %s: no such page; see xent help --pages", name);
}
