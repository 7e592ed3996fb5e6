/* Push by Firebase Cloud Messaging, HTTP v1: projects.messages.send. */
#ifndef PAYBELL_PUSH_FCM_H
#define PAYBELL_PUSH_FCM_H

#include "worker/transport.h"

extern const struct transport fcm_transport;

#endif
