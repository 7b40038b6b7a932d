/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_SIGNER_INTERNAL_H
#define SEAL_ROT_SIGNER_INTERNAL_H

/*
 * What the two ends of the signer's socket pair agree on, and the signer's inside, for its own files
 * and its tests.
 *
 * A request is one packet: an operation, then its fields (base/bytes).  The reply is one packet: 0
 * and the result's fields, or the failure's code (positive) and its sentence.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/secret/secret.h"
#include "rot/signer/signer.h"

/* An issue request with 32 host names is under 16 KiB; a socket pair takes 64 KiB in one packet. */
#define ROT_SIGNER_PACKET_MAX (32u * 1024)
#define ROT_SIGNER_MAX_NAMES  64  /* host names or addresses in one certificate */
#define ROT_SIGNER_MAX_LOGS   4   /* whose heads one process signs: a root of trust has one log */
#define ROT_SIGNER_MAX_KEPT   256 /* CAs that stay open, some 8 KiB each */
#define ROT_SIGNER_PURPOSE    "statement"

/* Years a CA lives, in seconds: it is rotated long before. */
#define ROT_SIGNER_CA_LIFETIME (INT64_C(3650) * 86400)
/* How far the server's clock may be from ours: both read the same one, a request takes seconds. */
#define ROT_SIGNER_SKEW 120

/* The server's end. */
struct rot_signer {
	pid_t pid; /* 0: no process of ours serves the other end */
	int fd;
	int life_fd; /* readable when it has ended */
	bool gone;   /* it will not be asked again */
};

enum rot_signer_op {
	ROT_OP_NEW_CA = 1,      /* workload, generation, now -> certificate, wrapped key */
	ROT_OP_ISSUE = 2,       /* CA, identity, names, key, serial, times -> certificate */
	ROT_OP_NEW_SECRET = 3,  /* purpose -> wrapped secret */
	ROT_OP_OPEN_SECRET = 4, /* purpose, wrapped secret -> secret */
	ROT_OP_NEW_ROOT = 5,    /* workload, generation -> wrapped root */
	/* workload, peer, purposes, count, and so often generation and wrapped root -> the keys */
	ROT_OP_DERIVE = 6,
	ROT_OP_RENEW_CA = 7,      /* CA, now -> certificate */
	ROT_OP_NEW_AUDIT_KEY = 8, /* log -> wrapped key */
	ROT_OP_AUDIT_PUBLIC = 9,  /* log, wrapped key -> public key */
	/* log, wrapped key, size, time, root -> signed head */
	ROT_OP_SIGN_HEAD = 10,
	/* kind, name, generation, wrapped -> the same under the new key; of a signer for that alone */
	ROT_OP_REWRAP = 11,
};

/* The keys that wrap, one for each kind, derived from a key-encryption key. */
struct rot_signer_wraps {
	struct seal_secret *keys[ROT_BLOB_COUNT];
};

/* What was signed last of one log. */
struct rot_signer_head {
	char log[SEAL_ID_LEN + 1];
	uint64_t size;
	uint8_t root[SEAL_HASH_LEN];
};

/* A CA that was opened before; key NULL: none. */
struct rot_signer_kept {
	uint8_t id[SEAL_HASH_LEN]; /* of all that it was opened from */
	uint64_t used;
	struct seal_certs *certs;
	struct seal_key *key;
};

/* What it remembers from one request to the next. */
struct rot_signer_memory {
	struct rot_signer_head heads[ROT_SIGNER_MAX_LOGS];
	size_t head_count;
	struct rot_signer_kept kept[ROT_SIGNER_MAX_KEPT];
	uint64_t clock; /* counts their uses */
};
void rot_signer_memory_free(struct rot_signer_memory *memory);

/* All the signer ever knows. */
struct rot_signer_state {
	struct rot_signer_wraps wraps;
	bool is_rekeying; /* then it rewraps and does nothing else; otherwise it never does */
	struct rot_signer_wraps next; /* under the new key-encryption key, when it is */
	struct rot_signer_memory *memory;
	char trust_domain[SEAL_TRUST_DOMAIN_MAX + 1];
	int64_t (*clock)(void);
};

/* Derive the wrapping keys; kek is borrowed and not kept. */
SEAL_CHECKED int rot_signer_state_init(struct rot_signer_state *state,
				       const struct seal_secret *kek, const char *trust_domain,
				       struct seal_err *err);
/* From now on rewrap only.  new_kek is borrowed and not kept.  SEAL_E_REFUSED when it is the old one. */
SEAL_CHECKED int rot_signer_state_rekey(struct rot_signer_state *state,
					const struct seal_secret *new_kek, struct seal_err *err);
void rot_signer_state_release(struct rot_signer_state *state);

/* Answer one request: reply (empty, ROT_SIGNER_PACKET_MAX) always holds a whole packet afterwards. */
void rot_signer_answer(const struct rot_signer_state *state, const uint8_t *request, size_t len,
		       struct seal_bytes *reply);

