/* GET /openapi.json: what the API is, as schema/openapi.yaml says it, compiled in as it
 * stands. Any thread that may answer r; answers at once. */
#ifndef PAYBELL_BACKEND_OPENAPI_H
#define PAYBELL_BACKEND_OPENAPI_H

#include "io/http_server.h"

#define OPENAPI_PATH "/openapi.json"

void openapi_answer(struct http_request *r);

#endif
