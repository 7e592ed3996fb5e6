#include "base/money.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct currency {
	char code[MONEY_CODE_SIZE];
	signed char decimals;
};

/* ISO 4217 list one up to amendment 180 (BGN ended with 2025; XCG took over from ANG, ZWG
 * from ZWL), sorted. Left out: metals, XDR, XSU, XUA, the bond units, XTS and XXX, which
 * have no minor unit. */
static const struct currency CURRENCIES[] = {
	{"AED", 2}, {"AFN", 2}, {"ALL", 2}, {"AMD", 2}, {"AOA", 2}, {"ARS", 2},
	{"AUD", 2}, {"AWG", 2}, {"AZN", 2}, {"BAM", 2}, {"BBD", 2}, {"BDT", 2},
	{"BHD", 3}, {"BIF", 0}, {"BMD", 2}, {"BND", 2}, {"BOB", 2}, {"BOV", 2},
	{"BRL", 2}, {"BSD", 2}, {"BTN", 2}, {"BWP", 2}, {"BYN", 2}, {"BZD", 2},
	{"CAD", 2}, {"CDF", 2}, {"CHE", 2}, {"CHF", 2}, {"CHW", 2}, {"CLF", 4},
	{"CLP", 0}, {"CNY", 2}, {"COP", 2}, {"COU", 2}, {"CRC", 2}, {"CUP", 2},
	{"CVE", 2}, {"CZK", 2}, {"DJF", 0}, {"DKK", 2}, {"DOP", 2}, {"DZD", 2},
	{"EGP", 2}, {"ERN", 2}, {"ETB", 2}, {"EUR", 2}, {"FJD", 2}, {"FKP", 2},
	{"GBP", 2}, {"GEL", 2}, {"GHS", 2}, {"GIP", 2}, {"GMD", 2}, {"GNF", 0},
	{"GTQ", 2}, {"GYD", 2}, {"HKD", 2}, {"HNL", 2}, {"HTG", 2}, {"HUF", 2},
	{"IDR", 2}, {"ILS", 2}, {"INR", 2}, {"IQD", 3}, {"IRR", 2}, {"ISK", 0},
	{"JMD", 2}, {"JOD", 3}, {"JPY", 0}, {"KES", 2}, {"KGS", 2}, {"KHR", 2},
	{"KMF", 0}, {"KPW", 2}, {"KRW", 0}, {"KWD", 3}, {"KYD", 2}, {"KZT", 2},
	{"LAK", 2}, {"LBP", 2}, {"LKR", 2}, {"LRD", 2}, {"LSL", 2}, {"LYD", 3},
	{"MAD", 2}, {"MDL", 2}, {"MGA", 2}, {"MKD", 2}, {"MMK", 2}, {"MNT", 2},
	{"MOP", 2}, {"MRU", 2}, {"MUR", 2}, {"MVR", 2}, {"MWK", 2}, {"MXN", 2},
	{"MXV", 2}, {"MYR", 2}, {"MZN", 2}, {"NAD", 2}, {"NGN", 2}, {"NIO", 2},
	{"NOK", 2}, {"NPR", 2}, {"NZD", 2}, {"OMR", 3}, {"PAB", 2}, {"PEN", 2},
	{"PGK", 2}, {"PHP", 2}, {"PKR", 2}, {"PLN", 2}, {"PYG", 0}, {"QAR", 2},
	{"RON", 2}, {"RSD", 2}, {"RUB", 2}, {"RWF", 0}, {"SAR", 2}, {"SBD", 2},
	{"SCR", 2}, {"SDG", 2}, {"SEK", 2}, {"SGD", 2}, {"SHP", 2}, {"SLE", 2},
	{"SOS", 2}, {"SRD", 2}, {"SSP", 2}, {"STN", 2}, {"SVC", 2}, {"SYP", 2},
	{"SZL", 2}, {"THB", 2}, {"TJS", 2}, {"TMT", 2}, {"TND", 3}, {"TOP", 2},
	{"TRY", 2}, {"TTD", 2}, {"TWD", 2}, {"TZS", 2}, {"UAH", 2}, {"UGX", 0},
	{"USD", 2}, {"USN", 2}, {"UYI", 0}, {"UYU", 2}, {"UYW", 4}, {"UZS", 2},
	{"VED", 2}, {"VES", 2}, {"VND", 0}, {"VUV", 0}, {"WST", 2}, {"XAD", 2},
	{"XAF", 0}, {"XCD", 2}, {"XCG", 2}, {"XOF", 0}, {"XPF", 0}, {"YER", 2},
	{"ZAR", 2}, {"ZMW", 2}, {"ZWG", 2},
};

