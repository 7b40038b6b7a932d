/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy from its JSON: members, their limits, and that they do not contradict each other.  It knows
 * nothing of containers.  The policy keeps copies, so that the text may go; names are lower case from
 * here on.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names/names.h"
#include "config-verify/policy_internal.h"
#include "config-verify/sealed.h"
#include "config-verify/spec.h"

#define POLICY_VERSION 1
#define MAX_TYPES      16
#define MAX_LAYERS     1024 /* the kernel takes 500 */

/* ---- Memory ---- */

void *
verify_policy_room(struct verify_policy_store *store, size_t count, size_t size,
		   struct seal_err *err)
{
	void **blocks;
	void *block = calloc(count > 0 ? count : 1, size);

	if (block == NULL) {
		(void)seal_fail_memory(err);
		return NULL;
	}
	blocks = reallocarray(store->blocks, store->block_count + 1, sizeof(*blocks));
	if (blocks == NULL) {
		free(block);
		(void)seal_fail_memory(err);
		return NULL;
	}
	store->blocks = blocks;
	blocks[store->block_count++] = block;
	return block;
}

char *
verify_policy_copy(struct verify_policy_store *store, const char *text, struct seal_err *err)
{
	size_t size = strlen(text) + 1;
	char *copy = verify_policy_room(store, size, 1, err);

	if (copy != NULL)
		memcpy(copy, text, size);
	return copy;
}

/* ---- Members ---- */

int
verify_policy_object(const struct seal_json *json, const char *name, const char *const *known,
		     const struct seal_json **ret_object, struct seal_err *err)
{
	const struct seal_json *object = NULL;
	int r;

	*ret_object = NULL;
	if (!seal_json_has(json, name))
		return 0;
	r = seal_json_get_object(json, name, &object, err);
	if (r == 0)
		r = seal_json_only(object, known, err);
	if (r < 0)
		return seal_note(err, SEAL_E_FORMAT, "%s", name);
	*ret_object = object;
	return 0;
}

int
verify_policy_list(const struct seal_json *json, const char *name, size_t max,
		   const struct seal_json **ret_list, struct seal_err *err)
{
	const struct seal_json *list = NULL;
	int r;

	*ret_list = NULL;
	if (!seal_json_has(json, name))
		return 0;
	r = seal_json_get_array(json, name, &list, err);
	if (r < 0)
		return r;
	if (seal_json_count(list) > max)
		return seal_fail(err, SEAL_E_LIMIT, "%s has more than %zu elements", name, max);
	*ret_list = list;
	return 0;
}

int
verify_policy_text(struct verify_policy_store *store, const struct seal_json *json,
		   const char *name, verify_policy_check check, const char **ret_text,
		   struct seal_err *err)
{
	const char *text = NULL;
	int r;

	if (!seal_json_has(json, name))
		return 0;
	r = seal_json_get_str(json, name, &text, err);
	if (r == 0)
		r = check(text, err);
	if (r < 0)
		return seal_note(err, r, "%s", name);
	*ret_text = verify_policy_copy(store, text, err);
	return *ret_text != NULL ? 0 : SEAL_E_MEMORY;
}

int
verify_policy_texts(struct verify_policy_store *store, const struct seal_json *list,
		    verify_policy_check check, bool is_name, const char *const **ret_texts,
		    size_t *ret_count, struct seal_err *err)
{
	size_t count = seal_json_count(list);
	const char **texts = verify_policy_room(store, count, sizeof(*texts), err);

	if (texts == NULL)
		return SEAL_E_MEMORY;
	for (size_t i = 0; i < count; i++) {
		const char *text = seal_json_str(seal_json_at(list, i));
		char *copy;
		int r;

		if (text == NULL)
			return seal_fail(err, SEAL_E_FORMAT, "element %zu is no string", i);
		copy = verify_policy_copy(store, text, err);
		if (copy == NULL)
			return SEAL_E_MEMORY;
		if (is_name)
			verify_policy_lower(copy);
		r = check(copy, err);
		if (r < 0)
			return r;
		texts[i] = copy;
	}
	*ret_texts = texts;
	*ret_count = count;
	return 0;
}

