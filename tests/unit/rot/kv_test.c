/* SPDX-License-Identifier: Apache-2.0 */
/* rot/kv: both engines keep the same promises; each test of the first part is run with each. */
#include "rot/kv/kv.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto/crypto.h"
#include "rot/kv/db.h"
#include "rot/kv/kv_internal.h"
#include "tests/support/etcd.h"
#include "tests/unit/rot/kv_rig.h"

TestSuite(kv);
TestSuite(kv_sqlite);
TestSuite(kv_etcd);

static struct kv_rig rig;
static struct rot_kv *kv;

static void
teardown(void)
{
	rot_kv_close(kv);
	kv = NULL;
	kv_rig_release(&rig);
}

#define MUST(call)                                                                                 \
	do {                                                                                       \
		struct seal_err must_err_ = { 0 };                                                 \
		struct seal_err *err = &must_err_;                                                 \
		int must_r_ = (call);                                                              \
		cr_assert_eq(must_r_, 0, "%s: %s", #call, must_err_.text);                         \
	} while (0)

/* One promise, two tests. */
#define BOTH(name)                                                                                 \
	static void name(void);                                                                    \
	Test(kv_sqlite, name, .fini = teardown)                                                    \
	{                                                                                          \
		(void)alarm(60);                                                                   \
		kv_rig_sqlite(&rig);                                                               \
		kv = kv_rig_create(&rig);                                                          \
		name();                                                                            \
	}                                                                                          \
	Test(kv_etcd, name, .fini = teardown)                                                      \
	{                                                                                          \
		(void)alarm(60);                                                                   \
		kv_rig_etcd(&rig);                                                                 \
		kv = kv_rig_create(&rig);                                                          \
		name();                                                                            \
	}                                                                                          \
	static void name(void)

static void
put(const char *key, const char *value)
{
	MUST(rot_kv_put(kv, key, value, strlen(value), err));
}

/* The value, or "-". */
static const char *
got(struct rot_kv *in, const char *key)
{
	static char text[4096];
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(sizeof(text) - 1);
	struct seal_err why = { 0 };
	int r = rot_kv_get(in, key, &value, &why);

	if (r == SEAL_E_MISSING)
		return "-";
	cr_assert_eq(r, 0, "%s: %s", key, why.text);
	(void)snprintf(text, sizeof(text), "%s", seal_bytes_str(&value));
	return text;
}

static void
expect(const char *key, const char *value)
{
	cr_expect_str_eq(got(kv, key), value, "%s is '%s', not '%s'", key, got(kv, key), value);
}

static void
begin(void)
{
	MUST(rot_kv_begin(kv, err));
}

static void
commit(void)
{
	MUST(rot_kv_commit(kv, err));
}

static int
join(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	return seal_bytes_append_fmt(arg, err, "%s=%.*s ", key, (int)len, (const char *)value);
}

static void
expect_range(const struct rot_kv_range *range, const char *want)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(1 << 20);

	MUST(rot_kv_each(kv, range, join, &text, err));
	cr_expect_str_eq(seal_bytes_str(&text), want, "%s..%s limit %d%s: '%s', not '%s'",
			 range->from ? range->from : "", range->to ? range->to : "",
			 (int)range->limit, range->backwards ? " backwards" : "",
			 seal_bytes_str(&text), want);
}

static void
expect_count(const char *from, const char *to, uint64_t want)
{
	uint64_t count = 0;

	MUST(rot_kv_count(kv, from, to, &count, err));
	cr_expect_eq(count, want, "%d keys from %s to %s", (int)count, from, to);
}

static struct rot_kv *
another(void)
{
	struct rot_kv *other = NULL;

	MUST(rot_kv_open(&other, &rig.config, false, err));
	return other;
}

static void
reopen(void)
{
	rot_kv_close(kv);
	kv = NULL;
	kv = another();
}

BOTH(keeps_what_was_committed_and_nothing_else)
{
	begin();
	put("a", "1");
	put("b", "");
	expect("a", "1");
	commit();
	begin();
	put("a", "2");
	put("c", "3");
	MUST(rot_kv_delete(kv, "b", err));
	expect("a", "2");
	expect("b", "-");
	rot_kv_rollback(kv);
	begin();
	expect("a", "1");
	expect("b", "");
	expect("c", "-");
	rot_kv_rollback(kv);
	reopen();
	begin();
	expect("a", "1");
	expect("b", "");
	put("a", "4");
	reopen(); /* what was open is gone with the handle */
	begin();
	expect("a", "1");
}

BOTH(deletes_and_puts_again_within_one_transaction)
{
	begin();
	put("a", "1");
	MUST(rot_kv_delete(kv, "a", err));
	MUST(rot_kv_delete(kv, "never", err));
	expect("a", "-");
	put("a", "2");
	put("gone", "x");
	MUST(rot_kv_delete(kv, "gone", err));
	commit();
	begin();
	expect("a", "2");
	expect("gone", "-");
	MUST(rot_kv_delete(kv, "a", err));
	put("a", "3");
	commit();
	begin();
	expect("a", "3");
}

BOTH(values_are_any_bytes_up_to_a_limit)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(ROT_KV_VALUE_MAX);
	uint8_t *data = malloc(ROT_KV_VALUE_MAX + 1);

	cr_assert_not_null(data);
	for (size_t i = 0; i <= ROT_KV_VALUE_MAX; i++)
		data[i] = (uint8_t)(i * 7 >> 3);
	begin();
	MUST(rot_kv_put(kv, "large", data, ROT_KV_VALUE_MAX, err));
	cr_expect_eq(rot_kv_put(kv, "larger", data, ROT_KV_VALUE_MAX + 1, NULL), SEAL_E_LIMIT);
	MUST(rot_kv_put(kv, "zeros", "\0\0\0", 3, err));
	commit();
	begin();
	MUST(rot_kv_get(kv, "large", &value, err));
	cr_assert_eq(value.len, ROT_KV_VALUE_MAX);
	cr_expect_eq(memcmp(value.data, data, value.len), 0);
	seal_bytes_reset(&value);
	MUST(rot_kv_get(kv, "zeros", &value, err));
	cr_expect_eq(value.len, 3);
	expect("larger", "-");
	free(data);
}

