/* Losses. To add one: a file in this folder with

       struct NAME { double q; };
       static const Param params[] = {...};
       static Tensor *forward(const void *self, const LossInput *in) {...}
       const LossDef loss_NAME = { .component = {...}, .targets = LOSS_CLASSES, .forward = forward };

   It is then in `xent list losses`, in `xent loss`, in configs, on its page, and in the tests that walk
   the registry (gradients, extreme logits, declared properties). Nats throughout. */
#ifndef XENT_LOSSES_LOSS_H
#define XENT_LOSSES_LOSS_H

#include "core/base/component.h"
#include "core/base/random.h"
#include "core/schedules/schedule.h"
#include "core/tensor/tensor.h"

typedef enum LossTargets {
    LOSS_NO_TARGETS,
    LOSS_CLASSES,               /* I32 [N], 0..C-1 */
    LOSS_CLASSES_OR_SOFT,       /* or probabilities [N, C] of the logits' type */
    LOSS_SOFT,                  /* probabilities [N, C] only */
    LOSS_LABELS,                /* [N, C] of the logits' type, 0..1 */
    LOSS_VALUES,                /* [N] or [N, K] real values */
    LOSS_IDS,                   /* I32 [N], any integers */
    LOSS_TOKENS                 /* I32 [N, T] */
} LossTargets;

/* What the definition claims, with default parameters. Each claim is tested, and what holds without one is found. */
enum {
    LOSS_BOUNDED = 1,                   /* finite supremum over the logits (or embeddings) */
    LOSS_SYMMETRIC = 2,                 /* the sum over all targets does not depend on the logits */
    LOSS_TRANSLATION_INVARIANT = 4,     /* adding a constant to a row of logits changes nothing */
    LOSS_PROPER = 8,                    /* the expected loss is least at softmax = the true probabilities */
    LOSS_DETACHED = 16                  /* no claim: the gradient leaves a path out that the value takes */
};

typedef struct LossExtra { const char *name; Tensor *value; } LossExtra;

typedef struct LossInput {
    Tensor *logits;             /* [N, C], or what takes their place (the definition says) */
    Tensor *targets;            /* as the definition's kind; NULL where there are none */
    Tensor *features;           /* the input of the model's head [N, D]; NULL: unknown */
    Tensor *weights;            /* [N] sample weights; NULL: all 1. Applied by loss_evaluate, not by losses */
    const LossExtra *extras;
    int extra_count;
    const int64_t *ids;         /* [N] of the samples in the data set; NULL: 0, 1, ... */
    float *state;               /* [samples of the data set, state width]; NULL: fresh */
    int64_t state_stride;       /* floats from one sample's state to the next; 0: the loss's state width */
    float *run_state;           /* [run state width]; NULL: fresh */
    Random random;              /* for random losses */
    ScheduleContext at;         /* where training is; SCHEDULE_END where a model is measured */
} LossInput;

/* Of one row of logits. */
typedef struct LossMoments {
    int64_t classes;
    double sum, squares, target;        /* sum_k z_k, sum_k z_k^2, z_y */
} LossMoments;

enum { LOSS_MOST_FIGURES = 8 };

