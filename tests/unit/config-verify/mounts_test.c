/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/mounts: how mounts hang together, the root, and what is not explained. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/pki.h"
#include "tests/unit/config-verify/mounts_rig.h"

#define FINDINGS SEAL_SCOPED(verify_findings_freep) struct verify_findings *
#define INFO     SEAL_SCOPED(verify_mountinfo_freep) struct verify_mountinfo *

Test(mounts, what_is_declared_and_what_a_runtime_mounts_is_no_finding)
{
	static const struct verify_policy nothing;

	rig_expect_none(rig_declared, &rig_policy, "declared");
	rig_expect_none(rig_plain, &nothing, "plain");
	rig_expect_none(rig_plain, NULL, "before a policy is known");
	rig_expect_none(rig_declared, NULL, "before a policy is known");
}

/* ---- One tree ---- */

Test(mounts, the_order_of_lines_means_nothing)
{
	char text[4096] = "";
	size_t len = 0;
	const char *end = rig_declared + strlen(rig_declared);

	cr_assert_lt(strlen(rig_declared), sizeof(text));
	while (end > rig_declared) {
		const char *line = end - 1;

		while (line > rig_declared && line[-1] != '\n')
			line--;
		memcpy(text + len, line, (size_t)(end - line));
		len += (size_t)(end - line);
		end = line;
	}
	cr_assert_eq(strlen(text), strlen(rig_declared));
	rig_expect_none(text, &rig_policy, "reversed");
}

Test(mounts, every_parent_but_the_roots_is_in_the_table)
{
	const char *text = rig_where(rig_declared, "112 100 ", "112 99 ");

	rig_expect(text, &rig_policy, VERIFY_RULE_MOUNT_TREE, "a parent that is not there");
	text = rig_where(rig_declared, "112 100 ", "112 112 ");
	rig_expect(text, &rig_policy, VERIFY_RULE_MOUNT_TREE, "its own parent");
	text = rig_where(rig_declared, "100 90 ", "100 101 ");
	rig_expect(text, &rig_policy, VERIFY_RULE_MOUNT_TREE, "the root below a mount");
	rig_expect_none(rig_where(rig_declared, "100 90 ", "100 100 "), &rig_policy,
			"a root that is its own parent");
}

Test(mounts, there_is_one_root)
{
	const char *without = strchr(rig_declared, '\n') + 1;

	rig_expect(without, &rig_policy, VERIFY_RULE_MOUNT_TREE, "no root");
	rig_expect(without, NULL, VERIFY_RULE_MOUNT_TREE, "no root");
}

Test(mounts, a_number_is_used_once)
{
	const char *text = rig_where(rig_declared, "112 100 ", "111 100 ");

	rig_expect(text, &rig_policy, VERIFY_RULE_MOUNT_TREE, "111 twice");
}

Test(mounts, proc_is_there)
{
	static const char lines[] = "100 90 0:50 / / rw - overlay overlay rw\n";

	rig_expect(lines, NULL, VERIFY_RULE_MOUNT_SYSTEM, "no /proc");
}

/* ---- Hidden mounts ---- */

Test(mounts, a_mount_over_another_is_hidden_whoever_declared_it)
{
	static const char *const lines[] = {
		"120 107 8:1 /other /etc/hosts rw - ext4 /dev/sda1 rw",
		"120 100 8:1 /other /etc/hosts rw - ext4 /dev/sda1 rw",
		"120 101 0:51 / /proc rw - proc proc rw",
		"120 111 8:1 /other /etc/app ro - ext4 /dev/sda1 rw",
		"120 104 0:59 / /dev/shm rw - tmpfs tmpfs rw",
		"120 100 0:58 / / rw - overlay overlay rw",
	};

	for (size_t i = 0; i < SEAL_COUNT(lines); i++) {
		rig_expect(rig_with(rig_declared, lines[i]), &rig_policy, VERIFY_RULE_MOUNT_HIDDEN,
			   lines[i]);
		rig_expect(rig_with(rig_declared, lines[i]), NULL, VERIFY_RULE_MOUNT_HIDDEN,
			   lines[i]);
	}
}

