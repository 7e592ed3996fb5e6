/* The inside of a worker, for the files of lib/worker only.
 *
 * An entry of the stream becomes a `struct delivery` (intake.c), gets its lease
 * (lease.c), goes when it is the first of its user and a connection is free (delivery.c),
 * is sent to one address or to several devices (round.c), may wait for another try, and
 * ends as an outcome that is kept until Redis has confirmed it (settle.c). Everything on
 * the loop's thread. */
#ifndef PAYBELL_WORKER_CORE_H
#define PAYBELL_WORKER_CORE_H

#include "app/bus.h"
#include "app/service.h"
#include "app/settings.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "io/redis.h"
#include "store/deliveries.h"
#include "worker/breaker.h"
#include "worker/bucket.h"
#include "worker/instance.h"
#include "worker/lanes.h"
#include "worker/retry.h"
#include "worker/tally.h"
#include "worker/texts.h"
#include "worker/transport.h"

#define ENTRY_ID_SIZE 44 /* "<ms>-<number>", 20 digits each at most */

struct worker_settings {
	struct common_settings common;
	int64_t window, connections, held_max;
	int64_t claim_idle_ms;
	int64_t retry_min_ms, retry_max_ms, attempts_max, expires_ms;
	int64_t rate, rate_burst;        /* messages a second; 0: no limit */
	int64_t retry_share, retry_rate; /* percent of first attempts; a second */
	int64_t probe_min_ms, probe_max_ms;
	int64_t attempts_log_max;
	int64_t connect_timeout_ms, send_timeout_ms;
	const char *templates, *locale, *ca_file;
};

enum delivery_state {
	DELIVERY_LEASING, /* waits for the answer about its lease */
	DELIVERY_WAITING, /* behind others of its user */
	DELIVERY_READY,   /* goes as soon as a connection is free */
	DELIVERY_FLYING,
	DELIVERY_PARKED, /* until its next try */
	DELIVERY_DUE,    /* for that try, which the retry budget must allow */
	DELIVERY_SETTLING,
	DELIVERY_STATES,
};

/* How it stands with the devices of a delivery: those that have ended. */
struct device_marks {
	int count;
	struct {
		char id[ID_SIZE];
		bool delivered;
	} ended[DEVICES_MAX];
	enum attempt_reason reason; /* of the last one that failed */
};

struct delivery {
	struct list renewal;   /* in worker.renewals */
	struct list ready;     /* in worker.ready or worker.retries */
	struct lane_node lane; /* of its user */
	struct heap_node due;  /* in worker.parked */
	enum delivery_state state;
	char entry_id[ENTRY_ID_SIZE];
	int64_t sequence, event_us;
	int64_t born_us; /* UTC: what it expires after; the event's time or the replay's
			  */
	char event_id[ID_SIZE], user_id[USER_ID_MAX + 1];
	int attempt;      /* that were made and count */
	unsigned run;     /* the breaker's run of failures that it last failed in */
	int run_failures; /* its attempts in that run: not counted if that is an outage */
	bool late;
	unsigned seen;               /* the scan that found it among our own entries */
	int64_t renewed_us;          /* monotonic */
	int64_t lane_until_us;       /* monotonic; 0: not tried yet */
	struct recipient *recipient; /* NULL: to be read when it goes */
	int64_t read_us;             /* monotonic: when that was */
	struct device_marks *marks;  /* TARGET_DEVICES */
};

struct settle {
	struct list waiting; /* outcomes that were not sent yet */
	struct list batches; /* sent, not confirmed */
	struct loop_task task;
	struct loop_timer *again, *gather;
	int gathered; /* outcomes since the timer was set */
	bool paused;  /* Redis refused the last batch: until `again` */
	size_t unconfirmed;
	struct redis_args *args;
	struct buf record;
};

/* What keeps us from the provider (gate.c). */
struct gate {
	struct breaker breaker;
	struct bucket rate;    /* messages */
	struct bucket retries; /* the retry budget */
	struct loop_timer *timer;
};

/* Whose fault a failed try was. */
enum blame {
	BLAME_MESSAGE,  /* its own: it counts */
	BLAME_SUSPECT,  /* the provider's, maybe: it counts unless this becomes an outage
			 */
	BLAME_PROVIDER, /* there is an outage: it does not count */
};

enum intake_mode {
	INTAKE_OFF,  /* no connection, no name, or no database */
	INTAKE_SCAN, /* goes through what is ours already */
	INTAKE_NEW,
};

struct intake {
	enum intake_mode mode;
	bool reading, creating, claiming; /* a command is under way */
	bool wanted;                      /* read again: the bell rang meanwhile */
	int asked;                        /* entries */
	unsigned scan;                    /* number of the current one, from 1 */
	char scan_after[ENTRY_ID_SIZE], claim_from[ENTRY_ID_SIZE];
	struct loop_task task;
	struct log_limit missing_log;
};

struct worker {
	const struct transport *transport;
	void *state; /* the transport's */
	struct worker_settings settings;
	struct retry_policy retry;
	struct texts *texts;

	struct service_run *run;
	struct loop *loop;
	struct transfer_engine *engine;
	struct bus bus;
	struct bus_name queue;
	const char *consumer;
	struct redis *redis, *bell;
	bool redis_was_up; /* since the last loss: failed tries come as losses too */
	struct redis_args *args;
	struct instance *instance;
	struct loop_timer *tick;
	int ticks;

	struct store store;
	struct events *events;
	struct deliveries *deliveries;
	bool database_open;
	struct err database_error;
	bool in_snapshot;                   /* of this iteration's reads */
	struct recipient scratch_recipient; /* what is being read */
	size_t recipients;                  /* that deliveries keep */

