#include "core/report/font.h"

#include <assert.h>
#include <string.h>

#include "core/report/markup.h"

/* A path is points of two hexadecimal digits, x and y: y is 0 at the capitals' top, 4 at the top of
   small letters, c on the baseline, f at the lowest descender. Lines join points; q before two points is
   a quadratic curve (control, end); a blank begins a new stroke. */
typedef struct Glyph {
    int width;
    const char *path;
} Glyph;

static const Glyph missing = {6, "04646c0c04"};

static const Glyph glyphs[] = {
    ['!'] = {0, "0008 0b0c"}, ['"'] = {3, "0003 3033"}, ['#'] = {7, "201c 605c 0474 0878"},
    ['$'] = {6, "63q6131q0103q0636q6669q6b3bq0b09 3d3d 303c"},
    ['%'] = {10, "20q0003q0626q4643q4020 86q6669q6c8cqaca9qa686 802c"},
    ['&'] = {7, "7c13q0030q5052q5426q0709q0c3cq6c77"}, ['\''] = {0, "0003"},
    ['('] = {3, "30q0307q0b3e"}, [')'] = {3, "00q3337q3b0e"}, ['*'] = {6, "3137 0256 5206"}, ['+'] = {6, "0868 353b"},
    [','] = {1, "1b0e"}, ['-'] = {4, "0848"}, ['.'] = {0, "0b0c"}, ['/'] = {5, "500d"},
    ['0'] = {6, "30q606468q6c3cq0c0804q0030"}, ['1'] = {6, "13303c 1c5c"}, ['2'] = {6, "03q0030q6063q660c6c"},
    ['3'] = {6, "03q0030q6063q6636q6669q6c3cq0c09"}, ['4'] = {6, "4c400868"}, ['5'] = {6, "600005q1434q6468q6c3cq0c09"},
    ['6'] = {6, "62q5030q000608q0c3cq6c68q6535q0508"}, ['7'] = {6, "00602c"},
    ['8'] = {6, "30q0003q0636q6663q6030 36q0609q0c3cq6c69q6636"}, ['9'] = {6, "0aq1c3cq6c6664q6030q0004q0737q6764"},
    [':'] = {0, "0506 0b0c"}, [';'] = {1, "1516 1b0e"},
    ['<'] = {6, "64086c"}, ['='] = {6, "0666 0a6a"}, ['>'] = {6, "04680c"},
    ['?'] = {6, "03q0030q6063q663638 3b3c"}, ['@'] = {10, "9bq8c5cq0c06q0050qa0a5qa989q6965 65q6343q3346q3949q6966"},
    ['A'] = {8, "0c408c 1979"}, ['B'] = {7, "0c0040q6063q6646 0646q7679q7c4c0c"}, ['C'] = {8, "83q7040q0006q0c4cq7c89"},
    ['D'] = {8, "000c3cq8c86q803000"}, ['E'] = {6, "60000c6c 0656"}, ['F'] = {6, "60000c 0656"},
    ['G'] = {8, "83q7040q0006q0c4cq8c8757"}, ['H'] = {7, "000c 707c 0676"},
    ['I'] = {0, "000c"}, ['J'] = {5, "5058q5c2cq0c09"},
    ['K'] = {7, "000c 7007 347c"}, ['L'] = {6, "000c6c"}, ['M'] = {10, "0c0058a0ac"}, ['N'] = {8, "0c008c80"},
    ['O'] = {8, "40q0006q0c4cq8c86q8040"},
    ['P'] = {7, "0c0040q7074q774707"}, ['Q'] = {8, "40q0006q0c4cq8c86q8040 598d"},
    ['R'] = {7, "0c0040q7073q764606 467c"}, ['S'] = {6, "63q6030q0003q0636q6669q6c3cq0c09"}, ['T'] = {8, "0080 404c"},
    ['U'] = {8, "0008q0c4cq8c8880"}, ['V'] = {8, "004c80"}, ['W'] = {12, "003c619cc0"}, ['X'] = {7, "007c 700c"},
    ['Y'] = {8, "004680 464c"}, ['Z'] = {7, "00700c7c"},
    ['['] = {2, "20000e2e"}, ['\\'] = {5, "005d"}, [']'] = {2, "00202e0e"},
    ['^'] = {6, "043064"}, ['_'] = {6, "0e6e"}, ['`'] = {2, "0022"},
    ['a'] = {6, "05q1434q64676c 6737q0709q0c3cq6c69"}, ['b'] = {6, "000c 08q0434q6468q6c3cq0c08"},
    ['c'] = {5, "56q5434q0408q0c3cq5c5a"},
    ['d'] = {6, "606c 68q6434q0408q0c3cq6c68"}, ['e'] = {6, "0868q6434q0408q0c3cq5c6a"},
    ['f'] = {4, "40q20232c 0444"},
    ['g'] = {6, "646cq6f3fq1f0e 68q6434q0408q0c3cq6c68"}, ['h'] = {6, "000c 08q0434q64686c"},
    ['i'] = {0, "040c 0001"}, ['j'] = {2, "242dq2f0f 2021"}, ['k'] = {5, "000c 5409 275c"}, ['l'] = {2, "000aq0c2c"},
    ['m'] = {10, "040c 07q0434q54575c 57q5484qa4a7ac"},
    ['n'] = {6, "040c 08q0434q64686c"}, ['o'] = {6, "34q0408q0c3cq6c68q6434"},
    ['p'] = {6, "040f 08q0434q6468q6c3cq0c08"}, ['q'] = {6, "646f 68q6434q0408q0c3cq6c68"}, ['r'] = {4, "040c 08q0444"},
    ['s'] = {5, "55q4434q0406q0838q585aq5c3cq1c0b"}, ['t'] = {4, "212aq2c4c 0444"}, ['u'] = {6, "0408q0c3cq6c68 646c"},
    ['v'] = {6, "043c64"}, ['w'] = {8, "042c456c84"},
    ['x'] = {5, "045c 540c"}, ['y'] = {6, "043c 642f"}, ['z'] = {5, "04540c5c"},
    ['{'] = {4, "40q202325q2707q27292bq2e4e"}, ['|'] = {0, "000e"}, ['}'] = {4, "00q202325q2747q27292bq2e0e"},
    ['~'] = {6, "09q1638q5a67"},
    [' '] = {2, ""},
};

