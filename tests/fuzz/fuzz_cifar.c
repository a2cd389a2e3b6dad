/* CIFAR records from memory, of the form that the first byte chooses: any bytes give records or an error. */
#include <stdlib.h>

#include "core/base/memory.h"
#include "data/cifar.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const CifarFormat formats[] = {{1, 0, {10, 0}}, {2, 0, {20, 100}}, {2, 1, {20, 100}}};
    if (!size)
        return 0;
    const CifarFormat *format = &formats[bytes[0] % 3];
    int64_t count;
    Error error;
    if (!cifar_check("input", bytes + 1, size - 1, format, &count, &error))
        return 0;
    int32_t *labels = memory_array((size_t)count, sizeof *labels);
    unsigned char *pixels = memory_array((size_t)count, CIFAR_PIXELS);
    cifar_unpack(bytes + 1, count, format, labels, pixels);
    for (int64_t i = 0; i < count; i++)
        if (labels[i] < 0 || labels[i] >= format->limits[format->label_at])
            abort();
    memory_free(labels);
    memory_free(pixels);
    return 0;
}
