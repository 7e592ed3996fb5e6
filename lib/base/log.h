/* One line an event, logfmt, on stderr: a dotted name to grep for, then fields.
 *
 *   log_info("deliver.ok", "event=%s attempt=%d took_ms=%lld", id, attempt, took_ms);
 *   ts=2026-01-18T09:30:00.123456Z level=info service=push msg=deliver.ok event=…
 *
 * One write(2) a line, so processes can share a pipe.
 *
 * After the level come service=, msg=<dotted name> and the caller's fields. Control
 * characters (C0, DEL, C1) and invalid UTF-8 become \xNN, so that nothing from outside
 * can forge a line; text from outside goes through log_quote(). Lines are cut at 2,048
 * bytes. Any thread. Secrets and contact data never pass. */
#ifndef PAYBELL_BASE_LOG_H
#define PAYBELL_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Before the threads start. service is borrowed for ever (a literal). */
void log_init(const char *service, enum log_level least);
bool log_level_parse(const char *word, enum log_level *out); /* debug info warn error */

void log_write(enum log_level level, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#define LOG_QUOTE_SIZE 256
struct log_quote {
	char text[LOG_QUOTE_SIZE];
};
/* Text from outside as one quoted logfmt value: "a \"b\" \x0a"; cut to fit. Returns
 * q->text. NULL gives "". */
const char *log_quote(struct log_quote *q, const char *text);

/* Says the same thing at most once every `every_ms`: true when it is time; and *swallowed
 * is how often it was not since the last time. Start with zeroes; the caller's storage,
 * one thread at a time. */
struct log_limit {
	long long last_us;
	unsigned swallowed;
};
bool log_limit_pass(struct log_limit *l, int every_ms, unsigned *swallowed);

#endif
