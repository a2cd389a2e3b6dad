/* A weighted sum of losses, and the entropy of the prediction, which is mostly a term of one:

       {"type": "sum", "terms": [{"type": "ce"}, {"type": "entropy", "weight": -0.1}]} */
#include "losses/rows.h"
#include "losses/shared.h"

struct sum { TermList terms; };

static const Param params[] = {
    PARAM_TERMS(struct sum, terms, NULL, "loss", .min_count = 1,
                .help = "losses of one kind of targets, or of none, each with a further key \"weight\" (1), a "
                        "number or a schedule"),
    PARAM_END
};

static const Instance *part(const void *values, int64_t index)
{
    const TermList *terms = &((const struct sum *)values)->terms;
    return index < terms->count ? &terms->items[index].instance : NULL;
}

static double factor(const void *values, int64_t index, const ScheduleContext *at)
{
    return weight_at(&((const struct sum *)values)->terms.items[index].weight, at);
}

static bool validate(const void *values, Error *error)
{
    LossTargets common = LOSS_NO_TARGETS;
    const Instance *term;
    for (int64_t i = 0; (term = part(values, i)); i++)
        if (!loss_targets_meet(&common, loss_targets(term)))
            return fail_usage(error, "terms[%lld]: %s wants %s, the terms before it %s", (long long)i,
                              term->component->name, loss_targets_name(loss_targets(term)), loss_targets_name(common));
    return true;
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
    "{\"type\": \"sum\", \"terms\": [\"coral\", {\"type\": \"corn\", \"weight\": 0.5}]}",
    "{\"type\": \"sum\", \"terms\": [\"bias\", \"mw\", {\"type\": \"sum\", \"terms\": [\"elr\", "
    "\"entropy\"], \"weight\": 0.5}]}",
    "{\"type\": \"sum\", \"terms\": [\"pa_bce\", {\"type\": \"mse\", \"weight\": 0.1}]}", NULL};

const LossDef loss_sum = {
    .component = {.name = "sum", .summary = "a weighted sum of losses", .params = params, .size = sizeof(struct sum),
                  .formula = "sum_i weight_i loss_i",
                  .notes = "Terms are any losses, sums among them, that share a kind of targets, and losses of no "
                           "targets beside them. Each is what it is alone, with class weights, ignored rows, "
                           "reduction and state of its own; extras and features go to the terms that take them, and "
                           "random losses draw alike. A weight moves by a schedule of xent-schedules(7), as "
                           "{\"type\": \"linear\", \"from\": -0.1, \"to\": 0} does. Where a term is one value of the "
                           "whole batch, so is the sum. A model needs as many outputs as every term wants, and "
                           "predicts as the first term that has a prediction of its own.",
                  .validate = validate},
    .part = part, .factor = factor, .examples = examples, .fit = fit,
};

/* -p_k (log p_k + H) */
ROW float entropy_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    const RowSum all = row_log_sum_exp(row);
    const double entropy = row_entropy(row, all);
    const float *z = row->logits, H = (float)entropy;
    const int64_t columns = row->columns;
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++) {
        const float log_p = (z[k] - all.largest) - all.log_sum;
        gradient[k] = -float_exp(log_p) * (log_p + H);
    }
    return H;
}

LOSS_ROWS(entropy)

const LossDef loss_entropy = {
    .component = {.name = "entropy", .summary = "entropy of the prediction, a term of sums", .source = "Shannon 1948",
                  .formula = "-sum_k p_k log p_k, p = softmax(z)"},
    .targets = LOSS_NO_TARGETS, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_BOUNDED,
    .forward = entropy, .rows = &rows_entropy,
};
