/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revoking what others come of: an egg, a certificate, all of a peer.
 *
 *   first transaction   the egg, or the certificate, is marked: nothing is hatched or renewed from it any more, and a job,
 *                       revoking/WORKLOAD/KIND/NAME, is written
 *   steps               whatever has come of it is marked, as much as a transaction holds, and pods hear of it
 *   last step           finds nothing that is not marked, and deletes the job
 *
 * Only a step that has found nothing deletes the job: what was born of something unmarked while a step was under way is
 * found by the next one; and of what is marked nothing is born, for whoever hatches or renews reads what is marked here.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

#define KIND_MAX  8
#define MARK_KEYS 3 /* a certificate read and written, and told */
#define EGG_KEYS  4
/* More than so many renewals in a row of one certificate are in the store by no honest way: a week of the shortest. */
#define LINE_MAX 65536

/* Clocks of replicas differ by up to five minutes, and what has ended by one is good by another. */
#define CLOCKS_DIFFER 600

#define KIND_EGG  "egg"
#define KIND_CERT "cert"
#define KIND_PEER "peer"

struct job {
	char workload[SEAL_WORKLOAD_MAX + 1];
	char kind[KIND_MAX];
	char name[SEAL_PEER_MAX + 1]; /* a serial number, or an egg's id, is shorter */
	int64_t at;
};

static struct rot_path
job_key(const struct job *job)
{
	return rot_path("revoking/%s/%s/%s", job->workload, job->kind, job->name);
}

static int
write_job(struct rot_store *store, const struct job *job, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();

	seal_json_set_i64(record, "at", job->at);
	return rot_record_put(store, job_key(job).text, record, ROT_RECORD_PUT, err);
}

static bool
take_part(const char **at, char *out, size_t size)
{
	size_t len = strcspn(*at, "/");

	if (len == 0 || len >= size)
		return false;
	memcpy(out, *at, len);
	out[len] = '\0';
	*at += len + ((*at)[len] == '/');
	return true;
}

static int
read_job(struct rot_store *store, const char *key, struct job *job, struct seal_err *err)
{
	static const char *const members[] = { "at", NULL };
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	const char *at = key + strlen("revoking/");
	struct rot_fields fields = { .key = key };
	int r;

	if (!take_part(&at, job->workload, sizeof(job->workload)) ||
	    !take_part(&at, job->kind, sizeof(job->kind)) ||
	    !take_part(&at, job->name, sizeof(job->name)) || *at != '\0')
		return rot_fail_damaged(key, err);
	/* Compared when this commits: another process may have ended it. */
	r = rot_record_get(store, key, &record, err);
	if (r < 0)
		return r;
	fields.record = record;
	rot_field_time(&fields, "at", &job->at);
	return rot_fields_done(&fields, members, err);
}

/* ---- What has come of it and is not marked yet ---- */

struct hunt {
	const struct job *job;
	uint64_t limit; /* of serials that are kept; 0: they are only counted */
	uint64_t count;
	struct seal_strv serials;
};

static int
add_prey(struct hunt *hunt, const char *serial, struct seal_err *err)
{
	hunt->count++;
	return hunt->serials.count < hunt->limit ? seal_strv_add(&hunt->serials, serial, err) : 0;
}

static int
meet(void *arg, const struct rot_cert *cert, struct seal_err *err)
{
	struct hunt *hunt = arg;
	const char *what = strcmp(hunt->job->kind, KIND_EGG) == 0 ? cert->egg : cert->peer;

	return strcmp(what, hunt->job->name) == 0 ? add_prey(hunt, cert->serial, err) : 0;
}

static int
note_child(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct seal_strv *line = arg;

	(void)value;
	(void)len;
	if (line->count >= LINE_MAX)
		return seal_fail(err, SEAL_E_LIMIT,
				 "more than %d renewals follow this certificate: revoke its egg",
				 LINE_MAX);
	return seal_strv_add(line, strrchr(key, '/') + 1, err);
}

