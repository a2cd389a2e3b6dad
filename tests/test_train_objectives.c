/* What objectives minimise, against the same computed by hand from the model's outputs. */
#include "tests/testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/models/twin.h"
#include "core/tensor/operations.h"
#include "core/train/gradients.h"

static Run *make(const char *format, const char *loss, const char *objective)
{
    char text[1024];
    Error error = {0};
    snprintf(text, sizeof text, format, loss, objective);
    Config *config = config_parse("config", text, NULL, NULL, &error);
    Run *run = config ? run_new(config, NULL, &error) : NULL;
    if (!run)
        fail_msg("%s", error.message);
    return run;
}

static const char *const decisions =
    "{\"data\": {\"type\": \"random-mdp\", \"count\": 64, \"reward_noise\": 1, \"end\": 0.2, \"gamma\": 0.5}, "
    "\"model\": "
    "{\"type\": \"mlp\", \"hidden\": [16]}, \"loss\": %s, \"objective\": {\"type\": \"fitted_q\", %s}, \"optimizer\": "
    "{\"type\": \"adam\", \"lr\": 0.01}, \"train\": {\"batch_size\": 16, \"prefetch\": false}}";

static void step(Run *run)
{
    StepGradients result = step_gradients(run, 0, run->progress.step % 4, 1);
    optimizer_step(run->optimizer, result.gradients, 1, ++run->progress.step);
}

static double first_loss(const char *loss, const char *objective, int steps)
{
    Run *run = make(decisions, loss, objective);
    for (int i = 0; i < steps; i++)
        step(run);
    double value = step_gradients(run, 0, 0, 1).loss;
    run_free(run);
    return value;
}

static void test_train_objectives__fitted_q_is_the_squared_bellman_error(void **state)
{
    (void)state;
    Run *run = make(decisions, "\"mse\"", "\"gamma\": 0.5");
    const Dataset *dataset = run->splits.train.dataset;
    const float *actions = dataset_column(dataset, "action")->values;
    const float *rewards = dataset_column(dataset, "reward")->values;
    const float *reached = dataset_column(dataset, "next")->values, *done = dataset_column(dataset, "done")->values;
    double value = step_gradients(run, 0, 0, 1).loss, expected = 0;
    tape_reset();
    const Batch *batch = loader_batch(run->loader, 0, 0);
    for (int64_t i = 0; i < batch->count; i++) {
        int64_t id = batch->ids[i];
        Forward forward = {0};
        Tensor *state_of = t_wrap(ARRAY_F32, SHAPE(1, 16), (float *)dataset->features + 16 * id);
        Tensor *next = t_wrap(ARRAY_F32, SHAPE(1, 16), (float *)reached + 16 * id);
        double q = tensor_value(model_forward(run->model, &forward, state_of), (int64_t)actions[id]);
        Tensor *after = model_forward(run->model, &forward, next);
        double best = fmax(fmax(tensor_value(after, 0), tensor_value(after, 1)), tensor_value(after, 2));
        double target = (double)rewards[id] + 0.5 * (1 - (double)done[id]) * best;
        expected += (q - target) * (q - target) / (double)batch->count;
    }
    assert_true(fabs(value / expected - 1) < 1e-5);
    run_free(run);
}

/* Between copies the target network keeps its bits, and no gradient reaches it; at a copy it is the model. */
static void test_train_objectives__the_target_network_stands_still(void **state)
{
    (void)state;
    Run *run = make(decisions, "\"mse\"", "\"gamma\": 0.5, \"target_period\": 3");
    const ParameterSet *kept = run->objective->kept(&run->context), *model = run->model->parameters;
    ParameterSet *start = parameters_copy(model);
    for (int i = 0; i < 6; i++) {
        ParameterSet *before = parameters_copy(model);
        const ParameterSet *expected = i < 3 ? start : i == 3 ? before : NULL;
        step(run);
        for (int64_t p = 0; expected && p < kept->count; p++) {
            assert_memory_equal(kept->items[p].value->data, expected->items[p].value->data,
                                (size_t)kept->items[p].value->count * sizeof(float));
            assert_null(kept->items[p].value->gradient);
        }
        parameters_free(before);
    }
    assert_memory_not_equal(kept->items[0].value->data, start->items[0].value->data,
                            (size_t)kept->items[0].value->count * sizeof(float));
    parameters_free(start);
    run_free(run);
}

