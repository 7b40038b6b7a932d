/* SPDX-License-Identifier: Apache-2.0 */
/* rot/audit/check: whatever is done to a log whose heads were kept is found, and said where. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rot/audit/entry.h"
#include "rot/audit/head.h"
#include "rot/audit/tree.h"

#define ENTRIES 1000u
#define NOW     INT64_C(1790000000)

/* Sizes at which heads were kept. */
static const uint64_t kept[] = { 0, 1, 2, 100, 128, 500, 777, ENTRIES };

struct text {
	uint8_t data[512];
	size_t len;
};

/* As the RoT wrote it, and as it is presented, with room for one entry more. */
static struct text original[ENTRIES], shown[ENTRIES + 1];
static size_t shown_count;
static struct audit_head heads[SEAL_COUNT(kept)];

static void
write_entry(uint64_t n, const char *subject, int64_t time, struct text *out)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_ENTRY_MAX);
	struct audit_entry entry = { .n = n,
				     .time = time,
				     .kind = (enum audit_kind)(n % AUDIT_KIND_COUNT),
				     .actor = "operator/admin/alice",
				     .address = "192.0.2.7:40000",
				     .workload = "shop",
				     .count = 1 };

	(void)snprintf(entry.subject, sizeof(entry.subject), "%s", subject);
	cr_assert_eq(audit_entry_encode(&entry, &text, NULL), 0);
	cr_assert_leq(text.len, sizeof(out->data));
	memcpy(out->data, text.data, text.len);
	out->len = text.len;
}

static void
add(struct audit_tree *tree, const struct text *text)
{
	uint8_t leaf[SEAL_HASH_LEN];

	cr_assert_eq(audit_leaf(text->data, text->len, leaf, NULL), 0);
	cr_assert_eq(audit_tree_add(tree, leaf, NULL), 0);
}

static void
make_head(const struct audit_tree *tree, int64_t time, struct audit_head *head)
{
	memset(head, 0, sizeof(*head));
	(void)snprintf(head->log, sizeof(head->log), "00112233445566778899aabbccddeeff");
	head->size = tree->size;
	head->time = time;
	cr_assert_eq(audit_tree_root(tree, head->root, NULL), 0);
}

static void
setup(void)
{
	struct audit_tree tree = { 0 };

	for (uint64_t n = 0, h = 0; n <= ENTRIES; n++) {
		char subject[64];

		if (h < SEAL_COUNT(kept) && kept[h] == n)
			make_head(&tree, NOW + (int64_t)n, &heads[h++]);
		if (n == ENTRIES)
			break;
		(void)snprintf(subject, sizeof(subject), "serial %llu",
			       (unsigned long long)(n * 7919));
		write_entry(n, subject, NOW + (int64_t)n, &original[n]);
		add(&tree, &original[n]);
	}
}

static void
show_all(void)
{
	memcpy(shown, original, sizeof(original));
	shown_count = ENTRIES;
}

static void
new_check(struct audit_check **check, size_t head_count)
{
	struct seal_err err = { 0 };

	cr_assert_eq(audit_check_new(check, NULL), 0);
	for (size_t i = 0; i < head_count; i++)
		cr_assert_eq(audit_check_head(*check, &heads[i], &err), 0, "%s", err.text);
}

static int
run(struct audit_check *check, struct audit_report *ret_report, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < shown_count; i++)
		r = audit_check_entry(check, shown[i].data, shown[i].len, err);
	return r < 0 ? r : audit_check_end(check, ret_report, err);
}

static int
check_shown(size_t head_count, struct audit_report *ret_report, struct seal_err *err)
{
	SEAL_SCOPED(audit_check_freep) struct audit_check *check = NULL;

	new_check(&check, head_count);
	return run(check, ret_report, err);
}

/* The head that covers entry n: the first of the kept ones that is larger. */
static size_t
cover_of(uint64_t n)
{
	size_t h = 0;

	while (kept[h] <= n)
		h++;
	return h;
}

