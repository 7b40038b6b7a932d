/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One caller of the agent, as a state machine:
 *
 *   accept ─▶ HELLO ─hello─▶ PROOF ─request─▶ REPLY ─sent─▶ IDLE
 *               │              │  │            ▲ ▲           │ │
 *               │              │  └─▶ WAIT ────┘ └──request──┘ │
 *               │              │       │ ▲ └──────────────────┘
 *               ▼              ▼       ▼ later        (end, deadline: from everywhere)
 *             CLOSED ◀─────────┴───────┴── ...
 *
 * One frame is read at a time, and nothing of the next before the last is answered: who sends ahead
 * fills the socket, not our memory.  A caller at rest holds no buffer.  What a request means is
 * agent_ask.c's.
 */
#include "proxy/agent_internal.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/fs/fs.h"

/*
 * What opens the first sealed frame has the token; until then it may be no longer than a request for a
 * spec, which comes from an argument.
 */
#define FIRST_FRAME_MAX (160u * 1024)
/* Frames up to this need no permission: who only says hello waits for nobody. */
#define SMALL_FRAME_MAX (16u * 1024)

static const enum agent_state next_states[AGENT_N_STATES][AGENT_N_EVENTS] = {
	[AGENT_HELLO] = {
		[AGENT_EV_HELLO]    = AGENT_PROOF,
		[AGENT_EV_END]      = AGENT_CLOSED,
		[AGENT_EV_DEADLINE] = AGENT_CLOSED,
	},
	[AGENT_PROOF] = {
		[AGENT_EV_LATER]    = AGENT_WAIT,
		[AGENT_EV_ANSWER]   = AGENT_REPLY,
		[AGENT_EV_SENT]     = AGENT_PROOF,
		[AGENT_EV_END]      = AGENT_CLOSED,
		[AGENT_EV_DEADLINE] = AGENT_CLOSED,
	},
	[AGENT_IDLE] = {
		[AGENT_EV_LATER]    = AGENT_WAIT,
		[AGENT_EV_ANSWER]   = AGENT_REPLY,
		[AGENT_EV_END]      = AGENT_CLOSED,
		[AGENT_EV_DEADLINE] = AGENT_CLOSED,
	},
	[AGENT_WAIT] = {
		[AGENT_EV_ANSWER]   = AGENT_REPLY,
		[AGENT_EV_END]      = AGENT_CLOSED,
	},
	[AGENT_REPLY] = {
		[AGENT_EV_SENT]     = AGENT_IDLE,
		[AGENT_EV_END]      = AGENT_CLOSED,
		[AGENT_EV_DEADLINE] = AGENT_CLOSED,
	},
	[AGENT_CLOSED] = {
		[AGENT_EV_END]      = AGENT_CLOSED,
	},
};

enum agent_state
agent_next_state(enum agent_state state, enum agent_event event)
{
	return next_states[state][event];
}

static void
release_frames(struct agent_conn *conn)
{
	seal_bytes_release(&conn->in);
	seal_bytes_release(&conn->out);
	conn->sent = 0;
	agent_uncharge(conn);
}

/* The only writer of the state. */
static void
step(struct agent_conn *conn, enum agent_event event)
{
	enum agent_state next = agent_next_state(conn->state, event);

	if (next == AGENT_NO_STATE)
		next = AGENT_CLOSED; /* our bug; the connection pays for it */
	if (next == conn->state)
		return;
	conn->state = next;
	if (next == AGENT_REPLY)
		seal_timer_arm(conn->deadline, PROXY_AGENT_FRAME_MS);
	else if (next != AGENT_PROOF) /* which lives on what the hello has left */
		seal_timer_disarm(conn->deadline);
	if (next == AGENT_IDLE)
		release_frames(conn);
}

/* Whoever has not proved anything yet is told nothing; the log is. */
static void
end(struct agent_conn *conn, enum agent_event event, const char *why)
{
	if (!conn->is_counted)
		agent_refused(conn, why);
	step(conn, event);
}

