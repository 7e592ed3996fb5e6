#include "sandbox/smtp_login.h"

#include <string.h>

#include "base/base64.h"
#include "base/mem.h"

/* "=" is how an empty one is written (RFC 4954 section 4). */
static int decode(struct buf *out, const char *base64)
{
	if (strcmp(base64, "=") == 0)
		return 0;
	return base64_decode(out, base64, strlen(base64));
}

int smtp_login_plain(const char *base64, char user[SMTP_LOGIN_SIZE],
		     char password[SMTP_LOGIN_SIZE])
{
	struct buf plain;
	const char *name, *secret;
	int rc = -1;

	buf_init(&plain, SMTP_LOGIN_SIZE * 3);
	if (decode(&plain, base64) < 0 || plain.len == 0)
		goto out;
	/* authorization identity NUL user NUL password */
	name = memchr(plain.data, '\0', plain.len);
	if (name == NULL)
		goto out;
	name++;
	secret = memchr(name, '\0', (size_t)(plain.data + plain.len - name));
	if (secret == NULL || secret == name)
		goto out;
	secret++;
	if (strlen(secret) != (size_t)(plain.data + plain.len - secret))
		goto out;
	if (mem_copy_text(user, SMTP_LOGIN_SIZE, name) &&
	    mem_copy_text(password, SMTP_LOGIN_SIZE, secret))
		rc = 0;
out:
	buf_release(&plain);
	return rc;
}

int smtp_login_text(const char *base64, char out[SMTP_LOGIN_SIZE])
{
	struct buf plain;
	int rc = -1;

	buf_init(&plain, SMTP_LOGIN_SIZE);
	if (decode(&plain, base64) == 0 && strlen(buf_text(&plain)) == plain.len &&
	    mem_copy_text(out, SMTP_LOGIN_SIZE, buf_text(&plain)))
		rc = 0;
	buf_release(&plain);
	return rc;
}
