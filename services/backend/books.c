#include "backend/books.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/wal.h"

static void close_statements(struct books *b)
{
	ledger_free(b->ledger);
	listing_free(b->listing);
	users_free(b->users);
	events_free(b->events);
	deliveries_free(b->deliveries);
	channels_free(b->channels);
	reads_free(b->reads);
	b->ledger = NULL;
	b->users = NULL;
	b->events = NULL;
	b->deliveries = NULL;
	b->channels = NULL;
	b->listing = NULL;
	b->reads = NULL;
}

static int prepare(struct books *b, struct err *e)
{
	if (users_new(&b->users, &b->store, e) < 0 ||
	    events_new(&b->events, &b->store, e) < 0 ||
	    deliveries_new(&b->deliveries, &b->store, e) < 0 ||
	    channels_new(&b->channels, &b->store, e) < 0 ||
	    reads_new(&b->reads, &b->store, e) < 0)
		return -1;
	return listing_new(&b->listing, &b->store, b->channels, b->deliveries, e);
}

int books_open_writer(struct books *b, const char *path, struct err *e)
{
	*b = (struct books){0};
	if (store_open_claimed(&b->store, path, e) < 0)
		return -1;
	if (prepare(b, e) == 0 && ledger_new(&b->ledger, &b->store, e) == 0)
		return 0;
	books_close(b);
	return -1;
}

static int expect_ledger(const struct books *b, const char *ledger_id, struct err *e)
{
	if (strcmp(b->store.ledger_id, ledger_id) == 0)
		return 0;
	return err_set(e, ERR_CONFLICT, "another ledger is in its place");
}

int books_reopen_writer(struct books *b, const char *path, struct err *e)
{
	char ledger_id[LEDGER_ID_SIZE];

	memcpy(ledger_id, b->store.ledger_id, sizeof ledger_id);
	close_statements(b);
	store_close(&b->store);
	if (store_open_second(&b->store, path, e) == 0 &&
	    expect_ledger(b, ledger_id, e) == 0 && wal_settle(path, e) == 0 &&
	    store_seal(&b->store, clock_utc_us(), e) == 0 && prepare(b, e) == 0 &&
	    ledger_new(&b->ledger, &b->store, e) == 0)
		return 0;
	close_statements(b);
	store_close(&b->store);
	/* Whose books they are is not forgotten: it is tried again. */
	memcpy(b->store.ledger_id, ledger_id, sizeof ledger_id);
	return -1;
}

static int open_without_ledger(struct books *b,
			       int (*open_store)(struct store *, const char *,
						 struct err *),
			       const char *path, struct err *e)
{
	*b = (struct books){0};
	if (open_store(&b->store, path, e) < 0)
		return -1;
	if (prepare(b, e) == 0)
		return 0;
	books_close(b);
	return -1;
}

int books_open_second(struct books *b, const char *path, struct err *e)
{
	return open_without_ledger(b, store_open_second, path, e);
}

int books_open_reader(struct books *b, const char *path, struct err *e)
{
	return open_without_ledger(b, store_open_reader, path, e);
}

void books_close(struct books *b)
{
	close_statements(b);
	store_close(&b->store);
}

#define READERS_KEPT 8

struct readers {
	const char *path;
	pthread_mutex_t lock;
	struct books *free[READERS_KEPT];
	int count;
};

struct readers *readers_new(const char *path)
{
	struct readers *r = mem_alloc(sizeof *r);

	r->path = path;
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void readers_free(struct readers *r)
{
	if (r == NULL)
		return;
	for (int i = 0; i < r->count; i++) {
		books_close(r->free[i]);
		mem_free(r->free[i]);
	}
	pthread_mutex_destroy(&r->lock);
	mem_free(r);
}

struct books *readers_take(struct readers *r, struct err *e)
{
	struct books *b = NULL;

	pthread_mutex_lock(&r->lock);
	if (r->count > 0)
		b = r->free[--r->count];
	pthread_mutex_unlock(&r->lock);
	if (b != NULL)
		return b;
	b = mem_alloc(sizeof *b);
	if (books_open_reader(b, r->path, e) == 0)
		return b;
	mem_free(b);
	return NULL;
}

void readers_give(struct readers *r, struct books *b)
{
	pthread_mutex_lock(&r->lock);
	if (r->count < READERS_KEPT) {
		r->free[r->count++] = b;
		b = NULL;
	}
	pthread_mutex_unlock(&r->lock);
	if (b == NULL)
		return;
	books_close(b);
	mem_free(b);
}
