#include "core/kernels/convolution_run.h"

#include <string.h>

#include "core/base/integers.h"
#include "core/base/threads.h"
#include "core/kernels/gemm_scratch.h"

/* Multiplications in a chunk of a parallel loop; batches and images (in floats) from which it is better to
   share out parts of an image than whole images; chunks that a loop over images is cut into. */
enum { CHUNK_WORK = 500 * 1000, SMALL_BATCH = 8, LARGE_IMAGE = 1 << 20, IMAGE_CHUNKS = 64 };

static int64_t places_of(const Job *job)
{
    return job->grid[0] * job->grid[1] * job->grid[2];
}

/* ---- Preparing ---- */

static void choose_tile(Plan *t)
{
    const ConvolutionKernels *kernel = &t->kernels->convolution;
    int best = 0;
    int64_t best_rows = INT64_MAX;
    for (int i = 0; i < CONVOLUTION_HEIGHTS; i++) {
        int64_t height = kernel->tiles[i].height, rows = ceil_div(t->rows, height) * height;
        /* A single row computes with the speed of three rows of a tile, at best. */
        rows *= height == 1 ? 3 : 1;
        if (rows < best_rows) {
            best = i;
            best_rows = rows;
        }
    }
    t->tile = kernel->tiles[best].run;
    t->height = kernel->tiles[best].height;
    t->tiles = ceil_div(t->rows, t->height);
}

/* Columns of a vector that are computed in vain count, whichever way it runs; and a tile of few places takes as long
   as one of LEAST_PLACES, because each sum waits for the one before. */
static void choose_direction(Plan *t)
{
    enum { LEAST_PLACES = 4, PACKING_ROWS = 24 };
    const Job *job = &t->jobs[0];
    const int64_t nr = t->kernels->nr, width = job->grid[2], pieces = ceil_div(width, t->kernels->mr);
    const int64_t row = width > pieces * LEAST_PLACES ? width : pieces * LEAST_PLACES;
    const int64_t by_channels = ceil_div(t->rows, nr) * nr * job->grid[0] * job->grid[1] * row;
    const int64_t spread = ceil_div(source_span(&t->source, job->grid), nr) * nr * t->tiles * t->height;
    const int64_t packed = places_of(job) * (t->tiles * t->height + PACKING_ROWS);
    t->by_channels = t->places || by_channels <= (spread < packed ? spread : packed);
    if (t->by_channels) {
        t->height = nr;
        t->tiles = ceil_div(t->rows, nr);
    }
}

static bool shares_images(const Plan *t)
{
    return t->batch >= SMALL_BATCH && t->source.total < LARGE_IMAGE;
}

/* Small images leave much of their panels to the columns between places and behind the end. Then several
   images share panels that are packed without those columns, if packing, which costs about as much as
   PACKING_ROWS more rows, pays. As many images as fill the last panel best. */
static void choose_panels(Plan *t)
{
    enum { PACKING_ROWS = 24, MOST_PANELS = 16, LEAST_ITEMS = 16 };
    const Job *job = &t->jobs[0];
    int64_t nr = t->kernels->nr, places = places_of(job), best = 0;
    t->images = 1;
    int64_t columns = ceil_div(source_span(&t->source, job->grid), nr) * nr;
    t->dense = !t->by_channels && shares_images(t) && places * (t->rows + PACKING_ROWS) < columns * t->rows;
    for (int64_t images = 1; t->dense && images * places <= MOST_PANELS * nr && images * LEAST_ITEMS <= t->batch &&
                             images * t->source.total < LARGE_IMAGE; images++) {
        int64_t share = images * places * 1000 / (ceil_div(images * places, nr) * nr);
        if (share > best) {
            best = share;
            t->images = images;
        }
    }
}

/* The runs of columns begin..end-1 when all columns are places of an image after another. */
static int64_t dense_runs(const Plan *t, const Job *job, int64_t begin, int64_t end, ConvolutionRun *runs)
{
    int64_t count = 0, places = places_of(job), length;
    for (int64_t j = begin; j < end; j += length) {
        int64_t image = j / places, place = j % places;
        int64_t at[3] = {place / (job->grid[1] * job->grid[2]), place / job->grid[2] % job->grid[1],
                         place % job->grid[2]};
        ConvolutionRun run = {.from = j - begin, .to = image * t->groups * t->rows * t->y_size + job->start,
                              .source = image * t->source.total};
        length = job->grid[2] - at[2] < end - j ? job->grid[2] - at[2] : end - j;
        run.count = length;
        for (int a = 0; a < 3; a++) {
            run.to += at[a] * job->step[a];
            run.source += at[a] * t->source.step[a];
        }
        runs[count++] = run;
    }
    return count;
}

