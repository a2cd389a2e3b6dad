#include "core/schedules/weight.h"

double weight_at(const Weight *weight, const ScheduleContext *context)
{
    if (!weight->schedule.component)
        return weight->value;
    double factor = schedule_factor(&weight->schedule, context);
    return factor * weight->value + (1 - factor) * weight->to;
}

bool weight_moves(const Weight *weight)
{
    return weight->schedule.component != NULL;
}

bool weight_is(const Weight *weight, double number)
{
    return !weight_moves(weight) && weight->value == number;
}

bool weight_needs_total(const Weight *weight)
{
    return weight_moves(weight) && schedule_needs_total(&weight->schedule);
}
