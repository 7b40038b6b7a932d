/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/mounts: what is declared is there, and as it was declared. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/alloc.h"
#include "tests/unit/config-verify/mounts_rig.h"

#define APP   "/var/lib/kubelet/pods/p/volumes/app /etc/app ro - ext4 /dev/sda1 rw"
#define CACHE "0:57 / /cache rw,nosuid,nodev - tmpfs tmpfs rw,size=1024k"
#define SA    "/run/secrets/kubernetes.io/serviceaccount"

static void
expect_app(const char *app, enum verify_rule rule)
{
	rig_expect(rig_where(rig_declared, APP, app), &rig_policy, rule, app);
}

static void
expect_cache(const char *cache, enum verify_rule rule)
{
	rig_expect(rig_where(rig_declared, CACHE, cache), &rig_policy, rule, cache);
}

/* ---- Presence ---- */

Test(mounts_declared, what_is_not_there_is_missing_unless_optional)
{
	struct verify_declared_mount mounts[] = { { .path = "/a", .source = VERIFY_FROM_VOLUME },
						  { .path = "/b", .source = VERIFY_FROM_VOLUME } };
	struct verify_policy policy = { .mounts = mounts, .mount_count = 2 };

	rig_expect(rig_plain, &policy, VERIFY_RULE_MOUNT_MISSING, "both");
	mounts[0].is_optional = true;
	rig_expect(rig_plain, &policy, VERIFY_RULE_MOUNT_MISSING, "one");
	mounts[1].is_optional = true;
	rig_expect_none(rig_plain, &policy, "none");
}

Test(mounts_declared, a_mount_is_found_where_the_images_links_lead)
{
	static const struct {
		const char *declared;
		const char *shown;
		bool is_good;
	} cases[] = {
		{ "/var/run/app", "/run/app", true },
		{ "/run/app", "/var/run/app", true },
		{ "/var/run", "/run", true },
		{ "/var/lock/app", "/run/lock/app", true },
		{ "/lib/firmware", "/usr/lib/firmware", true },
		{ "/lib64/x", "/usr/lib64/x", true },
		{ "/lib64/x", "/usr/lib/x", false },
		{ "/var/runner", "/runner", false },
		{ "/data", "/usr/data", false },
		{ "/usr/lib/firmware", "/lib/firmware", false },
	};
	char line[256];

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		struct verify_declared_mount mount = { .path = cases[i].declared,
						       .source = VERIFY_FROM_VOLUME,
						       .is_optional = true };
		struct verify_policy policy = { .mounts = &mount, .mount_count = 1 };

		(void)snprintf(line, sizeof(line), "120 100 8:1 /d %s rw - ext4 /dev/a rw",
			       cases[i].shown);
		if (cases[i].is_good)
			rig_expect_none(rig_with(rig_plain, line), &policy, cases[i].declared);
		else
			rig_expect(rig_with(rig_plain, line), &policy,
				   VERIFY_RULE_MOUNT_UNEXPLAINED, cases[i].declared);
	}
}

/* A host that mounts where the image has no link to has not mounted what was declared. */
Test(mounts_declared, only_links_that_the_image_has_are_followed)
{
	const struct verify_policy any = { .account = { .mounted = VERIFY_ANY } };
	char path[64];
	char line[256];

	for (size_t i = 0; i < VERIFY_LINK_COUNT; i++) {
		struct verify_declared_mount mount = { .path = path, .source = VERIFY_FROM_VOLUME };
		struct verify_policy policy = { .mounts = &mount, .mount_count = 1 };

		(void)snprintf(path, sizeof(path), "%s/app", verify_links[i].path);
		(void)snprintf(line, sizeof(line), "120 100 8:1 /d %s/app rw - ext4 /dev/a rw",
			       verify_links[i].target);
		rig_links = 1u << i;
		rig_expect_none(rig_with(rig_plain, line), &policy, path);
		rig_links = VERIFY_LINKS_ALL & ~(1u << i);
		rig_expect_among(rig_with(rig_plain, line), &policy, VERIFY_RULE_MOUNT_MISSING,
				 path);
		rig_expect_among(rig_with(rig_plain, line), &policy, VERIFY_RULE_MOUNT_UNEXPLAINED,
				 path);
	}
	rig_links = 0;
	rig_expect(rig_with(rig_plain,
			    "120 100 8:1 /d /run/secrets/kubernetes.io/serviceaccount ro "
			    "- tmpfs tmpfs rw"),
		   &any, VERIFY_RULE_ACCOUNT_UNEXPECTED, "the account's");
}

