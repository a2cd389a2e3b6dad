/* Histogram binning: the share of right ones in groups of equal count. Zadrozny and Elkan 2001. */
#include "core/calibrate/scores.h"

struct histogram { double holdout; int mode; int64_t bins; };

static const Param params[] = {
    CALIBRATOR_PARAMS(struct histogram),
    PARAM_ENUM(struct histogram, mode, "ovr", .choices = score_mode_names,
               .help = "each class against the rest, the top label, or all classes together"),
    PARAM_INT(struct histogram, bins, 15, .min = 1, .max = 10000, .help = "number of groups"),
    PARAM_END,
};

static ScoreMode mode_of(const Calibration *calibration)
{
    return (ScoreMode)((const struct histogram *)calibration->values)->mode;
}

/* The first count mod bins groups have one score more. Edges are half-way between the neighbours of two
   groups; a score at an edge belongs below it, and a group that this leaves empty is joined to the next. */
static int64_t set_edges(const Score *scores, int64_t count, int64_t bins, double *edges)
{
    int64_t edge_count = 0, at = 0;
    for (int64_t b = 0; b < bins - 1; b++) {
        at += count / bins + (b < count % bins);
        if (at == 0 || at >= count)
            continue;
        double edge = scores[at - 1].score + (scores[at].score - scores[at - 1].score) / 2;
        if (edge < scores[count - 1].score && (edge_count == 0 || scores[at - 1].score > edges[edge_count - 1]))
            edges[edge_count++] = edge;
    }
    return edge_count;
}

static void set_shares(const Score *scores, int64_t count, const double *edges, int64_t edge_count, double *shares)
{
    int64_t i = 0;
    for (int64_t b = 0; b <= edge_count; b++) {
        double right = 0, weight = 0;
        for (; i < count && (b == edge_count || scores[i].score <= edges[b]); i++) {
            right += scores[i].weight * scores[i].target;
            weight += scores[i].weight;
        }
        shares[b] = right / weight;
    }
}

static bool fit(const CalibrationData *data, Arena *arena, Calibration *calibration, Error *error)
{
    (void)error;
    const struct histogram *h = calibration->values;
    ScoreMode mode = mode_of(calibration);
    int64_t maps = score_map_count(mode, data->classes), edges_used = 0, shares_used = 0;
    int64_t *edge_starts = arena_zero(arena, (size_t)maps + 1, sizeof *edge_starts);
    int64_t *share_starts = arena_zero(arena, (size_t)maps + 1, sizeof *share_starts);
    double *edges = arena_zero(arena, (size_t)(maps * h->bins), sizeof *edges);
    double *shares = arena_zero(arena, (size_t)(maps * h->bins), sizeof *shares);
    const double *log_p = scores_log_probabilities(data, arena);
    Arena *scratch = arena_new();
    for (int64_t map = 0; map < maps; map++) {
        arena_reset(scratch);
        int64_t count;
        const Score *scores = scores_sorted(data, log_p, mode, map, scratch, &count);
        int64_t edge_count = set_edges(scores, count, h->bins, edges + edges_used);
        set_shares(scores, count, edges + edges_used, edge_count, shares + shares_used);
        edge_starts[map + 1] = edges_used += edge_count;
        share_starts[map + 1] = shares_used += edge_count + 1;
    }
    arena_free(scratch);
    calibration->arrays[0] = (CalibrationArray){maps, edges_used, edge_starts, edges};
    calibration->arrays[1] = (CalibrationArray){maps, shares_used, share_starts, shares};
    return true;
}

static bool check(const Calibration *calibration, Error *error)
{
    const CalibrationArray *edges = &calibration->arrays[0], *shares = &calibration->arrays[1];
    int64_t maps = score_map_count(mode_of(calibration), calibration->classes), at = 0;
    if (edges->rows != maps || shares->rows != maps)
        return fail(error, "edges, shares: expected %lld lists each", (long long)maps);
    for (int64_t r = 0; r < maps; r++) {
        int64_t length = calibration_row_length(edges, r);
        if (calibration_row_length(shares, r) != length + 1)
            return fail(error, "shares[%lld]: expected %lld numbers, one more than edges", (long long)r,
                        (long long)length + 1);
        for (int64_t j = 0; j < length; j++, at++)
            if (j > 0 && !(edges->values[at] > edges->values[at - 1]))
                return fail(error, "edges[%lld]: expected rising numbers", (long long)r);
    }
    for (int64_t j = 0; j < shares->count; j++)
        if (!(shares->values[j] >= 0 && shares->values[j] <= 1))
            return fail(error, "shares: expected numbers from 0 to 1, got %g", shares->values[j]);
    return true;
}

static double look_up(const Calibration *calibration, int64_t map, double score)
{
    const double *edges = calibration_row(&calibration->arrays[0], map);
    int64_t low = 0, high = calibration_row_length(&calibration->arrays[0], map);
    /* The first edge that is >= score lies in low..high. */
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (edges[middle] >= score)
            high = middle;
        else
            low = middle + 1;
    }
    return calibration_row(&calibration->arrays[1], map)[low];
}

static void apply(const Calibration *calibration, const double *logits, double *out)
{
    scores_apply(calibration, mode_of(calibration), look_up, logits, out);
}

const CalibratorDef calibrator_histogram = {
    .component = {.name = "histogram",
                  .summary = "the share of right ones in groups of equally many scores",
                  .params = params,
                  .size = sizeof(struct histogram),
                  .source = "Zadrozny and Elkan 2001",
                  .notes = "Groups are (edge, next edge], edges half-way between neighbours. Parameters: edges and "
                           "shares, a list for each map. May change which class is largest, and gives probabilities of "
                           "0."},
    .arrays = {{"edges", 2}, {"shares", 2}},
    .gives_probabilities = true,
    .fit = fit,
    .check = check,
    .apply = apply,
};
