/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's CAs: makes them, opens them for whoever issues, and certifies one of its own again before its
 * certificate ends.  A CA's name follows from its workload and generation, and its key opens under these only.
 */

#include <inttypes.h>

#include "base/x509/verify.h"
#include "rot/signer/signer_internal.h"
#include "rot/wire/wire.h"

/* 9999-12-31T23:59:59Z, the last second X.509 can write; sums with it cannot overflow. */
#define MAX_TIME     UINT64_C(253402300799)
#define CA_NAME_SIZE (SEAL_WORKLOAD_MAX + 32)

/* Is the server's idea of now believable?  A compromised one must not date certificates ahead. */
int
rot_signer_check_clock(const struct rot_signer_state *state, int64_t now, struct seal_err *err)
{
	int64_t ours = state->clock();

	if (ours < SEAL_CLOCK_FLOOR)
		return seal_fail(err, SEAL_E_SYSTEM, "the clock of this machine is not set");
	if (now < ours - ROT_SIGNER_SKEW || now > ours + ROT_SIGNER_SKEW)
		return seal_fail(err, SEAL_E_REFUSED, "the request is not dated now");
	return 0;
}

int
rot_signer_get_time(struct seal_reader *in, int64_t *ret_time, struct seal_err *err)
{
	uint64_t value = seal_get_u64(in);

	if (value > MAX_TIME)
		return seal_fail(err, SEAL_E_FORMAT, "a time out of range");
	*ret_time = (int64_t)value;
	return 0;
}

void
rot_signer_ca_release(struct rot_signer_ca *ca)
{
	seal_certs_free(ca->certs);
	seal_key_free(ca->key);
	memset(ca, 0, sizeof(*ca));
}

/* The wrapped key opens only under the names it was made for, so a blob cannot change workloads. */
static int
open_ca_key(const struct rot_signer_state *state, struct rot_signer_ca *ca, const uint8_t *wrapped,
	    size_t wrapped_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
	const struct rot_signer_name name = { ROT_BLOB_CA, ca->workload, ca->generation };
	int r;

	r = rot_signer_unwrap_as(&pem, state, &name, wrapped, wrapped_len, err);
	if (r < 0)
		return seal_note(err, r, "CA key");
	return seal_key_from_pem(&ca->key, pem, err);
}

/* Open it, and see that it is one. */
static int
open_ca(const struct rot_signer_state *state, struct rot_signer_ca *ca, const uint8_t *pem,
	size_t pem_len, const uint8_t *wrapped, size_t wrapped_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *public_key = NULL;
	int r;

	r = open_ca_key(state, ca, wrapped, wrapped_len, err);
	if (r < 0)
		return r;
	r = seal_certs_from_pem(&ca->certs, (const char *)pem, pem_len, SEAL_CHAIN_MAX_LEN, err);
	if (r < 0)
		return seal_note(err, r, "CA certificate");
	r = seal_cert_key(seal_certs_at(ca->certs, 0), &public_key, err);
	if (r < 0)
		return r;
	if (seal_certs_count(ca->certs) != 1 || !seal_key_same_public(public_key, ca->key))
		return seal_fail(err, SEAL_E_REFUSED,
				 "CA certificate and key do not belong together");
	return 0;
}

/* ---- CAs that were opened before ---- */

/*
 * To open a CA takes several times as long as to sign with it, and most requests are for a few.  Those used last are
 * kept, each under the digest of everything it was opened from: what comes in differently is opened, and checked, anew.
 */
static struct rot_signer_kept *
find_kept(struct rot_signer_memory *memory, const uint8_t id[static SEAL_HASH_LEN])
{
	for (size_t i = 0; i < ROT_SIGNER_MAX_KEPT; i++) {
		struct rot_signer_kept *kept = &memory->kept[i];

		if (kept->key != NULL && memcmp(kept->id, id, SEAL_HASH_LEN) == 0) {
			kept->used = ++memory->clock;
			return kept;
		}
	}
	return NULL;
}

static void
forget(struct rot_signer_kept *kept)
{
	seal_certs_free(kept->certs);
	seal_key_free(kept->key);
	memset(kept, 0, sizeof(*kept));
}

void
rot_signer_memory_free(struct rot_signer_memory *memory)
{
	for (size_t i = 0; memory != NULL && i < ROT_SIGNER_MAX_KEPT; i++)
		forget(&memory->kept[i]);
	free(memory);
}

static int
share(struct seal_certs **ret_certs, struct seal_key **ret_key, const struct seal_certs *certs,
      const struct seal_key *key, struct seal_err *err)
{
	int r = seal_certs_copy(ret_certs, certs, err);

	return r < 0 ? r : seal_key_copy(ret_key, key, err);
}

/* In the place of the one that was not used for the longest time.  Without memory for it, it is not kept. */
static void
keep(struct rot_signer_memory *memory, const uint8_t id[static SEAL_HASH_LEN],
     const struct rot_signer_ca *ca)
{
	struct rot_signer_kept *oldest = &memory->kept[0];

	for (size_t i = 1; i < ROT_SIGNER_MAX_KEPT; i++) {
		if (memory->kept[i].used < oldest->used)
			oldest = &memory->kept[i];
	}
	forget(oldest);
	if (share(&oldest->certs, &oldest->key, ca->certs, ca->key, NULL) < 0) {
		forget(oldest);
		return;
	}
	memcpy(oldest->id, id, SEAL_HASH_LEN);
	oldest->used = ++memory->clock;
}

