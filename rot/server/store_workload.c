/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workloads and their peer policy.  A policy is one record with its epoch, so that no reader sees new pairs under an
 * old number.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

#define PAIR_MAX (2 * (SEAL_PEER_MAX + 1))

int
rot_store_no_workload(const char *name, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_MISSING, "there is no workload '%s'", name);
}

static struct rot_path
workload_key(const char *name)
{
	return rot_path("workload/%s", name);
}

static int
get_workload(struct rot_store *store, const char *name, int64_t *ret_created_at,
	     struct seal_err *err)
{
	static const char *const members[] = { "created_at", NULL };
	const struct rot_path key = workload_key(name);
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	struct rot_fields fields = { .key = key.text };
	int64_t created_at = 0;
	int r = rot_record_get(store, key.text, &record, err);

	if (r == SEAL_E_MISSING)
		return rot_store_no_workload(name, err);
	if (r < 0)
		return r;
	fields.record = record;
	rot_field_time(&fields, "created_at", &created_at);
	r = rot_fields_done(&fields, members, err);
	if (r == 0)
		*ret_created_at = created_at;
	return r;
}

int
rot_store_need_workload(struct rot_store *store, const char *name, struct seal_err *err)
{
	bool there = false;
	int r = rot_record_has(store, workload_key(name).text, &there, err);

	return r < 0 || there ? r : rot_store_no_workload(name, err);
}

int
rot_store_put_workload(struct rot_store *store, const char *name, int64_t created_at,
		       struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();
	bool gone = false, there = false;
	int r;

	r = rot_record_has(store, rot_path("gone/%s", name).text, &gone, err);
	if (r == 0)
		r = rot_record_has(store, workload_key(name).text, &there, err);
	if (r < 0)
		return r;
	if (there)
		return seal_fail(err, SEAL_E_CONFLICT, "workload '%s': it exists already", name);
	if (gone)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "what the workload '%s' of before has left is still being swept "
				 "away: try again in a moment",
				 name);
	seal_json_set_i64(record, "created_at", created_at);
	return rot_record_put(store, workload_key(name).text, record, ROT_RECORD_ADD, err);
}

/* ---- Making one ---- */

struct new_workload {
	const struct rot_ca *ca;
	const struct rot_root *root;
	bool open;
	int64_t now;
};

static int
put_first_pair(struct rot_store *store, const struct new_workload *fresh, struct seal_err *err)
{
	SEAL_SCOPED(rot_pairs_release) struct rot_pairs pairs = { 0 };
	const char *who = fresh->open ? SEAL_PEER_EVERY : SEAL_PEER_ANY;
	char pair[PAIR_MAX];
	int r;

	(void)snprintf(pair, sizeof(pair), "%s %s", who, who);
	r = rot_store_set_epoch(store, fresh->ca->workload, 0, &pairs.epoch, err);
	if (r == 0)
		r = seal_strv_add(&pairs.items, pair, err);
	return r < 0 ? r : rot_store_put_pairs(store, fresh->ca->workload, &pairs, err);
}

static int
insert_workload(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct new_workload *fresh = arg;
	int r;

	r = rot_store_put_workload(store, fresh->ca->workload, fresh->now, err);
	if (r == 0)
		r = rot_store_put_ca(store, fresh->ca, fresh->now, err);
	if (r == 0)
		r = rot_store_put_root(store, fresh->root, fresh->now, err);
	if (r == 0)
		r = put_first_pair(store, fresh, err);
	return r;
}

int
rot_store_add_workload(struct rot_store *store, const struct rot_ca *ca,
		       const struct rot_root *root, bool open, int64_t now, struct seal_err *err)
{
	struct new_workload fresh = { .ca = ca, .root = root, .open = open, .now = now };

	return rot_store_change(store, insert_workload, &fresh, err);
}

/* ---- Reading them ---- */

struct workload_look {
	const char *name;
	const char *after;
	uint64_t limit;
	int64_t now;
	rot_workload_fn fn;
	void *arg;
	struct rot_workload *ret_workload;
};

/* How many keys TIME/ID below "prefix/WORKLOAD/" are of later than now. */
static int
count_live(struct rot_store *store, const char *prefix, const char *workload, int64_t now,
	   uint64_t *ret_count, struct seal_err *err)
{
	const struct rot_path from =
		rot_path("%s/%s/" ROT_TIME "/", prefix, workload, rot_path_time(now + 1));
	const struct rot_path to = rot_path("%s/%s0", prefix, workload);

	return rot_kv_count(store->kv, from.text, to.text, ret_count, err);
}

