/* A redis-server of a test's own, on a unix socket in a temporary folder, started by fork
 * and exec and stopped by its process id; it dies with the test. It is ready when a
 * connection to it comes up. Nothing is saved. */
#ifndef PAYBELL_TESTS_REDIS_SERVER_H
#define PAYBELL_TESTS_REDIS_SERVER_H

#include <sys/types.h>

struct redis_server {
	char folder[64];
	char url[128]; /* unix:… */
	pid_t pid;     /* 0: stopped */
};

void redis_server_init(struct redis_server *s); /* the folder and the URL */
/* `more`: further options, ended by NULL; may be NULL. */
void redis_server_start(struct redis_server *s, const char *const *more);
void redis_server_stop(struct redis_server *s, int signum); /* stopped: nothing */
void redis_server_release(struct redis_server *s); /* stops, and removes the folder */

/* A loopback port that nobody listens on. */
int free_port(void);

#endif
