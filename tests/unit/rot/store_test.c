/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/store: what was acknowledged is there, what failed left nothing, budgets hold. */
#include "rot/server/store.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "rot/kv/db.h"
#include "rot/kv/kv_internal.h"
#include "tests/unit/rot/rig.h"
#include "tests/unit/rot/store_rig.h"

#define NOW INT64_C(1800000000)

TestSuite(rot_store_sqlite);
TestSuite(rot_store_etcd);

static struct kv_rig rig;
static struct rot_store *store;

static void
rot_store_setup_sqlite(void)
{
	kv_rig_sqlite(&rig);
	store = rig_store(&rig.config, NOW);
}

static void
rot_store_setup_etcd(void)
{
	kv_rig_etcd(&rig);
	store = rig_store(&rig.config, NOW);
}

static void
rot_store_teardown(void)
{
	rot_store_close(store);
	store = NULL;
	kv_rig_release(&rig);
}

/* Identifiers that differ by a number. */
static void
number_id(char *out, size_t size, unsigned n)
{
	(void)snprintf(out, size, "%032x", n);
}

static int64_t minted = NOW;

static struct rot_egg
make_egg(unsigned n, const char *workload, uint64_t max_hatches)
{
	struct rot_egg egg = { .peer = "web",
			       .created_at = minted,
			       .not_after = NOW + 100,
			       .max_hatches = max_hatches };

	number_id(egg.id, sizeof(egg.id), n);
	number_id(egg.serial, sizeof(egg.serial), n);
	(void)snprintf(egg.workload, sizeof(egg.workload), "%s", workload);
	memset(egg.key_id, (int)n, sizeof(egg.key_id));
	return egg;
}

static void
add_egg(unsigned n, const char *workload, uint64_t max_hatches)
{
	struct rot_egg egg = make_egg(n, workload, max_hatches);
	struct seal_err err = { 0 };

	cr_assert_eq(rot_store_add_egg(store, &egg, &err), 0, "%s", err.text);
}

static struct rot_cert
make_cert(unsigned n, unsigned egg)
{
	struct rot_cert cert = { .workload = "shop",
				 .peer = "web",
				 .created_at = NOW,
				 .not_before = NOW - 300,
				 .not_after = NOW + 100 };

	number_id(cert.serial, sizeof(cert.serial), 0x40000000u + n);
	if (egg != 0)
		number_id(cert.egg, sizeof(cert.egg), egg);
	return cert;
}

static int
hatch(struct rot_store *in, unsigned n, unsigned egg, int64_t now, struct seal_err *err)
{
	struct rot_cert cert = make_cert(n, egg);

	return rot_store_hatch(in, &cert, now, err);
}

static uint64_t
hatches_of(unsigned n)
{
	struct rot_egg egg = { 0 };
	struct seal_err err = { 0 };
	char id[SEAL_ID_LEN + 1];

	number_id(id, sizeof(id), n);
	cr_assert_eq(rot_store_get_egg(store, id, &egg, &err), 0, "%s", err.text);
	rot_egg_release(&egg);
	return egg.hatches;
}

BOTH(rot_store, remembers_what_it_was_made_with)
{
	struct rot_meta meta = { 0 };
	struct rot_ca ca = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(rot_store_meta(store, &meta, &err), 0, "%s", err.text);
	cr_expect_str_eq(meta.trust_domain, RIG_DOMAIN);
	cr_assert_eq(meta.urls.count, 2);
	cr_expect_str_eq(meta.urls.items[0], "https://rot.example.com:8443");
	cr_expect_str_eq(meta.urls.items[1], "https://10.0.0.1");
	cr_expect_eq(meta.created_at, NOW);
	cr_expect_str_eq(seal_bytes_str(&meta.statement_key), "wrapped statement key");
	cr_assert_eq(rot_store_ca(store, "", &ca, &err), 0, "%s", err.text);
	cr_expect_str_eq(ca.workload, "");
	cr_expect_eq(ca.generation, 1);
	cr_expect_str_eq(seal_bytes_str(&ca.cert), "certificate of ''\n");
	cr_expect_str_eq(seal_bytes_str(&ca.wrapped), "wrapped");
	rot_meta_release(&meta);
	rot_ca_release(&ca);
}

BOTH(rot_store, is_not_made_twice_over_the_same_place)
{
	struct rot_meta meta = { .trust_domain = "other.example.com" };
	struct seal_err err = { 0 };
	struct rot_ca ca;

	rot_store_close(store);
	store = NULL;
	rig_fake_ca(&ca, "");
	cr_expect_eq(rot_store_create(&rig.config, &meta, &ca, NULL, &err), SEAL_E_CONFLICT);
	rot_ca_release(&ca);
	cr_assert_eq(rot_store_open(&store, &rig.config, &err), 0, "%s", err.text);
	cr_expect_eq(store_count(store, "ca/"), 1);
}

BOTH(rot_store, of_a_newer_schema_is_refused_with_the_remedy_and_left_alone)
{
	struct rot_store *other = NULL;
	struct seal_err err = { 0 };

	store_edit(store, "meta", "schema", ROT_STORE_SCHEMA + 1);
	rot_store_close(store);
	store = NULL;
	cr_expect_eq(rot_store_open(&other, &rig.config, &err), SEAL_E_REFUSED);
	cr_expect_null(other);
	cr_expect_not_null(strstr(err.text, "newer"), "%s", err.text);
	cr_expect_not_null(strstr(err.text, "upgrade"), "%s", err.text);
}

