/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment as a list of variables, each set by somebody: who that is decides what it may be called
 * and whether $(NAME) finds it.  Nothing gets in but by put().  Sentences name variables and objects,
 * never a value.
 */

#include "config-verify/environment.h"

#include <assert.h>
#include <string.h>

#define FIRST_ROOM 64

/* Who sets a variable; in the order in which they replace each other. */
enum setter { BY_RUNTIME, BY_IMAGE, BY_HOST, BY_OWNER };

struct variable {
	struct seal_secret *text; /* NAME=value */
	size_t name_len;
	enum setter setter;
};

struct verify_environment {
	struct variable *variables;
	size_t count;
	size_t room;
	size_t len; /* bytes of all texts */
	char **strings;
};

/* One build of it. */
struct build {
	struct verify_environment *environment;
	const struct verify_spec *spec;
	const struct verify_surroundings *around;
	const struct verify_opener *opener;
	uint64_t gens[VERIFY_MAX_OBJECTS]; /* of each object of the spec, 0: not met */
};

/* ---- The list ---- */

static struct variable *
find(const struct verify_environment *environment, const char *name, size_t name_len)
{
	for (size_t i = 0; i < environment->count; i++) {
		struct variable *variable = &environment->variables[i];

		if (variable->name_len == name_len &&
		    memcmp(seal_secret_peek(variable->text), name, name_len) == 0)
			return variable;
	}
	return NULL;
}

static int
make_room(struct verify_environment *environment, struct seal_err *err)
{
	size_t room = environment->room == 0 ? FIRST_ROOM : environment->room * 2;
	struct variable *variables;

	if (environment->count < environment->room)
		return 0;
	variables = reallocarray(environment->variables, room, sizeof(*variables));
	if (variables == NULL)
		return seal_fail_memory(err);
	environment->variables = variables;
	environment->room = room;
	return 0;
}

/* Room has been made. */
static struct variable *
add(struct verify_environment *environment, size_t name_len)
{
	struct variable *variable;

	assert(environment->variables != NULL);
	variable = environment->variables + environment->count;
	*variable = (struct variable){ .name_len = name_len };
	environment->count++;
	return variable;
}

static int
join(struct seal_secret **ret_text, const char *name, size_t name_len, const void *value,
     size_t value_len, struct seal_err *err)
{
	size_t len;
	int r;

	if (memchr(value, '\0', value_len) != NULL)
		return seal_fail(err, SEAL_E_REFUSED,
				 "a variable cannot hold a value with a NUL: use a file for it");
	if (__builtin_add_overflow(name_len + 1, value_len, &len) || len > VERIFY_TEXT_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "a variable longer than %u bytes",
				 VERIFY_TEXT_MAX);
	r = seal_secret_new(ret_text, len, err);
	if (r < 0)
		return r;
	memcpy(seal_secret_bytes(*ret_text), name, name_len);
	seal_secret_bytes(*ret_text)[name_len] = '=';
	if (value_len > 0)
		memcpy(seal_secret_bytes(*ret_text) + name_len + 1, value, value_len);
	return 0;
}

static int
check_name(const struct build *build, const char *name, enum setter setter, struct seal_err *err)
{
	int r = verify_variable_check(name, err);

	if (r < 0 || !verify_is_loader_variable(name))
		return r;
	if (setter == BY_HOST)
		return seal_fail(err, SEAL_E_REFUSED,
				 "it chooses the code that runs, and never comes from the host");
	if (!seal_strv_contains(verify_spec_loader(build->spec), name))
		return seal_fail(err, SEAL_E_REFUSED,
				 "it chooses the code that runs, and its owner has not allowed it");
	return 0;
}

/* The only way in. */
static int
put(const struct build *build, const char *name, const void *value, size_t value_len,
    enum setter setter, struct seal_err *err)
{
	struct verify_environment *environment = build->environment;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	const size_t name_len = strlen(name);
	struct variable *variable = NULL;
	int r = check_name(build, name, setter, err);

