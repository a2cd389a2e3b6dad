/* How convolution.c has its products computed: a plan says what they are, plan_run does them. */
#ifndef XENT_KERNELS_CONVOLUTION_RUN_H
#define XENT_KERNELS_CONVOLUTION_RUN_H

#include "core/base/memory.h"
#include "core/kernels/convolution_source.h"
#include "core/kernels/kernels.h"

/* One product, in every group: channels of the result from k = depth * taps rows of the source. */
typedef struct Job {
    int64_t grid[3], start, step[3]; /* the places it computes, and where they go in a channel of the result */
    int64_t taps, *places;           /* [taps] elements of the kernel */
    int64_t k, *offsets;             /* [k] where their rows begin, from the group's first channel */
    /* Columns come in panels as wide as a tile; runs first_run[panel] to first_run[panel + 1] say what they are. */
    int64_t panels, *first_run, run_room;
    ConvolutionRun *runs;
    int64_t *packed_offsets;         /* [k]: of the rows of a packed panel */
    float *packed;                   /* for each group and tile: k columns as high as the tile */
} Job;

typedef struct Plan {
    Source source;
    int64_t batch, groups, rows, depth; /* rows and depth: channels of a group */
    const float *x, *weight, *bias;     /* bias [groups * rows] or NULL */
    float *y;
    const int32_t *x_places;            /* not NULL: x holds values and these their places, see convolution.h */
    bool rectified;
    int32_t *places;                    /* of the pooled y, or NULL */
    int64_t x_size, y_size;             /* of a channel */
    int64_t weight_group, weight_row, weight_channel; /* strides */
    Job *jobs;
    int64_t job_count;

    /* What plan_run adds. */
    const Kernels *kernels;
    void (*tile)(const ConvolutionTile *tile);
    int64_t height, tiles;              /* channels of a tile; tiles of a group */
    bool by_channels;                   /* vectors run along channels, and tiles along rows of the grid */
    bool dense;                         /* panels hold no columns between the places, and are packed */
    int64_t images;                     /* that share panels */
    float *start, *buffer;              /* start: bias of each row of each tile */
    const Job *job;                     /* under way, and the images */
    int64_t image, image_count, grid_rows;
} Plan;

/* Jobs come with grid, start, step, taps, places and, from source_place, offsets in arrays of `arena`, which
   are handed back. */
void plan_run(Plan *plan, Arena *arena);

#endif
