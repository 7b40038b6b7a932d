/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes an entry of the audit log, and when its head is signed.
 *
 *   call ─▶ change, or hand-out ─▶ entry, in the call's own savepoint
 *        ─▶ refusal             ─▶ the first of a minute: entry; the others: counted, one entry for all of them
 *   every few seconds, and at the end ─▶ what was counted, then a head for all that is committed
 *
 * A head is signed for what is committed, never for what is going to be: a batch that is overtaken begins again.
 * All of this is the store's thread's, but for the timer.
 */

#include <inttypes.h>

#include "rot/server/api_internal.h"

#define TICK_MS      5000
#define MINUTE_MS    60000
#define TOLD_MAX     50 /* refusals of one kind in a minute that are told one by one */
#define REASON_COUNT "too many in a minute to be told one by one"

static void on_tick(void *arg);

/* ---- Opening ---- */

static int
begin_log(struct rot_api *api, struct seal_err *err)
{
	SEAL_SCOPED(rot_audit_log_release) struct rot_audit_log log = { 0 };
	char subject[AUDIT_SUBJECT_MAX];
	int r = rot_audit_log_new(api->config.signer, &log, err);

	if (r < 0)
		return r;
	(void)snprintf(subject, sizeof(subject),
		       "%s: the log begins here, the root of trust is older",
		       api->meta.trust_domain);
	r = rot_store_audit_begin(api->config.store, &log, subject, api->config.clock(), err);
	return r == SEAL_E_CONFLICT ? 0 : r; /* another process was faster */
}

/* The key opens, for this log. */
static int
check_key(struct rot_api *api, struct seal_err *err)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	const struct rot_audit_log *log = &api->audit.log;
	int r = rot_signer_audit_public(api->config.signer, log->id, &log->key, &key, err);

	if (r == SEAL_E_UNAUTH)
		return seal_fail(err, SEAL_E_SYSTEM,
				 "the store is damaged, restore a backup: the audit log's key was "
				 "altered");
	return r;
}

int
rot_audit_open(struct rot_api *api, struct seal_err *err)
{
	struct rot_store *store = api->config.store;
	struct audit_tree tree;
	int r = rot_store_audit_log(store, &api->audit.log, err);

	if (r == SEAL_E_MISSING) {
		r = begin_log(api, err);
		if (r == 0)
			r = rot_store_audit_log(store, &api->audit.log, err);
	}
	if (r == 0)
		r = check_key(api, err);
	if (r == 0)
		r = rot_store_audit_tree(store, &tree, err);
	api->audit.must_sign = true; /* what was written before the last end may have no head yet */
	return r;
}

int
rot_audit_start(struct rot_api *api, struct seal_err *err)
{
	int r = seal_timer_new(&api->audit.timer, api->config.loop, on_tick, api, err);

	if (r == 0)
		seal_timer_arm(api->audit.timer, TICK_MS);
	return r;
}

/* ---- Who, and from where ---- */

/* Printable, and cut to what fits. */
static void
copy_text(char *out, size_t size, const char *text)
{
	size_t len = 0;

	for (; text[len] != '\0' && len + 1 < size; len++)
		out[len] = (char)(text[len] >= 0x20 && text[len] <= 0x7e ? text[len] : '?');
	out[len] = '\0';
}

static void
name_actor(const struct rot_caller *caller, char *out, size_t size)
{
	const struct seal_identity *identity = &caller->identity;

	switch (identity->role) {
	case SEAL_ROLE_EGG:
		(void)snprintf(out, size, "egg/%s", identity->egg);
		return;
	case SEAL_ROLE_POD:
		(void)snprintf(out, size, "pod/%s/%s/%s", identity->workload, identity->peer,
			       caller->serial);
		return;
	case SEAL_ROLE_OPERATOR:
		(void)snprintf(out, size, "operator/%s/%s", identity->operator_role,
			       identity->operator_name);
		return;
	case SEAL_ROLE_NONE:
		(void)snprintf(out, size, "%s%s",
			       caller->enrolment[0] != '\0' ? "enrolment/" : "anybody",
			       caller->enrolment);
		return;
	case SEAL_ROLE_ROT:
		break;
	}
	(void)snprintf(out, size, "unknown");
}

static void
name_address(const struct seal_http_request *request, char *out, size_t size)
{
	uid_t uid = (uid_t)-1;

	if (!seal_http_is_local(request))
		copy_text(out, size, seal_http_peer(request));
	else if (seal_http_peer_uid(request, &uid, NULL) == 0)
		(void)snprintf(out, size, "uid %lu", (unsigned long)uid);
	else
		(void)snprintf(out, size, "local");
}

