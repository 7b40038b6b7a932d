/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify: names of keys, sealed values and container tokens: what is theirs opens, nothing else. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/jwe/jwe.h"
#include "config-verify/sealed.h"
#include "config-verify/token.h"

#define FREE_SECRET SEAL_SCOPED(seal_secret_freep) struct seal_secret *
#define FREE_RING   SEAL_SCOPED(verify_ring_freep) struct verify_ring *
#define SEALED(name)                                                                               \
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes name = SEAL_BYTES(VERIFY_SEALED_MAX)

static struct seal_secret *
root_of(char letter)
{
	struct seal_secret *root = NULL;
	char text[SEAL_KEY_LEN];

	memset(text, letter, sizeof(text));
	cr_assert_eq(seal_secret_from(&root, text, sizeof(text), NULL), 0);
	return root;
}

static void
add_key(struct verify_ring *ring, enum verify_purpose purpose, uint64_t generation, char letter)
{
	struct verify_key_id id = { .purpose = purpose, .generation = generation };
	FREE_SECRET root = root_of(letter);
	FREE_SECRET key = NULL;

	(void)snprintf(id.workload, sizeof(id.workload), "%s", verify_ring_workload(ring));
	(void)snprintf(id.peer, sizeof(id.peer), "%s", verify_ring_peer(ring));
	cr_assert_eq(verify_key_derive(&key, root, &id, NULL), 0);
	cr_assert_eq(verify_ring_add(ring, &id, &key, NULL), 0);
}

/* Two generations of every purpose, as a pod of that workload and peer would have them. */
static struct verify_ring *
ring_of(const char *workload, const char *peer)
{
	struct verify_ring *ring = NULL;

	cr_assert_eq(verify_ring_new(&ring, workload, peer, NULL), 0);
	for (int purpose = 0; purpose < VERIFY_N_PURPOSES; purpose++) {
		add_key(ring, (enum verify_purpose)purpose, 1, 'a');
		add_key(ring, (enum verify_purpose)purpose, 2, 'b');
	}
	return ring;
}

static struct verify_binding
binding_of(const char *key)
{
	struct verify_binding binding = {
		.ns = "shop", .kind = "ConfigMap", .name = "app", .gen = 7, .of = 3
	};

	(void)snprintf(binding.key, sizeof(binding.key), "%s", key);
	return binding;
}

static void
make(struct seal_bytes *out, const struct verify_ring *ring, const struct verify_binding *binding)
{
	struct seal_err err = { 0 };

	cr_assert_eq(verify_seal(out, ring, binding, "secret", 6, &err), 0, "%s", err.text);
}

/* What it fails with; nothing may come out of a failure. */
static int
open_at(const struct verify_ring *ring, const struct verify_binding *expect,
	const struct seal_bytes *sealed)
{
	struct verify_binding found = { .gen = 4711 };
	FREE_SECRET plain = NULL;
	int r = verify_open(&plain, &found, ring, expect, seal_bytes_str(sealed), sealed->len,
			    NULL);

	if (r < 0) {
		cr_expect_null(plain);
		cr_expect_eq(found.gen, 4711);
	} else {
		cr_expect_eq(seal_secret_len(plain), 6);
		cr_expect_eq(memcmp(seal_secret_peek(plain), "secret", 6), 0);
	}
	return r;
}

/* ---- Names of keys ---- */

Test(ring, a_name_of_a_key_is_read_back)
{
	struct verify_key_id id = { 0 };
	char text[VERIFY_KEY_ID_MAX];

	cr_assert_eq(verify_key_id_parse(&id, "shop/config/web/3", NULL), 0);
	cr_expect_str_eq(id.workload, "shop");
	cr_expect_str_eq(id.peer, "web");
	cr_expect_eq(id.purpose, VERIFY_CONFIG);
	cr_expect_eq(id.generation, 3);
	verify_key_id_format(&id, text);
	cr_expect_str_eq(text, "shop/config/web/3");
}

