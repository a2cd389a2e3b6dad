#include "core/train/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/file.h"

/* What a run may have written, for --force. */
static const char *const run_files[] = {
    "config.json",
    "metrics.jsonl",
    "summary.json",
    "evaluation.json",
    "calibration.json",
    "quantization.json",
    "report.html",
    "checkpoints/last.safetensors",
    "checkpoints/last.state.safetensors",
    "checkpoints/best.safetensors",
    "checkpoints/best-epoch.safetensors",
    "plots/loss.png",
    "plots/metrics.png",
    "plots/reliability.png",
    "plots/confusion.png",
    "plots/learning_rate.png",
    NULL,
};

bool folder_has_run(const char *path)
{
    Arena *arena = arena_new();
    bool has = file_exists(arena_format(arena, "%s/config.json", path)) ||
               file_exists(arena_format(arena, "%s/metrics.jsonl", path));
    arena_free(arena);
    return has;
}

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

static void remove_stale(Arena *arena, const char *folder)
{
    DIR *directory = opendir(folder);
    for (const struct dirent *entry; directory && (entry = readdir(directory));)
        if (ends_with(entry->d_name, ".tmp"))
            unlink(arena_format(arena, "%s/%s", folder, entry->d_name));
    if (directory)
        closedir(directory);
}

static const char *stage_path(Arena *arena, const char *path)
{
    return arena_format(arena, "%s/.new", path);
}

static void remove_stage(Arena *arena, const char *path)
{
    const char *stage = stage_path(arena, path), *checkpoints = arena_format(arena, "%s/checkpoints", stage);
    unlink(stage); /* anything but a folder */
    if (!file_is_folder(stage))
        return;
    for (const char *const *name = run_files; *name; name++)
        unlink(arena_format(arena, "%s/%s", stage, *name));
    remove_stale(arena, stage);
    remove_stale(arena, checkpoints);
    rmdir(checkpoints);
    rmdir(stage);
}

static const char *settled_path(Arena *arena, const char *path)
{
    return arena_format(arena, "%s/.next", path);
}

/* Files of the run that is there and which the new one does not have. */
static bool remove_replaced(Arena *arena, const char *path, const char *next, Error *error)
{
    for (const char *const *name = run_files; *name; name++)
        if (!file_is_named(arena_format(arena, "%s/%s", next, *name)) &&
            unlink(arena_format(arena, "%s/%s", path, *name)) != 0 && errno != ENOENT && errno != ENOTDIR)
            return fail_errno(error, "%s/%s", path, *name);
    return true;
}

static bool move_file(Arena *arena, const char *next, const char *path, const char *name, Error *error)
{
    const char *from = arena_format(arena, "%s/%s", next, name);
    return !file_is_named(from) || rename(from, arena_format(arena, "%s/%s", path, name)) == 0 ||
           fail_errno(error, "%s: cannot rename it", from);
}

/* From .next to its place, where a replacement was decided. Whoever has the lock can begin again wherever a process
   was killed: config.json moves before all others, so as long as it has not, nothing of the new run is there yet. */
static bool finish_settling(Arena *arena, const char *path, Error *error)
{
    const char *next = settled_path(arena, path), *checkpoints = arena_format(arena, "%s/checkpoints", path),
               *moved = arena_format(arena, "%s/checkpoints", next);
    if (!file_is_folder(next))
        return true;
    bool good = !file_is_named(arena_format(arena, "%s/config.json", next)) ||
                (remove_replaced(arena, path, next, error) && folder_sync(checkpoints, error) &&
                 folder_sync(path, error) && move_file(arena, next, path, "config.json", error));
    for (const char *const *name = run_files; good && *name; name++)
        good = move_file(arena, next, path, *name, error);
    good = good && folder_sync(checkpoints, error) && folder_sync(path, error);
    if (good) {
        remove_stale(arena, next);
        remove_stale(arena, moved);
        rmdir(moved);
        rmdir(next);
    }
    return good;
}

