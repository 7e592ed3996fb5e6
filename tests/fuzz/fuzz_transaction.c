/* A request that was taken holds what it promises, and is taken again when it is written
 * anew. */
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "wire/transaction.h"

static void write_request(const struct transaction_request *t, struct buf *out)
{
	char money[MONEY_TEXT_SIZE];
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	if (t->from[0])
		json_put_text(&w, "from", t->from);
	if (t->to[0])
		json_put_text(&w, "to", t->to);
	json_put_text(&w, "amount", money_format(money, t->amount_minor, t->currency));
	json_put_text(&w, "currency", t->currency);
	if (t->description[0])
		json_put_text(&w, "description", t->description);
	if (t->metadata)
		json_put_raw(&w, "metadata", t->metadata, strlen(t->metadata));
	json_close(&w, '}');
}

static void check_promises(const struct transaction_request *t)
{
	fuzz_require(t->amount_minor > 0 && t->amount_minor <= MONEY_MAX_MINOR, "amount");
	fuzz_require(money_decimals(t->currency) >= 0, "currency");
	fuzz_require(strcmp(t->from, t->to) != 0, "two parties");
	fuzz_require(utf8_is_line(t->description, strlen(t->description)), "description");
	fuzz_require(!t->metadata || strlen(t->metadata) <= METADATA_MAX, "metadata");
}

static void check_again(const struct transaction_request *t)
{
	struct transaction_request back;
	struct problem p;
	struct buf out;

	buf_init(&out, TRANSACTION_BODY_MAX);
	write_request(t, &out);
	fuzz_require(transaction_request_decode(&back, out.data, out.len, &p) == 0,
		     "it is taken again");
	fuzz_require(strcmp(t->from, back.from) == 0 && strcmp(t->to, back.to) == 0 &&
			     strcmp(t->currency, back.currency) == 0 &&
			     strcmp(t->description, back.description) == 0 &&
			     t->amount_minor == back.amount_minor,
		     "it is the same");
	fuzz_require(!t->metadata == !back.metadata, "metadata is there or not");
	fuzz_require(!t->metadata || strcmp(t->metadata, back.metadata) == 0,
		     "metadata is the same");
	transaction_request_release(&back);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct transaction_request t;
	struct problem p = {.kind = PROBLEM_NONE};

	if (transaction_request_decode(&t, (const char *)data, size, &p) < 0) {
		fuzz_require(p.kind == PROBLEM_MALFORMED || p.kind == PROBLEM_TOO_LARGE ||
				     (p.kind == PROBLEM_VALIDATION && p.field[0]),
			     "a refusal names its field");
		fuzz_require(p.detail[0] && utf8_valid(p.detail, strlen(p.detail)),
			     "a refusal says why, in UTF-8");
		return 0;
	}
	check_promises(&t);
	check_again(&t);
	transaction_request_release(&t);
	return 0;
}
