#include "cli/line.h"

#include <string.h>

#include "cli/tree.h"

#define USER_WIDTH   12
#define KIND_WIDTH   7 /* "payment", "email" */
#define STATUS_WIDTH 10

static void begin(struct ink *k, int64_t at_us, bool date, const char *user_id,
		  const char *kind)
{
	char time[INK_TIME_SIZE];

	ink_text(k, TINT_DIM, ink_time(time, at_us, date));
	ink_raw(k, "  ");
	ink_cell(k, TINT_STRONG, user_id, USER_WIDTH);
	ink_raw(k, "  ");
	ink_cell(k, TINT_NONE, kind, KIND_WIDTH);
	ink_raw(k, "  ");
}

void line_event(struct ink *k, const struct event *ev, bool date)
{
	bool credit = ev->direction == DIRECTION_CREDIT;
	char money[MONEY_TEXT_SIZE];

	begin(k, ev->time_us, date, ev->user_id, "payment");
	ink_raw(k, credit ? "+" : "-");
	ink_text(k, TINT_STRONG, money_format(money, ev->amount_minor, ev->currency));
	ink_raw(k, " ");
	ink_text(k, TINT_NONE, ev->currency);
	ink_raw(k, credit ? " from " : " to ");
	ink_text(k, TINT_NONE,
		 ev->counterparty[0] != '\0' ? ev->counterparty : "(outside)");
	ink_raw(k, ", balance ");
	ink_text(k, TINT_NONE, money_format(money, ev->balance_minor, ev->currency));
	ink_raw(k, "  ");
	ink_text(k, TINT_DIM, ev->transaction_id);
	if (ev->description[0] != '\0') {
		ink_raw(k, "  \"");
		ink_text(k, TINT_NONE, ev->description);
		ink_raw(k, "\"");
	}
	ink_raw(k, "\n");
}

static void add_origin(struct ink *k, const struct attempt *a)
{
	if (a->provider[0] != '\0') {
		ink_raw(k, "  ");
		ink_text(k, TINT_NONE, a->provider);
	}
	if (a->code != 0)
		ink_rawf(k, "%s%d", a->provider[0] != '\0' ? " " : "  ", a->code);
	if (a->reason != REASON_NONE)
		ink_rawf(k, "  %s", attempt_reason_name(a->reason));
	if (a->attempt > 1)
		ink_rawf(k, "  attempt %d", a->attempt);
	if (a->late)
		ink_raw(k, "  late");
}

void line_attempt(struct ink *k, const struct attempt *a)
{
	const char *status = attempt_status_name(a->status);
	char text[INK_SPAN_SIZE];

	begin(k, a->started_us + a->took_us, false, a->user_id, a->channel);
	ink_text(k, tree_tint(status), tree_sign(status));
	ink_raw(k, " ");
	ink_cell(k, tree_tint(status), status, STATUS_WIDTH);
	ink_rawf(k, "  in %s", ink_span(text, a->took_us));
	add_origin(k, a);
	if (a->next_at_us > 0)
		ink_rawf(k, "  next at %s", ink_time(text, a->next_at_us, false));
	ink_raw(k, "  ");
	ink_text(k, TINT_DIM, a->device_id[0] != '\0' ? a->device_id : a->event_id);
	ink_raw(k, "\n");
}
