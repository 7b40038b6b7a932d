/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's door, and the list of who came in.  A stranger costs a descriptor and a few hundred bytes
 * for five seconds; when there are too many, the one that has been there longest gives way, so that who
 * has a token always finds a place.  Among those who have one it is the container with the most connections that
 * gives one up: neither another container nor an application among its probes can be kept out.
 */
#include "proxy/agent_internal.h"

#include "base/fs/fs.h"
#include "base/secret/secret.h"

/* The token says who may ask; everybody may try. */
#define SOCKET_MODE    0666
#define ACCEPT_BATCH   8
#define ACCEPT_REST_MS 100
/* How often it is looked whether the proxy is ready, while somebody wants to know. */
#define LOOK_MS 10

/* ---- Who is there ---- */

unsigned
agent_count(const struct proxy_agent *agent, const char *container, bool any)
{
	unsigned count = 0;

	for (const struct agent_conn *conn = agent->conns; conn != NULL; conn = conn->next)
		if (conn->is_counted && conn->state != AGENT_CLOSED &&
		    strcmp(conn->container, container) == 0)
			count += any || conn->role == AGENT_MAIN;
	return count;
}

/* The container that holds most places: conn's own, unless another one holds more. */
static const char *
find_greediest(const struct agent_conn *conn)
{
	const char *greediest = conn->container;
	unsigned most = agent_count(conn->agent, conn->container, true);

	for (const struct agent_conn *at = conn->agent->conns; at != NULL; at = at->next) {
		const unsigned count = agent_count(conn->agent, at->container, true);

		if (at->is_counted && count > most) {
			greediest = at->container;
			most = count;
		}
	}
	return greediest;
}

/* Its oldest, for the list begins with the latest; but who holds the application's spec stays. */
static bool
make_place(const struct agent_conn *conn)
{
	const char *greediest = find_greediest(conn);
	struct agent_conn *oldest = NULL;

	for (struct agent_conn *at = conn->agent->conns; at != NULL; at = at->next)
		if (at->is_counted && at->role != AGENT_MAIN &&
		    strcmp(at->container, greediest) == 0)
			oldest = at;
	if (oldest == NULL)
		return false;
	agent_conn_free(oldest);
	return true;
}

bool
agent_admit(struct agent_conn *conn)
{
	struct proxy_agent *agent = conn->agent;

	if (agent->callers >= PROXY_AGENT_CALLERS_MAX ||
	    agent_count(agent, conn->container, true) >= PROXY_AGENT_CONTAINER_MAX) {
		agent->counters.limited++;
		if (!make_place(conn))
			return false;
	}
	conn->is_counted = true;
	agent->callers++;
	agent->strangers--;
	agent->counters.served++;
	return true;
}

void
agent_refused(struct agent_conn *conn, const char *why)
{
	struct proxy_agent *agent = conn->agent;
	uint64_t missed;

	agent->counters.refused++;
	if (seal_log_may(&agent->refusals, 5, &missed))
		seal_log(SEAL_LOG_WARN, "agent_refused", SEAL_STR("container", conn->container),
			 SEAL_STR("reason", why), SEAL_U64("missed", missed));
}

/* What all callers of that one's container hold, or all strangers: what a stranger calls itself means nothing. */
static size_t
held_with(const struct agent_conn *conn)
{
	size_t held = 0;

	for (const struct agent_conn *at = conn->agent->conns; at != NULL; at = at->next)
		if (at->is_counted == conn->is_counted &&
		    (!at->is_counted || strcmp(at->container, conn->container) == 0))
			held += at->charged;
	return held;
}

bool
agent_charge(struct agent_conn *conn, size_t len)
{
	struct proxy_agent *agent = conn->agent;
	const size_t held = held_with(conn);

	if ((agent->memory > 0 && len > PROXY_AGENT_MEMORY_MAX - agent->memory) ||
	    (held > 0 && held + len > PROXY_AGENT_SHARE_MAX)) {
		conn->is_stalled = true;
		return false;
	}
	agent->memory += len;
	conn->charged += len;
	return true;
}

void
agent_uncharge(struct agent_conn *conn)
{
	struct proxy_agent *agent = conn->agent;
	bool was_charged = conn->charged > 0;

	agent->memory -= conn->charged;
	conn->charged = 0;
	if (was_charged && agent->memory == 0)
		seal_memory_tidy(); /* large values are rare: what they took is not kept for the next */
	for (struct agent_conn *other = agent->conns; was_charged && other != NULL;
	     other = other->next)
		if (other->is_stalled && other != conn)
			agent_conn_resume(other);
}

/* ---- Those who wait ---- */

void
agent_look_soon(struct proxy_agent *agent)
{
	seal_timer_arm(agent->look, LOOK_MS);
}

static void
on_look(void *arg)
{
	struct proxy_agent *agent = arg;
	uint64_t now_ms = seal_loop_now_ms(agent->loop);
	bool is_ready = agent->is_ready(agent->arg);
	struct agent_conn *next;
	bool waits = false;

	for (struct agent_conn *conn = agent->conns; conn != NULL; conn = next) {
		next = conn->next;
		if (conn->state == AGENT_WAIT)
			agent_conn_look(conn, is_ready, now_ms); /* which may free it */
	}
	for (const struct agent_conn *conn = agent->conns; conn != NULL; conn = conn->next)
		waits |= conn->state == AGENT_WAIT;
	if (waits)
		agent_look_soon(agent);
}

