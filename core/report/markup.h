/* A growing text for HTML and SVG. Whatever comes from a file goes through markup_escape. */
#ifndef XENT_REPORT_MARKUP_H
#define XENT_REPORT_MARKUP_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* Starts as {0}; `text` ends with a NUL once something was added. */
typedef struct Markup {
    char *text;
    size_t size, room;
} Markup;

void markup_free(Markup *markup);
/* As it stands: for markup of our own. */
void markup_add(Markup *markup, const char *text);
void markup_format(Markup *markup, const char *format, ...) FORMAT_LIKE_PRINTF(2, 3);
/* Escaped for elements and for attributes in double quotes. Control characters and bytes that are not
   UTF-8 become U+FFFD. */
void markup_escape(Markup *markup, const char *text);

/* Bytes of the UTF-8 sequence that begins the NUL-terminated `text`; 0 when it is not valid. */
size_t utf8_sequence(const char *text);

/* Figures for people. `out` holds FIGURE_ROOM bytes and is returned. */
enum { FIGURE_ROOM = 32 };
char *figure_text(char *out, double value);         /* 4 significant digits; "not finite" for NAN and infinities */
char *figure_count(char *out, double value);        /* whole numbers with commas: 1,234,567 */
char *figure_short(char *out, double value);        /* 3 significant digits: 12.3k, 4.56M */
char *figure_duration(char *out, double seconds);   /* 2 h 05 min, 3 min 20 s, 1.25 s */
char *figure_bytes(char *out, double bytes);        /* powers of 1024: 1.5 MiB */

#endif
