#include "push/fcm.h"
#include "worker/worker.h"

int main(int argc, char **argv)
{
	return worker_main(&fcm_transport, argc, argv);
}
