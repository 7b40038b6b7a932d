/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_OPTIONS_H
#define SEAL_ROT_OPTIONS_H

/* The command line of seal-rot. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/config/config.h"
#include "base/err/err.h"
#include "base/log/log.h"

struct rot_options {
	bool accept_clock;
	const char *dir;
	const char *est;    /* NULL: not served */
	const char *health; /* NULL: none */
	bool help;
	const char *kek_file; /* NULL: DIR/kek */
	const char *kek_passphrase_file;
	uint64_t lifetime;  /* seconds */
	const char *listen; /* NULL: the port of the first URL */
	const char *log_format;
	const char *log_level;
	const char *page; /* NULL: none */
	uint64_t rate_per_address;
	uint64_t rate_per_egg;
	const char *store; /* NULL, and the four: what DIR/store says */
	const char *store_ca;
	const char *store_cert;
	const char *store_key;
	const char *store_prefix;
	bool version;
	/* What the log options say. */
	bool log_json;
	enum seal_level level;
};

extern const struct seal_option rot_options_table[];
extern const size_t rot_options_count;

/* Defaults and what argv says.  SEAL_E_USAGE with a sentence; --help and --version excuse the rest. */
SEAL_CHECKED int rot_options_parse(struct rot_options *ret_options, int argc, char **argv,
				   struct seal_err *err);
void rot_options_help(FILE *out);

#endif
