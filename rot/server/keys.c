/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workloads' keys: /v1/workloads/NAME/keys, and what others get of them.  Keys are derived when they
 * are needed and forgotten with the request; roots stay with the signer.
 */

#include <inttypes.h>

#include "config-verify/token.h"
#include "rot/server/api_internal.h"

#define LISTED_MAX 256 /* generations that are shown */

/* Failures that pass stay what they are; a refusal says that we asked for something wrong. */
static int
judge(int r, struct seal_err *err)
{
	switch (r) {
	case 0:
	case SEAL_E_CLOSED:
	case SEAL_E_TIMEOUT:
	case SEAL_E_SYSTEM:
	case SEAL_E_MEMORY:
		return r;
	case SEAL_E_UNAUTH:
		return seal_note(err, SEAL_E_SYSTEM, "the store is damaged");
	default:
		return seal_note(err, SEAL_E_BUG, "keys");
	}
}

/* Make a root of that generation.  SEAL_E_CONFLICT: somebody else has. */
static int
add_root(struct rot_call *call, const char *workload, uint64_t generation, struct seal_err *err)
{
	SEAL_SCOPED(rot_root_release) struct rot_root root = { 0 };
	int r;

	r = judge(rot_signer_new_root(call->api->config.signer, workload, generation, &root, err),
		  err);
	if (r < 0)
		return r;
	return rot_store_add_root(call->api->config.store, &root, call->now, err);
}

/* The roots in use, at least one. */
static int
find_roots(struct rot_call *call, const char *workload, struct rot_roots *roots,
	   struct seal_err *err)
{
	struct rot_store *store = call->api->config.store;
	int r;

	r = rot_store_roots(store, workload, roots, err);
	if (r < 0 || roots->count > 0)
		return r;
	r = add_root(call, workload, 1, err);
	if (r < 0 && r != SEAL_E_CONFLICT)
		return r;
	r = rot_store_roots(store, workload, roots, err);
	if (r == 0 && roots->count == 0)
		return seal_fail(err, SEAL_E_SYSTEM, "the store is damaged: '%s' has no root",
				 workload);
	return r;
}

int
rot_ring(struct rot_call *call, const char *workload, const char *peer, unsigned purposes,
	 bool active_only, struct verify_ring **ret_ring, struct seal_err *err)
{
	SEAL_SCOPED(rot_roots_release) struct rot_roots roots = { .count = 0 };
	size_t first, count;
	int r;

	r = find_roots(call, workload, &roots, err);
	if (r < 0)
		return r;
	first = active_only ? roots.active : 0;
	count = active_only ? 1 : roots.count;
	return judge(rot_signer_derive(call->api->config.signer, &roots.items[first], count, peer,
				       purposes, ret_ring, err),
		     err);
}

/* ---- Pods ---- */

static int
add_key(struct rot_credentials *credentials, const struct verify_ring *ring,
	const struct verify_key_id *id, struct seal_err *err)
{
	const struct seal_secret *key = verify_ring_find(ring, id->purpose, id->generation);
	struct rot_key *entry = &credentials->keys[credentials->key_count];
	char text[VERIFY_KEY_ID_MAX];
	int r;

	if (key == NULL)
		return seal_fail(err, SEAL_E_BUG, "a ring without a key it was made with");
	verify_key_id_format(id, text);
	r = seal_secret_from(&entry->key, seal_secret_peek(key), seal_secret_len(key), err);
	if (r < 0)
		return r;
	credentials->key_count++; /* from here on released with the rest */
	entry->id = seal_strndup(text, strlen(text));
	return entry->id == NULL ? seal_fail_memory(err) : 0;
}

static int
add_keys(struct rot_credentials *credentials, const struct rot_roots *roots,
	 const struct verify_ring *ring, struct seal_err *err)
{
	struct verify_key_id id = { 0 };
	int r = 0;

	(void)snprintf(id.workload, sizeof(id.workload), "%s", credentials->workload);
	(void)snprintf(id.peer, sizeof(id.peer), "%s", credentials->peer);
	credentials->keys = calloc(roots->count * VERIFY_N_PURPOSES, sizeof(*credentials->keys));
	if (credentials->keys == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < roots->count; i++) {
		id.generation = roots->items[i].generation;
		for (unsigned p = 0; r == 0 && p < VERIFY_N_PURPOSES; p++) {
			id.purpose = (enum verify_purpose)p;
			r = add_key(credentials, ring, &id, err);
		}
	}
	return r;
}

int
rot_fill_keys(struct rot_call *call, struct rot_credentials *credentials, uint64_t *ret_newest,
	      struct seal_err *err)
{
	SEAL_SCOPED(rot_roots_release) struct rot_roots roots = { .count = 0 };
	SEAL_SCOPED(verify_ring_freep) struct verify_ring *ring = NULL;
	int r;

	r = find_roots(call, credentials->workload, &roots, err);
	if (r == 0)
		r = judge(rot_signer_derive(call->api->config.signer, roots.items, roots.count,
					    credentials->peer, ROT_PURPOSES_ALL, &ring, err),
			  err);
	if (r == 0)
		r = add_keys(credentials, &roots, ring, err);
	if (r < 0)
		return r;
	*ret_newest = roots.items[0].generation;
	return rot_store_floor(call->api->config.store, credentials->workload, credentials->peer,
			       &credentials->floor, &credentials->floor_count, err);
}

/* ---- Containers ---- */

static int
check_container(const char *name, struct seal_err *err)
{
	struct verify_binding binding = {
		.ns = "x", .kind = "X", .name = "x", .key = "x", .gen = 1, .of = 1
	};

	if (name[0] == '\0' || strlen(name) > VERIFY_CONTAINER_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "a container's name has 1 to %u letters",
				 VERIFY_CONTAINER_MAX);
	(void)snprintf(binding.container, sizeof(binding.container), "%s", name);
	return verify_binding_check(&binding, err);
}

