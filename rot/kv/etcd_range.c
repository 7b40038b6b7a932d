/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges of the etcd engine: what is stored, a page at a time, merged with what the transaction has written.
 */

#include "rot/kv/etcd_internal.h"

struct merge {
	struct etcd_store *store;
	const struct rot_kv_range *range;
	struct etcd_page page;
	size_t at;      /* in the page */
	bool exhausted; /* nothing lies behind the page */
	char from[ROT_KV_KEY_MAX + 2];
	char to[ROT_KV_KEY_MAX + 2];
	/* Places among what was written, those left to hand out: low <= i < high. */
	size_t low;
	size_t high;
	uint64_t handed;
	char last[ROT_KV_KEY_MAX + 2]; /* that was passed; "": none yet */
};

static void
release_merge(struct merge *merge)
{
	etcd_page_release(&merge->page);
}

static uint64_t
page_limit(const struct merge *merge)
{
	uint64_t want = merge->range->limit;

	if (want == 0 || want - merge->handed + merge->store->writes.head_count > ETCD_PAGE)
		return ETCD_PAGE;
	return want - merge->handed + merge->store->writes.head_count;
}

/* The key right behind this one. */
static void
set_behind(char out[static ROT_KV_KEY_MAX + 2], const char *key)
{
	(void)snprintf(out, ROT_KV_KEY_MAX + 2, "%.*s!", (int)ROT_KV_KEY_MAX, key);
}

static int
turn_page(struct merge *merge, struct seal_err *err)
{
	struct etcd_ask asked = { .from = merge->from,
				  .to = merge->to,
				  .limit = page_limit(merge),
				  .backwards = merge->range->backwards,
				  .keys_only = merge->range->keys_only };
	int r;

	etcd_page_release(&merge->page);
	merge->at = 0;
	r = etcd_read(merge->store, &asked, &merge->page, err);
	if (r < 0)
		return r;
	merge->exhausted = merge->page.count == merge->page.total;
	if (merge->page.count == 0) {
		merge->exhausted = true;
		return 0;
	}
	if (strlen(merge->page.items[merge->page.count - 1].key) > ROT_KV_KEY_MAX)
		return seal_fail(err, SEAL_E_SYSTEM, "the store is damaged: a key is too long");
	if (merge->range->backwards)
		(void)snprintf(merge->to, sizeof(merge->to), "%s",
			       merge->page.items[merge->page.count - 1].key);
	else
		set_behind(merge->from, merge->page.items[merge->page.count - 1].key);
	return 0;
}

/* The next stored key; NULL behind the last. */
static int
peek_stored(struct merge *merge, const struct etcd_kv **ret_kv, struct seal_err *err)
{
	int r = 0;

	while (r == 0 && merge->at == merge->page.count && !merge->exhausted)
		r = turn_page(merge, err);
	if (r < 0)
		return r;
	*ret_kv = merge->at < merge->page.count ? &merge->page.items[merge->at] : NULL;
	return 0;
}

static const struct etcd_entry *
peek_written(const struct merge *merge)
{
	if (merge->low == merge->high)
		return NULL;
	return etcd_journal_head(&merge->store->writes,
				 merge->range->backwards ? merge->high - 1 : merge->low);
}

static void
pass_written(struct merge *merge)
{
	if (merge->range->backwards)
		merge->high--;
	else
		merge->low++;
}

/* < 0: the stored one comes first. */
static int
order(const struct merge *merge, const struct etcd_kv *kv, const struct etcd_entry *entry)
{
	int sign;

	if (kv == NULL || entry == NULL)
		return kv == NULL ? 1 : -1;
	sign = strcmp(kv->key, entry->key);
	return merge->range->backwards ? -sign : sign;
}

/* Pass one key, handing it out if it is there: 1; 0 at the end. */
static int
merge_step(struct merge *merge, rot_kv_stored_fn fn, void *arg, struct seal_err *err)
{
	const struct etcd_kv *kv = NULL;
	const struct etcd_entry *entry;
	int which, r;

	r = peek_stored(merge, &kv, err);
	if (r < 0)
		return r;
	entry = peek_written(merge);
	if (kv == NULL && entry == NULL)
		return 0;
	which = order(merge, kv, entry);
	(void)snprintf(merge->last, sizeof(merge->last), "%.*s", (int)ROT_KV_KEY_MAX,
		       which <= 0 ? kv->key : entry->key);
	if (which <= 0) {
		merge->at++;
		if (!merge->range->loose)
			r = etcd_note_read(merge->store, kv->key, kv, !merge->range->keys_only,
					   err);
	}
	if (which >= 0)
		pass_written(merge);
	if (r < 0 || (which >= 0 && entry->gone))
		return r < 0 ? r : 1;
	merge->handed++;
	r = which >= 0 ? fn(arg, entry->key, entry->value.data, entry->value.len, err)
		       : fn(arg, kv->key, kv->value.data, kv->value.len, err);
	return r < 0 ? r : 1;
}

