/* What losses make of a model's outputs: probabilities that agree with the loss itself, values on grids. */
#include "tests/losses.h"

enum { CLASSES = 5 };

typedef struct Decoder {
    JsonSource *source;
    Arena *arena;
    Instance loss;
    const LossDef *def;
} Decoder;

static Decoder decoder(const char *spec)
{
    Decoder d = {.source = json_source_new(), .arena = arena_new()};
    d.loss = loss_from(d.source, d.arena, spec);
    d.def = (const LossDef *)d.loss.component;
    return d;
}

static void decoder_close(Decoder *d)
{
    arena_free(d->arena);
    json_source_free(d->source);
    tape_reset();
}

static Tensor *row(int64_t count, const double *values)
{
    Tensor *logits = t_new(ARRAY_F64, SHAPE(1, count));
    for (int64_t i = 0; i < count; i++)
        tensor_set(logits, i, values[i]);
    return logits;
}

static void assert_close(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.17g is not %.17g", value, expected);
}

static double loss_of_class(const Decoder *d, Tensor *logits, int32_t target)
{
    Tensor *targets = t_new(ARRAY_I32, SHAPE(1));
    tensor_i32(targets)[0] = target;
    return loss_value(&d->loss, &(LossInput){.logits = logits, .targets = targets});
}

/* Every loss of classes with a decoder, on moderate and on extreme logits. */
static void test_losses_decode__class_probabilities_sum_to_one(void **state)
{
    (void)state;
    int found = 0;
    for (const Component *const *item = component_kind("loss")->items; *item; item++) {
        const LossDef *def = (const LossDef *)*item;
        if (!def->decode || def->decodes || def->targets == LOSS_VALUES || def->targets == LOSS_SOFT)
            continue;
        char spec[80];
        snprintf(spec, sizeof spec, "\"%s\"", def->component.name);
        Decoder d = decoder(spec);
        static const double scales[] = {1, 1e4};
        for (int s = 0; s < 2; s++) {
            int64_t classes = loss_outputs(&d.loss, CLASSES) ? CLASSES : 2; /* some are for two */
            int64_t outputs = loss_outputs(&d.loss, classes);
            Random random = random_start(7, spec, 0);
            Tensor *logits = t_new(ARRAY_F64, SHAPE(1, outputs));
            double log_p[CLASSES], sum = 0;
            for (int64_t i = 0; i < outputs; i++)
                tensor_set(logits, i, scales[s] * random_normal(&random));
            loss_decode(&d.loss, logits, classes, log_p);
            for (int k = 0; k < classes; k++) {
                assert_true(isfinite(log_p[k]));
                sum += exp(log_p[k]);
            }
            assert_close(sum, 1, 1e-12);
        }
        found++;
        decoder_close(&d);
    }
    assert_true(found >= 4);
}

/* Differences of log p between classes are those of the loss; corn's is the mean over min(y + 1, K-1) tasks. */
static void test_losses_decode__log_probabilities_are_the_losses(void **state)
{
    (void)state;
    static const char *const specs[] = {"\"coral\"", "\"corn\"", "\"taylor_softmax\"", "\"spherical_softmax\"",
                                        "{\"type\": \"sum\", \"terms\": [\"coral\"]}", NULL};
    static const double z[CLASSES] = {0.7, -0.4, 1.3, -2.1, 0.2};
    for (const char *const *spec = specs; *spec; spec++) {
        Decoder d = decoder(*spec);
        double log_p[CLASSES], values[CLASSES];
        Tensor *logits = row(loss_outputs(&d.loss, CLASSES), z);
        loss_decode(&d.loss, logits, CLASSES, log_p);
        for (int k = 0; k < CLASSES; k++)
            values[k] = loss_of_class(&d, logits, k) * (strcmp(*spec, "\"corn\"") == 0 ? fmin(k + 1, CLASSES - 1) : 1);
        for (int k = 1; k < CLASSES; k++)
            assert_close(log_p[0] - log_p[k], values[k] - values[0], 1e-12);
        decoder_close(&d);
    }
}

/* Descending thresholds: the rank of the paper, the number of thresholds that are passed. */
static void test_losses_decode__coral_counts_thresholds(void **state)
{
    (void)state;
    Decoder d = decoder("\"coral\"");
    double log_p[CLASSES];
    loss_decode(&d.loss, row(CLASSES - 1, (const double[]){3, 0.5, -0.2, -4}), CLASSES, log_p);
    for (int k = 0; k < CLASSES; k++)
        assert_true(k == 2 || log_p[k] < log_p[2]);
    decoder_close(&d);
}

