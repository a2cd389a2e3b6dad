#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/pages.h"
#include "core/base/component.h"

static void print_options(const Option *options)
{
    for (; options && options->name; options++) {
        printf(" --%s", options->name);
        if (options->letter)
            printf(" -%c", options->letter);
    }
}

static void print_kind_names(const char *separator)
{
    for (const ComponentKind *kind = component_kinds; kind->name; kind++)
        if (kind->items[0])
            printf("%s%s", kind == component_kinds ? "" : separator, kind->plural);
}

static void print_component_names(const ComponentKind *kind)
{
    for (const Component *const *item = kind->items; *item; item++)
        printf("%s%s", item == kind->items ? "" : " ", (*item)->name);
}

/* The words that follow a command: kinds and components of list and describe, else files. */
static void print_bash(void)
{
    puts("# Completion of xent in bash; printed by xent help --completion bash.\n_xent()\n{\n    local "
         "current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words=\n    COMPREPLY=()");
    fputs("    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W \"", stdout);
    for (const Command *const *command = commands; *command; command++)
        printf("%s%s", command == commands ? "" : " ", (*command)->name);
    puts("\" -- \"$current\"))\n        return\n    fi\n    if [[ $current == -* ]]; then\n        case $command in");
    for (const Command *const *command = commands; *command; command++) {
        printf("        %s) words=\"", (*command)->name);
        print_options((*command)->options);
        print_options(common_options);
        puts("\" ;;");
    }
    fputs("        esac\n        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n        return\n    fi\n    "
          "case $command:$COMP_CWORD in\n    list:2 | describe:2) words=\"",
          stdout);
    print_kind_names(" ");
    fputs("\" ;;\n    analyze:2) words=\"", stdout);
    print_component_names(component_kind("analysis"));
    puts("\" ;;\n    describe:3)\n        case ${COMP_WORDS[2]} in");
    for (const ComponentKind *kind = component_kinds; kind->name; kind++)
        if (kind->items[0]) {
            printf("        %s | %s) words=\"", kind->name, kind->plural);
            print_component_names(kind);
            puts("\" ;;");
        }
    fputs("        esac ;;\n    help:2) words=\"", stdout);
    for (const Command *const *command = commands; *command; command++)
        printf("%s%s", command == commands ? "" : " ", (*command)->name);
    puts("\" ;;\n    *)\n        COMPREPLY=($(compgen -f -- \"$current\"))\n        return ;;\n    esac\n    "
         "COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}\ncomplete -o filenames -F _xent xent");
}

/* Inside single quotes and an _arguments specification. */
static void print_escaped(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'') {
            fputs("'\\''", stdout);
            continue;
        }
        if (strchr("[]:\\", *text))
            putchar('\\');
        putchar(*text);
    }
}

static void print_zsh_options(const Option *options)
{
    for (; options && options->name; options++) {
        printf(" \\\n            '%s--%s%s[", options->repeatable ? "*" : "", options->name, options->value ? "=" : "");
        print_escaped(options->help);
        putchar(']');
        if (options->value) {
            putchar(':');
            print_escaped(options->value);
            fputs(":_files", stdout);
        }
        putchar('\'');
    }
}

/* _xent_names: components of the kind that describe was given. */
static void print_zsh_names(void)
{
    puts("_xent_names()\n{\n    case $words[2] in");
    for (const ComponentKind *kind = component_kinds; kind->name; kind++)
        if (kind->items[0]) {
            printf("    %s | %s) compadd -- ", kind->name, kind->plural);
            print_component_names(kind);
            puts(" ;;");
        }
    puts("    esac\n}");
}

/* The words that follow a command, besides options. */
static void print_zsh_words(const char *command)
{
    if (strcmp(command, "list") == 0 || strcmp(command, "describe") == 0)
        fputs(" \\\n            '1:kind:($kinds)'", stdout);
    if (strcmp(command, "describe") == 0)
        fputs(" \\\n            '2:component:_xent_names'", stdout);
    if (strcmp(command, "help") == 0)
        fputs(" \\\n            '1:command:(${commands%%:*})'", stdout);
    if (strcmp(command, "analyze") == 0) {
        fputs(" \\\n            '1:analysis:(", stdout);
        print_component_names(component_kind("analysis"));
        fputs(")'", stdout);
    }
    bool words = strcmp(command, "list") == 0 || strcmp(command, "describe") == 0 || strcmp(command, "help") == 0;
    puts(words ? " ;;" : " \\\n            '*:file:_files' ;;");
}

static void print_zsh(void)
{
    puts("#compdef xent\n# Completion of xent in zsh; printed by xent help --completion zsh.");
    print_zsh_names();
    puts("_xent()\n{\n    local -a commands kinds\n    commands=(");
    for (const Command *const *command = commands; *command; command++) {
        printf("        '%s:", (*command)->name);
        print_escaped((*command)->summary);
        puts("'");
    }
    fputs("    )\n    kinds=(", stdout);
    print_kind_names(" ");
    puts(")\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n    case "
         "$words[2] in");
    for (const Command *const *command = commands; *command; command++) {
        const char *name = (*command)->name;
        printf("    %s)\n        shift words; (( CURRENT-- ))\n        _arguments", name);
        print_zsh_options((*command)->options);
        print_zsh_options(common_options);
        print_zsh_words(name);
    }
    puts("    esac\n}\n_xent \"$@\"");
}

bool completion_print(const char *shell, Error *error)
{
    bool bash = strcmp(shell, "bash") == 0;
    if (!bash && strcmp(shell, "zsh") != 0)
        return fail_usage(error, "--completion: expected bash or zsh, got \"%s\"", shell);
    (bash ? print_bash : print_zsh)();
    return true;
}
