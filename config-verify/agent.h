/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_AGENT_H
#define SEAL_VERIFY_AGENT_H

/*
 * What a container and the agent say to each other over /run/seal/agent.sock.  Any process in the pod
 * can open that socket or put another one in its place, so nothing said on it is believed, or readable,
 * without the container token.  This header is the protocol alone: bytes in, bytes out, no descriptors.
 *
 *   container                                             agent
 *      │ hello: version, container, generation, nonce        │   in clear
 *      ├────────────────────────────────────────────────────▶│
 *      │ hello: the same with its own nonce                  │   in clear
 *      │◀────────────────────────────────────────────────────┤
 *      │ sealed: VERIFY_AGENT_PROOF                          │   proves that it knows the token
 *      │◀────────────────────────────────────────────────────┤
 *      │ sealed requests, one at a time                      │   the first proves the container
 *      │◀──────────────────────────────────────── answers ──▶│
 *
 * Every message is a frame: its length (32 bits, big endian), then that many bytes, at least one.  Behind
 * the hellos a frame holds AES-256-GCM ciphertext and tag; the nonce is the number of the frame in its
 * direction (64 bits, big endian, behind four zero bytes), from 0.  The keys of the two directions are
 * HKDF-SHA-256 of the token's key with info "seal/1/agent/DIRECTION/" and both nonces in hexadecimal,
 * the container's first; DIRECTION is "request" or "answer".  A frame that does not open ends it all.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/secret/secret.h"
#include "config-verify/sealed.h"
#include "config-verify/token.h"

#define VERIFY_AGENT_PATH      "/run/seal/agent.sock"
#define VERIFY_AGENT_VERSION   1
#define VERIFY_AGENT_NONCE_LEN 32
#define VERIFY_FRAME_MAX       (2u * 1024 * 1024) /* bytes behind the length */
#define VERIFY_HELLO_MAX       512                /* and until the other side has proved itself */
#define VERIFY_FRAME_HEAD      4                  /* bytes of the length */
#define VERIFY_AGENT_PROOF     "agent" /* the content of the agent's first sealed frame */
#define VERIFY_WAIT_MAX_MS     60000   /* of one VERIFY_ASK_READY */

/* ---- Frames ---- */

/* Append a frame in clear (a hello). */
SEAL_CHECKED int verify_frame_append(struct seal_bytes *out, const void *data, size_t len,
				     struct seal_err *err);
/*
 * Look at the first frame of what has come so far.  *ret_data is its inside, borrowed, *ret_len that
 * one's length and VERIFY_FRAME_HEAD + *ret_len what to drop; NULL while bytes are missing.  SEAL_E_LIMIT
 * as soon as the length says more than max, SEAL_E_FORMAT for an empty one.
 */
SEAL_CHECKED int verify_frame_next(const uint8_t *data, size_t len, size_t max,
				   const uint8_t **ret_data, size_t *ret_len, struct seal_err *err);

/* ---- Hellos and the keys that come of them ---- */

struct verify_hello {
	char container[VERIFY_CONTAINER_MAX + 1];
	uint64_t generation;
	uint8_t nonce[VERIFY_AGENT_NONCE_LEN];
};
/*
 * Both append or read the inside of a frame.  The agent's hello names the container and generation that
 * it was asked for.  SEAL_E_FORMAT, and SEAL_E_REFUSED for another version.
 */
SEAL_CHECKED int verify_hello_encode(const struct verify_hello *hello, struct seal_bytes *out,
				     struct seal_err *err);
SEAL_CHECKED int verify_hello_parse(struct verify_hello *ret_hello, const void *data, size_t len,
				    struct seal_err *err);

struct verify_channel; /* keys and counters of one connection, one end of it */
enum verify_end { VERIFY_AT_CONTAINER, VERIFY_AT_AGENT };