BOTH(keys_are_printable_and_bounded)
{
	static const char *const wrong[] = {
		"", " ", "a b", "a\tb", "a\x7f", "\xc3\xa4", "!kv", "!"
	};
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(64);
	char longest[ROT_KV_KEY_MAX + 2];

	memset(longest, 'k', sizeof(longest));
	longest[ROT_KV_KEY_MAX + 1] = '\0';
	begin();
	cr_expect_lt(rot_kv_put(kv, longest, "", 0, NULL), 0, "a key that is too long");
	cr_expect_lt(rot_kv_get(kv, longest, &value, NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(wrong); i++) {
		cr_expect_lt(rot_kv_put(kv, wrong[i], "", 0, NULL), 0, "'%s'", wrong[i]);
		cr_expect_lt(rot_kv_add(kv, wrong[i], "", 0, NULL), 0, "'%s'", wrong[i]);
		cr_expect_lt(rot_kv_get(kv, wrong[i], &value, NULL), 0, "'%s'", wrong[i]);
		cr_expect_lt(rot_kv_delete(kv, wrong[i], NULL), 0, "'%s'", wrong[i]);
	}
	longest[ROT_KV_KEY_MAX] = '\0';
	put(longest, "long");
	put("~", "last");
	put("\"'\\%_*{}", "odd");
	commit();
	begin();
	expect(longest, "long");
	expect("\"'\\%_*{}", "odd");
	expect_count(NULL, NULL, 3);
}

BOTH(nothing_is_done_outside_of_a_transaction)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(64);
	struct rot_kv_range all = { 0 };
	uint64_t n;

	cr_expect_lt(rot_kv_put(kv, "a", "", 0, NULL), 0);
	cr_expect_lt(rot_kv_add(kv, "a", "", 0, NULL), 0);
	cr_expect_lt(rot_kv_get(kv, "a", &value, NULL), 0);
	cr_expect_lt(rot_kv_delete(kv, "a", NULL), 0);
	cr_expect_lt(rot_kv_each(kv, &all, join, &value, NULL), 0);
	cr_expect_lt(rot_kv_count(kv, NULL, NULL, &n, NULL), 0);
	cr_expect_lt(rot_kv_mark(kv, &n, NULL), 0);
	cr_expect_lt(rot_kv_commit(kv, NULL), 0);
	rot_kv_rollback(kv);
	begin();
	cr_expect(rot_kv_is_open(kv));
	cr_expect_lt(rot_kv_begin(kv, NULL), 0, "twice");
	cr_expect_lt(rot_kv_undo(kv, 1, NULL), 0, "a mark that was never set");
	cr_expect_lt(rot_kv_keep(kv, 0, NULL), 0);
	commit();
	cr_expect_not(rot_kv_is_open(kv));
}

BOTH(marks_take_back_what_came_after_them)
{
	uint64_t outer = 0, inner = 0, again = 0;

	begin();
	put("a", "0");
	put("kept", "0");
	commit();
	begin();
	put("a", "1");
	MUST(rot_kv_mark(kv, &outer, err));
	put("a", "2");
	MUST(rot_kv_delete(kv, "kept", err));
	MUST(rot_kv_mark(kv, &inner, err));
	put("a", "3");
	put("b", "3");
	expect("kept", "-");
	MUST(rot_kv_undo(kv, inner, err));
	expect("a", "2");
	expect("b", "-");
	expect("kept", "-");
	cr_expect_lt(rot_kv_undo(kv, inner, NULL), 0, "a mark twice");
	MUST(rot_kv_mark(kv, &again, err));
	put("c", "4");
	MUST(rot_kv_keep(kv, again, err));
	expect("c", "4");
	MUST(rot_kv_undo(kv, outer, err));
	expect("a", "1");
	expect("c", "-");
	expect("kept", "0");
	MUST(rot_kv_mark(kv, &outer, err));
	put("d", "5");
	MUST(rot_kv_mark(kv, &inner, err));
	put("d", "6");
	MUST(rot_kv_keep(kv, outer, err)); /* and with it the one inside */
	cr_expect_lt(rot_kv_undo(kv, inner, NULL), 0);
	commit();
	begin();
	expect("a", "1");
	expect("b", "-");
	expect("c", "-");
	expect("d", "6");
	expect("kept", "0");
}

BOTH(marks_do_not_wear_out)
{
	uint64_t mark = 0, marks[ROT_KV_MARKS_MAX];
	char key[32];

	begin();
	for (unsigned i = 0; i < 60; i++) {
		(void)snprintf(key, sizeof(key), "k%03u", i);
		MUST(rot_kv_mark(kv, &mark, err));
		put(key, "x");
		if (i % 3 == 0)
			MUST(rot_kv_undo(kv, mark, err));
		else
			MUST(rot_kv_keep(kv, mark, err));
	}
	for (unsigned i = 0; i < ROT_KV_MARKS_MAX; i++)
		MUST(rot_kv_mark(kv, &marks[i], err));
	cr_expect_lt(rot_kv_mark(kv, &mark, NULL), 0);
	MUST(rot_kv_undo(kv, marks[0], err));
	commit();
	begin();
	expect_count("k", "l", 40);
}

BOTH(what_may_not_be_there_yet_is_added_once)
{
	uint64_t mark = 0;

	begin();
	MUST(rot_kv_add(kv, "a", "1", 1, err));
	cr_expect_eq(rot_kv_add(kv, "a", "2", 1, NULL), SEAL_E_CONFLICT);
	expect("a", "1");
	MUST(rot_kv_mark(kv, &mark, err));
	MUST(rot_kv_add(kv, "b", "1", 1, err));
	MUST(rot_kv_undo(kv, mark, err));
	MUST(rot_kv_add(kv, "b", "2", 1, err));
	MUST(rot_kv_delete(kv, "b", err));
	MUST(rot_kv_add(kv, "b", "3", 1, err));
	commit();
	begin();
	expect("a", "1");
	expect("b", "3");
	cr_expect_eq(rot_kv_add(kv, "a", "2", 1, NULL), SEAL_E_CONFLICT, "it was read");
	rot_kv_rollback(kv);
	begin();
	MUST(rot_kv_delete(kv, "a", err));
	MUST(rot_kv_add(kv, "a", "5", 1, err));
	commit();
	begin();
	if (rot_kv_add(kv, "a", "6", 1, NULL) == 0) /* etcd hears of it when it commits */
		cr_expect_eq(rot_kv_commit(kv, NULL), SEAL_E_CONFLICT);
	rot_kv_rollback(kv);
	begin();
	expect("a", "5");
}

static void
put_some(void)
{
	begin();
	put("a/1", "one");
	put("a/2", "two");
	put("a/3", "three");
	put("a/4", "four");
	put("b/1", "other");
	put("a", "short");
	commit();
}

BOTH(ranges_are_ordered_and_bounded)
{
	put_some();
	begin();
	expect_range(&(struct rot_kv_range){ .from = "a/", .to = "a0" },
		     "a/1=one a/2=two a/3=three a/4=four ");
	expect_range(&(struct rot_kv_range){ .from = "a/", .to = "a0", .limit = 2 },
		     "a/1=one a/2=two ");
	expect_range(
		&(struct rot_kv_range){ .from = "a/", .to = "a0", .limit = 2, .backwards = true },
		"a/4=four a/3=three ");
	expect_range(&(struct rot_kv_range){ .from = "a/2", .to = "a/4", .backwards = true },
		     "a/3=three a/2=two ");
	expect_range(&(struct rot_kv_range){ .from = "a/2", .to = "a/3", .keys_only = true },
		     "a/2= ");
	expect_range(&(struct rot_kv_range){ .from = "a/2", .to = "a/2" }, "");
	expect_range(&(struct rot_kv_range){ .from = "b", .to = "a" }, "");
	expect_range(&(struct rot_kv_range){ .from = "c", .to = "d" }, "");
	expect_range(&(struct rot_kv_range){ .keys_only = true }, "a= a/1= a/2= a/3= a/4= b/1= ");
	expect_range(&(struct rot_kv_range){ .from = "!", .to = "a/2", .keys_only = true },
		     "a= a/1= ");
	expect_count("a/", "a0", 4);
	expect_count("a/2", "a/4", 2);
	expect_count("x", "y", 0);
	expect_count("y", "x", 0);
	expect_count(NULL, NULL, 6);
}

