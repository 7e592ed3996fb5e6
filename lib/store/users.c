#include "store/users.h"

#include <string.h>

#include "base/mem.h"
#include "store/rows.h"

enum {
	GET,
	PUT,
	EXISTS,
	ERASE,
	DEVICES,
	DEVICE_KEY,
	ADD_DEVICE,
	REMOVE_DEVICE,
	REMOVE_DEVICES,
	BALANCES,
	STMT_COUNT
};

static const char *const SQL[STMT_COUNT] = {
	[GET] = "SELECT " USER_COLUMNS
		" FROM users u WHERE u.id = ?1 AND u.deleted_us IS NULL",
	[PUT] = "INSERT INTO users (id, name, email, phone, locale, timezone, "
		"preferences, created_us, updated_us)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)"
		" ON CONFLICT (id) DO UPDATE SET name = ?2, email = ?3, phone = ?4, "
		"locale = ?5, timezone = ?6,"
		" preferences = ?7, updated_us = ?8, deleted_us = NULL,"
		" created_us = CASE WHEN deleted_us IS NULL THEN created_us ELSE ?8 END",
	[EXISTS] = "SELECT created_us FROM users WHERE id = ?1 AND deleted_us IS NULL",
	[ERASE] = "UPDATE users SET name = '', email = NULL, phone = NULL, locale = "
		  "NULL, timezone = NULL,"
		  " preferences = '{}', updated_us = ?2, deleted_us = ?2 WHERE id = ?1 "
		  "AND deleted_us IS NULL",
	[DEVICES] =
		"SELECT " DEVICE_COLUMNS " FROM devices WHERE user_id = ?1 ORDER BY key",
	[DEVICE_KEY] = "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'devices'",
	[ADD_DEVICE] = "INSERT INTO devices (" DEVICE_COLUMNS
		       ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[REMOVE_DEVICE] =
		"DELETE FROM devices WHERE key = ?1 AND user_id = ?2 AND id = ?3",
	[REMOVE_DEVICES] = "DELETE FROM devices WHERE user_id = ?1",
	[BALANCES] = "SELECT currency, balance_minor FROM accounts WHERE user_id = ?1 "
		     "ORDER BY currency",
};

struct users {
	struct db *db;
	struct db_stmt *stmts[STMT_COUNT];
};

int users_new(struct users **out, struct store *s, struct err *e)
{
	struct users *u = mem_alloc(sizeof *u);

	u->db = s->db;
	if (store_prepare(s, SQL, u->stmts, STMT_COUNT, e) < 0) {
		mem_free(u);
		return -1;
	}
	*out = u;
	return 0;
}

void users_free(struct users *u)
{
	if (u == NULL)
		return;
	store_finalize(u->stmts, STMT_COUNT);
	mem_free(u);
}

int users_get(struct users *u, const char *id, struct user *out, struct err *e)
{
	struct db_stmt *s = u->stmts[GET];
	int rc;

	db_bind_text(s, 1, id);
	rc = db_step(s, e);
	if (rc == 1)
		rows_user(s, 0, out);
	db_reset(s);
	return rc;
}

static int exists(struct users *u, const char *id, int64_t *created_us, struct err *e)
{
	struct db_stmt *s = u->stmts[EXISTS];
	int rc;

	db_bind_text(s, 1, id);
	rc = db_step(s, e);
	if (rc == 1 && created_us != NULL)
		*created_us = db_int(s, 0);
	db_reset(s);
	return rc;
}

int users_put(struct users *u, struct user *user, int64_t now_us, struct err *e)
{
	struct db_stmt *s = u->stmts[PUT];
	struct buf preferences;
	int known, rc;

	user->created_us = now_us;
	user->updated_us = now_us;
	known = exists(u, user->id, &user->created_us, e);
	if (known < 0)
		return -1;
	buf_init(&preferences, USER_BODY_MAX);
	preferences_encode(user, &preferences);
	db_bind_text(s, 1, user->id);
	db_bind_text(s, 2, user->name);
	db_bind_text_or_null(s, 3, user->email);
	db_bind_text_or_null(s, 4, user->phone);
	db_bind_text_or_null(s, 5, user->locale);
	db_bind_text_or_null(s, 6, user->timezone);
	db_bind_text(s, 7, buf_text(&preferences));
	db_bind_int(s, 8, now_us);
	rc = db_run(s, e);
	buf_release(&preferences);
	return rc < 0 ? -1 : !known;
}