/* Last in every callback: what is over is freed, and nothing may touch it afterwards. */
static void
settle(struct agent_conn *conn)
{
	bool reads = conn->state == AGENT_HELLO || conn->state == AGENT_PROOF ||
		     conn->state == AGENT_IDLE || conn->state == AGENT_WAIT;

	if (conn->state == AGENT_CLOSED) {
		agent_conn_free(conn);
		return;
	}
	seal_watch_want(conn->watch, reads && !conn->is_stalled, conn->sent < conn->out.len);
}

/* ---- Answers ---- */

static void
flush(struct agent_conn *conn)
{
	while (conn->sent < conn->out.len) {
		ssize_t n = send(conn->fd, conn->out.data + conn->sent, conn->out.len - conn->sent,
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			end(conn, AGENT_EV_END, "it went away");
			return;
		}
		conn->sent += (size_t)n;
	}
	seal_bytes_release(&conn->out);
	conn->sent = 0;
	step(conn, AGENT_EV_SENT);
}

static void
send_answer(struct agent_conn *conn, const struct verify_answer *answer)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_FRAME_MAX);
	struct seal_err err = { 0 };
	int r = verify_answer_encode(answer, &text, &err);

	if (r == 0)
		r = verify_channel_seal(conn->channel, &conn->out, text.data, text.len, &err);
	if (r < 0) {
		end(conn, AGENT_EV_END, err.text);
		return;
	}
	step(conn, AGENT_EV_ANSWER);
	flush(conn);
}

void
agent_conn_look(struct agent_conn *conn, bool is_ready, uint64_t now_ms)
{
	struct verify_answer answer = { .code = 0 };

	if (!is_ready && now_ms < conn->wait_until_ms)
		return;
	if (!is_ready) {
		answer.code = SEAL_E_TIMEOUT;
		(void)snprintf(answer.message, sizeof(answer.message), "not ready yet");
	}
	send_answer(conn, &answer);
	settle(conn);
}

/* ---- Frames ---- */

static int
make_channel(struct agent_conn *conn, const struct verify_hello *hello,
	     const struct verify_hello *ours, struct seal_err *err)
{
	SEAL_SCOPED(verify_token_release) struct verify_token token = { 0 };
	int r = proxy_keys_token(conn->agent->keys, &token, hello->container, hello->generation,
				 err);

	return r < 0 ? r
		     : verify_channel_new(&conn->channel, VERIFY_AT_AGENT, &token, hello->nonce,
					  ours->nonce, err);
}

static int
answer_hello(struct agent_conn *conn, const struct verify_hello *hello, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_HELLO_MAX);
	struct verify_hello ours = *hello;
	int r = seal_random(ours.nonce, sizeof(ours.nonce), err);

	if (r == 0)
		r = make_channel(conn, hello, &ours, err);
	if (r == 0)
		r = verify_hello_encode(&ours, &text, err);
	if (r == 0)
		r = verify_frame_append(&conn->out, text.data, text.len, err);
	if (r == 0)
		r = verify_channel_seal(conn->channel, &conn->out, VERIFY_AGENT_PROOF,
					strlen(VERIFY_AGENT_PROOF), err);
	return r;
}

static void
take_hello(struct agent_conn *conn, const uint8_t *data, size_t len)
{
	struct verify_hello hello = { .generation = 0 };
	struct seal_err err = { 0 };
	int r = verify_hello_parse(&hello, data, len, &err);

	if (r == 0) {
		(void)snprintf(conn->container, sizeof(conn->container), "%s", hello.container);
		r = answer_hello(conn, &hello, &err);
	}
	seal_bytes_release(&conn->in);
	if (r < 0) {
		end(conn, AGENT_EV_END, err.text);
		return;
	}
	step(conn, AGENT_EV_HELLO);
	flush(conn);
}

