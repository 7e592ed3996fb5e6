/* A session fed whole and one byte at a time says the same, takes the same messages, and
 * gives back all of its budget. */
#include <string.h>

#include "fuzz.h"
#include "sandbox/smtp_session.h"

struct transcript {
	struct buf said, messages;
};

static void take_message(struct smtp_session *s, struct transcript *t)
{
	fuzz_require(s->recipient_count > 0, "a message has a recipient");
	fuzz_require(s->data.len <= s->settings->max_message_bytes, "it fits");
	buf_addf(&t->messages, "%s>%s:", s->sender, buf_text(&s->recipients));
	buf_add(&t->messages, buf_text(&s->data), s->data.len);
	if (smtp_session_finish(s, 250, "2.0.0 Ok"))
		fuzz_require(false, "250 does not close");
}

static void feed(const char *bytes, size_t len, size_t step, struct transcript *t)
{
	const struct smtp_settings settings = {.hostname = "h",
					       .user = "u",
					       .password = "p",
					       .max_message_bytes = 2048,
					       .max_recipients = 3};
	struct smtp_budget budget = {0, 3000};
	struct smtp_session s;
	enum smtp_event event = SMTP_MORE;

	buf_init(&t->said, 1 << 20);
	buf_init(&t->messages, 1 << 20);
	smtp_session_init(&s, &settings, &budget);
	s.authenticated = len > 0 && (bytes[0] & 1);
	while (len > 0 && event != SMTP_CLOSE) {
		size_t used, piece = len < step ? len : step;

		event = smtp_session_input(&s, bytes, piece, &used);
		fuzz_require(used <= piece, "no more is taken than given");
		fuzz_require(event != SMTP_MORE || used == piece, "all is taken");
		if (event == SMTP_MESSAGE)
			take_message(&s, t);
		bytes += used;
		len -= used;
		buf_add(&t->said, buf_text(&s.out), s.out.len);
		buf_clear(&s.out);
	}
	smtp_session_release(&s);
	fuzz_require(budget.used == 0, "the budget is given back");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct transcript whole, single;

	if (size > 16384) /* so that no reply is dropped in one piece only */
		return 0;
	feed((const char *)data, size, size, &whole);
	feed((const char *)data, size, 1, &single);
	fuzz_require(strcmp(buf_text(&whole.said), buf_text(&single.said)) == 0,
		     "the replies are the same");
	fuzz_require(whole.messages.len == single.messages.len &&
			     memcmp(buf_text(&whole.messages), buf_text(&single.messages),
				    whole.messages.len) == 0,
		     "the messages are the same");
	buf_release(&whole.said);
	buf_release(&whole.messages);
	buf_release(&single.said);
	buf_release(&single.messages);
	return 0;
}
