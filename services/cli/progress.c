#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define EVERY_MS   200
#define ERASE_LINE "\r\033[K"

void progress_init(struct progress *p)
{
	*p = (struct progress){.terminal = isatty(STDERR_FILENO) == 1};
}

void progress_show(struct progress *p, const char *fmt, ...)
{
	int64_t now_us = clock_mono_us();
	va_list args;

	if (!p->terminal || now_us < p->next_us)
		return;
	p->next_us = now_us + EVERY_MS * US_PER_MS;
	p->shown = true;
	fputs(ERASE_LINE "paybell: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fflush(stderr);
}

void progress_clear(struct progress *p)
{
	if (!p->shown)
		return;
	p->shown = false;
	fputs(ERASE_LINE, stderr);
	fflush(stderr);
}