typedef struct LossDef {
    Component component;
    LossTargets targets;        /* beside those of the parts, where there are some */
    /* Losses that this one is made of: the one of this index, NULL behind the last. Its value is the sum of theirs
       times `factor` (NULL: 1), each with its own reduction, and its `forward` is NULL. What they take and keep and
       want of a model is the whole's, which has nothing of that itself. NULL: it is no composite. */
    const Instance *(*part)(const void *self, int64_t index);
    double (*factor)(const void *self, int64_t index, const ScheduleContext *at);
    /* Names of further inputs, NULL-terminated; a name ending in '?' is optional. In training "x" is the batch's input,
       "group" the group of each sample, and others the columns of that name that the data has, or an objective's to
       give. Losses of one axis of logits take a model's single output. */
    const char *const *extras;
    bool whole_batch;           /* forward returns one value of rank 0, not one a sample */
    int properties;             /* of a composite: those of its parts */
    int least_rank, most_rank;  /* axes of the logits; 0, 0: two */
    /* Size of the logits' last axis: fixed by the definition, or 0; the least one with a meaning, 0 for 1. What is
       narrower is refused. */
    int64_t columns, least_columns;
    int64_t least_samples;      /* fewer are refused; 0: 1 */
    double one_class;           /* what it costs, with its defaults, where there is but one column of all classes */
    bool cosines;               /* in training: the logits are cosines of features and class directions */
    bool (*unit_directions)(const void *self); /* whether those directions are kept at length 1; NULL: they are not */
    bool heads;                 /* in training: columns of logits are answers to one question, of a head each */
    bool own_classes;           /* `check` knows how many classes there are */
    int64_t unnamed_classes;    /* classes without a column of logits: 1 where columns are thresholds between them */
    /* Columns of logits that data of so many classes, labels or values needs from a model; 0: such data is not for
       this loss. NULL: as many. */
    int64_t (*outputs)(const void *self, int64_t classes);
    /* One row of logits, [outputs], to what metrics and predictions take, [classes]: logarithms of probabilities, or
       values. NULL: that is what logits are, by softmax, of labels by a sigmoid each. */
    void (*decode)(const void *self, int64_t outputs, const double *logits, double *decoded);
    bool (*decodes)(const void *self);          /* whether `decode` is needed; NULL: where there is one */
    int64_t (*state_width)(const void *self, int64_t classes); /* floats kept for each sample, 0 at first; NULL: none */
    bool positives;             /* of labels: a row without one above 0 is refused */
    int64_t (*run_state_width)(const void *self);   /* floats kept for the run, 0 at first; NULL: none */
    bool any_labels;            /* of labels: also of some of them, other ones in every batch */
    /* In training: the layer whose output is `features`, by name, or "last_conv"; NULL: the input of the head. */
    const char *(*tap)(const void *self);
    /* Losses that are functions of those moments alone: the value, and its derivatives for sum, squares and target.
       They can be had without the logits (the objective factored_output). NULL: not so. */
    double (*of_moments)(const void *self, const LossMoments *moments, double slopes[3]);
    Tensor *(*forward)(const void *self, const LossInput *in); /* -> [N] nats, or rank 0 for whole_batch */
    /* The same in closed form, in single precision, where nothing but the logits wants a gradient (losses/rows.h).
       NULL: `forward` serves. */
    const struct LossRows *rows;
    /* What training logs of a batch beside the loss: names, NULL-terminated, at most LOSS_MOST_FIGURES, and their
       values; NaN: undefined. Called before or after `forward`, with the same input. NULL: nothing. */
    const char *const *figures;
    void (*measure)(const void *self, const LossInput *in, double *values);
    /* What joins the sample weights in the mean, [N], without gradient: class weights, 0 for ignored rows
       (whose forward is 0). Of a composite: what joins those of its parts. NULL, or a result of NULL: nothing. */
    Tensor *(*weights)(const void *self, const LossInput *in);
    bool (*sums)(const void *self);             /* true: the loss is the weighted sum, not the mean; NULL: never */
    int64_t (*ignore_index)(const void *self);  /* a target outside the classes that is allowed; NULL,
        PARAM_UNSET: none */
    int64_t (*shift)(const void *self);         /* rows by which targets are ahead of the logits; NULL: 0 */
    /* Whether it is cross-entropy of classes and nothing more than that and `ignore_index`: a model with many outputs
       may then be trained with cce. NULL: not so. */
    bool (*plain)(const void *self);
    bool of_head;               /* with the extras "weight" and "bias": of the head's input, and no logits are formed */
    /* What shapes and values of the inputs cannot be. A message about an input begins with its name
       ("targets: ..."). NULL: the kinds say it all. */
    bool (*check)(const void *self, const LossInput *in, Error *error);
    /* Specs that the page shows and the tests run, NULL-terminated; NULL: the bare name. */
    const char *const *examples;
    /* Adds to the spec {"type": NAME} the keys that so many columns (or classes) need. NULL: it needs none. */
    void (*fit)(int64_t columns, cJSON *spec);
    bool square;                /* it needs an array of columns x columns */
    /* Puts inputs of special shapes where loss_sample made the usual ones. NULL: those do. */
    void (*sample)(const void *self, Random *random, LossInput *in);
    int64_t sample_columns;     /* that its examples are for; 0: 3 */
} LossDef;

