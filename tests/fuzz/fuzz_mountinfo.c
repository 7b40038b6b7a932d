/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config-verify/mountinfo and mounts: any bytes as a mount table, alone and behind the lines of an ordinary
 * container.  Whatever is accepted without a finding has mounts in known places only.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config-verify/mounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char base[] =
	"71 47 0:39 / / rw,relatime - overlay overlay "
	"rw,lowerdir=/l/B:/l/A,upperdir=/u,workdir=/w\n"
	"72 71 0:42 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n"
	"73 71 0:43 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755\n"
	"77 71 0:22 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs rw\n"
	"83 71 254:0 /var/lib/app /etc/app ro,relatime - ext4 /dev/vda rw\n"
	"84 71 0:46 / /cache rw,nosuid,nodev,relatime - tmpfs tmpfs rw,size=1024k\n";

static const char *const types[] = { "overlay" };
static const struct verify_declared_mount declared[] = {
	{ .path = "/etc/app", .source = VERIFY_FROM_VOLUME, .is_read_only = true },
	{ .path = "/cache", .source = VERIFY_FROM_MEMORY },
	{ .path = "/var/run/a",
	  .source = VERIFY_FROM_VOLUME,
	  .propagation = VERIFY_SLAVE,
	  .is_optional = true },
};
static const struct verify_policy policy = {
	.root = { .types = types, .type_count = 1, .layers = 3 },
	.mounts = declared,
	.mount_count = SEAL_COUNT(declared),
};

static bool
is_below(const char *point, const char *directory)
{
	size_t len = strlen(directory);

	return strncmp(point, directory, len) == 0 && (point[len] == '/' || point[len] == '\0');
}

static bool
is_known(const char *point)
{
	static const char *const places[] = {
		"/proc",
		"/sys",
		"/dev",
		"/etc/app",
		"/cache",
		"/run/a",
		"/var/run/a",
		"/etc/hosts",
		"/etc/hostname",
		"/etc/resolv.conf",
		"/run/.containerenv",
		"/run/secrets/kubernetes.io/serviceaccount",
		"/var/run/secrets/kubernetes.io/serviceaccount",
	};

	for (size_t i = 0; i < SEAL_COUNT(places); i++)
		if (is_below(point, places[i]))
			return true;
	return strcmp(point, "/") == 0;
}

static size_t
judge(const struct verify_mountinfo *info, const struct verify_policy *by)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;

	assert(verify_findings_new(&findings, NULL) == 0);
	verify_mounts_judge(info, by, VERIFY_LINKS_ALL, findings);
	for (size_t i = 0; i < verify_findings_count(findings) && i < VERIFY_MAX_FINDINGS; i++)
		assert(verify_findings_at(findings, i)->line <= verify_mountinfo_count(info));
	return verify_findings_count(findings);
}

static void
look_up(const struct verify_mountinfo *info)
{
	for (size_t i = 0; i < verify_mountinfo_count(info); i++) {
		const struct verify_mount *mount = verify_mountinfo_at(info, i);
		const struct verify_mount *of = verify_mount_of(info, mount->point);

		assert(mount->line == i + 1);
		assert(of != NULL && strcmp(of->point, mount->point) == 0);
		assert(mount->above == NULL || is_below(mount->point, mount->above->point) ||
		       strcmp(mount->above->point, "/") == 0);
	}
}

static void
parse(const char *text, size_t len)
{
	SEAL_SCOPED(verify_mountinfo_freep) struct verify_mountinfo *info = NULL;
	struct seal_err err = { 0 };

	if (verify_mountinfo_parse(&info, text, len, &err) < 0) {
		assert(info == NULL);
		assert(err.code == SEAL_E_FORMAT || err.code == SEAL_E_LIMIT);
		return;
	}
	look_up(info);
	(void)judge(info, NULL);
	if (judge(info, &policy) > 0)
		return;
	for (size_t i = 0; i < verify_mountinfo_count(info); i++)
		assert(is_known(verify_mountinfo_at(info, i)->point));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(sizeof(base) + size);

	assert(text != NULL);
	parse((const char *)data, size);
	memcpy(text, base, sizeof(base) - 1);
	if (size > 0)
		memcpy(text + sizeof(base) - 1, data, size);
	parse(text, sizeof(base) - 1 + size);
	free(text);
	return 0;
}
