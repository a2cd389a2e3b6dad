/* Noise in hidden states: its deviations by hand, its moments, and what training does without it. */
#include "tests/testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/nn/layer_noise.h"
#include "core/tensor/operations.h"
#include "core/train/gradients.h"

static void assert_deviations(int64_t rows, int64_t width, const float *h, const double *expected)
{
    static const LayerNoise noise = {.beta = 0.1, .factor_max = 5};
    Tape *tape = tape_new(), *before = tape_use(tape);
    float sigma[16];
    layer_noise_deviations(&noise, 0.1, rows, width, h, sigma);
    for (int64_t i = 0; i < rows * width; i++)
        if (!(fabs((double)sigma[i] - expected[i]) < 1e-5))
            fail_msg("%g is not %g", (double)sigma[i], expected[i]);
    tape_use(before);
    tape_free(tape);
}

/* Of two tokens of variances 12.5 and 1.3 the factors are 5, which bounds it, and 1.207323. */
static void test_layer_noise__deviations_by_hand(void **state)
{
    (void)state;
    assert_deviations(1, 5, (const float[]){1, 2, 3, 4, 10},
                      (const double[]){0.22255, 0.24596, 0.27183, 0.24596, 0.13499});
    assert_deviations(1, 4, (const float[]){1, 2, 3, 4}, (const double[]){0.24596, 0.27183, 0.24596, 0.22255});
    double low = 0.1 * 1.207323, middle = low * exp(-0.1), far = low * exp(-0.2), high = 0.1 * 5;
    assert_deviations(2, 5, (const float[]){1, 2, 3, 4, 10, 0, 1, 0, -1, 2},
                      (const double[]){high * exp(-0.2), high * exp(-0.1), high, high * exp(-0.1), high * exp(-0.7),
                                       low, middle, low, middle, far});
    assert_deviations(1, 1, (const float[]){3}, (const double[]){0.1 * 3e-6}); /* one element has no spread */
}

/* Attached deviations are the others, and have the derivatives that differences show. */
static void test_layer_noise__attached_deviations(void **state)
{
    (void)state;
    Tape *tape = tape_new(), *before = tape_use(tape);
    LayerNoise noise = {.beta = 0.1, .factor_max = 5};
    static const double values[] = {1, 2.5, 3.2, 4, 10, 0.3, 1.2, -0.4, -1, 2, 0.7, 0.1, 0.9, -0.6, 1.6};
    Tensor *x = t_new(ARRAY_F64, SHAPE(1, 3, 5)), *single = t_new(ARRAY_F32, SHAPE(1, 3, 5));
    double mean = 0, square = 0;
    for (int i = 0; i < 15; i++) {
        tensor_set(x, i, values[i]);
        tensor_set(single, i, values[i]);
        mean += values[i] / 15;
    }
    for (int i = 0; i < 15; i++)
        square += (values[i] - mean) * (values[i] - mean) / 14;
    float sigma[15];
    layer_noise_deviations(&noise, 0.1 * sqrt(square), 3, 5, tensor_f32(single), sigma);
    x->requires_gradient = true;
    Tensor *attached = layer_noise_attached(&noise, 0.1, x);
    for (int i = 0; i < 15; i++)
        assert_true(fabs(tensor_value(attached, i) - (double)sigma[i]) < 1e-6);
    t_backward(t_sum(t_square(attached), ALL_AXES, false));
    for (int i = 0; i < 15; i++) {
        double sums[2];
        for (int side = 0; side < 2; side++) {
            Tensor *moved = t_new(ARRAY_F64, SHAPE(1, 3, 5));
            for (int k = 0; k < 15; k++)
                tensor_set(moved, k, values[k] + (k == i ? (side ? 1e-5 : -1e-5) : 0));
            sums[side] = tensor_value(t_sum(t_square(layer_noise_attached(&noise, 0.1, moved)), ALL_AXES, false), 0);
        }
        double slope = (sums[1] - sums[0]) / 2e-5;
        if (!(fabs(tensor_value(x->gradient, i) - slope) < 1e-6 * (1 + fabs(slope))))
            fail_msg("%d: %g is not %g", i, tensor_value(x->gradient, i), slope);
    }
    tape_use(before);
    tape_free(tape);
}

static Run *make(const char *model, const char *loss, const char *objective)
{
    char text[1024];
    Error error = {0};
    snprintf(text, sizeof text, "{\"data\": {\"type\": \"markov-text\", \"count\": 2000, \"length\": 8}, \"model\": "
             "{\"type\": \"transformer\", \"layers\": 3, \"width\": 16, \"heads\": 2%s}, \"loss\": %s, \"objective\": "
             "%s, "
             "\"train\": {\"batch_size\": 4}}", model, loss, objective);
    Config *config = config_parse("config", text, NULL, NULL, &error);
    Run *run = config ? run_new(config, NULL, &error) : NULL;
    if (!run)
        fail_msg("%s", error.message);
    return run;
}

