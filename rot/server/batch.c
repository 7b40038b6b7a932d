/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store's thread does with the calls that have gathered: one transaction for as many as it takes, each
 * in a savepoint of its own, so that a call that fails leaves nothing and costs the others nothing.
 *
 *   begin ─▶ (mark ─▶ handler ─▶ keep | undo)… ─▶ commit ─▶ all are answered
 *                                                   │
 *                            overtaken by another process: all again; in the end each alone
 *
 * Every call that changes, hands out or is refused gets its entry in the audit log (audit_note.c), in the same transaction.
 * No answer leaves before the commit.  Answers are written before it: what was committed can always be answered.
 */

#include "rot/server/api_internal.h"
#include "rot/server/news.h"

#define MAX_ATTEMPTS 16 /* of what other processes overtake */
#define MAX_SWEEPS   32 /* steps before other calls have their turn; the daily upkeep does the rest */

static bool
is_call(const struct rot_job *job)
{
	return ((const struct rot_task *)job)->run == NULL;
}

/* As it was before it was run. */
static void
reset(struct rot_call *call)
{
	seal_json_free(SEAL_TAKE(call->body));
	seal_json_free(SEAL_TAKE(call->reply));
	seal_bytes_release(&call->raw);
	seal_bytes_init(&call->raw, call->route->is_big ? ROT_MAX_SEALED : ROT_REPLY_MAX);
	call->subject[0] = '\0';
	call->workload[0] = '\0';
	call->issued_event = NULL;
	call->waits = false;
	call->unchanged = false;
	call->type = NULL;
	call->status = 200;
	call->retry_after = 0;
	call->err = (struct seal_err){ 0 };
}

static int
parse_body(struct rot_call *call, struct seal_err *err)
{
	const uint8_t *body;
	size_t len = 0;
	int r;

	if (call->route->members == NULL)
		return 0;
	body = seal_http_body(call->request, &len);
	r = seal_json_parse(&call->body, body, len,
			    call->route->is_big ? ROT_MAX_SEAL_BODY : ROT_MAX_BODY, err);
	if (r == 0)
		r = seal_json_only(call->body, call->route->members, err);
	return r;
}

/*
 * Who asks for news takes a refusal for its end.  So none is given because of a clock, of which the wrong one may be
 * ours.
 */
static int
confirm(struct rot_call *call, struct seal_err *err)
{
	int r = rot_caller_confirm(call->caller, call->api->config.store,
				   call->api->meta.trust_domain, call->now, &call->peer, err);

	if (r == SEAL_E_UNAUTH && call->route->run == rot_sync &&
	    !rot_caller_is_timely(call->caller, call->now))
		return seal_note(err, SEAL_E_TIMEOUT, "not by this machine's clock");
	return r;
}

static int
run_handler(struct rot_call *call, struct seal_err *err)
{
	int r;

	if ((call->route->rights & call->caller->right) == 0)
		return seal_fail(err, SEAL_E_REFUSED, "this role may not do that");
	r = confirm(call, err);
	if (r == 0)
		r = parse_body(call, err);
	if (r < 0)
		return r;
	if (call->now < SEAL_CLOCK_FLOOR)
		return seal_fail(err, SEAL_E_SYSTEM, "the clock of this machine is not set");
	call->reply = seal_json_new();
	r = call->route->run(call, err);
	if (r == 0 && call->raw.len == 0 && call->type == NULL)
		r = seal_json_dump(call->reply, false, &call->raw, err);
	return r;
}

static void
fail(struct rot_call *call, int code, const struct seal_err *err)
{
	call->result = code;
	call->err = *err;
}

/* What is kept has its entry, or is not kept. */
static int
keep(struct rot_call *call, uint64_t mark, struct seal_err *err)
{
	struct rot_store *store = call->api->config.store;
	int r = rot_audit_done(call, err);

	if (r == 0)
		return rot_store_keep(store, mark, err);
	return rot_store_undo(store, mark, NULL) < 0 ? SEAL_E_SYSTEM : r;
}

/* What was refused, or only read, leaves nothing but its entry. */
static int
undo(struct rot_call *call, uint64_t mark, struct seal_err *err)
{
	int r = rot_store_undo(call->api->config.store, mark, NULL);

	if (r < 0 && call->result == SEAL_E_SYSTEM) {
		*err = call->err; /* that is why there is nothing to be undone any more */
		return SEAL_E_SYSTEM;
	}
	if (r < 0)
		return seal_fail(err, r, "the store failed");
	return call->result == 0 ? rot_audit_done(call, err) : rot_audit_refused(call, err);
}

static void
run_call(struct rot_call *call)
{
	struct seal_err err = { 0 };
	uint64_t mark = 0;
	int r;

	reset(call);
	call->result = rot_store_mark(call->api->config.store, &mark, &call->err);
	if (call->result < 0)
		return;
	call->result = run_handler(call, &call->err);
	if (call->result == 0 && call->route->changes && !call->unchanged)
		r = keep(call, mark, &err);
	else
		r = undo(call, mark, &err);
	if (r < 0)
		fail(call, r, &err);
}

/* ---- Transactions ---- */

/* What made the store give up a transaction says more than that there is none any more. */
static int
find_cause(int r, const struct rot_job *first, const struct rot_job *end, struct seal_err *err)
{
	if (r != SEAL_E_SYSTEM && r != SEAL_E_BUG)
		return r;
	for (const struct rot_job *at = first; at != end; at = at->next) {
		const struct rot_call *call = (const struct rot_call *)at;

		if (call->result == SEAL_E_SYSTEM) {
			*err = call->err;
			return SEAL_E_SYSTEM;
		}
	}
	return r;
}

