/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config-verify/learn: any files of a container, parted by NUL (mountinfo, hosts, resolv.conf, namespace,
 * ca.crt, token).  Whatever they say, the proposal is a policy, and so is its YAML.
 */
#include <assert.h>
#include <string.h>

#include "config-verify/learn.h"
#include "config-verify/policy_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char table[] = "71 47 0:39 / / rw - overlay overlay rw,lowerdir=/a:/b,upperdir=/u\n"
			    "72 71 0:42 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n";

static void
learn(const struct verify_sight *sight)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(16 * 1024 * 1024);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *again = NULL;

	assert(verify_learn(&json, sight, NULL) == 0);
	assert(verify_policy_parse(&policy, json, NULL) == 0);
	assert(verify_learn_write(json, true, &text, NULL) == 0);
	assert(verify_policy_file_parse(&again, "y", seal_bytes_str(&text), text.len, NULL) == 0);
	assert(again->mount_count == policy->mount_count &&
	       again->hosts.name_count == policy->hosts.name_count);
}

/* Any text as a policy file, too: refused, or a policy. */
static void
parse(const char *text, size_t len)
{
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;
	struct seal_err err = { 0 };
	int r = verify_policy_file_parse(&policy, "p", text, len, &err);

	assert((r == 0) == (policy != NULL));
	assert(r == 0 || err.text[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(verify_mountinfo_freep) struct verify_mountinfo *info = NULL;
	struct verify_sight sight = { .self = { .hostname = "web-0" } };
	struct seal_bytes parts[6];
	const char *at = (const char *)data;
	const char *end = at + size;

	parse(at, size);
	for (size_t i = 0; i < SEAL_COUNT(parts); i++) {
		const size_t len = at < end ? strnlen(at, (size_t)(end - at)) : 0;

		seal_bytes_init(&parts[i], size + 1);
		assert(seal_bytes_append(&parts[i], at, len, NULL) == 0);
		at += at + len < end ? len + 1 : len;
	}
	if (verify_mountinfo_parse(&info, parts[0].data, parts[0].len, NULL) < 0)
		assert(verify_mountinfo_parse(&info, table, strlen(table), NULL) == 0);
	sight.info = info;
	sight.hosts = parts[1];
	sight.resolv = parts[2];
	sight.ns = parts[3];
	sight.ca = parts[4];
	sight.token = parts[5];
	learn(&sight);
	for (size_t i = 0; i < SEAL_COUNT(parts); i++)
		seal_bytes_release(&parts[i]);
	return 0;
}
