/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be learned from hosts and resolv.conf.  They are read without judgement: what is malformed is left
 * out here, and found by those who judge.
 */

#include <ctype.h>
#include <string.h>

#include "config-verify/learn_internal.h"

#define BLANKS    " \t\r"
#define LINE_SIZE 4096
#define MAX_WORDS 64

/* The line at *at, cut at its comment, and *at behind it; false at the end.  One too long is empty. */
static bool
next_line(const char **at, const char *end, const char *comments, char out[static LINE_SIZE])
{
	const char *line = *at;
	const char *stop;
	size_t len;

	if (line >= end)
		return false;
	stop = memchr(line, '\n', (size_t)(end - line));
	stop = stop != NULL ? stop : end;
	len = (size_t)(stop - line) < LINE_SIZE ? (size_t)(stop - line) : 0;
	memcpy(out, line, len);
	out[len] = '\0';
	out[strcspn(out, comments)] = '\0';
	*at = stop + 1;
	return true;
}

/* The next word of a line, in lower case; NULL at its end. */
static char *
next_word(char **at)
{
	char *word = *at + strspn(*at, BLANKS);
	const size_t len = strcspn(word, BLANKS);

	if (len == 0)
		return NULL;
	*at = word + len + (word[len] != '\0' ? 1 : 0);
	word[len] = '\0';
	for (char *c = word; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return word;
}

/* ---- hosts ---- */

/* Names and where each leads, side by side. */
struct pairs {
	struct seal_strv names;
	struct seal_strv addresses;
};

static void
release_pairs(struct pairs *pairs)
{
	seal_strv_release(&pairs->names);
	seal_strv_release(&pairs->addresses);
}

static bool
has_pair(const struct pairs *pairs, const char *name, const char *address)
{
	for (size_t i = 0; i < pairs->names.count; i++)
		if (strcmp(pairs->names.items[i], name) == 0 &&
		    strcmp(pairs->addresses.items[i], address) == 0)
			return true;
	return false;
}

static bool
can_pin(const char *name, const char *address)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *hosts = seal_json_new();
	struct seal_json *entry = seal_json_add_object(seal_json_set_array(hosts, "names"));

	seal_json_set_str(entry, "name", name);
	seal_json_add_str(seal_json_set_array(entry, "networks"), address);
	return !seal_json_has_failed(hosts) && learn_can_say("hosts", hosts);
}

static int
take_name(struct pairs *pairs, char *name, const char *address, size_t *count, struct seal_err *err)
{
	const size_t len = strlen(name);
	int r;

	if (name[len - 1] == '.')
		name[len - 1] = '\0';
	if (pairs->names.count == VERIFY_MAX_NAMES || has_pair(pairs, name, address) ||
	    !can_pin(name, address))
		return 0;
	r = seal_strv_add(&pairs->names, name, err);
	if (r == 0)
		r = seal_strv_add(&pairs->addresses, address, err);
	if (r == 0)
		*count += 1;
	return r;
}

static int
take_line(struct pairs *pairs, char *line, size_t *count, struct seal_err *err)
{
	struct verify_address address;
	char text[VERIFY_ADDRESS_TEXT];
	char *word = next_word(&line);
	int r = 0;

	if (word == NULL || verify_address_parse(&address, word, NULL) < 0 ||
	    verify_address_is_loopback(&address))
		return 0;
	verify_address_format(&address, text);
	while (r == 0 && (word = next_word(&line)) != NULL)
		r = take_name(pairs, word, text, count, err);
	return r;
}

static bool
is_unexplained(const struct verify_findings *findings, size_t line)
{
	const struct verify_finding *finding;

	for (size_t i = 0; (finding = verify_findings_at(findings, i)) != NULL; i++)
		if (finding->rule == VERIFY_RULE_HOSTS_UNEXPLAINED && finding->line == line)
			return true;
	return false;
}

/* Is there anything against the line, by the rules of the system? */
static bool
is_suspect(const struct verify_findings *findings, size_t line)
{
	const struct verify_finding *finding;

	for (size_t i = 0; (finding = verify_findings_at(findings, i)) != NULL; i++)
		if (finding->line == line)
			return true;
	return false;
}

static int
take_lines(struct pairs *pairs, const struct verify_sight *sight,
	   const struct verify_findings *findings, size_t *ret_count, struct seal_err *err)
{
	const char *at = seal_bytes_str(&sight->hosts);
	const char *end = at + sight->hosts.len;
	char line[LINE_SIZE];
	size_t count = 0;
	int r = 0;

	for (size_t number = 1; r == 0 && next_line(&at, end, "#", line); number++)
		if (is_unexplained(findings, number))
			r = take_line(pairs, line, &count, err);
	*ret_count = count;
	return r;
}

