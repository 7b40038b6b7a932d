/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's end of derive.c: asks for roots and for keys, and puts the keys into a ring.
 */

#include "rot/signer/signer.h"
#include "rot/signer/signer_internal.h"

#define WRAPPED_MAX 1024

void
rot_root_release(struct rot_root *root)
{
	seal_bytes_release(&root->wrapped);
	memset(root, 0, sizeof(*root));
}

int
rot_signer_new_root(struct rot_signer *signer, const char *workload, uint64_t generation,
		    struct rot_root *ret_root, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes message = SEAL_BYTES(WRAPPED_MAX);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	SEAL_SCOPED(rot_root_release) struct rot_root root = { .generation = generation };
	struct seal_writer request = { .out = &message };
	const uint8_t *wrapped;
	struct seal_reader in;
	size_t len = 0;
	int r;

	seal_put_u8(&request, ROT_OP_NEW_ROOT);
	seal_put_str(&request, workload);
	seal_put_u64(&request, generation);
	r = rot_signer_call(signer, &request, &reply, &in, err);
	if (r < 0)
		return r;
	wrapped = seal_get_block(&in, &len);
	r = seal_get_done(&in, err);
	if (r < 0)
		return r;
	(void)snprintf(root.workload, sizeof(root.workload), "%s", workload);
	seal_bytes_init(&root.wrapped, WRAPPED_MAX);
	r = seal_bytes_append(&root.wrapped, wrapped, len, err);
	if (r < 0)
		return r;
	*ret_root = root;
	memset(&root, 0, sizeof(root)); /* the caller owns it now */
	return 0;
}

static int
check_roots(const struct rot_root *roots, size_t count, unsigned purposes, struct seal_err *err)
{
	bool good = count >= 1 && count <= ROT_MAX_ROOTS && purposes != 0 &&
		    (purposes & ~ROT_PURPOSES_ALL) == 0;

	for (size_t i = 1; good && i < count; i++)
		good = strcmp(roots[0].workload, roots[i].workload) == 0;
	return good ? 0 : seal_fail(err, SEAL_E_BUG, "keys asked for that cannot be meant");
}

static void
put_roots(struct seal_writer *request, const struct rot_root *roots, size_t count, const char *peer,
	  unsigned purposes)
{
	seal_put_u8(request, ROT_OP_DERIVE);
	seal_put_str(request, roots[0].workload);
	seal_put_str(request, peer);
	seal_put_u32(request, purposes);
	seal_put_u32(request, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		seal_put_u64(request, roots[i].generation);
		seal_put_block(request, roots[i].wrapped.data, roots[i].wrapped.len);
	}
}

/* The next key of the answer. */
static int
take_key(struct seal_reader *in, struct verify_ring *ring, const struct verify_key_id *id,
	 struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;
	size_t len = 0;
	const uint8_t *data = seal_get_block(in, &len);
	int r;

	if (in->failed || len != SEAL_KEY_LEN)
		return seal_fail(err, SEAL_E_BUG, "the signer's answer is cut short");
	r = seal_secret_from(&key, data, len, err);
	return r < 0 ? r : verify_ring_add(ring, id, &key, err);
}

static int
take_keys(struct seal_reader *in, struct verify_ring *ring, uint64_t generation, unsigned purposes,
	  struct seal_err *err)
{
	struct verify_key_id id = { .generation = generation };
	int r = 0;

	(void)snprintf(id.workload, sizeof(id.workload), "%s", verify_ring_workload(ring));
	(void)snprintf(id.peer, sizeof(id.peer), "%s", verify_ring_peer(ring));
	for (unsigned p = 0; r == 0 && p < VERIFY_N_PURPOSES; p++) {
		id.purpose = (enum verify_purpose)p;
		if ((purposes & ROT_PURPOSE(p)) != 0)
			r = take_key(in, ring, &id, err);
	}
	return r;
}

int
rot_signer_derive(struct rot_signer *signer, const struct rot_root *roots, size_t root_count,
		  const char *peer, unsigned purposes, struct verify_ring **ret_ring,
		  struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes message = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	SEAL_SCOPED(verify_ring_freep) struct verify_ring *ring = NULL;
	struct seal_writer request = { .out = &message };
	struct seal_reader in;
	int r;

	r = check_roots(roots, root_count, purposes, err);
	if (r < 0)
		return r;
	put_roots(&request, roots, root_count, peer, purposes);
	r = rot_signer_call(signer, &request, &reply, &in, err);
	if (r == 0)
		r = verify_ring_new(&ring, roots[0].workload, peer, err);
	for (size_t i = 0; r == 0 && i < root_count; i++)
		r = take_keys(&in, ring, roots[i].generation, purposes, err);
	if (r == 0)
		r = seal_get_done(&in, err);
	if (r < 0)
		return r;
	*ret_ring = SEAL_TAKE(ring);
	return 0;
}
