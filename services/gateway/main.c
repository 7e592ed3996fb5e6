#include "gateway/gateway.h"

int main(int argc, char **argv)
{
	struct gateway_settings settings;
	const struct setting_table tables[] = {
		{gateway_setting_rows, &settings},
		{common_setting_rows, &settings.common},
		{NULL, NULL},
	};
	const struct service service = {
		.name = "gateway",
		.summary = "carries events and delivery statuses to browsers, live",
		.admin = "127.0.0.1:9184",
		.tables = tables,
		.context = &settings,
		.check = gateway_check,
		.start = gateway_start,
		.ready = gateway_ready,
		.drain = gateway_drain,
		.stop = gateway_stop,
	};

	return service_main(&service, argc, argv);
}
