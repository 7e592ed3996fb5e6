#include "store/check.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/store.h"

#define TABLES_MAX 64
#define NAME_SIZE  64

struct check {
	struct db *db;
	char tables[TABLES_MAX][NAME_SIZE];
	int count, next;
};

static int list_tables(struct check *c, struct err *e)
{
	struct db_stmt *s;
	int rc;

	if (db_prepare(c->db, &s,
		       "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1",
		       e) < 0)
		return -1;
	while ((rc = db_step(s, e)) == 1 && c->count < TABLES_MAX)
		db_copy_text(s, 0, c->tables[c->count++], NAME_SIZE);
	db_finalize(s);
	return rc < 0 ? -1 : 0;
}

int check_new(struct check **out, const char *database, struct err *e)
{
	struct check *c = mem_alloc(sizeof *c);

	if (db_open(&c->db, database, DB_READER, e) == 0 && list_tables(c, e) == 0) {
		*out = c;
		return 0;
	}
	check_free(c);
	return -1;
}

void check_free(struct check *c)
{
	if (c == NULL)
		return;
	db_close(c->db);
	mem_free(c);
}

static int quick_check(struct check *c, const char *sql, struct err *e)
{
	struct db_stmt *s;
	int rc;

	if (db_prepare(c->db, &s, sql, e) < 0)
		return -1;
	rc = db_step(s, e);
	if (rc == 1 && strcmp(db_text(s, 0), "ok") != 0)
		rc = err_set(e, ERR_CORRUPT, "%s", db_text(s, 0));
	db_finalize(s);
	return rc < 0 ? -1 : 0;
}

int check_all(struct check *c, struct err *e)
{
	return quick_check(c, "PRAGMA quick_check(1)", e);
}

int check_step(struct check *c, struct err *e)
{
	char sql[NAME_SIZE + 32];

	if (c->next >= c->count)
		return 0;
	snprintf(sql, sizeof sql, "PRAGMA quick_check(%s)", check_table(c));
	if (quick_check(c, sql, e) < 0)
		return -1;
	c->next++;
	return c->next < c->count;
}

const char *check_table(const struct check *c)
{
	return c->next < c->count ? c->tables[c->next] : "";
}

void check_stop(struct check *c)
{
	db_interrupt(c->db);
}
