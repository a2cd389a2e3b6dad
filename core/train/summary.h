/* summary.json: the final figures of a run and what they were measured with. */
#ifndef XENT_TRAIN_SUMMARY_H
#define XENT_TRAIN_SUMMARY_H

#include "core/train/run.h"

/* {"cpu", "cores", "threads", "isa"}; the caller's. */
cJSON *machine_description(void);
/* Everything but the metrics, which the caller adds under "metrics" and "ci"; the caller's. */
cJSON *run_summary(const Run *run, double samples_per_second);

#endif
