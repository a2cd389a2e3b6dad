/* The truths that generators promise: posteriors, noise, entropy rates, against what is drawn. */
#include "tests/generators.h"

#include "data/markov_text.h"

/* Sum over ten bins of p(y = 0 | x) of (observed - expected)^2 / variance: chi-square with ten degrees of
   freedom when p ^ power, normalised, are the true posteriors. */
static double calibration(const Dataset *dataset, double power)
{
    double difference[10] = {0}, variance[10] = {0}, statistic = 0;
    for (int64_t i = 0; i < dataset->count; i++) {
        double sum = 0, p0 = pow(dataset->posteriors[i * dataset->classes], power);
        for (int64_t c = 0; c < dataset->classes; c++)
            sum += pow(dataset->posteriors[i * dataset->classes + c], power);
        double p = p0 / sum;
        int bin = p < 1 ? (int)(10 * p) : 9;
        difference[bin] += (dataset->labels[i] == 0) - p;
        variance[bin] += p * (1 - p);
    }
    for (int bin = 0; bin < 10; bin++)
        statistic += difference[bin] * difference[bin] / variance[bin];
    return statistic;
}

static void test_data_generators_truth__posteriors_are_the_truth(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{'type': 'gaussian-mixture', 'count': 20000, 'separation': 2}",
        "{'type': 'gaussian-mixture', 'count': 9000, 'separation': 2, 'dimensions': 5, 'components': 3, 'spread': 0.7}",
        "{'type': 'gaussian-mixture', 'count': 20000, 'separation': 1, 'classes': 2, 'priors': [0.2, 0.8]}",
        "{'type': 'gaussian-mixture', 'count': 5000, 'separation': 1, 'dimensions': 300, 'spread': 0.2}",
        "{'type': 'gaussian-mixture', 'count': 5000, 'separation': 2, 'dimensions': 3, 'embedding': 9}",
        "{'type': 'flows', 'count': 20000, 'test_count': 0}",
        "{'type': 'flows', 'count': 20000, 'one_hot': false, 'interaction': 0.7}",
        "{'type': 'clicks', 'count': 20000}", "{'type': 'tabular', 'count': 20000}",
        "{'type': 'tabular', 'count': 20000, 'classes': 4, 'numeric': 0, 'categorical': 5, 'interactions': 10}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        DataSplits splits = load(11, "%s", texts[i]);
        const Dataset *dataset = splits.datasets[0];
        for (int64_t k = 0; k < dataset->count; k++) {
            double sum = 0;
            for (int64_t c = 0; c < dataset->classes; c++)
                sum += dataset->posteriors[k * dataset->classes + c];
            assert_true(fabs(sum - 1) < 1e-12);
        }
        assert_true(calibration(dataset, 1) < 29.59);   /* the 0.999 quantile with 10 degrees of freedom */
        assert_true(calibration(dataset, 1.3) > 29.59); /* so that a wrong posterior is seen */
        data_free(&splits);
    }
}

/* Each of the intervals holds its share of the records, and of two numbers the parity of their sum is the class. */
static void test_data_generators_truth__flows_fill_their_bins(void **state)
{
    (void)state;
    DataSplits splits = load(2, "{'type': 'flows', 'count': 20000, 'test_count': 0, 'features': 4, 'informative': 2, "
                                "'shift': 1.5, 'prior': 0.3}");
    const Dataset *dataset = splits.datasets[0];
    double counts[4][10] = {0}, agree[4][4] = {0};
    for (int64_t i = 0; i < dataset->count; i++) {
        int64_t bins[4] = {0};
        for (int64_t j = 0; j < 4; j++) {
            double sum = 0;
            for (int64_t k = 0; k < 10; k++) {
                const double value = (double)((const float *)dataset->features)[(i * 4 + j) * 10 + k];
                counts[j][k] += value;
                sum += value;
                bins[j] = value > 0 ? k : bins[j];
            }
            assert_true(sum == 1);
        }
        for (int a = 0; a < 4; a++)
            for (int b = 0; b < a; b++)
                agree[a][b] += (bins[a] + bins[b]) % 2 == dataset->labels[i];
    }
    for (int j = 0; j < 4; j++)
        for (int k = 0; k < 10; k++)
            assert_true(fabs(counts[j][k] - 2000) < 4 * sqrt(20000 * 0.09));
    int pairs = 0;
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < a; b++)
            pairs += fabs(agree[a][b] - 18000) < 4 * sqrt(20000 * 0.09);
    assert_int_equal(pairs, 1);
    data_free(&splits);
}

