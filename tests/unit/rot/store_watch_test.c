/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/store_watch: short lists in the order that was promised, of all or of one workload. */
#include <criterion/criterion.h>

#include "tests/unit/rot/rig.h"
#include "tests/unit/rot/store_rig.h"

#define NOW INT64_C(1800000000)

TestSuite(store_watch_sqlite);
TestSuite(store_watch_etcd);

static struct kv_rig rig;
static struct rot_store *store;
static struct seal_err err;

static void
fill(void)
{
	store = rig_store(&rig.config, NOW);
	rig_add_workload(store, "shop", false, NOW);
	rig_add_workload(store, "bank", false, NOW);
	for (unsigned i = 0; i < 6; i++) {
		const char *workload = i % 2 == 0 ? "shop" : "bank";
		struct rot_egg egg = { .peer = "web",
				       .created_at = NOW + i / 2,
				       .not_after = NOW + 100 };
		/* The later made, the sooner gone; the last is gone already. */
		struct rot_cert cert = { .peer = "web",
					 .created_at = NOW,
					 .not_before = NOW,
					 .not_after = NOW + 400 - 100 * (int64_t)i };

		(void)snprintf(egg.id, sizeof(egg.id), "%032x", i);
		(void)snprintf(egg.serial, sizeof(egg.serial), "%032x", i);
		(void)snprintf(egg.workload, sizeof(egg.workload), "%s", workload);
		memset(egg.key_id, (int)i, sizeof(egg.key_id));
		cr_assert_eq(rot_store_add_egg(store, &egg, &err), 0, "%s", err.text);
		(void)snprintf(cert.serial, sizeof(cert.serial), "%032x", 0x40 + i);
		(void)snprintf(cert.workload, sizeof(cert.workload), "%s", workload);
		cr_assert_eq(rot_store_add_cert(store, &cert, &err), 0, "%s", err.text);
	}
}

static void
store_watch_setup_sqlite(void)
{
	kv_rig_sqlite(&rig);
	fill();
}

static void
store_watch_setup_etcd(void)
{
	kv_rig_etcd(&rig);
	fill();
}

static void
store_watch_teardown(void)
{
	rot_store_close(store);
	store = NULL;
	kv_rig_release(&rig);
}

static void
note(char *order, char digit)
{
	size_t len = strlen(order);

	order[len] = digit;
	order[len + 1] = '\0';
}

static int
note_egg(void *arg, const struct rot_egg *egg, struct seal_err *unused)
{
	(void)unused;
	note(arg, egg->id[31]);
	return 0;
}

static int
note_cert(void *arg, const struct rot_cert *cert, struct seal_err *unused)
{
	(void)unused;
	note(arg, cert->serial[31]);
	return 0;
}

static int
stop_at_egg(void *arg, const struct rot_egg *egg, struct seal_err *why)
{
	(void)arg;
	(void)egg;
	return seal_fail(why, SEAL_E_LIMIT, "enough");
}

static void
expect_eggs(const char *workload, uint64_t limit, const char *order, uint64_t total)
{
	char got[16] = "";
	uint64_t count = 0;

	cr_assert_eq(rot_store_newest_eggs(store, workload, limit, note_egg, got, &count, &err), 0,
		     "%s", err.text);
	cr_expect_str_eq(got, order);
	cr_expect_eq(count, total);
}

static void
expect_certs(const char *workload, int64_t now, uint64_t limit, const char *order)
{
	char got[16] = "";

	cr_assert_eq(rot_store_next_certs(store, workload, now, limit, note_cert, got, &err), 0,
		     "%s", err.text);
	cr_expect_str_eq(got, order);
}

BOTH(store_watch, lists_the_newest_eggs_first_and_how_many_there_are)
{
	expect_eggs("", 10, "543210", 6);
	expect_eggs("", 2, "54", 6);
	expect_eggs("shop", 10, "420", 3);
	expect_eggs("bank", 1, "5", 3);
	expect_eggs("", 0, "", 6);
	expect_eggs("nobody", 10, "", 0);
}

BOTH(store_watch, lists_the_certificates_that_end_next)
{
	expect_certs("", NOW, 10, "43210");
	expect_certs("", NOW, 2, "43");
	expect_certs("", NOW + 150, 10, "210");
	expect_certs("shop", NOW, 10, "420");
	expect_certs("bank", NOW, 10, "31");
	expect_certs("", NOW, 0, "");
	expect_certs("", NOW + 1000, 10, "");
}

BOTH(store_watch, revoked_certificates_are_among_them)
{
	struct rot_cert cert = { 0 };
	char serial[SEAL_SERIAL_LEN + 1];

	(void)snprintf(serial, sizeof(serial), "%032x", 0x44);
	cr_assert_eq(rot_store_revoke_cert(store, serial, NOW, NULL, &err), 0, "%s", err.text);
	expect_certs("", NOW, 2, "43");
	cr_assert_eq(rot_store_get_cert(store, serial, &cert, &err), 0);
	cr_expect_eq(cert.revoked_at, NOW);
	rot_cert_release(&cert);
}

BOTH(store_watch, a_walk_ends_with_the_failure_of_who_walks)
{
	uint64_t count = 0;

	cr_expect_eq(rot_store_newest_eggs(store, "", 10, stop_at_egg, NULL, &count, &err),
		     SEAL_E_LIMIT);
	cr_expect_str_eq(err.text, "enough");
}