/* Refused, with the entries named from first to last. */
static void
expect_entries(uint64_t first_wanted, uint64_t last_wanted, uint64_t n, const char *what)
{
	struct audit_report report = { .size = 77 };
	struct seal_err err = { 0 };
	unsigned long long first = 0, last = 0;

	cr_assert_eq(check_shown(SEAL_COUNT(kept), &report, &err), SEAL_E_REFUSED, "%s at %llu",
		     what, (unsigned long long)n);
	cr_assert_eq(sscanf(err.text, "entries %llu to %llu:", &first, &last), 2, "%s", err.text);
	cr_assert_eq(first, first_wanted, "%s at %llu: %s", what, (unsigned long long)n, err.text);
	cr_assert_eq(last, last_wanted, "%s at %llu: %s", what, (unsigned long long)n, err.text);
	cr_assert_eq(report.size, 77);
}

/* The same between the heads around n, n among them. */
static void
expect_range(uint64_t n, const char *what)
{
	size_t h = cover_of(n);

	expect_entries(kept[h - 1], kept[h] - 1, n, what);
}

static bool
is_kept(uint64_t size)
{
	for (size_t i = 0; i < SEAL_COUNT(kept); i++) {
		if (kept[i] == size)
			return true;
	}
	return false;
}

/* Refused, with the very entry named. */
static void
expect_place(uint64_t n, const char *what)
{
	struct audit_report report = { .size = 77 };
	struct seal_err err = { 0 };
	unsigned long long at = 0;

	cr_assert_eq(check_shown(SEAL_COUNT(kept), &report, &err), SEAL_E_REFUSED, "%s at %llu",
		     what, (unsigned long long)n);
	cr_assert_eq(sscanf(err.text, "entry %llu:", &at), 1, "%s", err.text);
	cr_assert_eq(at, n, "%s at %llu: %s", what, (unsigned long long)n, err.text);
	cr_assert_eq(report.size, 77);
}

/* Give every entry from first on the number of its place, as who hides a change would. */
static void
renumber(size_t first)
{
	for (size_t i = first; i < shown_count; i++) {
		SEAL_SCOPED(seal_bytes_release)
		struct seal_bytes text = SEAL_BYTES(AUDIT_ENTRY_MAX);
		struct audit_entry entry;

		cr_assert_eq(audit_entry_parse(&entry, shown[i].data, shown[i].len, NULL), 0);
		entry.n = i;
		cr_assert_eq(audit_entry_encode(&entry, &text, NULL), 0);
		memcpy(shown[i].data, text.data, text.len);
		shown[i].len = text.len;
	}
}

static void
remove_at(size_t n)
{
	memmove(&shown[n], &shown[n + 1], (shown_count - n - 1) * sizeof(shown[0]));
	shown_count--;
}

static void
insert_at(size_t n, const struct text *text)
{
	memmove(&shown[n + 1], &shown[n], (shown_count - n) * sizeof(shown[0]));
	shown[n] = *text;
	shown_count++;
}

TestSuite(audit_check, .init = setup);

Test(audit_check, finds_nothing_in_a_log_that_is_what_it_was)
{
	struct audit_report report = { 0 };
	struct seal_err err = { 0 };

	show_all();
	cr_assert_eq(check_shown(SEAL_COUNT(kept), &report, &err), 0, "%s", err.text);
	cr_expect_eq(report.size, ENTRIES);
	cr_expect_eq(report.covered, ENTRIES);
	cr_expect_eq(report.backward, 0);
	cr_expect_arr_eq(report.root, heads[SEAL_COUNT(kept) - 1].root, SEAL_HASH_LEN);
	/* Heads that were not kept prove nothing, and the report says how far the proof goes. */
	cr_assert_eq(check_shown(SEAL_COUNT(kept) - 1, &report, &err), 0, "%s", err.text);
	cr_expect_eq(report.covered, 777);
	cr_assert_eq(check_shown(0, &report, &err), 0, "%s", err.text);
	cr_expect_eq(report.covered, 0);
	cr_expect_eq(report.size, ENTRIES);
}

