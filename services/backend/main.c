#include "backend/backend.h"
#include "backend/openapi.h"

int main(int argc, char **argv)
{
	struct backend_settings settings;
	const struct setting_table tables[] = {
		{backend_setting_rows, &settings},
		{common_setting_rows, &settings.common},
		{NULL, NULL},
	};
	const struct service service = {
		.name = "backend",
		.summary = "accepts payments, keeps the ledger, feeds the channels",
		.admin = "127.0.0.1:9180",
		.tables = tables,
		.context = &settings,
		.check = backend_check,
		.start = backend_start,
		.ready = backend_ready,
		.drain = backend_drain,
		.stop = backend_stop,
		.admin_request = openapi_request,
	};

	return service_main(&service, argc, argv);
}