static int
read_workload(struct rot_store *store, const char *name, int64_t now,
	      struct rot_workload *ret_workload, struct seal_err *err)
{
	const struct rot_path from = rot_path("egg-of/%s/", name),
			      to = rot_path("egg-of/%s0", name);
	SEAL_SCOPED(rot_pairs_release) struct rot_pairs pairs = { 0 };
	struct rot_workload workload = { 0 };
	uint64_t revoked = 0;
	int r;

	(void)snprintf(workload.name, sizeof(workload.name), "%s", name);
	r = get_workload(store, name, &workload.created_at, err);
	if (r == 0)
		r = rot_store_get_pairs(store, name, &pairs, err);
	if (r == 0)
		r = rot_store_epoch(store, name, &workload.epoch, err);
	if (r == 0)
		r = rot_kv_count(store->kv, from.text, to.text, &workload.eggs, err);
	if (r == 0)
		r = count_live(store, "egg-live-of", name, now, &workload.eggs_live, err);
	if (r == 0)
		r = count_live(store, "cert-of", name, now, &workload.certificates, err);
	if (r == 0)
		r = count_live(store, "revoked", name, now, &revoked, err);
	if (r < 0)
		return r;
	workload.pairs = pairs.items.count;
	workload.certificates -= revoked < workload.certificates ? revoked : workload.certificates;
	*ret_workload = workload;
	return 0;
}

static int
look_at_one(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct workload_look *look = arg;

	return read_workload(store, look->name, look->now, look->ret_workload, err);
}

int
rot_store_get_workload(struct rot_store *store, const char *name, int64_t now,
		       struct rot_workload *ret_workload, struct seal_err *err)
{
	struct workload_look look = { .name = name, .now = now, .ret_workload = ret_workload };

	return rot_store_look(store, look_at_one, &look, err);
}

static int
look_at_page(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct workload_look *look = arg;
	const struct rot_path from =
		rot_path("workload/%s%s", look->after, look->after[0] != '\0' ? "!" : "");
	SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };
	int r = 0;

	if (look->limit > 0)
		r = rot_range_keys(store, from.text, "workload0", look->limit, &keys, err);
	for (size_t i = 0; r == 0 && i < keys.count; i++) {
		struct rot_workload workload = { 0 };

		r = read_workload(store, keys.items[i] + strlen("workload/"), look->now, &workload,
				  err);
		if (r == 0)
			r = look->fn(look->arg, &workload, err);
	}
	return r;
}

int
rot_store_each_workload(struct rot_store *store, const char *after, uint64_t limit, int64_t now,
			rot_workload_fn fn, void *arg, struct seal_err *err)
{
	struct workload_look look = {
		.after = after, .limit = limit, .now = now, .fn = fn, .arg = arg
	};

	return rot_store_look(store, look_at_page, &look, err);
}

/* ---- Pairs ---- */

void
rot_pairs_release(struct rot_pairs *pairs)
{
	seal_strv_release(&pairs->items);
}

int
rot_store_get_pairs(struct rot_store *store, const char *workload, struct rot_pairs *ret_pairs,
		    struct seal_err *err)
{
	static const char *const members[] = { "epoch", "pairs", NULL };
	const struct rot_path key = rot_path("policy/%s", workload);
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	SEAL_SCOPED(rot_pairs_release) struct rot_pairs pairs = { 0 };
	struct rot_fields fields = { .key = key.text };
	int r = rot_store_need_workload(store, workload, err);

	if (r == 0)
		r = rot_record_get(store, key.text, &record, err);
	if (r == SEAL_E_MISSING)
		return rot_store_no_workload(workload, err);
	if (r < 0)
		return r;
	fields.record = record;
	rot_field_u64(&fields, "epoch", &pairs.epoch);
	rot_field_strv(&fields, "pairs", ROT_STORE_MAX_PAIRS, &pairs.items);
	r = rot_fields_done(&fields, members, err);
	if (r < 0)
		return r;
	*ret_pairs = pairs;
	memset(&pairs, 0, sizeof(pairs)); /* the caller owns it now */
	return 0;
}

int
rot_store_put_pairs(struct rot_store *store, const char *workload, const struct rot_pairs *pairs,
		    struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();

	seal_json_set_u64(record, "epoch", pairs->epoch);
	seal_json_set_strv(record, "pairs", &pairs->items);
	return rot_record_put(store, rot_path("policy/%s", workload).text, record, ROT_RECORD_PUT,
			      err);
}

