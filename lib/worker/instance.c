#include "worker/instance.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

/* One word: "<boot id>/<pid namespace>/<pid>/<random>". The first two say where the pid
 * means something. */
#define HOLDER_SIZE 96
#define LEASE_TEXT  "10000"

enum { ASK_AGAIN_MS = 500, GIVE_UP_MS = 2 * INSTANCE_LEASE_MS };

/* Takes the lease when it is free, ours, or held by the one who is known to be dead. */
static const char claim_script[] =
	"local v = redis.call('GET', KEYS[1]) "
	"if not v or v == ARGV[1] or v == ARGV[2] then "
	"redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3]) return 1 end "
	"return v";
static const char release_script[] = "if redis.call('GET', KEYS[1]) == ARGV[1] then "
				     "return redis.call('DEL', KEYS[1]) end "
				     "return 0";

struct instance {
	struct redis *redis;
	struct loop_timer *timer;
	struct instance_hooks hooks;
	char *key;
	char place[64]; /* boot and namespace */
	char self[HOLDER_SIZE], other[HOLDER_SIZE], dead[HOLDER_SIZE];
	int64_t other_since_us;
	bool held, asking, releasing;
};

static void on_timer(void *arg);
static void on_claimed(void *arg, const struct redisReply *reply, const struct err *e);

static void describe_place(char *out, size_t size)
{
	char boot[37] = "";
	struct stat namespace = {0};
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (f) {
		if (!fgets(boot, sizeof(boot), f))
			boot[0] = '\0';
		fclose(f);
	}
	stat("/proc/self/ns/pid", &namespace);
	snprintf(out, size, "%s/%llu/", boot, (unsigned long long)namespace.st_ino);
}

struct instance *instance_new(struct loop *l, struct redis *r, const char *key,
			      const struct instance_hooks *hooks)
{
	struct instance *i = mem_alloc(sizeof(*i));
	uint64_t number;

	random_bytes(&number, sizeof(number));
	i->redis = r;
	i->hooks = *hooks;
	i->key = mem_strdup(key);
	i->timer = loop_timer_new(l, on_timer, i);
	describe_place(i->place, sizeof(i->place));
	snprintf(i->self, sizeof(i->self), "%s%ld/%08llx", i->place, (long)getpid(),
		 (unsigned long long)(number & 0xffffffff));
	return i;
}

void instance_free(struct instance *i)
{
	if (!i)
		return;
	loop_timer_free(i->timer);
	mem_free(i->key);
	mem_free(i);
}

bool instance_is_held(const struct instance *i)
{
	return i->held;
}

void instance_claim(struct instance *i)
{
	if (i->asking || i->releasing)
		return;
	if (redis_sendl(i->redis, on_claimed, i, "EVAL", claim_script, "1", i->key,
			i->self, i->dead, LEASE_TEXT, NULL) == 0)
		i->asking = true;
}

void instance_lost_connection(struct instance *i)
{
	i->held = false;
	loop_timer_stop(i->timer);
}

static void on_timer(void *arg)
{
	instance_claim(arg);
}

/* A process of this machine, and it is not there any more. */
static bool is_dead(const struct instance *i, const char *holder)
{
	size_t len = strlen(i->place);
	long pid;

	if (i->place[0] == '/' || strncmp(holder, i->place, len) != 0)
		return false;
	pid = strtol(holder + len, NULL, 10);
	return pid > 0 &&
	       (pid == (long)getpid() || (kill((pid_t)pid, 0) < 0 && errno == ESRCH));
}

static void held_by_other(struct instance *i, const char *holder)
{
	struct err e = ERR_INIT;
	int64_t now_us = clock_mono_us();

	if (is_dead(i, holder)) {
		mem_copy_text(i->dead, sizeof(i->dead), holder);
		instance_claim(i);
		return;
	}
	if (strcmp(holder, i->other) != 0) {
		mem_copy_text(i->other, sizeof(i->other), holder);
		i->other_since_us = now_us;
		log_warn("worker.name_held", "wait_ms=%d", GIVE_UP_MS);
	}
	if (i->held || now_us - i->other_since_us > GIVE_UP_MS * US_PER_MS) {
		i->held = false;
		err_set(&e, ERR_CONFLICT,
			"another process works under this name: set PAYBELL_INSTANCE");
		i->hooks.taken(i->hooks.arg, &e);
		return;
	}
	loop_timer_start(i->timer, ASK_AGAIN_MS, 0);
}

static void on_claimed(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct instance *i = arg;
	struct log_quote q;

	i->asking = false;
	if (!reply || i->releasing)
		return;
	if (redis_kind(reply) == REDIS_KIND_TEXT) {
		held_by_other(i, redis_text(reply, NULL));
	} else if (redis_kind(reply) == REDIS_KIND_INT) {
		if (!i->held) {
			i->held = true;
			i->other[0] = '\0';
			i->hooks.held(i->hooks.arg);
		}
	} else {
		log_warn("worker.name_failed", "error=%s",
			 log_quote(&q, redis_text(reply, NULL)));
		loop_timer_start(i->timer, ASK_AGAIN_MS, 0);
	}
}

static void on_released(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct instance *i = arg;

	i->held = false;
	i->hooks.released(i->hooks.arg);
}

void instance_release(struct instance *i)
{
	if (i->releasing)
		return;
	i->releasing = true;
	loop_timer_stop(i->timer);
	if (!i->held || redis_sendl(i->redis, on_released, i, "EVAL", release_script, "1",
				    i->key, i->self, NULL) < 0)
		i->hooks.released(i->hooks.arg);
}
