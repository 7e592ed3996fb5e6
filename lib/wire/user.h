/* A user's contact data and preferences, and the devices that push goes to.
 *
 * User:
 * {"name","email"?,"phone"?,"locale"?,"timezone"?,"preferences"?:{"<channel>":{"enabled"?,"min_amount"?:{"amount","currency"}}}}
 * Device: {"kind":"fcm","token":"…"}. Names are one line of text, so nothing in them can
 * start a new header or SMTP line. Pure. */
#ifndef PAYBELL_WIRE_USER_H
#define PAYBELL_WIRE_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/money.h"
#include "wire/json.h"
#include "wire/problem.h"

#define USER_NAME_MAX    200 /* bytes */
#define EMAIL_MAX        254 /* RFC 5321 section 4.5.3.1.3, without the brackets */
#define PHONE_MAX        16  /* '+' and 15 digits, E.164 */
#define LOCALE_MAX       35  /* BCP 47: "de-AT" */
#define TIMEZONE_MAX     64  /* IANA name, looks only: [A-Za-z0-9_+-/] */
#define CHANNEL_NAME_MAX 16  /* [a-z][a-z0-9]* */
#define PREFERENCES_MAX  8   /* channels a user may have preferences for */
#define DEVICE_TOKEN_MAX 512
#define DEVICES_MAX      16 /* a user */
#define USER_BODY_MAX    16384

struct preference {
	char channel[CHANNEL_NAME_MAX + 1];
	bool enabled;      /* default true */
	int64_t min_minor; /* events below it are not sent; 0: all. Compared only in
			      min_currency */
	char min_currency[MONEY_CODE_SIZE];
};

struct user {
	char id[USER_ID_MAX + 1];
	char name[USER_NAME_MAX + 1];
	char email[EMAIL_MAX + 1]; /* "" when none */
	char phone[PHONE_MAX + 1];
	char locale[LOCALE_MAX + 1]; /* "" is the installation's default */
	char timezone[TIMEZONE_MAX + 1];
	int preference_count;
	struct preference preferences[PREFERENCES_MAX];
	int64_t created_us, updated_us;
};

/* The body of PUT /users/{id}; id and times stay untouched, and so does all of *u when it
 * fails. name is required. */
int user_decode(struct user *u, const char *body, size_t len, struct problem *p);
void user_encode(const struct user *u, struct buf *out);

/* Preferences alone, as they are kept in the database: the object, "{}" when empty. */
void preferences_encode(const struct user *u, struct buf *out);
int preferences_decode(struct user *u, const char *json, size_t len, struct problem *p);
/* NULL when the user said nothing about this channel. */
const struct preference *user_preference(const struct user *u, const char *channel);

enum device_kind { DEVICE_FCM };

struct device {
	int64_t key;      /* its row */
	char id[ID_SIZE]; /* dev_… */
	char user_id[USER_ID_MAX + 1];
	enum device_kind kind;
	char token[DEVICE_TOKEN_MAX + 1];
	int64_t created_us;
};

int device_decode(struct device *d, const char *body, size_t len, struct problem *p);
void device_put(struct json_writer *w,
		const struct device
			*d); /* the token is never shown: only its last 4 characters */
void device_encode(const struct device *d, struct buf *out);
const char *device_kind_name(enum device_kind k); /* "fcm" */
int device_kind_parse(const char *name);          /* -1 unknown */

bool channel_name_valid(const char *name);

#endif
