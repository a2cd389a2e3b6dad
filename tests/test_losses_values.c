/* Losses by hand: values from the papers and worked out, class and sample weights, ignored rows, state, refusals. */
#include "tests/losses.h"

typedef struct Row {
    const char *spec;
    int rows, columns;
    double logits[20];
    double targets[20];     /* rows classes, or as many as logits where soft */
    bool real;              /* targets are real numbers */
    double value, gradient[20];
    int gradients;          /* how many of them are given */
} Row;

#define CE_LOGITS 1, 4, {2, 1, -0.5, 0}, {1}, false
#define LDR_LOGITS 1, 4, {1, 2, 0.5, -1}, {0}, false
#define Z_LOGITS 1, 4, {1, 2, -1, 0.5}, {1}, false
#define MW_SCORES 3, 3, {0.9, 0.2, 0.4, 0.1, 0.5, 0.3, 0.6, 0, 0.8}, {0, 1, 2}, false
#define SVM_LOGITS 3, 2, {0.3, -0.2, -1.5, 2, 0.1, 0.4}, {0, 1, 0}, false
#define FIVE_LOGITS 1, 5, {0.1, -0.2, 0.4, 0.3, 0}

static const Row table[] = {
    {"\"sum_exp\"", CE_LOGITS, 3.3092914, {0}, 0},
    {"{\"type\": \"comp_sum\", \"tau\": 0.5}", CE_LOGITS, 2.1517666, {0}, 0},
    {"\"comp_sum\"", CE_LOGITS, 1.4607735, {0.6307955, -0.7679433, 0.0517789, 0.0853689}, 4},
    {"\"ce\"", CE_LOGITS, 1.4607735, {0.6307955, -0.7679433, 0.0517789, 0.0853689}, 4},
    {"{\"type\": \"comp_sum\", \"tau\": 1.5}", CE_LOGITS, 1.0365547, {0}, 0},
    {"\"gce\"", CE_LOGITS, 0.9147433, {0.2268843, -0.2762136, 0.0186238, 0.0307055}, 4},
    {"\"mae\"", CE_LOGITS, 0.7679433, {0.1463803, -0.1782064, 0.0120156, 0.0198104}, 4},
    {"{\"type\": \"comp_sum\", \"tau\": 3}", CE_LOGITS, 0.4730748, {0}, 0},
    {"{\"type\": \"comp_sum\", \"tau\": 0.99991}", 1, 2, {1e4, 0}, {1}, false, 16217.8, {0}, 0},

    {"{\"type\": \"ldr_kl\", \"norm\": \"none\", \"margin\": 0}", LDR_LOGITS, 0.1088875, {0}, 0},
    {"{\"type\": \"ldr_kl\", \"norm\": \"none\"}",
     LDR_LOGITS,
     0.1873204,
     {0.2072945 - 1, 0.6227471, 0.1389537, 0.0310048},
     4},
    {"{\"type\": \"ldr_kl\", \"norm\": \"none\", \"lambda\": 0.01}", LDR_LOGITS, 1.0861371, {0}, 0},
    {"{\"type\": \"ldr_kl\", \"norm\": \"none\", \"lambda\": 1000}", LDR_LOGITS, -0.2994226, {0}, 0},
    {"\"aldr_kl\"", LDR_LOGITS, 0.1583380, {0}, 0},
    {"{\"type\": \"ldr_topk\", \"k\": 1}", LDR_LOGITS, 0.1873204, {0}, 0},
    {"{\"type\": \"ldr_topk\", \"k\": 2}", LDR_LOGITS, 0.1562405, {0.2747421 - 1, 0.5, 0.1841651, 0.0410928}, 4},
    {"{\"type\": \"ldr_topk\", \"k\": 3}", LDR_LOGITS, 0.0127890, {1. / 3 - 1, 1. / 3, 0.2725248, 0.0608085}, 4},
    {"{\"type\": \"ldr_topk\", \"k\": 4}", LDR_LOGITS, -0.3, {0}, 0},
    {"{\"type\": \"ldr_topk\", \"k\": 2, \"lambda\": 0.1}", LDR_LOGITS, 0.4815928, {0}, 0},

    {"{\"type\": \"z_loss\", \"b\": 1.5}", Z_LOGITS, 0.8146501, {0.1853009, -0.1784379, -0.1166709, 0.1098079}, 4},
    {"\"taylor_softmax\"", Z_LOGITS, 0.6549260, {0}, 0},
    {"\"spherical_softmax\"", Z_LOGITS, 0.4836299, {0}, 0},
    {"\"mse_onehot\"", Z_LOGITS, 3.25, {2, 2, -2, 1}, 4},

    {"{\"type\": \"mw\", \"temperature\": 1}", MW_SCORES, 0.4948192, {0}, 0},
    {"\"mw\"", MW_SCORES, 0.1134205, {0}, 0},
    {"{\"type\": \"mw\", \"temperature\": 1, \"reduction\": \"sum_neg\"}", MW_SCORES, 2.9689154, {0}, 0},
    {"{\"type\": \"infonce\", \"temperature\": 1}", MW_SCORES, 0.8247487, {0}, 0},
    {"\"infonce\"", MW_SCORES, 0.0925919, {0}, 0},
    {"{\"type\": \"l2svm\", \"reduction\": \"sum\"}", SVM_LOGITS, 1.95, {-0.7, 0.8, 0, 0, -0.9, 1.4}, 6},
    {"{\"type\": \"l2svm\", \"C\": 1}", SVM_LOGITS, 1.3, {0}, 0},

    {"{\"type\": \"hl_gauss\", \"vmin\": -1, \"vmax\": 1, \"bins\": 5}",
     FIVE_LOGITS,
     {0.3},
     true,
     1.4882392,
     {0.1903282, 0.0951019, -0.0660954, -0.2424613, 0.0231265},
     5},
    {"{\"type\": \"two_hot\", \"vmin\": -1, \"vmax\": 1, \"bins\": 5}", FIVE_LOGITS, {0.3}, true, 1.4119067, {0}, 0},
    {"{\"type\": \"two_hot\", \"vmin\": -1, \"vmax\": 1, \"bins\": 5}", 1, 5, {0, 0, 0, 0, 1e4}, {7}, true, 0, {0}, 0},

    /* Worked out: softmax(0, log 3) = (1/4, 3/4). */
    {"\"focal\"", 1, 2, {0, 1.0986122886681098}, {0}, false, 0.5625 * 1.3862943611, {0}, 0},
    {"\"brier\"", 1, 2, {0, 1.0986122886681098}, {0}, false, 1.125, {0}, 0},
    {"\"poly1\"", 1, 2, {0, 1.0986122886681098}, {0}, false, 1.3862943611 + 0.75, {0}, 0},
    {"\"symmetric_ce\"", 1, 2, {0, 1.0986122886681098}, {0}, false, 1.3862943611 + 3, {0}, 0},
    {"\"nce_rce\"",
     1,
     2,
     {0, 1.0986122886681098},
     {0},
     false,
     1.3862943611 / (1.3862943611 + 0.2876820724) + 3,
     {0},
     0},
    /* One class: nothing to tell apart, x / x for a share of the whole. */
    {"\"nce_rce\"", 2, 1, {1e4, -3}, {0, 0}, false, 1, {0}, 0},
    {"\"aldr_kl\"", 2, 1, {1e4, -3}, {0, 0}, false, 0, {0}, 0},
    {"\"mw\"", 2, 1, {1e4, -3}, {0, 0}, false, 0, {0}, 0},
    /* Beside logits of 1e4, which a float's margin would vanish in. */
    {"{\"type\": \"ldam\", \"class_counts\": [1, 16], \"max_margin\": 0.4, \"scale\": 5}", 1, 2, {1e4, 1e4}, {0}, false,
     2.126928011, {0}, 0},
    {"\"entropy\"", 1, 2, {0, 1.0986122886681098}, {0}, false, 0.25 * 1.3862943611 + 0.75 * 0.2876820724, {0}, 0},
    {"{\"type\": \"bootstrap\", \"mode\": \"hard\"}",
     1,
     2,
     {0, 1.0986122886681098},
     {0},
     false,
     0.8 * 1.3862943611 + 0.2 * 0.2876820724,
     {0},
     0},
    {"\"elr\"",
     1,
     2,
     {0, 1.0986122886681098},
     {0},
     false,
     1.3862943611 - 3 * 0.2076393648,
     {0},
     0}, /* log(1 - 0.3 0.625) */
    {"{\"type\": \"forward_correction\", \"noise_matrix\": [[0.8, 0.2], [0.4, 0.6]]}",
     1,
     2,
     {0, 1.0986122886681098},
     {0},
     false,
     0.6931471806,
     {0},
     0},
    {"{\"type\": \"backward_correction\", \"noise_matrix\": [[0.8, 0.2], [0.4, 0.6]]}",
     1,
     2,
     {0, 1.0986122886681098},
     {0},
     false,
     1.5 * 1.3862943611 - 0.5 * 0.2876820724,
     {0},
     0},
    {"{\"type\": \"sum\", \"terms\": [\"ce\", {\"type\": \"mae\", \"weight\": -2}]}",
     1,
     2,
     {0, 1.0986122886681098},
     {0},
     false,
     1.3862943611 - 1.5,
     {0},
     0},
    {"\"kl\"", 1, 2, {0, 1.0986122886681098}, {0.25, 0.75}, true, 0, {0, 0}, 2},
    {"\"kl\"", 1, 2, {0, 1.0986122886681098}, {1, 0}, true, 1.3862943611, {-0.75, 0.75}, 2},
    {"\"bce\"", 1, 2, {0, 1.0986122886681098}, {1, 0}, true, (0.6931471806 + 1.3862943611) / 2, {-0.25, 0.375}, 2},
    {"\"hinge\"", 1, 3, {2, 1.5, -3}, {0}, false, 2.5, {0, 1, 0}, 3},
    {"{\"type\": \"hinge\", \"multiclass\": \"crammer_singer\"}", 1, 3, {2, 1.5, -3}, {0}, false, 0.5, {-1, 1, 0}, 3},
    {"\"squared_hinge\"", 1, 3, {2, 1.5, -3}, {0}, false, 6.25, {0, 5, 0}, 3},
    {"\"mse\"", 1, 2, {1, 3}, {0, 1}, true, 2.5, {1, 2}, 2},
    {"\"huber\"", 1, 2, {0.5, 3}, {0, 0}, true, (0.125 + 2.5) / 2, {0.25, 0.5}, 2},
    {"\"pinball\"", 1, 3, {0, 0, 2}, {1}, true, (0.1 + 0.5 + 0.1) / 3, {-0.1 / 3, -0.5 / 3, 0.1 / 3}, 3},
    {"\"crps\"", 1, 2, {0, 0}, {0}, true, 0.2336949772, {0, 0.2336949772}, 2},
    {"\"sparsemax\"", 1, 2, {0.5, 0}, {0}, false, 0.0625, {-0.25, 0.25}, 2},
    {"\"coral\"", 1, 2, {0, 0}, {1}, false, 2 * 0.6931471806, {-0.5, 0.5}, 2},
    {"\"corn\"", 2, 2, {0, 0, 0, 0}, {0, 2}, false, 0.6931471806, {1. / 6, 0, -1. / 6, -1. / 6}, 4},
    {"{\"type\": \"dice\", \"squared\": true}",
     1,
     4,
     {2.1972245773, 1.3862943611, -0.8472978604, -2.1972245773},
     {1, 1, 0, 0},
     true,
     0.0422534,
     {0},
     0},
    {"\"asymmetric\"", 1, 1, {0}, {0}, true, 0.0245150535, {0}, 0}, /* -0.45^4 log 0.55 */
    {"{\"type\": \"arcface\", \"scale\": 1}",
     1,
     2,
     {0.5, 0},
     {0},
     false,
     0.6814185,
     {0},
     0}, /* cos' = cos(pi/3 + 1/2) */
    {"{\"type\": \"sphereface\", \"scale\": 1}", 1, 2, {0.5, 0}, {0}, false, 1.7014133, {0}, 0}, /* k = 1: 1/2 - 2 */
};

