#include "core/base/json_scan.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"

enum { NUMBER_MAX = 63 }; /* cJSON cuts longer numbers off */

typedef struct Key {
    const char *name;
    int line;
} Key;

typedef struct Scanner {
    const char *name;
    char *text;                 /* ends with a NUL, and holds no other: reading one past is safe */
    size_t at;
    int first_line, line, depth;
    JsonLines *lines;
    Key *keys;                  /* of all open objects, the innermost last */
    size_t key_count, key_capacity;
    char *names;                /* decoded keys, one after the other; never longer than the text */
    size_t names_used;
    Error *error;
} Scanner;

static bool scan_value(Scanner *scanner);

static bool refuse(Scanner *scanner, const char *message)
{
    return fail_usage(scanner->error, "%s:%d: %s", scanner->name, scanner->line, message);
}

/* NUL bytes and encoding, comments included, before anything relies on the NUL at the end. */
static bool check_bytes(Scanner *scanner, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)scanner->text;
    for (size_t at = 0, length; at < size; at += length) {
        length = utf8_decode(bytes + at, size - at, NULL);
        if (length == 0)
            return refuse(scanner, "not valid UTF-8");
        if (bytes[at] == '\0')
            return refuse(scanner, "NUL byte");
        if (bytes[at] == '\n')
            scanner->line++;
    }
    scanner->line = scanner->first_line;
    return true;
}

/* Blanks up to the end of the comment at `at`; line ends stay, so that lines still count. */
static bool blank_comment(Scanner *scanner)
{
    char *text = scanner->text;
    bool block = text[scanner->at + 1] == '*';
    int first_line = scanner->line;
    text[scanner->at++] = ' ';
    text[scanner->at++] = ' ';
    for (; text[scanner->at]; scanner->at++) {
        if (text[scanner->at] == '\n') {
            if (!block)
                return true;
            scanner->line++;
            continue;
        }
        if (block && text[scanner->at] == '*' && text[scanner->at + 1] == '/') {
            text[scanner->at++] = ' ';
            text[scanner->at++] = ' ';
            return true;
        }
        text[scanner->at] = ' ';
    }
    scanner->line = first_line;
    return block ? refuse(scanner, "comment without an end") : true;
}

static bool skip_blanks(Scanner *scanner)
{
    for (;;) {
        char c = scanner->text[scanner->at];
        if (c == '/' && (scanner->text[scanner->at + 1] == '/' || scanner->text[scanner->at + 1] == '*')) {
            if (!blank_comment(scanner))
                return false;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            scanner->line += c == '\n';
            scanner->at++;
        } else {
            return true;
        }
    }
}

/* The four digits after "\u"; -1 when they are not there. */
static int hex4(const char *text)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)text[i]))
            return -1;
        int digit = isdigit((unsigned char)text[i]) ? text[i] - '0' : tolower((unsigned char)text[i]) - 'a' + 10;
        value = value * 16 + digit;
    }
    return value;
}

/* At the "u" of an escape. */
static bool scan_unicode(Scanner *scanner, char *out, size_t *length)
{
    const char *digits = scanner->text + scanner->at + 1;
    int code = hex4(digits);
    if (code < 0)
        return refuse(scanner, "\\u needs four hexadecimal digits");
    if (code == 0)
        return refuse(scanner, "\\u0000 in a string");
    scanner->at += 5;
    if (code >= 0xD800 && code <= 0xDFFF) {
        int low = code < 0xDC00 && digits[4] == '\\' && digits[5] == 'u' ? hex4(digits + 6) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return refuse(scanner, "lone surrogate in a string");
        code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00);
        scanner->at += 6;
    }
    *length += utf8_encode((uint32_t)code, (unsigned char *)out + *length);
    return true;
}

