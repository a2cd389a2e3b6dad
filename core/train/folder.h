/* A run's folder: who may write in it, what is in it, and the lines of metrics.jsonl. */
#ifndef XENT_TRAIN_FOLDER_H
#define XENT_TRAIN_FOLDER_H

#include "core/train/run.h"

struct RunFolder {
    const char *path;
    Arena *arena;
    int lock;                   /* descriptor of the folder itself; the lock ends with its process */
    int metrics;                /* descriptor of metrics.jsonl, or -1 */
};

/* Whether the folder holds a run already. */
bool folder_has_run(const char *path);
/* Takes the lock (exit 1 when another process has it) where there is such a folder; changes nothing in it. */
bool run_folder_lock(RunFolder *folder, const char *path, Error *error);
/* Makes the folder and locks it if need be, and removes stale temporary files. With `force` the files of the run
   that is there are removed. */
bool run_folder_open(RunFolder *folder, const char *path, bool force, Error *error);
/* Whether --force would remove this file, or a checkpoint of this run folder, however it is called; NULL is none. */
bool run_folder_owns(const char *path, const char *file);
/* Whether a result of these files (a list that ends with NULL) may be written to the folder: without `force` it holds
   no run and none of them (exit 2). Changes nothing. */
bool run_folder_check_free(const char *path, const char *const *files, bool force, Error *error);
/* A result of several files that takes the place of what is there is first made whole beside it: opens a folder within
   the folder, as `staged`, to write to; run_folder_end_stage gives the files (a list that ends with NULL) their names in
   the folder and removes what else an earlier run had there, or, where `good` is false or that fails, leaves what was
   there; it always removes and closes the stage. */
bool run_folder_stage(const RunFolder *folder, RunFolder *staged, Error *error);
bool run_folder_end_stage(RunFolder *folder, RunFolder *staged, const char *const *files, bool good, Error *error);
/* After a failure: removes a folder that this process `made`, where it is empty. */
void run_folder_remove(RunFolder *folder, bool made);
/* False: what metrics.jsonl was given may not be in it. */
bool run_folder_close(RunFolder *folder, Error *error);
/* config.json, resolved. */
bool run_folder_write_config(RunFolder *folder, const Config *config, Error *error);
/* On --resume: the config must be the folder's, train.epochs, steps and seconds apart (exit 2, names the key). */
bool run_folder_check_config(const char *path, const Config *config, Error *error);

/* Opens metrics.jsonl for appending. First all is dropped that a run which is where `progress` says has yet to write:
   lines of later steps, validations of epochs that are not complete, final figures. */
bool run_folder_open_metrics(RunFolder *folder, const Progress *progress, Error *error);
/* One line, one write; takes the object over. */
bool run_folder_log(RunFolder *folder, cJSON *line, Error *error);
bool run_folder_write_json(RunFolder *folder, const char *name, const cJSON *object, Error *error);

#endif
