/* What a client sends behind AUTH: SASL PLAIN (RFC 4616) and LOGIN. Pure. */
#ifndef PAYBELL_SANDBOX_SMTP_LOGIN_H
#define PAYBELL_SANDBOX_SMTP_LOGIN_H

#define SMTP_LOGIN_SIZE 256 /* a user's name or a password, NUL included */

/* Base64 into user and password. 0, or -1 when it is not that. */
int smtp_login_plain(const char *base64, char user[SMTP_LOGIN_SIZE],
		     char password[SMTP_LOGIN_SIZE]);
/* One answer of LOGIN. */
int smtp_login_text(const char *base64, char out[SMTP_LOGIN_SIZE]);

#endif
