#include "gateway/frame.h"

#include <string.h>

#include "base/mem.h"

struct frame *frame_new(size_t len)
{
	struct frame *f = mem_alloc(sizeof(*f) + len);

	atomic_init(&f->references, 1);
	f->len = (uint32_t)len;
	return f;
}

struct frame *frame_copy(const void *bytes, size_t len)
{
	struct frame *f = frame_new(len);

	if (len > 0)
		memcpy(f->bytes, bytes, len);
	return f;
}

struct frame *frame_ref(struct frame *f)
{
	atomic_fetch_add_explicit(&f->references, 1, memory_order_relaxed);
	return f;
}

void frame_unref(struct frame *f)
{
	if (f && atomic_fetch_sub_explicit(&f->references, 1, memory_order_acq_rel) == 1)
		mem_free(f);
}
