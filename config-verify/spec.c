/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container spec from its text.  The text is authentic when it gets here, but who wrote it may have
 * been wrong, or newer than we are: what is not understood is refused.  Sentences name members, objects
 * and variables, never a value.
 */

#include "config-verify/spec_internal.h"

#include <string.h>

#include "base/secret/secret.h"
#include "config-verify/sealed.h"

#define SPEC_VERSION 1
#define MAX_WORDS    16384 /* of a command; the text's length is the real limit */

/* ---- Members ---- */

const struct seal_json *
verify_spec_member(const struct seal_json *object, const char *name)
{
	const struct seal_json *member;

	if (object == NULL)
		return NULL;
	member = seal_json_member(object, name);
	return member == NULL || seal_json_kind(member) == SEAL_JSON_NULL ? NULL : member;
}

int
verify_spec_get_str(const struct seal_json *object, const char *name, const char **ret_text,
		    struct seal_err *err)
{
	return verify_spec_member(object, name) == NULL
		       ? 0
		       : seal_json_get_str(object, name, ret_text, err);
}

int
verify_spec_get_bool(const struct seal_json *object, const char *name, bool *ret_value,
		     struct seal_err *err)
{
	return verify_spec_member(object, name) == NULL
		       ? 0
		       : seal_json_get_bool(object, name, ret_value, err);
}

int
verify_spec_get_object(const struct seal_json *object, const char *name,
		       const struct seal_json **ret_object, struct seal_err *err)
{
	*ret_object = NULL;
	return verify_spec_member(object, name) == NULL
		       ? 0
		       : seal_json_get_object(object, name, ret_object, err);
}

int
verify_spec_get_array(const struct seal_json *object, const char *name, size_t max,
		      const struct seal_json **ret_array, struct seal_err *err)
{
	const struct seal_json *array = NULL;
	int r = 0;

	if (verify_spec_member(object, name) != NULL)
		r = seal_json_get_array(object, name, &array, err);
	if (r < 0)
		return r;
	if (array != NULL && seal_json_count(array) > max)
		return seal_fail(err, SEAL_E_LIMIT, "'%s' has more than %zu elements", name, max);
	*ret_array = array;
	return 0;
}

static int
get_strv(const struct seal_json *object, const char *name, size_t max, struct seal_strv *ret_list,
	 struct seal_err *err)
{
	return verify_spec_member(object, name) == NULL
		       ? 0
		       : seal_json_get_strv(object, name, max, ret_list, err);
}

int
verify_spec_keep(struct verify_spec *spec, const char *text, const char **ret_text,
		 struct seal_err *err)
{
	int r = seal_strv_add(&spec->owned, text, err);

	if (r < 0)
		return r;
	*ret_text = spec->owned.items[spec->owned.count - 1];
	return 0;
}

/* ---- Objects ---- */

int
verify_spec_check_object(const char *kind, const char *name, const char *key, struct seal_err *err)
{
	struct verify_binding binding = { .ns = "any", .gen = 1, .of = 1 };

	if (strcmp(kind, "ConfigMap") != 0 && strcmp(kind, "Secret") != 0)
		return seal_fail(err, SEAL_E_FORMAT, "an object that is no ConfigMap or Secret");
	if (key == NULL)
		key = "any";
	if (strlen(name) > VERIFY_NAME_MAX || strlen(key) > VERIFY_NAME_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "a name or key longer than %d letters",
				 VERIFY_NAME_MAX);
	(void)snprintf(binding.kind, sizeof(binding.kind), "%s", kind); /* they fit */
	(void)snprintf(binding.name, sizeof(binding.name), "%s", name);
	(void)snprintf(binding.key, sizeof(binding.key), "%s", key);
	return verify_binding_check(&binding, err);
}

int
verify_spec_add_object(struct verify_spec *spec, const struct verify_object *object,
		       struct seal_err *err)
{
	for (size_t i = 0; i < spec->object_count; i++) {
		struct verify_object *known = &spec->objects[i];

		if (strcmp(known->kind, object->kind) == 0 &&
		    strcmp(known->name, object->name) == 0) {
			known->optional = known->optional && object->optional;
			return 0;
		}
	}
	if (spec->object_count == SEAL_COUNT(spec->objects))
		return seal_fail(err, SEAL_E_LIMIT, "more than %d ConfigMaps and Secrets",
				 VERIFY_MAX_OBJECTS);
	spec->objects[spec->object_count++] = *object;
	return 0;
}

