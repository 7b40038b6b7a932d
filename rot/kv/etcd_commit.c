/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transaction becomes one request to etcd: comparisons of all that was read, and everything that was written.
 *
 *   every key read       it was changed last at the revision that we saw, or is still not there
 *   every range read     nothing in it was changed after the revision that we read at; what left it is found by the
 *                        comparisons of its keys
 *   what may not exist   it does not
 *   our fence            it is as we left it; and it is changed
 *   the store itself     what it says of itself is what it said when we opened it
 *
 * An answer that is lost leaves two questions.  Was it done?  The fence says so.  And if not: can it still be?  Not
 * once we have changed the fence ourselves.  Only when etcd stays out of reach does the caller hear that nobody
 * knows; the questions are then answered before the next transaction begins.
 */

#include <inttypes.h>

#include "base/crypto/crypto.h"
#include "base/names/names.h"
#include "rot/kv/etcd_internal.h"

#define FENCE_PREFIX "!fence/"
#define FENCE_END    "!fence0"
#define FENCE_DAY    86400
#define FENCE_VALUE  64

/* Comparisons and operations of one level count as the larger of both, and against all levels below. */
#define TXN_OPS         (ETCD_MAX_OPS - 1) /* the fence */
#define OWN_COMPARISONS 1                  /* beside it: what the store says of itself */

/* A list under construction. */
struct list {
	struct etcd_store *store;
	struct seal_bytes *body;
	bool started;
};

static int
next(struct list *list, struct seal_err *err)
{
	const char *comma = list->started ? ",{" : "{";

	list->started = true;
	return seal_bytes_append_str(list->body, comma, err);
}

/* ---- Comparisons ---- */

static int
compare(struct list *list, const char *target, const char *result, const char *from, const char *to,
	uint64_t revision, struct seal_err *err)
{
	bool is_create = strcmp(target, "CREATE") == 0;
	int r;

	r = next(list, err);
	if (r == 0)
		r = seal_bytes_append_fmt(list->body, err, "\"target\":\"%s\",\"result\":\"%s\",",
					  target, result);
	if (r == 0)
		r = etcd_put_key(list->store->client, list->body, "key", from, err);
	if (r == 0 && to != NULL) {
		r = seal_bytes_append_str(list->body, ",", err);
		if (r == 0)
			r = etcd_put_key(list->store->client, list->body, "range_end", to, err);
	}
	if (r < 0)
		return r;
	return seal_bytes_append_fmt(list->body, err, ",\"%s\":\"%" PRIu64 "\"}",
				     is_create ? "create_revision" : "mod_revision", revision);
}

static int
compare_all(struct etcd_store *store, struct seal_bytes *body, struct seal_err *err)
{
	struct list list = { .store = store, .body = body };
	int r;

	r = compare(&list, "MOD", "EQUAL", store->fence, NULL, store->fence_mod, err);
	if (r == 0 && store->self_mod != 0)
		r = compare(&list, "MOD", "EQUAL", ROT_KV_SELF, NULL, store->self_mod, err);
	for (size_t i = 0; r == 0 && i < store->reads.head_count; i++) {
		const struct etcd_entry *entry = etcd_journal_head(&store->reads, i);

		r = compare(&list, "MOD", "EQUAL", entry->key, NULL, entry->mod, err);
	}
	for (size_t i = 0; r == 0 && i < store->span_count; i++)
		r = compare(&list, "MOD", "LESS", store->spans[i].from, store->spans[i].to,
			    store->revision + 1, err);
	for (size_t i = 0; r == 0 && i < store->writes.head_count; i++) {
		const struct etcd_entry *entry = etcd_journal_head(&store->writes, i);

		if (entry->add)
			r = compare(&list, "CREATE", "EQUAL", entry->key, NULL, 0, err);
	}
	return r;
}

static size_t
count_comparisons(const struct etcd_store *store)
{
	size_t count = OWN_COMPARISONS + store->reads.head_count + store->span_count;

	for (size_t i = 0; i < store->writes.head_count; i++)
		count += etcd_journal_head(&store->writes, i)->add ? 1 : 0;
	return count;
}

