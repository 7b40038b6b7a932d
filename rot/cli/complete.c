/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an unfinished command line may become, for the shells (completion.c): read by the table of verbs as it would be
 * when finished, and then it is offer.c's turn.  A second is all that is waited, and whatever fails is nothing to say.
 *
 *   candidate [TAB explanation]
 *   …
 *   :files | :directories       the shell adds those itself
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rot/cli/complete.h"

#define PATIENCE 1 /* seconds */
#define MAX_OUT  (1u << 20)

/* ---- Reading what is there ---- */

/* Before the verb only what says which root of trust is meant can stand. */
static void
find_table(struct cli_typed *typed)
{
	static const struct cli_verb any = { .flags = CLI_CALLS | CLI_SHOWS };
	const struct cli_verb *verb =
		typed->verb != NULL ? cli_verb_find(typed->verb, typed->sub) : NULL;

	typed->table_count = cli_verb_options(verb != NULL ? verb : &any, typed->table);
}

/* "--name", "--name=…" or "-x". */
static const struct seal_option *
find_option(const struct cli_typed *typed, const char *word)
{
	size_t len = strcspn(word, "=");

	for (size_t i = 0; i < typed->table_count; i++) {
		const struct seal_option *option = &typed->table[i];

		if (word[1] == '-' && strlen(option->name) == len - 2 &&
		    strncmp(option->name, word + 2, len - 2) == 0)
			return option;
		if (word[1] != '-' && option->letter != 0 && option->letter == word[1])
			return option;
	}
	return NULL;
}

/* Whom to ask, and of what. */
static void
note_value(struct cli_typed *typed, const struct seal_option *option, const char *value)
{
	struct cli_options *opt = &typed->cli.opt;

	if (strcmp(option->name, "dir") == 0)
		opt->dir = value;
	else if (strcmp(option->name, "credentials") == 0)
		opt->credentials = value;
	else if (strcmp(option->name, "profile") == 0)
		opt->profile = value;
	else if (strcmp(option->name, "workload") == 0)
		opt->workload = value;
	else if (strcmp(option->name, "url") == 0)
		cli_typed_stick(typed, seal_strv_add(&opt->urls, value, NULL));
}

static void
note_option(struct cli_typed *typed, const char *word)
{
	const struct seal_option *option = find_option(typed, word);
	const char *equals = strchr(word, '=');

	if (option == NULL)
		return;
	if (typed->given_count < CLI_MAX_TYPED)
		typed->given[typed->given_count++] = option->name;
	if (equals != NULL && word[1] == '-')
		note_value(typed, option, equals + 1);
	else if (option->type != SEAL_OPT_FLAG && (word[1] == '-' || word[2] == '\0'))
		typed->pending = option;
}

static void
note_word(struct cli_typed *typed, const char *word)
{
	if (typed->verb == NULL) {
		typed->verb = word;
		find_table(typed);
	} else if (typed->sub == NULL && cli_verb_is_group(typed->verb)) {
		typed->sub = word;
		find_table(typed);
	} else if (typed->arg_count < SEAL_COUNT(typed->args)) {
		typed->args[typed->arg_count++] = word;
	}
}

/* A finished word.  bash makes three of --name=value. */
static void
note(struct cli_typed *typed, const char *word)
{
	if (typed->pending != NULL && strcmp(word, "=") == 0)
		return;
	if (typed->pending != NULL) {
		note_value(typed, typed->pending, word);
		typed->pending = NULL;
	} else if (!typed->options_ended && strcmp(word, "--") == 0) {
		typed->options_ended = true;
	} else if (!typed->options_ended && word[0] == '-' && word[1] != '\0') {
		note_option(typed, word);
	} else {
		note_word(typed, word);
	}
}

static void
offer_for_help(struct cli_typed *typed)
{
	if (typed->arg_count == 0)
		cli_offer_verbs(typed, NULL);
	else if (typed->arg_count == 1 && cli_verb_is_group(typed->args[0]))
		cli_offer_verbs(typed, typed->args[0]);
}

static void
offer_word(struct cli_typed *typed)
{
	const struct cli_verb *verb;

	if (typed->verb == NULL) {
		cli_offer_verbs(typed, NULL);
		return;
	}
	if (typed->sub == NULL && cli_verb_is_group(typed->verb)) {
		cli_offer_verbs(typed, typed->verb);
		return;
	}
	verb = cli_verb_find(typed->verb, typed->sub);
	if (verb != NULL && verb->run == cli_help)
		offer_for_help(typed);
	else if (verb != NULL && typed->arg_count < verb->max_args)
		cli_offer_arg(typed, verb, typed->arg_count);
}

static bool
was_given(const struct cli_typed *typed, const struct seal_option *option)
{
	for (size_t i = 0; i < typed->given_count; i++) {
		if (strcmp(typed->given[i], option->name) == 0)
			return option->type != SEAL_OPT_LIST;
	}
	return false;
}

static void
offer_options(struct cli_typed *typed)
{
	char text[64];

	for (size_t i = 0; i < typed->table_count; i++) {
		const struct seal_option *option = &typed->table[i];

		if (was_given(typed, option))
			continue;
		(void)snprintf(text, sizeof(text), "--%s", option->name);
		cli_offer(typed, text, option->help);
	}
}

/* The word that is being typed. */
static void
offer_last(struct cli_typed *typed, const char *word)
{
	const char *equals = strchr(word, '=');
	const struct seal_option *option = NULL;

	typed->word = word;
	if (typed->pending != NULL) {
		typed->word = strcmp(word, "=") == 0 ? "" : word;
		cli_offer_value(typed, typed->pending);
		return;
	}
	if (typed->options_ended || word[0] != '-') {
		offer_word(typed);
		return;
	}
	if (equals != NULL && word[1] == '-')
		option = find_option(typed, word);
	if (option == NULL || option->type == SEAL_OPT_FLAG) {
		offer_options(typed);
		return;
	}
	(void)snprintf(typed->before, sizeof(typed->before), "--%s=", option->name);
	typed->word = equals + 1;
	cli_offer_value(typed, option);
}

static void
give_up(int signal)
{
	(void)signal;
	_exit(0);
}

void
cli_complete(int count, char **words)
{
	struct cli_typed typed = { .out = SEAL_BYTES(MAX_OUT) };

	/* Whoever is typing wants no warnings between the letters. */
	if (freopen("/dev/null", "w", stderr) == NULL)
		return;
	(void)signal(SIGALRM, give_up);
	(void)alarm(PATIENCE);
	find_table(&typed);
	for (int i = 0; i + 1 < count; i++)
		note(&typed, words[i]);
	if (count > 0)
		offer_last(&typed, words[count - 1]);
	if (!typed.failed && typed.out.len > 0)
		cli_typed_stick(&typed,
				cli_write_out(seal_bytes_str(&typed.out), typed.out.len, NULL));
	(void)alarm(0);
	seal_bytes_release(&typed.out);
	seal_strv_release(&typed.cli.opt.urls);
	rot_client_free(typed.cli.client);
}