static int
get_bool(const struct seal_json *json, const char *name, bool *ret_value, struct seal_err *err)
{
	return seal_json_has(json, name) ? seal_json_get_bool(json, name, ret_value, err) : 0;
}

int
verify_policy_word(const struct seal_json *json, const char *name, const char *const *words,
		   size_t count, size_t *ret_index, struct seal_err *err)
{
	const char *text = NULL;
	int r;

	if (!seal_json_has(json, name))
		return 0;
	r = seal_json_get_str(json, name, &text, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(words[i], text) == 0) {
			*ret_index = i;
			return 0;
		}
	}
	return seal_fail(err, SEAL_E_FORMAT, "%s: '%.64s' is none of its values", name, text);
}

/* ---- Checks of texts ---- */

static int
check_type(const char *text, struct seal_err *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(text);

	if (len == 0 || len > 64 || strspn(text, letters) != len)
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no type of file systems", text);
	return 0;
}

static int
check_label(const char *text, struct seal_err *err)
{
	if (strchr(text, '.') != NULL)
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no name of one part", text);
	return verify_policy_check_hostname(text, err);
}

/* A pod's own: of 253 letters, whose parts may be longer than those of a host name. */
static int
check_name(const char *text, struct seal_err *err)
{
	size_t len = strlen(text);

	return len > 0 && len <= VERIFY_NAME_MAX &&
			       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len
		       ? 0
		       : seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no name of a pod", text);
}

/* What a name begins with: it may end with '-' or '.'. */
static int
check_prefix(const char *text, struct seal_err *err)
{
	char whole[SEAL_HOSTNAME_MAX + 2];

	if ((size_t)snprintf(whole, sizeof(whole), "%sx", text) >= sizeof(whole) || text[0] == '\0')
		return seal_fail(err, SEAL_E_FORMAT, "an empty prefix, or one that is too long");
	return verify_policy_check_hostname(whole, err);
}

/* ---- Mode, root, pod ---- */

static int
parse_mode(struct verify_policy *policy, const struct seal_json *json, struct seal_err *err)
{
	static const char *const modes[] = { "enforce", "audit" };
	size_t index = 0;
	uint64_t version = 0;
	int r = seal_json_get_u64(json, "version", UINT32_MAX, &version, err);

	if (r == 0 && version != POLICY_VERSION)
		r = seal_fail(err, SEAL_E_FORMAT, "version %llu, not %d",
			      (unsigned long long)version, POLICY_VERSION);
	if (r == 0)
		r = verify_policy_word(json, "mode", modes, SEAL_COUNT(modes), &index, err);
	policy->mode = index == 0 ? VERIFY_ENFORCE : VERIFY_AUDIT;
	return r;
}

static int
check_root(const struct verify_policy *policy, struct seal_err *err)
{
	bool is_overlay = policy->root.types == NULL;

	for (size_t i = 0; i < policy->root.type_count; i++)
		is_overlay = is_overlay || strcmp(policy->root.types[i], "overlay") == 0;
	if (policy->root.layers > 0 && !is_overlay)
		return seal_fail(
			err, SEAL_E_REFUSED,
			"root: layers are those of an overlay, which is not among its types");
	return 0;
}

