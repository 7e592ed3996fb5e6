/* /users/{id}/devices: where push goes to. */
#include <string.h>

#include "backend/answer.h"
#include "backend/api.h"
#include "base/mem.h"

struct device_job {
	struct job job;
	struct http_request *request;
	struct device device;
	int result;
	enum err_code
		refusal; /* ERR_NONE, ERR_NOT_FOUND or ERR_FULL: refused, not failed */
};

static void answer_done(struct device_job *w)
{
	struct problem p = {.kind = PROBLEM_NONE};
	struct buf json;

	if (w->refusal == ERR_NOT_FOUND) {
		problem_set(&p, PROBLEM_NOT_FOUND, "id", "there is no such user");
		answer_problem(w->request, true, &p);
		return;
	}
	if (w->refusal == ERR_FULL) {
		problem_set(&p, PROBLEM_CONFLICT, "devices",
			    "a user has at most %d devices: remove one first",
			    DEVICES_MAX);
		answer_problem(w->request, true, &p);
		return;
	}
	buf_init(&json, 8192);
	device_encode(&w->device, &json);
	answer_json(w->request, true, w->result == 1 ? 201 : 200, &json, NULL, NULL);
	buf_release(&json);
}

static int add_apply(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct device_job *w = container_of(j, struct device_job, job);

	w->result = users_add_device(b->users, &w->device, now_us, e);
	if (w->result >= 0)
		return 0;
	w->refusal = e->code == ERR_NOT_FOUND || e->code == ERR_FULL ? e->code : ERR_NONE;
	return w->refusal == ERR_NONE ? -1 : 0;
}

static void add_finish(struct job *j, enum job_outcome outcome)
{
	struct device_job *w = container_of(j, struct device_job, job);

	if (outcome == JOB_DONE)
		answer_done(w);
	else
		answer_undone(w->request, outcome);
	mem_free(w);
}

static struct device_job *job_new(struct call *c)
{
	struct device_job *w = mem_alloc(sizeof *w);

	w->request = c->request;
	mem_copy_text(w->device.user_id, sizeof w->device.user_id, c->id[0]);
	return w;
}

void devices_route_post(struct call *c)
{
	struct problem p = {.kind = PROBLEM_NONE};
	struct device_job *w;
	const char *body;
	size_t len;

	if (!call_has_json(c))
		return;
	w = job_new(c);
	w->job.apply = add_apply;
	w->job.finish = add_finish;
	body = http_body(c->request, &len);
	if (device_decode(&w->device, body, len, &p) < 0) {
		answer_problem(c->request, false, &p);
		mem_free(w);
		return;
	}
	mem_copy_text(w->device.user_id, sizeof w->device.user_id, c->id[0]);
	if (!call_commit(c, &w->job))
		mem_free(w);
}

static int remove_apply(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct device_job *w = container_of(j, struct device_job, job);

	(void)now_us;
	w->result = users_remove_device(b->users, w->device.user_id, w->device.id, e);
	return w->result < 0 ? -1 : 0;
}

static void remove_finish(struct job *j, enum job_outcome outcome)
{
	struct device_job *w = container_of(j, struct device_job, job);
	struct problem p = {.kind = PROBLEM_NONE};

	if (outcome != JOB_DONE) {
		answer_undone(w->request, outcome);
	} else if (w->result == 1) {
		answer_nothing(w->request, true);
	} else {
		problem_set(&p, PROBLEM_NOT_FOUND, "device_id",
			    "this user has no such device");
		answer_problem(w->request, true, &p);
	}
	mem_free(w);
}

void devices_route_delete(struct call *c)
{
	struct device_job *w = job_new(c);

	w->job.apply = remove_apply;
	w->job.finish = remove_finish;
	mem_copy_text(w->device.id, sizeof w->device.id, c->id[1]);
	if (!call_commit(c, &w->job))
		mem_free(w);
}

static void put_devices(struct buf *json, const struct device *devices, int count)
{
	struct json_writer w;

	json_writer_init(&w, json);
	json_open(&w, NULL, '{');
	json_open(&w, "devices", '[');
	for (int i = 0; i < count; i++) {
		json_open(&w, NULL, '{');
		device_put(&w, &devices[i]);
		json_close(&w, '}');
	}
	json_close(&w, ']');
	json_close(&w, '}');
}

void devices_route_list(struct call *c)
{
	struct books *b = call_reader(c);
	struct device *devices;
	struct err e = ERR_INIT;
	struct buf json;
	int count;

	if (b == NULL)
		return;
	devices = mem_array(DEVICES_MAX, sizeof *devices);
	count = users_devices(b->users, c->id[0], devices, &e);
	readers_give(c->api->readers, b);
	buf_init(&json, 65536);
	put_devices(&json, devices, count);
	if (count < 0)
		answer_failure(c->request, &e);
	else
		answer_json(c->request, false, 200, &json, NULL, NULL);
	buf_release(&json);
	mem_free(devices);
}