Test(mounts, a_mount_that_a_later_one_lies_over_is_hidden)
{
	static const struct verify_declared_mount mounts[] = {
		{ .path = "/data", .source = VERIFY_FROM_VOLUME },
		{ .path = "/data/deep", .source = VERIFY_FROM_VOLUME },
		{ .path = "/data/deep/er", .source = VERIFY_FROM_VOLUME }
	};
	static const struct verify_policy policy = { .mounts = mounts, .mount_count = 3 };
	const char *text = rig_with(rig_plain, "120 100 8:1 /a /data rw - ext4 /dev/sda1 rw");

	text = rig_with(text, "121 100 8:1 /b /data/deep rw - ext4 /dev/sda1 rw");
	text = rig_with(text, "122 121 8:1 /c /data/deep/er rw - ext4 /dev/sda1 rw");
	rig_expect(text, &policy, VERIFY_RULE_MOUNT_HIDDEN, "/data over /data/deep");
	rig_expect_none(rig_where(text, "121 100", "121 120"), &policy, "one below the other");
}

/* ---- The root ---- */

static const char *const overlay[] = { "overlay" };
static const char *const stores[] = { "ext4", "virtiofs", "overlay" };

Test(mounts, a_root_that_is_not_pinned_stores_files)
{
	static const char *const good[] = { "ext4", "virtiofs", "erofs",
					    "xfs",  "btrfs",    "fuse.fuse-overlayfs",
					    "tmpfs" };
	static const char *const bad[] = { "proc", "sysfs", "devtmpfs", "cgroup2", "nsfs" };

	char system[64];

	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		(void)snprintf(system, sizeof(system), "- %s x", good[i]);
		rig_expect_none(rig_where(rig_declared, "- overlay overlay", system), &rig_policy,
				system);
	}
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		(void)snprintf(system, sizeof(system), "- %s x", bad[i]);
		rig_expect(rig_where(rig_declared, "- overlay overlay", system), &rig_policy,
			   VERIFY_RULE_MOUNT_ROOT, system);
	}
	rig_expect(rig_where(rig_declared, "0:50 / /", "0:50 /r//deleted /"), &rig_policy,
		   VERIFY_RULE_MOUNT_ROOT, "removed");
	rig_expect_none(rig_where(rig_declared, "0:50 / /", "0:50 /passthrough/a/rootfs /"),
			&rig_policy, "a directory of a Kata guest's share");
}

Test(mounts, a_pinned_root_is_of_a_pinned_type_and_has_its_layers)
{
	struct verify_policy policy = rig_policy;
	const char *other = rig_where(rig_declared, "overlay overlay", "ext4 /dev/sda1");

	policy.root.types = overlay;
	policy.root.type_count = 1;
	rig_expect_none(rig_declared, &policy, "an overlay");
	rig_expect(other, &policy, VERIFY_RULE_MOUNT_ROOT, "ext4");
	rig_expect_none(other, NULL, "before a policy is known");
	policy.root.types = stores;
	policy.root.type_count = SEAL_COUNT(stores);
	rig_expect_none(other, &policy, "one of three");
	policy.root.layers = 3;
	rig_expect_none(rig_declared, &policy, "two below and the upper one");
	rig_expect(other, &policy, VERIFY_RULE_MOUNT_ROOT, "layers of ext4");
	policy.root.types = NULL;
	rig_expect(rig_where(rig_declared, "/l/B:", "/l/C:/l/B:"), &policy, VERIFY_RULE_MOUNT_ROOT,
		   "a layer more");
	rig_expect(rig_where(rig_declared, "/l/B:", ""), &policy, VERIFY_RULE_MOUNT_ROOT,
		   "a layer fewer");
	rig_expect(rig_where(rig_declared, ",upperdir=/u", ""), &policy, VERIFY_RULE_MOUNT_ROOT,
		   "no upper layer");
}

