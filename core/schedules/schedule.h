/* Schedules: a factor, 0 to 1, of a learning rate or a weight as a function of the step. To add one: a file in this
   folder with `const ScheduleDef schedule_NAME`. */
#ifndef XENT_SCHEDULES_SCHEDULE_H
#define XENT_SCHEDULES_SCHEDULE_H

#include "core/base/component.h"

typedef struct ScheduleContext {
    int64_t step;               /* from 0 */
    int64_t total;              /* steps of the whole run as planned; 0: unknown (limited by seconds alone) */
    int64_t steps_per_epoch;
} ScheduleContext;

/* Where a model is measured: every schedule has come to its limit. */
#define SCHEDULE_END ((ScheduleContext){.step = INT64_MAX, .total = INT64_MAX, .steps_per_epoch = 1})

typedef struct ScheduleDef {
    Component component;
    double (*factor)(const void *values, const ScheduleContext *context);
    bool (*needs_total)(const void *values);    /* NULL: never; such a schedule changes when train.epochs does */
    /* After an epoch's validation: may change `factor` (1 at the start) from the history in `state`, which
       the checkpoint keeps. NULL: nothing. */
    void (*observe)(const void *values, double validation_loss, double state[4], double *factor);
} ScheduleDef;

double schedule_factor(const Instance *schedule, const ScheduleContext *context);
bool schedule_needs_total(const Instance *schedule);
/* Share of the run that is done, 0..1; 0 where its length is unknown. */
double schedule_share(const ScheduleContext *context);

#endif
