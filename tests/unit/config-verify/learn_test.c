/* SPDX-License-Identifier: Apache-2.0 */
/* Proposals: what is learned is explained, is a policy in both forms, and no attack is learned. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "config-verify/learn.h"
#include "config-verify/mounts.h"
#include "config-verify/namespace.h"
#include "config-verify/policy_file.h"

#define ROOT                                                                                       \
	"71 47 0:39 / / rw,relatime - overlay overlay rw,lowerdir=/a:/b,upperdir=/u,workdir=/w\n"
#define BASE                                                                                       \
	ROOT "72 71 0:42 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n"                 \
	     "73 71 0:43 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755\n"                 \
	     "77 71 0:22 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs rw\n"                \
	     "78 71 254:0 /s/hosts /etc/hosts rw,relatime - ext4 /dev/vda rw\n"                    \
	     "80 71 254:0 /s/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw\n"              \
	     "81 71 254:0 /s/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda rw\n"
#define HOSTS "127.0.0.1 localhost\n10.1.2.3 web-0\n"

struct rig {
	struct verify_sight sight;
	struct verify_mountinfo *info;
	struct seal_json *json;
	struct verify_policy *policy;
	struct seal_bytes yaml;
};

static struct verify_address own;

static void
put(struct seal_bytes *out, const char *text)
{
	seal_bytes_init(out, 1024 * 1024);
	cr_assert_eq(seal_bytes_append_str(out, text, NULL), 0);
}

static void
begin(struct rig *rig, const char *mounts, const char *hosts, const char *resolv)
{
	struct seal_err err = { 0 };

	*rig = (struct rig){ .info = NULL };
	cr_assert_eq(verify_mountinfo_parse(&rig->info, mounts, strlen(mounts), &err), 0, "%s",
		     err.text);
	rig->sight.info = rig->info;
	put(&rig->sight.hosts, hosts);
	put(&rig->sight.resolv, resolv);
	put(&rig->sight.ns, "");
	put(&rig->sight.ca, "");
	put(&rig->sight.token, "");
	cr_assert_eq(verify_address_parse(&own, "10.1.2.3", NULL), 0);
	rig->sight.self.hostname = "web-0";
	rig->sight.self.addresses = &own;
	rig->sight.self.address_count = 1;
}

/* Learn; the proposal is a policy, and its YAML the same one. */
static void
learn(struct rig *rig)
{
	struct verify_policy *again = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(verify_learn(&rig->json, &rig->sight, &err), 0, "%s", err.text);
	cr_assert_eq(verify_policy_parse(&rig->policy, rig->json, &err), 0, "%s", err.text);
	seal_bytes_init(&rig->yaml, 4 * 1024 * 1024);
	cr_assert_eq(verify_learn_write(rig->json, true, &rig->yaml, &err), 0, "%s", err.text);
	for (size_t i = 0; i < rig->yaml.len; i++)
		cr_assert(rig->yaml.data[i] == '\n' ||
			  (rig->yaml.data[i] >= ' ' && rig->yaml.data[i] < 0x7f));
	cr_assert_eq(verify_policy_file_parse(&again, "y", seal_bytes_str(&rig->yaml),
					      rig->yaml.len, &err),
		     0, "%s in %s", err.text, seal_bytes_str(&rig->yaml));
	cr_expect_eq(again->mount_count, rig->policy->mount_count);
	cr_expect_eq(again->hosts.name_count, rig->policy->hosts.name_count);
	cr_expect_eq(again->resolv.server_count, rig->policy->resolv.server_count);
	cr_expect_eq(again->root.layers, rig->policy->root.layers);
	for (size_t i = 0; i < again->mount_count; i++)
		cr_expect_str_eq(again->mounts[i].path, rig->policy->mounts[i].path);
	verify_policy_freep(&again);
}

static void
end(struct rig *rig)
{
	seal_bytes_release(&rig->sight.hosts);
	seal_bytes_release(&rig->sight.resolv);
	seal_bytes_release(&rig->sight.ns);
	seal_bytes_release(&rig->sight.ca);
	seal_bytes_release(&rig->sight.token);
	seal_bytes_release(&rig->yaml);
	verify_mountinfo_freep(&rig->info);
	verify_policy_freep(&rig->policy);
	seal_json_free(rig->json);
}

