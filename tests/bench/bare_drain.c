/* The baseline of the drain bench: the same requests in a bare loop of libcurl's.
 *
 * No stream, no database, no texts, no records: curl_multi_socket_action() on epoll, one
 * easy handle a connection, each used again for the next body as soon as its answer is
 * there. A connection stays in epoll between two requests, as the workers keep it. Every
 * answer must be 200, or the measurement is void. Prints one JSON object.
 *
 *	bare-drain URL REQUESTS CONNECTIONS
 *
 * REQUESTS is a file: the headers, a line each, an empty line, then the bodies, a line
 * each. Bounded by what is in it. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	CONNECTIONS_MAX = 1024,
	FD_MAX = CONNECTIONS_MAX + 64,
	EVENTS_MAX = 64,
	TIMEOUT_MS = 15000,
};

struct drain {
	CURLM *multi;
	int epoll;
	uint32_t watched[FD_MAX]; /* what epoll knows of a descriptor */
	long timer_ms;            /* what curl wants to be woken after; -1: nothing */
	char *text;               /* the file; lines end in NUL */
	size_t left;              /* bytes of bodies that were not sent */
	char *next;
	struct curl_slist *headers;
	long sent, answered, running;
};

static void die(const char *what)
{
	fprintf(stderr, "bare-drain: %s\n", what);
	exit(1);
}

/* ---- what is to be sent ---- */

/* The next line, or NULL behind the last one. */
static char *take_line(struct drain *d)
{
	char *line = d->next, *end;

	if (d->left == 0)
		return NULL;
	end = memchr(line, '\n', d->left);
	if (!end)
		die("the file's last line has no end");
	*end = '\0';
	d->left -= (size_t)(end + 1 - line);
	d->next = end + 1;
	return line;
}

static void read_requests(struct drain *d, const char *path)
{
	FILE *f = fopen(path, "rb");
	long size;
	char *line;

	if (!f || fseek(f, 0, SEEK_END) < 0 || (size = ftell(f)) <= 0 ||
	    fseek(f, 0, SEEK_SET) < 0)
		die("no requests");
	d->text = mem_array((size_t)size, 1);
	if (fread(d->text, 1, (size_t)size, f) != (size_t)size)
		die("the requests cannot be read");
	fclose(f);
	d->next = d->text;
	d->left = (size_t)size;
	while ((line = take_line(d)) != NULL && line[0] != '\0')
		d->headers = curl_slist_append(d->headers, line);
	/* Without this, curl waits for "100 Continue" before a larger body. */
	d->headers = curl_slist_append(d->headers, "Expect:");
}

/* ---- curl's wishes ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *ignored)
{
	struct drain *d = arg;
	uint32_t events = 0;
	struct epoll_event event = {.data.fd = fd};

	if (fd >= FD_MAX)
		die("too many descriptors");
	if (what == CURL_POLL_REMOVE) /* it is silent until it is used again */
		return 0;
	if (what != CURL_POLL_OUT)
		events |= EPOLLIN;
	if (what != CURL_POLL_IN)
		events |= EPOLLOUT;
	if (d->watched[fd] == events)
		return 0;
	event.events = events;
	if (epoll_ctl(d->epoll, d->watched[fd] ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
		      &event) < 0)
		die("epoll_ctl");
	d->watched[fd] = events;
	return 0;
}

static int on_close(void *arg, curl_socket_t fd)
{
	struct drain *d = arg;

	d->watched[fd] = 0;
	return close(fd);
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct drain *d = arg;

	d->timer_ms = timeout_ms;
	return 0;
}

static size_t on_response(char *bytes, size_t one, size_t len, void *arg)
{
	return len;
}

/* ---- the loop ---- */

static void send_next(struct drain *d, CURL *easy)
{
	char *body = take_line(d);

	if (!body)
		return;
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_multi_add_handle(d->multi, easy);
	d->sent++;
	d->running++;
}

static CURL *make_easy(struct drain *d, const char *url)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		die("curl_easy_init");
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, d->headers);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_response);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, d);
	return easy;
}

static void collect(struct drain *d)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(d->multi, &left)) != NULL) {
		CURL *easy = message->easy_handle;
		long status = 0;

		if (message->data.result != CURLE_OK)
			die(curl_easy_strerror(message->data.result));
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		if (status != 200)
			die("an answer is not 200");
		d->answered++;
		d->running--;
		curl_multi_remove_handle(d->multi, easy);
		send_next(d, easy);
	}
}

static void act(struct drain *d, curl_socket_t fd, int mask)
{
	int running;

	curl_multi_socket_action(d->multi, fd, mask, &running);
	collect(d);
}

static void turn(struct drain *d)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(d->epoll, events, EVENTS_MAX,
			       d->timer_ms < 0 ? TIMEOUT_MS : (int)d->timer_ms);

	for (int i = 0; i < count; i++)
		act(d, events[i].data.fd,
		    ((events[i].events & ~(uint32_t)EPOLLOUT) ? CURL_CSELECT_IN : 0) |
			    ((events[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0));
	/* What was begun meanwhile goes at once. */
	if (count == 0 || d->timer_ms == 0) {
		d->timer_ms = -1;
		act(d, CURL_SOCKET_TIMEOUT, 0);
	}
}

int main(int argc, char **argv)
{
	static struct drain d;
	CURL *handles[CONNECTIONS_MAX];
	long connections = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
	int64_t began_us, took_us;

	if (connections < 1 || connections > CONNECTIONS_MAX) {
		fprintf(stderr, "usage: bare-drain URL REQUESTS CONNECTIONS\n");
		return 2;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	read_requests(&d, argv[2]);
	d.multi = curl_multi_init();
	d.epoll = epoll_create1(EPOLL_CLOEXEC);
	d.timer_ms = -1;
	if (!d.multi || d.epoll < 0)
		die("no multi handle, or no epoll");
	curl_multi_setopt(d.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(d.multi, CURLMOPT_SOCKETDATA, &d);
	curl_multi_setopt(d.multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(d.multi, CURLMOPT_TIMERDATA, &d);
	curl_multi_setopt(d.multi, CURLMOPT_MAXCONNECTS, connections);
	began_us = clock_mono_us();
	for (long i = 0; i < connections; i++) {
		handles[i] = make_easy(&d, argv[1]);
		send_next(&d, handles[i]);
	}
	while (d.running > 0)
		turn(&d);
	took_us = clock_mono_us() - began_us;
	printf("{\"requests\":%ld,\"seconds\":%.4f}\n", d.answered,
	       (double)took_us / US_PER_S);
	for (long i = 0; i < connections; i++)
		curl_easy_cleanup(handles[i]);
	curl_multi_cleanup(d.multi);
	curl_slist_free_all(d.headers);
	mem_free(d.text);
	close(d.epoll);
	return d.answered == d.sent && d.answered > 0 ? 0 : 1;
}