	if (r == 0)
		r = join(&text, name, name_len, value_len > 0 ? value : "", value_len, err);
	if (r == 0)
		r = make_room(environment, err);
	if (r != 0)
		return seal_note(err, r, "variable %s", name);
	variable = find(environment, name, name_len);
	if (variable == NULL)
		variable = add(environment, name_len);
	else
		environment->len -= seal_secret_len(variable->text);
	environment->len += seal_secret_len(text);
	seal_secret_free(variable->text);
	variable->text = SEAL_TAKE(text);
	variable->setter = setter;
	return environment->len <= VERIFY_ENVIRONMENT_MAX
		       ? 0
		       : seal_fail(err, SEAL_E_LIMIT,
				   "all variables together are longer than %u bytes",
				   VERIFY_ENVIRONMENT_MAX);
}

static int
put_text(const struct build *build, const char *name, const char *value, enum setter setter,
	 struct seal_err *err)
{
	return put(build, name, value, strlen(value), setter, err);
}

/* ---- What the host gave ---- */

/* The value of the host's variable with exactly this name. */
static const char *
host_value(const struct build *build, const char *name)
{
	const size_t len = strlen(name);

	for (const char *const *at = build->around->host; *at != NULL; at++)
		if (strncmp(*at, name, len) == 0 && (*at)[len] == '=')
			return *at + len + 1;
	return NULL;
}

/* ---- Defaults ---- */

/* What a name of a host or of a terminal consists of. */
static bool
is_word(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_+";
	const size_t len = strlen(text);

	return len > 0 && len <= 255 && strspn(text, letters) == len;
}

static int
put_defaults(const struct build *build, struct seal_err *err)
{
	const struct verify_surroundings *around = build->around;
	const char *term = around->has_terminal ? host_value(build, "TERM") : NULL;
	int r = put_text(build, "PATH", VERIFY_DEFAULT_PATH, BY_RUNTIME, err);

	if (r == 0)
		r = put_text(build, "HOME", around->home, BY_RUNTIME, err);
	if (r == 0 && is_word(around->hostname))
		r = put_text(build, "HOSTNAME", around->hostname, BY_RUNTIME, err);
	if (r == 0 && term != NULL && is_word(term))
		r = put_text(build, "TERM", term, BY_RUNTIME, err);
	return r;
}

static int
put_exempt(const struct build *build, struct seal_err *err)
{
	const struct seal_strv *exempt = verify_spec_exempt(build->spec);
	int r = 0;

	for (size_t i = 0; r == 0 && i < exempt->count; i++) {
		const char *value = host_value(build, exempt->items[i]);

		if (value != NULL)
			r = put_text(build, exempt->items[i], value, BY_HOST, err);
	}
	return r;
}

/* ---- Sealed values ---- */

/* All values of an object that one environment holds are of one version of it. */
static int
check_version(struct build *build, const struct verify_object *object, uint64_t gen,
	      struct seal_err *err)
{
	for (size_t i = 0; i < verify_spec_object_count(build->spec); i++) {
		const struct verify_object *known = verify_spec_object(build->spec, i);

		if (strcmp(known->kind, object->kind) != 0 ||
		    strcmp(known->name, object->name) != 0)
			continue;
		if (build->gens[i] != 0 && build->gens[i] != gen)
			return seal_fail(
				err, SEAL_E_CONFLICT, "of two versions of it, %llu and %llu",
				(unsigned long long)build->gens[i], (unsigned long long)gen);
		build->gens[i] = gen;
		return 0;
	}
	return seal_fail(err, SEAL_E_BUG, "an object that the spec does not name");
}

static int
open_value(struct build *build, const struct verify_object *object, const char *key,
	   const char *sealed, struct seal_secret **ret_plain, struct verify_binding *ret_binding,
	   struct seal_err *err)
{
	const struct verify_opener *opener = build->opener;
	int r = opener->open(opener->arg, object, key, sealed, strlen(sealed), ret_plain,
			     ret_binding, err);

