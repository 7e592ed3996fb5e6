#include "email/smtp.h"
#include "worker/worker.h"

int main(int argc, char **argv)
{
	return worker_main(&smtp_transport, argc, argv);
}
