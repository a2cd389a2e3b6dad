/* A clean pass and two passes with noise in the hidden states: cross-entropy, divergence of the noisy passes from the
   clean one, and of one from the other. Khadangi et al. 2025; R-Drop: Wu et al. 2021. */
#include "losses/noisefit.h"

#include <string.h>

#include "losses/rows.h"
#include "losses/shared.h"

static const char *const modes[] = {"full", "ce_noisy", "ce_kl", "kl_only", "consistency_only", "basefit", "rdrop",
                                    NULL};

static const Param params[] = {
    PARAM_FLOAT(struct noisefit, alpha, 0.5, .min = 0, .max = 1,
                .help = "share of the cross-entropy; the rest is the divergence from the clean pass"),
    PARAM_WEIGHT(struct noisefit, lambda, 0.1, .min = 0, .help = "factor of the divergence between the noisy passes"),
    PARAM_FLOAT(struct noisefit, temperature, 1, .min = 1e-6, .help = "divides the logits in the divergences"),
    PARAM_ENUM(struct noisefit, mode, "full", .choices = modes, .help = "which parts count"),
    PARAM_BOOL(struct noisefit, detach_teacher, true,
               .help = "no gradient to the distribution that a divergence is taken from"),
    PARAM_END
};

static bool check(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    return loss_check_like_logits(in, "noisy_logits_1", error) && loss_check_like_logits(in, "noisy_logits_2", error);
}

/* log softmax(z / T), [N, C]. */
static Tensor *log_shares(const struct noisefit *self, Tensor *z)
{
    return t_log_softmax(self->temperature == 1 ? z : t_scale(z, 1 / self->temperature));
}

/* T^2 KL(p, q), [N], of logarithms. It is linear in log q: its mean over two q is that of their mean logarithm. */
static Tensor *divergence(const struct noisefit *self, Tensor *log_p, Tensor *log_q)
{
    Tensor *source = self->detach_teacher ? t_detach(log_p) : log_p;
    return t_scale(loss_divergence(source, log_q), self->temperature * self->temperature);
}

static Tensor *half_sum(Tensor *a, Tensor *b)
{
    return t_scale(t_add(a, b), 0.5);
}

/* R-Drop's divergences are symmetric: both sides have gradients. */
static Tensor *rdrop(const struct noisefit *self, Tensor *log_first, Tensor *log_second)
{
    struct noisefit open = *self;
    open.detach_teacher = false;
    return half_sum(divergence(&open, log_first, log_second), divergence(&open, log_second, log_first));
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct noisefit *self = values;
    Tensor *z = in->logits, *first = loss_extra(in, "noisy_logits_1"), *second = loss_extra(in, "noisy_logits_2");
    if (self->mode == NOISEFIT_BASEFIT)
        return loss_cross_entropy_of(in, z);
    Tensor *noisy = NULL;
    if (self->mode == NOISEFIT_CE_NOISY || self->mode == NOISEFIT_RDROP)
        noisy = half_sum(loss_cross_entropy_of(in, first), loss_cross_entropy_of(in, second));
    if (self->mode == NOISEFIT_CE_NOISY)
        return noisy;
    Tensor *log_first = log_shares(self, first), *log_second = log_shares(self, second);
    if (self->mode == NOISEFIT_RDROP)
        return t_add(noisy, rdrop(self, log_first, log_second));
    if (self->mode == NOISEFIT_CONSISTENCY_ONLY)
        return divergence(self, log_second, log_first);
    Tensor *soft = divergence(self, log_shares(self, z), half_sum(log_first, log_second));
    if (self->mode == NOISEFIT_KL_ONLY)
        return soft;
    Tensor *sum = t_add(t_scale(loss_cross_entropy_of(in, z), self->alpha), t_scale(soft, 1 - self->alpha));
    if (self->mode == NOISEFIT_CE_KL)
        return sum;
    return t_add(sum, t_scale(divergence(self, log_second, log_first), weight_at(&self->lambda, &in->at)));
}

/* ---- The same of a row in closed form ---- */

enum { CLEAN, FIRST, SECOND, PASSES };

/* Factors of CE(pass) and of KL(from, to). */
typedef struct Factors { float likelihood[PASSES], from_clean, from_first, from_second; bool open; } Factors;