static int
find_children(struct rot_store *store, const struct job *job, const char *serial,
	      struct seal_strv *line, struct seal_err *err)
{
	const struct rot_path from = rot_path("cert-next/%s/%s/", job->workload, serial);
	const struct rot_path to = rot_path("cert-next/%s/%s0", job->workload, serial);
	const struct rot_kv_range range = {
		.from = from.text, .to = to.text, .keys_only = true, .loose = true
	};

	return rot_kv_each(store->kv, &range, note_child, line, err);
}

struct good {
	struct hunt *hunt;
	struct seal_strv line; /* sorted */
};

static int
meet_of_line(void *arg, const struct rot_cert *cert, struct seal_err *err)
{
	struct good *good = arg;

	return seal_strv_contains_sorted(&good->line, cert->serial)
		       ? add_prey(good->hunt, cert->serial, err)
		       : 0;
}

/* A certificate, those renewed from it, those renewed from these. */
static int
hunt_line(struct rot_store *store, struct hunt *hunt, struct seal_err *err)
{
	struct good good = { .hunt = hunt };
	int r = seal_strv_add(&good.line, hunt->job->name, err);

	for (size_t i = 0; r == 0 && i < good.line.count; i++)
		r = find_children(store, hunt->job, good.line.items[i], &good.line, err);
	seal_strv_sort(&good.line);
	if (r == 0)
		r = rot_store_each_valid(store, hunt->job->workload, hunt->job->at - CLOCKS_DIFFER,
					 meet_of_line, &good, err);
	seal_strv_release(&good.line);
	return r;
}

/* What has expired since it began need not be marked: it is looked for as of then, which is more. */
static int
hunt_all(struct rot_store *store, struct hunt *hunt, struct seal_err *err)
{
	const struct job *job = hunt->job;

	if (strcmp(job->kind, KIND_CERT) == 0)
		return hunt_line(store, hunt, err);
	return rot_store_each_valid(store, job->workload, job->at - CLOCKS_DIFFER, meet, hunt, err);
}

/* ---- The eggs of a peer ---- */

static int
meet_egg(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	(void)value;
	(void)len;
	return seal_strv_add(arg, strrchr(key, '/') + 1, err);
}

/* Of those that can hatch; what came of the others is certificates, and is marked as such. */
static int
hunt_eggs(struct rot_store *store, const struct job *job, uint64_t limit, struct seal_strv *ids,
	  struct seal_err *err)
{
	const struct rot_path from =
		rot_path("egg-live-of/%s/" ROT_TIME "/", job->workload, rot_path_time(job->at + 1));
	const struct rot_path to = rot_path("egg-live-of/%s0", job->workload);
	const struct rot_kv_range range = {
		.from = from.text, .to = to.text, .keys_only = true, .loose = true
	};
	SEAL_SCOPED(seal_strv_release) struct seal_strv all = { 0 };
	int r = rot_kv_each(store->kv, &range, meet_egg, &all, err);

	for (size_t i = 0; r == 0 && i < all.count && ids->count < limit; i++) {
		bool is_its = false;

		r = rot_store_is_egg_of(store, all.items[i], job->name, &is_its, err);
		if (r == 0 && is_its)
			r = seal_strv_add(ids, all.items[i], err);
	}
	return r;
}

/* ---- Steps ---- */

/* What clients outside would enrol with; none has a certificate yet. */
static int
mark_enrolments(struct rot_store *store, const struct job *job, uint64_t *ret_count,
		struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv ids = { 0 };
	int r = rot_store_find_enrolments(store, job->workload, job->name, job->at,
					  rot_store_step_of(store, EGG_KEYS), &ids, err);

	for (size_t i = 0; r == 0 && i < ids.count; i++)
		r = rot_store_revoke_enrolment(store, ids.items[i], job->at, err);
	*ret_count = ids.count;
	return r;
}

static int
mark_certs(struct rot_store *store, const struct job *job, uint64_t *ret_count,
	   struct seal_err *err)
{
	struct hunt hunt = { .job = job, .limit = rot_store_step_of(store, MARK_KEYS) };
	bool was_good = false;
	int r = hunt_all(store, &hunt, err);