int users_delete(struct users *u, const char *id, int64_t now_us, struct err *e)
{
	struct db_stmt *s = u->stmts[ERASE];

	db_bind_text(s, 1, id);
	db_bind_int(s, 2, now_us);
	if (db_run(s, e) < 0)
		return -1;
	if (db_changes(u->db) == 0)
		return 0;
	s = u->stmts[REMOVE_DEVICES];
	db_bind_text(s, 1, id);
	return db_run(s, e) < 0 ? -1 : 1;
}

int users_devices(struct users *u, const char *id, struct device out[DEVICES_MAX],
		  struct err *e)
{
	struct db_stmt *s = u->stmts[DEVICES];
	int count = 0, rc = 0;

	db_bind_text(s, 1, id);
	while (count < DEVICES_MAX && (rc = db_step(s, e)) == 1)
		rows_device(s, 0, &out[count++]);
	db_reset(s);
	return rc < 0 ? -1 : count;
}

/* Keys are never given twice: AUTOINCREMENT's own counter says which comes next. */
static int next_device_key(struct users *u, int64_t *key, struct err *e)
{
	struct db_stmt *s = u->stmts[DEVICE_KEY];
	int rc = db_step(s, e);

	*key = rc == 1 ? db_int(s, 0) : 1;
	db_reset(s);
	return rc < 0 ? -1 : 0;
}

static int insert_device(struct users *u, struct device *d, int64_t now_us, struct err *e)
{
	struct db_stmt *s = u->stmts[ADD_DEVICE];

	if (next_device_key(u, &d->key, e) < 0)
		return -1;
	id_make(d->id, "dev", now_us, d->key);
	d->created_us = now_us;
	db_bind_int(s, 1, d->key);
	db_bind_text(s, 2, d->id);
	db_bind_text(s, 3, d->user_id);
	db_bind_text(s, 4, device_kind_name(d->kind));
	db_bind_text(s, 5, d->token);
	db_bind_int(s, 6, now_us);
	return db_run(s, e) < 0 ? -1 : 1;
}

int users_add_device(struct users *u, struct device *d, int64_t now_us, struct err *e)
{
	struct device *have;
	int rc = exists(u, d->user_id, NULL, e), count;

	if (rc <= 0)
		return rc < 0 ? -1
			      : err_set(e, ERR_NOT_FOUND, "there is no user %s",
					d->user_id);
	have = mem_array(DEVICES_MAX, sizeof *have);
	count = users_devices(u, d->user_id, have, e);
	rc = count < 0 ? -1 : 1;
	for (int i = 0; i < count && rc == 1; i++) {
		if (have[i].kind != d->kind || strcmp(have[i].token, d->token) != 0)
			continue;
		*d = have[i];
		rc = 0;
	}
	if (rc == 1 && count == DEVICES_MAX)
		rc = err_set(e, ERR_FULL,
			     "a user has at most %d devices: remove one first",
			     DEVICES_MAX);
	mem_free(have);
	return rc == 1 ? insert_device(u, d, now_us, e) : rc;
}

int users_remove_device(struct users *u, const char *user_id, const char *device_id,
			struct err *e)
{
	struct db_stmt *s = u->stmts[REMOVE_DEVICE];
	int64_t key = id_key(device_id, "dev");

	if (key < 0)
		return 0;
	db_bind_int(s, 1, key);
	db_bind_text(s, 2, user_id);
	db_bind_text(s, 3, device_id);
	if (db_run(s, e) < 0)
		return -1;
	return db_changes(u->db) > 0;
}

int users_balances(struct users *u, const char *id, struct balance out[BALANCES_MAX],
		   struct err *e)
{
	struct db_stmt *s = u->stmts[BALANCES];
	int count = 0, rc = 0;

	db_bind_text(s, 1, id);
	while (count < BALANCES_MAX && (rc = db_step(s, e)) == 1) {
		db_copy_text(s, 0, out[count].currency, sizeof out[count].currency);
		out[count++].minor = db_int(s, 1);
	}
	db_reset(s);
	return rc < 0 ? -1 : count;
}