	/* The agent looks, too; an answer is used for what it says it is. */
	if (r == 0 && strcmp(ret_binding->key, key) != 0)
		r = seal_fail(err, SEAL_E_REFUSED, "it is another key's value");
	if (r == 0)
		r = check_version(build, object, ret_binding->gen, err);
	return r < 0 ? seal_note(err, r, "%s %s, key %s", object->kind, object->name, key) : 0;
}

static int
put_secret(const struct build *build, const char *name, const struct seal_secret *plain,
	   struct seal_err *err)
{
	return plain == NULL ? put(build, name, "", 0, BY_OWNER, err)
			     : put(build, name, seal_secret_peek(plain), seal_secret_len(plain),
				   BY_OWNER, err);
}

static int
put_object(struct build *build, const struct verify_env *env, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	const char *sealed = host_value(build, env->variable);
	struct verify_binding binding = { .gen = 0 };
	int r;

	if (sealed == NULL) {
		if (env->object.optional)
			return 0;
		return seal_fail(err, SEAL_E_MISSING,
				 "variable %s (%s %s, key %s): the host left it out", env->name,
				 env->object.kind, env->object.name, env->key);
	}
	r = open_value(build, &env->object, env->key, sealed, &plain, &binding, err);
	if (r < 0)
		return seal_note(err, r, "variable %s", env->name);
	return put_secret(build, env->name, plain, err);
}

static int
put_host(const struct build *build, const struct verify_env *env, struct seal_err *err)
{
	const char *value = host_value(build, env->variable);

	if (value == NULL)
		return seal_fail(err, SEAL_E_MISSING, "variable %s: the host left it out",
				 env->name);
	return put_text(build, env->name, value, BY_HOST, err);
}

/* One value of an object that is taken whole. */
static int
put_one_of(struct build *build, const struct verify_env *env, const char *key, const char *sealed,
	   uint64_t *ret_of, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes name = SEAL_BYTES(VERIFY_SPEC_MAX + VERIFY_NAME_MAX);
	struct verify_binding binding = { .gen = 0 };
	int r = open_value(build, &env->object, key, sealed, &plain, &binding, err);

	if (r == 0)
		r = seal_bytes_append_fmt(&name, err, "%s%s", env->prefix, key);
	if (r < 0)
		return r;
	*ret_of = binding.of;
	/* As the kubelet: a key that cannot be a variable's name becomes none. */
	if (verify_variable_check(seal_bytes_str(&name), NULL) < 0)
		return 0;
	return put_secret(build, seal_bytes_str(&name), plain, err);
}

static int
check_complete(const struct verify_env *env, uint64_t count, uint64_t of, struct seal_err *err)
{
	if (count == 0 && env->object.optional)
		return 0;
	if (count == 0)
		return seal_fail(err, SEAL_E_MISSING, "%s %s: the host left it out",
				 env->object.kind, env->object.name);
	if (count != of)
		return seal_fail(err, SEAL_E_MISSING, "%s %s has %llu values, %llu are here",
				 env->object.kind, env->object.name, (unsigned long long)of,
				 (unsigned long long)count);
	return 0;
}

/* Each of the host's variables once: of two with one name a program would see either. */
static bool
is_repeated(const struct build *build, const char *const *at)
{
	const size_t len = strcspn(*at, "=");

	for (const char *const *other = build->around->host; other < at; other++)
		if (strncmp(*other, *at, len + 1) == 0)
			return true;
	return false;
}

static int
put_from(struct build *build, const struct verify_env *env, struct seal_err *err)
{
	const size_t prefix_len = strlen(env->variable);
	uint64_t count = 0;
	uint64_t of = 0;

	for (const char *const *at = build->around->host; *at != NULL; at++) {
		char key[VERIFY_NAME_MAX + 1];
		const char *begin = *at + prefix_len;
		size_t len = strncmp(*at, env->variable, prefix_len) == 0 ? strcspn(begin, "=") : 0;
		int r;

		if (len == 0 || begin[len] != '=' || is_repeated(build, at))
			continue;
		if (len > VERIFY_NAME_MAX)
			return seal_fail(err, SEAL_E_LIMIT, "a variable %s… with too long a name",
					 env->variable);
		memcpy(key, begin, len);
		key[len] = '\0';
		r = put_one_of(build, env, key, begin + len + 1, &of, err);
		if (r < 0)
			return seal_note(err, r, "variables from %s %s", env->object.kind,
					 env->object.name);
		count++;
	}
	return check_complete(env, count, of, err);
}

