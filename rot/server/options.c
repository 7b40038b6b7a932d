/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table from which the command line is parsed and --help printed, and with which a test compares
 * the manual.
 */

#include "rot/server/options.h"

#include "rot/wire/wire.h"

#define RATE_MAX 1000000

#define AT(field) offsetof(struct rot_options, field)

const struct seal_option rot_options_table[] = {
	{ "accept-clock", 0, SEAL_OPT_FLAG, AT(accept_clock), NULL,
	  "the clock is right, however much it has jumped", 0, 0 },
	{ "dir", 0, SEAL_OPT_STR, AT(dir), "DIR",
	  "directory made by seal init; with --store any, for the socket (required)", 0, 0 },
	{ "est", 0, SEAL_OPT_STR, AT(est), "ADDR:PORT",
	  "serve EST (RFC 7030) here, HTTPS (default: off)", 0, 0 },
	{ "health", 0, SEAL_OPT_STR, AT(health), "ADDR:PORT",
	  "serve /healthz, /readyz and /metrics here, plain HTTP (default: off)", 0, 0 },
	{ "help", 'h', SEAL_OPT_FLAG, AT(help), NULL, "print this help", 0, 0 },
	{ "kek-file", 0, SEAL_OPT_STR, AT(kek_file), "FILE",
	  "key-encryption key, 64 hexadecimal digits (default: DIR/kek)", 0, 0 },
	{ "kek-passphrase-file", 0, SEAL_OPT_STR, AT(kek_passphrase_file), "FILE",
	  "the passphrase that it is made from; -: standard input, or asked for", 0, 0 },
	{ "lifetime", 0, SEAL_OPT_DURATION, AT(lifetime), "DURATION",
	  "how long a pod's certificate lives, 1m to 7d (default: 24h)", ROT_MIN_LIFETIME,
	  ROT_MAX_LIFETIME },
	{ "listen", 0, SEAL_OPT_STR, AT(listen), "ADDR:PORT",
	  "HTTPS address (default: port of the first URL, every address)", 0, 0 },
	{ "log-format", 0, SEAL_OPT_STR, AT(log_format), "FORMAT", "text or json (default: text)",
	  0, 0 },
	{ "log-level", 0, SEAL_OPT_STR, AT(log_level), "LEVEL",
	  "error, warn, notice, info or debug (default: info)", 0, 0 },
	{ "page", 0, SEAL_OPT_STR, AT(page), "ADDRESS",
	  "show the page for people here: 127.0.0.1:PORT or unix:PATH (default: off)", 0, 0 },
	{ "rate-per-address", 0, SEAL_OPT_NUMBER, AT(rate_per_address), "N",
	  "hatches and renewals a second from one address, 0: no limit (default: 200)", 0,
	  RATE_MAX },
	{ "rate-per-egg", 0, SEAL_OPT_NUMBER, AT(rate_per_egg), "N",
	  "hatches and renewals a second of one egg, 0: no limit (default: 50)", 0, RATE_MAX },
	{ "store", 0, SEAL_OPT_STR, AT(store), "STORE",
	  "sqlite, or etcd:https://HOST:PORT,... (default: what DIR/store says)", 0, 0 },
	{ "store-ca", 0, SEAL_OPT_STR, AT(store_ca), "FILE", "who certifies etcd, PEM", 0, 0 },
	{ "store-cert", 0, SEAL_OPT_STR, AT(store_cert), "FILE", "our certificate for etcd, PEM", 0,
	  0 },
	{ "store-key", 0, SEAL_OPT_STR, AT(store_key), "FILE", "its key, PEM", 0, 0 },
	{ "store-prefix", 0, SEAL_OPT_STR, AT(store_prefix), "PREFIX",
	  "what all keys in etcd begin with (default: /seal/)", 0, 0 },
	{ "version", 0, SEAL_OPT_FLAG, AT(version), NULL, "print the version", 0, 0 },
};

const size_t rot_options_count = SEAL_COUNT(rot_options_table);

static int
check_log(struct rot_options *options, struct seal_err *err)
{
	enum seal_level level = SEAL_LOG_INFO;
	bool json = strcmp(options->log_format, "json") == 0;
	int r;

	if (!json && strcmp(options->log_format, "text") != 0)
		return seal_fail(err, SEAL_E_USAGE, "--log-format is text or json, not '%s'",
				 options->log_format);
	r = seal_level_parse(&level, options->log_level, err);
	if (r < 0) {
		(void)seal_note(err, r, "--log-level");
		return SEAL_E_USAGE;
	}
	options->log_json = json;
	options->level = level;
	return 0;
}

int
rot_options_parse(struct rot_options *ret_options, int argc, char **argv, struct seal_err *err)
{
	struct rot_options options = {
		.lifetime = ROT_LIFETIME,
		.log_format = "text",
		.log_level = "info",
		.rate_per_address = 200,
		.rate_per_egg = 50,
	};
	size_t positional = 0;
	int r;

	r = seal_options_parse(rot_options_table, rot_options_count, argc, argv, &options, NULL, 0,
			       &positional, err);
	if (r < 0)
		return r;
	if (!options.help && !options.version) {
		if (options.dir == NULL)
			return seal_fail(
				err, SEAL_E_USAGE,
				"--dir DIR is missing: name the directory made by seal init");
		r = check_log(&options, err);
		if (r < 0)
			return r;
	}
	*ret_options = options;
	return 0;
}

void
rot_options_help(FILE *out)
{
	(void)fputs(
		"usage: seal-rot --dir DIR [OPTION]...\n"
		"\n"
		"Serve a root of trust: its HTTPS API, and the same on DIR/rot.sock for seal on "
		"this machine.\n\n",
		out);
	seal_options_help(out, rot_options_table, rot_options_count);
}