typedef struct LossResult {
    Tensor *loss;               /* rank 0: sum(w l) / sum(w); 0 where every weight is 0 */
    Tensor *per_sample;         /* [N]; NULL for whole_batch, and where a part has none */
} LossResult;

/* Checks shapes, kinds and ranges of the inputs against the definition. Messages begin with the name of the
   input, or with the loss's; exit 1 for what is in an array, 2 for an input that is missing or too many. */
bool loss_check(const Instance *loss, const LossInput *in, Error *error);
/* Inputs are as loss_check wants them. */
LossResult loss_evaluate(const Instance *loss, const LossInput *in);
LossTargets loss_targets(const Instance *loss);
int loss_properties(const Instance *loss);
/* Columns of logits for data of so many classes; 0: the loss cannot be had with them. */
int64_t loss_outputs(const Instance *loss, int64_t classes);
/* Floats that are kept for each sample, and for the run; 0: none. */
int64_t loss_state_width(const Instance *loss, int64_t outputs);
int64_t loss_run_state_width(const Instance *loss);
/* Rows of logits, [..., outputs], by the definition's `decode` into decoded [rows, classes]. */
void loss_decode(const Instance *loss, const Tensor *logits, int64_t classes, double *decoded);
Tensor *loss_extra(const LossInput *in, const char *name);      /* NULL: not given */
bool loss_takes_extra(const Instance *loss, const char *name);
/* The first extra that it cannot do without and that is not there by `has`; NULL: none. */
const char *loss_missing_extra(const Instance *loss, bool (*has)(const void *context, const char *name),
                               const void *context);
/* Whether a model is measured with it on samples alone: it compares no views and needs no extras but "x", "group". */
bool loss_measures(const Instance *loss);
/* Whether that is more than taking the logits as they are. */
bool loss_decodes(const Instance *loss);
const char *loss_targets_name(LossTargets targets);             /* "classes", ... */
/* The same, and of composites that it is their parts' to say. */
const char *loss_kind_name(const LossDef *def);
/* Four letters, '-' for what is not declared, "part" where parts decide. */
void loss_property_letters(const LossDef *def, char letters[5]);
/* "bounded", ... of the bit, or NULL where it is no claim. */
const char *loss_property_name(int property);

/* ---- Composites (losses/parts.c) ---- */

/* The losses without parts that it consists of, in order, itself where it has none; NULL behind the last. */
const Instance *loss_leaf(const Instance *loss, int64_t index);
/* Whether the definition of every one, or of any, is so. */
bool loss_every_leaf(const Instance *loss, bool (*is)(const LossDef *def));
bool loss_any_leaf(const Instance *loss, bool (*is)(const LossDef *def));
/* Predicates for them. */
bool loss_is_whole_batch(const LossDef *def);
bool loss_is_of_cosines(const LossDef *def);
bool loss_is_of_heads(const LossDef *def);
bool loss_is_of_scores(const LossDef *def);         /* of logits [N] alone */
bool loss_is_of_head(const LossDef *def);           /* `of_head` */
bool loss_is_of_any_labels(const LossDef *def);
bool loss_looks_inside(const LossDef *def);         /* it has a `tap` */
/* Narrows `common` to targets that `other` takes as well; false: there are none. */
bool loss_targets_meet(LossTargets *common, LossTargets other);
/* The input as the part wants it: extras that it takes, its states, its factor left out. */
LossInput loss_part_input(const Instance *loss, int64_t index, const LossInput *in);
/* Logits [N, 1], and targets, lose their second axis where the loss wants no other than scores [N]. */
void loss_drop_score_axis(const Instance *loss, LossInput *in);
double loss_part_factor(const Instance *loss, int64_t index, const ScheduleContext *at);

/* Random inputs of the declared kinds, F64, in the tape's arena; 0 columns: as many as the examples are for. */
LossInput loss_sample(const Instance *loss, Random *random, int64_t samples, int64_t columns);
/* The loss with the keys that so many columns need, in the arena and the source. */
bool loss_fitted(const LossDef *def, int64_t columns, JsonSource *source, Arena *arena, Instance *loss, Error *error);
/* In the tape's arena; replaces an extra of that name. */
void loss_set_extra(LossInput *in, const char *name, Tensor *value);

#endif
