/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the states of a connection do with its two legs: accept, shake hands, ask for admission, dial,
 * relay, release.  Which state follows is not decided here: every outcome is an event for
 * proxy_conn_step.
 */
#include <arpa/inet.h>

#include "base/fs/fs.h"
#include "proxy/admit.h"
#include "proxy/conn_internal.h"

bool
proxy_conn_is_inbound(const struct proxy_conn *conn)
{
	return conn->listener->config->direction == PROXY_INBOUND;
}

static void
want(struct proxy_conn *conn, enum conn_leg leg, bool readable, bool writable)
{
	if (conn->watches[leg] != NULL)
		seal_watch_want(conn->watches[leg], readable, writable);
}

void
proxy_conn_unhook(struct proxy_conn *conn)
{
	want(conn, LEG_WIRE, false, false);
	want(conn, LEG_APP, false, false);
	proxy_dial_free(SEAL_TAKE(conn->dial));
}

static void
on_wire(void *arg, bool readable, bool writable)
{
	struct proxy_conn *conn = arg;

	(void)readable;
	(void)writable; /* the stream finds out which */
	if (conn->state == CONN_HANDSHAKE)
		proxy_conn_begin_handshake(conn, NULL);
	else
		proxy_conn_turn(conn);
}

static void
on_app(void *arg, bool readable, bool writable)
{
	(void)readable;
	(void)writable;
	proxy_conn_turn(arg);
}

static int
verify_peer(void *arg, const struct seal_certs *presented, struct seal_err *err)
{
	struct proxy_conn *conn = arg;
	int r = proxy_admit_verify(&conn->peer, conn->listener->config, conn->identity, presented,
				   seal_clock_now(), err);

	conn->verified = r == 0;
	conn->refused = r < 0;
	return r;
}

/* Put a leg on a connected socket, which is taken over in any case. */
static int
add_leg(struct proxy_conn *conn, enum conn_leg leg, int fd, const char *server_name,
	struct seal_err *err)
{
	struct proxy_conns *conns = conn->conns;
	struct proxy_identity_state *identity = conns->identity;
	struct seal_stream **stream = &conn->relay.sides[leg];
	int r;

	if (leg == LEG_WIRE) {
		proxy_state_unref(conn->identity);
		conn->identity = proxy_state_ref(identity);
		r = seal_stream_new_tls(stream, fd, conns->staging,
					proxy_conn_is_inbound(conn) ? identity->as_server
								    : identity->as_client,
					server_name, verify_peer, conn, err);
	} else {
		r = seal_stream_new(stream, fd, conns->staging, err);
	}
	if (r < 0) {
		seal_close(fd);
		return r;
	}
	return seal_watch_new(&conn->watches[leg], conns->loop, fd,
			      leg == LEG_WIRE ? on_wire : on_app, conn, err);
}

void
proxy_conns_accept(struct proxy_conns *conns, struct proxy_listener *listener, int fd,
		   const struct sockaddr *addr, socklen_t addr_len)
{
	struct proxy_conn *conn = calloc(1, sizeof(*conn));
	bool inbound = listener->config->direction == PROXY_INBOUND;
	struct seal_err err = { 0 };

	conns->counters.accepted++;
	if (conn == NULL) {
		conns->counters.failed++;
		seal_close(fd);
		return;
	}
	conn->conns = conns;
	conn->listener = listener;
	conn->id = ++conns->next_id;
	conn->started_ms = seal_loop_now_ms(conns->loop);
	if (inbound)
		seal_addr_format(addr, addr_len, conn->address);
	if (add_leg(conn, inbound ? LEG_WIRE : LEG_APP, fd, NULL, &err) < 0)
		proxy_conn_step(conn, CONN_EV_FAILED, err.text);
	else
		proxy_conn_step(conn, inbound ? CONN_EV_FROM_WIRE : CONN_EV_FROM_APP, NULL);
}

/* Who goes away was not refused (somebody probing the port, say); who does not speak our TLS was. */
static bool
is_refusal(int code)
{
	return code == SEAL_E_UNAUTH || code == SEAL_E_REFUSED || code == SEAL_E_CRYPTO ||
	       code == SEAL_E_FORMAT;
}

/* Also what a readiness of the wire leads to until the handshake is over. */
void
proxy_conn_begin_handshake(struct proxy_conn *conn, const char *why)
{
	struct seal_err err = { 0 };

	(void)why;
	switch (seal_stream_handshake(conn->relay.sides[LEG_WIRE], &err)) {
	case SEAL_IO_DONE:
		want(conn, LEG_WIRE, false, false);
		proxy_conn_step(conn, CONN_EV_TLS_UP, NULL);
		break;
	case SEAL_IO_READ:
		want(conn, LEG_WIRE, true, false);
		break;
	case SEAL_IO_WRITE:
		want(conn, LEG_WIRE, false, true);
		break;
	default:
		conn->refused = conn->refused || is_refusal(err.code);
		proxy_conn_step(conn, CONN_EV_FAILED, err.text);
		break;
	}
}

/*
 * The handshake has verified the peer under the state it began with; that may have been replaced
 * since, so policy is asked again under the one that rules now.
 */
static int
admit(struct proxy_conn *conn, struct seal_err *err)
{
	const struct proxy_identity_state *state = conn->conns->identity;

	conn->admitted_at = seal_clock_now();
	if (!conn->verified)
		return seal_fail(err, SEAL_E_UNAUTH, "the peer was not verified");
	if (!proxy_state_is_valid(state, conn->admitted_at))
		return seal_fail(err, SEAL_E_REFUSED, "our own certificate is not valid now");
	return proxy_admit_recheck(&conn->peer, conn->listener->config, conn->identity, state,
				   conn->admitted_at, err);
}

