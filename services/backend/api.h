/* The HTTP API: who calls what.
 *
 * api_handle() runs on a server's thread: it checks the key, finds the route and calls
 * it. What only reads answers at once from a reader of the pool; what changes something
 * becomes a job of the committer's and is answered after its commit. schema/openapi.yaml
 * is the contract. */
#ifndef PAYBELL_BACKEND_API_H
#define PAYBELL_BACKEND_API_H

#include "app/admin.h"
#include "app/bus.h"
#include "backend/auth.h"
#include "backend/books.h"
#include "backend/committer.h"
#include "backend/feeder.h"
#include "backend/settings.h"
#include "backend/underway.h"
#include "io/http_server.h"
#include "wire/event.h"

struct api {
	const struct backend_settings *settings;
	struct auth auth;
	struct committer *committer;
	struct feeder *feeder;
	struct readers *readers;
	struct underway *underway;
	struct admin *admin;
	struct bus_channels channels;
	struct event_naming naming;
};

/* One request on its way. */
struct call {
	struct api *api;
	struct http_request *request;
	uint8_t key_digest[SHA256_BYTES]; /* of the API key */
	const char *id[2];                /* the path's variable segments */
	char path[512];                   /* the segments' storage */
};

/* http_handler and http_fault_fn; arg is the struct api. */
void api_handle(void *arg, struct http_request *r);
void api_fault(void *arg, struct http_request *r, int status);

void api_register_metrics(void);

/* ---- routes: they answer, or hand over ---- */
void payments_post(struct call *c);
void payments_get(struct call *c);
void payments_list(struct call *c);
void users_route_put(struct call *c);
void users_route_get(struct call *c);
void users_route_delete(struct call *c);
void users_route_balance(struct call *c);
void users_route_events(struct call *c);
void users_route_token(struct call *c);
void devices_route_list(struct call *c);
void devices_route_post(struct call *c);
void devices_route_delete(struct call *c);
void replay_route_list(struct call *c);
void replay_route_get(struct call *c);
void replay_route_retry(struct call *c);

/* ---- what routes share ---- */

/* The body as JSON is sent: false when the content type is another one (answered 415). */
bool call_has_json(struct call *c);
/* ?limit= from 1 to most; -1 answered. */
int call_limit(struct call *c, int fallback, int most);
/* A sequence in the query; `fallback` when absent; -1 answered. */
int64_t call_sequence(struct call *c, const char *name, int64_t fallback);
/* A reader, or NULL and answered. */
struct books *call_reader(struct call *c);
/* Puts a job in front; false: refused, and answered 503. */
bool call_commit(struct call *c, struct job *j);
/* Answers for a job that was not done, on the committer's thread. */
void answer_undone(struct http_request *r, enum job_outcome outcome);

#endif
