/* A server on 127.0.0.1 that plays scripts: the first connection the first one, and so
 * on, each on a thread of its own. What clients sent is kept, to be looked at afterwards.
 */
#ifndef PAYBELL_TESTS_UNIT_TRANSFER_SERVER_H
#define PAYBELL_TESTS_UNIT_TRANSFER_SERVER_H

#include <stddef.h>

enum play_what {
	PLAY_END,   /* orderly close */
	PLAY_READ,  /* until `text` has come */
	PLAY_SEND,  /* `text` */
	PLAY_FILL,  /* `number` bytes of 'x' */
	PLAY_PAUSE, /* `number` ms */
	PLAY_RESET, /* RST */
	PLAY_HANG,  /* say and read nothing until the server stops */
	PLAY_AGAIN, /* from the first line, `number` times */
};

struct play {
	enum play_what what;
	const char *text;
	int number;
};

struct transfer_server;

/* scripts ends with NULL, each script with PLAY_END; further connections are closed at
 * once. The scripts are borrowed until the stop, the list of them for the call. */
struct transfer_server *transfer_server_start(const struct play *const *scripts);
int transfer_server_port(const struct transfer_server *s);
void transfer_server_stop(struct transfer_server *s); /* ends the scripts */

/* After the stop. */
const char *transfer_server_got(const struct transfer_server *s, int connection);
int transfer_server_connections(const struct transfer_server *s);
void transfer_server_free(struct transfer_server *s);

#endif
