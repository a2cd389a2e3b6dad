#include "core/report/picture.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/memory.h"
#include "data/png_image.h"

enum { EDGE_LEVELS = 12, SLOTS = 1024, NO_PLACE = -1, LEAST_ROOM = 8 };

/* The colors of a picture, found by hashing; color 0 of a slot is none, others are 2^24 + RGB. */
struct Palette {
    PngPalette colors;
    uint32_t slots[SLOTS];
    uint8_t places[SLOTS];
    uint8_t free_places[PNG_PALETTE_MOST];
    int free_count;
};

/* The columns left..right - 1 of a row. */
typedef struct Span {
    int left, right;
} Span;

static uint32_t packed(Color color)
{
    return (uint32_t)color.red << 16 | (uint32_t)color.green << 8 | color.blue;
}

static Color unpacked(uint32_t color)
{
    return (Color){(uint8_t)(color >> 16), (uint8_t)(color >> 8), (uint8_t)color};
}

static Color palette_color(const Palette *palette, size_t place)
{
    const uint8_t *color = palette->colors.items[place];
    return (Color){color[0], color[1], color[2]};
}

/* The slot of a color, or the one where it belongs. */
static uint32_t find_slot(const Palette *palette, uint32_t key)
{
    uint32_t slot = key * 2654435761u >> 22; /* Knuth's hash, ten bits */
    while (palette->slots[slot] && palette->slots[slot] != key)
        slot = (slot + 1) % SLOTS;
    return slot;
}

static uint32_t key_of(Color color)
{
    return packed(color) | 1u << 24;
}

static void set_place(Palette *palette, Color color, uint8_t place)
{
    uint32_t slot = find_slot(palette, key_of(color));
    palette->slots[slot] = key_of(color);
    palette->places[slot] = place;
}

/* The place of a color in the palette, where it is added; NO_PLACE when there is no room. */
static int palette_place(Palette *palette, Color color)
{
    uint32_t slot = find_slot(palette, key_of(color));
    if (palette->slots[slot])
        return palette->places[slot];
    if (palette->colors.count == PNG_PALETTE_MOST && palette->free_count == 0)
        return NO_PLACE;
    int place = palette->free_count ? palette->free_places[--palette->free_count] : palette->colors.count++;
    memcpy(palette->colors.items[place], &color, sizeof color);
    set_place(palette, color, (uint8_t)place);
    return place;
}

Picture *picture_new(int width, int height, Color paper)
{
    assert(width > 0 && height > 0);
    Picture *picture = memory_new(sizeof *picture);
    size_t count = (size_t)width * (size_t)height;
    *picture = (Picture){.width = width, .height = height};
    picture->palette = memory_new(sizeof *picture->palette);
    picture->places = memory_new(count);
    picture->levels = memory_new((size_t)width);
    palette_place(picture->palette, paper); /* place 0, which all pixels hold */
    return picture;
}

void picture_free(Picture *picture)
{
    if (!picture)
        return;
    memory_free(picture->palette);
    memory_free(picture->places);
    memory_free(picture->pixels);
    memory_free(picture->levels);
    memory_free(picture->segments);
    memory_free(picture);
}

Color picture_color(const Picture *picture, int x, int y)
{
    size_t at = (size_t)y * (size_t)picture->width + (size_t)x;
    return picture->pixels ? picture->pixels[at] : palette_color(picture->palette, picture->places[at]);
}

static void find_used(const uint8_t *places, size_t count, bool used[PNG_PALETTE_MOST])
{
    uint64_t word, last = 0;
    size_t i = 0;
    used[0] = true; /* the paper */
    for (; i + sizeof word <= count; i += sizeof word) {
        memcpy(&word, places + i, sizeof word);
        if (word == last) /* as mostly */
            continue;
        last = word;
        for (size_t k = 0; k < sizeof word; k++)
            used[places[i + k]] = true;
    }
    for (; i < count; i++)
        used[places[i]] = true;
}

