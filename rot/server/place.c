/* SPDX-License-Identifier: Apache-2.0 */
/* Where the store is: options, the file in DIR, and what the engine is told.  Opens no store. */

#include "rot/server/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/json/json.h"

#define SQLITE   "sqlite"
#define ETCD     "etcd:"
#define FILE_MAX (64u * 1024)

bool
rot_place_is_etcd(const struct rot_place *place)
{
	return strncmp(place->store, ETCD, strlen(ETCD)) == 0;
}

/* ---- Options ---- */

static int
copy(char *out, size_t size, const char *from, const char *what, struct seal_err *err)
{
	int n = snprintf(out, size, "%s", from);

	if (n < 0 || (size_t)n >= size)
		return seal_fail(err, SEAL_E_LIMIT, "%s is too long", what);
	return 0;
}

/* A path that still leads there from another working directory. */
static int
copy_path(char out[static PATH_MAX], const char *from, const char *option, struct seal_err *err)
{
	char here[PATH_MAX];
	int n;

	if (from == NULL)
		return 0;
	if (from[0] == '/')
		return copy(out, PATH_MAX, from, option, err);
	if (getcwd(here, sizeof(here)) == NULL)
		return seal_fail_errno(err, errno, "cannot tell the working directory");
	n = snprintf(out, PATH_MAX, "%s/%s", here, from);
	if (n < 0 || n >= PATH_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "%s is too long", option);
	return 0;
}

static int
check_store(const char *store, struct seal_err *err)
{
	if (strcmp(store, SQLITE) == 0)
		return 0;
	if (strncmp(store, ETCD "https://", strlen(ETCD "https://")) == 0)
		return 0;
	return seal_fail(err, SEAL_E_USAGE,
			 "--store is sqlite, or etcd:https://HOST:PORT[,https://HOST:PORT...], not "
			 "'%.200s'",
			 store);
}

static int
complete(struct rot_place *place, const char *dir, struct seal_err *err)
{
	int n;

	if (rot_place_is_etcd(place)) {
		if (place->ca[0] == '\0' || place->cert[0] == '\0' || place->key[0] == '\0')
			return seal_fail(err, SEAL_E_USAGE,
					 "etcd is spoken to with certificates: give --store-ca, "
					 "--store-cert and --store-key");
		(void)snprintf(place->where, sizeof(place->where), "%s", place->store);
		return 0;
	}
	if (place->ca[0] != '\0' || place->cert[0] != '\0' || place->key[0] != '\0' ||
	    place->prefix[0] != '\0')
		return seal_fail(err, SEAL_E_USAGE,
				 "--store-ca, --store-cert, --store-key and --store-prefix are for "
				 "--store etcd:...");
	n = snprintf(place->where, sizeof(place->where), SQLITE ":%s/" ROT_DB_NAME, dir);
	if (n < 0 || (size_t)n >= PATH_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "%s: the path is too long", dir);
	return 0;
}

static int
apply(struct rot_place *place, const struct rot_place_options *options, struct seal_err *err)
{
	int r = 0;

	if (options->store != NULL) {
		r = check_store(options->store, err);
		if (r == 0)
			r = copy(place->store, sizeof(place->store), options->store, "--store",
				 err);
		/* Credentials and prefix are for one etcd, not for the next, or for none. */
		if (r == 0 && !rot_place_is_etcd(place))
			place->ca[0] = place->cert[0] = place->key[0] = place->prefix[0] = '\0';
	}
	if (r == 0 && options->prefix != NULL)
		r = copy(place->prefix, sizeof(place->prefix), options->prefix, "--store-prefix",
			 err);
	if (r == 0)
		r = copy_path(place->ca, options->ca, "--store-ca", err);
	if (r == 0)
		r = copy_path(place->cert, options->cert, "--store-cert", err);
	if (r == 0)
		r = copy_path(place->key, options->key, "--store-key", err);
	return r;
}

int
rot_place_make(struct rot_place *ret_place, const char *dir,
	       const struct rot_place_options *options, struct seal_err *err)
{
	struct rot_place place = { .store = SQLITE };
	int r = apply(&place, options, err);

	if (r == 0)
		r = complete(&place, dir, err);
	if (r == 0)
		*ret_place = place;
	return r;
}

/* ---- The file ---- */

static int
member(const struct seal_json *json, const char *name, char *out, size_t size)
{
	const char *text = NULL;

	if (!seal_json_has(json, name))
		return 0;
	if (seal_json_get_str(json, name, &text, NULL) < 0)
		return SEAL_E_FORMAT;
	return copy(out, size, text, name, NULL);
}

