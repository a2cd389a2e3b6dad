/* Isotonic regression of how often a score is right. Zadrozny and Elkan 2002. */
#include "core/calibrate/scores.h"

struct isotonic { double holdout; int mode; };

static const Param params[] = {
    CALIBRATOR_PARAMS(struct isotonic),
    PARAM_ENUM(struct isotonic, mode, "ovr", .choices = score_mode_names,
               .help = "each class against the rest, the top label, or all classes together"),
    PARAM_END,
};

static ScoreMode mode_of(const Calibration *calibration)
{
    return (ScoreMode)((const struct isotonic *)calibration->values)->mode;
}

typedef struct Block {
    double low, high, weight, mean; /* of the scores low to high */
} Block;

/* Pool adjacent violators; equal scores are one block from the start. Returns the number of blocks. */
static int64_t pool(const Score *scores, int64_t count, Block *blocks)
{
    int64_t top = 0;
    for (int64_t i = 0; i < count;) {
        Block block = {scores[i].score, scores[i].score, 0, 0};
        double sum = 0;
        for (; i < count && scores[i].score == block.low; i++) {
            sum += scores[i].weight * scores[i].target;
            block.weight += scores[i].weight;
        }
        block.mean = sum / block.weight;
        for (; top > 0 && blocks[top - 1].mean >= block.mean; top--) {
            const Block *below = &blocks[top - 1];
            double weight = below->weight + block.weight;
            block.mean = (below->weight * below->mean + block.weight * block.mean) / weight;
            block.weight = weight;
            block.low = below->low;
        }
        blocks[top++] = block;
    }
    return top;
}

static bool fit(const CalibrationData *data, Arena *arena, Calibration *calibration, Error *error)
{
    (void)error;
    ScoreMode mode = mode_of(calibration);
    int64_t maps = score_map_count(mode, data->classes), used = 0;
    size_t ends = 2 * (size_t)(data->count * (mode == SCORE_TOP ? 1 : data->classes));
    int64_t *starts = arena_zero(arena, (size_t)maps + 1, sizeof *starts);
    double *x = arena_zero(arena, ends, sizeof *x), *y = arena_zero(arena, ends, sizeof *y);
    const double *log_p = scores_log_probabilities(data, arena);
    Arena *scratch = arena_new();
    for (int64_t map = 0; map < maps; map++) {
        arena_reset(scratch);
        int64_t count;
        const Score *scores = scores_sorted(data, log_p, mode, map, scratch, &count);
        Block *blocks = arena_zero(scratch, (size_t)count, sizeof *blocks);
        int64_t block_count = pool(scores, count, blocks);
        for (int64_t b = 0; b < block_count; b++)
            for (int end = 0; end < 1 + (blocks[b].low < blocks[b].high); end++) {
                x[used] = end ? blocks[b].high : blocks[b].low;
                y[used++] = blocks[b].mean;
            }
        starts[map + 1] = used;
    }
    arena_free(scratch);
    calibration->arrays[0] = (CalibrationArray){maps, used, starts, x};
    calibration->arrays[1] = (CalibrationArray){maps, used, starts, y};
    return true;
}

static bool check(const Calibration *calibration, Error *error)
{
    const CalibrationArray *x = &calibration->arrays[0], *y = &calibration->arrays[1];
    int64_t maps = score_map_count(mode_of(calibration), calibration->classes), at = 0;
    if (x->rows != maps || y->rows != maps)
        return fail(error, "x, y: expected %lld lists each", (long long)maps);
    for (int64_t r = 0; r < maps; r++) {
        int64_t length = calibration_row_length(x, r);
        if (length < 1 || calibration_row_length(y, r) != length)
            return fail(error, "x[%lld], y[%lld]: expected two lists of the same length", (long long)r, (long long)r);
        for (int64_t j = 0; j < length; j++, at++)
            if (y->values[at] < 0 || y->values[at] > 1 ||
                (j > 0 && !(x->values[at] > x->values[at - 1] && y->values[at] >= y->values[at - 1])))
                return fail(error, "x[%lld], y[%lld]: expected rising x, and y from 0 to 1 that does not fall",
                            (long long)r, (long long)r);
    }
    return true;
}

/* Linear between the ends of blocks, flat outside. */
static double interpolate(const Calibration *calibration, int64_t map, double score)
{
    const double *x = calibration_row(&calibration->arrays[0], map), *y = calibration_row(&calibration->arrays[1], map);
    int64_t low = 0, high = calibration_row_length(&calibration->arrays[0], map) - 1;
    if (score <= x[low])
        return y[low];
    if (score >= x[high])
        return y[high];
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        *(x[middle] <= score ? &low : &high) = middle;
    }
    return y[low] + (score - x[low]) / (x[high] - x[low]) * (y[high] - y[low]);
}

static void apply(const Calibration *calibration, const double *logits, double *out)
{
    scores_apply(calibration, mode_of(calibration), interpolate, logits, out);
}

const CalibratorDef calibrator_isotonic = {
    .component = {.name = "isotonic",
                  .summary = "isotonic regression of probabilities on how often they are right",
                  .params = params,
                  .size = sizeof(struct isotonic),
                  .source = "Zadrozny and Elkan 2002",
                  .notes = "Equal scores are pooled first; linear between blocks, flat outside. Parameters: x, y, the "
                           "ends of the blocks and their means, a list for each map. May change which class is "
                           "largest, and gives probabilities of 0."},
    .arrays = {{"x", 2}, {"y", 2}},
    .gives_probabilities = true,
    .fit = fit,
    .check = check,
    .apply = apply,
};
