/* A whole model predicting, in floats and on 8-bit integers. */
#include <math.h>

#include "core/bench/benchmark.h"
#include "core/nn/quantized.h"
#include "core/train/run.h"

enum { SIDE = 28 };

typedef struct Prediction { Run *run; Tensor *x; } Prediction;

static double memory(const int64_t *sizes)
{
    return 4.0 * SIDE * SIDE * (double)sizes[0];
}

/* The model of step/cnn. */
static bool prepare(Benchmark *benchmark, Error *error)
{
    static const char config_text[] =
        "{\"data\": {\"type\": \"glyphs\", \"count\": 1, \"val_count\": 0, \"test_count\": 0},"
        " \"model\": {\"type\": \"cnn\", \"channels\": [32, 64], \"kernel\": [3], \"hidden\": [128]},"
        " \"optimizer\": \"adam\", \"train\": {\"batch_size\": 1, \"steps\": 1}}";
    Config *config = config_parse("config", config_text, NULL, &benchmark->seed, error);
    Run *run = config ? run_new(config, NULL, error) : NULL;
    if (!run)
        return false;
    Prediction *prediction = benchmark->state = arena_zero(benchmark->arena, 1, sizeof *prediction);
    prediction->run = run;
    prediction->x = benchmark_normals(benchmark, 1, false, SHAPE(benchmark->sizes[0], 1, SIDE, SIDE));
    benchmark->flops = run->model->flops * (double)benchmark->sizes[0];
    benchmark->read_bytes = memory(benchmark->sizes);
    benchmark->samples = benchmark->sizes[0];
    return true;
}

/* A scale for each row, from its largest value. */
static const QuantizedWeight *round_weight(const Tensor *value, Arena *arena)
{
    enum { LARGEST = 127 };
    const int64_t rows = value->shape[0], columns = value->count / rows;
    QuantizedWeight *weight = quantized_new(arena, rows, columns, 0, 8, false);
    for (int64_t row = 0; row < rows; row++) {
        const float *from = tensor_f32(value) + row * columns;
        float largest = 0;
        for (int64_t i = 0; i < columns; i++)
            largest = fmaxf(largest, fabsf(from[i]));
        weight->scales[row] = largest > 0 ? largest / LARGEST : 1;
        for (int64_t i = 0; i < columns; i++)
            weight->codes[row * columns + i] = (int8_t)lrintf(from[i] / weight->scales[row]);
    }
    weight->activations = (Int8Grid){.bits = 8, .symmetric = true};
    return weight;
}

static bool prepare_int8(Benchmark *benchmark, Error *error)
{
    if (!prepare(benchmark, error))
        return false;
    const Model *model = ((Prediction *)benchmark->state)->run->model;
    for (int i = 0; i < model->layer_count; i++) {
        Layer *layer = model->layers[i];
        const char *name = arena_format(benchmark->arena, "%s.weight", layer->name);
        if (layer->def->quantizable)
            layer->quantized = round_weight(parameters_find(model->parameters, name)->value, benchmark->arena);
    }
    return true;
}

static void run(Benchmark *benchmark)
{
    const Prediction *prediction = benchmark->state;
    Forward forward = {0};
    tape_use(prediction->run->tape);
    const bool was = tape_record(false);
    model_forward(prediction->run->model, &forward, prediction->x);
    tape_reset();
    tape_record(was);
}

static void release(Benchmark *benchmark)
{
    run_free(((Prediction *)benchmark->state)->run);
}

static const char *const float_examples[] = {"predict/cnn-b128", NULL}, *const int8_examples[] = {"int8/cnn-b128",
                                                                                                  NULL};

const BenchmarkDef benchmark_predict_cnn = {
    .component = {.name = "predict/cnn",
                  .summary = "the model of step/cnn predicts BATCH images",
                  .formula = "predict/cnn-bBATCH: flops of the model's forward"},
    .pattern = "predict/cnn-bBATCH", .examples = float_examples, .on_demand = true,
    .memory = memory, .prepare = prepare, .run = run, .release = release,
};

const BenchmarkDef benchmark_int8_cnn = {
    .component = {.name = "int8/cnn",
                  .summary = "the same on 8-bit integers, weights and activations",
                  .formula = "int8/cnn-bBATCH: operations of the model's forward",
                  .notes = "Poolings do not join convolutions of integers, and a relu is a pass of its own."},
    .pattern = "int8/cnn-bBATCH", .examples = int8_examples, .on_demand = true,
    .memory = memory, .prepare = prepare_int8, .run = run, .release = release,
};
