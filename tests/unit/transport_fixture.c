#include "transport_fixture.h"

#include <string.h>

#include "base/mem.h"

/* A process keeps its settings' texts for ever; a test does not. */
void transport_state_free(const struct transport *t, void *state)
{
	for (const struct setting *s = t->settings; s->name; s++) {
		if (s->kind == SETTING_TEXT || s->kind == SETTING_SECRET ||
		    s->kind == SETTING_WORD)
			mem_free(*(char **)((char *)state + s->offset));
	}
	mem_free(state);
}

void *transport_state(const struct transport *t, const char *const *environment,
		      struct err *e)
{
	void *state = mem_alloc(t->state_size);
	const struct setting_table tables[] = {{t->settings, state}, {NULL, NULL}};
	char name[] = "test";
	char *argv[] = {name, NULL};

	if (config_load(tables, 1, argv, (char **)environment, NULL, e) == 0 &&
	    (!t->check || t->check(state, e) == 0))
		return state;
	transport_state_free(t, state);
	return NULL;
}

struct recipient *transport_recipient(void)
{
	static struct recipient r;

	memset(&r, 0, sizeof(r));
	r.event = (struct event){.sequence = 42,
				 .id = "evt_01M8697R0500000003BDDDHX0G",
				 .transaction_id = "txn_01M8697R0500000003ZG6YYWMF",
				 .user_id = "alice",
				 .counterparty = "bob",
				 .direction = DIRECTION_DEBIT,
				 .amount_minor = 1500,
				 .balance_minor = 8500,
				 .currency = "USD",
				 .description = "Lunch",
				 .time_us = 1768728600123456};
	r.user = (struct user){.id = "alice",
			       .name = "Alice",
			       .email = "alice@example.org",
			       .phone = "+15550000001"};
	r.device_count = 1;
	r.devices[0] = (struct device){.id = "dev_01M8697QZT00000001PPY6R8MN",
				       .user_id = "alice",
				       .token = "device-token"};
	return &r;
}

struct message transport_message(const struct recipient *r)
{
	return (struct message){.recipient = r,
				.device = &r->devices[0],
				.key = "evt_01M8697R0500000003BDDDHX0G.test",
				.locale = "en",
				.parts = {"one", "two", "three"},
				.attempt = 1};
}

struct verdict transport_judge(const struct transport *t, void *state, int status,
			       const char *body)
{
	const struct transfer_result result = {.outcome = TRANSFER_ANSWERED,
					       .status = status,
					       .body = body,
					       .body_len = strlen(body),
					       .retry_after_s = -1};
	struct verdict v = {.code = status, .retry_after_s = -1};

	t->judge(state, &result, &v);
	return v;
}
