/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_AGENT_INTERNAL_H
#define SEAL_PROXY_AGENT_INTERNAL_H

/*
 * What the agent's files share: agent.c holds the door and the list, agent_conn.c moves frames over one
 * connection, agent_ask.c knows who may ask what, agent_suspect.c who is not what it should be.
 */

#include "base/log/log.h"
#include "config-verify/agent.h"
#include "config-verify/spec.h"
#include "proxy/agent.h"

enum agent_state {
	AGENT_NO_STATE, /* an event that cannot come */
	AGENT_HELLO,    /* nothing is known of the caller */
	AGENT_PROOF,    /* it said hello, and was answered: its first request has to open */
	AGENT_IDLE,     /* authenticated; waits for a request, or for the rest of one */
	AGENT_WAIT,     /* asked to be told when the proxy is ready */
	AGENT_REPLY,    /* an answer is being sent */
	AGENT_CLOSED,
	AGENT_N_STATES
};

enum agent_event {
	AGENT_EV_HELLO,  /* a hello has been answered */
	AGENT_EV_LATER,  /* a request can only be answered later */
	AGENT_EV_ANSWER, /* an answer is there to be sent */
	AGENT_EV_SENT,   /* all of it */
	AGENT_EV_END,    /* the other side went away, in order, or says what nobody understands */
	AGENT_EV_DEADLINE,
	AGENT_N_EVENTS
};

/* What a caller has opened: a caller opens one spec. */
enum agent_role { AGENT_NO_ROLE, AGENT_MAIN, AGENT_EXEC, AGENT_PLACE };

struct agent_conn {
	struct agent_conn *next;
	struct agent_conn *prev;
	struct proxy_agent *agent;
	enum agent_state state;
	uint64_t number; /* of all that came, this one */
	int fd;
	struct seal_watch *watch;
	struct seal_timer *deadline;
	struct seal_bytes in;  /* one frame, as far as it has come */
	struct seal_bytes out; /* what is being sent, */
	size_t sent;           /* and how much of it was */
	size_t charged;        /* of the agent's memory */
	bool is_stalled;       /* waits for some of it */
	bool is_counted;       /* among the callers; otherwise a stranger */
	char container[VERIFY_CONTAINER_MAX + 1];
	struct verify_channel *channel;
	enum agent_role role;
	struct seal_strv objects; /* that its spec names: "ConfigMap/app"; all that is kept of it */
	uint64_t *given;        /* AGENT_MAIN: of each of them the oldest generation it was given */
	uint64_t wait_until_ms; /* AGENT_WAIT */
};

struct agent_suspect {
	struct proxy_agent_suspect is;
	uint64_t before; /* how many connections had been made when it was suspected last */
	struct seal_log_limit lines;
};

struct proxy_agent {
	struct seal_loop *loop;
	struct seal_endpoint endpoint;
	struct seal_socket_file file;
	struct proxy_keys *keys;
	struct verify_binding own;
	bool (*is_ready)(void *arg);
	void (*suspend)(void *arg, const char *why);
	void *arg;
	int fd;
	struct seal_watch *watch;
	struct seal_timer *rest;  /* of the door, when there is nothing to accept with */
	struct seal_timer *look;  /* for those who wait */
	struct agent_conn *conns; /* the latest first */
	uint64_t made;            /* connections, since the start */
	size_t callers;
	size_t strangers;
	size_t memory;
	struct proxy_agent_counters counters;
	struct seal_log_limit refusals;
	struct seal_log_limit failures;
	struct seal_log_limit nonsense;
	struct seal_log_limit comings; /* and goings */
	struct agent_suspect suspects[PROXY_AGENT_SUSPECTS_MAX];
	size_t suspect_count;
	char suspicion[PROXY_AGENT_SENTENCE_MAX]; /* "": everything is as it should be */
};

/* ---- agent.c ---- */

/* Callers of that container that hold its spec; or, with any set, all of them. */
unsigned agent_count(const struct proxy_agent *agent, const char *container, bool any);
/* A stranger has proved who it is: another gives way to it, if need be.  False when none can. */
bool agent_admit(struct agent_conn *conn);
/* Take len bytes of what all may hold together; false: not now, and the connection is stalled. */
bool agent_charge(struct agent_conn *conn, size_t len);
/* Give all of its bytes back, and let who is stalled go on. */
void agent_uncharge(struct agent_conn *conn);
/* Somebody waits. */
void agent_look_soon(struct proxy_agent *agent);
/* Tell in the log, now and then, why a stranger was not answered, and count it. */
void agent_refused(struct agent_conn *conn, const char *why);

/* ---- agent_conn.c ---- */

/* Takes the descriptor over, on failure too. */
SEAL_CHECKED int agent_conn_new(struct proxy_agent *agent, int fd, struct seal_err *err);
void agent_conn_free(struct agent_conn *conn);
/* Read on after having been stalled. */
void agent_conn_resume(struct agent_conn *conn);
/* Of one that waits: the answer, when it is time. */
void agent_conn_look(struct agent_conn *conn, bool is_ready, uint64_t now_ms);
/* For the table's test. */
enum agent_state agent_next_state(enum agent_state state, enum agent_event event);

/* ---- agent_ask.c ---- */

struct agent_reply {
	struct verify_answer answer; /* whose data is borrowed from one of these */
	struct seal_secret *plain;
	struct seal_bytes text;
	bool is_later; /* there is none yet */
};
void agent_reply_release(struct agent_reply *reply);
/* Answer an authenticated caller. */
void agent_ask(struct agent_conn *conn, const struct verify_request *request,
	       struct agent_reply *reply);

/* ---- agent_suspect.c ---- */

/* The caller's container says so of itself; with suspend nothing is served until it is back. */
SEAL_CHECKED int agent_suspect(struct agent_conn *conn, const char *reason, size_t reason_len,
			       bool suspend, struct seal_err *err);
/* The caller's checks have passed: it is back, if it is another than the one that was suspected. */
void agent_is_back(struct agent_conn *conn);

#endif