Test(mounts_declared, where_a_path_itself_is_mounted_no_link_counts)
{
	struct verify_declared_mount mount = { .path = "/var/run/app",
					       .source = VERIFY_FROM_VOLUME };
	struct verify_policy policy = { .mounts = &mount, .mount_count = 1 };
	const char *text = rig_with(rig_plain, "120 100 8:1 /d /var/run/app rw - ext4 /dev/a rw");

	rig_expect_none(text, &policy, "itself");
	text = rig_with(text, "121 100 8:1 /e /run/app rw - ext4 /dev/a rw");
	rig_expect(text, &policy, VERIFY_RULE_MOUNT_UNEXPLAINED, "both");
}

Test(mounts_declared, no_policy_allows_a_mount_where_nobody_may_mount)
{
	static const char *const paths[] = { "/usr/bin", "/usr/local/bin",
					     "/lib/x86_64-linux-gnu" };
	char line[256];

	for (size_t i = 0; i < SEAL_COUNT(paths); i++) {
		struct verify_declared_mount mount = { .path = paths[i],
						       .source = VERIFY_FROM_VOLUME,
						       .is_optional = true };
		struct verify_policy policy = { .mounts = &mount, .mount_count = 1 };

		(void)snprintf(line, sizeof(line), "120 100 8:1 /d %s rw - ext4 /dev/a rw",
			       paths[i]);
		rig_expect(rig_with(rig_plain, line), &policy, VERIFY_RULE_MOUNT_UNEXPLAINED, line);
	}
}

Test(mounts_declared, a_declared_mount_takes_the_place_of_a_runtimes_own)
{
	struct verify_declared_mount mounts[] = {
		{ .path = "/dev/shm", .source = VERIFY_FROM_VOLUME },
		{ .path = "/etc/hosts", .source = VERIFY_FROM_VOLUME, .is_read_only = true },
	};
	struct verify_policy policy = { .mounts = mounts, .mount_count = 2 };
	const char *text = rig_where(rig_plain, "0:54 / /dev/shm rw,nosuid,nodev,noexec - tmpfs",
				     "8:1 /v /dev/shm rw - ext4");

	rig_expect(text, &policy, VERIFY_RULE_MOUNT_ACCESS, "/etc/hosts is writable");
	mounts[1].is_read_only = false;
	rig_expect_none(text, &policy, "a volume at /dev/shm");
	mounts[0].source = VERIFY_FROM_MEMORY;
	rig_expect(text, &policy, VERIFY_RULE_MOUNT_KIND, "no memory at /dev/shm");
	rig_expect_none(rig_plain, &policy, "memory at /dev/shm");
}

/* ---- Memory ---- */

Test(mounts_declared, memory_is_a_tmpfs)
{
	expect_cache("0:57 / /cache rw - ramfs ramfs rw", VERIFY_RULE_MOUNT_KIND);
	expect_cache("8:2 / /cache rw - ext4 tmpfs rw", VERIFY_RULE_MOUNT_KIND);
	expect_cache("0:57 / /cache rw - virtiofs tmpfs rw", VERIFY_RULE_MOUNT_KIND);
	expect_cache("0:57 / /cache rw - fuse.tmpfs tmpfs rw", VERIFY_RULE_MOUNT_KIND);
	expect_cache("0:57 / /cache rw - overlay tmpfs rw", VERIFY_RULE_MOUNT_KIND);
	expect_cache("0:57 / /cache rw - devtmpfs tmpfs rw", VERIFY_RULE_MOUNT_KIND);
}

