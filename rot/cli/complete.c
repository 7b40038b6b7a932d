/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an unfinished command line may become, for the shells (completion.c).  Read from the table of verbs: the
 * names of arguments and values there ("WORKLOAD", "FILE") say what stands in their place, and the names that exist
 * are asked from the root of trust that the line means.  A second is all that is waited, and whatever fails is
 * nothing to say.
 *
 *   candidate [TAB explanation]
 *   …
 *   :files | :directories       the shell adds those itself
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rot/cli/cli.h"

#define PATIENCE  1 /* seconds */
#define MAX_WORDS 256
#define MAX_OUT   (1u << 20)

/* A line that is being typed. */
struct typed {
	struct cli cli;                     /* whom it calls */
	const char *args[CLI_MAX_ARGS + 1]; /* positional ones, without the verb's words */
	size_t arg_count;
	const char *verb;
	const char *sub;
	const struct seal_option *pending; /* whose value is the word that is being typed */
	const char *word;                  /* that, or the part behind --name= */
	char before[64];                   /* --name= where it is part of the word for the shell */
	bool options_ended;
	const char *given[MAX_WORDS]; /* options */
	size_t given_count;
	struct seal_option table[CLI_MAX_OPTIONS]; /* of the verb, as far as it is known */
	size_t table_count;
	struct seal_bytes out;
	bool failed;
};

/* ---- Saying ---- */

/* Without memory nothing is said. */
static void
stick(struct typed *typed, int r)
{
	typed->failed = typed->failed || r < 0;
}

static void
offer(struct typed *typed, const char *text, const char *why)
{
	if (strncmp(text, typed->word, strlen(typed->word)) != 0)
		return;
	stick(typed, seal_bytes_append_fmt(&typed->out, NULL, "%s%s%s%s\n", typed->before, text,
					   why != NULL ? "\t" : "", why != NULL ? why : ""));
}

static void
offer_each(struct typed *typed, const char *choices, const char *separators)
{
	while (*choices != '\0') {
		char word[64];
		size_t len = strcspn(choices, separators);

		(void)snprintf(word, sizeof(word), "%.*s", (int)len, choices);
		offer(typed, word, NULL);
		choices += len;
		choices += strspn(choices, separators);
	}
}

static void
offer_mode(struct typed *typed, const char *mode)
{
	stick(typed, seal_bytes_append_fmt(&typed->out, NULL, ":%s\n", mode));
}

/* ---- Names that exist ---- */

static struct seal_json *
ask(struct typed *typed, const char *path)
{
	struct seal_json *reply = NULL;

	return cli_call(&typed->cli, "GET", path, NULL, &reply, NULL) == 0 ? reply : NULL;
}

/* The first page, which is a long one, has to do. */
static void
offer_list(struct typed *typed, const char *path, const char *list, const char *member,
	   const char *explained_by)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = ask(typed, path);
	const struct seal_json *all = NULL;

	if (reply == NULL || seal_json_get_array(reply, list, &all, NULL) < 0)
		return;
	for (size_t i = 0; i < seal_json_count(all); i++) {
		const struct seal_json *one = seal_json_at(all, i);
		const char *name = NULL, *why = NULL;

		if (seal_json_get_str(one, member, &name, NULL) < 0)
			continue;
		if (explained_by != NULL)
			why = seal_json_str(seal_json_member(one, explained_by));
		offer(typed, name, why);
	}
}

static void
offer_workloads(struct typed *typed)
{
	offer_list(typed, "/v1/workloads?limit=500", "workloads", "name", NULL);
}

static void
offer_eggs(struct typed *typed)
{
	offer_list(typed, "/v1/eggs?limit=500", "eggs", "id", "workload");
}

static void
offer_operators(struct typed *typed)
{
	offer_list(typed, "/v1/operators?limit=500", "operators", "name", "role");
}

static void
offer_profiles(struct typed *typed)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv names = { 0 };

	if (cli_profile_names(&names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.count; i++)
		offer(typed, names.items[i], NULL);
}

static int
add_side(struct seal_strv *names, const struct seal_json *pair, const char *side)
{
	const char *name = NULL;

	if (seal_json_get_str(pair, side, &name, NULL) == 0 && !seal_strv_contains(names, name))
		return seal_strv_add(names, name, NULL);
	return 0;
}

