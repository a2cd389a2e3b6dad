/* Noise added to the outputs of chosen layers in a training pass; the deviations have no gradient, unless `attached`.
   Adaptive (Khadangi et al. 2025): N(0, sigma_k^2), of a token's elements h_k
       sigma_k = base MAD exp(-beta |h_k - median| / (MAD + 1e-6)) f,
   f = min(exp(v / (mean v + 1e-6)), factor_max) of the token's variance v and the mean over tokens, base = deviation
   times that of all elements together, MAD = median |h_k - median| but at least 1e-6 |h|; medians are the lower ones.
   Uniform (NEFTune, Jain et al. 2023): U(-1, 1) radius / sqrt(tokens width). */
#ifndef XENT_NN_LAYER_NOISE_H
#define XENT_NN_LAYER_NOISE_H

#include "core/nn/layer.h"

typedef struct LayerNoise {
    const Layer *const *layers;
    int count;
    bool uniform;
    double deviation, beta, factor_max; /* of adaptive noise */
    double radius;                      /* of uniform noise */
    const double *scales;               /* [count], further factors of adaptive noise; NULL: all 1 */
    bool attached;                      /* the deviations of adaptive noise are differentiated */
    double *rms;                        /* [count], of the deviations of the last pass; NULL: not kept */
} LayerNoise;

/* The output x, [N, ..., width], of the layer with its noise; x itself where the layer has none. */
Tensor *layer_noise_add(const LayerNoise *noise, const Layer *layer, Forward *forward, Tensor *x);
/* sigma [rows, width] of h of the same shape. */
void layer_noise_deviations(const LayerNoise *noise, double base, int64_t rows, int64_t width, const float *h,
                            float *sigma);
/* The same of x [N, ..., width], with a gradient; base = deviation times the deviation of all of x. */
Tensor *layer_noise_attached(const LayerNoise *noise, double deviation, Tensor *x);

#endif