/* All atoms move to the reward where nothing follows: c51 is two_hot. */
static void test_train_objectives__c51_without_a_future_is_two_hot(void **state)
{
    (void)state;
    static const char format[] =
        "{\"data\": {\"type\": \"random-mdp\", \"count\": 64, \"gamma\": 0}, \"model\": \"mlp\", \"loss\": %s, "
        "\"objective\": {\"type\": \"fitted_q\", \"gamma\": 0, \"target_period\": %s}, \"train\": {\"prefetch\": "
        "false}}";
    static const char *const losses[] = {"{\"type\": \"c51\", \"gamma\": 0, \"bins\": 8}",
                                         "{\"type\": \"two_hot\", \"bins\": 8}"};
    double values[2];
    for (int i = 0; i < 2; i++) {
        Run *run = make(format, losses[i], "10");
        values[i] = step_gradients(run, 0, 0, 1).loss;
        run_free(run);
    }
    assert_true(fabs(values[0] / values[1] - 1) < 1e-6);
}

/* Double Q-learning chooses by the model: the same as long as the target network is the model. */
static void test_train_objectives__double_q_differs_once_the_target_lags(void **state)
{
    (void)state;
    static const char plain[] = "\"gamma\": 0.5, \"double\": false", with[] = "\"gamma\": 0.5, \"double\": true";
    assert_true(first_loss("\"mse\"", plain, 0) == first_loss("\"mse\"", with, 0));
    double a = first_loss("\"mse\"", plain, 12), b = first_loss("\"mse\"", with, 12);
    assert_true(a != b && fabs(a - b) < 0.5 * a);
}

static const char *const views =
    "{\"data\": {\"type\": \"glyphs\", \"count\": 24, \"val_count\": 0, \"test_count\": 0}, \"model\": {\"type\": "
    "\"mlp\", "
    "\"hidden\": [8]}, \"loss\": %s, \"objective\": {\"type\": \"contrastive\", \"dimension\": 4, %s}, \"optimizer\": "
    "\"adam\", \"train\": {\"batch_size\": 12, \"transforms\": [\"crop\", \"noise\"]}}";

enum { SAMPLES = 12 };

/* Cosines of all 24 views of batch 1 of epoch 3 with each other; the views of a sample are SAMPLES apart. */
static void cosines(Run *run, double s[2 * SAMPLES][2 * SAMPLES], int32_t labels[SAMPLES])
{
    tape_reset();
    const Batch *batches[] = {loader_batch(run->loader, 3, 1), loader_batch(*(Loader **)run->context.state, 3, 1)};
    double z[2 * SAMPLES][4];
    assert_memory_equal(batches[0]->ids, batches[1]->ids, SAMPLES * sizeof(int64_t));
    assert_memory_not_equal(batches[0]->features, batches[1]->features, 784 * sizeof(float));
    for (int view = 0; view < 2; view++) {
        Forward forward = {0};
        Tensor *x = t_wrap(ARRAY_F32, SHAPE(SAMPLES, 1, 28, 28), batches[view]->features);
        const Tensor *embeddings = model_forward(run->model, &forward, x);
        for (int i = 0; i < 4 * SAMPLES; i++)
            z[SAMPLES * view + i / 4][i % 4] = tensor_value(embeddings, i);
    }
    for (int a = 0; a < 2 * SAMPLES; a++)
        for (int b = 0; b < 2 * SAMPLES; b++) {
            double product = 0, of_a = 0, of_b = 0;
            for (int k = 0; k < 4; k++) {
                product += z[a][k] * z[b][k];
                of_a += z[a][k] * z[a][k];
                of_b += z[b][k] * z[b][k];
            }
            s[a][b] = product / sqrt(of_a * of_b);
        }
    memcpy(labels, batches[0]->labels, SAMPLES * sizeof *labels);
}