static Factors factors_of(const struct noisefit *self, const LossInput *in)
{
    const float alpha = (float)self->alpha, half = 0.5F;
    const bool open = !self->detach_teacher;
    switch (self->mode) {
    case NOISEFIT_BASEFIT:
        return (Factors){.likelihood = {1}};
    case NOISEFIT_CE_NOISY:
        return (Factors){.likelihood = {[FIRST] = half, [SECOND] = half}};
    case NOISEFIT_RDROP:
        return (Factors){{[FIRST] = half, [SECOND] = half}, .from_first = half, .from_second = half, .open = true};
    case NOISEFIT_CONSISTENCY_ONLY:
        return (Factors){.from_second = 1, .open = open};
    case NOISEFIT_KL_ONLY:
        return (Factors){.from_clean = 1, .open = open};
    case NOISEFIT_CE_KL:
        return (Factors){{alpha}, .from_clean = 1 - alpha, .open = open};
    default:
        return (Factors){{alpha}, .from_clean = 1 - alpha, .open = open,
                         .from_second = (float)weight_at(&self->lambda, &in->at)};
    }
}

/* A pass: logits, their gradient, and of logits / T the largest and the logarithm of the sum. */
typedef struct Pass { const float *z; float *gradient; float inverse; RowSum sum; } Pass;

ROW float log_share(Pass pass, float z)
{
    return (z - pass.sum.largest) * pass.inverse - pass.sum.log_sum;
}

ROW Pass pass_of(const float *z, float *gradient, int64_t columns, double temperature)
{
    const float inverse = (float)(1 / temperature), largest = row_largest(z, columns);
    double sum = 0;
    ROW_SUM(sum)
    for (int64_t k = 0; k < columns; k++)
        sum += (double)float_exp((z[k] - largest) * inverse);
    return (Pass){z, gradient, inverse, {largest, (float)log(sum)}};
}

/* The divergences from each pass, unweighted. */
typedef struct Divergences { double clean, first, second; } Divergences;

ROW Divergences divergences_of(const Pass passes[PASSES], int64_t columns)
{
    const Pass c = passes[CLEAN], f = passes[FIRST], s = passes[SECOND];
    const float *zc = c.z, *zf = f.z, *zs = s.z;
    double clean = 0, first = 0, second = 0;
    ROW_SUM(clean, first, second)
    for (int64_t k = 0; k < columns; k++) {
        const float lc = log_share(c, zc[k]), lf = log_share(f, zf[k]), ls = log_share(s, zs[k]);
        clean += (double)(float_exp(lc) * (lc - 0.5F * (lf + ls)));
        first += (double)(float_exp(lf) * (lf - ls));
        second += (double)(float_exp(ls) * (ls - lf));
    }
    return (Divergences){clean, first, second};
}

/* T^2 KL(p, q) by the logits of q: T (q - p); where it is open, by those of p: T p (log p - log q - KL). */
ROW void divergence_gradients(const Pass passes[PASSES], Factors by, Divergences kl, float T, int64_t columns)
{
    const Pass c = passes[CLEAN], f = passes[FIRST], s = passes[SECOND];
    const float *zc = c.z, *zf = f.z, *zs = s.z;
    float *gc = c.gradient, *gf = f.gradient, *gs = s.gradient;
    const float clean = T * by.from_clean, first = T * by.from_first, second = T * by.from_second;
    const float open_clean = by.open ? clean : 0, open_first = by.open ? first : 0, open_second = by.open ? second : 0;
    const float kl_clean = (float)kl.clean, kl_first = (float)kl.first, kl_second = (float)kl.second;
    ROW_LOOP
    for (int64_t k = 0; k < columns; k++) {
        const float lc = log_share(c, zc[k]), lf = log_share(f, zf[k]), ls = log_share(s, zs[k]);
        const float pc = float_exp(lc), pf = float_exp(lf), ps = float_exp(ls);
        gc[k] = open_clean * (pc * (lc - 0.5F * (lf + ls) - kl_clean));
        gf[k] = 0.5F * clean * (pf - pc) + second * (pf - ps) + open_first * (pf * (lf - ls - kl_first));
        gs[k] = 0.5F * clean * (ps - pc) + first * (ps - pf) + open_second * (ps * (ls - lf - kl_second));
    }
}

