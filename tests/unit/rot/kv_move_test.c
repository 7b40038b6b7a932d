/* SPDX-License-Identifier: Apache-2.0 */
/* rot/kv: stores that are read beside their owner, filled from others, moved away, and taken from under a process. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rot/kv/kv_internal.h"
#include "tests/unit/rot/kv_rig.h"

static struct kv_rig rig;
static struct rot_kv *kv;

static void
teardown(void)
{
	rot_kv_closep(&kv);
	kv_rig_release(&rig);
}

#define BOTH(name)                                                                                 \
	static void name(void);                                                                    \
	Test(kv_move_sqlite, name, .fini = teardown)                                               \
	{                                                                                          \
		(void)alarm(60);                                                                   \
		kv_rig_sqlite(&rig);                                                               \
		name();                                                                            \
	}                                                                                          \
	Test(kv_move_etcd, name, .fini = teardown)                                                 \
	{                                                                                          \
		(void)alarm(60);                                                                   \
		kv_rig_etcd(&rig);                                                                 \
		name();                                                                            \
	}                                                                                          \
	static void name(void)

static int
put(struct rot_kv *to, const char *key, const char *value, struct seal_err *err)
{
	int r = rot_kv_begin(to, err);

	if (r == 0)
		r = rot_kv_put(to, key, value, strlen(value), err);
	if (r == 0)
		r = rot_kv_commit(to, err);
	rot_kv_rollback(to);
	return r;
}

static void
must_put(struct rot_kv *to, const char *key, const char *value)
{
	struct seal_err err = { 0 };

	cr_assert_eq(put(to, key, value, &err), 0, "%s", err.text);
}

/* Within a transaction; "" for what is not there. */
static void
expect(struct rot_kv *from, const char *key, const char *value)
{
	struct seal_bytes got = SEAL_BYTES(4096);
	struct seal_err err = { 0 };
	int r = rot_kv_get(from, key, &got, &err);

	cr_expect(r == 0 || (r == SEAL_E_MISSING && value[0] == '\0'), "%s: %s", key, err.text);
	cr_expect_str_eq(seal_bytes_str(&got), value);
	seal_bytes_release(&got);
}

static void
expect_at_once(struct rot_kv *from, const char *key, const char *value)
{
	struct seal_err err = { 0 };

	cr_assert_eq(rot_kv_begin(from, &err), 0, "%s", err.text);
	expect(from, key, value);
	rot_kv_rollback(from);
}

static void
expect_closed(int code, const char *part)
{
	struct rot_kv *other = NULL;
	struct seal_err err = { 0 };
	int r = rot_kv_open(&other, &rig.config, false, &err);

	cr_expect_eq(r, code, "%d: %s", r, err.text);
	cr_expect_not_null(strstr(err.text, part), "%s", err.text);
	cr_expect_null(other);
	r = rot_kv_open_reader(&other, &rig.config, &err);
	cr_expect_eq(r, code, "%d: %s", r, err.text);
	cr_expect_null(other);
}

/* ---- Reading ---- */

BOTH(a_reader_sees_one_state_while_the_owner_writes)
{
	struct rot_kv *reader = NULL;
	struct seal_err err = { 0 };
	uint64_t count = 0;

	kv = kv_rig_create(&rig);
	must_put(kv, "a", "1");
	cr_assert_eq(rot_kv_open_reader(&reader, &rig.config, &err), 0, "%s", err.text);
	cr_expect_str_eq(rot_kv_id(reader), rot_kv_id(kv));
	cr_assert_eq(rot_kv_begin(reader, &err), 0, "%s", err.text);
	expect(reader, "a", "1");
	must_put(kv, "a", "2");
	must_put(kv, "b", "new");
	expect(reader, "a", "1");
	expect(reader, "b", "");
	cr_expect_eq(rot_kv_count(reader, NULL, NULL, &count, &err), 0);
	cr_expect_eq(count, 1);
	rot_kv_rollback(reader);
	expect_at_once(reader, "a", "2");
	expect_at_once(reader, "b", "new");
	rot_kv_close(reader);
	must_put(kv, "c", "and goes on");
}