static LossInput input_of(const Row *row, ArrayType type)
{
    LossInput in = {.logits = t_new(type, SHAPE(row->rows, row->columns))};
    for (int i = 0; i < row->rows * row->columns; i++)
        tensor_set(in.logits, i, row->logits[i]);
    in.logits->requires_gradient = true;
    return in;
}

/* Real targets are [N] where the loss has values of its own for a row's columns, else of the logits' shape. */
static void set_targets(const Row *row, const LossDef *def, LossInput *in)
{
    bool column = row->real && def->targets == LOSS_VALUES && strcmp(def->component.name, "mse") != 0 &&
                  strcmp(def->component.name, "huber") != 0;
    if (row->real && !column)
        in->targets = t_new(in->logits->type, SHAPE(row->rows, row->columns));
    else
        in->targets = t_new(row->real ? in->logits->type : ARRAY_I32, SHAPE(row->rows));
    for (int64_t i = 0; i < in->targets->count; i++)
        tensor_set(in->targets, i, row->targets[i]);
}

static void test_losses_values__by_hand(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof table / sizeof *table; r++)
        for (int type = ARRAY_F32; type <= ARRAY_F64; type++) {
            const Row *row = &table[r];
            JsonSource *source = json_source_new();
            Arena *arena = arena_new();
            Instance loss = loss_from(source, arena, row->spec);
            LossInput in = input_of(row, (ArrayType)type);
            set_targets(row, (const LossDef *)loss.component, &in);
            Error error;
            if (!loss_check(&loss, &in, &error))
                fail_msg("%s: %s", row->spec, error.message);
            double tolerance = type == ARRAY_F32 ? 5e-6 : 1e-7, value = loss_value(&loss, &in);
            double spread = row->value == 16217.8 ? 0.05 : 0; /* digits given */
            if (!(fabs(value - row->value) <= tolerance * fmax(1, fabs(row->value)) + spread))
                fail_msg("%s: %.9g, not %.9g", row->spec, value, row->value);
            Tensor *gradient = loss_gradient(&loss, &in);
            for (int i = 0; i < row->gradients; i++)
                if (!(fabs(tensor_value(gradient, i) - row->gradient[i]) <= tolerance))
                    fail_msg("%s: gradient [%d] is %.9g, not %.9g", row->spec, i, tensor_value(gradient, i),
                             row->gradient[i]);
            arena_free(arena);
            json_source_free(source);
            tape_reset();
        }
}