/* ---- Changes ---- */

static int
put_fence(struct list *list, uint64_t count, struct seal_err *err)
{
	char value[FENCE_VALUE];
	int n = snprintf(value, sizeof(value), "%" PRIu64 " %lld", count, (long long)time(NULL));
	int r = next(list, err);

	if (r == 0)
		r = seal_bytes_append_str(list->body, "\"request_put\":{", err);
	if (r == 0)
		r = etcd_put_key(list->store->client, list->body, "key", list->store->fence, err);
	if (r == 0)
		r = seal_bytes_append_str(list->body, ",", err);
	if (r == 0)
		r = etcd_put_value(list->body, value, (size_t)n, err);
	return r < 0 ? r : seal_bytes_append_str(list->body, "}}", err);
}

static int
put_change(struct list *list, const struct etcd_entry *entry, struct seal_err *err)
{
	int r = next(list, err);

	if (r == 0)
		r = seal_bytes_append_str(
			list->body,
			entry->gone ? "\"request_delete_range\":{" : "\"request_put\":{", err);
	if (r == 0)
		r = etcd_put_key(list->store->client, list->body, "key", entry->key, err);
	if (r == 0 && !entry->gone) {
		r = seal_bytes_append_str(list->body, ",", err);
		if (r == 0)
			r = etcd_put_value(list->body, entry->value.data, entry->value.len, err);
	}
	return r < 0 ? r : seal_bytes_append_str(list->body, "}}", err);
}

/*
 * How the changes are spread: groups of them, each a transaction without comparisons within ours, because a level
 * holds so many operations only.  0: they do not fit.
 */
static size_t
group_size(size_t comparisons, size_t changes)
{
	for (size_t groups = 1; groups < TXN_OPS; groups++) {
		size_t level = comparisons + 1 > groups + 1 ? comparisons + 1 : groups + 1;
		size_t size = level < ETCD_MAX_OPS ? ETCD_MAX_OPS - level : 0;

		if (groups * size >= changes)
			return size;
	}
	return 0;
}

static int
put_group(struct etcd_store *store, struct seal_bytes *body, size_t from, size_t to,
	  struct seal_err *err)
{
	struct list list = { .store = store, .body = body };
	int r = seal_bytes_append_str(body, "\"request_txn\":{\"success\":[", err);

	for (size_t i = from; r == 0 && i < to; i++)
		r = put_change(&list, etcd_journal_head(&store->writes, i), err);
	return r < 0 ? r : seal_bytes_append_str(body, "]}}", err);
}

static int
put_changes(struct etcd_store *store, struct seal_bytes *body, size_t group, struct seal_err *err)
{
	struct list list = { .store = store, .body = body };
	size_t count = store->writes.head_count;
	int r = put_fence(&list, store->fence_count, err);

	if (count <= TXN_OPS) {
		for (size_t i = 0; r == 0 && i < count; i++)
			r = put_change(&list, etcd_journal_head(&store->writes, i), err);
		return r;
	}
	for (size_t i = 0; r == 0 && i < count; i += group) {
		r = next(&list, err);
		if (r == 0)
			r = put_group(store, body, i, i + group < count ? i + group : count, err);
	}
	return r;
}

static int
put_other_branch(struct etcd_store *store, struct seal_bytes *body, struct seal_err *err)
{
	int r = seal_bytes_append_str(body, "],\"failure\":[{\"request_range\":{", err);

	if (r == 0)
		r = etcd_put_key(store->client, body, "key", store->fence, err);
	return r < 0 ? r : seal_bytes_append_str(body, "}}]}", err);
}