/* Two Gaussians of deviation 1 on a line, a distance apart: ln p0/p1 is linear with that slope, and the
   Bayes error is Phi(-distance / 2). */
static void test_data_generators_truth__gaussian_mixture_has_the_known_bayes_error(void **state)
{
    (void)state;
    DataSplits splits = load(2, "{'type': 'gaussian-mixture', 'count': 40000, 'classes': 2, 'dimensions': 1, "
                                "'separation': 2}");
    const Dataset *dataset = splits.datasets[0];
    const float *x = dataset->features;
    double sums[2] = {0}, error_rate = 0, mistakes = 0, n = (double)dataset->count;
    int64_t counts[2] = {0};
    for (int64_t i = 0; i < dataset->count; i++) {
        const double *p = dataset->posteriors + 2 * i;
        sums[dataset->labels[i]] += x[i];
        counts[dataset->labels[i]]++;
        error_rate += fmin(p[0], p[1]) / n;
        mistakes += p[dataset->labels[i]] < 0.5 ? 1 / n : 0;
    }
    double distance = sums[0] / (double)counts[0] - sums[1] / (double)counts[1];
    assert_true(fabs(error_rate - 0.5 * erfc(fabs(distance) / sqrt(8))) < 0.005); /* 4 standard errors of each: */
    assert_true(fabs(error_rate - mistakes) < 0.01);                              /* 0.17/200 and 0.5/200 */
    int64_t low = 0, high = 0;
    for (int64_t i = 0; i < 100; i++) {
        low = x[i] < x[low] ? i : low;
        high = x[i] > x[high] ? i : high;
    }
    const double *p = dataset->posteriors;
    double slope = (log(p[2 * high] / p[2 * high + 1]) - log(p[2 * low] / p[2 * low + 1])) / ((double)x[high] - x[low]);
    assert_true(fabs(slope - distance) < 0.05); /* its standard error is 0.01 */
    for (int64_t i = 0; i < 100; i++) {
        double expected = log(p[2 * low] / p[2 * low + 1]) + slope * ((double)x[i] - x[low]);
        assert_true(fabs(log(p[2 * i] / p[2 * i + 1]) - expected) < 1e-9);
    }
    data_free(&splits);
}

static void test_data_generators_truth__spirals_without_noise_lie_on_their_arms(void **state)
{
    (void)state;
    DataSplits splits = load(1, "{'type': 'spirals', 'count': 200, 'classes': 3, 'turns': 2, 'noise': 0}");
    const Dataset *dataset = splits.datasets[0];
    for (int64_t i = 0; i < dataset->count; i++) {
        const float *point = (const float *)dataset->features + 2 * i;
        double t = hypot(point[0], point[1]), angle = 6.283185307179586 * (2 * t + dataset->labels[i] / 3.0);
        assert_true(t <= 1 && fabs(point[0] - t * cos(angle)) < 1e-5 && fabs(point[1] - t * sin(angle)) < 1e-5);
    }
    data_free(&splits);
}

