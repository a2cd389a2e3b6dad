/* Writing protocol buffers, as far as ONNX needs it: varints, 32-bit floats, bytes, nested messages
   (protobuf.dev/programming-guides/encoding). */
#ifndef XENT_TRAIN_PROTOBUF_H
#define XENT_TRAIN_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

/* A message being put together; starts zeroed, ends with protobuf_free. */
typedef struct Protobuf {
    unsigned char *bytes;
    size_t size, room;
} Protobuf;

void protobuf_free(Protobuf *message);
void protobuf_integer(Protobuf *message, int field, int64_t value);
void protobuf_float(Protobuf *message, int field, float value);
void protobuf_bytes(Protobuf *message, int field, const void *bytes, size_t size);
void protobuf_string(Protobuf *message, int field, const char *text);
/* Frees the part. */
void protobuf_message(Protobuf *message, int field, Protobuf *part);

#endif