BOTH(ranges_show_what_the_transaction_has_done)
{
	uint64_t mark = 0;

	put_some();
	begin();
	put("a/0", "first");
	put("a/2", "2");
	put("a/25", "between");
	put("a/9", "last");
	MUST(rot_kv_delete(kv, "a/3", err));
	MUST(rot_kv_delete(kv, "a/none", err));
	expect_range(&(struct rot_kv_range){ .from = "a/", .to = "a0" },
		     "a/0=first a/1=one a/2=2 a/25=between a/4=four a/9=last ");
	expect_range(&(struct rot_kv_range){ .from = "a/", .to = "a0", .backwards = true },
		     "a/9=last a/4=four a/25=between a/2=2 a/1=one a/0=first ");
	expect_range(
		&(struct rot_kv_range){ .from = "a/2", .to = "a0", .limit = 3, .backwards = true },
		"a/9=last a/4=four a/25=between ");
	expect_range(&(struct rot_kv_range){ .from = "a/2", .to = "a0", .limit = 3 },
		     "a/2=2 a/25=between a/4=four ");
	expect_count("a/", "a0", 6);
	expect_count("a/3", "a/4", 0);
	MUST(rot_kv_mark(kv, &mark, err));
	for (const char *c = "1249"; *c != '\0'; c++) {
		char key[] = { 'a', '/', *c, '\0' };

		MUST(rot_kv_delete(kv, key, err));
	}
	expect_range(&(struct rot_kv_range){ .from = "a/", .to = "a0" }, "a/0=first a/25=between ");
	MUST(rot_kv_undo(kv, mark, err));
	expect_count("a/", "a0", 6);
	commit();
	begin();
	expect_range(&(struct rot_kv_range){ .from = "a/", .to = "a0" },
		     "a/0=first a/1=one a/2=2 a/25=between a/4=four a/9=last ");
}

struct stop {
	unsigned seen;
	struct rot_kv *kv;
};

static int
stop_at_two(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct stop *stop = arg;

	(void)value;
	(void)len;
	return ++stop->seen == 2 ? seal_fail(err, SEAL_E_REFUSED, "enough at %s", key) : 0;
}

BOTH(a_walk_ends_when_it_is_told)
{
	struct stop stop = { 0 };
	struct seal_err why = { 0 };

	put_some();
	begin();
	cr_expect_eq(rot_kv_each(kv, &(struct rot_kv_range){ 0 }, stop_at_two, &stop, &why),
		     SEAL_E_REFUSED);
	cr_expect_str_eq(why.text, "enough at a/1");
	cr_expect_eq(stop.seen, 2);
}

static int
read_inside(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct stop *stop = arg;
	uint64_t count = 0;
	int r;

	cr_expect_str_eq(got(stop->kv, "a"), "short");
	r = rot_kv_count(stop->kv, key, NULL, &count, err);
	if (r == 0)
		r = rot_kv_each(stop->kv, &(struct rot_kv_range){ .from = key, .limit = 1 },
				stop_at_two, &(struct stop){ 0 }, err);
	cr_expect(len > 0 && memchr(value, '\0', len) == NULL, "what was lent has changed");
	stop->seen += (unsigned)count;
	return r;
}

BOTH(a_walk_may_read_on_its_way)
{
	struct stop stop = { .kv = kv };

	put_some();
	begin();
	MUST(rot_kv_each(kv, &(struct rot_kv_range){ 0 }, read_inside, &stop, err));
	cr_expect_eq(stop.seen, 6 + 5 + 4 + 3 + 2 + 1);
}

BOTH(long_ranges_come_whole_in_either_direction)
{
	enum { N = 700 };
	struct rot_kv_range back = {
		.from = "r/", .to = "r0", .backwards = true, .keys_only = true
	};
	struct rot_kv_range some = { .from = "r/", .to = "r0", .limit = 600 };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(1 << 20);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes want = SEAL_BYTES(1 << 20);
	char key[32];

	for (unsigned i = 0; i < N; i++) {
		if (i % 100 == 0)
			begin();
		(void)snprintf(key, sizeof(key), "r/%05u", i);
		put(key, "v");
		if (i % 100 == 99)
			commit();
	}
	begin();
	expect_count("r/", "r0", N);
	put("r/00300x", "v");
	MUST(rot_kv_delete(kv, "r/00301", err));
	expect_count("r/", "r0", N);
	MUST(rot_kv_each(kv, &back, join, &text, err));
	for (unsigned i = N; i-- > 0;) {
		if (i != 301)
			MUST(seal_bytes_append_fmt(&want, err, "r/%05u= ", i));
		if (i == 301)
			MUST(seal_bytes_append_str(&want, "r/00300x= ", err));
	}
	cr_expect_str_eq(seal_bytes_str(&text), seal_bytes_str(&want));
	seal_bytes_reset(&text);
	MUST(rot_kv_each(kv, &some, join, &text, err));
	cr_expect_eq(text.len, 599 * strlen("r/00000=v ") + strlen("r/00300x=v "));
}

BOTH(is_not_created_twice)
{
	struct rot_kv *second = NULL;
	struct seal_err why = { 0 };

	begin();
	put("a", "1");
	commit();
	if (rig.is_sqlite) { /* the lock speaks first */
		rot_kv_close(kv);
		kv = NULL;
	}
	cr_expect_eq(rot_kv_open(&second, &rig.config, true, &why), SEAL_E_CONFLICT, "%s",
		     why.text);
	cr_expect_null(second);
	if (kv == NULL)
		kv = another();
	begin();
	expect("a", "1");
}

BOTH(has_a_name_of_its_own_that_stays)
{
	char id[128];

	(void)snprintf(id, sizeof(id), "%s", rot_kv_id(kv));
	cr_expect_geq(strlen(id), 32);
	cr_expect_eq(strchr(id, '@') == NULL, rig.is_sqlite, "etcd's cluster is part of it: %s",
		     id);
	MUST(rot_kv_ping(kv, err));
	reopen();
	cr_expect_str_eq(rot_kv_id(kv), id);
}

