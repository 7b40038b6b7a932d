/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for saying what was found where something else was expected. */

#include "tests/unit/config-verify/judge_rig.h"

struct verify_findings *
judge_none(void)
{
	struct verify_findings *findings = NULL;

	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	return findings;
}

static const char *
told(const struct verify_findings *findings)
{
	static char text[4096];
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes all = SEAL_BYTES(1024 * 1024);
	const struct verify_finding *finding;

	for (size_t i = 0; (finding = verify_findings_at(findings, i)) != NULL; i++) {
		cr_assert_eq(verify_finding_format(finding, &all, NULL), 0);
		cr_assert_eq(seal_bytes_append_str(&all, "\n", NULL), 0);
	}
	(void)snprintf(text, sizeof(text), "%s", seal_bytes_str(&all));
	return text;
}

void
judge_expect_clean(const struct verify_findings *findings, const char *what)
{
	cr_expect_eq(verify_findings_count(findings), 0, "%.200s\n%s", what, told(findings));
}

bool
judge_has(const struct verify_findings *findings, enum verify_rule rule, size_t line)
{
	const struct verify_finding *finding;

	for (size_t i = 0; (finding = verify_findings_at(findings, i)) != NULL; i++)
		if (finding->rule == rule && finding->line == line)
			return true;
	return false;
}

void
judge_expect(const struct verify_findings *findings, enum verify_rule rule, size_t line,
	     const char *what)
{
	const struct verify_finding *finding;

	cr_expect(judge_has(findings, rule, line), "%.200s\nwanted %s on line %zu, got\n%s", what,
		  verify_rule_name(rule), line, told(findings));
	for (size_t i = 0; (finding = verify_findings_at(findings, i)) != NULL; i++)
		cr_expect_eq(finding->rule, rule, "%.200s\nwanted %s alone, got\n%s", what,
			     verify_rule_name(rule), told(findings));
}

struct verify_address
judge_address(const char *text)
{
	struct verify_address address = { { 0 } };

	cr_assert_eq(verify_address_parse(&address, text, NULL), 0, "%s", text);
	return address;
}

struct verify_network
judge_network(const char *text)
{
	struct verify_network network = { .bits = 0 };

	cr_assert_eq(verify_network_parse(&network, text, NULL), 0, "%s", text);
	return network;
}
