/* Steps of optimizers. Part of kernels_isa.c. The loops are left to the compiler, which makes vectors of the roots
   and divisions too; what does not change is copied first, so that it knows. */

static void adam_step(int64_t n, const AdamStep *by, float *restrict w, const float *restrict g, float *restrict m,
                      float *restrict v)
{
    const AdamStep k = *by;
    for (int64_t i = 0; i < n; i++) {
        const float gradient = g[i] + k.decay * w[i];
        m[i] = k.beta1 * m[i] + (1 - k.beta1) * gradient;
        v[i] = k.beta2 * v[i] + (1 - k.beta2) * gradient * gradient;
        w[i] = k.keep * w[i] - k.rate * m[i] / (sqrtf(v[i]) * k.root + k.epsilon);
    }
}

static void sgd_step(int64_t n, const SgdStep *by, float *restrict w, const float *restrict g, float *restrict v)
{
    const SgdStep k = *by;
    if (k.nesterov)
        for (int64_t i = 0; i < n; i++) {
            const float gradient = g[i] + k.decay * w[i];
            v[i] = k.momentum * v[i] + k.enter * gradient;
            w[i] -= k.rate * (gradient + k.momentum * v[i]);
        }
    else
        for (int64_t i = 0; i < n; i++) {
            v[i] = k.momentum * v[i] + k.enter * (g[i] + k.decay * w[i]);
            w[i] -= k.rate * v[i];
        }
}

static void rmsprop_step(int64_t n, const RmspropStep *by, float *restrict w, const float *restrict g,
                         float *restrict s, float *restrict v)
{
    const RmspropStep k = *by;
    for (int64_t i = 0; i < n; i++) {
        const float gradient = g[i] + k.decay * w[i];
        s[i] = k.keep * s[i] + (1 - k.keep) * gradient * gradient;
        v[i] = k.momentum * v[i] + gradient / (sqrtf(s[i]) + k.epsilon);
        w[i] -= k.rate * v[i];
    }
}

static void adagrad_step(int64_t n, const AdagradStep *by, float *restrict w, const float *restrict g,
                         float *restrict s)
{
    const AdagradStep k = *by;
    for (int64_t i = 0; i < n; i++) {
        const float gradient = g[i] + k.decay * w[i];
        s[i] += gradient * gradient;
        w[i] -= k.rate * gradient / (sqrtf(s[i]) + k.epsilon);
    }
}

static void lion_step(int64_t n, const LionStep *by, float *restrict w, const float *restrict g, float *restrict m)
{
    const LionStep k = *by;
    for (int64_t i = 0; i < n; i++) {
        const float direction = k.beta1 * m[i] + (1 - k.beta1) * g[i];
        const float sign = (float)((direction > 0) - (direction < 0));
        w[i] = k.keep * w[i] - k.rate * sign;
        m[i] = k.beta2 * m[i] + (1 - k.beta2) * g[i];
    }
}

#define OPTIMIZER_KERNELS {adam_step, sgd_step, rmsprop_step, adagrad_step, lion_step}
