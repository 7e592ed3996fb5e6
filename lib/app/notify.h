/* Telling the supervisor: systemd's readiness protocol (sd_notify(3)), which is one
 * datagram of "NAME=value" lines to the socket that NOTIFY_SOCKET names. Works the same
 * under podman and anything else that speaks it. */
#ifndef PAYBELL_APP_NOTIFY_H
#define PAYBELL_APP_NOTIFY_H

#include <stdint.h>

/* Sends "READY=1", "STATUS=…". Without NOTIFY_SOCKET, or when nobody takes it, nothing
 * happens: a supervisor that is away is no reason to fail. Any thread. */
void notify_send(const char *text);

/* How often WATCHDOG=1 must be sent: half of WATCHDOG_USEC, in ms; 0 when nobody
 * watches this process (sd_watchdog_enabled(3)). */
int64_t notify_watchdog_ms(void);

#endif
