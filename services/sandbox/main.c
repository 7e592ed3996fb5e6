#include "sandbox/sandbox.h"

int main(int argc, char **argv)
{
	struct sandbox_settings settings;
	const struct setting_table tables[] = {
		{sandbox_setting_rows, &settings},
		{NULL, NULL},
	};
	const struct service service = {
		.name = "sandbox",
		.summary = "stands in for the providers: SMTP, Twilio, FCM",
		.admin = "off",
		.nice = "5",
		.tables = tables,
		.context = &settings,
		.check = sandbox_check,
		.start = sandbox_start,
		.drain = sandbox_drain,
		.stop = sandbox_stop,
	};

	return service_main(&service, argc, argv);
}
