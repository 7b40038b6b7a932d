/* SPDX-License-Identifier: Apache-2.0 */
/* base/names: any text as an identity, a URL, a name, a number. */
#include <assert.h>
#include <string.h>

#include "base/bytes/bytes.h"
#include "base/names/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = seal_strndup((const char *)data, size);
	char host[SEAL_HOSTNAME_MAX + 1];
	char uri[SEAL_IDENTITY_URI_MAX];
	struct seal_identity identity;
	uint64_t number = 0;
	uint16_t port = 0;

	if (text == NULL)
		return 0;
	if (seal_identity_parse(&identity, (const char *)data, size, NULL) == 0) {
		seal_identity_format(&identity, uri);
		assert(strlen(uri) == size && memcmp(uri, data, size) == 0); /* one spelling */
	}
	if (seal_url_check(text, NULL) == 0)
		assert(seal_url_split(text, host, &port, NULL) == 0);
	if (seal_hostname_check(text, NULL) == 0)
		assert(seal_hostname_matches(text, text));
	if (seal_peer_check(text, NULL) == 0)
		assert(seal_hostname_check(text, NULL) < 0); /* never both */
	if (seal_duration_parse(text, 1, 1000, &number, NULL) == 0)
		assert(number >= 1 && number <= 1000);
	if (seal_number_parse(text, 0, 10, &number, NULL) == 0)
		assert(number <= 10);
	free(text);
	return 0;
}
