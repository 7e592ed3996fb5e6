#include "io/stream.h"

#include <curl/curl.h>

#include "base/mem.h"
#include "io/curl_door.h"
#include "io/watches.h"

struct stream {
	struct curl_owner owner;
	struct curl_door *door;
	CURL *easy;
	int fd; /* -1 while curl opens it */
	const struct stream_calls *calls;
	void *arg;
};

static void on_opened(struct curl_owner *owner, int code);

static size_t on_line(char *bytes, size_t one, size_t len, void *arg)
{
	struct stream *s = arg;

	s->calls->line(s->arg, bytes, len);
	return len;
}

static size_t drop_bytes(char *bytes, size_t one, size_t len, void *arg)
{
	return len;
}

struct stream *stream_open(struct curl_door *t, const struct stream_settings *settings,
			   const struct stream_calls *calls, void *arg)
{
	struct stream *s = mem_alloc(sizeof(*s));

	s->owner.ended = on_opened;
	s->door = t;
	s->fd = -1;
	s->calls = calls;
	s->arg = arg;
	s->easy = curl_door_handle(t, &s->owner);
	curl_easy_setopt(s->easy, CURLOPT_URL, settings->url);
	curl_easy_setopt(s->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(s->easy, CURLOPT_HEADERFUNCTION, on_line);
	curl_easy_setopt(s->easy, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, drop_bytes);
	curl_easy_setopt(s->easy, CURLOPT_SASL_IR, 1L); /* a round trip less */
	curl_easy_setopt(s->easy, CURLOPT_USERNAME, settings->username);
	curl_easy_setopt(s->easy, CURLOPT_PASSWORD, settings->password);
	curl_easy_setopt(
		s->easy, CURLOPT_USE_SSL,
		(long)(settings->starttls_required ? CURLUSESSL_ALL : CURLUSESSL_TRY));
	curl_easy_setopt(s->easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)settings->connect_timeout_ms);
	curl_door_start(t, s->easy);
	return s;
}

void stream_close(struct stream *s)
{
	if (s == NULL)
		return;
	if (s->fd >= 0)
		watches_lend(curl_door_watches(s->door), s->fd, 0, NULL, NULL);
	/* This closes the connection too, since it was for us only. */
	curl_door_stop(s->door, s->easy);
	curl_easy_cleanup(s->easy);
	mem_free(s);
}

static void on_stream_event(void *arg, int events)
{
	struct stream *s = arg;

	s->calls->ready(s->arg, events);
}

static void on_opened(struct curl_owner *owner, int code)
{
	struct stream *s = container_of(owner, struct stream, owner);
	struct stream_opening opening = {.ok = code == CURLE_OK};
	curl_socket_t fd = CURL_SOCKET_BAD;
	char text[128] = "";
	long status = 0;

	if (opening.ok)
		curl_easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd == CURL_SOCKET_BAD)
		opening.ok = false;
	else
		s->fd = fd;
	if (!opening.ok)
		curl_door_say(text, sizeof(text), s->easy, code);
	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	opening.status = status >= 400 ? (int)status : 0; /* else it refused nothing */
	opening.text = text;
	s->calls->opened(s->arg, &opening);
}

void stream_watch(struct stream *s, int events)
{
	watches_lend(curl_door_watches(s->door), s->fd, events, on_stream_event, s);
}

ssize_t stream_send(struct stream *s, const void *bytes, size_t len)
{
	size_t n = 0;
	CURLcode rc = curl_easy_send(s->easy, bytes, len, &n);

	if (rc == CURLE_AGAIN)
		return 0;
	return rc == CURLE_OK ? (ssize_t)n : -1;
}

ssize_t stream_recv(struct stream *s, void *bytes, size_t size)
{
	size_t n = 0;
	CURLcode rc = curl_easy_recv(s->easy, bytes, size, &n);

	if (rc == CURLE_AGAIN)
		return 0;
	return rc == CURLE_OK && n > 0 ? (ssize_t)n : -1;
}