static int
parse_root(struct verify_policy_store *store, const struct seal_json *json, struct seal_err *err)
{
	static const char *const known[] = { "types", "layers", NULL };
	struct verify_policy *policy = &store->policy;
	const struct seal_json *root = NULL;
	const struct seal_json *types = NULL;
	uint64_t layers = 0;
	int r = verify_policy_object(json, "root", known, &root, err);

	if (r < 0 || root == NULL)
		return r;
	r = verify_policy_list(root, "types", MAX_TYPES, &types, err);
	if (r == 0 && types != NULL && seal_json_count(types) == 0)
		r = seal_fail(err, SEAL_E_FORMAT, "types is empty: nothing would be allowed");
	if (r == 0 && types != NULL)
		r = verify_policy_texts(store, types, check_type, false, &policy->root.types,
					&policy->root.type_count, err);
	if (r == 0 && seal_json_has(root, "layers"))
		r = seal_json_get_u64(root, "layers", MAX_LAYERS, &layers, err);
	if (r == 0 && seal_json_has(root, "layers") && layers == 0)
		r = seal_fail(err, SEAL_E_LIMIT, "layers: 1 to %d", MAX_LAYERS);
	if (r < 0)
		return seal_note(err, r, "root");
	policy->root.layers = (size_t)layers;
	return check_root(policy, err);
}

static int
parse_pod(struct verify_policy_store *store, const struct seal_json *json, struct seal_err *err)
{
	static const char *const known[] = {
		"namespace", "name", "hostname", "hostnamePrefix", "subdomain", "hostNetwork", NULL
	};
	struct verify_policy *policy = &store->policy;
	const struct seal_json *pod = NULL;
	int r = verify_policy_object(json, "pod", known, &pod, err);

	if (r < 0 || pod == NULL)
		return r;
	r = verify_policy_text(store, pod, "namespace", check_label, &policy->pod.ns, err);
	if (r == 0)
		r = verify_policy_text(store, pod, "name", check_name, &policy->pod.name, err);
	if (r == 0)
		r = verify_policy_text(store, pod, "hostname", verify_policy_check_hostname,
				       &policy->pod.hostname, err);
	if (r == 0)
		r = verify_policy_text(store, pod, "hostnamePrefix", check_prefix,
				       &policy->pod.hostname_prefix, err);
	if (r == 0)
		r = verify_policy_text(store, pod, "subdomain", verify_policy_check_hostname,
				       &policy->pod.subdomain, err);
	if (r == 0)
		r = get_bool(pod, "hostNetwork", &policy->pod.has_host_network, err);
	if (r == 0 && policy->pod.hostname != NULL && policy->pod.hostname_prefix != NULL)
		r = seal_fail(err, SEAL_E_REFUSED, "both hostname and hostnamePrefix");
	return r < 0 ? seal_note(err, r, "pod") : 0;
}

/* ---- Mounts ---- */

static int
check_mount(const struct verify_policy *policy, const struct verify_declared_mount *mount,
	    struct seal_err *err)
{
	int r = verify_path_check(mount->path, err);

	if (r < 0)
		return r;
	if (mount->path[1] == '\0')
		return seal_fail(err, SEAL_E_REFUSED, "the root itself cannot be declared");
	for (size_t i = 0; i < policy->mount_count; i++)
		if (strcmp(policy->mounts[i].path, mount->path) == 0)
			return seal_fail(err, SEAL_E_REFUSED, "'%.128s' is declared twice",
					 mount->path);
	return 0;
}

static int
parse_mount(struct verify_policy_store *store, const struct seal_json *json,
	    struct verify_declared_mount *mount, struct seal_err *err)
{
	static const char *const known[] = { "path",     "source",      "volume", "readOnly",
					     "optional", "propagation", NULL };
	static const char *const sources[] = { "memory", "volume", "account" };
	static const char *const propagations[] = { "None", "HostToContainer", "Bidirectional" };
	const char *path = NULL;
	size_t source = SEAL_COUNT(sources);
	size_t propagation = 0;
	int r;