/* Mean over anchors with positives of minus the mean over positives of log(exp(s/T) / sum over others), T = 0.5. */
static double expected_loss(Run *run, bool classes)
{
    double s[2 * SAMPLES][2 * SAMPLES], sum = 0;
    int32_t labels[SAMPLES];
    cosines(run, s, labels);
    for (int a = 0; a < 2 * SAMPLES; a++) {
        double others = 0, near = 0, count = 0;
        for (int b = 0; b < 2 * SAMPLES; b++) {
            bool same = classes ? labels[a % SAMPLES] == labels[b % SAMPLES] : a % SAMPLES == b % SAMPLES;
            bool positive = b != a && same;
            others += b == a ? 0 : exp(s[a][b] / 0.5);
            near += positive ? s[a][b] / 0.5 : 0;
            count += positive;
        }
        sum += (log(others) - near / count) / (2 * SAMPLES);
    }
    return sum;
}

static void test_train_objectives__contrastive_compares_two_views(void **state)
{
    (void)state;
    static const struct { const char *loss, *objective; bool classes; } cases[] = {
        {"{\"type\": \"nt_xent\", \"temperature\": 0.5}", "\"positives\": \"views\"", false},
        {"{\"type\": \"supcon\", \"temperature\": 0.5}", "\"positives\": \"classes\"", true},
    };
    for (int i = 0; i < 2; i++) {
        Run *run = make(views, cases[i].loss, cases[i].objective);
        double value = step_gradients(run, 3, 1, 1).loss;
        assert_true(fabs(value - expected_loss(run, cases[i].classes)) < 1e-5);
        run_free(run);
    }
}

/* A loss of classes gets the cosines of the first views with the second, the diagonal being its targets. */
static void test_train_objectives__contrastive_scores(void **state)
{
    (void)state;
    Run *run = make(views, "{\"type\": \"infonce\", \"temperature\": 0.5}", "\"positives\": \"views\"");
    double value = step_gradients(run, 3, 1, 1).loss, s[2 * SAMPLES][2 * SAMPLES], expected = 0;
    int32_t labels[SAMPLES];
    cosines(run, s, labels);
    for (int a = 0; a < SAMPLES; a++) {
        double sum = 0;
        for (int b = 0; b < SAMPLES; b++)
            sum += exp(s[a][SAMPLES + b] / 0.5);
        expected += (log(sum) - s[a][SAMPLES + a] / 0.5) / SAMPLES;
    }
    assert_true(fabs(value - expected) < 1e-5);
    run_free(run);
}

static const char *const many =
    "{\"data\": {\"type\": \"gaussian-mixture\", \"classes\": 30, \"count\": 64, \"val_count\": 0, \"test_count\": 0}, "
    "\"model\": {\"type\": \"mlp\", \"hidden\": [12]}, \"loss\": %s, \"objective\": %s, \"optimizer\": {\"type\": "
    "\"sgd\", \"lr\": 0.2, \"momentum\": 0}, \"train\": {\"batch_size\": 16}}";

/* Under plain gradient descent the factored head is the head. */
static void test_train_objectives__a_factored_head_is_the_head(void **state)
{
    (void)state;
    static const char *const losses[] = {"\"z_loss\"", "\"taylor_softmax\"",
                                         "{\"type\": \"spherical_softmax\", \"eps\": 1}"};
    for (int l = 0; l < 3; l++) {
        Run *plain = make(many, losses[l], "\"supervised\"");
        for (int i = 0; i < 40; i++)
            step(plain);
        Run *run = make(many, losses[l], "{\"type\": \"factored_output\", \"lr\": 0.2, \"refactor_every\": 7}");
        for (int i = 0; i < 40; i++)
            step(run);
        run->objective->settle(&run->context);
        for (int64_t p = 0; p < run->model->parameters->count; p++) {
            const Tensor *a = plain->model->parameters->items[p].value, *b = run->model->parameters->items[p].value;
            for (int64_t i = 0; i < a->count; i++)
                assert_true(fabs(tensor_value(a, i) - tensor_value(b, i)) < 2e-5);
        }
        run_free(run);
        run_free(plain);
    }
}