Test(mounts, layers_are_counted_as_the_kernel_shows_them)
{
	static const struct {
		const char *lower;
		size_t layers;
	} cases[] = {
		{ "lowerdir=/a", 1 },
		{ "lowerdir=/a:/b:/c", 3 },
		{ "lowerdir=/a\\134:b:/c", 2 },
		{ "lowerdir=/a\\134\\134:/c", 2 },
		{ "lowerdir=/a\\134\\134\\134:/c", 1 },
		{ "lowerdir=/a\\054lowerdir=/b", 1 },
		{ "lowerdir=/a::/data", 2 },
		{ "lowerdir+=/a,lowerdir+=/b,datadir+=/c", 3 },
		{ "lowerdir=/a,lowerdir=/b", 2 },
		{ "xlowerdir=/a,lowerdirs=/a", 0 },
		{ "lowerdir=", 0 },
		{ "lowerdir=/a\\134", 1 },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		char root[128];
		const char *text;
		struct verify_policy policy = rig_policy;

		(void)snprintf(root, sizeof(root), "%s,", cases[i].lower);
		text = rig_where(rig_declared, "lowerdir=/l/B:/l/A,", root);
		policy.root.layers = cases[i].layers + 1;
		rig_expect_none(text, &policy, cases[i].lower);
		policy.root.layers = cases[i].layers + 2;
		rig_expect(text, &policy, VERIFY_RULE_MOUNT_ROOT, cases[i].lower);
	}
}

/* ---- What nobody explains ---- */

Test(mounts, what_is_not_declared_is_a_finding)
{
	static const char *const points[] = {
		"/etc/ssl",
		"/etc/ssl/certs",
		"/usr/bin",
		"/usr",
		"/lib64",
		"/home",
		"/run",
		"/run/seal",
		"/run/secrets",
		"/var/run/secrets/evil",
		"/etc/#app",
		"/etc/ap\\011p",
		"/etc/a\\040-\\040b",
		"/etc/nsswitch.conf",
		"/devil",
		"/procedure",
		"/sysfoo",
		"/etc/app2",
		"/etc/hosts2",
		"/etc/host",
		"/run/.containerenv2",
		"/etc/seal",
		"/run/podman-init",
	};
	static const char *const kinds[][2] = {
		{ "8:1 /dir", "rw - ext4 /dev/sda1 rw" },
		{ "0:99 /", "rw - tmpfs tmpfs rw" },
		{ "0:98 /passthrough/x", "ro - virtiofs kataShared rw" },
	};
	static const struct verify_policy nothing;
	char line[256];

	for (size_t i = 0; i < SEAL_COUNT(points); i++)
		for (size_t j = 0; j < SEAL_COUNT(kinds); j++) {
			(void)snprintf(line, sizeof(line), "120 100 %s %s %s", kinds[j][0],
				       points[i], kinds[j][1]);
			rig_expect(rig_with(rig_plain, line), &nothing,
				   VERIFY_RULE_MOUNT_UNEXPLAINED, line);
		}
}

Test(mounts, a_directory_over_what_is_declared_in_it_is_both_hidden_and_unexplained)
{
	const char *text = rig_with(rig_declared, "120 100 8:1 /d /etc rw - ext4 /dev/sda1 rw");

	rig_expect_among(text, &rig_policy, VERIFY_RULE_MOUNT_UNEXPLAINED, "/etc");
	rig_expect_among(text, &rig_policy, VERIFY_RULE_MOUNT_HIDDEN, "/etc");
	rig_expect_among(text, NULL, VERIFY_RULE_MOUNT_UNEXPLAINED, "/etc");
}

