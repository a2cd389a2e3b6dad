# A plot of means with their intervals, as SVG: one row for each loss, one panel for each noise, dots with whiskers.
#     awk [-v ORDER=NAME] -f interval-plot.awk FILE.csv > FILE.svg
# The CSV has a header and the columns loss, noise, rate, seeds, accuracy, low, high (an empty low: no interval). Rows
# are ordered by the accuracy in the panel named by ORDER (NOISE-RATE; the first panel without it).
BEGIN { FS = ","; left = 150; panel = 170; gap = 30; row = 16; top = 44 }
FNR == 1 { next }
{
    if ($5 == "") next
    name = $2 "-" $3
    if (!(name in panels)) { panels[name] = panel_count; panel_name[panel_count++] = name }
    if (!($1 in rows)) { rows[$1] = row_count; row_name[row_count++] = $1 }
    mean[$1, name] = $5
    low = $6 == "" ? $5 : $6
    high = $7 == "" ? $5 : $7
    if (least == "" || low < least) least = low
    if (high > most) most = high
}
END {
    if (!row_count) exit 1
    order = ORDER in panels ? ORDER : panel_name[0]
    for (i = 0; i < row_count; i++) sorted[i] = row_name[i]
    for (i = 1; i < row_count; i++)
        for (j = i; j > 0 && mean[sorted[j], order] > mean[sorted[j - 1], order]; j--) {
            swap = sorted[j]; sorted[j] = sorted[j - 1]; sorted[j - 1] = swap
        }
    for (i = 0; i < row_count; i++) place[sorted[i]] = i
    least = least < 0 ? 0 : int(least * 10) / 10 # an accuracy: Student's intervals know no bounds, the axis does
    most = most < 1 ? int(most * 10 + 1) / 10 : 1
    bottom = top + row_count * row
    width = left + panel_count * (panel + gap)
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"11\">\n",
        width, bottom + 30
    print "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
    print "<text x=\"8\" y=\"16\" font-size=\"13\">Test accuracy in %, mean and 95% interval</text>"
    for (p = 0; p < panel_count; p++) {
        printf "<text x=\"%d\" y=\"36\" font-weight=\"bold\">%s</text>\n", panel_left(p), panel_name[p]
        for (tick = least; tick < most + 0.001; tick += most - least > 0.5 ? 0.2 : 0.1) {
            printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"#ddd\"/>", at(p, tick), at(p, tick), top, bottom
            printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#555\">%.0f</text>\n", at(p, tick), bottom + 16, 100 * tick
        }
    }
    for (i = 0; i < row_count; i++)
        printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left - 8, top + i * row + 12, sorted[i]
    while ((getline line < FILENAME) > 0) {
        split(line, f, ",")
        if (f[5] == "" || f[1] == "loss") continue
        p = panels[f[2] "-" f[3]]
        y = top + place[f[1]] * row + 8
        low = f[6] < least ? least : f[6]
        high = f[7] > most ? most : f[7]
        if (f[6] != "")
            printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"#1668b8\" stroke-width=\"2\"/>", at(p, low), at(p, high), y, y
        printf "<circle cx=\"%.1f\" cy=\"%d\" r=\"3\" fill=\"#0b3d73\"/>\n", at(p, f[5]), y
    }
    print "</svg>"
}
function panel_left(p) { return left + p * (panel + gap) }
function at(p, value) { return panel_left(p) + panel * (value - least) / (most - least) }