/* What our own version wrote has no member more, and none less. */
BOTH(rot_store, takes_a_record_of_another_shape_for_damage)
{
	static const char odd[] = "{\"epoch\":1,\"pairs\":[],\"x\":1}";
	struct rot_workload workload = { 0 };
	struct rot_meta meta = { 0 };
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_assert_eq(rot_kv_put(store->kv, "policy/shop", odd, strlen(odd), &err), 0);
	cr_assert_eq(rot_kv_put(store->kv, "meta", "{\"schema\":3}", 12, &err), 0);
	cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
	cr_expect_eq(rot_store_get_workload(store, "shop", NOW, &workload, &err), SEAL_E_SYSTEM);
	cr_expect_not_null(strstr(err.text, "damaged"), "%s", err.text);
	cr_expect_not_null(strstr(err.text, "policy/shop"), "%s", err.text);
	cr_expect_eq(rot_store_meta(store, &meta, &err), SEAL_E_SYSTEM);
	cr_expect_not_null(strstr(err.text, "meta"), "%s", err.text);
}

Test(rot_store_sqlite, that_is_none_is_refused, .init = rot_store_setup_sqlite,
     .fini = rot_store_teardown)
{
	struct rot_store *other = NULL;
	struct seal_err err = { 0 };
	char strange[PATH_MAX];
	int fd;

	(void)snprintf(strange, sizeof(strange), "%.1000s/strange", rig.dir);
	cr_expect_eq(rig_open(&other, strange, &err), SEAL_E_MISSING, "opened a missing file");
	cr_expect_not_null(strstr(err.text, "seal init"), "%s", err.text);
	cr_expect_neq(access(strange, F_OK), 0, "made a missing file");

	rig_sql(strange, "CREATE TABLE t (x)");
	cr_expect_eq(rig_open(&other, strange, &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "seal init"), "%s", err.text);
	cr_assert_eq(unlink(strange), 0);

	fd = open(strange, O_WRONLY | O_CREAT, 0600);
	cr_assert_eq(write(fd, "this is text, not a database, and long enough to be read", 56), 56);
	cr_assert_eq(close(fd), 0);
	cr_expect_eq(rig_open(&other, strange, &err), SEAL_E_SYSTEM);
	cr_expect_not_null(strstr(err.text, "damaged"), "%s", err.text);
	cr_expect_null(other);
}

/* A store of keys alone, without what holds for the whole, is none of ours. */
BOTH(rot_store, without_its_first_record_is_damaged)
{
	struct rot_store *other = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_assert_eq(rot_kv_delete(store->kv, "meta", &err), 0);
	cr_assert_eq(rot_store_commit(store, &err), 0);
	rot_store_close(store);
	store = NULL;
	cr_expect_eq(rot_store_open(&other, &rig.config, &err), SEAL_E_SYSTEM, "%s", err.text);
	cr_expect_null(other);
}

static int
note_pair(void *arg, const char *client, const char *server, struct seal_err *err)
{
	return seal_bytes_append_fmt(arg, err, "%s>%s ", client, server);
}

static void
expect_pairs(const char *want)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(1 << 16);

	cr_assert_eq(rot_store_each_pair(store, "shop", note_pair, &text, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&text), want);
}