/* Findings under what was learned. */
static size_t
judge(const struct rig *rig)
{
	struct verify_findings *findings = NULL;
	size_t count;

	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	verify_mounts_judge(rig->info, rig->policy, VERIFY_LINKS_ALL, findings);
	verify_hosts_judge(rig->sight.hosts.data, rig->sight.hosts.len, rig->policy,
			   &rig->sight.self, findings);
	verify_resolv_judge(rig->sight.resolv.data, rig->sight.resolv.len, rig->policy, findings);
	count = verify_findings_count(findings);
	for (size_t i = 0; i < count && verify_findings_at(findings, i) != NULL; i++)
		(void)fprintf(stderr, "%s: found %s\n",
			      verify_rule_name(verify_findings_at(findings, i)->rule),
			      verify_findings_at(findings, i)->found);
	verify_findings_freep(&findings);
	return count;
}

Test(learn, a_container_is_explained_by_what_was_learned_of_it)
{
	struct rig rig;

	begin(&rig,
	      BASE "83 71 254:0 /s/cm /etc/app ro,relatime - ext4 /dev/vda rw\n"
		   "84 71 0:46 / /cache rw,nosuid,nodev,relatime - tmpfs tmpfs rw,size=1024k\n"
		   "85 71 0:47 / /secret ro,relatime - tmpfs tmpfs rw\n",
	      HOSTS "10.77.0.1 ROT.example rot\n10.77.0.2 rot.example # and a comment\n",
	      "search a.example b.example\nnameserver 10.96.0.10\nnameserver fd00::a\n"
	      "options ndots:5 edns0\n");
	learn(&rig);
	cr_expect_eq(judge(&rig), 0);
	cr_assert_eq(rig.policy->mount_count, 3);
	cr_expect_str_eq(rig.policy->mounts[0].path, "/etc/app");
	cr_expect_eq(rig.policy->mounts[0].source, VERIFY_FROM_VOLUME);
	cr_expect(rig.policy->mounts[0].is_read_only);
	cr_expect_eq(rig.policy->mounts[1].source, VERIFY_FROM_MEMORY);
	cr_expect_not(rig.policy->mounts[1].is_read_only);
	cr_expect_eq(rig.policy->mounts[2].source, VERIFY_FROM_VOLUME, "the host filled it");
	cr_assert_eq(rig.policy->hosts.name_count, 2, "the pod's own name is not pinned");
	cr_expect_str_eq(rig.policy->hosts.names[0].name, "rot.example");
	cr_expect_eq(rig.policy->hosts.names[0].network_count, 2);
	cr_expect_eq(rig.policy->hosts.names[0].networks[0].bits, 128, "one address, not more");
	cr_expect_not(rig.policy->hosts.has_others);
	cr_expect_eq(rig.policy->resolv.server_count, 2);
	cr_expect_eq(rig.policy->resolv.search_count, 2);
	cr_expect_eq(rig.policy->resolv.option_count, 2);
	cr_expect_str_eq(rig.policy->pod.hostname, "web-0");
	cr_expect_eq(rig.policy->root.layers, 3);
	cr_expect_eq(rig.policy->account.mounted, VERIFY_NO);
	cr_expect_eq(rig.policy->mode, VERIFY_ENFORCE);
	end(&rig);
}

Test(learn, what_no_pod_may_have_is_found_again_and_not_learned)
{
	static const struct {
		const char *mounts;
		const char *hosts;
		const char *resolv;
	} rows[] = {
		{ BASE "90 71 254:0 /evil /usr/bin rw - ext4 /dev/vda rw\n", HOSTS, "" },
		{ BASE "90 71 0:60 / /lib rw - tmpfs tmpfs rw\n", HOSTS, "" },
		{ BASE "90 71 254:0 /evil /etc/seal rw - ext4 /dev/vda rw\n", HOSTS, "" },
		{ BASE "90 72 254:0 /evil /proc/1 rw - ext4 /dev/vda rw\n", HOSTS, "" },
		{ BASE "90 78 254:0 /evil /etc/hosts rw - ext4 /dev/vda rw\n", HOSTS, "" },
		{ BASE "90 71 254:0 /a /data rw - ext4 /dev/vda rw\n"
		       "91 90 254:0 /b /data rw - ext4 /dev/vda rw\n",
		  HOSTS, "" },
		{ BASE "90 71 254:0 /a /da\xf1\xf1"
		       "ta rw - ext4 /dev/vda rw\n",
		  HOSTS, "" },
		{ BASE, HOSTS "10.0.0.1 localhost\n", "" },
		{ BASE, HOSTS "127.0.0.1 rot.example\n", "" },
		{ BASE, HOSTS "10.9.9.9 web-0\n", "" },
		{ BASE, HOSTS "10.0.0.1 \x1b[2Jx\n", "" },
		{ BASE, HOSTS "10.0.0.1 a_b\xc3\xa9\n", "" },
		{ BASE, HOSTS, "nameserver dns.example\n" },
		{ BASE, HOSTS, "nameserver 10.0.0.1\noptions ndots:99999999999\n" },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct rig rig;

		begin(&rig, rows[i].mounts, rows[i].hosts,
		      rows[i].resolv[0] != '\0' ? rows[i].resolv : "nameserver 10.0.0.1\n");
		learn(&rig);
		cr_expect_gt(judge(&rig), 0, "row %zu was learned", i);
		for (size_t m = 0; m < rig.policy->mount_count; m++)
			cr_expect(verify_is_mountable(rig.policy->mounts[m].path), "row %zu", i);
		end(&rig);
	}
}

