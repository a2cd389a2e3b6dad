/* Profit-aware pairwise loss of scores inside groups. Li and Ma 2025, as their code has it (GraphBasedLoss). */
#include <math.h>
#include <stdlib.h>

#include "losses/shared.h"

enum { LOG10, LN };
static const char *const logs[] = {"log10", "ln", NULL};

struct pa_bce { int64_t top_k; int log; };

static const Param params[] = {
    PARAM_INT(struct pa_bce, top_k, 6, .min = 1, .max = 1e6,
              .help = "members of a group that are compared: of most profit"),
    PARAM_ENUM(struct pa_bce, log, "log10", .choices = logs, .help = "of 1 + the difference of two profits"),
    PARAM_END
};

typedef struct Member { double group, profit; int32_t row; } Member;

/* By group, most profit first, ties in the order of the input. */
static int compare_members(const void *left, const void *right)
{
    const Member *a = left, *b = right;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (a->profit != b->profit)
        return a->profit > b->profit ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* Pairs of the rows of one group, the one of more profit first. */
typedef struct Pairs { Tensor *above, *below; double *weight; int64_t count; } Pairs;

/* Adds a group's pairs; a group whose loss is exactly 0 (ties only, or one member) adds none. */
static bool add_group(const struct pa_bce *self, const Tensor *scores, const Member *members, int64_t count, Pairs *to)
{
    int64_t begin = to->count, kept = count < self->top_k ? count : self->top_k;
    double loss = 0;
    for (int64_t a = 0; a < kept; a++)
        for (int64_t b = a + 1; b < kept; b++) {
            double weight = log1p(members[a].profit - members[b].profit) / (self->log == LN ? 1 : M_LN10);
            if (weight == 0)
                continue;
            double x = tensor_value(scores, members[b].row) - tensor_value(scores, members[a].row);
            loss += weight * (fmax(x, 0) + log1p(exp(-fabs(x))));
            tensor_i32(to->above)[to->count] = members[a].row;
            tensor_i32(to->below)[to->count] = members[b].row;
            to->weight[to->count++] = weight / (double)kept;
        }
    if (loss == 0)
        to->count = begin;
    return loss != 0;
}

static Member *sorted_members(const LossInput *in)
{
    int64_t n = in->logits->count;
    Member *members = arena_alloc(tape_arena(), (size_t)n * sizeof *members);
    for (int64_t i = 0; i < n; i++)
        members[i] = (Member){tensor_value(loss_extra(in, "group"), i), tensor_value(in->targets, i), (int32_t)i};
    qsort(members, (size_t)n, sizeof *members, compare_members);
    return members;
}

/* Where the group that begins at `begin` ends. */
static int64_t group_end(const Member *members, int64_t begin, int64_t n)
{
    int64_t end = begin;
    while (end < n && members[end].group == members[begin].group)
        end++;
    return end;
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct pa_bce *self = values;
    int64_t n = in->logits->count, most = 0, groups = 0;
    const Member *members = sorted_members(in);
    for (int64_t begin = 0, end; begin < n; begin = end) {
        end = group_end(members, begin, n);
        int64_t kept = end - begin < self->top_k ? end - begin : self->top_k;
        most += kept * (kept - 1) / 2;
    }
    Pairs pairs = {.above = t_new(ARRAY_I32, SHAPE(most)), .below = t_new(ARRAY_I32, SHAPE(most)),
                   .weight = arena_alloc(tape_arena(), (size_t)(most + 1) * sizeof(double))};
    for (int64_t begin = 0, end; begin < n; begin = end) {
        end = group_end(members, begin, n);
        groups += add_group(self, in->logits, members + begin, end - begin, &pairs);
    }
    if (groups == 0)
        return t_scale(t_sum(in->logits, ALL_AXES, false), 0);
    Tensor *weights = t_zeros(in->logits->type, SHAPE(most));
    for (int64_t i = 0; i < pairs.count; i++)
        tensor_set(weights, i, pairs.weight[i] / (double)groups);
    for (int64_t i = pairs.count; i < most; i++) /* without weight */
        tensor_i32(pairs.above)[i] = tensor_i32(pairs.below)[i] = 0;
    Tensor *gaps = t_sub(t_index_select(in->logits, pairs.below), t_index_select(in->logits, pairs.above));
    return t_sum(t_mul(weights, t_softplus(gaps)), ALL_AXES, false);
}

static bool check(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    const Tensor *group = loss_extra(in, "group");
    int64_t n = in->logits->shape[0];
    if (in->targets->rank != 1)
        return fail(error, "targets: pa_bce needs one profit a row");
    if (group->rank != 1 || group->shape[0] != n)
        return fail(error, "group: expected [%lld], one a row of the scores", (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(tensor_value(group, i)))
            return fail(error, "group: row %lld is not finite", (long long)i);
    return true;
}

/* Two groups, with a tie. */
static void sample(const void *self, Random *random, LossInput *in)
{
    (void)self, (void)random;
    int64_t n = in->logits->shape[0];
    Tensor *group = t_new(ARRAY_F64, SHAPE(n));
    for (int64_t i = 0; i < n; i++)
        tensor_set(group, i, i == 1 ? 7 : 3);
    loss_set_extra(in, "group", group);
    in->logits = t_reshape(t_slice(in->logits, 1, 0, 1), SHAPE(n));
    in->targets = t_reshape(t_slice(in->targets, 1, 0, 1), SHAPE(n));
    if (n > 2)
        tensor_set(in->targets, 2, tensor_value(in->targets, 0));
}

static const char *const extras[] = {"group", NULL};
static const char *const examples[] = {"\"pa_bce\"", "{\"type\": \"pa_bce\", \"top_k\": 3, \"log\": \"ln\"}", NULL};

const LossDef loss_pa_bce = {
    .component = {.name = "pa_bce", .summary = "order inside groups, each pair weighted by its difference of profit",
                  .params = params, .size = sizeof(struct pa_bce), .source = "arXiv:2509.16616",
                  .formula = "mean over groups of 1/k sum_{a<b} log10(1 + pi_a - pi_b) softplus(s_b - s_a), over the "
                             "group's k of most profit, sorted",
                  .notes = "Logits are scores [N], targets profits [N], the extra group [N] a number that members of "
                           "a group share. Groups whose loss is exactly 0 are left out of the mean."},
    .targets = LOSS_VALUES, .extras = extras, .whole_batch = true, .least_rank = 1, .most_rank = 1,
    .forward = forward, .check = check, .examples = examples, .sample = sample,
};
