/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options as a table, and which of them each command takes.  docs/man/seal-proxy.8 is compared with the
 * table by a test.  What becomes of them is in options_configure.c.
 */
#include "proxy/options.h"

#include "proxy/config_internal.h"

#define OPTION(field) offsetof(struct proxy_options, field)

static const struct seal_option table[] = {
	{ .name = "capture",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(capture),
	  .arg = "[ADDR:]PORT",
	  .help = "refuse what is not declared: connections are redirected there" },
	{ .name = "certificate",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(certificate),
	  .arg = "FILE",
	  .help = "the certificate of --public listeners, PEM" },
	{ .name = "check",
	  .type = SEAL_OPT_FLAG,
	  .offset = OPTION(check),
	  .help = "only check options and configuration" },
	{ .name = "client-ca",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(client_ca),
	  .arg = "FILE",
	  .help = "ask clients of --public listeners for a certificate of this CA" },
	{ .name = "config",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(config),
	  .arg = "FILE",
	  .help = "read the configuration from a YAML file" },
	{ .name = "connect-timeout",
	  .type = SEAL_OPT_DURATION,
	  .offset = OPTION(connect_timeout),
	  .arg = "TIME",
	  .help = "how long finding and reaching a target may take (5s)",
	  .min = 1,
	  .max = PROXY_MAX_DEADLINE_S },
	{ .name = "connections",
	  .type = SEAL_OPT_FLAG,
	  .offset = OPTION(connections),
	  .help = "status: list live connections too" },
	{ .name = "control",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(control),
	  .arg = "unix:PATH|off",
	  .help = "where status and log-level are answered" },
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
	  .max = PROXY_MAX_DRAIN_S },
	{ .name = "handshake-timeout",
	  .type = SEAL_OPT_DURATION,
	  .offset = OPTION(handshake_timeout),
	  .arg = "TIME",
	  .help = "how long a TLS handshake may take (10s)",
	  .min = 1,
	  .max = PROXY_MAX_DEADLINE_S },
	{ .name = "health",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(health),
	  .arg = "[ADDR:]PORT",
	  .help = "answer GET /healthz and /readyz there" },
	{ .name = "help",
	  .letter = 'h',
	  .type = SEAL_OPT_FLAG,
	  .offset = OPTION(help),
	  .help = "print this and exit" },
	{ .name = "idle-timeout",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(idle_timeout),
	  .arg = "TIME|off",
	  .help = "close connections that move no byte for so long (off)" },
	{ .name = "inbound",
	  .type = SEAL_OPT_LIST,
	  .offset = OPTION(inbound),
	  .arg = "LISTEN=FORWARD[,FORWARD][/PEERS]",
	  .help = "take TLS from peers, hand plaintext to the application" },
	{ .name = "key",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(key),
	  .arg = "FILE",
	  .help = "the key of --certificate, PEM" },
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
	{ .name = "max-connections",
	  .type = SEAL_OPT_NUMBER,
	  .offset = OPTION(max_connections),
	  .arg = "COUNT",
	  .help = "connections in all; 0: no limit",
	  .min = 0,
	  .max = PROXY_MAX_COUNT },
	{ .name = "max-handshakes",
	  .type = SEAL_OPT_NUMBER,
	  .offset = OPTION(max_handshakes),
	  .arg = "COUNT",
	  .help = "TLS handshakes at a time (1024)",
	  .min = 0,
	  .max = PROXY_MAX_COUNT },
	{ .name = "max-memory",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(max_memory),
	  .arg = "SIZE",
	  .help = "memory held for slow readers (64MiB)" },
	{ .name = "max-per-peer",
	  .type = SEAL_OPT_NUMBER,
	  .offset = OPTION(max_per_peer),
	  .arg = "COUNT",
	  .help = "connections of one peer (no limit)",
	  .min = 0,
	  .max = PROXY_MAX_COUNT },
	{ .name = "max-per-source",
	  .type = SEAL_OPT_NUMBER,
	  .offset = OPTION(max_per_source),
	  .arg = "COUNT",
	  .help = "connections of one address (no limit)",
	  .min = 0,
	  .max = PROXY_MAX_COUNT },
	{ .name = "max-sessions",
	  .type = SEAL_OPT_NUMBER,
	  .offset = OPTION(max_sessions),
	  .arg = "COUNT",
	  .help = "TLS sessions kept to be resumed (4096); 0: none",
	  .min = 0,
	  .max = PROXY_MAX_SESSIONS },
	{ .name = "metrics",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(metrics),
	  .arg = "[ADDR:]PORT",
	  .help = "answer GET /metrics there, on loopback" },
	{ .name = "outbound",
	  .type = SEAL_OPT_LIST,
	  .offset = OPTION(outbound),
	  .arg = "LISTEN=CONNECT[,CONNECT][/PEERS]",
	  .help = "take plaintext from the application, speak TLS to peers" },
	{ .name = "output",
	  .letter = 'o',
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(output),
	  .arg = "FORMAT",
	  .help = "of status: text (default) or json" },
	{ .name = "public",
	  .type = SEAL_OPT_LIST,
	  .offset = OPTION(public),
	  .arg = "LISTEN=FORWARD[,FORWARD]",
	  .help = "take TLS from anybody, hand plaintext to the application" },
	{ .name = "sealed-config",
	  .type = SEAL_OPT_STR,
	  .offset = OPTION(sealed_config),
	  .arg = "VALUE",
	  .help = "take the whole configuration from a sealed value" },
	{ .name = "version",
	  .letter = 'V',
	  .type = SEAL_OPT_FLAG,
	  .offset = OPTION(version),
	  .help = "print the version and exit" },
};