Test(learn, propagation_is_a_mounts_own_and_not_that_of_a_shared_root)
{
	struct rig rig;

	begin(&rig, BASE "90 71 254:0 /a /data rw master:3 - ext4 /dev/vda rw\n", HOSTS,
	      "nameserver 10.0.0.1\n");
	learn(&rig);
	cr_assert_eq(rig.policy->mount_count, 1);
	cr_expect_eq(rig.policy->mounts[0].propagation, VERIFY_SLAVE);
	cr_expect_not_null(strstr(seal_bytes_str(&rig.yaml), "later appears here"));
	end(&rig);
	begin(&rig,
	      "71 47 0:39 / / rw shared:1 - overlay overlay rw,lowerdir=/a,upperdir=/u\n"
	      "72 71 0:42 / /proc rw,nosuid,nodev,noexec,relatime shared:2 - proc proc rw\n"
	      "90 71 254:0 /a /data rw shared:3 - ext4 /dev/vda rw\n",
	      HOSTS, "nameserver 10.0.0.1\n");
	learn(&rig);
	cr_assert_eq(rig.policy->mount_count, 1);
	cr_expect_eq(rig.policy->mounts[0].propagation, VERIFY_PRIVATE);
	cr_expect_gt(judge(&rig), 0);
	end(&rig);
}

Test(learn, more_than_is_kept_of_findings_is_learned_all_the_same)
{
	struct seal_bytes mounts = SEAL_BYTES(1024 * 1024);
	struct seal_bytes hosts = SEAL_BYTES(1024 * 1024);
	struct rig rig;

	cr_assert_eq(seal_bytes_append_str(&mounts, BASE, NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&hosts, HOSTS, NULL), 0);
	for (unsigned i = 0; i < 600; i++) {
		cr_assert_eq(seal_bytes_append_fmt(&mounts, NULL,
						   "%u 71 254:0 /s/%u /data/%u rw,relatime - ext4 "
						   "/dev/vda rw\n",
						   1000 + i, i, i),
			     0);
		cr_assert_eq(seal_bytes_append_fmt(&hosts, NULL, "10.77.%u.%u host-%u.example\n",
						   i / 250, i % 250 + 1, i),
			     0);
	}
	begin(&rig, seal_bytes_str(&mounts), seal_bytes_str(&hosts), "nameserver 10.0.0.1\n");
	learn(&rig);
	cr_expect_eq(rig.policy->mount_count, 600);
	cr_expect_eq(rig.policy->hosts.name_count, 600);
	cr_expect_eq(judge(&rig), 0);
	end(&rig);
	seal_bytes_release(&mounts);
	seal_bytes_release(&hosts);
}

Test(learn, of_an_account_claims_and_digests_are_kept_and_never_the_token)
{
	static const char claims[] =
		"{\"iss\":\"https://issuer.example\",\"aud\":[\"a\",\"b c\",\"d\"],"
		"\"sub\":\"system:serviceaccount:shop:web\"}";
	struct seal_bytes token = SEAL_BYTES(4096);
	struct rig rig;

	begin(&rig, BASE, HOSTS, "nameserver 10.0.0.1\n");
	cr_assert_eq(seal_bytes_append_str(&token, "eyJhbGciOiJSUzI1NiJ9.", NULL), 0);
	cr_assert_eq(seal_base64url_encode(&token, claims, strlen(claims), NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&token, ".c2lnbmF0dXJl", NULL), 0);
	put(&rig.sight.token, seal_bytes_str(&token));
	put(&rig.sight.ns, "shop");
	put(&rig.sight.ca, "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n"
			   "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"
			   "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n");
	learn(&rig);
	cr_expect_eq(rig.policy->account.mounted, VERIFY_YES);
	cr_expect_str_eq(rig.policy->account.name, "web");
	cr_expect_str_eq(rig.policy->account.issuer, "https://issuer.example");
	cr_assert_eq(rig.policy->account.audience_count, 2, "what is no audience is left out");
	cr_expect_str_eq(rig.policy->account.audiences[1], "d");
	cr_expect_str_eq(rig.policy->pod.ns, "shop");
	cr_assert_eq(rig.policy->account.ca_count, 1);
	/* SHA-256 of "abc" (FIPS 180-2, appendix B.1) */
	cr_expect_eq(rig.policy->account.cas[0][0], 0xba);
	cr_expect_eq(rig.policy->account.cas[0][31], 0xad);
	cr_expect_null(strstr(seal_bytes_str(&rig.yaml), "c2lnbmF0dXJl"));
	seal_bytes_release(&token);
	end(&rig);
}

