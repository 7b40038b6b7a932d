/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/store: generations of CAs and keys one after the other, and whose certificates stand in the way. */
#include <criterion/criterion.h>

#include "tests/unit/rot/rig.h"
#include "tests/unit/rot/store_rig.h"

#define NOW INT64_C(1800000000)
#define EGG "0123456789abcdef0123456789abcdef"

TestSuite(rot_rotation_sqlite);
TestSuite(rot_rotation_etcd);

static struct kv_rig rig;
static struct rot_store *store;

static void
setup(void)
{
	(void)alarm(120);
	store = rig_store(&rig.config, NOW);
	rig_add_workload(store, "shop", false, NOW);
	rig_add_workload(store, "bank", false, NOW);
}

static void
rot_rotation_setup_sqlite(void)
{
	kv_rig_sqlite(&rig);
	setup();
}

static void
rot_rotation_setup_etcd(void)
{
	kv_rig_etcd(&rig);
	setup();
}

static void
rot_rotation_teardown(void)
{
	rot_store_close(store);
	store = NULL;
	kv_rig_release(&rig);
}

/* ---- What happens ---- */

static int
introduce(uint64_t generation)
{
	struct rot_ca ca;
	int r;

	rig_fake_ca(&ca, "shop");
	ca.generation = generation;
	r = rot_store_introduce_ca(store, &ca, NOW, NULL);
	rot_ca_release(&ca);
	return r;
}

static int
switch_to(uint64_t generation, bool force)
{
	return rot_store_switch_ca(store, "shop", generation, force, NOW + 1, NULL);
}

static int
retire(uint64_t generation, bool force)
{
	return rot_store_retire_ca(store, "shop", generation, force, NOW + 2, NULL);
}

/* As the API records it: with what is told now. */
static struct rot_cert
cert_of(const char *serial, const char *peer, const char *egg, int64_t not_after)
{
	struct rot_cert cert = { .created_at = NOW, .not_before = NOW, .not_after = not_after };
	struct rot_roots roots = { .count = 0 };
	struct rot_ca ca = { 0 };

	(void)snprintf(cert.workload, sizeof(cert.workload), "shop");
	(void)snprintf(cert.serial, sizeof(cert.serial), "%s", serial);
	(void)snprintf(cert.peer, sizeof(cert.peer), "%s", peer);
	(void)snprintf(cert.egg, sizeof(cert.egg), "%s", egg);
	cr_assert_eq(rot_store_signing_ca(store, "shop", &ca, &cert.newest_ca, NULL), 0);
	cert.ca = ca.generation;
	rot_ca_release(&ca);
	cr_assert_eq(rot_store_roots(store, "shop", &roots, NULL), 0);
	cert.newest_key = roots.items[0].generation;
	rot_roots_release(&roots);
	return cert;
}

static void
lay_egg(void)
{
	struct rot_egg egg = { .created_at = NOW, .not_after = NOW + 1000 };

	(void)snprintf(egg.id, sizeof(egg.id), EGG);
	(void)snprintf(egg.workload, sizeof(egg.workload), "shop");
	(void)snprintf(egg.peer, sizeof(egg.peer), "web");
	(void)snprintf(egg.serial, sizeof(egg.serial), "40000000000000000000000000000000");
	memset(egg.key_id, 7, sizeof(egg.key_id));
	cr_assert_eq(rot_store_add_egg(store, &egg, NULL), 0);
}

static struct rot_cert
hatch(const char *serial)
{
	struct rot_cert cert = cert_of(serial, "web", EGG, NOW + 500);

	cr_assert_eq(rot_store_hatch(store, &cert, NOW, NULL), 0);
	return cert;
}

static struct rot_cert
renew(const char *old, const char *serial)
{
	struct rot_cert cert = cert_of(serial, "web", EGG, NOW + 600);

	cr_assert_eq(rot_store_renew(store, old, &cert, NULL), 0);
	return cert;
}