/* After the backslash. */
static bool scan_escape(Scanner *scanner, char *out, size_t *length)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char c = scanner->text[scanner->at];
    if (c == 'u')
        return scan_unicode(scanner, out, length);
    const char *letter = c ? strchr(letters, c) : NULL;
    if (!letter)
        return refuse(scanner, "unknown escape in a string");
    out[(*length)++] = meanings[letter - letters];
    scanner->at++;
    return true;
}

/* Decodes into the free part of `names`; only keys keep it. */
static bool scan_string(Scanner *scanner)
{
    char *out = scanner->names + scanner->names_used;
    size_t length = 0;
    scanner->at++;
    for (;;) {
        char c = scanner->text[scanner->at];
        if (c == '\0')
            return refuse(scanner, "string without an end");
        if ((unsigned char)c < 0x20)
            return refuse(scanner, "control character in a string");
        scanner->at++;
        if (c == '"')
            break;
        if (c != '\\')
            out[length++] = c;
        else if (!scan_escape(scanner, out, &length))
            return false;
    }
    out[length] = '\0';
    return true;
}

static void skip_digits(const char *text, size_t *at)
{
    while (isdigit((unsigned char)text[*at]))
        ++*at;
}

static bool scan_number(Scanner *scanner)
{
    const char *text = scanner->text;
    size_t begin = scanner->at, at = begin + (text[begin] == '-'), digits = at;
    skip_digits(text, &at);
    if (at == digits)
        return refuse(scanner, "expected a value");
    if (text[digits] == '0' && at > digits + 1)
        return refuse(scanner, "number with a leading zero");
    if (text[at] == '.') {
        digits = ++at;
        skip_digits(text, &at);
        if (at == digits)
            return refuse(scanner, "number without a digit after the point");
    }
    if (text[at] == 'e' || text[at] == 'E') {
        at++;
        at += text[at] == '+' || text[at] == '-';
        digits = at;
        skip_digits(text, &at);
        if (at == digits)
            return refuse(scanner, "number without an exponent after \"e\"");
    }
    if (at - begin > NUMBER_MAX)
        return refuse(scanner, "number of more than 63 characters");
    char number[NUMBER_MAX + 1] = {0};
    memcpy(number, text + begin, at - begin);
    if (!isfinite(strtod(number, NULL)))
        return refuse(scanner, "number too large for a double");
    scanner->at = at;
    return true;
}

static bool scan_word(Scanner *scanner)
{
    static const char *const words[] = {"true", "false", "null"};
    const char *here = scanner->text + scanner->at;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if (strncmp(here, words[i], length) == 0 && !isalnum((unsigned char)here[length])) {
            scanner->at += length;
            return true;
        }
    }
    if (strncmp(here, "NaN", 3) == 0 || strncmp(here, "Infinity", 8) == 0 || strncmp(here, "-Infinity", 9) == 0)
        return refuse(scanner, "NaN and Infinity are not JSON");
    return refuse(scanner, "expected a value");
}

static bool open_container(Scanner *scanner)
{
    scanner->at++;
    if (++scanner->depth > JSON_MAX_DEPTH)
        return fail_usage(scanner->error, "%s:%d: nested deeper than %d", scanner->name, scanner->line, JSON_MAX_DEPTH);
    return skip_blanks(scanner);
}

/* After an element: past a comma (another must follow) or past the closing character. */
static bool next_element(Scanner *scanner, char close, const char *expected, bool *more)
{
    if (!skip_blanks(scanner))
        return false;
    char c = scanner->text[scanner->at];
    *more = c == ',';
    if (c != ',' && c != close)
        return refuse(scanner, expected);
    scanner->at++;
    if (!*more)
        return true;
    if (!skip_blanks(scanner))
        return false;
    return scanner->text[scanner->at] == close ? refuse(scanner, "trailing comma") : true;
}

static bool scan_array(Scanner *scanner)
{
    if (!open_container(scanner))
        return false;
    bool more = scanner->text[scanner->at] != ']';
    if (!more)
        scanner->at++;
    while (more)
        if (!scan_value(scanner) || !next_element(scanner, ']', "expected \",\" or \"]\"", &more))
            return false;
    scanner->depth--;
    return true;
}

