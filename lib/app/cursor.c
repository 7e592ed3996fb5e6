#include "app/cursor.h"

#include <string.h>

#include "wire/event.h"

int64_t cursor_read(const char *text, const char *ledger_id)
{
	size_t len = strlen(ledger_id);
	int64_t at;

	if (text[0] == '\0')
		return CURSOR_MISSING;
	if (strncmp(text, ledger_id, len) != 0 || text[len] != ':')
		return CURSOR_FOREIGN;
	at = sequence_parse(text + len + 1);
	return at < 0 ? CURSOR_FOREIGN : at;
}
