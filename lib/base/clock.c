#include "base/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

/* The calendar is computed here instead of asking gmtime_r: that takes the C library's
 * lock on the time zone, and every log line and event would queue for it. */

#define DAY_S   86400LL
#define LAST_US (253402300800LL * US_PER_S - 1) /* 9999-12-31T23:59:59.999999Z */

struct civil {
	int year, month, day, hour, minute, second, us, weekday;
};

static int64_t now_us(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

int64_t clock_utc_us(void)
{
	return now_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
	return now_us(CLOCK_MONOTONIC);
}

/* Days since 1970-01-01. A year begins in March here, so that the leap day comes last;
 * 400 years are one era of 146,097 days. */
static int64_t days_of(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = y / 400;
	int year_of_era = y - era * 400;
	int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int day_of_era =
		year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return (int64_t)era * 146097 + day_of_era - 719468;
}

static void civil_of(struct civil *c, int64_t utc_us)
{
	int64_t us = utc_us < 0 ? 0 : utc_us > LAST_US ? LAST_US : utc_us;
	int64_t days = us / US_PER_S / DAY_S;
	int second_of_day = (int)(us / US_PER_S % DAY_S);
	int shifted = (int)days + 719468;
	int era = shifted / 146097;
	int doe = shifted - era * 146097;
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;

	c->day = doy - (153 * mp + 2) / 5 + 1;
	c->month = mp < 10 ? mp + 3 : mp - 9;
	c->year = yoe + era * 400 + (c->month <= 2 ? 1 : 0);
	c->hour = second_of_day / 3600;
	c->minute = second_of_day / 60 % 60;
	c->second = second_of_day % 60;
	c->us = (int)(us % US_PER_S);
	c->weekday = (int)((days + 4) % 7); /* 1970-01-01 was a Thursday */
}

/* Writes a number with leading zeros and returns what is behind it. */
static char *put(char *p, int value, int width)
{
	for (int i = width - 1; i >= 0; i--) {
		p[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return p + width;
}

static char *put_text(char *p, const char *text)
{
	size_t len = strlen(text);

	memcpy(p, text, len);
	return p + len;
}

void clock_rfc3339(char out[CLOCK_RFC3339_SIZE], int64_t utc_us)
{
	struct civil c;
	char *p = out;

	civil_of(&c, utc_us);
	p = put(p, c.year, 4);
	*p++ = '-';
	p = put(p, c.month, 2);
	*p++ = '-';
	p = put(p, c.day, 2);
	*p++ = 'T';
	p = put(p, c.hour, 2);
	*p++ = ':';
	p = put(p, c.minute, 2);
	*p++ = ':';
	p = put(p, c.second, 2);
	*p++ = '.';
	p = put(p, c.us, 6);
	*p++ = 'Z';
	*p = '\0';
}

void clock_rfc5322(char out[CLOCK_RFC5322_SIZE], int64_t utc_us)
{
	static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct civil c;
	char *p = out;

	civil_of(&c, utc_us);
	p = put_text(p, days[c.weekday]);
	p = put_text(p, ", ");
	p = put(p, c.day, 2);
	*p++ = ' ';
	p = put_text(p, months[c.month - 1]);
	*p++ = ' ';
	p = put(p, c.year, 4);
	*p++ = ' ';
	p = put(p, c.hour, 2);
	*p++ = ':';
	p = put(p, c.minute, 2);
	*p++ = ':';
	p = put(p, c.second, 2);
	p = put_text(p, " +0000");
	*p = '\0';
}

/* Reads exactly `width` digits and moves *p behind them. */
static bool take(const char **p, int width, int *value)
{
	*value = 0;
	for (int i = 0; i < width; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*value = *value * 10 + (**p - '0');
	}
	return true;
}

static bool take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool take_date(const char **p, struct civil *c)
{
	static const signed char lengths[12] = {31, 28, 31, 30, 31, 30,
						31, 31, 30, 31, 30, 31};
	bool leap;
	int last;

	if (!take(p, 4, &c->year) || !take_char(p, '-') || !take(p, 2, &c->month) ||
	    !take_char(p, '-') || !take(p, 2, &c->day))
		return false;
	if (c->month < 1 || c->month > 12)
		return false;
	leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;
	last = lengths[c->month - 1] + (c->month == 2 && leap ? 1 : 0);
	return c->day >= 1 && c->day <= last;
}

static bool take_time(const char **p, struct civil *c)
{
	if (!take(p, 2, &c->hour) || !take_char(p, ':') || !take(p, 2, &c->minute) ||
	    !take_char(p, ':') || !take(p, 2, &c->second))
		return false;
	return c->hour <= 23 && c->minute <= 59 && c->second <= 59;
}

static bool take_decimals(const char **p, int *us)
{
	int digits = 0;
	int unit = 100000;

	*us = 0;
	if (!take_char(p, '.'))
		return true;
	for (; **p >= '0' && **p <= '9'; (*p)++, digits++) {
		*us += (**p - '0') * unit;
		unit /= 10;
	}
	return digits >= 1 && digits <= 9;
}

static bool take_offset(const char **p, int *offset_s)
{
	int sign = **p == '-' ? -1 : 1;
	int hours, minutes;

	*offset_s = 0;
	if (take_char(p, 'Z'))
		return true;
	if (!take_char(p, '+') && !take_char(p, '-'))
		return false;
	if (!take(p, 2, &hours) || !take_char(p, ':') || !take(p, 2, &minutes))
		return false;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return hours <= 23 && minutes <= 59;
}

int clock_parse_rfc3339(const char *text, int64_t *utc_us)
{
	const char *p = text;
	struct civil c;
	int offset_s;
	int64_t seconds, us;

	if (!take_date(&p, &c) || !take_char(&p, 'T') || !take_time(&p, &c) ||
	    !take_decimals(&p, &c.us) || !take_offset(&p, &offset_s) || *p != '\0')
		return -1;
	seconds = days_of(c.year, c.month, c.day) * DAY_S + c.hour * 3600 +
		  c.minute * 60 + c.second - offset_s;
	us = seconds * US_PER_S + c.us;
	if (us < 0 || us > LAST_US)
		return -1;
	*utc_us = us;
	return 0;
}