/* Into files. */
static struct rot_cert
issue(const char *serial)
{
	struct rot_cert cert = cert_of(serial, "ops", "", NOW + 700);

	cr_assert_eq(rot_store_add_cert(store, &cert, NULL), 0);
	return cert;
}

static uint64_t
epoch(void)
{
	uint64_t value = 0;

	cr_assert_eq(rot_store_epoch(store, "shop", &value, NULL), 0);
	return value;
}

/* ---- What is seen ---- */

static int
add_text(void *arg, const struct rot_ca_info *ca, struct seal_err *err)
{
	char *text = arg;
	size_t len = strlen(text);

	(void)err;
	(void)snprintf(text + len, 256 - len, "%llu:%s ", (unsigned long long)ca->generation,
		       rot_phase_name(ca->phase));
	return 0;
}

static void
expect_cas(const char *want)
{
	char text[256] = "";

	cr_assert_eq(rot_store_each_ca(store, "shop", add_text, text, NULL), 0);
	cr_expect_str_eq(text, want);
}

static uint64_t
signing(void)
{
	struct rot_ca ca = { 0 };
	uint64_t generation;

	cr_assert_eq(rot_store_ca(store, "shop", &ca, NULL), 0);
	generation = ca.generation;
	rot_ca_release(&ca);
	return generation;
}

static size_t
bundled(void)
{
	struct seal_bytes bundle = SEAL_BYTES(65536);
	size_t count = 0;

	cr_assert_eq(rot_store_ca_bundle(store, "shop", &bundle, NULL), 0);
	for (const char *at = seal_bytes_str(&bundle); (at = strstr(at, "certificate of")) != NULL;
	     at++)
		count++;
	seal_bytes_release(&bundle);
	return count;
}

static void
expect_holders(enum rot_which which, uint64_t generation, const char *want)
{
	struct rot_holders holders = { .which = which, .generation = generation };
	char text[512] = "";
	size_t len = 0;

	cr_assert_eq(rot_store_find_holders(store, "shop", NOW, &holders, NULL), 0);
	for (size_t i = 0; i < holders.count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s/%s ",
					holders.items[i].peer, holders.items[i].serial);
	cr_expect_str_eq(text, want);
	cr_expect_eq(holders.total, holders.count);
}

/* ---- Phases ---- */

BOTH(rot_rotation, a_ca_is_introduced_then_signs_then_the_old_one_goes)
{
	uint64_t before = epoch();

	expect_cas("1:active ");
	cr_assert_eq(introduce(2), 0);
	expect_cas("2:introduced 1:active ");
	cr_expect_eq(signing(), 1);
	cr_expect_eq(bundled(), 2);
	cr_expect_gt(epoch(), before, "pods are told");
	before = epoch();
	cr_assert_eq(switch_to(2, false), 0);
	expect_cas("2:active 1:old ");
	cr_expect_eq(signing(), 2);
	cr_expect_eq(bundled(), 2);
	cr_expect_gt(epoch(), before);
	before = epoch();
	cr_assert_eq(retire(1, false), 0);
	expect_cas("2:active 1:retired ");
	cr_expect_eq(bundled(), 1);
	cr_expect_gt(epoch(), before);
}

BOTH(rot_rotation, repeated_steps_change_nothing)
{
	uint64_t before;

	cr_assert_eq(introduce(2), 0);
	cr_assert_eq(switch_to(2, false), 0);
	before = epoch();
	cr_expect_eq(switch_to(2, false), 0);
	cr_expect_eq(epoch(), before);
	cr_assert_eq(retire(1, false), 0);
	before = epoch();
	cr_expect_eq(retire(1, false), 0);
	cr_expect_eq(epoch(), before);
	expect_cas("2:active 1:retired ");
}