static const char *const labels_ =
    "{\"data\": {\"type\": \"extreme-labels\", \"labels\": 30, \"count\": 48, \"val_count\": 0, \"test_count\": 0}, "
    "\"model\": {\"type\": \"dual_encoder\", \"dim\": 5, \"label_chunk\": 4}, \"loss\": %s, \"objective\": %s, "
    "\"optimizer\": {\"type\": \"adam\", \"lr\": 0.05}, \"train\": {\"batch_size\": 3, \"prefetch\": false}}";

/* The mean over the positives of each sample of log(e^s + sum of e^negatives) - s, negatives among the labels of the
   three samples. */
static void test_train_objectives__negatives_of_the_batch(void **state)
{
    (void)state;
    Run *run = make(labels_, "\"decoupled_softmax\"", "\"sampled_labels\"");
    const double value = step_gradients(run, 0, 2, 1).loss;
    tape_reset();
    const Batch *batch = loader_batch(run->loader, 0, 2);
    Forward forward = {0};
    const Tensor *scores = model_forward(run->model, &forward, t_wrap(ARRAY_F32, SHAPE(3, 24), batch->features));
    double expected = 0;
    int outside = 0;
    for (int l = 0; l < 30; l++)
        outside += batch->values[l] + batch->values[30 + l] + batch->values[60 + l] == 0;
    assert_true(outside > 0);
    for (int i = 0; i < 3; i++) {
        double others = 0, sum = 0, count = 0;
        for (int l = 0; l < 30; l++)
            if (batch->values[l] + batch->values[30 + l] + batch->values[60 + l] > 0 && batch->values[30 * i + l] == 0)
                others += exp(tensor_value(scores, 30 * i + l));
        for (int l = 0; l < 30; l++)
            if (batch->values[30 * i + l] > 0) {
                const double s = tensor_value(scores, 30 * i + l);
                sum += log(exp(s) + others) - s;
                count++;
            }
        expected += sum / count / 3;
    }
    assert_true(fabs(value - expected) < 1e-5 * expected);
    run_free(run);
}

/* With lists of all wrong labels and draws enough, every label is compared with: the same loss and gradients. */
static void test_train_objectives__all_negatives_are_all_labels(void **state)
{
    (void)state;
    Run *all = make(labels_, "\"softmax_multi\"", "\"supervised\"");
    Run *hard = make(labels_, "\"softmax_multi\"",
                     "{\"type\": \"sampled_labels\", \"negatives\": \"hard\", \"num_neg\": 2000}");
    for (int i = 0; i < 5; i++) {
        step(all);
        step(hard);
    }
    for (int64_t p = 0; p < all->model->parameters->count; p++) {
        const Tensor *a = all->model->parameters->items[p].value, *b = hard->model->parameters->items[p].value;
        for (int64_t i = 0; i < a->count; i++)
            assert_true(fabs(tensor_value(a, i) - tensor_value(b, i)) < 2e-5);
    }
    run_free(all);
    run_free(hard);
}

/* Each sample's list is of the wrong labels that the model scored highest when it was last searched for. */
static void test_train_objectives__hard_negatives_are_what_scores_high(void **state)
{
    (void)state;
    Run *run = make(labels_, "\"decoupled_softmax\"",
                    "{\"type\": \"sampled_labels\", \"negatives\": \"hard\", \"hard_topk\": 4, "
                    "\"hard_refresh_epochs\": 2}");
    const Dataset *dataset = run->splits.train.dataset;
    const Tensor *lists = run->objective->kept(&run->context)->items[0].value;
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        float before[48 * 4];
        memcpy(before, lists->data, sizeof before);
        Forward forward = {0};
        tape_reset();
        Tensor *x = t_wrap(ARRAY_F32, SHAPE(48, 24), (float *)dataset->features);
        const Tensor *now = model_forward(run->model, &forward, x);
        double scores[48 * 30];
        for (int i = 0; i < 48 * 30; i++)
            scores[i] = tensor_value(now, i);
        StepGradients gradients = step_gradients(run, epoch, 0, 1);
        optimizer_step(run->optimizer, gradients.gradients, 1, epoch + 1);
        const bool same = memcmp(before, lists->data, sizeof before) == 0;
        assert_true(same == (epoch == 1));
        for (int i = 0; epoch != 1 && i < 48; i++) {
            const float *list = tensor_f32(lists) + 4 * i;
            for (int k = 0; k < 4; k++) {
                const int label = (int)list[k];
                assert_true(dataset->values[30 * i + label] == 0);
                int above = 0;
                for (int l = 0; l < 30; l++)
                    above += dataset->values[30 * i + l] == 0 && scores[30 * i + l] > scores[30 * i + label] + 1e-5;
                assert_true(above <= k);
            }
        }
    }
    run_free(run);
}