/* A loss, its spec's owners, and inputs for tests of the mechanism. */
typedef struct Bench { JsonSource *source; Arena *arena; Instance loss; LossInput in; } Bench;

static Bench bench_of(const char *spec, int rows, int columns, const double *logits, const double *classes)
{
    Bench bench = {.source = json_source_new(), .arena = arena_new()};
    bench.loss = loss_from(bench.source, bench.arena, spec);
    bench.in.logits = t_new(ARRAY_F64, SHAPE(rows, columns));
    bench.in.targets = t_new(ARRAY_I32, SHAPE(rows));
    for (int i = 0; i < rows * columns; i++)
        tensor_set(bench.in.logits, i, logits[i]);
    for (int i = 0; i < rows; i++)
        tensor_set(bench.in.targets, i, classes[i]);
    bench.in.logits->requires_gradient = true;
    return bench;
}

static void bench_drop(Bench *bench)
{
    arena_free(bench->arena);
    json_source_free(bench->source);
}

static const double two_rows[] = {0, 1.0986122886681098, 0, 1.0986122886681098}; /* p = 1/4, 3/4 */
#define LOG_4 1.3862943611198906
#define LOG_4_3 0.2876820724517809

static void test_losses_values__weights_of_classes_and_samples_join(void **state)
{
    (void)state;
    Bench bench = bench_of("{\"type\": \"ce\", \"class_weights\": [2, 3]}", 2, 2, two_rows, (double[]){0, 1});
    assert_true(fabs(loss_value(&bench.loss, &bench.in) - (2 * LOG_4 + 3 * LOG_4_3) / 5) < 1e-12);
    bench.in.weights = tensor_of(ARRAY_F64, NUMBERS(6, 1));
    assert_true(fabs(loss_value(&bench.loss, &bench.in) - (12 * LOG_4 + 3 * LOG_4_3) / 15) < 1e-12);
    bench.in.weights = tensor_of(ARRAY_F64, NUMBERS(0, 0));
    assert_true(loss_value(&bench.loss, &bench.in) == 0);
    bench_drop(&bench);
}