/* "web db" into its two names. */
static int
split_pair(const char *pair, char client[static SEAL_PEER_MAX + 1],
	   char server[static SEAL_PEER_MAX + 1], struct seal_err *err)
{
	const char *blank = strchr(pair, ' ');
	size_t len = blank != NULL ? (size_t)(blank - pair) : 0;

	if (len == 0 || len > SEAL_PEER_MAX || strlen(blank + 1) > SEAL_PEER_MAX)
		return seal_fail(err, SEAL_E_SYSTEM,
				 "the store is damaged, restore a backup: a pair");
	memcpy(client, pair, len);
	client[len] = '\0';
	memcpy(server, blank + 1, strlen(blank + 1) + 1);
	return 0;
}

struct pair_look {
	const char *workload;
	rot_pair_fn fn;
	void *arg;
};

static int
look_at_pairs(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct pair_look *look = arg;
	SEAL_SCOPED(rot_pairs_release) struct rot_pairs pairs = { 0 };
	int r = rot_store_get_pairs(store, look->workload, &pairs, err);

	for (size_t i = 0; r == 0 && i < pairs.items.count; i++) {
		char client[SEAL_PEER_MAX + 1], server[SEAL_PEER_MAX + 1];

		r = split_pair(pairs.items.items[i], client, server, err);
		if (r == 0)
			r = look->fn(look->arg, client, server, err);
	}
	return r;
}

int
rot_store_each_pair(struct rot_store *store, const char *workload, rot_pair_fn fn, void *arg,
		    struct seal_err *err)
{
	struct pair_look look = { .workload = workload, .fn = fn, .arg = arg };

	return rot_store_look(store, look_at_pairs, &look, err);
}

/* ---- What the pairs say of one peer ---- */

struct policy_look {
	const char *workload;
	const char *peer;
	struct seal_strv clients;
	struct seal_strv servers;
	uint64_t epoch;
};

static bool
stands_for(const char *name, const char *peer)
{
	return strcmp(name, SEAL_PEER_EVERY) == 0 || strcmp(name, peer) == 0;
}

/* Names come sorted by their pairs' clients, so servers may come twice and in disorder. */
static int
collect(struct seal_strv *list, const char *name, struct seal_err *err)
{
	return seal_strv_contains(list, name) ? 0 : seal_strv_add(list, name, err);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted; and "*", which then is first, says all. */
static int
tidy(struct seal_strv *list, struct seal_err *err)
{
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), compare_names);
	if (list->count < 2 || strcmp(list->items[0], SEAL_PEER_EVERY) != 0)
		return 0;
	seal_strv_release(list);
	return seal_strv_add(list, SEAL_PEER_EVERY, err);
}

static int
derive(struct policy_look *look, const struct rot_pairs *pairs, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < pairs->items.count; i++) {
		char client[SEAL_PEER_MAX + 1], server[SEAL_PEER_MAX + 1];

		r = split_pair(pairs->items.items[i], client, server, err);
		if (r == 0 && stands_for(server, look->peer))
			r = collect(&look->clients, client, err);
		if (r == 0 && stands_for(client, look->peer))
			r = collect(&look->servers, server, err);
	}
	if (r == 0)
		r = tidy(&look->clients, err);
	if (r == 0)
		r = tidy(&look->servers, err);
	return r;
}

static int
look_at_policy(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct policy_look *look = arg;
	SEAL_SCOPED(rot_pairs_release) struct rot_pairs pairs = { 0 };
	int r = rot_store_get_pairs(store, look->workload, &pairs, err);

	if (r == 0)
		r = rot_store_epoch(store, look->workload, &look->epoch, err);
	return r < 0 ? r : derive(look, &pairs, err);
}

int
rot_store_policy(struct rot_store *store, const char *workload, const char *peer,
		 struct seal_strv *ret_clients, struct seal_strv *ret_servers, uint64_t *ret_epoch,
		 struct seal_err *err)
{
	struct policy_look look = { .workload = workload, .peer = peer };
	int r = rot_store_look(store, look_at_policy, &look, err);

	if (r < 0) {
		seal_strv_release(&look.clients);
		seal_strv_release(&look.servers);
		return r;
	}
	*ret_clients = look.clients;
	*ret_servers = look.servers;
	*ret_epoch = look.epoch;
	return 0;
}

/* ---- Changing pairs ---- */

struct pair_change {
	const char *workload;
	const char *client;
	const char *server;
	uint64_t epoch; /* afterwards */
};

