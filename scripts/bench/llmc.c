/* llmc step/gpt-bBATCH THREADS: a training step by the C trainer of llm.c, whose functions are included from the
   user's copy. Its head shares the embedding's matrix, which saves it the gradient of one. */
#define TESTING
#include "train_gpt2.c"

#include "scripts/bench/measure.h"

enum { TOKENS = 128, WORDS = 65 };

typedef struct Trainer { GPT2 model; int batch, step, *inputs, *targets; } Trainer;

static void make_model(GPT2 *model)
{
    model->config = (GPT2Config){.max_seq_len = TOKENS, .vocab_size = WORDS, .padded_vocab_size = WORDS,
                                 .num_layers = 4, .num_heads = 4, .channels = 128};
    fill_in_parameter_sizes(model->param_sizes, model->config);
    for (int i = 0; i < NUM_PARAMETER_TENSORS; i++)
        model->num_parameters += model->param_sizes[i];
    model->params_memory = malloc_and_point_parameters(&model->params, model->param_sizes);
    for (size_t i = 0; i < model->num_parameters; i++)
        model->params_memory[i] = (float)(i * 7919 % 2001) / 50000 - 0.02f;
}

static void run(void *state)
{
    Trainer *trainer = state;
    GPT2 *model = &trainer->model;
    gpt2_forward(model, trainer->inputs, trainer->targets, (size_t)trainer->batch, TOKENS);
    gpt2_zero_grad(model);
    gpt2_backward(model);
    gpt2_update(model, 1e-4f, 0.9f, 0.999f, 1e-8f, 0.01f, ++trainer->step);
}

int main(int count, char **words)
{
    Trainer trainer = {0};
    if (count != 3 || sscanf(words[1], "step/gpt-b%d", &trainer.batch) != 1)
        return 2;
    omp_set_num_threads(atoi(words[2]));
    long before = peak_memory();
    make_model(&trainer.model);
    size_t tokens = (size_t)trainer.batch * TOKENS;
    trainer.inputs = mallocCheck(tokens * sizeof(int));
    trainer.targets = mallocCheck(tokens * sizeof(int));
    for (size_t i = 0; i < tokens; i++) {
        trainer.inputs[i] = (int)(i * 7919 % WORDS);
        trainer.targets[i] = (int)((i + 1) * 7919 % WORDS);
    }
    measure(run, &trainer, before);
    return trainer.model.mean_loss > 0 ? 0 : 1;
}