/* ---- What is run, and where ---- */

static int
add_words(struct verify_spec *spec, const struct seal_json *from, const char *name,
	  struct seal_err *err)
{
	struct seal_strv words = { 0 };
	int r = get_strv(from, name, MAX_WORDS, &words, err);

	for (size_t i = 0; r == 0 && i < words.count; i++)
		r = seal_strv_add(&spec->argv, words.items[i], err);
	for (size_t i = 0; i < words.count; i++)
		seal_wipe(words.items[i], strlen(words.items[i]));
	seal_strv_release(&words);
	return r;
}

/* As container runtimes join a container's command with its image's. */
static int
parse_argv(struct verify_spec *spec, const struct seal_json *image,
	   const struct seal_json *container, struct seal_err *err)
{
	int r = add_words(spec, container, "command", err);

	if (r == 0 && spec->argv.count == 0) {
		r = add_words(spec, image, "Entrypoint", err);
		spec->argv_literals = spec->argv.count;
		if (r == 0)
			r = add_words(spec, container, "args", err);
		if (r == 0 && spec->argv.count == spec->argv_literals) {
			r = add_words(spec, image, "Cmd", err);
			spec->argv_literals = spec->argv.count;
		}
	} else if (r == 0) {
		r = add_words(spec, container, "args", err);
	}
	if (r < 0)
		return r;
	if (spec->argv.count == 0 || spec->argv.items[0][0] == '\0')
		return seal_fail(err, SEAL_E_FORMAT, "no command, and none of the image is known");
	return 0;
}