	for (size_t i = 0; r == 0 && i < hunt.serials.count; i++)
		r = rot_store_mark_cert(store, hunt.serials.items[i], job->at, &was_good, err);
	*ret_count = hunt.count;
	seal_strv_release(&hunt.serials);
	return r;
}

static int
mark_eggs(struct rot_store *store, const struct job *job, uint64_t *ret_count, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv ids = { 0 };
	char workload[SEAL_WORKLOAD_MAX + 1];
	bool was_good = false;
	int r = hunt_eggs(store, job, rot_store_step_of(store, EGG_KEYS), &ids, err);

	for (size_t i = 0; r == 0 && i < ids.count; i++)
		r = rot_store_mark_egg(store, ids.items[i], job->at, workload, &was_good, err);
	*ret_count = ids.count;
	return r;
}

static int
do_job(struct rot_store *store, const struct job *job, struct seal_err *err)
{
	uint64_t count = 0;
	int r = 0;

	if (strcmp(job->kind, KIND_PEER) == 0)
		r = mark_eggs(store, job, &count, err);
	if (r == 0 && count == 0 && strcmp(job->kind, KIND_PEER) == 0)
		r = mark_enrolments(store, job, &count, err);
	if (r == 0 && count == 0)
		r = mark_certs(store, job, &count, err);
	if (r == 0 && count == 0)
		r = rot_kv_delete(store->kv, job_key(job).text, err);
	return r < 0 ? r : rot_store_news(store, job->workload, err);
}

static int
step(struct rot_store *store, void *arg, struct seal_err *err)
{
	bool *any = arg;
	SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };
	struct job job = { .at = 0 };
	int r = rot_range_keys(store, "revoking/", "revoking0", 1, &keys, err);

	*any = false;
	if (r < 0 || keys.count == 0)
		return r;
	*any = true;
	r = read_job(store, keys.items[0], &job, err);
	if (r == 0)
		r = rot_store_need_workload(store, job.workload, err);
	if (r == SEAL_E_MISSING)
		return rot_kv_delete(store->kv, keys.items[0], err); /* it goes with its workload */
	return r < 0 ? r : do_job(store, &job, err);
}

int
rot_store_revoke_step(struct rot_store *store, bool *ret_any, struct seal_err *err)
{
	return rot_store_change(store, step, ret_any, err);
}

static int
look_for_jobs(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct hunt *hunt = arg;
	const struct rot_path from = rot_path("revoking/%s/", hunt->job->workload);
	const struct rot_path to = rot_path("revoking/%s0", hunt->job->workload);

	return rot_range_keys(store, from.text, to.text, 1, &hunt->serials, err);
}

int
rot_store_is_revoking(struct rot_store *store, const char *workload, bool *ret_is,
		      struct seal_err *err)
{
	struct job job = { .at = 0 };
	struct hunt hunt = { .job = &job };
	int r;

	(void)snprintf(job.workload, sizeof(job.workload), "%s", workload);
	r = rot_store_look(store, look_for_jobs, &hunt, err);
	*ret_is = hunt.serials.count > 0;
	seal_strv_release(&hunt.serials);
	return r;
}

/* ---- Beginning ---- */

struct order {
	struct job job;
	uint64_t eggs;
	uint64_t certs;
};

/* The job is written, and how much it is counted; nothing of it for what was revoked before. */
static int
begin_job(struct rot_store *store, struct order *order, struct seal_err *err)
{
	struct hunt hunt = { .job = &order->job };
	int r = hunt_all(store, &hunt, err);

	order->certs += hunt.count;
	if (r == 0)
		r = write_job(store, &order->job, err);
	return r < 0 ? r : rot_store_news(store, order->job.workload, err);
}

static int
revoke_egg(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct order *order = arg;
	bool was_good = false;
	int r;

	order->certs = 0; /* of a turn before */
	r = rot_store_mark_egg(store, order->job.name, order->job.at, order->job.workload,
			       &was_good, err);
	return r < 0 || !was_good ? r : begin_job(store, order, err);
}

