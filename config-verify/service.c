/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement of the environment the host started us with.  Whether a service's address is the right
 * one cannot be seen here; that its variables contradict each other can, and then somebody changed some.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names/names.h"
#include "config-verify/spec.h"
#include "config-verify/sysfiles_internal.h"

#define ENVIRONMENT "environment" /* where findings say they are */
#define PORT_MAX    65535

/* ---- Loader variables ---- */

static bool
is_of_image(const char *const *image, const char *variable)
{
	for (; image != NULL && *image != NULL; image++)
		if (strcmp(*image, variable) == 0)
			return true;
	return false;
}

static size_t
name_len(const char *variable)
{
	return strcspn(variable, "=");
}

static bool
is_loader(const char *variable)
{
	char name[VERIFY_SHOWN]; /* no rule looks at more */
	const size_t len = name_len(variable);
	const size_t kept = len < sizeof(name) ? len : sizeof(name) - 1;

	memcpy(name, variable, kept);
	name[kept] = '\0';
	return verify_is_loader_variable(name);
}

static void
judge_loaders(const char *const *environment, const char *const *image,
	      struct verify_findings *findings)
{
	for (; *environment != NULL; environment++)
		if (is_loader(*environment) && !is_of_image(image, *environment))
			verify_suspect(findings, VERIFY_RULE_ENV_LOADER, ENVIRONMENT, 0,
				       "no variable that chooses code", "%.200s", *environment);
}

/* ---- Services ---- */

struct variable {
	struct verify_words name;
	const char *value;
};

/* All but the image's own, sorted by name. */
struct variables {
	struct variable *list;
	size_t count;
	struct verify_findings *findings;
};

static void
suspect(const struct variables *variables, const struct variable *variable, const char *expected)
{
	verify_suspect(variables->findings, VERIFY_RULE_ENV_SERVICE, ENVIRONMENT, 0, expected,
		       "%.*s=%.100s", VERIFY_SHOW(variable->name), variable->value);
}

static int
compare(const struct verify_words *a, const struct verify_words *b)
{
	const int order = memcmp(a->at, b->at, a->len < b->len ? a->len : b->len);

	if (order != 0)
		return order;
	return a->len < b->len ? -1 : a->len > b->len;
}

static int
compare_variables(const void *left, const void *right)
{
	const struct variable *a = left;
	const struct variable *b = right;

	return compare(&a->name, &b->name);
}

/* The value of NAME followed by suffix; NULL when there is none. */
static const char *
value_of(const struct variables *variables, struct verify_words name, const char *suffix)
{
	char text[VERIFY_SHOWN];
	const size_t more = strlen(suffix);
	const struct variable wanted = { { text, name.len + more }, NULL };
	const struct variable *found;

	if (name.len + more >= sizeof(text))
		return NULL; /* no service has so long a name */
	(void)snprintf(text, sizeof(text), "%.*s%s", (int)name.len, name.at, suffix);
	found = bsearch(&wanted, variables->list, variables->count, sizeof(wanted),
			compare_variables);
	return found == NULL ? NULL : found->value;
}

/* What a variable is, when it is one of the service's. */
enum part { OF_HOST, OF_PORT, OF_NAMED_PORT, OF_LINK, OF_PORT_LINK, OF_ADDR, OF_NUMBER, OF_PROTO };

struct reading {
	enum part part;
	struct verify_words service;
	struct verify_words number; /* of OF_PORT_LINK and those behind it */
	const char *protocol;
};

static bool
is_port(const char *value)
{
	uint64_t port;

	return value[0] != '0' && seal_number_parse(value, 1, PORT_MAX, &port, NULL) == 0;
}

static bool
is_host(const char *value)
{
	struct verify_address address;

	return verify_address_parse(&address, value, NULL) == 0 &&
	       verify_address_flaw(&address) == NULL && !verify_address_is_loopback(&address);
}

/* PROTOCOL://HOST:PORT, an IPv6 address in brackets. */
static bool
is_link(const char *value, const char *protocol, const char *host, struct verify_words port)
{
	const bool is_v6 = strchr(host, ':') != NULL;
	char text[VERIFY_SHOWN];
	const int len = snprintf(text, sizeof(text), "%s://%s%.64s%s:%.*s", protocol,
				 is_v6 ? "[" : "", host, is_v6 ? "]" : "", VERIFY_SHOW(port));

	return len > 0 && (size_t)len < sizeof(text) && strcmp(text, value) == 0;
}

static const struct {
	const char *suffix;
	const char *name;
} protocols[] = { { "_TCP", "tcp" }, { "_UDP", "udp" }, { "_SCTP", "sctp" } };

static bool
is_any_link(const char *value, const char *host, const char *port)
{
	const struct verify_words number = { port, strlen(port) };

	for (size_t i = 0; i < SEAL_COUNT(protocols); i++)
		if (is_link(value, protocols[i].name, host, number))
			return true;
	return false;
}

static bool
agrees(const struct variables *variables, const struct reading *reading, const char *value)
{
	const char *host = value_of(variables, reading->service, "_SERVICE_HOST");
	const char *port = value_of(variables, reading->service, "_SERVICE_PORT");

	if (host == NULL || port == NULL)
		return false;
	switch (reading->part) {
	case OF_HOST:
		return is_host(value);
	case OF_PORT:
	case OF_NAMED_PORT:
		return is_port(value);
	case OF_LINK:
		return is_any_link(value, host, port);
	case OF_PORT_LINK:
		return is_link(value, reading->protocol, host, reading->number);
	case OF_ADDR:
		return strcmp(value, host) == 0;
	case OF_NUMBER:
		return verify_word_is(&reading->number, value) && is_port(value);
	case OF_PROTO:
		return strcmp(value, reading->protocol) == 0;
	}
	return false;
}

