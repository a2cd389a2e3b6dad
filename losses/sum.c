/* A weighted sum of losses, and the entropy of the prediction, which is mostly a term of one:

       {"type": "sum", "terms": [{"type": "ce"}, {"type": "entropy", "weight": -0.1}]} */
#include "losses/shared.h"

struct sum { TermList terms; };

static const Param params[] = {
    PARAM_TERMS(struct sum, terms, NULL, "loss", .min_count = 1,
                .help = "losses of one kind of targets, or of none, each with a further key \"weight\" (1), a "
                        "number or a schedule"),
    PARAM_END
};

static const LossDef *definition(const Term *term)
{
    return (const LossDef *)term->instance.component;
}

/* Targets that both take; false: there are none. */
static bool share_targets(LossTargets *common, LossTargets other)
{
    bool classes = *common == LOSS_CLASSES || *common == LOSS_CLASSES_OR_SOFT;
    if (*common == LOSS_NO_TARGETS || (classes && other == LOSS_CLASSES))
        *common = other;
    return *common == other || other == LOSS_NO_TARGETS || (classes && other == LOSS_CLASSES_OR_SOFT);
}

static bool validate(const void *values, Error *error)
{
    const struct sum *self = values;
    LossTargets common = LOSS_NO_TARGETS;
    for (int64_t i = 0; i < self->terms.count; i++) {
        const LossDef *def = definition(&self->terms.items[i]);
        LossTargets targets = loss_targets(&self->terms.items[i].instance);
        bool fits = targets == LOSS_NO_TARGETS || targets == LOSS_CLASSES || targets == LOSS_CLASSES_OR_SOFT ||
            targets == LOSS_LABELS || targets == LOSS_VALUES;
        if (!fits || def->whole_batch || def->state_of_run || def->sums || def->any_extras || def->cosines)
            return fail_usage(error,
                              "terms[%lld]: %s cannot be a term: it is not a loss of classes, labels or values, of "
                              "logits as they come, with a value for each sample alone", (long long)i,
                              def->component.name);
        if (!share_targets(&common, targets))
            return fail_usage(error, "terms[%lld]: %s wants %s, the terms before it %s", (long long)i,
                              def->component.name, loss_targets_name(targets), loss_targets_name(common));
    }
    return true;
}

static LossTargets targets_of(const void *values)
{
    const struct sum *self = values;
    LossTargets common = LOSS_NO_TARGETS;
    for (int64_t i = 0; i < self->terms.count; i++)
        share_targets(&common, loss_targets(&self->terms.items[i].instance));
    return common == LOSS_NO_TARGETS ? LOSS_CLASSES_OR_SOFT : common;
}

/* The input with the extras that the term takes. */
static LossInput input_of(const Term *term, const LossInput *in)
{
    LossInput own = *in;
    own.extra_count = 0;
    for (int i = 0; i < in->extra_count; i++)
        if (loss_takes_extra(definition(term), in->extras[i].name))
            loss_set_extra(&own, in->extras[i].name, in->extras[i].value);
    return own;
}

static bool check(const void *values, const LossInput *in, Error *error)
{
    const struct sum *self = values;
    for (int e = 0; e < in->extra_count; e++) {
        bool taken = false;
        for (int64_t i = 0; i < self->terms.count; i++)
            taken |= loss_takes_extra(definition(&self->terms.items[i]), in->extras[e].name);
        if (!taken)
            return fail_usage(error, "no term takes an extra \"%s\"", in->extras[e].name);
    }
    for (int64_t i = 0; i < self->terms.count; i++) {
        LossInput own = input_of(&self->terms.items[i], in);
        if (!loss_check(&self->terms.items[i].instance, &own, error))
            return false;
    }
    return true;
}

/* The terms' one after the other. */
static int64_t state_width(const void *values, int64_t classes)
{
    const struct sum *self = values;
    int64_t width = 0;
    for (int64_t i = 0; i < self->terms.count; i++)
        width += loss_state_width(&self->terms.items[i].instance, classes);
    return width;
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct sum *self = values;
    int64_t stride = in->state_stride ? in->state_stride : state_width(self, loss_columns(in)), before = 0;
    Tensor *total = NULL;
    for (int64_t i = 0; i < self->terms.count; i++) {
        const Term *term = &self->terms.items[i];
        LossInput own = input_of(term, in);
        if (in->state)
            own.state = in->state + before;
        own.state_stride = stride;
        before += loss_state_width(&term->instance, loss_columns(in));
        Tensor *value = definition(term)->forward(term->instance.values, &own);
        value = t_scale(value, weight_at(&term->weight, &in->at));
        total = total ? t_add(total, value) : value;
    }
    return total;
}

/* What every term wants: those of thresholds and those of a column a class do not go together. */
static int64_t outputs(const void *values, int64_t classes)
{
    const struct sum *self = values;
    int64_t common = loss_outputs(&self->terms.items[0].instance, classes);
    for (int64_t i = 1; i < self->terms.count; i++)
        if (loss_outputs(&self->terms.items[i].instance, classes) != common)
            return 0;
    return common;
}

