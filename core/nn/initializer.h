/* Initial values. To add one: `const InitializerDef initializer_NAME` in a file of this folder. */
#ifndef XENT_NN_INITIALIZER_H
#define XENT_NN_INITIALIZER_H

#include "core/base/component.h"
#include "core/base/random.h"

typedef struct InitializerDef {
    Component component;
    /* values[rows * columns]; a weight [out, ...] has `out` rows. fan_in and fan_out as Glorot and Bengio
       2010 define them: inputs of an output, outputs of an input, times the kernel's size. */
    void (*fill)(const void *values, Random *random, int64_t rows, int64_t columns, double fan_in, double fan_out,
                 float *out);
} InitializerDef;

/* Parameters of "normal", of "uniform", and of "kaiming_uniform" and its relatives, for models that set them. */
struct normal { double mean, deviation; };
struct uniform { double low, high; };
struct gain { double gain; };

void initializer_fill(const Instance *instance, Random *random, int64_t rows, int64_t columns, double fan_in,
                      double fan_out, float *out);

#endif
