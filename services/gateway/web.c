#include "gateway/web.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "gateway/pages.h"

#define BODY_MAX_BYTES 4096 /* nothing here wants a body */

struct web {
	struct web_settings settings;
	struct http_server *server;
};

static struct metric requests, refused;

static void register_metrics(void)
{
	metrics_register(&requests, METRIC_COUNTER, "paybell_gateway_http_requests_total",
			 NULL, "Requests of plain HTTP on the gateway's port.");
	metrics_register(&refused, METRIC_COUNTER, "paybell_gateway_http_refused_total",
			 NULL,
			 "Connections for plain HTTP that were closed because there "
			 "were too many.");
}

/* ---- pages ---- */

/* A 304 is given the file, too: libmicrohttpd sends none of it, but its length, which is
 * the one that a cache has to keep. */
static void send_page(struct http_request *r, const struct page *p)
{
	struct http_answer a = {.status = 200,
				.content_type = p->type,
				.headers = {{"ETag", p->tag},
					    {"Last-Modified", p->modified},
					    {"Cache-Control", "no-cache"},
					    {"X-Content-Type-Options", "nosniff"}}};

	if (pages_is_known(p, http_header(r, "If-None-Match"),
			   http_header(r, "If-Modified-Since"))) {
		a.status = 304;
		a.content_type = NULL;
	}
	http_answer_file(r, &a, p->fd, p->size);
}

static bool answer_page(const struct web *w, struct http_request *r)
{
	struct page p;

	if (w->settings.pages[0] == '\0' ||
	    !pages_open(&p, w->settings.pages, http_path(r)))
		return false;
	if (strcmp(http_method(r), "GET") == 0) {
		send_page(r, &p);
		return true;
	}
	close(p.fd);
	admin_refuse(r, PROBLEM_METHOD_NOT_ALLOWED, "only GET", "GET, HEAD");
	return true;
}

/* ---- requests ---- */

static bool is_for_admin(const struct web *w, const struct http_request *r)
{
	return w->settings.metrics || strcmp(http_path(r), "/metrics") != 0;
}

static void on_request(void *arg, struct http_request *r)
{
	const struct web *w = arg;

	metric_add(&requests, 1);
	if (is_for_admin(w, r) && admin_answer(w->settings.admin, r))
		return;
	if (!answer_page(w, r))
		admin_not_found(r);
}

/* ---- its life ---- */

int web_start(struct web **out, const struct web_settings *settings, struct err *e)
{
	struct web *w = mem_alloc(sizeof(*w));
	const struct http_server_settings server = {
		.threads = 1,
		.max_connections = WEB_CONNECTIONS_MAX,
		.max_body_bytes = BODY_MAX_BYTES,
		.idle_timeout_s = WEB_IDLE_S,
		.life_s = WEB_LIFE_S,
		.handler = on_request,
		.on_fault = admin_fault,
		.arg = w,
	};

	w->settings = *settings;
	register_metrics();
	if ((settings->pages[0] != '\0' && pages_check(settings->pages, e) < 0) ||
	    http_server_start(&w->server, &server, e) < 0) {
		mem_free(w);
		return -1;
	}
	*out = w;
	return 0;
}

void web_take(struct web *w, int fd)
{
	if (http_server_adopt(w->server, fd))
		return;
	metric_add(&refused, 1);
	close(fd);
}

void web_stop(struct web *w)
{
	if (w == NULL)
		return;
	http_server_stop(w->server);
	mem_free(w);
}
