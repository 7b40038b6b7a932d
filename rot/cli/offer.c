/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What completion can offer.  The names in the table of verbs ("WORKLOAD", "FILE") say what stands in their place; the
 * names that exist are asked from the root of trust that the line means.
 */

#include <stdio.h>
#include <string.h>

#include "rot/audit/entry.h"
#include "rot/cli/complete.h"

/* ---- Saying ---- */

/* Without memory nothing is said. */
void
cli_typed_stick(struct cli_typed *typed, int r)
{
	typed->failed = typed->failed || r < 0;
}

void
cli_offer(struct cli_typed *typed, const char *text, const char *why)
{
	if (strncmp(text, typed->word, strlen(typed->word)) != 0)
		return;
	cli_typed_stick(typed,
			seal_bytes_append_fmt(&typed->out, NULL, "%s%s%s%s\n", typed->before, text,
					      why != NULL ? "\t" : "", why != NULL ? why : ""));
}

static void
offer_each(struct cli_typed *typed, const char *choices, const char *separators)
{
	while (*choices != '\0') {
		char word[64];
		size_t len = strcspn(choices, separators);

		(void)snprintf(word, sizeof(word), "%.*s", (int)len, choices);
		cli_offer(typed, word, NULL);
		choices += len;
		choices += strspn(choices, separators);
	}
}

static void
offer_mode(struct cli_typed *typed, const char *mode)
{
	cli_typed_stick(typed, seal_bytes_append_fmt(&typed->out, NULL, ":%s\n", mode));
}

/* ---- Names that exist ---- */

static struct seal_json *
ask(struct cli_typed *typed, const char *path)
{
	struct seal_json *reply = NULL;

	return cli_call(&typed->cli, "GET", path, NULL, &reply, NULL) == 0 ? reply : NULL;
}

/* Whatever the answer says: a name reaches a command line. */
static void
offer_name(struct cli_typed *typed, const char *name, const char *why)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-.*";

	if (name[0] == '\0' || name[0] == '-' || name[strspn(name, letters)] != '\0')
		return;
	for (const char *at = why; at != NULL && *at != '\0'; at++) {
		if (*at < ' ' || *at > '~')
			why = NULL;
	}
	cli_offer(typed, name, why);
}

/* The first page, which is a long one, has to do. */
static void
offer_list(struct cli_typed *typed, const char *path, const char *list, const char *member,
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
		offer_name(typed, name, why);
	}
}

static void
offer_workloads(struct cli_typed *typed)
{
	offer_list(typed, "/v1/workloads?limit=500", "workloads", "name", NULL);
}

static void
offer_eggs(struct cli_typed *typed)
{
	offer_list(typed, "/v1/eggs?limit=500", "eggs", "id", "workload");
}

static void
offer_operators(struct cli_typed *typed)
{
	offer_list(typed, "/v1/operators?limit=500", "operators", "name", "role");
}

static void
offer_profiles(struct cli_typed *typed)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv names = { 0 };

	if (cli_profile_names(&names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.count; i++)
		cli_offer(typed, names.items[i], NULL);
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
offer_peers(struct cli_typed *typed)
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
		cli_typed_stick(typed, add_side(&names, seal_json_at(pairs, i), "client"));
		cli_typed_stick(typed, add_side(&names, seal_json_at(pairs, i), "server"));
	}
	for (size_t i = 0; i < names.count; i++)
		offer_name(typed, names.items[i], NULL);
}

static void
offer_certs(struct cli_typed *typed)
{
	offer_list(typed, "/v1/certs?state=live&limit=500", "certificates", "serial", "workload");
}

static void
offer_enrolments(struct cli_typed *typed)
{
	offer_list(typed, "/v1/enrolments?limit=500", "enrolments", "id", "workload");
}

