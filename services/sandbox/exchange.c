#include "sandbox/exchange.h"

#include <string.h>
#include <strings.h>

/* Escaped six times over, and the fields around it. */
#define ANSWER_MAX (EXCHANGE_BODY_MAX * 8)

void exchange_init(struct exchange *x)
{
	memset(x, 0, sizeof(*x));
	buf_init(&x->answer, ANSWER_MAX);
	buf_init(&x->id, EXCHANGE_BODY_MAX);
	buf_init(&x->to, EXCHANGE_BODY_MAX);
	buf_init(&x->from, EXCHANGE_BODY_MAX);
	buf_init(&x->key, EXCHANGE_BODY_MAX);
	buf_init(&x->text, ANSWER_MAX);
}

void exchange_release(struct exchange *x)
{
	buf_release(&x->answer);
	buf_release(&x->id);
	buf_release(&x->to);
	buf_release(&x->from);
	buf_release(&x->key);
	buf_release(&x->text);
}

void exchange_begin(struct exchange *x)
{
	x->name = "";
	x->authorization = NULL;
	x->content_type = NULL;
	x->body = "";
	x->body_len = 0;
	x->now_us = 0;
	x->status = 0;
	x->accepted = false;
	x->reason[0] = '\0';
	x->record = (struct record){0};
	buf_clear(&x->answer);
	buf_clear(&x->id);
	buf_clear(&x->to);
	buf_clear(&x->from);
	buf_clear(&x->key);
	buf_clear(&x->text);
}

bool exchange_is_type(const struct exchange *x, const char *type)
{
	size_t len = strlen(type);

	if (x->content_type == NULL || strncasecmp(x->content_type, type, len) != 0)
		return false;
	return x->content_type[len] == '\0' || strchr("; \t", x->content_type[len]);
}

const char *exchange_credentials(const struct exchange *x, const char *scheme)
{
	size_t len = strlen(scheme);
	const char *at = x->authorization;

	if (at == NULL || strncasecmp(at, scheme, len) != 0 || at[len] != ' ')
		return NULL;
	at += len;
	return at + strspn(at, " ");
}