/* Bytes that are wrong behind our back: never handed out, always said. */
BOTH(damage_is_found_and_named)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(1024);
	struct rot_kv_range all = { .from = "v/", .to = "v0" };
	struct seal_err why = { 0 };
	uint64_t keys = 0;

	begin();
	put("v/a", "alpha");
	put("v/b", "bravo");
	put("v/c", "charlie");
	commit();
	MUST(rot_kv_check(kv, &keys, err));
	cr_expect_eq(keys, 3);
	kv_rig_flip(&rig, "v/b", 20, 1);
	begin();
	cr_expect_eq(rot_kv_get(kv, "v/b", &value, &why), SEAL_E_SYSTEM);
	cr_expect_not_null(strstr(why.text, "v/b"), "%s", why.text);
	cr_expect_eq(value.len, 0, "a part of it was handed out");
	cr_expect_eq(rot_kv_each(kv, &all, join, &value, &why), SEAL_E_SYSTEM);
	cr_expect_not_null(strstr(why.text, "v/b"), "%s", why.text);
	expect("v/a", "alpha");
	rot_kv_rollback(kv);
	cr_expect_eq(rot_kv_check(kv, &keys, &why), SEAL_E_SYSTEM);
	kv_rig_flip(&rig, "v/b", 20, 1);
	MUST(rot_kv_check(kv, &keys, err));
	for (size_t at = 0; at < 16 + strlen("bravo"); at++) {
		kv_rig_flip(&rig, "v/b", at, (uint8_t)(1 << at % 8));
		begin();
		cr_expect_eq(rot_kv_get(kv, "v/b", &value, &why), SEAL_E_SYSTEM, "byte %zu", at);
		rot_kv_rollback(kv);
		kv_rig_flip(&rig, "v/b", at, (uint8_t)(1 << at % 8));
	}
	kv_rig_copy(&rig, "v/a", "v/c"); /* another key's value, whole */
	begin();
	cr_expect_eq(rot_kv_get(kv, "v/c", &value, &why), SEAL_E_SYSTEM);
	rot_kv_rollback(kv);
	kv_rig_set(&rig, "v/c", "", 0);
	begin();
	cr_expect_eq(rot_kv_get(kv, "v/c", &value, &why), SEAL_E_SYSTEM, "nothing at all");
}

BOTH(says_how_much_fits_into_a_transaction)
{
	uint64_t room;
	char key[32];

	begin();
	room = rot_kv_room(kv);
	if (rig.is_sqlite) {
		cr_expect_eq(room, UINT64_MAX);
		room = 5000;
	} else {
		cr_expect_gt(room, 60);
		cr_expect_lt(room, 128);
	}
	/* The worst: each is read, and written. */
	for (uint64_t i = 0; i < room; i++) {
		(void)snprintf(key, sizeof(key), "k%05u", (unsigned)i);
		expect(key, "-");
		put(key, "v");
	}
	commit();
	begin();
	expect_count("k", "l", room);
}

/* ---- A store that is none, or somewhere else ---- */

Test(kv, a_store_that_is_not_there_is_missing, .fini = teardown)
{
	struct seal_err why = { 0 };

	kv_rig_sqlite(&rig);
	cr_expect_eq(rot_kv_open(&kv, &rig.config, false, &why), SEAL_E_MISSING, "%s", why.text);
	cr_expect_null(kv);
	kv_rig_release(&rig);
	kv_rig_etcd(&rig);
	cr_expect_eq(rot_kv_open(&kv, &rig.config, false, &why), SEAL_E_MISSING, "%s", why.text);
	cr_expect_null(kv);
}

Test(kv, a_store_without_a_first_commit_does_not_exist, .fini = teardown)
{
	for (int etcd = 0; etcd < 2; etcd++) {
		struct seal_err why = { 0 };

		if (etcd)
			kv_rig_etcd(&rig);
		else
			kv_rig_sqlite(&rig);
		MUST(rot_kv_open(&kv, &rig.config, true, err));
		begin();
		put("a", "1");
		rot_kv_close(kv);
		kv = NULL;
		cr_expect_lt(rot_kv_open(&kv, &rig.config, false, &why), 0);
		kv = kv_rig_create(&rig);
		begin();
		expect("a", "-");
		teardown();
	}
}

Test(kv, a_place_is_named_in_one_way, .fini = teardown)
{
	static const char *const wrong[] = { "",
					     "/tmp/x",
					     "sqlite",
					     "etcd:",
					     "etcd:https://",
					     "etcd:http://127.0.0.1:1",
					     "etcd:https://127.0.0.1:1,",
					     "etcd:https://127.0.0.1:1/path",
					     "etcd:https://a:b@127.0.0.1:1",
					     "etcd:ftp://127.0.0.1",
					     "postgres:x" };

	kv_rig_etcd(&rig);
	for (size_t i = 0; i < SEAL_COUNT(wrong); i++) {
		struct rot_kv_config config = rig.config;

		config.where = wrong[i];
		cr_expect_eq(rot_kv_open(&kv, &config, false, NULL), SEAL_E_USAGE, "'%s'",
			     wrong[i]);
	}
	for (size_t i = 0; i < 4; i++) {
		static const char *const prefixes[] = { "", "x", "a b/", "\xff/" };
		struct rot_kv_config config = rig.config;

		config.prefix = prefixes[i];
		cr_expect_eq(rot_kv_open(&kv, &config, false, NULL), SEAL_E_USAGE, "'%s'",
			     prefixes[i]);
	}
	cr_expect_null(kv);
}

/* ---- SQLite ---- */

Test(kv_sqlite, a_second_process_is_told_of_the_first, .fini = teardown)
{
	struct rot_kv *second = NULL;
	struct seal_err why = { 0 };
	char pid[32];

	kv_rig_sqlite(&rig);
	kv = kv_rig_create(&rig);
	(void)snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	cr_expect_eq(rot_kv_open(&second, &rig.config, false, &why), SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(why.text, pid), "%s", why.text);
	cr_expect_null(second);
	begin();
	put("a", "1");
	commit();
	rot_kv_close(kv);
	kv = NULL;
	MUST(rot_kv_open(&kv, &rig.config, false, err));
}

Test(kv_sqlite, a_file_of_something_else_is_left_alone, .fini = teardown)
{
	struct seal_err why = { 0 };

	kv_rig_sqlite(&rig);
	kv_rig_sql(&rig, "CREATE TABLE t (x)");
	cr_expect_eq(rot_kv_open(&kv, &rig.config, true, &why), SEAL_E_CONFLICT, "%s", why.text);
	cr_expect_eq(rot_kv_open(&kv, &rig.config, false, &why), SEAL_E_REFUSED, "%s", why.text);
	cr_expect_null(kv);
	kv_rig_sql(&rig, "SELECT x FROM t");
}

Test(kv_sqlite, a_file_of_a_newer_version_is_refused_with_the_remedy, .fini = teardown)
{
	struct seal_err why = { 0 };

	kv_rig_sqlite(&rig);
	kv = kv_rig_create(&rig);
	kv_rig_sql(&rig, "PRAGMA user_version = 99");
	cr_expect_lt(rot_kv_ping(kv, NULL), 0, "a store upgraded under us still answers");
	rot_kv_close(kv);
	kv = NULL;
	cr_expect_eq(rot_kv_open(&kv, &rig.config, false, &why), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(why.text, "upgrade"), "%s", why.text);
}

Test(kv_sqlite, an_older_file_needs_somebody_who_knows_it, .fini = teardown)
{
	struct seal_err why = { 0 };

	kv_rig_sqlite(&rig);
	kv_rig_sql(&rig, "CREATE TABLE t (x); PRAGMA application_id = 1397047628;"
			 "PRAGMA user_version = 1");
	cr_expect_eq(rot_kv_open(&kv, &rig.config, false, &why), SEAL_E_REFUSED, "%s", why.text);
	cr_expect_null(kv);
}

