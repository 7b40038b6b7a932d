/* SPDX-License-Identifier: Apache-2.0 */
/* rot/kv: any bytes for an answer of etcd's, to a range and to a transaction. */
#include <assert.h>
#include <string.h>

#include "rot/kv/etcd_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_page(const struct etcd_names *names, const struct seal_json *json)
{
	SEAL_SCOPED(etcd_page_release) struct etcd_page page = { 0 };

	if (etcd_answer_page(names, json, &page, NULL) < 0)
		return;
	for (size_t i = 0; i < page.count; i++) {
		assert(strlen(page.items[i].key) > 0);
		assert(page.items[i].mod > 0);
		assert(page.items[i].value.len <= ROT_KV_STORED_MAX);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	struct etcd_names names = { .prefix = "/seal/" };
	struct etcd_outcome outcome = { 0 };
	uint64_t revision = 0;

	if (etcd_answer_parse(&names, data, size, &json, &revision, NULL) < 0)
		return 0;
	assert(names.cluster[0] != '\0');
	read_page(&names, json);
	if (etcd_answer_outcome(&names, json, &outcome, NULL) == 0 && outcome.has_kv)
		assert(!outcome.succeeded && outcome.mod > 0);
	seal_bytes_release(&outcome.value);
	return 0;
}