	if (seal_json_kind(json) != SEAL_JSON_OBJECT)
		return seal_fail(err, SEAL_E_FORMAT, "it must be an object");
	r = seal_json_only(json, known, err);
	if (r == 0)
		r = seal_json_get_str(json, "path", &path, err);
	if (r == 0)
		r = verify_policy_text(store, json, "volume", check_label, &mount->volume, err);
	if (r == 0)
		r = verify_policy_word(json, "source", sources, SEAL_COUNT(sources), &source, err);
	if (r == 0)
		r = verify_policy_word(json, "propagation", propagations, SEAL_COUNT(propagations),
				       &propagation, err);
	if (r == 0)
		r = get_bool(json, "readOnly", &mount->is_read_only, err);
	if (r == 0)
		r = get_bool(json, "optional", &mount->is_optional, err);
	if (r < 0)
		return r;
	if (source == SEAL_COUNT(sources))
		return seal_fail(err, SEAL_E_MISSING, "'source' is missing");
	if (mount->volume != NULL && source != VERIFY_FROM_MEMORY)
		return seal_fail(err, SEAL_E_REFUSED, "'volume' is for memory");
	mount->source = (enum verify_mount_source)source;
	mount->propagation = (enum verify_propagation)propagation;
	mount->path = verify_policy_copy(store, path, err);
	return mount->path != NULL ? check_mount(&store->policy, mount, err) : SEAL_E_MEMORY;
}

static int
parse_mounts(struct verify_policy_store *store, const struct seal_json *json, struct seal_err *err)
{
	const struct seal_json *list = NULL;
	struct verify_declared_mount *mounts;
	int r = verify_policy_list(json, "mounts", VERIFY_MAX_MOUNTS, &list, err);

	if (r < 0 || list == NULL)
		return r;
	mounts = verify_policy_room(store, seal_json_count(list), sizeof(*mounts), err);
	if (mounts == NULL)
		return SEAL_E_MEMORY;
	store->policy.mounts = mounts;
	for (size_t i = 0; i < seal_json_count(list); i++) {
		r = parse_mount(store, seal_json_at(list, i), &mounts[i], err);
		if (r < 0)
			return seal_note(err, r, "mounts[%zu]", i);
		store->policy.mount_count++;
	}
	return 0;
}

/* ---- The whole ---- */

static int
parse_all(struct verify_policy_store *store, const struct seal_json *json, struct seal_err *err)
{
	static const char *const known[] = { "version", "mode",   "root",    "mounts",   "pod",
					     "hosts",   "resolv", "account", "services", NULL };
	int r = parse_mode(&store->policy, json, err);

	/* What a newer version has besides is not ours to judge, but its number is. */
	if (r == 0)
		r = seal_json_only(json, known, err);
	if (r == 0)
		r = parse_root(store, json, err);
	if (r == 0)
		r = parse_mounts(store, json, err);
	if (r == 0)
		r = parse_pod(store, json, err);
	if (r == 0)
		r = verify_policy_parse_hosts(store, json, err);
	if (r == 0)
		r = verify_policy_parse_resolv(store, json, err);
	if (r == 0)
		r = verify_policy_parse_account(store, json, err);
	store->policy.has_services = true; /* as Kubernetes has it */
	return r < 0 ? r : get_bool(json, "services", &store->policy.has_services, err);
}

int
verify_policy_parse(struct verify_policy **ret_policy, const struct seal_json *json,
		    struct seal_err *err)
{
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;
	struct verify_policy_store *store;
	int r;

	if (seal_json_kind(json) != SEAL_JSON_OBJECT)
		return seal_fail(err, SEAL_E_FORMAT, "policy: it must be an object");
	store = calloc(1, sizeof(*store));
	if (store == NULL)
		return seal_fail_memory(err);
	policy = &store->policy;
	r = parse_all(store, json, err);
	if (r < 0) /* a member that is missing makes it malformed */
		return seal_note(err, r == SEAL_E_MISSING ? SEAL_E_FORMAT : r, "policy");
	*ret_policy = SEAL_TAKE(policy);
	return 0;
}

void
verify_policy_free(struct verify_policy *policy)
{
	struct verify_policy_store *store = (struct verify_policy_store *)policy; /* it is first */

	if (store == NULL)
		return;
	for (size_t i = 0; i < store->block_count; i++)
		free(store->blocks[i]);
	free(store->blocks);
	free(store);
}

void
verify_policy_freep(struct verify_policy **policy)
{
	verify_policy_free(*policy);
	*policy = NULL;
}
