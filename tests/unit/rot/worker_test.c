/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "rot/server/worker.h"

struct job {
	struct rot_job link; /* first */
	unsigned number;
	unsigned batch; /* the number of the batch it was in, from 1 */
	bool is_done;
	bool is_dropped;
};

struct place {
	struct seal_loop *loop;
	struct rot_worker *worker;
	pthread_t loop_thread;
	atomic_uint batches;
	atomic_uint most;    /* jobs in one batch */
	atomic_bool is_held; /* the worker waits inside a batch */
	atomic_bool hold;
	unsigned next; /* number that is to be done next */
	unsigned left; /* until the loop stops */
	bool add_more;
	struct job *more;
};

static void
run(void *arg, struct rot_job *first)
{
	struct place *place = arg;
	const unsigned batch = atomic_fetch_add(&place->batches, 1) + 1;
	unsigned count = 0;

	cr_assert(!pthread_equal(pthread_self(), place->loop_thread));
	atomic_store(&place->is_held, true);
	while (atomic_load(&place->hold))
		usleep(1000);
	for (struct rot_job *at = first; at != NULL; at = at->next, count++)
		((struct job *)at)->batch = batch;
	if (count > atomic_load(&place->most))
		atomic_store(&place->most, count);
}

static void
done(void *arg, struct rot_job *link)
{
	struct place *place = arg;
	struct job *job = (struct job *)link;

	cr_expect(pthread_equal(pthread_self(), place->loop_thread));
	cr_expect_eq(job->number, place->next, "%u before %u", job->number, place->next);
	cr_expect_gt(job->batch, 0);
	cr_expect_null(job->link.next);
	place->next++;
	job->is_done = true;
	if (place->add_more) {
		place->add_more = false;
		rot_worker_add(place->worker, &place->more->link);
	}
	if (--place->left == 0)
		seal_loop_stop(place->loop);
}

static void
drop(void *arg, struct rot_job *link)
{
	(void)arg;
	((struct job *)link)->is_dropped = true;
}

static void
open_place(struct place *place, size_t max_batch)
{
	const struct rot_worker_config config = { max_batch, run, done, drop, place };

	(void)alarm(60); /* Criterion's own timeouts leak, which counts as ours */
	place->loop_thread = pthread_self();
	cr_assert_eq(seal_loop_new(&place->loop, NULL), 0);
	cr_assert_eq(rot_worker_new(&place->worker, place->loop, &config, NULL), 0);
}

static void
close_place(struct place *place)
{
	rot_worker_free(place->worker);
	seal_loop_free(place->loop);
}

static void
add(struct place *place, struct job *jobs, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		jobs[i].number = i;
		rot_worker_add(place->worker, &jobs[i].link);
	}
	place->left = count;
}

Test(rot_worker, jobs_are_done_once_in_their_order_by_the_loop)
{
	static struct job jobs[10000];
	struct place place = { 0 };

	open_place(&place, 64);
	add(&place, jobs, SEAL_COUNT(jobs));
	cr_assert_eq(seal_loop_run(place.loop, NULL), 0);
	cr_expect_eq(place.next, SEAL_COUNT(jobs));
	cr_expect_eq(rot_worker_pending(place.worker), 0);
	cr_expect_leq(atomic_load(&place.most), 64);
	close_place(&place);
}

Test(rot_worker, what_gathers_meanwhile_is_one_batch)
{
	struct job jobs[41] = { 0 };
	struct place place = { 0 };

	open_place(&place, 100);
	atomic_store(&place.hold, true);
	rot_worker_add(place.worker, &jobs[0].link);
	while (!atomic_load(&place.is_held))
		usleep(1000);
	for (unsigned i = 1; i < SEAL_COUNT(jobs); i++) {
		jobs[i].number = i;
		rot_worker_add(place.worker, &jobs[i].link);
	}
	cr_expect_eq(rot_worker_pending(place.worker), SEAL_COUNT(jobs));
	place.left = SEAL_COUNT(jobs);
	atomic_store(&place.hold, false);
	cr_assert_eq(seal_loop_run(place.loop, NULL), 0);
	cr_expect_eq(atomic_load(&place.batches), 2);
	cr_expect_eq(jobs[40].batch, 2);
	close_place(&place);
}

Test(rot_worker, a_job_that_is_done_may_add_another)
{
	struct job jobs[2] = { { .number = 0 }, { .number = 1 } };
	struct place place = { .add_more = true, .more = &jobs[1], .left = 2 };

	open_place(&place, 1);
	rot_worker_add(place.worker, &jobs[0].link);
	cr_assert_eq(seal_loop_run(place.loop, NULL), 0);
	cr_expect(jobs[1].is_done);
	close_place(&place);
}

Test(rot_worker, who_ends_it_gets_back_what_is_left)
{
	struct job jobs[10] = { 0 };
	struct place place = { 0 };

	open_place(&place, 1);
	atomic_store(&place.hold, true);
	add(&place, jobs, SEAL_COUNT(jobs));
	while (!atomic_load(&place.is_held))
		usleep(1000);
	atomic_store(&place.hold, false);
	close_place(&place);
	for (unsigned i = 0; i < SEAL_COUNT(jobs); i++)
		cr_expect(jobs[i].is_dropped && !jobs[i].is_done, "%u", i);
}