/* Frees the places of colors that have been painted over; false: there are hardly any. */
static bool sweep_palette(Picture *picture)
{
    Palette *palette = picture->palette;
    bool used[PNG_PALETTE_MOST] = {false};
    find_used(picture->places, (size_t)picture->width * (size_t)picture->height, used);
    memset(palette->slots, 0, sizeof palette->slots);
    for (int place = 0; place < palette->colors.count; place++)
        if (used[place])
            set_place(palette, palette_color(palette, (size_t)place), (uint8_t)place);
        else
            palette->free_places[palette->free_count++] = (uint8_t)place;
    return palette->free_count >= LEAST_ROOM;
}

/* Too many colors for a palette: pixels hold colors from here on. */
static void leave_palette(Picture *picture)
{
    size_t count = (size_t)picture->width * (size_t)picture->height;
    picture->pixels = memory_array(count, sizeof *picture->pixels);
    for (size_t i = 0; i < count; i++)
        picture->pixels[i] = palette_color(picture->palette, picture->places[i]);
    memory_free(picture->places);
    picture->places = NULL;
}

bool picture_encode(const Picture *picture, uint8_t **data, size_t *size, Error *error)
{
    return picture->pixels
        ? png_encode(picture->width, picture->height, (const uint8_t *)picture->pixels, NULL, data, size, error)
        : png_encode(picture->width, picture->height, picture->places, &picture->palette->colors, data, size, error);
}

static int clamp_pixel(double value, int limit)
{
    return value <= 0 ? 0 : value >= limit ? limit : (int)value;
}

/* The pixels that a shape within these limits may touch: left, top, right, bottom. Coordinates may be far outside. */
static void find_box(const Picture *picture, double left, double top, double right, double bottom, int box[4])
{
    box[0] = clamp_pixel(floor(left), picture->width);
    box[1] = clamp_pixel(floor(top), picture->height);
    box[2] = clamp_pixel(ceil(right), picture->width);
    box[3] = clamp_pixel(ceil(bottom), picture->height);
}

static uint8_t mix(uint8_t under, uint8_t over, double share)
{
    return (uint8_t)(under + (over - under) * share + 0.5); /* never negative */
}

/* A color on its way into the picture. A value is what the picture holds of a pixel: a place, or the packed color. What
   the last pixel of a level became, the next one of that level mostly becomes too. */
typedef struct Brush {
    Color color;
    double opacity;
    struct {
        int64_t under; /* -1: none yet */
        uint32_t over;
    } last[EDGE_LEVELS + 1];
} Brush;

static Brush brush_of(Color color, double opacity)
{
    Brush brush = {.color = color, .opacity = opacity};
    for (int level = 0; level <= EDGE_LEVELS; level++)
        brush.last[level].under = -1;
    return brush;
}

static uint32_t value_at(const Picture *picture, size_t at)
{
    return picture->pixels ? packed(picture->pixels[at]) : picture->places[at];
}

/* What the brush makes of a value; false: a color for which the palette has no room. */
static bool lay_over(Picture *picture, Brush *brush, int level, uint32_t value)
{
    Color under = picture->pixels ? unpacked(value) : palette_color(picture->palette, value);
    double share = level * brush->opacity / EDGE_LEVELS;
    Color over = {mix(under.red, brush->color.red, share), mix(under.green, brush->color.green, share),
                  mix(under.blue, brush->color.blue, share)};
    int place = picture->pixels ? 0 : palette_place(picture->palette, over);
    if (place == NO_PLACE)
        return false;
    brush->last[level].under = value;
    brush->last[level].over = picture->pixels ? packed(over) : (uint32_t)place;
    return true;
}

/* From `x` on to the end of the pixels that are of the same level and hold the same. */
static int paint_run(Picture *picture, const Brush *brush, size_t row, int x, int right)
{
    const uint8_t *levels = picture->levels;
    uint8_t level = levels[x], *places = picture->places ? picture->places + row : NULL;
    uint32_t value = value_at(picture, row + (size_t)x), over = brush->last[level].over;
    if (places)
        for (; x < right && levels[x] == level && places[x] == value; x++)
            places[x] = (uint8_t)over;
    else
        for (; x < right && levels[x] == level && packed(picture->pixels[row + (size_t)x]) == value; x++)
            picture->pixels[row + (size_t)x] = unpacked(over);
    return x;
}

