#include "io/http_response.h"

#include <microhttpd.h>
#include <string.h>

#include "base/log.h"

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	if (MHD_add_response_header(response, name, value) != MHD_YES)
		log_warn("http.header.refused", "name=%s", name);
}

/* Half of a cut answer, then libmicrohttpd is told that the source broke. */
static ssize_t read_half(void *arg, uint64_t at, char *out, size_t max)
{
	const struct http_request *r = arg;
	size_t half = r->answer_body_len / 2;
	size_t len = half - (size_t)at;

	if (len == 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (len > max)
		len = max;
	memcpy(out, buf_text(&r->answer) + at, len);
	return (ssize_t)len;
}

/* A response closes its file. */
static struct MHD_Response *response_of_file(struct http_request *r)
{
	struct MHD_Response *response =
		MHD_create_response_from_fd64(r->file_size, r->file);

	if (response != NULL)
		r->file = -1;
	return response;
}

static struct MHD_Response *response_for(struct http_request *r)
{
	if (r->file >= 0)
		return response_of_file(r);
	if (r->cut)
		return MHD_create_response_from_callback(r->answer_body_len, 4096,
							 read_half, r, NULL);
	return MHD_create_response_from_buffer(
		r->answer_body_len, (void *)buf_text(&r->answer), MHD_RESPMEM_PERSISTENT);
}

struct MHD_Response *http_response_new(struct http_request *r, bool close)
{
	const char *text = buf_text(&r->answer) + r->answer_body_len;
	struct MHD_Response *response;

	if (r->cut && r->answer_body_len == 0)
		return NULL;
	response = response_for(r);
	if (response == NULL)
		return NULL;
	if (r->has_type) {
		add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, text);
		text += strlen(text) + 1;
	}
	for (int i = 0; i < r->headers; i++) {
		const char *value = text + strlen(text) + 1;

		add_header(response, text, value);
		text = value + strlen(value) + 1;
	}
	if (close)
		add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return response;
}