Test(mounts_declared, memory_is_not_part_of_another_directory)
{
	expect_cache("0:57 /containers/x /cache rw - tmpfs tmpfs rw", VERIFY_RULE_MOUNT_KIND);
	expect_cache("0:57 /x//deleted /cache rw - tmpfs tmpfs rw", VERIFY_RULE_MOUNT_KIND);
	expect_cache("0:57 x /cache rw - tmpfs tmpfs rw", VERIFY_RULE_MOUNT_KIND);
	rig_expect_none(rig_where(rig_declared, CACHE, "0:57 /file /cache rw - tmpfs tmpfs rw"),
			&rig_policy, "a file at the root of a tmpfs");
}

Test(mounts_declared, parts_of_one_memory_are_those_that_say_so)
{
	struct verify_declared_mount mounts[] = {
		{ .path = "/tmp", .volume = "scratch" },
		{ .path = "/var/cache", .volume = "scratch" },
	};
	struct verify_policy policy = { .mounts = mounts, .mount_count = 2 };
	const char *one = rig_with(rig_plain, "120 100 0:9 /a/b /tmp rw - tmpfs tmpfs rw");
	const char *both = rig_with(one, "121 100 0:9 /c /var/cache rw - tmpfs tmpfs rw");

	rig_expect_none(both, &policy, "two parts");
	rig_expect(rig_with(one, "121 100 8:2 /c /var/cache rw - ext4 tmpfs rw"), &policy,
		   VERIFY_RULE_MOUNT_KIND, "a part that is no memory");
	mounts[1].volume = "other";
	rig_expect(both, &policy, VERIFY_RULE_MOUNT_KIND, "parts of two volumes");
	mounts[1].volume = NULL;
	rig_expect(both, &policy, VERIFY_RULE_MOUNT_KIND, "a part of another's");
	mounts[1].source = VERIFY_FROM_VOLUME;
	rig_expect(both, &policy, VERIFY_RULE_MOUNT_KIND, "a volume that is part of it");
}

Test(mounts_declared, memory_is_mounted_in_one_place)
{
	expect_cache("0:54 / /cache rw - tmpfs tmpfs rw", VERIFY_RULE_MOUNT_KIND);
	expect_cache("0:52 / /cache rw - tmpfs tmpfs rw", VERIFY_RULE_MOUNT_KIND);
	expect_cache("0:56 / /cache rw - tmpfs tmpfs rw", VERIFY_RULE_MOUNT_KIND);
	rig_expect(rig_where(rig_declared, "8:1 " APP, "0:57 /x /etc/app ro - tmpfs tmpfs rw"),
		   &rig_policy, VERIFY_RULE_MOUNT_KIND, "a volume that is part of it");
}

/* ---- Volumes ---- */

Test(mounts_declared, a_volume_is_whatever_stores_files)
{
	static const char *const good[] = {
		"/ /etc/app ro - ext4 /dev/sdb rw",
		"/v /etc/app ro - tmpfs tmpfs rw",
		"/passthrough/x /etc/app ro - virtiofs kataShared rw",
		"/ /etc/app ro - nfs4 server:/export rw,vers=4.2",
		"/ /etc/app ro - fuse.s3fs s3fs rw",
		"/ /etc/app ro - hugetlbfs nodev rw",
		"/old//deleted /etc/app ro - ext4 /dev/sdb rw",
	};
	static const char *const bad[] = { "proc",   "sysfs", "cgroup2", "devtmpfs", "debugfs",
					   "devpts", "bpf",   "nsfs",    "tracefs",  "mqueue" };
	char line[256];

	for (size_t i = 0; i < SEAL_COUNT(good); i++)
		rig_expect_none(rig_where(rig_declared, APP, good[i]), &rig_policy, good[i]);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		(void)snprintf(line, sizeof(line), "/ /etc/app ro - %s x rw", bad[i]);
		expect_app(line, VERIFY_RULE_MOUNT_KIND);
	}
}