bool run_folder_lock(RunFolder *folder, const char *path, Error *error)
{
    if (!folder->arena)
        *folder = (RunFolder){.path = path, .arena = arena_new(), .lock = -1, .metrics = -1};
    if (folder->lock >= 0 || !file_is_folder(path))
        return true;
    folder->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->lock < 0)
        return fail_errno(error, "%s", path);
    if (flock(folder->lock, LOCK_EX | LOCK_NB) == 0)
        return finish_settling(folder->arena, path, error);
    if (errno == EWOULDBLOCK)
        return fail(error, "%s: another process trains in this folder", path);
    return fail_errno(error, "%s: lock", path);
}

bool run_folder_owns(const char *path, const char *file)
{
    if (!file)
        return false;
    Arena *arena = arena_new();
    const char *const read[] = {file, arena_format(arena, "%s/checkpoints/best.safetensors", file),
                                arena_format(arena, "%s/checkpoints/last.safetensors", file)};
    bool owns = false;
    for (const char *const *name = run_files; !owns && *name; name++)
        for (int i = 0; !owns && i < 3; i++)
            owns = file_same(arena_format(arena, "%s/%s", path, *name), read[i]);
    arena_free(arena);
    return owns;
}

bool run_folder_check_free(const char *path, const char *const *files, bool force, Error *error)
{
    if (file_exists(path) && !file_is_folder(path))
        return fail_usage(error, "-o: %s is not a folder", path);
    if (force)
        return true;
    if (folder_has_run(path))
        return fail_usage(error, "%s holds a run already; give --force to replace it, or another folder", path);
    Arena *arena = arena_new();
    bool good = true;
    for (; good && *files; files++) {
        const char *file = arena_format(arena, "%s/%s", path, *files);
        if (file_exists(file))
            good = fail_usage(error, "%s: exists; --force replaces it", file);
    }
    arena_free(arena);
    return good;
}

/* What was at `to` is then at `from`, if there was something. */
static bool exchange(Arena *arena, const char *from, const char *to, Error *error)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0)
        return true;
    const char *aside = arena_format(arena, "%s.tmp", from);
    bool nothing = errno == ENOENT, unknown = errno == EINVAL || errno == ENOSYS; /* not every file system can */
    if (unknown && rename(to, aside) == 0) {
        if (rename(from, to) == 0 && rename(aside, from) == 0)
            return true;
        fail_errno(error, "%s: cannot rename to it", to);
        rename(aside, to);
        return false;
    }
    nothing = nothing || (unknown && errno == ENOENT);
    return (nothing && rename(from, to) == 0) || fail_errno(error, "%s: cannot rename to it", to);
}

static bool is_listed(const char *const *files, const char *name)
{
    for (; *files; files++)
        if (strcmp(*files, name) == 0)
            return true;
    return false;
}

static void exchange_back(RunFolder *folder, const RunFolder *staged, const char *const *files, int count)
{
    while (count-- > 0) {
        const char *kept = arena_format(folder->arena, "%s/%s", staged->path, files[count]),
                   *name = arena_format(folder->arena, "%s/%s", folder->path, files[count]);
        Error ignored; /* the first error is the one to tell */
        if (file_exists(kept))
            exchange(folder->arena, kept, name, &ignored);
        else
            unlink(name);
    }
}

/* All of the files or none. */
static bool exchange_all(RunFolder *folder, const RunFolder *staged, const char *const *files, Error *error)
{
    Arena *arena = folder->arena;
    int count = 0;
    bool good = true;
    for (; good && files[count]; count += good)
        good = exchange(arena, arena_format(arena, "%s/%s", staged->path, files[count]),
                        arena_format(arena, "%s/%s", folder->path, files[count]), error);
    good = good && folder_sync(arena_format(arena, "%s/checkpoints", folder->path), error)
        && folder_sync(folder->path, error);
    if (!good)
        exchange_back(folder, staged, files, count);
    return good;
}

