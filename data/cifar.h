/* CIFAR's binary files: records of one label byte (CIFAR-10) or a coarse and a fine one (CIFAR-100) and
   3 x 32 x 32 bytes, red plane first. Krizhevsky 2009, Learning multiple layers of features from tiny images. */
#ifndef XENT_DATA_CIFAR_H
#define XENT_DATA_CIFAR_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum { CIFAR_PIXELS = 3 * 32 * 32 };

typedef struct CifarFormat {
    int label_bytes;    /* 1: CIFAR-10, 2: CIFAR-100 */
    int label_at;       /* which of them is the label */
    int limits[2];      /* each label byte is below its limit */
} CifarFormat;

/* The number of records. Errors name the file and the byte: a size that is not a whole number of
   records, no record at all, a label byte that is not below its limit. */
bool cifar_check(const char *name, const unsigned char *bytes, size_t size, const CifarFormat *format, int64_t *count,
                 Error *error);
/* Checked records into labels[count] and pixels[count, CIFAR_PIXELS]. */
void cifar_unpack(const unsigned char *bytes, int64_t count, const CifarFormat *format, int32_t *labels,
                  unsigned char *pixels);

#endif
