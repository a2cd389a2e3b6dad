/* The padded copy of an image that convolution kernels read. It is laid out so that moving every output by
   one place moves what it reads by one float, for any stride: a padded place u of an axis with stride s is
   kept in a plane of its own for each u mod s, at u / s. Along the inner axes the zeros to the right of a
   row are the zeros to the left of the next one. */
#ifndef XENT_KERNELS_CONVOLUTION_SOURCE_H
#define XENT_KERNELS_CONVOLUTION_SOURCE_H

#include <stdint.h>

typedef struct Source {
    int64_t channels, size[3];
    int64_t lead[3];    /* zeros before the first element */
    int64_t phases[3];  /* the stride */
    int64_t step[3];    /* floats from an output's place to the next one's; step[2] is 1 */
    int64_t plane, channel, total; /* floats of a plane, of a channel, of all with room to read beyond */
} Source;

/* `grid` outputs along each axis read padded places from 0 to `reach`. */
Source source_plan(int64_t channels, const int64_t *size, const int64_t *lead, const int64_t *phases,
                   const int64_t *grid, const int64_t *reach);
/* Where the padded place lies in its channel. */
int64_t source_place(const Source *source, const int64_t *padded);
/* Floats from the first output's place to the end of the last one's. */
int64_t source_span(const Source *source, const int64_t *grid);
/* Copies channels begin..end-1 of x into `to`, which was zeroed once. */
void source_fill(const Source *source, const float *x, float *to, int64_t begin, int64_t end);
/* The same from values [channels, size[1]/2, size[2]/2] and their places (each in its 2 x 2, or -1); size[0] and the
   phases are 1. */
void source_spread(const Source *source, const float *y, const int32_t *places, float *to, int64_t begin,
                   int64_t end);

#endif