static void test_losses_decode__values(void **state)
{
    (void)state;
    static const struct { const char *spec; int64_t outputs, of_two; double z[4], value; } cases[] = {
        {"{\"type\": \"hl_gauss\", \"vmin\": 0, \"vmax\": 4, \"bins\": 4}", 4, 8, {0, 0, 0, 0}, 2},
        {"{\"type\": \"hl_gauss\", \"vmin\": 0, \"vmax\": 4, \"bins\": 4}", 4, 8, {0, 1e4, 0, 0}, 1.5},
        {"{\"type\": \"two_hot\", \"vmin\": 0, \"vmax\": 3, \"bins\": 4}", 4, 8, {0, 0, 0, 1e4}, 3},
        {"{\"type\": \"two_hot\", \"vmin\": -1, \"vmax\": 2, \"bins\": 2}", 2, 4, {0, 0.6931471805599453}, 1},
        {"{\"type\": \"c51\", \"vmin\": 0, \"vmax\": 3, \"bins\": 4}", 4, 8, {0, 0, 1e4, 0}, 2},
        {"\"crps\"", 2, 0, {-1.25, 3}, -1.25},
        {"\"pinball\"", 3, 0, {1, 2, 9}, 2},
        {"{\"type\": \"pinball\", \"quantiles\": [0.9, 0.4]}", 2, 0, {5, 1}, 1.8},
        {"{\"type\": \"pinball\", \"quantiles\": [0.7, 0.9]}", 2, 0, {5, 7}, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Decoder d = decoder(cases[i].spec);
        double value;
        assert_int_equal(loss_outputs(&d.loss, 1), cases[i].outputs);
        assert_int_equal(loss_outputs(&d.loss, 2), cases[i].of_two);
        loss_decode(&d.loss, row(cases[i].outputs, cases[i].z), 1, &value);
        assert_close(value, cases[i].value, 1e-12);
        decoder_close(&d);
    }
}

/* The columns of two values lie one after the other; the loss is the mean of what each has alone. */
static void test_losses_decode__two_values_are_two_grids(void **state)
{
    (void)state;
    static const char *const specs[] = {"{\"type\": \"hl_gauss\", \"vmin\": 0, \"vmax\": 3, \"bins\": 4}",
                                        "{\"type\": \"two_hot\", \"vmin\": 0, \"vmax\": 3, \"bins\": 4}"};
    static const double z[] = {0.3, -1, 2, 0.5, 1.5, 0, -0.7, 0.2};
    for (int s = 0; s < 2; s++) {
        Decoder d = decoder(specs[s]);
        double both[2], alone[2], mean = 0;
        Tensor *targets = row(2, (const double[]){0.4, 2.6});
        loss_decode(&d.loss, row(8, z), 2, both);
        for (int k = 0; k < 2; k++) {
            Tensor *logits = row(4, z + 4 * k), *target = row(1, (const double[]){k == 0 ? 0.4 : 2.6});
            loss_decode(&d.loss, logits, 1, alone + k);
            assert_close(both[k], alone[k], 0);
            mean += loss_value(&d.loss, &(LossInput){.logits = logits, .targets = target}) / 2;
        }
        assert_close(loss_value(&d.loss, &(LossInput){.logits = row(8, z), .targets = targets}), mean, 1e-14);
        decoder_close(&d);
    }
}

static void test_losses_decode__ramp_follows_progress(void **state)
{
    (void)state;
    Decoder plain = decoder("\"ce\""), ramp = decoder("{\"type\": \"ramp\", \"base\": \"ce\", \"from\": 0.5, "
                                                      "\"to\": 2.5, \"start\": 0.2, \"end\": 0.6}");
    Tensor *logits = row(3, (const double[]){0.1, 0.9, -1}), *targets = t_zeros(ARRAY_I32, SHAPE(1));
    LossInput in = {.logits = logits, .targets = targets};
    double whole = loss_value(&plain.loss, &in);
    static const double points[][2] = {{0, 0.5}, {0.2, 0.5}, {0.3, 1}, {0.4, 1.5}, {0.6, 2.5}, {1, 2.5}};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        in.at = (ScheduleContext){.step = (int64_t)(10 * points[i][0]), .total = 10};
        assert_close(loss_value(&ramp.loss, &in), points[i][1] * whole, 1e-12);
    }
    decoder_close(&plain);
    decoder_close(&ramp);
}

/* A term's weight and those of losses, at steps of a run. */
static void test_losses_decode__weights_follow_the_step(void **state)
{
    (void)state;
    Decoder plain = decoder("\"ce\""), part = decoder("\"entropy\""), sum = decoder(
        "{\"type\": \"sum\", \"terms\": [{\"type\": \"ce\", \"weight\": 2}, {\"type\": \"entropy\", \"weight\": "
        "{\"type\": \"linear\", \"from\": -0.5, \"to\": 1}}]}"), symmetric = decoder(
        "{\"type\": \"symmetric_ce\", \"alpha\": {\"type\": \"cosine\", \"from\": 3, \"to\": 1}, \"beta\": 0}");
    Tensor *logits = row(3, (const double[]){0.1, 0.9, -1}), *targets = t_zeros(ARRAY_I32, SHAPE(1));
    LossInput in = {.logits = logits, .targets = targets};
    double whole = loss_value(&plain.loss, &in), entropy = loss_value(&part.loss, &in);
    const struct { ScheduleContext at; double sum, symmetric; } points[] = {
        {{0, 8, 4}, -0.5, 3}, {{2, 8, 4}, -0.125, 2 + M_SQRT1_2}, {{4, 8, 4}, 0.25, 2}, {{8, 8, 4}, 1, 1},
        {SCHEDULE_END, 1, 1},
    };
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        in.at = points[i].at;
        assert_close(loss_value(&sum.loss, &in), 2 * whole + points[i].sum * entropy, 1e-12);
        assert_close(loss_value(&symmetric.loss, &in), points[i].symmetric * whole, 1e-12);
    }
    decoder_close(&plain);
    decoder_close(&part);
    decoder_close(&sum);
    decoder_close(&symmetric);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_losses_decode__class_probabilities_sum_to_one),
        TAPE_TEST(test_losses_decode__log_probabilities_are_the_losses),
        TAPE_TEST(test_losses_decode__coral_counts_thresholds),
        TAPE_TEST(test_losses_decode__values),
        TAPE_TEST(test_losses_decode__two_values_are_two_grids),
        TAPE_TEST(test_losses_decode__ramp_follows_progress),
        TAPE_TEST(test_losses_decode__weights_follow_the_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
