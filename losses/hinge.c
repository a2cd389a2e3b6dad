/* Hinge losses of several classes: one against the rest, or the best rival alone (Crammer and Singer 2001). */
#include <math.h>

#include "losses/shared.h"

enum { OVR, CRAMMER_SINGER };
static const char *const multiclass_choices[] = {"ovr", "crammer_singer", NULL};

struct hinge { int multiclass; double margin; };

static const Param params[] = {
    PARAM_ENUM(struct hinge, multiclass, "ovr", .choices = multiclass_choices,
               .help = "each class on its own, or the best rival"),
    PARAM_FLOAT(struct hinge, margin, 1, .min = 0, .help = "distance that costs nothing"),
    PARAM_END
};

/* What falls short of the margin: [N, C] for ovr, [N] for crammer_singer. */
static Tensor *shortfall(const struct hinge *self, const LossInput *in)
{
    if (self->multiclass == CRAMMER_SINGER) {
        Tensor *rival = t_max(loss_without_target(in->logits, in->targets, -INFINITY), -1, false);
        return t_relu(t_add_scalar(t_sub(rival, t_pick(in->logits, in->targets)), self->margin));
    }
    Tensor *sign = t_add_scalar(t_scale(loss_one_hot(in), 2), -1);
    return t_relu(t_add_scalar(t_neg(t_mul(sign, in->logits)), self->margin));
}

static Tensor *over_classes(Tensor *terms)
{
    return terms->rank == 2 ? t_sum(terms, -1, false) : terms;
}

static Tensor *hinge(const void *self, const LossInput *in)
{
    return over_classes(shortfall(self, in));
}

static Tensor *squared_hinge(const void *self, const LossInput *in)
{
    return over_classes(t_square(shortfall(self, in)));
}

static const char *const hinge_examples[] = {
    "\"hinge\"", "{\"type\": \"hinge\", \"multiclass\": \"crammer_singer\", \"margin\": 2}", NULL};
static const char *const squared_examples[] = {
    "\"squared_hinge\"", "{\"type\": \"squared_hinge\", \"multiclass\": \"crammer_singer\"}", NULL};

const LossDef loss_hinge = {
    .component = {.name = "hinge", .summary = "hinge loss, one against the rest or Crammer and Singer's",
                  .params = params,
                  .size = sizeof(struct hinge), .source = "Crammer and Singer 2001",
                  .formula = "ovr: sum_k max(0, margin - s_k z_k), s = +1 for the target, -1 else; "
                             "crammer_singer: max(0, margin + max_{k != y} z_k - z_y)"},
    .targets = LOSS_CLASSES, .forward = hinge, .examples = hinge_examples,
};

const LossDef loss_squared_hinge = {
    .component = {.name = "squared_hinge", .summary = "hinge loss, squared after the maximum", .params = params,
                  .size = sizeof(struct hinge), .source = "Crammer and Singer 2001",
                  .formula = "as hinge, each max(0, ...) squared"},
    .targets = LOSS_CLASSES, .forward = squared_hinge, .examples = squared_examples,
};
