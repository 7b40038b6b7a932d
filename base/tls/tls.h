/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_TLS_H
#define SEAL_BASE_TLS_H

/*
 * One policy for TLS: 1.3 only (RFC 8446), no renegotiation, no compression, no 0-RTT, no tickets,
 * both sides authenticated, and our own verification in place of the library's.  The only door to
 * OpenSSL's SSL.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/x509/verify.h"
#include "base/x509/x509.h"

/* A credential and a side, ready to open sessions.  Reference counted: sessions keep it alive. */
struct seal_tls;

struct seal_tls_config {
	enum seal_side side; /* what WE are in these connections */
	const struct seal_certs *chain;
	const struct seal_key *key;
};

SEAL_CHECKED int seal_tls_new(struct seal_tls **ret_tls, const struct seal_tls_config *config,
			      struct seal_err *err);
struct seal_tls *seal_tls_ref(struct seal_tls *tls);
void seal_tls_unref(struct seal_tls *tls);
void seal_tls_unrefp(struct seal_tls **tls);

/*
 * Decides about the certificates the other side presented (leaf first, never empty): 0 admits.
 * Called during the handshake, once, from the thread that drives it; err->text goes to our log, the
 * peer sees a bare alert.
 */
typedef int (*seal_tls_verify_fn)(void *arg, const struct seal_certs *presented,
				  struct seal_err *err);

/*
 * Put the same policy, credential and verification on a context that a library made for itself
 * (libcurl's SSL_CTX).  arg and config must outlive it; *err receives the verdict's sentence.
 */
SEAL_CHECKED int seal_tls_apply(void *native_ctx, const struct seal_tls_config *config,
				seal_tls_verify_fn verify, void *arg, struct seal_err *verify_err,
				struct seal_err *err);

/* For base/stream only: a session (SSL) with the verifier attached; owned by the caller. */
SEAL_CHECKED int seal_tls_session(void **ret_ssl, struct seal_tls *tls, const char *server_name,
				  seal_tls_verify_fn verify, void *arg, struct seal_err *verify_err,
				  struct seal_err *err);

#endif