static const char *const queries =
    "{\"data\": {\"type\": \"retrieval\", \"documents\": 20, \"count\": 24, \"test_count\": 0}, \"model\": {\"type\": "
    "\"dual_encoder\", \"share\": false, \"dim\": 4, \"temperature\": 1}, \"loss\": %s, \"objective\": {\"type\": "
    "\"in_batch\", %s}, \"train\": {\"batch_size\": 6, \"shuffle\": false}}";

/* All batches of an epoch, by hand: the batch's documents each once, and the hardest of each query for all. */
static void in_batch_by_hand(int hard, double temperature)
{
    char loss[96], keys[64];
    snprintf(loss, sizeof loss, "{\"type\": \"infonce\", \"temperature\": %g}", temperature);
    snprintf(keys, sizeof keys, "\"hard_negatives\": %d", hard);
    Run *run = make(queries, loss, keys);
    for (int b = 0; b < 4; b++) {
        double value = step_gradients(run, 0, b, 1).loss, expected = 0, s[6][20];
        tape_reset();
        const Batch *batch = loader_batch(run->loader, 0, b);
        Forward forward = {0};
        Tensor *scores = model_forward(run->model, &forward, t_wrap(ARRAY_F32, SHAPE(6, 24), batch->features));
        bool column[20] = {false};
        for (int i = 0; i < 6; i++) {
            for (int d = 0; d < 20; d++)
                s[i][d] = tensor_value(scores, i * 20 + d);
            column[batch->labels[i]] = true;
        }
        for (int i = 0; i < 6; i++)
            for (int d = 0; d < 20; d++) {
                int above = 0;
                for (int e = 0; e < 20; e++)
                    above += e != batch->labels[i] && s[i][e] > s[i][d];
                column[d] |= d != batch->labels[i] && above < hard;
            }
        for (int i = 0; i < 6; i++) {
            double sum = 0;
            for (int d = 0; d < 20; d++)
                sum += column[d] ? exp(s[i][d] / temperature) : 0;
            expected += (log(sum) - s[i][batch->labels[i]] / temperature) / 6;
        }
        assert_true(fabs(value - expected) < 1e-5);
    }
    run_free(run);
}

static void test_train_objectives__in_batch_compares_the_batch(void **state)
{
    (void)state;
    in_batch_by_hand(0, 0.5);
    in_batch_by_hand(2, 0.5);
    in_batch_by_hand(19, 1);
}

static const char *const twins =
    "{\"data\": {\"type\": \"gaussian-mixture\", \"classes\": 4, \"count\": 48, \"val_count\": 0, \"test_count\": 0}, "
    "\"model\": {\"type\": \"twin\", \"model\": {\"type\": \"mlp\", \"hidden\": [6]}}, \"loss\": %s, \"objective\": "
    "{\"type\": \"cross_teaching\", \"labeled\": 10, \"labeled_batch\": 4, %s}, \"train\": {\"batch_size\": 16, "
    "\"prefetch\": false}}";

/* The loss of the first batch at that share of the run. */
static double twin_loss(const char *keys, double progress)
{
    Run *run = make(twins, "\"ce\"", keys);
    run->context.at = (ScheduleContext){.step = (int64_t)(1000 * progress), .total = 1000, .steps_per_epoch = 1};
    double value = step_gradients(run, 0, 0, 1).loss;
    run_free(run);
    return value;
}

