/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_TLS_H
#define SEAL_BASE_TLS_H

/*
 * Two policies for TLS.  Between peers: 1.3 only (RFC 8446), no renegotiation, no compression, no
 * 0-RTT, both sides authenticated, and our own verification in place of the library's.  For the
 * public: from 1.2 on, certificates chosen by SNI, client certificates only when asked for.  The only
 * door to OpenSSL's SSL.
 *
 * Resumption (RFC 8446 section 2.2) keeps sessions in our own bounded table on both sides; what goes
 * over the wire is a random name, never state.  A session holds its secret, in memory that is wiped,
 * and who was verified when it began; a server's holds no certificate (a client's is the library's own
 * object, which does).  It can be resumed only with the credential it was made with (the table belongs to one struct seal_tls), in the scope it was made in (a listener,
 * a target), and when the owner, asked again, says yes.  Anything else is a full handshake.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/x509/verify.h"
#include "base/x509/x509.h"

/* RFC 7301: a protocol's name has 1 to 255 bytes. */
#define SEAL_ALPN_MAX 255

/* A credential and a side, ready to open sessions.  Reference counted: sessions keep it alive. */
struct seal_tls;

struct seal_tls_config {
	enum seal_side side; /* what WE are in these connections */
	const struct seal_certs *chain;
	const struct seal_key *key;
	size_t max_sessions; /* kept for resumption; 0: every handshake is a full one */
};

SEAL_CHECKED int seal_tls_new(struct seal_tls **ret_tls, const struct seal_tls_config *config,
			      struct seal_err *err);

/* A server for clients that are no peers. */
struct seal_tls_credential {
	const struct seal_certs *chain;
	const struct seal_key *key;
};
struct seal_tls_public_config {
	const struct seal_tls_credential *credentials; /* by SNI (RFC 6066); the first by default */
	size_t credential_count;
	const struct seal_certs *client_anchors; /* NULL: clients are not asked for a certificate */
	size_t max_sessions;                     /* of TLS 1.3 clients */
};
SEAL_CHECKED int seal_tls_new_public(struct seal_tls **ret_tls,
				     const struct seal_tls_public_config *config,
				     struct seal_err *err);

struct seal_tls *seal_tls_ref(struct seal_tls *tls);
void seal_tls_unref(struct seal_tls *tls);
void seal_tls_unrefp(struct seal_tls **tls);

/*
 * Decides about the certificates the other side presented (leaf first, never empty): 0 admits.
 * Called during a full handshake, once, from the thread that drives it; err->text goes to our log, the
 * peer sees a bare alert.  On success ret_peer says who it is; it stays empty when that is no peer.
 */
typedef int (*seal_tls_verify_fn)(void *arg, struct seal_certs *presented,
				  struct seal_peer *ret_peer, struct seal_err *err);
/*
 * May a peer, verified in an earlier handshake of the same credential and scope, be met again now?
 * Asked before a session is offered (client) or taken up (server).  false: a full handshake.
 */
typedef bool (*seal_tls_resume_fn)(void *arg, const struct seal_peer *peer);

/* What one connection brings; borrowed for the call, but for arg. */
struct seal_tls_session_config {
	const char *server_name;      /* client: the SNI to send; NULL: none */
	const struct seal_strv *alpn; /* offered, or accepted in our order; NULL or empty: none */
	const char *scope;            /* within which sessions may be resumed; NULL: not at all */
	seal_tls_verify_fn verify;    /* NULL only for a public server without client_anchors */
	seal_tls_resume_fn resume;    /* NULL: never */
	void *arg;                    /* for both */
	bool wipes; /* what was received does not stay in the library's buffers: it may be keys */
	bool anonymous; /* server: a client may come without a certificate; one that it shows is verified */
};

/* What a handshake came to.  Strings live as long as the stream, or for ever. */
struct seal_tls_facts {
	const char *version;     /* "TLSv1.3" */
	const char *cipher;      /* "TLS_AES_128_GCM_SHA256" */
	const char *alpn;        /* "" when none was negotiated */
	const char *server_name; /* as received or sent; "" when none */
	bool resumed;
};

/*
 * Make handshakes cheaper where OpenSSL is of a version that wastes time on finding its own methods
 * (see shortcut.c), for the whole process and for good; false where there is nothing to gain.  Call it
 * before keys are made or read.  Not for a process that issues certificates: the library cannot do
 * that any more with keys it had before.
 */
bool seal_tls_shortcut(void);

#endif
