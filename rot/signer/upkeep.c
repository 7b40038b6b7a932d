/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's end of what keeps a root of trust going for years: CAs certified again, heads of the audit log, and
 * wrapping again under another key-encryption key.
 */

#include "rot/signer/signer.h"
#include "rot/signer/signer_internal.h"

/* Ask, and append the one block that is the answer to out. */
static int
call_for_block(struct rot_signer *signer, struct seal_writer *request, struct seal_bytes *out,
	       struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_reader in;
	const uint8_t *data;
	size_t len = 0;
	int r;

	r = rot_signer_call(signer, request, &reply, &in, err);
	if (r < 0)
		return r;
	data = seal_get_block(&in, &len);
	r = seal_get_done(&in, err);
	return r < 0 ? r : seal_bytes_append(out, data, len, err);
}

int
rot_signer_renew_ca(struct rot_signer *signer, const struct rot_ca *ca, int64_t now,
		    struct seal_bytes *out_cert, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes message = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer request = { .out = &message };

	seal_put_u8(&request, ROT_OP_RENEW_CA);
	seal_put_str(&request, ca->workload);
	seal_put_u64(&request, ca->generation);
	seal_put_block(&request, ca->cert.data, ca->cert.len);
	seal_put_block(&request, ca->wrapped.data, ca->wrapped.len);
	seal_put_u64(&request, (uint64_t)now);
	return call_for_block(signer, &request, out_cert, err);
}

int
rot_signer_new_audit_key(struct rot_signer *signer, const char *log, struct seal_bytes *out_wrapped,
			 struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes message = SEAL_BYTES(1024);
	struct seal_writer request = { .out = &message };

	seal_put_u8(&request, ROT_OP_NEW_AUDIT_KEY);
	seal_put_str(&request, log);
	return call_for_block(signer, &request, out_wrapped, err);
}

int
rot_signer_audit_public(struct rot_signer *signer, const char *log,
			const struct seal_bytes *wrapped, struct seal_key **ret_key,
			struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes message = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(1024);
	struct seal_writer request = { .out = &message };
	int r;

	seal_put_u8(&request, ROT_OP_AUDIT_PUBLIC);
	seal_put_str(&request, log);
	seal_put_block(&request, wrapped->data, wrapped->len);
	r = call_for_block(signer, &request, &spki, err);
	return r < 0 ? r : seal_key_from_spki(ret_key, spki.data, spki.len, err);
}

int
rot_signer_sign_head(struct rot_signer *signer, const struct seal_bytes *wrapped,
		     const struct audit_head *head, struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes message = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer request = { .out = &message };

	seal_put_u8(&request, ROT_OP_SIGN_HEAD);
	seal_put_str(&request, head->log);
	seal_put_block(&request, wrapped->data, wrapped->len);
	seal_put_u64(&request, head->size);
	seal_put_u64(&request, (uint64_t)head->time);
	seal_put_block(&request, head->root, sizeof(head->root));
	return call_for_block(signer, &request, out, err);
}

int
rot_signer_rewrap(struct rot_signer *signer, enum rot_blob kind, const char *name,
		  uint64_t generation, const struct seal_bytes *wrapped, struct seal_bytes *out,
		  struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes message = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer request = { .out = &message };

	seal_put_u8(&request, ROT_OP_REWRAP);
	seal_put_u8(&request, (uint8_t)kind);
	seal_put_str(&request, name);
	seal_put_u64(&request, generation);
	seal_put_block(&request, wrapped->data, wrapped->len);
	return call_for_block(signer, &request, out, err);
}