BOTH(rot_rotation, steps_out_of_order_are_refused)
{
	uint64_t next = 0, before = epoch();

	cr_expect_eq(switch_to(2, true), SEAL_E_MISSING, "what is not there");
	cr_expect_eq(switch_to(0, true), SEAL_E_MISSING);
	cr_expect_eq(retire(1, true), SEAL_E_CONFLICT, "what signs");
	cr_expect_eq(retire(2, true), SEAL_E_MISSING);
	cr_expect_eq(retire(0, true), SEAL_E_MISSING);
	cr_expect_eq(introduce(1), SEAL_E_CONFLICT);
	cr_expect_eq(introduce(3), SEAL_E_CONFLICT);
	cr_expect_eq(rot_store_next_ca(store, "none", &next, NULL), SEAL_E_MISSING);
	cr_expect_eq(epoch(), before);
	cr_assert_eq(introduce(2), 0);
	cr_expect_eq(introduce(3), SEAL_E_CONFLICT, "two at a time");
	cr_expect_eq(rot_store_next_ca(store, "shop", &next, NULL), SEAL_E_CONFLICT);
	cr_assert_eq(switch_to(2, false), 0);
	cr_expect_eq(switch_to(1, true), SEAL_E_CONFLICT, "back");
	expect_cas("2:active 1:old ");
}

BOTH(rot_rotation, no_generation_comes_back)
{
	uint64_t next = 0;

	cr_assert_eq(introduce(2), 0);
	cr_assert_eq(retire(2, false), 0, "given up");
	expect_cas("1:active 2:retired ");
	cr_expect_eq(bundled(), 1);
	cr_assert_eq(rot_store_next_ca(store, "shop", &next, NULL), 0);
	cr_expect_eq(next, 3);
	cr_expect_eq(introduce(2), SEAL_E_CONFLICT);
	cr_expect_eq(switch_to(2, true), SEAL_E_MISSING);
	cr_assert_eq(introduce(3), 0);
	expect_cas("3:introduced 1:active 2:retired ");
}

BOTH(rot_rotation, a_workload_takes_its_retired_cas_with_it)
{
	cr_assert_eq(introduce(2), 0);
	cr_assert_eq(retire(2, false), 0);
	cr_assert_eq(rot_store_delete_workload(store, "shop", NULL), 0);
	cr_expect_eq(store_count(store, "ca-retired/"), 0);
	rig_add_workload(store, "shop", false, NOW);
	expect_cas("1:active ");
}

/* ---- Who stands in the way ---- */

BOTH(rot_rotation, nobody_is_switched_to_before_all_have_it)
{
	struct seal_err err = { 0 };
	struct rot_cert pod;
	uint64_t early;

	lay_egg();
	pod = hatch("4a000000000000000000000000000000");
	(void)issue("4b000000000000000000000000000000");
	early = epoch();
	cr_assert_eq(introduce(2), 0);
	expect_holders(
		ROT_WITHOUT_CA, 2,
		"web/4a000000000000000000000000000000 ops/4b000000000000000000000000000000 ");
	cr_expect_eq(rot_store_switch_ca(store, "shop", 2, false, NOW, &err), SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "2 certificate(s)"), "%s", err.text);
	cr_expect_not_null(strstr(err.text, "web 4a00"), "%s", err.text);
	cr_expect_not_null(strstr(err.text, "(in files)"), "%s", err.text);
	cr_expect_eq(rot_store_hear_pod(store, &pod, early, NULL), 0, "an epoch of before");
	cr_expect_eq(rot_store_hear_pod(store, &pod, epoch(), NULL), 1);
	cr_expect_eq(rot_store_hear_pod(store, &pod, epoch(), NULL), 0, "written once");
	expect_holders(ROT_WITHOUT_CA, 2, "ops/4b000000000000000000000000000000 ");
	cr_expect_eq(switch_to(2, false), SEAL_E_CONFLICT);
	cr_assert_eq(
		rot_store_revoke_cert(store, "4b000000000000000000000000000000", NOW, NULL, NULL),
		0);
	cr_expect_eq(switch_to(2, false), 0);
}

