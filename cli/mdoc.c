#include "cli/mdoc.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/component.h"
#include "core/base/param_text.h"

enum { LINE = 78, TEXT = 4096 };

void mdoc_begin(const char *name, int section, const char *description)
{
    printf(".Dd November 25, 2026\n.Dt ");
    for (const char *c = name; *c; c++)
        putchar(toupper((unsigned char)*c));
    printf(" %d\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n", section, name, description);
}

static void put_word(const char *word, size_t length, bool first)
{
    if (first && (word[0] == '.' || word[0] == '\''))
        fputs("\\&", stdout);
    for (size_t i = 0; i < length; i++)
        if (word[i] == '\\')
            fputs("\\e", stdout);
        else
            putchar(word[i]);
}

/* Not every full stop ends a sentence: a capital must follow. */
static bool ends_sentence(const char *word, size_t length, const char *next)
{
    return length > 2 && strchr(".!?", word[length - 1]) && isupper((unsigned char)*next);
}

static void put_words(const char *text)
{
    size_t column = 0;
    bool fresh = true;
    while (*(text += strspn(text, " \n"))) {
        size_t length = strcspn(text, " \n");
        if (!fresh && column + 1 + length > LINE)
            fresh = true, column = 0, putchar('\n');
        if (!fresh)
            column++, putchar(' ');
        put_word(text, length, fresh);
        column += length;
        fresh = false;
        const char *next = text + length + strspn(text + length, " \n");
        if (ends_sentence(text, length, next))
            fresh = true, column = 0, putchar('\n');
        text = next;
    }
    if (!fresh)
        putchar('\n');
}

void mdoc_text(const char *format, ...)
{
    char text[TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put_words(text);
}

void mdoc_display(const char *text)
{
    fputs(".Bd -literal -offset indent\n", stdout);
    for (bool first = true; *text; text++) {
        put_word(text, 1, first);
        first = *text == '\n';
    }
    fputs("\n.Ed\n", stdout);
}

/* "a list, each an integer >= 1"; "an activation, see xent-activations(7)". */
static void describe_type(const Param *param, char *out, size_t size)
{
    const ComponentKind *kind = param->kind ? component_kind(param->kind) : NULL;
    char element[256];
    if (param->type == PARAM_TYPE_INTS || param->type == PARAM_TYPE_FLOATS) {
        param_expected(param, param->type == PARAM_TYPE_INTS ? PARAM_TYPE_INT : PARAM_TYPE_FLOAT, element,
                       sizeof element);
        snprintf(out, size, "a list, each %s", element);
    } else if (param->type == PARAM_TYPE_WEIGHT) {
        param_expected(param, param->type, element, sizeof element);
        snprintf(out, size, "%s, see xent-schedules(7)", element);
    } else if (param->type == PARAM_TYPE_COMPONENT || param->type == PARAM_TYPE_COMPONENTS) {
        bool vowel = strchr("aeiou", param->kind[0]) != NULL;
        snprintf(out, size, "%s%s %s", param->type == PARAM_TYPE_COMPONENTS ? "a list, each " : "", vowel ? "an" : "a",
                 param->kind);
        if (kind && !strstr(param->help, "xent-"))
            snprintf(out + strlen(out), size - strlen(out), ", see xent-%s(7)", kind->plural);
    } else {
        param_expected(param, param->type, out, size);
    }
}

static bool left_out(const Param *param, const Param *except)
{
    for (; except && except->type != PARAM_TYPE_END; except++)
        if (strcmp(except->name, param->name) == 0 && strcmp(except->help, param->help) == 0 &&
            strcmp(except->fallback ? except->fallback : "", param->fallback ? param->fallback : "") == 0)
            return true;
    return false;
}

bool mdoc_has_params(const Param *table, const Param *except)
{
    for (const Param *param = table; param && param->type != PARAM_TYPE_END; param++)
        if (!left_out(param, except))
            return true;
    return false;
}

void mdoc_params(const Param *table, const Param *except)
{
    if (!mdoc_has_params(table, except))
        return;
    fputs(".Bl -tag -width Ds\n", stdout);
    for (const Param *param = table; param->type != PARAM_TYPE_END; param++) {
        char type[512];
        if (left_out(param, except))
            continue;
        describe_type(param, type, sizeof type);
        printf(".It Ic %s\n", param->name);
        if (param->fallback)
            mdoc_text("%s; %s, default %s", param->help, type, param->fallback);
        else
            mdoc_text("%s; %s, required", param->help, type);
    }
    fputs(".El\n", stdout);
}