static void
put_pairs(struct seal_json *json, const struct pairs *pairs)
{
	struct seal_json *list = seal_json_set_array(learn_renew_object(json, "hosts"), "names");

	for (size_t i = 0; i < pairs->names.count; i++) {
		const char *name = pairs->names.items[i];
		struct seal_json *entry;
		struct seal_json *networks;
		bool is_put = false;

		for (size_t before = 0; before < i; before++)
			is_put = is_put || strcmp(pairs->names.items[before], name) == 0;
		if (is_put)
			continue;
		entry = seal_json_add_object(list);
		seal_json_set_str(entry, "name", name);
		networks = seal_json_set_array(entry, "networks");
		for (size_t other = i;
		     other < pairs->names.count && seal_json_count(networks) < VERIFY_MAX_NETWORKS;
		     other++)
			if (strcmp(pairs->names.items[other], name) == 0)
				seal_json_add_str(networks, pairs->addresses.items[other]);
	}
}

static void
judge_hosts(const struct verify_sight *sight, const struct verify_policy *policy,
	    struct verify_findings *findings)
{
	verify_hosts_judge(sight->hosts.data, sight->hosts.len, policy, &sight->self, findings);
}

int
learn_hosts(struct seal_json *json, const struct verify_sight *sight, struct seal_err *err)
{
	SEAL_SCOPED(release_pairs) struct pairs pairs = { .names = { .count = 0 } };
	size_t more = 1;
	int r = 0;

	if (sight->hosts.len == 0)
		return 0;
	while (r == 0 && more > 0) {
		SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;

		put_pairs(json, &pairs);
		r = learn_ask(&findings, json, sight, judge_hosts, err);
		if (r == 0)
			r = take_lines(&pairs, sight, findings, &more, err);
	}
	return r;
}

/* ---- resolv.conf ---- */

struct resolver {
	struct seal_strv servers;
	struct seal_strv searches;
	struct seal_strv options;
};

static void
release_resolver(struct resolver *resolver)
{
	seal_strv_release(&resolver->servers);
	seal_strv_release(&resolver->searches);
	seal_strv_release(&resolver->options);
}

static int
add(struct seal_strv *list, const char *member, const char *text, size_t max, struct seal_err *err)
{
	if (list->count == max || seal_strv_contains(list, text) ||
	    !learn_can_say_text("resolv", member, true, text))
		return 0;
	return seal_strv_add(list, text, err);
}

static int
take_server(struct resolver *resolver, const char *word, struct seal_err *err)
{
	struct verify_address address;
	char text[VERIFY_ADDRESS_TEXT];

	if (verify_address_parse(&address, word, NULL) < 0)
		return 0;
	verify_address_format(&address, text);
	return add(&resolver->servers, "nameservers", text, MAX_WORDS, err);
}

static int
take_setting(struct resolver *resolver, char *line, struct seal_err *err)
{
	const char *keyword = next_word(&line);
	char *word;
	int r = 0;

	while (r == 0 && keyword != NULL && (word = next_word(&line)) != NULL) {
		if (strcmp(keyword, "nameserver") == 0)
			r = take_server(resolver, word, err);
		else if (strcmp(keyword, "search") == 0 || strcmp(keyword, "domain") == 0)
			r = add(&resolver->searches, "searches", word, MAX_WORDS, err);
		else if (strcmp(keyword, "options") == 0)
			r = add(&resolver->options, "options", word, MAX_WORDS, err);
	}
	return r;
}

/* A pin allows what it says, whatever the rules say otherwise: lines that break one are left out. */
static int
take_settings(struct resolver *resolver, const struct verify_sight *sight, struct seal_err *err)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	const char *at = seal_bytes_str(&sight->resolv);
	const char *end = at + sight->resolv.len;
	char line[LINE_SIZE];
	int r = verify_findings_new(&findings, err);

	if (r == 0)
		verify_resolv_judge(sight->resolv.data, sight->resolv.len, NULL, findings);
	for (size_t number = 1; r == 0 && next_line(&at, end, "#;", line); number++)
		if (!is_suspect(findings, number))
			r = take_setting(resolver, line, err);
	return r;
}

int
learn_resolv(struct seal_json *json, const struct verify_sight *sight, struct seal_err *err)
{
	SEAL_SCOPED(release_resolver) struct resolver resolver = { .servers = { .count = 0 } };
	struct seal_json *resolv;
	int r;

	if (sight->resolv.len == 0)
		return 0;
	r = take_settings(&resolver, sight, err);
	if (r < 0)
		return r;
	resolv = seal_json_set_object(json, "resolv");
	if (resolver.servers.count > 0) /* an empty list allows nothing, and is none */
		seal_json_set_strv(resolv, "nameservers", &resolver.servers);
	seal_json_set_strv(resolv, "searches", &resolver.searches);
	seal_json_set_strv(resolv, "options", &resolver.options);
	return 0;
}