Test(mounts, what_lies_below_a_declared_mount_is_not_declared)
{
	rig_expect_line("120 112 8:1 /dir /cache/x rw - ext4 /dev/sda1 rw",
			VERIFY_RULE_MOUNT_UNEXPLAINED);
	rig_expect_line("120 111 0:99 / /etc/app/x rw - tmpfs tmpfs rw",
			VERIFY_RULE_MOUNT_UNEXPLAINED);
	rig_expect_line("120 107 0:99 / /etc/hosts/x rw - tmpfs tmpfs rw",
			VERIFY_RULE_MOUNT_UNEXPLAINED);
}

Test(mounts, a_field_nobody_knows_is_a_finding)
{
	rig_expect(rig_where(rig_declared, "/etc/app ro -", "/etc/app ro future:7 -"), &rig_policy,
		   VERIFY_RULE_MOUNT_PROPAGATION, "declared");
	rig_expect(rig_where(rig_declared, "/ / rw,relatime -", "/ / rw future -"), NULL,
		   VERIFY_RULE_MOUNT_PROPAGATION, "the root");
}

Test(mounts, before_a_policy_is_known_only_places_nobody_may_mount_at_are_findings)
{
	static const char *const bad[] = { "/usr/bin",
					   "/lib",
					   "/etc/seal/token",
					   "/bin",
					   "/usr",
					   "/proc/1",
					   "/sys/fs/bpf",
					   "/dev/fd",
					   "/nix",
					   "/dev/random",
					   "/usr/lib/x86_64-linux-gnu" };
	static const char *const good[] = { "/data", "/run/seal", "/etc/ssl", "/usr/share/app",
					    "/run/secrets/kubernetes.io/serviceaccount" };
	char line[256];

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		(void)snprintf(line, sizeof(line), "120 %d 8:1 /d %s rw - ext4 /dev/sda1 rw",
			       strncmp(bad[i], "/proc", 5) == 0  ? 101
			       : strncmp(bad[i], "/sys", 4) == 0 ? 105
			       : strncmp(bad[i], "/dev", 4) == 0 ? 102
								 : 100,
			       bad[i]);
		rig_expect(rig_with(rig_plain, line), NULL, VERIFY_RULE_MOUNT_UNEXPLAINED, line);
	}
	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		(void)snprintf(line, sizeof(line), "120 100 8:1 /d %s rw - ext4 /dev/sda1 rw",
			       good[i]);
		rig_expect_none(rig_with(rig_plain, line), NULL, line);
	}
}

/* ---- Paths ---- */

Test(mounts, a_pod_may_mount_where_programs_and_the_kernel_are_not)
{
	static const char *const good[] = {
		"/data",
		"/etc/app",
		"/etc/ssl/certs",
		"/run",
		"/run/seal",
		"/var",
		"/tmp",
		"/home",
		"/opt/app",
		"/dev/shm",
		"/usr/share/data",
		"/usr/lib/jvm",
		"/lib/firmware/x",
		"/etc/hosts",
		"/usr/local/etc",
		"/etc/sealed",
		"/processes",
		"/system",
		"/usr/lib/a-linux-b/c",
		"/lib64x",
		"/dev/hugepages",
		"/etc/ld.so",
	};
	static const char *const bad[] = {
		"/",
		"",
		"data",
		"/proc",
		"/proc/sys",
		"/sys",
		"/sys/fs/cgroup",
		"/etc",
		"/etc/seal",
		"/etc/seal/egg",
		"/usr",
		"/bin",
		"/sbin",
		"/lib",
		"/lib64",
		"/usr/local/bin",
		"/usr/lib",
		"/dev",
		"/dev/null",
		"/dev/urandom",
		"/etc/ld.so.preload",
		"/nix/store",
		"/usr/lib/aarch64-linux-gnu",
		"/lib/x86_64-linux-gnu",
	};

	for (size_t i = 0; i < SEAL_COUNT(good); i++)
		cr_expect(verify_is_mountable(good[i]), "%s", good[i]);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		cr_expect_not(verify_is_mountable(bad[i]), "%s", bad[i]);
}

