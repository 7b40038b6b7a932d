/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many enrolments at a time: listing them, and finding those of a peer.  What each of them is is store_enrol.c's.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

/* ---- Listing ---- */

struct listing {
	const char *id; /* behind which it begins, or "" */
	const char *workload;
	uint64_t limit;
	rot_enrolment_fn fn;
	void *arg;
};

/* Where the page begins: behind the one named, or at the first. */
static int
page_start(struct rot_store *store, const struct listing *list, const char *prefix,
	   struct rot_path *ret_from, struct seal_err *err)
{
	SEAL_SCOPED(rot_enrolment_release) struct rot_enrolment enrolment = { 0 };
	int r;

	*ret_from = rot_path("%s", prefix);
	if (list->id[0] == '\0')
		return 0;
	r = rot_store_read_enrolment(store, list->id, &enrolment, err);
	if (r == 0)
		*ret_from = rot_path("%s" ROT_TIME "/%s!", prefix,
				     rot_path_time(enrolment.created_at), list->id);
	return r;
}

static int
hand_out(struct rot_store *store, const struct listing *list, const char *key, struct seal_err *err)
{
	SEAL_SCOPED(rot_enrolment_release) struct rot_enrolment enrolment = { 0 };
	int r = rot_store_read_enrolment(store, strrchr(key, '/') + 1, &enrolment, err);

	if (r == SEAL_E_MISSING)
		return rot_fail_damaged(key, err);
	return r < 0 ? r : list->fn(list->arg, &enrolment, err);
}

static int
look_at_all(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct listing *list = arg;
	bool all = list->workload[0] == '\0';
	const struct rot_path prefix =
		all ? rot_path("enrol-at/") : rot_path("enrol-of/%s/", list->workload);
	const struct rot_path to =
		all ? rot_path("enrol-at0") : rot_path("enrol-of/%s0", list->workload);
	SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };
	struct rot_path from;
	int r = 0;

	if (!all)
		r = rot_store_need_workload(store, list->workload, err);
	if (r == 0)
		r = page_start(store, list, prefix.text, &from, err);
	if (r == 0 && list->limit > 0)
		r = rot_range_keys(store, from.text, to.text, list->limit, &keys, err);
	for (size_t i = 0; r == 0 && i < keys.count; i++)
		r = hand_out(store, list, keys.items[i], err);
	return r;
}

int
rot_store_each_enrolment(struct rot_store *store, const char *workload, const char *after,
			 uint64_t limit, rot_enrolment_fn fn, void *arg, struct seal_err *err)
{
	struct listing list = {
		.id = after, .workload = workload, .limit = limit, .fn = fn, .arg = arg
	};

	return rot_store_look(store, look_at_all, &list, err);
}

/* ---- Those of a peer that can be spent ---- */

struct search {
	const char *peer;
	int64_t now;
	bool fits;
};

static int
look_whether_it_fits(void *arg, const char *key, const void *value, size_t len,
		     struct seal_err *err)
{
	struct search *search = arg;
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	const char *peer = NULL;
	uint64_t spent = 1, revoked = 1, end = 0;
	int r = rot_record_parse(key, value, len, &record, err);

	if (r < 0)
		return r;
	if (seal_json_get_str(record, "peer", &peer, NULL) < 0 ||
	    seal_json_get_u64(record, "spent_at", INT64_MAX, &spent, NULL) < 0 ||
	    seal_json_get_u64(record, "revoked_at", INT64_MAX, &revoked, NULL) < 0 ||
	    seal_json_get_u64(record, "not_after", INT64_MAX, &end, NULL) < 0)
		return rot_fail_damaged(key, err);
	search->fits = strcmp(peer, search->peer) == 0 && spent == 0 && revoked == 0 &&
		       (int64_t)end > search->now;
	return 0;
}

int
rot_store_find_enrolments(struct rot_store *store, const char *workload, const char *peer,
			  int64_t now, uint64_t limit, struct seal_strv *ids, struct seal_err *err)
{
	const struct rot_path from = rot_path("enrol-of/%s/", workload);
	const struct rot_path to = rot_path("enrol-of/%s0", workload);
	SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };
	int r = rot_range_keys(store, from.text, to.text, 0, &keys, err);

	for (size_t i = 0; r == 0 && i < keys.count && ids->count < limit; i++) {
		const char *id = strrchr(keys.items[i], '/') + 1;
		const struct rot_path at = rot_path("enrol/%s", id),
				      behind = rot_path("enrol/%s!", id);
		const struct rot_kv_range one = { .from = at.text,
						  .to = behind.text,
						  .loose = true };
		struct search search = { .peer = peer, .now = now };

		r = rot_kv_each(store->kv, &one, look_whether_it_fits, &search, err);
		if (r == 0 && search.fits)
			r = seal_strv_add(ids, id, err);
	}
	return r;
}