static bool scan_key(Scanner *scanner)
{
    if (scanner->text[scanner->at] != '"')
        return refuse(scanner, "expected a key in double quotes");
    char *name = scanner->names + scanner->names_used;
    int line = scanner->line;
    if (!scan_string(scanner) || !skip_blanks(scanner))
        return false;
    if (scanner->text[scanner->at] != ':')
        return refuse(scanner, "expected \":\" after a key");
    scanner->at++;
    scanner->names_used += strlen(name) + 1;
    if (scanner->key_count == scanner->key_capacity) {
        size_t capacity = scanner->key_capacity * 2 + 64;
        scanner->keys = memory_grow(scanner->keys, scanner->key_count * sizeof(Key), capacity * sizeof(Key));
        scanner->key_capacity = capacity;
    }
    scanner->keys[scanner->key_count++] = (Key){name, line};
    return skip_blanks(scanner);
}

static int compare_keys(const void *a, const void *b)
{
    const Key *first = a, *second = b;
    int order = strcmp(first->name, second->name);
    return order ? order : (first->line > second->line) - (first->line < second->line);
}

/* Sorted, not compared pair by pair: a large object must not take quadratic time. */
static bool check_duplicates(Scanner *scanner, size_t first)
{
    size_t count = scanner->key_count - first;
    Key *keys = count ? scanner->keys + first : NULL; /* empty objects alone: there are no keys yet */
    if (count > 1)
        qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1; i < count; i++)
        if (strcmp(keys[i - 1].name, keys[i].name) == 0)
            return fail_usage(scanner->error, "%s:%d: duplicate key \"%.100s\" (first on line %d)", scanner->name,
                              keys[i].line, keys[i].name, keys[i - 1].line);
    scanner->key_count = first;
    return true;
}

static bool scan_object(Scanner *scanner)
{
    size_t first = scanner->key_count;
    if (!open_container(scanner))
        return false;
    bool more = scanner->text[scanner->at] != '}';
    if (!more)
        scanner->at++;
    while (more)
        if (!scan_key(scanner) || !scan_value(scanner) ||
            !next_element(scanner, '}', "expected \",\" or \"}\"", &more))
            return false;
    scanner->depth--;
    return check_duplicates(scanner, first);
}

static void record_line(JsonLines *lines, int line)
{
    if (lines->count == lines->capacity) {
        size_t capacity = lines->capacity * 2 + 64;
        lines->items = memory_grow(lines->items, lines->count * sizeof(int), capacity * sizeof(int));
        lines->capacity = capacity;
    }
    lines->items[lines->count++] = line;
}

static bool scan_value(Scanner *scanner)
{
    char c = scanner->text[scanner->at];
    record_line(scanner->lines, scanner->line);
    if (c == '{')
        return scan_object(scanner);
    if (c == '[')
        return scan_array(scanner);
    if (c == '"')
        return scan_string(scanner);
    if (isdigit((unsigned char)c) || (c == '-' && scanner->text[scanner->at + 1] != 'I'))
        return scan_number(scanner);
    return scan_word(scanner);
}

bool json_scan(const char *name, int first_line, char *text, size_t size, JsonLines *lines, Error *error)
{
    Scanner scanner = {
        .name = name, .text = text, .first_line = first_line, .line = first_line, .lines = lines, .error = error};
    *lines = (JsonLines){0};
    if (!check_bytes(&scanner, size))
        return false;
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
        return refuse(&scanner, "byte order mark; save the file as UTF-8 without one");
    scanner.names = memory_new(size + 1);
    bool good = skip_blanks(&scanner) && scan_value(&scanner) && skip_blanks(&scanner);
    if (good && scanner.at != size)
        good = refuse(&scanner, "text after the value");
    memory_free(scanner.names);
    memory_free(scanner.keys);
    return good;
}
