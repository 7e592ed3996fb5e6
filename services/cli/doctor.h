/* The inside of `paybell doctor`, for the files doctor*.c only.
 *
 * doctor_ledger.c asks the database, doctor_money.c adds up, doctor_redis.c asks Redis;
 * what they find goes through doctor_found() into the report (doctor_report.c). One
 * thread. */
#ifndef PAYBELL_CLI_DOCTOR_H
#define PAYBELL_CLI_DOCTOR_H

#include "app/bus.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "store/proof.h"

enum doctor_check {
	DOCTOR_SEQUENCE,
	DOCTOR_COUNTS,
	DOCTOR_FINALS,
	DOCTOR_MONEY,
	DOCTOR_PLACED,
	DOCTOR_CURSORS,
	DOCTOR_WORKERS,
	DOCTOR_LOG,
	DOCTOR_PENDING,
	DOCTOR_CHECKS
};

#define DOCTOR_LISTED 20
#define DOCTOR_LINE   240

struct doctor_findings {
	char summary[DOCTOR_LINE];              /* what was looked at, when all is well */
	char lines[DOCTOR_LISTED][DOCTOR_LINE]; /* the first ones */
	int64_t count;
	char failed[DOCTOR_LINE]; /* why it could not be looked at; "" */
};

struct doctor_channel {
	char name[CHANNEL_NAME_MAX + 1];
	int64_t first_event;
	struct proof_counts counts;
	int64_t entries; /* in its stream; -1: not known */
};

struct doctor {
	struct cli *cli;
	struct store store;
	struct proof *proof;
	struct bus bus;
	int64_t head; /* events up to here are looked at */
	struct doctor_channel channels[BUS_CHANNELS_MAX];
	int channel_count;
	struct doctor_findings checks[DOCTOR_CHECKS];
	struct progress progress;
};

/* doctor_ledger.c. -1: the database failed. */
int doctor_ledger(struct doctor *d, struct err *e);
/* doctor_redis.c: what it cannot look at it says in the report. */
void doctor_redis(struct doctor *d);

/* doctor_report.c */
void doctor_found(struct doctor *d, enum doctor_check check, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void doctor_failed(struct doctor *d, enum doctor_check check, const struct err *e);
void doctor_summary(struct doctor *d, enum doctor_check check, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void doctor_forget(struct doctor *d, enum doctor_check check); /* to look again */
/* All checks were made and found nothing. */
bool doctor_is_well(const struct doctor *d);
void doctor_print(struct doctor *d);
void doctor_print_json(struct doctor *d);

#endif
