/* Steps of a small random decision process whose best values are known by dynamic programming. */
#include <string.h>

#include "core/base/random_distributions.h"
#include "data/generator.h"

struct random_mdp {
    DatasetCommon common;
    SplitCounts counts;
    int64_t states, actions, successors, dimensions;
    double gamma, reward_share, reward_noise, noise_freedom, end;
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct random_mdp, "steps", "5000", "0", "25"),
    PARAM_INT(struct random_mdp, states, 25, .min = 2, .max = 10000, .help = "number of states"),
    PARAM_INT(struct random_mdp, actions, 3, .min = 2, .max = 1000, .help = "actions in every state"),
    PARAM_INT(struct random_mdp, successors, 3, .min = 1, .max = 10000, .help = "states that a step can lead to"),
    PARAM_INT(struct random_mdp, dimensions, 16, .min = 1, .max = 10000, .help = "features of a state, N(0, 1) each"),
    PARAM_FLOAT(struct random_mdp, gamma, 0.9, .min = 0, .max = 0.9999, .help = "discount of the values"),
    PARAM_FLOAT(struct random_mdp, reward_share, 0.15, .min = 0, .max = 1,
                .help = "share of the pairs of state and action with reward 1, others have 0"),
    PARAM_FLOAT(struct random_mdp, reward_noise, 0, .min = 0, .max = 1000,
                .help = "factor of what is added to each reward, Student's t"),
    PARAM_FLOAT(struct random_mdp, noise_freedom, 2.5, .min = 1, .max = 1e6,
                .help = "degrees of freedom of that t; above 2 its variance is finite"),
    PARAM_FLOAT(struct random_mdp, end, 0, .min = 0, .max = 1, .help = "probability that a step ends the episode"),
    DATASET_COMMON_ROWS(struct random_mdp, "false"),
    PARAM_END,
};

typedef struct Truth {
    const struct random_mdp *self;
    float *features;            /* [states, dimensions] */
    int64_t *successors;        /* [states, actions, successors] */
    double *probabilities;      /* of the same */
    double *rewards;            /* [states, actions] */
    double *values;             /* [states, actions], of the best policy */
    float *taken, *noisy_rewards, *next, *done; /* the data set's columns */
} Truth;

static void draw_successors(Truth *truth, Random *random, int64_t pair, int64_t *order)
{
    const struct random_mdp *self = truth->self;
    int64_t *to = truth->successors + pair * self->successors;
    double *p = truth->probabilities + pair * self->successors, sum = 0;
    random_permutation(random, self->states, order);
    for (int64_t k = 0; k < self->successors; k++) {
        to[k] = order[k];
        sum += p[k] = random_gamma(random, 1); /* uniform over the simplex, once divided by the sum */
    }
    for (int64_t k = 0; k < self->successors; k++)
        p[k] /= sum;
}

static double best_value(const Truth *truth, int64_t state)
{
    int64_t actions = truth->self->actions;
    double best = truth->values[state * actions];
    for (int64_t a = 1; a < actions; a++)
        best = fmax(best, truth->values[state * actions + a]);
    return best;
}

/* Value iteration, from 0, until it does not move: the change shrinks by gamma each time. */
static void solve(Truth *truth)
{
    const struct random_mdp *self = truth->self;
    double change = 1, *best = memory_array((size_t)self->states, sizeof *best);
    while (change > 1e-12) {
        change = 0;
        for (int64_t s = 0; s < self->states; s++)
            best[s] = best_value(truth, s);
        for (int64_t pair = 0; pair < self->states * self->actions; pair++) {
            double next = 0;
            for (int64_t k = pair * self->successors; k < (pair + 1) * self->successors; k++)
                next += truth->probabilities[k] * best[truth->successors[k]];
            double value = truth->rewards[pair] + self->gamma * (1 - self->end) * next;
            change = fmax(change, fabs(value - truth->values[pair]));
            truth->values[pair] = value;
        }
    }
    memory_free(best);
}

static Truth draw_truth(const struct random_mdp *self, uint64_t seed, Arena *arena)
{
    Random random = generator_truth(seed, "random-mdp");
    int64_t pairs = self->states * self->actions, features = self->states * self->dimensions;
    Truth truth = {.self = self};
    truth.features = arena_zero(arena, (size_t)features, sizeof(float));
    truth.successors = arena_zero(arena, (size_t)(pairs * self->successors), sizeof(int64_t));
    truth.probabilities = arena_zero(arena, (size_t)(pairs * self->successors), sizeof(double));
    truth.rewards = arena_zero(arena, (size_t)pairs, sizeof(double));
    truth.values = arena_zero(arena, (size_t)pairs, sizeof(double));
    for (int64_t i = 0; i < features; i++)
        truth.features[i] = (float)random_normal(&random);
    int64_t *order = arena_zero(arena, (size_t)pairs, sizeof *order);
    for (int64_t pair = 0; pair < pairs; pair++)
        draw_successors(&truth, &random, pair, order);
    random_permutation(&random, pairs, order);
    for (int64_t i = 0; i < llround(self->reward_share * (double)pairs); i++)
        truth.rewards[order[i]] = 1;
    solve(&truth);
    return truth;
}