Test(kv_sqlite, a_full_disk_is_said_so_and_the_transaction_is_over, .fini = teardown)
{
	struct seal_err why = { 0 };
	static uint8_t block[60000];
	unsigned done = 0;
	char key[32];
	int r = 0;

	kv_rig_sqlite(&rig);
	kv = kv_rig_create(&rig);
	begin();
	put("a", "1");
	commit();
	MUST(rot_db_exec(rot_kv_db(kv), "PRAGMA max_page_count = 100", err));
	while (r == 0 && done < 1000) {
		begin();
		put("a", "2");
		(void)snprintf(key, sizeof(key), "k%u", done);
		r = rot_kv_put(kv, key, block, sizeof(block), &why);
		if (r == 0)
			r = rot_kv_commit(kv, &why);
		else
			rot_kv_rollback(kv);
		done += r == 0;
	}
	cr_expect_eq(r, SEAL_E_SYSTEM);
	cr_expect_not_null(strstr(why.text, "full"), "%s", why.text);
	cr_expect_gt(done, 0);
	MUST(rot_db_exec(rot_kv_db(kv), "PRAGMA max_page_count = 100000", err));
	begin();
	expect_count("k", "l", done);
	put("b", "1");
	commit();
}

/* ---- etcd ---- */

static void
start_two(struct rot_kv **other)
{
	kv_rig_etcd(&rig);
	kv = kv_rig_create(&rig);
	*other = another();
	cr_expect_str_eq(rot_kv_id(kv), rot_kv_id(*other));
}

#define OVERTAKEN(setup, read, write)                                                              \
	do {                                                                                       \
		struct rot_kv *other_ = NULL;                                                      \
		start_two(&other_);                                                                \
		begin();                                                                           \
		setup;                                                                             \
		put("mine", "0");                                                                  \
		commit();                                                                          \
		begin();                                                                           \
		read;                                                                              \
		put("mine", "1");                                                                  \
		MUST(rot_kv_begin(other_, err));                                                   \
		{                                                                                  \
			struct rot_kv *mine_ = kv;                                                 \
			kv = other_;                                                               \
			write;                                                                     \
			kv = mine_;                                                                \
		}                                                                                  \
		MUST(rot_kv_commit(other_, err));                                                  \
		cr_expect_eq(rot_kv_commit(kv, NULL), SEAL_E_CONFLICT);                            \
		begin();                                                                           \
		expect("mine", "0");                                                               \
		rot_kv_rollback(kv);                                                               \
		rot_kv_close(other_);                                                              \
	} while (0)

#define PUT(key, value) MUST(rot_kv_put(kv, key, value, strlen(value), err))
#define DELETE(key)     MUST(rot_kv_delete(kv, key, err))
#define LIST(...)                                                                                  \
	do {                                                                                       \
		struct seal_bytes list_ = SEAL_BYTES(1 << 20);                                     \
		MUST(rot_kv_each(kv, &(struct rot_kv_range){ __VA_ARGS__ }, join, &list_, err));   \
		seal_bytes_release(&list_);                                                        \
	} while (0)

/* ---- Files that change under it ---- */

static char files[PATH_MAX];

/* Put a copy of one of etcd's files in the place of ours. */
static void
lay(const char *of, const char *as)
{
	char command[3 * PATH_MAX];

	(void)snprintf(command, sizeof(command), "install -m 600 %s/%s %s/%s", rig.etcd.dir, of,
		       files, as);
	cr_assert_eq(system(command), 0, "%s", command); /* NOLINT: paths of ours */
}

static bool
answers(void)
{
	return rot_kv_ping(kv, NULL) == 0;
}

Test(kv_etcd, reads_its_files_again_when_it_is_told, .fini = teardown)
{
	char ca[PATH_MAX + 16], cert[PATH_MAX + 16], key[PATH_MAX + 16];
	struct seal_err why = { 0 };

	(void)alarm(60);
	kv_rig_etcd(&rig);
	(void)snprintf(files, sizeof(files), "/tmp/seal-kv-XXXXXX");
	cr_assert_not_null(mkdtemp(files));
	(void)snprintf(rig.dir, sizeof(rig.dir), "%.1000s", files); /* to be removed */
	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", files);
	(void)snprintf(cert, sizeof(cert), "%s/cert.pem", files);
	(void)snprintf(key, sizeof(key), "%s/key.pem", files);
	lay("ca.pem", "ca.pem");
	lay("cert.pem", "cert.pem");
	lay("key.pem", "key.pem");
	rig.config.ca = ca;
	rig.config.cert = cert;
	rig.config.key = key;
	kv = kv_rig_create(&rig);
	MUST(rot_kv_reread(kv, err));
	cr_expect(answers(), "nothing is new");

	/* The certificate of somebody else whom etcd knows. */
	lay("server-cert.pem", "cert.pem");
	lay("server-key.pem", "key.pem");
	MUST(rot_kv_reread(kv, err));
	cr_expect(answers());

	/* What cannot be read is not used. */
	cr_assert_eq(remove(key), 0);
	cr_expect_lt(rot_kv_reread(kv, &why), 0);
	cr_expect_not_null(strstr(why.text, "key for etcd"), "%s", why.text);
	cr_expect(answers());

	/* And what can be, is. */
	lay("server-key.pem", "key.pem");
	lay("cert.pem", "ca.pem");
	MUST(rot_kv_reread(kv, err));
	cr_expect_not(answers(), "its CA is not believed any more");
	lay("ca.pem", "ca.pem");
	MUST(rot_kv_reread(kv, err));
	cr_expect(answers());
}

Test(kv_sqlite, has_no_files_to_read_again, .fini = teardown)
{
	kv_rig_sqlite(&rig);
	kv = kv_rig_create(&rig);
	MUST(rot_kv_reread(kv, err));
	cr_expect(answers());
}

Test(kv_etcd, who_read_what_another_changed_begins_again, .fini = teardown)
{
	OVERTAKEN(PUT("a", "1"), expect("a", "1"), PUT("a", "2"));
}

Test(kv_etcd, who_read_what_another_deleted_begins_again, .fini = teardown)
{
	OVERTAKEN(PUT("a", "1"), expect("a", "1"), DELETE("a"));
}

Test(kv_etcd, who_saw_that_nothing_is_there_begins_again_when_there_is, .fini = teardown)
{
	OVERTAKEN((void)0, expect("a", "-"), PUT("a", "1"));
}

Test(kv_etcd, who_adds_what_another_added_begins_again, .fini = teardown)
{
	OVERTAKEN((void)0, MUST(rot_kv_add(kv, "a", "1", 1, err)), PUT("a", "2"));
}

Test(kv_etcd, a_range_notices_what_comes_into_it, .fini = teardown)
{
	OVERTAKEN(PUT("r/1", "x"), LIST(.from = "r/", .to = "r0"), PUT("r/2", "y"));
}

Test(kv_etcd, an_empty_range_notices_what_comes_into_it, .fini = teardown)
{
	OVERTAKEN((void)0, LIST(.from = "r/", .to = "r0", .keys_only = true), PUT("r/2", "y"));
}