BOTH(rot_store, adds_a_workload_once_with_one_pair)
{
	struct rot_workload workload = { 0 };
	struct seal_err err = { 0 };
	struct rot_root root;
	struct rot_ca ca;

	rig_add_workload(store, "shop", false, NOW);
	cr_assert_eq(rot_store_get_workload(store, "shop", NOW, &workload, &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(workload.name, "shop");
	cr_expect_eq(workload.created_at, NOW);
	cr_expect_gt(workload.epoch, 0);
	cr_expect_eq(workload.pairs, 1);
	cr_expect_eq(workload.eggs, 0);
	expect_pairs("any>any ");
	rig_fake_ca(&ca, "shop");
	rig_fake_root(&root, "shop", 1);
	cr_expect_eq(rot_store_add_workload(store, &ca, &root, true, NOW, &err), SEAL_E_CONFLICT);
	rot_root_release(&root);
	rot_ca_release(&ca);
	cr_expect_eq(store_count(store, "ca/"), 2, "a CA was left behind");
	cr_expect_eq(store_sum(store, "policy/", "pairs"), 1);
}

static int
count_workload(void *arg, const struct rot_workload *workload, struct seal_err *err)
{
	char *names = arg;
	size_t len = strlen(names);

	(void)err;
	(void)snprintf(names + len, 256 - len, "%s ", workload->name);
	return 0;
}

BOTH(rot_store, lists_workloads_by_name_and_page)
{
	struct seal_err err = { 0 };
	char names[256] = "";

	rig_add_workload(store, "cccc", false, NOW);
	rig_add_workload(store, "aaaa", false, NOW);
	rig_add_workload(store, "bbbb", false, NOW);
	cr_expect_eq(rot_store_each_workload(store, "", 10, NOW, count_workload, names, &err), 0);
	cr_expect_str_eq(names, "aaaa bbbb cccc ");
	names[0] = '\0';
	cr_expect_eq(rot_store_each_workload(store, "aaaa", 1, NOW, count_workload, names, &err),
		     0);
	cr_expect_str_eq(names, "bbbb ");
}

BOTH(rot_store, deletes_a_workload_with_all_that_is_its_own_and_nothing_else)
{
	struct rot_cert outside = make_cert(9, 0);
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	rig_add_workload(store, "bank", false, NOW);
	add_egg(1, "shop", 0);
	add_egg(2, "bank", 0);
	cr_assert_eq(hatch(store, 1, 1, NOW, &err), 0, "%s", err.text);
	cr_assert_eq(hatch(store, 2, 2, NOW, &err), 0, "%s", err.text);
	cr_assert_eq(rot_store_add_cert(store, &outside, &err), 0, "%s", err.text);
	cr_assert_eq(rot_store_delete_workload(store, "shop", &err), 0, "%s", err.text);

	cr_expect_eq(store_count(store, "workload/"), 1);
	cr_expect_eq(store_count(store, "ca/"), 2);
	cr_expect_eq(store_sum(store, "policy/", "pairs"), 1);
	cr_expect_eq(store_count(store, "egg/"), 1);
	cr_expect_eq(store_count(store, "cert/"), 1);
	cr_expect_eq(rot_store_delete_workload(store, "shop", &err), SEAL_E_MISSING);
}

BOTH(rot_store, changes_pairs_and_the_epoch_together)
{
	struct seal_err err = { 0 };
	uint64_t epoch = 0, first = 0, second;

	rig_add_workload(store, "shop", false, NOW);
	cr_assert_eq(rot_store_epoch(store, "shop", &first, &err), 0);
	cr_assert_eq(rot_store_add_pair(store, "shop", "web", "db", &epoch, &err), 0, "%s",
		     err.text);
	cr_expect_gt(epoch, first);
	second = epoch;
	cr_expect_eq(rot_store_add_pair(store, "shop", "web", "db", &epoch, &err), SEAL_E_CONFLICT);
	cr_expect_eq(epoch, second);
	cr_expect_eq(rot_store_add_pair(store, "none", "web", "db", &epoch, &err), SEAL_E_MISSING);
	cr_expect_eq(rot_store_delete_pair(store, "shop", "db", "web", &epoch, &err),
		     SEAL_E_MISSING, "pairs have a direction");
	cr_assert_eq(rot_store_epoch(store, "shop", &first, &err), 0);
	cr_expect_eq(first, second, "a failure moved the epoch");
	cr_expect_eq(rot_store_delete_pair(store, "shop", "web", "db", &epoch, &err), 0);
	cr_expect_gt(epoch, second);
}

BOTH(rot_store, does_not_deny_what_only_a_wildcard_allows_but_names_it)
{
	struct seal_err err = { 0 };
	uint64_t epoch = 7;

	rig_add_workload(store, "shop", false, NOW);
	cr_assert_eq(rot_store_add_pair(store, "shop", "*", "db", &epoch, &err), 0);
	epoch = 7;
	cr_expect_eq(rot_store_delete_pair(store, "shop", "web", "db", &epoch, &err),
		     SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "'*' -> 'db'"), "%s", err.text);
	cr_expect_eq(epoch, 7);
	cr_expect_eq(store_sum(store, "policy/", "pairs"), 2);
	cr_expect_eq(rot_store_delete_pair(store, "shop", "web", "api", &epoch, &err),
		     SEAL_E_MISSING);
}

BOTH(rot_store, holds_so_many_pairs_and_no_more)
{
	struct seal_err err = { 0 };
	uint64_t epoch = 0;
	char client[32];

	rig_add_workload(store, "shop", false, NOW);
	cr_assert_eq(rot_store_begin(store, &err), 0);
	for (unsigned i = 0; i < 510; i++) {
		(void)snprintf(client, sizeof(client), "p%u", i);
		cr_assert_eq(rot_store_add_pair(store, "shop", client, "db", &epoch, &err), 0);
	}
	cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
	(void)snprintf(client, sizeof(client), "last");
	cr_expect_eq(rot_store_add_pair(store, "shop", client, "db", &epoch, &err), 0, "%s",
		     err.text);
	cr_expect_eq(rot_store_add_pair(store, "shop", "one-more", "db", &epoch, &err),
		     SEAL_E_LIMIT);
	cr_expect_eq(store_sum(store, "policy/", "pairs"), ROT_STORE_MAX_PAIRS);
}

static int
append_names(struct seal_bytes *out, const struct seal_strv *names)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < names->count; i++)
		r = seal_bytes_append_fmt(out, NULL, "%s%s", i > 0 ? "," : "", names->items[i]);
	return r;
}

static void
expect_policy(const char *peer, const char *clients, const char *servers)
{
	struct seal_strv got_clients = { 0 }, got_servers = { 0 };
	struct seal_bytes text = SEAL_BYTES(4096);
	struct seal_err err = { 0 };
	uint64_t epoch = 0;

	cr_assert_eq(
		rot_store_policy(store, "shop", peer, &got_clients, &got_servers, &epoch, &err), 0,
		"%s", err.text);
	cr_assert_eq(append_names(&text, &got_clients), 0);
	cr_expect_str_eq(seal_bytes_str(&text), clients, "clients of %s: %s", peer,
			 seal_bytes_str(&text));
	seal_bytes_reset(&text);
	cr_assert_eq(append_names(&text, &got_servers), 0);
	cr_expect_str_eq(seal_bytes_str(&text), servers, "servers of %s: %s", peer,
			 seal_bytes_str(&text));
	cr_expect_gt(epoch, 0);
	seal_bytes_release(&text);
	seal_strv_release(&got_clients);
	seal_strv_release(&got_servers);
}

