/* SPDX-License-Identifier: Apache-2.0 */
/* rot/signer: roots stay inside, and what is derived belongs to one workload, peer, purpose, generation. */
#include <criterion/criterion.h>

#include "rot/signer/signer.h"
#include "tests/unit/rot/rig.h"

static struct rig_signer rig;
static struct rot_root shop[2], bank;

static void
make_root(const char *workload, uint64_t generation, struct rot_root *root)
{
	struct seal_err err = { 0 };

	cr_assert_eq(rot_signer_new_root(&rig.signer, workload, generation, root, &err), 0, "%s",
		     err.text);
}

static void
setup(void)
{
	rig_signer_start(&rig, 7, RIG_DOMAIN);
	make_root("shop", 2, &shop[0]);
	make_root("shop", 1, &shop[1]);
	make_root("bank", 1, &bank);
}

static void
teardown(void)
{
	rot_root_release(&shop[0]);
	rot_root_release(&shop[1]);
	rot_root_release(&bank);
	rig_signer_stop(&rig);
}

TestSuite(rot_signer_keys, .init = setup, .fini = teardown);

static int
derive(const struct rot_root *roots, size_t count, const char *peer, unsigned purposes,
       struct verify_ring **ret_ring)
{
	struct seal_err err = { 0 };

	return rot_signer_derive(&rig.signer, roots, count, peer, purposes, ret_ring, &err);
}

static struct verify_ring *
ring_of(const struct rot_root *roots, size_t count, const char *peer)
{
	struct verify_ring *ring = NULL;

	cr_assert_eq(derive(roots, count, peer, ROT_PURPOSES_ALL, &ring), 0);
	return ring;
}

/* The root itself, opened with the signer's own key as only the signer can. */
static struct seal_secret *
open_root(const struct rot_root *root)
{
	struct seal_secret *plain = NULL;
	char context[512];

	(void)snprintf(context, sizeof(context), "seal/root\n" RIG_DOMAIN "\n%s\n%llu",
		       root->workload, (unsigned long long)root->generation);
	cr_assert_eq(rot_signer_unwrap(&plain, rig.state.wraps.keys[ROT_BLOB_ROOT], context,
				       root->wrapped.data, root->wrapped.len, NULL),
		     0);
	return plain;
}

Test(rot_signer_keys, derive_what_the_document_says_from_the_root)
{
	struct verify_ring *ring = ring_of(shop, 2, "web");

	for (size_t i = 0; i < 2; i++) {
		struct seal_secret *root = open_root(&shop[i]);

		cr_assert_eq(seal_secret_len(root), SEAL_KEY_LEN);
		for (unsigned p = 0; p < VERIFY_N_PURPOSES; p++) {
			struct seal_secret *want = NULL;
			char info[128];

			(void)snprintf(info, sizeof(info), "seal/1/shop/%s/web/%llu",
				       verify_purpose_name((enum verify_purpose)p),
				       (unsigned long long)shop[i].generation);
			cr_assert_eq(seal_hkdf(&want, root, info, NULL), 0);
			cr_expect(seal_secret_equal(want,
						    verify_ring_find(ring, (enum verify_purpose)p,
								     shop[i].generation)),
				  "%s", info);
			seal_secret_free(want);
		}
		seal_secret_free(root);
	}
	verify_ring_free(ring);
}

Test(rot_signer_keys, are_all_different_and_the_same_again)
{
	struct verify_ring *rings[] = { ring_of(shop, 2, "web"), ring_of(shop, 2, "db"),
					ring_of(&bank, 1, "web") };
	struct verify_ring *again = ring_of(shop, 2, "web");
	const struct seal_secret *keys[18];
	size_t count = 0;

	for (size_t i = 0; i < SEAL_COUNT(rings); i++) {
		for (unsigned p = 0; p < VERIFY_N_PURPOSES; p++) {
			for (uint64_t g = 1; g <= (i < 2 ? 2 : 1); g++)
				keys[count++] =
					verify_ring_find(rings[i], (enum verify_purpose)p, g);
		}
	}
	cr_assert_eq(count, 15);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++)
			cr_expect_not(seal_secret_equal(keys[i], keys[j]), "%zu and %zu", i, j);
	}
	cr_expect(seal_secret_equal(verify_ring_find(rings[0], VERIFY_DATA, 1),
				    verify_ring_find(again, VERIFY_DATA, 1)));
	for (size_t i = 0; i < SEAL_COUNT(rings); i++)
		verify_ring_free(rings[i]);
	verify_ring_free(again);
}

