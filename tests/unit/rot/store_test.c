/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/store: what was acknowledged is there, what failed left nothing, budgets hold. */
#include "rot/server/store.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "rot/server/store_internal.h"
#include "tests/unit/rot/rig.h"

#define NOW INT64_C(1800000000)

static char dir[PATH_MAX];
static char path[PATH_MAX];
static struct rot_store *store;

static void
setup(void)
{
	rig_dir_make(dir);
	(void)snprintf(path, sizeof(path), "%.1000s/seal.db", dir);
	store = rig_store(path, NOW);
}

static void
teardown(void)
{
	rot_store_close(store);
	rig_dir_remove(dir);
}

TestSuite(rot_store, .init = setup, .fini = teardown);

/* Identifiers that differ by a number. */
static void
number_id(char *out, size_t size, unsigned n)
{
	(void)snprintf(out, size, "%032x", n);
}

static struct rot_egg
make_egg(unsigned n, const char *workload, uint64_t max_hatches)
{
	struct rot_egg egg = {
		.peer = "web", .created_at = NOW, .not_after = NOW + 100, .max_hatches = max_hatches
	};

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

Test(rot_store, remembers_what_it_was_made_with)
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

Test(rot_store, is_not_made_twice_over_the_same_file)
{
	struct rot_meta meta = { .trust_domain = "other.example.com" };
	struct seal_err err = { 0 };
	struct rot_ca ca;

	rig_fake_ca(&ca, "");
	cr_expect_eq(rot_store_create(path, &meta, &ca, &err), SEAL_E_CONFLICT);
	rot_ca_release(&ca);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM ca"), 1);
}

Test(rot_store, of_a_newer_schema_is_refused_with_the_remedy_and_left_alone)
{
	struct rot_store *other = NULL;
	struct seal_err err = { 0 };

	rig_sql(path, "PRAGMA user_version = 3");
	cr_expect_eq(rot_store_open(&other, path, &err), SEAL_E_REFUSED);
	cr_expect_null(other);
	cr_expect_not_null(strstr(err.text, "newer"), "%s", err.text);
	cr_expect_not_null(strstr(err.text, "upgrade"), "%s", err.text);
	cr_expect_lt(rot_store_ping(store, NULL), 0, "a store upgraded under us still answers");
	cr_expect_eq(rig_sql_number(path, "PRAGMA user_version"), 3);
}

Test(rot_store, that_is_none_is_refused)
{
	struct rot_store *other = NULL;
	struct seal_err err = { 0 };
	char strange[PATH_MAX];
	int fd;

	(void)snprintf(strange, sizeof(strange), "%.1000s/strange", dir);
	cr_expect_lt(rot_store_open(&other, strange, &err), 0, "opened a missing file");
	cr_expect_neq(access(strange, F_OK), 0, "made a missing file");

	rig_sql(strange, "CREATE TABLE t (x)");
	cr_expect_eq(rot_store_open(&other, strange, &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "seal init"), "%s", err.text);
	cr_assert_eq(unlink(strange), 0);

	fd = open(strange, O_WRONLY | O_CREAT, 0600);
	cr_assert_eq(write(fd, "this is text, not a database, and long enough to be read", 56), 56);
	cr_assert_eq(close(fd), 0);
	cr_expect_eq(rot_store_open(&other, strange, &err), SEAL_E_SYSTEM);
	cr_expect_not_null(strstr(err.text, "damaged"), "%s", err.text);
	cr_expect_null(other);
}

Test(rot_store, adds_a_workload_once_with_one_pair)
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
	cr_expect_eq(workload.epoch, 1);
	cr_expect_eq(workload.pairs, 1);
	cr_expect_eq(workload.eggs, 0);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM peer_pair"
					  " WHERE client = 'any' AND server = 'any'"),
		     1);
	rig_fake_ca(&ca, "shop");
	rig_fake_root(&root, "shop", 1);
	cr_expect_eq(rot_store_add_workload(store, &ca, &root, true, NOW, &err), SEAL_E_CONFLICT);
	rot_root_release(&root);
	rot_ca_release(&ca);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM ca"), 2, "a CA was left behind");
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM peer_pair"), 1);
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

