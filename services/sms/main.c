#include "sms/twilio.h"
#include "worker/worker.h"

int main(int argc, char **argv)
{
	return worker_main(&twilio_transport, argc, argv);
}
