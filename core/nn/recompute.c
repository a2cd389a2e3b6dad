/* Layers in segments, whose insides are not kept: computed again for the gradient (Chen et al. 2016), or, where no
   gradient will be wanted, not needed any more. */
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

static Tensor *forward_segment(Layer *const *layers, int64_t count, Forward *forward, Tensor *x)
{
    Segment *segment = arena_zero(tape_arena(), 1, sizeof *segment);
    *segment = (Segment){layers, count, .start = *forward};
    bool recompute = forward->recompute;
    x = t_recompute(run_segment, segment, x);
    assert(segment->end.penalty == forward->penalty); /* a term made inside would have no gradient */
    *forward = segment->end;
    forward->recompute = recompute;
    return x;
}

Tensor *layers_in_segments(Layer *const *layers, int64_t count, int64_t size, Forward *forward, Tensor *x)
{
    bool recording = tape_recording();
    if (recording ? !forward->recompute : forward->tap || forward->cache) /* these look inside */
        return layers_forward(layers, count, forward, x);
    assert(!forward->tap);
    if (!recording)
        size = 1;
    else if (size == 0)
        size = (int64_t)ceil(sqrt((double)count));
    for (int64_t begin = 0, end; begin < count; begin = end) {
        end = begin + size < count ? begin + size : count;
        while (end < count && layers[end]->def->selects_maxima) /* may change places with the layer before it */
            end++;
        Tensor *before = x;
        x = forward_segment(layers + begin, end - begin, forward, x);
        if (!recording && begin > 0)
            t_release(before);
    }
    return x;
}