Test(audit_check, finds_any_entry_removed)
{
	for (size_t n = 0; n < ENTRIES; n++) {
		show_all();
		remove_at(n);
		if (n == ENTRIES - 1)
			expect_entries(n, n, n, "the last removed");
		else
			expect_place(n, "removed");
	}
}

Test(audit_check, finds_any_entry_removed_and_the_rest_renumbered)
{
	for (size_t n = 0; n < ENTRIES; n++) {
		show_all();
		remove_at(n);
		renumber(n);
		if (n >= kept[SEAL_COUNT(kept) - 2])
			expect_entries(ENTRIES - 1, ENTRIES - 1, n, "removed, renumbered");
		else
			expect_range(n, "removed, renumbered");
	}
}

Test(audit_check, finds_any_entry_changed)
{
	for (size_t n = 0; n < ENTRIES; n++) {
		show_all();
		write_entry(n, "another serial", NOW + (int64_t)n, &shown[n]);
		expect_range(n, "changed");
	}
}

Test(audit_check, finds_any_byte_changed)
{
	show_all();
	for (size_t i = 0; i < shown[600].len; i++) {
		struct audit_report report;

		shown[600].data[i] ^= 1;
		cr_expect_eq(check_shown(SEAL_COUNT(kept), &report, NULL), SEAL_E_REFUSED,
			     "byte %zu", i);
		shown[600].data[i] ^= 1;
	}
}

Test(audit_check, finds_an_entry_inserted_anywhere)
{
	struct text more;

	for (size_t n = 0; n <= ENTRIES; n++) {
		show_all();
		write_entry(n, "inserted", NOW + (int64_t)n, &more);
		insert_at(n, &more);
		if (is_kept(n + 1))
			expect_range(n, "inserted before a head");
		else if (n < ENTRIES)
			expect_place(n + 1, "inserted");
		renumber(n);
		if (n < ENTRIES)
			expect_range(n, "inserted, renumbered");
	}
}

/* What was added at the end since the last head is not to be told from an entry of the RoT's. */
Test(audit_check, says_that_what_follows_the_last_head_is_not_covered)
{
	struct audit_report report = { 0 };

	show_all();
	write_entry(ENTRIES, "inserted", NOW + ENTRIES, &shown[ENTRIES]);
	shown_count++;
	cr_assert_eq(check_shown(SEAL_COUNT(kept), &report, NULL), 0);
	cr_expect_eq(report.covered, ENTRIES);
	cr_expect_eq(report.size, ENTRIES + 1);
}

static void
swap(size_t a, size_t b)
{
	struct text text = shown[a];

	shown[a] = shown[b];
	shown[b] = text;
}

Test(audit_check, finds_entries_put_in_another_order)
{
	for (size_t n = 0; n + 1 < ENTRIES; n++) {
		size_t other = n + 1 + (n * 31) % (ENTRIES - n - 1);

		show_all();
		swap(n, n + 1);
		expect_place(n, "swapped");
		renumber(0);
		expect_range(n, "swapped, renumbered");
		show_all();
		swap(n, other);
		expect_place(n, "swapped far");
		renumber(0);
		expect_range(n, "swapped far, renumbered");
	}
}

Test(audit_check, finds_a_log_cut_off_anywhere)
{
	for (size_t n = 0; n < ENTRIES; n++) {
		struct audit_report report;
		struct seal_err err = { 0 };
		char want[64];

		show_all();
		shown_count = n;
		(void)snprintf(want, sizeof(want), "entries %zu to %u: missing", n, ENTRIES - 1);
		cr_assert_eq(check_shown(SEAL_COUNT(kept), &report, &err), SEAL_E_REFUSED);
		cr_assert_not_null(strstr(err.text, want), "%s", err.text);
	}
}

Test(audit_check, finds_an_entry_twice_and_what_is_no_entry)
{
	for (size_t n = 0; n < ENTRIES; n += 7) {
		show_all();
		insert_at(n, &original[n]);
		expect_place(n + 1, "doubled");
		show_all();
		shown[n].data[0] = '[';
		expect_place(n, "no entry");
		show_all();
		shown[n].len = 0;
		expect_place(n, "nothing");
	}
}

