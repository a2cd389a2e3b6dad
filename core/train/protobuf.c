#include "core/train/protobuf.h"

#include <string.h>

#include "core/base/memory.h"

enum { VARINT = 0, LENGTH_DELIMITED = 2, FIXED32 = 5 }; /* wire types */

void protobuf_free(Protobuf *message)
{
    memory_free(message->bytes);
    *message = (Protobuf){0};
}

static void append(Protobuf *message, const void *bytes, size_t size)
{
    if (message->size + size > message->room) {
        size_t room = 2 * message->room + size + 64;
        message->bytes = memory_grow(message->bytes, message->room, room);
        message->room = room;
    }
    if (size)
        memcpy(message->bytes + message->size, bytes, size);
    message->size += size;
}

static void append_varint(Protobuf *message, uint64_t value)
{
    unsigned char bytes[10];
    size_t size = 0;
    do {
        bytes[size] = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
        size++;
    } while (value);
    append(message, bytes, size);
}

static void append_tag(Protobuf *message, int field, int wire_type)
{
    append_varint(message, (uint64_t)field << 3 | (uint64_t)wire_type);
}

void protobuf_integer(Protobuf *message, int field, int64_t value)
{
    append_tag(message, field, VARINT);
    append_varint(message, (uint64_t)value);
}

void protobuf_float(Protobuf *message, int field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    unsigned char bytes[4] = {(unsigned char)bits, (unsigned char)(bits >> 8), (unsigned char)(bits >> 16),
                              (unsigned char)(bits >> 24)};
    append_tag(message, field, FIXED32);
    append(message, bytes, sizeof bytes);
}

void protobuf_bytes(Protobuf *message, int field, const void *bytes, size_t size)
{
    append_tag(message, field, LENGTH_DELIMITED);
    append_varint(message, size);
    append(message, bytes, size);
}

void protobuf_string(Protobuf *message, int field, const char *text)
{
    protobuf_bytes(message, field, text, strlen(text));
}

void protobuf_message(Protobuf *message, int field, Protobuf *part)
{
    protobuf_bytes(message, field, part->bytes, part->size);
    protobuf_free(part);
}
