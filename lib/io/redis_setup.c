#include "io/redis_setup.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "io/redis_args.h"

struct sink {
	struct redis_args *words;
	struct buf *out;
};

static void step(struct redis_setup *s, struct sink to, const char *first, ...)
	__attribute__((sentinel));

/* PING is among them because it alone is refused by a server that is loading or has lost
 * its master. */
void redis_setup_begin(struct redis_setup *s, const struct redis_url *url,
		       const char *client_name, struct redis_args *words, struct buf *out)
{
	struct sink to = {words, out};

	*s = (struct redis_setup){0};
	if (url->password[0] != '\0' && url->user[0] != '\0')
		step(s, to, "AUTH", url->user, url->password, NULL);
	else if (url->password[0] != '\0')
		step(s, to, "AUTH", url->password, NULL);
	if (url->db != 0) {
		char db[12];

		snprintf(db, sizeof(db), "%d", url->db);
		step(s, to, "SELECT", db, NULL);
	}
	if (client_name[0] != '\0')
		step(s, to, "CLIENT", "SETNAME", client_name, NULL);
	step(s, to, "PING", NULL);
}

bool redis_setup_done(const struct redis_setup *s)
{
	return s->done == s->count;
}

int redis_setup_take(struct redis_setup *s, const struct redisReply *reply, struct err *e)
{
	if (redis_is_error(reply, ""))
		return err_set(e, ERR_IO, "%s: %s", s->steps[s->done],
			       redis_text(reply, NULL));
	s->done++;
	return redis_setup_done(s);
}

static void step(struct redis_setup *s, struct sink to, const char *first, ...)
{
	va_list args;

	assert(s->count < REDIS_SETUP_MAX);
	redis_args_clear(to.words);
	va_start(args, first);
	for (const char *word = first; word != NULL; word = va_arg(args, const char *))
		redis_args_text(to.words, word);
	va_end(args);
	redis_args_encode(to.words, to.out);
	s->steps[s->count++] = first;
}
