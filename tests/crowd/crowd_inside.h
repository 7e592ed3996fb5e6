/* What the crowd's files share: connections (crowd.c), what they say first
 * (crowd_request.c), and what they are told (crowd_reader.c). */
#ifndef PAYBELL_TESTS_CROWD_INSIDE_H
#define PAYBELL_TESTS_CROWD_INSIDE_H

#include <netinet/in.h>

#include "crowd.h"

#define CROWD_READ_BYTES (512 << 10)

enum crowd_state {
	CLIENT_IDLE,
	CLIENT_QUEUED,     /* waits for its turn */
	CLIENT_LEFT,       /* does not want any more: passed over in the queue */
	CLIENT_CONNECTING, /* its request has not gone out */
	CLIENT_ASKED,      /* waits for the 101 */
	CLIENT_OPEN,
};

/* Bytes of an answer or a frame that is not whole. */
struct crowd_part {
	size_t len;
	uint8_t bytes[];
};

struct crowd_client {
	struct crowd_part *part; /* or NULL */
	int fd;
	int next;            /* in the queue */
	uint32_t generation; /* of the connection: events of an earlier one are stale */
	uint16_t begun_s;    /* of its handshake, monotonic */
	uint8_t state;
};

struct crowd_watch {
	void (*fn)(void *arg);
	void *arg;
};

struct crowd {
	struct crowd_settings settings;
	struct sockaddr_in addresses[CROWD_ADDRESSES_MAX];
	int address_count;
	char *path, *host;
	int epoll_fd;
	struct crowd_watch watches[CROWD_WATCHES_MAX];
	int watch_count;
	int first, last; /* of the queue; -1: empty */
	int queued, under_way, open;
	int64_t next_look_us; /* for handshakes that take too long */
	struct buf request;
	struct crowd_client *clients;
	uint8_t buffer[CROWD_FRAME_MAX + CROWD_READ_BYTES];
};

/* crowd_request.c: the opening handshake of this client, in place of what c->request
 * had. */
void crowd_make_request(struct crowd *c, const struct crowd_who *w);

/* crowd_reader.c: something came. ending: and nothing will follow. */
void crowd_read(struct crowd *c, int client, bool ending);

/* crowd.c */
/* It has its 101. */
void crowd_opened(struct crowd *c, int client);
/* Ends the connection and says so. */
void crowd_end(struct crowd *c, int client, int code);

#endif