Test(mounts_declared, read_only_is_said_by_the_mount_or_its_file_system)
{
	expect_app("/v /etc/app rw,nosuid - ext4 /dev/sdb rw,errors=remount-ro",
		   VERIFY_RULE_MOUNT_ACCESS);
	expect_app("/v /etc/app rw - ext4 /dev/sdb rw,ro=1", VERIFY_RULE_MOUNT_ACCESS);
	rig_expect_none(rig_where(rig_declared, APP, "/v /etc/app rw - ext4 /dev/sdb ro"),
			&rig_policy, "of the file system");
	rig_expect_none(rig_where(rig_declared, CACHE, "0:57 / /cache ro - tmpfs tmpfs rw"),
			&rig_policy, "more than was asked for");
}

/* ---- Propagation ---- */

static const struct {
	const char *fields;
	enum verify_propagation least; /* that allows it; beyond VERIFY_SHARED: none does */
} propagations[] = {
	{ "master:4 ", VERIFY_SLAVE },           { "master:4 propagate_from:2 ", VERIFY_SLAVE },
	{ "propagate_from:2 ", VERIFY_SLAVE },   { "shared:3 ", VERIFY_SHARED },
	{ "shared:3 master:4 ", VERIFY_SHARED }, { "unbindable ", VERIFY_SHARED + 1 },
	{ "later:3 ", VERIFY_SHARED + 1 },
};

Test(mounts_declared, propagation_is_what_was_declared_or_less)
{
	for (size_t i = 0; i < SEAL_COUNT(propagations); i++) {
		char app[256];
		const char *text;

		(void)snprintf(app, sizeof(app), "/v /etc/app ro %s- ext4 /dev/sdb rw",
			       propagations[i].fields);
		text = rig_where(rig_declared, APP, app);
		for (enum verify_propagation p = VERIFY_PRIVATE; p <= VERIFY_SHARED; p++) {
			struct verify_declared_mount mounts[] = { { .path = "/etc/app",
								    .source = VERIFY_FROM_VOLUME,
								    .propagation = p },
								  { .path = "/cache" } };
			struct verify_policy policy = { .mounts = mounts, .mount_count = 2 };

			if ((int)p >= (int)propagations[i].least)
				rig_expect_none(text, &policy, app);
			else
				rig_expect(text, &policy, VERIFY_RULE_MOUNT_PROPAGATION, app);
		}
	}
}

Test(mounts_declared, the_root_is_not_shared_unless_a_volume_is)
{
	const char *text = rig_where(rig_declared, "/ / rw,relatime -", "/ / rw shared:9 -");
	struct verify_declared_mount mounts[] = {
		{ .path = "/etc/app", .source = VERIFY_FROM_VOLUME, .propagation = VERIFY_SLAVE },
		{ .path = "/cache" }
	};
	struct verify_policy policy = { .mounts = mounts, .mount_count = 2 };

	rig_expect(text, &rig_policy, VERIFY_RULE_MOUNT_PROPAGATION, "the root");
	rig_expect(text, &policy, VERIFY_RULE_MOUNT_PROPAGATION, "the root");
	rig_expect(rig_where(rig_declared, "/dev rw,nosuid -", "/dev rw shared:9 -"), &rig_policy,
		   VERIFY_RULE_MOUNT_PROPAGATION, "/dev");
	mounts[0].propagation = VERIFY_SHARED;
	rig_expect_none(text, &policy, "with a volume that is");
	rig_expect_none(text, NULL, "before a policy is known");
	rig_expect_none(rig_where(rig_declared, "/ / rw,relatime -", "/ / rw master:9 -"),
			&rig_policy, "a slave of the host, as runtimes leave it");
}

