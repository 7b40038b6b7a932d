/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options as a table, and how they become a configuration.  docs/man/seal-proxy.8 is compared with the
 * table by a test.
 */
#include "proxy/options.h"

#include <fcntl.h>

#include "base/fs/fs.h"

#define OPTION(field) offsetof(struct proxy_options, field)

#define MAX_DRAIN_S 3600u
#define MAX_IDLE_S  (30u * 86400)

static const struct seal_option table[] = {
	{ .name = "check",
	  .type = SEAL_OPT_FLAG,
	  .offset = OPTION(check),
	  .help = "only check flags and configuration" },
	{ .name = "config",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(config),
	  .arg = "FILE",
	  .help = "read listeners from a YAML file" },
	{ .name = "credentials",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(credentials),
	  .arg = "DIR",
	  .help = "use ca.pem, cert.pem and key.pem of DIR instead of an egg" },
	{ .name = "drain-timeout",
	  .type = SEAL_OPT_DURATION,
	  .offset = OPTION(drain_timeout),
	  .arg = "TIME",
	  .help = "how long connections may take to end after SIGTERM (30s)",
	  .min = 1,
	  .max = MAX_DRAIN_S },
	{ .name = "health",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(health),
	  .arg = "ADDR:PORT",
	  .help = "answer GET /healthz and /readyz there" },
	{ .name = "help",
	  .letter = 'h',
	  .type = SEAL_OPT_FLAG,
	  .offset = OPTION(help),
	  .help = "print this and exit" },
	{ .name = "idle-timeout",
	  .type = SEAL_OPT_DURATION,
	  .offset = OPTION(idle_timeout),
	  .arg = "TIME",
	  .help = "close connections that move no byte for so long (off)",
	  .min = 1,
	  .max = MAX_IDLE_S },
	{ .name = "inbound",
	  .type = SEAL_OPT_LIST,
	  .offset = OPTION(inbound),
	  .arg = "LISTEN=FORWARD[/PEERS]",
	  .help = "take TLS from peers, hand plaintext to the application" },
	{ .name = "log-format",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(log_format),
	  .arg = "FORMAT",
	  .help = "text (default) or json" },
	{ .name = "log-level",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(log_level),
	  .arg = "LEVEL",
	  .help = "error, warn, notice, info (default) or debug" },
	{ .name = "outbound",
	  .type = SEAL_OPT_LIST,
	  .offset = OPTION(outbound),
	  .arg = "LISTEN=CONNECT[,CONNECT][/PEERS]",
	  .help = "take plaintext from the application, speak TLS to peers" },
	{ .name = "version",
	  .letter = 'V',
	  .type = SEAL_OPT_FLAG,
	  .offset = OPTION(version),
	  .help = "print the version and exit" },
};

const struct seal_option *
proxy_options_table(size_t *ret_count)
{
	*ret_count = SEAL_COUNT(table);
	return table;
}

int
proxy_options_parse(struct proxy_options *ret_options, int argc, char **argv, struct seal_err *err)
{
	size_t words = 0;

	*ret_options = (struct proxy_options){
		.drain_timeout = PROXY_DRAIN_MS / 1000,
		.log_format = "text",
		.log_level = "info",
	};
	return seal_options_parse(table, SEAL_COUNT(table), argc, argv, ret_options, NULL, 0,
				  &words, err);
}

void
proxy_options_release(struct proxy_options *options)
{
	seal_strv_release(&options->inbound);
	seal_strv_release(&options->outbound);
}

void
proxy_options_help(FILE *out)
{
	/* A stream that fails keeps its error for whoever closes it. */
	(void)fprintf(out,
		      "usage: seal-proxy [OPTION...]\n\n"
		      "Gives an application in a pod mTLS: hatches the egg in /etc/seal/egg, then\n"
		      "terminates and originates connections between peers of its workload.\n\n");
	seal_options_help(out, table, SEAL_COUNT(table));
	(void)fprintf(out,
		      "\nThe variable HOSTNAMES (comma-separated) chooses among the host names "
		      "the egg grants.\n"
		      "Examples:\n"
		      "  seal-proxy --inbound 8443=8080\n"
		      "  seal-proxy --outbound 5432=db.shop.svc:8443/db\n"
		      "See seal-proxy(8) and seal-proxy.yaml(5).\n");
}

int
proxy_options_log(const struct proxy_options *options, enum seal_level *ret_level, bool *ret_json,
		  struct seal_err *err)
{
	bool json = strcmp(options->log_format, "json") == 0;

	if (!json && strcmp(options->log_format, "text") != 0)
		return seal_fail(err, SEAL_E_USAGE, "--log-format: '%s' is neither text nor json",
				 options->log_format);
	if (seal_level_parse(ret_level, options->log_level, err) < 0)
		return seal_note(err, SEAL_E_USAGE, "--log-level");
	*ret_json = json;
	return 0;
}

bool
proxy_options_has_listeners(const struct proxy_options *options)
{
	return options->config != NULL || options->inbound.count > 0 || options->outbound.count > 0;
}

static int
add_file(struct proxy_config *config, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(PROXY_MAX_CONFIG);
	int r = seal_fs_read(&text, AT_FDCWD, path, PROXY_MAX_CONFIG, err);

	if (r < 0)
		return seal_note(err, r, "--config");
	return proxy_config_add_yaml(config, path, seal_bytes_str(&text), text.len, err);
}

static int
set_health(struct proxy_config *config, const char *text, struct seal_err *err)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int r = seal_endpoint_parse(&config->health, text, "127.0.0.1", err);

	if (r == 0 && !config->health.is_unix && config->health.port == 0)
		r = seal_fail(err, SEAL_E_FORMAT, "'%s': port 0 cannot be meant", text);
	if (r == 0)
		r = seal_endpoint_addr(&config->health, &addr, &len, err);
	if (r < 0)
		return seal_note(err, r, "--health");
	config->has_health = true;
	return 0;
}

int
proxy_options_configure(const struct proxy_options *options, struct proxy_config **ret_config,
			struct seal_err *err)
{
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *config = NULL;
	int r;

	if (!proxy_options_has_listeners(options))
		return seal_fail(err, SEAL_E_USAGE,
				 "no listener: give --inbound, --outbound or --config, see --help");
	r = proxy_config_new(&config, err);
	if (r == 0 && options->config != NULL)
		r = add_file(config, options->config, err);
	for (size_t i = 0; r == 0 && i < options->inbound.count; i++)
		r = proxy_config_add_inbound(config, options->inbound.items[i], err);
	for (size_t i = 0; r == 0 && i < options->outbound.count; i++)
		r = proxy_config_add_outbound(config, options->outbound.items[i], err);
	if (r == 0 && options->health != NULL)
		r = set_health(config, options->health, err);
	if (r == 0)
		r = proxy_config_check(config, options->credentials != NULL, err);
	if (r < 0)
		return r;
	config->drain_ms = (uint32_t)(options->drain_timeout * 1000);
	config->idle_ms = (uint32_t)(options->idle_timeout * 1000);
	*ret_config = SEAL_TAKE(config);
	return 0;
}