static int
write_txn(struct etcd_store *store, struct seal_bytes *body, struct seal_err *err)
{
	size_t group = group_size(count_comparisons(store), store->writes.head_count);
	int r;

	if (store->wide || count_comparisons(store) > TXN_OPS ||
	    (store->writes.head_count > TXN_OPS && group == 0))
		return seal_fail(
			err, SEAL_E_LIMIT,
			"more than etcd takes in one transaction (%d operations): ask for less "
			"at once",
			ETCD_MAX_OPS);
	seal_bytes_reset(body);
	r = seal_bytes_append_str(body, "{\"compare\":[", err);
	if (r == 0)
		r = compare_all(store, body, err);
	if (r == 0)
		r = seal_bytes_append_str(body, "],\"success\":[", err);
	if (r == 0)
		r = put_changes(store, body, group, err);
	return r < 0 ? r : put_other_branch(store, body, err);
}

uint64_t
etcd_room(const struct etcd_store *store)
{
	size_t comparisons = count_comparisons(store), changes = store->writes.head_count;
	size_t more = 0;

	if (store->wide)
		return 0;
	/* As if each needed a comparison and was a change. */
	while (comparisons + more + 1 <= TXN_OPS &&
	       (changes + more + 1 <= TXN_OPS ||
		group_size(comparisons + more + 1, changes + more + 1) > 0))
		more++;
	return more;
}

/* ---- The fence ---- */

int
etcd_fence_new(struct etcd_store *store, struct seal_err *err)
{
	uint8_t raw[ROT_KV_ID_LEN / 2];
	size_t prefix = sizeof(FENCE_PREFIX) - 1;
	int r = seal_random(raw, sizeof(raw), err);

	if (r < 0)
		return r;
	memcpy(store->fence, FENCE_PREFIX, prefix);
	seal_hex_encode(store->fence + prefix, raw, sizeof(raw));
	return 0;
}

/* "17 1800000000": the number of the attempt, and when it was. */
static bool
read_fence(const struct seal_bytes *value, uint64_t *ret_count, uint64_t *ret_time)
{
	char text[FENCE_VALUE];
	char *blank;

	if (value->len >= sizeof(text))
		return false;
	memcpy(text, seal_bytes_str(value), value->len);
	text[value->len] = '\0';
	blank = strchr(text, ' ');
	if (blank == NULL)
		return false;
	*blank = '\0';
	return seal_number_parse(text, 0, INT64_MAX, ret_count, NULL) == 0 &&
	       seal_number_parse(blank + 1, 0, INT64_MAX, ret_time, NULL) == 0;
}

/* Does this, which the fence was found to hold, come from the attempt? */
static bool
is_attempt(const struct etcd_store *store, const struct seal_bytes *value)
{
	uint64_t count = 0, when = 0;

	return read_fence(value, &count, &when) && count == store->fence_count;
}

/* Change the fence, if it is still as it was: then nothing that compared it can be done any more. */
static int
move_fence(struct etcd_store *store, uint64_t deadline_ms, struct etcd_outcome *outcome,
	   struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes body = SEAL_BYTES(ETCD_BODY_MAX);
	struct list compares = { .store = store, .body = &body };
	struct list puts = { .store = store, .body = &body };
	int r;

	r = seal_bytes_append_str(&body, "{\"compare\":[", err);
	if (r == 0)
		r = compare(&compares, "MOD", "EQUAL", store->fence, NULL, store->fence_mod, err);
	if (r == 0)
		r = seal_bytes_append_str(&body, "],\"success\":[", err);
	if (r == 0)
		r = put_fence(&puts, store->fence_count, err);
	if (r == 0)
		r = put_other_branch(store, &body, err);
	return r < 0 ? r : etcd_txn(store->client, &body, deadline_ms, outcome, err);
}

static int
look(struct etcd_store *store, uint64_t deadline_ms, struct etcd_page *page, struct seal_err *err)
{
	const struct etcd_ask asked = { .from = store->fence };

	return etcd_range(store->client, &asked, deadline_ms, page, err);
}

