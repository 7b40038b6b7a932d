/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/: any bytes as /etc/hosts, without a policy and with one; and as addresses. */
#include <assert.h>

#include "config-verify/sysfiles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct verify_network
network(const char *text)
{
	struct verify_network made;
	int r = verify_network_parse(&made, text, NULL);

	assert(r == 0);
	return made;
}

static size_t
judge(const uint8_t *data, size_t size, const struct verify_policy *policy,
      const struct verify_self *self)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	int r = verify_findings_new(&findings, NULL);

	assert(r == 0);
	verify_hosts_judge(data, size, policy, self, findings);
	return verify_findings_count(findings);
}

/* Whatever passes for a network holds its own address, and is written as one of its kind. */
static void
try_network(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(64);
	struct verify_network made;
	struct verify_address again;
	char out[VERIFY_ADDRESS_TEXT];

	if (seal_bytes_append(&text, data, size, NULL) < 0 ||
	    verify_network_parse(&made, seal_bytes_str(&text), NULL) < 0)
		return;
	assert(verify_network_has(&made, &made.address));
	verify_address_format(&made.address, out);
	if (verify_address_parse(&again, out, NULL) == 0)
		assert(memcmp(&again, &made.address, sizeof(again)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct verify_network ten = network("10.0.0.0/8");
	const struct verify_address own = network("10.244.1.7").address;
	const char *const names[] = { "bar.local", "foo.local" };
	const struct verify_alias aliases[] = { { network("127.0.0.1").address, names, 2 } };
	const struct verify_pinned_name pinned[] = { { "rot.example", &ten, 1 } };
	const struct verify_policy policy = {
		.pod = { .ns = "shop", .hostname_prefix = "web-", .subdomain = "sub" },
		.hosts = { aliases, 1, pinned, 1, false },
	};
	const struct verify_self self = { "web-0", &own, 1, 0 };
	const size_t open = judge(data, size, NULL, NULL);
	const size_t found = judge(data, size, &policy, NULL);

	/* A policy explains nothing that is wrong without one, except names. */
	assert(open == 0 || found > 0);
	(void)judge(data, size, &policy, &self);
	try_network(data, size);
	return 0;
}