/* What an earlier run had beside these files. */
static bool remove_others(RunFolder *folder, const char *const *files, Error *error)
{
    for (const char *const *name = run_files; *name; name++)
        if (!is_listed(files, *name) && unlink(arena_format(folder->arena, "%s/%s", folder->path, *name)) != 0
            && errno != ENOENT && errno != ENOTDIR)
            return fail_errno(error, "%s/%s", folder->path, *name);
    return true;
}

static bool has_files(Arena *arena, const char *path)
{
    bool has = false;
    for (const char *const *name = run_files; !has && *name; name++)
        has = file_is_named(arena_format(arena, "%s/%s", path, *name));
    return has;
}

bool run_folder_open(RunFolder *folder, const char *path, bool force, Error *error)
{
    if (!folder_make(path, error) || !run_folder_lock(folder, path, error))
        return false;
    Arena *arena = folder->arena;
    if (!folder_make(arena_format(arena, "%s/checkpoints", path), error))
        return false;
    remove_stale(arena, path);
    remove_stale(arena, arena_format(arena, "%s/checkpoints", path));
    remove_stale(arena, arena_format(arena, "%s/plots", path));
    remove_stage(arena, path);
    if (!force || !has_files(arena, path))
        return true;
    folder->replaced = path;
    folder->path = stage_path(arena, path);
    return folder_make(arena_format(arena, "%s/checkpoints", folder->path), error);
}

bool run_folder_settle(RunFolder *folder, Error *error)
{
    const char *path = folder->replaced;
    if (!path)
        return true;
    if (!folder_sync(folder->path, error))
        return false;
    if (rename(folder->path, settled_path(folder->arena, path)) != 0)
        return fail_errno(error, "%s: cannot rename it", folder->path);
    folder->replaced = NULL; /* from here on the new run is the one that counts */
    folder->path = path;
    return folder_sync(path, error) && finish_settling(folder->arena, path, error);
}

bool run_folder_close(RunFolder *folder, Error *error)
{
    bool good = folder->metrics < 0 || close(folder->metrics) == 0 || errno == EINTR
                || fail_errno(error, "%s/metrics.jsonl", folder->path);
    if (folder->replaced)
        remove_stage(folder->arena, folder->replaced);
    if (folder->lock >= 0)
        close(folder->lock);
    arena_free(folder->arena);
    *folder = (RunFolder){.lock = -1, .metrics = -1};
    return good;
}

static bool replace(RunFolder *folder, const char *const *files, RunFolderWrite *write, const void *context,
                    Error *error)
{
    RunFolder staged = {.lock = -1, .metrics = -1};
    Error ignored; /* no metrics.jsonl is open */
    bool good = run_folder_open(&staged, stage_path(folder->arena, folder->path), false, error)
        && write(context, &staged, error) && exchange_all(folder, &staged, files, error)
        && remove_others(folder, files, error);
    run_folder_close(&staged, &ignored);
    remove_stage(folder->arena, folder->path);
    return good;
}

bool run_folder_replace(const char *path, const char *const *files, RunFolderWrite *write, const void *context,
                        Error *error)
{
    RunFolder folder = {.lock = -1, .metrics = -1};
    Error ignored;
    bool existed = file_exists(path), opened = run_folder_open(&folder, path, false, error);
    bool good = opened && replace(&folder, files, write, context, error);
    if (opened && !good && !existed) {
        rmdir(arena_format(folder.arena, "%s/checkpoints", path));
        rmdir(path);
    }
    run_folder_close(&folder, &ignored);
    return good;
}

bool run_folder_write_json(RunFolder *folder, const char *name, const cJSON *object, Error *error)
{
    char *text = cJSON_Print(object);
    size_t length = strlen(text);
    char *line = arena_format(folder->arena, "%s\n", text);
    cJSON_free(text);
    return file_write(arena_format(folder->arena, "%s/%s", folder->path, name), line, length + 1, error);
}

bool run_folder_write_config(RunFolder *folder, const Config *config, Error *error)
{
    cJSON *resolved = config_resolved(config);
    bool good = run_folder_write_json(folder, "config.json", resolved, error);
    cJSON_Delete(resolved);
    return good;
}