Test(kv_etcd, a_range_notices_what_changes_in_it, .fini = teardown)
{
	OVERTAKEN(PUT("r/1", "x"), LIST(.from = "r/", .to = "r0", .keys_only = true),
		  PUT("r/1", "y"));
}

Test(kv_etcd, a_range_notices_what_goes_from_it, .fini = teardown)
{
	OVERTAKEN(
		{
			PUT("r/1", "x");
			PUT("r/2", "x");
		},
		LIST(.from = "r/", .to = "r0"), DELETE("r/1"));
}

Test(kv_etcd, a_range_under_own_changes_notices_too, .fini = teardown)
{
	OVERTAKEN(
		PUT("r/1", "x"),
		{
			PUT("r/0", "mine");
			LIST(.from = "r/", .to = "r0", .limit = 1);
		},
		PUT("r/", "before"));
}

Test(kv_etcd, the_last_of_a_range_notices_a_later_one, .fini = teardown)
{
	OVERTAKEN(PUT("r/1", "x"), LIST(.from = "r/", .to = "r0", .limit = 1, .backwards = true),
		  PUT("r/2", "y"));
}

/* What was not looked at may change. */
static void
expect_newest(const char *key, const char *want)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(100);
	struct seal_err why = { 0 };
	int r = rot_kv_get_newest(kv, key, &value, &why);

	if (r == SEAL_E_MISSING)
		cr_expect_str_eq(want, "-", "%s", key);
	else
		cr_expect(r == 0 && strcmp(seal_bytes_str(&value), want) == 0, "%s: '%s' %s", key,
			  seal_bytes_str(&value), why.text);
}

static void
put_by(struct rot_kv *in, const char *key, const char *value)
{
	MUST(rot_kv_begin(in, err));
	MUST(rot_kv_put(in, key, value, strlen(value), err));
	MUST(rot_kv_commit(in, err));
}

BOTH(the_newest_is_what_we_wrote_or_what_there_is)
{
	begin();
	put("a", "1");
	expect_newest("a", "1");
	expect_newest("b", "-");
	commit();
	begin();
	expect_newest("a", "1");
	put("a", "2");
	expect_newest("a", "2");
	expect("a", "2");
	commit();
	begin();
	expect("a", "2");
	expect_newest("a", "2");
	commit();
}

/* Who reads it last is overtaken only by what comes after that. */
Test(kv_etcd, the_newest_is_younger_than_the_transaction, .fini = teardown)
{
	struct rot_kv *other = NULL;

	start_two(&other);
	begin();
	put("end", "0");
	put("mine", "0");
	commit();
	begin();
	expect("mine", "0");
	put_by(other, "end", "1");
	expect_newest("end", "1");
	put("end", "2");
	put("mine", "1");
	commit();
	begin();
	expect("mine", "1");
	expect("end", "2");
	rot_kv_rollback(kv);
	rot_kv_close(other);
}

Test(kv_etcd, the_newest_is_compared_all_the_same, .fini = teardown)
{
	struct seal_err why = { 0 };
	struct rot_kv *other = NULL;

	start_two(&other);
	begin();
	put("end", "0");
	put("mine", "0");
	commit();
	begin();
	expect_newest("end", "0");
	put("end", "1");
	put_by(other, "end", "x");
	cr_expect_eq(rot_kv_commit(kv, &why), SEAL_E_CONFLICT);
	begin(); /* and what was read before it as ever */
	expect("mine", "0");
	put_by(other, "mine", "x");
	expect_newest("end", "x");
	put("end", "1");
	cr_expect_eq(rot_kv_commit(kv, &why), SEAL_E_CONFLICT);
	begin(); /* what was read once stays what it was */
	expect("end", "x");
	put_by(other, "end", "y");
	expect_newest("end", "x");
	put("end", "1");
	cr_expect_eq(rot_kv_commit(kv, &why), SEAL_E_CONFLICT);
	begin();
	expect("end", "y");
	rot_kv_rollback(kv);
	rot_kv_close(other);
}

Test(kv_etcd, who_did_not_look_is_not_overtaken, .fini = teardown)
{
	struct rot_kv *other = NULL;
	uint64_t mark = 0;

	start_two(&other);
	begin();
	put("r/1", "x");
	put("r/2", "x");
	put("a", "x");
	commit();
	begin();
	LIST(.from = "r/", .to = "r0", .limit = 1);
	LIST(.from = "s/", .to = "s0", .limit = 1, .backwards = true);
	LIST(.from = "a", .to = "b", .loose = true);
	expect_count("a", "b", 1);
	put("mine", "1");
	MUST(rot_kv_mark(kv, &mark, err));
	expect("a", "x");
	put("a", "z");
	MUST(rot_kv_undo(kv, mark, err));
	MUST(rot_kv_begin(other, err));
	MUST(rot_kv_put(other, "r/2", "y", 1, err));
	MUST(rot_kv_put(other, "a", "y", 1, err));
	MUST(rot_kv_commit(other, err));
	commit();
	begin();
	expect("mine", "1");
	expect("a", "y");
	rot_kv_close(other);
}

Test(kv_etcd, a_transaction_sees_one_moment, .fini = teardown)
{
	struct rot_kv *other = NULL;

	start_two(&other);
	begin();
	put("a", "1");
	put("b", "1");
	commit();
	begin();
	expect("a", "1");
	MUST(rot_kv_begin(other, err));
	MUST(rot_kv_put(other, "a", "2", 1, err));
	MUST(rot_kv_put(other, "b", "2", 1, err));
	MUST(rot_kv_put(other, "c", "2", 1, err));
	MUST(rot_kv_commit(other, err));
	expect("b", "1");
	expect("c", "-");
	expect_count(NULL, NULL, 2);
	expect_range(&(struct rot_kv_range){ 0 }, "a=1 b=1 ");
	commit(); /* has changed nothing: nothing to be overtaken in */
	begin();
	expect("b", "2");
	rot_kv_close(other);
}

Test(kv_etcd, two_create_it_at_once_and_one_does, .fini = teardown)
{
	struct rot_kv *other = NULL;

	kv_rig_etcd(&rig);
	MUST(rot_kv_open(&kv, &rig.config, true, err));
	MUST(rot_kv_open(&other, &rig.config, true, err));
	begin();
	put("who", "first");
	MUST(rot_kv_begin(other, err));
	MUST(rot_kv_put(other, "who", "second", 6, err));
	commit();
	cr_expect_eq(rot_kv_commit(other, NULL), SEAL_E_CONFLICT);
	rot_kv_close(other);
	begin();
	expect("who", "first");
}

Test(kv_etcd, stores_under_other_prefixes_do_not_meet, .fini = teardown)
{
	struct rot_kv *other = NULL;
	struct rot_kv_config config;
	char prefix[64];

	kv_rig_etcd(&rig);
	kv = kv_rig_create(&rig);
	config = rig.config;
	(void)snprintf(prefix, sizeof(prefix), "%.40ssub/", rig.config.prefix);
	config.prefix = prefix;
	MUST(rot_kv_open(&other, &config, true, err));
	MUST(rot_kv_begin(other, err));
	MUST(rot_kv_put(other, "a", "other", 5, err));
	MUST(rot_kv_commit(other, err));
	cr_expect_str_neq(rot_kv_id(kv), rot_kv_id(other));
	begin();
	expect("a", "-");
	rot_kv_close(other);
}

