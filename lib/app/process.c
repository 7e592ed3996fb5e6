#include "app/process.h"

#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define KEEP_FREE_BYTES (4 << 20)

void process_prepare(int nice)
{
	struct rlimit files;

	/* Only ever back, which needs no right; a failure leaves it as it was started. */
	if (nice > 0)
		setpriority(PRIO_PROCESS, 0, nice);
	/* What a burst freed is kept: to give it back to the system and take it again
	 * cost a twentieth of all time. */
	mallopt(M_TRIM_THRESHOLD, KEEP_FREE_BYTES);
	signal(SIGPIPE, SIG_IGN);
	umask(027);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}
