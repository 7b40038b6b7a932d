/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/keys: what came with the identity, and that no bound ever goes down. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "base/jwe/jwe.h"
#include "tests/unit/proxy/sealed_rig.h"

#define SECRET SEAL_SCOPED(seal_secret_freep) struct seal_secret
#define BOTH   (SEALED_GEN(1) | SEALED_GEN(2))

static void
update(struct proxy_keys *keys, unsigned generations, const char *object, uint64_t floor)
{
	struct rot_credentials answer = sealed_answer("shop", "web", generations);
	struct seal_err err = { 0 };

	if (object != NULL)
		sealed_add_floor(&answer, object, floor);
	cr_assert_eq(proxy_keys_update(keys, &answer, &err), 0, "%s", err.text);
	rot_credentials_release(&answer);
}

/* Open what was sealed for app's key a with that generation, expecting at least one of expected. */
static int
try_open(struct proxy_keys *keys, uint64_t gen, uint64_t expected)
{
	struct verify_ring *ring = sealed_ring("shop", "web", BOTH);
	struct verify_binding at = sealed_at("ConfigMap", "app", "a", gen);
	char *value = sealed_value(ring, &at, "plain");
	struct verify_binding binding = { .gen = 0 };
	SECRET *plain = NULL;
	int r;

	at.gen = expected;
	r = proxy_keys_open(keys, &plain, &binding, &at, value, strlen(value), NULL);
	cr_expect_eq(plain != NULL, r == 0);
	cr_expect_eq(binding.gen, r == 0 ? gen : 0);
	if (r == 0)
		cr_expect_str_eq(seal_secret_chars(plain), "plain");
	free(value);
	verify_ring_free(ring);
	return r;
}

Test(proxy_keys, open_nothing_before_the_first_answer)
{
	struct verify_token token = { .generation = 0 };
	struct seal_bytes out = SEAL_BYTES(1024);
	struct proxy_keys *keys = NULL;
	char workload[SEAL_WORKLOAD_MAX + 1];
	char peer[SEAL_PEER_MAX + 1];

	cr_assert_eq(proxy_keys_new(&keys, NULL), 0);
	cr_expect_eq(try_open(keys, 1, 1), SEAL_E_UNAUTH);
	cr_expect_eq(proxy_keys_token(keys, &token, "app", 1, NULL), SEAL_E_MISSING);
	cr_expect_null(token.key);
	cr_expect_eq(proxy_keys_encrypt(keys, &out, "x", 1, NULL), SEAL_E_MISSING);
	cr_expect_eq(out.len, 0);
	proxy_keys_owner(keys, workload, peer);
	cr_expect_str_eq(workload, "");
	cr_expect_str_eq(peer, "");
	proxy_keys_free(keys);
}

Test(proxy_keys, open_what_was_sealed_for_their_peer)
{
	struct proxy_keys *keys = sealed_keys();
	char workload[SEAL_WORKLOAD_MAX + 1];
	char peer[SEAL_PEER_MAX + 1];

	cr_expect_eq(try_open(keys, 1, 1), 0);
	proxy_keys_owner(keys, workload, peer);
	cr_expect_str_eq(workload, "shop");
	cr_expect_str_eq(peer, "web");
	proxy_keys_free(keys);
}

Test(proxy_keys, refuse_what_is_older_than_the_root_of_trust_says)
{
	struct proxy_keys *keys = sealed_keys();

	update(keys, BOTH, "shop/ConfigMap/app", 5);
	cr_expect_eq(try_open(keys, 4, 1), SEAL_E_CONFLICT);
	cr_expect_eq(try_open(keys, 5, 1), 0);
	cr_expect_eq(try_open(keys, 6, 1), 0);
	proxy_keys_free(keys);
}

Test(proxy_keys, refuse_what_is_older_than_what_was_opened_before)
{
	struct proxy_keys *keys = sealed_keys();

	cr_expect_eq(try_open(keys, 2, 1), 0);
	cr_expect_eq(try_open(keys, 4, 1), 0);
	cr_expect_eq(try_open(keys, 3, 1), SEAL_E_CONFLICT);
	cr_expect_eq(try_open(keys, 4, 1), 0);
	cr_expect_eq(try_open(keys, 4, 5), SEAL_E_CONFLICT, "what the caller expects counts too");
	proxy_keys_free(keys);
}

Test(proxy_keys, never_lower_a_bound)
{
	struct proxy_keys *keys = sealed_keys();

	update(keys, BOTH, "shop/ConfigMap/app", 5);
	update(keys, BOTH, "shop/ConfigMap/app", 3);
	cr_expect_eq(try_open(keys, 4, 1), SEAL_E_CONFLICT);
	update(keys, BOTH, NULL, 0);
	cr_expect_eq(try_open(keys, 4, 1), SEAL_E_CONFLICT);
	update(keys, BOTH, "shop/ConfigMap/app", 9);
	cr_expect_eq(try_open(keys, 8, 1), SEAL_E_CONFLICT);
	proxy_keys_free(keys);
}