/* Images write "/app/" and "/app/." too. */
static void
shorten_path(char *path)
{
	const char *from = path;
	char *to = path;

	while (from[0] == '/') {
		size_t len = strcspn(from + 1, "/");

		if (len > 0 && !(len == 1 && from[1] == '.')) {
			memmove(to, from, len + 1);
			to += len + 1;
		}
		from += len + 1;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
}

static int
parse_cwd(struct verify_spec *spec, const struct seal_json *image,
	  const struct seal_json *container, struct seal_err *err)
{
	const char *cwd = "";
	int r = verify_spec_get_str(container, "workingDir", &cwd, err);

	if (r == 0 && cwd[0] == '\0')
		r = verify_spec_get_str(image, "WorkingDir", &cwd, err);
	if (r < 0)
		return r;
	if (cwd[0] == '\0')
		cwd = "/";
	spec->cwd = seal_strndup(cwd, strlen(cwd));
	if (spec->cwd == NULL)
		return seal_fail_memory(err);
	if (spec->cwd[0] == '/')
		shorten_path(spec->cwd);
	r = verify_path_check(spec->cwd, err);
	return r < 0 ? seal_note(err, r, "working directory") : 0;
}

/* ---- The whole ---- */

static int
check_version(const struct seal_json *json, struct seal_err *err)
{
	uint64_t version = 0;
	int r = seal_json_get_u64(json, "version", UINT32_MAX, &version, err);

	if (r < 0)
		return seal_note(err, SEAL_E_FORMAT, "version");
	if (version != SPEC_VERSION)
		return seal_fail(err, SEAL_E_FORMAT, "version %llu, not %d",
				 (unsigned long long)version, SPEC_VERSION);
	return 0;
}

static int
parse_names(const struct seal_json *json, const char *member, struct seal_strv *ret_names,
	    struct seal_err *err)
{
	int r = get_strv(json, member, VERIFY_MAX_ENV, ret_names, err);

	for (size_t i = 0; r == 0 && i < ret_names->count; i++)
		r = verify_variable_check(ret_names->items[i], err);
	return r < 0 ? seal_note(err, r, "'%s'", member) : 0;
}

static int
parse_lists(struct verify_spec *spec, struct seal_err *err)
{
	int r = parse_names(spec->json, "exempt", &spec->exempt, err);

	if (r == 0)
		r = parse_names(spec->json, "loader", &spec->loader, err);
	for (size_t i = 0; r == 0 && i < spec->exempt.count; i++)
		if (verify_is_loader_variable(spec->exempt.items[i]))
			return seal_fail(err, SEAL_E_FORMAT,
					 "'exempt': %s chooses code and never comes from the host",
					 spec->exempt.items[i]);
	return r;
}

static int
parse_place(struct verify_spec *spec, struct seal_err *err)
{
	int r = get_strv(spec->json, "place", VERIFY_MAX_FILES, &spec->place, err);

	for (size_t i = 0; r == 0 && i < spec->place.count; i++) {
		r = verify_path_check(spec->place.items[i], err);
		if (r == 0 && spec->place.items[i][1] == '\0')
			r = seal_fail(err, SEAL_E_FORMAT, "'/' is no file");
	}
	if (r < 0)
		return seal_note(err, r, "'place'");
	if (verify_spec_member(spec->json, "place") != NULL && spec->place.count == 0)
		return seal_fail(err, SEAL_E_FORMAT, "'place' is empty");
	return 0;
}

static int
parse_exec(struct verify_spec *spec, struct seal_err *err)
{
	int r;

	if (verify_spec_member(spec->json, "exec") == NULL)
		return 0;
	r = add_words(spec, spec->json, "exec", err);
	if (r < 0)
		return r;
	if (spec->argv.count == 0 || spec->argv.items[0][0] == '\0')
		return seal_fail(err, SEAL_E_FORMAT, "'exec' is empty");
	spec->is_exec = true;
	return 0;
}

static int
parse_container(struct verify_spec *spec, struct seal_err *err)
{
	const struct seal_json *container = NULL;
	const struct seal_json *image = NULL;
	const struct seal_json *files = NULL;
	int r = seal_json_get_object(spec->json, "container", &container, err);

	if (r < 0)
		return seal_note(err, SEAL_E_FORMAT, "the container");
	r = seal_json_get_str(container, "name", &spec->container, err);
	if (r < 0 || spec->container[0] == '\0' || strlen(spec->container) > VERIFY_CONTAINER_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "the container has no name, or no good one");
	r = verify_spec_get_object(spec->json, "image", &image, err);
	if (r == 0 && !spec->is_exec)
		r = parse_argv(spec, image, container, err);
	if (r == 0)
		r = parse_cwd(spec, image, container, err);
	if (r == 0)
		r = verify_spec_parse_env(spec, image, container, err);
	if (r == 0)
		r = verify_spec_get_array(spec->json, "files", VERIFY_MAX_FILES, &files, err);
	if (r == 0 && files != NULL)
		r = verify_spec_parse_files(spec, files, err);
	return r;
}

/*
 * Whoever runs something judges what the host handed in: a probe's command finds the same secrets, and a
 * host can run it in a container of its own.
 */
static int
parse_policy(struct verify_spec *spec, struct seal_err *err)
{
	const struct seal_json *policy = NULL;
	bool runs = spec->place.count == 0;
	int r = verify_spec_get_object(spec->json, "verify", &policy, err);

	if (r < 0)
		return r;
	if (runs != (policy != NULL))
		return seal_fail(
			err, SEAL_E_FORMAT, "%s",
			runs ? "'verify' is missing: nothing says what the host may hand in"
			     : "'verify' is for what is run, and a place is not");
	return runs ? verify_policy_parse(&spec->policy, policy, err) : 0;
}

static int
parse_all(struct verify_spec *spec, struct seal_err *err)
{
	static const char *const known[] = { "version", "exec",   "place",  "container", "image",
					     "files",   "verify", "exempt", "loader",    NULL };
	static const char *const known_image[] = { "Entrypoint", "Cmd", "Env", "WorkingDir", NULL };
	const struct seal_json *image = NULL;
	int r = check_version(spec->json, err);

	/* What a newer version has besides is not ours to judge, but its number is. */
	if (r == 0)
		r = seal_json_only(spec->json, known, err);
	if (r == 0)
		r = verify_spec_get_object(spec->json, "image", &image, err);
	if (r == 0 && image != NULL)
		r = seal_json_only(image, known_image, err);
	if (r == 0)
		r = parse_place(spec, err);
	if (r == 0)
		r = parse_exec(spec, err);
	if (r == 0)
		r = parse_policy(spec, err);
	if (r < 0)
		return r;
	if (spec->place.count > 0)
		return spec->is_exec ? seal_fail(err, SEAL_E_FORMAT, "both 'place' and 'exec'") : 0;
	r = parse_lists(spec, err);
	return r < 0 ? r : parse_container(spec, err);
}

int
verify_spec_parse(struct verify_spec **ret_spec, const void *text, size_t len, struct seal_err *err)
{
	SEAL_SCOPED(verify_spec_freep) struct verify_spec *spec = NULL;
	int r;

	spec = calloc(1, sizeof(*spec));
	if (spec == NULL)
		return seal_fail_memory(err);
	spec->container = "";
	r = seal_json_parse(&spec->json, text, len, VERIFY_SPEC_MAX, err);
	if (r == 0)
		r = parse_all(spec, err);
	if (r < 0) /* a member that is missing makes it malformed */
		return seal_note(err, r == SEAL_E_MISSING ? SEAL_E_FORMAT : r, "container spec");
	*ret_spec = SEAL_TAKE(spec);
	return 0;
}

/* Words of a command may be secret. */
static void
wipe_list(struct seal_strv *list)
{
	for (size_t i = 0; i < list->count; i++)
		seal_wipe(list->items[i], strlen(list->items[i]));
	seal_strv_release(list);
}

void
verify_spec_free(struct verify_spec *spec)
{
	if (spec == NULL)
		return;
	seal_json_free(spec->json);
	wipe_list(&spec->owned);
	wipe_list(&spec->argv);
	seal_strv_release(&spec->place);
	seal_strv_release(&spec->exempt);
	seal_strv_release(&spec->loader);
	verify_spec_free_files(spec);
	verify_policy_free(spec->policy);
	free(spec->env);
	free(spec->cwd);
	free(spec);
}

void
verify_spec_freep(struct verify_spec **spec)
{
	verify_spec_free(*spec);
	*spec = NULL;
}

/* ---- What is needed after the start ---- */

int
verify_spec_forget(struct verify_spec **spec, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_SPEC_MAX);
	const struct seal_json *files = verify_spec_member((*spec)->json, "files");
	const struct seal_json *policy = verify_spec_member((*spec)->json, "verify");
	SEAL_SCOPED(verify_spec_freep) struct verify_spec *rest = NULL;
	struct seal_json *container = seal_json_set_object(json, "container");
	int r;

	seal_json_set_u64(json, "version", SPEC_VERSION);
	seal_json_set_str(container, "name", (*spec)->container);
	/* A spec runs something; this one is never run. */
	seal_json_add_str(seal_json_set_array(container, "command"), "/");
	if (files != NULL)
		seal_json_set_copy(json, "files", files);
	if (policy != NULL) /* the host is judged as long as the application runs */
		seal_json_set_copy(json, "verify", policy);
	r = seal_json_dump(json, false, &text, err);
	if (r == 0)
		r = verify_spec_parse(&rest, text.data, text.len, err);
	if (r < 0)
		return r;
	verify_spec_free(*spec);
	*spec = SEAL_TAKE(rest);
	return 0;
}