/* factor CE(pass), and what it adds to the gradient. */
ROW double likelihood_part(const LossRow *row, Pass pass, float factor)
{
    const float *z = pass.z, *t = row->targets;
    float *gradient = pass.gradient;
    const int64_t columns = row->columns;
    const Pass one = pass.inverse == 1 ? pass : pass_of(z, gradient, columns, 1);
    double value = 0, total = 0;
    if (t) {
        ROW_SUM(value, total)
        for (int64_t k = 0; k < columns; k++) {
            value -= (double)(t[k] * log_share(one, z[k]));
            total += (double)t[k];
        }
    } else {
        value = -(double)log_share(one, z[row->target]);
        total = 1;
    }
    const float slope = factor * (float)total;
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++)
        gradient[k] += slope * float_exp(log_share(one, z[k]));
    ROW_LOOP
    for (int64_t k = 0; k < (gradient && t ? columns : 0); k++)
        gradient[k] -= factor * t[k];
    if (gradient && !t)
        gradient[row->target] -= factor;
    return (double)factor * value;
}

ROW float noisefit_row(const void *values, const LossRow *row, float *gradient)
{
    const struct noisefit *self = values;
    const int64_t columns = row->columns;
    const double T = self->temperature;
    const Factors by = factors_of(self, row->in);
    const bool diverges = by.from_clean > 0 || by.from_first > 0 || by.from_second > 0;
    const Pass passes[PASSES] = {pass_of(row->logits, gradient, columns, T),
                                 pass_of(row->partners[0], row->partner_gradients[0], columns, T),
                                 pass_of(row->partners[1], row->partner_gradients[1], columns, T)};
    const Divergences kl = diverges ? divergences_of(passes, columns) : (Divergences){0};
    if (gradient && diverges)
        divergence_gradients(passes, by, kl, (float)T, columns);
    for (int i = 0; i < PASSES && gradient && !diverges; i++)
        memset(passes[i].gradient, 0, (size_t)columns * sizeof(float));
    double value = T * T * ((double)by.from_clean * kl.clean + (double)by.from_first * kl.first +
                            (double)by.from_second * kl.second);
    for (int i = 0; i < PASSES; i++)
        value += by.likelihood[i] > 0 ? likelihood_part(row, passes[i], by.likelihood[i]) : 0;
    return (float)value;
}

LOSS_ROWS(noisefit, .partners = {"noisy_logits_1", "noisy_logits_2"})

static const char *const extras[] = {"noisy_logits_1", "noisy_logits_2", NULL};
static const char *const examples[] = {"\"noisefit\"",
                                       "{\"type\": \"noisefit\", \"detach_teacher\": false, \"temperature\": 2}",
                                       "{\"type\": \"noisefit\", \"mode\": \"ce_noisy\"}",
                                       "{\"type\": \"noisefit\", \"mode\": \"ce_kl\"}",
                                       "{\"type\": \"noisefit\", \"mode\": \"kl_only\"}",
                                       "{\"type\": \"noisefit\", \"mode\": \"consistency_only\"}",
                                       "{\"type\": \"noisefit\", \"mode\": \"basefit\"}",
                                       "{\"type\": \"noisefit\", \"mode\": \"rdrop\"}", NULL};

const LossDef loss_noisefit = {
    .component = {.name = "noisefit", .summary = "cross-entropy held steady under noise in the hidden states",
                  .params = params, .size = sizeof(struct noisefit), .source = "arXiv:2504.03302",
                  .formula = "alpha CE(z) + (1 - alpha) (KL(z, z1) + KL(z, z2)) / 2 + lambda KL(z2, z1), KL of "
                             "softmax(. / T) times T^2",
                  .notes = "Extras noisy_logits_1 and noisy_logits_2 [N, C]: z1, z2, logits of two noisy passes. "
                           "Modes: full as above; ce_kl without the last term; kl_only and consistency_only the "
                           "second or third part alone, unweighted; basefit CE(z); ce_noisy (CE(z1) + CE(z2)) / 2; "
                           "rdrop that plus (KL(z1, z2) + KL(z2, z1)) / 2, with gradients to both sides."},
    .targets = LOSS_CLASSES_OR_SOFT, .extras = extras, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_DETACHED,
    .forward = forward, .rows = &rows_noisefit, .check = check, .examples = examples,
};
