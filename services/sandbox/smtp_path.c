#include "sandbox/smtp_path.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "wire/mime.h"

int smtp_path_parse(const char *text, const char *word, bool sender,
		    char address[SMTP_ADDRESS_SIZE], const char **parameters,
		    struct err *e)
{
	size_t word_len = strlen(word), len;
	const char *end;

	if (strncasecmp(text, word, word_len) != 0 || text[word_len] != '<')
		return err_set(e, ERR_INVALID, "syntax: %s<address>", word);
	text += word_len + 1;
	end = strchr(text, '>');
	if (end == NULL || (end[1] != '\0' && end[1] != ' '))
		return err_set(e, ERR_INVALID, "syntax: %s<address>", word);
	len = (size_t)(end - text);
	if (len >= SMTP_ADDRESS_SIZE)
		return err_set(e, ERR_INVALID, "the address is too long");
	memcpy(address, text, len);
	address[len] = '\0';
	*parameters = end + 1;
	if (sender ? len == 0 : strcasecmp(address, "postmaster") == 0)
		return 0;
	return mime_address_check(address, e);
}

static size_t copy_word(char *out, const char *text, const char *stop)
{
	size_t len = strcspn(text, stop);

	if (len >= SMTP_PARAMETER_SIZE)
		return SMTP_PARAMETER_SIZE;
	memcpy(out, text, len);
	out[len] = '\0';
	return len;
}

int smtp_path_parameter(const char **parameters, char key[SMTP_PARAMETER_SIZE],
			char value[SMTP_PARAMETER_SIZE])
{
	const char *at = *parameters + strspn(*parameters, " ");
	size_t len;

	value[0] = '\0';
	if (*at == '\0')
		return 0;
	len = copy_word(key, at, "= ");
	if (len == 0 || len == SMTP_PARAMETER_SIZE)
		return -1;
	for (size_t i = 0; i < len; i++)
		key[i] = (char)toupper((unsigned char)key[i]);
	at += len;
	if (*at == '=') {
		len = copy_word(value, ++at, " ");
		if (len == 0 || len == SMTP_PARAMETER_SIZE)
			return -1;
		at += len;
	}
	*parameters = at;
	return 1;
}
