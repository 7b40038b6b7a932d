/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listing certificates: by their end, so that what ends next comes first.  Which keys are walked depends on what is
 * asked for; the records that they lead to say the rest.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

/* Keys of one stretch of the walk: a page and a little. */
#define STRETCH 512

struct listing {
	const char *workload;
	enum rot_cert_state state;
	const char *after;
	uint64_t limit;
	int64_t now;
	rot_cert_fn fn;
	void *arg;
	struct rot_path from;
	struct rot_path to;
};

/* Revoked ones of all workloads lie by workload, all others by their end alone. */
static struct rot_path
prefix_of(const struct listing *listing)
{
	bool all = listing->workload[0] == '\0';

	if (listing->state == ROT_CERT_REVOKED)
		return all ? rot_path("revoked/") : rot_path("revoked/%s/", listing->workload);
	return all ? rot_path("cert-end/") : rot_path("cert-of/%s/", listing->workload);
}

static int
start_after(struct rot_store *store, struct listing *listing, struct seal_err *err)
{
	const struct rot_path prefix = prefix_of(listing);
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	bool by_workload = listing->state == ROT_CERT_REVOKED && listing->workload[0] == '\0';
	int r = rot_store_get_cert(store, listing->after, &cert, err);

	if (r < 0)
		return r;
	listing->from =
		rot_path("%s%s%s" ROT_TIME "/%s!", prefix.text, by_workload ? cert.workload : "",
			 by_workload ? "/" : "", rot_path_time(cert.not_after), cert.serial);
	return 0;
}

static int
set_bounds(struct rot_store *store, struct listing *listing, struct seal_err *err)
{
	const struct rot_path prefix = prefix_of(listing);
	const uint64_t end = rot_path_time(listing->now + 1);

	listing->from = listing->state == ROT_CERT_LIVE
				? rot_path("%s" ROT_TIME "/", prefix.text, end)
				: prefix;
	listing->to = listing->state == ROT_CERT_EXPIRED
			      ? rot_path("%s" ROT_TIME "/", prefix.text, end)
			      : rot_path("%.*s0", (int)strlen(prefix.text) - 1, prefix.text);
	if (listing->after[0] == '\0')
		return 0;
	return start_after(store, listing, err);
}

static bool
is_asked_for(const struct listing *listing, const struct rot_cert *cert)
{
	bool revoked = cert->revoked_at != 0;

	switch (listing->state) {
	case ROT_CERT_LIVE:
		return !revoked && cert->not_after > listing->now;
	case ROT_CERT_EXPIRED:
		return !revoked && cert->not_after <= listing->now;
	case ROT_CERT_REVOKED:
		return revoked;
	case ROT_CERT_ANY:
	default:
		return true;
	}
}

static int
hand_out(struct rot_store *store, struct listing *listing, const char *key, uint64_t *count,
	 struct seal_err *err)
{
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	int r = rot_store_get_cert(store, strrchr(key, '/') + 1, &cert, err);

	if (r == SEAL_E_MISSING)
		return rot_fail_damaged(key, err);
	if (r < 0 || !is_asked_for(listing, &cert))
		return r;
	++*count;
	return listing->fn(listing->arg, &cert, err);
}

static int
walk(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct listing *listing = arg;
	uint64_t count = 0;
	size_t found = STRETCH;
	int r = 0;

	if (listing->workload[0] != '\0')
		r = rot_store_need_workload(store, listing->workload, err);
	if (r == 0)
		r = set_bounds(store, listing, err);
	while (r == 0 && count < listing->limit && found == STRETCH) {
		SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };

		r = rot_range_keys(store, listing->from.text, listing->to.text, STRETCH, &keys,
				   err);
		found = keys.count;
		for (size_t i = 0; r == 0 && i < keys.count && count < listing->limit; i++)
			r = hand_out(store, listing, keys.items[i], &count, err);
		if (found > 0)
			listing->from = rot_path("%s!", keys.items[found - 1]);
	}
	return r;
}

int
rot_store_each_cert(struct rot_store *store, const char *workload, enum rot_cert_state state,
		    const char *after, uint64_t limit, int64_t now, rot_cert_fn fn, void *arg,
		    struct seal_err *err)
{
	struct listing listing = { .workload = workload,
				   .state = state,
				   .after = after,
				   .limit = limit,
				   .now = now,
				   .fn = fn,
				   .arg = arg };

	return rot_store_look(store, walk, &listing, err);
}
