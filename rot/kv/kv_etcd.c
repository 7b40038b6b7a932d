/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replicated engine.  A transaction reads at one revision of etcd, the newest when it first reads; it keeps its
 * changes to itself, and etcd_commit.c makes one request of them.  Reads are looked up in what the transaction has
 * written, then in what it has read, then in etcd.
 */

#include "rot/kv/etcd_internal.h"

/* Beyond so many keys nothing can be compared any more: what is only read need not be remembered. */
#define WIDE (2 * ETCD_MAX_OPS)

/* ---- Opening ---- */

static void
reset(struct etcd_store *store)
{
	etcd_journal_release(&store->reads);
	etcd_journal_release(&store->writes);
	for (size_t i = 0; i < store->span_count; i++) {
		free(store->spans[i].from);
		free(store->spans[i].to);
	}
	free(store->spans);
	store->spans = NULL;
	store->span_count = 0;
	store->revision = 0;
	store->wide = false;
	store->is_open = false;
}

static void
close_store(void *state)
{
	struct etcd_store *store = state;

	if (store == NULL)
		return;
	reset(store);
	if (store->client != NULL)
		etcd_fence_end(store);
	etcd_client_free(store->client);
	free(store);
}

static void
close_storep(struct etcd_store **store)
{
	close_store(*store);
	*store = NULL;
}

static int
check_empty(struct etcd_store *store, struct seal_err *err)
{
	const struct etcd_ask asked = {
		.from = ROT_KV_SELF, .to = ROT_KV_LAST, .limit = 1, .keys_only = true
	};
	SEAL_SCOPED(etcd_page_release) struct etcd_page page = { 0 };
	int r = etcd_range(store->client, &asked, etcd_now_ms() + ETCD_CALL_MS, &page, err);

	if (r < 0)
		return r;
	return page.count == 0 ? 0
			       : seal_fail(err, SEAL_E_CONFLICT,
					   "etcd holds a store already under this prefix");
}

static int
open_store(void **ret_state, const struct rot_kv_config *config, const char *where,
	   enum rot_kv_mode mode, struct seal_err *err)
{
	SEAL_SCOPED(close_storep) struct etcd_store *store = calloc(1, sizeof(*store));
	int r;

	if (store == NULL)
		return seal_fail_memory(err);
	r = etcd_client_new(&store->client, config, where, err);
	if (r == 0)
		r = etcd_fence_new(store, err);
	if (r == 0 && mode == ROT_KV_CREATE)
		r = check_empty(store, err);
	if (r < 0)
		return r;
	if (mode == ROT_KV_OPEN)
		etcd_fence_purge(store);
	*ret_state = SEAL_TAKE(store);
	return 0;
}

static const char *
holder(const void *state)
{
	const struct etcd_store *store = state;

	return etcd_client_cluster(store->client);
}

static struct rot_db *
get_db(void *state)
{
	(void)state;
	return NULL;
}

static uint64_t
older(const void *state)
{
	(void)state;
	return 0;
}

static int
ping(void *state, struct seal_err *err)
{
	const struct etcd_ask asked = { .from = ROT_KV_SELF, .keys_only = true };
	struct etcd_store *store = state;
	SEAL_SCOPED(etcd_page_release) struct etcd_page page = { 0 };
	int r = etcd_range(store->client, &asked, etcd_now_ms() + ETCD_CALL_MS, &page, err);

	if (r < 0)
		return r;
	if (page.count != 1)
		return seal_fail(err, SEAL_E_MISSING, "the store is gone from etcd");
	return etcd_check_self(store, page.items[0].mod, err);
}

static int
reread(void *state, struct seal_err *err)
{
	struct etcd_store *store = state;

	return etcd_client_reread(store->client, err);
}

static int
check(void *state, struct seal_err *err)
{
	return ping(state, err); /* its members compare themselves */
}

/* ---- Transactions ---- */

static int
begin(void *state, struct seal_err *err)
{
	struct etcd_store *store = state;
	int r = etcd_settle(store, err);

	if (r < 0)
		return r;
	store->is_open = true;
	return 0;
}

static int
commit(void *state, struct seal_err *err)
{
	struct etcd_store *store = state;
	int r = etcd_commit(store, err);

	if (r == 0)
		reset(store);
	return r;
}

