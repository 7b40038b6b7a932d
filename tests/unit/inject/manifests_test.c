/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rot/inject against manifests of public projects: what goes in comes back, nothing of it is in clear
 * between, and whatever is refused is refused for a reason its owner can act on.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config-verify/spec.h"
#include "tests/support/vectors.h"
#include "tests/unit/inject/rig.h"

#define FOLDER   "k8s-manifests"
#define COUNT    210
#define TELLTALE 9 /* bytes: shorter values are words that are there for other reasons, too */

/* Refused, for a reason that is their owners' to mend. */
static bool
is_for_its_owner(const char *name)
{
	static const char *const refused[] = {
		"014", "037",        /* patches: they mount volumes that are elsewhere */
		"022",               /* a value that is null */
		"081",               /* a template: POD_NAME */
		"127", "128", "129", /* a key twice */
		"171",               /* a variable that is a boolean */
		"176",               /* base64 that is none */
	};

	for (size_t i = 0; i < SEAL_COUNT(refused); i++) {
		if (strncmp(refused[i], name, 3) == 0)
			return true;
	}
	return false;
}

struct tally {
	size_t seen;
	size_t accepted;
	size_t refused;
	size_t policies; /* of containers, accepted by the parser */
};

/* A value and the two texts it is looked for in. */
struct look {
	const char *name;
	const char *before;
	const char *after;
};

/* Words that stand elsewhere in the manifest, too, are no telltales. */
static void
expect_absent(const struct look *look, const struct seal_json *value)
{
	const char *text = value != NULL ? seal_json_str(value) : NULL;
	const char *first;
	char line[512];
	size_t len;

	if (text == NULL)
		return;
	len = strcspn(text, "\n\"\\");
	if (len < TELLTALE || len >= sizeof(line))
		return;
	(void)snprintf(line, sizeof(line), "%.*s", (int)len, text);
	first = strstr(look->before, line);
	if (first == NULL || strstr(first + 1, line) != NULL)
		return;
	cr_expect_null(strstr(look->after, line), "%s: '%s' is in clear", look->name, line);
}

static void
expect_list_absent(const struct look *look, const struct seal_json *list)
{
	for (size_t i = 0;
	     list != NULL && seal_json_kind(list) == SEAL_JSON_ARRAY && i < seal_json_count(list);
	     i++)
		expect_absent(look, seal_json_at(list, i));
}

static void
expect_members_absent(const struct look *look, const struct seal_json *map)
{
	if (map == NULL || seal_json_kind(map) != SEAL_JSON_OBJECT)
		return;
	for (const char *key = seal_json_next(map, NULL); key != NULL;
	     key = seal_json_next(map, key))
		expect_absent(look, seal_json_member(map, key));
}

static void
check_containers(const struct look *look, const struct seal_json *list)
{
	for (size_t i = 0; seal_json_kind(list) == SEAL_JSON_ARRAY && i < seal_json_count(list);
	     i++) {
		const struct seal_json *container = seal_json_at(list, i);
		const struct seal_json *env = seal_json_member(container, "env");

		expect_list_absent(look, seal_json_member(container, "command"));
		expect_list_absent(look, seal_json_member(container, "args"));
		expect_absent(look, seal_json_member(container, "workingDir"));
		for (size_t k = 0; env != NULL && seal_json_kind(env) == SEAL_JSON_ARRAY &&
				   k < seal_json_count(env);
		     k++)
			expect_absent(look, seal_json_member(seal_json_at(env, k), "value"));
		expect_list_absent(look, rig_at(container, "livenessProbe.exec.command"));
		expect_list_absent(look, rig_at(container, "readinessProbe.exec.command"));
		expect_list_absent(look, rig_at(container, "lifecycle.preStop.exec.command"));
	}
}

