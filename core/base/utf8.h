/* UTF-8, RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef XENT_BASE_UTF8_H
#define XENT_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { UTF8_LONGEST = 4 };

/* Bytes of the character at `at` (1 to 4), 0 when it is not valid; `left` >= 1 bytes may be read.
   `code` may be NULL and is set only where the character is valid. */
size_t utf8_decode(const unsigned char *at, size_t left, uint32_t *code);
/* Bytes written to out[UTF8_LONGEST]; `code` is not a surrogate and at most 0x10FFFF. */
size_t utf8_encode(uint32_t code, unsigned char *out);

#endif
