/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_AGENT_H
#define SEAL_PROXY_AGENT_H

/*
 * The agent: what opens sealed values for the containers of the pod, over a local socket that every
 * process of the pod can connect to.  Who asks is told by the container token alone, and proved in both
 * directions before anything is answered (config-verify/agent.h); whoever cannot is closed without a
 * word.  What a container may ask:
 *
 *   its own spec           while no other connection of that container holds it: one application a time
 *   of a probe or a hook   while the connection that holds the spec lives; "not yet" otherwise
 *   of placeholders        at any time
 *   a value                of an object that the spec opened on that connection names, no older than
 *                          the object's bound (keys.h)
 *   ready, status          at any time
 *   to be suspected        at any time: it says so of itself, and nobody can of another
 *   data to be sealed      at any time; and what was sealed so to be opened
 *
 * A spec is opened when it is sealed for the token's container and of the very object, and the very
 * generation, from which the sidecar's own configuration comes.  Everything runs in the loop's thread.
 */

#include "base/loop/loop.h"
#include "base/loop/net.h"
#include "config-verify/agent.h"
#include "proxy/keys.h"

/*
 * Callers that have proved who they are, in all and of one container, and those that have not yet.  Beyond it
 * the oldest of the container that has most gives way, but never who holds an application's spec.
 */
#define PROXY_AGENT_CALLERS_MAX   64
#define PROXY_AGENT_CONTAINER_MAX 16
#define PROXY_AGENT_STRANGERS_MAX 16
/* Bytes of requests and answers under way, of all callers together. */
#define PROXY_AGENT_MEMORY_MAX (16u * 1024 * 1024)
/* Of that, callers of one container, and strangers: who holds on to its own delays nobody else. */
#define PROXY_AGENT_SHARE_MAX (PROXY_AGENT_MEMORY_MAX / 4)

/* Containers that have been suspected, at a time. */
#define PROXY_AGENT_SUSPECTS_MAX 64
#define PROXY_AGENT_SENTENCE_MAX 512

/* How long a stranger may take to prove who he is, and a caller over one request or answer. */
#define PROXY_AGENT_HELLO_MS 5000
#define PROXY_AGENT_FRAME_MS 10000

struct proxy_agent;

struct proxy_agent_config {
	struct seal_loop *loop;
	const struct seal_endpoint *endpoint; /* a unix socket, in a folder that exists */
	struct proxy_keys *keys;
	const struct verify_binding *own; /* of the sidecar's configuration; copied */
	bool (*is_ready)(void *arg);      /* does the proxy serve? */
	/* NULL, or: from now on it must not serve, for this reason; NULL: it may again. */
	void (*suspend)(void *arg, const char *why);
	void *arg;
};

/* Serves from now on. */
SEAL_CHECKED int proxy_agent_new(struct proxy_agent **ret_agent,
				 const struct proxy_agent_config *config, struct seal_err *err);
/* Ends every connection at once. */
void proxy_agent_free(struct proxy_agent *agent);
void proxy_agent_freep(struct proxy_agent **agent);

struct proxy_agent_counters {
	uint64_t served;   /* callers that proved who they are */
	uint64_t refused;  /* that could not: no token, another's, a retired one, or too slow */
	uint64_t limited;  /* times that there were too many, and one was turned away */
	uint64_t opened;   /* values */
	uint64_t unopened; /* values that were not allowed, or could not be opened */
};

struct proxy_agent_container {
	char name[VERIFY_CONTAINER_MAX + 1];
	unsigned callers;
	bool is_running; /* one of them holds the spec */
};

/* A container that said of itself that it is not what it should be. */
struct proxy_agent_suspect {
	char name[VERIFY_CONTAINER_MAX + 1];
	char reason[VERIFY_SUSPECT_MAX + 1]; /* the last one; that of suspending while it does */
	uint64_t reports;
	bool suspends; /* nothing is served until it is back */
};

/* NULL, or why nothing is served: "a container is not what it should be: app, db". */
const char *proxy_agent_suspicion(const struct proxy_agent *agent);

/* A look at it, for status and metrics. */
struct proxy_agent_view {
	struct verify_binding own;
	struct proxy_agent_counters counters;
	size_t callers;
	struct proxy_agent_container containers[PROXY_AGENT_CALLERS_MAX];
	size_t container_count;
	bool is_suspended;
	struct proxy_agent_suspect suspects[PROXY_AGENT_SUSPECTS_MAX];
	size_t suspect_count;
};
void proxy_agent_look(const struct proxy_agent *agent, struct proxy_agent_view *ret_view);

#endif
