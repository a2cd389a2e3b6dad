/* Cut cross-entropy: of the last linear layer and the softmax together, without the logits. Wijmans et al. 2024. The
   tiles are core/tensor's; here are the keys, and the same loss of logits, for where there are some anyway. */
#include <math.h>
#include <string.h>

#include "losses/shared.h"

enum { MEAN, SUM };
static const char *const reductions[] = {"mean", "sum", NULL};
enum { PLAIN, KAHAN };
static const char *const accumulations[] = {"plain", "kahan", NULL};
enum { OWN, CCE, CCE_KAHAN, CCE_KAHAN_FULL_C, CCE_KAHAN_FULL_E, CCE_EXACT };
static const char *const presets[] = {"none",             "cce",       "cce_kahan", "cce_kahan_full_c",
                                      "cce_kahan_full_e", "cce_exact", NULL};

struct cce {
    int reduction, preset, accum;
    int64_t ignore_index, shift;
    double softcap, z_loss;
    const cJSON *filter_eps;
    bool filter_e, filter_c, sort_vocab;
};

static const Param params[] = {
    PARAM_ENUM(struct cce, reduction, "mean", .choices = reductions, .help = "over the rows that count, or their sum"),
    PARAM_INT(struct cce, ignore_index, -100, .help = "targets of this value count for nothing"),
    PARAM_INT(struct cce, shift, 0, .min = 0, .max = 1e9,
              .help = "row t predicts the target of row t + shift; the last rows count for nothing"),
    PARAM_FLOAT(struct cce, softcap, null, .min = 1e-6, .help = "c: logits are c tanh(z / c); null: as they are"),
    PARAM_JSON(struct cce, filter_eps, "\"auto\"", .optional = true,
               .help = "gradients leave out tiles of |p - one hot| below; \"auto\": the resolution of the type / 32, "
                       "2^-28 for f4; \"paper\": 2^-12; null: none"),
    PARAM_BOOL(struct cce, filter_e, true, .help = "filter the gradient of the embeddings"),
    PARAM_BOOL(struct cce, filter_c, true, .help = "filter the gradients of weight and bias"),
    PARAM_ENUM(struct cce, accum, "plain", .choices = accumulations,
               .help = "gradients' sums over tiles: as they round, or with their rounding errors kept (2Sum)"),
    PARAM_ENUM(struct cce, preset, "none", .choices = presets,
               .help = "sets filter_eps, filter_e, filter_c and accum, which are then not to be given"),
    PARAM_BOOL(struct cce, sort_vocab, true, .help = "filter words in the order of their mean logits"),
    PARAM_FLOAT(struct cce, z_loss, 0, .min = 0, .help = "a: adds a times the square of a row's log-sum-exp"),
    PARAM_END
};

static bool is_word(const cJSON *value, const char *word)
{
    return cJSON_IsString(value) && strcmp(value->valuestring, word) == 0;
}

static bool validate(const void *values, Error *error)
{
    const struct cce *self = values;
    const cJSON *eps = self->filter_eps;
    const bool given = !eps || !is_word(eps, "auto") || !self->filter_e || !self->filter_c || self->accum != PLAIN;
    if (self->preset != OWN && given)
        return fail_usage(error, "preset: \"%s\" sets filter_eps, filter_e, filter_c and accum; leave these out",
                          presets[self->preset]);
    return !eps || (cJSON_IsNumber(eps) && eps->valuedouble >= 0) || is_word(eps, "auto") || is_word(eps, "paper") ||
           fail_usage(error, "filter_eps: expected a number >= 0, \"auto\", \"paper\" or null");
}

static double filter_of(const struct cce *self, ArrayType type)
{
    if (!self->filter_eps || self->preset == CCE_EXACT)
        return 0;
    if (cJSON_IsNumber(self->filter_eps))
        return self->filter_eps->valuedouble;
    return is_word(self->filter_eps, "paper") ? 0x1p-12 : type == ARRAY_F32 ? 0x1p-28 : 0x1p-57;
}

static int64_t ignore_index(const void *values)
{
    return ((const struct cce *)values)->ignore_index;
}

static int64_t shift(const void *values)
{
    return ((const struct cce *)values)->shift;
}

static bool check(const void *values, const LossInput *in, Error *error)
{
    const struct cce *self = values;
    const Tensor *weight = loss_extra(in, "weight"), *bias = loss_extra(in, "bias"), *targets = in->targets;
    const int64_t rows = in->logits->shape[0], width = in->logits->shape[1];
    if (weight && (weight->rank != 2 || weight->shape[1] != width))
        return fail(error, "weight: expected [words, %lld], as wide as the embeddings", (long long)width);
    if (weight && weight->shape[0] == 0)
        return fail(error, "weight: there are no words");
    const int64_t words = weight ? weight->shape[0] : width;
    if (bias && !weight)
        return fail_usage(error, "bias goes with the extra \"weight\", which is missing");
    if (bias && (bias->rank != 1 || bias->shape[0] != words))
        return fail(error, "bias: expected [%lld], one for each row of weight", (long long)words);
    if (self->shift >= rows)
        return fail(error, "logits: shift %lld leaves none of %lld rows", (long long)self->shift, (long long)rows);
    for (int64_t i = 0; i < targets->count; i++) {
        const int32_t target = tensor_i32(targets)[i];
        if ((target < 0 || target >= words) && target != self->ignore_index)
            return fail(error, "targets: %d at row %lld is outside 0..%lld", target, (long long)i,
                        (long long)words - 1);
    }
    return true;
}

/* What a row predicts, or -1, which the operations leave out. */
static int32_t target_of(const struct cce *self, const LossInput *in, int64_t row)
{
    const int64_t from = row + self->shift;
    const int32_t target = from < in->targets->count ? tensor_i32(in->targets)[from] : -1;
    return target == self->ignore_index ? -1 : target;
}

