#include "app/suspects.h"

#include "base/mem.h"
#include "store/channels.h"
#include "store/proof.h"

enum {
	SLICE = 2000, /* open deliveries of a walk */
	MARKS = 256,  /* suspects looked up in one go */
};

struct suspects {
	struct channels *channels;
	struct proof *proof;
	char channel[CHANNEL_NAME_MAX + 1];
	int64_t through, walked_to, open;
	int64_t *sequences;
	struct proof_mark *marks;
	size_t count;     /* suspects */
	size_t looked_up; /* of these, in the present round */
	size_t kept;      /* of these */
	bool cut;
};

int suspects_new(struct suspects **out, struct store *store, struct err *e)
{
	struct suspects *s = mem_alloc(sizeof *s);

	if (channels_new(&s->channels, store, e) < 0 ||
	    proof_new(&s->proof, store, e) < 0) {
		suspects_free(s);
		return -1;
	}
	s->sequences = mem_array(SUSPECTS_MAX, sizeof *s->sequences);
	s->marks = mem_array(SUSPECTS_MAX, sizeof *s->marks);
	*out = s;
	return 0;
}

void suspects_free(struct suspects *s)
{
	if (s == NULL)
		return;
	channels_free(s->channels);
	proof_free(s->proof);
	mem_free(s->sequences);
	mem_free(s->marks);
	mem_free(s);
}

void suspects_begin(struct suspects *s, const char *channel, int64_t through)
{
	mem_copy_text(s->channel, sizeof s->channel, channel);
	s->through = through;
	s->walked_to = s->open = 0;
	s->count = s->looked_up = s->kept = 0;
	s->cut = false;
}

/* ---- gathering ---- */

static void take_open(struct suspects *s, const struct sequences *placed,
		      int64_t sequence)
{
	if (sequence > s->through)
		return;
	s->open++;
	if (sequences_have(placed, sequence))
		return;
	if (s->count == SUSPECTS_MAX)
		s->cut = true;
	else
		s->sequences[s->count++] = sequence;
}

int suspects_walk(struct suspects *s, const struct sequences *placed, struct err *e)
{
	int64_t open[SLICE], scanned_to = s->walked_to;
	int count = channels_open_after(s->channels, s->channel, s->walked_to, open,
					SLICE, &scanned_to, e);

	if (count < 0)
		return -1;
	for (int i = 0; i < count; i++)
		take_open(s, placed, open[i]);
	if (scanned_to >= s->through)
		return 0;
	/* What is fed is committed, so it would be reached. */
	if (scanned_to <= s->walked_to)
		return err_set(e, ERR_CORRUPT, "channel %s: fed up to %lld, of %lld",
			       s->channel, (long long)s->through, (long long)scanned_to);
	s->walked_to = scanned_to;
	return 1;
}

/* ---- looking up ---- */

static int look_up(struct suspects *s, int64_t sequence, struct proof_mark *now,
		   struct err *e)
{
	int rc = proof_mark(s->proof, sequence, s->channel, now, e);

	if (rc == 0)
		*now = (struct proof_mark){.open = false};
	return rc < 0 ? -1 : 0;
}

static void keep(struct suspects *s, int64_t sequence, const struct proof_mark *mark)
{
	s->sequences[s->kept] = sequence;
	s->marks[s->kept++] = *mark;
}

/* After a slice: is there another one? */
static int end_slice(struct suspects *s)
{
	if (s->looked_up < s->count)
		return 1;
	s->count = s->kept;
	s->looked_up = s->kept = 0;
	return 0;
}

int suspects_mark(struct suspects *s, struct err *e)
{
	for (int i = 0; i < MARKS && s->looked_up < s->count; i++) {
		int64_t sequence = s->sequences[s->looked_up++];
		struct proof_mark now;

		if (look_up(s, sequence, &now, e) < 0)
			return -1;
		if (now.open)
			keep(s, sequence, &now);
	}
	return end_slice(s);
}

static bool is_as_before(const struct proof_mark *before, const struct proof_mark *now)
{
	return now->open && now->records == before->records &&
	       now->replayed_us == before->replayed_us;
}

int suspects_prove(struct suspects *s, const struct sequences *placed, struct err *e)
{
	for (int i = 0; i < MARKS && s->looked_up < s->count; i++) {
		int64_t sequence = s->sequences[s->looked_up];
		struct proof_mark before = s->marks[s->looked_up++], now;

		if (sequences_have(placed, sequence))
			continue;
		if (look_up(s, sequence, &now, e) < 0)
			return -1;
		if (is_as_before(&before, &now))
			keep(s, sequence, &now);
	}
	return end_slice(s);
}

/* ---- what came of it ---- */

const int64_t *suspects_left(const struct suspects *s, size_t *count)
{
	*count = s->count;
	return s->sequences;
}

int64_t suspects_open(const struct suspects *s)
{
	return s->open;
}

bool suspects_are_cut(const struct suspects *s)
{
	return s->cut;
}
