/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire's leg until it may carry bytes: the TLS handshake, who is verified in it or remembered from
 * an earlier one, and admission by the policy that rules now.
 */
#include <arpa/inet.h>

#include "base/metrics/metrics.h"
#include "proxy/admit.h"
#include "proxy/conn_internal.h"

/* With less time than this left, another target is not tried. */
#define RETRY_MIN_MS 100

/* ---- The handshake ---- */

/* RFC 6066 section 3: a host name, never a literal address. */
static const char *
server_name_for(const struct proxy_conn *conn)
{
	const struct seal_endpoint *target;
	struct in6_addr any;

	if (proxy_conn_comes_in(conn))
		return NULL;
	target = proxy_pool_endpoint(conn->pool, conn->target);
	if (conn->listener->config->server_name != NULL)
		return conn->listener->config->server_name;
	if (target->is_unix || inet_pton(AF_INET, target->host, &any) == 1 ||
	    inet_pton(AF_INET6, target->host, &any) == 1)
		return NULL;
	return target->host;
}

static int
verify_peer(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer,
	    struct seal_err *err)
{
	struct proxy_conn *conn = arg;
	int r = proxy_admit_verify(ret_peer, conn->listener->config, conn->identity,
				   server_name_for(conn), presented, seal_clock_now(), err);

	conn->refused = r < 0;
	return r;
}

static bool
may_resume(void *arg, const struct seal_peer *peer)
{
	const struct proxy_conn *conn = arg;

	return proxy_admit_again(peer, conn->listener->config, conn->identity, seal_clock_now(),
				 NULL) == 0;
}

static int
verify_client(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer,
	      struct seal_err *err)
{
	struct proxy_conn *conn = arg;
	char name[SEAL_HOSTNAME_MAX + 1];
	int r = proxy_public_verify(conn->passing->public, presented, seal_clock_now(), name, err);

	(void)ret_peer; /* the public has no peers */
	conn->refused = r < 0;
	if (r < 0)
		return r;
	free(conn->client_name);
	conn->client_name = seal_strndup(name, strlen(name));
	return conn->client_name == NULL ? seal_fail_memory(err) : 0;
}

/* A client that showed a certificate shows it each time: what was read from it is not kept. */
static bool
may_resume_client(void *arg, const struct seal_peer *peer)
{
	const struct proxy_conn *conn = arg;

	(void)peer;
	return conn->passing->public->client_anchors == NULL;
}

/* Sessions are resumed on the same listener, and by us only at the same target. */
static int
set_scope(struct proxy_conn *conn, struct seal_err *err)
{
	struct seal_bytes scope = SEAL_BYTES(SEAL_HOSTNAME_MAX * 2 + 64);
	char target[SEAL_HOSTNAME_MAX + 16] = "";
	int r;

	if (!proxy_conn_comes_in(conn))
		seal_endpoint_format(proxy_pool_endpoint(conn->pool, conn->target), target);
	r = seal_bytes_append_fmt(&scope, err, "%s %s%s", conn->listener->name, target,
				  conn->listener->config->verify_hostname ? " hostname" : "");
	if (r == 0) {
		free(conn->passing->scope);
		conn->passing->scope = seal_strndup(seal_bytes_str(&scope), scope.len);
		r = conn->passing->scope == NULL ? seal_fail_memory(err) : 0;
	}
	seal_bytes_release(&scope);
	return r;
}

int
proxy_conn_open_wire(struct proxy_conn *conn, int fd, struct seal_err *err)
{
	struct proxy_conns *conns = conn->conns;
	const struct proxy_listener_config *listener = conn->listener->config;
	struct seal_tls_session_config config = { .alpn = &listener->alpn, .arg = conn };
	struct seal_tls *tls;
	int r = set_scope(conn, err);

	if (r < 0)
		return r;
	proxy_state_unref(conn->identity);
	conn->identity = proxy_state_ref(conns->identity);
	config.scope = conn->passing->scope;
	if (listener->direction == PROXY_PUBLIC) {
		conn->passing->public = proxy_public_ref(conn->listener->public);
		tls = conn->passing->public->tls;
		config.verify = verify_client;
		config.resume = may_resume_client;
	} else {
		bool inbound = listener->direction == PROXY_INBOUND;

		tls = inbound ? conn->identity->as_server : conn->identity->as_client;
		config.server_name = server_name_for(conn);
		config.verify = verify_peer;
		config.resume = may_resume;
	}
	conn->passing->handshake_us = seal_loop_now_us();
	r = seal_stream_new_tls(&conn->relay.sides[LEG_WIRE], fd, conns->staging, tls, &config,
				err);
	if (r == 0)
		seal_stream_hold(conn->relay.sides[LEG_WIRE]);
	return r;
}

/* Who goes away was not refused (somebody probing the port, say); who does not speak our TLS was. */
static bool
is_refusal(int code)
{
	return code == SEAL_E_UNAUTH || code == SEAL_E_REFUSED || code == SEAL_E_CRYPTO ||
	       code == SEAL_E_FORMAT;
}

