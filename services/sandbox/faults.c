/* Which messages an error rate hits.
 *
 * A random draw would make a test either loose or flaky, and "every tenth" beats in time
 * with retries. So the draws are multiples of the golden ratio modulo 1 (a Weyl
 * sequence): any stretch of them fills the interval evenly, so counts are exact to about
 * one, yet neighbours are far apart. The seed moves where it starts. */
#include "sandbox/faults.h"

#include <stdio.h>
#include <string.h>

#include "wire/json.h"

#define GOLDEN            0x9e3779b97f4a7c15u /* 2^64 divided by the golden ratio */
#define ALWAYS            (INT64_C(1) << 32)
#define HTTP_DEFAULT      503
#define SMTP_DEFAULT      451
#define RETRY_AFTER_MAX_S 86400

#define KNOWN                                                                            \
	"latency_ms, error_rate, status, retry_after_s, retry_after_date, hang, reset, " \
	"outage"

void faults_init(struct faults *f, uint64_t seed)
{
	*f = (struct faults){.seed = seed};
}

/* The rate is kept as a share of 2^32. */
static void get_rate(struct json_reader *r, struct fault *fault)
{
	double rate;

	if (!json_get_real(r, "error_rate", false, 0, 1, &rate))
		return;
	fault->error_threshold = (int64_t)(rate * (double)ALWAYS);
	snprintf(fault->error_rate, sizeof(fault->error_rate), "%.6g", rate);
}

static int decode(struct fault *fault, const char *body, size_t len, struct problem *p)
{
	struct err e = ERR_INIT;
	struct json_t *value = json_read(body, len, &e);
	struct json_reader r;
	int64_t latency_ms = 0, status = 0, retry_after_s = 0;
	int rc;

	if (value == NULL)
		return problem_set(p, PROBLEM_MALFORMED, NULL, "%s", e.text);
	json_reader_init(&r, value, "", p);
	json_get_int(&r, "latency_ms", false, 0, FAULT_LATENCY_MAX_MS, &latency_ms);
	get_rate(&r, fault);
	json_get_int(&r, "status", false, 400, 599, &status);
	json_get_int(&r, "retry_after_s", false, 0, RETRY_AFTER_MAX_S, &retry_after_s);
	json_get_bool(&r, "retry_after_date", false, &fault->retry_after_date);
	json_get_bool(&r, "hang", false, &fault->hang);
	json_get_bool(&r, "reset", false, &fault->reset);
	json_get_bool(&r, "outage", false, &fault->outage);
	rc = json_reader_end(&r, KNOWN);
	json_free(value);
	fault->latency_ms = (int)latency_ms;
	fault->status = (int)status;
	fault->retry_after_s = (int)retry_after_s;
	if (fault->status != 0 && fault->error_rate[0] == '\0')
		fault->error_threshold = ALWAYS;
	return rc;
}

int faults_put(struct faults *f, enum channel c, const char *body, size_t len,
	       struct problem *p)
{
	struct fault fault = {.active = true};

	if (decode(&fault, body, len, p) < 0)
		return -1;
	f->of[c] = fault;
	f->draw[c] = f->seed;
	f->judged[c] = 0;
	f->refused[c] = 0;
	return 0;
}

void faults_end(struct faults *f, enum channel c)
{
	f->of[c] = (struct fault){0};
}

void faults_judge(struct faults *f, enum channel c, struct verdict *v)
{
	const struct fault *fault = &f->of[c];

	*v = (struct verdict){0};
	if (!fault->active)
		return;
	v->latency_ms = fault->latency_ms;
	v->hang = fault->hang;
	v->reset = fault->reset;
	v->outage = fault->outage;
	f->draw[c] += GOLDEN;
	f->judged[c]++;
	if ((int64_t)(f->draw[c] >> 32) >= fault->error_threshold)
		return;
	f->refused[c]++;
	v->status = fault->status;
	if (v->status == 0)
		v->status = c == CHANNEL_EMAIL ? SMTP_DEFAULT : HTTP_DEFAULT;
	v->retry_after_s = fault->retry_after_s;
	v->retry_after_date = fault->retry_after_date;
}

static void encode(const struct faults *f, enum channel c, struct json_writer *w)
{
	const struct fault *fault = &f->of[c];

	json_put_bool(w, "active", fault->active);
	if (!fault->active)
		return;
	if (fault->latency_ms > 0)
		json_put_int(w, "latency_ms", fault->latency_ms);
	if (fault->error_rate[0])
		json_put_raw(w, "error_rate", fault->error_rate,
			     strlen(fault->error_rate));
	if (fault->status > 0)
		json_put_int(w, "status", fault->status);
	if (fault->retry_after_s > 0)
		json_put_int(w, "retry_after_s", fault->retry_after_s);
	if (fault->retry_after_date)
		json_put_bool(w, "retry_after_date", true);
	if (fault->hang)
		json_put_bool(w, "hang", true);
	if (fault->reset)
		json_put_bool(w, "reset", true);
	if (fault->outage)
		json_put_bool(w, "outage", true);
	json_put_int(w, "judged", f->judged[c]);
	json_put_int(w, "refused", f->refused[c]);
}

void faults_encode(const struct faults *f, enum channel c, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	encode(f, c, &w);
	json_close(&w, '}');
}

void faults_encode_all(const struct faults *f, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		json_open(&w, channel_name((enum channel)c), '{');
		encode(f, (enum channel)c, &w);
		json_close(&w, '}');
	}
	json_close(&w, '}');
}
