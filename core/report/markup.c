#include "core/report/markup.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/utf8.h"

void markup_free(Markup *markup)
{
    memory_free(markup->text);
    *markup = (Markup){0};
}

static void reserve(Markup *markup, size_t more)
{
    if (markup->size + more + 1 <= markup->room)
        return;
    size_t room = markup->room * 2 > markup->size + more + 1 ? markup->room * 2 : markup->size + more + 1024;
    markup->text = memory_grow(markup->text, markup->room, room);
    markup->room = room;
}

static void add_bytes(Markup *markup, const char *bytes, size_t count)
{
    reserve(markup, count);
    memcpy(markup->text + markup->size, bytes, count);
    markup->size += count;
    markup->text[markup->size] = '\0';
}

void markup_add(Markup *markup, const char *text)
{
    add_bytes(markup, text, strlen(text));
}

void markup_format(Markup *markup, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    reserve(markup, (size_t)length);
    vsnprintf(markup->text + markup->size, (size_t)length + 1, format, again);
    va_end(again);
    markup->size += (size_t)length;
}

size_t utf8_sequence(const char *text)
{
    /* The NUL at the end is no continuation, so nothing behind it is read. */
    return *text ? utf8_decode((const unsigned char *)text, UTF8_LONGEST, NULL) : 0;
}

static const char *entity(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

void markup_escape(Markup *markup, const char *text)
{
    while (*text) {
        size_t length = utf8_sequence(text);
        unsigned char c = (unsigned char)*text;
        bool control =
            (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || (c == 0xC2 && (unsigned char)text[1] < 0xA0);
        if (length == 0 || control)
            markup_add(markup, "\xEF\xBF\xBD");
        else if (entity(*text))
            markup_add(markup, entity(*text));
        else
            add_bytes(markup, text, length);
        text += length ? length : 1;
    }
}

char *figure_text(char *out, double value)
{
    if (!isfinite(value))
        return strcpy(out, "not finite");
    double size = fabs(value);
    if (size >= 1000 && size < 1e6)
        snprintf(out, FIGURE_ROOM, "%.*f", size < 10000 ? 1 : 0, value);
    else
        snprintf(out, FIGURE_ROOM, "%.4g", value);
    return out;
}

char *figure_count(char *out, double value)
{
    if (!(fabs(value) < 1e15))
        return figure_text(out, value);
    char digits[FIGURE_ROOM];
    int length = snprintf(digits, sizeof digits, "%.0f", fabs(value)), at = 0;
    if (value < 0)
        out[at++] = '-';
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

char *figure_short(char *out, double value)
{
    static const struct {
        double unit;
        const char *letter;
    } units[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
    for (int i = 0; i < 4; i++)
        if (isfinite(value) && fabs(value) >= units[i].unit * 0.9995) {
            snprintf(out, FIGURE_ROOM, "%.3g%s", value / units[i].unit, units[i].letter);
            return out;
        }
    if (!isfinite(value))
        return figure_text(out, value);
    snprintf(out, FIGURE_ROOM, "%.3g", value);
    return out;
}

char *figure_duration(char *out, double seconds)
{
    if (!(seconds >= 0 && seconds < 1e12))
        return figure_text(out, seconds);
    if (seconds < 99.5) {
        snprintf(out, FIGURE_ROOM, "%.3g s", seconds);
        return out;
    }
    long long whole = llround(seconds), minutes = whole / 60;
    if (whole < 3600)
        snprintf(out, FIGURE_ROOM, "%lld min %02lld s", minutes, whole % 60);
    else
        snprintf(out, FIGURE_ROOM, "%lld h %02lld min", minutes / 60, minutes % 60);
    return out;
}

char *figure_bytes(char *out, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    for (; isfinite(bytes) && bytes >= 1023.5 && unit < 4; unit++)
        bytes /= 1024;
    if (!isfinite(bytes))
        return figure_text(out, bytes);
    snprintf(out, FIGURE_ROOM, bytes >= 999.5 ? "%.4g %s" : "%.3g %s", bytes, units[unit]);
    return out;
}