static const double unit = 0.06;        /* of the em */
enum { BASELINE = 12, BEARING = 3, CURVE_PIECES = 6 };

/* The glyph at *text, which moves past its character. */
static const Glyph *next_glyph(const char **text)
{
    unsigned char c = (unsigned char)**text;
    size_t length = utf8_sequence(*text);
    *text += length ? length : 1;
    return c < sizeof glyphs / sizeof *glyphs && glyphs[c].path ? &glyphs[c] : &missing;
}

double font_width(const char *text, double size)
{
    int units = 0;
    while (*text)
        units += next_glyph(&text)->width + BEARING;
    return units * unit * size;
}

static int hexadecimal(char digit)
{
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

static Point read_point(const char **path, Point origin, double scale)
{
    Point point = {origin.x + hexadecimal((*path)[0]) * scale, origin.y + (hexadecimal((*path)[1]) - BASELINE) * scale};
    *path += 2;
    return point;
}

static void draw_glyph(const char *path, Point origin, double scale, FontStroke *stroke, void *context)
{
    Point points[FONT_POINTS_MAX];
    int count = 0;
    while (*path) {
        if (*path == ' ') {
            stroke(context, points, count);
            count = 0;
            path++;
        } else if (*path == 'q') {
            path++;
            Point start = points[count - 1], control = read_point(&path, origin, scale);
            Point end = read_point(&path, origin, scale);
            for (int i = 1; i <= CURVE_PIECES; i++) {
                double t = (double)i / CURVE_PIECES, a = (1 - t) * (1 - t), b = 2 * t * (1 - t), c = t * t;
                assert(count < FONT_POINTS_MAX);
                points[count++] = (Point){a * start.x + b * control.x + c * end.x,
                                          a * start.y + b * control.y + c * end.y};
            }
        } else {
            assert(count < FONT_POINTS_MAX);
            points[count++] = read_point(&path, origin, scale);
        }
    }
    if (count)
        stroke(context, points, count);
}

void font_strokes(const char *text, double size, FontStroke *stroke, void *context)
{
    double scale = unit * size, x = BEARING * 0.5 * scale;
    while (*text) {
        const Glyph *glyph = next_glyph(&text);
        draw_glyph(glyph->path, (Point){x, 0}, scale, stroke, context);
        x += (glyph->width + BEARING) * scale;
    }
}

void font_fit(char *out, size_t room, const char *text, double size, double width)
{
    assert(room >= 4);
    if (strlen(text) < room && font_width(text, size) <= width) {
        strcpy(out, text);
        return;
    }
    double left = width - font_width("...", size);
    size_t used = 0;
    for (const char *at = text; *at;) {
        const char *start = at;
        left -= (next_glyph(&at)->width + BEARING) * unit * size;
        size_t bytes = (size_t)(at - start);
        if (left < 0 || used + bytes + 4 > room)
            break;
        memcpy(out + used, start, bytes);
        used += bytes;
    }
    memcpy(out + used, "...", 4);
}