static void test_losses_values__ignored_rows_count_for_nothing(void **state)
{
    (void)state;
    Bench bench = bench_of("{\"type\": \"ce\", \"ignore_index\": -100}", 2, 2, two_rows, (double[]){0, -100});
    LossResult result = loss_evaluate(&bench.loss, &bench.in);
    assert_true(fabs(tensor_value(result.loss, 0) - LOG_4) < 1e-12);
    assert_true(tensor_value(result.per_sample, 1) == 0);
    tensor_i32(bench.in.targets)[0] = -100;
    assert_true(loss_value(&bench.loss, &bench.in) == 0);
    ASSERT_VALUES(loss_gradient(&bench.loss, &bench.in), 0, 0, 0, 0);
    bench_drop(&bench);
}

/* (1 - beta) / (1 - beta^n) are 1 and 2/3; their sum is to be 2. */
static void test_losses_values__class_balanced(void **state)
{
    (void)state;
    Bench bench = bench_of("{\"type\": \"class_balanced\", \"beta\": 0.5, \"class_counts\": [1, 2]}", 2, 2, two_rows,
                           (double[]){0, 1});
    assert_true(fabs(loss_value(&bench.loss, &bench.in) - (1.2 * LOG_4 + 0.8 * LOG_4_3) / 2) < 1e-12);
    bench_drop(&bench);
}