static int compare_code(const void *key, const void *row)
{
	return strcmp(key, ((const struct currency *)row)->code);
}

int money_decimals(const char *currency)
{
	const struct currency *row =
		bsearch(currency, CURRENCIES, sizeof(CURRENCIES) / sizeof(CURRENCIES[0]),
			sizeof(CURRENCIES[0]), compare_code);

	return row != NULL ? row->decimals : -1;
}

/* Runs of digits on both sides of at most one '.'. */
struct shape {
	size_t whole, decimals;
};

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

static bool shape_of(const char *text, struct shape *s)
{
	const char *rest;

	s->whole = digits(text);
	s->decimals = 0;
	rest = text + s->whole;
	if (s->whole == 0 || (s->whole > 1 && text[0] == '0'))
		return false;
	if (*rest == '\0')
		return true;
	if (*rest != '.')
		return false;
	s->decimals = digits(rest + 1);
	return s->decimals > 0 && rest[1 + s->decimals] == '\0';
}

static int refuse_decimals(const char *text, const char *currency, int decimals,
			   size_t found, struct err *e)
{
	char has[32] = "no decimals";

	if (decimals > 0)
		snprintf(has, sizeof(has), "%d decimals", decimals);
	return err_set(e, ERR_INVALID, "%s has %s, %.40s has %zu", currency, has, text,
		       found);
}

static int refuse_large(const char *currency, struct err *e)
{
	char most[MONEY_TEXT_SIZE];

	return err_set(e, ERR_INVALID, "the amount is too large, %s %s is the most",
		       currency, money_format(most, MONEY_MAX_MINOR, currency));
}

int money_parse(const char *text, const char *currency, int64_t *minor, struct err *e)
{
	int decimals = money_decimals(currency);
	struct shape s;
	int64_t value = 0;

	if (decimals < 0)
		return err_set(
			e, ERR_INVALID,
			"the currency is not an active ISO 4217 code in upper case, "
			"like USD");
	if (!shape_of(text, &s))
		return err_set(
			e, ERR_INVALID,
			"an amount is digits with at most one '.' between them and no "
			"leading zero, like %s",
			decimals > 0 ? "15.00" : "15");
	if (s.decimals > (size_t)decimals)
		return refuse_decimals(text, currency, decimals, s.decimals, e);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '.')
			continue;
		value = value * 10 + (*p - '0');
		if (value > MONEY_MAX_MINOR)
			return refuse_large(currency, e);
	}
	for (size_t i = s.decimals; i < (size_t)decimals; i++) {
		value *= 10;
		if (value > MONEY_MAX_MINOR)
			return refuse_large(currency, e);
	}
	if (value == 0)
		return err_set(e, ERR_INVALID, "an amount is more than zero");
	*minor = value;
	return 0;
}

const char *money_format(char out[MONEY_TEXT_SIZE], int64_t minor, const char *currency)
{
	int decimals = money_decimals(currency);
	char reversed[MONEY_TEXT_SIZE];
	/* The magnitude as unsigned: -INT64_MIN does not exist. */
	uint64_t rest = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
	int len = 0;
	char *p = out;

	if (decimals < 0)
		decimals = 2;
	for (int i = 0; i <= decimals || rest > 0; i++) {
		if (i == decimals && decimals > 0)
			reversed[len++] = '.';
		reversed[len++] = (char)('0' + rest % 10);
		rest /= 10;
	}
	if (minor < 0)
		*p++ = '-';
	while (len > 0)
		*p++ = reversed[--len];
	*p = '\0';
	return out;
}
