/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rot/signer: any bytes as a message.  Every one is answered with a whole reply; a certificate that
 * comes out is one the verification accepts for its identity.  A message to issue has this process's
 * own CA put behind its first byte, as has one to renew a CA, one to derive this process's own root at its
 * end, and one to sign a head its own log's key, so that the rest is reached.  A head that comes out is whole and
 * never takes back the one before.  The same bytes go to a signer that only wraps again, with something to wrap.
 */
#include <assert.h>

#include "base/x509/verify.h"
#include "rot/signer/signer_internal.h"

#define NOW INT64_C(1800000000)
#define LOG "00112233445566778899aabbccddeeff"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t
stopped_clock(void)
{
	return NOW;
}

static void
make_state(struct rot_signer_state *state)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *kek = NULL;
	int r = seal_secret_new(&kek, SEAL_KEY_LEN, NULL);

	assert(r == 0);
	r = rot_signer_state_init(state, kek, "rot.example.com", NULL);
	assert(r == 0);
	state->clock = stopped_clock;
}

/* The certificate and the wrapped key of a fresh CA, as they stand in a reply. */
static void
make_ca(const struct rot_signer_state *state, const char *workload, struct seal_bytes *out)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes message = SEAL_BYTES(1024);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer w = { .out = &message };
	int r;

	seal_put_u8(&w, ROT_OP_NEW_CA);
	seal_put_str(&w, workload);
	seal_put_u64(&w, 1);
	seal_put_u64(&w, (uint64_t)NOW);
	rot_signer_answer(state, message.data, message.len, &reply);
	assert(reply.data[0] == 0);
	w.out = out;
	seal_put_str(&w, workload);
	seal_put_u64(&w, 1);
	r = seal_bytes_append(out, reply.data + 1, reply.len - 1, NULL);
	assert(r == 0);
}

/* The generation and the wrapped key of a fresh root, as they stand at the end of a request. */
static void
make_root(const struct rot_signer_state *state, struct seal_bytes *out)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes message = SEAL_BYTES(1024);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer w = { .out = &message };
	int r;

	seal_put_u8(&w, ROT_OP_NEW_ROOT);
	seal_put_str(&w, "shop");
	seal_put_u64(&w, 1);
	rot_signer_answer(state, message.data, message.len, &reply);
	assert(reply.data[0] == 0);
	w.out = out;
	seal_put_u64(&w, 1);
	r = seal_bytes_append(out, reply.data + 1, reply.len - 1, NULL);
	assert(r == 0);
}

/* The log's id and its wrapped key, as they stand at the start of a request. */
static void
make_audit_key(const struct rot_signer_state *state, struct seal_bytes *out)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes message = SEAL_BYTES(1024);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer w = { .out = &message };
	int r;

	seal_put_u8(&w, ROT_OP_NEW_AUDIT_KEY);
	seal_put_str(&w, LOG);
	rot_signer_answer(state, message.data, message.len, &reply);
	assert(reply.data[0] == 0);
	w.out = out;
	seal_put_str(&w, LOG);
	r = seal_bytes_append(out, reply.data + 1, reply.len - 1, NULL);
	assert(r == 0);
}

/* Nothing but keys, at least one. */
static void
check_keys(const struct seal_bytes *reply)
{
	struct seal_reader in = { .at = reply->data + 1, .end = reply->data + reply->len };
	size_t count = 0;

	while (in.at < in.end) {
		size_t len = 0;
		const uint8_t *key = seal_get_block(&in, &len);

		assert(key != NULL && len == SEAL_KEY_LEN && !in.failed);
		count++;
	}
	assert(count >= 1 && count <= ROT_MAX_ROOTS * VERIFY_N_PURPOSES);
}

static void
check_cert(const struct seal_bytes *reply)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *certs = NULL;
	struct seal_reader in = { .at = reply->data + 1, .end = reply->data + reply->len };
	struct seal_identity identity;
	size_t len = 0;
	const uint8_t *pem = seal_get_block(&in, &len);
	int r = seal_certs_from_pem(&certs, (const char *)pem, len, SEAL_CHAIN_MAX_LEN, NULL);

	assert(r == 0 && seal_certs_count(certs) == 1);
	r = seal_cert_identity(seal_certs_at(certs, 0), &identity, NULL);
	assert(r == 0 && identity.role != SEAL_ROLE_NONE);
	assert(strcmp(identity.trust_domain, "rot.example.com") == 0);
	assert(identity.role != SEAL_ROLE_POD || strcmp(identity.workload, "shop") == 0);
}

