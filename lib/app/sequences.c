#include "app/sequences.h"

#include <stdlib.h>

#include "base/mem.h"

#define FIRST_CAPACITY 1024

void sequences_init(struct sequences *s)
{
	*s = (struct sequences){.rising = {.values = NULL}};
}

void sequences_release(struct sequences *s)
{
	mem_free(s->rising.values);
	mem_free(s->strays.values);
	sequences_init(s);
}

void sequences_clear(struct sequences *s)
{
	s->rising.count = s->strays.count = 0;
}

static void append(struct sequences_run *run, int64_t value)
{
	if (run->count == run->capacity) {
		run->capacity = run->capacity == 0 ? FIRST_CAPACITY : run->capacity * 2;
		run->values = mem_resize(run->values, run->capacity, sizeof *run->values);
	}
	run->values[run->count++] = value;
}

bool sequences_add(struct sequences *s, int64_t value)
{
	const struct sequences_run *rising = &s->rising;

	if (sequences_count(s) == SEQUENCES_MAX)
		return false;
	if (rising->count == 0 || value >= rising->values[rising->count - 1])
		append(&s->rising, value);
	else
		append(&s->strays, value);
	return true;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

void sequences_seal(struct sequences *s)
{
	if (s->strays.count > 0)
		qsort(s->strays.values, s->strays.count, sizeof *s->strays.values,
		      compare);
}

static bool run_has(const struct sequences_run *run, int64_t value)
{
	return run->count > 0 && bsearch(&value, run->values, run->count,
					 sizeof *run->values, compare) != NULL;
}

bool sequences_have(const struct sequences *s, int64_t value)
{
	return run_has(&s->rising, value) || run_has(&s->strays, value);
}

size_t sequences_count(const struct sequences *s)
{
	return s->rising.count + s->strays.count;
}