Test(rot_store, lists_workloads_by_name_and_page)
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

Test(rot_store, deletes_a_workload_with_all_that_is_its_own_and_nothing_else)
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

	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM workload"), 1);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM ca"), 2);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM peer_pair"), 1);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM egg"), 1);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM cert"), 1);
	cr_expect_eq(rot_store_delete_workload(store, "shop", &err), SEAL_E_MISSING);
}

Test(rot_store, changes_pairs_and_the_epoch_together)
{
	struct seal_err err = { 0 };
	uint64_t epoch = 0;

	rig_add_workload(store, "shop", false, NOW);
	cr_assert_eq(rot_store_add_pair(store, "shop", "web", "db", &epoch, &err), 0, "%s",
		     err.text);
	cr_expect_eq(epoch, 2);
	cr_expect_eq(rot_store_add_pair(store, "shop", "web", "db", &epoch, &err), SEAL_E_CONFLICT);
	cr_expect_eq(epoch, 2);
	cr_expect_eq(rot_store_add_pair(store, "none", "web", "db", &epoch, &err), SEAL_E_MISSING);
	cr_expect_eq(rot_store_delete_pair(store, "shop", "db", "web", &epoch, &err),
		     SEAL_E_MISSING, "pairs have a direction");
	cr_expect_eq(rig_sql_number(path, "SELECT epoch FROM workload"), 2,
		     "a failure moved the epoch");
	cr_expect_eq(rot_store_delete_pair(store, "shop", "web", "db", &epoch, &err), 0);
	cr_expect_eq(epoch, 3);
}

Test(rot_store, does_not_deny_what_only_a_wildcard_allows_but_names_it)
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
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM peer_pair"), 2);
	cr_expect_eq(rot_store_delete_pair(store, "shop", "web", "api", &epoch, &err),
		     SEAL_E_MISSING);
}

Test(rot_store, holds_so_many_pairs_and_no_more)
{
	struct seal_err err = { 0 };
	uint64_t epoch = 0;
	char client[32];

	rig_add_workload(store, "shop", false, NOW);
	rig_sql(path, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 510)"
		      " INSERT INTO peer_pair SELECT 1, 'p' || i, 'db' FROM n");
	(void)snprintf(client, sizeof(client), "last");
	cr_expect_eq(rot_store_add_pair(store, "shop", client, "db", &epoch, &err), 0, "%s",
		     err.text);
	cr_expect_eq(rot_store_add_pair(store, "shop", "one-more", "db", &epoch, &err),
		     SEAL_E_LIMIT);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM peer_pair"), ROT_STORE_MAX_PAIRS);
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
	cr_assert_eq(rot_store_join(&text, &got_clients, &err), 0);
	cr_expect_str_eq(seal_bytes_str(&text), clients, "clients of %s: %s", peer,
			 seal_bytes_str(&text));
	seal_bytes_reset(&text);
	cr_assert_eq(rot_store_join(&text, &got_servers, &err), 0);
	cr_expect_str_eq(seal_bytes_str(&text), servers, "servers of %s: %s", peer,
			 seal_bytes_str(&text));
	cr_expect_gt(epoch, 0);
	seal_bytes_release(&text);
	seal_strv_release(&got_clients);
	seal_strv_release(&got_servers);
}

Test(rot_store, derives_a_peers_policy_by_direction)
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

Test(rot_store, an_open_workload_lets_every_peer_call_every_peer)
{
	rig_add_workload(store, "shop", true, NOW);
	expect_policy("web", "*", "*");
	expect_policy("any", "*", "*");
}

Test(rot_store, keeps_eggs_as_they_were_minted)
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

Test(rot_store, takes_no_egg_twice_nor_for_a_workload_that_is_not_there)
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
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM egg"), 1);
}

