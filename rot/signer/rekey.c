/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's part in changing the key-encryption key: started with both, it opens what is wrapped under the old one
 * and returns it wrapped under the new one, bound to the same name.  Nothing leaves in the open.  A signer that serves
 * never does this, and has no message to be told a key by: whoever subverts the server would have every key
 * wrapped under one of its own.
 */

#include "rot/signer/signer_internal.h"

#define WRAPPED_MAX 8192

static bool
same_wraps(const struct rot_signer_wraps *a, const struct rot_signer_wraps *b)
{
	return seal_secret_equal(a->keys[ROT_BLOB_CA], b->keys[ROT_BLOB_CA]);
}

int
rot_signer_state_rekey(struct rot_signer_state *state, const struct seal_secret *new_kek,
		       struct seal_err *err)
{
	SEAL_SCOPED(rot_signer_wraps_release) struct rot_signer_wraps next = { 0 };
	int r = rot_signer_wraps_derive(&next, new_kek, err);

	if (r < 0)
		return r;
	if (same_wraps(&state->wraps, &next))
		return seal_fail(err, SEAL_E_REFUSED, "the new key-encryption key is the old one");
	state->next = next;
	state->is_rekeying = true;
	memset(&next, 0, sizeof(next)); /* the state owns them now */
	return 0;
}

/* Names are spelled like what they are; only then is a context what it seems. */
static int
check_name(const struct rot_signer_name *name, struct seal_err *err)
{
	switch (name->kind) {
	case ROT_BLOB_CA:
		return name->name[0] == '\0' ? 0 : seal_workload_check(name->name, err);
	case ROT_BLOB_ROOT:
		return seal_workload_check(name->name, err);
	case ROT_BLOB_SECRET:
		return rot_signer_check_purpose(name->name, err);
	case ROT_BLOB_AUDIT_KEY:
		return seal_id_check(name->name, err);
	case ROT_BLOB_COUNT:
		break;
	}
	return seal_fail(err, SEAL_E_REFUSED, "nothing of that kind is wrapped");
}

int
rot_signer_op_rewrap(const struct rot_signer_state *state, struct seal_reader *in,
		     struct seal_writer *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes rewrapped = SEAL_BYTES(WRAPPED_MAX);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	char text[SEAL_WORKLOAD_MAX + 1] = "";
	struct rot_signer_name name = { .name = text };
	const uint8_t *wrapped;
	uint8_t kind;
	size_t len = 0;
	int r;

	kind = seal_get_u8(in);
	seal_get_str(in, text, sizeof(text));
	name.generation = seal_get_u64(in);
	wrapped = seal_get_block(in, &len);
	r = seal_get_done(in, err);
	if (r < 0)
		return r;
	name.kind = kind < ROT_BLOB_COUNT ? (enum rot_blob)kind : ROT_BLOB_COUNT;
	r = check_name(&name, err);
	if (r == 0)
		r = rot_signer_unwrap_as(&plain, state, &name, wrapped, len, err);
	if (r == 0)
		r = rot_signer_wrap_as(state, &state->next, &name, plain, &rewrapped, err);
	if (r < 0)
		return r;
	seal_put_block(out, rewrapped.data, rewrapped.len);
	return 0;
}
