/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the states of a connection do with its two legs: accept, dial, relay, release; what happens on
 * the wire before a connection is admitted is handshake.c's.  Which state follows is not decided here:
 * every outcome is an event for proxy_conn_step.
 */
#include "base/fs/fs.h"
#include "proxy/announce.h"
#include "proxy/capture.h"
#include "proxy/conn_internal.h"

enum proxy_direction
proxy_conn_direction(const struct proxy_conn *conn)
{
	return conn->listener->config->direction;
}

bool
proxy_conn_comes_in(const struct proxy_conn *conn)
{
	return proxy_conn_direction(conn) != PROXY_OUTBOUND;
}

const char *
proxy_conn_peer_name(const struct proxy_conn *conn)
{
	if (conn->peer != NULL)
		return conn->peer->peer.name;
	return conn->client_name == NULL ? "" : conn->client_name;
}

void
proxy_conn_address(const struct proxy_conn *conn, char text[static SEAL_ADDR_TEXT_MAX])
{
	text[0] = '\0';
	if (conn->addr.family == AF_INET)
		seal_addr_format((const struct sockaddr *)&conn->addr.v4, sizeof(conn->addr.v4),
				 text);
	else if (conn->addr.family == AF_INET6)
		seal_addr_format((const struct sockaddr *)&conn->addr.v6, sizeof(conn->addr.v6),
				 text);
	else if (conn->addr.family == AF_UNIX)
		memcpy(text, "unix", sizeof("unix"));
}

static void
note_address(struct proxy_conn *conn, const struct sockaddr *addr)
{
	conn->addr = (union conn_addr){ 0 };
	if (addr->sa_family == AF_INET)
		memcpy(&conn->addr.v4, addr, sizeof(conn->addr.v4));
	else if (addr->sa_family == AF_INET6)
		memcpy(&conn->addr.v6, addr, sizeof(conn->addr.v6));
	else
		conn->addr.family = addr->sa_family;
}

void
proxy_conn_want(struct proxy_conn *conn, enum conn_leg leg, bool readable, bool writable)
{
	if (conn->watches[leg] != NULL)
		seal_watch_want(conn->watches[leg], readable, writable);
}

static void
free_passing(struct proxy_conn *conn)
{
	struct conn_passing *passing = conn->passing;

	if (passing == NULL)
		return;
	conn->passing = NULL;
	proxy_dial_free(passing->dial);
	proxy_pool_unref(passing->pool);
	proxy_public_unref(passing->public);
	free(passing->scope);
	free(passing);
}

void
proxy_conn_unhook(struct proxy_conn *conn)
{
	proxy_conn_want(conn, LEG_WIRE, false, false);
	proxy_conn_want(conn, LEG_APP, false, false);
	free_passing(conn);
}

static void
on_wire(void *arg, bool readable, bool writable)
{
	struct proxy_conn *conn = arg;

	(void)writable; /* what is to be sent is tried in every turn */
	conn->relay.ways[LEG_WIRE].ready |= readable;
	proxy_conn_turn(conn);
}

static void
on_app(void *arg, bool readable, bool writable)
{
	struct proxy_conn *conn = arg;

	(void)writable;
	conn->relay.ways[LEG_APP].ready |= readable;
	proxy_conn_turn(conn);
}

/* Put a leg on a connected socket, which is taken over in any case. */
static int
add_leg(struct proxy_conn *conn, enum conn_leg leg, int fd, struct seal_err *err)
{
	struct proxy_conns *conns = conn->conns;
	int r = leg == LEG_WIRE ? proxy_conn_open_wire(conn, fd, err)
				: seal_stream_new(&conn->relay.sides[leg], fd, conns->staging, err);

	if (r < 0) {
		seal_close(fd);
		return r;
	}
	return seal_watch_new(&conn->watches[leg], conns->loop, fd,
			      leg == LEG_WIRE ? on_wire : on_app, conn, err);
}

