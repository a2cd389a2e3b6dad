#include "data/cifar.h"

#include <string.h>

bool cifar_check(const char *name, const unsigned char *bytes, size_t size, const CifarFormat *format, int64_t *count,
                 Error *error)
{
    size_t record = (size_t)format->label_bytes + CIFAR_PIXELS, whole = size / record;
    if (size == 0)
        return fail(error, "%s: empty, a CIFAR record has %zu bytes", name, record);
    if (size % record)
        return fail(error, "%s: truncated at byte %zu, the record from byte %zu on has %zu bytes", name, size,
                    whole * record, record);
    for (size_t i = 0; i < whole; i++)
        for (int k = 0; k < format->label_bytes; k++) {
            size_t at = i * record + (size_t)k;
            if (bytes[at] >= format->limits[k])
                return fail(error, "%s: label %d at byte %zu, expected below %d", name, bytes[at], at,
                            format->limits[k]);
        }
    *count = (int64_t)whole;
    return true;
}

void cifar_unpack(const unsigned char *bytes, int64_t count, const CifarFormat *format, int32_t *labels,
                  unsigned char *pixels)
{
    for (int64_t i = 0; i < count; i++) {
        labels[i] = bytes[format->label_at];
        memcpy(pixels + i * CIFAR_PIXELS, bytes + format->label_bytes, CIFAR_PIXELS);
        bytes += format->label_bytes + CIFAR_PIXELS;
    }
}