static int
count_egg(void *arg, const struct rot_egg *egg, struct seal_err *err)
{
	unsigned *sum = arg;

	(void)err;
	*sum = *sum * 10 + (unsigned)(egg->id[SEAL_ID_LEN - 1] - '0');
	return 0;
}

Test(rot_store, lists_eggs_in_the_order_they_were_minted)
{
	struct seal_err err = { 0 };
	char id[SEAL_ID_LEN + 1];
	unsigned seen = 0;

	rig_add_workload(store, "shop", false, NOW);
	rig_add_workload(store, "bank", false, NOW);
	add_egg(3, "shop", 0);
	add_egg(1, "bank", 0);
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

Test(rot_store, hatches_within_the_budget_only)
{
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 2);
	cr_expect_eq(hatch(store, 1, 1, NOW, &err), 0, "%s", err.text);
	cr_expect_eq(hatch(store, 2, 1, NOW, &err), 0, "%s", err.text);
	cr_expect_eq(hatch(store, 3, 1, NOW, &err), SEAL_E_REFUSED);
	cr_expect_eq(hatches_of(1), 2);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM cert"), 2);
}

Test(rot_store, hatches_an_egg_without_budget_any_number_of_times)
{
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	for (unsigned i = 0; i < 50; i++)
		cr_expect_eq(hatch(store, i, 1, NOW, &err), 0, "%s", err.text);
	cr_expect_eq(hatches_of(1), 50);
}

Test(rot_store, refuses_to_hatch_revoked_expired_and_unknown_eggs)
{
	struct seal_err err = { 0 };
	char id[SEAL_ID_LEN + 1];

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	add_egg(2, "shop", 0);
	number_id(id, sizeof(id), 1);
	cr_assert_eq(rot_store_revoke_egg(store, id, NOW, &err), 0, "%s", err.text);
	cr_expect_eq(hatch(store, 1, 1, NOW, &err), SEAL_E_REFUSED, "a revoked egg");
	cr_expect_eq(hatch(store, 2, 2, NOW + 100, &err), SEAL_E_REFUSED, "in its last second");
	cr_expect_eq(hatch(store, 3, 3, NOW, &err), SEAL_E_REFUSED, "an unknown egg");
	cr_expect_eq(hatch(store, 4, 2, NOW + 99, &err), 0, "%s", err.text);
	cr_expect_eq(hatches_of(1), 0);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM cert"), 1);
}

Test(rot_store, spends_nothing_when_the_certificate_cannot_be_recorded)
{
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 5);
	cr_assert_eq(hatch(store, 7, 1, NOW, &err), 0);
	cr_expect_lt(hatch(store, 7, 1, NOW, &err), 0, "a serial number twice");
	cr_expect_eq(hatches_of(1), 1);
}

Test(rot_store, revokes_once_and_keeps_the_first_time)
{
	struct rot_egg egg = { 0 };
	struct seal_err err = { 0 };
	char id[SEAL_ID_LEN + 1];

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	number_id(id, sizeof(id), 1);
	cr_expect_eq(rot_store_revoke_egg(store, id, NOW + 1, &err), 0);
	cr_expect_eq(rot_store_revoke_egg(store, id, NOW + 2, &err), 0);
	cr_assert_eq(rot_store_get_egg(store, id, &egg, &err), 0);
	cr_expect_eq(egg.revoked_at, NOW + 1);
	number_id(id, sizeof(id), 2);
	cr_expect_eq(rot_store_revoke_egg(store, id, NOW, &err), SEAL_E_MISSING);
	rot_egg_release(&egg);
}

struct racer {
	pthread_t thread;
	unsigned number;
	int verdict;
};

static void *
race(void *arg)
{
	struct racer *racer = arg;
	struct rot_store *own = NULL;

	/* A connection each: what one process of many would have. */
	racer->verdict = rot_store_open(&own, path, NULL);
	if (racer->verdict == 0)
		racer->verdict = hatch(own, racer->number, 1, NOW, NULL);
	rot_store_close(own);
	return NULL;
}