/* ---- The door ---- */

/* The list begins with the latest. */
static void
make_way(struct proxy_agent *agent)
{
	struct agent_conn *oldest = NULL;

	for (struct agent_conn *conn = agent->conns; conn != NULL; conn = conn->next)
		if (!conn->is_counted)
			oldest = conn;
	if (oldest == NULL)
		return;
	agent->counters.limited++;
	agent_conn_free(oldest);
}

/* False when nobody is waiting, or nothing is left to accept with. */
static bool
accept_one(struct proxy_agent *agent)
{
	struct sockaddr_storage addr;
	struct seal_err err = { 0 };
	socklen_t len;
	int fd = seal_accept(agent->fd, &addr, &len, &err);

	if (fd == SEAL_E_TIMEOUT)
		return false;
	if (fd < 0) {
		seal_watch_want(agent->watch, false, false);
		seal_timer_arm(agent->rest, ACCEPT_REST_MS);
		return false;
	}
	if (agent->strangers >= PROXY_AGENT_STRANGERS_MAX)
		make_way(agent);
	if (agent_conn_new(agent, fd, &err) < 0)
		agent->counters.limited++;
	return true;
}

static void
on_knock(void *arg, bool readable, bool writable)
{
	struct proxy_agent *agent = arg;

	(void)readable;
	(void)writable;
	for (int i = 0; i < ACCEPT_BATCH && accept_one(agent); i++)
		;
}

static void
on_rested(void *arg)
{
	struct proxy_agent *agent = arg;

	seal_watch_want(agent->watch, true, false);
}

/* The socket's folder is not ours to make: it has to be the memory that the pod's containers share. */
static int
open_door(struct proxy_agent *agent, struct seal_err *err)
{
	int r = seal_listen(&agent->endpoint, SOCKET_MODE, err);

	if (r == SEAL_E_MISSING)
		return seal_fail(err, SEAL_E_MISSING,
				 "agent: the folder of %s is not there: mount the memory volume "
				 "that the pod's containers share",
				 agent->endpoint.host);
	if (r < 0)
		return seal_note(err, r, "agent");
	agent->fd = r;
	seal_socket_file_note(&agent->file, &agent->endpoint);
	r = seal_watch_new(&agent->watch, agent->loop, agent->fd, on_knock, agent, err);
	if (r == 0)
		seal_watch_want(agent->watch, true, false);
	return r;
}

int
proxy_agent_new(struct proxy_agent **ret_agent, const struct proxy_agent_config *config,
		struct seal_err *err)
{
	SEAL_SCOPED(proxy_agent_freep) struct proxy_agent *agent = calloc(1, sizeof(*agent));
	int r;

	if (agent == NULL)
		return seal_fail_memory(err);
	agent->fd = -1;
	agent->loop = config->loop;
	agent->endpoint = *config->endpoint;
	agent->keys = config->keys;
	agent->own = *config->own;
	agent->is_ready = config->is_ready;
	agent->suspend = config->suspend;
	agent->arg = config->arg;
	r = seal_timer_new(&agent->rest, agent->loop, on_rested, agent, err);
	if (r == 0)
		r = seal_timer_new(&agent->look, agent->loop, on_look, agent, err);
	if (r == 0)
		r = open_door(agent, err);
	if (r < 0)
		return r;
	*ret_agent = SEAL_TAKE(agent);
	return 0;
}

void
proxy_agent_free(struct proxy_agent *agent)
{
	if (agent == NULL)
		return;
	while (agent->conns != NULL)
		agent_conn_free(agent->conns);
	seal_watch_free(agent->watch);
	seal_timer_free(agent->rest);
	seal_timer_free(agent->look);
	if (agent->fd >= 0)
		seal_socket_file_remove(&agent->file, &agent->endpoint);
	seal_close(agent->fd);
	free(agent);
}

void
proxy_agent_freep(struct proxy_agent **agent)
{
	proxy_agent_free(*agent);
	*agent = NULL;
}

/* ---- A look at it ---- */

static struct proxy_agent_container *
find_container(struct proxy_agent_view *view, const char *name)
{
	struct proxy_agent_container *at = view->containers;

	while (at < view->containers + view->container_count && strcmp(at->name, name) != 0)
		at++;
	if (at == view->containers + view->container_count) {
		*at = (struct proxy_agent_container){ 0 };
		(void)snprintf(at->name, sizeof(at->name), "%s", name);
		view->container_count++;
	}
	return at;
}

void
proxy_agent_look(const struct proxy_agent *agent, struct proxy_agent_view *ret_view)
{
	ret_view->own = agent->own;
	ret_view->counters = agent->counters;
	ret_view->callers = agent->callers;
	ret_view->container_count = 0;
	ret_view->is_suspended = proxy_agent_suspicion(agent) != NULL;
	ret_view->suspect_count = agent->suspect_count;
	for (size_t i = 0; i < agent->suspect_count; i++)
		ret_view->suspects[i] = agent->suspects[i].is;
	for (const struct agent_conn *conn = agent->conns; conn != NULL; conn = conn->next) {
		struct proxy_agent_container *container;

		if (!conn->is_counted) /* so that they fit */
			continue;
		container = find_container(ret_view, conn->container);
		container->callers++;
		container->is_running |= conn->role == AGENT_MAIN;
	}
}
