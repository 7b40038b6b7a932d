/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_CLI_COMPLETE_H
#define SEAL_ROT_CLI_COMPLETE_H

/* Between complete.c, which reads an unfinished line, and offer.c, which knows what can stand in a place. */

#include "rot/cli/cli.h"

#define CLI_MAX_TYPED 256 /* options of a line */

/* A line that is being typed. */
struct cli_typed {
	struct cli cli;                     /* whom it calls */
	const char *args[CLI_MAX_ARGS + 1]; /* positional ones, without the verb's words */
	size_t arg_count;
	const char *verb;
	const char *sub;
	const struct seal_option *pending; /* whose value is the word that is being typed */
	const char *word;                  /* that, or the part behind --name= */
	char before[64];                   /* --name= where it is part of the word for the shell */
	bool options_ended;
	const char *given[CLI_MAX_TYPED]; /* options */
	size_t given_count;
	struct seal_option table[CLI_MAX_OPTIONS]; /* of the verb, as far as it is known */
	size_t table_count;
	struct seal_bytes out;
	bool failed;
};

/* A candidate, if the word begins it; why: what it is, or NULL. */
void cli_offer(struct cli_typed *typed, const char *text, const char *why);
/* The verbs of a group, or NULL: the first words of all. */
void cli_offer_verbs(struct cli_typed *typed, const char *group);
/* What can stand for the n-th argument of a verb, for the value of an option. */
void cli_offer_arg(struct cli_typed *typed, const struct cli_verb *verb, size_t n);
void cli_offer_value(struct cli_typed *typed, const struct seal_option *option);
/* Note a failure: then nothing is said. */
void cli_typed_stick(struct cli_typed *typed, int r);

#endif
