/* Maps of logits fitted by maximum likelihood. */
#ifndef XENT_CALIBRATE_LIKELIHOOD_H
#define XENT_CALIBRATE_LIKELIHOOD_H

#include "core/calibrate/calibrate.h"

/* u [classes] = map of z [classes] with parameters x, linear in x. */
typedef struct LogitMap {
    int64_t (*parameter_count)(int64_t classes);
    /* Values at which u = z, and the logit that each multiplies, -1: none. x is 0 before. */
    void (*identity)(int64_t classes, double *x, int64_t *multiplied);
    void (*forward)(int64_t classes, const double *x, const double *z, double *u);
    /* gradient += (du/dx)' residual */
    void (*backward)(int64_t classes, const double *z, const double *residual, double *gradient);
} LogitMap;

/* Minimises the weighted mean of -sum_k t_k log softmax(u)_k plus penalty * |x - identity|^2 by L-BFGS from the
   identity. x [parameter_count] belongs to the arena. An error says that it did not converge. */
bool likelihood_fit(const LogitMap *map, const CalibrationData *data, double penalty, Arena *arena, double **x,
                    Error *error);

#endif
