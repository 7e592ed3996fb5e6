/* What recorder.c and recorder_page.c share: the files. */
#ifndef PAYBELL_SANDBOX_RECORDER_FILES_H
#define PAYBELL_SANDBOX_RECORDER_FILES_H

#include "sandbox/channel_log.h"
#include "sandbox/recorder.h"

#define RECORDER_PATH_MAX 4000

struct recorder {
	struct channel_log logs[CHANNEL_COUNT];
	int64_t newest;     /* the last number given */
	int64_t max_bytes;  /* of all files */
	int64_t generation; /* how often it was emptied */
	struct buf line;    /* scratch */
	bool temporary;
	char directory[RECORDER_PATH_MAX];
};

#endif
