/* Steps of optimizers, for every instruction set the machine has, against the formulas in double precision. */
#include "tests/instruction_sets.h"

#include "core/base/random.h"

#include <math.h>
#include <string.h>

enum { MOST = 1000, STEPS = 3 };
static const int64_t sizes[] = {0, 1, 3, 15, 16, 17, 64, 257, MOST};

typedef struct State {
    float w[MOST], g[MOST], first[MOST], second[MOST];
    double w_[MOST], first_[MOST], second_[MOST];
} State;

typedef void (*Kernel)(const Kernels *table, int64_t n, State *state);
typedef void (*Truth)(double *w, double g, double *first, double *second);

/* Floats that are handed to the kernels, so that the truth uses the very same numbers. */
static const AdamStep adam = {0.9F, 0.999F, 0.99F, 0.05F, 0.02F, 1.5F, 1e-6F};
static const SgdStep sgd = {0.1F, 0.01F, 0.9F, 0.7F, false}, nesterov = {0.1F, 0.01F, 0.9F, 1, true};
static const RmspropStep rmsprop = {0.01F, 0.02F, 0.95F, 0.5F, 1e-6F};
static const AdagradStep adagrad = {0.05F, 0.02F, 1e-6F};
static const LionStep lion = {0.01F, 0.999F, 0.9F, 0.99F};

static void run_adam(const Kernels *table, int64_t n, State *s)
{
    table->optimizer.adam(n, &adam, s->w, s->g, s->first, s->second);
}

static void true_adam(double *w, double g, double *m, double *v)
{
    double b1 = (double)adam.beta1, b2 = (double)adam.beta2;
    g += (double)adam.decay * *w;
    *m = b1 * *m + (1 - b1) * g;
    *v = b2 * *v + (1 - b2) * g * g;
    *w = (double)adam.keep * *w - (double)adam.rate * *m / (sqrt(*v) * (double)adam.root + (double)adam.epsilon);
}

static void run_sgd(const Kernels *table, int64_t n, State *s)
{
    table->optimizer.sgd(n, &sgd, s->w, s->g, s->first);
}

static void true_sgd(double *w, double g, double *v, double *unused)
{
    (void)unused;
    g += (double)sgd.decay * *w;
    *v = (double)sgd.momentum * *v + (double)sgd.enter * g;
    *w -= (double)sgd.rate * *v;
}

static void run_nesterov(const Kernels *table, int64_t n, State *s)
{
    table->optimizer.sgd(n, &nesterov, s->w, s->g, s->first);
}

static void true_nesterov(double *w, double g, double *v, double *unused)
{
    (void)unused;
    g += (double)nesterov.decay * *w;
    *v = (double)nesterov.momentum * *v + (double)nesterov.enter * g;
    *w -= (double)nesterov.rate * (g + (double)nesterov.momentum * *v);
}

static void run_rmsprop(const Kernels *table, int64_t n, State *s)
{
    table->optimizer.rmsprop(n, &rmsprop, s->w, s->g, s->first, s->second);
}

static void true_rmsprop(double *w, double g, double *square, double *v)
{
    double keep = (double)rmsprop.keep;
    g += (double)rmsprop.decay * *w;
    *square = keep * *square + (1 - keep) * g * g;
    *v = (double)rmsprop.momentum * *v + g / (sqrt(*square) + (double)rmsprop.epsilon);
    *w -= (double)rmsprop.rate * *v;
}

static void run_adagrad(const Kernels *table, int64_t n, State *s)
{
    table->optimizer.adagrad(n, &adagrad, s->w, s->g, s->first);
}

static void true_adagrad(double *w, double g, double *sum, double *unused)
{
    (void)unused;
    g += (double)adagrad.decay * *w;
    *sum += g * g;
    *w -= (double)adagrad.rate * g / (sqrt(*sum) + (double)adagrad.epsilon);
}

static void run_lion(const Kernels *table, int64_t n, State *s)
{
    table->optimizer.lion(n, &lion, s->w, s->g, s->first);
}

static void true_lion(double *w, double g, double *m, double *unused)
{
    (void)unused;
    double b1 = (double)lion.beta1, b2 = (double)lion.beta2, direction = b1 * *m + (1 - b1) * g;
    *w = (double)lion.keep * *w - (double)lion.rate * (double)((direction > 0) - (direction < 0));
    *m = b2 * *m + (1 - b2) * g;
}

/* Gradients of both signs and, every 10th, 0: with momentum 0 a zero gradient must move nothing by its sign. */
static void fill(Random *random, State *s)
{
    memset(s, 0, sizeof *s);
    for (int i = 0; i < MOST; i++) {
        s->w_[i] = (double)(s->w[i] = (float)(2 * random_uniform(random) - 1));
        s->g[i] = i % 10 == 9 ? 0 : (float)(4 * random_uniform(random) - 2);
    }
}

static void assert_near(float value, double truth)
{
    assert_true(fabs((double)value - truth) <= 3e-6 * (1 + fabs(truth)));
}

static void check(Kernel kernel, Truth truth)
{
    static State s, before;
    Random random = random_start(1, "test", 0);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        fill(&random, &s);
        before = s;
        for (int step = 0; step < STEPS; step++) {
            kernel(kernels(), sizes[k], &s);
            for (int64_t i = 0; i < sizes[k]; i++)
                truth(&s.w_[i], (double)s.g[i], &s.first_[i], &s.second_[i]);
        }
        for (int64_t i = 0; i < sizes[k]; i++) {
            assert_near(s.w[i], s.w_[i]);
            assert_near(s.first[i], s.first_[i]);
            assert_near(s.second[i], s.second_[i]);
        }
        assert_memory_equal(s.w + sizes[k], before.w + sizes[k], (size_t)(MOST - sizes[k]) * sizeof(float));
    }
}

static void test_kernels_optimizer__formulas(void **state)
{
    (void)state;
    check(run_adam, true_adam);
    check(run_sgd, true_sgd);
    check(run_nesterov, true_nesterov);
    check(run_rmsprop, true_rmsprop);
    check(run_adagrad, true_adagrad);
    check(run_lion, true_lion);
}

/* Where a parameter is cut does not change its bits. */
static void test_kernels_optimizer__cuts_keep_bits(void **state)
{
    (void)state;
    static State whole, parts;
    Random random = random_start(2, "test", 0);
    fill(&random, &whole);
    parts = whole;
    kernels()->optimizer.adam(MOST, &adam, whole.w, whole.g, whole.first, whole.second);
    for (int64_t at = 0, n; at < MOST; at += n) {
        n = MOST - at < 37 ? MOST - at : 37;
        kernels()->optimizer.adam(n, &adam, parts.w + at, parts.g + at, parts.first + at, parts.second + at);
    }
    assert_memory_equal(whole.w, parts.w, sizeof whole.w);
    assert_memory_equal(whole.second, parts.second, sizeof whole.second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_optimizer__formulas),
        cmocka_unit_test(test_kernels_optimizer__cuts_keep_bits),
    };
    return RUN_ON_EACH_ISA(tests, NULL, NULL);
}
