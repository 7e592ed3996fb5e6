#include "io/http_server.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "io/http_lane.h"
#include "io/http_thread.h"
#include "io/listen.h"

#define THREADS_MAX 16

/* Threads of one address; how a request travels on one of them is told in http_thread.c.
 */
struct http_server {
	struct http_server_settings settings;
	char address[LISTEN_ADDRESS_MAX];
	int thread_count;
	atomic_uint adopted; /* so far: whose turn it is */
	struct http_thread threads[THREADS_MAX];
};

static int open_listeners(int *fds, int count, struct http_server *s, struct err *e)
{
	if (s->settings.listen != NULL)
		return listen_open(fds, count, s->settings.listen, s->address, e);
	for (int i = 0; i < count; i++)
		fds[i] = -1;
	return 0;
}

int http_server_start(struct http_server **out,
		      const struct http_server_settings *settings, struct err *e)
{
	int count = settings->loop != NULL ? 1 : settings->threads;
	struct http_server *s = mem_alloc(sizeof(*s));
	int fds[THREADS_MAX];

	assert(count >= 1 && count <= THREADS_MAX && settings->max_connections > 0);
	s->settings = *settings;
	if (open_listeners(fds, count, s, e) < 0) {
		mem_free(s);
		return -1;
	}
	s->thread_count = count;
	for (int i = 0; i < count; i++)
		s->threads[i] = (struct http_thread){
			.settings = &s->settings,
			.listen_fd = fds[i],
			.lane = {.event_fd = -1},
			.connections_max =
				(settings->max_connections + count - 1) / count};
	for (int i = 0; i < count; i++)
		if (http_thread_start(&s->threads[i], e) < 0) {
			http_server_stop(s);
			return err_wrap(e, "http on %s",
					settings->listen != NULL ? settings->listen
								 : "no address");
		}
	*out = s;
	return 0;
}

bool http_server_adopt(struct http_server *s, int fd)
{
	unsigned turn = atomic_fetch_add(&s->adopted, 1) % (unsigned)s->thread_count;

	assert(s->settings.listen == NULL);
	return http_thread_adopt(&s->threads[turn], fd);
}

void http_server_quiesce(struct http_server *s)
{
	for (int i = 0; i < s->thread_count; i++)
		http_thread_quiesce(&s->threads[i]);
}

void http_server_stop(struct http_server *s)
{
	int fds[THREADS_MAX];

	if (s == NULL)
		return;
	assert(s->settings.loop == NULL || http_server_open_requests(s) == 0);
	for (int i = 0; i < s->thread_count; i++)
		http_thread_stop(&s->threads[i]);
	for (int i = 0; i < s->thread_count; i++) {
		http_thread_end(&s->threads[i]);
		fds[i] = s->threads[i].listen_fd;
	}
	listen_close(fds, s->thread_count, s->address);
	mem_free(s);
}

size_t http_server_open_requests(const struct http_server *s)
{
	size_t open = 0;

	for (int i = 0; i < s->thread_count; i++)
		open += atomic_load(&s->threads[i].lane.open);
	return open;
}

const char *http_server_address(const struct http_server *s)
{
	return s->address;
}

/* ---- answers ---- */

/* Two passes: a thread with something held keeps the server alive
 * until its `open` falls, and nothing is touched behind the last of them. */
void http_answer_flush(struct http_server *s)
{
	size_t held[THREADS_MAX];
	int count = s->thread_count;

	for (int i = 0; i < count; i++) {
		held[i] = atomic_exchange(&s->threads[i].lane.held, 0);
		if (held[i] > 0)
			http_lane_ring(&s->threads[i].lane);
	}
	for (int i = 0; i < count; i++)
		if (held[i] > 0)
			atomic_fetch_sub(&s->threads[i].lane.open, held[i]);
}