BOTH(rot_rotation, whoever_comes_later_has_it)
{
	lay_egg();
	cr_assert_eq(introduce(2), 0);
	(void)hatch("4a000000000000000000000000000000");
	(void)issue("4b000000000000000000000000000000");
	expect_holders(ROT_WITHOUT_CA, 2, "");
	expect_holders(
		ROT_SIGNED_BY, 1,
		"web/4a000000000000000000000000000000 ops/4b000000000000000000000000000000 ");
	cr_expect_eq(switch_to(2, false), 0);
}

BOTH(rot_rotation, nothing_is_retired_that_certificates_depend_on)
{
	lay_egg();
	(void)hatch("4a000000000000000000000000000000");
	cr_assert_eq(introduce(2), 0);
	cr_expect_eq(switch_to(2, true), 0, "forced");
	cr_expect_eq(retire(1, false), SEAL_E_CONFLICT);
	(void)renew("4a000000000000000000000000000000", "4c000000000000000000000000000000");
	expect_holders(ROT_SIGNED_BY, 1, "");
	expect_holders(ROT_SIGNED_BY, 2, "web/4c000000000000000000000000000000 ");
	cr_expect_eq(retire(1, false), 0);
}

BOTH(rot_rotation, what_has_expired_or_is_forced_stands_in_nobodys_way)
{
	struct rot_holders holders = { .which = ROT_SIGNED_BY, .generation = 1 };

	lay_egg();
	(void)hatch("4a000000000000000000000000000000");
	cr_assert_eq(rot_store_find_holders(store, "shop", NOW + 499, &holders, NULL), 0);
	cr_expect_eq(holders.total, 1);
	cr_assert_eq(rot_store_find_holders(store, "shop", NOW + 500, &holders, NULL), 0);
	cr_expect_eq(holders.total, 0);
	cr_assert_eq(introduce(2), 0);
	cr_expect_eq(rot_store_switch_ca(store, "shop", 2, false, NOW + 500, NULL), 0);
	cr_expect_eq(retire(1, false), SEAL_E_CONFLICT);
	cr_expect_eq(retire(1, true), 0);
}

/* Of a store of before: no generation in the record, nothing beside the index. */
BOTH(rot_rotation, certificates_of_before_are_of_the_oldest_ca_and_have_nothing_new)
{
	struct rot_cert old;

	lay_egg();
	old = hatch("4a000000000000000000000000000000");
	cr_assert_eq(rot_store_begin(store, NULL), 0);
	cr_assert_eq(rot_kv_put(store->kv,
				"cert-of/shop/006b49d3f4/4a000000000000000000000000000000", "", 0,
				NULL),
		     0);
	cr_assert_eq(rot_store_commit(store, NULL), 0);
	old.ca = 0;
	cr_assert_eq(store_count(store, "cert-of/"), 1, "the key above is its own");
	expect_holders(ROT_SIGNED_BY, 1, "web/4a000000000000000000000000000000 ");
	cr_assert_eq(introduce(2), 0);
	expect_holders(ROT_WITHOUT_CA, 2, "web/4a000000000000000000000000000000 ");
	cr_expect_eq(rot_store_hear_pod(store, &old, epoch(), NULL), 1);
	expect_holders(ROT_WITHOUT_CA, 2, "");
	expect_holders(ROT_SIGNED_BY, 1, "web/4a000000000000000000000000000000 ");
}

BOTH(rot_rotation, pods_are_heard_for_nothing_while_no_ca_is_introduced)
{
	struct rot_cert pod;
	char before[ROT_STORE_WORD_LEN + 1], after[ROT_STORE_WORD_LEN + 1];

	lay_egg();
	pod = hatch("4a000000000000000000000000000000");
	cr_assert_eq(rot_store_word(store, before, NULL), 0);
	cr_expect_eq(rot_store_hear_pod(store, &pod, epoch(), NULL), 0);
	cr_assert_eq(introduce(2), 0);
	cr_assert_eq(rot_store_word(store, before, NULL), 0);
	cr_assert_eq(rot_store_hear_pod(store, &pod, epoch(), NULL), 1);
	cr_assert_eq(rot_store_word(store, after, NULL), 0);
	cr_expect_str_eq(before, after, "which is news to nobody");
	cr_assert_eq(switch_to(2, false), 0);
	cr_expect_eq(rot_store_hear_pod(store, &pod, epoch(), NULL), 0);
}