static double first_loss(const char *model, const char *loss, const char *objective)
{
    Run *run = make(model, loss, objective);
    double value = step_gradients(run, 0, 0, 1).loss;
    run_free(run);
    return value;
}

static double last_layer_deviation(const LayerNoise *noise, const Layer *layer, Tensor *x, double *mean)
{
    double sum = 0, square = 0;
    int64_t draws = 4000;
    Forward forward = {.seed = 1};
    for (int64_t i = 0; i < draws; i++) {
        double difference = tensor_value(layer_noise_add(noise, layer, &forward, x), 4) - tensor_value(x, 4);
        sum += difference / (double)draws;
        square += difference * difference / (double)draws;
    }
    *mean = sum;
    return sqrt(square);
}

/* Mean 0 and the deviation that is said; other layers' outputs are left as they are. */
static void test_layer_noise__draws_have_the_moments(void **state)
{
    (void)state;
    Tape *tape = tape_new(), *before = tape_use(tape);
    Layer layer = {0}, other = {0};
    const Layer *layers[] = {&layer};
    LayerNoise noise = {.layers = layers, .count = 1, .deviation = 0.1, .beta = 0.1, .factor_max = 5, .radius = 5};
    Tensor *x = t_new(ARRAY_F32, SHAPE(1, 2, 5));
    for (int i = 0; i < 10; i++)
        tensor_set(x, i, i % 5 == 4 ? 10 : i % 5);
    double square = 0, total = 0, mean;
    for (int i = 0; i < 10; i++)
        total += tensor_value(x, i) / 10;
    for (int i = 0; i < 10; i++)
        square += (tensor_value(x, i) - total) * (tensor_value(x, i) - total) / 9;
    float sigma[10];
    layer_noise_deviations(&noise, 0.1 * sqrt(square), 2, 5, tensor_f32(x), sigma);
    double deviation = last_layer_deviation(&noise, &layer, x, &mean);
    assert_true(fabs(mean) < 4 * (double)sigma[4] / sqrt(4000));
    assert_true(fabs(deviation / (double)sigma[4] - 1) < 0.05); /* its standard error is 0.011 */
    assert_ptr_equal(layer_noise_add(&noise, &other, &(Forward){0}, x), x);
    noise.uniform = true;
    deviation = last_layer_deviation(&noise, &layer, x, &mean);
    double expected = 5 / sqrt(2 * 5) / sqrt(3); /* a uniform's */
    assert_true(fabs(deviation / expected - 1) < 0.05 && fabs(mean) < 4 * expected / sqrt(4000));
    tape_use(before);
    tape_free(tape);
}

/* Without noise NoiseFiT is alpha times cross-entropy; a single pass without noise is supervised learning. */
static void test_layer_noise__none_is_cross_entropy(void **state)
{
    (void)state;
    double plain = first_loss("", "\"ce\"", "\"supervised\"");
    double none = first_loss("", "{\"type\": \"noisefit\", \"alpha\": 0.5}", "{\"type\": \"noisy\", \"deviation\": 0}");
    double some = first_loss("",
                             "{\"type\": \"noisefit\", \"alpha\": 0.5}", "{\"type\": \"noisy\", \"deviation\": 30}");
    assert_true(fabs(none - 0.5 * plain) < 1e-6);
    assert_true(some > none + 1e-4);
    assert_true(first_loss("", "\"ce\"", "{\"type\": \"noisy\", \"deviation\": 0}") == plain);
    assert_true(first_loss("", "\"ce\"", "{\"type\": \"noisy\", \"noise\": \"embeddings\", \"radius\": 0}") == plain);
    double embedded = first_loss("", "\"ce\"", "{\"type\": \"noisy\", \"noise\": \"embeddings\", \"radius\": 30}");
    assert_true(fabs(embedded - plain) > 1e-4);
    static const char rdrop[] = "{\"type\": \"noisefit\", \"mode\": \"rdrop\"}",
                      alone[] = "{\"type\": \"noisy\", \"noise\": \"dropout\"}";
    assert_true(fabs(first_loss("", rdrop, alone) - plain) < 1e-6); /* two equal passes */
    assert_true(fabs(first_loss(", \"dropout\": 0.3", rdrop, alone) - plain) > 1e-4);
}

