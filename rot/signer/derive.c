/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's part in workloads' keys: it makes roots and derives from them what pods and the sealing
 * get.  A root never leaves this process but wrapped, and opens only under the workload and the
 * generation it was made for.
 */

#include <inttypes.h>

#include "rot/signer/signer_internal.h"

/* A root is under 128 bytes wrapped. */
#define WRAPPED_MAX 1024

/* What keys are asked for. */
struct wish {
	struct verify_key_id id; /* purpose and generation: of the key in the making */
	unsigned purposes;
};

static int
check_generation(uint64_t generation, struct seal_err *err)
{
	if (generation < 1 || generation > VERIFY_MAX_KEY_GENERATION)
		return seal_fail(err, SEAL_E_REFUSED, "key generations go from 1 to %" PRIu64,
				 VERIFY_MAX_KEY_GENERATION);
	return 0;
}

static int
make_root(const struct rot_signer_state *state, const char *workload, uint64_t generation,
	  struct seal_bytes *wrapped, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *root = NULL;
	const struct rot_signer_name name = { ROT_BLOB_ROOT, workload, generation };
	int r;

	r = seal_secret_new(&root, SEAL_KEY_LEN, err);
	if (r == 0)
		r = seal_random(seal_secret_bytes(root), SEAL_KEY_LEN, err);
	if (r < 0)
		return r;
	return rot_signer_wrap_as(state, &state->wraps, &name, root, wrapped, err);
}

int
rot_signer_op_new_root(const struct rot_signer_state *state, struct seal_reader *in,
		       struct seal_writer *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes wrapped = SEAL_BYTES(WRAPPED_MAX);
	char workload[SEAL_WORKLOAD_MAX + 1] = "";
	uint64_t generation;
	int r;

	seal_get_str(in, workload, sizeof(workload));
	generation = seal_get_u64(in);
	r = seal_get_done(in, err);
	if (r == 0)
		r = seal_workload_check(workload, err);
	if (r == 0)
		r = check_generation(generation, err);
	if (r == 0)
		r = make_root(state, workload, generation, &wrapped, err);
	if (r < 0)
		return r;
	seal_put_block(out, wrapped.data, wrapped.len);
	return 0;
}

/* The next root of the message, for the wish's generation. */
static int
get_root(const struct rot_signer_state *state, struct seal_reader *in, struct wish *wish,
	 struct seal_secret **ret_root, struct seal_err *err)
{
	struct rot_signer_name name = { ROT_BLOB_ROOT, wish->id.workload, 0 };
	const uint8_t *wrapped;
	size_t wrapped_len = 0;
	int r;

	wish->id.generation = seal_get_u64(in);
	name.generation = wish->id.generation;
	wrapped = seal_get_block(in, &wrapped_len);
	if (in->failed)
		return seal_fail(err, SEAL_E_FORMAT, "a message cut short");
	r = check_generation(wish->id.generation, err);
	if (r == 0)
		r = rot_signer_unwrap_as(ret_root, state, &name, wrapped, wrapped_len, err);
	return r < 0 ? seal_note(err, r, "root") : 0;
}

/* One root's keys, in the order of their purposes. */
static int
put_keys(const struct rot_signer_state *state, struct seal_reader *in, struct wish *wish,
	 struct seal_writer *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *root = NULL;
	int r;

	r = get_root(state, in, wish, &root, err);
	for (unsigned p = 0; r == 0 && p < VERIFY_N_PURPOSES; p++) {
		SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;

		if ((wish->purposes & ROT_PURPOSE(p)) == 0)
			continue;
		wish->id.purpose = (enum verify_purpose)p;
		r = verify_key_derive(&key, root, &wish->id, err);
		if (r == 0)
			seal_put_block(out, seal_secret_peek(key), seal_secret_len(key));
	}
	return r;
}

static int
get_wish(struct seal_reader *in, struct wish *wish, struct seal_err *err)
{
	int r;

	seal_get_str(in, wish->id.workload, sizeof(wish->id.workload));
	seal_get_str(in, wish->id.peer, sizeof(wish->id.peer));
	wish->purposes = seal_get_u32(in);
	if (in->failed)
		return seal_fail(err, SEAL_E_FORMAT, "a message cut short");
	r = seal_workload_check(wish->id.workload, err);
	if (r == 0)
		r = seal_peer_check(wish->id.peer, err);
	if (r < 0)
		return r;
	if (wish->purposes == 0 || (wish->purposes & ~ROT_PURPOSES_ALL) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "no keys for that purpose");
	return 0;
}

int
rot_signer_op_derive(const struct rot_signer_state *state, struct seal_reader *in,
		     struct seal_writer *out, struct seal_err *err)
{
	struct wish wish = { 0 };
	uint32_t count;
	int r;

	r = get_wish(in, &wish, err);
	if (r < 0)
		return r;
	count = seal_get_u32(in);
	if (count < 1 || count > ROT_MAX_ROOTS)
		return seal_fail(err, SEAL_E_LIMIT, "1 to %d roots", ROT_MAX_ROOTS);
	for (uint32_t i = 0; i < count; i++) {
		r = put_keys(state, in, &wish, out, err);
		if (r < 0)
			return r;
	}
	return seal_get_done(in, err);
}
