/* cmocka with what it needs before it. Its macro fail() gives way to the library's function. */
#ifndef XENT_TESTS_TESTING_H
#define XENT_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail

#endif