Test(mounts, a_path_lies_on_the_nearest_mount_above_it)
{
	static const struct {
		const char *path;
		size_t line;
	} cases[] = {
		{ "/", 1 },
		{ "/usr/bin/env", 1 },
		{ "/process", 1 },
		{ "/proc", 2 },
		{ "/proc/self/fd", 2 },
		{ "/proc/sys", 9 },
		{ "/proc/sys/net", 9 },
		{ "/etc/hosts", 8 },
		{ "/etc/hosts2", 1 },
		{ "/etc/app/a", 12 },
		{ "/cache", 13 },
	};
	INFO info = rig_parse(rig_declared, NULL);
	INFO stacked = rig_parse(rig_with(rig_declared, "3 112 0:1 / /cache rw - t t rw"), NULL);
	INFO turned = rig_parse("3 2 0:1 / /x rw - t t rw\n1 9 0:1 / /x rw - t t rw\n"
				"2 1 0:1 / /x rw - t t rw\n",
				NULL);

	for (size_t i = 0; i < SEAL_COUNT(cases); i++)
		cr_expect_eq(verify_mount_of(info, cases[i].path)->line, cases[i].line, "%s",
			     cases[i].path);
	cr_expect_eq(verify_mount_of(stacked, "/cache/x")->line, 14);
	cr_expect_eq(verify_mount_of(turned, "/x")->line, 1);
	cr_expect_null(verify_mount_of(turned, "/y"));
	cr_expect_null(verify_mount_of(turned, "relative"));
}

/* ---- Vectors ---- */

static size_t
slurp(const char *path, char *out, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t len;

	cr_assert_not_null(file, "%s", path);
	len = fread(out, 1, size, file);
	cr_assert_lt(len, size, "%s", path);
	(void)fclose(file);
	return len;
}

/* NULL findings: it could not be parsed. */
static struct verify_findings *
judge_vector(const char *path, const struct verify_policy *policy)
{
	static char text[1 << 20];
	size_t len = slurp(path, text, sizeof(text));
	struct verify_findings *findings = NULL;
	INFO info = NULL;
	struct seal_err err = { 0 };

	if (verify_mountinfo_parse(&info, text, len, &err) < 0) {
		cr_expect_eq(err.code, SEAL_E_FORMAT, "%s: %s", path, err.text);
		return NULL;
	}
	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	verify_mounts_judge(info, policy, VERIFY_LINKS_ALL, findings);
	return findings;
}

static size_t
count_of(const struct verify_findings *findings, enum verify_rule rule)
{
	size_t count = 0;

	for (size_t i = 0; verify_findings_at(findings, i) != NULL; i++)
		count += verify_findings_at(findings, i)->rule == rule;
	return count;
}

/* A row that says of the very bytes of an accepted one that they are to be refused says nothing. */
static bool
is_contradiction(const char *path, const char *verdict)
{
	static char text[1 << 16];
	static char base[1 << 16];
	char other[4096];
	size_t len = slurp(path, text, sizeof(text));

	if (strcmp(verdict, "reject") != 0)
		return false;
	(void)snprintf(other, sizeof(other), "%.*scase-base.txt",
		       (int)(strrchr(path, '/') + 1 - path), path);
	return slurp(other, base, sizeof(base)) == len && memcmp(text, base, len) == 0;
}

