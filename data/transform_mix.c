/* Samples mixed with others of their batch. Partners are a random permutation, one mixture for a batch. */
#include <math.h>
#include <string.h>

#include "core/base/random_distributions.h"
#include "data/image.h"

struct mix { double alpha, probability; };

/* rows[i] = own rows[i] + (1 - own) rows[partners[i]], of the rows as they were; rows: [count, length]. */
static void mix_rows(const Batch *batch, const int64_t *partners, double own, int64_t length, float *rows,
                     Arena *scratch)
{
    size_t bytes = (size_t)(batch->count * length) * sizeof *rows;
    float *copy = arena_alloc(scratch, bytes), share = (float)own;
    memcpy(copy, rows, bytes);
    for (int64_t i = 0; i < batch->count; i++) {
        const float *other = copy + partners[i] * length;
        float *row = rows + i * length;
        for (int64_t j = 0; j < length; j++)
            row[j] = share * row[j] + (1 - share) * other[j];
    }
}

static int64_t *draw_partners(Random *random, int64_t count, Arena *scratch)
{
    int64_t *partners = arena_alloc(scratch, (size_t)count * sizeof *partners);
    random_permutation(random, count, partners);
    return partners;
}

static bool validate(const void *values, Error *error)
{
    double alpha = ((const struct mix *)values)->alpha;
    if (alpha > 0 && alpha < 1e-6)
        return fail_usage(error, "alpha: expected 0 or at least 1e-6, got %g", alpha);
    return true;
}

static const Param mixup_params[] = {
    PARAM_FLOAT(struct mix, alpha, 0.2, .min = 0, .max = 1000,
                .help = "of Beta(alpha, alpha), the share of the first sample; 0: nothing is mixed"),
    PARAM_FLOAT(struct mix, probability, 1, .min = 0, .max = 1, .help = "of a batch to be mixed"),
    PARAM_END
};

static void apply_mixup(const void *values, const TransformShape *shape, Random *random, int64_t classes, Batch *batch,
                        Arena *scratch)
{
    const struct mix *mix = values;
    if (mix->alpha == 0 || random_uniform(random) >= mix->probability)
        return;
    double own = random_beta(random, mix->alpha, mix->alpha);
    const int64_t *partners = draw_partners(random, batch->count, scratch);
    mix_rows(batch, partners, own, image_size(shape), batch->features, scratch);
    mix_rows(batch, partners, own, classes, batch->values, scratch);
}

const TransformDef transform_mixup = {
    .component = {.name = "mixup", .summary = "each sample and its target mixed with another's", .params = mixup_params,
                  .size = sizeof(struct mix), .source = "arXiv:1710.09412",
                  .formula = "x = l x_i + (1 - l) x_j, y = l y_i + (1 - l) y_j, l ~ Beta(alpha, alpha)",
                  .notes = "One l a batch. Classes become soft targets; soft targets, labels and real values are "
                           "mixed as they are. Takes vectors, too. Linear, so the normalisation does not matter.",
                  .validate = validate},
    .batch = apply_mixup, .vectors = true,
};

static const Param cutmix_params[] = {
    PARAM_FLOAT(struct mix, alpha, 1, .min = 0, .max = 1000,
                .help = "of Beta(alpha, alpha), the share of the first sample; 0: nothing is mixed"),
    PARAM_FLOAT(struct mix, probability, 1, .min = 0, .max = 1, .help = "of a batch to be mixed"),
    PARAM_END
};

typedef struct Box { int64_t top, left, bottom, right; } Box;

/* A box with the share 1 - own of the area about a uniform centre, cut at the border (equation 2 of the paper). */
static Box draw_box(const TransformShape *shape, Random *random, double own)
{
    double side = sqrt(1 - own);
    int64_t height = (int64_t)((double)shape->height * side), width = (int64_t)((double)shape->width * side);
    int64_t top = random_below(random, shape->height) - height / 2;
    int64_t left = random_below(random, shape->width) - width / 2;
    Box box = {.top = top, .left = left, .bottom = top + height, .right = left + width};
    box.top = box.top < 0 ? 0 : box.top;
    box.left = box.left < 0 ? 0 : box.left;
    box.bottom = box.bottom > shape->height ? shape->height : box.bottom;
    box.right = box.right > shape->width ? shape->width : box.right;
    return box;
}

static void paste_boxes(const TransformShape *shape, Box box, const int64_t *partners, Batch *batch, Arena *scratch)
{
    int64_t size = image_size(shape);
    size_t bytes = (size_t)(batch->count * size) * sizeof(float);
    float *copy = arena_alloc(scratch, bytes);
    memcpy(copy, batch->features, bytes);
    for (int64_t i = 0; i < batch->count; i++)
        for (int64_t channel = 0; channel < shape->channels; channel++)
            for (int64_t y = box.top; y < box.bottom; y++) {
                int64_t at = (channel * shape->height + y) * shape->width + box.left;
                memcpy(batch->features + i * size + at, copy + partners[i] * size + at,
                       (size_t)(box.right - box.left) * sizeof(float));
            }
}

static void apply_cutmix(const void *values, const TransformShape *shape, Random *random, int64_t classes,
                         Batch *batch, Arena *scratch)
{
    const struct mix *mix = values;
    if (mix->alpha == 0 || random_uniform(random) >= mix->probability)
        return;
    Box box = draw_box(shape, random, random_beta(random, mix->alpha, mix->alpha));
    const int64_t *partners = draw_partners(random, batch->count, scratch);
    double pasted = (double)((box.bottom - box.top) * (box.right - box.left)) / (double)(shape->height * shape->width);
    paste_boxes(shape, box, partners, batch, scratch);
    mix_rows(batch, partners, 1 - pasted, classes, batch->values, scratch);
}

const TransformDef transform_cutmix = {
    .component = {.name = "cutmix",
                  .summary = "a box of each image comes from another, targets in proportion to the areas",
                  .params = cutmix_params, .size = sizeof(struct mix), .source = "arXiv:1905.04899",
                  .formula = "x = M x_i + (1 - M) x_j, y = l y_i + (1 - l) y_j, l the share of M; 1 - area ~ "
                             "Beta(alpha, alpha) before the cut at the border",
                  .notes = "One box a batch. Classes become soft targets. Pixels are copied, so the normalisation "
                           "does not matter.",
                  .validate = validate},
    .batch = apply_cutmix,
};
