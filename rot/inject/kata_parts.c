/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container may have besides its words: mounts, devices, its image, its user.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/kata_internal.h"

#define DIGEST_MARK "@sha256:"
#define DIGEST_LEN  64
/* No user was named: the image's, which is not known here. */
#define ANY_USER (-1)

static void
add_mount(struct seal_json *mounts, const char *path)
{
	char clean[4096];

	(void)snprintf(clean, sizeof(clean), "%.*s", (int)inject_path_len(path), path);
	seal_json_add_str(mounts, clean);
}

static int
set_mounts(const struct kata_place *place, struct seal_json *to, struct seal_err *err)
{
	struct seal_json *mounts = seal_json_set_array(to, "mounts");
	struct seal_tree_node *list = NULL;
	const char *path = NULL;
	int r = inject_member_text(place->item, place->node, "terminationMessagePath", &path, err);

	if (r == 0 && path != NULL)
		add_mount(mounts, path);
	if (r == 0)
		r = inject_member_list(place->item, place->node, "volumeMounts", &list, err);
	for (struct seal_tree_node *at = list != NULL ? seal_tree_first(list) : NULL;
	     r == 0 && at != NULL; at = seal_tree_next_of(at)) {
		path = NULL;
		r = inject_member_text(place->item, at, "mountPath", &path, err);
		if (r == 0 && (path == NULL || path[0] != '/' || strlen(path) >= 4096))
			r = inject_fail(place->item, at, err, SEAL_E_FORMAT,
					"a mountPath must be absolute, and not too long");
		if (r == 0)
			add_mount(mounts, path);
		if (strcmp(inject_peek_text(at, "mountPropagation", ""), "Bidirectional") == 0)
			seal_json_set_bool(to, "shares_root", true);
	}
	return r;
}

/* The block devices of the manifest. */
static int
set_devices(const struct kata_place *place, struct seal_json *to, struct seal_err *err)
{
	struct seal_json *devices = seal_json_set_array(to, "devices");
	struct seal_tree_node *list = NULL;
	int r = inject_member_list(place->item, place->node, "volumeDevices", &list, err);

	for (struct seal_tree_node *at = list != NULL ? seal_tree_first(list) : NULL;
	     r == 0 && at != NULL; at = seal_tree_next_of(at)) {
		const char *path = NULL;

		r = inject_member_text(place->item, at, "devicePath", &path, err);
		if (r == 0 && path != NULL)
			seal_json_add_str(devices, path);
	}
	return r;
}

static bool
is_digest(const char *text)
{
	const char *digits = text + strlen(DIGEST_MARK);

	return strlen(digits) == DIGEST_LEN && strspn(digits, "0123456789abcdef") == DIGEST_LEN;
}

/* Of an image that is named by its digest, whatever its name is turned into on the way. */
static int
set_image(const struct kata_place *place, struct seal_json *to, struct seal_err *err)
{
	const char *image = "";
	const char *digest;
	int r = inject_member_text(place->item, place->node, "image", &image, err);

	if (r < 0)
		return r;
	digest = strstr(image, DIGEST_MARK);
	if (!place->options->allow_host_images && (digest == NULL || !is_digest(digest)))
		return inject_fail(
			place->item, place->node, err, SEAL_E_REFUSED,
			"container '%.63s': its image '%.128s' is not named by digest "
			"(@sha256:...), so the enclave could not tell what it pulls: name "
			"it so, or say --allow-host-images",
			place->name, image);
	seal_json_set_str(to, "digest", digest != NULL ? digest : "");
	return 0;
}

static int
set_user(const struct kata_place *place, struct seal_json *to, struct seal_err *err)
{
	const struct seal_tree_node *user =
		inject_path(place->node, "securityContext", "runAsUser", NULL);
	uint64_t uid = 0;
	int r = 0;

	if (user == NULL)
		user = inject_path(place->pod, "securityContext", "runAsUser", NULL);
	if (user == NULL) {
		seal_json_set_i64(to, "user", ANY_USER);
		return 0;
	}
	r = inject_number(place->item, user, "runAsUser", INT32_MAX, &uid, err);
	seal_json_set_u64(to, "user", uid);
	return r;
}

int
kata_set_rest(const struct kata_place *place, struct seal_json *to, struct seal_err *err)
{
	int r = set_mounts(place, to, err);

	if (r == 0)
		r = set_devices(place, to, err);
	if (r == 0)
		r = set_image(place, to, err);
	return r < 0 ? r : set_user(place, to, err);
}
