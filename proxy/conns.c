/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of connections by state.  Every state has one duration, so each list is ordered by deadline
 * by appending alone, and one timer serves them all: a waiting connection costs no timer of its own.
 * Closed connections wait in their list until the turn is over; nothing is freed under a callback that
 * still holds it.
 */
#include "proxy/conn_internal.h"

#include "proxy/admit.h"

#define NO_DEADLINE UINT64_MAX

static void on_deadline(void *arg);
static void after_turn(void *arg);

static void
set_deadlines(struct proxy_conns *conns, const struct proxy_config *config)
{
	conns->deadlines[CONN_HANDSHAKE] = config->handshake_ms;
	conns->deadlines[CONN_DIAL] = config->connect_ms;
	conns->deadlines[CONN_RELAY] = config->idle_ms;
	conns->deadlines[CONN_DRAIN] = config->drain_ms;
}

int
proxy_conns_new(struct proxy_conns **ret_conns, struct seal_loop *loop,
		const struct proxy_config *config, struct seal_err *err)
{
	struct proxy_conns *conns = calloc(1, sizeof(*conns));
	int r;

	if (conns == NULL)
		return seal_fail_memory(err);
	conns->loop = loop;
	conns->config = config;
	conns->deadline_armed_ms = NO_DEADLINE;
	set_deadlines(conns, config);
	TAILQ_INIT(&conns->more);
	for (size_t i = 0; i < SEAL_COUNT(conns->lists); i++)
		TAILQ_INIT(&conns->lists[i]);
	r = seal_staging_new(&conns->staging, err);
	if (r == 0)
		r = seal_timer_new(&conns->deadline, loop, on_deadline, conns, err);
	if (r == 0)
		r = seal_timer_new(&conns->after, loop, after_turn, conns, err);
	if (r < 0) {
		proxy_conns_free(conns);
		return r;
	}
	*ret_conns = conns;
	return 0;
}

/* Free what is closed.  True when the last connection went. */
static bool
reap(struct proxy_conns *conns)
{
	struct conn_list *closed = &conns->lists[CONN_CLOSED];
	struct proxy_conn *conn;
	bool any = !TAILQ_EMPTY(closed);

	while ((conn = TAILQ_FIRST(closed)) != NULL) {
		TAILQ_REMOVE(closed, conn, link);
		if (conn->has_more)
			TAILQ_REMOVE(&conns->more, conn, more);
		conns->counters.open--;
		proxy_conn_free(conn);
	}
	return any && conns->counters.open == 0;
}

void
proxy_conns_free(struct proxy_conns *conns)
{
	if (conns == NULL)
		return;
	if (conns->after != NULL) {
		proxy_conns_end_all(conns, "the proxy ends");
		(void)reap(conns);
	}
	seal_timer_free(conns->after);
	seal_timer_free(conns->deadline);
	seal_staging_free(conns->staging);
	proxy_state_unref(conns->identity);
	free(conns);
}

static void
arm_deadline(struct proxy_conns *conns, uint64_t at)
{
	uint64_t now = seal_loop_now_ms(conns->loop);

	if (at >= conns->deadline_armed_ms)
		return;
	conns->deadline_armed_ms = at;
	seal_timer_arm(conns->deadline, at > now ? at - now : 0);
}

static void
append(struct proxy_conns *conns, struct proxy_conn *conn)
{
	uint32_t wait = conns->deadlines[conn->state];

	conn->deadline_ms = wait == 0 ? NO_DEADLINE : seal_loop_now_ms(conns->loop) + wait;
	TAILQ_INSERT_TAIL(&conns->lists[conn->state], conn, link);
	arm_deadline(conns, conn->deadline_ms);
}

void
proxy_conns_move(struct proxy_conns *conns, struct proxy_conn *conn, enum proxy_conn_state from)
{
	if (from == CONN_NONE)
		conns->counters.open++;
	else
		TAILQ_REMOVE(&conns->lists[from], conn, link);
	append(conns, conn);
	if (conn->state == CONN_CLOSED)
		seal_timer_arm(conns->after, 0);
}