static int
put_changed(struct rot_store *store, struct pair_change *change, struct rot_pairs *pairs,
	    struct seal_err *err)
{
	int r;

	if (pairs->items.count > 1)
		qsort(pairs->items.items, pairs->items.count, sizeof(*pairs->items.items),
		      compare_names);
	r = rot_store_news(store, change->workload, err);
	if (r == 0)
		r = rot_store_epoch(store, change->workload, &change->epoch, err);
	pairs->epoch = change->epoch;
	return r < 0 ? r : rot_store_put_pairs(store, change->workload, pairs, err);
}

static int
add_pair(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct pair_change *change = arg;
	SEAL_SCOPED(rot_pairs_release) struct rot_pairs pairs = { 0 };
	char pair[PAIR_MAX];
	int r;

	(void)snprintf(pair, sizeof(pair), "%s %s", change->client, change->server);
	r = rot_store_get_pairs(store, change->workload, &pairs, err);
	if (r < 0)
		return r;
	if (seal_strv_contains(&pairs.items, pair))
		return seal_fail(err, SEAL_E_CONFLICT, "pair %s -> %s: it exists already",
				 change->client, change->server);
	if (pairs.items.count >= ROT_STORE_MAX_PAIRS)
		return seal_fail(err, SEAL_E_LIMIT, "a workload has at most %d pairs",
				 ROT_STORE_MAX_PAIRS);
	r = seal_strv_add(&pairs.items, pair, err);
	return r < 0 ? r : put_changed(store, change, &pairs, err);
}

/* Is there this pair, of which one or both names stand for every peer? */
static int
fail_wider(const struct rot_pairs *pairs, const struct pair_change *change, const char *client,
	   const char *server, struct seal_err *err)
{
	char pair[PAIR_MAX];

	(void)snprintf(pair, sizeof(pair), "%s %s", client, server);
	if (!seal_strv_contains(&pairs->items, pair))
		return 0;
	return seal_fail(err, SEAL_E_CONFLICT,
			 "%s -> %s is allowed by the pair '%s' -> '%s': deny that one",
			 change->client, change->server, client, server);
}

/*
 * The pair itself is not there: say whether a wider one allows it all the same.  The widest that stands is named:
 * denying it is what helps.
 */
static int
fail_absent(const struct rot_pairs *pairs, const struct pair_change *change, struct seal_err *err)
{
	int r = fail_wider(pairs, change, SEAL_PEER_EVERY, SEAL_PEER_EVERY, err);

	if (r == 0)
		r = fail_wider(pairs, change, SEAL_PEER_EVERY, change->server, err);
	if (r == 0)
		r = fail_wider(pairs, change, change->client, SEAL_PEER_EVERY, err);
	if (r == 0)
		r = seal_fail(err, SEAL_E_MISSING, "there is no pair %s -> %s in workload '%s'",
			      change->client, change->server, change->workload);
	return r;
}

static int
delete_pair(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct pair_change *change = arg;
	SEAL_SCOPED(rot_pairs_release) struct rot_pairs pairs = { 0 };
	char pair[PAIR_MAX];
	size_t i = 0;
	int r;

	(void)snprintf(pair, sizeof(pair), "%s %s", change->client, change->server);
	r = rot_store_get_pairs(store, change->workload, &pairs, err);
	if (r < 0)
		return r;
	while (i < pairs.items.count && strcmp(pairs.items.items[i], pair) != 0)
		i++;
	if (i == pairs.items.count)
		return fail_absent(&pairs, change, err);
	free(pairs.items.items[i]);
	pairs.items.items[i] = pairs.items.items[--pairs.items.count];
	return put_changed(store, change, &pairs, err);
}

static int
change_pair(struct rot_store *store, rot_change_fn fn, struct pair_change *change,
	    uint64_t *ret_epoch, struct seal_err *err)
{
	int r = rot_store_change(store, fn, change, err);

	if (r == 0)
		*ret_epoch = change->epoch;
	return r;
}

int
rot_store_add_pair(struct rot_store *store, const char *workload, const char *client,
		   const char *server, uint64_t *ret_epoch, struct seal_err *err)
{
	struct pair_change change = { .workload = workload, .client = client, .server = server };

	return change_pair(store, add_pair, &change, ret_epoch, err);
}

int
rot_store_delete_pair(struct rot_store *store, const char *workload, const char *client,
		      const char *server, uint64_t *ret_epoch, struct seal_err *err)
{
	struct pair_change change = { .workload = workload, .client = client, .server = server };

	return change_pair(store, delete_pair, &change, ret_epoch, err);
}