/* Both networks' losses of the labelled batch, and those of each held to the other's largest class. */
static void test_train_objectives__twins_teach_each_other(void **state)
{
    (void)state;
    Run *run = make(twins, "\"ce\"", "\"teaching\": \"ce\"");
    run->context.at = SCHEDULE_END;
    double value = step_gradients(run, 0, 0, 1).loss, expected = 0;
    tape_reset();
    const Model *networks = twin_networks(run->model);
    const Batch *batch = loader_batch(run->loader, 0, 0);
    Tensor *x = t_wrap(ARRAY_F32, SHAPE(16, run->model->input.shape.sizes[0]), batch->features), *logits[2];
    for (int i = 0; i < 2; i++) {
        Forward forward = {0};
        logits[i] = model_forward(&networks[i], &forward, x);
    }
    for (int i = 0; i < 2; i++)
        expected +=
            tensor_value(t_mean(t_softmax_cross_entropy(logits[i], t_argmax(logits[1 - i], -1)), ALL_AXES, false), 0);
    assert_true(fabs(value - twin_loss("\"weight\": 0", 1) - expected) < 1e-5);
    run_free(run);
}

/* Nothing at the start, exp(-5 (1 - t/R)^2) of the teaching on the way, all of it from R on. */
static void test_train_objectives__teaching_rises(void **state)
{
    (void)state;
    static const char keys[] = "\"rampup\": 0.5, \"weight\": 2";
    double alone = twin_loss(keys, 0), whole = twin_loss(keys, 0.5) - alone;
    assert_true(alone == twin_loss("\"weight\": 0", 0.7) && whole > 0.01);
    assert_true(twin_loss(keys, 1) - alone == whole);
    assert_true(fabs((twin_loss(keys, 0.25) - alone) / whole - 0.286505) < 1e-4);
    assert_true(fabs((twin_loss(keys, 0.125) - alone) / whole - 0.0600547) < 1e-4);
    assert_true(twin_loss("\"rampup\": 0, \"weight\": 2", 0) - alone == whole);
}

/* Labels of the other samples change nothing, a teacher gets no gradient from its pupil, and noise does something. */
static void test_train_objectives__unlabeled_classes_are_not_seen(void **state)
{
    (void)state;
    Run *run = make(twins, "\"ce\"", "\"teaching\": \"cbc\"");
    run->context.at = SCHEDULE_END;
    double before = step_gradients(run, 0, 0, 1).loss;
    int32_t *labels = run->splits.train.dataset->labels;
    int moved = 0;
    for (int64_t i = 0; i < 48; i++) {
        labels[i] = (labels[i] + 1) % 4;
        double after = step_gradients(run, 0, 0, 1).loss;
        labels[i] = (labels[i] + 3) % 4;
        moved += after != before;
    }
    assert_int_equal(moved, 4); /* those of the labelled batch */
    run_free(run);
    assert_true(twin_loss("\"noise\": 0.5", 1) != before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_objectives__fitted_q_is_the_squared_bellman_error),
        cmocka_unit_test(test_train_objectives__the_target_network_stands_still),
        cmocka_unit_test(test_train_objectives__c51_without_a_future_is_two_hot),
        cmocka_unit_test(test_train_objectives__double_q_differs_once_the_target_lags),
        cmocka_unit_test(test_train_objectives__contrastive_compares_two_views),
        cmocka_unit_test(test_train_objectives__contrastive_scores),
        cmocka_unit_test(test_train_objectives__a_factored_head_is_the_head),
        cmocka_unit_test(test_train_objectives__in_batch_compares_the_batch),
        cmocka_unit_test(test_train_objectives__negatives_of_the_batch),
        cmocka_unit_test(test_train_objectives__all_negatives_are_all_labels),
        cmocka_unit_test(test_train_objectives__hard_negatives_are_what_scores_high),
        cmocka_unit_test(test_train_objectives__twins_teach_each_other),
        cmocka_unit_test(test_train_objectives__teaching_rises),
        cmocka_unit_test(test_train_objectives__unlabeled_classes_are_not_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