Test(proxy_keys, raise_no_bound_for_what_is_not_authentic)
{
	struct verify_ring *other = sealed_ring("shop", "db", BOTH);
	struct verify_binding at = sealed_at("ConfigMap", "app", "a", 9);
	char *value = sealed_value(other, &at, "forged");
	struct proxy_keys *keys = sealed_keys();
	struct verify_binding binding = { .gen = 0 };
	SECRET *plain = NULL;

	cr_expect_eq(proxy_keys_open(keys, &plain, &binding, &at, value, strlen(value), NULL),
		     SEAL_E_UNAUTH);
	cr_expect_null(plain);
	cr_expect_eq(try_open(keys, 1, 1), 0);
	proxy_keys_free(keys);
	free(value);
	verify_ring_free(other);
}

/* Bounds of many objects, told in an order that is no order. */
Test(proxy_keys, keep_the_bounds_of_objects_apart)
{
	struct rot_credentials answer = sealed_answer("shop", "web", BOTH);
	struct verify_ring *ring = sealed_ring("shop", "web", BOTH);
	struct proxy_keys *keys = NULL;
	char name[32];

	for (unsigned i = 0; i < 257; i++) {
		(void)snprintf(name, sizeof(name), "shop/Secret/s%u", (i * 101) % 257);
		sealed_add_floor(&answer, name, 1000 + (i * 101) % 257);
	}
	cr_assert_eq(proxy_keys_new(&keys, NULL), 0);
	cr_assert_eq(proxy_keys_update(keys, &answer, NULL), 0);
	for (unsigned i = 0; i < 257; i++) {
		struct verify_binding binding;
		struct verify_binding at;
		SECRET *plain = NULL;
		char *value;

		(void)snprintf(name, sizeof(name), "s%u", i);
		at = sealed_at("Secret", name, "k", 999 + i);
		value = sealed_value(ring, &at, "x");
		at.gen = 1;
		cr_expect_eq(
			proxy_keys_open(keys, &plain, &binding, &at, value, strlen(value), NULL),
			SEAL_E_CONFLICT, "%s", name);
		free(value);
		at.gen = 1000 + i;
		value = sealed_value(ring, &at, "x");
		at.gen = 1;
		cr_expect_eq(
			proxy_keys_open(keys, &plain, &binding, &at, value, strlen(value), NULL), 0,
			"%s", name);
		free(value);
	}
	proxy_keys_free(keys);
	rot_credentials_release(&answer);
	verify_ring_free(ring);
}

Test(proxy_keys, of_another_workload_or_peer_change_nothing)
{
	struct proxy_keys *keys = sealed_keys();
	struct rot_credentials answer = sealed_answer("shop", "db", SEALED_GEN(3));
	char peer[SEAL_PEER_MAX + 1];
	char workload[SEAL_WORKLOAD_MAX + 1];

	(void)snprintf(answer.peer, sizeof(answer.peer),
		       "web"); /* says one thing, carries another */
	sealed_add_floor(&answer, "shop/ConfigMap/app", 9);
	cr_expect_eq(proxy_keys_update(keys, &answer, NULL), SEAL_E_REFUSED);
	proxy_keys_owner(keys, workload, peer);
	cr_expect_str_eq(peer, "web");
	cr_expect_eq(try_open(keys, 1, 1), 0, "keys and bounds are those before");
	rot_credentials_release(&answer);
	proxy_keys_free(keys);
}

Test(proxy_keys, that_are_malformed_are_refused)
{
	static const char *const ids[] = { "", "shop/config/web", "shop/config/web/0",
					   "shop/config/web/01", "shop/nothing/web/1" };

	for (size_t i = 0; i < SEAL_COUNT(ids); i++) {
		struct rot_credentials answer = sealed_answer("shop", "web", SEALED_GEN(1));
		struct proxy_keys *keys = sealed_keys();

		free(answer.keys[0].id);
		answer.keys[0].id = strdup(ids[i]);
		cr_expect_lt(proxy_keys_update(keys, &answer, NULL), 0, "'%s'", ids[i]);
		cr_expect_eq(try_open(keys, 1, 1), 0, "'%s'", ids[i]);
		rot_credentials_release(&answer);
		proxy_keys_free(keys);
	}
}

Test(proxy_keys, that_are_retired_are_gone)
{
	struct proxy_keys *keys = sealed_keys();
	struct verify_token token = { .generation = 0 };

	cr_assert_eq(proxy_keys_token(keys, &token, "app", 1, NULL), 0);
	verify_token_release(&token);
	update(keys, SEALED_GEN(2), NULL, 0);
	cr_expect_eq(proxy_keys_token(keys, &token, "app", 1, NULL), SEAL_E_MISSING);
	cr_expect_null(token.key);
	cr_assert_eq(proxy_keys_token(keys, &token, "app", 2, NULL), 0);
	verify_token_release(&token);
	cr_expect_eq(proxy_keys_token(keys, &token, "app", 3, NULL), SEAL_E_MISSING);
	cr_expect_eq(proxy_keys_token(keys, &token, "app", 0, NULL), SEAL_E_MISSING,
		     "no caller gets the newest by not saying which");
	cr_expect_eq(proxy_keys_token(keys, &token, "", 2, NULL), SEAL_E_FORMAT);
	proxy_keys_free(keys);
}

