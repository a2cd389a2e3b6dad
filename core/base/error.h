/* Errors a user can cause: every function that can fail returns false (or NULL) and fills an Error.
   What only a programmer can get wrong is an assertion. Only cli/ prints or exits. */
#ifndef XENT_BASE_ERROR_H
#define XENT_BASE_ERROR_H

#include <stdbool.h>

enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* `status` is the exit status the error asks for; `message` is one line without the leading "xent: ". */
typedef struct Error {
    int status;
    char message[1024];
} Error;

#if defined(__GNUC__)
#define FORMAT_LIKE_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#else
#define FORMAT_LIKE_PRINTF(format_index, first)
#endif

/* Fills *error and returns false, so that `return fail(error, ...)` reads as one step.
   fail: it went wrong while running (exit 1). fail_usage: command line or config is wrong (exit 2). */
bool fail(Error *error, const char *format, ...) FORMAT_LIKE_PRINTF(2, 3);
bool fail_usage(Error *error, const char *format, ...) FORMAT_LIKE_PRINTF(2, 3);

/* Puts "place: " in front of the message that is there; returns false. */
bool fail_at(Error *error, const char *format, ...) FORMAT_LIKE_PRINTF(2, 3);

/* As fail, with ": " and strerror(errno) appended. */
bool fail_errno(Error *error, const char *format, ...) FORMAT_LIKE_PRINTF(2, 3);

#endif