static void
drop_leg(struct proxy_conn *conn, enum conn_leg leg)
{
	if (conn->watches[leg] != NULL)
		seal_watch_free(SEAL_TAKE(conn->watches[leg]));
	seal_stream_free(SEAL_TAKE(conn->relay.sides[leg]), false);
}

/* One source must not take what all share. */
static int
count_source(struct proxy_conn *conn, const struct sockaddr *addr, struct seal_err *err)
{
	uint8_t key[PROXY_TALLY_KEY_MAX];
	uint32_t max = conn->conns->limits.per_source;
	size_t len = max == 0 ? 0 : proxy_tally_source(key, addr);

	if (len == 0)
		return 0;
	return proxy_tally_take(conn->conns->sources, key, len, max, &conn->source_count, err);
}

static int
begin(struct proxy_conn *conn, int fd, const struct sockaddr *addr, struct seal_err *err)
{
	bool comes_in = proxy_conn_comes_in(conn);
	int r = 0;

	if (comes_in) {
		note_address(conn, addr);
		r = count_source(conn, addr, err);
		conn->limited = r == SEAL_E_LIMIT;
	}
	if (r == 0) {
		conn->passing = calloc(1, sizeof(*conn->passing));
		r = conn->passing == NULL ? seal_fail_memory(err) : 0;
	}
	if (r < 0) {
		seal_close(fd);
		return r;
	}
	return add_leg(conn, comes_in ? LEG_WIRE : LEG_APP, fd, err);
}

void
proxy_conns_accept(struct proxy_conns *conns, struct proxy_listener *listener, int fd,
		   const struct sockaddr *addr, socklen_t addr_len)
{
	struct proxy_conn *conn = calloc(1, sizeof(*conn));
	struct seal_err err = { 0 };
	int r;

	(void)addr_len; /* the family says how much of it counts */
	listener->counters.accepted++;
	if (conn == NULL) {
		listener->counters.failed++;
		seal_close(fd);
		return;
	}
	conn->conns = conns;
	conn->listener = proxy_listener_ref(listener);
	conn->id = ++conns->next_id;
	conn->started_ms = seal_loop_now_ms(conns->loop);
	r = begin(conn, fd, addr, &err);
	if (r < 0)
		proxy_conn_step(conn, conn->limited ? CONN_EV_DENIED : CONN_EV_FAILED, err.text);
	else
		proxy_conn_step(conn,
				proxy_conn_comes_in(conn) ? CONN_EV_FROM_WIRE : CONN_EV_FROM_APP,
				NULL);
}

/* ---- Dialling ---- */

static void
let_target_go(struct proxy_conn *conn)
{
	if (conn->pool == NULL)
		return;
	proxy_pool_release(conn->pool, conn->target);
	proxy_pool_unref(SEAL_TAKE(conn->pool));
}

static void
note_dialled(struct proxy_conn *conn, int fd)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);

	if (getpeername(fd, (struct sockaddr *)&addr, &len) == 0)
		note_address(conn, (const struct sockaddr *)&addr);
}

/* The target's leg is put on what was connected, and the walk goes on. */
static void
join(struct proxy_conn *conn, const struct proxy_dial_result *result)
{
	bool comes_in = proxy_conn_comes_in(conn);
	struct seal_err err = { 0 };

	conn->pool = SEAL_TAKE(conn->passing->pool);
	conn->target = result->target;
	if (comes_in)
		proxy_pool_succeeded(conn->pool, conn->target);
	else
		note_dialled(conn, result->fd);
	if (add_leg(conn, comes_in ? LEG_APP : LEG_WIRE, result->fd, &err) < 0)
		proxy_conn_step(conn, CONN_EV_FAILED, err.text);
	else
		proxy_conn_step(conn, comes_in ? CONN_EV_JOINED : CONN_EV_WIRE_UP, NULL);
}