/* Which options mean something to a command; NULL: all but those of only_others. */
static const char *const of_status[] = {
	"connections", "control", "help", "output", "version", NULL
};
static const char *const of_log_level[] = { "control", "help", "version", NULL };
static const char *const of_sandbox_test[] = { "help", "version", NULL };
static const char *const not_of_serve[] = { "connections", "output", NULL };
static const char *const not_of_capture_rules[] = { "check", "connections", "output",
						    "sealed-config", NULL };
/*
 * Whoever hands over a sealed configuration is not trusted with any setting in it: not with addresses,
 * targets and peers, and as little with limits and deadlines.  How to log, and whether to serve at all, is
 * the machine's own matter.
 */
static const char *const beside_sealed[] = { "check",         "help",    "log-format", "log-level",
					     "sealed-config", "version", NULL };

static const struct {
	const char *name;
	size_t words; /* that follow */
	const char *const *only;
	const char *const *never;
} commands[] = {
	[PROXY_SERVE] = { "", 0, NULL, not_of_serve },
	[PROXY_STATUS] = { "status", 0, of_status, NULL },
	[PROXY_LOG_LEVEL] = { "log-level", 1, of_log_level, NULL },
	[PROXY_CAPTURE_RULES] = { "capture-rules", 0, NULL, not_of_capture_rules },
	[PROXY_SANDBOX_TEST] = { "sandbox-test", 0, of_sandbox_test, NULL },
};

const struct seal_option *
proxy_options_table(size_t *ret_count)
{
	*ret_count = SEAL_COUNT(table);
	return table;
}