BOTH(rot_store, derives_a_peers_policy_by_direction)
{
	struct seal_err err = { 0 };
	uint64_t epoch;

	rig_add_workload(store, "shop", false, NOW);
	expect_policy("any", "any", "any");
	expect_policy("web", "", "");
	cr_assert_eq(rot_store_add_pair(store, "shop", "web", "db", &epoch, &err), 0);
	cr_assert_eq(rot_store_add_pair(store, "shop", "api", "db", &epoch, &err), 0);
	expect_policy("web", "", "db");
	expect_policy("db", "api,web", "");
	expect_policy("any", "any", "any");
	cr_assert_eq(rot_store_add_pair(store, "shop", "*", "db", &epoch, &err), 0);
	expect_policy("db", "*", "db");
	expect_policy("other", "", "db");
	cr_assert_eq(rot_store_add_pair(store, "shop", "monitor", "*", &epoch, &err), 0);
	expect_policy("monitor", "monitor", "*");
	expect_policy("web", "monitor", "db");
}

BOTH(rot_store, an_open_workload_lets_every_peer_call_every_peer)
{
	rig_add_workload(store, "shop", true, NOW);
	expect_policy("web", "*", "*");
	expect_policy("any", "*", "*");
}

BOTH(rot_store, keeps_eggs_as_they_were_minted)
{
	struct rot_egg egg, got = { 0 };
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	egg = make_egg(1, "shop", 5);
	egg.plain_config = true;
	cr_assert_eq(seal_strv_add(&egg.hostnames, "*.apps.example.com", &err), 0);
	cr_assert_eq(seal_strv_add(&egg.hostnames, "web.example.com", &err), 0);
	cr_assert_eq(rot_store_add_egg(store, &egg, &err), 0, "%s", err.text);
	cr_assert_eq(rot_store_get_egg(store, egg.id, &got, &err), 0, "%s", err.text);
	cr_expect_str_eq(got.workload, "shop");
	cr_expect_str_eq(got.peer, "web");
	cr_expect(seal_strv_equal(&got.hostnames, &egg.hostnames));
	cr_expect_eq(got.max_hatches, 5);
	cr_expect_eq(got.hatches, 0);
	cr_expect(got.plain_config);
	cr_expect_eq(got.revoked_at, 0);
	cr_expect_eq(memcmp(got.key_id, egg.key_id, sizeof(egg.key_id)), 0);
	cr_expect_str_eq(got.serial, egg.serial);
	rot_egg_release(&egg);
	rot_egg_release(&got);
}

BOTH(rot_store, takes_no_egg_twice_nor_for_a_workload_that_is_not_there)
{
	struct rot_egg egg;
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	egg = make_egg(2, "shop", 0);
	memset(egg.key_id, 1, sizeof(egg.key_id));
	cr_expect_eq(rot_store_add_egg(store, &egg, &err), SEAL_E_CONFLICT, "a key twice");
	egg = make_egg(3, "none", 0);
	cr_expect_eq(rot_store_add_egg(store, &egg, &err), SEAL_E_MISSING);
	cr_expect_eq(store_count(store, "egg/"), 1);
}

static int
count_egg(void *arg, const struct rot_egg *egg, struct seal_err *err)
{
	unsigned *sum = arg;

	(void)err;
	*sum = *sum * 10 + (unsigned)(egg->id[SEAL_ID_LEN - 1] - '0');
	return 0;
}

BOTH(rot_store, lists_eggs_in_the_order_they_were_minted)
{
	struct seal_err err = { 0 };
	char id[SEAL_ID_LEN + 1];
	unsigned seen = 0;

	rig_add_workload(store, "shop", false, NOW);
	rig_add_workload(store, "bank", false, NOW);
	minted = NOW;
	add_egg(3, "shop", 0);
	add_egg(1, "bank", 0);
	minted = NOW + 2;
	add_egg(2, "shop", 0);
	cr_expect_eq(rot_store_each_egg(store, "", "", 10, count_egg, &seen, &err), 0);
	cr_expect_eq(seen, 312);
	seen = 0;
	cr_expect_eq(rot_store_each_egg(store, "shop", "", 10, count_egg, &seen, &err), 0);
	cr_expect_eq(seen, 32);
	seen = 0;
	number_id(id, sizeof(id), 3);
	cr_expect_eq(rot_store_each_egg(store, "", id, 1, count_egg, &seen, &err), 0);
	cr_expect_eq(seen, 1);
	cr_expect_eq(rot_store_each_egg(store, "none", "", 10, count_egg, &seen, &err),
		     SEAL_E_MISSING);
	number_id(id, sizeof(id), 9);
	cr_expect_eq(rot_store_each_egg(store, "", id, 10, count_egg, &seen, &err), SEAL_E_MISSING);
}

BOTH(rot_store, hatches_within_the_budget_only)
{
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 2);
	cr_expect_eq(hatch(store, 1, 1, NOW, &err), 0, "%s", err.text);
	cr_expect_eq(hatch(store, 2, 1, NOW, &err), 0, "%s", err.text);
	cr_expect_eq(hatch(store, 3, 1, NOW, &err), SEAL_E_REFUSED);
	cr_expect_eq(hatches_of(1), 2);
	cr_expect_eq(store_count(store, "cert/"), 2);
}

BOTH(rot_store, hatches_an_egg_without_budget_any_number_of_times)
{
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	for (unsigned i = 0; i < 50; i++)
		cr_expect_eq(hatch(store, i, 1, NOW, &err), 0, "%s", err.text);
	cr_expect_eq(hatches_of(1), 50);
}

