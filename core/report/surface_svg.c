#include "core/report/surface.h"

/* The CSS variables of page_style.h. */
static const char *const inks[] = {
    [INK_TEXT] = "text", [INK_MUTED] = "muted", [INK_GRID] = "grid", [INK_ERROR] = "error",
    [INK_SERIES] = "series-0", "series-1", "series-2", "series-3", "series-4", "series-5", "series-6", "series-7",
};

static Markup *markup_of(Surface *surface)
{
    return ((SvgSurface *)surface)->markup;
}

/* Closes the open tag of `element`, with its tip. */
static void close_shape(Markup *markup, const char *element, const char *tip)
{
    if (!tip) {
        markup_add(markup, "/>");
        return;
    }
    markup_add(markup, "><title>");
    markup_escape(markup, tip);
    markup_format(markup, "</title></%s>", element);
}

static void draw_line(Surface *surface, const Point *points, int count, double width, Ink ink, bool dashed)
{
    Markup *markup = markup_of(surface);
    markup_format(markup, "<polyline fill=\"none\" style=\"stroke:var(--%s)\" stroke-width=\"%g\"%s points=\"",
                  inks[ink], width, dashed ? " stroke-dasharray=\"5 4\"" : "");
    for (int i = 0; i < count; i++)
        markup_format(markup, "%s%.1f,%.1f", i ? " " : "", points[i].x, points[i].y);
    markup_add(markup, "\"/>");
}

static void draw_rectangle(Surface *surface, double x, double y, double width, double height, Ink ink, double opacity,
                           const char *tip)
{
    Markup *markup = markup_of(surface);
    markup_format(markup, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" style=\"fill:var(--%s)\"", x, y,
                  width, height, inks[ink]);
    if (opacity < 1)
        markup_format(markup, " opacity=\"%.3g\"", opacity);
    close_shape(markup, "rect", tip);
}

static void draw_disc(Surface *surface, Point center, double radius, Ink ink, const char *tip)
{
    Markup *markup = markup_of(surface);
    markup_format(markup, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%g\" style=\"fill:var(--%s)\"", center.x, center.y,
                  radius, inks[ink]);
    close_shape(markup, "circle", tip);
}

static void draw_text(Surface *surface, Point baseline, const char *text, TextStyle style)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    Markup *markup = markup_of(surface);
    markup_format(markup, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%g\" text-anchor=\"%s\" style=\"fill:var(--%s)\"",
                  baseline.x, baseline.y, style.size, anchors[style.anchor], inks[style.ink]);
    if (style.bold)
        markup_add(markup, " font-weight=\"600\"");
    if (style.upright)
        markup_format(markup, " transform=\"rotate(-90 %.1f %.1f)\"", baseline.x, baseline.y);
    markup_add(markup, ">");
    markup_escape(markup, text);
    markup_add(markup, "</text>");
}

void svg_surface_begin(SvgSurface *surface, Markup *markup, double top, double width, double height, const char *label)
{
    surface->surface = (Surface){width, height, draw_line, draw_rectangle, draw_disc, draw_text};
    surface->markup = markup;
    markup_format(markup, "<svg viewBox=\"0 %g %g %g\" role=\"img\" aria-label=\"", top, width, height - top);
    markup_escape(markup, label);
    markup_add(markup, "\">");
}

void svg_surface_end(SvgSurface *surface)
{
    markup_add(surface->markup, "</svg>\n");
}
