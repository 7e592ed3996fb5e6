/* SMS by Twilio's REST API, "Create a Message resource" (2010-04-01). */
#ifndef PAYBELL_SMS_TWILIO_H
#define PAYBELL_SMS_TWILIO_H

#include "worker/transport.h"

extern const struct transport twilio_transport;

#endif