static void
wait_for_ready(struct agent_conn *conn, uint32_t wait_ms)
{
	conn->wait_until_ms = seal_loop_now_ms(conn->agent->loop) + wait_ms;
	release_frames(conn);
	step(conn, AGENT_EV_LATER);
	agent_look_soon(conn->agent);
}

/* From a caller that has proved who it is. */
static void
take_request(struct agent_conn *conn, const struct seal_secret *text)
{
	struct agent_reply reply = { .text = SEAL_BYTES(VERIFY_SEALED_MAX) };
	struct verify_request request = { .kind = VERIFY_ASK_STATUS };
	struct seal_err err = { 0 };
	uint64_t missed;

	if (verify_request_parse(&request, seal_secret_peek(text), seal_secret_len(text), &err) <
	    0) {
		if (seal_log_may(&conn->agent->nonsense, 5, &missed))
			seal_log(SEAL_LOG_WARN, "agent_not_understood",
				 SEAL_STR("container", conn->container),
				 SEAL_STR("reason", err.text), SEAL_U64("missed", missed));
		step(conn, AGENT_EV_END);
		return;
	}
	agent_ask(conn, &request, &reply);
	if (reply.is_later)
		wait_for_ready(conn, request.wait_ms);
	else
		send_answer(conn, &reply.answer);
	agent_reply_release(&reply);
}

static void
take_sealed(struct agent_conn *conn, const uint8_t *data, size_t len)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	struct seal_err err = { 0 };
	int r = verify_channel_open(conn->channel, &text, data, len, &err);

	seal_bytes_release(&conn->in);
	seal_timer_disarm(conn->deadline);
	if (r < 0) {
		end(conn, AGENT_EV_END, "it has not this container's token");
		return;
	}
	if (!conn->is_counted && !agent_admit(conn)) {
		step(conn, AGENT_EV_END);
		return;
	}
	take_request(conn, text);
}

static size_t
frame_max(const struct agent_conn *conn)
{
	if (conn->state == AGENT_HELLO)
		return VERIFY_HELLO_MAX;
	return conn->state == AGENT_PROOF ? FIRST_FRAME_MAX : VERIFY_FRAME_MAX;
}

/*
 * How many bytes of this frame are still to come, SIZE_MAX for what can be none.  Never more than this
 * one's: what comes behind stays in the socket.
 */
static size_t
bytes_missing(struct agent_conn *conn)
{
	struct seal_reader head;
	size_t len;

	if (conn->in.len < VERIFY_FRAME_HEAD) /* then data may be NULL */
		return VERIFY_FRAME_HEAD - conn->in.len;
	head = (struct seal_reader){ .at = conn->in.data,
				     .end = conn->in.data + VERIFY_FRAME_HEAD };
	len = seal_get_u32(&head);
	if (len == 0 || len > frame_max(conn))
		return SIZE_MAX;
	if (len > SMALL_FRAME_MAX && conn->charged == 0 && !agent_charge(conn, len))
		return 0;
	return VERIFY_FRAME_HEAD + len - conn->in.len;
}