static void
expect_verdict(const char *path, const char *verdict)
{
	struct verify_policy policy = rig_policy;
	FINDINGS findings = NULL;
	FINDINGS pinned = NULL;

	policy.account.mounted = VERIFY_YES;
	findings = judge_vector(path, &policy);
	if (strcmp(verdict, "parse") == 0)
		return;
	if (strncmp(verdict, "reject", 6) == 0 && strcmp(verdict, "reject-if-pinned") != 0) {
		cr_expect(findings == NULL || verify_findings_count(findings) > 0, "%s", path);
		return;
	}
	cr_assert_not_null(findings, "%s", path);
	if (strcmp(verdict, "missing") == 0) {
		cr_expect_eq(verify_findings_count(findings), 2, "%s", path);
		cr_expect_eq(count_of(findings, VERIFY_RULE_MOUNT_MISSING), 2, "%s", path);
		return;
	}
	cr_expect_eq(verify_findings_count(findings), 0, "%s", path);
	policy.root.types = overlay;
	policy.root.type_count = 1;
	policy.root.layers = 2;
	pinned = judge_vector(path, &policy);
	if (strcmp(verdict, "reject-if-pinned") == 0)
		cr_expect_gt(count_of(pinned, VERIFY_RULE_MOUNT_ROOT), 0, "%s", path);
	else
		cr_expect_str_eq(verdict, "accept", "%s", path);
	if (strcmp(verdict, "accept") == 0 && strstr(path, "-kata") == NULL)
		cr_expect_eq(verify_findings_count(pinned), 0, "%s", path);
}

Test(mounts, every_verdict_of_the_vectors_is_met)
{
	char path[4096];
	char line[1024];
	size_t count = 0;
	FILE *index;

	if (pki_vectors("mountinfo/INDEX.tsv", path, sizeof(path)) == NULL)
		cr_skip_test("no vectors");
	index = fopen(path, "re");
	cr_assert_not_null(index);
	while (fgets(line, sizeof(line), index) != NULL) {
		char *rest = line;
		const char *name = strsep(&rest, "\t");
		const char *verdict = strsep(&rest, "\t");

		cr_assert_not_null(verdict);
		if (strcmp(name, "file") == 0)
			continue;
		(void)snprintf(strrchr(path, '/') + 1, 256, "%s", name);
		if (is_contradiction(path, verdict)) {
			(void)fprintf(stderr, "%s is case-base.txt, which is accepted\n", name);
			continue;
		}
		expect_verdict(path, verdict);
		count++;
	}
	(void)fclose(index);
	cr_expect_gt(count, 50);
}

/* ---- How long it takes ---- */

static double
judge_many(size_t count, const char *prefix)
{
	static const struct verify_policy nothing;
	char *text = malloc(strlen(rig_plain) + count * 600);
	size_t len = strlen(rig_plain);
	struct timespec before, after;
	FINDINGS findings = NULL;
	INFO info = NULL;

	cr_assert_not_null(text);
	memcpy(text, rig_plain, len);
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, 600,
					"%zu 100 0:%zu /r %s%zu rw - tmpfs tmpfs rw\n", i + 1000,
					i + 1000, prefix, i);
	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	cr_assert_eq(verify_mountinfo_parse(&info, text, len, NULL), 0);
	verify_mounts_judge(info, &nothing, VERIFY_LINKS_ALL, findings);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	cr_expect_geq(verify_findings_count(findings), count);
	free(text);
	return (double)(after.tv_sec - before.tv_sec) * 1e3 +
	       (double)(after.tv_nsec - before.tv_nsec) / 1e6;
}

Test(mounts, a_table_of_any_size_is_judged_at_once)
{
	char deep[512];

	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = i % 2 == 0 ? '/' : 'd';
	deep[400] = '\0';
	(void)fprintf(stderr, "100 mounts: %.3f ms\n", judge_many(100, "/m"));
	(void)fprintf(stderr, "8000 mounts: %.3f ms\n", judge_many(8000, "/m"));
	(void)fprintf(stderr, "2000 deep mounts: %.3f ms\n", judge_many(2000, deep));
	/* Generous: it is growth with the square that this is to find, on any machine. */
	cr_expect_lt(judge_many(8000, "/m"), 1000);
	cr_expect_lt(judge_many(2000, deep), 1000);
}
