/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_OPTIONS_H
#define SEAL_PROXY_OPTIONS_H

/*
 * The command line of seal-proxy, and the configuration that comes of it.
 */

#include "base/config/config.h"
#include "base/log/log.h"
#include "proxy/proxy.h"

/* The first word that is no option; without one, it serves. */
enum proxy_command {
	PROXY_SERVE,
	PROXY_STATUS,        /* "status": ask a running one, see proxy_options_control */
	PROXY_LOG_LEVEL,     /* "log-level LEVEL": tell a running one */
	PROXY_CAPTURE_RULES, /* "capture-rules": print them, for the configuration given */
	PROXY_SANDBOX_TEST,  /* "sandbox-test" */
};

#define PROXY_NOT_GIVEN UINT64_MAX /* a number; others are NULL, empty or false */

struct proxy_options {
	enum proxy_command command;
	const char *level_word; /* of log-level; a level */

	const char *capture;
	const char *certificate;
	bool check;
	const char *client_ca;
	const char *config;
	bool connections;         /* of status: list them */
	uint64_t connect_timeout; /* seconds */
	const char *control;
	const char *credentials;
	uint64_t drain_timeout;     /* seconds */
	uint64_t handshake_timeout; /* seconds */
	const char *health;
	bool help;
	const char *idle_timeout;
	struct seal_strv inbound;
	const char *key;
	const char *log_format;
	const char *log_level;
	uint64_t max_connections;
	uint64_t max_handshakes;
	const char *max_memory;
	uint64_t max_per_peer;
	uint64_t max_per_source;
	uint64_t max_sessions;
	const char *metrics;
	struct seal_strv outbound;
	const char *output; /* "text" or "json", in any case */
	struct seal_strv public;
	const char *sealed_config;
	bool version;
};

const struct seal_option *proxy_options_table(size_t *ret_count);
/*
 * SEAL_E_USAGE on anything unexpected: an unknown command, and options that mean nothing to the command.
 * Release in any case.
 */
SEAL_CHECKED int proxy_options_parse(struct proxy_options *ret_options, int argc, char **argv,
				     struct seal_err *err);
void proxy_options_release(struct proxy_options *options);
void proxy_options_help(FILE *out);

/*
 * How to log until the configuration is known, which says it for good.  SEAL_E_USAGE for words that are
 * no format or level.
 */
SEAL_CHECKED int proxy_options_log(const struct proxy_options *options, enum seal_level *ret_level,
				   bool *ret_json, struct seal_err *err);
/* True when listeners are named on the command line, directly or by --config. */
bool proxy_options_has_listeners(const struct proxy_options *options);
/*
 * The configuration that came sealed, and was opened: text is YAML or JSON, of which nothing is said in
 * the sentence of a failure but where it was.  Of the options only those of the log mean anything.
 */
SEAL_CHECKED int proxy_options_configure_sealed(const struct proxy_options *options,
						const char *text, size_t text_len,
						struct proxy_config **ret_config,
						struct seal_err *err);
/*
 * The whole configuration, checked.  Reads the file of --config, each time anew: the same call answers
 * a reload.  Options have the last word over the file.
 */
SEAL_CHECKED int proxy_options_configure(const struct proxy_options *options,
					 struct proxy_config **ret_config, struct seal_err *err);
/* The control socket of the process to ask: the one named, or the default.  SEAL_E_USAGE without. */
SEAL_CHECKED int proxy_options_control(const struct proxy_options *options,
				       struct seal_endpoint *ret_control, struct seal_err *err);

#endif