Test(ring, a_name_of_a_key_has_one_spelling)
{
	static const char *const bad[] = {
		"",
		"shop",
		"shop/config/web",
		"shop/config/web/",
		"shop/config/web/0",
		"shop/config/web/01",
		"shop/config/web/+1",
		"shop/config/web/1000001",
		"shop/config/web/3/4",
		"shop/config/web/ 3",
		"shop /config/web/3",
		"Shop/config/web/3",
		"sh/config/web/3",
		"shop/Config/web/3",
		"shop/root/web/3",
		"shop/config//3",
		"shop/config/egg/3",
		"shop/config/*/3",
		"shop/config/web-/3",
		"/shop/config/web/3",
		"shop/config/web/3\n",
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		struct verify_key_id id = { .generation = 4711 };

		cr_expect_lt(verify_key_id_parse(&id, bad[i], NULL), 0, "%s", bad[i]);
		cr_expect_eq(id.generation, 4711, "%s", bad[i]);
	}
}

Test(ring, keys_differ_by_root_workload_purpose_peer_and_generation)
{
	static const char *const ids[] = { "shop/config/web/1", "shop/config/web/2",
					   "shop/config/db/1",  "shop/container/web/1",
					   "shop/data/web/1",   "shops/config/web/1" };
	FREE_SECRET root = root_of('r');
	FREE_SECRET other = root_of('s');
	struct seal_secret *keys[SEAL_COUNT(ids) + 1] = { 0 };
	struct verify_key_id id;

	for (size_t i = 0; i < SEAL_COUNT(ids); i++) {
		cr_assert_eq(verify_key_id_parse(&id, ids[i], NULL), 0);
		cr_assert_eq(verify_key_derive(&keys[i], root, &id, NULL), 0);
	}
	cr_assert_eq(verify_key_derive(&keys[SEAL_COUNT(ids)], other, &id, NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(keys); i++)
		for (size_t j = i + 1; j < SEAL_COUNT(keys); j++)
			cr_expect_not(seal_secret_equal(keys[i], keys[j]), "%zu %zu", i, j);
	for (size_t i = 0; i < SEAL_COUNT(keys); i++)
		seal_secret_free(keys[i]);
}

/* The same as docs/SEALED.md shows, made by another implementation (Python's hmac). */
Test(ring, derivation_is_the_documented_one)
{
	static const char expected[] =
		"417f5a33a93d823a8edd476b9b171b992e58703cd192db71aa996042f24346d3";
	struct verify_key_id id;
	FREE_SECRET root = root_of('r');
	FREE_SECRET key = NULL;
	char hex[2 * SEAL_KEY_LEN + 1];

	cr_assert_eq(verify_key_id_parse(&id, "shop/config/web/3", NULL), 0);
	cr_assert_eq(verify_key_derive(&key, root, &id, NULL), 0);
	seal_hex_encode(hex, seal_secret_peek(key), seal_secret_len(key));
	cr_expect_str_eq(hex, expected);
}

Test(ring, takes_only_keys_of_its_own_and_each_once)
{
	FREE_RING ring = ring_of("shop", "web");
	static const char *const foreign[] = { "shop/config/db/3", "mall/config/web/3" };
	struct verify_key_id id;
	FREE_SECRET key = root_of('k');

	for (size_t i = 0; i < SEAL_COUNT(foreign); i++) {
		cr_assert_eq(verify_key_id_parse(&id, foreign[i], NULL), 0);
		cr_expect_eq(verify_ring_add(ring, &id, &key, NULL), SEAL_E_REFUSED);
		cr_expect_not_null(key);
	}
	cr_assert_eq(verify_key_id_parse(&id, "shop/config/web/2", NULL), 0);
	cr_expect_eq(verify_ring_add(ring, &id, &key, NULL), SEAL_E_CONFLICT);
	cr_expect_eq(verify_ring_newest(ring, VERIFY_CONFIG), 2);
	cr_expect_null(verify_ring_find(ring, VERIFY_CONFIG, 3));
	cr_assert_eq(verify_key_id_parse(&id, "shop/config/web/3", NULL), 0);
	cr_expect_eq(verify_ring_add(ring, &id, &key, NULL), 0);
	cr_expect_null(key);
	cr_expect_eq(verify_ring_newest(ring, VERIFY_CONFIG), 3);
	cr_expect_eq(verify_ring_newest(ring, VERIFY_DATA), 2);
}

/* ---- Sealed values ---- */

Test(sealed, opens_where_it_belongs)
{
	struct verify_binding binding = binding_of("password");
	FREE_RING ring = ring_of("shop", "web");
	struct verify_binding found = { 0 };
	struct verify_key_id id = { 0 };
	FREE_SECRET plain = NULL;
	SEALED(out);

	make(&out, ring, &binding);
	cr_expect_eq(open_at(ring, &binding, &out), 0);
	cr_expect(verify_is_sealed(seal_bytes_str(&out), out.len));
	cr_assert_eq(verify_peek(seal_bytes_str(&out), out.len, &id, &found, NULL), 0);
	cr_expect_eq(id.generation, 2); /* the newest seals */
	cr_expect_str_eq(found.key, "password");
	cr_expect_eq(found.of, 3);

	binding.key[0] = '\0'; /* whoever does not know which key it is learns it */
	binding.gen = 1;
	binding.of = 0;
	cr_assert_eq(
		verify_open(&plain, &found, ring, &binding, seal_bytes_str(&out), out.len, NULL),
		0);
	cr_expect_str_eq(found.key, "password");
	cr_expect_eq(found.gen, 7);
}

Test(sealed, an_empty_value_and_the_largest_are_values)
{
	struct verify_binding binding = binding_of("k");
	FREE_RING ring = ring_of("shop", "web");
	char *large = malloc(VERIFY_PLAIN_MAX + 1);
	FREE_SECRET empty = NULL;
	FREE_SECRET plain = NULL;
	SEALED(out);

	cr_assert_not_null(large);
	memset(large, 'x', VERIFY_PLAIN_MAX + 1);
	cr_assert_eq(verify_seal(&out, ring, &binding, NULL, 0, NULL), 0);
	cr_assert_eq(verify_open(&empty, NULL, ring, &binding, seal_bytes_str(&out), out.len, NULL),
		     0);
	cr_expect_eq(seal_secret_len(empty), 0);

	seal_bytes_reset(&out);
	cr_assert_eq(verify_seal(&out, ring, &binding, large, VERIFY_PLAIN_MAX, NULL), 0);
	cr_assert_eq(verify_open(&plain, NULL, ring, &binding, seal_bytes_str(&out), out.len, NULL),
		     0);
	cr_expect_eq(seal_secret_len(plain), VERIFY_PLAIN_MAX);

	seal_bytes_reset(&out);
	cr_expect_eq(verify_seal(&out, ring, &binding, large, VERIFY_PLAIN_MAX + 1, NULL),
		     SEAL_E_LIMIT);
	cr_expect_eq(out.len, 0);
	free(large);
}

Test(sealed, is_refused_wherever_it_was_not_sealed_for)
{
	struct verify_binding binding = binding_of("password");
	FREE_RING ring = ring_of("shop", "web");
	SEALED(out);

	make(&out, ring, &binding);
#define ELSEWHERE(member, text)                                                                    \
	do {                                                                                       \
		struct verify_binding other = binding;                                             \
                                                                                                   \
		(void)snprintf(other.member, sizeof(other.member), "%s", text);                    \
		cr_expect_eq(open_at(ring, &other, &out), SEAL_E_REFUSED, #member);                \
	} while (0)
	ELSEWHERE(ns, "mall");
	ELSEWHERE(kind, "Secret");
	ELSEWHERE(name, "app2");
	ELSEWHERE(key, "passwor");
	ELSEWHERE(container, "web");
	binding.gen = 8;
	cr_expect_eq(open_at(ring, &binding, &out), SEAL_E_CONFLICT);
	binding.gen = 6;
	cr_expect_eq(open_at(ring, &binding, &out), 0);

	seal_bytes_reset(&out);
	(void)snprintf(binding.container, sizeof(binding.container), "web");
	make(&out, ring, &binding);
	cr_expect_eq(open_at(ring, &binding, &out), 0);
	ELSEWHERE(container, "");
	ELSEWHERE(container, "db");
#undef ELSEWHERE
}

Test(sealed, other_workloads_peers_and_keys_do_not_open_it)
{
	struct verify_binding binding = binding_of("k");
	FREE_RING ring = ring_of("shop", "web");
	FREE_RING peer = ring_of("shop", "db");
	FREE_RING workload = ring_of("mall", "web");
	FREE_RING wrong = NULL;
	FREE_RING retired = NULL;
	SEALED(out);

	make(&out, ring, &binding);
	cr_assert_eq(verify_ring_new(&wrong, "shop", "web", NULL), 0);
	add_key(wrong, VERIFY_CONFIG, 2, 'x');
	cr_assert_eq(verify_ring_new(&retired, "shop", "web", NULL), 0);
	add_key(retired, VERIFY_CONFIG, 1, 'a');
	cr_expect_eq(open_at(peer, &binding, &out), SEAL_E_UNAUTH);
	cr_expect_eq(open_at(workload, &binding, &out), SEAL_E_UNAUTH);
	cr_expect_eq(open_at(wrong, &binding, &out), SEAL_E_UNAUTH);
	cr_expect_eq(open_at(retired, &binding, &out), SEAL_E_UNAUTH);
}

Test(sealed, a_key_for_another_purpose_opens_nothing)
{
	struct verify_binding binding = binding_of("k");
	FREE_RING ring = ring_of("shop", "web");
	SEAL_SCOPED(seal_json_freep) struct seal_json *header = NULL;
	SEALED(out);
	SEALED(data);

	make(&out, ring, &binding);
	cr_assert_eq(seal_jwe_header(&header, seal_bytes_str(&out), out.len, NULL), 0);
	cr_assert_eq(seal_jwe_seal(&data, verify_ring_find(ring, VERIFY_DATA, 2), "shop/data/web/2",
				   seal_json_member(header, "seal"), "secret", 6, NULL),
		     0);
	cr_expect_eq(open_at(ring, &binding, &data), SEAL_E_FORMAT);
	cr_expect_not(verify_is_sealed(seal_bytes_str(&data), data.len));
}

/* Five objects as they occur: a short value, an empty one, a file, a container's spec, the sidecar's. */
static void
make_five(struct seal_bytes out[static 5], const struct verify_ring *ring,
	  struct verify_binding bindings[static 5])
{
	static const char *const keys[] = { "a", "empty", "nginx.conf", "spec", "proxy" };
	static const char *const plain[] = { "secret", "", "worker_processes 1;\nevents {}\n",
					     "{\"version\":1}", "{\"config\":{}}" };

	for (size_t i = 0; i < 5; i++) {
		bindings[i] = binding_of(keys[i]);
		if (i >= 3)
			(void)snprintf(bindings[i].container, sizeof(bindings[i].container),
				       i == 3 ? "app" : "seal-proxy");
		seal_bytes_init(&out[i], VERIFY_SEALED_MAX);
		cr_assert_eq(
			verify_seal(&out[i], ring, &bindings[i], plain[i], strlen(plain[i]), NULL),
			0);
	}
}

Test(sealed, every_flipped_bit_and_every_truncation_of_five_objects_is_refused)
{
	FREE_RING ring = ring_of("shop", "web");
	struct verify_binding bindings[5];
	struct seal_bytes sealed[5];

	make_five(sealed, ring, bindings);
	for (size_t i = 0; i < 5; i++) {
		char *text = seal_strndup(seal_bytes_str(&sealed[i]), sealed[i].len);
		FREE_SECRET plain = NULL;

		cr_assert_not_null(text);
		for (size_t bit = 0; bit < 8 * sealed[i].len; bit++) {
			text[bit / 8] = (char)(text[bit / 8] ^ (1 << (bit % 8)));
			cr_expect_lt(verify_open(&plain, NULL, ring, &bindings[i], text,
						 sealed[i].len, NULL),
				     0, "object %zu, bit %zu", i, bit);
			text[bit / 8] = (char)(text[bit / 8] ^ (1 << (bit % 8)));
		}
		for (size_t len = 0; len < sealed[i].len; len++)
			cr_expect_lt(verify_open(&plain, NULL, ring, &bindings[i], text, len, NULL),
				     0, "object %zu, %zu characters", i, len);
		cr_expect_null(plain);
		cr_expect_eq(
			verify_open(&plain, NULL, ring, &bindings[i], text, sealed[i].len, NULL),
			0);
		free(text);
		seal_bytes_release(&sealed[i]);
	}
}

/* The fourth part of each value under the header of each other. */
Test(sealed, parts_of_two_values_do_not_make_a_third)
{
	FREE_RING ring = ring_of("shop", "web");
	struct verify_binding bindings[5];
	struct seal_bytes sealed[5];

	make_five(sealed, ring, bindings);
	for (size_t i = 0; i < 25; i++) {
		const char *head = seal_bytes_str(&sealed[i / 5]);
		const char *tail = strchr(seal_bytes_str(&sealed[i % 5]), '.');
		SEALED(mixed);
		FREE_SECRET plain = NULL;

		cr_assert_eq(seal_bytes_append(&mixed, head, strcspn(head, "."), NULL), 0);
		cr_assert_eq(seal_bytes_append_str(&mixed, tail, NULL), 0);
		cr_expect_eq(verify_open(&plain, NULL, ring, &bindings[i / 5],
					 seal_bytes_str(&mixed), mixed.len, NULL),
			     i / 5 == i % 5 ? 0 : SEAL_E_UNAUTH);
	}
	for (size_t i = 0; i < 5; i++)
		seal_bytes_release(&sealed[i]);
}

Test(sealed, bindings_have_a_grammar)
{
	static const struct {
		const char *ns, *kind, *name, *key, *container;
		uint64_t gen, of;
	} bad[] = {
		{ "", "Secret", "app", "k", "", 1, 1 },
		{ "Shop", "Secret", "app", "k", "", 1, 1 },
		{ "a.b", "Secret", "app", "k", "", 1, 1 },
		{ "-a", "Secret", "app", "k", "", 1, 1 },
		{ "a/b", "Secret", "app", "k", "", 1, 1 },
		{ "a", "", "app", "k", "", 1, 1 },
		{ "a", "secret", "app", "k", "", 1, 1 },
		{ "a", "Se/cret", "app", "k", "", 1, 1 },
		{ "a", "Secret", "", "k", "", 1, 1 },
		{ "a", "Secret", "App", "k", "", 1, 1 },
		{ "a", "Secret", "app.", "k", "", 1, 1 },
		{ "a", "Secret", "a/b", "k", "", 1, 1 },
		{ "a", "Secret", "app", "", "", 1, 1 },
		{ "a", "Secret", "app", ".", "", 1, 1 },
		{ "a", "Secret", "app", "..", "", 1, 1 },
		{ "a", "Secret", "app", "..data", "", 1, 1 },
		{ "a", "Secret", "app", "a/b", "", 1, 1 },
		{ "a", "Secret", "app", "a b", "", 1, 1 },
		{ "a", "Secret", "app", "k", "Web", 1, 1 },
		{ "a", "Secret", "app", "k", "a.b", 1, 1 },
		{ "a", "Secret", "app", "k", "", 0, 1 },
		{ "a", "Secret", "app", "k", "", VERIFY_MAX_GEN + 1, 1 },
		{ "a", "Secret", "app", "k", "", 1, 0 },
		{ "a", "Secret", "app", "k", "", 1, VERIFY_MAX_VALUES + 1 },
	};
	FREE_RING ring = ring_of("shop", "web");

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		struct verify_binding binding = { .gen = bad[i].gen, .of = bad[i].of };
		SEALED(out);

		(void)snprintf(binding.ns, sizeof(binding.ns), "%s", bad[i].ns);
		(void)snprintf(binding.kind, sizeof(binding.kind), "%s", bad[i].kind);
		(void)snprintf(binding.name, sizeof(binding.name), "%s", bad[i].name);
		(void)snprintf(binding.key, sizeof(binding.key), "%s", bad[i].key);
		(void)snprintf(binding.container, sizeof(binding.container), "%s",
			       bad[i].container);
		cr_expect_lt(verify_binding_check(&binding, NULL), 0, "row %zu", i);
		cr_expect_lt(verify_seal(&out, ring, &binding, "x", 1, NULL), 0, "row %zu", i);
		cr_expect_eq(out.len, 0);
	}
}

/* Whoever holds the key could still write another header: its members are held to the same rules. */
Test(sealed, an_authentic_header_is_read_strictly)
{
	static const char *const bad[] = {
		"{}",
		"{\"ns\":\"a\",\"kind\":\"Secret\",\"name\":\"app\",\"key\":\"k\",\"gen\":1}",
		"{\"ns\":\"a\",\"kind\":\"Secret\",\"name\":\"app\",\"key\":\"k\",\"gen\":\"1\","
		"\"of\":1}",
		"{\"ns\":\"a\",\"kind\":\"Secret\",\"name\":\"app\",\"key\":\"k\",\"gen\":1.0,"
		"\"of\":1}",
		"{\"ns\":\"a\",\"kind\":\"Secret\",\"name\":\"app\",\"key\":\"k\",\"gen\":-1,"
		"\"of\":1}",
		"{\"ns\":\"a\",\"kind\":\"Secret\",\"name\":\"app\",\"key\":7,\"gen\":1,\"of\":1}",
		"{\"ns\":\"a\",\"kind\":\"Secret\",\"name\":\"app\",\"key\":\"k\",\"gen\":1,\"of\":"
		"1,\"x\":1}",
		"{\"ns\":\"a\",\"kind\":\"Secret\",\"name\":\"app\",\"key\":\"../"
		"k\",\"gen\":1,\"of\":1}",
	};
	FREE_RING ring = ring_of("shop", "web");

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		SEAL_SCOPED(seal_json_freep) struct seal_json *seal = NULL;
		FREE_SECRET plain = NULL;
		SEALED(out);

		cr_assert_eq(seal_json_parse(&seal, bad[i], strlen(bad[i]), 4096, NULL), 0);
		cr_assert_eq(seal_jwe_seal(&out, verify_ring_find(ring, VERIFY_CONFIG, 2),
					   "shop/config/web/2", seal, "x", 1, NULL),
			     0);
		cr_expect_eq(
			verify_open_any(&plain, NULL, ring, seal_bytes_str(&out), out.len, NULL),
			SEAL_E_FORMAT, "%s", bad[i]);
		cr_expect_null(plain);
	}
}

