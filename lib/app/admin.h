/* What an operator's machinery asks every process: is it alive, is it ready, how much.
 *
 *	GET /healthz   200 {"status":"ok"} while the loop turns; 503 when it has stood
 *	               still for ADMIN_STUCK_MS
 *	GET /readyz    200 {"ready":true} or 503 {"ready":false,"reason":"…"}
 *	GET /metrics   200, Prometheus text format 0.0.4
 *
 * On an address of its own, and through admin_answer() on any other server of the
 * process. The server runs on the loop; unless said otherwise: the loop's thread. */
#ifndef PAYBELL_APP_ADMIN_H
#define PAYBELL_APP_ADMIN_H

#include <stdbool.h>

#include "base/err.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "wire/problem.h"

#define ADMIN_REASON_SIZE 160
#define ADMIN_STUCK_MS    10000
#define ADMIN_OFF         "off"

struct admin;

struct admin_hooks {
	/* Asked four times a second and for each /readyz on the admin's own port; reason
	 * is "" at first. NULL: always ready. */
	bool (*ready)(void *arg, char reason[ADMIN_REASON_SIZE]);
	/* Told whenever that changes, and once at first. May be NULL. */
	void (*changed)(void *arg, bool ready, const char *reason);
	/* Requests for other paths: true when it took one. May be NULL. */
	bool (*request)(void *arg, struct http_request *r);
	void *arg;
};

/* address "off": no server, only the state. Fails like http_server_start(). */
int admin_start(struct admin **out, struct loop *loop, const char *address,
		const struct admin_hooks *hooks, struct err *e);
void admin_stop(struct admin *a); /* NULL does nothing */

/* As bound, or "off". Borrowed. */
const char *admin_address(const struct admin *a);

/* Asks for readiness now and tells `changed`. */
void admin_refresh(struct admin *a);

/* Answers r when it is for one of the paths above: true. From any thread that may answer
 * r, until admin_stop(). */
bool admin_answer(struct admin *a, struct http_request *r);

/* The answer of another server of the process to what it does not do, as problem+json;
 * allow: the Allow of a 405, otherwise NULL. Any thread. */
void admin_refuse(struct http_request *r, enum problem_kind kind, const char *detail,
		  const char *allow);
/* The same: 404, for what nobody took. */
void admin_not_found(struct http_request *r);
/* The same for what the HTTP door refuses: an http_fault_fn; arg is not looked at. */
void admin_fault(void *arg, struct http_request *r, int status);

#endif