/* 1: the attempt was done; 0: it was not, and never will be. */
static int
settle(struct etcd_store *store, uint64_t attempt, uint64_t deadline_ms, struct seal_err *err)
{
	for (;;) {
		SEAL_SCOPED(etcd_page_release) struct etcd_page page = { 0 };
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes held = { 0 };
		struct etcd_outcome outcome = { 0 };
		uint64_t count = 0, when = 0;
		int r = look(store, deadline_ms, &page, err);

		if (r < 0)
			return r;
		store->fence_mod = page.count > 0 ? page.items[0].mod : 0;
		if (page.count > 0 && read_fence(&page.items[0].value, &count, &when)) {
			store->unsettled = count < attempt;
			if (count >= attempt)
				return count == attempt ? 1 : 0;
		}
		store->fence_count++;
		r = move_fence(store, deadline_ms, &outcome, err);
		held = outcome.value;
		if (r < 0)
			return r;
		if (outcome.known && outcome.succeeded) {
			store->fence_mod = outcome.revision;
			store->unsettled = false;
			return 0;
		}
	}
}

int
etcd_settle(struct etcd_store *store, struct seal_err *err)
{
	int r;

	if (!store->unsettled)
		return 0;
	/* The caller was told that nobody knows: whichever it is, what it reads from now on is true. */
	r = settle(store, store->fence_count, etcd_now_ms() + ETCD_CALL_MS, err);
	return r < 0 ? r : 0;
}

/* ---- Committing ---- */

enum verdict { DONE, AGAIN, OVERTAKEN };

/* A comparison did not hold.  The fence's own, because this request arrived twice, or the fence was swept away? */
static enum verdict
judge_refusal(struct etcd_store *store, const struct etcd_outcome *outcome)
{
	uint64_t before = store->fence_mod;

	store->fence_mod = outcome->has_kv ? outcome->mod : 0;
	if (outcome->has_kv && is_attempt(store, &outcome->value))
		return DONE;
	return store->fence_mod != before ? AGAIN : OVERTAKEN;
}

static int
try_once(struct etcd_store *store, struct seal_bytes *body, uint64_t deadline_ms,
	 enum verdict *ret_verdict, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes held = { 0 };
	struct etcd_outcome outcome = { 0 };
	uint64_t attempt = ++store->fence_count;
	int r;

	r = write_txn(store, body, err);
	if (r == 0)
		r = etcd_txn(store->client, body, deadline_ms, &outcome, err);
	held = outcome.value;
	if (r < 0)
		return r;
	if (outcome.known && outcome.succeeded) {
		store->fence_mod = outcome.revision;
		*ret_verdict = DONE;
		return 0;
	}
	if (outcome.known) {
		*ret_verdict = judge_refusal(store, &outcome);
		return 0;
	}
	store->unsettled = true;
	r = settle(store, attempt, deadline_ms, err);
	if (r < 0)
		return seal_fail(err, SEAL_E_TIMEOUT,
				 "etcd did not answer in time: nobody knows whether it was done");
	*ret_verdict = r == 1 ? DONE : AGAIN;
	return 0;
}

int
etcd_check_self(const struct etcd_store *store, uint64_t mod, struct seal_err *err)
{
	if (store->self_mod == 0 || store->self_mod == mod)
		return 0;
	return seal_fail(err, SEAL_E_REFUSED,
			 "the store was moved, filled again or given another key-encryption key "
			 "meanwhile: nothing was changed, start again");
}

/* Another process was faster: with what we read, or with the store as a whole? */
static int
fail_overtaken(struct etcd_store *store, struct seal_err *err)
{
	const struct etcd_ask asked = { .from = ROT_KV_SELF, .keys_only = true };
	SEAL_SCOPED(etcd_page_release) struct etcd_page page = { 0 };
	int r = etcd_range(store->client, &asked, etcd_now_ms() + ETCD_CALL_MS, &page, NULL);

	if (r == 0)
		r = etcd_check_self(store, page.count > 0 ? page.items[0].mod : 0, err);
	if (r == SEAL_E_REFUSED)
		return r;
	return seal_fail(err, SEAL_E_CONFLICT, "another process has changed the same meanwhile");
}