/* Whatever is a container or the data of an object, however deep. */
static void
walk(const struct look *look, const struct seal_json *json)
{
	if (seal_json_kind(json) == SEAL_JSON_ARRAY) {
		for (size_t i = 0; i < seal_json_count(json); i++)
			walk(look, seal_json_at(json, i));
		return;
	}
	if (seal_json_kind(json) != SEAL_JSON_OBJECT)
		return;
	for (const char *name = seal_json_next(json, NULL); name != NULL;
	     name = seal_json_next(json, name)) {
		const struct seal_json *value = seal_json_member(json, name);

		if (strcmp(name, "containers") == 0 || strcmp(name, "initContainers") == 0)
			check_containers(look, value);
		else if (strcmp(name, "data") == 0 || strcmp(name, "stringData") == 0 ||
			 strcmp(name, "binaryData") == 0)
			expect_members_absent(look, value);
		else
			walk(look, value);
	}
}

/* What seal-wrap will be started with: understood, and with a policy where a container starts. */
static size_t
check_specs(struct rig *rig, const char *name, const struct seal_json *json)
{
	const struct seal_json *command = NULL;
	size_t count = 0;

	if (seal_json_kind(json) == SEAL_JSON_ARRAY)
		for (size_t i = 0; i < seal_json_count(json); i++)
			count += check_specs(rig, name, seal_json_at(json, i));
	if (seal_json_kind(json) != SEAL_JSON_OBJECT)
		return count;
	command = seal_json_member(json, "command");
	if (command != NULL && seal_json_kind(command) == SEAL_JSON_ARRAY &&
	    seal_json_count(command) == 2 && seal_json_str(seal_json_at(command, 0)) != NULL &&
	    strcmp(seal_json_str(seal_json_at(command, 0)), "/seal-wrap") == 0) {
		SEAL_SCOPED(verify_spec_freep) struct verify_spec *spec = NULL;
		char *text = rig_open(rig, seal_json_str(seal_json_at(command, 1)));
		struct seal_err err = { 0 };

		cr_assert_eq(verify_spec_parse(&spec, text, strlen(text), &err), 0, "%s: %s", name,
			     err.text);
		free(text);
		count += verify_spec_policy(spec) != NULL;
	}
	for (const char *member = seal_json_next(json, NULL); member != NULL;
	     member = seal_json_next(json, member))
		count += check_specs(rig, name, seal_json_member(json, member));
	return count;
}

static void
each(void *arg, const char *name, const char *text, size_t len)
{
	struct tally *tally = arg;
	SEAL_SCOPED(rig_release) struct rig rig;
	SEAL_SCOPED(seal_json_freep) struct seal_json *before = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *after = NULL;
	struct look look = { .name = name };

	tally->seen++;
	rig_init(&rig);
	if (rig_inject(&rig, text, len) < 0) {
		(void)fprintf(stderr, "refused: %s: %s\n", name, rig.err.text);
		cr_expect(is_for_its_owner(name), "%s: refused: %s", name, rig.err.text);
		cr_expect_eq(rig.out.len, 0, "%s: something came out", name);
		cr_expect_eq(rig.seal_calls, 0, "%s: something was sealed", name);
		tally->refused++;
		return;
	}
	cr_expect_not(is_for_its_owner(name), "%s was accepted", name);
	tally->accepted++;
	before = rig_json(text, len);
	look.before = seal_strndup(text, len);
	look.after = seal_strndup(seal_bytes_str(&rig.out), rig.out.len);
	cr_assert(look.before != NULL && look.after != NULL);
	walk(&look, before);
	after = rig_json(look.after, strlen(look.after));
	tally->policies += check_specs(&rig, name, after);
	free((void *)(uintptr_t)look.before);
	free((void *)(uintptr_t)look.after);
	rig_round(&rig, text, len);
}

Test(manifests, of_public_projects_come_back_as_they_were, .timeout = 120)
{
	struct tally tally = { 0 };

	if (vectors_each(FOLDER, ".yaml", each, &tally) == 0)
		return;
	cr_expect_gt(vectors_each(FOLDER, ".yml", each, &tally), 0);
	cr_expect_gt(vectors_each(FOLDER, ".json", each, &tally), 0);
	cr_expect_eq(tally.seen, COUNT);
	(void)fprintf(stderr, "accepted %zu, refused %zu, policies %zu\n", tally.accepted,
		      tally.refused, tally.policies);
	cr_expect_gt(tally.policies, 100);
	cr_expect_eq(tally.refused, 9);
}
