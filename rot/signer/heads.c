/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's part in the audit log: it makes the key of one log, shows its public half, and signs heads whose
 * every member it has checked and whose text it writes itself.  It never takes a head back: what it signs of a log
 * only grows, as long as this process lives.
 */

#include "rot/audit/head.h"
#include "rot/audit/tree.h"
#include "rot/signer/signer_internal.h"

#define WRAPPED_MAX 1024

static int
get_log(struct seal_reader *in, char log[static SEAL_ID_LEN + 1], struct seal_err *err)
{
	seal_get_str(in, log, SEAL_ID_LEN + 1);
	if (in->failed)
		return seal_fail(err, SEAL_E_FORMAT, "a message cut short, or no log's id");
	return seal_id_check(log, err);
}

/* A log's key opens under that log's id only. */
static int
open_key(const struct rot_signer_state *state, const char *log, const uint8_t *wrapped, size_t len,
	 struct seal_key **ret_key, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
	const struct rot_signer_name name = { ROT_BLOB_AUDIT_KEY, log, 0 };
	int r = rot_signer_unwrap_as(&pem, state, &name, wrapped, len, err);

	if (r < 0)
		return seal_note(err, r, "audit key");
	return seal_key_from_pem(ret_key, pem, err);
}

int
rot_signer_op_new_audit_key(const struct rot_signer_state *state, struct seal_reader *in,
			    struct seal_writer *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes wrapped = SEAL_BYTES(WRAPPED_MAX);
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
	char log[SEAL_ID_LEN + 1] = "";
	const struct rot_signer_name name = { ROT_BLOB_AUDIT_KEY, log, 0 };
	int r = get_log(in, log, err);

	if (r == 0)
		r = seal_get_done(in, err);
	if (r == 0)
		r = seal_key_new(&key, err);
	if (r == 0)
		r = seal_key_to_pem(key, &pem, err);
	if (r == 0)
		r = rot_signer_wrap_as(state, &state->wraps, &name, pem, &wrapped, err);
	if (r < 0)
		return r;
	seal_put_block(out, wrapped.data, wrapped.len);
	return 0;
}

int
rot_signer_op_audit_public(const struct rot_signer_state *state, struct seal_reader *in,
			   struct seal_writer *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(WRAPPED_MAX);
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	char log[SEAL_ID_LEN + 1] = "";
	const uint8_t *wrapped;
	size_t len = 0;
	int r = get_log(in, log, err);

	if (r < 0)
		return r;
	wrapped = seal_get_block(in, &len);
	r = seal_get_done(in, err);
	if (r == 0)
		r = open_key(state, log, wrapped, len, &key, err);
	if (r == 0)
		r = seal_key_spki(key, &spki, err);
	if (r < 0)
		return r;
	seal_put_block(out, spki.data, spki.len);
	return 0;
}

/* What was signed last of the log; a fresh place when nothing was, NULL when there is no more. */
static struct rot_signer_head *
find_last(struct rot_signer_memory *memory, const char *log)
{
	size_t at = 0;

	while (at < memory->head_count && strcmp(memory->heads[at].log, log) != 0)
		at++;
	return at < ROT_SIGNER_MAX_LOGS ? &memory->heads[at] : NULL;
}

/* Is the head one that can follow? */
static int
check_follows(const struct rot_signer_head *last, const struct audit_head *head,
	      struct seal_err *err)
{
	if (last->log[0] == '\0')
		return 0;
	if (head->size < last->size)
		return seal_fail(err, SEAL_E_REFUSED,
				 "the log was longer when its last head was signed");
	if (head->size == last->size && memcmp(head->root, last->root, sizeof(last->root)) != 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "a head of this size was signed for other entries");
	return 0;
}

static void
remember(struct rot_signer_memory *memory, struct rot_signer_head *last,
	 const struct audit_head *head)
{
	if (last->log[0] == '\0')
		memory->head_count++;
	memcpy(last->log, head->log, sizeof(last->log));
	last->size = head->size;
	memcpy(last->root, head->root, sizeof(last->root));
}

/* The members of the head, and the key to sign it with. */
static int
get_head(const struct rot_signer_state *state, struct seal_reader *in, struct audit_head *head,
	 struct seal_key **ret_key, struct seal_err *err)
{
	const uint8_t *wrapped, *root;
	size_t wrapped_len = 0, root_len = 0;
	int r = get_log(in, head->log, err);

	if (r < 0)
		return r;
	wrapped = seal_get_block(in, &wrapped_len);
	head->size = seal_get_u64(in);
	r = rot_signer_get_time(in, &head->time, err);
	if (r < 0)
		return r;
	root = seal_get_block(in, &root_len);
	r = seal_get_done(in, err);
	if (r < 0)
		return r;
	if (root_len != sizeof(head->root))
		return seal_fail(err, SEAL_E_FORMAT, "a root has %zu bytes", sizeof(head->root));
	memcpy(head->root, root, sizeof(head->root));
	return open_key(state, head->log, wrapped, wrapped_len, ret_key, err);
}

int
rot_signer_op_sign_head(const struct rot_signer_state *state, struct seal_reader *in,
			struct seal_writer *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_HEAD_MAX);
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	struct rot_signer_head *last;
	struct audit_head head = { 0 };
	int r = get_head(state, in, &head, &key, err);

	if (r == 0)
		r = rot_signer_check_clock(state, head.time, err);
	if (r < 0)
		return r;
	last = find_last(state->memory, head.log);
	if (last == NULL)
		return seal_fail(err, SEAL_E_LIMIT, "heads of too many logs");
	r = check_follows(last, &head, err);
	if (r == 0)
		r = audit_head_sign(&head, key, &text, err);
	if (r < 0)
		return r;
	remember(state->memory, last, &head);
	seal_put_block(out, text.data, text.len);
	return 0;
}
