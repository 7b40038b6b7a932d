/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workloads and their peer policy.  Every change of a policy moves the workload's epoch in the same
 * transaction, so that no reader sees new pairs under an old number.
 */

#include "rot/server/store.h"
#include "rot/server/store_internal.h"

struct new_workload {
	const struct rot_ca *ca;
	const struct rot_root *root;
	bool open;
	int64_t now;
};

struct pair_change {
	const char *workload;
	const char *client;
	const char *server;
	uint64_t epoch; /* afterwards */
};

static int insert_workload(struct rot_store *store, void *arg, struct seal_err *err);
static int insert_pair(struct rot_store *store, int64_t id, const char *client, const char *server,
		       struct seal_err *err);
static int read_workload(const struct rot_query *query, struct rot_workload *workload,
			 struct seal_err *err);
static int add_pair(struct rot_store *store, void *arg, struct seal_err *err);
static int delete_pair(struct rot_store *store, void *arg, struct seal_err *err);

int
rot_store_add_workload(struct rot_store *store, const struct rot_ca *ca,
		       const struct rot_root *root, bool open, int64_t now, struct seal_err *err)
{
	struct new_workload fresh = { .ca = ca, .root = root, .open = open, .now = now };

	return rot_store_change(store, insert_workload, &fresh, err);
}

int
rot_store_get_workload(struct rot_store *store, const char *name, int64_t now,
		       struct rot_workload *ret_workload, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_WORKLOAD_GET);
	int r;

	rot_bind_i64(&query, 1, now);
	rot_bind_text(&query, 2, name);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return seal_fail(err, SEAL_E_MISSING, "there is no workload '%s'", name);
	return read_workload(&query, ret_workload, err);
}

int
rot_store_each_workload(struct rot_store *store, const char *after, uint64_t limit, int64_t now,
			rot_workload_fn fn, void *arg, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_WORKLOAD_EACH);
	struct rot_workload workload = { 0 };
	int r;

	rot_bind_i64(&query, 1, now);
	rot_bind_text(&query, 2, after);
	rot_bind_i64(&query, 3, (int64_t)limit);
	while ((r = rot_query_step(&query, err)) == 1) {
		r = read_workload(&query, &workload, err);
		if (r == 0)
			r = fn(arg, &workload, err);
		if (r < 0)
			return r;
	}
	return r;
}

int
rot_store_delete_workload(struct rot_store *store, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_WORKLOAD_DELETE);
	int r;

	/* One statement is one transaction; what refers to the row goes with it. */
	rot_bind_text(&query, 1, name);
	r = rot_query_run(&query, err);
	if (r == 0)
		return seal_fail(err, SEAL_E_MISSING, "there is no workload '%s'", name);
	return r < 0 ? r : 0;
}

int
rot_store_each_pair(struct rot_store *store, const char *workload, rot_pair_fn fn, void *arg,
		    struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_PAIR_EACH);
	int64_t id = 0;
	int r;

	r = rot_store_workload_id(store, workload, &id, NULL, err);
	if (r < 0)
		return r;
	rot_bind_i64(&query, 1, id);
	while ((r = rot_query_step(&query, err)) == 1) {
		r = fn(arg, rot_column_text(&query, 0), rot_column_text(&query, 1), err);
		if (r < 0)
			return r;
	}
	return r;
}

static int
change_pair(struct rot_store *store, rot_change_fn change, struct pair_change *pair,
	    uint64_t *ret_epoch, struct seal_err *err)
{
	int r = rot_store_change(store, change, pair, err);

	if (r == 0)
		*ret_epoch = pair->epoch;
	return r;
}

int
rot_store_add_pair(struct rot_store *store, const char *workload, const char *client,
		   const char *server, uint64_t *ret_epoch, struct seal_err *err)
{
	struct pair_change pair = { .workload = workload, .client = client, .server = server };

	return change_pair(store, add_pair, &pair, ret_epoch, err);
}

int
rot_store_delete_pair(struct rot_store *store, const char *workload, const char *client,
		      const char *server, uint64_t *ret_epoch, struct seal_err *err)
{
	struct pair_change pair = { .workload = workload, .client = client, .server = server };

	return change_pair(store, delete_pair, &pair, ret_epoch, err);
}

/* "*" sorts before every name: when it is there, it is first and says all. */
static int
collect(struct rot_store *store, enum rot_sql which, int64_t id, const char *peer,
	struct seal_strv *list, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, which);
	int r;

	rot_bind_i64(&query, 1, id);
	rot_bind_text(&query, 2, peer);
	while ((r = rot_query_step(&query, err)) == 1) {
		const char *name = rot_column_text(&query, 0);

		r = seal_strv_add(list, name, err);
		if (r < 0)
			return r;
		if (strcmp(name, SEAL_PEER_EVERY) == 0)
			return 0;
	}
	return r;
}

int
rot_store_policy(struct rot_store *store, const char *workload, const char *peer,
		 struct seal_strv *ret_clients, struct seal_strv *ret_servers, uint64_t *ret_epoch,
		 struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv clients = { 0 };
	SEAL_SCOPED(seal_strv_release) struct seal_strv servers = { 0 };
	uint64_t epoch = 0;
	int64_t id = 0;
	int r;

	r = rot_store_workload_id(store, workload, &id, &epoch, err);
	if (r == 0)
		r = collect(store, ROT_SQL_CLIENTS, id, peer, &clients, err);
	if (r == 0)
		r = collect(store, ROT_SQL_SERVERS, id, peer, &servers, err);
	if (r < 0)
		return r;
	*ret_clients = clients;
	*ret_servers = servers;
	*ret_epoch = epoch;
	memset(&clients, 0, sizeof(clients)); /* the caller owns both now */
	memset(&servers, 0, sizeof(servers));
	return 0;
}