Test(mounts_declared, who_asks_for_later_mounts_gets_them_below_that_volume)
{
	struct verify_declared_mount mounts[] = {
		{ .path = "/vol", .source = VERIFY_FROM_VOLUME, .propagation = VERIFY_SLAVE },
		{ .path = "/vol/memory", .source = VERIFY_FROM_MEMORY, .is_optional = true },
	};
	struct verify_policy policy = { .mounts = mounts, .mount_count = 2 };
	const char *text = rig_with(rig_plain, "120 100 8:1 /v /vol rw master:1 - ext4 /dev/a rw");
	const char *below = rig_with(text, "121 120 8:2 / /vol/x rw master:2 - xfs /dev/b rw");

	rig_expect_none(below, &policy, "below");
	rig_expect(rig_with(text, "121 120 0:9 / /vol/x rw - proc proc rw"), &policy,
		   VERIFY_RULE_MOUNT_UNEXPLAINED, "proc below");
	rig_expect(rig_with(text, "121 100 8:2 / /volume rw - xfs /dev/b rw"), &policy,
		   VERIFY_RULE_MOUNT_UNEXPLAINED, "beside");
	below = rig_with(text, "121 120 0:9 / /vol/memory rw - tmpfs tmpfs rw");
	rig_expect_none(below, &policy, "memory");
	rig_expect(rig_with(below, "122 121 8:2 / /vol/memory/x rw - xfs /dev/b rw"), &policy,
		   VERIFY_RULE_MOUNT_UNEXPLAINED, "below memory");
	mounts[0].propagation = VERIFY_PRIVATE;
	rig_expect(rig_with(rig_with(rig_plain, "120 100 8:1 /v /vol rw - ext4 /dev/a rw"),
			    "121 120 8:2 / /vol/x rw - xfs /dev/b rw"),
		   &policy, VERIFY_RULE_MOUNT_UNEXPLAINED, "below a private one");
}

/* ---- The service account ---- */

static const char *
with_account(const char *prefix, const char *rest)
{
	char line[512];

	(void)snprintf(line, sizeof(line), "120 100 0:70 / %s" SA " %s", prefix, rest);
	return rig_with(rig_declared, line);
}

Test(mounts_declared, the_account_is_there_when_it_must_be_and_only_then)
{
	struct verify_policy policy = rig_policy;

	for (int is_linked = 0; is_linked < 2; is_linked++) {
		const char *text = with_account(is_linked ? "" : "/var", "ro - tmpfs tmpfs rw");

		policy.account.mounted = VERIFY_ANY;
		rig_expect_none(text, &policy, "any");
		rig_expect_none(rig_declared, &policy, "any");
		policy.account.mounted = VERIFY_YES;
		rig_expect_none(text, &policy, "yes");
		rig_expect(rig_declared, &policy, VERIFY_RULE_MOUNT_MISSING, "yes");
		policy.account.mounted = VERIFY_NO;
		rig_expect(text, &policy, VERIFY_RULE_ACCOUNT_UNEXPECTED, "no");
		rig_expect_none(rig_declared, &policy, "no");
	}
}

Test(mounts_declared, the_account_is_read_only_and_local)
{
	rig_expect(with_account("/var", "rw - tmpfs tmpfs rw"), &rig_policy,
		   VERIFY_RULE_MOUNT_ACCESS, "writable");
	rig_expect(with_account("", "rw - tmpfs tmpfs rw"), &rig_policy, VERIFY_RULE_MOUNT_ACCESS,
		   "writable");
	rig_expect(with_account("/var", "ro - fuse.sshfs x rw"), &rig_policy,
		   VERIFY_RULE_MOUNT_KIND, "fuse");
	rig_expect(with_account("/var", "ro - nfs4 x:/ rw"), &rig_policy, VERIFY_RULE_MOUNT_KIND,
		   "nfs");
	rig_expect(with_account("/var", "ro - proc proc rw"), &rig_policy, VERIFY_RULE_MOUNT_KIND,
		   "proc");
	rig_expect(with_account("/var", "ro shared:1 - tmpfs tmpfs rw"), &rig_policy,
		   VERIFY_RULE_MOUNT_PROPAGATION, "shared");
	rig_expect(with_account("/var/run/secrets", "ro - tmpfs tmpfs rw"), &rig_policy,
		   VERIFY_RULE_MOUNT_UNEXPLAINED, "elsewhere");
	rig_expect_none(with_account("/var", "ro - virtiofs kataShared rw"), &rig_policy, "kata");
}

