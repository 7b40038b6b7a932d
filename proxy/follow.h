/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_FOLLOW_H
#define SEAL_PROXY_FOLLOW_H

/*
 * The certificates of public listeners, read again when their files change.  Looked at in the
 * identity's thread, which may block.
 */

#include "base/err/err.h"
#include "proxy/worker.h"

struct proxy_follow;

/* worker must outlive it. */
SEAL_CHECKED int proxy_follow_new(struct proxy_follow **ret_follow, struct proxy_worker *worker,
				  struct seal_err *err);
void proxy_follow_free(struct proxy_follow *follow);
/*
 * Follow the files of this configuration from now on, as they were when their certificates were loaded
 * or since.  From the worker's thread.
 */
void proxy_follow_set_config(struct proxy_follow *follow, struct proxy_config *config);
/*
 * Look once: what changed is loaded and handed to the worker; what cannot be used is said once, and
 * the old stays.  Returns the milliseconds until the next look.
 */
uint64_t proxy_follow_turn(void *follow);

#endif