Test(kv_move_sqlite, a_reader_keeps_nobody_out, .fini = teardown)
{
	struct rot_kv *reader = NULL;
	struct seal_err err = { 0 };

	(void)alarm(60);
	kv_rig_sqlite(&rig);
	kv = kv_rig_create(&rig);
	must_put(kv, "a", "1");
	rot_kv_closep(&kv);
	cr_assert_eq(rot_kv_open_reader(&reader, &rig.config, &err), 0, "%s", err.text);
	cr_assert_eq(rot_kv_open(&kv, &rig.config, false, &err), 0, "%s", err.text);
	must_put(kv, "a", "2");
	expect_at_once(reader, "a", "2");
	rot_kv_close(reader);
}

BOTH(a_reader_changes_nothing)
{
	struct rot_kv *reader = NULL;
	struct seal_err err = { 0 };

	kv = kv_rig_create(&rig);
	cr_assert_eq(rot_kv_open_reader(&reader, &rig.config, &err), 0, "%s", err.text);
	cr_expect_lt(put(reader, "a", "1", &err), 0);
	rot_kv_close(reader);
	expect_at_once(kv, "a", "");
}

BOTH(a_reader_needs_no_owner)
{
	struct rot_kv *reader = NULL;
	struct seal_err err = { 0 };

	cr_expect_eq(rot_kv_open_reader(&reader, &rig.config, &err), SEAL_E_MISSING, "%s",
		     err.text);
	kv = kv_rig_create(&rig);
	must_put(kv, "a", "1");
	rot_kv_closep(&kv);
	cr_assert_eq(rot_kv_open_reader(&reader, &rig.config, &err), 0, "%s", err.text);
	expect_at_once(reader, "a", "1");
	rot_kv_close(reader);
}

BOTH(a_reader_never_hands_out_what_is_damaged)
{
	struct seal_bytes got = SEAL_BYTES(4096);
	struct rot_kv *reader = NULL;
	struct seal_err err = { 0 };

	kv = kv_rig_create(&rig);
	must_put(kv, "a", "value");
	rot_kv_closep(&kv);
	kv_rig_flip(&rig, "a", ROT_KV_SUM_LEN + 2, 0x10);
	cr_assert_eq(rot_kv_open_reader(&reader, &rig.config, &err), 0, "%s", err.text);
	cr_assert_eq(rot_kv_begin(reader, &err), 0, "%s", err.text);
	cr_expect_eq(rot_kv_get(reader, "a", &got, &err), SEAL_E_SYSTEM);
	cr_expect_not_null(strstr(err.text, "damaged"), "%s", err.text);
	rot_kv_close(reader);
	seal_bytes_release(&got);
}

/* ---- Filling ---- */

BOTH(a_store_that_is_being_filled_cannot_be_opened)
{
	struct seal_err err = { 0 };

	cr_assert_eq(rot_kv_fill(&kv, &rig.config, "backup 7", &err), 0, "%s", err.text);
	must_put(kv, "a", "1");
	rot_kv_closep(&kv);
	expect_closed(SEAL_E_REFUSED, "interrupted");
}

BOTH(a_store_is_one_once_it_is_filled)
{
	struct rot_kv *other = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(rot_kv_fill(&kv, &rig.config, "backup 7", &err), 0, "%s", err.text);
	must_put(kv, "a", "1");
	cr_assert_eq(rot_kv_filled(kv, &err), 0, "%s", err.text);
	must_put(kv, "b", "2");
	rot_kv_closep(&kv);
	cr_assert_eq(rot_kv_open(&kv, &rig.config, false, &err), 0, "%s", err.text);
	cr_expect_str_eq(rot_kv_origin(kv), "backup 7");
	expect_at_once(kv, "a", "1");
	expect_at_once(kv, "b", "2");
	rot_kv_closep(&kv);
	cr_expect_eq(rot_kv_fill(&other, &rig.config, "backup 8", &err), SEAL_E_CONFLICT);
	cr_expect_null(other);
	cr_assert_eq(rot_kv_open(&kv, &rig.config, false, &err), 0, "%s", err.text);
	cr_expect_str_eq(rot_kv_origin(kv), "backup 7");
}