BOTH(rot_store, refuses_to_hatch_revoked_expired_and_unknown_eggs)
{
	struct seal_err err = { 0 };
	char id[SEAL_ID_LEN + 1];

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	add_egg(2, "shop", 0);
	number_id(id, sizeof(id), 1);
	cr_assert_eq(rot_store_revoke_egg(store, id, NOW, NULL, &err), 0, "%s", err.text);
	cr_expect_eq(hatch(store, 1, 1, NOW, &err), SEAL_E_REFUSED, "a revoked egg");
	cr_expect_eq(hatch(store, 2, 2, NOW + 100, &err), SEAL_E_REFUSED, "in its last second");
	cr_expect_eq(hatch(store, 3, 3, NOW, &err), SEAL_E_REFUSED, "an unknown egg");
	cr_expect_eq(hatch(store, 4, 2, NOW + 99, &err), 0, "%s", err.text);
	cr_expect_eq(hatches_of(1), 0);
	cr_expect_eq(store_count(store, "cert/"), 1);
}

BOTH(rot_store, spends_nothing_when_the_certificate_cannot_be_recorded)
{
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 5);
	cr_assert_eq(hatch(store, 7, 1, NOW, &err), 0);
	cr_expect_lt(hatch(store, 7, 1, NOW, &err), 0, "a serial number twice");
	cr_expect_eq(hatches_of(1), 1);
}

BOTH(rot_store, revokes_once_and_keeps_the_first_time)
{
	struct rot_egg egg = { 0 };
	struct seal_err err = { 0 };
	char id[SEAL_ID_LEN + 1];

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	number_id(id, sizeof(id), 1);
	cr_expect_eq(rot_store_revoke_egg(store, id, NOW + 1, NULL, &err), 0);
	cr_expect_eq(rot_store_revoke_egg(store, id, NOW + 2, NULL, &err), 0);
	cr_assert_eq(rot_store_get_egg(store, id, &egg, &err), 0);
	cr_expect_eq(egg.revoked_at, NOW + 1);
	number_id(id, sizeof(id), 2);
	cr_expect_eq(rot_store_revoke_egg(store, id, NOW, NULL, &err), SEAL_E_MISSING);
	rot_egg_release(&egg);
}

/* ---- Races: SQLite has one owner, etcd any number ---- */

struct racer {
	pthread_t thread;
	unsigned number;
	int verdict;
	struct seal_err err;
};

static void *
race(void *arg)
{
	struct racer *racer = arg;
	struct rot_store *own = NULL;

	/* A store each: what one process of many would have. */
	racer->verdict = rot_store_open(&own, &rig.config, &racer->err);
	if (racer->verdict == 0)
		racer->verdict = hatch(own, racer->number, 1, NOW, &racer->err);
	rot_store_close(own);
	return NULL;
}

Test(rot_store_etcd, a_budget_of_one_under_thirty_racing_hatches_yields_exactly_one,
     .init = rot_store_setup_etcd, .fini = rot_store_teardown)
{
	struct racer racers[30] = { 0 };
	unsigned won = 0;

	(void)alarm(120);
	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 1);
	for (unsigned i = 0; i < SEAL_COUNT(racers); i++) {
		racers[i].number = i;
		cr_assert_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (unsigned i = 0; i < SEAL_COUNT(racers); i++) {
		cr_assert_eq(pthread_join(racers[i].thread, NULL), 0);
		won += racers[i].verdict == 0;
		cr_expect(racers[i].verdict == 0 || racers[i].verdict == SEAL_E_REFUSED, "%d: %s",
			  racers[i].verdict, racers[i].err.text);
	}
	cr_expect_eq(won, 1, "%u won", won);
	cr_expect_eq(hatches_of(1), 1);
	cr_expect_eq(store_count(store, "cert/"), 1);
}

Test(rot_store_etcd, no_hatch_of_many_that_race_is_lost, .init = rot_store_setup_etcd,
     .fini = rot_store_teardown)
{
	struct racer racers[20] = { 0 };

	(void)alarm(120);
	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 100);
	for (unsigned i = 0; i < SEAL_COUNT(racers); i++) {
		racers[i].number = i;
		cr_assert_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (unsigned i = 0; i < SEAL_COUNT(racers); i++) {
		cr_assert_eq(pthread_join(racers[i].thread, NULL), 0);
		cr_expect_eq(racers[i].verdict, 0, "%s", racers[i].err.text);
	}
	cr_expect_eq(hatches_of(1), SEAL_COUNT(racers));
	cr_expect_eq(store_count(store, "cert/"), SEAL_COUNT(racers));
}

/* Whoever deletes a workload while something is made in it leaves nothing of it behind. */
Test(rot_store_etcd, a_hatch_that_races_the_end_of_its_workload_leaves_nothing,
     .init = rot_store_setup_etcd, .fini = rot_store_teardown)
{
	struct rot_cert cert = make_cert(1, 1);
	struct rot_store *other = NULL;
	struct seal_err err = { 0 };

	(void)alarm(120);
	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 100);
	cr_assert_eq(rot_store_open(&other, &rig.config, &err), 0);
	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_assert_eq(rot_store_hatch(store, &cert, NOW, &err), 0);
	cr_assert_eq(rot_store_delete_workload(other, "shop", &err), 0);
	cr_expect_eq(rot_store_commit(store, &err), SEAL_E_CONFLICT);
	cr_expect_eq(rot_store_hatch(store, &cert, NOW, &err), SEAL_E_REFUSED);
	rot_store_close(other);
	cr_expect_eq(store_count(store, "cert"), 0);
	cr_expect_eq(store_count(store, "egg"), 0);
}