/* ---- Literals ---- */

static int
put_expanded(const struct build *build, const struct verify_env *env, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(VERIFY_TEXT_MAX);
	int r = verify_expand(&value, env->value, verify_environment_lookup, build->environment,
			      err);

	if (r < 0)
		return seal_note(err, r, "variable %s", env->name);
	return put(build, env->name, seal_bytes_str(&value), value.len, BY_OWNER, err);
}

static int
put_env(struct build *build, size_t index, struct seal_err *err)
{
	const struct verify_env *env = verify_spec_env(build->spec, index);

	switch (env->kind) {
	case VERIFY_ENV_VALUE:
		return verify_spec_env_is_literal(build->spec, index)
			       ? put_text(build, env->name, env->value, BY_IMAGE, err)
			       : put_expanded(build, env, err);
	case VERIFY_ENV_OBJECT:
		return put_object(build, env, err);
	case VERIFY_ENV_HOST:
		return put_host(build, env, err);
	case VERIFY_ENV_FROM:
		return put_from(build, env, err);
	}
	return seal_fail(err, SEAL_E_BUG, "a variable of no kind");
}

/* ---- The whole ---- */

/*
 * The image's variables come first in the spec; what the host may say replaces those, as the kubelet's
 * own variables do, and is replaced by the owner's.
 */
static int
fill(struct build *build, struct seal_err *err)
{
	const size_t count = verify_spec_env_count(build->spec);
	size_t i = 0;
	int r = put_defaults(build, err);

	for (; r == 0 && i < count && verify_spec_env_is_literal(build->spec, i); i++)
		r = put_env(build, i, err);
	if (r == 0)
		r = put_exempt(build, err);
	for (; r == 0 && i < count; i++)
		r = put_env(build, i, err);
	return r;
}

static int
make_strings(struct verify_environment *environment, struct seal_err *err)
{
	environment->strings = calloc(environment->count + 1, sizeof(*environment->strings));
	if (environment->strings == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < environment->count; i++)
		environment->strings[i] = (char *)seal_secret_bytes(environment->variables[i].text);
	return 0;
}

int
verify_environment_new(struct verify_environment **ret_environment, const struct verify_spec *spec,
		       const struct verify_surroundings *around, const struct verify_opener *opener,
		       struct seal_err *err)
{
	SEAL_SCOPED(verify_environment_freep) struct verify_environment *environment = NULL;
	struct build build = { .spec = spec, .around = around, .opener = opener };
	int r;

	environment = calloc(1, sizeof(*environment));
	if (environment == NULL)
		return seal_fail_memory(err);
	build.environment = environment;
	r = fill(&build, err);
	if (r == 0)
		r = make_strings(environment, err);
	if (r < 0)
		return r;
	*ret_environment = SEAL_TAKE(environment);
	return 0;
}

void
verify_environment_free(struct verify_environment *environment)
{
	if (environment == NULL)
		return;
	for (size_t i = 0; i < environment->count; i++)
		seal_secret_free(environment->variables[i].text);
	free(environment->variables);
	free(environment->strings);
	free(environment);
}

void
verify_environment_freep(struct verify_environment **environment)
{
	verify_environment_free(*environment);
	*environment = NULL;
}

char *const *
verify_environment_strings(const struct verify_environment *environment)
{
	return environment->strings;
}

static const char *
value_of(const struct variable *variable)
{
	return variable == NULL ? NULL : seal_secret_chars(variable->text) + variable->name_len + 1;
}

const char *
verify_environment_get(const struct verify_environment *environment, const char *name)
{
	return value_of(find(environment, name, strlen(name)));
}

const char *
verify_environment_lookup(const void *environment, const char *name, size_t name_len)
{
	const struct variable *variable = find(environment, name, name_len);

	return variable == NULL || variable->setter < BY_HOST ? NULL : value_of(variable);
}
