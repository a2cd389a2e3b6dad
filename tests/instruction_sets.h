/* For tests of kernels on every instruction set that the machine has. */
#ifndef XENT_TESTS_INSTRUCTION_SETS_H
#define XENT_TESTS_INSTRUCTION_SETS_H

#include "tests/testing.h"

#include "core/kernels/kernels.h"

static const char *const isas[] = {"baseline", "avx2", "avx512"};
enum { ISAS = sizeof isas / sizeof *isas };

/* Says which are not there. Returns how many tests failed. */
static inline int run_on_each_isa(const struct CMUnitTest *tests, size_t count, CMFixtureFunction setup,
                                  CMFixtureFunction teardown)
{
    int failures = 0;
    for (int i = 0; i < ISAS; i++) {
        Error error;
        if (kernels_select(isas[i], &error))
            failures += _cmocka_run_group_tests(isas[i], tests, count, setup, teardown);
        else
            print_message("%s\n", error.message);
    }
    return failures;
}
#define RUN_ON_EACH_ISA(tests, setup, teardown) run_on_each_isa(tests, sizeof(tests) / sizeof *(tests), setup, teardown)

#endif
