/* Bytes that go out as they are, made once and shared by all connections that have to
 * queue them. Any thread: the count is atomic, the bytes do not change any more. */
#ifndef PAYBELL_GATEWAY_FRAME_H
#define PAYBELL_GATEWAY_FRAME_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct frame {
	atomic_int references;
	uint32_t len;
	uint8_t bytes[];
};

struct frame *frame_new(size_t len); /* one reference, the caller's; bytes to be filled */
struct frame *frame_copy(const void *bytes, size_t len);
struct frame *frame_ref(struct frame *f); /* returns f */
void frame_unref(struct frame *f);        /* NULL does nothing */

#endif
