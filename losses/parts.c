/* Losses that are made of losses: what they are follows from their parts. */
#include <assert.h>
#include <string.h>

#include "losses/shared.h"

static const LossDef *definition(const Instance *loss)
{
    return (const LossDef *)loss->component;
}

static const Instance *part_of(const Instance *loss, int64_t index)
{
    return definition(loss)->part ? definition(loss)->part(loss->values, index) : NULL;
}

/* ---- Leaves ---- */

static const Instance *find_leaf(const Instance *loss, int64_t *left)
{
    if (!definition(loss)->part)
        return (*left)-- == 0 ? loss : NULL;
    const Instance *part, *found = NULL;
    for (int64_t i = 0; !found && (part = part_of(loss, i)); i++)
        found = find_leaf(part, left);
    return found;
}

const Instance *loss_leaf(const Instance *loss, int64_t index)
{
    return find_leaf(loss, &index);
}

bool loss_any_leaf(const Instance *loss, bool (*is)(const LossDef *def))
{
    const Instance *leaf;
    for (int64_t i = 0; (leaf = loss_leaf(loss, i)); i++)
        if (is(definition(leaf)))
            return true;
    return false;
}

bool loss_every_leaf(const Instance *loss, bool (*is)(const LossDef *def))
{
    const Instance *leaf;
    for (int64_t i = 0; (leaf = loss_leaf(loss, i)); i++)
        if (!is(definition(leaf)))
            return false;
    return true;
}

bool loss_is_whole_batch(const LossDef *def)
{
    return def->whole_batch;
}

bool loss_is_of_cosines(const LossDef *def)
{
    return def->cosines;
}

bool loss_is_of_heads(const LossDef *def)
{
    return def->heads;
}

bool loss_is_of_scores(const LossDef *def)
{
    return def->most_rank == 1;
}

bool loss_is_of_head(const LossDef *def)
{
    return def->of_head;
}

bool loss_is_of_any_labels(const LossDef *def)
{
    return def->any_labels;
}

bool loss_looks_inside(const LossDef *def)
{
    return def->tap != NULL;
}

/* ---- What the whole takes ---- */

bool loss_targets_meet(LossTargets *common, LossTargets other)
{
    bool narrows = *common == LOSS_CLASSES_OR_SOFT && (other == LOSS_CLASSES || other == LOSS_SOFT);
    bool within = other == LOSS_CLASSES_OR_SOFT && (*common == LOSS_CLASSES || *common == LOSS_SOFT);
    if (*common == LOSS_NO_TARGETS || narrows)
        *common = other;
    return *common == other || other == LOSS_NO_TARGETS || within;
}

LossTargets loss_targets(const Instance *loss)
{
    LossTargets common = definition(loss)->targets;
    const Instance *part;
    for (int64_t i = 0; (part = part_of(loss, i)); i++)
        loss_targets_meet(&common, loss_targets(part));
    return common;
}

bool loss_takes_extra(const Instance *loss, const char *name)
{
    const Instance *leaf;
    for (int64_t i = 0; (leaf = loss_leaf(loss, i)); i++)
        for (const char *const *known = definition(leaf)->extras; known && *known; known++) {
            size_t length = strcspn(*known, "?");
            if (strncmp(*known, name, length) == 0 && strlen(name) == length)
                return true;
        }
    return false;
}

const char *loss_missing_extra(const Instance *loss, bool (*has)(const void *context, const char *name),
                               const void *context)
{
    const Instance *leaf;
    for (int64_t i = 0; (leaf = loss_leaf(loss, i)); i++)
        for (const char *const *name = definition(leaf)->extras; name && *name; name++)
            if (!strchr(*name, '?') && !has(context, *name))
                return *name;
    return NULL;
}

static bool is_input(const void *context, const char *name)
{
    (void)context;
    return strcmp(name, "x") == 0 || strcmp(name, "group") == 0;
}

bool loss_measures(const Instance *loss)
{
    return !loss_missing_extra(loss, is_input, NULL) && loss_targets(loss) != LOSS_IDS;
}

int64_t loss_state_width(const Instance *loss, int64_t outputs)
{
    const LossDef *def = definition(loss);
    int64_t width = def->state_width ? def->state_width(loss->values, outputs) : 0;
    const Instance *part;
    for (int64_t i = 0; (part = part_of(loss, i)); i++)
        width += loss_state_width(part, outputs);
    return width;
}

int64_t loss_run_state_width(const Instance *loss)
{
    const LossDef *def = definition(loss);
    int64_t width = def->run_state_width ? def->run_state_width(loss->values) : 0;
    const Instance *part;
    for (int64_t i = 0; (part = part_of(loss, i)); i++)
        width += loss_run_state_width(part);
    return width;
}

