#include "gateway/inside.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "gateway/route.h"
#include "gateway/tally.h"
#include "io/listen.h"

/* With the kernel's default a slow reader has 100 KB and more of arrears that we do not
 * see; this is what its queue begins with. */
#define SEND_BUFFER_BYTES (24 << 10)
#define DEFER_ACCEPT_S    5

/* What the accepted ones inherit. All of it is a help, none a need. */
static void tune_listener(int fd, int bytes)
{
	int on = 1, defer_s = DEFER_ACCEPT_S;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s, sizeof(defer_s));
}

static int table_size(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur > 4 << 20)
		return 4 << 20;
	return (int)files.rlim_cur;
}

static int listen_all(struct engine *e, struct err *err)
{
	if (listen_open(e->listeners, e->thread_count, e->settings.listen, e->address,
			err) < 0) {
		e->thread_count = 0;
		return err_wrap(err, "%s", e->settings.listen);
	}
	for (int i = 0; i < e->thread_count; i++)
		tune_listener(e->listeners[i], e->settings.send_buffer_bytes);
	return 0;
}

int engine_start(struct engine **out, const struct engine_settings *settings,
		 struct err *err)
{
	struct engine *e = mem_alloc(sizeof(*e));

	e->settings = *settings;
	if (settings->send_buffer_bytes == 0)
		e->settings.send_buffer_bytes = SEND_BUFFER_BYTES;
	e->thread_count = settings->threads;
	e->table_size = table_size();
	tally_init();
	if (listen_all(e, err) < 0) {
		engine_stop(e);
		return -1;
	}
	e->table = mem_array((size_t)e->table_size, sizeof(*e->table));
	if (settings->max_of_address > 0)
		e->addresses = addresses_new(settings->max_of_address, e->table_size);
	for (int i = 0; i < e->thread_count; i++) {
		if (thread_start(&e->threads[i], e, i, err) < 0) {
			engine_stop(e);
			return -1;
		}
	}
	*out = e;
	return 0;
}

void engine_quiesce(struct engine *e)
{
	atomic_store(&e->quiet, true);
	/* Now and not when it stops: by then the path may be the next process's. */
	listen_unlink(e->address);
	for (int i = 0; i < e->thread_count; i++)
		thread_quiesce(e->threads[i]);
}

void engine_stop(struct engine *e)
{
	if (!e)
		return;
	for (int i = 0; i < e->thread_count; i++) {
		if (e->threads[i])
			thread_stop(e->threads[i]);
	}
	if (!atomic_load(&e->quiet))
		listen_close(e->listeners, e->thread_count, e->address);
	addresses_free(e->addresses);
	mem_free(e->table);
	mem_free(e);
}

const char *engine_address(const struct engine *e)
{
	return e->address;
}

int engine_connections(const struct engine *e)
{
	return atomic_load(&e->connections);
}

int engine_threads(const struct engine *e)
{
	return e->thread_count;
}

struct thread *engine_thread(const struct engine *e, int index)
{
	return e->threads[index];
}

const struct engine_settings *engine_get_settings(const struct engine *e)
{
	return &e->settings;
}

const struct route *engine_route(const struct engine *e, int index)
{
	return &e->settings.routes[index];
}
