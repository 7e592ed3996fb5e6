/* GET /openapi.json: what the API is, as schema/openapi.yaml says it, compiled in as it
 * stands. Any thread that may answer r; answers at once. */
#ifndef PAYBELL_BACKEND_OPENAPI_H
#define PAYBELL_BACKEND_OPENAPI_H

#include <stdbool.h>

#include "io/http_server.h"

#define OPENAPI_PATH "/openapi.json"

void openapi_answer(struct http_request *r);

/* Answers r when it is a GET of OPENAPI_PATH: true. A service's admin_request; the state
 * is not used. */
bool openapi_request(void *state, struct http_request *r);

#endif
