#include "cli/since.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/setting.h"

#define DAY_MS   (24LL * 3600 * 1000)
#define DAYS_MAX 3650

int since_parse(const char *text, int64_t now_us, int64_t *at_us, struct err *e)
{
	static const struct setting ago = {"since", SETTING_DURATION,  0,    NULL,
					   0,       DAYS_MAX * DAY_MS, NULL, NULL};
	struct log_quote quoted;
	int64_t ago_ms;
	struct buf why;
	bool good;

	if (clock_parse_rfc3339(text, at_us) == 0)
		return 0;
	buf_init(&why, sizeof e->text);
	good = setting_read(&ago, text, &ago_ms, &why);
	buf_release(&why);
	if (!good)
		return err_set(e, ERR_INVALID,
			       "%s is no time: say how long ago, like 2h or 3d (at most "
			       "%dd), or when, like 2026-01-18T09:30:00Z",
			       log_quote(&quoted, text), DAYS_MAX);
	*at_us = now_us - ago_ms * US_PER_MS;
	return 0;
}