Test(sealed, without_a_key_nothing_is_sealed)
{
	struct verify_binding binding = binding_of("k");
	FREE_RING ring = NULL;
	SEALED(out);

	cr_assert_eq(verify_ring_new(&ring, "shop", "web", NULL), 0);
	cr_expect_eq(verify_seal(&out, ring, &binding, "x", 1, NULL), SEAL_E_MISSING);
	cr_expect_eq(out.len, 0);
}

#ifdef SEAL_INSTRUMENTED
#define NONCES 100000 /* at a tenth of the speed */
#else
#define NONCES 1000000
#endif
#define NONCE_BIN 12

static int
compare_nonces(const void *a, const void *b)
{
	return memcmp(a, b, NONCE_BIN);
}

/* The nonce as the value carries it: sixteen letters behind the second dot. */
static void
nonce_of(uint8_t *out, const char *sealed)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes nonce = SEAL_BYTES(NONCE_BIN);
	const char *at = strchr(strchr(sealed, '.') + 1, '.') + 1;

	cr_assert_eq(seal_base64url_decode(&nonce, at, strcspn(at, "."), NULL), 0);
	memcpy(out, nonce.data, NONCE_BIN);
}

Test(sealed, a_million_values_have_a_million_nonces, .timeout = 600)
{
	struct verify_binding binding = binding_of("k");
	FREE_RING ring = ring_of("shop", "web");
	uint8_t *nonces = malloc((size_t)NONCES * NONCE_BIN);
	SEALED(out);

	cr_assert_not_null(nonces);
	for (size_t i = 0; i < NONCES; i++) {
		seal_bytes_reset(&out);
		if (verify_seal(&out, ring, &binding, "x", 1, NULL) < 0)
			cr_assert_fail("cannot seal");
		nonce_of(nonces + i * NONCE_BIN, seal_bytes_str(&out));
	}
	qsort(nonces, NONCES, NONCE_BIN, compare_nonces);
	for (size_t i = 1; i < NONCES; i++)
		if (memcmp(nonces + i * NONCE_BIN, nonces + (i - 1) * NONCE_BIN, NONCE_BIN) == 0)
			cr_assert_fail("a nonce came twice");
	free(nonces);
}

