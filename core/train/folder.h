/* A run's folder: who may write in it, what is in it, and the lines of metrics.jsonl. */
#ifndef XENT_TRAIN_FOLDER_H
#define XENT_TRAIN_FOLDER_H

#include "core/train/run.h"

struct RunFolder {
    const char *path;           /* where the run's files are */
    const char *replaced;       /* the folder of the run that this one replaces once it is settled; NULL: none */
    Arena *arena;
    int lock;                   /* descriptor of the folder itself; the lock ends with its process */
    int metrics;                /* descriptor of metrics.jsonl, or -1 */
};

/* Whether the folder holds a run already. */
bool folder_has_run(const char *path);
/* Takes the lock (exit 1 when another process has it) where there is such a folder; changes nothing in it, but finishes
   a replacement that a killed process had decided. */
bool run_folder_lock(RunFolder *folder, const char *path, Error *error);
/* Makes the folder and locks it if need be, and removes stale temporary files. With `force`, where a run is, the new
   one begins in a folder .new within, and the one that is there stays as it is until the new one is settled. */
bool run_folder_open(RunFolder *folder, const char *path, bool force, Error *error);
/* To be called when there is a checkpoint to go on from: puts the run in the place of the one that it replaces, if
   there is one. A single rename (.new to .next) decides; what a kill behind it leaves to be done, the next lock
   does. */
bool run_folder_settle(RunFolder *folder, Error *error);
/* Whether --force would remove this file, or a checkpoint of this run folder, however it is called; NULL is none. */
bool run_folder_owns(const char *path, const char *file);
/* Whether a result of these files (a list that ends with NULL) may be written to the folder: without `force` it holds
   no run and none of them (exit 2). Changes nothing. */
bool run_folder_check_free(const char *path, const char *const *files, bool force, Error *error);
/* Writes what an owner's context holds to the folder; false: error is set. */
typedef bool RunFolderWrite(const void *context, RunFolder *folder, Error *error);
/* Makes a result of these files (a list that ends with NULL) in the place of what an earlier run had at `path`. `write`
   gets a folder within the folder; when all is there and on disk the files get their names together, and what else the
   earlier run had is removed. After a failure everything is as it was. */
bool run_folder_replace(const char *path, const char *const *files, RunFolderWrite *write, const void *context,
                        Error *error);
/* Removes a run that was to replace another and is not settled. False: what metrics.jsonl was given may not be in
   it. */
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