/* What all terms have; the sum is proper where no term is taken off. */
static int properties_of(const void *values)
{
    const struct sum *self = values;
    int common = LOSS_BOUNDED | LOSS_SYMMETRIC | LOSS_TRANSLATION_INVARIANT | LOSS_PROPER, detached = 0;
    for (int64_t i = 0; i < self->terms.count; i++) {
        int own = loss_properties(&self->terms.items[i].instance);
        detached |= own & LOSS_DETACHED;
        common &= weight_at(&self->terms.items[i].weight, &SCHEDULE_END) > 0 ? own : own & ~LOSS_PROPER;
    }
    return common | detached;
}

/* The first term that says what the logits mean; NULL: none does. */
static const Instance *decoder(const struct sum *self)
{
    for (int64_t i = 0; i < self->terms.count; i++)
        if (loss_decodes(&self->terms.items[i].instance))
            return &self->terms.items[i].instance;
    return NULL;
}

static bool decodes(const void *values)
{
    return decoder(values) != NULL;
}

static void decode(const void *values, int64_t columns, const double *logits, double *decoded)
{
    const Instance *first = decoder(values);
    ((const LossDef *)first->component)->decode(first->values, columns, logits, decoded);
}

/* Of the first term that weighs its rows. */
static Tensor *weights(const void *values, const LossInput *in)
{
    const struct sum *self = values;
    for (int64_t i = 0; i < self->terms.count; i++) {
        const Term *term = &self->terms.items[i];
        LossInput own = input_of(term, in);
        Tensor *result = definition(term)->weights ? definition(term)->weights(term->instance.values, &own) : NULL;
        if (result)
            return result;
    }
    return NULL;
}

/* ---- Entropy ---- */

static Tensor *entropy(const void *self, const LossInput *in)
{
    (void)self;
    return loss_entropy_of(t_log_softmax(in->logits));
}

static void fit(int64_t columns, cJSON *spec)
{
    (void)columns;
    cJSON *terms = cJSON_AddArrayToObject(spec, "terms"), *second = cJSON_CreateObject();
    cJSON_AddItemToArray(terms, cJSON_CreateString("ce"));
    cJSON_AddStringToObject(second, "type", "entropy");
    cJSON_AddNumberToObject(second, "weight", -0.1);
    cJSON_AddItemToArray(terms, second);
}

static const char *const examples[] = {
    "{\"type\": \"sum\", \"terms\": [\"ce\", {\"type\": \"entropy\", \"weight\": -0.1}]}",
    "{\"type\": \"sum\", \"terms\": [{\"type\": \"ce\", \"class_weights\": [1, 2, 3]}, "
    "{\"type\": \"mae\", \"weight\": 0.5}]}",
    "{\"type\": \"sum\", \"terms\": [\"ce\", {\"type\": \"entropy\", \"weight\": "
    "{\"type\": \"cosine\", \"from\": -0.5, \"to\": 0.1, \"final\": 0.25}}]}",
    "{\"type\": \"sum\", \"terms\": [\"bce\", {\"type\": \"dice\", \"weight\": 0.5}]}",
    "{\"type\": \"sum\", \"terms\": [\"mse\", {\"type\": \"huber\", \"weight\": 2}]}",
    "{\"type\": \"sum\", \"terms\": [\"coral\", {\"type\": \"corn\", \"weight\": 0.5}]}", NULL};

const LossDef loss_sum = {
    .component = {.name = "sum", .summary = "a weighted sum of losses", .params = params, .size = sizeof(struct sum),
                  .formula = "sum_i weight_i loss_i",
                  .notes = "Terms are losses of classes, of labels, or of values (and losses of no targets beside "
                           "them) that "
                           "have a value for each sample; extras go "
                           "to the terms that take them. A weight moves by a schedule of xent-schedules(7), as "
                           "{\"type\": \"linear\", \"from\": -0.1, \"to\": 0} does. The class weights and ignored rows "
                           "of the first term that has any hold for all. The terms must want as many outputs of a "
                           "model as each other, which predicts as the first term that has a prediction of its own.",
                  .validate = validate},
    .targets = LOSS_CLASSES_OR_SOFT, .targets_of = targets_of, .properties_of = properties_of,
    .own_classes = true, .any_extras = true, .least_rank = 1,
    .most_rank = 6, .outputs = outputs, .decode = decode,
    .decodes = decodes, .state_width = state_width, .forward = forward, .weights = weights, .check = check,
    .examples = examples, .fit = fit,
};

const LossDef loss_entropy = {
    .component = {.name = "entropy", .summary = "entropy of the prediction, a term of sums", .source = "Shannon 1948",
                  .formula = "-sum_k p_k log p_k, p = softmax(z)"},
    .targets = LOSS_NO_TARGETS, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_BOUNDED, .forward = entropy,
};
