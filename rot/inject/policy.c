/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host may hand to a container, from the pod and from what the owner pins: the member "verify"
 * of its spec.  First what all containers of the pod share, then the mounts of each as they are after
 * injection.  A default is not written down: every byte stands in every container's argument.
 */
#include <stdio.h>
#include <string.h>

#include "config-verify/mounts.h"
#include "config-verify/policy.h"
#include "rot/inject/inject_internal.h"

#define ACCOUNT_DIR     "/var/run/secrets/kubernetes.io/serviceaccount"
#define RUN_ACCOUNT_DIR "/run/secrets/kubernetes.io/serviceaccount" /* /var/run is a link */

/* ---- Mounts ---- */

static struct seal_json *
declare(struct seal_json *mounts, const char *path, const char *source)
{
	struct seal_json *mount = seal_json_add_object(mounts);

	seal_json_set_str(mount, "path", path);
	seal_json_set_str(mount, "source", source);
	return mount;
}

static const struct seal_json *
find_declared(const struct seal_json *mounts, const char *path)
{
	for (size_t i = 0; i < seal_json_count(mounts); i++) {
		const char *there =
			seal_json_str(seal_json_member(seal_json_at(mounts, i), "path"));

		if (there != NULL && strcmp(there, path) == 0)
			return seal_json_at(mounts, i);
	}
	return NULL;
}

static bool
is_declared(const struct seal_json *mounts, const char *path)
{
	return find_declared(mounts, path) != NULL;
}

static bool
has_token(const struct seal_tree_node *volume)
{
	const struct seal_tree_node *sources = inject_path(volume, "projected", "sources", NULL);

	if (sources == NULL || seal_tree_kind(sources) != SEAL_TREE_LIST)
		return false;
	for (const struct seal_tree_node *at = seal_tree_first(sources); at != NULL;
	     at = seal_tree_next_of(at))
		if (inject_get(at, "serviceAccountToken") != NULL)
			return true;
	return false;
}

/* What the pod's own volumes are; ours are all memory. */
static const char *
source_of(const struct inject_pod *pod, const char *name, bool *ret_read_only)
{
	static const char *const data[] = { "configMap", "secret", "downwardAPI", "projected" };
	const struct inject_volume *volume = inject_volume_find(pod, name);

	*ret_read_only = false;
	if (volume == NULL)
		return "memory";
	/* Whatever the mount says, kubelet mounts what comes from the API read-only. */
	for (size_t i = 0; i < SEAL_COUNT(data); i++)
		*ret_read_only = *ret_read_only || inject_get(volume->node, data[i]) != NULL;
	if (strcmp(inject_peek_text(inject_get(volume->node, "emptyDir"), "medium", ""),
		   "Memory") == 0)
		return "memory";
	return !volume->is_sealed && has_token(volume->node) ? "account" : "volume";
}

/* Does the container mount the volume in parts, or more than once? */
static bool
is_in_parts(const struct inject_container *container, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < seal_json_count(container->mounts); i++) {
		const struct seal_json *mount = seal_json_at(container->mounts, i);
		const char *other = seal_json_str(seal_json_member(mount, "name"));

		if (other == NULL || strcmp(other, name) != 0)
			continue;
		if (seal_json_has(mount, "subPath") || seal_json_has(mount, "subPathExpr"))
			return true;
		count++;
	}
	return count > 1;
}

static int
add_mount(struct inject_container *container, const struct seal_json *mount,
	  struct seal_json *mounts, struct seal_err *err)
{
	const char *name = "";
	const char *path = "";
	const char *propagation = NULL;
	const struct seal_json *said = seal_json_member(mount, "mountPropagation");
	const struct seal_json *read_only = seal_json_member(mount, "readOnly");
	const char *source;
	struct seal_json *declared;
	bool is_read_only = false;
	char canonical[4096];
	int r = seal_json_get_str(mount, "name", &name, err);

	if (r == 0)
		r = seal_json_get_str(mount, "mountPath", &path, err);
	if (r < 0)
		return r;
	/* It was checked before, but for slashes at its end. */
	(void)snprintf(canonical, sizeof(canonical), "%.*s", (int)inject_path_len(path), path);
	if (!verify_is_mountable(canonical))
		inject_note(
			container->pod->item, container->node, INJECT_WARNED,
			"it hides what the image or the kernel must say: seal-wrap will not start "
			"there",
			"%s %s: mount at %s", container->label, container->name, canonical);
	source = source_of(container->pod, name, &is_read_only);
	declared = declare(mounts, canonical, source);
	/* Our own memory is never shared. */
	if (strcmp(source, "memory") == 0 && inject_volume_find(container->pod, name) != NULL &&
	    is_in_parts(container, name))
		seal_json_set_str(declared, "volume", name);
	if (is_read_only || (read_only != NULL && seal_json_kind(read_only) == SEAL_JSON_BOOL &&
			     seal_json_bool(read_only)))
		seal_json_set_bool(declared, "readOnly", true);
	if (said != NULL && seal_json_kind(said) != SEAL_JSON_NULL) {
		propagation = seal_json_str(said);
		seal_json_set_str(declared, "propagation", propagation != NULL ? propagation : "");
	}
	return 0;
}

