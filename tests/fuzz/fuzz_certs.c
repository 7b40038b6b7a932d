/* SPDX-License-Identifier: Apache-2.0 */
/* base/x509 and base/crypto: any bytes as PEM certificates, verified against themselves, and as a CSR. */
#include <assert.h>

#include "base/crypto/crypto.h"
#include "base/x509/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *certs = NULL;
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	struct seal_strv everybody = { 0 };
	struct seal_peer_rules rules = { .trust_domain = "seal.test",
					 .workload = "shop",
					 .allowed = &everybody };
	struct seal_identity identity;
	struct seal_peer peer;

	if (seal_csr_public_key(&key, (const char *)data, size, NULL) == 0)
		assert(key != NULL);
	if (seal_certs_from_pem(&certs, (const char *)data, size, SEAL_CHAIN_MAX_LEN, NULL) < 0)
		return 0;
	if (seal_cert_identity(seal_certs_at(certs, 0), &identity, NULL) == 0)
		assert(identity.role != SEAL_ROLE_NONE);
	rules.anchors = certs;
	/* An empty policy: whatever it is, it is not admitted. */
	assert(seal_peer_verify(&peer, &rules, certs, SEAL_SIDE_CLIENT, INT64_C(1800000000), NULL) <
	       0);
	(void)seal_cert_has_hostname(seal_certs_at(certs, 0), "any.example.com");
	return 0;
}
