/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_JUDGE_H
#define SEAL_VERIFY_JUDGE_H

/*
 * The command line of seal-verify.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/config/config.h"
#include "base/err/err.h"

/* What is wanted of it; each has its own options. */
enum judge_task {
	JUDGE_PROCESS,
	JUDGE_DIRECTORY,
	JUDGE_TABLE, /* a mount table alone */
	JUDGE_LEARN,
	JUDGE_CHECK, /* a policy */
	JUDGE_RULES,
	JUDGE_HELP,
	JUDGE_VERSION,
};

enum judge_format { JUDGE_TEXT, JUDGE_JSON, JUDGE_YAML };

struct judge_options {
	bool help;
	bool learn;
	bool no_env;
	bool quiet;
	bool rules;
	bool version;
	const char *check_policy;
	const char *mountinfo;
	const char *output;
	const char *policy; /* NULL: the rules of the system alone */
	const char *root;
	uint64_t pid;
	uint64_t timeout; /* seconds */
	enum judge_task task;
	enum judge_format format;
};

extern const struct seal_option judge_options_table[];
extern const size_t judge_options_count;

/* SEAL_E_USAGE for what cannot be meant, with what to say instead; the output changes only on success. */
SEAL_CHECKED int judge_options_parse(struct judge_options *ret_options, int argc, char **argv,
				     struct seal_err *err);
void judge_options_help(FILE *out);

#endif