/* Those of the workload that is named already. */
static void
offer_peers(struct typed *typed)
{
	const char *workload = typed->arg_count > 0 ? typed->args[0] : typed->cli.opt.workload;
	SEAL_SCOPED(seal_strv_release) struct seal_strv names = { 0 };
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	const struct seal_json *pairs = NULL;
	char path[128];

	if (workload == NULL || seal_workload_check(workload, NULL) < 0)
		return;
	(void)snprintf(path, sizeof(path), "/v1/peers?workload=%s", workload);
	reply = ask(typed, path);
	if (reply == NULL || seal_json_get_array(reply, "pairs", &pairs, NULL) < 0)
		return;
	for (size_t i = 0; i < seal_json_count(pairs); i++) {
		stick(typed, add_side(&names, seal_json_at(pairs, i), "client"));
		stick(typed, add_side(&names, seal_json_at(pairs, i), "server"));
	}
	for (size_t i = 0; i < names.count; i++)
		offer(typed, names.items[i], NULL);
}

static void
offer_verbs(struct typed *typed, const char *group)
{
	const char *last = "";

	for (size_t i = 0; i < cli_verb_count; i++) {
		const struct cli_verb *row = &cli_verbs[i];

		if (group != NULL && strcmp(row->verb, group) == 0 && row->sub != NULL)
			offer(typed, row->sub, row->help);
		else if (group == NULL && strcmp(last, row->verb) != 0)
			offer(typed, row->verb, row->sub == NULL ? row->help : NULL);
		last = row->verb;
	}
}

/* ---- What stands in the place of a name in the table ---- */

static void
offer_files(struct typed *typed)
{
	offer_mode(typed, "files");
}

static void
offer_directories(struct typed *typed)
{
	offer_mode(typed, "directories");
}

/* verb NULL: of any. */
static const struct {
	const char *verb;
	const char *name;
	void (*offer)(struct typed *typed);
} places[] = {
	{ NULL, "WORKLOAD", offer_workloads },
	{ "workload", "NAME", offer_workloads },
	{ "operator", "NAME", offer_operators },
	{ "profile", "NAME", offer_profiles },
	{ "egg", "ID", offer_eggs },
	{ NULL, "CLIENT", offer_peers },
	{ NULL, "SERVER", offer_peers },
	{ NULL, "PEER", offer_peers },
	{ NULL, "FILE", offer_files },
	{ NULL, "[NAME=]FILE", offer_files },
	{ NULL, "PATH", offer_files },
	{ NULL, "DIR", offer_directories },
};

/* What is new has no name yet. */
static bool
names_something_new(const struct typed *typed)
{
	return typed->sub != NULL &&
	       (strcmp(typed->sub, "add") == 0 || strcmp(typed->sub, "create") == 0);
}

static void
offer_place(struct typed *typed, const char *name)
{
	if (strcmp(name, "NAME") == 0 && names_something_new(typed))
		return;
	for (size_t i = 0; i < SEAL_COUNT(places); i++) {
		if (strcmp(places[i].name, name) == 0 &&
		    (places[i].verb == NULL || strcmp(places[i].verb, typed->verb) == 0)) {
			places[i].offer(typed);
			return;
		}
	}
	/* The words themselves: "bash|fish|zsh".  Places among them ("ID|FILE") are each of these. */
	if (strchr(name, '|') != NULL && name[0] >= 'a' && name[0] <= 'z') {
		offer_each(typed, name, "|");
	} else if (strchr(name, '|') != NULL) {
		char first[32];

		(void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(name, "|"), name);
		offer_place(typed, first);
		offer_place(typed, strchr(name, '|') + 1);
	}
}

/* The n-th of "WORKLOAD [FILE]", without the brackets. */
static void
offer_arg(struct typed *typed, const struct cli_verb *verb, size_t n)
{
	const char *at = verb->args;
	char name[32];
	size_t len;

	for (; n > 0 && *at != '\0'; n--) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	at += strspn(at, "[");
	len = strcspn(at, " ]");
	if (len == 0 || len >= sizeof(name))
		return;
	(void)snprintf(name, sizeof(name), "%.*s", (int)len, at);
	offer_place(typed, name);
}

/* Values that are a choice.  verb NULL: of any other. */
static const struct {
	const char *verb;
	const char *option;
	const char *choices;
} choices[] = {
	{ "policy", "output", "rego initdata json" }, { NULL, "output", "table json yaml" },
	{ NULL, "algorithm", "sha256 sha384" },       { NULL, "explain-format", "table json" },
	{ NULL, "kind", "Secret ConfigMap" },         { NULL, "only", "seal sidecar" },
	{ NULL, "role", "admin auditor ci" },
};