Test(learn, of_files_that_make_no_sense_nothing_is_learned)
{
	static const char *const tokens[] = {
		".", "..", "a.b.c", "a.e30.c", "a.W10.c", "a.eyJpc3MiOjUsInN1YiI6W10sImF1ZCI6e319.c"
	};

	for (size_t i = 0; i < SEAL_COUNT(tokens); i++) {
		struct rig rig;

		begin(&rig, BASE, "", "");
		put(&rig.sight.token, tokens[i]);
		put(&rig.sight.ns, "Not A Namespace");
		put(&rig.sight.ca, "-----BEGIN CERTIFICATE-----\n");
		learn(&rig);
		cr_expect_null(rig.policy->account.name, "%zu", i);
		cr_expect_null(rig.policy->account.issuer, "%zu", i);
		cr_expect_eq(rig.policy->account.audience_count, 0, "%zu", i);
		cr_expect_eq(rig.policy->account.ca_count, 0, "%zu", i);
		cr_expect_null(rig.policy->pod.ns, "%zu", i);
		end(&rig);
	}
}

/* ---- From a process ---- */

Test(target, asks_the_kernel_for_our_own_name_without_entering_anything)
{
	struct verify_target *target = NULL;
	struct seal_err err = { 0 };
	char name[256];

	cr_assert_eq(gethostname(name, sizeof(name)), 0);
	cr_assert_eq(verify_target_of_process(&target, getpid(), true, &err), 0, "%s", err.text);
	cr_expect_eq(verify_target_unjudged(target)->count, 0, "%s",
		     verify_target_unjudged(target)->list[0].reason);
	cr_expect_str_eq(verify_target_scene(target)->self.hostname, name);
	for (size_t i = 0; i < verify_target_scene(target)->self.address_count; i++)
		cr_expect_not(verify_address_is_loopback(
			&verify_target_scene(target)->self.addresses[i]));
	cr_expect_not_null(verify_target_scene(target)->environment);
	cr_expect_neq(verify_target_scene(target)->self.now, 0);
	verify_target_freep(&target);
}

Test(target, that_is_not_there_is_missing_and_none)
{
	struct verify_target *target = NULL;

	cr_expect_eq(verify_target_of_process(&target, 4194304, true, NULL), SEAL_E_MISSING);
	cr_expect_eq(verify_target_of_directory(&target, "/nowhere/at/all", NULL), SEAL_E_MISSING);
	cr_expect_lt(verify_target_of_directory(&target, "/etc/hosts", NULL), 0);
	cr_expect_null(target);
}

Test(target, opens_no_more_than_regular_files)
{
	char dir[] = "/tmp/target-test-XXXXXX";
	char path[64];
	SEAL_SCOPED(seal_closep) int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(64);
	struct verify_target *target = NULL;
	char event[512];

	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/hosts", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_geq(inotify_add_watch(watch, path, IN_OPEN), 0);
	cr_assert_eq(verify_target_of_directory(&target, dir, NULL), 0);
	cr_expect_eq(verify_target_read(target, "/hosts", 64, &text, NULL), SEAL_E_REFUSED);
	cr_expect_lt(read(watch, event, sizeof(event)), 0, "it was opened");
	cr_expect_eq(errno, EAGAIN);
	(void)snprintf(path, sizeof(path), "echo y >%s/y", dir);
	cr_assert_eq(system(path), 0);
	cr_expect_eq(verify_target_read(target, "/y", 64, &text, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&text), "y\n");
	verify_target_freep(&target);
	(void)snprintf(path, sizeof(path), "rm -r %s", dir);
	cr_expect_eq(system(path), 0);
}