/* elr keeps q <- 0.7 q + 0.3 p by id. */
static void test_losses_values__state_is_kept_by_id(void **state)
{
    (void)state;
    Bench bench = bench_of("\"elr\"", 2, 2, two_rows, (double[]){0, 0});
    float kept[3 * 2] = {0};
    const int64_t ids[] = {2, 0};
    bench.in.ids = ids;
    bench.in.state = kept;
    double first = loss_value(&bench.loss, &bench.in);
    const float once[] = {0.075F, 0.225F, 0, 0, 0.075F, 0.225F};
    for (int i = 0; i < 6; i++)
        assert_true(fabsf(kept[i] - once[i]) < 1e-6F);
    double second = loss_value(&bench.loss, &bench.in);
    assert_true(fabs(first - (LOG_4 + 3 * log(1 - 0.3 * 0.625))) < 1e-7);
    assert_true(fabs(second - (LOG_4 + 3 * log(1 - 0.51 * 0.625))) < 1e-6);
    bench_drop(&bench);
}

/* A sum keeps what its terms keep, one after the other: aldr_kl a lambda, elr its means. */
static void test_losses_values__terms_keep_their_states(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "\"aldr_kl\"", "\"elr\"",
        "{\"type\": \"sum\", \"terms\": [\"aldr_kl\", \"ce\", {\"type\": \"elr\", \"weight\": 0.5}]}"};
    float kept[3][3 * 3] = {{0}};
    const int64_t ids[] = {2, 0};
    double values[3];
    for (int s = 0; s < 3; s++) {
        Bench bench = bench_of(specs[s], 2, 2, two_rows, (double[]){0, 1});
        bench.in.ids = ids;
        bench.in.state = kept[s];
        loss_value(&bench.loss, &bench.in);
        values[s] = loss_value(&bench.loss, &bench.in);
        assert_int_equal(loss_state_width(&bench.loss, 2), s + 1);
        bench_drop(&bench);
    }
    assert_true(fabs(values[2] - (values[0] + (LOG_4 + LOG_4_3) / 2 + values[1] / 2)) < 1e-12);
    for (int sample = 0; sample < 3; sample++) {
        assert_true(kept[2][3 * sample] == kept[0][sample]);
        assert_true(kept[2][3 * sample + 1] == kept[1][2 * sample]);
        assert_true(kept[2][3 * sample + 2] == kept[1][2 * sample + 1]);
    }
}

