/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_CLIENT_H
#define SEAL_VERIFY_CLIENT_H

/*
 * The container's end of a connection to the agent (agent.h): blocking, with deadlines, and answering
 * to signals while it waits.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err/err.h"
#include "base/secret/secret.h"
#include "config-verify/agent.h"
#include "config-verify/token.h"

#define VERIFY_TOKEN_PATH "/etc/seal/token"

/*
 * Read the container's token.  It must lie on the root file system itself (seal_fs_open_on_root), be a
 * regular file of ours or root's, and not writable by group or others.  Others may read it: containers
 * run as any user, and who is inside the container may know its secret.  SEAL_E_REFUSED otherwise.
 */
SEAL_CHECKED int verify_token_load(struct verify_token *ret_token, const char *path,
				   struct seal_err *err);

/*
 * What must not wait while we do: when fd can be read, act is called; false makes the waiting call fail
 * with SEAL_E_CLOSED.  fd -1: nothing.
 */
struct verify_meanwhile {
	int fd;
	bool (*act)(void *arg);
	void *arg;
};

/* The time of a clock that only goes forward. */
uint64_t verify_now_ms(void);

struct verify_client;

/*
 * Connect to the agent's socket, try again for wait_ms while nobody listens there (the sidecar starts),
 * and authenticate both sides.  SEAL_E_TIMEOUT when nobody came; SEAL_E_UNAUTH for one who does not know
 * the token: whoever it is, it was told nothing but the container's name.  token is borrowed for the call.
 */
SEAL_CHECKED int verify_client_new(struct verify_client **ret_client, const char *path,
				   const struct verify_token *token, uint32_t wait_ms,
				   const struct verify_meanwhile *meanwhile, struct seal_err *err);
void verify_client_free(struct verify_client *client);
void verify_client_freep(struct verify_client **client);
/* For POLLIN: between requests that means that the agent is gone. */
int verify_client_fd(const struct verify_client *client);

/*
 * Ask one thing and wait for the answer.  A failure that the agent answers is returned as ours, with its
 * sentence.  *ret_plain, NULL for an answer without data, is the caller's; ret_binding may be NULL.  After
 * SEAL_E_CLOSED, SEAL_E_UNAUTH or SEAL_E_TIMEOUT of ours (not the agent's) the client is of no more use:
 * verify_client_is_open says so.
 */
SEAL_CHECKED int verify_client_ask(struct verify_client *client,
				   const struct verify_request *request,
				   struct seal_secret **ret_plain,
				   struct verify_binding *ret_binding, struct seal_err *err);
bool verify_client_is_open(const struct verify_client *client);

#endif
