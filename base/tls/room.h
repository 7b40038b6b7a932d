/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_TLS_ROOM_H
#define SEAL_BASE_TLS_ROOM_H

/* What the files of base/tls share, and nobody else sees. */

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "base/tls/remember.h"
#include "base/tls/tls_internal.h"

/* Kinds of keys of which the library shows one each: elliptic ones, whatever their curve, and RSA. */
enum tls_kind { TLS_KIND_EC, TLS_KIND_RSA, TLS_KINDS };

struct tls_credential {
	struct seal_certs *chain;
	struct seal_key *key;
	enum tls_kind kind;
	int64_t not_before;
	int64_t not_after;
};

struct seal_tls {
	atomic_uint refs;
	enum seal_side side;
	bool demands; /* no full handshake without an admitted certificate */
	SSL_CTX *ctx;
	struct tls_memory *memory; /* NULL: nothing is resumed */
	int64_t not_after;         /* of our own certificate: the earliest of all */
	/* A public server's, to be chosen from by server name. */
	struct tls_credential *credentials;
	size_t credential_count;
};

/* How it came to be known who is at the other end. */
enum tls_source { TLS_NOBODY, TLS_RECALLED, TLS_VERIFIED };

/* What only a handshake needs. */
struct tls_handshake {
	seal_tls_verify_fn verify;
	seal_tls_resume_fn resume;
	void *arg;
	uint8_t *alpn; /* our protocols, each preceded by its length; NULL: none */
	size_t alpn_len;
	enum tls_source source;
	uint8_t recalled[TLS_KEY_LEN]; /* which session source RECALLED speaks of */
	struct seal_peer peer;
	int64_t own_not_after;   /* of the certificate shown; 0: that of struct seal_tls */
	struct seal_err verdict; /* why the verifier refused; code 0: it did not */
};

/* One connection's part, attached to its SSL for as long as there is something to do. */
struct tls_session {
	struct seal_tls *tls; /* a reference */
	bool demands; /* as struct seal_tls does, but for who may come without a certificate */
	bool may_resume;
	bool remembered; /* at most one session of this connection is kept */
	uint8_t scope[TLS_KEY_LEN];
	int64_t expires_at;              /* of what this connection may leave behind; 0: nothing */
	struct tls_handshake *handshake; /* NULL once settled */
	struct tls_peer *peer;           /* settled, while a ticket may still come */
};

/* NULL when there is none (any more). */
struct tls_session *tls_session_of(const SSL *ssl);

/* choose.c: called by the library when a server begins a full handshake. */
int tls_begin_full(SSL *ssl, void *unused);
int tls_ask_verifier(X509_STORE_CTX *store, void *unused);
int tls_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		    const unsigned char *in, unsigned in_len, void *unused);

/* ticket.c: tell the library where sessions are kept; and, on the client's side, offer one. */
SEAL_CHECKED int tls_use_memory(struct seal_tls *tls, struct seal_err *err);
SEAL_CHECKED int tls_offer(SSL *ssl, struct tls_session *session, struct seal_err *err);

/* The name of all our sessions, without which the library would not resume one. */
extern const unsigned char tls_context[4];

/* record.c: of a client's session, all but the secret; and the whole again.  NULL: cannot be used. */
SEAL_CHECKED bool tls_record_write(struct tls_kept *kept, SSL_SESSION *from);
SEAL_CHECKED SSL_SESSION *tls_record_read(const struct tls_kept *kept);

/*
 * Whom the verifier admits without saying who it is, it could not be asked about again, nor does
 * anybody know when its certificate ends: that is no session to keep.
 */
bool tls_may_meet_again(const struct tls_session *session);
/* Until when what this connection leaves behind may be used; 0: it leaves nothing. */
int64_t tls_expiry(const struct tls_session *session, const struct seal_peer *peer);
/* The name of a scope. */
SEAL_CHECKED int tls_scope_key(uint8_t ret_key[static TLS_KEY_LEN], const char *scope,
			       const char *name, struct seal_err *err);

#endif