static void
rollback(void *state)
{
	reset(state);
}

static bool
is_open(const void *state)
{
	const struct etcd_store *store = state;

	return store->is_open;
}

static uint64_t
room(const void *state)
{
	return etcd_room(state);
}

static void
cut_spans(struct etcd_store *store, size_t count)
{
	while (store->span_count > count) {
		store->span_count--;
		free(store->spans[store->span_count].from);
		free(store->spans[store->span_count].to);
	}
}

static int
set_mark(void *state, uint64_t mark, struct seal_err *err)
{
	struct etcd_store *store = state;

	(void)err;
	store->marks[mark] = (struct etcd_mark){ .reads = store->reads.count,
						 .writes = store->writes.count,
						 .spans = store->span_count,
						 .wide = store->wide };
	return 0;
}

static int
undo(void *state, uint64_t mark, struct seal_err *err)
{
	struct etcd_store *store = state;
	const struct etcd_mark *to = &store->marks[mark];

	(void)err;
	etcd_journal_cut(&store->reads, to->reads);
	etcd_journal_cut(&store->writes, to->writes);
	cut_spans(store, to->spans);
	store->wide = to->wide;
	return 0;
}

static int
keep(void *state, uint64_t mark, struct seal_err *err)
{
	(void)state;
	(void)mark;
	(void)err;
	return 0;
}

/* ---- Reading ---- */

/* An answer of another cluster is a failure of the store, and no refusal of whoever made us ask. */
static int
ask(struct etcd_store *store, const struct etcd_ask *asked, struct etcd_page *page,
    struct seal_err *err)
{
	int r = etcd_range(store->client, asked, etcd_now_ms() + ETCD_CALL_MS, page, err);

	return r == SEAL_E_REFUSED ? seal_note(err, SEAL_E_SYSTEM, "the store") : r;
}

int
etcd_read(struct etcd_store *store, struct etcd_ask *asked, struct etcd_page *page,
	  struct seal_err *err)
{
	int r;

	asked->revision = store->revision;
	r = ask(store, asked, page, err);
	if (r == 0 && store->revision == 0)
		store->revision = page->revision;
	return r;
}

int
etcd_note_read(struct etcd_store *store, const char *key, const struct etcd_kv *kv, bool has_value,
	       struct seal_err *err)
{
	struct etcd_entry *entry = etcd_journal_find(&store->reads, key);
	int r;

	if (entry != NULL && (entry->has_value || !has_value))
		return 0;
	if (entry == NULL && store->reads.head_count >= WIDE)
		store->wide = true;
	if (store->wide)
		return 0;
	r = etcd_journal_add(&store->reads, key, &entry, err);
	if (r < 0)
		return r;
	entry->mod = kv != NULL ? kv->mod : 0;
	entry->has_value = has_value;
	if (kv == NULL || !has_value)
		return 0;
	return seal_bytes_append(&entry->value, kv->value.data, kv->value.len, err);
}

static int
missing(const char *key, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_MISSING, "the store has no '%s'", key);
}

/* What has arrived of a key that was not read before. */
static int
take(struct etcd_store *store, const char *key, const struct etcd_page *page,
     struct seal_bytes *stored, struct seal_err *err)
{
	const struct etcd_kv *kv;
	int r;

	kv = page->count > 0 ? &page->items[0] : NULL;
	r = etcd_note_read(store, key, kv, true, err);
	if (r < 0)
		return r;
	if (kv == NULL)
		return missing(key, err);
	if (strcmp(kv->key, key) != 0)
		return seal_fail(err, SEAL_E_SYSTEM, "etcd has answered for another key");
	if (strcmp(key, ROT_KV_SELF) == 0 && store->self_mod == 0)
		store->self_mod = kv->mod;
	return seal_bytes_append(stored, kv->value.data, kv->value.len, err);
}

static int
fetch(struct etcd_store *store, const char *key, struct seal_bytes *stored, struct seal_err *err)
{
	struct etcd_ask asked = { .from = key };
	SEAL_SCOPED(etcd_page_release) struct etcd_page page = { 0 };
	int r = etcd_read(store, &asked, &page, err);

	return r < 0 ? r : take(store, key, &page, stored, err);
}

