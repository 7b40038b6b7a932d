/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_TLS_INTERNAL_H
#define SEAL_BASE_TLS_INTERNAL_H

/*
 * For base/stream only: sessions as the library has them.
 */

#include "base/tls/tls.h"

/*
 * A session (SSL) set up as config says; owned by the caller.  In this order: drive its handshake;
 * when the library says it is complete, ask seal_tls_finish; then seal_tls_peer and seal_tls_facts;
 * then seal_tls_settle, after which only the facts are left.
 */
SEAL_CHECKED int seal_tls_session(void **ret_ssl, struct seal_tls *tls,
				  const struct seal_tls_session_config *config,
				  struct seal_err *err);
/* Is what the library calls complete a handshake we stand behind?  And establish who it is. */
SEAL_CHECKED int seal_tls_finish(void *ssl, struct seal_err *err);
/* The handshake failed: why the verifier refused, if it did.  code 0 if not. */
struct seal_err seal_tls_verdict(void *ssl);
/* Never NULL; empty names before seal_tls_finish, after seal_tls_settle, and for who is no peer. */
const struct seal_peer *seal_tls_peer(const void *ssl);
/* All but the protocol's name, which is not a string here: borrowed, without a NUL. */
void seal_tls_facts(const void *ssl, struct seal_tls_facts *ret_facts, const char **ret_alpn,
		    size_t *ret_alpn_len);
void seal_tls_settle(void *ssl);

#endif