static int
parse(const struct seal_json *json, struct rot_place *place)
{
	static const char *const members[] = { "store", "prefix", "ca", "cert", "key", "id", NULL };
	int r = seal_json_only(json, members, NULL);

	if (r == 0)
		r = member(json, "store", place->store, sizeof(place->store));
	if (r == 0)
		r = member(json, "prefix", place->prefix, sizeof(place->prefix));
	if (r == 0)
		r = member(json, "ca", place->ca, sizeof(place->ca));
	if (r == 0)
		r = member(json, "cert", place->cert, sizeof(place->cert));
	if (r == 0)
		r = member(json, "key", place->key, sizeof(place->key));
	if (r == 0)
		r = member(json, "id", place->id, sizeof(place->id));
	return r == 0 ? check_store(place->store, NULL) : r;
}

/* SEAL_E_MISSING without it. */
static int
read_file(struct rot_place *place, int dir_fd, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(FILE_MAX);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	struct rot_place found = { .store = "" };
	int r = seal_fs_read(&text, dir_fd, ROT_PLACE_NAME, FILE_MAX, err);

	if (r < 0)
		return r;
	r = seal_json_parse(&json, text.data, text.len, FILE_MAX, err);
	if (r == 0)
		r = parse(json, &found);
	if (r < 0)
		return seal_fail(err, SEAL_E_FORMAT,
				 ROT_PLACE_NAME " does not say where a store is: give --store");
	*place = found;
	return 0;
}

int
rot_place_find(struct rot_place *ret_place, const char *dir, int dir_fd,
	       const struct rot_place_options *options, struct seal_err *err)
{
	struct rot_place place = { .store = SQLITE };
	int r = read_file(&place, dir_fd, err);

	if (r < 0 && r != SEAL_E_MISSING)
		return r;
	if (r == SEAL_E_MISSING && options->store == NULL &&
	    faccessat(dir_fd, ROT_DB_NAME, F_OK, 0) < 0)
		return seal_fail(err, SEAL_E_MISSING,
				 "there is no root of trust: make one with seal init --dir %s",
				 dir);
	r = apply(&place, options, err);
	if (r == 0)
		r = complete(&place, dir, err);
	if (r == 0)
		*ret_place = place;
	return r;
}

bool
rot_place_is_taken(int dir_fd)
{
	struct rot_place place = { .store = SQLITE };
	int r = read_file(&place, dir_fd, NULL);

	return faccessat(dir_fd, ROT_DB_NAME, F_OK, 0) == 0 || (r < 0 && r != SEAL_E_MISSING) ||
	       rot_place_is_etcd(&place);
}

static void
set(struct seal_json *json, const char *name, const char *text)
{
	if (text[0] != '\0')
		seal_json_set_str(json, name, text);
}

int
rot_place_write(const struct rot_place *place, int dir_fd, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(FILE_MAX);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	int r;

	seal_json_set_str(json, "store", place->store);
	set(json, "prefix", place->prefix);
	set(json, "ca", place->ca);
	set(json, "cert", place->cert);
	set(json, "key", place->key);
	set(json, "id", place->id);
	r = seal_json_dump(json, true, &text, err);
	if (r == 0)
		r = seal_bytes_append_str(&text, "\n", err);
	return r < 0 ? r
		     : seal_fs_write(dir_fd, ROT_PLACE_NAME, text.data, text.len, 0600, true, err);
}

/* ---- For others ---- */

void
rot_place_config(const struct rot_place *place, struct rot_kv_config *ret_config)
{
	*ret_config = (struct rot_kv_config){ .where = place->where };
	if (!rot_place_is_etcd(place))
		return;
	ret_config->prefix = place->prefix[0] != '\0' ? place->prefix : NULL;
	ret_config->ca = place->ca;
	ret_config->cert = place->cert;
	ret_config->key = place->key;
}

int
rot_place_check(const struct rot_place *place, const char *id, struct seal_err *err)
{
	if (place->id[0] == '\0' || strcmp(place->id, id) == 0)
		return 0;
	return seal_fail(err, SEAL_E_REFUSED,
			 "this is store %s, but DIR/" ROT_PLACE_NAME
			 " remembers store %s: give the right one with --store; if this one has "
			 "taken its place (a restore), remove the id from that file",
			 id, place->id);
}

void
rot_place_name(const struct rot_place *place, char *out, size_t size)
{
	if (rot_place_is_etcd(place) && place->prefix[0] != '\0')
		(void)snprintf(out, size, "%s below %s", place->store, place->prefix);
	else
		(void)snprintf(out, size, "%s", place->store);
}
