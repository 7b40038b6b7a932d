/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_HTTP_ASK_H
#define SEAL_BASE_HTTP_ASK_H

/*
 * The asking side of HTTP/1.1 (RFC 9112): one connection, one request, one answer.  A call blocks, with
 * a loop of its own, and ends in time whatever the other side does.  No redirects, no proxies, no
 * chunked or interim answers: an answer has one reading, or is refused.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/loop/net.h"
#include "base/tls/tls.h"

#define SEAL_ASK_CONNECT_MS 5000u /* names, TCP and TLS together; less when the call has less */

struct seal_ask {
	const struct seal_endpoint *to; /* a name, an address or the path of a unix socket */
	struct seal_tls *tls;           /* a client's; NULL: plain */
	seal_tls_verify_fn verify;      /* with tls: who may answer */
	void *verify_arg;
	const char *method; /* anything but HEAD */
	const char *path;   /* "/v1/x?y=z" */
	const char *const
		*headers; /* "Name: value"; Host, Connection and Content-Length are ours */
	size_t header_count;
	const void *body; /* NULL: none */
	size_t body_len;
	bool needs_length; /* refuse an answer that ends with the connection: it might be cut short */
	uint32_t timeout_ms;      /* for everything */
	uint32_t stall_ms;        /* for how long nothing may move; 0: no limit but the above */
	const atomic_bool *abort; /* NULL, or: when it becomes true the call ends within 0.1 s */
};

/*
 * Ask.  Any whole answer with a status from 200 to 599 is success; reply, bounded by its own maximum, is
 * replaced by its body.  SEAL_E_TIMEOUT; SEAL_E_UNAUTH when TLS failed; SEAL_E_FORMAT and SEAL_E_LIMIT for
 * an answer that is none, or too long; SEAL_E_CLOSED when the connection ended too early, or abort was
 * set.  A unix socket where nobody listens is SEAL_E_MISSING, one closed to us SEAL_E_REFUSED.
 */
SEAL_CHECKED int seal_ask(const struct seal_ask *ask, unsigned *ret_status,
			  struct seal_bytes *reply, struct seal_err *err);

#endif
