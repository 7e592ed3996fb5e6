/* What clients are told: the answer to the handshake, then frames.
 *
 * One recv() for each edge of the epoll: a read that did not fill the buffer has emptied
 * the socket, and what comes later is another edge. Only an end that came together with
 * bytes has no edge of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "crowd_inside.h"
#include "wire/ws.h"

#define ANSWER_MAX 4096 /* bytes of the answer's head */

/* Is it still the connection that it was? */
static bool is_same(const struct crowd *c, int client, uint32_t generation)
{
	return c->clients[client].generation == generation;
}

/* ---- frames ---- */

/* The size of the header that begins there; 0: not all of it is there. */
static size_t read_header(const uint8_t *bytes, size_t len, uint64_t *payload)
{
	size_t size, at;

	if (len < 2)
		return 0;
	size = (bytes[1] & 127) == 126 ? 4 : (bytes[1] & 127) == 127 ? 10 : 2;
	if (len < size)
		return 0;
	*payload = size == 2 ? bytes[1] & 127 : 0;
	for (at = 2; at < size; at++)
		*payload = *payload << 8 | bytes[at];
	return size;
}

static void take_close(struct crowd *c, int client, const uint8_t *payload, size_t len)
{
	int code = len >= 2 ? payload[0] << 8 | payload[1] : WS_CLOSE_NONE;
	uint32_t generation = c->clients[client].generation;

	crowd_send(c, client, WS_CLOSE, payload, len >= 2 ? 2 : 0);
	if (is_same(c, client, generation))
		crowd_end(c, client, code);
	else if (c->settings.closed)
		c->settings.closed(c->settings.arg, client, code);
}

static void take_frame(struct crowd *c, int client, const uint8_t *frame,
		       const uint8_t *payload, size_t len)
{
	int opcode = frame[0] & 15;

	/* In pieces, with reserved bits or masked: nothing that we were to be sent. */
	if ((frame[0] & 0xf0) != 0x80 || (frame[1] & 0x80)) {
		crowd_end(c, client, WS_CLOSE_PROTOCOL);
		return;
	}
	if (opcode == WS_TEXT || opcode == WS_BINARY)
		c->settings.frame(c->settings.arg, client, opcode, payload, len);
	else if (opcode == WS_PING && !crowd_send(c, client, WS_PONG, payload, len) &&
		 c->settings.closed)
		c->settings.closed(c->settings.arg, client, CROWD_LOST);
	else if (opcode == WS_CLOSE)
		take_close(c, client, payload, len);
}

/* As many whole frames as there are; how many bytes that was. It may be gone then. */
static size_t take_frames(struct crowd *c, int client, const uint8_t *bytes, size_t len)
{
	uint32_t generation = c->clients[client].generation;
	size_t used = 0, header;
	uint64_t payload;

	while ((header = read_header(bytes + used, len - used, &payload)) > 0) {
		const uint8_t *frame = bytes + used;

		if (payload > CROWD_FRAME_MAX - header) {
			crowd_end(c, client, WS_CLOSE_TOO_BIG);
			break;
		}
		if (len - used - header < payload)
			break;
		used += header + (size_t)payload;
		take_frame(c, client, frame, frame + header, (size_t)payload);
		if (!is_same(c, client, generation))
			break;
	}
	return used;
}

/* ---- the answer ---- */

/* How many bytes of it were used: all of its head or none. It may be gone then. */
static size_t take_answer(struct crowd *c, int client, const uint8_t *bytes, size_t len)
{
	static const char first[] = "HTTP/1.1 ";
	const uint8_t *end = memmem(bytes, len, "\r\n\r\n", 4);
	char status[4] = "";

	if (!end) {
		if (len > ANSWER_MAX)
			crowd_end(c, client, CROWD_LOST);
		return 0;
	}
	if (memcmp(bytes, first, sizeof(first) - 1 < len ? sizeof(first) - 1 : len) !=
		    0 ||
	    end < bytes + sizeof(first) + 2) {
		crowd_end(c, client, CROWD_LOST);
		return 0;
	}
	memcpy(status, bytes + sizeof(first) - 1, 3);
	if (strcmp(status, "101") != 0) {
		long code = strtol(status, NULL, 10);

		crowd_end(c, client, code > 0 ? (int)code : CROWD_LOST);
		return 0;
	}
	crowd_opened(c, client);
	return (size_t)(end - bytes) + 4;
}

/* ---- bytes ---- */

static size_t take_kept(struct crowd *c, struct crowd_client *one)
{
	struct crowd_part *part = one->part;
	size_t len = part ? part->len : 0;

	if (part)
		memcpy(c->buffer, part->bytes, len);
	mem_free(part);
	one->part = NULL;
	return len;
}

static void keep(struct crowd_client *one, const uint8_t *bytes, size_t len)
{
	one->part = mem_alloc(sizeof(*one->part) + len);
	one->part->len = len;
	memcpy(one->part->bytes, bytes, len);
}

static void take_bytes(struct crowd *c, int client, size_t len, size_t kept)
{
	struct crowd_client *one = &c->clients[client];
	uint32_t generation = one->generation;
	size_t used = 0;

	if (one->state == CLIENT_ASKED)
		used = take_answer(c, client, c->buffer, len);
	else if (kept == 0 && c->settings.bytes)
		used = c->settings.bytes(c->settings.arg, client, c->buffer, len);
	if (is_same(c, client, generation) && one->state == CLIENT_OPEN && used < len)
		used += take_frames(c, client, c->buffer + used, len - used);
	if (is_same(c, client, generation) && used < len)
		keep(one, c->buffer + used, len - used);
}

void crowd_read(struct crowd *c, int client, bool ending)
{
	struct crowd_client *one = &c->clients[client];
	uint32_t generation = one->generation;
	size_t kept;
	ssize_t n;

	do {
		kept = take_kept(c, one);
		n = recv(one->fd, c->buffer + kept, CROWD_READ_BYTES, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			if (kept > 0)
				keep(one, c->buffer, kept);
			return;
		}
		if (n <= 0) {
			crowd_end(c, client, CROWD_LOST);
			return;
		}
		take_bytes(c, client, kept + (size_t)n, kept);
	} while (is_same(c, client, generation) && (ending || n == CROWD_READ_BYTES));
}