static int
set_token(struct seal_json *tokens, const struct verify_ring *ring, const char *container,
	  struct seal_err *err)
{
	SEAL_SCOPED(verify_token_release) struct verify_token token = { 0 };
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	int r;

	r = verify_token_make(&token, ring, container, 0, err);
	if (r == 0)
		r = verify_token_encode(&token, &text, err);
	if (r < 0)
		return r;
	seal_json_set_str(tokens, container, seal_secret_chars(text));
	return 0;
}

int
rot_set_tokens(struct rot_call *call, const char *workload, const char *peer, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv containers = { 0 };
	SEAL_SCOPED(verify_ring_freep) struct verify_ring *ring = NULL;
	struct seal_json *tokens;
	int r;

	r = rot_body_names(call, "containers", check_container, &containers, err);
	if (r < 0 || containers.count == 0)
		return r;
	r = rot_ring(call, workload, peer, ROT_PURPOSE(VERIFY_CONTAINER), true, &ring, err);
	if (r < 0)
		return r;
	tokens = seal_json_set_object(call->reply, "tokens");
	for (size_t i = 0; r == 0 && i < containers.count; i++)
		r = set_token(tokens, ring, containers.items[i], err);
	return r;
}

/* ---- Operators ---- */

struct listing {
	struct rot_call *call;
	const char *workload;
	struct seal_json *array;
};

/* Who has not got a generation matters until it seals. */
static int
add_to_list(void *arg, const struct rot_root_info *root, struct seal_err *err)
{
	const struct listing *listing = arg;
	struct seal_json *entry = seal_json_add_object(listing->array);

	seal_json_set_u64(entry, "generation", root->generation);
	seal_json_set_str(entry, "phase", rot_phase_name(root->phase));
	seal_json_set_u64(entry, "created_at", (uint64_t)root->created_at);
	if (root->retired_at != 0)
		seal_json_set_u64(entry, "retired_at", (uint64_t)root->retired_at);
	else
		seal_json_set_null(entry, "retired_at");
	seal_json_set_u64(entry, "objects", root->objects);
	if (root->phase != ROT_PHASE_INTRODUCED) {
		seal_json_set_u64(entry, "waiting", 0);
		return 0;
	}
	return rot_set_holders(listing->call, entry, "waiting", "waiting_for", listing->workload,
			       ROT_WITHOUT_KEY, root->generation, err);
}

int
rot_set_keys(struct rot_call *call, struct seal_json *object, const char *workload,
	     struct seal_err *err)
{
	struct listing listing = { .call = call,
				   .workload = workload,
				   .array = seal_json_set_array(object, "keys") };

	return rot_store_each_root(call->api->config.store, workload, LISTED_MAX, add_to_list,
				   &listing, err);
}

static int
reply_keys(struct rot_call *call, struct seal_err *err)
{
	seal_json_set_str(call->reply, "workload", call->param);
	return rot_set_keys(call, call->reply, call->param, err);
}

static void
note_subject(struct rot_call *call, uint64_t generation, bool force)
{
	(void)snprintf(call->subject, sizeof(call->subject), "%s: generation %" PRIu64 "%s",
		       call->param, generation, force ? ", forced" : "");
}

static int
introduce(struct rot_call *call, uint64_t generation, struct seal_err *err)
{
	SEAL_SCOPED(rot_root_release) struct rot_root root = { 0 };
	int r;

	if (generation > VERIFY_MAX_KEY_GENERATION)
		return seal_fail(err, SEAL_E_LIMIT, "there are no more key generations");
	r = judge(
		rot_signer_new_root(call->api->config.signer, call->param, generation, &root, err),
		err);
	return r < 0 ? r : rot_store_introduce_root(call->api->config.store, &root, call->now, err);
}

int
rot_keys_rotate(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(rot_roots_release) struct rot_roots roots = { .count = 0 };
	int r;

	r = seal_workload_check(call->param, err);
	if (r == 0)
		rot_call_about(call, call->param);
	if (r == 0)
		r = find_roots(call, call->param, &roots, err);
	if (r == 0)
		r = introduce(call, roots.newest + 1, err);
	if (r < 0)
		return r;
	call->status = 201;
	note_subject(call, roots.newest + 1, false);
	return reply_keys(call, err);
}

/* WORKLOAD, GENERATION and force of a request. */
static int
read_target(struct rot_call *call, uint64_t *ret_generation, bool *ret_force, struct seal_err *err)
{
	int r = seal_workload_check(call->param, err);

	if (r == 0)
		rot_call_about(call, call->param);
	if (r == 0)
		r = seal_number_parse(call->param2, 1, VERIFY_MAX_KEY_GENERATION, ret_generation,
				      err);
	return r < 0 ? r : rot_query_flag(call, "force", ret_force, err);
}

int
rot_keys_switch(struct rot_call *call, struct seal_err *err)
{
	uint64_t generation = 0;
	bool force = false;
	int r = read_target(call, &generation, &force, err);

	if (r == 0)
		r = rot_store_switch_root(call->api->config.store, call->param, generation, force,
					  call->now, err);
	if (r < 0)
		return r;
	note_subject(call, generation, force);
	return reply_keys(call, err);
}

int
rot_keys_retire(struct rot_call *call, struct seal_err *err)
{
	uint64_t generation = 0;
	bool force = false;
	int r = read_target(call, &generation, &force, err);

	if (r == 0)
		r = rot_store_retire_root(call->api->config.store, call->param, generation, force,
					  call->now, err);
	if (r < 0)
		return r;
	note_subject(call, generation, force);
	return reply_keys(call, err);
}