Test(mounts_declared, an_account_may_be_declared_elsewhere)
{
	struct verify_declared_mount mount = { .path = "/tokens", .source = VERIFY_FROM_ACCOUNT };
	struct verify_policy policy = { .mounts = &mount,
					.mount_count = 1,
					.account.mounted = VERIFY_NO };

	rig_expect_none(rig_with(rig_plain, "120 100 0:70 / /tokens ro - tmpfs tmpfs rw"), &policy,
			"read-only");
	rig_expect(rig_with(rig_plain, "120 100 0:70 / /tokens rw - tmpfs tmpfs rw"), &policy,
		   VERIFY_RULE_MOUNT_ACCESS, "writable");
}

/* As CRI-O mounts them, the service account within the first. */
Test(mounts_declared, what_a_runtime_adds_passes_when_it_is_pinned)
{
	static const struct verify_declared_mount mounts[] = {
		{ .path = "/run/secrets", .source = VERIFY_FROM_VOLUME, .is_optional = true },
		{ .path = "/etc/passwd", .source = VERIFY_FROM_VOLUME },
	};
	const struct verify_policy pinned = { .mounts = mounts,
					      .mount_count = SEAL_COUNT(mounts),
					      .account.mounted = VERIFY_YES };
	const struct verify_policy nothing = { .account.mounted = VERIFY_YES };
	const char *passwd = rig_with(
		rig_plain, "120 100 0:24 /containers/storage/overlay-containers/c/userdata/passwd "
			   "/etc/passwd rw,nosuid,nodev - tmpfs tmpfs rw,mode=755");
	const char *secrets = rig_with(
		passwd,
		"121 100 0:24 /containers/storage/overlay-containers/c/userdata/run/secrets "
		"/run/secrets rw,nosuid,nodev - tmpfs tmpfs rw,mode=755");

	rig_expect_none(rig_with(secrets, "122 121 0:70 / " SA " ro - tmpfs tmpfs rw"), &pinned,
			"all of it");
	rig_expect_none(rig_with(passwd, "122 100 0:70 / " SA " ro - tmpfs tmpfs rw"), &pinned,
			"without what is optional");
	rig_expect(rig_with(rig_plain, "122 100 0:70 / " SA " ro - tmpfs tmpfs rw"), &pinned,
		   VERIFY_RULE_MOUNT_MISSING, "without /etc/passwd");
	rig_expect(rig_with(passwd, "122 100 0:70 / " SA " ro - tmpfs tmpfs rw"), &nothing,
		   VERIFY_RULE_MOUNT_UNEXPLAINED, "nothing is pinned");
}

Test(mounts_declared, without_memory_nothing_passes)
{
	SEAL_SCOPED(verify_mountinfo_freep)
	struct verify_mountinfo *info = rig_parse(rig_declared, NULL);

	for (size_t n = 1; n <= 2; n++) {
		SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;

		cr_assert_eq(verify_findings_new(&findings, NULL), 0);
		alloc_fail_at(n);
		verify_mounts_judge(info, &rig_policy, VERIFY_LINKS_ALL, findings);
		cr_assert(alloc_call_off());
		cr_expect_eq(verify_findings_count(findings), 1);
		cr_expect_eq(verify_findings_at(findings, 0)->rule, VERIFY_RULE_MOUNT_FORMAT);
	}
}