/* The runs when columns follow the source, and those between the places of the grid go nowhere. */
static int64_t spread_runs(const Plan *t, const Job *job, int64_t begin, int64_t end, ConvolutionRun *runs)
{
    const int64_t *step = t->source.step;
    int64_t count = 0;
    for (int64_t j = begin; j < end;) {
        int64_t at[3] = {j / step[0], j % step[0] / step[1], j % step[1]};
        int64_t length = job->grid[2] - at[2], left = end - j;
        if (at[1] >= job->grid[1] || length <= 0) {
            j += step[1] - at[2];
            continue;
        }
        length = length < left ? length : left;
        runs[count++] = (ConvolutionRun){.from = j - begin, .count = length, .source = j, .to = job->start +
                                         at[0] * job->step[0] + at[1] * job->step[1] + at[2] * job->step[2]};
        j += length;
    }
    return count;
}

static void find_runs(const Plan *t, Job *job, Arena *arena)
{
    int64_t nr = t->kernels->nr, span = t->dense ? t->images * places_of(job) : source_span(&t->source, job->grid);
    job->panels = ceil_div(span, nr);
    job->first_run = arena_alloc(arena, (size_t)(job->panels + 1) * sizeof(int64_t));
    /* A run for each row of the grid, and one more for each end of a panel. */
    job->run_room = t->images * job->grid[0] * job->grid[1] + job->panels;
    job->runs = arena_alloc(arena, (size_t)job->run_room * sizeof *job->runs);
    job->first_run[0] = 0;
    for (int64_t panel = 0; panel < job->panels; panel++) {
        int64_t begin = panel * nr, end = begin + nr < span ? begin + nr : span, first = job->first_run[panel];
        ConvolutionRun *runs = job->runs + first;
        int64_t count = t->dense ? dense_runs(t, job, begin, end, runs) : spread_runs(t, job, begin, end, runs);
        job->first_run[panel + 1] = first + count;
    }
}

static void pack_weights(void *context, int64_t begin, int64_t end)
{
    const Plan *t = context;
    const Job *job = t->job;
    for (int64_t tile = begin; tile < end; tile++) {
        float *to = job->packed + tile * t->height * job->k;
        int64_t first = tile % t->tiles * t->height, rows = t->rows - first < t->height ? t->rows - first : t->height;
        const float *from = t->weight + tile / t->tiles * t->weight_group + first * t->weight_row;
        for (int64_t c = 0; c < t->depth; c++)
            for (int64_t tap = 0; tap < job->taps; tap++, to += t->height)
                for (int64_t row = 0; row < t->height; row++)
                    to[row] = row < rows ? from[row * t->weight_row + c * t->weight_channel + job->places[tap]] : 0;
    }
}

static size_t packed_bytes(const Plan *t, const Job *job)
{
    return (size_t)(t->groups * t->tiles * t->height * job->k) * sizeof(float);
}

static void prepare(Plan *t, Arena *arena)
{
    t->kernels = kernels();
    choose_tile(t);
    choose_direction(t);
    choose_panels(t);
    t->start = arena_zero(arena, (size_t)(t->groups * t->tiles * t->height), sizeof(float));
    for (int64_t row = 0; t->bias && row < t->groups * t->rows; row++)
        t->start[row / t->rows * t->tiles * t->height + row % t->rows] = t->bias[row];
    for (Job *job = t->jobs; job < t->jobs + t->job_count; job++) {
        find_runs(t, job, arena);
        job->packed = arena_alloc(arena, packed_bytes(t, job));
        job->packed_offsets = arena_alloc(arena, (size_t)job->k * sizeof(int64_t));
        for (int64_t p = 0; p < job->k; p++)
            job->packed_offsets[p] = p * t->kernels->nr;
        t->job = job;
        parallel_for(t->groups * t->tiles, CHUNK_WORK / 8 / (t->height * job->k + 1) + 1, pack_weights, t);
    }
}

static void recycle(const Plan *t, Arena *arena)
{
    for (Job *job = t->jobs; job < t->jobs + t->job_count; job++) {
        arena_recycle(arena, job->places, (size_t)job->taps * sizeof(int64_t));
        arena_recycle(arena, job->offsets, (size_t)job->k * sizeof(int64_t));
        arena_recycle(arena, job->packed_offsets, (size_t)job->k * sizeof(int64_t));
        arena_recycle(arena, job->first_run, (size_t)(job->panels + 1) * sizeof(int64_t));
        arena_recycle(arena, job->runs, (size_t)job->run_room * sizeof *job->runs);
        arena_recycle(arena, job->packed, packed_bytes(t, job));
    }
    arena_recycle(arena, t->start, (size_t)(t->groups * t->tiles * t->height) * sizeof(float));
}

