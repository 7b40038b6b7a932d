/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal-proxy: harden, read the command line, do what it says.
 */
#include <malloc.h>
#include <sys/resource.h>

#include "base/secret/secret.h"
#include "base/tls/tls.h"
#include "proxy/capture.h"
#include "proxy/control.h"
#include "proxy/sandbox.h"
#include "proxy/serve.h"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

/* The host may set fewer descriptors than it would allow. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* without it there are fewer connections */
}

static int
run_configured(const struct proxy_options *options, struct seal_err *err)
{
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *config = NULL;
	struct proxy_room room = { 0 };
	int r = 0;

	raise_descriptor_limit();
	proxy_room_measure(&room);
	if (options->sealed_config == NULL)
		r = proxy_source_configure(options, &room, &config, err);
	if (r < 0)
		return r;
	if (config != NULL)
		seal_log_setup("seal-proxy", config->log_level, config->log_json);
	if (options->command == PROXY_CAPTURE_RULES) {
		proxy_capture_rules(config, stdout);
		return 0;
	}
	return options->check ? proxy_source_check(options, config, stdout, err)
			      : proxy_serve(options, &room, config, err);
}

static int
run_command(const struct proxy_options *options, struct seal_err *err)
{
	struct seal_endpoint control = { 0 };
	const struct proxy_status_query query = {
		.socket_path = control.host,
		.json = strcmp(options->output, "json") == 0,
		.connections = options->connections,
	};
	int r;

	switch (options->command) {
	case PROXY_STATUS:
		r = proxy_options_control(options, &control, err);
		return r < 0 ? r : proxy_control_status(&query, stdout, err);
	case PROXY_LOG_LEVEL:
		r = proxy_options_control(options, &control, err);
		return r < 0 ? r : proxy_control_log_level(control.host, options->level_word, err);
	case PROXY_SANDBOX_TEST:
		return proxy_sandbox_test(stdout, err);
	case PROXY_CAPTURE_RULES:
	case PROXY_SERVE:
		break;
	}
	return run_configured(options, err);
}

static int
run(struct proxy_options *options, int argc, char **argv, struct seal_err *err)
{
	enum seal_level level;
	bool json;
	int r = proxy_options_parse(options, argc, argv, err);

	if (r < 0)
		return r;
	if (options->help) {
		proxy_options_help(stdout);
		return 0;
	}
	if (options->version) {
		(void)puts("seal-proxy " SEAL_VERSION); /* main looks at stdout's health */
		return 0;
	}
	r = proxy_options_log(options, &level, &json, err);
	if (r < 0)
		return r;
	seal_log_setup("seal-proxy", level, json);
	return run_command(options, err);
}

int
main(int argc, char **argv)
{
	struct proxy_options options = { 0 };
	struct seal_err err = { 0 };
	int r = seal_process_harden(&err);

	/* One thread does nearly all of it; heaps for the others would be 0.1 MiB more at rest. */
	(void)mallopt(M_ARENA_MAX, 1); /* or so be it */
	if (r == 0) {
		(void)seal_tls_shortcut(); /* or handshakes cost what they cost */
		r = run(&options, argc, argv, &err);
	}
	proxy_options_release(&options);
	if (r == 0 && fflush(stdout) != 0)
		r = seal_fail(&err, SEAL_E_SYSTEM, "cannot write to standard output");
	if (r == 0)
		return EXIT_DONE;
	(void)fprintf(stderr, "seal-proxy: %s\n", err.text); /* nobody is left to tell */
	return r == SEAL_E_USAGE ? EXIT_USAGE : EXIT_REFUSED;
}
