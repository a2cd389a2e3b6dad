/* Reports of run folders: a page, and pictures. */
#ifndef XENT_REPORT_REPORT_H
#define XENT_REPORT_REPORT_H

#include "core/base/error.h"

/* Writes DIR/report.html and DIR/plots/NAME.png, each atomically; older ones are replaced. */
bool report_write(const char *run_folder, Error *error);
/* Only the page, to output_path. */
bool report_page(const char *run_folder, const char *output_path, Error *error);
/* One page that compares 2 to 64 runs. Runs of equal name are told apart by their folders as given. */
bool report_compare(int count, const char *const *folders, const char *output_path, Error *error);

#endif