static void
begin_entry(const struct rot_call *call, struct audit_entry *entry)
{
	*entry = (struct audit_entry){ .time = call->now, .kind = call->route->kind, .count = 1 };
	name_actor(call->caller, entry->actor, sizeof(entry->actor));
	name_address(call->request, entry->address, sizeof(entry->address));
	(void)snprintf(entry->workload, sizeof(entry->workload), "%s", call->workload);
	copy_text(entry->subject, sizeof(entry->subject), call->subject);
}

int
rot_audit_done(struct rot_call *call, struct seal_err *err)
{
	struct audit_entry entry;

	if (call->route->kind == AUDIT_OTHER)
		return 0;
	begin_entry(call, &entry);
	return rot_store_audit_add(call->api->config.store, &entry, err);
}

int
rot_audit_own(struct rot_api *api, enum audit_kind kind, const char *workload, const char *subject,
	      struct seal_err *err)
{
	struct audit_entry entry = {
		.time = api->config.clock(), .kind = kind, .actor = "rot", .count = 1
	};

	(void)snprintf(entry.workload, sizeof(entry.workload), "%s", workload);
	copy_text(entry.subject, sizeof(entry.subject), subject);
	return rot_store_audit_add(api->config.store, &entry, err);
}

/* ---- Refusals ---- */

static uint64_t
now_ms(void)
{
	return seal_loop_now_us() / 1000;
}

/* One more of this kind: is it one of the first in its minute? */
static bool
may_tell(struct rot_api *api, enum audit_kind kind)
{
	struct rot_refusals *refusals = &api->audit.refusals[kind];

	if (refusals->since_ms == 0 || now_ms() - refusals->since_ms >= MINUTE_MS) {
		refusals->since_ms = now_ms();
		refusals->told = 0;
	}
	return refusals->told < TOLD_MAX && ++refusals->told > 0;
}

/* Failures of ours are none; of what changes and hands out nothing, only that it is forbidden. */
static bool
is_refusal(const struct rot_call *call)
{
	switch (call->result) {
	case SEAL_E_REFUSED:
	case SEAL_E_UNAUTH:
		return true;
	case SEAL_E_FORMAT:
	case SEAL_E_LIMIT:
	case SEAL_E_USAGE:
	case SEAL_E_MISSING:
	case SEAL_E_CONFLICT:
		return call->route->kind != AUDIT_OTHER;
	default:
		return false;
	}
}

/*
 * Sentences about malformed requests may quote what was sent, which may be a secret in the wrong place; those of
 * the pods' endpoints do not, and what passed the checks is no secret.
 */
static void
name_reason(const struct rot_call *call, char *out, size_t size)
{
	bool quotes = call->result == SEAL_E_FORMAT || call->result == SEAL_E_LIMIT ||
		      call->result == SEAL_E_USAGE;

	if (quotes && call->route->refusal == NULL)
		(void)snprintf(out, size, "not a valid request (%s)", seal_code_name(call->result));
	else
		copy_text(out, size, call->err.text);
	if (out[0] == '\0')
		(void)snprintf(out, size, "%s", seal_code_name(call->result));
}

int
rot_audit_refused(struct rot_call *call, struct seal_err *err)
{
	struct audit_entry entry;

	if (!is_refusal(call))
		return 0;
	if (call->refusal == ROT_REFUSAL_NEW) /* run again, it is the same one */
		call->refusal = may_tell(call->api, call->route->kind) ? ROT_REFUSAL_TOLD
								       : ROT_REFUSAL_COUNTED;
	if (call->refusal == ROT_REFUSAL_COUNTED)
		return 0;
	begin_entry(call, &entry);
	entry.refused = true;
	name_reason(call, entry.reason, sizeof(entry.reason));
	return rot_store_audit_add(call->api->config.store, &entry, err);
}

void
rot_audit_settle(struct rot_call *call)
{
	if (call->refusal == ROT_REFUSAL_COUNTED && is_refusal(call))
		call->api->audit.refusals[call->route->kind].count++;
}

/* ---- Those who never had a call ---- */

struct stranger {
	struct rot_task task;
	struct rot_api *api;
	struct audit_entry entry;
};

static void
run_stranger(struct rot_task *task)
{
	struct stranger *stranger = (struct stranger *)task;
	struct rot_api *api = stranger->api;
	struct seal_err err = { 0 };

	if (may_tell(api, AUDIT_OTHER) &&
	    rot_store_audit_add(api->config.store, &stranger->entry, &err) == 0)
		return;
	if (err.text[0] != '\0')
		seal_log(SEAL_LOG_ERROR, "audit_failed", SEAL_STR("reason", err.text));
	api->audit.refusals[AUDIT_OTHER].count++;
}

static void
free_stranger(struct rot_task *task)
{
	free(task);
}

