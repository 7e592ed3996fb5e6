/* What each of the engine's threads has for itself, and what all of them share. */
#ifndef PAYBELL_GATEWAY_LOCAL_H
#define PAYBELL_GATEWAY_LOCAL_H

#include "base/list.h"
#include "gateway/access.h"
#include "gateway/past.h"
#include "gateway/presence.h"
#include "gateway/reads.h"

struct shared {
	struct access_settings access;
	struct reader *reader;
	struct read_marks *reads;
	struct presence *presence;
	int per_user_max;          /* sessions of one user, on one thread */
	int auth_timeout_s;        /* until a plain socket has shown its token */
	bool query_token;          /* whether a token may come in the URL */
	int64_t restart_spread_ms; /* over which a restart sends its clients back */
	atomic_int speaking[DIALECT_COUNT]; /* sessions */
	atomic_bool draining;
};

struct local {
	struct shared *shared;
	struct room *room;
	struct list socketio; /* sio_live.c's sessions */
};

#endif
