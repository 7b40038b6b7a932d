/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log against its heads: reads entries in order, once, and holds the tree of those so far against every head of
 * that size.  Needs neither store nor network nor key.  A head's signature was checked when it was parsed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "rot/audit/entry.h"
#include "rot/audit/head.h"
#include "rot/audit/tree.h"

struct audit_check {
	struct audit_tree tree;
	struct audit_head *heads; /* by size, no two alike */
	size_t head_count, head_room;
	size_t met;       /* of the heads, from the first */
	uint64_t covered; /* the size of the last one met */
	int64_t latest;   /* of all times seen */
	uint64_t backward, first_backward;
	bool refused; /* nothing more is to be said of this log */
};

int
audit_check_new(struct audit_check **ret_check, struct seal_err *err)
{
	struct audit_check *check = calloc(1, sizeof(*check));

	if (check == NULL)
		return seal_fail_memory(err);
	*ret_check = check;
	return 0;
}

void
audit_check_free(struct audit_check *check)
{
	if (check == NULL)
		return;
	free(check->heads);
	free(check);
}

void
audit_check_freep(struct audit_check **check)
{
	audit_check_free(*check);
	*check = NULL;
}

static int
check_going(const struct audit_check *check, struct seal_err *err)
{
	if (check->refused)
		return seal_fail(err, SEAL_E_REFUSED, "this log was refused before");
	return 0;
}

/* Refused for good: what comes after the first wrong entry proves nothing. */
static int
refuse(struct audit_check *check, int r)
{
	if (r == SEAL_E_REFUSED)
		check->refused = true;
	return r;
}

/* ---- Times ---- */

/* A time further back than clocks may differ, at the place of entry n. */
static void
note_time(struct audit_check *check, int64_t time, uint64_t n)
{
	if (time < check->latest - AUDIT_TIME_SLACK) {
		if (check->backward == 0)
			check->first_backward = n;
		check->backward++;
	}
	if (time > check->latest)
		check->latest = time;
}

/* ---- Heads ---- */

/* Is the head that is due now met? */
static int
meet(struct audit_check *check, const struct audit_head *head, struct seal_err *err)
{
	uint8_t root[SEAL_HASH_LEN];
	int r = audit_tree_root(&check->tree, root, err);

	if (r < 0)
		return r;
	if (memcmp(root, head->root, sizeof(root)) == 0)
		return 0;
	if (head->size == 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "the head of size 0 is not that of a log without entries");
	return seal_fail(err, SEAL_E_REFUSED,
			 "entries %" PRIu64 " to %" PRIu64 ": not what they were when the head of "
			 "size %" PRIu64 " was signed: one or more were changed, replaced, moved, "
			 "removed or inserted",
			 check->covered, head->size - 1, head->size);
}

/* The heads for the size that the log has now. */
static int
meet_heads(struct audit_check *check, struct seal_err *err)
{
	while (check->met < check->head_count) {
		const struct audit_head *head = &check->heads[check->met];
		int r;

		if (head->size != check->tree.size)
			break;
		r = meet(check, head, err);
		if (r < 0)
			return refuse(check, r);
		check->covered = head->size;
		check->met++;
		note_time(check, head->time, head->size);
	}
	return 0;
}

static int
grow(struct audit_check *check, struct seal_err *err)
{
	size_t room = check->head_room == 0 ? 16 : 2 * check->head_room;
	struct audit_head *heads;

	if (check->head_count >= AUDIT_CHECK_HEADS)
		return seal_fail(err, SEAL_E_LIMIT, "more than %u heads", AUDIT_CHECK_HEADS);
	if (check->head_count < check->head_room)
		return 0;
	heads = reallocarray(check->heads, room, sizeof(*heads));
	if (heads == NULL)
		return seal_fail_memory(err);
	check->heads = heads;
	check->head_room = room;
	return 0;
}

/* Where a head of that size stands or belongs; they mostly come in order. */
static size_t
place_of(const struct audit_check *check, uint64_t size)
{
	size_t at = check->head_count;

	while (at > 0 && check->heads[at - 1].size >= size)
		at--;
	return at;
}

int
audit_check_head(struct audit_check *check, const struct audit_head *head, struct seal_err *err)
{
	size_t at = place_of(check, head->size);
	int r = check_going(check, err);

	if (r < 0)
		return r;
	if (check->head_count > 0 && strcmp(check->heads[0].log, head->log) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "heads of two logs, %s and %s",
				 check->heads[0].log, head->log);
	if (at < check->head_count && check->heads[at].size == head->size) {
		if (memcmp(check->heads[at].root, head->root, sizeof(head->root)) == 0)
			return 0; /* signed twice */
		return refuse(check, seal_fail(err, SEAL_E_REFUSED,
					       "two heads of size %" PRIu64
					       " contradict each other: there were two logs",
					       head->size));
	}
	if (head->size < check->tree.size)
		return seal_fail(err, SEAL_E_BUG, "a head comes before the entries it is for");
	r = grow(check, err);
	if (r < 0)
		return r;
	memmove(check->heads + at + 1, check->heads + at,
		(check->head_count - at) * sizeof(*check->heads));
	check->heads[at] = *head;
	check->head_count++;
	return meet_heads(check, err);
}

/* ---- Entries ---- */

static int
add_entry(struct audit_check *check, const void *data, size_t len, struct seal_err *err)
{
	uint64_t n = check->tree.size;
	uint8_t leaf[SEAL_HASH_LEN];
	struct audit_entry entry;
	int r;

	r = audit_entry_parse(&entry, data, len, err);
	if (r == SEAL_E_FORMAT)
		return seal_note(err, SEAL_E_REFUSED, "entry %" PRIu64, n);
	if (r < 0)
		return r;
	if (entry.n != n)
		return seal_fail(err, SEAL_E_REFUSED,
				 "entry %" PRIu64 ": entry %" PRIu64 " stands in its place", n,
				 entry.n);
	r = audit_leaf(data, len, leaf, err);
	if (r == 0)
		r = audit_tree_add(&check->tree, leaf, err);
	if (r == 0)
		note_time(check, entry.time, n);
	return r;
}

int
audit_check_entry(struct audit_check *check, const void *entry, size_t len, struct seal_err *err)
{
	int r = check_going(check, err);

	if (r == 0)
		r = refuse(check, add_entry(check, entry, len, err));
	return r < 0 ? r : meet_heads(check, err);
}

int
audit_check_end(struct audit_check *check, struct audit_report *ret_report, struct seal_err *err)
{
	struct audit_report report = { .size = check->tree.size,
				       .covered = check->covered,
				       .backward = check->backward,
				       .first_backward = check->first_backward };
	int r = check_going(check, err);

	if (r < 0)
		return r;
	if (check->met < check->head_count) {
		const struct audit_head *last = &check->heads[check->head_count - 1];

		return refuse(check,
			      seal_fail(err, SEAL_E_REFUSED,
					"entries %" PRIu64 " to %" PRIu64 ": missing: a head "
					"of size %" PRIu64 " was signed",
					check->tree.size, last->size - 1, last->size));
	}
	r = audit_tree_root(&check->tree, report.root, err);
	if (r < 0)
		return r;
	*ret_report = report;
	return 0;
}