/* Of training states and actions are drawn, elsewhere the states come in turn. */
static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const Truth *truth = context;
    const struct random_mdp *self = truth->self;
    Random *random = &slot->random;
    int64_t i = slot->index, columns = self->dimensions;
    bool training = slot->index == slot->place;
    int64_t drawn = random_below(random, self->states), state = training ? drawn : slot->place % self->states;
    int64_t action = random_below(random, self->actions), pair = state * self->actions + action;
    int64_t successor = random_choice(truth->probabilities + pair * self->successors, self->successors,
                                      random_uniform(random));
    int64_t next = truth->successors[pair * self->successors + successor];
    memcpy((float *)dataset->features + i * columns, truth->features + state * columns,
           (size_t)columns * sizeof(float));
    memcpy(truth->next + i * columns, truth->features + next * columns, (size_t)columns * sizeof(float));
    truth->taken[i] = (float)action;
    truth->done[i] = random_uniform(random) < self->end;
    double chi_square = 2 * random_gamma(random, self->noise_freedom / 2), normal = random_normal(random);
    truth->noisy_rewards[i] =
        (float)(truth->rewards[pair] + self->reward_noise * normal / sqrt(chi_square / self->noise_freedom));
    for (int64_t a = 0; a < self->actions; a++)
        dataset->values[i * self->actions + a] = (float)truth->values[state * self->actions + a];
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct random_mdp *self = values;
    seed = generator_seed(&self->common, seed);
    Arena *scratch = arena_new();
    Truth truth = draw_truth(self, seed, scratch);
    int64_t count = split_counts_total(&self->counts);
    Dataset *dataset = vector_dataset_new(self->dimensions, TARGET_VALUES, self->actions, count);
    truth.taken = arena_zero(dataset->arena, (size_t)count, sizeof(float));
    truth.noisy_rewards = arena_zero(dataset->arena, (size_t)count, sizeof(float));
    truth.next = arena_zero(dataset->arena, (size_t)(count * self->dimensions), sizeof(float));
    truth.done = arena_zero(dataset->arena, (size_t)count, sizeof(float));
    generate_samples(splits, dataset, &self->counts, seed, "random-mdp", fill, &truth);
    dataset_add_column(dataset, COLUMN_ACTION, 1, truth.taken);
    dataset_add_column(dataset, COLUMN_REWARD, 1, truth.noisy_rewards);
    dataset_add_column(dataset, COLUMN_NEXT, self->dimensions, truth.next);
    dataset_add_column(dataset, COLUMN_DONE, 1, truth.done);
    dataset->discount = self->gamma;
    arena_free(scratch);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    const struct random_mdp *self = values;
    vector_describe(self->dimensions, TARGET_VALUES, self->actions, shape);
    shape->count = split_counts_total(&self->counts);
    static const char *const names[] = {COLUMN_ACTION, COLUMN_REWARD, COLUMN_NEXT, COLUMN_DONE};
    for (int i = 0; i < 4; i++)
        shape->columns[shape->column_count++] = (DatasetColumn){names[i], i == 2 ? self->dimensions : 1, NULL};
    return true;
}

static bool validate(const void *values, Error *error)
{
    const struct random_mdp *self = values;
    if (self->successors > self->states)
        return fail_usage(error, "successors: %lld of %lld states", (long long)self->successors,
                          (long long)self->states);
    if ((double)self->states * (double)self->actions * (double)self->successors > 1e7)
        return fail_usage(error, "states * actions * successors is more than 1e7");
    return true;
}

const DatasetDef dataset_random_mdp = {
    .component = {
        .name = "random-mdp", .summary = "steps of a random decision process with known best values",
        .params = params, .size = sizeof(struct random_mdp), .validate = validate,
        .formula = "Q(s, a) = r(s, a) + gamma (1 - end) sum_s' p(s' | s, a) max_a' Q(s', a')",
        .notes = "A sample is a state; its targets are the best values Q of all actions, solved by value iteration. "
                 "Every pair of state and action leads to as many different states as successors says, with "
                 "probabilities that are uniform over the simplex, and a reward of 0 or 1. Beside it a sample has a "
                 "step from that state: an action drawn uniformly, the reward with noise, the next state and whether "
                 "the episode ended, the columns action, reward, next and done. The objective fitted_q learns from "
                 "them alone; with the objective supervised the values are targets like any others. Training states "
                 "are drawn uniformly; in val and test they come in turn, so that counts which are multiples of "
                 "states weigh all of them alike.",
    },
    .load = load, .describe = describe,
};