void
proxy_conn_begin_admit(struct proxy_conn *conn, const char *why)
{
	struct seal_err err = { 0 };

	(void)why;
	if (admit(conn, &err) < 0) {
		proxy_conn_step(conn, CONN_EV_DENIED, err.text);
		return;
	}
	conn->admitted = true;
	conn->conns->counters.admitted++;
	proxy_conn_step(conn, proxy_conn_is_inbound(conn) ? CONN_EV_ALLOWED : CONN_EV_JOINED, NULL);
}

/* RFC 6066 section 3: a host name, never a literal address. */
static const char *
server_name_for(const struct proxy_conn *conn, const struct seal_endpoint *target)
{
	struct in6_addr any;

	if (conn->listener->config->server_name != NULL)
		return conn->listener->config->server_name;
	if (inet_pton(AF_INET, target->host, &any) == 1 ||
	    inet_pton(AF_INET6, target->host, &any) == 1)
		return NULL;
	return target->host;
}

static void
on_dialled(void *arg, const struct proxy_dial_result *result)
{
	struct proxy_conn *conn = arg;
	bool inbound = proxy_conn_is_inbound(conn);
	struct seal_err err = { 0 };
	int r;

	proxy_dial_free(SEAL_TAKE(conn->dial));
	if (result->fd < 0) {
		proxy_conn_step(conn, CONN_EV_FAILED, result->why.text);
		return;
	}
	if (inbound) {
		r = add_leg(conn, LEG_APP, result->fd, NULL, &err);
	} else {
		memcpy(conn->address, result->address, sizeof(conn->address));
		r = add_leg(conn, LEG_WIRE, result->fd, server_name_for(conn, result->target),
			    &err);
	}
	if (r < 0)
		proxy_conn_step(conn, CONN_EV_FAILED, err.text);
	else
		proxy_conn_step(conn, inbound ? CONN_EV_JOINED : CONN_EV_WIRE_UP, NULL);
}

void
proxy_conn_begin_dial(struct proxy_conn *conn, const char *why)
{
	const struct proxy_listener_config *listener = conn->listener->config;
	uint32_t connect_ms = conn->conns->config->connect_ms;
	struct proxy_dial_config config = {
		.targets = listener->targets,
		.target_count = listener->target_count,
		.first = conn->listener->next_target,
		/* Less than the state's own: the dial can say which address was silent. */
		.timeout_ms = connect_ms - connect_ms / 20,
	};
	struct seal_err err = { 0 };

	(void)why;
	conn->listener->next_target = (config.first + 1) % listener->target_count;
	if (proxy_dial_new(&conn->dial, conn->conns->loop, &config, on_dialled, conn, &err) < 0)
		proxy_conn_step(conn, CONN_EV_FAILED, err.text);
}

/* A peer's first bytes often come with the end of its handshake, so the first turn is now. */
void
proxy_conn_begin_relay(struct proxy_conn *conn, const char *why)
{
	(void)why;
	if (!conn->admitted) {
		proxy_conn_step(conn, CONN_EV_DENIED,
				NULL); /* impossible here: reported, and closed */
		return;
	}
	proxy_conn_turn(conn);
}

static void
wait_for_both(struct proxy_conn *conn)
{
	for (enum conn_leg leg = 0; leg < LEG_COUNT; leg++) {
		bool readable;
		bool writable;

		proxy_relay_wants(&conn->relay, leg, &readable, &writable);
		want(conn, leg, readable, writable);
	}
}

void
proxy_conn_turn(struct proxy_conn *conn)
{
	struct seal_err err = { 0 };
	enum proxy_relay_result result;
	bool moved;

	if (conn->state != CONN_RELAY && conn->state != CONN_DRAIN)
		return;
	result = proxy_relay_turn(&conn->relay, conn->conns->staging, &moved, &err);
	if (moved)
		proxy_conns_touch(conn->conns, conn);
	switch (result) {
	case PROXY_RELAY_FAIL:
		proxy_conn_step(conn, CONN_EV_FAILED, err.text);
		return;
	case PROXY_RELAY_DONE:
		proxy_conn_step(conn, CONN_EV_FLUSHED, "done");
		return;
	case PROXY_RELAY_EOF:
		if (conn->state == CONN_RELAY)
			proxy_conn_step(conn, CONN_EV_EOF, NULL);
		break;
	case PROXY_RELAY_AGAIN:
		proxy_conns_add_more(conn->conns, conn);
		break;
	case PROXY_RELAY_WAIT:
		break;
	}
	wait_for_both(conn);
}

/*
 * What did not end in order must not look as if it had.  To the application that is a reset.  To a peer
 * it is the missing close_notify (RFC 8446 section 6.1), behind which bytes on their way still arrive;
 * but what we cut off ourselves is not left to the system to deliver.
 */
void
proxy_conn_free(struct proxy_conn *conn)
{
	proxy_dial_free(conn->dial);
	seal_watch_free(conn->watches[LEG_WIRE]);
	seal_watch_free(conn->watches[LEG_APP]);
	seal_stream_free(conn->relay.sides[LEG_WIRE], conn->cut && conn->admitted);
	seal_stream_free(conn->relay.sides[LEG_APP], !conn->clean);
	proxy_state_unref(conn->identity);
	free(conn);
}