/*
 * Give up every system call that serving does not need, for good.  False where the kernel or the
 * architecture does not offer it: the signer serves all the same, its other walls stand.
 */
bool rot_signer_confine(void);

/* Serve fd until its other end closes. */
void rot_signer_serve(const struct rot_signer_state *state, int fd);

/* The operations, each reading its fields from in and appending the result's to out. */
SEAL_CHECKED int rot_signer_op_new_ca(const struct rot_signer_state *state, struct seal_reader *in,
				      struct seal_writer *out, struct seal_err *err);
SEAL_CHECKED int rot_signer_op_issue(const struct rot_signer_state *state, struct seal_reader *in,
				     struct seal_writer *out, struct seal_err *err);

SEAL_CHECKED int rot_signer_op_new_root(const struct rot_signer_state *state,
					struct seal_reader *in, struct seal_writer *out,
					struct seal_err *err);
SEAL_CHECKED int rot_signer_op_derive(const struct rot_signer_state *state, struct seal_reader *in,
				      struct seal_writer *out, struct seal_err *err);
SEAL_CHECKED int rot_signer_op_renew_ca(const struct rot_signer_state *state,
					struct seal_reader *in, struct seal_writer *out,
					struct seal_err *err);
SEAL_CHECKED int rot_signer_op_new_audit_key(const struct rot_signer_state *state,
					     struct seal_reader *in, struct seal_writer *out,
					     struct seal_err *err);
SEAL_CHECKED int rot_signer_op_audit_public(const struct rot_signer_state *state,
					    struct seal_reader *in, struct seal_writer *out,
					    struct seal_err *err);
SEAL_CHECKED int rot_signer_op_sign_head(const struct rot_signer_state *state,
					 struct seal_reader *in, struct seal_writer *out,
					 struct seal_err *err);
SEAL_CHECKED int rot_signer_op_rewrap(const struct rot_signer_state *state, struct seal_reader *in,
				      struct seal_writer *out, struct seal_err *err);

/* A CA as it came with a request, opened and checked. */
struct rot_signer_ca {
	char workload[SEAL_WORKLOAD_MAX + 1];
	uint64_t generation;
	struct seal_certs *certs; /* exactly one */
	struct seal_key *key;
};
void rot_signer_ca_release(struct rot_signer_ca *ca);

/* What several operations read from a request.  On failure *ca is to be released all the same. */
SEAL_CHECKED int rot_signer_get_ca(const struct rot_signer_state *state, struct seal_reader *in,
				   struct rot_signer_ca *ca, struct seal_err *err);
SEAL_CHECKED int rot_signer_get_time(struct seal_reader *in, int64_t *ret_time,
				     struct seal_err *err);
/* Is the server's idea of now believable? */
SEAL_CHECKED int rot_signer_check_clock(const struct rot_signer_state *state, int64_t now,
					struct seal_err *err);
SEAL_CHECKED int rot_signer_check_purpose(const char *purpose, struct seal_err *err);

/* Send a request and await its answer, of which *ret_in reads the fields; reply backs them. */
SEAL_CHECKED int rot_signer_call(struct rot_signer *signer, struct seal_writer *request,
				 struct seal_bytes *reply, struct seal_reader *ret_in,
				 struct seal_err *err);

/* A key as the store sees it: version, nonce, ciphertext and tag, bound to context. */
SEAL_CHECKED int rot_signer_wrap(const struct seal_secret *key, const char *context,
				 const struct seal_secret *plain, struct seal_bytes *out,
				 struct seal_err *err);
SEAL_CHECKED int rot_signer_unwrap(struct seal_secret **ret_plain, const struct seal_secret *key,
				   const char *context, const uint8_t *wrapped, size_t wrapped_len,
				   struct seal_err *err);

/* What a wrapped thing is, which it is bound to. */
struct rot_signer_name {
	enum rot_blob kind;
	const char *name;
	uint64_t generation; /* of a CA or a root */
};

SEAL_CHECKED int rot_signer_wraps_derive(struct rot_signer_wraps *wraps,
					 const struct seal_secret *kek, struct seal_err *err);
void rot_signer_wraps_release(struct rot_signer_wraps *wraps);
/* The same as above, under the kind's key of wraps and bound to the name. */
SEAL_CHECKED int rot_signer_wrap_as(const struct rot_signer_state *state,
				    const struct rot_signer_wraps *wraps,
				    const struct rot_signer_name *name,
				    const struct seal_secret *plain, struct seal_bytes *out,
				    struct seal_err *err);
/* Under the state's own key. */
SEAL_CHECKED int rot_signer_unwrap_as(struct seal_secret **ret_plain,
				      const struct rot_signer_state *state,
				      const struct rot_signer_name *name, const uint8_t *wrapped,
				      size_t wrapped_len, struct seal_err *err);

#endif
