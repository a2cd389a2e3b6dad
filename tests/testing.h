/* cmocka with what it needs before it. Its macro fail() gives way to the library's function. */
#ifndef XENT_TESTS_TESTING_H
#define XENT_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail
#undef fail_msg
#define fail_msg(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A fresh folder under $TMPDIR (or the system's) and the path of one file in it; temporary_drop
   removes both and fails the test when anything else was left there. */
typedef struct Temporary { char folder[512], file[640]; } Temporary;

static inline void temporary_make(Temporary *temporary, const char *file)
{
    const char *base = getenv("TMPDIR");
    snprintf(temporary->folder, sizeof temporary->folder, "%s/xent-test-XXXXXX", base ? base : P_tmpdir);
    assert_non_null(mkdtemp(temporary->folder));
    snprintf(temporary->file, sizeof temporary->file, "%s/%s", temporary->folder, file);
}

static inline void temporary_drop(Temporary *temporary)
{
    unlink(temporary->file);
    assert_int_equal(rmdir(temporary->folder), 0);
}

#endif