Test(audit_check, that_refused_once_says_nothing_good_any_more)
{
	SEAL_SCOPED(audit_check_freep) struct audit_check *check = NULL;
	struct audit_report report = { .size = 77 };

	show_all();
	new_check(&check, 2);
	cr_assert_eq(audit_check_entry(check, shown[1].data, shown[1].len, NULL), SEAL_E_REFUSED);
	cr_expect_eq(audit_check_entry(check, shown[0].data, shown[0].len, NULL), SEAL_E_REFUSED);
	cr_expect_eq(audit_check_head(check, &heads[3], NULL), SEAL_E_REFUSED);
	cr_expect_eq(audit_check_end(check, &report, NULL), SEAL_E_REFUSED);
	cr_expect_eq(report.size, 77);
}

Test(audit_check, takes_heads_in_any_order_and_twice)
{
	SEAL_SCOPED(audit_check_freep) struct audit_check *check = NULL;
	struct audit_report report = { 0 };
	struct seal_err err = { 0 };

	show_all();
	cr_assert_eq(audit_check_new(&check, NULL), 0);
	for (size_t i = 0; i < 3 * SEAL_COUNT(kept); i++) {
		struct audit_head head = heads[(5 * i + 3) % SEAL_COUNT(kept)];

		head.time += (int64_t)i; /* signed again later */
		cr_assert_eq(audit_check_head(check, &head, &err), 0, "%s", err.text);
	}
	cr_assert_eq(run(check, &report, &err), 0, "%s", err.text);
	cr_expect_eq(report.covered, ENTRIES);
}

Test(audit_check, takes_heads_while_it_goes_but_not_for_what_is_over)
{
	SEAL_SCOPED(audit_check_freep) struct audit_check *check = NULL;
	struct audit_report report = { 0 };

	show_all();
	new_check(&check, 0);
	for (size_t i = 0; i < 100; i++)
		cr_assert_eq(audit_check_entry(check, shown[i].data, shown[i].len, NULL), 0);
	cr_expect_eq(audit_check_head(check, &heads[2], NULL), SEAL_E_BUG, "for two entries");
	cr_expect_eq(audit_check_head(check, &heads[3], NULL), 0, "for what there is now");
	cr_assert_eq(audit_check_end(check, &report, NULL), 0);
	cr_expect_eq(report.covered, 100);
	cr_expect_eq(audit_check_head(check, &heads[4], NULL), 0, "for later");
	cr_expect_eq(audit_check_end(check, &report, NULL), SEAL_E_REFUSED);
}

Test(audit_check, refuses_heads_that_contradict_each_other)
{
	for (size_t i = 0; i < SEAL_COUNT(kept); i++) {
		SEAL_SCOPED(audit_check_freep) struct audit_check *check = NULL;
		struct audit_head other = heads[i];
		struct seal_err err = { 0 };
		char want[64];

		new_check(&check, SEAL_COUNT(kept));
		other.root[31] ^= 1;
		(void)snprintf(want, sizeof(want), "two heads of size %llu contradict",
			       (unsigned long long)kept[i]);
		cr_expect_eq(audit_check_head(check, &other, &err), SEAL_E_REFUSED);
		cr_expect_not_null(strstr(err.text, want), "%s", err.text);
	}
}

Test(audit_check, refuses_heads_of_two_logs)
{
	SEAL_SCOPED(audit_check_freep) struct audit_check *check = NULL;
	struct audit_head other = heads[3];

	new_check(&check, 2);
	other.log[0] = 'f';
	cr_expect_eq(audit_check_head(check, &other, NULL), SEAL_E_REFUSED);
}

Test(audit_check, refuses_the_empty_logs_head_when_it_has_another_root)
{
	SEAL_SCOPED(audit_check_freep) struct audit_check *check = NULL;
	struct audit_head wrong = heads[0];

	cr_assert_eq(audit_check_new(&check, NULL), 0);
	wrong.root[0] ^= 1;
	cr_expect_eq(audit_check_head(check, &wrong, NULL), SEAL_E_REFUSED);
}