int
etcd_commit(struct etcd_store *store, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes body = SEAL_BYTES(ETCD_BODY_MAX);
	uint64_t deadline_ms = etcd_now_ms() + ETCD_CALL_MS;
	enum verdict verdict = AGAIN;
	int r = 0;

	if (store->writes.head_count == 0)
		return 0;
	do {
		r = try_once(store, &body, deadline_ms, &verdict, err);
	} while (r == 0 && verdict == AGAIN && etcd_now_ms() < deadline_ms);
	if (r == 0 && verdict == AGAIN)
		return seal_fail(err, SEAL_E_TIMEOUT,
				 "etcd did not answer in time: nothing was changed");
	if (r == 0 && verdict == OVERTAKEN)
		return fail_overtaken(store, err);
	/* The fence was changed with it. */
	if (r == 0 && etcd_journal_find(&store->writes, ROT_KV_SELF) != NULL)
		store->self_mod = store->fence_mod;
	return r;
}

/* ---- What is left of others ---- */

static int
add_purge(struct etcd_store *store, const struct etcd_page *page, struct list *compares,
	  struct list *deletes, bool comparing, struct seal_err *err)
{
	uint64_t now = (uint64_t)time(NULL);
	int r = 0;

	for (size_t i = 0; r == 0 && i < page->count; i++) {
		struct etcd_entry entry = { .key = page->items[i].key, .gone = true };
		uint64_t count = 0, when = 0;

		if (strcmp(entry.key, store->fence) == 0 ||
		    (read_fence(&page->items[i].value, &count, &when) && when + FENCE_DAY > now))
			continue;
		if (comparing)
			r = compare(compares, "MOD", "EQUAL", entry.key, NULL, page->items[i].mod,
				    err);
		else
			r = put_change(deletes, &entry, err);
	}
	return r;
}

void
etcd_fence_purge(struct etcd_store *store)
{
	const struct etcd_ask asked = { .from = FENCE_PREFIX, .to = FENCE_END, .limit = 100 };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes body = SEAL_BYTES(ETCD_BODY_MAX);
	SEAL_SCOPED(etcd_page_release) struct etcd_page page = { 0 };
	struct list compares = { .store = store, .body = &body };
	struct list deletes = { .store = store, .body = &body };
	uint64_t deadline_ms = etcd_now_ms() + ETCD_REQUEST_MS;
	struct etcd_outcome outcome = { 0 };
	int r;

	r = etcd_range(store->client, &asked, deadline_ms, &page, NULL);
	if (r == 0)
		r = seal_bytes_append_str(&body, "{\"compare\":[", NULL);
	if (r == 0)
		r = add_purge(store, &page, &compares, &deletes, true, NULL);
	if (r < 0 || !compares.started)
		return;
	r = seal_bytes_append_str(&body, "],\"success\":[", NULL);
	if (r == 0)
		r = add_purge(store, &page, &compares, &deletes, false, NULL);
	if (r == 0)
		r = seal_bytes_append_str(&body, "]}", NULL);
	if (r == 0)
		r = etcd_txn(store->client, &body, deadline_ms, &outcome, NULL);
	seal_bytes_release(&outcome.value);
	(void)r; /* the next one to open the store tries again */
}

void
etcd_fence_end(struct etcd_store *store)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes body = SEAL_BYTES(ETCD_BODY_MAX);
	struct etcd_entry entry = { .key = store->fence, .gone = true };
	struct list deletes = { .store = store, .body = &body };
	struct etcd_outcome outcome = { 0 };
	int r;

	if (store->fence_mod == 0 || store->unsettled)
		return;
	r = seal_bytes_append_str(&body, "{\"success\":[", NULL);
	if (r == 0)
		r = put_change(&deletes, &entry, NULL);
	if (r == 0)
		r = seal_bytes_append_str(&body, "]}", NULL);
	if (r == 0)
		r = etcd_txn(store->client, &body, etcd_now_ms() + ETCD_CONNECT_MS, &outcome, NULL);
	seal_bytes_release(&outcome.value);
	(void)r; /* it is swept away in a day */
}
