#include "core/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool set_error(Error *error, int status, const char *format, va_list arguments)
{
    error->status = status;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    return false;
}

bool fail(Error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_error(error, STATUS_FAILED, format, arguments);
    va_end(arguments);
    return false;
}

bool fail_usage(Error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_error(error, STATUS_USAGE, format, arguments);
    va_end(arguments);
    return false;
}

/* Joins two parts into error->message; whichever is too long is cut, never overrun. */
static bool join(Error *error, const char *first, const char *second)
{
    char joined[sizeof error->message];
    size_t used = 0;
    for (const char *parts[] = {first, ": ", second}, **part = parts; part < parts + 3; part++) {
        size_t length = strlen(*part), room = sizeof joined - 1 - used;
        if (length > room)
            length = room;
        memcpy(joined + used, *part, length);
        used += length;
    }
    joined[used] = '\0';
    memcpy(error->message, joined, used + 1);
    return false;
}

bool fail_at(Error *error, const char *format, ...)
{
    char place[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(place, sizeof place, format, arguments);
    va_end(arguments);
    return join(error, place, error->message);
}

bool fail_errno(Error *error, const char *format, ...)
{
    int number = errno;
    va_list arguments;
    va_start(arguments, format);
    set_error(error, STATUS_FAILED, format, arguments);
    va_end(arguments);
    char first[sizeof error->message];
    memcpy(first, error->message, sizeof first);
    return join(error, first, strerror(number));
}