/* Puts alone are spread over several levels. */
Test(kv_etcd, takes_more_changes_than_one_list_of_operations, .fini = teardown)
{
	char key[32];

	kv_rig_etcd(&rig);
	kv = kv_rig_create(&rig);
	begin();
	for (unsigned i = 0; i < 3000; i++) {
		(void)snprintf(key, sizeof(key), "k%05u", i);
		put(key, "v");
	}
	commit();
	begin();
	LIST(.from = "k", .to = "l", .keys_only = true);
	put("k", "v");
	cr_expect_eq(rot_kv_commit(kv, NULL), SEAL_E_LIMIT, "more was read than can be compared");
	begin();
	LIST(.from = "k", .to = "l", .loose = true);
	expect_count("k", "l", 3000);
	for (unsigned i = 0; i < 3000; i++) {
		(void)snprintf(key, sizeof(key), "k%05u", i);
		MUST(rot_kv_delete(kv, key, err));
	}
	commit();
	begin();
	expect_range(&(struct rot_kv_range){ .from = "k", .to = "l" }, "");
}

Test(kv_etcd, more_than_it_takes_is_a_limit_and_changes_nothing, .fini = teardown)
{
	struct seal_err why = { 0 };
	char key[32];

	kv_rig_etcd(&rig);
	kv = kv_rig_create(&rig);
	begin();
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(key, sizeof(key), "k%05u", i);
		expect(key, "-");
		put(key, "v");
	}
	cr_expect_eq(rot_kv_room(kv), 0);
	cr_expect_eq(rot_kv_commit(kv, &why), SEAL_E_LIMIT, "%s", why.text);
	begin();
	expect_count(NULL, NULL, 0);
	static uint8_t block[ROT_KV_VALUE_MAX];
	MUST(rot_kv_put(kv, "large", block, sizeof(block), err));
	MUST(rot_kv_put(kv, "larger", block, sizeof(block), err));
	cr_expect_eq(rot_kv_commit(kv, &why), SEAL_E_LIMIT, "%s", why.text);
	begin();
	expect_count(NULL, NULL, 0);
}

Test(kv_etcd, a_mark_forgets_what_was_read_too, .fini = teardown)
{
	uint64_t mark = 0, room;

	kv_rig_etcd(&rig);
	kv = kv_rig_create(&rig);
	begin();
	expect("a", "-");
	room = rot_kv_room(kv);
	MUST(rot_kv_mark(kv, &mark, err));
	expect("b", "-");
	LIST(.from = "r/", .to = "r0");
	cr_expect_lt(rot_kv_room(kv), room);
	MUST(rot_kv_undo(kv, mark, err));
	cr_expect_eq(rot_kv_room(kv), room);
}

/* ---- Who may speak with etcd, and whom we believe ---- */

static void
expect_no_entry(const struct rot_kv_config *config, int code)
{
	struct rot_kv *other = NULL;
	struct seal_err why = { 0 };
	int r = rot_kv_open(&other, config, false, &why);

	cr_expect_null(other);
	cr_expect_eq(r, code, "%d: %s", r, why.text);
}

Test(kv_etcd, is_believed_by_its_ca_and_name_only, .fini = teardown)
{
	struct rot_kv_config config;
	struct etcd stranger;
	char where[128];

	(void)alarm(60);
	kv_rig_etcd(&rig);
	kv = kv_rig_create(&rig);
	cr_assert(etcd_start(&stranger, 1));
	config = rig.config;
	config.ca = stranger.ca;
	expect_no_entry(&config, SEAL_E_TIMEOUT);
	config = rig.config;
	config.cert = stranger.cert;
	config.key = stranger.key;
	expect_no_entry(&config, SEAL_E_TIMEOUT);
	config = rig.config; /* the certificate says 127.0.0.1 */
	(void)snprintf(where, sizeof(where), "etcd:https://localhost:%s",
		       strrchr(rig.config.where, ':') + 1);
	config.where = where;
	expect_no_entry(&config, SEAL_E_TIMEOUT);
	config = rig.config;
	config.cert = NULL;
	expect_no_entry(&config, SEAL_E_USAGE);
	etcd_stop(&stranger);
}

Test(kv_etcd, of_another_cluster_is_refused, .fini = teardown)
{
	struct rot_kv_config config;
	struct seal_err why = { 0 };
	struct etcd first, second;
	char where[512];

	(void)alarm(60);
	kv_rig_etcd(&rig);
	cr_assert(etcd_start(&first, 1));
	cr_assert_eq(setenv("SEAL_ETCD_PKI", first.dir, 1), 0);
	cr_assert(etcd_start(&second, 1));
	config = (struct rot_kv_config){
		.where = first.where, .ca = first.ca, .cert = first.cert, .key = first.key
	};
	MUST(rot_kv_open(&kv, &config, true, err));
	begin();
	put("a", "1");
	commit();
	rot_kv_close(kv);
	kv = NULL;
	(void)snprintf(where, sizeof(where), "%.240s,%.240s", first.where,
		       second.where + strlen("etcd:"));
	config.where = where;
	MUST(rot_kv_open(&kv, &config, false, err));
	cr_assert_eq(kill(first.members[0], SIGKILL), 0);
	begin();
	{
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(64);
		int r = rot_kv_get(kv, "a", &value, &why);

		cr_expect_eq(r, SEAL_E_SYSTEM, "%d %s", r, why.text);
		cr_expect_eq(value.len, 0);
	}
	etcd_stop(&first);
	etcd_stop(&second);
}

/* ---- Time ---- */

Test(kv_etcd, that_does_not_answer_is_a_timeout, .fini = teardown)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(64);
	struct seal_err why = { 0 };
	struct etcd own;
	time_t start;

	(void)alarm(60);
	kv_rig_etcd(&rig);
	cr_assert(etcd_start(&own, 1));
	kv_rig_use(&rig, &own);
	kv = kv_rig_create(&rig);
	begin();
	put("a", "1");
	commit();
	etcd_freeze(own.members[0]);
	start = time(NULL);
	begin();
	cr_expect_eq(rot_kv_get(kv, "a", &value, &why), SEAL_E_TIMEOUT, "%s", why.text);
	rot_kv_rollback(kv);
	cr_expect_leq(time(NULL) - start, 7);
	cr_expect_eq(rot_kv_ping(kv, &why), SEAL_E_TIMEOUT);
	etcd_thaw(own.members[0]);
	MUST(rot_kv_ping(kv, err));
	begin();
	expect("a", "1");
	rot_kv_close(kv);
	kv = NULL;
	etcd_stop(&own);
}

/*
 * The request has left, and the answer does not come: nobody knows.  Whether it is done when etcd wakes up or not,
 * what is read afterwards stays true.
 */