/* A path of the host's file for last words, other than the usual. */
static int
add_termination(const struct inject_container *container, struct seal_json *mounts,
		struct seal_err *err)
{
	const char *path = "";
	struct seal_err why = { 0 };
	int r = inject_member_text(container->pod->item, container->node, "terminationMessagePath",
				   &path, err);

	if (r < 0 || path[0] == '\0' || strcmp(path, INJECT_TERMINATION_LOG) == 0 ||
	    is_declared(mounts, path))
		return r;
	if (verify_path_check(path, &why) < 0)
		return inject_fail(container->pod->item,
				   inject_get(container->node, "terminationMessagePath"), err,
				   SEAL_E_FORMAT, "terminationMessagePath %s", why.text);
	(void)declare(mounts, path, "volume");
	return 0;
}

static bool
says_same(const struct seal_json *one, const struct seal_json *other)
{
	static const struct {
		const char *member;
		const char *otherwise; /* NULL: a boolean, false */
	} members[] = {
		{ "source", "" },
		{ "propagation", "None" },
		{ "readOnly", NULL },
		{ "optional", NULL },
	};

	for (size_t i = 0; i < SEAL_COUNT(members); i++) {
		const struct seal_json *a = seal_json_member(one, members[i].member);
		const struct seal_json *b = seal_json_member(other, members[i].member);
		const char *otherwise = members[i].otherwise;

		if (otherwise == NULL
			    ? (a != NULL && seal_json_bool(a)) != (b != NULL && seal_json_bool(b))
			    : strcmp(a != NULL ? seal_json_str(a) : otherwise,
				     b != NULL ? seal_json_str(b) : otherwise) != 0)
			return false;
	}
	return true;
}

/* What the owner says that a runtime mounts besides. */
static int
add_pinned(const struct inject_container *container, struct seal_json *mounts, struct seal_err *err)
{
	const struct seal_json *pins = seal_json_member(container->pod->pins, "mounts");

	for (size_t i = 0; pins != NULL && i < seal_json_count(pins); i++) {
		const struct seal_json *pin = seal_json_at(pins, i);
		const char *path = seal_json_str(seal_json_member(pin, "path"));
		const struct seal_json *there = find_declared(mounts, path);

		if (there == NULL)
			seal_json_add_copy(mounts, pin);
		else if (!says_same(there, pin))
			return inject_fail(container->pod->item, container->node, err,
					   SEAL_E_REFUSED,
					   "%s '%s': '%.128s' is pinned as another mount than the "
					   "pod's",
					   container->label, container->name, path);
	}
	return 0;
}

/* Volumes that the image asks for: some runtimes mount them, some do not. */
static void
add_image_volumes(const struct inject_container *container, struct seal_json *mounts)
{
	const struct inject_image *image = inject_image_find(container);
	const struct seal_json *volumes =
		image != NULL ? seal_json_member(image->config, "Volumes") : NULL;

	if (volumes == NULL || seal_json_kind(volumes) != SEAL_JSON_OBJECT)
		return;
	for (const char *name = seal_json_next(volumes, NULL); name != NULL;
	     name = seal_json_next(volumes, name)) {
		char path[4096];
		const size_t len = inject_path_len(name);

		(void)snprintf(path, sizeof(path), "%.*s", (int)len, name);
		if (len >= sizeof(path) || path[1] == '\0' || verify_path_check(path, NULL) < 0 ||
		    is_declared(mounts, path))
			continue;
		seal_json_set_bool(declare(mounts, path, "volume"), "optional", true);
	}
}

/* ---- Service account ---- */

/* What the pod itself mounts where Kubernetes would put the service account; NULL: nothing, so that it does. */
static const char *
volume_there(const struct inject_container *container)
{
	for (size_t i = 0; i < seal_json_count(container->mounts); i++) {
		const struct seal_json *mount = seal_json_at(container->mounts, i);
		const char *path = seal_json_str(seal_json_member(mount, "mountPath"));
		const size_t len = path != NULL ? inject_path_len(path) : 0;

		if ((len == strlen(ACCOUNT_DIR) && memcmp(path, ACCOUNT_DIR, len) == 0) ||
		    (len == strlen(RUN_ACCOUNT_DIR) && memcmp(path, RUN_ACCOUNT_DIR, len) == 0))
			return seal_json_str(seal_json_member(mount, "name"));
	}
	return NULL;
}

static bool
has_item(const struct seal_tree_node *items, const char *path)
{
	if (items == NULL || seal_tree_kind(items) != SEAL_TREE_LIST)
		return false;
	for (const struct seal_tree_node *at = seal_tree_first(items); at != NULL;
	     at = seal_tree_next_of(at))
		if (strcmp(inject_peek_text(at, "path", ""), path) == 0)
			return true;
	return false;
}

