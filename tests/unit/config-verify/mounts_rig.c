/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/config-verify/mounts_rig.h"

#define PLAIN                                                                                      \
	"100 90 0:50 / / rw,relatime - overlay overlay "                                           \
	"rw,lowerdir=/l/B:/l/A,upperdir=/u,workdir=/w\n"                                           \
	"101 100 0:51 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n"                    \
	"102 100 0:52 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755\n"                    \
	"103 102 0:53 / /dev/pts rw,nosuid,noexec - devpts devpts rw,mode=620,ptmxmode=666\n"      \
	"104 102 0:54 / /dev/shm rw,nosuid,nodev,noexec - tmpfs shm rw,size=65536k\n"              \
	"105 100 0:55 / /sys ro,nosuid,nodev,noexec - sysfs sysfs ro\n"                            \
	"106 105 0:30 /../../pod1 /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"       \
	"107 100 8:1 /var/lib/kubelet/pods/p/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"        \
	"108 101 0:51 /sys /proc/sys ro,nosuid,nodev,noexec - proc proc rw\n"                      \
	"109 101 0:52 /null /proc/kcore rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755\n"         \
	"110 105 0:56 / /sys/firmware ro,relatime - tmpfs tmpfs ro\n"

unsigned rig_links = VERIFY_LINKS_ALL;
const char rig_plain[] = PLAIN;
const char rig_declared[] =
	PLAIN "111 100 8:1 /var/lib/kubelet/pods/p/volumes/app /etc/app ro - ext4 /dev/sda1 rw\n"
	      "112 100 0:57 / /cache rw,nosuid,nodev - tmpfs tmpfs rw,size=1024k\n";

static const struct verify_declared_mount declared[] = {
	{ .path = "/etc/app", .source = VERIFY_FROM_VOLUME, .is_read_only = true },
	{ .path = "/cache", .source = VERIFY_FROM_MEMORY },
};

const struct verify_policy rig_policy = {
	.mounts = declared,
	.mount_count = SEAL_COUNT(declared),
};

struct verify_mountinfo *
rig_parse(const char *text, int *ret_code)
{
	struct verify_mountinfo *info = NULL;
	struct seal_err err = { 0 };
	int r = verify_mountinfo_parse(&info, text, strlen(text), &err);

	cr_assert_eq(r, err.code);
	cr_assert((r == 0) == (info != NULL), "%s", err.text);
	if (ret_code != NULL)
		*ret_code = r;
	return info;
}

/* Kept until the test's process ends. */
static struct kept {
	struct kept *next;
	char text[];
} * kept;

static char *
reserve(size_t len)
{
	struct kept *one = malloc(sizeof(*one) + len + 1);

	cr_assert_not_null(one);
	one->next = kept;
	kept = one;
	return one->text;
}

const char *
rig_with(const char *text, const char *line)
{
	size_t size = strlen(text) + strlen(line) + 2;
	char *out = reserve(size);

	(void)snprintf(out, size, "%s%s\n", text, line);
	return out;
}

const char *
rig_where(const char *text, const char *piece, const char *other)
{
	const char *at = strstr(text, piece);
	size_t size = strlen(text) + strlen(other) + 1;
	char *out = reserve(size);

	cr_assert_not_null(at, "no '%s'", piece);
	(void)snprintf(out, size, "%.*s%s%s", (int)(at - text), text, other, at + strlen(piece));
	return out;
}

struct verify_findings *
rig_judge(const char *text, const struct verify_policy *policy)
{
	SEAL_SCOPED(verify_mountinfo_freep) struct verify_mountinfo *info = rig_parse(text, NULL);
	struct verify_findings *findings = NULL;

	cr_assert_not_null(info, "cannot be parsed:\n%s", text);
	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	verify_mounts_judge(info, policy, rig_links, findings);
	return findings;
}

static void
show(const struct verify_findings *findings)
{
	for (size_t i = 0; verify_findings_at(findings, i) != NULL; i++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(4096);

		cr_assert_eq(verify_finding_format(verify_findings_at(findings, i), &text, NULL),
			     0);
		(void)fprintf(stderr, "%s\n", seal_bytes_str(&text));
	}
}

void
rig_expect_none(const char *text, const struct verify_policy *policy, const char *what)
{
	SEAL_SCOPED(verify_findings_freep)
	struct verify_findings *findings = rig_judge(text, policy);

	if (verify_findings_count(findings) > 0)
		show(findings);
	cr_expect_eq(verify_findings_count(findings), 0, "%s", what);
}

void
rig_expect(const char *text, const struct verify_policy *policy, enum verify_rule rule,
	   const char *what)
{
	SEAL_SCOPED(verify_findings_freep)
	struct verify_findings *findings = rig_judge(text, policy);
	bool is_other = false;

	for (size_t i = 0; verify_findings_at(findings, i) != NULL; i++)
		is_other = is_other || verify_findings_at(findings, i)->rule != rule;
	if (is_other)
		show(findings);
	cr_expect_gt(verify_findings_count(findings), 0, "not found: %s", what);
	cr_expect_not(is_other, "more than %s is found: %s", verify_rule_name(rule), what);
}

void
rig_expect_among(const char *text, const struct verify_policy *policy, enum verify_rule rule,
		 const char *what)
{
	SEAL_SCOPED(verify_findings_freep)
	struct verify_findings *findings = rig_judge(text, policy);
	bool is_found = false;

	for (size_t i = 0; verify_findings_at(findings, i) != NULL; i++)
		is_found = is_found || verify_findings_at(findings, i)->rule == rule;
	cr_expect(is_found, "not found: %s", what);
}

void
rig_expect_line(const char *line, enum verify_rule rule)
{
	const char *text = rig_with(rig_declared, line);
	SEAL_SCOPED(verify_findings_freep)
	struct verify_findings *findings = rig_judge(text, &rig_policy);

	if (verify_findings_count(findings) != 1)
		show(findings);
	cr_expect_eq(verify_findings_count(findings), 1, "%s", line);
	if (verify_findings_count(findings) == 0)
		return;
	cr_expect_eq(verify_findings_at(findings, 0)->rule, rule, "%s: %s", line,
		     verify_rule_name(verify_findings_at(findings, 0)->rule));
	cr_expect_eq(verify_findings_at(findings, 0)->line, 14, "%s", line);
}

void
rig_expect_good_line(const char *line)
{
	rig_expect_none(rig_with(rig_declared, line), &rig_policy, line);
}
