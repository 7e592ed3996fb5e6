#include "io/http_guard.h"

#include <stdio.h>
#include <strings.h>

void http_guard_see(struct http_guard *g, const char *name, const char *value)
{
	if (strcasecmp(name, "Content-Length") == 0) {
		g->lengths++;
		if (value != NULL && sscanf(value, "%20llu", &g->length) != 1)
			g->length = 0; /* libmicrohttpd has refused what is no number */
	} else if (strcasecmp(name, "Transfer-Encoding") == 0) {
		g->codings++;
		g->chunked = value != NULL && strcasecmp(value, "chunked") == 0;
	}
}

int http_guard_judge(const struct http_guard *g, size_t max_body_bytes)
{
	if (g->lengths + g->codings > 1 || (g->codings == 1 && !g->chunked))
		return 400;
	return g->length > max_body_bytes ? 413 : 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t http_guard_unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; out++) {
		int high = *in == '%' ? hex(in[1]) : -1;
		int low = high >= 0 ? hex(in[2]) : -1;

		if (low >= 0 && high * 16 + low > 0) {
			*out = (char)(high * 16 + low);
			in += 3;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
	return (size_t)(out - text);
}
