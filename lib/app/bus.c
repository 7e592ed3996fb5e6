#include "app/bus.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Names are made for every message, so not by snprintf. Cut at the end of `out`; the
 * parts' limits add up to less. */
static size_t append(struct bus_name *out, size_t at, const char *text)
{
	size_t len = strlen(text);

	if (len > sizeof(out->text) - 1 - at)
		len = sizeof(out->text) - 1 - at;
	memcpy(out->text + at, text, len);
	out->text[at + len] = '\0';
	return at + len;
}

static const char *name(struct bus_name *out, const struct bus *b, const char *kind,
			const char *first, const char *second)
{
	size_t at = append(out, append(out, 0, b->prefix), kind);

	if (first)
		at = append(out, append(out, at, ":"), first);
	if (second)
		append(out, append(out, at, ":"), second);
	return out->text;
}

void bus_init(struct bus *b, const char *prefix)
{
	mem_copy_text(b->prefix, sizeof(b->prefix), prefix);
	name(&b->transactions, b, "transactions", NULL, NULL);
	name(&b->head, b, "transactions", "head", NULL);
	name(&b->deliveries, b, "deliveries", NULL, NULL);
	name(&b->attempts_log, b, "attempts", "log", NULL);
	name(&b->reads_log, b, "reads", "log", NULL);
}

const char *bus_queue(struct bus_name *out, const struct bus *b, const char *channel)
{
	return name(out, b, "queue", channel, NULL);
}

const char *bus_cursor(struct bus_name *out, const struct bus *b, const char *channel)
{
	return name(out, b, "cursor", channel, NULL);
}

const char *bus_lease(struct bus_name *out, const struct bus *b, const char *channel,
		      const char *event_id)
{
	return name(out, b, "lease", channel, event_id);
}

const char *bus_instance(struct bus_name *out, const struct bus *b, const char *channel,
			 const char *consumer)
{
	return name(out, b, "instance", channel, consumer);
}

const char *bus_presence(struct bus_name *out, const struct bus *b, const char *user_id)
{
	return name(out, b, "presence", user_id, NULL);
}

const char *bus_audit(struct bus_name *out, const struct bus *b, const char *channel,
		      const char *witness)
{
	return name(out, b, "audit", channel, witness);
}

/* One name of the list, blanks around it gone; it is at most `size` - 1 bytes long. */
static int take_name(char *out, size_t size, const char *text, size_t len, struct err *e)
{
	while (len > 0 && *text == ' ') {
		text++;
		len--;
	}
	while (len > 0 && text[len - 1] == ' ')
		len--;
	if (len >= size)
		return err_set(e, ERR_INVALID, "a channel's name has at most %d bytes",
			       CHANNEL_NAME_MAX);
	memcpy(out, text, len);
	out[len] = '\0';
	if (!channel_name_valid(out))
		return err_set(e, ERR_INVALID,
			       "a channel's name is a letter a-z, then letters a-z and "
			       "digits, at most %d",
			       CHANNEL_NAME_MAX);
	if (strcmp(out, BUS_LIVE) == 0)
		return err_set(e, ERR_INVALID, "\"%s\" cannot be a channel's name",
			       BUS_LIVE);
	return 0;
}

static bool is_among(const struct bus_channels *channels, const char *wanted)
{
	for (int i = 0; i < channels->count; i++) {
		if (strcmp(channels->names[i], wanted) == 0)
			return true;
	}
	return false;
}

int bus_channels_parse(struct bus_channels *out, const char *text, struct err *e)
{
	out->count = 0;
	for (;;) {
		char *into;
		size_t len = strcspn(text, ",");

		if (out->count == BUS_CHANNELS_MAX)
			return err_set(e, ERR_INVALID, "there are at most %d channels",
				       BUS_CHANNELS_MAX);
		into = out->names[out->count];
		if (take_name(into, sizeof(out->names[0]), text, len, e) < 0)
			return -1;
		if (is_among(out, into))
			return err_set(e, ERR_INVALID, "channel %s is there twice", into);
		out->count++;
		if (text[len] == '\0')
			return 0;
		text += len + 1;
	}
}