/* ---- Container tokens ---- */

Test(token, is_read_back)
{
	SEAL_SCOPED(verify_token_release) struct verify_token token = { 0 };
	SEAL_SCOPED(verify_token_release) struct verify_token again = { 0 };
	FREE_RING ring = ring_of("shop", "web");
	FREE_SECRET text = NULL;

	cr_assert_eq(verify_token_make(&token, ring, "app", 0, NULL), 0);
	cr_assert_eq(verify_token_encode(&token, &text, NULL), 0);
	cr_assert_eq(
		verify_token_parse(&again, seal_secret_chars(text), seal_secret_len(text), NULL),
		0);
	cr_expect_str_eq(again.workload, "shop");
	cr_expect_str_eq(again.peer, "web");
	cr_expect_str_eq(again.container, "app");
	cr_expect_eq(again.generation, 2);
	cr_expect(seal_secret_equal(again.key, token.key));
}

Test(token, containers_peers_workloads_and_generations_have_different_ones)
{
	FREE_RING web = ring_of("shop", "web");
	FREE_RING db = ring_of("shop", "db");
	FREE_RING mall = ring_of("mall", "web");
	const struct verify_ring *const rings[] = { web, db, mall, web, web };
	SEAL_SCOPED(verify_token_release) struct verify_token first = { 0 };

	cr_assert_eq(verify_token_make(&first, web, "app", 2, NULL), 0);
	for (size_t i = 1; i < 5; i++) {
		SEAL_SCOPED(verify_token_release) struct verify_token other = { 0 };

		cr_assert_eq(verify_token_make(&other, rings[i], i == 3 ? "app2" : "app",
					       i == 4 ? 1 : 2, NULL),
			     0);
		cr_expect_not(seal_secret_equal(first.key, other.key), "%zu", i);
	}
}

