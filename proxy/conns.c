/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of connections by state.  Every state has one duration, so each list is ordered by deadline
 * by appending alone, and one timer serves them all: a waiting connection costs no timer of its own.
 * Closed connections wait in their list until the turn is over; nothing is freed under a callback that
 * still holds it.
 */
#include "proxy/conn_internal.h"

#include "base/secret/secret.h"
#include "proxy/admit.h"

#define NO_DEADLINE UINT64_MAX
/*
 * Handshake steps in one turn of the loop: some 6 ms, in which bytes of others wait.  Those beyond are
 * told of again in the next turn, which costs more the fewer steps a turn has.
 */
#define SHAKES_A_TURN 24u
/* When so many have come or gone, and this much time has passed, free memory goes back to the system. */
#define TIDY_COUNT 64u
#define TIDY_MS    1000u

/* Resumed ones on loopback take the first, those between continents the last but one. */
const uint32_t proxy_handshake_bounds_us[PROXY_HANDSHAKE_BUCKETS - 1] = {
	250, 500, 1000, 2500, 5000, 10000, 50000, 250000, 1000000,
};

static void on_deadline(void *arg);
static void after_turn(void *arg);
static void on_tidy(void *arg);

static enum proxy_conn_state
state_of_list(size_t list)
{
	return list == CONN_LIST_OWN_HANDSHAKES ? CONN_HANDSHAKE : (enum proxy_conn_state)list;
}

static struct conn_list *
list_of(struct proxy_conns *conns, const struct proxy_conn *conn, enum proxy_conn_state state)
{
	if (state == CONN_HANDSHAKE && !proxy_conn_comes_in(conn))
		return &conns->lists[CONN_LIST_OWN_HANDSHAKES];
	return &conns->lists[state];
}

static int
new_timers(struct proxy_conns *conns, struct seal_err *err)
{
	int r = seal_timer_new(&conns->deadline, conns->loop, on_deadline, conns, err);

	if (r == 0)
		r = seal_timer_new(&conns->after, conns->loop, after_turn, conns, err);
	if (r == 0)
		r = seal_timer_new(&conns->tidy, conns->loop, on_tidy, conns, err);
	if (r == 0)
		r = proxy_unheard_new(conns, err);
	return r;
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
	conns->deadline_armed_ms = NO_DEADLINE;
	conns->budget = SHAKES_A_TURN;
	TAILQ_INIT(&conns->more);
	TAILQ_INIT(&conns->unheard);
	for (size_t i = 0; i < SEAL_COUNT(conns->lists); i++)
		TAILQ_INIT(&conns->lists[i]);
	r = seal_staging_new(&conns->staging, err);
	if (r == 0)
		r = new_timers(conns, err);
	if (r == 0)
		r = proxy_tally_new(&conns->sources, err);
	if (r == 0)
		r = proxy_tally_new(&conns->peers, err);
	if (r < 0) {
		proxy_conns_free(conns);
		return r;
	}
	proxy_conns_set_config(conns, config);
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
		proxy_conns_set_unheard(conn, false);
		conns->open--;
		conn->listener->counters.open--;
		proxy_conn_free(conn);
	}
	return any && conns->open == 0;
}

/*
 * A handshake needs three times the memory that a connection at rest does.  The allocator keeps what is
 * freed, in holes between what stays; they are worth more than all that stays.
 */
static void
on_tidy(void *arg)
{
	struct proxy_conns *conns = arg;

	conns->churn = 0;
	seal_memory_tidy();
}

static void
count_churn(struct proxy_conns *conns)
{
	if (++conns->churn == TIDY_COUNT)
		seal_timer_arm(conns->tidy, TIDY_MS);
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
	seal_timer_free(conns->listen);
	seal_timer_free(conns->tidy);
	seal_timer_free(conns->after);
	seal_timer_free(conns->deadline);
	seal_staging_free(conns->staging);
	proxy_tally_free(conns->sources);
	proxy_tally_free(conns->peers);
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
	TAILQ_INSERT_TAIL(list_of(conns, conn, conn->state), conn, link);
	arm_deadline(conns, conn->deadline_ms);
}