/* Of the keys, or the CAs, of the workload that is named already. */
static void
offer_generations(struct cli_typed *typed)
{
	const char *list = typed->sub != NULL && strstr(typed->sub, "key") != NULL ? "keys" : "cas";
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	const struct seal_json *all = NULL;
	char path[128], text[32];
	uint64_t generation;

	if (typed->arg_count == 0 || seal_workload_check(typed->args[0], NULL) < 0)
		return;
	(void)snprintf(path, sizeof(path), "/v1/workloads/%s", typed->args[0]);
	reply = ask(typed, path);
	if (reply == NULL || seal_json_get_array(reply, list, &all, NULL) < 0)
		return;
	for (size_t i = 0; i < seal_json_count(all); i++) {
		if (seal_json_get_u64(seal_json_at(all, i), "generation", INT64_MAX, &generation,
				      NULL) < 0)
			continue;
		(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)generation);
		cli_offer(typed, text, NULL);
	}
}

void
cli_offer_verbs(struct cli_typed *typed, const char *group)
{
	const char *last = "";

	for (size_t i = 0; i < cli_verb_count; i++) {
		const struct cli_verb *row = &cli_verbs[i];

		if (group != NULL && strcmp(row->verb, group) == 0 && row->sub != NULL)
			cli_offer(typed, row->sub, row->help);
		else if (group == NULL && strcmp(last, row->verb) != 0)
			cli_offer(typed, row->verb, row->sub == NULL ? row->help : NULL);
		last = row->verb;
	}
}

/* ---- What stands in the place of a name in the table ---- */

static void
offer_files(struct cli_typed *typed)
{
	offer_mode(typed, "files");
}

static void
offer_directories(struct cli_typed *typed)
{
	offer_mode(typed, "directories");
}

/* What only who types can know. */
static void
offer_nothing(struct cli_typed *typed)
{
	(void)typed;
}

/* The first row that fits; verb NULL: of any. */
static const struct place {
	const char *verb;
	const char *name;
	void (*offer)(struct cli_typed *typed);
} places[] = {
	{ "workload", "NAME", offer_workloads }, { "operator", "NAME", offer_operators },
	{ "profile", "NAME", offer_profiles },   { "egg", "ID", offer_eggs },
	{ "enrolment", "ID", offer_enrolments }, { NULL, "WORKLOAD", offer_workloads },
	{ NULL, "SERIAL", offer_certs },         { NULL, "GENERATION", offer_generations },
	{ NULL, "CLIENT", offer_peers },         { NULL, "SERVER", offer_peers },
	{ NULL, "PEER", offer_peers },           { NULL, "FILE", offer_files },
	{ NULL, "[NAME=]FILE", offer_files },    { NULL, "PATH", offer_files },
	{ NULL, "DIR", offer_directories },      { NULL, "HOST", offer_nothing },
	{ NULL, "IMAGE", offer_nothing },        { NULL, "KEY", offer_nothing },
	{ NULL, "KIND/NAME", offer_nothing },    { NULL, "N", offer_nothing },
	{ NULL, "NAMESPACE", offer_nothing },    { NULL, "SHA256", offer_nothing },
	{ NULL, "TIME", offer_nothing },         { NULL, "URL", offer_nothing },
	{ NULL, "PREFIX", offer_nothing },       { NULL, "STORE", offer_nothing },
};

static const struct place *
find_place(const char *verb, const char *name, size_t len)
{
	for (size_t i = 0; i < SEAL_COUNT(places); i++) {
		if (strlen(places[i].name) == len && strncmp(places[i].name, name, len) == 0 &&
		    (places[i].verb == NULL || strcmp(places[i].verb, verb) == 0))
			return &places[i];
	}
	return NULL;
}

/* The words themselves: "bash|fish|zsh". */
static bool
is_choice(const char *name)
{
	return name[0] >= 'a' && name[0] <= 'z' && strchr(name, '|') != NULL;
}

/* What is new has no name yet. */
static bool
names_something_new(const struct cli_typed *typed)
{
	return typed->sub != NULL &&
	       (strcmp(typed->sub, "add") == 0 || strcmp(typed->sub, "create") == 0);
}