Test(rot_store_sqlite, a_full_disk_is_said_so_and_leaves_nothing_half_done,
     .init = rot_store_setup_sqlite, .fini = rot_store_teardown)
{
	struct seal_err err = { 0 };
	uint64_t pages = 0;
	char limit[64];
	unsigned done = 0;
	int r = 0;

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	cr_assert_eq(rot_db_number(rot_kv_db(store->kv), "PRAGMA page_count", &pages, &err), 0);
	(void)snprintf(limit, sizeof(limit), "PRAGMA max_page_count = %d", (int)pages);
	cr_assert_eq(rot_db_exec(rot_kv_db(store->kv), limit, &err), 0);
	for (unsigned i = 0; r == 0 && i < 1000; i++) {
		r = hatch(store, i, 1, NOW, &err);
		done += r == 0;
	}
	cr_expect_eq(r, SEAL_E_SYSTEM);
	cr_expect_not_null(strstr(err.text, "full"), "%s", err.text);
	cr_expect_eq(hatches_of(1), done);
	cr_expect_eq(store_count(store, "cert/"), done);

	cr_assert_eq(rot_db_exec(rot_kv_db(store->kv), "PRAGMA max_page_count = 100000", &err), 0);
	cr_expect_eq(hatch(store, 2000, 1, NOW, &err), 0, "%s", err.text);
	cr_expect_eq(hatches_of(1), done + 1);
}
static int
renew(unsigned old, unsigned fresh, struct seal_err *err)
{
	struct rot_cert cert = make_cert(fresh, 0);
	struct rot_cert before = make_cert(old, 0);

	return rot_store_renew(store, before.serial, &cert, err);
}

BOTH(rot_store, renews_what_was_born_of_an_egg_and_lives)
{
	struct rot_cert first = make_cert(1, 1);
	struct rot_cert got = { 0 };
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 1);
	cr_assert_eq(seal_strv_add(&first.hostnames, "web.example.com", &err), 0);
	cr_assert_eq(rot_store_hatch(store, &first, NOW, &err), 0, "%s", err.text);
	cr_expect_eq(renew(1, 2, &err), 0, "%s", err.text);
	cr_assert_eq(rot_store_get_cert(store, make_cert(2, 0).serial, &got, &err), 0);
	cr_expect_str_eq(got.egg, first.egg);
	cr_expect_str_eq(got.peer, "web");
	cr_expect(seal_strv_equal(&got.hostnames, &first.hostnames));
	cr_expect_eq(hatches_of(1), 1, "a renewal spent the budget");
	rot_cert_release(&got);
	rot_cert_release(&first);
}

BOTH(rot_store, refuses_to_renew_what_it_does_not_know_or_has_revoked)
{
	struct rot_cert outside = make_cert(5, 0);
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	cr_assert_eq(rot_store_add_cert(store, &outside, &err), 0, "%s", err.text);
	cr_expect_eq(renew(5, 6, &err), SEAL_E_REFUSED, "not born of an egg");
	cr_expect_eq(renew(99, 6, &err), SEAL_E_REFUSED, "unknown");
	cr_assert_eq(hatch(store, 1, 1, NOW, &err), 0);
	cr_assert_eq(hatch(store, 2, 1, NOW, &err), 0);
	cr_assert_eq(rot_store_revoke_cert(store, make_cert(1, 0).serial, NOW, NULL, &err), 0);
	cr_expect_eq(rot_store_revoke_cert(store, make_cert(77, 0).serial, NOW, NULL, &err),
		     SEAL_E_MISSING);
	cr_expect_eq(renew(1, 6, &err), SEAL_E_REFUSED, "a revoked certificate");
	cr_assert_eq(rot_store_revoke_egg(store, make_cert(0, 1).egg, NOW, NULL, &err), 0);
	cr_expect_eq(renew(2, 6, &err), SEAL_E_REFUSED, "of a revoked egg");
	cr_expect_eq(store_count(store, "cert/"), 3);
}

BOTH(rot_store, counts_what_lives)
{
	struct rot_totals totals = { 0 };
	struct rot_workload workload = { 0 };
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 1);
	add_egg(2, "shop", 0);
	cr_assert_eq(hatch(store, 1, 1, NOW, &err), 0);
	cr_assert_eq(rot_store_totals(store, NOW, &totals, &err), 0);
	cr_expect_eq(totals.workloads, 1);
	cr_expect_eq(totals.eggs, 1, "a spent egg lives");
	cr_expect_eq(totals.certificates, 1);
	cr_assert_eq(rot_store_get_workload(store, "shop", NOW, &workload, &err), 0);
	cr_expect_eq(workload.eggs, 2);
	cr_expect_eq(workload.eggs_live, 1);
	cr_expect_eq(workload.certificates, 1);
	cr_assert_eq(rot_store_totals(store, NOW + 100, &totals, &err), 0);
	cr_expect_eq(totals.eggs, 0);
	cr_expect_eq(totals.certificates, 0);
}

