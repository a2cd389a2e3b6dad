/* Checkpoints on disk: FOLDER/checkpoints/NAME.safetensors holds the weights and all that prediction needs;
   last.state.safetensors everything that training needs to go on to the same bits, the weights included,
   so that the two files are one checkpoint whatever happens between their renames. */
#ifndef XENT_TRAIN_CHECKPOINT_H
#define XENT_TRAIN_CHECKPOINT_H

#include "core/train/run.h"

/* Weights as they are to be used: the averages, where there are averages. `path` ends in .safetensors. */
bool checkpoint_save_weights(Run *run, const char *path, Error *error);
/* Whether the state of a run may be a file; exit 2 where it may not, before there is anything to save. */
bool checkpoint_fits(const Run *run, Error *error);
/* last.safetensors and last.state.safetensors in FOLDER/checkpoints; the state first. */
bool checkpoint_save_last(Run *run, const char *folder, Error *error);
/* Puts the run where FOLDER's state left it. *found false and nothing changed: there is no state. Names and shapes
   must be exactly the run's. */
bool checkpoint_resume(Run *run, const char *folder, bool *found, Error *error);

/* best.safetensors in FOLDER/checkpoints. `keep_whole`: the epoch is not whole and the one before it is needed if the
   run goes on; it stays as best-epoch.safetensors. */
bool checkpoint_save_best(Run *run, const char *folder, bool keep_whole, Error *error);
/* Makes FOLDER's best checkpoint, where there is one, what it would be had the run not been stopped: the best of the
   whole epochs, with the config that the run has now. */
bool checkpoint_continue_best(const Run *run, const char *folder, Error *error);

/* Tensors of the same name and shape become the initial values; none at all is an error. */
bool checkpoint_initialise(ParameterSet *parameters, const char *path, Error *error);
/* What an objective kept, from the state of its run. */
bool checkpoint_load_kept(ParameterSet *kept, const char *path, Error *error);
/* Every parameter and buffer from a file that holds exactly them, in f32. */
bool checkpoint_load_weights(ParameterSet *parameters, const char *path, Error *error);
/* The same for a file whose weights may be quantized (core/train/quantized_file.h): the layers then have them in both
   forms. */
bool checkpoint_load_model(const Model *model, const char *path, Error *error);

#endif