/* Anchors without a positive are left out: the third sample is alone. */
static void test_losses_values__anchors_without_a_positive_are_left_out(void **state)
{
    (void)state;
    const double embeddings[] = {1, 0, 2, 0, 0, 1};
    Bench bench = bench_of("{\"type\": \"supcon\", \"temperature\": 1}", 3, 2, embeddings, (double[]){5, 5, 9});
    assert_true(fabs(loss_value(&bench.loss, &bench.in) - log1p(exp(-1))) < 1e-12);
    bench_drop(&bench);
}

static void test_losses_values__check_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct { const char *spec; double target; int status; const char *says;
    } wrong[] = {
        {"\"ce\"", 2, STATUS_FAILED, "targets: 2 at row 0 is outside 0..1"},
        {"\"focal\"", -1, STATUS_FAILED, "targets: -1 at row 0 is outside 0..1"},
        {"{\"type\": \"ce\", \"class_weights\": [1]}", 0, STATUS_USAGE, "class_weights: 1 values for 2 classes"},
        {"\"mse\"", 0, STATUS_FAILED, "targets: mse needs real numbers (values)"},
        {"\"kd\"", 0, STATUS_USAGE, "kd needs the extra \"teacher_logits\""},
        {"{\"type\": \"ldr_topk\", \"k\": 3}", 0, STATUS_USAGE, "k: 3 of 2 classes"},
        {"\"forward_correction\"", 0, STATUS_USAGE, "noise_matrix: give the key or the extra"},
        {"{\"type\": \"forward_correction\", \"noise_matrix\": [[1, 1], [0, 1]]}", 0, STATUS_USAGE,
         "noise_matrix: row 0 is not a distribution, its sum is 2"},
        {"{\"type\": \"backward_correction\", \"noise_matrix\": [[0.5, 0.5], [0.5, 0.5]]}", 0, STATUS_FAILED,
         "noise_matrix: it is singular, so it has no inverse"},
        {"\"arcface\"", 0, STATUS_FAILED,
         "logits: 1.09861 at row 0 is not a cosine; for embeddings give the extra \"weight\""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Bench bench = bench_of(wrong[i].spec, 2, 2, two_rows, (double[]){wrong[i].target, 0});
        Error error;
        assert_false(loss_check(&bench.loss, &bench.in, &error));
        assert_string_equal(error.message, wrong[i].says);
        assert_int_equal(error.status, wrong[i].status);
        bench_drop(&bench);
    }
}

