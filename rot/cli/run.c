/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the words on the command line to the row of the verb table they mean, its options and its
 * arguments; whatever cannot be meant ends here, in one line that says what to do.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rot/cli/cli.h"

/*
 * The verb may stand behind general options that take a value ("seal --dir D status").  Returns the
 * place of the first word from argv[at] on that is neither an option nor such a value; argc at the end.
 */
static int
next_word(int argc, char **argv, int at)
{
	static const char *const valued[] = { "--credentials", "--dir", "--output",
					      "--profile",     "--url", "-o" };

	for (; at < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at++) {
		for (size_t i = 0; i < SEAL_COUNT(valued); i++) {
			if (strcmp(argv[at], valued[i]) == 0) {
				at++;
				break;
			}
		}
	}
	return at < argc ? at : argc;
}

/* "create|delete|list|show" */
static void
list_subs(const char *verb, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < cli_verb_count && len < size; i++) {
		if (strcmp(cli_verbs[i].verb, verb) != 0)
			continue;
		len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? "|" : "",
					cli_verbs[i].sub);
	}
}

/* ---- What may have been meant ---- */

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t two = a < b ? a : b;

	return two < c ? two : c;
}

/*
 * How many letters have to be added, left out, replaced or swapped with the next to make one of the other (Damerau and
 * Levenshtein's distance); WORD_MAX for long words.
 */
#define WORD_MAX 24

static size_t
distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len >= WORD_MAX || b_len >= WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = least(above[j] + 1, row[j - 1] + 1,
				       above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    two_above[j - 2] + 1 < row[j])
				row[j] = two_above[j - 2] + 1;
		}
	}
	return rows[a_len % 3][b_len];
}

/* The nearest, if it is near: one slip in a short word, two in a longer one. */
static const char *
nearest(const char *word, const char *verb)
{
	size_t best = strlen(word) < 5 ? 2 : 3;
	const char *found = NULL;

	for (size_t i = 0; i < cli_verb_count; i++) {
		const struct cli_verb *row = &cli_verbs[i];
		const char *candidate = verb == NULL ? row->verb : row->sub;

		if (verb != NULL && strcmp(row->verb, verb) != 0)
			continue;
		if (distance(word, candidate) < best) {
			best = distance(word, candidate);
			found = candidate;
		}
	}
	return found;
}

/* "seal mint": of all the verbs that stand under others, the one that is meant. */
static const struct cli_verb *
find_under(const char *word)
{
	const struct cli_verb *found = NULL;

	for (size_t i = 0; i < cli_verb_count; i++) {
		if (cli_verbs[i].sub == NULL || strcmp(cli_verbs[i].sub, word) != 0)
			continue;
		if (found != NULL)
			return NULL; /* many can list */
		found = &cli_verbs[i];
	}
	return found;
}

/* Nothing stands under it, or it is not there at all. */
static int
no_such_verb(const char *verb, const char *sub, struct seal_err *err)
{
	const struct cli_verb *under = find_under(verb);
	const char *near = nearest(verb, NULL);

	if (cli_verb_find(verb, NULL) != NULL)
		return seal_fail(err, SEAL_E_USAGE, "'%s %s' is no verb: 'seal help' lists them",
				 verb, sub != NULL ? sub : "");
	if (under != NULL)
		return seal_fail(
			err, SEAL_E_USAGE,
			"'%s' is no verb: do you mean 'seal %s %s'? 'seal help' lists them", verb,
			under->verb, under->sub);
	if (near != NULL)
		return seal_fail(err, SEAL_E_USAGE,
				 "'%s' is no verb: do you mean 'seal %s'? 'seal help' lists them",
				 verb, near);
	return seal_fail(err, SEAL_E_USAGE, "'%s' is no verb: 'seal help' lists them", verb);
}

int
cli_no_verb(const char *verb, const char *sub, struct seal_err *err)
{
	const char *near;
	char subs[256];

	if (!cli_verb_is_group(verb))
		return no_such_verb(verb, sub, err);
	list_subs(verb, subs, sizeof(subs));
	if (sub == NULL)
		return seal_fail(err, SEAL_E_USAGE, "say what to do: seal %s %s", verb, subs);
	near = nearest(sub, verb);
	if (near != NULL)
		return seal_fail(err, SEAL_E_USAGE,
				 "'%s %s' is no verb: do you mean 'seal %s %s'? There is seal %s "
				 "%s; see 'seal help %s'",
				 verb, sub, verb, near, verb, subs, verb);
	return seal_fail(err, SEAL_E_USAGE, "'%s %s' is no verb: seal %s %s; see 'seal help %s'",
			 verb, sub, verb, subs, verb);
}

/* Find the row; sub is NULL when the line ends with the verb.  *ret_words of them were used. */
static int
find_verb(const struct cli_verb **ret_verb, int *ret_words, const char *verb, const char *sub,
	  struct seal_err *err)
{
	const struct cli_verb *row = cli_verb_find(verb, sub);

