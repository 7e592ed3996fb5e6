#include "backend/openapi.h"

#include <string.h>

static const unsigned char document[] = {
#include "openapi.inc"
};

void openapi_answer(struct http_request *r)
{
	http_answer(r, &(struct http_answer){
			       .status = 200,
			       .content_type = "application/json",
			       .body = (const char *)document,
			       .body_len = sizeof document,
			       .headers = {{"Cache-Control", "max-age=300"}},
		       });
}

bool openapi_request(void *state, struct http_request *r)
{
	(void)state;
	if (strcmp(http_path(r), OPENAPI_PATH) != 0 || strcmp(http_method(r), "GET") != 0)
		return false;
	openapi_answer(r);
	return true;
}