BOTH(filling_again_begins_with_nothing)
{
	struct seal_err err = { 0 };
	char key[16];

	cr_assert_eq(rot_kv_fill(&kv, &rig.config, "backup 7", &err), 0, "%s", err.text);
	cr_assert_eq(rot_kv_begin(kv, &err), 0);
	for (unsigned i = 0; i < 120; i++) {
		(void)snprintf(key, sizeof(key), "old/%u", i);
		cr_assert_eq(rot_kv_put(kv, key, "x", 1, &err), 0);
	}
	cr_assert_eq(rot_kv_commit(kv, &err), 0, "%s", err.text);
	rot_kv_closep(&kv);
	cr_assert_eq(rot_kv_fill(&kv, &rig.config, "backup 8", &err), 0, "%s", err.text);
	expect_at_once(kv, "old/0", "");
	expect_at_once(kv, "old/119", "");
	must_put(kv, "a", "1");
	cr_assert_eq(rot_kv_filled(kv, &err), 0, "%s", err.text);
	rot_kv_closep(&kv);
	cr_assert_eq(rot_kv_open(&kv, &rig.config, false, &err), 0, "%s", err.text);
	cr_expect_str_eq(rot_kv_origin(kv), "backup 8");
}

BOTH(what_is_no_store_is_not_filled)
{
	struct seal_err err = { 0 };

	if (rig.is_sqlite)
		kv_rig_sql(&rig, "CREATE TABLE mine (x)");
	else
		kv_rig_set(&rig, "mine", "x", 1);
	cr_expect_eq(rot_kv_fill(&kv, &rig.config, "backup 7", &err), SEAL_E_CONFLICT, "%s",
		     err.text);
	cr_expect_null(kv);
}

Test(kv_move_etcd, of_two_that_fill_the_same_the_first_is_shut_out, .fini = teardown)
{
	struct rot_kv *second = NULL;
	struct seal_err err = { 0 };

	(void)alarm(60);
	kv_rig_etcd(&rig);
	cr_assert_eq(rot_kv_fill(&kv, &rig.config, "one", &err), 0, "%s", err.text);
	must_put(kv, "a", "one");
	cr_assert_eq(rot_kv_fill(&second, &rig.config, "two", &err), 0, "%s", err.text);
	cr_expect_eq(put(kv, "b", "one", &err), SEAL_E_REFUSED, "%s", err.text);
	cr_expect_lt(rot_kv_filled(kv, &err), 0);
	must_put(second, "c", "two");
	cr_expect_eq(rot_kv_filled(second, &err), 0, "%s", err.text);
	expect_at_once(second, "a", "");
	expect_at_once(second, "b", "");
	expect_at_once(second, "c", "two");
	rot_kv_close(second);
}

/* ---- Moving ---- */

BOTH(a_store_that_was_moved_says_where_to)
{
	struct rot_kv_config config;
	struct seal_err err = { 0 };

	kv = kv_rig_create(&rig);
	must_put(kv, "a", "1");
	cr_assert_eq(rot_kv_move(kv, "etcd:https://elsewhere:2379", &err), 0, "%s", err.text);
	rot_kv_closep(&kv);
	expect_closed(SEAL_E_REFUSED, "etcd:https://elsewhere:2379");
	config = rig.config;
	config.moved = true;
	cr_assert_eq(rot_kv_open(&kv, &config, false, &err), 0, "%s", err.text);
	cr_expect_str_eq(rot_kv_moved_to(kv), "etcd:https://elsewhere:2379");
	expect_at_once(kv, "a", "1");
	cr_assert_eq(rot_kv_move(kv, NULL, &err), 0, "%s", err.text);
	rot_kv_closep(&kv);
	cr_assert_eq(rot_kv_open(&kv, &rig.config, false, &err), 0, "%s", err.text);
	cr_expect_str_eq(rot_kv_moved_to(kv), "");
}

BOTH(what_was_handed_over_is_not_taken_back)
{
	struct rot_kv_config config;
	struct seal_err err = { 0 };

	kv = kv_rig_create(&rig);
	must_put(kv, "a", "1");
	cr_expect_eq(rot_kv_hand_over(kv, &err), SEAL_E_REFUSED, "it was not moved");
	cr_assert_eq(rot_kv_move(kv, "elsewhere", &err), 0, "%s", err.text);
	cr_assert_eq(rot_kv_hand_over(kv, &err), 0, "%s", err.text);
	cr_expect_eq(rot_kv_move(kv, NULL, &err), SEAL_E_REFUSED);
	rot_kv_closep(&kv);
	config = rig.config;
	config.moved = true;
	cr_assert_eq(rot_kv_open(&kv, &config, false, &err), 0, "%s", err.text);
	cr_expect(rot_kv_is_handed_over(kv));
	cr_expect_eq(rot_kv_move(kv, NULL, &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "run the migration again"), "%s", err.text);
	cr_expect_eq(rot_kv_move(kv, "the moon", &err), SEAL_E_REFUSED);
	/* Who finishes it. */
	cr_expect_eq(rot_kv_move(kv, "elsewhere", &err), 0, "%s", err.text);
	cr_expect_eq(rot_kv_hand_over(kv, &err), 0, "%s", err.text);
	rot_kv_closep(&kv);
	expect_closed(SEAL_E_REFUSED, "elsewhere");
}