static Tensor *weights(const void *values, const LossInput *in)
{
    Tensor *result = t_new(in->logits->type, SHAPE(in->targets->count));
    for (int64_t i = 0; i < result->count; i++)
        tensor_set(result, i, target_of(values, in, i) >= 0);
    return result;
}

static bool sums(const void *values)
{
    return ((const struct cce *)values)->reduction == SUM;
}

static Tensor *of_logits(const struct cce *self, Tensor *z, Tensor *targets)
{
    if (!isnan(self->softcap))
        z = t_scale(t_tanh(t_scale(z, 1 / self->softcap)), self->softcap);
    Tensor *loss = t_softmax_cross_entropy(z, targets);
    if (self->z_loss == 0)
        return loss;
    Tensor *kept = t_like(loss);
    for (int64_t i = 0; i < kept->count; i++)
        tensor_set(kept, i, tensor_i32(targets)[i] >= 0 ? self->z_loss : 0);
    return t_add(loss, t_mul(kept, t_square(t_log_sum_exp(z, -1, false))));
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct cce *self = values;
    Tensor *targets = t_like(in->targets), *weight = loss_extra(in, "weight");
    for (int64_t i = 0; i < targets->count; i++)
        tensor_i32(targets)[i] = target_of(self, in, i);
    if (!weight)
        return of_logits(self, in->logits, targets);
    const CutCrossEntropyOptions options = {
        .softcap = isnan(self->softcap) ? 0 : self->softcap, .z_loss = self->z_loss,
        .filter = filter_of(self, weight->type), .sorted = self->sort_vocab,
        .compensated = self->accum == KAHAN || self->preset >= CCE_KAHAN,
        .full_embeddings = !self->filter_e || self->preset == CCE_KAHAN_FULL_E,
        .full_weight = !self->filter_c || self->preset == CCE_KAHAN_FULL_C,
    };
    return t_linear_cross_entropy(in->logits, weight, loss_extra(in, "bias"), targets, &options);
}

/* Log-softmax of the capped logits. */
static void decode(const void *values, int64_t outputs, const double *z, double *log_p)
{
    const double cap = ((const struct cce *)values)->softcap;
    double most = -INFINITY, sum = 0;
    for (int64_t k = 0; k < outputs; k++) {
        log_p[k] = isnan(cap) ? z[k] : cap * tanh(z[k] / cap);
        most = fmax(most, log_p[k]);
    }
    for (int64_t k = 0; k < outputs; k++)
        sum += exp(log_p[k] - most);
    for (int64_t k = 0; k < outputs; k++)
        log_p[k] = (log_p[k] - most) - log(sum);
}

static bool decodes(const void *values)
{
    return !isnan(((const struct cce *)values)->softcap);
}

/* Embeddings and a layer of four dimensions. */
static void sample(const void *self, Random *random, LossInput *in)
{
    (void)self;
    int64_t samples = in->logits->shape[0], classes = in->logits->shape[1];
    in->logits = t_new(ARRAY_F64, SHAPE(samples, 4));
    for (int64_t i = 0; i < in->logits->count; i++)
        tensor_set(in->logits, i, 1.5 * random_normal(random));
    loss_set_extra(in, "weight", t_random_normal(ARRAY_F64, SHAPE(classes, 4), *random));
    loss_set_extra(in, "bias", t_random_uniform(ARRAY_F64, SHAPE(classes), *random));
}

static const char *const extras[] = {"weight?", "bias?", NULL};
static const char *const examples[] = {
    "\"cce\"", "{\"type\": \"cce\", \"softcap\": 2, \"ignore_index\": 1}",
    "{\"type\": \"cce\", \"filter_eps\": null, \"z_loss\": 0.1, \"shift\": 1}",
    "{\"type\": \"cce\", \"reduction\": \"sum\", \"sort_vocab\": false}",
    "{\"type\": \"cce\", \"preset\": \"cce_kahan_full_c\"}", NULL};

const LossDef loss_cce = {
    .component = {.name = "cce", .summary = "cross-entropy of a linear layer without its logits", .params = params,
                  .size = sizeof(struct cce), .source = "arXiv:2411.09009",
                  .formula = "-log softmax(E_n W^T + b)_y + z_loss (log sum exp)^2",
                  .notes = "With the extra weight [V, D], and bias [V], the logits are embeddings [N, D]; the products "
                           "are made tile by tile, and made again for the gradient, which leaves out blocks of tiles "
                           "where |p - one hot| < filter_eps everywhere (24 tokens by up to 128 words for the weights; "
                           "for the embeddings 24 words by up to 128 tokens, p over the words so far and the one hot "
                           "apart). It is then off by at most filter_eps times the sum of "
                           "the |weight| (for the weights, the |embeddings|) left out; the loss is exact. From about "
                           "1/V on a filter takes all that an untrained model pushes down: \"paper\" is for fine-"
                           "tuning. Presets: cce_kahan has accum kahan, cce_kahan_full_c also no filter_c, "
                           "cce_kahan_full_e no filter_e, cce_exact no filter_eps. Without the extra they "
                           "are logits [N, V] and nothing is filtered. Training a "
                           "language model gives the extras; validation, which also counts correct words, forms "
                           "the logits.",
                  .validate = validate},
    .targets = LOSS_CLASSES, .own_classes = true, .extras = extras, .check = check,
    .properties = LOSS_TRANSLATION_INVARIANT | LOSS_PROPER, /* of the logits */
    .ignore_index = ignore_index, .shift = shift, .of_head = true,
    .forward = forward, .weights = weights, .sums = sums, .decode = decode, .decodes = decodes, .sample = sample,
    .examples = examples,
};
