/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_HTTP_H
#define SEAL_BASE_HTTP_H

/*
 * A small, strict HTTP/1.1 server (RFC 9112) over base/stream: request line, headers, a body with
 * Content-Length, keep-alive.  Chunked bodies, upgrades, Expect, obsolete folding and ambiguous
 * lengths are refused.  Every wait has a deadline, every size a limit.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err/err.h"
#include "base/loop/loop.h"
#include "base/loop/net.h"
#include "base/stream/stream.h"
#include "base/x509/x509.h"

#define SEAL_HTTP_HEAD_MAX    (8u * 1024)
#define SEAL_HTTP_HEADERS_MAX 1024u /* of what the configuration adds to answers */

struct seal_http;         /* a server */
struct seal_http_request; /* borrowed by the handler until it replies */

/*
 * Must call seal_http_reply exactly once, now or later.  A request outlives a peer that has gone, unless
 * seal_http_await_gone is asked to tell: the reply then only releases it.
 */
typedef void (*seal_http_fn)(void *arg, struct seal_http_request *request);
/*
 * How long the body of a request whose head has arrived may be: method, path, query and client can be
 * asked for.
 */
typedef size_t (*seal_http_limit_fn)(void *arg, const struct seal_http_request *request);
/* Verifies a client's certificates; on success may leave a value for seal_http_client. */
typedef int (*seal_http_verify_fn)(void *arg, struct seal_certs *presented, void **ret_client,
				   struct seal_err *err);

struct seal_http_config {
	struct seal_staging *staging;
	size_t max_body;          /* bytes; beyond it 413 */
	seal_http_limit_fn limit; /* NULL, or: instead of max_body */
	uint32_t max_connections; /* beyond it new ones are closed at once */
	uint32_t handshake_ms;    /* from accept to the end of the TLS handshake */
	uint32_t request_ms;      /* from the first byte of a request to its last */
	uint32_t idle_ms;         /* between requests */
	uint32_t reply_ms;        /* for the peer to take a reply */
	seal_http_fn handler;
	seal_http_verify_fn verify; /* with TLS listeners */
	bool anonymous; /* TLS clients may come without a certificate: then verify is not asked */
	void (*free_client)(void *client); /* for what verify left */
	void *arg;                         /* for limit, handler and verify */
	const char *
		headers; /* lent; lines of every answer, refusals too, each with its end; or NULL */
};

SEAL_CHECKED int seal_http_new(struct seal_http **ret_http, struct seal_loop *loop,
			       const struct seal_http_config *config, struct seal_err *err);
/*
 * Closes listeners and connections.  Requests not yet replied to are gone: do not reply.  Not for use
 * within a handler or verify; the callback of seal_http_drain may.
 */
void seal_http_free(struct seal_http *http);
/* Serve on a listening descriptor, taken over on success.  tls NULL: plain. */
SEAL_CHECKED int seal_http_listen(struct seal_http *http, int fd, struct seal_tls *tls,
				  struct seal_err *err);
/* New connections of TLS listeners use this credential from now on. */
void seal_http_set_tls(struct seal_http *http, struct seal_tls *tls);
/* Stop listening; finish what is under way; fn is called when the last connection has gone. */
void seal_http_drain(struct seal_http *http, seal_timer_fn fn, void *arg);

/* Connections that are open now. */
uint32_t seal_http_connections(const struct seal_http *http);

const char *seal_http_method(const struct seal_http_request *request); /* "GET" */
const char *seal_http_path(const struct seal_http_request *request);   /* "/v1/x", no query */
/* The Host header as it was sent: letters that hosts, addresses and ports are made of; "" when it is too long. */
const char *seal_http_host(const struct seal_http_request *request);
/* A query parameter, percent-decoded; NULL when absent. */
const char *seal_http_query(const struct seal_http_request *request, const char *name);
const uint8_t *seal_http_body(const struct seal_http_request *request, size_t *ret_len);
/*
 * A header field that is kept: "authorization", "content-type".  NULL when absent; a request that has one twice is
 * refused.
 */
const char *seal_http_header(const struct seal_http_request *request, const char *name);
/* The peer's address as text, "unix" for a local socket. */
const char *seal_http_peer(const struct seal_http_request *request);
/* The peer's IP address without the port, for rate limits. */
const char *seal_http_peer_host(const struct seal_http_request *request);
bool seal_http_is_local(const struct seal_http_request *request);
/* The user id of a local socket's peer, by the kernel's word.  SEAL_E_MISSING for other peers. */
SEAL_CHECKED int seal_http_peer_uid(const struct seal_http_request *request, uid_t *ret_uid,
				    struct seal_err *err);
/* What verify left for this connection; NULL on plain listeners, and for who came without a certificate. */
void *seal_http_client(const struct seal_http_request *request);
void *seal_http_arg(const struct seal_http_request *request);

/*
 * Be told when the peer of a request that is to be answered late has gone: fn is called once, from the loop, and the
 * request is gone with it: do not reply.  Meanwhile the connection is read; who sends more than its request is not
 * watched any further.  NULL: do not be told any more, and the request outlives its peer as before.
 */
typedef void (*seal_http_gone_fn)(void *arg);
void seal_http_await_gone(struct seal_http_request *request, seal_http_gone_fn fn, void *arg);

/* Answer and release the request.  retry_after seconds > 0 adds that header. */
void seal_http_reply(struct seal_http_request *request, unsigned status, const char *content_type,
		     const void *body, size_t body_len, unsigned retry_after);

/* The same with header fields of its own, each with CR LF behind it; at most 256 bytes. */
void seal_http_reply_with(struct seal_http_request *request, unsigned status, const char *headers,
			  const char *content_type, const void *body, size_t body_len,
			  unsigned retry_after);

#endif