/* Does a projected volume name this file? */
static bool
is_projected(const struct seal_tree_node *volume, const char *path)
{
	const struct seal_tree_node *sources = inject_path(volume, "projected", "sources", NULL);

	if (sources == NULL || seal_tree_kind(sources) != SEAL_TREE_LIST)
		return false;
	for (const struct seal_tree_node *at = seal_tree_first(sources); at != NULL;
	     at = seal_tree_next_of(at)) {
		if (has_item(inject_path(at, "configMap", "items", NULL), path) ||
		    has_item(inject_path(at, "downwardAPI", "items", NULL), path) ||
		    strcmp(inject_peek_text(inject_get(at, "serviceAccountToken"), "path", ""),
			   path) == 0)
			return true;
	}
	return false;
}

/* A token asked for another audience than the pinned ones would never pass. */
static int
check_audience(const struct inject_pod *pod, const struct seal_tree_node *volume,
	       struct seal_err *err)
{
	const struct seal_json *pins = inject_pin(pod->pins, "account", "audiences");
	const struct seal_tree_node *sources = inject_path(volume, "projected", "sources", NULL);

	if (pins == NULL || sources == NULL || seal_tree_kind(sources) != SEAL_TREE_LIST)
		return 0;
	for (const struct seal_tree_node *at = seal_tree_first(sources); at != NULL;
	     at = seal_tree_next_of(at)) {
		const char *audience =
			inject_peek_text(inject_get(at, "serviceAccountToken"), "audience", "");
		bool is_pinned = audience[0] == '\0'; /* the API server's own */

		for (size_t i = 0; i < seal_json_count(pins); i++)
			is_pinned = is_pinned ||
				    strcmp(seal_json_str(seal_json_at(pins, i)), audience) == 0;
		if (!is_pinned)
			return inject_fail(pod->item, at, err, SEAL_E_REFUSED,
					   "audience '%.128s' is not among the pinned ones",
					   audience);
	}
	return 0;
}

static bool
is_account_pinned(const struct inject_pod *pod)
{
	return inject_pin(pod->pins, "account", "issuer") != NULL ||
	       inject_pin(pod->pins, "account", "audiences") != NULL ||
	       inject_pin(pod->pins, "account", "ca") != NULL;
}

/*
 * What the pod does not say the ServiceAccount does, which only the cluster knows.  The mount that
 * Kubernetes adds is in no list: "mounted" says it all.  A volume of the pod's own in its place may hold
 * all of it, some, or, as an emptyDir, nothing.
 */
static int
add_account(const struct inject_container *container, struct seal_json *account,
	    struct seal_err *err)
{
	const struct inject_pod *pod = container->pod;
	const char *name = volume_there(container);
	const struct inject_volume *volume = name != NULL ? inject_volume_find(pod, name) : NULL;
	const char *mounted = NULL;

	if (volume != NULL && inject_get(volume->node, "emptyDir") != NULL)
		mounted = "no";
	else if (volume != NULL && !volume->is_sealed && is_projected(volume->node, "token") &&
		 is_projected(volume->node, "ca.crt") && is_projected(volume->node, "namespace"))
		mounted = "yes";
	else if (name == NULL && inject_get(pod->spec, "automountServiceAccountToken") != NULL)
		mounted = inject_is_true(pod->spec, "automountServiceAccountToken") ? "yes" : "no";
	else if (name == NULL && is_account_pinned(pod))
		mounted = "yes"; /* who pins what it says wants it to be there */
	if (mounted != NULL)
		seal_json_set_str(account, "mounted", mounted);
	return volume != NULL ? check_audience(pod, volume->node, err) : 0;
}

/* ---- One container ---- */

static int
check_policy(const struct inject_container *container, const struct seal_json *json,
	     struct seal_err *err)
{
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_POLICY_MAX);
	struct seal_err why = { 0 };
	int r = seal_json_dump(json, false, &text, &why);

	if (r == SEAL_E_LIMIT)
		r = seal_fail(&why, r, "its policy is more than %u bytes", VERIFY_POLICY_MAX);
	if (r == 0)
		r = verify_policy_parse(&policy, json, &why);
	return r < 0 ? inject_fail(container->pod->item, container->node, err, r, "%s '%s': %s",
				   container->label, container->name, why.text)
		     : 0;
}

int
inject_policy(struct inject_container *container, struct seal_err *err)
{
	struct seal_json *policy;
	struct seal_json *mounts;
	struct seal_json *account;
	int r = 0;

	seal_json_set_copy(container->spec, "verify", container->pod->policy);
	policy = (struct seal_json *)(uintptr_t)seal_json_member(container->spec, "verify");
	if (policy == NULL)
		return seal_fail_memory(err);
	account = (struct seal_json *)(uintptr_t)seal_json_member(policy, "account");
	mounts = seal_json_set_array(policy, "mounts");
	for (size_t i = 0; r == 0 && i < seal_json_count(container->mounts); i++)
		r = add_mount(container, seal_json_at(container->mounts, i), mounts, err);
	if (r == 0)
		r = add_termination(container, mounts, err);
	if (r == 0)
		r = add_pinned(container, mounts, err);
	if (r == 0)
		r = add_account(container, account, err);
	if (r < 0)
		return r;
	add_image_volumes(container, mounts);
	return check_policy(container, policy, err);
}
