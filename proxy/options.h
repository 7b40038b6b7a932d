/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_OPTIONS_H
#define SEAL_PROXY_OPTIONS_H

/*
 * The command line of seal-proxy, and the configuration that comes of it.
 */

#include "base/config/config.h"
#include "base/log/log.h"
#include "proxy/proxy.h"

struct proxy_options {
	bool check;
	const char *config;
	const char *credentials;
	uint64_t drain_timeout; /* seconds */
	const char *health;
	bool help;
	uint64_t idle_timeout; /* seconds; 0: off */
	struct seal_strv inbound;
	const char *log_format;
	const char *log_level;
	struct seal_strv outbound;
	bool version;
};

const struct seal_option *proxy_options_table(size_t *ret_count);
/* SEAL_E_USAGE on anything unexpected.  Release in any case. */
SEAL_CHECKED int proxy_options_parse(struct proxy_options *ret_options, int argc, char **argv,
				     struct seal_err *err);
void proxy_options_release(struct proxy_options *options);
void proxy_options_help(FILE *out);

/* SEAL_E_USAGE for words that are no format or level. */
SEAL_CHECKED int proxy_options_log(const struct proxy_options *options, enum seal_level *ret_level,
				   bool *ret_json, struct seal_err *err);
/* True when listeners are named on the command line, directly or by --config. */
bool proxy_options_has_listeners(const struct proxy_options *options);
/* The whole configuration, checked.  Reads the file of --config. */
SEAL_CHECKED int proxy_options_configure(const struct proxy_options *options,
					 struct proxy_config **ret_config, struct seal_err *err);

#endif
