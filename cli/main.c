/* The command line: finds the command, checks words and options against its rows, runs it, and turns
   an Error into one line and an exit status. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "core/base/component.h"
#include "core/base/file.h"
#include "core/base/memory.h"
#include "core/base/memory_limit.h"
#include "core/base/threads.h"
#include "core/base/utf8.h"
#include "core/kernels/kernels.h"

/* Control characters of the input (C0, DEL, C1) never reach the terminal, nor does what is no UTF-8, such as the half
   of a character at the end of a message that was cut: each gives a question mark. */
static int report(const Error *error)
{
    const unsigned char *at = (const unsigned char *)error->message;
    char line[sizeof error->message];
    size_t used = 0, left = strlen(error->message);
    for (size_t length; left > 0; at += length, left -= length) {
        uint32_t code;
        length = utf8_decode(at, left, &code);
        if (length == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
            length = length ? length : 1;
            line[used++] = '?';
            continue;
        }
        memcpy(line + used, at, length);
        used += length;
    }
    fprintf(stderr, "xent: %.*s\n", (int)used, line);
    return error->status;
}

static void out_of_memory(size_t bytes)
{
    outputs_remove_temporaries();
    Error error = {0};
    if (memory_limit_reached())
        fail(&error, "%s: reading it, with what was read before, takes more than %zu bytes of memory", file_last_read(),
             INPUT_MOST_MEMORY);
    else
        fail(&error, "out of memory: %zu bytes more were needed", bytes);
    _exit(report(&error));
}

/* Descriptors 0 to 2 that are closed are opened, so that no file of ours takes their place. */
static void keep_standard_descriptors(void)
{
    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
            if (open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY) != descriptor)
                _exit(STATUS_FAILED); /* the wrong direction: using it is an error, as it should be */
}

/* By name, or by letter where name is NULL. */
static const Option *find_option(const Command *command, const char *name, size_t length, char letter)
{
    const Option *tables[] = {command->options, common_options};
    for (int t = 0; t < 2; t++)
        for (const Option *option = tables[t]; option && option->name; option++)
            if (name ? strlen(option->name) == length && strncmp(option->name, name, length) == 0
                     : option->letter == letter)
                return option;
    return NULL;
}

typedef struct Parsed {
    const char **words, **names, **values;
    int word_count, option_count;
} Parsed;

/* One "--name", "--name=value", "--name value" or "-n value"; *at moves past what it takes. */
static bool parse_option(const Command *command, int count, char **words, int *at, Parsed *parsed, Error *error)
{
    const char *word = words[*at];
    const char *name = word[1] == '-' ? word + 2 : NULL, *equals = name ? strchr(name, '=') : NULL;
    const Option *option = NULL;
    if (name)
        option = find_option(command, name, equals ? (size_t)(equals - name) : strlen(name), 0);
    else if (word[2] == '\0')
        option = find_option(command, NULL, 0, word[1]);
    if (!option)
        return fail_usage(error, "%s: unknown option; see xent help %s", word, command->name);
    for (int i = 0; i < parsed->option_count; i++)
        if (strcmp(parsed->names[i], option->name) == 0 && !option->repeatable)
            return fail_usage(error, "--%s: given twice", option->name);
    const char *value = equals ? equals + 1 : "";
    if (!option->value && equals)
        return fail_usage(error, "--%s: takes no value", option->name);
    if (option->value && !equals) {
        if (*at + 1 >= count)
            return fail_usage(error, "--%s: %s is missing", option->name, option->value);
        value = words[++*at];
    }
    parsed->names[parsed->option_count] = option->name;
    parsed->values[parsed->option_count++] = value;
    return true;
}

/* Cores that this process may use. */
static int64_t usable_cores(void)
{
    cpu_set_t set;
    int64_t cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return cores < 1 ? 1 : cores > 1024 ? 1024 : cores;
}

static bool run_command(const Command *command, int count, char **words, Error *error)
{
    Parsed parsed = {
        .words = memory_array((size_t)count + 1, sizeof(char *)),
        .names = memory_array((size_t)count + 1, sizeof(char *)),
        .values = memory_array((size_t)count + 1, sizeof(char *)),
    };
    bool good = true;
    for (int i = 0; good && i < count; i++) {
        if (words[i][0] == '-' && words[i][1])
            good = parse_option(command, count, words, &i, &parsed, error);
        else
            parsed.words[parsed.word_count++] = words[i];
    }
    Arguments arguments = {parsed.word_count, parsed.words, parsed.names, parsed.values};
    uint64_t seed;
    const uint64_t *seed_given;
    int64_t threads = usable_cores();
    good = good && argument_integer(&arguments, "threads", 1, 1024, &threads, error)
           && argument_seed(&arguments, &seed, &seed_given, error); /* for commands that have no use for it too */
    threads_set((int)threads);
    if (good && argument_option(&arguments, "help"))
        command_print_help(command);
    else if (good && (parsed.word_count < command->least || parsed.word_count > command->most))
        good = fail_usage(error, "%s: wrong number of words; usage: xent %s", command->name, command->synopsis);
    else if (good)
        good = command->run(&arguments, error);
    memory_free(parsed.words);
    memory_free(parsed.names);
    memory_free(parsed.values);
    return good;
}

int main(int count, char **words)
{
    keep_standard_descriptors();
    signal(SIGXFSZ, SIG_IGN);
    memory_set_failure_handler(out_of_memory);
    Error error = {0};
    if (count < 2) {
        fail_usage(&error, "which command? See xent help");
        return report(&error);
    }
    const char *name = words[1];
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    const Command *command = command_find(name);
    if (!command) {
        const char *names[64] = {0};
        for (size_t i = 0; commands[i] && i < 63; i++)
            names[i] = commands[i]->name;
        const char *near = nearest_name(name, names);
        if (near)
            fail_usage(&error, "%s: unknown command; did you mean \"%s\"?", name, near);
        else
            fail_usage(&error, "%s: unknown command; see xent help", name);
        return report(&error);
    }
    bool good = kernels_select(NULL, &error) && run_command(command, count - 2, words + 2, &error);
    threads_stop();
    if ((fflush(stdout) != 0 || ferror(stdout)) && good)
        good = fail_errno(&error, "standard output");
    return good ? command_exit_status : report(&error);
}