/* The store was moved, say, or given another key: that is no refusal of any caller. */
static int
blame_store(int r, struct seal_err *err)
{
	if (r == SEAL_E_REFUSED || r == SEAL_E_UNAUTH || r == SEAL_E_MISSING)
		return seal_note(err, SEAL_E_SYSTEM, "the store");
	return r;
}

static int
commit(struct rot_api *api, uint64_t calls, struct seal_err *err)
{
	uint64_t began = seal_loop_now_us();
	int r = rot_store_commit(api->config.store, err);

	rot_count_commit(&api->work, seal_loop_now_us() - began);
	rot_count_batch(&api->work, calls);
	if (r == SEAL_E_CONFLICT)
		atomic_fetch_add_explicit(&api->work.conflicts, 1, memory_order_relaxed);
	return blame_store(r, err);
}

/* In a transaction of its own. */
static void
run_alone(struct rot_call *call)
{
	struct rot_store *store = call->api->config.store;
	struct seal_err err = { 0 };
	int r = SEAL_E_CONFLICT;

	for (unsigned i = 0; r == SEAL_E_CONFLICT && i < MAX_ATTEMPTS; i++) {
		r = blame_store(rot_store_begin(store, &err), &err);
		if (r < 0)
			break;
		run_call(call);
		r = commit(call->api, 1, &err);
	}
	if (r == SEAL_E_CONFLICT)
		r = seal_fail(&err, SEAL_E_TIMEOUT, "others change the store all the time");
	r = find_cause(r, &call->task.job, call->task.job.next, &err);
	if (r < 0)
		fail(call, r, &err);
	else
		rot_audit_settle(call);
}

static void
run_each_alone(struct rot_job *first, const struct rot_job *end)
{
	for (struct rot_job *at = first; at != end; at = at->next)
		run_alone((struct rot_call *)at);
}

/* One attempt at as many calls as one transaction takes, at least one; *ret_end: the first that is left. */
static int
try_together(struct rot_api *api, struct rot_job *first, struct rot_job **ret_end,
	     struct seal_err *err)
{
	struct rot_store *store = api->config.store;
	struct rot_job *end = first;
	uint64_t calls = 0;
	int r = blame_store(rot_store_begin(store, err), err);

	*ret_end = first->next;
	if (r < 0)
		return r;
	do {
		run_call((struct rot_call *)end);
		end = end->next;
		calls++;
	} while (end != NULL && is_call(end) && rot_store_room(store) >= ROT_STORE_HATCH_ROOM);
	*ret_end = end;
	return find_cause(commit(api, calls, err), first, end, err);
}

/*
 * All changes contend for the end of the audit log: who was overtaken there was so for no fault of any one call, and
 * does them together again.
 */
static struct rot_job *
run_together(struct rot_api *api, struct rot_job *first)
{
	struct rot_job *end = NULL;
	struct seal_err err = { 0 };
	int r = SEAL_E_CONFLICT;

	for (unsigned i = 0; r == SEAL_E_CONFLICT && i < MAX_ATTEMPTS; i++)
		r = try_together(api, first, &end, &err);
	/* One that meets a full disk, or damage, does not take the others with it, which may only read. */
	if (r == SEAL_E_CONFLICT ||
	    ((r == SEAL_E_LIMIT || r == SEAL_E_SYSTEM) && first->next != end)) {
		run_each_alone(first, end);
		return end;
	}
	for (struct rot_job *at = first; at != end; at = at->next) {
		if (r < 0)
			fail((struct rot_call *)at, r, &err);
		else
			rot_audit_settle((struct rot_call *)at);
	}
	return end;
}

/* What a deleted workload has left goes before that is answered, as far as it is little. */
static void
sweep(struct rot_api *api)
{
	struct seal_err err = { 0 };
	int r = 1;

	for (unsigned i = 0; r == 1 && i < MAX_SWEEPS; i++)
		r = rot_store_sweep(api->config.store, &err);
	if (r < 0)
		seal_log(SEAL_LOG_WARN, "sweep_failed", SEAL_STR("reason", err.text));
	atomic_store(&api->must_sweep, r == 1);
}

struct sweeping {
	struct rot_task task;
	struct rot_api *api;
};

static void
run_sweeping(struct rot_task *task)
{
	atomic_store(&((struct sweeping *)task)->api->must_sweep, true); /* when the batch ends */
}

static void
end_sweeping(struct rot_task *task)
{
	struct rot_api *api = ((struct sweeping *)task)->api;

	free(task);
	api->is_sweeping = false;
	if (atomic_load(&api->must_sweep))
		rot_batch_sweep(api);
	rot_news_look(api->news);
}

static void
drop_sweeping(struct rot_task *task)
{
	free(task);
}

void
rot_batch_sweep(struct rot_api *api)
{
	struct sweeping *sweeping;

	if (api->is_sweeping)
		return;
	sweeping = calloc(1, sizeof(*sweeping));
	if (sweeping == NULL)
		return; /* who comes next tries again */
	sweeping->task.run = run_sweeping;
	sweeping->task.done = end_sweeping;
	sweeping->task.drop = drop_sweeping;
	sweeping->api = api;
	api->is_sweeping = true;
	rot_worker_add(api->worker, &sweeping->task.job);
}

void
rot_batch_run(void *arg, struct rot_job *first)
{
	struct rot_api *api = arg;

	while (first != NULL) {
		struct rot_task *task = (struct rot_task *)first;

		if (is_call(first)) {
			first = run_together(api, first);
			continue;
		}
		task->run(task);
		first = first->next;
	}
	if (atomic_load(&api->must_sweep))
		sweep(api);
}