Test(rot_signer_keys, come_for_the_purposes_asked_for_alone)
{
	struct verify_ring *ring = NULL;

	cr_assert_eq(derive(shop, 2, "web", ROT_PURPOSE(VERIFY_CONTAINER), &ring), 0);
	cr_expect_not_null(verify_ring_find(ring, VERIFY_CONTAINER, 2));
	cr_expect_not_null(verify_ring_find(ring, VERIFY_CONTAINER, 1));
	cr_expect_null(verify_ring_find(ring, VERIFY_CONFIG, 0));
	cr_expect_null(verify_ring_find(ring, VERIFY_DATA, 0));
	verify_ring_free(ring);
}

Test(rot_signer_keys, are_not_derived_for_nothing_and_nobody)
{
	struct verify_ring *ring = NULL;
	struct rot_root mixed[2] = { shop[0], bank };

	cr_expect_lt(derive(shop, 2, "web", 0, &ring), 0);
	cr_expect_lt(derive(shop, 2, "web", ROT_PURPOSES_ALL + 1, &ring), 0);
	cr_expect_lt(derive(shop, 0, "web", ROT_PURPOSES_ALL, &ring), 0);
	cr_expect_lt(derive(shop, ROT_MAX_ROOTS + 1, "web", ROT_PURPOSES_ALL, &ring), 0);
	cr_expect_lt(derive(mixed, 2, "web", ROT_PURPOSES_ALL, &ring), 0, "of two workloads");
	cr_expect_lt(derive(shop, 2, "", ROT_PURPOSES_ALL, &ring), 0);
	cr_expect_lt(derive(shop, 2, "*", ROT_PURPOSES_ALL, &ring), 0);
	cr_expect_lt(derive(shop, 2, "rot", ROT_PURPOSES_ALL, &ring), 0);
	cr_expect_lt(derive(shop, 2, "web/1", ROT_PURPOSES_ALL, &ring), 0);
	cr_expect_null(ring);
}

/* The signer has only the request's word for what a blob is, and does not take it. */
Test(rot_signer_keys, come_from_a_root_under_its_own_name_only)
{
	struct verify_ring *ring = NULL;
	struct rot_root lie = shop[0];

	lie.generation = 3;
	cr_expect_eq(derive(&lie, 1, "web", ROT_PURPOSES_ALL, &ring), SEAL_E_UNAUTH);
	lie.generation = 0;
	cr_expect_lt(derive(&lie, 1, "web", ROT_PURPOSES_ALL, &ring), 0);
	lie = shop[0];
	(void)snprintf(lie.workload, sizeof(lie.workload), "bank");
	cr_expect_eq(derive(&lie, 1, "web", ROT_PURPOSES_ALL, &ring), SEAL_E_UNAUTH);
	lie = shop[0];
	lie.wrapped = bank.wrapped;
	cr_expect_eq(derive(&lie, 1, "web", ROT_PURPOSES_ALL, &ring), SEAL_E_UNAUTH);
	cr_expect_null(ring);
}

Test(rot_signer_keys, do_not_come_from_a_root_with_any_bit_changed)
{
	struct verify_ring *ring = NULL;

	for (size_t i = 0; i < shop[0].wrapped.len * 8; i++) {
		shop[0].wrapped.data[i / 8] ^= (uint8_t)(1u << (i % 8));
		cr_expect_eq(derive(shop, 1, "web", ROT_PURPOSES_ALL, &ring), SEAL_E_UNAUTH,
			     "bit %zu", i);
		shop[0].wrapped.data[i / 8] ^= (uint8_t)(1u << (i % 8));
	}
	cr_expect_null(ring);
}

Test(rot_signer_keys, roots_cas_and_secrets_do_not_pass_for_each_other)
{
	struct seal_bytes secret = SEAL_BYTES(1024);
	struct seal_secret *plain = NULL;
	struct verify_ring *ring = NULL;
	struct rot_root lie = shop[0];
	struct rot_ca ca = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(rot_signer_new_ca(&rig.signer, "shop", 2, seal_clock_now(), &ca, &err), 0,
		     "%s", err.text);
	cr_assert_eq(rot_signer_new_secret(&rig.signer, "statement", &secret, NULL), 0);
	lie.wrapped = ca.wrapped;
	cr_expect_lt(derive(&lie, 1, "web", ROT_PURPOSES_ALL, &ring), 0);
	lie.wrapped = secret;
	cr_expect_lt(derive(&lie, 1, "web", ROT_PURPOSES_ALL, &ring), 0);
	cr_expect_lt(
		rot_signer_open_secret(&rig.signer, "statement", &shop[0].wrapped, &plain, NULL), 0,
		"a root was handed out");
	cr_expect_null(plain);
	cr_expect_null(ring);
	seal_bytes_release(&secret);
	rot_ca_release(&ca);
}

