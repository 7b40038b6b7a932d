/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys at rest: AES-256-GCM under a key derived from the key-encryption key, with the thing's name
 * as associated data, so that a blob opens only as what it was made for.  Knows nothing of the store
 * that keeps the blobs.
 *
 * Nonces are random: a wrapping key seals one blob per CA or root, far from the 2^32 at which random 96-bit
 * nonces become a worry (NIST SP 800-38D section 8.3).
 */

#include <inttypes.h>

#include "rot/signer/signer_internal.h"

#define WRAP_VERSION 1
#define WRAP_MAX     4096 /* a P-256 key in PEM is under 300 bytes */
#define CONTEXT_MAX  1024

int
rot_signer_wrap(const struct seal_secret *key, const char *context, const struct seal_secret *plain,
		struct seal_bytes *out, struct seal_err *err)
{
	uint8_t head[1 + SEAL_NONCE_LEN] = { WRAP_VERSION };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes blob = SEAL_BYTES(WRAP_MAX);
	int r;

	r = seal_random(head + 1, SEAL_NONCE_LEN, err);
	if (r < 0)
		return r;
	r = seal_bytes_append(&blob, head, sizeof(head), err);
	if (r < 0)
		return r;
	r = seal_aead_seal(&blob, key, head + 1, context, strlen(context), seal_secret_peek(plain),
			   seal_secret_len(plain), err);
	if (r < 0)
		return r;
	return seal_bytes_append(out, blob.data, blob.len, err);
}

int
rot_signer_unwrap(struct seal_secret **ret_plain, const struct seal_secret *key,
		  const char *context, const uint8_t *wrapped, size_t wrapped_len,
		  struct seal_err *err)
{
	const size_t head_len = 1 + SEAL_NONCE_LEN;

	if (wrapped == NULL || wrapped_len < head_len + SEAL_TAG_LEN || wrapped_len > WRAP_MAX ||
	    wrapped[0] != WRAP_VERSION)
		return seal_fail(err, SEAL_E_UNAUTH, "not a key wrapped by this root of trust");
	return seal_aead_open(ret_plain, key, wrapped + 1, context, strlen(context),
			      wrapped + head_len, wrapped_len - head_len, err);
}

/* What each kind is called: in the context, and in deriving the key that wraps it. */
static const struct {
	const char *label;
	bool has_generation;
} kinds[ROT_BLOB_COUNT] = {
	[ROT_BLOB_CA] = { "seal/ca-key", true },
	[ROT_BLOB_ROOT] = { "seal/root", true },
	[ROT_BLOB_SECRET] = { "seal/secret", false },
	[ROT_BLOB_AUDIT_KEY] = { "seal/audit-key", false },
};

int
rot_signer_wraps_derive(struct rot_signer_wraps *wraps, const struct seal_secret *kek,
			struct seal_err *err)
{
	struct rot_signer_wraps made = { 0 };
	int r = 0;

	if (seal_secret_len(kek) != SEAL_KEY_LEN)
		return seal_fail(err, SEAL_E_FORMAT, "a key-encryption key has %d bytes",
				 SEAL_KEY_LEN);
	for (unsigned i = 0; r == 0 && i < ROT_BLOB_COUNT; i++)
		r = seal_hkdf(&made.keys[i], kek, kinds[i].label, err);
	if (r < 0) {
		rot_signer_wraps_release(&made);
		return r;
	}
	*wraps = made;
	return 0;
}

void
rot_signer_wraps_release(struct rot_signer_wraps *wraps)
{
	for (unsigned i = 0; i < ROT_BLOB_COUNT; i++)
		seal_secret_free(wraps->keys[i]);
	memset(wraps, 0, sizeof(*wraps));
}

static int
write_context(const struct rot_signer_state *state, const struct rot_signer_name *name,
	      struct seal_bytes *out, struct seal_err *err)
{
	/* No part can hold a line break, so two contexts never read the same. */
	int r = seal_bytes_append_fmt(out, err, "%s\n%s\n%s", kinds[name->kind].label,
				      state->trust_domain, name->name);

	if (r == 0 && kinds[name->kind].has_generation)
		r = seal_bytes_append_fmt(out, err, "\n%" PRIu64, name->generation);
	return r;
}

int
rot_signer_wrap_as(const struct rot_signer_state *state, const struct rot_signer_wraps *wraps,
		   const struct rot_signer_name *name, const struct seal_secret *plain,
		   struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes context = SEAL_BYTES(CONTEXT_MAX);
	int r = write_context(state, name, &context, err);

	if (r < 0)
		return r;
	return rot_signer_wrap(wraps->keys[name->kind], seal_bytes_str(&context), plain, out, err);
}

int
rot_signer_unwrap_as(struct seal_secret **ret_plain, const struct rot_signer_state *state,
		     const struct rot_signer_name *name, const uint8_t *wrapped, size_t wrapped_len,
		     struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes context = SEAL_BYTES(CONTEXT_MAX);
	int r = write_context(state, name, &context, err);

	if (r < 0)
		return r;
	return rot_signer_unwrap(ret_plain, state->wraps.keys[name->kind], seal_bytes_str(&context),
				 wrapped, wrapped_len, err);
}