/* "ID|FILE": each of these. */
static void
offer_place(struct cli_typed *typed, const char *name)
{
	if (strcmp(name, "NAME") == 0 && names_something_new(typed))
		return;
	if (is_choice(name)) {
		offer_each(typed, name, "|");
		return;
	}
	while (*name != '\0') {
		size_t len = strcspn(name, "|");
		const struct place *place =
			find_place(typed->verb != NULL ? typed->verb : "", name, len);

		if (place != NULL)
			place->offer(typed);
		name += len;
		name += strspn(name, "|");
	}
}

/* The n-th of "WORKLOAD [FILE]", without the brackets; false when there is none. */
static bool
arg_at(const struct cli_verb *verb, size_t n, char *out, size_t size)
{
	const char *at = verb->args;
	size_t len;

	for (; n > 0 && *at != '\0'; n--) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	at += strspn(at, "[");
	len = strcspn(at, " ]");
	(void)snprintf(out, size, "%.*s", (int)len, at);
	return len > 0 && len < size;
}

void
cli_offer_arg(struct cli_typed *typed, const struct cli_verb *verb, size_t n)
{
	char name[32];

	if (arg_at(verb, n, name, sizeof(name)))
		offer_place(typed, name);
}

/* Values of options: a choice, or something that exists, or (neither) nothing.  The first row that fits. */
#define ONE_KIND(name, text) text " "
static const struct value {
	const char *verb;
	const char *option;
	const char *choices;
	void (*offer)(struct cli_typed *typed);
} values[] = {
	{ "audit", "kind", AUDIT_KINDS(ONE_KIND), NULL },
	{ "policy", "output", "rego initdata json", NULL },
	{ NULL, "algorithm", "sha256 sha384", NULL },
	{ NULL, "container", NULL, NULL },
	{ NULL, "explain-format", "table json", NULL },
	{ NULL, "kind", "Secret ConfigMap", NULL },
	{ NULL, "name", NULL, NULL },
	{ NULL, "only", "seal sidecar", NULL },
	{ NULL, "state", "live revoked expired all", NULL },
	{ NULL, "output", "table json yaml", NULL },
	{ NULL, "profile", NULL, offer_profiles },
	{ NULL, "role", "admin auditor ci", NULL },
	{ NULL, "trust-domain", NULL, NULL },
	{ NULL, "workload", NULL, offer_workloads },
};
#undef ONE_KIND

static const struct value *
find_value(const char *verb, const char *option)
{
	for (size_t i = 0; i < SEAL_COUNT(values); i++) {
		if (strcmp(values[i].option, option) == 0 &&
		    (values[i].verb == NULL || (verb != NULL && strcmp(values[i].verb, verb) == 0)))
			return &values[i];
	}
	return NULL;
}

void
cli_offer_value(struct cli_typed *typed, const struct seal_option *option)
{
	const struct value *value = find_value(typed->verb, option->name);

	if (value == NULL)
		offer_place(typed, option->arg);
	else if (value->choices != NULL)
		offer_each(typed, value->choices, " ");
	else if (value->offer != NULL)
		value->offer(typed);
}

/* ---- Is everything known that the table of verbs names? ---- */

static bool
knows_place(const char *verb, const char *name)
{
	if (is_choice(name) || strcmp(verb, "help") == 0)
		return true;
	for (size_t len; *name != '\0'; name += len, name += strspn(name, "|")) {
		len = strcspn(name, "|");
		if (find_place(verb, name, len) == NULL)
			return false;
	}
	return true;
}

bool
cli_complete_knows_arg(const struct cli_verb *verb, size_t n, char *ret_name, size_t size)
{
	return !arg_at(verb, n, ret_name, size) || knows_place(verb->verb, ret_name);
}

bool
cli_complete_knows_option(const struct cli_verb *verb, const struct seal_option *option)
{
	return option->arg == NULL || find_value(verb->verb, option->name) != NULL ||
	       knows_place(verb->verb, option->arg);
}