static int
add_span(struct etcd_store *store, const char *from, const char *to, struct seal_err *err)
{
	struct etcd_span span;
	void *spans;

	if (store->wide)
		return 0;
	for (size_t i = 0; i < store->span_count; i++) {
		if (strcmp(store->spans[i].from, from) <= 0 && strcmp(store->spans[i].to, to) >= 0)
			return 0;
	}
	spans = reallocarray(store->spans, store->span_count + 1, sizeof(*store->spans));
	if (spans == NULL)
		return seal_fail_memory(err);
	store->spans = spans;
	span.from = seal_strndup(from, strlen(from));
	span.to = seal_strndup(to, strlen(to));
	if (span.from == NULL || span.to == NULL) {
		free(span.from);
		free(span.to);
		return seal_fail_memory(err);
	}
	store->spans[store->span_count++] = span;
	return 0;
}

/* What of the range was looked at: all, or up to the key that was passed last. */
static int
note_span(const struct merge *merge, bool whole, struct seal_err *err)
{
	const struct rot_kv_range *range = merge->range;
	char end[ROT_KV_KEY_MAX + 2];

	if (range->loose)
		return 0;
	if (whole || merge->last[0] == '\0')
		return add_span(merge->store, range->from, range->to, err);
	if (range->backwards)
		return add_span(merge->store, merge->last, range->to, err);
	set_behind(end, merge->last);
	return add_span(merge->store, range->from, end, err);
}

int
etcd_each(void *state, const struct rot_kv_range *range, rot_kv_stored_fn fn, void *arg,
	  struct seal_err *err)
{
	struct etcd_store *store = state;
	SEAL_SCOPED(release_merge) struct merge merge = { .store = store, .range = range };
	int r = 1, noted;

	if (strlen(range->from) > ROT_KV_KEY_MAX || strlen(range->to) > ROT_KV_KEY_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "the bounds of a range are too long");
	(void)snprintf(merge.from, sizeof(merge.from), "%s", range->from);
	(void)snprintf(merge.to, sizeof(merge.to), "%s", range->to);
	merge.low = etcd_journal_place(&store->writes, range->from);
	merge.high = etcd_journal_place(&store->writes, range->to);
	while (r == 1 && (range->limit == 0 || merge.handed < range->limit))
		r = merge_step(&merge, fn, arg, err);
	noted = note_span(&merge, r == 0, r < 0 ? NULL : err);
	return r < 0 ? r : noted;
}

/* ---- Counting ---- */

/* Was the key stored when we began?  Looked up without a trace: a count is not compared. */
static int
was_stored(struct etcd_store *store, const char *key, struct seal_err *err)
{
	struct etcd_ask asked = { .from = key, .keys_only = true };
	SEAL_SCOPED(etcd_page_release) struct etcd_page page = { 0 };
	const struct etcd_entry *read = etcd_journal_find(&store->reads, key);
	int r;

	if (read != NULL)
		return read->mod > 0;
	r = etcd_read(store, &asked, &page, err);
	return r < 0 ? r : page.count > 0;
}

int
etcd_count(void *state, const char *from, const char *to, uint64_t *ret_count, struct seal_err *err)
{
	struct etcd_store *store = state;
	struct etcd_ask asked = { .from = from, .to = to, .limit = 1, .keys_only = true };
	SEAL_SCOPED(etcd_page_release) struct etcd_page page = { 0 };
	size_t high = etcd_journal_place(&store->writes, to);
	uint64_t total;
	int r = etcd_read(store, &asked, &page, err);

	if (r < 0)
		return r;
	total = page.total;
	for (size_t i = etcd_journal_place(&store->writes, from); i < high; i++) {
		const struct etcd_entry *entry = etcd_journal_head(&store->writes, i);

		r = was_stored(store, entry->key, err);
		if (r < 0)
			return r;
		if (r == 1 && entry->gone)
			total--;
		else if (r == 0 && !entry->gone)
			total++;
	}
	*ret_count = total;
	return 0;
}
