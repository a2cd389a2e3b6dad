/* How text is cut into words, for the tokenizers. */
#ifndef XENT_DATA_WORD_END_H
#define XENT_DATA_WORD_END_H

#include <stdbool.h>
#include <stddef.h>

/* End of the word that begins at `at` < size. A word is a run of white space or of other characters,
   with the one space before it; the words, one after the other, are the text. With `classes`, letters,
   digits and other characters are runs of their own, as in GPT-2 (Radford et al. 2019). Bytes above
   0x7F count as letters, so that no UTF-8 character is cut. */
size_t word_end(const unsigned char *text, size_t at, size_t size, bool classes);

#endif