	struct map *held; /* by sequence */
	struct list renewals, ready, retries;
	struct lanes *lanes;
	struct heap parked;
	struct loop_timer *parked_timer;
	struct loop_task pump_task;
	size_t states[DELIVERY_STATES]; /* deliveries in each */
	size_t transfers;
	struct buf scratch;

	bool trusted;         /* what is held is known to be ours */
	int64_t asked_us;     /* monotonic: when the last tick asked Redis */
	int64_t alive_us;     /* and that of the last one that was answered */
	int64_t unrenewed_us; /* monotonic: since when renewals are refused; 0: not */
	bool log_full;        /* attempts:log is at its bound */
	bool lease_refused; /* Redis gave one no lease (it is full): to be found again */
	bool draining;

	struct intake intake;
	struct settle settle;
	struct gate gate;
	struct tally tally;
};

/* delivery.c: from the lease to the end */
struct delivery *delivery_new(struct worker *w, int64_t sequence, const char *entry_id);
struct delivery *delivery_find(struct worker *w, int64_t sequence);
/* The delivery as it is read from the database; takes r. */
void delivery_describe(struct delivery *d, struct recipient *r);
/* When its message came into the world: what it expires after. */
int64_t delivery_born_us(const struct recipient *r);
void delivery_granted(struct worker *w, struct delivery *d);
void delivery_park(struct worker *w, struct delivery *d, int64_t wait_ms);
/* Ends it here: *a is the last record (NULL: acknowledged unsent). */
void delivery_end(struct worker *w, struct delivery *d, const struct attempt *a);
/* Gone without a word: the entry stays whose it is. */
void delivery_forget(struct worker *w, struct delivery *d);
/* Are there places for more? */
size_t delivery_room(const struct worker *w);
/* And for what dead workers have left: there is some when there is none for new ones. */
size_t delivery_claim_room(const struct worker *w);
void delivery_set_state(struct worker *w, struct delivery *d, enum delivery_state state);
void delivery_pump(struct worker *w);
void delivery_wake_parked(struct worker *w);
/* Its attempts were taken back: it does not need the budget any more. */
void delivery_excused(struct worker *w, struct delivery *d);
/* Those whose minute at the head of their lane is over let the others go. */
void delivery_free_lanes(struct worker *w);
/* What is not being sent or settled; unseen_only: what the last scan did not find. */
void delivery_forget_idle(struct worker *w, bool unseen_only);

/* recipient.c: what the database says */
void recipient_open(struct worker *w);
void recipient_close(struct worker *w);
/* 1 *out (the caller's: recipient_free) is filled, 0 no such event, -1 the database
 * failed (it is closed then, and opened anew by a tick). All reads until recipient_end()
 * are of one snapshot. */
int recipient_read(struct worker *w, int64_t sequence, struct recipient **out);
void recipient_end(struct worker *w);                       /* before the loop waits */
void recipient_free(struct worker *w, struct recipient *r); /* NULL does nothing */
/* Why nothing is to be sent; REASON_NONE: it is. Pure. */
enum attempt_reason recipient_suppressed(const struct transport *t,
					 const struct recipient *r);
/* The devices that the ledger knows to have ended. -1 as above. */
int recipient_marks(struct worker *w, int64_t sequence, struct device_marks *out);

/* round.c: one try */
void round_start(struct worker *w, struct delivery *d);
/* Fills the record but for what came of the try. */
void round_describe(const struct worker *w, const struct delivery *d, struct attempt *a);

/* gate.c: may one more go? */
void gate_init(struct worker *w);
void gate_release(struct worker *w);
bool gate_is_open(struct worker *w);
bool gate_allows_retry(struct worker *w);
/* Pumps again when the gate opens by time. */
void gate_arm(struct worker *w);
/* The delivery goes: it is counted against the retry budget or for it. True: as the
 * breaker's probe. */
bool gate_start(struct worker *w, const struct delivery *d);
void gate_sent(struct worker *w); /* one message */
/* What came of it. */
enum blame gate_judge(struct worker *w, struct delivery *d, bool probe,
		      const struct transfer_result *result, const struct verdict *v);
/* A round ended that is to be tried again, by fault of `blame`. */
void gate_count(struct worker *w, struct delivery *d, enum blame blame);

/* lease.c */
void lease_ask(struct worker *w, struct delivery *d);
void lease_renew(struct worker *w);

/* intake.c */
void intake_init(struct worker *w);
void intake_begin(
	struct worker *w); /* the connection, the name and the database are there */
void intake_stop(struct worker *w);
void intake_want(struct worker *w);
void intake_claim(struct worker *w);

/* settle.c */
void settle_init(struct worker *w);
void settle_release(struct worker *w);
void settle_record(struct worker *w, const struct attempt *a);
/* The delivery is freed when this is confirmed. a may be NULL. */
void settle_end(struct worker *w, struct delivery *d, const struct attempt *a);
/* Acknowledges an entry that is no delivery; a (its only record) may be NULL. */
void settle_entry(struct worker *w, const char *entry_id, const struct attempt *a);
/* Gives a lease back, keeping the entry. */
void settle_lease(struct worker *w, const char *event_id);
void settle_resume(struct worker *w); /* the connection is up again */
bool settle_idle(const struct worker *w);

/* worker.c */
/* Is the last sign of Redis young enough to believe that what we hold is ours? */
bool worker_is_alive(const struct worker *w);
void worker_look_drained(struct worker *w);

#endif
