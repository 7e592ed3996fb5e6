/* The baseline of the payments bench: the very statements of a payment in a bare loop.
 *
 * No HTTP, no JSON, no threads, no answers: ledger_begin(), `batch` times ledger_pay(),
 *ledger_commit(), on a database of its own. And the disk alone: fdatasync after each
 *appended page. Bounded by --seconds; prints one JSON object.
 *
 *	bare-ledger FOLDER BATCH SECONDS */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/ledger.h"
#include "store/users.h"

#define PEOPLE 500
#define SYNCS  1000

struct bare {
	struct store store;
	struct ledger *ledger;
	struct users *users;
};

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "bare-ledger: %s: %s\n", what, e->text);
	exit(1);
}

static void pay(struct bare *b, struct transaction_request *r, int64_t now_us)
{
	static struct transaction t;
	struct problem p = {.kind = PROBLEM_NONE};
	struct err e = ERR_INIT;

	if (ledger_pay(b->ledger, r, now_us, &t, &p, &e) != 0)
		die(p.detail, &e);
}

static void begin(struct bare *b)
{
	struct err e = ERR_INIT;

	if (ledger_begin(b->ledger, &e) < 0)
		die("begin", &e);
}

static void commit(struct bare *b)
{
	struct err e = ERR_INIT;

	if (ledger_commit(b->ledger, &e) < 0)
		die("commit", &e);
}

static void fill(struct bare *b)
{
	struct transaction_request r = {.amount_minor = 100000000, .currency = "USD"};
	struct user u = {.name = "Somebody",
			 .email = "somebody@example.org",
			 .phone = "+4366012345678"};
	struct err e = ERR_INIT;

	begin(b);
	for (int i = 0; i < PEOPLE; i++) {
		snprintf(u.id, sizeof u.id, "u%d", i);
		if (users_put(b->users, &u, clock_utc_us(), &e) < 0)
			die("users", &e);
		mem_copy_text(r.to, sizeof r.to, u.id);
		pay(b, &r, clock_utc_us());
	}
	commit(b);
}

static double loop(struct bare *b, int batch, int64_t seconds)
{
	struct transaction_request r = {.amount_minor = 1, .currency = "USD"};
	int64_t began_us = clock_mono_us(), now_us = began_us, paid = 0;

	while (now_us - began_us < seconds * US_PER_S) {
		begin(b);
		for (int i = 0; i < batch; i++) {
			int from = (int)random_below(PEOPLE),
			    to = (from + 1 + (int)random_below(PEOPLE - 1)) % PEOPLE;

			snprintf(r.from, sizeof r.from, "u%d", from);
			snprintf(r.to, sizeof r.to, "u%d", to);
			snprintf(r.description, sizeof r.description, "Lunch %lld",
				 (long long)paid++);
			pay(b, &r, clock_utc_us());
		}
		commit(b);
		now_us = clock_mono_us();
	}
	return (double)paid * US_PER_S / (double)(now_us - began_us);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void probe_disk(const char *folder, int64_t *p50, int64_t *p99)
{
	static int64_t took[SYNCS];
	static char page[4096];
	char path[512];
	int fd;

	snprintf(path, sizeof path, "%s/sync-probe", folder);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	for (int i = 0; fd >= 0 && i < SYNCS; i++) {
		int64_t began_us;

		if (write(fd, page, sizeof page) != (ssize_t)sizeof page)
			break;
		began_us = clock_mono_us();
		fdatasync(fd);
		took[i] = clock_mono_us() - began_us;
	}
	close(fd);
	unlink(path);
	qsort(took, SYNCS, sizeof took[0], compare);
	*p50 = took[SYNCS / 2];
	*p99 = took[SYNCS * 99 / 100];
}

/* 1 to most; 0 for anything else. */
static long number(const char *text, long most)
{
	char *end;
	long value = strtol(text, &end, 10);

	return *end == '\0' && value >= 1 && value <= most ? value : 0;
}

int main(int argc, char **argv)
{
	struct bare b = {0};
	struct err e = ERR_INIT;
	int64_t p50, p99;
	char path[512];
	long batch, seconds;
	double rate;

	batch = argc == 4 ? number(argv[2], 1000000) : 0;
	seconds = argc == 4 ? number(argv[3], 600) : 0;
	if (batch == 0 || seconds == 0) {
		fprintf(stderr, "usage: bare-ledger FOLDER BATCH SECONDS\n");
		return 2;
	}
	probe_disk(argv[1], &p50, &p99);
	snprintf(path, sizeof path, "%s/bare.db", argv[1]);
	if (store_open_writer(&b.store, path, &e) < 0 ||
	    ledger_new(&b.ledger, &b.store, &e) < 0 ||
	    users_new(&b.users, &b.store, &e) < 0)
		die(path, &e);
	fill(&b);
	rate = loop(&b, (int)batch, seconds);
	printf("{\"batch\":%s,\"payments_per_s\":%.0f,\"fdatasync_p50_us\":%lld,"
	       "\"fdatasync_p99_us\":%lld}\n",
	       argv[2], rate, (long long)p50, (long long)p99);
	ledger_free(b.ledger);
	users_free(b.users);
	store_close(&b.store);
	return 0;
}