static int
get(void *state, const char *key, struct seal_bytes *stored, struct seal_err *err)
{
	struct etcd_store *store = state;
	const struct etcd_entry *entry = etcd_journal_find(&store->writes, key);

	if (entry != NULL && entry->gone)
		return missing(key, err);
	if (entry == NULL) {
		entry = etcd_journal_find(&store->reads, key);
		if (entry != NULL && entry->mod == 0)
			return missing(key, err);
		if (entry != NULL && !entry->has_value)
			entry = NULL;
	}
	if (entry == NULL)
		return fetch(store, key, stored, err);
	return seal_bytes_append(stored, entry->value.data, entry->value.len, err);
}

/* What is compared when it commits is what was seen, whenever that was. */
static int
get_newest(void *state, const char *key, struct seal_bytes *stored, struct seal_err *err)
{
	const struct etcd_ask asked = { .from = key };
	struct etcd_store *store = state;
	SEAL_SCOPED(etcd_page_release) struct etcd_page page = { 0 };
	int r;

	if (etcd_journal_find(&store->writes, key) != NULL ||
	    etcd_journal_find(&store->reads, key) != NULL)
		return get(state, key, stored, err);
	r = ask(store, &asked, &page, err);
	return r < 0 ? r : take(store, key, &page, stored, err);
}

/* ---- Writing ---- */

/* 1: it is there, as far as we know; 0: it is not; -1: nobody has looked. */
static int
is_there(const struct etcd_store *store, const char *key)
{
	const struct etcd_entry *written = etcd_journal_find(&store->writes, key);
	const struct etcd_entry *read = etcd_journal_find(&store->reads, key);

	if (written != NULL)
		return written->gone ? 0 : 1;
	return read == NULL ? -1 : read->mod > 0;
}

static int
write_entry(struct etcd_store *store, const char *key, bool gone, bool add, const void *stored,
	    size_t len, struct seal_err *err)
{
	const struct etcd_entry *before = etcd_journal_find(&store->writes, key);
	struct etcd_entry *entry = NULL;
	bool was_add = before != NULL && before->add;
	int r;

	if (!gone && len > ROT_KV_STORED_MAX)
		return seal_fail(err, SEAL_E_BUG, "a value that is too long");
	r = etcd_journal_add(&store->writes, key, &entry, err);
	if (r < 0)
		return r;
	entry->gone = gone;
	entry->add = add || was_add;
	if (!gone)
		r = seal_bytes_append(&entry->value, stored, len, err);
	if (r < 0)
		etcd_journal_cut(&store->writes, store->writes.count - 1);
	return r;
}

static int
put(void *state, const char *key, const void *stored, size_t len, bool add, struct seal_err *err)
{
	struct etcd_store *store = state;
	int there = add ? is_there(store, key) : 0;

	if (there == 1)
		return seal_fail(err, SEAL_E_CONFLICT, "the store has '%s' already", key);
	return write_entry(store, key, false, there == -1, stored, len, err);
}

static int delete (void *state, const char *key, struct seal_err *err)
{
	return write_entry(state, key, true, false, NULL, 0, err);
}

/* ---- Creating ---- */

static int
fail_exists(void *arg, const char *key, const void *stored, size_t len, struct seal_err *err)
{
	(void)arg;
	(void)key;
	(void)stored;
	(void)len;
	return seal_fail(err, SEAL_E_CONFLICT, "etcd holds a store already under this prefix");
}

/* Whoever else creates it at the same time fails, or we do: all of it was read, and empty. */
static int
create(void *state, struct seal_err *err)
{
	const struct rot_kv_range all = { .from = ROT_KV_FIRST,
					  .to = ROT_KV_LAST,
					  .keys_only = true };

	return etcd_each(state, &all, fail_exists, NULL, err);
}

const struct rot_kv_engine rot_kv_etcd = {
	.scheme = "etcd",
	.open = open_store,
	.close = close_store,
	.holder = holder,
	.ping = ping,
	.reread = reread,
	.check = check,
	.db = get_db,
	.older = older,
	.begin = begin,
	.create = create,
	.commit = commit,
	.rollback = rollback,
	.is_open = is_open,
	.room = room,
	.mark = set_mark,
	.undo = undo,
	.keep = keep,
	.get = get,
	.get_newest = get_newest,
	.put = put,
	.delete = delete,
	.each = etcd_each,
	.count = etcd_count,
};
