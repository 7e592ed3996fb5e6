#include "backend/timeline.h"

#include <string.h>

#include "base/mem.h"

/* The attempts of one event, gathered: they come ordered by channel. */
struct gathered {
	struct attempt *attempts;
	int count;
};

static void gather(void *arg, const struct attempt *a)
{
	struct gathered *g = arg;

	if ((g->count & (g->count - 1)) == 0)
		g->attempts =
			mem_resize(g->attempts, g->count == 0 ? 1 : 2 * (size_t)g->count,
				   sizeof *g->attempts);
	g->attempts[g->count++] = *a;
}

static void put_attempts(struct json_writer *w, const struct gathered *g,
			 const char *channel)
{
	struct buf record;

	buf_init(&record, ATTEMPT_ENCODED_MAX);
	json_open(w, "attempts", '[');
	for (int i = 0; i < g->count; i++) {
		if (strcmp(g->attempts[i].channel, channel) != 0)
			continue;
		buf_clear(&record);
		attempt_encode(&g->attempts[i], &record);
		json_put_raw(w, NULL, record.data, record.len);
	}
	json_close(w, ']');
	buf_release(&record);
}

/* How the channel stands is the delivery's to say: the attempts of before a replay have
 * an end of their own among them. */
static int put_channel(struct books *b, int64_t sequence, struct json_writer *w,
		       const struct gathered *g, const char *channel, struct err *e)
{
	struct standing s;

	if (deliveries_standing(b->deliveries, sequence, channel, &s, e) < 0)
		return -1;
	json_open(w, channel, '{');
	json_put_text(w, "status",
		      s.status < 0 ? "open"
				   : attempt_status_name((enum attempt_status)s.status));
	if (s.replayed_us > 0)
		json_put_int(w, "replayed_us", s.replayed_us);
	put_attempts(w, g, channel);
	json_close(w, '}');
	return 0;
}

static bool is_configured(const struct bus_channels *channels, const char *channel)
{
	for (int i = 0; i < channels->count; i++) {
		if (strcmp(channels->names[i], channel) == 0)
			return true;
	}
	return false;
}

/* Channels that are configured, and those that were once and have attempts. */
static int put_channels(struct books *b, int64_t sequence, struct json_writer *w,
			const struct gathered *g, const struct bus_channels *channels,
			struct err *e)
{
	json_open(w, "channels", '{');
	for (int i = 0; i < channels->count; i++) {
		if (put_channel(b, sequence, w, g, channels->names[i], e) < 0)
			return -1;
	}
	for (int i = 0; i < g->count; i++) {
		const char *channel = g->attempts[i].channel;
		bool seen = i > 0 && strcmp(g->attempts[i - 1].channel, channel) == 0;

		if (!seen && !is_configured(channels, channel) &&
		    put_channel(b, sequence, w, g, channel, e) < 0)
			return -1;
	}
	json_close(w, '}');
	return 0;
}

static int put_event(struct books *b, int64_t sequence,
		     const struct bus_channels *channels, struct json_writer *w,
		     struct err *e)
{
	struct gathered g = {0};
	char text[EVENT_SEQUENCE_SIZE];
	struct event ev;
	int rc = events_one(b->events, sequence, &ev, e);

	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "event %lld is not there",
			       (long long)sequence);
	if (rc < 0 || deliveries_attempts(b->deliveries, sequence, gather, &g, e) < 0) {
		mem_free(g.attempts);
		return -1;
	}
	sequence_format(text, sequence);
	json_open(w, NULL, '{');
	json_put_text(w, "event_id", ev.id);
	json_put_text(w, "sequence", text);
	json_put_text(w, "user_id", ev.user_id);
	json_put_text(w, "direction", direction_name(ev.direction));
	rc = put_channels(b, sequence, w, &g, channels, e);
	json_close(w, '}');
	mem_free(g.attempts);
	return rc;
}

static int put_times(struct books *b, const struct transaction *t, struct json_writer *w,
		     struct err *e)
{
	int64_t committed_us, published_us;

	if (deliveries_times(b->deliveries, t->first_event + t->event_count - 1,
			     &committed_us, &published_us, e) < 0)
		return -1;
	json_open(w, "timeline", '{');
	json_put_int(w, "accepted_us", t->created_us);
	if (committed_us > 0)
		json_put_int(w, "committed_us", committed_us);
	if (published_us > 0)
		json_put_int(w, "published_us", published_us);
	json_close(w, '}');
	return 0;
}

int timeline_encode(struct books *b, const struct transaction *t,
		    const struct bus_channels *channels, struct buf *out, struct err *e)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	transaction_put(&w, t);
	if (put_times(b, t, &w, e) < 0)
		return -1;
	json_open(&w, "events", '[');
	for (int i = 0; i < t->event_count; i++) {
		if (put_event(b, t->first_event + i, channels, &w, e) < 0)
			return -1;
	}
	json_close(&w, ']');
	json_close(&w, '}');
	return 0;
}