Test(audit_check, takes_so_many_heads_and_no_more)
{
	SEAL_SCOPED(audit_check_freep) struct audit_check *check = NULL;
	struct audit_head head = heads[3];

	cr_assert_eq(audit_check_new(&check, NULL), 0);
	for (uint64_t i = 0; i < AUDIT_CHECK_HEADS; i++) {
		head.size = 100 + i;
		cr_assert_eq(audit_check_head(check, &head, NULL), 0);
	}
	head.size++;
	cr_expect_eq(audit_check_head(check, &head, NULL), SEAL_E_LIMIT);
}

/* A clock that was wrong gets set right; the log is whole all the same, and the report says where to look. */
Test(audit_check, tells_of_times_that_go_back)
{
	SEAL_SCOPED(audit_check_freep) struct audit_check *check = NULL;
	struct audit_report report = { 0 };
	const int64_t times[] = { NOW, NOW - AUDIT_TIME_SLACK, NOW - AUDIT_TIME_SLACK - 1, NOW + 9,
				  0 };

	cr_assert_eq(audit_check_new(&check, NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(times); i++) {
		write_entry(i, "", times[i], &shown[i]);
		cr_assert_eq(audit_check_entry(check, shown[i].data, shown[i].len, NULL), 0);
	}
	cr_assert_eq(audit_check_end(check, &report, NULL), 0);
	cr_expect_eq(report.backward, 2);
	cr_expect_eq(report.first_backward, 2);
}

Test(audit_check, tells_of_entries_dated_before_a_head_that_stands_before_them)
{
	SEAL_SCOPED(audit_check_freep) struct audit_check *check = NULL;
	struct audit_tree tree = { 0 };
	struct audit_report report = { 0 };
	struct audit_head head;

	make_head(&tree, NOW, &head);
	cr_assert_eq(audit_check_new(&check, NULL), 0);
	cr_assert_eq(audit_check_head(check, &head, NULL), 0);
	write_entry(0, "", NOW - AUDIT_TIME_SLACK - 1, &shown[0]);
	cr_assert_eq(audit_check_entry(check, shown[0].data, shown[0].len, NULL), 0);
	cr_assert_eq(audit_check_end(check, &report, NULL), 0);
	cr_expect_eq(report.backward, 1);
	cr_expect_eq(report.first_backward, 0);
}

static double
seconds(void)
{
	struct timespec now;

	cr_assert_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Measured, not judged: SEAL_AUDIT_ENTRIES=1000000 for the figures of docs/performance.md's kind. */
Test(audit_check, reads_a_long_log)
{
	SEAL_SCOPED(audit_check_freep) struct audit_check *check = NULL;
	const char *wish = getenv("SEAL_AUDIT_ENTRIES");
	uint64_t count = wish != NULL ? strtoull(wish, NULL, 10) : 20000;
	struct audit_tree tree = { 0 };
	struct audit_report report = { 0 };
	uint8_t leaf[SEAL_HASH_LEN] = { 0 }, root[SEAL_HASH_LEN];
	double start = seconds(), adding, checking = 0;

	(void)alarm(600);
	for (uint64_t n = 0; n < count; n++)
		cr_assert_eq(audit_tree_add(&tree, leaf, NULL), 0);
	adding = seconds() - start;
	memset(&tree, 0, sizeof(tree));
	cr_assert_eq(audit_check_new(&check, NULL), 0);
	for (uint64_t n = 0; n < count; n++) {
		write_entry(n, "4001a0b0c0d0e0f000112233445566778899", NOW, &shown[0]);
		add(&tree, &shown[0]);
		start = seconds();
		cr_assert_eq(audit_check_entry(check, shown[0].data, shown[0].len, NULL), 0);
		checking += seconds() - start;
	}
	cr_assert_eq(audit_check_end(check, &report, NULL), 0);
	cr_assert_eq(audit_tree_root(&tree, root, NULL), 0);
	cr_expect_arr_eq(report.root, root, sizeof(root));
	(void)fprintf(stderr, "audit: %llu entries: %.0f ns to add a leaf, %.2f s to check all\n",
		      (unsigned long long)count, adding / (double)count * 1e9, checking);
}