void
proxy_conns_touch(struct proxy_conns *conns, struct proxy_conn *conn)
{
	if (conn->deadline_ms == NO_DEADLINE)
		return;
	TAILQ_REMOVE(&conns->lists[conn->state], conn, link);
	append(conns, conn);
}

void
proxy_conns_add_more(struct proxy_conns *conns, struct proxy_conn *conn)
{
	if (conn->has_more)
		return;
	conn->has_more = true;
	TAILQ_INSERT_TAIL(&conns->more, conn, more);
	seal_timer_arm(conns->after, 0);
}

/* End those in a state whose time is up.  Returns the nearest deadline left. */
static uint64_t
expire(struct proxy_conns *conns, enum proxy_conn_state state, uint64_t now)
{
	struct proxy_conn *conn;

	while ((conn = TAILQ_FIRST(&conns->lists[state])) != NULL && conn->deadline_ms <= now)
		proxy_conn_step(conn, CONN_EV_DEADLINE, "deadline");
	return conn == NULL ? NO_DEADLINE : conn->deadline_ms;
}

static void
on_deadline(void *arg)
{
	struct proxy_conns *conns = arg;
	uint64_t now = seal_loop_now_ms(conns->loop);
	uint64_t nearest = NO_DEADLINE;

	conns->deadline_armed_ms = NO_DEADLINE;
	for (enum proxy_conn_state state = CONN_HANDSHAKE; state < CONN_CLOSED; state++) {
		uint64_t at = expire(conns, state, now);

		nearest = at < nearest ? at : nearest;
	}
	arm_deadline(conns, nearest);
}

static void
after_turn(void *arg)
{
	struct proxy_conns *conns = arg;
	struct conn_list turn = TAILQ_HEAD_INITIALIZER(turn);
	struct proxy_conn *conn;

	TAILQ_CONCAT(&turn, &conns->more, more);
	while ((conn = TAILQ_FIRST(&turn)) != NULL) {
		TAILQ_REMOVE(&turn, conn, more);
		conn->has_more = false;
		proxy_conn_turn(conn);
	}
	if (reap(conns) && conns->on_empty != NULL)
		conns->on_empty(conns->on_empty_arg);
}

/* Refuse a connection whose peer the new state no longer allows. */
static void
recheck(struct proxy_conn *conn, const struct proxy_identity_state *state)
{
	struct seal_err why = { 0 };

	if (!conn->verified)
		return; /* its handshake is under way: ADMIT asks the new state */
	if (proxy_admit_recheck(&conn->peer, conn->listener->config, conn->identity, state,
				conn->admitted_at, &why) < 0)
		proxy_conn_step(conn, CONN_EV_WITHDRAWN, why.text);
}

void
proxy_conns_set_state(struct proxy_conns *conns, struct proxy_identity_state *state)
{
	struct proxy_conn *next;

	(void)proxy_state_ref(state);
	proxy_state_unref(conns->identity);
	conns->identity = state;
	for (enum proxy_conn_state i = CONN_HANDSHAKE; i < CONN_CLOSED; i++)
		for (struct proxy_conn *conn = TAILQ_FIRST(&conns->lists[i]); conn != NULL;
		     conn = next) {
			next = TAILQ_NEXT(conn, link);
			recheck(conn, state);
		}
}

const struct proxy_identity_state *
proxy_conns_state(const struct proxy_conns *conns)
{
	return conns->identity;
}

void
proxy_conns_end_all(struct proxy_conns *conns, const char *reason)
{
	struct proxy_conn *conn;

	for (enum proxy_conn_state i = CONN_HANDSHAKE; i < CONN_CLOSED; i++)
		while ((conn = TAILQ_FIRST(&conns->lists[i])) != NULL)
			proxy_conn_step(conn, CONN_EV_WITHDRAWN, reason);
}

void
proxy_conns_on_empty(struct proxy_conns *conns, seal_timer_fn fn, void *arg)
{
	conns->on_empty = fn;
	conns->on_empty_arg = arg;
}

struct proxy_counters *
proxy_conns_counters(struct proxy_conns *conns)
{
	return &conns->counters;
}

struct seal_staging *
proxy_conns_staging(const struct proxy_conns *conns)
{
	return conns->staging;
}