/* Outside a batch it is done when this returns, or tried again later. */
static int
finish(struct rot_store *store, int r, const struct order *order, uint64_t *ret_count)
{
	int more = r == 0 && !rot_kv_is_open(store->kv);

	if (r == 0 && ret_count != NULL)
		*ret_count = order->certs;
	while (more == 1) {
		bool any = false;

		more = rot_store_revoke_step(store, &any, NULL) == 0 && any;
	}
	return r;
}

static void
set_job(struct order *order, const char *kind, const char *name, int64_t now)
{
	(void)snprintf(order->job.kind, sizeof(order->job.kind), "%s", kind);
	(void)snprintf(order->job.name, sizeof(order->job.name), "%s", name);
	order->job.at = now;
}

int
rot_store_revoke_egg(struct rot_store *store, const char *id, int64_t now, uint64_t *ret_count,
		     struct seal_err *err)
{
	struct order order = { .certs = 0 };
	int r;

	set_job(&order, KIND_EGG, id, now);
	r = rot_store_change(store, revoke_egg, &order, err);
	return finish(store, r, &order, ret_count);
}

/* Those beyond what pods are told would be met by others as before: then it is the CA that has to go. */
static int
check_list(struct rot_store *store, const struct job *job, struct seal_err *err)
{
	const struct rot_path from =
		rot_path("revoked/%s/" ROT_TIME "/", job->workload, rot_path_time(job->at + 1));
	const struct rot_path to = rot_path("revoked/%s0", job->workload);
	uint64_t count = 0;
	int r = rot_kv_count(store->kv, from.text, to.text, &count, err);

	if (r < 0 || count < ROT_MAX_REVOKED)
		return r;
	return seal_fail(
		err, SEAL_E_CONFLICT,
		"%" PRIu64
		" certificates of '%s' are revoked already, as many as pods can be told of: "
		"rotate its CA (seal workload rotate-ca %s) and retire the old one",
		count, job->workload, job->workload);
}

static int
revoke_cert(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct order *order = arg;
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	bool was_good = false;
	int r = rot_store_get_cert(store, order->job.name, &cert, err);

	order->certs = 0; /* of a turn before */
	if (r < 0 || cert.revoked_at != 0)
		return r;
	memcpy(order->job.workload, cert.workload, sizeof(order->job.workload));
	r = rot_store_need_workload(store, cert.workload, err);
	if (r == 0)
		r = check_list(store, &order->job, err);
	if (r == 0)
		r = rot_store_mark_cert(store, cert.serial, order->job.at, &was_good, err);
	if (cert.not_after > order->job.at)
		order->certs = 1; /* and those that begin_job counts, which are not marked */
	return r < 0 ? r : begin_job(store, order, err);
}

int
rot_store_revoke_cert(struct rot_store *store, const char *serial, int64_t now, uint64_t *ret_count,
		      struct seal_err *err)
{
	struct order order = { .certs = 0 };
	int r;

	set_job(&order, KIND_CERT, serial, now);
	r = rot_store_change(store, revoke_cert, &order, err);
	return finish(store, r, &order, ret_count);
}

static int
revoke_peer(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct order *order = arg;
	SEAL_SCOPED(seal_strv_release) struct seal_strv ids = { 0 };
	int r = rot_store_need_workload(store, order->job.workload, err);

	order->certs = 0; /* of a turn before */
	if (r == 0)
		r = hunt_eggs(store, &order->job, UINT64_MAX, &ids, err);
	order->eggs = ids.count;
	return r < 0 ? r : begin_job(store, order, err);
}

int
rot_store_revoke_peer(struct rot_store *store, const char *workload, const char *peer, int64_t now,
		      uint64_t *ret_eggs, uint64_t *ret_count, struct seal_err *err)
{
	struct order order = { .certs = 0 };
	int r;

	set_job(&order, KIND_PEER, peer, now);
	(void)snprintf(order.job.workload, sizeof(order.job.workload), "%s", workload);
	r = rot_store_change(store, revoke_peer, &order, err);
	if (r == 0 && ret_eggs != NULL)
		*ret_eggs = order.eggs;
	return finish(store, r, &order, ret_count);
}
