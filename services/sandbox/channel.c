#include "sandbox/channel.h"

#include <string.h>

static const char *const names[CHANNEL_COUNT] = {
	[CHANNEL_PUSH] = "push",
	[CHANNEL_EMAIL] = "email",
	[CHANNEL_SMS] = "sms",
};

const char *channel_name(enum channel c)
{
	return names[c];
}

int channel_parse(const char *name)
{
	for (int c = 0; c < CHANNEL_COUNT; c++)
		if (strcmp(name, names[c]) == 0)
			return c;
	return -1;
}
