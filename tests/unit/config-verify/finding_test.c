/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/finding: what was found is kept, printable and bounded. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "config-verify/finding.h"
#include "tests/support/alloc.h"

#define FINDINGS SEAL_SCOPED(verify_findings_freep) struct verify_findings *

static struct verify_findings *
begin(void)
{
	struct verify_findings *findings = NULL;

	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	return findings;
}

Test(finding, every_rule_has_a_name_of_its_own_and_a_demand)
{
	for (int i = 0; i < VERIFY_RULE_COUNT; i++) {
		const char *name = verify_rule_name((enum verify_rule)i);

		cr_expect_not_null(strchr(name, '.'), "%s", name);
		cr_expect_gt(strlen(verify_rule_demand((enum verify_rule)i)), 10, "%s", name);
		for (int j = 0; j < i; j++)
			cr_expect_str_neq(name, verify_rule_name((enum verify_rule)j));
	}
	cr_expect_str_eq(verify_rule_name(VERIFY_RULE_COUNT), "unknown");
	cr_expect_str_eq(verify_rule_demand(VERIFY_RULE_COUNT), "");
}

Test(finding, one_is_a_line_with_file_line_rule_found_and_expected)
{
	FINDINGS findings = begin();
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(1000);

	verify_suspect(findings, VERIFY_RULE_HOSTS_LOCALHOST, "/etc/hosts", 7, "loopback",
		       "%s for localhost", "10.0.0.1");
	verify_suspect(findings, VERIFY_RULE_FILE_MISSING, "/etc/hostname", 0, "a file", "none");
	cr_assert_eq(verify_findings_count(findings), 2);
	cr_assert_eq(verify_finding_format(verify_findings_at(findings, 0), &text, NULL), 0);
	cr_expect_str_eq(
		seal_bytes_str(&text),
		"/etc/hosts:7: hosts.localhost: found 10.0.0.1 for localhost, expected loopback");
	seal_bytes_reset(&text);
	cr_assert_eq(verify_finding_format(verify_findings_at(findings, 1), &text, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&text),
			 "/etc/hostname: file.missing: found none, expected a file");
	cr_expect_null(verify_findings_at(findings, 2));
}

Test(finding, what_the_host_wrote_is_shown_as_printable_ascii)
{
	FINDINGS findings = begin();

	verify_suspect(findings, VERIFY_RULE_MOUNT_KIND, "/a\n", 1, "b\x7f", "%s",
		       "\x1b[2J\r\n caf\xc3\xa9");
	cr_expect_str_eq(verify_findings_at(findings, 0)->file, "/a\\x0a");
	cr_expect_str_eq(verify_findings_at(findings, 0)->expected, "b\\x7f");
	cr_expect_str_eq(verify_findings_at(findings, 0)->found,
			 "\\x1b[2J\\x0d\\x0a caf\\xc3\\xa9");
}

Test(finding, an_escape_is_told_from_the_same_characters_written_out)
{
	FINDINGS findings = begin();
	char many[3000];

	verify_suspect(findings, VERIFY_RULE_MOUNT_KIND, "/a", 1, "b", "%s", "\x01");
	verify_suspect(findings, VERIFY_RULE_MOUNT_KIND, "/a", 1, "b", "%s", "\\x01");
	cr_assert_eq(verify_findings_count(findings), 2);
	cr_expect_str_eq(verify_findings_at(findings, 0)->found, "\\x01");
	cr_expect_str_eq(verify_findings_at(findings, 1)->found, "\\\\x01");
	verify_suspect(findings, VERIFY_RULE_MOUNT_KIND, "/\\", 1, "\\\\b", "c");
	cr_expect_str_eq(verify_findings_at(findings, 2)->file, "/\\\\");
	cr_expect_str_eq(verify_findings_at(findings, 2)->expected, "\\\\\\\\b");
	memset(many, '\\', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	verify_suspect(findings, VERIFY_RULE_MOUNT_KIND, many, 1, many, "%s", many);
	cr_expect_eq(strlen(verify_findings_at(findings, 3)->found), 250);
	cr_expect_str_eq(verify_findings_at(findings, 3)->found + 247, "...");
}

Test(finding, long_texts_are_cut_and_say_so)
{
	FINDINGS findings = begin();
	char many[3000];

	for (int byte = 'x'; byte >= 0; byte -= 'x' - 1) {
		const char *found;

		memset(many, byte, sizeof(many) - 1);
		many[sizeof(many) - 1] = '\0';
		verify_suspect(findings, VERIFY_RULE_MOUNT_KIND, many, 1, many, "%s", many);
		found = verify_findings_at(findings, verify_findings_count(findings) - 1)->found;
		cr_expect_leq(strlen(found), 250);
		cr_expect_str_eq(found + strlen(found) - 3, "...");
	}
	cr_expect_eq(verify_findings_count(findings), 2);
}

Test(finding, the_same_one_twice_is_one)
{
	FINDINGS findings = begin();

	for (int i = 0; i < 2; i++) {
		verify_suspect(findings, VERIFY_RULE_MOUNT_KIND, "/a", 1, "b", "c");
		verify_suspect(findings, VERIFY_RULE_MOUNT_KIND, "/a", 2, "b", "c");
		verify_suspect(findings, VERIFY_RULE_MOUNT_ACCESS, "/a", 1, "b", "c");
		verify_suspect(findings, VERIFY_RULE_MOUNT_KIND, "/a", 1, "b", "d");
	}
	cr_expect_eq(verify_findings_count(findings), 4);
}

Test(finding, beyond_the_limit_they_are_counted_and_no_more)
{
	FINDINGS findings = begin();

	for (size_t i = 0; i < VERIFY_MAX_FINDINGS + 10; i++)
		verify_suspect(findings, VERIFY_RULE_MOUNT_KIND, "/a", i, "b", "c");
	cr_expect_eq(verify_findings_count(findings), VERIFY_MAX_FINDINGS + 10);
	cr_expect_not_null(verify_findings_at(findings, VERIFY_MAX_FINDINGS - 1));
	cr_expect_null(verify_findings_at(findings, VERIFY_MAX_FINDINGS));
}

Test(finding, lists_are_equal_when_all_of_them_is)
{
	FINDINGS a = begin();
	FINDINGS b = begin();

	cr_expect(verify_findings_equal(a, b));
	verify_suspect(a, VERIFY_RULE_MOUNT_KIND, "/a", 1, "b", "c");
	cr_expect_not(verify_findings_equal(a, b));
	verify_suspect(b, VERIFY_RULE_MOUNT_KIND, "/a", 1, "b", "d");
	cr_expect_not(verify_findings_equal(a, b));
	verify_suspect(b, VERIFY_RULE_MOUNT_KIND, "/a", 1, "b", "c");
	verify_suspect(a, VERIFY_RULE_MOUNT_KIND, "/a", 1, "b", "d");
	cr_expect_not(verify_findings_equal(a, b), "the order is another");
}

Test(finding, without_memory_there_is_no_list)
{
	struct verify_findings *findings = NULL;

	alloc_fail_at(1);
	cr_expect_eq(verify_findings_new(&findings, NULL), SEAL_E_MEMORY);
	cr_expect(alloc_call_off());
	cr_expect_null(findings);
	verify_findings_free(NULL);
}