static bool
is_among(const char *const *names, const char *name)
{
	for (size_t i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool
is_given(const struct proxy_options *options, const struct seal_option *option)
{
	const char *at = (const char *)options + option->offset;
	struct seal_strv list;
	const char *str;
	uint64_t number;
	bool flag;

	switch (option->type) {
	case SEAL_OPT_FLAG:
		memcpy(&flag, at, sizeof(flag));
		return flag;
	case SEAL_OPT_STR:
		memcpy(&str, at, sizeof(str));
		return str != NULL;
	case SEAL_OPT_LIST:
		memcpy(&list, at, sizeof(list));
		return list.count > 0;
	case SEAL_OPT_NUMBER:
	case SEAL_OPT_DURATION:
		break;
	}
	memcpy(&number, at, sizeof(number));
	return number != PROXY_NOT_GIVEN;
}

static int
read_command(struct proxy_options *options, const char *const *words, size_t count,
	     struct seal_err *err)
{
	size_t command = PROXY_STATUS;

	if (count == 0)
		return 0;
	while (command < SEAL_COUNT(commands) && strcmp(commands[command].name, words[0]) != 0)
		command++;
	if (command == SEAL_COUNT(commands))
		return seal_fail(err, SEAL_E_USAGE,
				 "unknown command '%.64s': status, log-level, capture-rules or "
				 "sandbox-test, see --help",
				 words[0]);
	if (count - 1 < commands[command].words)
		return seal_fail(err, SEAL_E_USAGE,
				 "log-level: which one? error, warn, notice, info or debug");
	if (count - 1 > commands[command].words)
		return seal_fail(err, SEAL_E_USAGE, "unexpected word '%.64s', see --help",
				 words[count - 1]);
	options->command = (enum proxy_command)command;
	options->level_word = count > 1 ? words[1] : NULL;
	return 0;
}

/* What is silently ignored was meant by somebody. */
static int
check_command(const struct proxy_options *options, struct seal_err *err)
{
	const char *const *only = commands[options->command].only;
	const char *const *never = commands[options->command].never;

	for (size_t i = 0; i < SEAL_COUNT(table); i++) {
		const char *name = table[i].name;

		if (!is_given(options, &table[i]) || (only != NULL && is_among(only, name)) ||
		    (never != NULL && !is_among(never, name)))
			continue;
		if (options->command == PROXY_SERVE)
			return seal_fail(err, SEAL_E_USAGE,
					 "--%s means nothing without a command, see --help", name);
		return seal_fail(err, SEAL_E_USAGE, "--%s means nothing to '%s', see --help", name,
				 commands[options->command].name);
	}
	return 0;
}

static int
check_sealed(const struct proxy_options *options, struct seal_err *err)
{
	for (size_t i = 0; options->sealed_config != NULL && i < SEAL_COUNT(table); i++)
		if (is_given(options, &table[i]) && !is_among(beside_sealed, table[i].name))
			return seal_fail(err, SEAL_E_USAGE,
					 "--%s cannot be given beside --sealed-config, which says "
					 "it all",
					 table[i].name);
	return 0;
}

/* Words that are one of a few, and options that need each other. */
static int
check_values(const struct proxy_options *options, struct seal_err *err)
{
	bool has_public = options->public.count > 0;
	enum seal_level level;
	uint32_t idle_ms;
	uint64_t memory;

	if (strcmp(options->output, "json") != 0 && strcmp(options->output, "text") != 0)
		return seal_fail(err, SEAL_E_USAGE, "--output: '%s' is neither text nor json",
				 options->output);
	if (options->level_word != NULL && seal_level_parse(&level, options->level_word, err) < 0)
		return seal_note(err, SEAL_E_USAGE, "log-level");
	if (options->idle_timeout != NULL &&
	    proxy_idle_parse(options->idle_timeout, &idle_ms, err) < 0)
		return seal_note(err, SEAL_E_USAGE, "--idle-timeout");
	if (options->max_memory != NULL &&
	    proxy_memory_parse(options->max_memory, &memory, err) < 0)
		return seal_note(err, SEAL_E_USAGE, "--max-memory");
	if (has_public && (options->certificate == NULL || options->key == NULL))
		return seal_fail(err, SEAL_E_USAGE,
				 "--public needs --certificate and --key; give several "
				 "certificates in a file, see seal-proxy.yaml(5)");
	if (!has_public &&
	    (options->certificate != NULL || options->key != NULL || options->client_ca != NULL))
		return seal_fail(err, SEAL_E_USAGE,
				 "--certificate, --key and --client-ca are for --public listeners, "
				 "and there is none");
	return 0;
}

int
proxy_options_parse(struct proxy_options *ret_options, int argc, char **argv, struct seal_err *err)
{
	const char *words[3] = { NULL };
	size_t count = 0;
	int r;

	*ret_options = (struct proxy_options){
		.connect_timeout = PROXY_NOT_GIVEN,
		.drain_timeout = PROXY_NOT_GIVEN,
		.handshake_timeout = PROXY_NOT_GIVEN,
		.max_connections = PROXY_NOT_GIVEN,
		.max_handshakes = PROXY_NOT_GIVEN,
		.max_per_peer = PROXY_NOT_GIVEN,
		.max_per_source = PROXY_NOT_GIVEN,
		.max_sessions = PROXY_NOT_GIVEN,
	};
	r = seal_options_parse(table, SEAL_COUNT(table), argc, argv, ret_options, words,
			       SEAL_COUNT(words), &count, err);
	if (r == 0)
		r = read_command(ret_options, words, count, err);
	if (r == 0)
		r = check_command(ret_options, err);
	if (r == 0)
		r = check_sealed(ret_options, err);
	if (r < 0)
		return r;
	if (ret_options->output == NULL)
		ret_options->output = "text";
	return check_values(ret_options, err);
}

void
proxy_options_release(struct proxy_options *options)
{
	seal_strv_release(&options->inbound);
	seal_strv_release(&options->outbound);
	seal_strv_release(&options->public);
}

void
proxy_options_help(FILE *out)
{
	/* A stream that fails keeps its error for whoever closes it. */
	(void)fprintf(out,
		      "usage: seal-proxy [OPTION...]\n"
		      "       seal-proxy status [--output text|json] [--control unix:PATH]\n"
		      "       seal-proxy log-level LEVEL [--control unix:PATH]\n"
		      "       seal-proxy capture-rules [OPTION...]\n"
		      "       seal-proxy sandbox-test\n\n"
		      "Gives an application in a pod mTLS: hatches the egg in /etc/seal/egg, then\n"
		      "terminates and originates connections between peers of its workload.\n\n");
	seal_options_help(out, table, SEAL_COUNT(table));
	(void)fprintf(out,
		      "\nThe variable HOSTNAMES (comma-separated) chooses among the host names "
		      "the egg grants.\n"
		      "Examples:\n"
		      "  seal-proxy --inbound 8443=8080\n"
		      "  seal-proxy --outbound 5432=db.shop.svc:8443/db\n"
		      "  seal-proxy status\n"
		      "See seal-proxy(8) and seal-proxy.yaml(5).\n");
}
