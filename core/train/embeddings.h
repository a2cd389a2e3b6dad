/* Samples as directions: the inputs of a model's head, normalised, and what can be told of classes by their cosines. */
#ifndef XENT_TRAIN_EMBEDDINGS_H
#define XENT_TRAIN_EMBEDDINGS_H

#include "core/models/model.h"
#include "data/dataset.h"

/* Everything belongs to the arena it was made in. */
typedef struct Embeddings {
    int64_t count, width, outputs;
    int64_t classes;            /* of the data, not of the model */
    double *lengths;            /* [count] of the head's inputs */
    double *directions;         /* [count, width], length 1; 0 where the length is */
    double *logits;             /* [count, outputs], of the model, not decoded */
    int32_t *labels;            /* [count] */
} Embeddings;

/* In evaluation mode, batch by batch, of a split with classes. A tape must be in use; it is reset. An error where the
   model has no head with one vector a sample. */
bool split_embeddings(const Model *model, const DataSplit *split, int64_t batch_size, Arena *arena,
                      Embeddings *embeddings, Error *error);

/* The first `shots` samples of each class in a random order that is a function of `seed`; shots 0: all. Belongs to the
   arena. An error where a class has fewer than one, or fewer than `shots`. */
bool split_shots(const DataSplit *split, int64_t shots, uint64_t seed, Arena *arena, DataSplit *support, Error *error);

/* out [classes, width]: each class's mean direction, normalised (Pereira et al. 2021). */
void embeddings_prototypes(const Embeddings *embeddings, double *out);

/* Share of samples among whose k <= 64 nearest others, by cosines, one is of their own class. */
double embeddings_recall(const Embeddings *embeddings, int64_t k);
/* Share of samples whose class is the most frequent one among the k <= 64 nearest samples of `support`; of classes that
   tie, the one that comes first. */
double embeddings_neighbour_accuracy(const Embeddings *embeddings, const Embeddings *support, int64_t k);

#endif