/* What all parts have; it is proper where no part is taken off and classes do not weigh. */
int loss_properties(const Instance *loss)
{
    const LossDef *def = definition(loss);
    if (!def->part)
        return def->properties;
    int common = LOSS_BOUNDED | LOSS_SYMMETRIC | LOSS_TRANSLATION_INVARIANT | LOSS_PROPER, detached = 0;
    const Instance *part;
    for (int64_t i = 0; (part = part_of(loss, i)); i++) {
        int own = loss_properties(part);
        detached |= own & LOSS_DETACHED;
        common &= loss_part_factor(loss, i, &SCHEDULE_END) > 0 && !def->weights ? own : own & ~LOSS_PROPER;
    }
    return common | detached;
}

/* ---- What its logits are ---- */

/* It has no targets that a number of columns would follow from. */
static bool takes_any_columns(const LossDef *def)
{
    return def->targets == LOSS_NO_TARGETS && !def->outputs;
}

int64_t loss_outputs(const Instance *loss, int64_t classes)
{
    const LossDef *def = definition(loss);
    if (!def->part)
        return def->outputs ? def->outputs(loss->values, classes) : classes;
    const Instance *part;
    int64_t common = PARAM_UNSET;
    for (int64_t i = 0; (part = part_of(loss, i)); i++) {
        if (loss_every_leaf(part, takes_any_columns))
            continue;
        int64_t outputs = loss_outputs(part, classes);
        if (common != PARAM_UNSET && outputs != common)
            return 0;
        common = outputs;
    }
    return common == PARAM_UNSET ? classes : common;
}

static bool decodes(const Instance *leaf)
{
    const LossDef *def = definition(leaf);
    return def->decodes ? def->decodes(leaf->values) : def->decode != NULL;
}

/* The first that says what the logits mean; NULL: none does. */
static const Instance *decoder(const Instance *loss)
{
    const Instance *leaf;
    for (int64_t i = 0; (leaf = loss_leaf(loss, i)); i++)
        if (decodes(leaf))
            return leaf;
    return NULL;
}

bool loss_decodes(const Instance *loss)
{
    return decoder(loss) != NULL;
}

void loss_decode(const Instance *loss, const Tensor *logits, int64_t classes, double *decoded)
{
    const Instance *by = decoder(loss);
    int64_t outputs = logits->shape[logits->rank - 1];
    assert(loss_outputs(loss, classes) == outputs);
    double *row = by ? arena_alloc(tape_arena(), (size_t)outputs * sizeof *row) : NULL;
    for (int64_t i = 0; !row && i < logits->count; i++)
        decoded[i] = tensor_value(logits, i);
    for (int64_t i = 0; row && i < logits->count / outputs; i++) {
        for (int64_t k = 0; k < outputs; k++)
            row[k] = tensor_value(logits, i * outputs + k);
        definition(by)->decode(by->values, outputs, row, decoded + i * classes);
    }
}

/* ---- A part's share ---- */

double loss_part_factor(const Instance *loss, int64_t index, const ScheduleContext *at)
{
    const LossDef *def = definition(loss);
    return def->factor ? def->factor(loss->values, index, at) : 1;
}

void loss_drop_score_axis(const Instance *loss, LossInput *in)
{
    if (!loss_every_leaf(loss, loss_is_of_scores) || in->logits->rank != 2 || in->logits->shape[1] != 1)
        return;
    in->logits = t_reshape(in->logits, SHAPE(in->logits->shape[0]));
    if (in->targets && in->targets->rank == 2 && in->targets->shape[1] == 1)
        in->targets = t_reshape(in->targets, SHAPE(in->targets->shape[0]));
}

LossInput loss_part_input(const Instance *loss, int64_t index, const LossInput *in)
{
    const Instance *part = part_of(loss, index);
    LossInput own = *in;
    int64_t columns = in->logits->rank > 1 ? loss_columns(in) : 1;
    own.extra_count = 0;
    for (int i = 0; i < in->extra_count; i++)
        if (loss_takes_extra(part, in->extras[i].name))
            loss_set_extra(&own, in->extras[i].name, in->extras[i].value);
    own.state_stride = in->state_stride ? in->state_stride : loss_state_width(loss, columns);
    for (int64_t i = 0; i < index; i++) {
        own.state = own.state ? own.state + loss_state_width(part_of(loss, i), columns) : NULL;
        own.run_state = own.run_state ? own.run_state + loss_run_state_width(part_of(loss, i)) : NULL;
    }
    loss_drop_score_axis(part, &own);
    return own;
}