/* With the same seed the noise alone differs. */
static void test_data_generators_truth__tabular_regression_has_the_known_noise(void **state)
{
    (void)state;
    DataSplits noisy = load(1, "{'type': 'tabular', 'count': 20000, 'task': 'regression', 'noise': 0.5}");
    DataSplits exact = load(1, "{'type': 'tabular', 'count': 20000, 'task': 'regression', 'noise': 0}");
    const Dataset *a = noisy.datasets[0], *b = exact.datasets[0];
    assert_memory_equal(a->features, b->features, (size_t)(a->count * a->sample_stride) * sizeof(float));
    double square = 0, mean = 0, signal = 0, n = (double)a->count;
    for (int64_t i = 0; i < a->count; i++) {
        double difference = (double)a->values[i] - b->values[i];
        mean += difference / n;
        square += difference * difference / n;
        signal += (double)b->values[i] * b->values[i] / n;
        const float *row = (const float *)a->features + i * a->sample_stride;
        for (int column = 0; column < 2; column++) {
            float sum = 0;
            for (int level = 0; level < 4; level++)
                sum += row[6 + 4 * column + level];
            assert_true(sum == 1);
        }
    }
    assert_true(fabs(mean) < 4 * 0.5 / sqrt(n));
    assert_true(fabs(square / 0.25 - 1) < 4 * sqrt(2 / n));
    assert_true(signal > 0.5); /* (2^2 on average over truths) */
    data_free(&noisy);
    data_free(&exact);
}

/* With the noise of two factors the same function is drawn: the noise is their difference, and none is in the test. */
static void test_data_generators_truth__waves_are_noisy_in_training_alone(void **state)
{
    (void)state;
    DataSplits clean = load(4, "{'type': 'waves', 'count': 20000, 'test_count': 5000, 'dimensions': 3}");
    DataSplits noisy = load(4, "{'type': 'waves', 'count': 20000, 'test_count': 5000, 'dimensions': 3, 'noise': 2, "
                               "'noise_freedom': 4}");
    double square = 0, tails = 0, signal = 0;
    for (int64_t i = 0; i < 25000; i++) {
        const double y = (double)clean.datasets[0]->values[i], noise = (double)noisy.datasets[0]->values[i] - y;
        assert_true(i < 20000 || noise == 0);
        assert_true(fabs(y) <= sqrt(6));
        square += noise * noise / 20000;
        tails += fabs(noise) > 2 * 4.604; /* t with 4 degrees of freedom: 0.01 on both sides together */
        signal += y * y / 25000;
    }
    assert_true(fabs(square / 8 - 1) < 0.2); /* variance 4 / (4 - 2), times 2^2; its own variance is infinite */
    assert_true(fabs(tails - 200) < 4 * sqrt(200));
    assert_true(signal > 0.1);
    data_free(&clean);
    data_free(&noisy);
}

/* Bellman's equation in the mean over the steps that were drawn: reward and discounted value of what follows, less the
   value of the action taken. The residual of a step has a deviation below 1. */
static void test_data_generators_truth__random_mdp_has_the_best_values(void **state)
{
    (void)state;
    DataSplits splits = load(1, "{'type': 'random-mdp', 'count': 40000, 'states': 5, 'dimensions': 2, 'end': 0.25}");
    const Dataset *dataset = splits.train.dataset;
    const float *actions = dataset_column(dataset, "action")->values;
    const float *rewards = dataset_column(dataset, "reward")->values;
    const float *reached = dataset_column(dataset, "next")->values, *done = dataset_column(dataset, "done")->values;
    const float *features = dataset->features, *first = features + 2 * 40000; /* the test states, each in turn */
    double sums[15] = {0}, counts[15] = {0}, ends = 0;
    for (int64_t i = 0; i < 40000; i++) {
        int64_t at = 0, next = 0;
        while (memcmp(first + 2 * at, features + 2 * i, 2 * sizeof(float)) != 0)
            at++;
        while (memcmp(first + 2 * next, reached + 2 * i, 2 * sizeof(float)) != 0)
            next++;
        const float *values = dataset->values + 3 * (40000 + next);
        double best = fmax((double)values[0], fmax((double)values[1], (double)values[2]));
        double target = (double)rewards[i] + dataset->discount * (1 - (double)done[i]) * best;
        int64_t action = (int64_t)actions[i];
        sums[3 * at + action] += target - (double)dataset->values[3 * i + action];
        counts[3 * at + action]++;
        ends += (double)done[i] / 40000;
    }
    for (int pair = 0; pair < 15; pair++)
        assert_true(fabs(sums[pair] / counts[pair]) < 4 / sqrt(counts[pair])); /* counts are near 2667: 0.08 */
    assert_true(fabs(ends - 0.25) < 0.01);
    assert_true(dataset->values[3 * 40000] > 0.1F);
    data_free(&splits);
}

