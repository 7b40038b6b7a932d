/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of findings: bounded, and never emptier than the truth.  Where memory is wanting, what was
 * found is counted still.
 */

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config-verify/finding.h"

#define TEXT_MAX     250
#define PRINTED_SIZE (TEXT_MAX + 8) /* the last byte may need four, and an end */

struct verify_findings {
	struct verify_finding list[VERIFY_MAX_FINDINGS];
	size_t kept;
	size_t count;
};

static const struct {
	const char *name;
	const char *demand;
} rules[] = {
#define RULE(id, name, demand) [VERIFY_RULE_##id] = { name, demand },
	VERIFY_RULES(RULE)
#undef RULE
};

const char *
verify_rule_name(enum verify_rule rule)
{
	return (size_t)rule < SEAL_COUNT(rules) ? rules[rule].name : "unknown";
}

const char *
verify_rule_demand(enum verify_rule rule)
{
	return (size_t)rule < SEAL_COUNT(rules) ? rules[rule].demand : "";
}

int
verify_findings_new(struct verify_findings **ret_findings, struct seal_err *err)
{
	struct verify_findings *findings = calloc(1, sizeof(*findings));

	if (findings == NULL)
		return seal_fail_memory(err);
	*ret_findings = findings;
	return 0;
}

void
verify_findings_free(struct verify_findings *findings)
{
	if (findings == NULL)
		return;
	for (size_t i = 0; i < findings->kept; i++)
		free((char *)findings->list[i].file); /* holds all three texts, see keep */
	free(findings);
}

void
verify_findings_freep(struct verify_findings **findings)
{
	verify_findings_free(SEAL_TAKE(*findings));
}

/* Printable ASCII but the backslash, which begins what stands for any other byte. */
static const char plain[] = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "[]^_`abcdefghijklmnopqrstuvwxyz{|}~";

static size_t
plain_len(const char *text, size_t max)
{
	const size_t len = strspn(text, plain);

	return len < max ? len : max;
}

/* A copy that a terminal and a log can show, and that says which bytes there were: the host wrote them. */
static void
print(char out[static PRINTED_SIZE], const char *text)
{
	size_t len = 0;

	while (*text != '\0' && len < TEXT_MAX) {
		const size_t part = plain_len(text, TEXT_MAX - len);

		memcpy(out + len, text, part);
		len += part;
		text += part;
		if (*text == '\0' || len == TEXT_MAX)
			break;
		if (*text == '\\')
			len += (size_t)snprintf(out + len, PRINTED_SIZE - len, "\\\\");
		else
			len += (size_t)snprintf(out + len, PRINTED_SIZE - len, "\\x%02x",
						(unsigned char)*text);
		text++;
	}
	out[len] = '\0';
	if (*text != '\0')
		memcpy(out + TEXT_MAX - 3, "...", 4);
}

static bool
same(const struct verify_finding *a, const struct verify_finding *b)
{
	return a->rule == b->rule && a->line == b->line && strcmp(a->file, b->file) == 0 &&
	       strcmp(a->found, b->found) == 0 && strcmp(a->expected, b->expected) == 0;
}

static bool
is_known(const struct verify_findings *findings, const struct verify_finding *finding)
{
	for (size_t i = 0; i < findings->kept; i++)
		if (same(&findings->list[i], finding))
			return true;
	return false;
}

/* The texts, borrowed so far, become one block of the finding's own. */
static bool
keep(struct verify_finding *finding)
{
	const char *const texts[] = { finding->file, finding->found, finding->expected };
	const size_t file_len = strlen(texts[0]) + 1;
	const size_t found_len = strlen(texts[1]) + 1;
	const size_t expected_len = strlen(texts[2]) + 1;
	char *block = malloc(file_len + found_len + expected_len);

	if (block == NULL)
		return false;
	finding->file = memcpy(block, texts[0], file_len);
	finding->found = memcpy(block + file_len, texts[1], found_len);
	finding->expected = memcpy(block + file_len + found_len, texts[2], expected_len);
	return true;
}

void
verify_suspect(struct verify_findings *findings, enum verify_rule rule, const char *file,
	       size_t line, const char *expected, const char *found, ...)
{
	char texts[3][PRINTED_SIZE];
	struct verify_finding finding = { rule, texts[0], line, texts[1], texts[2] };
	char text[1024];
	va_list args;

	va_start(args, found);
	(void)vsnprintf(text, sizeof(text), found, args);
	va_end(args);
	print(texts[0], file);
	print(texts[1], text);
	print(texts[2], expected);
	if (is_known(findings, &finding))
		return;
	findings->count++;
	if (findings->kept < VERIFY_MAX_FINDINGS && keep(&finding))
		findings->list[findings->kept++] = finding;
}

void
verify_findings_miss(struct verify_findings *findings, size_t count)
{
	findings->count += count;
}

size_t
verify_findings_count(const struct verify_findings *findings)
{
	return findings->count;
}

const struct verify_finding *
verify_findings_at(const struct verify_findings *findings, size_t index)
{
	return index < findings->kept ? &findings->list[index] : NULL;
}

bool
verify_findings_equal(const struct verify_findings *a, const struct verify_findings *b)
{
	if (a->count != b->count || a->kept != b->kept)
		return false;
	for (size_t i = 0; i < a->kept; i++)
		if (!same(&a->list[i], &b->list[i]))
			return false;
	return true;
}

int
verify_finding_format(const struct verify_finding *finding, struct seal_bytes *out,
		      struct seal_err *err)
{
	char line[32] = "";

	if (finding->line > 0)
		(void)snprintf(line, sizeof(line), ":%zu", finding->line);
	return seal_bytes_append_fmt(out, err, "%s%s: %s: found %s, expected %s", finding->file,
				     line, verify_rule_name(finding->rule), finding->found,
				     finding->expected);
}
