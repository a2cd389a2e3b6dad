/* Segments of layers whose insides are computed again for the gradient instead of kept (Chen et al. 2016). */
#include <assert.h>
#include <math.h>

#include "core/nn/layer.h"
#include "core/tensor/operations.h"

typedef struct Segment {
    Layer *const *layers;
    int64_t count;
    Forward start, end;     /* the pass before and behind the segment */
    bool ran;
} Segment;

/* The second run draws what the first drew, and leaves no trace. */
static Tensor *run_segment(void *context, Tensor *x)
{
    Segment *segment = context;
    Forward pass = segment->start;
    pass.recompute = false;
    pass.again = segment->ran;
    x = layers_forward(segment->layers, segment->count, &pass, x);
    segment->end = pass;
    segment->ran = true;
    return x;
}

Tensor *layers_recomputed(Layer *const *layers, int64_t count, Forward *forward, Tensor *x)
{
    if (!forward->recompute)
        return layers_forward(layers, count, forward, x);
    assert(!forward->tap);
    Segment *segment = arena_zero(tape_arena(), 1, sizeof *segment);
    *segment = (Segment){layers, count, .start = *forward};
    Tensor *penalty = forward->penalty;
    x = t_recompute(run_segment, segment, x);
    assert(segment->end.penalty == penalty); /* a term made inside would have no gradient */
    bool recompute = forward->recompute;
    *forward = segment->end;
    forward->recompute = recompute;
    return x;
}

Tensor *layers_in_segments(Layer *const *layers, int64_t count, Forward *forward, Tensor *x)
{
    if (!forward->recompute)
        return layers_forward(layers, count, forward, x);
    int64_t size = (int64_t)ceil(sqrt((double)count));
    for (int64_t begin = 0, end; begin < count; begin = end) {
        end = begin + size < count ? begin + size : count;
        while (end < count && layers[end]->def->selects_maxima) /* may change places with the layer before it */
            end++;
        x = layers_recomputed(layers + begin, end - begin, forward, x);
    }
    return x;
}