static void
on_dialled(void *arg, const struct proxy_dial_result *result)
{
	struct proxy_conn *conn = arg;

	proxy_dial_free(SEAL_TAKE(conn->passing->dial));
	if (result->fd < 0)
		proxy_conn_step(conn, CONN_EV_FAILED, result->why.text);
	else
		join(conn, result);
}

static void
dial(struct proxy_conn *conn, uint32_t timeout_ms)
{
	struct conn_passing *passing = conn->passing;
	struct proxy_dial_config config = { .pool = passing->pool,
					    .tried = passing->tried,
					    .timeout_ms = timeout_ms };
	struct proxy_dial_result result = { .fd = -1 };
	struct seal_err err = { 0 };

	if (proxy_dial_at_once(passing->pool, passing->tried, &result))
		join(conn, &result);
	else if (proxy_dial_new(&passing->dial, conn->conns->loop, &config, on_dialled, conn,
				&err) < 0)
		proxy_conn_step(conn, CONN_EV_FAILED, err.text);
}

void
proxy_conn_begin_dial(struct proxy_conn *conn, const char *why)
{
	uint32_t connect_ms = conn->conns->connect_ms;

	(void)why;
	conn->passing->pool = proxy_pool_ref(conn->listener->pool);
	conn->passing->dial_until_ms = seal_loop_now_ms(conn->conns->loop) + connect_ms;
	/* Less than the state's own: the dial can say which address was silent. */
	dial(conn, connect_ms - connect_ms / 20);
}

void
proxy_conn_begin_again(struct proxy_conn *conn, const char *why)
{
	uint64_t left = conn->passing->dial_until_ms - seal_loop_now_ms(conn->conns->loop);

	(void)why;
	conn->passing->tried |= UINT32_C(1) << conn->target;
	drop_leg(conn, LEG_WIRE);
	conn->passing->pool = proxy_pool_ref(conn->pool);
	let_target_go(conn);
	dial(conn, (uint32_t)left);
}

/* ---- Relaying ---- */

/* Which address they connected to; what cannot be told is no address at all, never another one. */
static socklen_t
wanted_address(const struct proxy_conn *conn, struct sockaddr_storage *ret_addr)
{
	int fd = seal_stream_fd(conn->relay.sides[LEG_WIRE]);
	socklen_t len = sizeof(*ret_addr);
	int r;

	if (conn->listener->config->captured)
		r = proxy_capture_original(fd, ret_addr, &len, NULL);
	else
		r = getsockname(fd, (struct sockaddr *)ret_addr, &len);
	if (r < 0)
		ret_addr->ss_family = AF_UNSPEC;
	return len;
}

/* Tell the application who is there, before the first byte of theirs. */
static int
announce(struct proxy_conn *conn, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes header = SEAL_BYTES(PROXY_ANNOUNCE_MAX);
	struct seal_stream *wire = conn->relay.sides[LEG_WIRE];
	struct sockaddr_storage to = { 0 };
	struct proxy_announcement announcement = {
		.from = (const struct sockaddr *)&conn->addr,
		.from_len = sizeof(conn->addr),
		.to = (const struct sockaddr *)&to,
		.peer = conn->peer == NULL ? NULL : &conn->peer->peer,
		.common_name = conn->client_name,
	};
	int r;

	announcement.to_len = wanted_address(conn, &to);
	seal_stream_facts(wire, &announcement.tls);
	r = proxy_announce(&header, &announcement, err);
	if (r == 0 && seal_stream_write(conn->relay.sides[LEG_APP], header.data, header.len, err) ==
			      SEAL_IO_FAIL)
		r = seal_note(err, SEAL_E_CLOSED, "application");
	return r;
}

static void
wait_for_both(struct proxy_conn *conn)
{
	bool unheard = false;

	for (enum conn_leg leg = 0; leg < LEG_COUNT; leg++) {
		bool readable;
		bool writable;

		proxy_relay_wants(&conn->relay, leg, &readable, &writable);
		proxy_conn_want(conn, leg, readable, writable);
		unheard = unheard || (!readable && !writable);
	}
	proxy_conns_set_unheard(conn, unheard);
}