Test(rot_store, a_budget_of_one_under_a_hundred_racing_hatches_yields_exactly_one)
{
	struct racer racers[100];
	unsigned won = 0, refused = 0;

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 1);
	for (unsigned i = 0; i < SEAL_COUNT(racers); i++) {
		racers[i].number = i;
		cr_assert_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (unsigned i = 0; i < SEAL_COUNT(racers); i++) {
		cr_assert_eq(pthread_join(racers[i].thread, NULL), 0);
		won += racers[i].verdict == 0;
		refused += racers[i].verdict == SEAL_E_REFUSED;
	}
	cr_expect_eq(won, 1, "%u won", won);
	cr_expect_gt(refused, 0, "nobody was refused by the budget");
	cr_expect_eq(hatches_of(1), 1);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM cert"), 1);
}

Test(rot_store, a_full_disk_is_said_so_and_leaves_nothing_half_done)
{
	struct seal_err err = { 0 };
	int64_t pages = rig_sql_number(path, "PRAGMA page_count");
	char limit[64];
	unsigned done = 0;
	int r = 0;

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	(void)snprintf(limit, sizeof(limit), "PRAGMA max_page_count = %d", (int)pages);
	cr_assert_eq(rot_db_exec(store->db, limit, &err), 0);
	for (unsigned i = 0; r == 0 && i < 1000; i++) {
		r = hatch(store, i, 1, NOW, &err);
		done += r == 0;
	}
	cr_expect_eq(r, SEAL_E_SYSTEM);
	cr_expect_not_null(strstr(err.text, "full"), "%s", err.text);
	cr_expect_eq(hatches_of(1), done);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM cert"), done);

	cr_assert_eq(rot_db_exec(store->db, "PRAGMA max_page_count = 100000", &err), 0);
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

Test(rot_store, renews_what_was_born_of_an_egg_and_lives)
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

Test(rot_store, refuses_to_renew_what_it_does_not_know_or_has_revoked)
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
	rig_sql(path, "UPDATE cert SET revoked_at = 1 WHERE serial LIKE '%1'");
	cr_expect_eq(renew(1, 6, &err), SEAL_E_REFUSED, "a revoked certificate");
	rig_sql(path, "UPDATE egg SET revoked_at = 1");
	cr_expect_eq(renew(2, 6, &err), SEAL_E_REFUSED, "of a revoked egg");
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM cert"), 3);
}

Test(rot_store, counts_what_lives)
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

Test(rot_store, purges_only_what_expired_before)
{
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	cr_assert_eq(hatch(store, 1, 1, NOW, &err), 0);
	cr_assert_eq(rot_store_purge(store, NOW + 100, &err), 0);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM cert"), 1);
	cr_assert_eq(rot_store_purge(store, NOW + 101, &err), 0);
	cr_expect_eq(rig_sql_number(path, "SELECT count(*) FROM cert"), 0);
	cr_expect_eq(hatches_of(1), 1, "the budget came back");
}

Test(rot_store, that_another_process_holds_is_busy_and_unchanged)
{
	struct rot_store *other = NULL;
	struct seal_err err = { 0 };

	rig_add_workload(store, "shop", false, NOW);
	add_egg(1, "shop", 0);
	cr_assert_eq(rot_store_open(&other, path, &err), 0);
	cr_assert_eq(rot_db_begin(other->db, &err), 0);
	cr_assert_eq(rot_db_exec(store->db, "PRAGMA busy_timeout = 10", &err), 0);
	cr_expect_eq(hatch(store, 1, 1, NOW, &err), SEAL_E_TIMEOUT);
	rot_db_rollback(other->db);
	cr_expect_eq(hatches_of(1), 0);
	cr_expect_eq(hatch(store, 1, 1, NOW, &err), 0, "%s", err.text);
	rot_store_close(other);
}
