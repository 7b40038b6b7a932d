/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "proxy/conn_internal.h"

/* The states that a walk along the table's rules can come to from start. */
static void
mark_reachable(enum proxy_conn_state start, bool seen[CONN_N_STATES])
{
	seen[start] = true;
	for (enum proxy_conn_event event = 0; event < CONN_N_EVENTS; event++) {
		enum proxy_conn_state next = proxy_conn_rule(start, event)->next;

		if (next != CONN_NONE && !seen[next])
			mark_reachable(next, seen);
	}
}

Test(proxy_conn, every_state_can_be_left_for_closed)
{
	for (enum proxy_conn_state state = CONN_NONE; state < CONN_CLOSED; state++) {
		bool seen[CONN_N_STATES] = { false };

		mark_reachable(state, seen);
		cr_expect(seen[CONN_CLOSED], "no way out of %s", proxy_conn_state_name(state));
	}
}

Test(proxy_conn, every_state_is_reached_from_the_beginning)
{
	bool seen[CONN_N_STATES] = { false };

	mark_reachable(CONN_NONE, seen);
	for (enum proxy_conn_state state = CONN_NONE; state < CONN_N_STATES; state++)
		cr_expect(seen[state], "%s is never reached", proxy_conn_state_name(state));
}

Test(proxy_conn, closed_is_left_by_nothing)
{
	for (enum proxy_conn_event event = 0; event < CONN_N_EVENTS; event++)
		cr_expect_eq(proxy_conn_rule(CONN_CLOSED, event)->next, CONN_NONE, "on %s",
			     proxy_conn_event_name(event));
}

/* Every state in which something outside is waited for. */
static const enum proxy_conn_state waiting[] = { CONN_HANDSHAKE, CONN_DIAL, CONN_RELAY,
						 CONN_DRAIN };

Test(proxy_conn, every_waiting_state_ends_by_deadline_failure_and_withdrawal)
{
	static const enum proxy_conn_event ends[] = { CONN_EV_DEADLINE, CONN_EV_FAILED,
						      CONN_EV_WITHDRAWN };

	for (size_t i = 0; i < SEAL_COUNT(waiting); i++)
		for (size_t j = 0; j < SEAL_COUNT(ends); j++) {
			const struct conn_rule *rule = proxy_conn_rule(waiting[i], ends[j]);

			cr_expect_eq(rule->next, CONN_CLOSED, "%s on %s",
				     proxy_conn_state_name(waiting[i]),
				     proxy_conn_event_name(ends[j]));
			cr_expect(rule->act != NULL, "%s on %s is not counted",
				  proxy_conn_state_name(waiting[i]),
				  proxy_conn_event_name(ends[j]));
		}
}

Test(proxy_conn, every_rule_is_one_of_those_drawn)
{
	/* The drawing at the top of conn.c, written out: a rule that is not here has no business. */
	static const struct {
		enum proxy_conn_state from;
		enum proxy_conn_event on;
		enum proxy_conn_state to;
	} drawn[] = {
		{ CONN_NONE, CONN_EV_FROM_WIRE, CONN_HANDSHAKE },
		{ CONN_NONE, CONN_EV_FROM_APP, CONN_DIAL },
		{ CONN_NONE, CONN_EV_DENIED, CONN_CLOSED },
		{ CONN_NONE, CONN_EV_FAILED, CONN_CLOSED },
		{ CONN_HANDSHAKE, CONN_EV_TLS_UP, CONN_ADMIT },
		{ CONN_HANDSHAKE, CONN_EV_FAILED, CONN_CLOSED },
		{ CONN_HANDSHAKE, CONN_EV_RETRY, CONN_DIAL },
		{ CONN_HANDSHAKE, CONN_EV_DEADLINE, CONN_CLOSED },
		{ CONN_HANDSHAKE, CONN_EV_WITHDRAWN, CONN_CLOSED },
		{ CONN_ADMIT, CONN_EV_ALLOWED, CONN_DIAL },
		{ CONN_ADMIT, CONN_EV_JOINED, CONN_RELAY },
		{ CONN_ADMIT, CONN_EV_DENIED, CONN_CLOSED },
		{ CONN_ADMIT, CONN_EV_WITHDRAWN, CONN_CLOSED },
		{ CONN_DIAL, CONN_EV_WIRE_UP, CONN_HANDSHAKE },
		{ CONN_DIAL, CONN_EV_JOINED, CONN_RELAY },
		{ CONN_DIAL, CONN_EV_FAILED, CONN_CLOSED },
		{ CONN_DIAL, CONN_EV_DEADLINE, CONN_CLOSED },
		{ CONN_DIAL, CONN_EV_WITHDRAWN, CONN_CLOSED },
		{ CONN_RELAY, CONN_EV_EOF, CONN_DRAIN },
		{ CONN_RELAY, CONN_EV_FLUSHED, CONN_CLOSED },
		{ CONN_RELAY, CONN_EV_FAILED, CONN_CLOSED },
		{ CONN_RELAY, CONN_EV_DEADLINE, CONN_CLOSED },
		{ CONN_RELAY, CONN_EV_WITHDRAWN, CONN_CLOSED },
		{ CONN_DRAIN, CONN_EV_FLUSHED, CONN_CLOSED },
		{ CONN_DRAIN, CONN_EV_FAILED, CONN_CLOSED },
		{ CONN_DRAIN, CONN_EV_DEADLINE, CONN_CLOSED },
		{ CONN_DRAIN, CONN_EV_WITHDRAWN, CONN_CLOSED },
	};

	for (enum proxy_conn_state state = CONN_NONE; state < CONN_N_STATES; state++)
		for (enum proxy_conn_event event = 0; event < CONN_N_EVENTS; event++) {
			enum proxy_conn_state expected = CONN_NONE;

			for (size_t i = 0; i < SEAL_COUNT(drawn); i++)
				if (drawn[i].from == state && drawn[i].on == event)
					expected = drawn[i].to;
			cr_expect_eq(proxy_conn_rule(state, event)->next, expected, "%s on %s",
				     proxy_conn_state_name(state), proxy_conn_event_name(event));
		}
}