BOTH(rot_store, purges_only_what_expired_before)
{
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	cr_assert_eq(hatch(store, 1, 1, NOW, &err), 0);
	cr_assert_eq(rot_store_purge(store, NOW + 100, &err), 0);
	cr_expect_eq(store_count(store, "cert/"), 1);
	cr_assert_eq(rot_store_purge(store, NOW + 101, &err), 1);
	cr_expect_eq(store_count(store, "cert/"), 0);
	cr_expect_eq(hatches_of(1), 1, "the budget came back");
}

Test(rot_store_sqlite, that_another_holds_is_refused_to_a_second, .init = rot_store_setup_sqlite,
     .fini = rot_store_teardown)
{
	struct rot_store *other = NULL;
	struct seal_err err = { 0 };

	cr_expect_eq(rot_store_open(&other, &rig.config, &err), SEAL_E_CONFLICT);
	cr_expect_null(other);
	cr_expect_not_null(strstr(err.text, "stop that one first"), "%s", err.text);
	rig_add_workload(store, "shop", false, NOW);
}

/* Another tool has the file for writing. */
Test(rot_store_sqlite, whose_file_is_busy_says_so_and_changes_nothing,
     .init = rot_store_setup_sqlite, .fini = rot_store_teardown)
{
	struct rot_db *other = NULL;
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	cr_assert_eq(rot_db_open(&other, rig.path, ROT_DB_WRITE, NULL, 0, &err), 0, "%s", err.text);
	cr_assert_eq(rot_db_begin(other, &err), 0);
	cr_assert_eq(rot_db_exec(rot_kv_db(store->kv), "PRAGMA busy_timeout = 10", &err), 0);
	cr_expect_eq(hatch(store, 1, 1, NOW, &err), SEAL_E_TIMEOUT);
	rot_db_rollback(other);
	cr_expect_eq(hatches_of(1), 0);
	cr_expect_eq(hatch(store, 1, 1, NOW, &err), 0, "%s", err.text);
	rot_db_close(other);
}

/* ---- Batches ---- */

BOTH(rot_store, keeps_of_a_batch_what_succeeded)
{
	struct seal_err err = { 0 };
	uint64_t mark = 0;

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 2);
	cr_assert_eq(rot_store_begin(store, &err), 0);
	for (unsigned i = 0; i < 4; i++) {
		int r;

		cr_assert_eq(rot_store_mark(store, &mark, &err), 0);
		r = hatch(store, i, 1, NOW, &err);
		cr_expect_eq(r, i < 2 ? 0 : SEAL_E_REFUSED, "hatch %u: %s", i, err.text);
		if (r == 0)
			cr_assert_eq(rot_store_keep(store, mark, &err), 0);
		else
			cr_assert_eq(rot_store_undo(store, mark, &err), 0);
	}
	cr_expect_eq(hatches_of(1), 2, "not seen within the batch");
	cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
	cr_expect_eq(hatches_of(1), 2);
	cr_expect_eq(store_count(store, "cert/"), 2);
}

BOTH(rot_store, keeps_nothing_of_a_batch_that_was_taken_back)
{
	struct seal_err err = { 0 };
	uint64_t epoch = 0;

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 2);
	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_expect_eq(hatch(store, 1, 1, NOW, &err), 0);
	cr_expect_eq(rot_store_add_pair(store, "shop", "web", "db", &epoch, &err), 0);
	cr_expect_eq(rot_store_delete_workload(store, "shop", &err), 0);
	cr_expect_eq(hatch(store, 2, 1, NOW, &err), SEAL_E_REFUSED, "of a workload just deleted");
	rot_store_rollback(store);
	cr_expect_eq(hatches_of(1), 0);
	cr_expect_eq(store_count(store, "cert"), 0);
	expect_pairs("any>any ");
}

/* A failed call within a batch leaves nothing of itself, whoever forgets to take it back. */
BOTH(rot_store, lets_a_failed_call_leave_nothing_in_its_batch)
{
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 5);
	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_assert_eq(hatch(store, 7, 1, NOW, &err), 0);
	cr_expect_eq(hatch(store, 7, 1, NOW, &err), SEAL_E_CONFLICT, "a serial number twice");
	cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
	cr_expect_eq(hatches_of(1), 1);
}

BOTH(rot_store, has_room_for_as_many_hatches_as_it_says)
{
	struct seal_err err = { 0 };
	unsigned done = 0;

	rig_add_workload(store, "shop", false, NOW);
	for (unsigned i = 1; i <= 100; i++)
		add_egg(i, "shop", 1);
	cr_assert_eq(rot_store_begin(store, &err), 0);
	while (done < 100 && rot_store_room(store) >= ROT_STORE_HATCH_ROOM) {
		done++;
		cr_assert_eq(hatch(store, done, done, NOW, &err), 0, "%s", err.text);
	}
	cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
	cr_expect_geq(done, 30, "%u", done);
	cr_expect_eq(store_count(store, "cert/"), done);
}

/* ---- What others have to hear of ---- */

