#include "io/redis_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PORT = 6379, PORT_MAX = 65535, DB_MAX = 65535 };

static int parse_unix(struct redis_url *u, const char *text, struct err *e);
static int parse_tcp(struct redis_url *u, const char *text, struct err *e);
static int parse_credentials(struct redis_url *u, const char *text, size_t len,
			     struct err *e);
static int parse_host(struct redis_url *u, const char *text, size_t len, struct err *e);
static int parse_number(int *out, const char *text, size_t len, int max);
static int unescape(char *out, size_t size, const char *text, size_t len);
static int copy(char *out, size_t size, const char *text, size_t len);

int redis_url_parse(struct redis_url *u, const char *text, struct err *e)
{
	*u = (struct redis_url){.port = DEFAULT_PORT};
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(u, text + 5, e);
	if (strncmp(text, "redis://", 8) == 0)
		return parse_tcp(u, text + 8, e);
	return err_set(
		e, ERR_INVALID,
		"a Redis URL begins with redis:// or unix:/ (there is no TLS here)");
}

const char *redis_url_address(char out[REDIS_URL_ADDRESS_SIZE], const struct redis_url *u)
{
	if (u->path[0] != '\0')
		snprintf(out, REDIS_URL_ADDRESS_SIZE, "%s", u->path);
	else if (strchr(u->host, ':') != NULL)
		snprintf(out, REDIS_URL_ADDRESS_SIZE, "[%s]:%d", u->host, u->port);
	else
		snprintf(out, REDIS_URL_ADDRESS_SIZE, "%s:%d", u->host, u->port);
	return out;
}

static int parse_unix(struct redis_url *u, const char *text, struct err *e)
{
	size_t path_len = strcspn(text, "?");
	const char *query = text + path_len;

	if (strncmp(text, "///", 3) == 0) { /* unix:///path is the same */
		text += 2;
		path_len -= 2;
	}
	if (path_len < 2 || text[0] != '/' || text[1] == '/')
		return err_set(
			e, ERR_INVALID,
			"a unix: Redis URL names an absolute path: unix:/run/redis.sock");
	if (copy(u->path, sizeof(u->path), text, path_len) < 0)
		return err_set(e, ERR_INVALID,
			       "the path of a Redis socket has at most %d bytes",
			       REDIS_URL_PATH_SIZE - 1);
	if (*query == '\0')
		return 0;
	if (strncmp(query, "?db=", 4) != 0 ||
	    parse_number(&u->db, query + 4, strlen(query + 4), DB_MAX) < 0)
		return err_set(
			e, ERR_INVALID,
			"behind the path of a Redis socket only ?db=<0 to %d> is known",
			DB_MAX);
	return 0;
}

static int parse_tcp(struct redis_url *u, const char *text, struct err *e)
{
	size_t len = strcspn(text, "/?#");
	const char *rest = text + len;
	const char *at = memchr(text, '@', len);

	if (at != NULL) {
		if (parse_credentials(u, text, (size_t)(at - text), e) < 0)
			return -1;
		len -= (size_t)(at + 1 - text);
		text = at + 1;
	}
	if (parse_host(u, text, len, e) < 0)
		return -1;
	if (strcmp(rest, "") == 0 || strcmp(rest, "/") == 0)
		return 0;
	if (rest[0] != '/' ||
	    parse_number(&u->db, rest + 1, strlen(rest + 1), DB_MAX) < 0)
		return err_set(
			e, ERR_INVALID,
			"behind the host of a Redis URL only /<0 to %d> is known "
			"(in a password / is %%2F, ? is %%3F, # is %%23, @ is %%40)",
			DB_MAX);
	return 0;
}

static int parse_credentials(struct redis_url *u, const char *text, size_t len,
			     struct err *e)
{
	const char *colon = memchr(text, ':', len);

	if (colon == NULL)
		return err_set(e, ERR_INVALID,
			       "a Redis URL has user:password or :password before the @");
	if (unescape(u->user, sizeof(u->user), text, (size_t)(colon - text)) < 0)
		return err_set(e, ERR_INVALID,
			       "the user in a Redis URL is not well-formed");
	if (unescape(u->password, sizeof(u->password), colon + 1,
		     len - (size_t)(colon + 1 - text)) < 0)
		return err_set(e, ERR_INVALID,
			       "the password in a Redis URL is not well-formed");
	if (u->password[0] == '\0' && u->user[0] != '\0')
		return err_set(e, ERR_INVALID,
			       "a Redis URL with a user needs a password");
	return 0;
}

static int parse_host(struct redis_url *u, const char *text, size_t len, struct err *e)
{
	const char *end = text + len, *host_end;

	if (len > 0 && *text == '[') {
		text++;
		host_end = memchr(text, ']', (size_t)(end - text));
		if (host_end == NULL)
			return err_set(e, ERR_INVALID, "a Redis URL has [ without ]");
	} else {
		host_end = memchr(text, ':', len);
		if (host_end == NULL)
			host_end = end;
	}
	if (host_end == text ||
	    copy(u->host, sizeof(u->host), text, (size_t)(host_end - text)) < 0)
		return err_set(e, ERR_INVALID,
			       "a Redis URL needs a host of 1 to %d bytes",
			       REDIS_URL_PART_SIZE - 1);
	if (host_end < end && *host_end == ']')
		host_end++;
	if (host_end == end)
		return 0;
	if (*host_end != ':' ||
	    parse_number(&u->port, host_end + 1, (size_t)(end - host_end - 1), PORT_MAX) <
		    0 ||
	    u->port == 0)
		return err_set(e, ERR_INVALID, "the port in a Redis URL is 1 to %d",
			       PORT_MAX);
	return 0;
}

static int parse_number(int *out, const char *text, size_t len, int max)
{
	int value = 0;

	if (len == 0 || len > 5)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	if (value > max)
		return -1;
	*out = value;
	return 0;
}

/* %XX to bytes. A NUL cannot stand in what is text from here on. */
static int unescape(char *out, size_t size, const char *text, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			char hex[3], *end;

			if (len - i < 3)
				return -1;
			memcpy(hex, text + i + 1, 2);
			hex[2] = '\0';
			c = (char)strtol(hex, &end, 16);
			if (end != hex + 2 || hex[0] == '+' || hex[0] == '-' ||
			    hex[0] == ' ')
				return -1;
			i += 2;
		}
		if (c == '\0' || used + 1 >= size)
			return -1;
		out[used++] = c;
	}
	out[used] = '\0';
	return 0;
}

static int copy(char *out, size_t size, const char *text, size_t len)
{
	if (len >= size || memchr(text, '\0', len) != NULL)
		return -1;
	memcpy(out, text, len);
	out[len] = '\0';
	return 0;
}