void
rot_audit_stranger(struct rot_api *api, const struct seal_http_request *request, int code)
{
	struct stranger *stranger = calloc(1, sizeof(*stranger));
	struct audit_entry *entry;

	if (stranger == NULL) {
		seal_log(SEAL_LOG_ERROR, "audit_failed", SEAL_STR("reason", "out of memory"));
		return;
	}
	stranger->task.run = run_stranger;
	stranger->task.done = free_stranger;
	stranger->task.drop = free_stranger;
	stranger->api = api;
	entry = &stranger->entry;
	entry->time = api->config.clock();
	entry->kind = AUDIT_OTHER;
	entry->count = 1;
	entry->refused = true;
	(void)snprintf(entry->actor, sizeof(entry->actor), "unknown");
	if (request != NULL)
		name_address(request, entry->address, sizeof(entry->address));
	(void)snprintf(entry->reason, sizeof(entry->reason), "no caller of ours (%s)",
		       seal_code_name(code));
	rot_worker_add(api->worker, &stranger->task.job);
}

/* ---- What was counted ---- */

static bool
is_due(const struct rot_refusals *refusals, bool all)
{
	return refusals->count > 0 && (all || now_ms() - refusals->since_ms >= MINUTE_MS);
}

static int
write_tallies(struct rot_api *api, bool all, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < AUDIT_KIND_COUNT; i++) {
		struct rot_refusals *refusals = &api->audit.refusals[i];
		struct audit_entry entry = { .time = api->config.clock(),
					     .kind = AUDIT_REFUSALS,
					     .actor = "rot",
					     .refused = true,
					     .reason = REASON_COUNT,
					     .count = refusals->count };

		if (!is_due(refusals, all))
			continue;
		(void)snprintf(entry.subject, sizeof(entry.subject), "%s",
			       audit_kind_name((enum audit_kind)i));
		r = rot_store_audit_add(api->config.store, &entry, err);
		if (r == 0)
			refusals->count = 0;
	}
	return r;
}

/* ---- Heads ---- */

int
rot_audit_sign(struct rot_api *api, struct seal_bytes *out, uint64_t *ret_size,
	       struct seal_err *err)
{
	const struct rot_audit_log *log = &api->audit.log;
	struct audit_head head = { .time = api->config.clock() };
	struct audit_tree tree = { 0 };
	int r = rot_store_audit_tree(api->config.store, &tree, err);

	if (r == 0)
		r = audit_tree_root(&tree, head.root, err);
	if (r < 0)
		return r;
	memcpy(head.log, log->id, sizeof(head.log));
	head.size = tree.size;
	r = rot_signer_sign_head(api->config.signer, &log->key, &head, out, err);
	if (r < 0) /* the log went back, or our clock did: never the fault of who asks */
		return seal_note(err, SEAL_E_SYSTEM, "no head for the audit log");
	*ret_size = tree.size;
	return 0;
}

static int
keep_head(struct rot_api *api, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_HEAD_MAX);
	uint64_t written = rot_store_audit_written(api->config.store);
	uint64_t size = 0;
	int r;

	if (!api->audit.must_sign && api->audit.signed_at == written)
		return 0;
	r = rot_audit_sign(api, &text, &size, err);
	if (r == 0)
		r = rot_store_audit_add_head(api->config.store, size, seal_bytes_str(&text),
					     text.len, err);
	if (r < 0)
		return r;
	api->audit.signed_at = written;
	api->audit.must_sign = false;
	return 0;
}

static void
settle_all(struct rot_api *api, bool all)
{
	struct seal_err err = { 0 };

	if (write_tallies(api, all, &err) < 0 || keep_head(api, &err) < 0)
		seal_log(SEAL_LOG_ERROR, "audit_failed", SEAL_STR("reason", err.text));
}

/* ---- Every few seconds ---- */

struct tick {
	struct rot_task task;
	struct rot_api *api;
};

static void
run_tick(struct rot_task *task)
{
	settle_all(((struct tick *)task)->api, false);
}

static void
end_tick(struct rot_task *task)
{
	seal_timer_arm(((struct tick *)task)->api->audit.timer, TICK_MS);
	free(task);
}

static void
drop_tick(struct rot_task *task)
{
	free(task);
}

static void
on_tick(void *arg)
{
	struct rot_api *api = arg;
	struct tick *tick = calloc(1, sizeof(*tick));

	if (tick == NULL) {
		seal_timer_arm(api->audit.timer, TICK_MS);
		return;
	}
	tick->task.run = run_tick;
	tick->task.done = end_tick;
	tick->task.drop = drop_tick;
	tick->api = api;
	rot_worker_add(api->worker, &tick->task.job);
}

void
rot_audit_stop(struct rot_api *api)
{
	if (api->audit.timer == NULL)
		return;
	seal_timer_free(SEAL_TAKE(api->audit.timer));
	settle_all(api, true);
}

void
rot_audit_release(struct rot_api *api)
{
	seal_timer_free(api->audit.timer);
	rot_audit_log_release(&api->audit.log);
}
