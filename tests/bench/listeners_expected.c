#include "listeners_expected.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wire/ws.h"

#define FILE_MAX (64 << 20)

void expected_init(struct expected *x, int clients)
{
	*x = (struct expected){.clients = clients};
	x->offsets = mem_array((size_t)clients, sizeof(*x->offsets));
}

void expected_release(struct expected *x)
{
	mem_free(x->bytes);
	mem_free(x->offsets);
	*x = (struct expected){0};
}

/* ---- the file ---- */

static int read_all(int fd, uint8_t **out, size_t *len)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (st.st_size > FILE_MAX) {
		errno = EFBIG;
		return -1;
	}
	*len = (size_t)st.st_size;
	*out = mem_array(*len + 1, 1);
	return read(fd, *out, *len) == (ssize_t)*len ? 0 : -1;
}

int expected_load(struct expected *x, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = -1;

	mem_free(x->bytes);
	x->bytes = NULL;
	if (fd >= 0)
		rc = read_all(fd, &x->bytes, &x->len);
	if (rc < 0)
		err_set_errno(e, ERR_IO, errno, "%s", path);
	if (fd >= 0)
		close(fd);
	memset(x->offsets, 0, (size_t)x->clients * sizeof(*x->offsets));
	x->complete = 0;
	return rc;
}

/* ---- what comes ---- */

static void advance(struct expected *x, int client, size_t len)
{
	x->offsets[client] += (uint32_t)len;
	if (x->offsets[client] < x->len)
		return;
	x->last_us = clock_mono_us();
	if (x->complete++ == 0)
		x->first_us = x->last_us;
}

static size_t common(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i = 0;

	if (memcmp(a, b, len) == 0)
		return len;
	while (a[i] == b[i])
		i++;
	return i;
}

size_t expected_take(struct expected *x, int client, const uint8_t *bytes, size_t len)
{
	size_t left = x->len - x->offsets[client];

	if (left == 0)
		return 0;
	len = common(bytes, x->bytes + x->offsets[client], len < left ? len : left);
	if (len > 0)
		advance(x, client, len);
	return len;
}

bool expected_take_frame(struct expected *x, int client, int opcode,
			 const uint8_t *payload, size_t len)
{
	size_t left = x->len - x->offsets[client];
	uint8_t head[WS_HEADER_MAX];
	size_t head_len = ws_put_header(head, (enum ws_opcode)opcode, true, len);
	const uint8_t *next;

	if (left < head_len || left - head_len < len)
		return false;
	next = x->bytes + x->offsets[client];
	if (memcmp(next, head, head_len) != 0 ||
	    memcmp(next + head_len, payload, len) != 0)
		return false;
	advance(x, client, head_len + len);
	return true;
}
