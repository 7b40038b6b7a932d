/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of findings: bounded, and never emptier than the truth.  Where memory is wanting, what was
 * found is counted still.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config-verify/finding.h"

#define TEXT_MAX 250

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

static void
release(struct verify_finding *finding)
{
	free((char *)finding->file);
	free((char *)finding->found);
	free((char *)finding->expected);
	*finding = (struct verify_finding){ .line = 0 };
}

void
verify_findings_free(struct verify_findings *findings)
{
	if (findings == NULL)
		return;
	for (size_t i = 0; i < findings->kept; i++)
		release(&findings->list[i]);
	free(findings);
}

void
verify_findings_freep(struct verify_findings **findings)
{
	verify_findings_free(SEAL_TAKE(*findings));
}

/* A copy that a terminal and a log can show: the host wrote what was found. */
static char *
copy_printable(const char *text)
{
	char out[TEXT_MAX + 8];
	size_t len = 0;

	for (; *text != '\0' && len < TEXT_MAX; text++) {
		const unsigned char byte = (unsigned char)*text;

		if (byte >= 0x20 && byte < 0x7f)
			out[len++] = (char)byte;
		else
			len += (size_t)snprintf(out + len, sizeof(out) - len, "\\x%02x", byte);
	}
	out[len] = '\0';
	if (*text != '\0')
		memcpy(out + TEXT_MAX - 3, "...", 4);
	return strdup(out);
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

void
verify_suspect(struct verify_findings *findings, enum verify_rule rule, const char *file,
	       size_t line, const char *expected, const char *found, ...)
{
	struct verify_finding finding = { .rule = rule, .line = line };
	char text[1024];
	va_list args;

	va_start(args, found);
	(void)vsnprintf(text, sizeof(text), found, args);
	va_end(args);
	finding.file = copy_printable(file);
	finding.found = copy_printable(text);
	finding.expected = copy_printable(expected);
	if (finding.file == NULL || finding.found == NULL || finding.expected == NULL) {
		findings->count++;
		release(&finding);
		return;
	}
	if (is_known(findings, &finding)) {
		release(&finding);
		return;
	}
	findings->count++;
	if (findings->kept < VERIFY_MAX_FINDINGS)
		findings->list[findings->kept++] = finding;
	else
		release(&finding);
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
