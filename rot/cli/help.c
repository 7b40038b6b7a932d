/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --help, help and version, all read from the verb table.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rot/cli/cli.h"

#define OPTION(field) offsetof(struct cli_options, field)

static const struct seal_option help_option = {
	"help", 'h', SEAL_OPT_FLAG, OPTION(help), NULL, "explain this verb", 0, 0
};

static const struct seal_option output_option = {
	"output", 'o', SEAL_OPT_STR, OPTION(output), "FORMAT", "table (default), json or yaml", 0, 0
};

static const struct seal_option call_options[] = {
	{ "credentials", 0, SEAL_OPT_STR, OPTION(credentials), "DIR",
	  "ca.pem, cert.pem, key.pem for --url (SEAL_CREDENTIALS)", 0, 0 },
	{ "dir", 0, SEAL_OPT_STR, OPTION(dir), "DIR",
	  "use the local root of trust, DIR/rot.sock (SEAL_DIR)", 0, 0 },
	{ "profile", 0, SEAL_OPT_STR, OPTION(profile), "NAME",
	  "use this one of 'seal profile list' (SEAL_PROFILE)", 0, 0 },
	{ "url", 0, SEAL_OPT_LIST, OPTION(urls), "URL",
	  "use the root of trust there; may be repeated (SEAL_URL)", 0, 0 },
};

static int
by_name(const void *a, const void *b)
{
	const struct seal_option *left = a;
	const struct seal_option *right = b;

	return strcmp(left->name, right->name);
}

size_t
cli_verb_options(const struct cli_verb *verb, struct seal_option table[CLI_MAX_OPTIONS])
{
	size_t count = 0;

	for (size_t i = 0; i < verb->option_count; i++)
		table[count++] = verb->options[i];
	table[count++] = help_option;
	if (verb->flags & CLI_SHOWS) {
		table[count] = output_option;
		if (verb->flags & CLI_FILES)
			table[count].letter = 0;
		count++;
	}
	if (verb->flags & CLI_CALLS) {
		for (size_t i = 0; i < SEAL_COUNT(call_options); i++)
			table[count++] = call_options[i];
	}
	qsort(table, count, sizeof(table[0]), by_name);
	return count;
}

void
cli_verb_name(const struct cli_verb *verb, char *out, size_t size)
{
	(void)snprintf(out, size, "%s%s%s", verb->verb, verb->sub != NULL ? " " : "",
		       verb->sub != NULL ? verb->sub : "");
}

void
cli_help_verb(FILE *out, const struct cli_verb *verb)
{
	struct seal_option table[CLI_MAX_OPTIONS];
	size_t count = cli_verb_options(verb, table);
	char name[64];

	cli_verb_name(verb, name, sizeof(name));
	(void)fprintf(out, "usage: seal %s%s%s [OPTION...]\n\n%s.\n", name,
		      verb->args[0] != '\0' ? " " : "", verb->args, verb->help);
	if (verb->more != NULL)
		(void)fprintf(out, "%s\n", verb->more);
	(void)fputs("\noptions:\n", out);
	seal_options_help(out, table, count);
}

void
cli_help_all(FILE *out)
{
	char name[64];

	(void)fputs("usage: seal VERB [ARGUMENT...] [OPTION...]\n\nverbs:\n", out);
	for (size_t i = 0; i < cli_verb_count; i++) {
		cli_verb_name(&cli_verbs[i], name, sizeof(name));
		(void)fprintf(out, "  %-20s %s\n", name, cli_verbs[i].help);
	}
	(void)fputs(
		"\n'seal help VERB' explains one. The root of trust is reached by --dir DIR on its "
		"own\n"
		"machine, or by --url URL with --credentials DIR from elsewhere, or by --profile "
		"NAME;\n"
		"see seal(1).\n",
		out);
}

const struct cli_verb *
cli_verb_find(const char *verb, const char *sub)
{
	for (size_t i = 0; i < cli_verb_count; i++) {
		const struct cli_verb *row = &cli_verbs[i];

		if (strcmp(row->verb, verb) == 0 &&
		    (row->sub == NULL || (sub != NULL && strcmp(row->sub, sub) == 0)))
			return row;
	}
	return NULL;
}

bool
cli_verb_is_group(const char *verb)
{
	for (size_t i = 0; i < cli_verb_count; i++) {
		if (strcmp(cli_verbs[i].verb, verb) == 0)
			return cli_verbs[i].sub != NULL;
	}
	return false;
}

void
cli_help_group(FILE *out, const char *verb)
{
	char name[64];

	(void)fprintf(out, "usage: seal %s VERB [ARGUMENT...] [OPTION...]\n\nverbs:\n", verb);
	for (size_t i = 0; i < cli_verb_count; i++) {
		if (strcmp(cli_verbs[i].verb, verb) != 0)
			continue;
		cli_verb_name(&cli_verbs[i], name, sizeof(name));
		(void)fprintf(out, "  %-20s %s\n", name, cli_verbs[i].help);
	}
	(void)fprintf(out, "\n'seal help %s VERB' explains one, its arguments and its options.\n",
		      verb);
}

/* Explain what the words given name: all, a group, or one verb. */
int
cli_help(struct cli *cli, struct seal_err *err)
{
	const char *sub = cli->arg_count > 1 ? cli->args[1] : NULL;
	const struct cli_verb *verb;

	if (cli->arg_count == 0) {
		cli_help_all(stdout);
		return 0;
	}
	if (sub == NULL && cli_verb_is_group(cli->args[0])) {
		cli_help_group(stdout, cli->args[0]);
		return 0;
	}
	verb = cli_verb_find(cli->args[0], sub);
	if (verb == NULL || (sub != NULL && verb->sub == NULL))
		return cli_no_verb(cli->args[0], sub, err);
	cli_help_verb(stdout, verb);
	return 0;
}

int
cli_version(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;

	if (cli->format == CLI_TABLE)
		return cli_write_out("seal " SEAL_VERSION "\n", sizeof("seal " SEAL_VERSION), err);
	json = seal_json_new();
	seal_json_set_str(json, "version", SEAL_VERSION);
	return cli_print(cli, json, NULL, 0, err);
}
