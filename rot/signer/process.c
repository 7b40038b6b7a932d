/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forked process: one loop over one socket, one table of messages.  It opens no file, listens on
 * nothing and remembers nothing between two requests but its wrapping keys and the last head it signed.
 * What may be issued is decided in issue.c, what may be derived in derive.c, which heads are signed in
 * heads.c.
 */

#include <errno.h>
#include <sys/socket.h>

#include "base/loop/loop.h"
#include "rot/signer/signer_internal.h"

static int op_new_secret(const struct rot_signer_state *state, struct seal_reader *in,
			 struct seal_writer *out, struct seal_err *err);
static int op_open_secret(const struct rot_signer_state *state, struct seal_reader *in,
			  struct seal_writer *out, struct seal_err *err);

/* Every message there is.  None signs bytes, none returns a CA's key, the audit log's key or a root. */
static const struct op {
	int (*run)(const struct rot_signer_state *state, struct seal_reader *in,
		   struct seal_writer *out, struct seal_err *err);
} ops[] = {
	[ROT_OP_NEW_CA] = { rot_signer_op_new_ca },
	[ROT_OP_ISSUE] = { rot_signer_op_issue },
	[ROT_OP_NEW_SECRET] = { op_new_secret },
	[ROT_OP_OPEN_SECRET] = { op_open_secret },
	[ROT_OP_NEW_ROOT] = { rot_signer_op_new_root },
	[ROT_OP_DERIVE] = { rot_signer_op_derive },
	[ROT_OP_RENEW_CA] = { rot_signer_op_renew_ca },
	[ROT_OP_NEW_AUDIT_KEY] = { rot_signer_op_new_audit_key },
	[ROT_OP_AUDIT_PUBLIC] = { rot_signer_op_audit_public },
	[ROT_OP_SIGN_HEAD] = { rot_signer_op_sign_head },
	[ROT_OP_REWRAP] = { rot_signer_op_rewrap },
};

int
rot_signer_state_init(struct rot_signer_state *state, const struct seal_secret *kek,
		      const char *trust_domain, struct seal_err *err)
{
	int r;

	memset(state, 0, sizeof(*state));
	r = seal_trust_domain_check(trust_domain, err);
	if (r == 0)
		r = rot_signer_wraps_derive(&state->wraps, kek, err);
	if (r < 0)
		return r;
	state->memory = calloc(1, sizeof(*state->memory));
	if (state->memory == NULL) {
		rot_signer_state_release(state);
		return seal_fail_memory(err);
	}
	(void)snprintf(state->trust_domain, sizeof(state->trust_domain), "%s", trust_domain);
	state->clock = seal_clock_now;
	return 0;
}

void
rot_signer_state_release(struct rot_signer_state *state)
{
	rot_signer_wraps_release(&state->wraps);
	rot_signer_wraps_release(&state->next);
	rot_signer_memory_free(state->memory);
	memset(state, 0, sizeof(*state));
}

static int
answer(const struct rot_signer_state *state, const uint8_t *request, size_t len,
       struct seal_bytes *reply, struct seal_err *err)
{
	struct seal_reader in = { .at = request, .end = request + len };
	struct seal_writer out = { .out = reply };
	uint8_t op = seal_get_u8(&in);
	int r;

	if (in.failed || op >= SEAL_COUNT(ops) || ops[op].run == NULL)
		return seal_fail(err, SEAL_E_REFUSED, "no such message");
	/*
	 * Whoever serves must not be able to have keys wrapped under one it knows, and what were made while
	 * rekeying would be wrapped under a key that is about to go.
	 */
	if (state->is_rekeying != (op == ROT_OP_REWRAP))
		return seal_fail(err, SEAL_E_REFUSED, "no such message to this signer");
	seal_put_u8(&out, 0);
	r = ops[op].run(state, &in, &out, err);
	if (r < 0)
		return r;
	return seal_put_done(&out, err);
}

void
rot_signer_answer(const struct rot_signer_state *state, const uint8_t *request, size_t len,
		  struct seal_bytes *reply)
{
	struct seal_writer out = { .out = reply };
	struct seal_err err = { 0 };
	int r;

	r = answer(state, request, len, reply, &err);
	if (r == 0)
		return;
	/* Whatever was half written may hold a key. */
	seal_bytes_release(reply);
	seal_put_u8(&out, (uint8_t)-r);
	seal_put_str(&out, err.text);
}

static ssize_t
receive(int fd, uint8_t *packet, size_t cap)
{
	ssize_t n;

	do {
		/* MSG_TRUNC: the packet's true length, so that one too long is seen as such. */
		n = recv(fd, packet, cap, MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	return n;
}

static bool
transmit(int fd, const struct seal_bytes *reply)
{
	ssize_t n;

	do {
		n = send(fd, reply->data, reply->len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n >= 0 && (size_t)n == reply->len;
}

void
rot_signer_serve(const struct rot_signer_state *state, int fd)
{
	uint8_t packet[ROT_SIGNER_PACKET_MAX];
	bool going = true;

	while (going) {
		SEAL_SCOPED(seal_bytes_release)
		struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
		ssize_t n = receive(fd, packet, sizeof(packet));

		/* Our only client sends whole packets; anything else means it is gone or broken. */
		if (n <= 0 || (size_t)n > sizeof(packet))
			break;
		rot_signer_answer(state, packet, (size_t)n, &reply);
		going = transmit(fd, &reply);
	}
	seal_wipe(packet, sizeof(packet));
}

int
rot_signer_check_purpose(const char *purpose, struct seal_err *err)
{
	if (strcmp(purpose, ROT_SIGNER_PURPOSE) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "no secrets for that purpose");
	return 0;
}

static int
get_purpose(struct seal_reader *in, struct seal_err *err)
{
	char purpose[32] = "";

	seal_get_str(in, purpose, sizeof(purpose));
	return rot_signer_check_purpose(purpose, err);
}

static const struct rot_signer_name secret_name = { ROT_BLOB_SECRET, ROT_SIGNER_PURPOSE, 0 };

static int
op_new_secret(const struct rot_signer_state *state, struct seal_reader *in, struct seal_writer *out,
	      struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes wrapped = SEAL_BYTES(1024);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *secret = NULL;
	int r;

	r = get_purpose(in, err);
	if (r < 0)
		return r;
	r = seal_get_done(in, err);
	if (r < 0)
		return r;
	r = seal_secret_new(&secret, SEAL_KEY_LEN, err);
	if (r < 0)
		return r;
	r = seal_random(seal_secret_bytes(secret), SEAL_KEY_LEN, err);
	if (r < 0)
		return r;
	r = rot_signer_wrap_as(state, &state->wraps, &secret_name, secret, &wrapped, err);
	if (r < 0)
		return r;
	seal_put_block(out, wrapped.data, wrapped.len);
	return 0;
}

static int
op_open_secret(const struct rot_signer_state *state, struct seal_reader *in,
	       struct seal_writer *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *secret = NULL;
	const uint8_t *wrapped;
	size_t wrapped_len = 0;
	int r;

	r = get_purpose(in, err);
	if (r < 0)
		return r;
	wrapped = seal_get_block(in, &wrapped_len);
	r = seal_get_done(in, err);
	if (r < 0)
		return r;
	r = rot_signer_unwrap_as(&secret, state, &secret_name, wrapped, wrapped_len, err);
	if (r < 0)
		return r;
	seal_put_block(out, seal_secret_peek(secret), seal_secret_len(secret));
	return 0;
}