static enum proxy_relay_result
relay(struct proxy_conn *conn, struct seal_err *err)
{
	struct proxy_way *ways = conn->relay.ways;
	uint64_t to_app = ways[LEG_WIRE].bytes;
	uint64_t to_wire = ways[LEG_APP].bytes;
	enum proxy_relay_result result;
	bool moved;

	result = proxy_relay_turn(&conn->relay, conn->conns->staging, &moved, err);
	conn->listener->counters.bytes_to_app += ways[LEG_WIRE].bytes - to_app;
	conn->listener->counters.bytes_to_wire += ways[LEG_APP].bytes - to_wire;
	if (moved)
		proxy_conns_touch(conn->conns, conn);
	return result;
}

static void
relay_turn(struct proxy_conn *conn)
{
	struct seal_err err;

	err.code = 0; /* the rest is written before it is read */
	err.text[0] = '\0';
	switch (relay(conn, &err)) {
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

/* A peer's first bytes often come with the end of its handshake, so the first turn is now. */
void
proxy_conn_begin_relay(struct proxy_conn *conn, const char *why)
{
	struct seal_err err = { 0 };

	(void)why;
	if (!conn->admitted) {
		proxy_conn_step(conn, CONN_EV_DENIED,
				NULL); /* impossible here: reported, and closed */
		return;
	}
	if (!proxy_conn_comes_in(conn))
		proxy_pool_succeeded(conn->pool, conn->target);
	if (conn->listener->config->proxy_protocol && announce(conn, &err) < 0) {
		proxy_conn_step(conn, CONN_EV_FAILED, err.text);
		return;
	}
	seal_stream_settle(conn->relay.sides[LEG_WIRE]);
	free_passing(conn);
	conn->relay.ways[LEG_WIRE].ready = seal_stream_may_have_more(conn->relay.sides[LEG_WIRE]);
	conn->relay.ways[LEG_APP].ready = proxy_conn_comes_in(conn) == false;
	relay_turn(conn);
}

void
proxy_conn_turn(struct proxy_conn *conn)
{
	/*
	 * A step of a handshake costs a hundred times what a turn of bytes does: so many a turn.  Who
	 * has to wait is still readable in the next.
	 */
	if (conn->state == CONN_HANDSHAKE && proxy_conns_may_shake(conn->conns))
		proxy_conn_begin_handshake(conn, NULL);
	else if (conn->state == CONN_RELAY || conn->state == CONN_DRAIN)
		relay_turn(conn);
	else if (conn->state == CONN_DIAL)
		proxy_conn_want(conn, LEG_WIRE, false,
				false); /* a peer that speaks before its turn waits */
}

/*
 * What did not end in order must not look as if it had.  To the application that is a reset.  To a peer
 * it is the missing close_notify (RFC 8446 section 6.1), behind which bytes on their way still arrive;
 * but what we cut off ourselves is not left to the system to deliver.
 */
void
proxy_conn_free(struct proxy_conn *conn)
{
	free_passing(conn);
	seal_watch_free(conn->watches[LEG_WIRE]);
	seal_watch_free(conn->watches[LEG_APP]);
	seal_stream_free(conn->relay.sides[LEG_WIRE], conn->cut && conn->admitted);
	seal_stream_free(conn->relay.sides[LEG_APP], !conn->clean);
	let_target_go(conn);
	proxy_known_unref(&conn->conns->known, conn->peer);
	proxy_tally_drop(conn->conns->peers, conn->peer_count);
	proxy_tally_drop(conn->conns->sources, conn->source_count);
	proxy_state_unref(conn->identity);
	proxy_listener_unref(conn->listener);
	free(conn->client_name);
	free(conn);
}