SEAL_CHECKED int verify_channel_new(struct verify_channel **ret_channel, enum verify_end end,
				    const struct verify_token *token,
				    const uint8_t container_nonce[static VERIFY_AGENT_NONCE_LEN],
				    const uint8_t agent_nonce[static VERIFY_AGENT_NONCE_LEN],
				    struct seal_err *err);
void verify_channel_free(struct verify_channel *channel);
void verify_channel_freep(struct verify_channel **channel);
/* Append a whole frame, length included.  plain_len is at least 1. */
SEAL_CHECKED int verify_channel_seal(struct verify_channel *channel, struct seal_bytes *out,
				     const void *plain, size_t plain_len, struct seal_err *err);
/*
 * Open the inside of a frame.  SEAL_E_UNAUTH: end the connection; nothing behind a frame that did not
 * open is opened.
 */
SEAL_CHECKED int verify_channel_open(struct verify_channel *channel, struct seal_secret **ret_plain,
				     const void *data, size_t len, struct seal_err *err);

/* ---- Requests and answers ---- */

enum verify_request_kind {
	VERIFY_ASK_SPEC = 1,  /* open a sealed container spec: sealed */
	VERIFY_ASK_OPEN = 2,  /* open a value: kind, name, key ("": say which), sealed */
	VERIFY_ASK_READY = 3, /* wait until the proxy serves, at most wait_ms */
	VERIFY_ASK_STATUS = 4,
	VERIFY_ASK_ENCRYPT =
		5, /* seal data under the peer's key for data: sealed is the plaintext */
	VERIFY_ASK_DECRYPT = 6,
	/*
	 * This container is not what it should be: data is a sentence in printable ASCII, 1 to
	 * VERIFY_SUSPECT_MAX bytes of it.  wait_ms VERIFY_SUSPECT_REPORT to have it written down alone (audit);
	 * VERIFY_SUSPECT_SUSPEND: before the answer comes the sidecar has closed its listeners and all that came
	 * by them.  They open again when every container that was reported so is back: on a connection made
	 * after the report it has opened its spec, which means that the application before is gone, and has
	 * asked for VERIFY_ASK_READY, which is answered once they are open.
	 */
	VERIFY_ASK_SUSPECT = 7,
};
#define VERIFY_SUSPECT_MAX     480
#define VERIFY_SUSPECT_REPORT  0
#define VERIFY_SUSPECT_SUSPEND 1

struct verify_request {
	enum verify_request_kind kind;
	char object_kind[VERIFY_KIND_MAX + 1];
	char object_name[VERIFY_NAME_MAX + 1];
	char key[VERIFY_NAME_MAX + 1];
	uint32_t wait_ms;
	const uint8_t *data; /* borrowed from what was parsed, or by what is encoded */
	size_t data_len;
};
/*
 * Members that the kind does not use are empty, and those it uses within their limits, on both sides;
 * parsing checks lengths and letters, whether it is a name of anything is the agent's to see.
 * SEAL_E_FORMAT, SEAL_E_LIMIT.
 */
SEAL_CHECKED int verify_request_encode(const struct verify_request *request, struct seal_bytes *out,
				       struct seal_err *err);
SEAL_CHECKED int verify_request_parse(struct verify_request *ret_request, const void *data,
				      size_t len, struct seal_err *err);

struct verify_answer {
	int code;                        /* 0, or an enum seal_code; SEAL_E_TIMEOUT: not yet */
	char message[SEAL_ERR_TEXT_LEN]; /* of a failure */
	struct verify_binding binding;   /* of what was opened; otherwise zero */
	const uint8_t *data;             /* borrowed, as above: the plaintext */
	size_t data_len;
};
/* A failure has a message and nothing else, success no message. */
SEAL_CHECKED int verify_answer_encode(const struct verify_answer *answer, struct seal_bytes *out,
				      struct seal_err *err);
SEAL_CHECKED int verify_answer_parse(struct verify_answer *ret_answer, const void *data, size_t len,
				     struct seal_err *err);

#endif