static void
offer_value(struct typed *typed, const struct seal_option *option)
{
	for (size_t i = 0; i < SEAL_COUNT(choices); i++) {
		if (strcmp(choices[i].option, option->name) == 0 &&
		    (choices[i].verb == NULL ||
		     (typed->verb != NULL && strcmp(choices[i].verb, typed->verb) == 0))) {
			offer_each(typed, choices[i].choices, " ");
			return;
		}
	}
	if (strcmp(option->name, "workload") == 0)
		offer_workloads(typed);
	else if (strcmp(option->name, "profile") == 0)
		offer_profiles(typed);
	else if (strcmp(option->arg, "NAME") != 0)
		offer_place(typed, option->arg);
}

static bool
was_given(const struct typed *typed, const struct seal_option *option)
{
	for (size_t i = 0; i < typed->given_count; i++) {
		if (strcmp(typed->given[i], option->name) == 0)
			return option->type != SEAL_OPT_LIST;
	}
	return false;
}

static void
offer_options(struct typed *typed)
{
	char text[64];

	for (size_t i = 0; i < typed->table_count; i++) {
		const struct seal_option *option = &typed->table[i];

		if (was_given(typed, option))
			continue;
		(void)snprintf(text, sizeof(text), "--%s", option->name);
		offer(typed, text, option->help);
	}
}

/* ---- Reading what is there ---- */

/* Before the verb only what says which root of trust is meant can stand. */
static void
find_table(struct typed *typed)
{
	static const struct cli_verb any = { .flags = CLI_CALLS | CLI_SHOWS };
	const struct cli_verb *verb =
		typed->verb != NULL ? cli_verb_find(typed->verb, typed->sub) : NULL;

	typed->table_count = cli_verb_options(verb != NULL ? verb : &any, typed->table);
}

/* "--name", "--name=…" or "-x". */
static const struct seal_option *
find_option(const struct typed *typed, const char *word)
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
note_value(struct typed *typed, const struct seal_option *option, const char *value)
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
		stick(typed, seal_strv_add(&opt->urls, value, NULL));
}

static void
note_option(struct typed *typed, const char *word)
{
	const struct seal_option *option = find_option(typed, word);
	const char *equals = strchr(word, '=');

	if (option == NULL)
		return;
	if (typed->given_count < MAX_WORDS)
		typed->given[typed->given_count++] = option->name;
	if (equals != NULL && word[1] == '-')
		note_value(typed, option, equals + 1);
	else if (option->type != SEAL_OPT_FLAG && (word[1] == '-' || word[2] == '\0'))
		typed->pending = option;
}

static void
note_word(struct typed *typed, const char *word)
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
note(struct typed *typed, const char *word)
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
offer_for_help(struct typed *typed)
{
	if (typed->arg_count == 0)
		offer_verbs(typed, NULL);
	else if (typed->arg_count == 1 && cli_verb_is_group(typed->args[0]))
		offer_verbs(typed, typed->args[0]);
}

static void
offer_word(struct typed *typed)
{
	const struct cli_verb *verb;

	if (typed->verb == NULL) {
		offer_verbs(typed, NULL);
		return;
	}
	if (typed->sub == NULL && cli_verb_is_group(typed->verb)) {
		offer_verbs(typed, typed->verb);
		return;
	}
	verb = cli_verb_find(typed->verb, typed->sub);
	if (verb != NULL && verb->run == cli_help)
		offer_for_help(typed);
	else if (verb != NULL && typed->arg_count < verb->max_args)
		offer_arg(typed, verb, typed->arg_count);
}

/* The word that is being typed. */
static void
offer_last(struct typed *typed, const char *word)
{
	const char *equals = strchr(word, '=');
	const struct seal_option *option = NULL;

	typed->word = word;
	if (typed->pending != NULL) {
		typed->word = strcmp(word, "=") == 0 ? "" : word;
		offer_value(typed, typed->pending);
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
	offer_value(typed, option);
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
	struct typed typed = { .out = SEAL_BYTES(MAX_OUT) };

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
		stick(&typed, cli_write_out(seal_bytes_str(&typed.out), typed.out.len, NULL));
	(void)alarm(0);
	seal_bytes_release(&typed.out);
	seal_strv_release(&typed.cli.opt.urls);
	rot_client_free(typed.cli.client);
}