/* Lays the color over the levels of a row. Edges have EDGE_LEVELS shades, so that a picture of few inks has few enough
   colors for a palette. */
static void paint_row(Picture *picture, Brush *brush, int y, Span span)
{
    size_t row = (size_t)y * (size_t)picture->width;
    for (int x = span.left; x < span.right;) {
        int level = picture->levels[x];
        uint32_t value = value_at(picture, row + (size_t)x);
        if (level == 0) {
            x++;
        } else if (brush->last[level].under == value || lay_over(picture, brush, level, value)) {
            x = paint_run(picture, brush, row, x, span.right);
        } else { /* and once more */
            if (!sweep_palette(picture))
                leave_palette(picture);
            *brush = brush_of(brush->color, brush->opacity);
        }
    }
}

static void clear_levels(Picture *picture, Span span)
{
    if (span.left < span.right)
        memset(picture->levels + span.left, 0, (size_t)(span.right - span.left));
}

static uint8_t level_of(double share)
{
    return (uint8_t)(share * EDGE_LEVELS + 0.5);
}

static double clamp_share(double t)
{
    return t < 0 ? 0 : t > 1 ? 1 : t;
}

/* A piece of a stroke: the points within `half` of it are covered, and those of the last pixel's breadth in part. */
struct Segment {
    Point begin;
    double across, down;        /* from there to the end */
    double over, over_square;   /* 1 / length, and its square; 0 where the length is */
    double half;
    int top, bottom;            /* rows top..bottom - 1 */
};

static void add_segment(Picture *picture, Point a, Point b, double width)
{
    double half = width / 2 + 0.5, square = (b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y);
    int box[4];
    find_box(picture, fmin(a.x, b.x) - half, fmin(a.y, b.y) - half, fmax(a.x, b.x) + half, fmax(a.y, b.y) + half, box);
    if (box[0] >= box[2] || box[1] >= box[3])
        return;
    if (picture->segment_count == picture->segment_room) {
        int room = 2 * picture->segment_room + 64;
        picture->segments = memory_grow(picture->segments, (size_t)picture->segment_room * sizeof *picture->segments,
                                        (size_t)room * sizeof *picture->segments);
        picture->segment_room = room;
    }
    picture->segments[picture->segment_count++] = (Segment){.begin = a,
                                                            .across = b.x - a.x,
                                                            .down = b.y - a.y,
                                                            .over = square > 0 ? 1 / sqrt(square) : 0,
                                                            .over_square = square > 0 ? 1 / square : 0,
                                                            .half = half,
                                                            .top = box[1],
                                                            .bottom = box[3]};
}

static void add_stroke(Picture *picture, const Point *points, int count, double width)
{
    for (int i = 0; i < count; i++)
        if (i + 1 < count || count == 1)
            add_segment(picture, points[i], points[count == 1 ? i : i + 1], width);
}

/* The columns of the pixels of a row whose centres can be within reach of a segment: where the piece of it passes that
   is within reach of the row's centres, and as far to both sides. */
static Span row_columns(const Picture *picture, const Segment *segment, double center)
{
    double first = 0, last = segment->across;
    if (segment->down != 0) {
        first = clamp_share((center - segment->half) / segment->down) * segment->across;
        last = clamp_share((center + segment->half) / segment->down) * segment->across;
    }
    double left = segment->begin.x + (first < last ? first : last) - segment->half,
           right = segment->begin.x + (first < last ? last : first) + segment->half;
    return (Span){clamp_pixel(left + 0.5, picture->width), clamp_pixel(ceil(right - 0.5), picture->width)};
}

/* Coverage of an edge that is straight within a pixel: 1/2 - signed distance. The largest counts, so that
   joints are not painted twice. Beside the segment the distance is a linear function of the column, and so is where
   along it the nearest point is. */
