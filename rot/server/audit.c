/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/audit: the log read.  Entries as JSON, chosen by what they say; the raw lines and the heads, for whoever
 * wants to check them.  A question reads so many entries at most and says where to go on, also when it has found
 * nothing: the log grows for ever, and other calls want their turn.
 */

#include <inttypes.h>

#include "rot/server/api_internal.h"

#define SCAN_MAX    4000 /* entries looked at for one answer */
#define RAW_ENTRIES 4000
#define RAW_HEADS   1000
#define RAW_BYTES   (1024u * 1024) /* of raw lines in one answer, about */
#define MAX_KINDS   64
#define TEXT        "text/plain; charset=utf-8"

struct filter {
	const char *workload; /* NULL: any */
	bool kinds[AUDIT_KIND_COUNT];
	uint64_t since;
	uint64_t until;
	bool refused;
};

struct page {
	struct rot_call *call;
	struct filter filter;
	struct seal_json *entries;
	uint64_t limit;
	uint64_t count;
	uint64_t scanned;
	uint64_t last; /* entry that was looked at */
	bool full;
};

/* "hatch,renew"; none: all. */
static int
read_kinds(const struct rot_call *call, struct filter *filter, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv names = { 0 };
	const char *text = seal_http_query(call->request, "kind");
	enum audit_kind kind = AUDIT_OTHER;
	int r;

	for (size_t i = 0; i < AUDIT_KIND_COUNT; i++)
		filter->kinds[i] = text == NULL;
	if (text == NULL)
		return 0;
	r = seal_strv_split(&names, text, ',', err);
	if (r == 0 && (names.count == 0 || names.count > MAX_KINDS))
		r = seal_fail(err, SEAL_E_LIMIT, "1 to %d of them", MAX_KINDS);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		r = audit_kind_parse(names.items[i], &kind, err);
		if (r == 0)
			filter->kinds[kind] = true;
	}
	return r < 0 ? seal_note(err, r, "kind") : 0;
}

static int
read_filter(const struct rot_call *call, struct filter *filter, struct seal_err *err)
{
	int r = 0;

	filter->workload = seal_http_query(call->request, "workload");
	if (filter->workload != NULL)
		r = seal_workload_check(filter->workload, err);
	if (r == 0)
		r = read_kinds(call, filter, err);
	if (r == 0)
		r = rot_query_number(call, "since", 0, AUDIT_TIME_MAX, &filter->since, err);
	if (r == 0)
		r = rot_query_number(call, "until", AUDIT_TIME_MAX, AUDIT_TIME_MAX, &filter->until,
				     err);
	if (r == 0)
		r = rot_query_flag(call, "refused", &filter->refused, err);
	return r;
}

static bool
fits(const struct filter *filter, const struct audit_entry *entry)
{
	return filter->kinds[entry->kind] && (uint64_t)entry->time >= filter->since &&
	       (uint64_t)entry->time <= filter->until && (!filter->refused || entry->refused) &&
	       (filter->workload == NULL || strcmp(filter->workload, entry->workload) == 0);
}

static void
set_entry(struct seal_json *object, const struct audit_entry *entry)
{
	seal_json_set_u64(object, "n", entry->n);
	seal_json_set_i64(object, "time", entry->time);
	seal_json_set_str(object, "kind", audit_kind_name(entry->kind));
	seal_json_set_str(object, "actor", entry->actor);
	seal_json_set_str(object, "address", entry->address);
	seal_json_set_str(object, "workload", entry->workload);
	seal_json_set_str(object, "subject", entry->subject);
	seal_json_set_bool(object, "refused", entry->refused);
	seal_json_set_str(object, "reason", entry->reason);
	seal_json_set_u64(object, "count", entry->count);
}