Test(kv_move_etcd, of_taking_back_and_handing_over_one_fails, .fini = teardown)
{
	struct rot_kv_config config;
	struct rot_kv *other = NULL;
	struct seal_err err = { 0 };

	(void)alarm(60);
	kv_rig_etcd(&rig);
	kv = kv_rig_create(&rig);
	must_put(kv, "a", "1");
	config = rig.config;
	config.moved = true;
	cr_assert_eq(rot_kv_move(kv, "elsewhere", &err), 0, "%s", err.text);
	cr_assert_eq(rot_kv_open(&other, &config, false, &err), 0, "%s", err.text);
	cr_assert_eq(rot_kv_move(other, NULL, &err), 0, "%s", err.text);
	cr_expect_eq(rot_kv_hand_over(kv, &err), SEAL_E_REFUSED);
	rot_kv_closep(&other);
	rot_kv_closep(&kv);
	cr_assert_eq(rot_kv_open(&kv, &rig.config, false, &err), 0, "%s", err.text);
	cr_assert_eq(rot_kv_move(kv, "elsewhere", &err), 0, "%s", err.text);
	cr_assert_eq(rot_kv_open(&other, &config, false, &err), 0, "%s", err.text);
	cr_assert_eq(rot_kv_hand_over(kv, &err), 0, "%s", err.text);
	cr_expect_eq(rot_kv_move(other, NULL, &err), SEAL_E_REFUSED);
	rot_kv_close(other);
}

Test(kv_move_etcd, whoever_has_it_open_when_it_is_moved_can_change_nothing_more, .fini = teardown)
{
	struct rot_kv *mover = NULL;
	struct seal_err err = { 0 };

	(void)alarm(60);
	kv_rig_etcd(&rig);
	kv = kv_rig_create(&rig);
	must_put(kv, "a", "1");
	cr_assert_eq(rot_kv_open(&mover, &rig.config, false, &err), 0, "%s", err.text);
	must_put(kv, "a", "2");
	cr_assert_eq(rot_kv_begin(kv, &err), 0);
	cr_assert_eq(rot_kv_put(kv, "a", "late", 4, &err), 0);
	cr_assert_eq(rot_kv_move(mover, "sqlite", &err), 0, "%s", err.text);
	cr_expect_eq(rot_kv_commit(kv, &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "nothing was changed"), "%s", err.text);
	cr_expect_eq(put(kv, "b", "late", &err), SEAL_E_REFUSED);
	cr_expect_eq(rot_kv_ping(kv, &err), SEAL_E_REFUSED, "not fit for use");
	cr_expect_eq(rot_kv_ping(mover, &err), 0, "%s", err.text);
	expect_at_once(mover, "a", "2");
	expect_at_once(mover, "b", "");
	rot_kv_close(mover);
}

BOTH(shutting_others_out_leaves_us_in)
{
	struct rot_kv *other = NULL;
	struct seal_err err = { 0 };

	kv = kv_rig_create(&rig);
	if (!rig.is_sqlite)
		cr_assert_eq(rot_kv_open(&other, &rig.config, false, &err), 0, "%s", err.text);
	cr_assert_eq(rot_kv_begin(kv, &err), 0);
	cr_assert_eq(rot_kv_shut_out(kv, &err), 0, "%s", err.text);
	cr_assert_eq(rot_kv_put(kv, "a", "1", 1, &err), 0);
	cr_assert_eq(rot_kv_commit(kv, &err), 0, "%s", err.text);
	must_put(kv, "b", "2");
	if (other != NULL)
		cr_expect_eq(put(other, "c", "3", &err), SEAL_E_REFUSED);
	rot_kv_close(other);
	rot_kv_closep(&kv);
	cr_assert_eq(rot_kv_open(&kv, &rig.config, false, &err), 0, "%s", err.text);
	expect_at_once(kv, "b", "2");
	expect_at_once(kv, "c", "");
}
