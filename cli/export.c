#include "cli/command.h"
static bool run(const Arguments *a, Error *e) { (void)a; return fail_usage(e, "todo"); }
const Command command_export = {.name = "export", .synopsis = "export", .summary = "x", .description = "x", .run = run};