/* ---- Keys ---- */

static int
introduce_key(uint64_t generation)
{
	struct rot_root root;
	int r;

	rig_fake_root(&root, "shop", generation);
	r = rot_store_introduce_root(store, &root, NOW, NULL);
	rot_root_release(&root);
	return r;
}

BOTH(rot_rotation, a_key_seals_when_all_pods_have_it)
{
	struct rot_roots roots = { .count = 0 };

	lay_egg();
	(void)hatch("4a000000000000000000000000000000");
	(void)issue("4b000000000000000000000000000000"); /* gets no keys, waits for none */
	cr_assert_eq(introduce_key(2), 0);
	cr_expect_eq(introduce_key(3), SEAL_E_CONFLICT);
	cr_assert_eq(rot_store_roots(store, "shop", &roots, NULL), 0);
	cr_expect_eq(roots.count, 2);
	cr_expect_eq(roots.items[roots.active].generation, 1);
	rot_roots_release(&roots);
	expect_holders(ROT_WITHOUT_KEY, 2, "web/4a000000000000000000000000000000 ");
	cr_expect_eq(rot_store_switch_root(store, "shop", 2, false, NOW, NULL), SEAL_E_CONFLICT);
	(void)renew("4a000000000000000000000000000000", "4c000000000000000000000000000000");
	expect_holders(ROT_WITHOUT_KEY, 2, "");
	cr_expect_eq(rot_store_switch_root(store, "shop", 2, false, NOW, NULL), 0);
	cr_assert_eq(rot_store_roots(store, "shop", &roots, NULL), 0);
	cr_expect_eq(roots.items[roots.active].generation, 2);
	rot_roots_release(&roots);
	cr_expect_eq(rot_store_retire_root(store, "shop", 1, false, NOW, NULL), 0);
	cr_expect_eq(introduce_key(3), 0);
	cr_expect_eq(rot_store_retire_root(store, "shop", 3, false, NOW, NULL), 0, "given up");
	cr_expect_eq(rot_store_switch_root(store, "shop", 3, true, NOW, NULL), SEAL_E_MISSING);
	cr_expect_eq(introduce_key(3), SEAL_E_CONFLICT);
	cr_expect_eq(introduce_key(4), 0);
}

/* ---- Certified again, and the clock ---- */

BOTH(rot_rotation, a_ca_certified_again_is_the_same_one)
{
	struct rot_ca ca = { 0 }, again = { 0 };
	uint64_t before = epoch();

	cr_assert_eq(rot_store_ca(store, "shop", &ca, NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&ca.cert, "once more\n", NULL), 0);
	cr_assert_eq(rot_store_renew_ca(store, &ca, NULL), 0);
	cr_assert_eq(rot_store_ca(store, "shop", &again, NULL), 0);
	cr_expect_eq(again.generation, 1);
	cr_expect_not_null(strstr(seal_bytes_str(&again.cert), "once more"));
	cr_expect_eq(bundled(), 1);
	cr_expect_gt(epoch(), before, "pods are told");
	ca.generation = 2;
	cr_expect_eq(rot_store_renew_ca(store, &ca, NULL), SEAL_E_MISSING);
	rot_ca_release(&ca);
	rot_ca_release(&again);
}

BOTH(rot_rotation, the_clock_is_what_was_written_last)
{
	int64_t time = -1;

	cr_assert_eq(rot_store_clock(store, &time, NULL), 0);
	cr_expect_eq(time, 0, "not yet");
	cr_assert_eq(rot_store_set_clock(store, NOW, NULL), 0);
	cr_assert_eq(rot_store_set_clock(store, NOW - 5, NULL), 0);
	cr_assert_eq(rot_store_clock(store, &time, NULL), 0);
	cr_expect_eq(time, NOW - 5);
}