/* ---- Getters ---- */

const char *
verify_spec_container(const struct verify_spec *spec)
{
	return spec->container;
}

bool
verify_spec_is_exec(const struct verify_spec *spec)
{
	return spec->is_exec;
}

const struct seal_strv *
verify_spec_place(const struct verify_spec *spec)
{
	return &spec->place;
}

const struct seal_strv *
verify_spec_argv(const struct verify_spec *spec)
{
	return &spec->argv;
}

size_t
verify_spec_argv_literals(const struct verify_spec *spec)
{
	return spec->argv_literals;
}

const char *
verify_spec_cwd(const struct verify_spec *spec)
{
	return spec->cwd;
}

size_t
verify_spec_env_count(const struct verify_spec *spec)
{
	return spec->env_count;
}

const struct verify_env *
verify_spec_env(const struct verify_spec *spec, size_t index)
{
	return index < spec->env_count ? &spec->env[index] : NULL;
}

bool
verify_spec_env_is_literal(const struct verify_spec *spec, size_t index)
{
	return index < spec->image_env_count;
}

size_t
verify_spec_files_count(const struct verify_spec *spec)
{
	return spec->files_count;
}

const struct verify_files *
verify_spec_files(const struct verify_spec *spec, size_t index)
{
	return index < spec->files_count ? &spec->files[index] : NULL;
}

size_t
verify_spec_object_count(const struct verify_spec *spec)
{
	return spec->object_count;
}

const struct verify_object *
verify_spec_object(const struct verify_spec *spec, size_t index)
{
	return index < spec->object_count ? &spec->objects[index] : NULL;
}

const struct verify_policy *
verify_spec_policy(const struct verify_spec *spec)
{
	return spec->policy;
}

const struct seal_strv *
verify_spec_exempt(const struct verify_spec *spec)
{
	return &spec->exempt;
}

const struct seal_strv *
verify_spec_loader(const struct verify_spec *spec)
{
	return &spec->loader;
}
