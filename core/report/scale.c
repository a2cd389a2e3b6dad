#include "core/report/scale.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The 1, 2 or 5 times a power of ten that is nearest to `rough` from above, within rounding. */
static double nice_step(double rough)
{
    double power = pow(10, floor(log10(rough))), share = rough / power;
    return power * (share <= 1.0001 ? 1 : share <= 2.0001 ? 2 : share <= 5.0001 ? 5 : 10);
}

/* "1e-05" is written 1e-5. */
static void shorten_exponent(char *label)
{
    char *at = strchr(label, 'e');
    if (!at)
        return;
    at += at[1] == '-' ? 2 : 1;
    char *digits = at;
    while (*digits == '+' || (*digits == '0' && digits[1]))
        digits++;
    memmove(at, digits, strlen(digits) + 1);
}

/* `step` is the distance to the next tick, which the label must tell apart. */
static void label_tick(char *label, double value, double step, double largest)
{
    static const struct { double unit; const char *letter; } units[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
    if (fabs(value) < step * 1e-6) {
        strcpy(label, "0");
        return;
    }
    for (int i = 0; largest >= 1e4 && largest < 1e12 && i < 3; i++)
        if (largest >= units[i].unit * 9.999) {
            int decimals = (int)ceil(-log10(step / units[i].unit) - 1e-9);
            snprintf(label, TICK_ROOM, "%.*f%s", decimals > 0 ? decimals : 0, value / units[i].unit, units[i].letter);
            return;
        }
    int decimals = (int)ceil(-log10(step) - 1e-9);
    if (largest >= 1e12 || decimals > 4) {
        int digits = (int)floor(log10(largest / step) + 1e-9) + 1;
        snprintf(label, TICK_ROOM, "%.*g", digits > 15 ? 15 : digits, value);
        shorten_exponent(label);
    } else {
        snprintf(label, TICK_ROOM, "%.*f", decimals > 0 ? decimals : 0, value);
    }
}

Scale scale_linear(double low, double high, int about, bool extend)
{
    assert(isfinite(low) && isfinite(high) && low <= high && about >= 2 && about <= 8);
    double size = fmax(fabs(low), fabs(high));
    if (high - low <= size * 1e-12) {
        double margin = size > 0 ? size * 0.05 : 0.5;
        low -= margin;
        high += margin;
    }
    double step = nice_step((high - low) / about);
    Scale scale = {.low = low, .high = high};
    if (extend) {
        scale.low = floor(low / step + 1e-6) * step;
        scale.high = ceil(high / step - 1e-6) * step;
    }
    double first = ceil(scale.low / step - 1e-6), last = floor(scale.high / step + 1e-6);
    double largest = fmax(fabs(first), fabs(last)) * step;
    for (double i = first; i <= last && scale.tick_count < TICKS_MAX; i++) {
        label_tick(scale.labels[scale.tick_count], i * step, step, largest);
        scale.ticks[scale.tick_count++] = i * step;
    }
    return scale;
}

static void add_log_tick(Scale *scale, double value)
{
    if (value < scale->low * 0.9999 || value > scale->high * 1.0001 || scale->tick_count == TICKS_MAX)
        return;
    char *label = scale->labels[scale->tick_count];
    snprintf(label, TICK_ROOM, "%g", value);
    shorten_exponent(label);
    scale->ticks[scale->tick_count++] = value;
}

Scale scale_log(double low, double high)
{
    assert(isfinite(high) && low > 0 && low <= high);
    if (high / low < 1.1) {
        low /= 1.05;
        high *= 1.05;
    }
    Scale scale = {.low = low, .high = high, .log = true};
    int first = (int)floor(log10(low)), last = (int)ceil(log10(high)), every = 1 + (last - first) / 8;
    static const double fine[] = {1, 2, 5}, finest[] = {1, 1.5, 2, 3, 4, 5, 6, 8};
    bool few = high / low < 500, fewest = high / low < 8;
    for (int power = first; power <= last; power += every)
        for (int i = 0; i < (fewest ? 8 : few ? 3 : 1); i++)
            add_log_tick(&scale, (fewest ? finest : fine)[i] * pow(10, power));
    return scale;
}

double scale_position(const Scale *scale, double value)
{
    if (!scale->log)
        return (value - scale->low) / (scale->high - scale->low);
    return value > 0 ? log(value / scale->low) / log(scale->high / scale->low) : NAN;
}

/* Of y[from..to), which is not empty: the smallest and the largest, or the first that is not finite and another. */
static void extremes(const double *y, int64_t from, int64_t to, int64_t found[2])
{
    int64_t smallest = from, largest = from;
    for (int64_t i = from; i < to; i++) {
        if (!isfinite(y[i])) {
            smallest = i;
            break;
        }
        smallest = y[i] < y[smallest] ? i : smallest;
        largest = y[i] > y[largest] ? i : largest;
    }
    found[0] = smallest < largest ? smallest : largest;
    found[1] = smallest < largest ? largest : smallest;
}

int64_t downsample(const double *y, int64_t count, int64_t most, int64_t *kept)
{
    assert(most >= 4);
    if (count <= most) {
        for (int64_t i = 0; i < count; i++)
            kept[i] = i;
        return count;
    }
    int64_t pieces = (most - 2) / 2, inner = count - 2, used = 0;
    kept[used++] = 0;
    for (int64_t piece = 0; piece < pieces; piece++) {
        int64_t from = 1 + piece * inner / pieces, to = 1 + (piece + 1) * inner / pieces, found[2];
        if (from >= to)
            continue;
        extremes(y, from, to, found);
        kept[used++] = found[0];
        if (found[1] != found[0])
            kept[used++] = found[1];
    }
    kept[used++] = count - 1;
    return used;
}
