/* Working memory of the matrix products and convolutions. */
#ifndef XENT_KERNELS_GEMM_SCRATCH_H
#define XENT_KERNELS_GEMM_SCRATCH_H

#include <stdint.h>

/* At least `count` floats, 64-byte aligned, with any content. They belong to the calling thread, which
   gets the same ones on its next call: only growing allocates. Freed when the thread ends. */
float *gemm_scratch(int64_t count);

#endif