static void
check_head(const struct seal_bytes *reply)
{
	static struct audit_head last;
	struct seal_reader in = { .at = reply->data + 1, .end = reply->data + reply->len };
	struct audit_head head;
	size_t len = 0;
	const uint8_t *text = seal_get_block(&in, &len);
	int r = audit_head_parse(&head, text, len, NULL);

	assert(r == 0 && strcmp(head.log, LOG) == 0);
	assert(head.time >= NOW - ROT_SIGNER_SKEW && head.time <= NOW + ROT_SIGNER_SKEW);
	assert(head.size >= last.size);
	assert(last.log[0] == '\0' || head.size > last.size ||
	       memcmp(head.root, last.root, sizeof(last.root)) == 0);
	last = head;
}

static void
run(const struct rot_signer_state *state, const uint8_t *message, size_t len)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);

	rot_signer_answer(state, message, len, &reply);
	assert(reply.len > 0);
	if (reply.data[0] == 0 && message[0] == ROT_OP_ISSUE)
		check_cert(&reply);
	if (reply.data[0] == 0 && message[0] == ROT_OP_DERIVE)
		check_keys(&reply);
	if (reply.data[0] == 0 && message[0] == ROT_OP_SIGN_HEAD)
		check_head(&reply);
	assert(reply.data[0] != 0 || (message[0] == ROT_OP_REWRAP) == state->is_rekeying);
}

/* The message with what is ours put behind its first byte. */
static void
run_with(const struct rot_signer_state *state, const struct seal_bytes *ours, const uint8_t *data,
	 size_t size)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes message = SEAL_BYTES(2 * ROT_SIGNER_PACKET_MAX);

	if (seal_bytes_append(&message, data, 1, NULL) == 0 &&
	    seal_bytes_append(&message, ours->data, ours->len, NULL) == 0 &&
	    seal_bytes_append(&message, data + 1, size - 1, NULL) == 0)
		run(state, message.data, message.len);
}

/* A signer that only wraps again; a message for it gets a CA's wrapped key at its end. */
static void
run_rekeying(const struct seal_bytes *ca, const uint8_t *data, size_t size)
{
	static struct rot_signer_state state;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *kek = NULL;
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes message = SEAL_BYTES(2 * ROT_SIGNER_PACKET_MAX);
	struct seal_reader in = { .at = ca->data, .end = ca->data + ca->len };
	struct seal_writer w = { .out = &message };
	const uint8_t *wrapped;
	size_t len = 0;
	int r;

	if (!state.is_rekeying) {
		make_state(&state);
		r = seal_secret_new(&kek, SEAL_KEY_LEN, NULL);
		assert(r == 0);
		seal_secret_bytes(kek)[0] = 1;
		r = rot_signer_state_rekey(&state, kek, NULL);
		assert(r == 0);
	}
	run(&state, data, size);
	(void)seal_get_block(&in, &len);
	(void)seal_get_u64(&in);
	(void)seal_get_block(&in, &len);
	wrapped = seal_get_block(&in, &len);
	if (size == 0 || data[0] != ROT_OP_REWRAP ||
	    seal_bytes_append(&message, data, size, NULL) < 0)
		return;
	seal_put_block(&w, wrapped, len);
	run(&state, message.data, message.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rot_signer_state state;
	static struct seal_bytes pod_ca = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	static struct seal_bytes system_ca = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	static struct seal_bytes root = SEAL_BYTES(1024);
	static struct seal_bytes audit_key = SEAL_BYTES(1024);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes message = SEAL_BYTES(2 * ROT_SIGNER_PACKET_MAX);

	if (pod_ca.len == 0) {
		make_state(&state);
		make_ca(&state, "shop", &pod_ca);
		make_ca(&state, "", &system_ca);
		make_root(&state, &root);
		make_audit_key(&state, &audit_key);
	}
	run(&state, data, size);
	run_rekeying(&pod_ca, data, size);
	if (size == 0 || size > ROT_SIGNER_PACKET_MAX)
		return 0;
	if (data[0] == ROT_OP_DERIVE && seal_bytes_append(&message, data, size, NULL) == 0 &&
	    seal_bytes_append(&message, root.data, root.len, NULL) == 0)
		run(&state, message.data, message.len);
	if (data[0] == ROT_OP_ISSUE || data[0] == ROT_OP_RENEW_CA) {
		run_with(&state, &pod_ca, data, size);
		run_with(&state, &system_ca, data, size);
	}
	if (data[0] == ROT_OP_SIGN_HEAD || data[0] == ROT_OP_AUDIT_PUBLIC)
		run_with(&state, &audit_key, data, size);
	return 0;
}
