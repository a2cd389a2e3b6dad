#include "data/word_end.h"

typedef enum ByteClass { SPACE, LETTER, DIGIT, OTHER } ByteClass;

static ByteClass class_of(unsigned char byte, bool classes)
{
    if (byte == ' ' || (byte >= '\t' && byte <= '\r'))
        return SPACE;
    if (!classes)
        return OTHER;
    if (byte >= '0' && byte <= '9')
        return DIGIT;
    unsigned char lower = byte | 0x20;
    return byte >= 0x80 || (lower >= 'a' && lower <= 'z') ? LETTER : OTHER;
}

static size_t run_end(const unsigned char *text, size_t at, size_t size, bool classes)
{
    ByteClass class = class_of(text[at], classes);
    while (at < size && class_of(text[at], classes) == class)
        at++;
    return at;
}

size_t word_end(const unsigned char *text, size_t at, size_t size, bool classes)
{
    size_t end = run_end(text, at, size, classes);
    if (class_of(text[at], classes) != SPACE || end == size || text[end - 1] != ' ')
        return end;
    /* White space ends before its last space, which belongs to what follows. */
    return end - at > 1 ? end - 1 : run_end(text, end, size, classes);
}