/* The dotted path of the first difference; false: none. */
static bool find_difference(const cJSON *a, const cJSON *b, char *path, size_t size)
{
    if (!cJSON_IsObject(a) || !cJSON_IsObject(b))
        return !cJSON_Compare(a, b, true);
    size_t length = strlen(path);
    const cJSON *sides[] = {a, b}, *item;
    for (int side = 0; side < 2; side++)
        cJSON_ArrayForEach(item, sides[side])
        {
            snprintf(path + length, size - length, "%s%s", length ? "." : "", item->string);
            if (find_difference(item, cJSON_GetObjectItemCaseSensitive(sides[1 - side], item->string), path, size))
                return true;
        }
    path[length] = '\0';
    return false;
}

/* What a resumed run may change. */
static void drop_free_keys(cJSON *config)
{
    cJSON *train = cJSON_GetObjectItemCaseSensitive(config, "train");
    static const char *const names[] = {"epochs", "steps", "seconds"};
    for (size_t i = 0; train && i < sizeof names / sizeof *names; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(train, names[i]);
}

bool run_folder_check_config(const char *path, const Config *config, Error *error)
{
    JsonSource *source = json_source_new();
    Arena *arena = arena_new();
    cJSON *resolved = config_resolved(config);
    char *text = cJSON_Print(resolved); /* through text, as the stored one went: numbers round alike */
    cJSON *now = json_parse(source, "config", text, strlen(text), error);
    cJSON *before = json_parse_file(source, arena_format(arena, "%s/config.json", path), error);
    bool good = now && before;
    char key[256] = "";
    if (good) {
        drop_free_keys(now);
        drop_free_keys(before);
        if (find_difference(before, now, key, sizeof key))
            good = fail_usage(error, "%s: %s differs from %s/config.json; a run resumes with the config it began with",
                              config->name, key, path);
    }
    cJSON_free(text);
    cJSON_Delete(resolved);
    json_source_free(source);
    arena_free(arena);
    return good;
}

/* Whether a whole line was written before the run came to where `progress` says; a half-written last line was not. */
static bool is_before(const char *line, const Progress *progress)
{
    long long step, epoch;
    char split[8];
    int found = sscanf(line, "{\"step\":%lld,\"epoch\":%lld,\"split\":\"%7[a-z]", &step, &epoch, split);
    return found == 3 && step <= progress->step && epoch <= progress->epoch && strcmp(split, "test") != 0;
}

static size_t kept_bytes(const char *text, size_t size, const Progress *progress)
{
    size_t at = 0;
    const char *end;
    while ((end = memchr(text + at, '\n', size - at)) && is_before(text + at, progress))
        at = (size_t)(end + 1 - text);
    return at;
}

bool run_folder_open_metrics(RunFolder *folder, const Progress *progress, Error *error)
{
    const char *path = arena_format(folder->arena, "%s/metrics.jsonl", folder->path);
    size_t keep = 0;
    if (file_exists(path)) {
        unsigned char *text;
        size_t size;
        Arena *arena = arena_new();
        bool good = file_read(path, (size_t)1 << 30, arena, &text, &size, error);
        keep = good ? kept_bytes((char *)text, size, progress) : 0;
        arena_free(arena);
        if (!good)
            return false;
    }
    folder->metrics = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (folder->metrics < 0 || ftruncate(folder->metrics, (off_t)keep) != 0)
        return fail_errno(error, "%s", path);
    return true;
}

bool run_folder_log(RunFolder *folder, cJSON *line, Error *error)
{
    char *text = cJSON_PrintUnformatted(line);
    cJSON_Delete(line);
    size_t length = strlen(text);
    text[length] = '\n'; /* in the place of the NUL: a line is one write */
    size_t done = 0;
    bool good = true;
    while (good && done <= length) {
        ssize_t wrote = write(folder->metrics, text + done, length + 1 - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote < 0 && errno != EINTR)
            good = fail_errno(error, "%s/metrics.jsonl", folder->path);
    }
    cJSON_free(text);
    return good;
}
