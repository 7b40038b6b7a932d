/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What images run when nobody says it: from the configuration of an image as a file, or from an OCI
 * layout (a folder with index.json and blobs).
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs/fs.h"
#include "config-verify/spec.h"
#include "rot/cli/inject.h"

#define MAX_CONFIG  (4u * 1024 * 1024)
#define MAX_NESTING 3 /* of indexes */
#define HEX_LEN     64

void
cli_images_release(struct cli_images *images)
{
	for (size_t i = 0; i < images->count; i++) {
		seal_json_free(images->images[i].config);
		free(images->names[i]);
	}
	images->count = 0;
}

static int
read_json(struct seal_json **ret_json, int dirfd, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(MAX_CONFIG);
	int r = seal_fs_read(&text, dirfd, name, MAX_CONFIG, err);

	if (r == 0)
		r = seal_json_parse(ret_json, text.data, text.len, MAX_CONFIG, err);
	return r;
}

/* ---- An OCI layout ---- */

/* {"digest":"sha256:..."} as the path of the blob. */
static int
blob_path(const struct seal_json *descriptor, char *out, size_t size, struct seal_err *err)
{
	const char *digest = NULL;
	int r = seal_json_get_str(descriptor, "digest", &digest, err);

	if (r < 0)
		return r;
	if (strncmp(digest, "sha256:", 7) != 0 ||
	    strspn(digest + 7, "0123456789abcdef") != HEX_LEN || digest[7 + HEX_LEN] != '\0')
		return seal_fail(err, SEAL_E_FORMAT, "'%.80s' is no SHA-256 digest", digest);
	(void)snprintf(out, size, "blobs/sha256/%s", digest + 7);
	return 0;
}

/* The one manifest of an index, down to one that names a configuration. */
static int
find_manifest(struct seal_json **manifest, int dirfd, struct seal_err *err)
{
	const struct seal_json *list = NULL;
	struct seal_json *next = NULL;
	char path[128];
	int r = 0;

	for (int i = 0; r == 0 && i < MAX_NESTING && seal_json_has(*manifest, "manifests"); i++) {
		r = seal_json_get_array(*manifest, "manifests", &list, err);
		if (r == 0 && seal_json_count(list) != 1)
			r = seal_fail(err, SEAL_E_FORMAT,
				      "%zu images in this layout: copy out the one that is meant",
				      seal_json_count(list));
		if (r == 0)
			r = blob_path(seal_json_at(list, 0), path, sizeof(path), err);
		if (r == 0)
			r = read_json(&next, dirfd, path, err);
		if (r < 0)
			return r;
		seal_json_free(*manifest);
		*manifest = SEAL_TAKE(next);
	}
	return r;
}

static int
read_layout(struct seal_json **ret_json, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *manifest = NULL;
	SEAL_SCOPED(seal_closep) int dirfd = seal_fs_open_dir(path, SEAL_FS_ANY, err);
	const struct seal_json *config = NULL;
	char blob[128];
	int r = dirfd;

	if (r >= 0)
		r = read_json(&manifest, dirfd, "index.json", err);
	if (r == 0)
		r = find_manifest(&manifest, dirfd, err);
	if (r == 0)
		r = seal_json_get_object(manifest, "config", &config, err);
	if (r == 0)
		r = blob_path(config, blob, sizeof(blob), err);
	return r < 0 ? r : read_json(ret_json, dirfd, blob, err);
}

/* ---- What is in it ---- */

static int
check_config(const struct seal_json *config, struct seal_err *err)
{
	static const char *const lists[] = { "Entrypoint", "Cmd", "Env" };
	const struct seal_json *cwd = seal_json_member(config, "WorkingDir");

	for (size_t i = 0; i < SEAL_COUNT(lists); i++) {
		SEAL_SCOPED(seal_strv_release) struct seal_strv words = { 0 };
		const struct seal_json *list = seal_json_member(config, lists[i]);
		int r = 0;

		if (list != NULL && seal_json_kind(list) != SEAL_JSON_NULL)
			r = seal_json_get_strv(config, lists[i], VERIFY_MAX_ENV, &words, err);
		if (r < 0)
			return r;
	}
	if (cwd != NULL && seal_json_kind(cwd) != SEAL_JSON_NULL && seal_json_str(cwd) == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "WorkingDir is no string");
	return 0;
}

/* The member config of an image's configuration, as skopeo prints it. */
static int
read_config(struct seal_json **ret_config, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	const struct seal_json *config = NULL;
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		r = read_layout(&json, path, err);
	else
		r = read_json(&json, AT_FDCWD, path, err);
	if (r == 0)
		r = seal_json_get_object(json, "config", &config, err);
	if (r == 0)
		r = check_config(config, err);
	if (r < 0)
		return r;
	/* A value on its own: its text is the one way to take it out. */
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(MAX_CONFIG);
	r = seal_json_dump(config, false, &text, err);
	return r < 0 ? r : seal_json_parse(ret_config, text.data, text.len, MAX_CONFIG, err);
}

static int
add_image(struct cli_images *images, const char *spec, struct seal_err *err)
{
	const char *equals = strchr(spec, '=');
	const char *path = equals != NULL ? equals + 1 : spec;
	size_t at = images->count;
	int r;

	if (at == CLI_MAX_IMAGES)
		return seal_fail(err, SEAL_E_LIMIT, "more than %d --image-config", CLI_MAX_IMAGES);
	images->names[at] = seal_strndup(spec, equals != NULL ? (size_t)(equals - spec) : 0);
	if (images->names[at] == NULL)
		return seal_fail_memory(err);
	images->images[at] = (struct inject_image){ .match = images->names[at] };
	images->count++;
	r = read_config(&images->images[at].config, path, err);
	return r < 0 ? seal_note(err, r, "--image-config '%s'", path) : 0;
}

int
cli_images_read(struct cli_images *images, const struct seal_strv *specs, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < specs->count; i++)
		r = add_image(images, specs->items[i], err);
	return r;
}
