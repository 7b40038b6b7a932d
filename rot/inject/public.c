/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates of public listeners: sealed Secrets, which the host hands to the sidecar where its
 * configuration looks for the files.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

/* The directory of a path; false for what has none. */
static bool
directory_of(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');

	if (path[0] != '/' || slash == path || (size_t)(slash - path) >= size)
		return false;
	(void)snprintf(out, size, "%.*s", (int)(slash - path), path);
	return verify_path_check(out, NULL) == 0;
}

/* One Secret may be looked for in one place by several listeners. */
static bool
is_mounted(const struct inject_pod *pod, const char *secret, const char *directory)
{
	for (size_t i = 0; i < seal_json_count(pod->public); i++) {
		const struct seal_json *entry = seal_json_at(pod->public, i);

		if (strcmp(seal_json_str(seal_json_member(entry, "secret")), secret) == 0 &&
		    strcmp(seal_json_str(seal_json_member(entry, "directory")), directory) == 0)
			return true;
	}
	return false;
}

static void
add_volume(struct inject_pod *pod, const char *name, const char *secret)
{
	struct seal_json *volume = seal_json_add_object(pod->memory);
	struct seal_json *source;

	seal_json_set_str(volume, "name", name);
	source = seal_json_set_object(volume, "secret");
	seal_json_set_str(source, "secretName", secret);
	seal_json_set_u64(source, "defaultMode", 0444);
}

static int
add_secret(struct inject_pod *pod, const struct seal_json *pair, struct seal_err *err)
{
	const struct seal_json *certificate = seal_json_member(pair, "certificate");
	const struct seal_json *secret = seal_json_member(pair, "secret");
	char directory[4096];
	struct seal_json *entry;
	char name[64];

	if (secret == NULL || seal_json_kind(secret) == SEAL_JSON_NULL)
		return 0;
	if (seal_json_str(secret) == NULL || certificate == NULL ||
	    seal_json_str(certificate) == NULL ||
	    !directory_of(seal_json_str(certificate), directory, sizeof(directory)))
		return inject_fail(pod->item, pod->spec, err, SEAL_E_FORMAT,
				   "a public listener with a secret has a certificate with an "
				   "absolute path");
	if (is_mounted(pod, seal_json_str(secret), directory))
		return 0;
	(void)snprintf(name, sizeof(name), INJECT_PUBLIC_PREFIX "%zu",
		       seal_json_count(pod->public));
	add_volume(pod, name, seal_json_str(secret));
	entry = seal_json_add_object(pod->public);
	seal_json_set_copy(entry, "secret", secret);
	seal_json_set_str(entry, "directory", directory);
	seal_json_set_str(entry, "volume", name);
	inject_note(pod->item, pod->spec, INJECT_ADDED, "for a public listener",
		    "volume %s of Secret %s", name, seal_json_str(secret));
	return 0;
}

int
inject_public(struct inject_pod *pod, struct seal_err *err)
{
	const struct seal_json *list = seal_json_member(pod->proxy, "public");
	int r = 0;

	pod->public = seal_json_set_array(pod->all, "public");
	for (size_t i = 0; list != NULL && seal_json_kind(list) == SEAL_JSON_ARRAY && r == 0 &&
			   i < seal_json_count(list);
	     i++) {
		const struct seal_json *listener = seal_json_at(list, i);
		const struct seal_json *more;

		if (seal_json_kind(listener) != SEAL_JSON_OBJECT)
			continue;
		r = add_secret(pod, listener, err);
		more = seal_json_member(listener, "certificates");
		for (size_t k = 0; more != NULL && seal_json_kind(more) == SEAL_JSON_ARRAY &&
				   r == 0 && k < seal_json_count(more);
		     k++) {
			if (seal_json_kind(seal_json_at(more, k)) == SEAL_JSON_OBJECT)
				r = add_secret(pod, seal_json_at(more, k), err);
		}
	}
	return r;
}
