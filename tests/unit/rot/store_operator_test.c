/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/store: operators, and which of their certificates count. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "rot/server/caller.h"
#include "tests/unit/rot/rig.h"
#include "tests/unit/rot/store_rig.h"

#define NOW     INT64_C(1800000000)
#define SERIAL  "41000000000000000000000000000001"
#define SERIAL2 "41000000000000000000000000000002"
#define SERIAL3 "41000000000000000000000000000003"

static struct kv_rig rig;
static struct rot_store *store;

static void
rot_operator_setup_sqlite(void)
{
	(void)alarm(60);
	kv_rig_sqlite(&rig);
	store = rig_store(&rig.config, NOW);
}

static void
rot_operator_setup_etcd(void)
{
	(void)alarm(60);
	kv_rig_etcd(&rig);
	store = rig_store(&rig.config, NOW);
}

static void
rot_operator_teardown(void)
{
	rot_store_close(store);
	store = NULL;
	kv_rig_release(&rig);
}

static int
add(const char *name, const char *role, const char *serial, int64_t now)
{
	struct rot_operator holder = { .ttl = 100, .created_at = now, .not_after = now + 100 };

	(void)snprintf(holder.name, sizeof(holder.name), "%s", name);
	(void)snprintf(holder.role, sizeof(holder.role), "%s", role);
	(void)snprintf(holder.serial, sizeof(holder.serial), "%s", serial);
	return rot_store_add_operator(store, &holder, now, NULL);
}

static struct rot_operator
get(const char *name)
{
	struct rot_operator holder = { 0 };

	cr_assert_eq(rot_store_get_operator(store, name, &holder, NULL), 0, "%s", name);
	return holder;
}

BOTH(rot_operator, is_there_until_somebody_else_gets_the_name)
{
	struct rot_operator holder;

	cr_assert_eq(add("alice", "admin", SERIAL, NOW), 0);
	cr_expect_eq(add("alice", "ci", SERIAL2, NOW + 99), SEAL_E_CONFLICT);
	holder = get("alice");
	cr_expect_str_eq(holder.role, "admin");
	cr_expect_str_eq(rot_operator_state(&holder, NOW + 99), "live");
	cr_expect_str_eq(rot_operator_state(&holder, NOW + 100), "expired");
	cr_expect(rot_operator_holds(&holder, SERIAL));
	cr_expect_not(rot_operator_holds(&holder, SERIAL2));
	cr_expect_not(rot_operator_holds(&holder, ""));

	cr_assert_eq(rot_store_revoke_operator(store, "alice", NOW + 1, NULL), 0);
	cr_assert_eq(rot_store_revoke_operator(store, "alice", NOW + 2, NULL), 0);
	holder = get("alice");
	cr_expect_eq(holder.revoked_at, NOW + 1, "revoked again");
	cr_expect_str_eq(rot_operator_state(&holder, NOW), "revoked");

	cr_assert_eq(add("alice", "ci", SERIAL2, NOW + 3), 0);
	holder = get("alice");
	cr_expect_str_eq(holder.role, "ci");
	cr_expect_not(rot_operator_holds(&holder, SERIAL));
	cr_assert_eq(add("alice", "auditor", SERIAL3, NOW + 103), 0, "an expired one's name");
	cr_expect_eq(store_count(store, "operator/"), 1);
}

BOTH(rot_operator, renews_with_what_counts)
{
	struct rot_operator holder = { 0 };

	cr_assert_eq(add("alice", "ci", SERIAL, NOW), 0);
	cr_expect_eq(rot_store_renew_operator(store, "alice", SERIAL2, SERIAL3, NOW + 200, NOW + 50,
					      &holder, NULL),
		     SEAL_E_REFUSED);
	cr_assert_eq(rot_store_renew_operator(store, "alice", SERIAL, SERIAL2, NOW + 150, NOW + 50,
					      &holder, NULL),
		     0);
	cr_expect_eq(holder.not_after, NOW + 150);
	holder = get("alice");
	cr_expect_eq(holder.renewed_at, NOW + 50);
	cr_expect(rot_operator_holds(&holder, SERIAL));
	cr_expect(rot_operator_holds(&holder, SERIAL2));
	cr_assert_eq(rot_store_renew_operator(store, "alice", SERIAL, SERIAL3, NOW + 160, NOW + 60,
					      &holder, NULL),
		     0);
	cr_expect(rot_operator_holds(&holder, SERIAL));
	cr_expect_not(rot_operator_holds(&holder, SERIAL2), "a third one");
	cr_expect(rot_operator_holds(&holder, SERIAL3));
	cr_assert_eq(rot_store_revoke_operator(store, "alice", NOW + 70, NULL), 0);
	cr_expect_eq(rot_store_renew_operator(store, "alice", SERIAL3, SERIAL, NOW + 200, NOW + 80,
					      &holder, NULL),
		     SEAL_E_REFUSED);
	cr_expect_eq(rot_store_renew_operator(store, "bob", SERIAL3, SERIAL, NOW + 200, NOW + 80,
					      &holder, NULL),
		     SEAL_E_MISSING);
}

