/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/proxy/sealed_rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define MAX_GENERATION 8

/* Every generation has a root of its own; the answer is the same each time it is asked. */
static struct seal_secret *
derive(const struct verify_key_id *id)
{
	struct seal_secret *root = NULL;
	struct seal_secret *key = NULL;
	uint8_t bytes[SEAL_KEY_LEN];

	memset(bytes, (int)id->generation, sizeof(bytes));
	cr_assert_eq(seal_secret_from(&root, bytes, sizeof(bytes), NULL), 0);
	cr_assert_eq(verify_key_derive(&key, root, id, NULL), 0);
	seal_secret_free(root);
	return key;
}

static struct verify_key_id
name_key(const char *workload, const char *peer, enum verify_purpose purpose, unsigned generation)
{
	struct verify_key_id id = { .purpose = purpose, .generation = generation };

	(void)snprintf(id.workload, sizeof(id.workload), "%s", workload);
	(void)snprintf(id.peer, sizeof(id.peer), "%s", peer);
	return id;
}

struct verify_ring *
sealed_ring(const char *workload, const char *peer, unsigned generations)
{
	struct verify_ring *ring = NULL;

	cr_assert_eq(verify_ring_new(&ring, workload, peer, NULL), 0);
	for (unsigned n = 1; n < MAX_GENERATION; n++) {
		for (unsigned purpose = 0;
		     (generations & SEALED_GEN(n)) != 0 && purpose < VERIFY_N_PURPOSES; purpose++) {
			struct verify_key_id id =
				name_key(workload, peer, (enum verify_purpose)purpose, n);
			struct seal_secret *key = derive(&id);

			cr_assert_eq(verify_ring_add(ring, &id, &key, NULL), 0);
		}
	}
	return ring;
}

struct rot_credentials
sealed_answer(const char *workload, const char *peer, unsigned generations)
{
	struct rot_credentials answer = { .epoch = 1 };
	char text[VERIFY_KEY_ID_MAX];

	(void)snprintf(answer.workload, sizeof(answer.workload), "%s", workload);
	(void)snprintf(answer.peer, sizeof(answer.peer), "%s", peer);
	answer.keys = calloc((size_t)MAX_GENERATION * VERIFY_N_PURPOSES, sizeof(*answer.keys));
	cr_assert_not_null(answer.keys);
	for (unsigned n = 1; n < MAX_GENERATION; n++) {
		for (unsigned purpose = 0;
		     (generations & SEALED_GEN(n)) != 0 && purpose < VERIFY_N_PURPOSES; purpose++) {
			struct verify_key_id id =
				name_key(workload, peer, (enum verify_purpose)purpose, n);

			verify_key_id_format(&id, text);
			answer.keys[answer.key_count].id = strdup(text);
			answer.keys[answer.key_count].key = derive(&id);
			answer.key_count++;
		}
	}
	return answer;
}

void
sealed_add_floor(struct rot_credentials *answer, const char *object, uint64_t gen)
{
	answer->floor = realloc(answer->floor, (answer->floor_count + 1) * sizeof(*answer->floor));
	cr_assert_not_null(answer->floor);
	answer->floor[answer->floor_count].object = strdup(object);
	answer->floor[answer->floor_count].gen = gen;
	answer->floor_count++;
}

struct proxy_keys *
sealed_keys(void)
{
	struct rot_credentials answer = sealed_answer("shop", "web", SEALED_GEN(1) | SEALED_GEN(2));
	struct proxy_keys *keys = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(proxy_keys_new(&keys, &err), 0);
	cr_assert_eq(proxy_keys_update(keys, &answer, &err), 0, "%s", err.text);
	rot_credentials_release(&answer);
	return keys;
}

struct verify_binding
sealed_at(const char *kind, const char *name, const char *key, uint64_t gen)
{
	struct verify_binding at = { .ns = "shop", .gen = gen, .of = 1 };

	(void)snprintf(at.kind, sizeof(at.kind), "%s", kind);
	(void)snprintf(at.name, sizeof(at.name), "%s", name);
	(void)snprintf(at.key, sizeof(at.key), "%s", key);
	return at;
}

char *
sealed_value(const struct verify_ring *ring, const struct verify_binding *at, const char *plain)
{
	struct seal_bytes out = SEAL_BYTES(VERIFY_SEALED_MAX);
	struct seal_err err = { 0 };
	char *copy;

	cr_assert_eq(verify_seal(&out, ring, at, plain, strlen(plain), &err), 0, "%s", err.text);
	copy = strdup(seal_bytes_str(&out));
	seal_bytes_release(&out);
	cr_assert_not_null(copy);
	return copy;
}
