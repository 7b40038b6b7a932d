/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two lists and a thread between them.
 *
 *   loop:    add ──▶ waiting ═lock═▶            finished ═lock═▶ done, one by one
 *   worker:                   take up to max_batch ──▶ run ──▶ ▲ wake the loop
 */

#include "rot/server/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct list {
	struct rot_job *first;
	struct rot_job **end;
};

struct rot_worker {
	struct rot_worker_config config;
	struct seal_wake *wake;
	size_t pending; /* the loop's alone */
	bool is_running;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock: */
	struct list waiting;
	struct list finished;
	bool is_ending;
};

static void
empty(struct list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void
append(struct list *list, struct rot_job *first)
{
	*list->end = first;
	while (*list->end != NULL)
		list->end = &(*list->end)->next;
}

static struct rot_job *
take(struct list *list, size_t max)
{
	struct rot_job *first = list->first;
	struct rot_job *last = first;

	for (size_t i = 1; i < max && last != NULL && last->next != NULL; i++)
		last = last->next;
	if (last == NULL)
		return NULL;
	list->first = last->next;
	last->next = NULL;
	if (list->first == NULL)
		empty(list);
	return first;
}

/* ---- The worker's thread ---- */

/* NULL: it is over. */
static struct rot_job *
await_batch(struct rot_worker *worker)
{
	struct rot_job *first = NULL;

	pthread_mutex_lock(&worker->lock);
	while (!worker->is_ending && worker->waiting.first == NULL)
		pthread_cond_wait(&worker->changed, &worker->lock);
	if (!worker->is_ending)
		first = take(&worker->waiting, worker->config.max_batch);
	pthread_mutex_unlock(&worker->lock);
	return first;
}

static void *
work(void *arg)
{
	struct rot_worker *worker = arg;
	struct rot_job *batch;

	while ((batch = await_batch(worker)) != NULL) {
		worker->config.run(worker->config.arg, batch);
		pthread_mutex_lock(&worker->lock);
		append(&worker->finished, batch);
		pthread_mutex_unlock(&worker->lock);
		seal_wake_now(worker->wake);
	}
	return NULL;
}

/* ---- The loop's thread ---- */

static void
on_wake(void *arg)
{
	struct rot_worker *worker = arg;
	struct rot_job *job;

	pthread_mutex_lock(&worker->lock);
	job = worker->finished.first;
	empty(&worker->finished);
	pthread_mutex_unlock(&worker->lock);
	while (job != NULL) {
		struct rot_job *next = job->next;

		job->next = NULL;
		worker->pending--;
		worker->config.done(worker->config.arg, job);
		job = next;
	}
}

void
rot_worker_add(struct rot_worker *worker, struct rot_job *job)
{
	job->next = NULL;
	worker->pending++;
	pthread_mutex_lock(&worker->lock);
	append(&worker->waiting, job);
	pthread_cond_signal(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
}

size_t
rot_worker_pending(const struct rot_worker *worker)
{
	return worker->pending;
}

/* ---- Beginning and end ---- */

/* Signals are the loop's. */
static int
start_thread(struct rot_worker *worker, struct seal_err *err)
{
	sigset_t all;
	sigset_t before;
	int r;

	(void)sigfillset(&all); /* neither can fail */
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&worker->thread, NULL, work, worker);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return seal_fail_errno(err, r, "cannot start the store's thread");
	worker->is_running = true;
	return 0;
}

int
rot_worker_new(struct rot_worker **ret_worker, struct seal_loop *loop,
	       const struct rot_worker_config *config, struct seal_err *err)
{
	SEAL_SCOPED(rot_worker_freep) struct rot_worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (worker == NULL)
		return seal_fail_memory(err);
	worker->config = *config;
	empty(&worker->waiting);
	empty(&worker->finished);
	/* With the attributes everybody has, neither can fail on Linux. */
	(void)pthread_mutex_init(&worker->lock, NULL);
	(void)pthread_cond_init(&worker->changed, NULL);
	r = seal_wake_new(&worker->wake, loop, on_wake, worker, err);
	if (r == 0)
		r = start_thread(worker, err);
	if (r < 0)
		return r;
	*ret_worker = SEAL_TAKE(worker);
	return 0;
}

static void
drop_all(struct rot_worker *worker, struct rot_job *job)
{
	while (job != NULL) {
		struct rot_job *next = job->next;

		job->next = NULL;
		worker->config.drop(worker->config.arg, job);
		job = next;
	}
}

void
rot_worker_free(struct rot_worker *worker)
{
	if (worker == NULL)
		return;
	if (worker->is_running) {
		pthread_mutex_lock(&worker->lock);
		worker->is_ending = true;
		pthread_cond_signal(&worker->changed);
		pthread_mutex_unlock(&worker->lock);
		pthread_join(worker->thread, NULL);
	}
	drop_all(worker, worker->finished.first);
	drop_all(worker, worker->waiting.first);
	seal_wake_free(worker->wake);
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

void
rot_worker_freep(struct rot_worker **worker)
{
	rot_worker_free(*worker);
	*worker = NULL;
}
