/* The three channels whose providers the sandbox stands in for. Any thread. */
#ifndef PAYBELL_SANDBOX_CHANNEL_H
#define PAYBELL_SANDBOX_CHANNEL_H

enum channel { CHANNEL_PUSH, CHANNEL_EMAIL, CHANNEL_SMS, CHANNEL_COUNT };

const char *channel_name(enum channel c); /* "push", "email", "sms" */
int channel_parse(const char *name);      /* -1 unknown */

#endif
