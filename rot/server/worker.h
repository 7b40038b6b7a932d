/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_WORKER_H
#define SEAL_ROT_WORKER_H

/*
 * The thread that owns the store.  The loop's thread hands it jobs; whatever has gathered while it was at work
 * is its next batch, so that one commit serves all of it, and the loop never waits for a disk, for etcd or for
 * the signer.  Knows neither the store nor the API.
 */

#include <stddef.h>

#include "base/err/err.h"
#include "base/loop/loop.h"

struct rot_worker;

/* The first member of what is to be done. */
struct rot_job {
	struct rot_job *next;
};

struct rot_worker_config {
	size_t max_batch; /* jobs */
	/* In the worker's thread: do these, in their order; the list is lent. */
	void (*run)(void *arg, struct rot_job *first);
	/* In the loop's thread, for each job that was run, in their order: it is the loop's again. */
	void (*done)(void *arg, struct rot_job *job);
	/* In the thread of rot_worker_free, for each that is left: nobody waits for it any more. */
	void (*drop)(void *arg, struct rot_job *job);
	void *arg;
};

SEAL_CHECKED int rot_worker_new(struct rot_worker **ret_worker, struct seal_loop *loop,
				const struct rot_worker_config *config, struct seal_err *err);
/* Lets a batch under way end, then ends the thread. */
void rot_worker_free(struct rot_worker *worker);
void rot_worker_freep(struct rot_worker **worker);

/* From the loop's thread; the job is the worker's until it is done.  Never fails, never waits. */
void rot_worker_add(struct rot_worker *worker, struct rot_job *job);
/* Jobs that are not done yet. */
size_t rot_worker_pending(const struct rot_worker *worker);

#endif