/* ---- Running ---- */

/* The runs of a panel that belong to images there are. */
static int64_t runs_in_use(const Plan *t, const Job *job, int64_t panel)
{
    int64_t count = job->first_run[panel + 1] - job->first_run[panel];
    int64_t columns = t->dense ? t->image_count * places_of(job) - panel * t->kernels->nr : t->kernels->nr;
    while (count > 0 && job->runs[job->first_run[panel] + count - 1].from >= columns)
        count--;
    return count;
}

static void run_panels(void *context, int64_t begin, int64_t end)
{
    const Plan *t = context;
    const Job *job = t->job;
    for (int64_t i = begin; i < end; i++) {
        int64_t group = i / job->panels, panel = i % job->panels;
        const float *source = t->buffer + group * t->depth * t->source.channel;
        ConvolutionTile tile = {.k = job->k, .row_stride = t->y_size, .step = job->step[2]};
        tile.runs = job->runs + job->first_run[panel];
        tile.run_count = runs_in_use(t, job, panel);
        if (tile.run_count == 0)
            continue;
        if (t->dense) {
            float *packed = t->buffer + t->images * t->source.total;
            t->kernels->convolution.pack(job->k, source, job->offsets, tile.runs, tile.run_count, t->kernels->nr,
                                         packed);
            tile.b = packed;
            tile.offsets = job->packed_offsets;
        } else {
            tile.b = source + panel * t->kernels->nr;
            tile.offsets = job->offsets;
        }
        for (int64_t k = 0; k < t->tiles; k++) {
            int64_t row = k * t->height, number = group * t->tiles + k;
            tile.a = job->packed + number * t->height * job->k;
            tile.start = t->start + number * t->height;
            tile.rows = t->rows - row < t->height ? t->rows - row : t->height;
            tile.to = t->y + ((t->image * t->groups + group) * t->rows + row) * t->y_size;
            t->tile(&tile);
        }
    }
}

/* Places of a row, or of two that are pooled, that are held at once. */
enum { STRIP = 64 };

typedef struct Strip {
    const Plan *plan;
    const Job *job;
    int64_t group, tile, row, first, count; /* tile: of nr channels of the group; row: of the grid */
} Strip;

static void compute_strip(const Strip *s, int64_t row, float *to)
{
    const Plan *t = s->plan;
    const Job *job = s->job;
    const int64_t nr = t->height, number = s->group * t->tiles + s->tile, pieces = ceil_div(s->count, t->kernels->mr);
    const float *x = t->buffer + s->group * t->depth * t->source.channel + row / job->grid[1] * t->source.step[0] +
                     row % job->grid[1] * t->source.step[1] + s->first;
    ConvolutionPlaces tile = {.k = job->k, .weight = job->packed + number * nr * job->k,
                              .start = t->start + number * nr, .offsets = job->offsets};
    for (int64_t piece = 0; piece < pieces; piece++) {
        const int64_t first = piece * s->count / pieces, last = (piece + 1) * s->count / pieces;
        tile.x = x + first;
        tile.to = to + first * nr;
        t->kernels->convolution.places[last - first - 1](&tile);
    }
}

/* Where in y the strip's first channel begins, and how many of its channels there are. */
static int64_t strip_begin(const Strip *s, int64_t *channels)
{
    const Plan *t = s->plan;
    const int64_t channel = s->tile * t->height, left = t->rows - channel;
    *channels = left < t->height ? left : t->height;
    return ((t->image * t->groups + s->group) * t->rows + channel) * t->y_size;
}

static void run_strip(const Strip *s)
{
    float row[STRIP * KERNEL_MAX_NR] __attribute__((aligned(64)));
    const Plan *t = s->plan;
    const int64_t *step = s->job->step, nr = t->height, grid = s->job->grid[1];
    int64_t channels, begin = strip_begin(s, &channels);
    compute_strip(s, s->row, row);
    if (t->rectified)
        t->kernels->elementwise.unary[UNARY_relu](s->count * nr, row, row, 0, 0);
    float *to = t->y + begin + s->job->start + s->row / grid * step[0] + s->row % grid * step[1] + s->first * step[2];
    if (step[2] == 1) {
        t->kernels->convolution.transpose(s->count, channels, row, nr, to, t->y_size);
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < s->count; i++)
            to[c * t->y_size + i * step[2]] = row[i * nr + c];
}

