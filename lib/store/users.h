/* Users and their devices. Reading works on any store; writing is for the committer's,
 * inside of its batch. */
#ifndef PAYBELL_STORE_USERS_H
#define PAYBELL_STORE_USERS_H

#include "store/store.h"
#include "wire/user.h"

struct users;

int users_new(struct users **out, struct store *s, struct err *e);
void users_free(struct users *u);

/* 1 found, 0 unknown or deleted, -1 failed. */
int users_get(struct users *u, const char *id, struct user *out, struct err *e);
/* 1 made, 0 replaced, -1 failed. A deleted id can be made again. */
int users_put(struct users *u, struct user *user, int64_t now_us, struct err *e);
/* Erases contact data and devices, keeps the row. 1 done, 0 unknown, -1 failed. */
int users_delete(struct users *u, const char *id, int64_t now_us, struct err *e);

/* Up to DEVICES_MAX; the number, or -1. */
int users_devices(struct users *u, const char *id, struct device out[DEVICES_MAX],
		  struct err *e);
/* Fills key, id, user_id and created_us. The same token again gives the device that is
 * there. 1 made, 0 was there, -1 failed (ERR_FULL: DEVICES_MAX, ERR_NOT_FOUND: no such
 * user). */
int users_add_device(struct users *u, struct device *d, int64_t now_us, struct err *e);
/* 1 done, 0 unknown, -1 failed. */
int users_remove_device(struct users *u, const char *user_id, const char *device_id,
			struct err *e);

struct balance {
	char currency[MONEY_CODE_SIZE];
	int64_t minor;
};
#define BALANCES_MAX 32
/* The number of currencies, at most BALANCES_MAX; -1 failed. */
int users_balances(struct users *u, const char *id, struct balance out[BALANCES_MAX],
		   struct err *e);

#endif