int
rot_signer_get_ca(const struct rot_signer_state *state, struct seal_reader *in,
		  struct rot_signer_ca *ca, struct seal_err *err)
{
	const uint8_t *from = in->at;
	const struct rot_signer_kept *kept;
	const uint8_t *pem, *wrapped;
	size_t pem_len = 0, wrapped_len = 0;
	uint8_t id[SEAL_HASH_LEN];
	int r;

	seal_get_str(in, ca->workload, sizeof(ca->workload));
	ca->generation = seal_get_u64(in);
	pem = seal_get_block(in, &pem_len);
	wrapped = seal_get_block(in, &wrapped_len);
	if (in->failed)
		return seal_fail(err, SEAL_E_FORMAT, "a message cut short");
	r = seal_sha256(id, from, (size_t)(in->at - from), err);
	if (r < 0)
		return r;
	kept = find_kept(state->memory, id);
	if (kept != NULL)
		return share(&ca->certs, &ca->key, kept->certs, kept->key, err);
	r = open_ca(state, ca, pem, pem_len, wrapped, wrapped_len, err);
	if (r == 0)
		keep(state->memory, id, ca);
	return r;
}

/* The common name of a CA.  Whoever verifies finds a CA by it, so it never changes. */
static void
ca_name(const char *workload, uint64_t generation, char name[static CA_NAME_SIZE])
{
	(void)snprintf(name, CA_NAME_SIZE, "%s %" PRIu64,
		       workload[0] != '\0' ? workload : "seal system", generation);
}

static int
self_sign(const char *workload, uint64_t generation, int64_t now, const struct seal_key *key,
	  struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_cert_freep) struct seal_cert *cert = NULL;
	char name[CA_NAME_SIZE];
	const struct seal_cert_spec spec = {
		.kind = SEAL_CERT_CA,
		.common_name = name,
		.not_before = now - ROT_BACKDATE,
		.not_after = now + ROT_SIGNER_CA_LIFETIME,
	};
	int r;

	ca_name(workload, generation, name);
	r = seal_cert_issue(&cert, &spec, key, NULL, key, err);
	if (r < 0)
		return r;
	return seal_cert_to_pem(cert, out, err);
}

static int
make_ca(const struct rot_signer_state *state, const char *workload, uint64_t generation,
	int64_t now, struct seal_writer *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes cert = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes wrapped = SEAL_BYTES(4096);
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
	const struct rot_signer_name name = { ROT_BLOB_CA, workload, generation };
	int r;

	r = seal_key_new(&key, err);
	if (r == 0)
		r = seal_key_to_pem(key, &pem, err);
	if (r == 0)
		r = rot_signer_wrap_as(state, &state->wraps, &name, pem, &wrapped, err);
	if (r == 0)
		r = self_sign(workload, generation, now, key, &cert, err);
	if (r < 0)
		return r;
	seal_put_block(out, cert.data, cert.len);
	seal_put_block(out, wrapped.data, wrapped.len);
	return 0;
}

int
rot_signer_op_new_ca(const struct rot_signer_state *state, struct seal_reader *in,
		     struct seal_writer *out, struct seal_err *err)
{
	char workload[SEAL_WORKLOAD_MAX + 1] = "";
	uint64_t generation;
	int64_t now = 0;
	int r;

	seal_get_str(in, workload, sizeof(workload));
	generation = seal_get_u64(in);
	r = rot_signer_get_time(in, &now, err);
	if (r < 0)
		return r;
	r = seal_get_done(in, err);
	if (r < 0)
		return r;
	if (workload[0] != '\0') {
		r = seal_workload_check(workload, err);
		if (r < 0)
			return r;
	}
	/* The number stands in the CA's common name, which holds 64 letters (X.520 ub-common-name). */
	if (generation < 1 || generation > 999)
		return seal_fail(err, SEAL_E_REFUSED, "CA generations go from 1 to 999");
	r = rot_signer_check_clock(state, now, err);
	if (r < 0)
		return r;
	return make_ca(state, workload, generation, now, out, err);
}

/* The subject of the certificate that there is must be what the new one's will be. */
static int
check_same_name(const struct rot_signer_ca *ca, struct seal_err *err)
{
	char name[CA_NAME_SIZE], there[CA_NAME_SIZE];

	ca_name(ca->workload, ca->generation, name);
	seal_cert_common_name(seal_certs_at(ca->certs, 0), there, sizeof(there));
	if (strcmp(name, there) != 0 || !seal_cert_is_ca(seal_certs_at(ca->certs, 0)))
		return seal_fail(err, SEAL_E_REFUSED, "not the certificate of CA '%s'", name);
	return 0;
}

int
rot_signer_op_renew_ca(const struct rot_signer_state *state, struct seal_reader *in,
		       struct seal_writer *out, struct seal_err *err)
{
	SEAL_SCOPED(rot_signer_ca_release) struct rot_signer_ca ca = { 0 };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes cert = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	int64_t now = 0;
	int r;

	r = rot_signer_get_ca(state, in, &ca, err);
	if (r == 0)
		r = rot_signer_get_time(in, &now, err);
	if (r == 0)
		r = seal_get_done(in, err);
	if (r == 0)
		r = check_same_name(&ca, err);
	if (r == 0)
		r = rot_signer_check_clock(state, now, err);
	if (r == 0)
		r = self_sign(ca.workload, ca.generation, now, ca.key, &cert, err);
	if (r < 0)
		return r;
	seal_put_block(out, cert.data, cert.len);
	return 0;
}