Test(rot_signer_keys, roots_are_made_for_workloads_and_generations_that_can_be)
{
	static const char *const names[] = { "", "Shop", "sh", "../shop", "shop\nbank", "rot" };
	struct rot_root root = { 0 };

	for (size_t i = 0; i < SEAL_COUNT(names); i++)
		cr_expect_lt(rot_signer_new_root(&rig.signer, names[i], 1, &root, NULL), 0, "'%s'",
			     names[i]);
	cr_expect_lt(rot_signer_new_root(&rig.signer, "shop", 0, &root, NULL), 0);
	cr_expect_lt(rot_signer_new_root(&rig.signer, "shop", VERIFY_MAX_KEY_GENERATION + 1, &root,
					 NULL),
		     0);
	cr_expect_eq(root.wrapped.len, 0);
	cr_assert_eq(
		rot_signer_new_root(&rig.signer, "shop", VERIFY_MAX_KEY_GENERATION, &root, NULL),
		0);
	rot_root_release(&root);
}

Test(rot_signer_keys, roots_are_random_and_never_in_the_open)
{
	struct seal_secret *first = open_root(&shop[0]), *second = open_root(&shop[1]);

	cr_expect_not(seal_secret_equal(first, second));
	cr_expect_null(memmem(shop[0].wrapped.data, shop[0].wrapped.len, seal_secret_peek(first),
			      SEAL_KEY_LEN));
	seal_secret_free(first);
	seal_secret_free(second);
}

/* As many as there can be, in one packet each way. */
Test(rot_signer_keys, of_all_generations_fit_into_one_answer)
{
	struct rot_root roots[ROT_MAX_ROOTS];
	struct verify_ring *ring;

	for (uint64_t i = 0; i < ROT_MAX_ROOTS; i++)
		make_root("shop", VERIFY_MAX_KEY_GENERATION - i, &roots[i]);
	ring = ring_of(roots, ROT_MAX_ROOTS, "web");
	for (uint64_t i = 0; i < ROT_MAX_ROOTS; i++) {
		cr_expect_not_null(verify_ring_find(ring, VERIFY_DATA, roots[i].generation));
		rot_root_release(&roots[i]);
	}
	verify_ring_free(ring);
}

/* Every length but the whole one is refused, and whatever came of it is not in the answer. */
static void
expect_exact(struct seal_bytes *message)
{
	for (size_t len = 0; len <= message->len; len++) {
		struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);

		rot_signer_answer(&rig.state, message->data, len, &reply);
		cr_assert_gt(reply.len, 0);
		cr_expect_eq(reply.data[0] == 0, len == message->len,
			     "operation %u with %zu of %zu bytes", message->data[0], len,
			     message->len);
		seal_bytes_release(&reply);
	}
	cr_assert_eq(seal_bytes_append(message, "", 1, NULL), 0);
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	rot_signer_answer(&rig.state, message->data, message->len, &reply);
	cr_expect_neq(reply.data[0], 0, "operation %u with a byte too many", message->data[0]);
	cr_expect_lt(reply.len, 64, "keys of a refused message are in the answer");
	seal_bytes_release(&reply);
	seal_bytes_reset(message);
}

Test(rot_signer_keys, refuse_every_truncation_and_every_addition)
{
	struct seal_bytes message = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer w = { .out = &message };

	seal_put_u8(&w, ROT_OP_NEW_ROOT);
	seal_put_str(&w, "shop");
	seal_put_u64(&w, 1);
	expect_exact(&message);

	seal_put_u8(&w, ROT_OP_DERIVE);
	seal_put_str(&w, "shop");
	seal_put_str(&w, "web");
	seal_put_u32(&w, ROT_PURPOSES_ALL);
	seal_put_u32(&w, 2);
	for (size_t i = 0; i < 2; i++) {
		seal_put_u64(&w, shop[i].generation);
		seal_put_block(&w, shop[i].wrapped.data, shop[i].wrapped.len);
	}
	expect_exact(&message);
	seal_bytes_release(&message);
}