/* Nothing has been sent or read beyond the handshake: another target may do as well. */
static bool
may_try_elsewhere(const struct proxy_conn *conn)
{
	uint32_t tried = conn->passing->tried | UINT32_C(1) << conn->target;

	return !proxy_conn_comes_in(conn) &&
	       tried != (UINT64_C(1) << proxy_pool_count(conn->pool)) - 1 &&
	       seal_loop_now_ms(conn->conns->loop) + RETRY_MIN_MS < conn->passing->dial_until_ms;
}

static void
fail_handshake(struct proxy_conn *conn, const struct seal_err *err)
{
	conn->refused = conn->refused || is_refusal(err->code);
	if (!proxy_conn_comes_in(conn))
		proxy_pool_failed(conn->pool, conn->target);
	proxy_conn_step(conn, may_try_elsewhere(conn) ? CONN_EV_RETRY : CONN_EV_FAILED, err->text);
}

static void
count_handshake(struct proxy_conn *conn)
{
	struct proxy_counters *counters = &conn->listener->counters;
	uint64_t took = seal_loop_now_us() - conn->passing->handshake_us;
	size_t at =
		seal_histogram_bucket(proxy_handshake_bounds_us, PROXY_HANDSHAKE_BUCKETS - 1, took);

	counters->handshakes[at]++;
	counters->handshake_us += took;
}

/* Also what a readiness of the wire leads to until the handshake is over. */
void
proxy_conn_begin_handshake(struct proxy_conn *conn, const char *why)
{
	struct seal_err err = { 0 };

	(void)why;
	switch (seal_stream_handshake(conn->relay.sides[LEG_WIRE], &err)) {
	case SEAL_IO_DONE:
		count_handshake(conn);
		proxy_conn_step(conn, CONN_EV_TLS_UP, NULL);
		break;
	case SEAL_IO_READ:
		proxy_conn_want(conn, LEG_WIRE, true, false);
		break;
	case SEAL_IO_WRITE:
		proxy_conn_want(conn, LEG_WIRE, false, true);
		break;
	default:
		fail_handshake(conn, &err);
		break;
	}
}

/* ---- Admission ---- */

static int
count_peer(struct proxy_conn *conn, struct seal_err *err)
{
	const char *name = conn->peer->peer.name;
	uint32_t max = conn->conns->limits.per_peer;
	int r;

	if (max == 0)
		return 0;
	r = proxy_tally_take(conn->conns->peers, name, strlen(name), max, &conn->peer_count, err);
	conn->limited = r == SEAL_E_LIMIT;
	return r < 0 ? seal_note(err, r, "peer '%s'", name) : 0;
}

/*
 * The handshake has verified the peer, or found it verified in the one it resumed, under the state it
 * began with; that may have been replaced since, so policy is asked again under the one that rules
 * now.
 */
static int
admit_peer(struct proxy_conn *conn, struct seal_err *err)
{
	const struct proxy_identity_state *state = conn->conns->identity;
	const struct seal_peer *peer = seal_stream_peer(conn->relay.sides[LEG_WIRE]);
	int r;

	if (peer == NULL || peer->name[0] == '\0')
		return seal_fail(err, SEAL_E_UNAUTH, "the peer was not verified");
	conn->peer = proxy_known_ref(&conn->conns->known, peer);
	if (conn->peer == NULL)
		return seal_fail_memory(err);
	r = proxy_admit_late(&conn->peer->peer, conn->listener->config, conn->identity, state,
			     conn->admitted_at, err);
	return r < 0 ? r : count_peer(conn, err);
}

static int
admit(struct proxy_conn *conn, struct seal_err *err)
{
	const struct proxy_public *public = conn->passing->public;

	conn->admitted_at = seal_clock_now();
	if (!proxy_state_is_valid(conn->conns->identity, conn->admitted_at))
		return seal_fail(err, SEAL_E_REFUSED, "our own certificate is not valid now");
	if (public == NULL)
		return admit_peer(conn, err);
	if (public->client_anchors != NULL && conn->client_name == NULL)
		return seal_fail(err, SEAL_E_UNAUTH, "the client was not verified");
	return 0;
}

void
proxy_conn_begin_admit(struct proxy_conn *conn, const char *why)
{
	struct seal_tls_facts facts = { 0 };
	struct seal_err err = { 0 };

	(void)why;
	if (admit(conn, &err) < 0) {
		proxy_conn_step(conn, CONN_EV_DENIED, err.text);
		return;
	}
	conn->admitted = true;
	conn->listener->counters.admitted++;
	seal_stream_facts(conn->relay.sides[LEG_WIRE], &facts);
	if (facts.resumed)
		conn->listener->counters.resumed++;
	proxy_conn_step(conn, proxy_conn_comes_in(conn) ? CONN_EV_ALLOWED : CONN_EV_JOINED, NULL);
}