/* True when the frame is whole; false when it is not, or the connection is at its end. */
static bool
read_frame(struct agent_conn *conn)
{
	size_t missing;

	while ((missing = bytes_missing(conn)) > 0) {
		ssize_t n;

		if (missing == SIZE_MAX || seal_bytes_reserve(&conn->in, missing, NULL) < 0) {
			end(conn, AGENT_EV_END, "it says what is no frame");
			return false;
		}
		n = recv(conn->fd, conn->in.data + conn->in.len, missing, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return false;
		if (n <= 0) {
			end(conn, AGENT_EV_END, "it went away");
			return false;
		}
		if (conn->in.len == 0 && conn->state == AGENT_IDLE)
			seal_timer_arm(conn->deadline, PROXY_AGENT_FRAME_MS);
		conn->in.len += (size_t)n;
		conn->in.data[conn->in.len] = '\0';
	}
	return !conn->is_stalled;
}

/* One who waits says nothing: whatever can be read is its end. */
static void
watch_waiter(struct agent_conn *conn)
{
	char byte;
	ssize_t n = recv(conn->fd, &byte, 1, MSG_PEEK);

	if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		step(conn, AGENT_EV_END);
}

static void
on_readable(struct agent_conn *conn)
{
	if (conn->state == AGENT_WAIT) {
		watch_waiter(conn);
		return;
	}
	if (conn->state == AGENT_REPLY || !read_frame(conn))
		return;
	if (conn->state == AGENT_HELLO)
		take_hello(conn, conn->in.data + VERIFY_FRAME_HEAD,
			   conn->in.len - VERIFY_FRAME_HEAD);
	else
		take_sealed(conn, conn->in.data + VERIFY_FRAME_HEAD,
			    conn->in.len - VERIFY_FRAME_HEAD);
}

static void
on_event(void *arg, bool readable, bool writable)
{
	struct agent_conn *conn = arg;

	if (writable && conn->sent < conn->out.len)
		flush(conn);
	if (readable && conn->state != AGENT_CLOSED)
		on_readable(conn);
	settle(conn);
}

static void
on_deadline(void *arg)
{
	struct agent_conn *conn = arg;

	end(conn, AGENT_EV_DEADLINE, "it took too long to say who it is");
	settle(conn);
}

void
agent_conn_resume(struct agent_conn *conn)
{
	conn->is_stalled = false;
	seal_watch_want(conn->watch, true, conn->sent < conn->out.len);
}

/* ---- Beginning and end ---- */

static void
enlist(struct agent_conn *conn)
{
	struct proxy_agent *agent = conn->agent;

	conn->next = agent->conns;
	if (conn->next != NULL)
		conn->next->prev = conn;
	agent->conns = conn;
	conn->number = ++agent->made;
	agent->strangers++;
}

static void
delist(struct agent_conn *conn)
{
	struct proxy_agent *agent = conn->agent;

	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		agent->conns = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	if (conn->is_counted)
		agent->callers--;
	else
		agent->strangers--;
}

int
agent_conn_new(struct proxy_agent *agent, int fd, struct seal_err *err)
{
	struct agent_conn *conn = calloc(1, sizeof(*conn));
	int r;

	if (conn == NULL) {
		seal_close(fd);
		return seal_fail_memory(err);
	}
	conn->agent = agent;
	conn->state = AGENT_HELLO;
	conn->fd = fd;
	seal_bytes_init(&conn->in, VERIFY_FRAME_HEAD + VERIFY_FRAME_MAX);
	seal_bytes_init(&conn->out, VERIFY_FRAME_HEAD + VERIFY_FRAME_MAX);
	enlist(conn);
	r = seal_watch_new(&conn->watch, agent->loop, fd, on_event, conn, err);
	if (r == 0)
		r = seal_timer_new(&conn->deadline, agent->loop, on_deadline, conn, err);
	if (r < 0) {
		agent_conn_free(conn);
		return r;
	}
	seal_timer_arm(conn->deadline, PROXY_AGENT_HELLO_MS);
	seal_watch_want(conn->watch, true, false);
	return 0;
}

void
agent_conn_free(struct agent_conn *conn)
{
	uint64_t missed;

	if (conn->role == AGENT_MAIN && seal_log_may(&conn->agent->comings, 10, &missed))
		seal_log(SEAL_LOG_INFO, "container_left", SEAL_STR("container", conn->container),
			 SEAL_U64("missed", missed));
	delist(conn);
	release_frames(conn);
	seal_watch_free(conn->watch);
	seal_timer_free(conn->deadline);
	seal_close(conn->fd);
	verify_channel_free(conn->channel);
	seal_strv_release(&conn->objects);
	free(conn->given);
	free(conn);
}
