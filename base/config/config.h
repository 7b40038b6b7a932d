/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_CONFIG_H
#define SEAL_BASE_CONFIG_H

/*
 * Command lines from tables.  An option is a row: name, type, where the value goes, and the help
 * line; the parser and --help both read the table, and a test compares it with the manual.
 * --name VALUE and --name=VALUE are the same; -x is the short form.  Unknown options, a missing
 * value, and a repeated option that is not a list are SEAL_E_USAGE with a sentence saying what to do.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"

enum seal_option_type {
	SEAL_OPT_FLAG,     /* bool */
	SEAL_OPT_STR,      /* const char *, borrowed from argv */
	SEAL_OPT_LIST,     /* struct seal_strv, may be repeated */
	SEAL_OPT_NUMBER,   /* uint64_t, min..max */
	SEAL_OPT_DURATION, /* uint64_t seconds, min..max, "24h" */
};

struct seal_option {
	const char *name; /* without the dashes; rows are in alphabetical order */
	char letter;      /* short form, or 0 */
	enum seal_option_type type;
	size_t offset;    /* offsetof the value in the caller's structure */
	const char *arg;  /* what help calls the value; NULL for a flag */
	const char *help; /* one line, no full stop */
	uint64_t min;
	uint64_t max;
};

/*
 * Parse argv[1..] into values (a zeroed structure, or one holding defaults).  Words that are no
 * options are positional: they are counted and left, in order, in positional (argv-borrowed, room
 * for max_positional); "--" ends the options.  SEAL_E_USAGE on anything unexpected; values may then be
 * partly filled, and its lists are the caller's to release as ever.  At most 64 rows.
 */
SEAL_CHECKED int seal_options_parse(const struct seal_option *options, size_t option_count,
				    int argc, char **argv, void *values, const char **positional,
				    size_t max_positional, size_t *ret_positional,
				    struct seal_err *err);

/* Print the option part of --help: one aligned line per row. */
void seal_options_help(FILE *out, const struct seal_option *options, size_t option_count);

#endif
