/* Weights of losses: a number, or one that moves by a schedule. */
#ifndef XENT_SCHEDULES_WEIGHT_H
#define XENT_SCHEDULES_WEIGHT_H

#include "core/schedules/schedule.h"

/* to + f (value - to), f the schedule's factor: exactly `value` where f is 1, exactly `to` where it is 0. */
double weight_at(const Weight *weight, const ScheduleContext *context);
/* Whether it is this number throughout. */
bool weight_is(const Weight *weight, double number);
/* For instance_find_weight. */
bool weight_moves(const Weight *weight);
bool weight_needs_total(const Weight *weight);

#endif
