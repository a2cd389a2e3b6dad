#include "cli/loss_example.h"

#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "data/npy.h"

enum { SAMPLES = 5, MOST_INPUTS = 16 };

typedef struct NamedTensor { const char *name; bool extra; const Tensor *tensor; } NamedTensor;

/* Sample weights 0.5, 1, 1.5, ... */
static Tensor *some_weights(int64_t count)
{
    Tensor *weights = t_new(ARRAY_F64, SHAPE(count));
    for (int64_t i = 0; i < count; i++)
        tensor_set(weights, i, 0.5 * (double)(i + 1));
    return weights;
}

/* As few columns as the loss accepts: a k of classes, say, asks for as many. */
static LossInput accepted_sample(const Instance *loss, uint64_t seed)
{
    enum { LEAST = 4, MOST = 4096 };
    Error error;
    for (int64_t columns = 0;; columns = columns ? 2 * columns : LEAST) {
        Random random = random_start(seed, "loss sample", 0);
        LossInput in = loss_sample(loss, &random, SAMPLES, columns <= MOST ? columns : 0);
        if (columns > MOST || loss_check(loss, &in, &error))
            return in;
    }
}

/* What the loss takes, in the tape's arena. */
static int sample_inputs(const Instance *loss, uint64_t seed, NamedTensor *inputs)
{
    LossInput in = accepted_sample(loss, seed);
    int count = 0;
    inputs[count++] = (NamedTensor){"logits", false, in.logits};
    if (in.targets)
        inputs[count++] = (NamedTensor){"targets", false, in.targets};
    if (in.features)
        inputs[count++] = (NamedTensor){"features", false, in.features};
    if (!loss_any_leaf(loss, loss_is_whole_batch))
        inputs[count++] = (NamedTensor){"weights", false, some_weights(in.logits->shape[0])};
    for (int i = 0; i < in.extra_count; i++)
        inputs[count++] = (NamedTensor){in.extras[i].name, true, in.extras[i].value};
    return count;
}

/* A word that the shell takes for this text. */
static char *quoted(Arena *arena, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    if (text[0] && text[strspn(text, plain)] == '\0')
        return arena_format(arena, "%s", text);
    char *word = arena_format(arena, "'");
    for (size_t length; *text; text += length) {
        length = *text == '\'' ? 1 : strcspn(text, "'");
        word = *text == '\'' ? arena_format(arena, "%s'\\''", word) : arena_format(arena, "%s%.*s", word, (int)length,
                                                                                  text);
    }
    return arena_format(arena, "%s'", word);
}

char *loss_example_command(const Instance *loss, const char *spec, const char *const *sets, const char *folder,
                           Arena *arena)
{
    Tape *tape = tape_new(), *before = tape_use(tape);
    NamedTensor inputs[MOST_INPUTS];
    int count = sample_inputs(loss, 0, inputs);
    char *command = arena_format(arena, "xent loss %s", quoted(arena, spec));
    for (; sets && *sets; sets++)
        command = arena_format(arena, "%s --set %s", command, quoted(arena, *sets));
    for (int i = 0; i < count; i++) {
        const char *file = quoted(arena, arena_format(arena, "%s/%s.npy", folder, inputs[i].name));
        command = inputs[i].extra ? arena_format(arena, "%s --extra %s=%s", command, inputs[i].name, file)
                                  : arena_format(arena, "%s --%s %s", command, inputs[i].name, file);
    }
    command = arena_format(arena, "%s --grad %s", command, quoted(arena, arena_format(arena, "%s/gradient.npy",
                                                                                      folder)));
    tape_use(before);
    tape_free(tape);
    return command;
}

bool loss_example_write(const Instance *loss, const char *folder, uint64_t seed, Error *error)
{
    if (file_is_named(folder))
        return fail_usage(error, "--sample: %s is there already", folder);
    if (!folder_make(folder, error))
        return false;
    Tape *tape = tape_new(), *before = tape_use(tape);
    Arena *arena = arena_new();
    NamedTensor inputs[MOST_INPUTS];
    int count = sample_inputs(loss, seed, inputs);
    bool good = true;
    for (int i = 0; good && i < count; i++) {
        const Tensor *from = inputs[i].tensor;
        Array array = {.type = from->type, .rank = from->rank, .count = from->count, .data = from->data};
        memcpy(array.shape, from->shape, sizeof array.shape);
        good = npy_write(path_join(arena, folder, arena_format(arena, "%s.npy", inputs[i].name)), &array, error);
    }
    arena_free(arena);
    tape_use(before);
    tape_free(tape);
    return good;
}