static void
count_move(struct proxy_conns *conns, struct proxy_conn *conn, enum proxy_conn_state from)
{
	bool comes_in = proxy_conn_comes_in(conn);

	if (from == CONN_NONE) {
		conns->open++;
		conn->listener->counters.open++;
	}
	if (comes_in && conn->state == CONN_HANDSHAKE)
		conns->handshakes++;
	if (comes_in && from == CONN_HANDSHAKE)
		conns->handshakes--;
	if (from == CONN_HANDSHAKE || conn->state == CONN_CLOSED)
		count_churn(conns);
}

void
proxy_conns_move(struct proxy_conns *conns, struct proxy_conn *conn, enum proxy_conn_state from)
{
	count_move(conns, conn, from);
	if (from != CONN_NONE)
		TAILQ_REMOVE(list_of(conns, conn, from), conn, link);
	append(conns, conn);
	if (conn->state == CONN_CLOSED)
		seal_timer_arm(conns->after, 0);
}

void
proxy_conns_touch(struct proxy_conns *conns, struct proxy_conn *conn)
{
	if (conn->deadline_ms == NO_DEADLINE)
		return;
	TAILQ_REMOVE(list_of(conns, conn, conn->state), conn, link);
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

/* The first step of a turn also asks for the end of the turn, which brings new ones. */
bool
proxy_conns_may_shake(struct proxy_conns *conns)
{
	if (conns->budget == 0)
		return false;
	if (conns->budget == SHAKES_A_TURN)
		seal_timer_arm(conns->after, 0);
	conns->budget--;
	return true;
}

/*
 * Who completes a handshake at once never waits long enough to be the one that gives way; who drips it
 * in, a byte a second and from many places, makes room for whoever comes next.
 */
static bool
give_way(struct proxy_conns *conns)
{
	struct proxy_conn *slowest = TAILQ_FIRST(&conns->lists[CONN_HANDSHAKE]);

	if (slowest == NULL)
		return false;
	slowest->limited = true;
	proxy_conn_step(slowest, CONN_EV_WITHDRAWN, "too many handshakes: the slowest gave way");
	return true;
}

bool
proxy_conns_make_room(struct proxy_conns *conns, const char **ret_why)
{
	const struct proxy_limits *limits = &conns->limits;

	*ret_why = "too many connections";
	if (limits->connections != 0 && conns->open >= limits->connections && !give_way(conns))
		return false;
	if (limits->handshakes != 0 && conns->handshakes >= limits->handshakes)
		(void)give_way(conns); /* there is one: they are counted */
	return true;
}

/* End those whose time is up.  Returns the nearest deadline left. */
static uint64_t
expire(struct proxy_conns *conns, size_t list, uint64_t now)
{
	struct proxy_conn *conn;

	while ((conn = TAILQ_FIRST(&conns->lists[list])) != NULL && conn->deadline_ms <= now)
		proxy_conn_step(conn, CONN_EV_DEADLINE, "deadline");
	return conn == NULL ? NO_DEADLINE : conn->deadline_ms;
}

static bool
is_live_list(size_t list)
{
	return list != CONN_NONE && list != CONN_CLOSED;
}

static void
on_deadline(void *arg)
{
	struct proxy_conns *conns = arg;
	uint64_t now = seal_loop_now_ms(conns->loop);
	uint64_t nearest = NO_DEADLINE;

	conns->deadline_armed_ms = NO_DEADLINE;
	for (size_t i = 0; i < CONN_N_LISTS; i++) {
		uint64_t at = is_live_list(i) ? expire(conns, i, now) : NO_DEADLINE;

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

	conns->budget = SHAKES_A_TURN;
	TAILQ_CONCAT(&turn, &conns->more, more);
	while ((conn = TAILQ_FIRST(&turn)) != NULL) {
		TAILQ_REMOVE(&turn, conn, more);
		conn->has_more = false;
		proxy_conn_turn(conn);
	}
	if (reap(conns) && conns->on_empty != NULL)
		conns->on_empty(conns->on_empty_arg);
}

/* Refuse a connection whose peer the state, or its listener, no longer allows. */
static void
recheck(struct proxy_conn *conn, struct proxy_identity_state *state)
{
	struct seal_err why = { 0 };

	if (!conn->admitted)
		return; /* a handshake under way: ADMIT asks the new state */
	if (conn->peer != NULL &&
	    proxy_admit_recheck(&conn->peer->peer, conn->listener->config, conn->identity, state,
				conn->admitted_at, &why) < 0) {
		proxy_conn_step(conn, CONN_EV_WITHDRAWN, why.text);
		return;
	}
	/* From now on it lives under this one: the one of its handshake need not be kept for it. */
	(void)proxy_state_ref(state);
	proxy_state_unref(conn->identity);
	conn->identity = state;
}

static void
recheck_all(struct proxy_conns *conns)
{
	struct proxy_conn *next;

	for (size_t i = 0; i < CONN_N_LISTS; i++)
		for (struct proxy_conn *conn = TAILQ_FIRST(&conns->lists[i]);
		     is_live_list(i) && conn != NULL; conn = next) {
			next = TAILQ_NEXT(conn, link);
			recheck(conn, conns->identity);
		}
}

void
proxy_conns_set_state(struct proxy_conns *conns, struct proxy_identity_state *state)
{
	(void)proxy_state_ref(state);
	proxy_state_unref(conns->identity);
	conns->identity = state;
	recheck_all(conns);
}

/* Lists are ordered because all in one have the same time: a new time is given to all at once. */
static void
rearm_all(struct proxy_conns *conns)
{
	uint64_t now = seal_loop_now_ms(conns->loop);

	for (size_t i = 0; i < CONN_N_LISTS; i++) {
		uint32_t wait = conns->deadlines[state_of_list(i)];
		uint64_t at = wait == 0 ? NO_DEADLINE : now + wait;
		struct proxy_conn *conn;

		TAILQ_FOREACH(conn, &conns->lists[i], link)
		conn->deadline_ms = at;
		if (!TAILQ_EMPTY(&conns->lists[i]))
			arm_deadline(conns, at);
	}
}

void
proxy_conns_set_config(struct proxy_conns *conns, const struct proxy_config *config)
{
	uint32_t deadlines[CONN_N_STATES] = {
		[CONN_HANDSHAKE] = config->handshake_ms,
		[CONN_DIAL] = config->connect_ms,
		[CONN_RELAY] = config->idle_ms,
		[CONN_DRAIN] = config->drain_ms,
	};

	conns->limits = config->limits;
	conns->connect_ms = config->connect_ms;
	seal_staging_set_limit(conns->staging, config->limits.memory);
	if (memcmp(conns->deadlines, deadlines, sizeof(deadlines)) != 0) {
		memcpy(conns->deadlines, deadlines, sizeof(deadlines));
		rearm_all(conns);
	}
	if (conns->identity != NULL)
		recheck_all(conns);
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

	for (size_t i = 0; i < CONN_N_LISTS; i++)
		while (is_live_list(i) && (conn = TAILQ_FIRST(&conns->lists[i])) != NULL)
			proxy_conn_step(conn, CONN_EV_WITHDRAWN, reason);
}

void
proxy_conns_on_empty(struct proxy_conns *conns, seal_timer_fn fn, void *arg)
{
	conns->on_empty = fn;
	conns->on_empty_arg = arg;
}

static void
tell(const struct proxy_conn *conn, proxy_conn_info_fn fn, void *arg)
{
	enum conn_leg from = proxy_conn_comes_in(conn) ? LEG_WIRE : LEG_APP;
	char address[SEAL_ADDR_TEXT_MAX];
	const struct proxy_conn_info info = {
		.id = conn->id,
		.listener = conn->listener,
		.state = conn->state,
		.peer = proxy_conn_peer_name(conn),
		.address = address,
		.bytes_up = conn->relay.ways[from].bytes,
		.bytes_down = conn->relay.ways[!from].bytes,
		.age_ms = seal_loop_now_ms(conn->conns->loop) - conn->started_ms,
	};

	proxy_conn_address(conn, address);
	fn(arg, &info);
}

void
proxy_conns_each(const struct proxy_conns *conns, proxy_conn_info_fn fn, void *arg)
{
	const struct proxy_conn *conn;

	for (size_t i = 0; i < CONN_N_LISTS; i++)
		if (is_live_list(i))
			TAILQ_FOREACH(conn, &conns->lists[i], link)
	tell(conn, fn, arg);
}

struct seal_staging *
proxy_conns_staging(const struct proxy_conns *conns)
{
	return conns->staging;
}

size_t
proxy_conns_open(const struct proxy_conns *conns)
{
	return conns->open;
}

size_t
proxy_conns_handshakes(const struct proxy_conns *conns)
{
	return conns->handshakes;
}