/* Value and gradient at the same logits. */
static void compare(const char *left, const char *right, double tolerance)
{
    Bench benches[2];
    double values[2][5];
    for (int k = 0; k < 2; k++) {
        benches[k] = bench_of(k ? right : left, 1, 4, (double[]){2, 1, -0.5, 0}, (double[]){1});
        LossInput in = input_in(&benches[k].in, ARRAY_F64);
        values[k][4] = loss_value(&benches[k].loss, &in);
        Tensor *gradient = loss_gradient(&benches[k].loss, &in);
        for (int i = 0; i < 4; i++)
            values[k][i] = tensor_value(gradient, i);
    }
    for (int i = 0; i < 5; i++)
        if (fabs(values[0][i] - values[1][i]) > tolerance)
            fail_msg("%s and %s differ: %.17g, %.17g", left, right, values[0][i], values[1][i]);
    bench_drop(&benches[1]);
    bench_drop(&benches[0]);
}

static void test_losses_values__members_of_the_comp_sum_family_agree(void **state)
{
    (void)state;
    compare("\"gce\"", "{\"type\": \"comp_sum\", \"tau\": 1.7}", 0);
    compare("\"mae\"", "{\"type\": \"comp_sum\", \"tau\": 2}", 0);
    compare("\"sum_exp\"", "{\"type\": \"comp_sum\", \"tau\": 0}", 0);
    compare("\"ce\"", "{\"type\": \"gce\", \"q\": 0}", 0);
    compare("\"ce\"", "{\"type\": \"gce\", \"q\": 1e-6}", 1e-5);
    compare("\"ce\"", "{\"type\": \"comp_sum\", \"tau\": 1.000001}", 1e-5);
    compare("\"ce\"", "{\"type\": \"comp_sum\", \"tau\": 0.999999}", 1e-5);
}

static void test_losses_values__parameters_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"type\": \"gce\", \"q\": 1.1}",
        "{\"type\": \"comp_sum\", \"tau\": -1}",
        "{\"type\": \"z_loss\", \"b\": \"x\"}",
        "{\"type\": \"hl_gauss\", \"vmin\": 1, \"vmax\": 1}",
        "{\"type\": \"aldr_kl\", \"alpha\": 1}",
        "{\"type\": \"class_balanced\", \"class_counts\": [1], \"base\": \"mw\"}",
        "{\"type\": \"sum\", \"terms\": []}",
        "{\"type\": \"sum\", \"terms\": [\"ce\", {\"type\": \"mse\"}]}",
        "{\"type\": \"sum\", \"terms\": [\"ce\", \"supcon\"]}",
        "{\"type\": \"sum\", \"terms\": [{\"type\": \"ce\", \"weigth\": 1}]}",
        "{\"type\": \"sum\", \"terms\": [{\"type\": \"ce\", \"weight\": \"1\"}]}",
        "{\"type\": \"ce\", \"weight\": 1}",
        "{\"type\": \"forward_correction\", \"noise_matrix\": [[1, 0]]}",
    };
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        JsonSource *source = json_source_new();
        Error error;
        ParamContext context = {.source = source, .arena = arena, .error = &error};
        Instance loss;
        const cJSON *json = json_parse(source, "spec", wrong[i], strlen(wrong[i]), &error);
        assert_non_null(json);
        if (instance_parse(&context, "loss", json, &loss))
            fail_msg("%s is accepted", wrong[i]);
        assert_int_equal(error.status, STATUS_USAGE);
        json_source_free(source);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_losses_values__by_hand),
        TAPE_TEST(test_losses_values__weights_of_classes_and_samples_join),
        TAPE_TEST(test_losses_values__ignored_rows_count_for_nothing),
        TAPE_TEST(test_losses_values__class_balanced),
        TAPE_TEST(test_losses_values__state_is_kept_by_id),
        TAPE_TEST(test_losses_values__terms_keep_their_states),
        TAPE_TEST(test_losses_values__anchors_without_a_positive_are_left_out),
        TAPE_TEST(test_losses_values__check_says_what_is_wrong),
        TAPE_TEST(test_losses_values__members_of_the_comp_sum_family_agree),
        TAPE_TEST(test_losses_values__parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