static void test_data_generators_truth__entropy_rate_of_chains_solved_by_hand(void **state)
{
    (void)state;
    double stationary[4], scratch[4];
    static const double cycle[] = {0, 1, 0, 0, 0, 1, 1, 0, 0};
    assert_true(markov_stationary(3, 3, cycle, stationary, scratch));
    assert_true(markov_entropy_rate(3, 3, cycle, stationary) == 0);
    static const double uniform[] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
    assert_true(markov_stationary(2, 4, uniform, stationary, scratch));
    assert_true(fabs(markov_entropy_rate(2, 4, uniform, stationary) - log(2)) < 1e-15);
    /* Two states that are left with 0.1 and 0.4: stationary (0.8, 0.2). As order 1, and as order 2 whose
       rows look at the newest symbol alone. */
    static const double two[] = {0.9, 0.1, 0.4, 0.6, 0.9, 0.1, 0.4, 0.6};
    double expected = -0.8 * (0.9 * log(0.9) + 0.1 * log(0.1)) - 0.2 * (0.4 * log(0.4) + 0.6 * log(0.6));
    for (int64_t contexts = 2; contexts <= 4; contexts += 2) {
        assert_true(markov_stationary(2, contexts, two, stationary, scratch));
        assert_true(fabs(markov_entropy_rate(2, contexts, two, stationary) - expected) < 1e-12);
    }
    assert_true(fabs(stationary[0] - 0.8 * 0.9) < 1e-12 && fabs(stationary[1] - 0.8 * 0.1) < 1e-12);
}

/* Transitions that were counted, as an estimate of the conditional entropy; `total` tokens of `symbols`. */
static double counted_entropy(const int32_t *tokens, int64_t total, int64_t symbols, int order)
{
    int64_t contexts = 1;
    for (int i = 0; i < order; i++)
        contexts *= symbols;
    double *counts = arena_zero(arena, (size_t)(contexts * symbols), sizeof *counts), entropy = 0;
    for (int64_t i = order; i < total; i++) {
        int64_t context = 0;
        for (int64_t k = i - order; k < i; k++)
            context = context * symbols + tokens[k];
        counts[context * symbols + tokens[i]]++;
    }
    for (int64_t c = 0; c < contexts; c++) {
        double sum = 0;
        for (int64_t s = 0; s < symbols; s++)
            sum += counts[c * symbols + s];
        for (int64_t s = 0; s < symbols; s++)
            if (counts[c * symbols + s] > 0)
                entropy -= counts[c * symbols + s] * log(counts[c * symbols + s] / sum);
    }
    return entropy / (double)(total - order);
}

static void test_data_generators_truth__markov_text_has_its_entropy_rate(void **state)
{
    (void)state;
    for (int order = 1; order <= 2; order++) {
        DataSplits splits = load(4, "{'type': 'markov-text', 'count': 200000, 'classes': 8, 'order': %d}", order);
        const Dataset *dataset = splits.train.dataset;
        double counted = counted_entropy(dataset->features, 200000, 8, order);
        /* Deviation about 1 / sqrt(200000) = 0.0022; the counts' bias is 7 * 8^order / 400000. */
        assert_true(fabs(counted - dataset->entropy_rate) < 0.01);
        assert_true(counted_entropy(dataset->features, 200000, 8, order - 1) > counted + 0.1);
        assert_true(splits.test.dataset->entropy_rate == dataset->entropy_rate);
        data_free(&splits);
    }
    DataSplits uniform = load(4, "{'type': 'markov-text', 'smoothing': 1}");
    assert_true(fabs(uniform.train.dataset->entropy_rate - log(26)) < 1e-12);
    data_free(&uniform);
    /* All but deterministic: a row is at most 1 - s + s/K once and s/K otherwise, and near enough to it. */
    DataSplits sharp = load(4, "{'type': 'markov-text', 'smoothing': 0.002, 'concentration': 0.001, 'classes': 4}");
    double rare = 0.002 / 4, common = 1 - 3 * rare, expected = -common * log(common) - 3 * rare * log(rare);
    assert_true(fabs(sharp.train.dataset->entropy_rate - expected) < 1e-6);
    data_free(&sharp);
}