Test(kv_etcd, a_commit_whose_answer_is_lost_cannot_come_later, .fini = teardown)
{
	struct seal_err why = { 0 };
	struct etcd own;

	(void)alarm(120);
	kv_rig_etcd(&rig);
	cr_assert(etcd_start(&own, 1));
	kv_rig_use(&rig, &own);
	kv = kv_rig_create(&rig);
	begin();
	put("n", "0");
	commit();
	for (unsigned i = 1; i <= 2; i++) {
		char seen[64], value[16];

		(void)snprintf(value, sizeof(value), "%u", i);
		begin();
		(void)got(kv, "n");
		put("n", value);
		etcd_freeze(own.members[0]);
		cr_expect_eq(rot_kv_commit(kv, &why), SEAL_E_TIMEOUT, "%s", why.text);
		cr_expect_not_null(strstr(why.text, "nobody knows"), "%s", why.text);
		etcd_thaw(own.members[0]);
		begin();
		(void)snprintf(seen, sizeof(seen), "%s", got(kv, "n"));
		rot_kv_rollback(kv);
		for (unsigned j = 0; j < 50; j++) {
			begin();
			expect("n", seen);
			rot_kv_rollback(kv);
		}
		begin();
		put("m", value);
		commit();
	}
	rot_kv_close(kv);
	kv = NULL;
	etcd_stop(&own);
}

Test(kv_etcd, goes_on_when_the_leader_is_killed, .fini = teardown)
{
	struct etcd own;
	uint64_t acknowledged = 0, stored = 0;
	int last = 0;

	(void)alarm(120);
	kv_rig_etcd(&rig);
	cr_assert(etcd_start(&own, 3));
	kv_rig_use(&rig, &own);
	kv = kv_rig_create(&rig);
	for (unsigned i = 0; i < 60; i++) {
		struct seal_err why = { 0 };
		char key[32];

		if (i == 20)
			cr_assert_eq(kill(own.members[0], SIGKILL), 0);
		if (i == 40) { /* another one stands still: then there is no majority */
			etcd_freeze(own.members[1]);
		}
		if (i == 42)
			etcd_thaw(own.members[1]);
		(void)snprintf(key, sizeof(key), "k%03u", i);
		last = rot_kv_begin(kv, &why);
		if (last == 0)
			last = rot_kv_put(kv, key, "v", 1, &why);
		if (last == 0)
			last = rot_kv_commit(kv, &why);
		else
			rot_kv_rollback(kv);
		cr_expect(last == 0 || last == SEAL_E_TIMEOUT, "%d %s", last, why.text);
		cr_expect(last == 0 || (i >= 40 && i < 45), "%u: %s", i, why.text);
		acknowledged += last == 0;
	}
	begin();
	MUST(rot_kv_count(kv, "k", "l", &stored, err));
	cr_expect_geq(stored, acknowledged, "an acknowledged change is lost");
	cr_expect_leq(stored, 60);
	rot_kv_close(kv);
	kv = NULL;
	etcd_stop(&own);
}

/* ---- A budget that eight processes race for ---- */

#define RACERS 8
#define BUDGET 100

/* Take one of the budget: 1; 0 when it is spent. */
static int
take(struct rot_kv *in, unsigned racer, unsigned *turn, struct seal_err *err)
{
	char left[32], key[32];
	int r = rot_kv_begin(in, err);

	if (r < 0)
		return r;
	(void)snprintf(left, sizeof(left), "%.30s", got(in, "budget"));
	if (strcmp(left, "0") == 0) {
		rot_kv_rollback(in);
		return 0;
	}
	(void)snprintf(left, sizeof(left), "%ld", strtol(left, NULL, 10) - 1);
	(void)snprintf(key, sizeof(key), "taken/%u/%u", racer, (*turn)++);
	r = rot_kv_put(in, "budget", left, strlen(left), err);
	if (r == 0)
		r = rot_kv_put(in, key, "", 0, err);
	if (r == 0)
		r = rot_kv_commit(in, err);
	rot_kv_rollback(in);
	return r < 0 ? r : 1;
}

static void
race(unsigned racer, int out)
{
	struct rot_kv *own = NULL;
	struct seal_err why = { 0 };
	unsigned won = 0, turn = 0;
	int r = rot_kv_open(&own, &rig.config, false, &why);

	while (r >= 0 || r == SEAL_E_CONFLICT) {
		r = take(own, racer, &turn, &why);
		if (r == 0)
			break;
		won += r == 1;
	}
	if (r < 0)
		(void)fprintf(stderr, "racer %u: %s\n", racer, why.text);
	rot_kv_close(own);
	_exit(write(out, &won, sizeof(won)) == sizeof(won) && r == 0 ? 0 : 1);
}

Test(kv_etcd, a_budget_is_spent_once_however_many_processes_race_for_it, .fini = teardown)
{
	pid_t pids[RACERS];
	unsigned won, sum = 0;
	int fds[2], status;

	(void)alarm(120);
	kv_rig_etcd(&rig);
	kv = kv_rig_create(&rig);
	begin();
	put("budget", "100");
	commit();
	cr_assert_eq(pipe(fds), 0);
	for (unsigned i = 0; i < RACERS; i++) {
		pids[i] = fork();
		cr_assert_geq(pids[i], 0);
		if (pids[i] == 0)
			race(i, fds[1]);
	}
	for (unsigned i = 0; i < RACERS; i++) {
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_expect_eq(status, 0);
		cr_assert_eq(read(fds[0], &won, sizeof(won)), sizeof(won));
		sum += won;
	}
	cr_expect_eq(sum, BUDGET, "%u were won", sum);
	begin();
	expect("budget", "0");
	expect_count("taken/", "taken0", BUDGET);
}

/* ---- What is left of those who ended badly ---- */

Test(kv_etcd, leaves_nothing_of_its_own_behind_but_when_killed, .fini = teardown)
{
	struct rot_kv *other = NULL;

	(void)alarm(60);
	start_two(&other);
	begin();
	put("a", "1");
	commit();
	MUST(rot_kv_begin(other, err));
	MUST(rot_kv_put(other, "b", "1", 1, err));
	MUST(rot_kv_commit(other, err));
	cr_expect_eq(kv_rig_fences(&rig), 2);
	rot_kv_close(other);
	cr_expect_eq(kv_rig_fences(&rig), 1);
	kv_rig_put_fence(&rig, "!fence/00000000000000000000000000000001", "5 1000");
	kv_rig_put_fence(&rig, "!fence/00000000000000000000000000000002", "5 99999999999");
	kv_rig_put_fence(&rig, "!fence/00000000000000000000000000000003", "nonsense");
	cr_expect_eq(kv_rig_fences(&rig), 4);
	other = another(); /* sweeps */
	rot_kv_close(other);
	cr_expect_eq(kv_rig_fences(&rig), 2);
}

Test(kv_etcd, a_fence_swept_away_under_a_sleeper_does_no_harm, .fini = teardown)
{
	(void)alarm(60);
	kv_rig_etcd(&rig);
	kv = kv_rig_create(&rig);
	begin();
	put("a", "1");
	commit();
	kv_rig_drop_fences(&rig);
	begin();
	expect("a", "1");
	put("a", "2");
	commit();
	begin();
	expect("a", "2");
}
