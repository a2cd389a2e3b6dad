/* Edit-invariant sequence loss: every n-gram of the target may stand anywhere in the output, and a softmax over the
   places picks where. Liu et al. 2022. */
#include <math.h>

#include "losses/shared.h"

struct eisl {
    IntList ngrams;
    FloatList weights;
    double temperature, logp_floor; Weight ce_factor, ngram_factor;
    bool gumbel, normalize_n, grad_through_weights;
};

static const Param params[] = {
    PARAM_INTS(struct eisl, ngrams, "[1, 2, 3, 4]", .min = -1e5, .max = 1e5, .min_count = 1,
               .help = "lengths n; 0 and below: so many more than the output's length"),
    PARAM_FLOATS(struct eisl, weights, "[]", .min = 0, .help = "of each n; []: all the same, with sum 1"),
    PARAM_FLOAT(struct eisl, temperature, 1, .min = 1e-6, .help = "of the softmax over places"),
    PARAM_BOOL(struct eisl, gumbel, true, .help = "Gumbel noise on the scores of the places"),
    PARAM_FLOAT(struct eisl, logp_floor, -20, .max = 0, .help = "log-probabilities below it count as it"),
    PARAM_BOOL(struct eisl, normalize_n, true, .help = "divide the score of an n-gram by n"),
    PARAM_BOOL(struct eisl, grad_through_weights, true, .help = "gradient through the softmax over places"),
    PARAM_WEIGHT(struct eisl, ce_factor, 0, .min = 0, .help = "factor of the cross-entropy of the tokens in place"),
    PARAM_WEIGHT(struct eisl, ngram_factor, 1, .min = 0, .help = "factor of the n-gram part"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    const struct eisl *self = values;
    return self->weights.count == 0 || self->weights.count == self->ngrams.count ||
           fail_usage(error, "weights: %lld values for %lld n-grams", (long long)self->weights.count,
                      (long long)self->ngrams.count);
}

static int64_t resolve(int64_t n, int64_t places)
{
    return n > 0 ? n : places + n;
}

static bool check(const void *values, const LossInput *in, Error *error)
{
    const struct eisl *self = values;
    const Tensor *targets = in->targets;
    int64_t places = in->logits->shape[1], vocabulary = in->logits->shape[2];
    if (targets->rank != 2 || targets->count == 0)
        return fail(error, "targets: expected [%lld, tokens]", (long long)in->logits->shape[0]);
    int64_t length = targets->shape[1], shorter = length < places ? length : places;
    for (int64_t i = 0; i < targets->count; i++)
        if (tensor_i32(targets)[i] < 0 || tensor_i32(targets)[i] >= vocabulary)
            return fail(error, "targets: %d at row %lld is outside 0..%lld", tensor_i32(targets)[i],
                        (long long)(i / length), (long long)vocabulary - 1);
    for (int64_t i = 0; i < self->ngrams.count; i++) {
        int64_t n = resolve(self->ngrams.items[i], places);
        if (n < 1 || n > shorter)
            return fail_usage(error, "ngrams[%lld]: %lld is a length of %lld, which does not fit into %lld tokens",
                              (long long)i, (long long)self->ngrams.items[i], (long long)n, (long long)shorter);
    }
    return weight_is(&self->ce_factor, 0) || length == places ||
           fail_usage(error, "ce_factor: %lld tokens cannot be compared in place with %lld outputs",
                      (long long)length, (long long)places);
}

/* M[b, j, i] = log p of target token j at place i, floored; [B, T*, T]. */
static Tensor *matches(const struct eisl *self, const LossInput *in)
{
    Tensor *logits = in->logits;
    int64_t batch = logits->shape[0], places = logits->shape[1], length = in->targets->shape[1];
    Tensor *index = t_new(ARRAY_I32, SHAPE(batch * places, length));
    for (int64_t i = 0; i < index->count; i++)
        tensor_i32(index)[i] = tensor_i32(in->targets)[i / (places * length) * length + i % length];
    Tensor *log_p = t_log_probabilities(t_reshape(logits, SHAPE(batch * places, -1)), index);
    return t_transpose(t_reshape(t_clamp(log_p, self->logp_floor, INFINITY), SHAPE(batch, places, length)));
}

/* Sums of n along the diagonals: score of the target's n-gram at j at place i, [B, T*-n+1, T-n+1]. */
static Tensor *diagonal_sums(Tensor *matched, int64_t n)
{
    Tensor *sum = NULL;
    int64_t starts = matched->shape[1] - n + 1, places = matched->shape[2] - n + 1;
    for (int64_t k = 0; k < n; k++) {
        Tensor *part = t_slice(t_slice(matched, 1, k, k + starts), 2, k, k + places);
        sum = sum ? t_add(sum, part) : part;
    }
    return sum;
}

/* -log(-log u), drawn in double so that both precisions see the same noise. */
static Tensor *gumbel_noise(const Tensor *like, Random *random)
{
    Tensor *noise = t_like(like);
    for (int64_t i = 0; i < noise->count; i++) {
        double u = fmin(fmax(random_uniform(random), 1e-20), 1 - 1e-7);
        tensor_set(noise, i, -log(-log(u)));
    }
    return noise;
}

/* -mean over the target's n-grams of the expected score under the softmax over places, [B]. */
static Tensor *ngram_loss(const struct eisl *self, Tensor *matched, int64_t n, Random *random)
{
    Tensor *score = diagonal_sums(matched, n);
    if (self->normalize_n)
        score = t_scale(score, 1 / (double)n);
    Tensor *basis = self->grad_through_weights ? score : t_detach(score);
    if (self->gumbel)
        basis = t_add(basis, gumbel_noise(score, random));
    Tensor *chosen = t_softmax(t_scale(basis, 1 / self->temperature));
    return t_neg(t_mean(t_sum(t_mul(chosen, score), -1, false), -1, false));
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct eisl *self = values;
    Tensor *matched = matches(self, in), *sum = NULL;
    Random random = in->random;
    for (int64_t i = 0; i < self->ngrams.count; i++) {
        double weight = self->weights.count ? self->weights.items[i] : 1 / (double)self->ngrams.count;
        Tensor *part = ngram_loss(self, matched, resolve(self->ngrams.items[i], in->logits->shape[1]), &random);
        part = t_scale(part, weight * weight_at(&self->ngram_factor, &in->at));
        sum = sum ? t_add(sum, part) : part;
    }
    if (weight_is(&self->ce_factor, 0))
        return sum;
    Tensor *flat = t_softmax_cross_entropy(t_reshape(in->logits, SHAPE(-1, in->logits->shape[2])),
                                           t_reshape(in->targets, SHAPE(-1)));
    Tensor *cross_entropy = t_mean(t_reshape(flat, SHAPE(in->targets->shape[0], -1)), -1, false);
    return t_add(sum, t_scale(cross_entropy, weight_at(&self->ce_factor, &in->at)));
}

/* Sequences of six tokens. */
static void sample(const void *self, Random *random, LossInput *in)
{
    (void)self;
    int64_t sequences = in->logits->shape[0], vocabulary = in->logits->shape[1];
    in->logits = t_random_normal(ARRAY_F64, SHAPE(sequences, 6, vocabulary), *random);
    in->targets = t_new(ARRAY_I32, SHAPE(sequences, 6));
    for (int64_t i = 0; i < in->targets->count; i++)
        tensor_i32(in->targets)[i] = (int32_t)random_below(random, vocabulary);
}

static const char *const examples[] = {
    "\"eisl\"", "{\"type\": \"eisl\", \"gumbel\": false, \"ngrams\": [1, 2], \"weights\": [0.8, 0.2]}",
    "{\"type\": \"eisl\", \"ngrams\": [2, 0, -1], \"normalize_n\": false, \"temperature\": 2, \"ce_factor\": 0.5}",
    NULL};

const LossDef loss_eisl = {
    .component = {.name = "eisl", 
                  .summary = "edit-invariant sequence loss: n-grams of the target anywhere in the output",
                  .params = params, .size = sizeof(struct eisl), .source = "arXiv:2106.15078",
                  .formula = "ngram_factor sum_n w_n mean_i sum_j -q_ji t_ji + ce_factor CE, t_ji the mean log-"
                             "probability of the target's n-gram at i from place j, q_.i = softmax((t_.i + G) / T)",
                  .notes = "Logits are [B, T, V], targets tokens [B, T*]; a sample is a sequence. G is Gumbel noise "
                           "(gumbel false: 0), of fixed draws where a model is measured. ce_factor needs T* = T. In "
                           "training the data has targets of its own, such as translation, and the model predicts all "
                           "of them at once; begin with some steps of ce (train.init_from).",
                  .validate = validate},
    .targets = LOSS_TOKENS, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_BOUNDED,
    .least_rank = 3, .most_rank = 3, .forward = forward, .check = check,
    .examples = examples, .sample = sample, .sample_columns = 4,
};
