#include "store/rows.h"

#include <string.h>

#include "base/mem.h"

int rows_transaction(struct db_stmt *s, int column, struct transaction *t)
{
	t->key = db_int(s, column++);
	db_copy_text(s, column++, t->id, sizeof t->id);
	db_copy_text(s, column++, t->from, sizeof t->from);
	db_copy_text(s, column++, t->to, sizeof t->to);
	t->amount_minor = db_int(s, column++);
	db_copy_text(s, column++, t->currency, sizeof t->currency);
	db_copy_text(s, column++, t->description, sizeof t->description);
	db_copy_text(s, column++, t->metadata, sizeof t->metadata);
	t->created_us = db_int(s, column++);
	t->first_event = db_int(s, column++);
	t->event_count = (int)db_int(s, column++);
	return column;
}

int rows_event(struct db_stmt *s, int column, struct event *ev)
{
	const char *from, *to;

	ev->sequence = db_int(s, column++);
	db_copy_text(s, column++, ev->id, sizeof ev->id);
	db_copy_text(s, column++, ev->user_id, sizeof ev->user_id);
	ev->direction = db_int(s, column++) == 0 ? DIRECTION_CREDIT : DIRECTION_DEBIT;
	ev->balance_minor = db_int(s, column++);
	db_copy_text(s, column++, ev->transaction_id, sizeof ev->transaction_id);
	from = db_text(s, column++);
	to = db_text(s, column++);
	mem_copy_text(ev->counterparty, sizeof ev->counterparty,
		      ev->direction == DIRECTION_CREDIT ? from : to);
	ev->amount_minor = db_int(s, column++);
	db_copy_text(s, column++, ev->currency, sizeof ev->currency);
	db_copy_text(s, column++, ev->description, sizeof ev->description);
	ev->time_us = db_int(s, column++);
	return column;
}

int rows_user(struct db_stmt *s, int column, struct user *u)
{
	struct problem ignored;

	memset(u, 0, sizeof *u);
	db_copy_text(s, column++, u->id, sizeof u->id);
	db_copy_text(s, column++, u->name, sizeof u->name);
	db_copy_text(s, column++, u->email, sizeof u->email);
	db_copy_text(s, column++, u->phone, sizeof u->phone);
	db_copy_text(s, column++, u->locale, sizeof u->locale);
	db_copy_text(s, column++, u->timezone, sizeof u->timezone);
	/* We wrote it, so it decodes; most users have none. */
	if (db_bytes(s, column) > 2)
		preferences_decode(u, db_text(s, column), db_bytes(s, column), &ignored);
	column++;
	u->created_us = db_int(s, column++);
	u->updated_us = db_int(s, column++);
	return column;
}

int rows_device(struct db_stmt *s, int column, struct device *d)
{
	int kind;

	d->key = db_int(s, column++);
	db_copy_text(s, column++, d->id, sizeof d->id);
	db_copy_text(s, column++, d->user_id, sizeof d->user_id);
	kind = device_kind_parse(db_text(s, column++));
	d->kind = kind < 0 ? DEVICE_FCM : (enum device_kind)kind;
	db_copy_text(s, column++, d->token, sizeof d->token);
	d->created_us = db_int(s, column++);
	return column;
}

int rows_attempt(struct db_stmt *s, int column, struct attempt *a)
{
	int status, reason;

	memset(a, 0, sizeof *a);
	db_copy_text(s, column++, a->event_id, sizeof a->event_id);
	db_copy_text(s, column++, a->user_id, sizeof a->user_id);
	a->sequence = db_int(s, column++);
	db_copy_text(s, column++, a->channel, sizeof a->channel);
	db_copy_text(s, column++, a->device_id, sizeof a->device_id);
	a->started_us = db_int(s, column++);
	db_copy_text(s, column++, a->worker, sizeof a->worker);
	a->attempt = (int)db_int(s, column++);
	status = attempt_status_parse(db_text(s, column++));
	a->status = status < 0 ? ATTEMPT_FAILED : (enum attempt_status)status;
	a->final = db_int(s, column++) != 0;
	reason = attempt_reason_parse(db_text(s, column++));
	a->reason = reason < 0 ? REASON_NONE : (enum attempt_reason)reason;
	db_copy_text(s, column++, a->provider, sizeof a->provider);
	db_copy_text(s, column++, a->provider_id, sizeof a->provider_id);
	a->code = (int)db_int(s, column++);
	a->took_us = db_int(s, column++);
	a->next_at_us = db_int(s, column++);
	a->late = db_int(s, column++) != 0;
	return column;
}