static void test_data_generators_truth__markov_text_has_a_token_after_every_window(void **state)
{
    (void)state;
    static const struct { int count, length, stride, windows; } cases[] = {
        {11, 10, 10, 1}, {20, 10, 10, 1}, {21, 10, 10, 2}, {21, 10, 1, 11}, {30, 4, 3, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DataSplits splits = load(1, "{'type': 'markov-text', 'count': %d, 'val_count': 0, 'test_count': 0, "
                                    "'length': %d, 'stride': %d, 'order': 2}",
                                 cases[i].count, cases[i].length, cases[i].stride);
        assert_int_equal(splits.train.count, cases[i].windows);
        const Dataset *dataset = splits.train.dataset;
        int64_t end = (dataset->count - 1) * dataset->sample_stride + cases[i].length + 1;
        assert_in_range(end, cases[i].count - cases[i].stride + 1, cases[i].count);
        for (int64_t k = 0; k < end; k++)
            assert_in_range(((const int32_t *)dataset->features)[k], 0, 25);
        data_free(&splits);
    }
}

/* Labels are the ceil(5%) of most profit; skill shows in the regime's features once the group's mean is off. */
static void test_data_generators_truth__traders_are_ranked_inside_groups(void **state)
{
    (void)state;
    DataSplits splits = load(1, "{'type': 'traders', 'count': 100, 'val_count': 0, 'test_count': 0, "
                                "'target': 'label'}");
    const Dataset *dataset = splits.train.dataset;
    const float *profits = dataset_column(dataset, "profit")->values, *features = dataset->features;
    double alone = 0, inside = 0, square = 0, alone_square = 0, inside_square = 0;
    assert_int_equal(dataset->count, 5000);
    for (int64_t begin = 0; begin < 5000; begin += 50) {
        double labels = 0, least = INFINITY, most = -INFINITY, mean = 0;
        for (int64_t i = begin; i < begin + 50; i++) {
            labels += dataset->values[i];
            least = dataset->values[i] == 1 ? fmin(least, profits[i]) : least;
            most = dataset->values[i] == 0 ? fmax(most, profits[i]) : most;
            mean += features[12 * i] / 50;
            assert_int_equal(dataset->groups[i], begin / 50);
        }
        assert_true(labels == 3 && least > most);
        for (int64_t i = begin; i < begin + 50; i++) {
            double q = cbrt(profits[i]), x = features[12 * i];
            alone += q * x;
            inside += q * (x - mean);
            square += q * q;
            alone_square += x * x;
            inside_square += (x - mean) * (x - mean);
        }
    }
    assert_true(inside / sqrt(square * inside_square) > 0.8);
    assert_true(alone / sqrt(square * alone_square) < 0.5);
    data_free(&splits);
}

/* Chance is added to the profits of before and leaves their features; its width shows in four more. */
static void test_data_generators_truth__chance_of_traders_is_wide_for_some(void **state)
{
    (void)state;
    static const char text[] = "{'type': 'traders', 'count': 100, 'val_count': 0, 'test_count': 0, 'volatility': %g}";
    DataSplits without = load(1, text, 0.), with = load(1, text, 8.);
    const Dataset *plain = without.train.dataset, *wide = with.train.dataset;
    double sum = 0, squares = 0;
    assert_int_equal(plain->shape[0], 12);
    assert_int_equal(wide->shape[0], 16);
    for (int64_t i = 0; i < 5000; i++) {
        const float *features = (const float *)wide->features + 16 * i;
        assert_memory_equal(features, (const float *)plain->features + 12 * i, 12 * sizeof *features);
        double chance = wide->values[i] - plain->values[i], shown = 0;
        for (int j = 12; j < 16; j++)
            shown += features[j] / 4;
        double scale = 8 * exp(shown); /* of log v + 0.25 N(0, 1) */
        sum += chance / scale;
        squares += chance * chance / scale / scale;
    }
    assert_true(fabs(sum) < 4 * sqrt(5000 * exp(0.125)));
    assert_true(fabs(squares / 5000 - exp(0.125)) < 0.12); /* four deviations */
    data_free(&without);
    data_free(&with);
}

/* As many labels as a geometric draw, popular ones more often, and features that are near those of the labels. */
static void test_data_generators_truth__extreme_labels_are_few_and_popular(void **state)
{
    (void)state;
    DataSplits splits = load(1, "{'type': 'extreme-labels', 'count': 4000, 'val_count': 0, 'test_count': 0}");
    const Dataset *dataset = splits.train.dataset;
    double total = 0, head = 0, tail = 0;
    int64_t ones = 0;
    for (int64_t i = 0; i < 4000; i++) {
        double count = 0;
        for (int64_t l = 0; l < 200; l++) {
            double y = dataset->values[200 * i + l];
            count += y;
            head += l < 20 ? y : 0;
            tail += l >= 180 ? y : 0;
        }
        assert_true(count >= 1 && count <= 15);
        ones += count == 1;
        total += count;
    }
    /* E of a geometric clipped to 15: (1 - 0.75^15) / 0.25; deviations of 4000 draws are 0.05 and 27 */
    assert_true(fabs(total / 4000 - (1 - pow(0.75, 15)) / 0.25) < 0.2);
    assert_in_range(ones, 1000 - 110, 1000 + 110);
    assert_true(head > 2 * tail);
    for (int64_t l = 0; l < 200; l++) {
        double square = 0;
        for (int64_t k = 0; k < 24; k++)
            square += pow(dataset->label_features[24 * l + k], 2);
        assert_true(square > 0.5 && square < 2); /* 1 + 24 * 0.0025 */
    }
    data_free(&splits);
}

/* Queries without noise are linear in their documents' features, and ask for other documents in the test. */
static void test_data_generators_truth__retrieval_queries_tell_their_documents(void **state)
{
    (void)state;
    DataSplits splits = load(1, "{'type': 'retrieval', 'latent': 1, 'dimensions': 1, 'query_noise': 0, 'noise': 0, "
                             "'documents': 50, 'count': 60, 'test_count': 30}");
    const Dataset *dataset = splits.train.dataset;
    assert_true(dataset->classes == 50 && dataset->label_width == 1 && splits.val.count == 0);
    const float *queries = dataset->features;
    double ratio = (double)(queries[0] / dataset->label_features[0]), spread = 0;
    for (int64_t i = 0; i < 90; i++) {
        int32_t document = dataset->labels[i];
        assert_int_equal(document, i < 60 ? i % 50 : 49 - (i - 60));
        assert_true(fabs((double)queries[i] - ratio * (double)dataset->label_features[document]) < 1e-5);
        spread += fabs((double)(queries[i] - queries[0]));
    }
    assert_true(spread > 1);
    data_free(&splits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_generators_truth__retrieval_queries_tell_their_documents),
        TEST(test_data_generators_truth__posteriors_are_the_truth),
        TEST(test_data_generators_truth__flows_fill_their_bins),
        TEST(test_data_generators_truth__gaussian_mixture_has_the_known_bayes_error),
        TEST(test_data_generators_truth__spirals_without_noise_lie_on_their_arms),
        TEST(test_data_generators_truth__tabular_regression_has_the_known_noise),
        TEST(test_data_generators_truth__waves_are_noisy_in_training_alone),
        TEST(test_data_generators_truth__random_mdp_has_the_best_values),
        TEST(test_data_generators_truth__entropy_rate_of_chains_solved_by_hand),
        TEST(test_data_generators_truth__markov_text_has_its_entropy_rate),
        TEST(test_data_generators_truth__markov_text_has_a_token_after_every_window),
        TEST(test_data_generators_truth__traders_are_ranked_inside_groups),
        TEST(test_data_generators_truth__chance_of_traders_is_wide_for_some),
        TEST(test_data_generators_truth__extreme_labels_are_few_and_popular),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
