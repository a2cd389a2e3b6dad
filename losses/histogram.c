/* Values as histograms on a fixed grid, compared by cross-entropy: HL-Gauss and two-hot targets (Farebrother et al.
   2024) and the projected next-state distribution of C51 (Bellemare et al. 2017). Targets have no gradient. */
#include <math.h>
#include <string.h>

#include "losses/rows.h"
#include "losses/shared.h"

#define GRID(structure)                                                                  \
    PARAM_FLOAT(structure, vmin, -10, .help = "lower end of the grid"),                  \
    PARAM_FLOAT(structure, vmax, 10, .help = "upper end of the grid"),                   \
    PARAM_INT(structure, bins, 51, .min = 2, .help = "columns of the logits")

struct grid { double vmin, vmax; int64_t bins; };
struct hl_gauss { double vmin, vmax; int64_t bins; double sigma_ratio; };
struct c51 { double vmin, vmax; int64_t bins; double gamma; };
_Static_assert(offsetof(struct hl_gauss, bins) == offsetof(struct grid, bins), "begins as a grid");
_Static_assert(offsetof(struct c51, bins) == offsetof(struct grid, bins), "begins as a grid");

static const Param hl_gauss_params[] = {
    GRID(struct hl_gauss),
    PARAM_FLOAT(struct hl_gauss, sigma_ratio, 0.75, .min = 1e-6, .help = "standard deviation in bin widths"),
    PARAM_END
};
static const Param two_hot_params[] = {GRID(struct grid), PARAM_END};
static const Param c51_params[] = {
    GRID(struct c51),
    PARAM_FLOAT(struct c51, gamma, 0.9, .min = 0, .max = 1, .help = "discount"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    const struct grid *grid = values;
    return grid->vmin < grid->vmax || fail_usage(error, "vmin: %g is not below vmax, %g", grid->vmin, grid->vmax);
}

/* A grid for each value, one after the other. */
static int64_t outputs(const void *values, int64_t count)
{
    return count * ((const struct grid *)values)->bins;
}

/* The mean of `first`, first + step, ... under softmax(z). */
static double mean_under_softmax(int64_t bins, const double *z, double first, double step)
{
    double largest = -INFINITY, sum = 0, mean = 0;
    for (int64_t k = 0; k < bins; k++)
        largest = fmax(largest, z[k]);
    for (int64_t k = 0; k < bins; k++) {
        double p = exp(z[k] - largest);
        sum += p;
        mean += p * (first + step * (double)k);
    }
    return mean / sum;
}

static void decode_centres(const void *values, int64_t columns, const double *z, double *decoded)
{
    const struct grid *grid = values;
    double width = (grid->vmax - grid->vmin) / (double)grid->bins;
    for (int64_t k = 0; k < columns / grid->bins; k++)
        decoded[k] = mean_under_softmax(grid->bins, z + k * grid->bins, grid->vmin + 0.5 * width, width);
}

static void decode_locations(const void *values, int64_t columns, const double *z, double *decoded)
{
    const struct grid *grid = values;
    double step = (grid->vmax - grid->vmin) / (double)(grid->bins - 1);
    for (int64_t k = 0; k < columns / grid->bins; k++)
        decoded[k] = mean_under_softmax(grid->bins, z + k * grid->bins, grid->vmin, step);
}

static bool check_bins(const void *values, const LossInput *in, Error *error)
{
    const struct grid *grid = values;
    if (loss_columns(in) != grid->bins)
        return fail_usage(error, "bins: %lld for %lld columns of logits", (long long)grid->bins,
                          (long long)loss_columns(in));
    return true;
}

static bool check_values(const void *values, const LossInput *in, Error *error)
{
    int64_t bins = ((const struct grid *)values)->bins, rows = in->logits->shape[0];
    if (in->targets->count == rows)
        return check_bins(values, in, error);
    if (loss_columns(in) * rows != in->targets->count * bins)
        return fail(error, "targets: %lld values a row need %lld columns of logits each, here are %lld columns",
                    (long long)(in->targets->count / rows), (long long)bins, (long long)loss_columns(in));
    return true;
}

/* Of the values of a row, [N], the mean; t [values, bins]. */
static Tensor *cross_entropy(const LossInput *in, Tensor *t)
{
    Tensor *log_p = t_log_softmax(t_reshape(in->logits, t->rank, t->shape));
    Tensor *of_values = t_neg(t_sum(t_mul(t, log_p), -1, false));
    return t_mean(t_reshape(of_values, SHAPE(in->logits->shape[0], -1)), -1, false);
}

/* Of one value: sum_k t_k (-log p_k), t not 0 for k in [begin, end) alone, where t[0] is t_begin.
   gradient_k = share (p_k sum t - t_k). */
ROW double cross_entropy_of(const float *z, int64_t bins, const float *t, int64_t begin, int64_t end, float share,
                            float *gradient)
{
    const float largest = row_largest(z, bins);
    const double log_sum = log(row_sum_exp(z, 0, bins, largest));
    double mass = 0, sum = 0;
    ROW_SUM(mass, sum)
    for (int64_t k = begin; k < end; k++) {
        mass += (double)t[k - begin];
        sum += (double)t[k - begin] * (log_sum - (double)(z[k] - largest));
    }
    if (gradient) {
        const float scale = share * (float)mass, rest = (float)log_sum;
        ROW_LOOP
        for (int64_t k = 0; k < bins; k++)
            gradient[k] = scale * float_exp((z[k] - largest) - rest);
        ROW_LOOP
        for (int64_t k = begin; k < end; k++)
            gradient[k] -= share * t[k - begin];
    }
    return sum;
}

/* Phi((b - y) / sigma) - Phi((a - y) / sigma), a <= b, through the tail on the side where both lie. */
static double normal_mass(double y, double sigma, double a, double b)
{
    double low = (a - y) / (sigma * M_SQRT2), high = (b - y) / (sigma * M_SQRT2);
    if (low > 0)
        return 0.5 * (erfc(low) - erfc(high));
    return high < 0 ? 0.5 * (erfc(-high) - erfc(-low)) : 0.5 * (erf(high) - erf(low));
}

/* m bins between m + 1 edges; a normal around the value, renormalised on the grid. Values are held to the grid. */
static Tensor *hl_gauss(const void *values, const LossInput *in)
{
    const struct hl_gauss *self = values;
    double width = (self->vmax - self->vmin) / (double)self->bins, sigma = self->sigma_ratio * width;
    Tensor *t = t_zeros(in->logits->type, SHAPE(in->targets->count, self->bins));
    for (int64_t i = 0; i < t->shape[0]; i++) {
        double y = fmin(fmax(tensor_value(in->targets, i), self->vmin), self->vmax);
        double total = normal_mass(y, sigma, self->vmin, self->vmax);
        /* Beyond 40 standard deviations the mass is no positive double. */
        int64_t first = (int64_t)fmax(0, floor((y - 40 * sigma - self->vmin) / width) - 1);
        int64_t last = (int64_t)fmin((double)self->bins - 1, ceil((y + 40 * sigma - self->vmin) / width) + 1);
        for (int64_t k = first; k <= last; k++) {
            double edge = self->vmin + width * (double)k;
            tensor_set(t, i * self->bins + k, normal_mass(y, sigma, edge, edge + width) / total);
        }
    }
    return cross_entropy(in, t);
}

/* t of the bins from `begin` on that have an edge within 9 standard deviations of the value: beyond, there is less than
   the resolution of doubles. Returns where they end. */
static int64_t normal_bins(const struct hl_gauss *self, double value, int64_t *begin, float *t)
{
    const double width = (self->vmax - self->vmin) / (double)self->bins, sigma = self->sigma_ratio * width;
    const double y = fmin(fmax(value, self->vmin), self->vmax), reach = 9 * sigma;
    *begin = (int64_t)fmax(0, floor((y - reach - self->vmin) / width));
    const int64_t end = (int64_t)fmin((double)self->bins, ceil((y + reach - self->vmin) / width));
    double low = (self->vmin + width * (double)*begin - y) / (sigma * M_SQRT2), low_tail = erfc(fabs(low)), total = 0;
    for (int64_t k = *begin; k < end; k++) {
        const double high = (self->vmin + width * (double)(k + 1) - y) / (sigma * M_SQRT2), tail = erfc(fabs(high));
        /* the tails on one side; the bin that has both sides */
        const double mass = low < 0 && high > 0 ? 0.5 * (erf(high) - erf(low)) : 0.5 * fabs(low_tail - tail);
        t[k - *begin] = (float)mass;
        total += mass;
        low = high;
        low_tail = tail;
    }
    for (int64_t k = 0; k < end - *begin; k++)
        t[k] = (float)((double)t[k] / total);
    return end;
}

/* The mean over the values of a row. */
ROW float hl_gauss_row(const void *values, const LossRow *row, float *gradient)
{
    const struct hl_gauss *self = values;
    const int64_t bins = self->bins, count = row->columns / bins;
    double sum = 0;
    for (int64_t v = 0; v < count; v++) {
        int64_t begin, end = normal_bins(self, (double)row->targets[v], &begin, row->scratch);
        sum += cross_entropy_of(row->logits + v * bins, bins, row->scratch, begin, end, 1 / (float)count,
                                gradient ? gradient + v * bins : NULL);
    }
    return (float)(sum / (double)count);
}

LOSS_ROWS(hl_gauss, .scratch = 1)

/* Of value y, held to the grid, among the m locations from vmin, 0, to vmax, m - 1. */
ROW double position(const struct grid *grid, double y)
{
    double above = fmin(fmax(y, grid->vmin), grid->vmax) - grid->vmin;
    return above / (grid->vmax - grid->vmin) * (double)(grid->bins - 1);
}

/* Adds `mass` at a position to its two neighbours, of whom the last location is the second. */
ROW void place(int64_t bins, double at, double mass, double *row)
{
    const int64_t down = (int64_t)at, low = down < bins - 2 ? down : bins - 2;
    const double share = at - (double)low;
    row[low] += mass * (1 - share);
    row[low + 1] += mass * share;
}

static void set_row(Tensor *t, int64_t i, double *row)
{
    for (int64_t k = 0; k < t->shape[1]; k++) {
        tensor_set(t, i * t->shape[1] + k, row[k]);
        row[k] = 0;
    }
}

static Tensor *two_hot(const void *values, const LossInput *in)
{
    const struct grid *grid = values;
    Tensor *t = t_new(in->logits->type, SHAPE(in->targets->count, grid->bins));
    double *row = arena_zero(tape_arena(), (size_t)grid->bins, sizeof *row);
    for (int64_t i = 0; i < t->shape[0]; i++) {
        place(grid->bins, position(grid, tensor_value(in->targets, i)), 1, row);
        set_row(t, i, row);
    }
    return cross_entropy(in, t);
}

ROW float two_hot_row(const void *values, const LossRow *row, float *gradient)
{
    const struct grid *grid = values;
    const int64_t bins = grid->bins, count = row->columns / bins;
    double sum = 0;
    for (int64_t v = 0; v < count; v++) {
        const double at = position(grid, (double)row->targets[v]);
        const int64_t low = (int64_t)fmin(at, (double)(bins - 2));
        const float share = (float)(at - (double)low), t[2] = {1 - share, share};
        sum += cross_entropy_of(row->logits + v * bins, bins, t, low, low + 2, 1 / (float)count,
                                gradient ? gradient + v * bins : NULL);
    }
    return (float)(sum / (double)count);
}

LOSS_ROWS(two_hot)

static bool check_c51(const void *values, const LossInput *in, Error *error)
{
    static const char *const names[] = {"reward", "done"};
    for (int n = 0; n < 2; n++) {
        const Tensor *extra = loss_extra(in, names[n]);
        if (extra->count != in->logits->shape[0])
            return fail(error, "%s: expected one value a row", names[n]);
        for (int64_t i = 0; i < extra->count; i++)
            if (!isfinite(tensor_value(extra, i)))
                return fail(error, "%s: row %lld is not finite", names[n], (long long)i);
    }
    return check_bins(values, in, error);
}

/* Atom k of the next state's distribution moves to r + gamma (1 - done) z_k. */
static Tensor *c51(const void *values, const LossInput *in)
{
    const struct c51 *self = values;
    const Tensor *reward = loss_extra(in, "reward"), *done = loss_extra(in, "done");
    Tensor *t = t_like(in->logits);
    double *row = arena_zero(tape_arena(), (size_t)self->bins, sizeof *row);
    double step = (self->vmax - self->vmin) / (double)(self->bins - 1);
    for (int64_t i = 0; i < t->shape[0]; i++) {
        for (int64_t k = 0; k < self->bins; k++) {
            double atom = self->vmin + step * (double)k;
            double moved = tensor_value(reward, i) + self->gamma * (1 - tensor_value(done, i)) * atom;
            place(self->bins, position(values, moved), tensor_value(in->targets, i * self->bins + k), row);
        }
        set_row(t, i, row);
    }
    return cross_entropy(in, t);
}

/* Atoms on their way: the location below each, and the parts of its mass for that and for the next. */
enum { ATOMS = 256 };
typedef struct Atoms { int32_t low[ATOMS]; float here[ATOMS], next[ATOMS]; } Atoms;

/* Atom i moves to position first + factor i, held to the grid. */
ROW void move_atoms(int64_t bins, double first, double factor, const float *mass, int64_t count, Atoms *to)
{
    const double last = (double)(bins - 1);
    const int32_t top = (int32_t)bins - 2;
    int32_t *lows = to->low;
    float *here = to->here, *next = to->next;
    ROW_LOOP
    for (int32_t i = 0; i < (int32_t)count; i++) {
        const double at = first + factor * (double)i, above = at > 0 ? at : 0, held = above < last ? above : last;
        const int32_t down = (int32_t)held, low = down < top ? down : top;
        const float share = (float)(held - (double)low);
        lows[i] = low;
        here[i] = mass[i] * (1 - share);
        next[i] = mass[i] * share;
    }
}

/* Adds the masses of all atoms to t [bins]. Those of the location `low` and of the next one are held back, as most
   atoms are at the same location as the one before, or at the next. */
ROW void project(int64_t bins, double first, double factor, const float *mass, float *t)
{
    Atoms atoms;
    double here = 0, next = 0;
    int32_t low = 0;
    for (int64_t begin = 0; begin < bins; begin += ATOMS) {
        const int64_t count = bins - begin < ATOMS ? bins - begin : ATOMS;
        move_atoms(bins, first + factor * (double)begin, factor, mass + begin, count, &atoms);
        for (int64_t i = 0; i < count; i++) {
            if (atoms.low[i] != low) {
                const bool neighbours = atoms.low[i] == low + 1;
                t[low] += (float)here;
                if (!neighbours)
                    t[low + 1] += (float)next;
                here = neighbours ? next : 0;
                next = 0;
                low = atoms.low[i];
            }
            here += (double)atoms.here[i];
            next += (double)atoms.next[i];
        }
    }
    t[low] += (float)here;
    t[low + 1] += (float)next;
}

ROW float c51_row(const void *values, const LossRow *row, float *gradient)
{
    const struct c51 *self = values;
    const int64_t bins = row->columns;
    const double reward = tensor_value(loss_extra(row->in, "reward"), row->index);
    const double factor = self->gamma * (1 - tensor_value(loss_extra(row->in, "done"), row->index));
    const double step = (self->vmax - self->vmin) / (double)(bins - 1);
    memset(row->scratch, 0, (size_t)bins * sizeof(float));
    project(bins, (reward + factor * self->vmin - self->vmin) / step, factor, row->targets, row->scratch);
    return (float)cross_entropy_of(row->logits, bins, row->scratch, 0, bins, 1, gradient);
}

LOSS_ROWS(c51, .scratch = 1)

static void fit(int64_t columns, cJSON *spec)
{
    cJSON_AddNumberToObject(spec, "bins", (double)columns);
}

static void sample_value(const void *self, Random *random, LossInput *in)
{
    (void)self, (void)random;
    in->targets = t_reshape(t_slice(in->targets, 1, 0, 1), SHAPE(in->targets->shape[0]));
}

static void sample_c51(const void *self, Random *random, LossInput *in)
{
    (void)self;
    Tensor *done = t_new(ARRAY_F64, SHAPE(in->logits->shape[0]));
    for (int64_t i = 0; i < done->count; i++)
        tensor_set(done, i, (double)random_below(random, 2));
    loss_set_extra(in, "done", done);
    loss_set_extra(in, "reward", t_random_normal(ARRAY_F64, SHAPE(in->logits->shape[0]), *random));
}

static const char *const c51_extras[] = {"reward", "done", NULL};
static const char *const hl_gauss_examples[] = {"{\"type\": \"hl_gauss\", \"vmin\": -1, \"vmax\": 1, \"bins\": 3}",
                                                NULL};
static const char *const two_hot_examples[] = {"{\"type\": \"two_hot\", \"vmin\": -1, \"vmax\": 1, \"bins\": 3}", NULL};
static const char *const c51_examples[] = {"{\"type\": \"c51\", \"vmin\": -1, \"vmax\": 1, \"bins\": 3}", NULL};

const LossDef loss_hl_gauss = {
    .component = {.name = "hl_gauss", .summary = "regression as classification, a normal around the value",
                  .params = hl_gauss_params, .size = sizeof(struct hl_gauss), .source = "arXiv:2403.03950",
                  .formula = "-sum_k t_k log softmax(z)_k, t the mass of N(y, sigma) in bin k over that on the grid",
                  .notes = "bins equal bins lie between vmin and vmax, sigma = sigma_ratio times their width. Values "
                           "outside "
                           "are moved to the nearest end. The prediction is the mean of the bins' centres. Targets "
                           "[N, K] have bins columns each, one value after the other; the loss is their mean.",
                  .validate = validate},
    .targets = LOSS_VALUES, .properties = LOSS_TRANSLATION_INVARIANT, .forward = hl_gauss, .rows = &rows_hl_gauss,
    .check = check_values,
    .outputs = outputs, .decode = decode_centres, .least_columns = 2, .fit = fit,
    .examples = hl_gauss_examples, .sample = sample_value,
};

const LossDef loss_two_hot = {
    .component = {.name = "two_hot", .summary = "regression as classification, the value shared by two neighbours",
                  .params = two_hot_params, .size = sizeof(struct grid), .source = "arXiv:2403.03950",
                  .formula = "-sum_k t_k log softmax(z)_k, t on the two locations next to y with mean y",
                  .notes = "The locations run from vmin to vmax, both included. Values outside are moved to the "
                           "nearest end. The prediction is the mean of the locations. Targets [N, K] have bins columns "
                           "each, one value after the other; the loss is their mean.",
                  .validate = validate},
    .targets = LOSS_VALUES, .properties = LOSS_TRANSLATION_INVARIANT, .forward = two_hot, .rows = &rows_two_hot,
    .check = check_values,
    .outputs = outputs, .decode = decode_locations, .least_columns = 2, .fit = fit,
    .examples = two_hot_examples, .sample = sample_value,
};

const LossDef loss_c51 = {
    .component = {.name = "c51", .summary = "cross-entropy to the projected distribution of the next state",
                  .params = c51_params, .size = sizeof(struct c51), .source = "arXiv:1707.06887",
                  .formula = "-sum_k t_k log softmax(z)_k, t the target's atoms moved to r + gamma (1 - done) z_k and "
                             "shared "
                             "by their neighbours",
                  .notes = "Targets are the next state's distribution [N, bins]; extras reward [N] and done [N]. The "
                           "locations run from vmin to vmax, both included. Trained by the objective fitted_q; the "
                           "prediction is the mean of the locations, bins columns for each value.",
                  .validate = validate},
    .targets = LOSS_SOFT, .extras = c51_extras, .properties = LOSS_TRANSLATION_INVARIANT, .forward = c51,
    .rows = &rows_c51, .outputs = outputs, .decode = decode_locations, .check = check_c51, .least_columns = 2,
    .fit = fit, .examples = c51_examples, .sample = sample_c51,
};
