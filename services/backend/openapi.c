#include "backend/openapi.h"

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