int
rot_store_workload_id(struct rot_store *store, const char *name, int64_t *ret_id,
		      uint64_t *ret_epoch, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_WORKLOAD_ID);
	int r;

	rot_bind_text(&query, 1, name);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return seal_fail(err, SEAL_E_MISSING, "there is no workload '%s'", name);
	*ret_id = rot_column_i64(&query, 0);
	if (ret_epoch != NULL)
		*ret_epoch = (uint64_t)rot_column_i64(&query, 1);
	return 0;
}

static int
insert_row(struct rot_store *store, const char *name, int64_t now, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_WORKLOAD_ADD);
	int r;

	rot_bind_text(&query, 1, name);
	rot_bind_i64(&query, 2, now);
	r = rot_query_run(&query, err);
	return r < 0 ? seal_note(err, r, "workload '%s'", name) : 0;
}

static int
insert_workload(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct new_workload *fresh = arg;
	const char *who = fresh->open ? SEAL_PEER_EVERY : SEAL_PEER_ANY;
	int64_t id = 0;
	int r;

	r = insert_row(store, fresh->ca->workload, fresh->now, err);
	if (r == 0)
		r = rot_store_workload_id(store, fresh->ca->workload, &id, NULL, err);
	if (r == 0)
		r = rot_store_put_ca(store, fresh->ca, &id, fresh->now, err);
	if (r == 0)
		r = rot_store_put_root(store, fresh->root, id, fresh->now, err);
	if (r == 0)
		r = insert_pair(store, id, who, who, err);
	return r;
}

static int
insert_pair(struct rot_store *store, int64_t id, const char *client, const char *server,
	    struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_PAIR_ADD);
	int r;

	rot_bind_i64(&query, 1, id);
	rot_bind_text(&query, 2, client);
	rot_bind_text(&query, 3, server);
	r = rot_query_run(&query, err);
	return r < 0 ? seal_note(err, r, "pair %s -> %s", client, server) : 0;
}

static int
read_workload(const struct rot_query *query, struct rot_workload *workload, struct seal_err *err)
{
	int r = rot_column_copy(query, 0, workload->name, sizeof(workload->name), err);

	if (r < 0)
		return r;
	workload->created_at = rot_column_i64(query, 1);
	workload->epoch = (uint64_t)rot_column_i64(query, 2);
	workload->pairs = (uint64_t)rot_column_i64(query, 3);
	workload->eggs = (uint64_t)rot_column_i64(query, 4);
	workload->eggs_live = (uint64_t)rot_column_i64(query, 5);
	workload->certificates = (uint64_t)rot_column_i64(query, 6);
	return 0;
}

static int
check_room(struct rot_store *store, int64_t id, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_PAIR_COUNT);
	int r;

	rot_bind_i64(&query, 1, id);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	if (rot_column_i64(&query, 0) >= ROT_STORE_MAX_PAIRS)
		return seal_fail(err, SEAL_E_LIMIT, "a workload has at most %d pairs",
				 ROT_STORE_MAX_PAIRS);
	return 0;
}

static int
bump_epoch(struct rot_store *store, int64_t id, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_EPOCH_BUMP);
	int r;

	rot_bind_i64(&query, 1, id);
	r = rot_query_run(&query, err);
	return r < 0 ? r : 0;
}

static int
add_pair(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct pair_change *pair = arg;
	int64_t id = 0;
	int r;

	r = rot_store_workload_id(store, pair->workload, &id, &pair->epoch, err);
	if (r == 0)
		r = check_room(store, id, err);
	if (r == 0)
		r = insert_pair(store, id, pair->client, pair->server, err);
	if (r == 0)
		r = bump_epoch(store, id, err);
	if (r == 0)
		pair->epoch++;
	return r;
}

/* The pair itself is not there: say whether a wider one allows it all the same. */
static int
fail_absent(struct rot_store *store, int64_t id, const struct pair_change *pair,
	    struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_PAIR_WIDER);
	int r;

	rot_bind_i64(&query, 1, id);
	rot_bind_text(&query, 2, pair->client);
	rot_bind_text(&query, 3, pair->server);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return seal_fail(err, SEAL_E_MISSING, "there is no pair %s -> %s in workload '%s'",
				 pair->client, pair->server, pair->workload);
	return seal_fail(
		err, SEAL_E_CONFLICT, "%s -> %s is allowed by the pair '%s' -> '%s': deny that one",
		pair->client, pair->server, rot_column_text(&query, 0), rot_column_text(&query, 1));
}

static int
delete_row(struct rot_store *store, int64_t id, const struct pair_change *pair,
	   struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_PAIR_DELETE);
	int r;

	rot_bind_i64(&query, 1, id);
	rot_bind_text(&query, 2, pair->client);
	rot_bind_text(&query, 3, pair->server);
	r = rot_query_run(&query, err);
	if (r == 0)
		return fail_absent(store, id, pair, err);
	return r < 0 ? r : 0;
}

static int
delete_pair(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct pair_change *pair = arg;
	int64_t id = 0;
	int r;

	r = rot_store_workload_id(store, pair->workload, &id, &pair->epoch, err);
	if (r == 0)
		r = delete_row(store, id, pair, err);
	if (r == 0)
		r = bump_epoch(store, id, err);
	if (r == 0)
		pair->epoch++;
	return r;
}
