/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config-verify/: any bytes as a file of a service account or as /etc/hostname; the first byte says which.
 * Besides, as an environment: every line a variable.
 */
#include <assert.h>

#include "config-verify/sysfiles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VARIABLES 64

static void
judge_environment(const uint8_t *data, size_t size, struct verify_findings *findings)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(65536);
	const char *list[VARIABLES + 1] = { NULL };
	size_t count = 0;

	if (seal_bytes_append(&text, data, size, NULL) < 0)
		return;
	for (size_t i = 0; i < text.len && count < VARIABLES; i++) {
		if (i == 0 || text.data[i - 1] == '\0')
			list[count++] = (char *)text.data + i;
		if (text.data[i] == '\n')
			text.data[i] = '\0';
	}
	verify_environment_judge(list, NULL, findings);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t pin[1][SEAL_HASH_LEN] = { { 1 } };
	static const char *const audiences[] = { "api" };
	const struct verify_policy policy = {
		.pod = { .ns = "shop", .hostname_prefix = "web-" },
		.account = { .name = "web",
			     .audiences = audiences,
			     .audience_count = 1,
			     .cas = pin,
			     .ca_count = 1 },
	};
	const struct verify_self self = { "web-0", NULL, 0, 1850000000 };
	const struct verify_policy *const policies[] = { NULL, &policy };
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	int r = verify_findings_new(&findings, NULL);

	assert(r == 0);
	for (size_t i = 0; size > 0 && i < SEAL_COUNT(policies); i++)
		switch (data[0]) {
		case 'n':
			verify_namespace_judge("f", data + 1, size - 1, policies[i], findings);
			break;
		case 'c':
			verify_ca_judge("f", data + 1, size - 1, policies[i], findings);
			break;
		case 'h':
			verify_hostname_judge(data + 1, size - 1, policies[i], &self, findings);
			break;
		case 'e':
			judge_environment(data + 1, size - 1, findings);
			break;
		default:
			verify_token_judge("f", data + 1, size - 1, policies[i], &self, findings);
		}
	return 0;
}