/* ---- Which variable is what ---- */

/* Take suffix off the name; something must remain. */
static bool
cut(struct verify_words *name, const char *suffix)
{
	const size_t len = strlen(suffix);

	if (name->len <= len || memcmp(name->at + name->len - len, suffix, len) != 0)
		return false;
	name->len -= len;
	return true;
}

/* SERVICE_PORT_<n>_<PROTOCOL>, and with _ADDR, _PORT or _PROTO. */
static bool
read_port_link(struct verify_words name, struct reading *reading)
{
	size_t digits = 0;

	reading->protocol = NULL;
	reading->part = cut(&name, "_ADDR")    ? OF_ADDR
			: cut(&name, "_PORT")  ? OF_NUMBER
			: cut(&name, "_PROTO") ? OF_PROTO
					       : OF_PORT_LINK;
	for (size_t i = 0; i < SEAL_COUNT(protocols) && reading->protocol == NULL; i++)
		if (cut(&name, protocols[i].suffix))
			reading->protocol = protocols[i].name;
	while (digits < name.len && name.at[name.len - 1 - digits] >= '0' &&
	       name.at[name.len - 1 - digits] <= '9')
		digits++;
	reading->number = (struct verify_words){ name.at + name.len - digits, digits };
	name.len -= digits;
	reading->service = name;
	return reading->protocol != NULL && digits > 0 && cut(&reading->service, "_PORT_");
}

/*
 * A name can be read in several ways: FOO_SERVICE_PORT is a port of "foo" and the link of "foo-service".
 * One that agrees is enough.
 */
struct verdict {
	bool is_service;
	bool agrees;
};

static void
try_reading(const struct variables *variables, const struct variable *variable,
	    const struct reading *reading, struct verdict *verdict)
{
	verdict->is_service = true;
	verdict->agrees |= agrees(variables, reading, variable->value);
}

static void
try_suffix(const struct variables *variables, const struct variable *variable, enum part part,
	   const char *suffix, struct verdict *verdict)
{
	struct reading reading = { .part = part, .service = variable->name };

	if (cut(&reading.service, suffix))
		try_reading(variables, variable, &reading, verdict);
}

static void
try_named_port(const struct variables *variables, const struct variable *variable,
	       struct verdict *verdict)
{
	static const char middle[] = "_SERVICE_PORT_";
	struct reading reading = { .part = OF_NAMED_PORT, .service = variable->name };
	const char *at = memmem(variable->name.at, variable->name.len, middle, sizeof(middle) - 1);

	if (at == NULL || at == variable->name.at)
		return;
	reading.service.len = (size_t)(at - variable->name.at);
	try_reading(variables, variable, &reading, verdict);
}

static void
judge_variable(const struct variables *variables, const struct variable *variable)
{
	struct verdict verdict = { false, false };
	struct reading reading;

	try_suffix(variables, variable, OF_HOST, "_SERVICE_HOST", &verdict);
	try_suffix(variables, variable, OF_PORT, "_SERVICE_PORT", &verdict);
	try_named_port(variables, variable, &verdict);
	if (read_port_link(variable->name, &reading))
		try_reading(variables, variable, &reading, &verdict);
	reading.service = variable->name;
	/* Anything may be called HTTP_PORT; what looks like a link is one, and what a service has. */
	if (cut(&reading.service, "_PORT") &&
	    (strstr(variable->value, "://") != NULL ||
	     value_of(variables, reading.service, "_SERVICE_HOST") != NULL))
		try_suffix(variables, variable, OF_LINK, "_PORT", &verdict);
	if (verdict.is_service && !verdict.agrees)
		suspect(variables, variable, "what the service's other variables say");
}

static void
judge_services(const struct variables *variables)
{
	for (size_t i = 0; i < variables->count; i++) {
		const struct variable *variable = &variables->list[i];

		judge_variable(variables, variable);
		if (i > 0 && compare_variables(variable - 1, variable) == 0 &&
		    strcmp(variable[-1].value, variable->value) != 0)
			suspect(variables, variable, "each variable once");
	}
}

void
verify_environment_judge(const char *const *environment, const char *const *image,
			 struct verify_findings *findings)
{
	struct variables variables = { .findings = findings };
	size_t count = 0;

	judge_loaders(environment, image, findings);
	while (environment[count] != NULL)
		count++;
	variables.list = calloc(count + 1, sizeof(*variables.list));
	if (variables.list == NULL) {
		verify_suspect(findings, VERIFY_RULE_ENV_SERVICE, ENVIRONMENT, 0, "enough of it",
			       "no memory to judge it");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const size_t len = name_len(environment[i]);

		if (environment[i][len] == '=' && !is_of_image(image, environment[i]))
			variables.list[variables.count++] =
				(struct variable){ { environment[i], len },
						   environment[i] + len + 1 };
	}
	qsort(variables.list, variables.count, sizeof(*variables.list), compare_variables);
	judge_services(&variables);
	free(variables.list);
}
