/* One step of an optimizer over n elements, in place: one pass over the memory, every element by itself, so that a
   parameter may be cut anywhere. The formulas are those of core/optim/. Included by kernels.h. */
#ifndef XENT_KERNELS_OPTIMIZER_H
#define XENT_KERNELS_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

/* g' = g + decay w; m = b1 m + (1 - b1) g'; v = b2 v + (1 - b2) g'^2; w = keep w - rate m / (root sqrt(v) + epsilon) */
typedef struct AdamStep {
    float beta1, beta2, keep, decay, rate, root, epsilon;
} AdamStep;

/* g' = g + decay w; v = momentum v + enter g'; w -= rate (nesterov ? g' + momentum v : v) */
typedef struct SgdStep {
    float rate, decay, momentum, enter;
    bool nesterov;
} SgdStep;

/* g' = g + decay w; s = keep s + (1 - keep) g'^2; v = momentum v + g' / (sqrt(s) + epsilon); w -= rate v */
typedef struct RmspropStep {
    float rate, decay, keep, momentum, epsilon;
} RmspropStep;

/* g' = g + decay w; s += g'^2; w -= rate g' / (sqrt(s) + epsilon) */
typedef struct AdagradStep {
    float rate, decay, epsilon;
} AdagradStep;

/* w = keep w - rate sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g */
typedef struct LionStep {
    float rate, keep, beta1, beta2;
} LionStep;

typedef struct OptimizerKernels {
    void (*adam)(int64_t n, const AdamStep *by, float *w, const float *g, float *m, float *v);
    void (*sgd)(int64_t n, const SgdStep *by, float *w, const float *g, float *v);
    void (*rmsprop)(int64_t n, const RmspropStep *by, float *w, const float *g, float *s, float *v);
    void (*adagrad)(int64_t n, const AdagradStep *by, float *w, const float *g, float *s);
    void (*lion)(int64_t n, const LionStep *by, float *w, const float *g, float *m);
} OptimizerKernels;

#endif