static void run_pooled_strip(const Strip *s)
{
    float rows[2][STRIP * KERNEL_MAX_NR] __attribute__((aligned(64)));
    float largest[STRIP / 2 * KERNEL_MAX_NR] __attribute__((aligned(64)));
    int32_t places[STRIP / 2 * KERNEL_MAX_NR] __attribute__((aligned(64)));
    const Plan *t = s->plan;
    const int64_t nr = t->height, width = s->job->grid[2], n = s->count / 2;
    int64_t channels, begin = strip_begin(s, &channels);
    compute_strip(s, s->row, rows[0]);
    compute_strip(s, s->row + 1, rows[1]);
    t->kernels->convolution.pool(n, rows[0], rows[1], (int32_t)(s->row * width + s->first), (int32_t)width,
                                 t->rectified, largest, places);
    begin += s->row / 2 * (width / 2) + s->first / 2;
    t->kernels->convolution.transpose(n, channels, largest, nr, t->y + begin, t->y_size);
    /* Only moved: floats carry any bits. */
    t->kernels->convolution.transpose(n, channels, (const float *)places, nr, (float *)(t->places + begin), t->y_size);
}

/* Rows of the grid, or pairs of them, in every group. */
static void run_grid_rows(void *context, int64_t begin, int64_t end)
{
    const Plan *t = context;
    const int64_t width = t->places ? t->job->grid[2] / 2 * 2 : t->job->grid[2];
    for (int64_t i = begin; i < end; i++)
        for (int64_t tile = 0; tile < t->tiles; tile++)
            for (int64_t first = 0; first < width; first += STRIP) {
                const int64_t count = width - first < STRIP ? width - first : STRIP, row = i % t->grid_rows;
                const Strip strip = {t, t->job, i / t->grid_rows, tile, t->places ? 2 * row : row, first, count};
                if (t->places)
                    run_pooled_strip(&strip);
                else
                    run_strip(&strip);
            }
}

static void rectify(void *context, int64_t begin, int64_t end)
{
    const Plan *t = context;
    float *y = t->y + (t->image * t->groups * t->rows + begin) * t->y_size;
    t->kernels->elementwise.unary[UNARY_relu]((end - begin) * t->y_size, y, y, 0, 0);
}

/* Channels of all the images, one image after the other. */
static void fill_channels(void *context, int64_t begin, int64_t end)
{
    const Plan *t = context;
    int64_t channels = t->source.channels;
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = (t->image + i / channels) * channels * t->x_size, channel = i % channels;
        float *to = t->buffer + i / channels * t->source.total;
        if (t->x_places)
            source_spread(&t->source, t->x + first, t->x_places + first, to, channel, channel + 1);
        else
            source_fill(&t->source, t->x + first, to, channel, channel + 1);
    }
}

/* Inside another parallel loop these run in line. */
static void run_item(Plan *t)
{
    enum { COPY_CHUNK = 32 * 1024 };
    parallel_for(t->image_count * t->source.channels, COPY_CHUNK / t->source.channel + 1, fill_channels, t);
    for (int64_t i = 0; i < t->job_count; i++) {
        const Job *job = t->job = &t->jobs[i];
        int64_t work = job->k * t->tiles * t->height * (t->by_channels ? job->grid[2] : t->kernels->nr);
        t->grid_rows = t->places ? job->grid[1] / 2 : job->grid[0] * job->grid[1];
        if (t->by_channels)
            parallel_for(t->groups * t->grid_rows, CHUNK_WORK / (work + 1) + 1, run_grid_rows, t);
        else
            parallel_for(t->groups * job->panels, CHUNK_WORK / (work + 1) + 1, run_panels, t);
    }
    if (t->rectified && !t->by_channels)
        parallel_for(t->image_count * t->groups * t->rows, COPY_CHUNK / t->y_size + 1, rectify, t);
}

static void run_items(void *context, int64_t begin, int64_t end)
{
    Plan mine = *(const Plan *)context;
    int64_t sources = mine.images * mine.source.total, most = 0;
    for (int64_t i = 0; mine.dense && i < mine.job_count; i++)
        most = mine.jobs[i].k > most ? mine.jobs[i].k : most;
    mine.buffer = gemm_scratch(sources + most * mine.kernels->nr);
    memset(mine.buffer, 0, (size_t)sources * sizeof(float));
    for (int64_t item = begin; item < end; item++) {
        mine.image = item * mine.images;
        mine.image_count = mine.batch - mine.image < mine.images ? mine.batch - mine.image : mine.images;
        run_item(&mine);
    }
}

void plan_run(Plan *t, Arena *arena)
{
    prepare(t, arena);
    int64_t items = ceil_div(t->batch, t->images);
    if (items > 0)
        parallel_for(items, shares_images(t) ? ceil_div(items, IMAGE_CHUNKS) : items, run_items, t);
    recycle(t, arena);
}
