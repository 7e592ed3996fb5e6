#include "push/service_account.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wire/json.h"

int service_account_parse(struct service_account *a, const char *json, size_t len,
			  struct err *e)
{
	struct json_t *root = json_read(json, len, e);
	struct json_reader r;
	struct problem p;
	char type[32];

	if (!root)
		return -1;
	json_reader_init(&r, root, "", &p);
	if (json_get_text(&r, "type", true, type, sizeof(type)) &&
	    strcmp(type, "service_account") != 0)
		json_fault(&r, "type", "must be \"service_account\"");
	json_get_text(&r, "project_id", true, a->project, sizeof(a->project));
	json_get_text(&r, "client_email", true, a->email, sizeof(a->email));
	json_get_text(&r, "private_key", true, a->private_key, sizeof(a->private_key));
	if (json_get_text(&r, "token_uri", true, a->token_uri, sizeof(a->token_uri)) &&
	    strncmp(a->token_uri, "https://", 8) != 0 &&
	    strncmp(a->token_uri, "http://", 7) != 0)
		json_fault(&r, "token_uri", "must begin with https:// or http://");
	json_free(root);
	return json_failed(&r) ? err_set(e, ERR_INVALID, "%s", p.detail) : 0;
}

int service_account_read(struct service_account *a, const char *path, struct err *e)
{
	char text[SERVICE_ACCOUNT_MAX_BYTES];
	FILE *f = fopen(path, "re");
	size_t len;

	if (!f)
		return err_set_errno(e, ERR_INVALID, errno, "%s", path);
	len = fread(text, 1, sizeof(text), f);
	fclose(f);
	if (len == sizeof(text))
		return err_set(e, ERR_INVALID, "%s: too large for a key file", path);
	if (service_account_parse(a, text, len, e) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}
