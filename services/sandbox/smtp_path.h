/* What stands behind MAIL and RCPT: "FROM:<alice@example.com> SIZE=120 BODY=8BITMIME".
 * RFC 5321 sections 4.1.1.2, 4.1.1.3 and 4.1.2, without source routes and quoted local
 * parts; "<>" (no sender) and "<postmaster>" are as they say. Pure. */
#ifndef PAYBELL_SANDBOX_SMTP_PATH_H
#define PAYBELL_SANDBOX_SMTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define SMTP_ADDRESS_SIZE 256 /* RFC 5321 section 4.5.3.1.3, and a NUL */

/* word is "FROM:" or "TO:". *parameters points into text, at the first one or the end. */
int smtp_path_parse(const char *text, const char *word, bool sender,
		    char address[SMTP_ADDRESS_SIZE], const char **parameters,
		    struct err *e);

/* Takes the next "KEY=value" or "KEY" off *parameters: its key in upper case, value ""
 * when there is none. 1 a parameter, 0 the end, -1 not well-formed. */
#define SMTP_PARAMETER_SIZE 64
int smtp_path_parameter(const char **parameters, char key[SMTP_PARAMETER_SIZE],
			char value[SMTP_PARAMETER_SIZE]);

#endif