BOTH(rot_store, changes_its_word_with_whatever_pods_have_to_hear_of)
{
	char words[8][ROT_STORE_WORD_LEN + 1] = { "" };
	struct seal_err err = { 0 };
	uint64_t epoch = 0;
	size_t n = 0;

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	cr_assert_eq(hatch(store, 1, 1, NOW, &err), 0);
	cr_assert_eq(rot_store_word(store, words[n++], &err), 0);
	cr_assert_eq(rot_store_add_pair(store, "shop", "web", "db", &epoch, &err), 0);
	cr_assert_eq(rot_store_word(store, words[n++], &err), 0);
	cr_assert_eq(rot_store_delete_pair(store, "shop", "web", "db", &epoch, &err), 0);
	cr_assert_eq(rot_store_word(store, words[n++], &err), 0);
	cr_assert_eq(rot_store_revoke_cert(store, make_cert(1, 0).serial, NOW, NULL, &err), 0);
	cr_assert_eq(rot_store_word(store, words[n++], &err), 0);
	cr_assert_eq(rot_store_revoke_egg(store, make_cert(0, 1).egg, NOW, NULL, &err), 0);
	cr_assert_eq(rot_store_word(store, words[n++], &err), 0);
	cr_assert_eq(rot_store_delete_workload(store, "shop", &err), 0);
	cr_assert_eq(rot_store_word(store, words[n++], &err), 0);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(words[i], words[j], "after %zu and %zu", i, j);
	}
	cr_assert_eq(rot_store_word(store, words[n], &err), 0);
	cr_expect_str_eq(words[n], words[n - 1], "nothing was changed");
}

static int
count_serial(void *arg, const char *serial, struct seal_err *err)
{
	unsigned *sum = arg;

	(void)err;
	*sum = *sum * 10 + (unsigned)(serial[strlen(serial) - 1] - '0');
	return 0;
}

BOTH(rot_store, lists_what_is_revoked_and_what_an_egg_gave_birth_to)
{
	struct rot_workload workload = { 0 };
	struct rot_totals totals = { 0 };
	struct rot_cert cert = { 0 };
	struct seal_err err = { 0 };
	unsigned seen = 0;

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	add_egg(2, "shop", 0);
	for (unsigned i = 1; i <= 4; i++)
		cr_assert_eq(hatch(store, i, i % 2 + 1, NOW, &err), 0);
	cr_assert_eq(rot_store_revoke_cert(store, make_cert(3, 0).serial, NOW + 1, NULL, &err), 0);
	cr_assert_eq(rot_store_revoke_cert(store, make_cert(3, 0).serial, NOW + 2, NULL, &err), 0);
	cr_assert_eq(rot_store_get_cert(store, make_cert(3, 0).serial, &cert, &err), 0);
	cr_expect_eq(cert.revoked_at, NOW + 1, "the first time counts");
	cr_assert_eq(rot_store_each_revoked(store, "shop", NOW, count_serial, &seen, &err), 0);
	cr_expect_eq(seen, 3);
	seen = 0;
	cr_assert_eq(rot_store_each_revoked(store, "shop", NOW + 100, count_serial, &seen, &err),
		     0);
	cr_expect_eq(seen, 0, "it has expired");
	cr_assert_eq(rot_store_each_born(store, make_cert(0, 2).egg, count_serial, &seen, &err), 0);
	cr_expect_eq(seen, 13);
	cr_assert_eq(rot_store_get_workload(store, "shop", NOW, &workload, &err), 0);
	cr_expect_eq(workload.certificates, 3);
	cr_assert_eq(rot_store_totals(store, NOW, &totals, &err), 0);
	cr_expect_eq(totals.certificates, 3);
	cr_expect_eq(rot_store_purge(store, NOW + 101, &err), 1);
	cr_expect_eq(rot_store_purge(store, NOW + 101, &err), 0);
	cr_expect_eq(store_count(store, "cert"), 0);
	cr_expect_eq(store_count(store, "revoked"), 0);
}

/* ---- Forgetting much ---- */

BOTH(rot_store, sweeps_away_a_large_workload_in_steps_and_then_frees_its_name)
{
	struct seal_err err = { 0 };
	struct rot_root root;
	struct rot_ca ca;
	int r, steps = 0;

	rig_add_workload(store, "shop", false, NOW);
	rig_add_workload(store, "shop-b", false, NOW);
	for (unsigned i = 1; i <= 60; i++) {
		if (i % 20 == 1)
			cr_assert_eq(rot_store_begin(store, &err), 0);
		add_egg(i, i % 10 == 0 ? "shop-b" : "shop", 0);
		cr_assert_eq(hatch(store, i, i, NOW, &err), 0, "%s", err.text);
		if (i % 20 == 0)
			cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
	}
	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_assert_eq(rot_store_delete_workload(store, "shop", &err), 0, "%s", err.text);
	cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
	/* It is gone, and has left things behind: as after a crash. */
	cr_expect_eq(hatch(store, 99, 1, NOW, &err), SEAL_E_REFUSED);
	cr_expect_gt(store_count(store, "egg-of/shop/"), 0);
	rig_fake_ca(&ca, "shop");
	rig_fake_root(&root, "shop", 1);
	cr_expect_eq(rot_store_add_workload(store, &ca, &root, false, NOW, &err), SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "moment"), "%s", err.text);
	while ((r = rot_store_sweep(store, &err)) == 1)
		steps++;
	cr_expect_eq(r, 0, "%s", err.text);
	cr_expect_geq(steps, rig.is_sqlite ? 1 : 3);
	cr_expect_eq(store_count(store, "gone/"), 0);
	cr_expect_eq(store_count(store, "egg/"), 6);
	cr_expect_eq(store_count(store, "egg"), 6 * 6, "index keys were left behind");
	cr_expect_eq(store_count(store, "cert"), 6 * 4, "index keys were left behind");
	cr_expect_eq(rot_store_add_workload(store, &ca, &root, false, NOW, &err), 0, "%s",
		     err.text);
	rot_root_release(&root);
	rot_ca_release(&ca);
}