	if (row == NULL)
		return cli_no_verb(verb, sub, err);
	*ret_verb = row;
	*ret_words = row->sub == NULL ? 1 : 2;
	return 0;
}

/* ---- Its arguments ---- */

/* The n-th name (from 0) of "WORKLOAD CLIENT SERVER". */
static void
arg_name(const struct cli_verb *verb, size_t n, char *out, size_t size)
{
	const char *at = verb->args;

	for (; n > 0; n--) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	(void)snprintf(out, size, "%.*s", (int)strcspn(at, " "), at);
}

static int
check_args(const struct cli *cli, const char *name, struct seal_err *err)
{
	const struct cli_verb *verb = cli->verb;
	char missing[32];

	if (cli->arg_count >= verb->min_args)
		return 0;
	arg_name(verb, cli->arg_count, missing, sizeof(missing));
	return seal_fail(err, SEAL_E_USAGE, "%s is missing: seal %s %s", missing, name, verb->args);
}

static int
parse(struct cli *cli, int argc, char **argv, struct seal_err *err)
{
	struct seal_option table[CLI_MAX_OPTIONS];
	char name[64];
	int r;

	cli_verb_name(cli->verb, name, sizeof(name));
	r = seal_options_parse(table, cli_verb_options(cli->verb, table), argc, argv, &cli->opt,
			       cli->args, cli->verb->max_args, &cli->arg_count, err);
	if (r < 0)
		return seal_note(err, r, "%s", name);
	if (cli->opt.help)
		return 0;
	r = check_args(cli, name, err);
	if (r == 0 && cli->opt.output != NULL)
		r = cli_format_parse(&cli->format, cli->opt.output, err);
	return r;
}

/* A full disk shows at the last flush: what was not written was not said. */
static int
finish_output(struct seal_err *err)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return seal_fail(err, SEAL_E_SYSTEM, "standard output cannot be written");
	return 0;
}

static int
run_verb(struct cli *cli, int argc, char **argv, struct seal_err *err)
{
	int r;

	r = parse(cli, argc, argv, err);
	if (r < 0)
		return r;
	if (cli->opt.help) {
		cli_help_verb(stdout, cli->verb);
		r = 0;
	} else {
		r = cli->verb->run(cli, err);
	}
	if (r < 0)
		return r;
	return finish_output(err);
}

static void
cli_release(struct cli *cli)
{
	rot_client_free(cli->client);
	seal_strv_release(&cli->opt.containers);
	seal_strv_release(&cli->opt.exempt);
	seal_strv_release(&cli->opt.filenames);
	seal_strv_release(&cli->opt.heads);
	seal_strv_release(&cli->opt.hostnames);
	seal_strv_release(&cli->opt.image_configs);
	seal_strv_release(&cli->opt.kinds);
	seal_strv_release(&cli->opt.urls);
}

/* The line without the words of the verb; argv[0] stays.  Owned by the caller (free). */
static char **
without(int argc, char **argv, int first, int second, int *ret_count)
{
	char **rest = calloc((size_t)argc + 1, sizeof(*rest));
	int count = 0;

	for (int i = 0; rest != NULL && i < argc; i++) {
		if (i != first && i != second)
			rest[count++] = argv[i];
	}
	*ret_count = count;
	return rest;
}

/* No verb: the general help and the version may be asked for as options, too. */
static int
run_nothing(int argc, char **argv, struct seal_err *err)
{
	const char *word = argc == 2 ? argv[1] : "";

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		cli_help_all(stdout);
	else if (strcmp(word, "--version") == 0)
		(void)puts("seal " SEAL_VERSION);
	else
		return seal_fail(err, SEAL_E_USAGE, "say what to do: 'seal help' lists the verbs");
	return finish_output(err);
}

/* "seal workload --help": of all there is under a verb. */
static bool
asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	}
	return false;
}

int
cli_run(int argc, char **argv, struct seal_err *err)
{
	SEAL_SCOPED(cli_release) struct cli cli = { 0 };
	int first = next_word(argc, argv, 1);
	int second = next_word(argc, argv, first + 1);
	int words = 0;
	int count = 0;
	char **rest;
	int r;

	if (argc > 1 && strcmp(argv[1], CLI_COMPLETE) == 0) {
		cli_complete(argc - 2, argv + 2);
		return 0;
	}
	if (first >= argc)
		return run_nothing(argc, argv, err);
	if (second >= argc && asks_for_help(argc, argv)) {
		cli.args[cli.arg_count++] = argv[first];
		r = cli_help(&cli, err);
		return r < 0 ? r : finish_output(err);
	}
	r = find_verb(&cli.verb, &words, argv[first], second < argc ? argv[second] : NULL, err);
	if (r < 0)
		return r;

	rest = without(argc, argv, first, words == 2 ? second : first, &count);
	if (rest == NULL)
		return seal_fail_memory(err);
	r = run_verb(&cli, count, rest, err);
	free(rest);
	return r;
}