static void cover_row(Picture *picture, const Segment *segment, int row, Span *covered)
{
    double y = row + 0.5 - segment->begin.y, half = segment->half, across = segment->across, down = segment->down;
    double aside = -y * across * segment->over, turn = down * segment->over,
           along = y * down * segment->over_square, step = across * segment->over_square;
    Span columns = row_columns(picture, segment, y);
    for (int column = columns.left; column < columns.right; column++) {
        double x = column + 0.5 - segment->begin.x, t = along + x * step, distance = fabs(aside + x * turn);
        if (t <= 0 || t >= 1) {
            double end_x = t <= 0 ? x : x - across, end_y = t <= 0 ? y : y - down;
            distance = sqrt(end_x * end_x + end_y * end_y);
        }
        if (distance >= half)
            continue;
        uint8_t level = level_of(clamp_share(half - distance));
        picture->levels[column] = level > picture->levels[column] ? level : picture->levels[column];
    }
    covered->left = columns.left < covered->left ? columns.left : covered->left;
    covered->right = columns.right > covered->right ? columns.right : covered->right;
}

/* Row by row: what the segments cover together, and the color laid over it. */
static void paint_segments(Picture *picture, Color color, double opacity)
{
    Brush brush = brush_of(color, opacity);
    int top = picture->height, bottom = 0;
    for (int i = 0; i < picture->segment_count; i++) {
        top = picture->segments[i].top < top ? picture->segments[i].top : top;
        bottom = picture->segments[i].bottom > bottom ? picture->segments[i].bottom : bottom;
    }
    for (int y = top; y < bottom; y++) {
        Span covered = {picture->width, 0};
        for (int i = 0; i < picture->segment_count; i++)
            if (picture->segments[i].top <= y && y < picture->segments[i].bottom)
                cover_row(picture, &picture->segments[i], y, &covered);
        paint_row(picture, &brush, y, covered);
        clear_levels(picture, covered);
    }
    picture->segment_count = 0;
}

void picture_stroke(Picture *picture, const Point *points, int count, double width, Color color, double opacity)
{
    add_stroke(picture, points, count, width);
    paint_segments(picture, color, opacity);
}

static double overlap(double low, double high, int pixel)
{
    double share = (high < pixel + 1 ? high : pixel + 1) - (low > pixel ? low : pixel);
    return share < 0 ? 0 : share;
}

void picture_rectangle(Picture *picture, double x, double y, double width, double height, Color color, double opacity)
{
    int box[4];
    find_box(picture, x, y, x + width, y + height, box);
    Brush brush = brush_of(color, opacity);
    Span columns = {box[0], box[2]};
    double share = -1; /* of the row before */
    for (int row = box[1]; row < box[3]; row++) {
        double covered = overlap(y, y + height, row);
        for (int column = box[0]; covered != share && column < box[2]; column++)
            picture->levels[column] = level_of(overlap(x, x + width, column) * covered);
        share = covered;
        paint_row(picture, &brush, row, columns);
    }
    clear_levels(picture, columns);
}

typedef struct TextPlace {
    Picture *picture;
    Point origin;
    double cosine, sine, width;
} TextPlace;

static void add_text_stroke(void *context, const Point *points, int count)
{
    const TextPlace *place = context;
    Point turned[FONT_POINTS_MAX];
    for (int i = 0; i < count; i++)
        turned[i] = (Point){place->origin.x + points[i].x * place->cosine + points[i].y * place->sine,
                            place->origin.y - points[i].x * place->sine + points[i].y * place->cosine};
    add_stroke(place->picture, turned, count, place->width);
}

void picture_text(Picture *picture, Point origin, const char *text, double size, double angle, double weight,
                  Color color)
{
    double radians = angle * (3.14159265358979323846 / 180);
    TextPlace place = {picture, origin, cos(radians), sin(radians), weight * size};
    font_strokes(text, size, add_text_stroke, &place);
    paint_segments(picture, color, 1);
}