/* What is no entry is for seal audit verify to judge; here it must not pass for one. */
static int
take_entry(void *arg, uint64_t n, const void *text, size_t len, struct seal_err *err)
{
	struct page *page = arg;
	struct audit_entry entry;
	int r;

	if (page->full)
		return SEAL_E_LIMIT; /* ends the walk */
	page->last = n;
	page->scanned++;
	r = audit_entry_parse(&entry, text, len, err);
	if (r == SEAL_E_FORMAT || (r == 0 && entry.n != n))
		return seal_fail(err, SEAL_E_SYSTEM,
				 "entry %" PRIu64 " of the audit log was altered: run seal audit "
				 "verify",
				 n);
	if (r < 0)
		return r;
	if (!fits(&page->filter, &entry))
		return 0;
	set_entry(seal_json_add_object(page->entries), &entry);
	page->full = ++page->count == page->limit;
	return 0;
}

/* after=N: those behind entry N. */
static int
read_after(const struct rot_call *call, uint64_t *ret_from, struct seal_err *err)
{
	int r;

	*ret_from = 0;
	if (seal_http_query(call->request, "after") == NULL)
		return 0;
	r = rot_query_number(call, "after", 0, AUDIT_SIZE_MAX, ret_from, err);
	if (r == 0)
		(*ret_from)++;
	return r;
}

int
rot_audit_list(struct rot_call *call, struct seal_err *err)
{
	struct page page = { .call = call };
	uint64_t from = 0;
	int r;

	r = read_filter(call, &page.filter, err);
	if (r == 0)
		r = read_after(call, &from, err);
	if (r == 0)
		r = rot_query_limit(call, &page.limit, err);
	if (r < 0)
		return r;
	page.entries = seal_json_set_array(call->reply, "entries");
	r = rot_store_each_entry(call->api->config.store, from, SCAN_MAX, take_entry, &page, err);
	if (r == SEAL_E_LIMIT && page.full)
		r = 0;
	if (r == 0 && page.scanned > 0)
		seal_json_set_u64(call->reply, "last", page.last);
	if (r == 0 && (page.full || page.scanned == SCAN_MAX))
		seal_json_set_u64(call->reply, "next", page.last);
	return r;
}

int
rot_audit_get_head(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_HEAD_MAX);
	uint64_t size = 0;
	int r = rot_audit_sign(call->api, &text, &size, err);

	if (r < 0)
		return r;
	seal_json_set_u64(call->reply, "size", size);
	seal_json_set_str(call->reply, "head", seal_bytes_str(&text));
	return 0;
}

/* ---- As they were written ---- */

struct raw {
	struct seal_bytes *out;
	const char *end; /* of each: an entry's line has none of its own */
};

/* An answer without anything is the last: so the first one always goes in. */
static int
take_raw(void *arg, uint64_t n, const void *text, size_t len, struct seal_err *err)
{
	struct raw *raw = arg;
	int r;

	(void)n;
	if (raw->out->len >= RAW_BYTES)
		return 0;
	r = seal_bytes_append(raw->out, text, len, err);
	return r < 0 ? r : seal_bytes_append_str(raw->out, raw->end, err);
}

/* Nothing to say is an answer of its own: a text with no line in it. */
static int
end_raw(struct rot_call *call)
{
	call->type = TEXT;
	return 0;
}

int
rot_audit_get_log(struct rot_call *call, struct seal_err *err)
{
	struct raw raw = { .out = &call->raw, .end = "\n" };
	uint64_t from = 0, limit = 0;
	int r;

	r = rot_query_number(call, "from", 0, AUDIT_SIZE_MAX, &from, err);
	if (r == 0)
		r = rot_query_number(call, "limit", RAW_ENTRIES, RAW_ENTRIES, &limit, err);
	if (r == 0)
		r = rot_store_each_entry(call->api->config.store, from, limit > 0 ? limit : 1,
					 take_raw, &raw, err);
	return r < 0 ? r : end_raw(call);
}

int
rot_audit_get_heads(struct rot_call *call, struct seal_err *err)
{
	struct raw raw = { .out = &call->raw, .end = "" };
	uint64_t from = 0, limit = 0;
	int r;

	r = rot_query_number(call, "from", 0, AUDIT_SIZE_MAX, &from, err);
	if (r == 0)
		r = rot_query_number(call, "limit", RAW_HEADS, RAW_HEADS, &limit, err);
	if (r == 0)
		r = rot_store_each_head(call->api->config.store, from, limit > 0 ? limit : 1,
					take_raw, &raw, err);
	return r < 0 ? r : end_raw(call);
}