/* ---- The pod's own parts ---- */

Test(proxy_keys, open_own_parts_of_one_generation_only_whatever_came_later)
{
	static const struct {
		uint64_t sealed;
		int code;
	} rows[] = { { 6, SEAL_E_CONFLICT }, { 7, 0 }, { 8, SEAL_E_REFUSED } };
	struct verify_ring *ring = sealed_ring("shop", "web", BOTH);
	struct proxy_keys *keys = sealed_keys();

	update(keys, BOTH, "shop/Deployment/web", 9);
	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct verify_binding at = sealed_at("Deployment", "web", "spec", rows[i].sealed);
		struct verify_binding binding = { .gen = 0 };
		SECRET *plain = NULL;
		char *value;

		(void)snprintf(at.container, sizeof(at.container), "app");
		value = sealed_value(ring, &at, "{}");
		at.gen = 7;
		cr_expect_eq(proxy_keys_open_own(keys, &plain, &binding, &at, value, strlen(value),
						 NULL),
			     rows[i].code, "generation %u", (unsigned)rows[i].sealed);
		cr_expect_eq(plain != NULL, rows[i].code == 0);
		free(value);
	}
	proxy_keys_free(keys);
	verify_ring_free(ring);
}

/* ---- Data ---- */

Test(proxy_keys, seal_data_and_open_it_again_after_a_rotation)
{
	struct proxy_keys *keys = sealed_keys();
	struct seal_bytes out = SEAL_BYTES(4096);
	struct seal_json *header = NULL;
	const char *kid = NULL;
	SECRET *plain = NULL;

	cr_assert_eq(proxy_keys_encrypt(keys, &out, "payload", 7, NULL), 0);
	cr_assert_eq(seal_jwe_header(&header, seal_bytes_str(&out), out.len, NULL), 0);
	cr_assert_eq(seal_json_get_str(header, "kid", &kid, NULL), 0);
	cr_expect_str_eq(kid, "shop/data/web/2");
	cr_expect_not(seal_json_has(header, "seal"));
	seal_json_free(header);
	update(keys, SEALED_GEN(2) | SEALED_GEN(3), NULL, 0);
	cr_assert_eq(proxy_keys_decrypt(keys, &plain, seal_bytes_str(&out), out.len, NULL), 0);
	cr_expect_str_eq(seal_secret_chars(plain), "payload");
	seal_bytes_release(&out);
	proxy_keys_free(keys);
}

Test(proxy_keys, open_as_data_nothing_else)
{
	struct verify_ring *ring = sealed_ring("shop", "web", BOTH);
	struct verify_ring *peer = sealed_ring("shop", "db", BOTH);
	struct verify_binding at = sealed_at("ConfigMap", "app", "a", 1);
	struct proxy_keys *keys = sealed_keys();
	struct seal_bytes out = SEAL_BYTES(4096);
	char *value = sealed_value(ring, &at, "configuration");
	SECRET *plain = NULL;

	cr_expect_eq(proxy_keys_decrypt(keys, &plain, value, strlen(value), NULL), SEAL_E_UNAUTH,
		     "a sealed value is no data");
	cr_expect_eq(proxy_keys_decrypt(keys, &plain, "no jwe", 6, NULL), SEAL_E_FORMAT);
	cr_assert_eq(seal_jwe_seal(&out, verify_ring_find(peer, VERIFY_DATA, 2), "shop/data/db/2",
				   NULL, "x", 1, NULL),
		     0);
	cr_expect_eq(proxy_keys_decrypt(keys, &plain, seal_bytes_str(&out), out.len, NULL),
		     SEAL_E_UNAUTH, "another peer's");
	seal_bytes_reset(&out);
	cr_assert_eq(proxy_keys_encrypt(keys, &out, "payload", 7, NULL), 0);
	for (size_t i = 0; i < out.len; i++) {
		out.data[i] ^= 1;
		cr_expect_lt(proxy_keys_decrypt(keys, &plain, seal_bytes_str(&out), out.len, NULL),
			     0, "byte %zu", i);
		out.data[i] ^= 1;
	}
	cr_expect_null(plain);
	seal_bytes_release(&out);
	free(value);
	proxy_keys_free(keys);
	verify_ring_free(peer);
	verify_ring_free(ring);
}

/* ---- Two threads ---- */

static void *
renew(void *arg)
{
	for (int i = 0; i < 200; i++)
		update(arg, BOTH, "shop/ConfigMap/other", (uint64_t)i + 1);
	return NULL;
}

Test(proxy_keys, are_renewed_while_others_open)
{
	struct proxy_keys *keys = sealed_keys();
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, renew, keys), 0);
	for (int i = 0; i < 200; i++)
		cr_expect_eq(try_open(keys, 1, 1), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	proxy_keys_free(keys);
}