static int
append_name(void *arg, const struct rot_operator *holder, struct seal_err *err)
{
	return seal_strv_add(arg, holder->name, err);
}

BOTH(rot_operator, are_listed_by_name)
{
	static const char *const names[] = { "b", "b-1", "b0", "ba" };
	struct seal_strv found = { 0 };

	cr_assert_eq(rot_store_each_operator(store, "", 0, append_name, &found, NULL), 0);
	cr_expect_eq(found.count, 0);
	for (size_t i = SEAL_COUNT(names); i-- > 0;)
		cr_assert_eq(add(names[i], "ci", SERIAL, NOW), 0);
	cr_assert_eq(rot_store_each_operator(store, "b", 2, append_name, &found, NULL), 0);
	cr_assert_eq(found.count, 2);
	cr_expect_str_eq(found.items[0], "b-1");
	cr_expect_str_eq(found.items[1], "b0");
	seal_strv_release(&found);
	cr_expect_eq(rot_store_revoke_operator(store, "nobody", NOW, NULL), SEAL_E_MISSING);
}

/* One that would hold every certificate must not come from a damaged record. */
BOTH(rot_operator, whose_record_is_damaged_holds_nothing)
{
	struct rot_operator holder = { 0 };
	static const char bad[] = "{\"role\":\"admin\",\"serial\":\"\",\"previous\":\"\","
				  "\"adopted\":false,\"ttl\":1,\"created_at\":1,\"not_after\":1,"
				  "\"renewed_at\":0,\"revoked_at\":0}";

	cr_assert_eq(rot_kv_begin(store->kv, NULL), 0);
	cr_assert_eq(rot_kv_put(store->kv, "operator/alice", bad, sizeof(bad) - 1, NULL), 0);
	cr_assert_eq(rot_kv_commit(store->kv, NULL), 0);
	cr_expect_eq(rot_store_get_operator(store, "alice", &holder, NULL), SEAL_E_SYSTEM);
	cr_expect_str_eq(holder.name, "");
}

/* ---- A caller ---- */

static struct rot_caller
make_caller(const char *role, const char *name, const char *serial)
{
	struct rot_caller caller = { .identity = { .role = SEAL_ROLE_OPERATOR },
				     .not_after = NOW + 100 };

	(void)snprintf(caller.identity.operator_role, sizeof(caller.identity.operator_role), "%s",
		       role);
	(void)snprintf(caller.identity.operator_name, sizeof(caller.identity.operator_name), "%s",
		       name);
	(void)snprintf(caller.serial, sizeof(caller.serial), "%s", serial);
	return caller;
}

static void
expect_judged(struct rot_store *by, const char *role, const char *serial, int64_t now, int wanted)
{
	struct rot_caller caller = make_caller(role, "alice", serial);
	struct seal_peer peer = { 0 };
	struct seal_err err = { 0 };

	cr_expect_eq(rot_caller_confirm(&caller, by, RIG_DOMAIN, now, &peer, &err), wanted,
		     "%s with %s at %lld: %s", role, serial, (long long)now, err.text);
}

BOTH(rot_operator, is_held_against_its_record_with_each_request)
{
	struct rot_operator holder = { 0 };

	expect_judged(store, "admin", SERIAL, NOW, SEAL_E_REFUSED);
	cr_assert_eq(add("alice", "admin", SERIAL, NOW), 0);
	expect_judged(store, "admin", SERIAL, NOW, 0);
	expect_judged(store, "admin", SERIAL, NOW + 99, 0);
	expect_judged(store, "admin", SERIAL, NOW + 100,
		      SEAL_E_REFUSED); /* on a connection of before */
	expect_judged(store, "ci", SERIAL, NOW, SEAL_E_REFUSED);
	expect_judged(store, "admin", SERIAL2, NOW, SEAL_E_REFUSED);
	expect_judged(store, "admin", "", NOW,
		      0); /* the local socket, which shows no certificate */
	cr_assert_eq(rot_store_renew_operator(store, "alice", SERIAL, SERIAL2, NOW + 150, NOW + 50,
					      &holder, NULL),
		     0);
	expect_judged(store, "admin", SERIAL2, NOW, 0);
	cr_assert_eq(rot_store_revoke_operator(store, "alice", NOW, NULL), 0);
	expect_judged(store, "admin", SERIAL, NOW, SEAL_E_REFUSED);
	expect_judged(store, "admin", SERIAL2, NOW, SEAL_E_REFUSED);
}

/* Another replica. */
Test(rot_operator_etcd, that_is_revoked_is_refused_by_every_replica,
     .init = rot_operator_setup_etcd, .fini = rot_operator_teardown)
{
	struct rot_store *other = NULL;

	cr_assert_eq(rot_store_open(&other, &rig.config, NULL), 0);
	cr_assert_eq(add("alice", "admin", SERIAL, NOW), 0);
	expect_judged(other, "admin", SERIAL, NOW, 0);
	cr_assert_eq(rot_store_revoke_operator(store, "alice", NOW, NULL), 0);
	expect_judged(other, "admin", SERIAL, NOW, SEAL_E_REFUSED);
	rot_store_close(other);
}
