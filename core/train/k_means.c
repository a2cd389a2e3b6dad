#include "core/train/k_means.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/base/threads.h"

typedef struct Clustering {
    const float *points;
    int64_t count, width, clusters;
    double *centers;            /* [clusters, width] */
    double *distances;          /* [count], squared, to the nearest centre */
    int32_t *nearest;           /* [count] */
} Clustering;

enum { POINTS_A_TASK = 64 };

static double squared_distance(const float *x, const double *center, int64_t width)
{
    double sum = 0;
    for (int64_t k = 0; k < width; k++) {
        const double difference = (double)x[k] - center[k];
        sum += difference * difference;
    }
    return sum;
}

static void assign_points(void *context, int64_t begin, int64_t end)
{
    const Clustering *work = context;
    const int64_t width = work->width;
    for (int64_t i = begin; i < end; i++) {
        work->distances[i] = INFINITY;
        for (int64_t c = 0; c < work->clusters; c++) {
            const double d = squared_distance(work->points + i * width, work->centers + c * width, width);
            if (d < work->distances[i]) {
                work->distances[i] = d;
                work->nearest[i] = (int32_t)c;
            }
        }
    }
}

static double assign(Clustering *work)
{
    parallel_for(work->count, POINTS_A_TASK, assign_points, work);
    double inertia = 0;
    for (int64_t i = 0; i < work->count; i++)
        inertia += work->distances[i];
    return inertia;
}

static void set_center(Clustering *work, int64_t cluster, int64_t point)
{
    for (int64_t k = 0; k < work->width; k++)
        work->centers[cluster * work->width + k] = (double)work->points[point * work->width + k];
}

/* Each centre is a point, drawn in proportion to the squared distance to those before. */
static void start(Clustering *work, Random *random)
{
    set_center(work, 0, random_below(random, work->count));
    for (int64_t i = 0; i < work->count; i++)
        work->distances[i] = squared_distance(work->points + i * work->width, work->centers, work->width);
    for (int64_t c = 1; c < work->clusters; c++) {
        double sum = 0;
        for (int64_t i = 0; i < work->count; i++)
            sum += work->distances[i];
        double left = random_uniform(random) * sum;
        int64_t chosen = sum > 0 ? 0 : random_below(random, work->count);
        for (int64_t i = 0; sum > 0 && i < work->count && left >= 0; i++)
            if (work->distances[i] > 0) {
                chosen = i;
                left -= work->distances[i];
            }
        set_center(work, c, chosen);
        for (int64_t i = 0; i < work->count; i++)
            work->distances[i] = fmin(work->distances[i],
                                      squared_distance(work->points + i * work->width, work->centers + c * work->width,
                                                       work->width));
    }
}

/* To the means of their points, and of those without points to the points that are worst off. */
static void move_centers(Clustering *work, int64_t *sizes)
{
    memset(work->centers, 0, (size_t)(work->clusters * work->width) * sizeof *work->centers);
    memset(sizes, 0, (size_t)work->clusters * sizeof *sizes);
    for (int64_t i = 0; i < work->count; i++) {
        double *center = work->centers + work->nearest[i] * work->width;
        sizes[work->nearest[i]]++;
        for (int64_t k = 0; k < work->width; k++)
            center[k] += (double)work->points[i * work->width + k];
    }
    for (int64_t c = 0; c < work->clusters; c++)
        for (int64_t k = 0; sizes[c] && k < work->width; k++)
            work->centers[c * work->width + k] /= (double)sizes[c];
    for (int64_t c = 0; c < work->clusters; c++) {
        if (sizes[c])
            continue;
        int64_t farthest = 0;
        for (int64_t i = 1; i < work->count; i++)
            if (work->distances[i] > work->distances[farthest])
                farthest = i;
        set_center(work, c, farthest);
        work->distances[farthest] = 0;
    }
}

double k_means(const KMeans *options, const float *points, int64_t count, int64_t width, int32_t *assigned)
{
    assert(options->clusters >= 1 && count >= options->clusters && options->restarts >= 1);
    Clustering work = {.points = points, .count = count, .width = width, .clusters = options->clusters};
    work.centers = memory_array((size_t)(work.clusters * width), sizeof *work.centers);
    work.distances = memory_array((size_t)count, sizeof *work.distances);
    work.nearest = memory_array((size_t)count, sizeof *work.nearest);
    int64_t *sizes = memory_array((size_t)work.clusters, sizeof *sizes);
    double best = INFINITY;
    for (int64_t restart = 0; restart < options->restarts; restart++) {
        Random random = random_start(options->seed, "k-means", (uint32_t)restart);
        start(&work, &random);
        double inertia = assign(&work), before = INFINITY;
        for (int64_t i = 0; i < options->iterations && inertia < before; i++) {
            before = inertia;
            move_centers(&work, sizes);
            inertia = assign(&work);
        }
        if (inertia < best) {
            best = inertia;
            memcpy(assigned, work.nearest, (size_t)count * sizeof *assigned);
        }
    }
    memory_free(sizes);
    memory_free(work.nearest);
    memory_free(work.distances);
    memory_free(work.centers);
    return best;
}