/* As many blocks as asked for; the largest ratios and the lowest are different ones, whatever the deviation. */
static void test_layer_noise__blocks_by_signal_to_noise(void **state)
{
    (void)state;
    static const char *const objectives[] = {
        "{\"type\": \"noisy\", \"layers\": 1}", "{\"type\": \"noisy\", \"layers\": 1, \"deviation\": 0.3}",
        "{\"type\": \"noisy\", \"layers\": 1, \"snr\": \"lowest\"}"};
    int chosen[3];
    for (int i = 0; i < 3; i++) {
        Run *run = make("", "\"noisefit\"", objectives[i]);
        const Tensor *is_chosen = run->objective->kept(&run->context)->items[0].value;
        for (int b = 0; b < 3; b++)
            assert_true(tensor_value(is_chosen, b) == 0);
        step_gradients(run, 0, 0, 1);
        int count = 0;
        for (int b = 0; b < 3; b++)
            if (tensor_value(is_chosen, b) == 1) {
                chosen[i] = b;
                count++;
            }
        assert_int_equal(count, 1);
        run_free(run);
    }
    assert_int_equal(chosen[0], chosen[1]);
    assert_int_not_equal(chosen[0], chosen[2]);
}

static double figure(const Run *run, const char *name)
{
    for (int i = 0; i < run->context.figure_count; i++)
        if (strcmp(run->context.figures[i].name, name) == 0)
            return run->context.figures[i].value;
    return NAN;
}

/* The parts make the total; gate, scale and the power of the deviation are factors of the noise. */
static void test_layer_noise__parts_are_told(void **state)
{
    (void)state;
    Run *run =
        make("", "{\"type\": \"noisefit\", \"alpha\": 0.3, \"lambda\": 0.2}", "{\"type\": \"noisy\", \"layers\": 2}");
    double loss = step_gradients(run, 0, 0, 1).loss;
    double ce = figure(run, "ce"), soft = figure(run, "soft"), consistency = figure(run, "consistency");
    assert_true(soft > 0 && consistency > 0);
    assert_true(fabs(0.3 * ce + 0.7 * soft + 0.2 * consistency - loss) < 1e-6 && figure(run, "total") == loss);
    int noisy = 0;
    double rms = 0;
    for (int b = 0; b < 3; b++) {
        char name[64];
        snprintf(name, sizeof name, "snr_blocks.%d", b);
        assert_true(figure(run, name) > 0);
        snprintf(name, sizeof name, "noise_rms_blocks.%d", b);
        noisy += !isnan(figure(run, name));
        rms = isnan(figure(run, name)) ? rms : figure(run, name);
    }
    assert_int_equal(noisy, 2);
    run_free(run);
    run = make("", "\"noisefit\"",
               "{\"type\": \"noisy\", \"layers\": 2, \"deviation\": 0.2, \"std_power\": 2, \"scale\": 5, "
               "\"gate\": 0.5}");
    step_gradients(run, 0, 0, 1);
    double other = 0;
    for (int b = 0; b < 3; b++) {
        char name[64];
        snprintf(name, sizeof name, "noise_rms_blocks.%d", b);
        other = isnan(figure(run, name)) ? other : figure(run, name);
    }
    assert_true(fabs(other / rms - 1) < 1e-3); /* 0.2^2 * 5 / 2 = 0.1; the second block hears the first's noise */
    run_free(run);
}

/* At most sqrt(blocks) rounded up, at one of the scales that are tried; the same again for the same run. */
static void test_layer_noise__blocks_by_trial(void **state)
{
    (void)state;
    float first[3];
    for (int i = 0; i < 2; i++) {
        Run *run = make("", "\"noisefit\"", "{\"type\": \"noisy\", \"layers\": \"auto\", \"deviation\": 3}");
        step_gradients(run, 0, 0, 1);
        const Tensor *scales = run->objective->kept(&run->context)->items[0].value;
        int count = 0;
        for (int b = 0; b < 3; b++) {
            double factor = tensor_value(scales, b) * sqrt(16);
            bool known = factor == 0 || factor == 0.25 || factor == 0.5 || factor == 1 || factor == 1.5 || factor == 2;
            assert_true(known);
            count += factor > 0;
            if (i == 0)
                first[b] = tensor_f32(scales)[b];
            assert_true(first[b] == tensor_f32(scales)[b]);
        }
        assert_in_range(count, 1, 2);
        assert_true(figure(run, "scale_blocks.1") == tensor_value(scales, 1));
        run_free(run);
    }
    Error error = {0};
    Config *config = config_parse("config", "{\"objective\": {\"type\": \"noisy\", \"layers\": \"some\"}}", NULL, NULL,
                                  &error);
    assert_null(config);
    assert_non_null(strstr(error.message, "layers: expected a whole number from 1 to 1000, or \"auto\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer_noise__deviations_by_hand),
        cmocka_unit_test(test_layer_noise__attached_deviations),
        cmocka_unit_test(test_layer_noise__parts_are_told),
        cmocka_unit_test(test_layer_noise__blocks_by_trial),
        cmocka_unit_test(test_layer_noise__draws_have_the_moments),
        cmocka_unit_test(test_layer_noise__none_is_cross_entropy),
        cmocka_unit_test(test_layer_noise__blocks_by_signal_to_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