Test(token, names_that_are_none_get_none)
{
	static const char *const bad[] = { "", "App", "a.b", "-a", "a-", "a/b", "a b" };
	FREE_RING ring = ring_of("shop", "web");
	SEAL_SCOPED(verify_token_release) struct verify_token token = { 0 };
	char longest[VERIFY_CONTAINER_MAX + 2];

	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		cr_expect_lt(verify_token_make(&token, ring, bad[i], 0, NULL), 0, "%s", bad[i]);
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	cr_expect_eq(verify_token_make(&token, ring, longest, 0, NULL), SEAL_E_LIMIT);
	cr_expect_eq(verify_token_make(&token, ring, "app", 3, NULL), SEAL_E_MISSING);
	cr_expect_null(token.key);
}

Test(token, every_truncation_and_every_foreign_line_is_refused)
{
	SEAL_SCOPED(verify_token_release) struct verify_token token = { 0 };
	SEAL_SCOPED(verify_token_release) struct verify_token again = { 0 };
	static const char *const bad[] = {
		"seal-egg.1.e30",   "seal-token.2.e30",    "seal-token.1.",
		"seal-token.1.e30", "seal-token.1.bnVsbA", " seal-token.1.e30",
	};
	FREE_RING ring = ring_of("shop", "web");
	FREE_SECRET text = NULL;

	cr_assert_eq(verify_token_make(&token, ring, "app", 0, NULL), 0);
	cr_assert_eq(verify_token_encode(&token, &text, NULL), 0);
	for (size_t len = 0; len < seal_secret_len(text); len++)
		cr_expect_lt(verify_token_parse(&again, seal_secret_chars(text), len, NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		cr_expect_lt(verify_token_parse(&again, bad[i], strlen(bad[i]), NULL), 0, "%s",
			     bad[i]);
	cr_expect_null(again.key);
}
