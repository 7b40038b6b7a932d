/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The variables of a container spec: which they are, in which order, and where each comes from.  Their
 * values are found elsewhere.
 */

#include <string.h>

#include "config-verify/spec_internal.h"

/* ---- Of the image: "NAME=value" ---- */

static int
parse_image_variable(struct verify_spec *spec, const char *text, struct verify_env *env,
		     struct seal_err *err)
{
	const char *equals = text == NULL ? NULL : strchr(text, '=');
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes name = SEAL_BYTES(VERIFY_SPEC_MAX);
	int r;

	if (equals == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "an element that is not NAME=value");
	r = seal_bytes_append(&name, text, (size_t)(equals - text), err);
	if (r == 0)
		r = verify_variable_check(seal_bytes_str(&name), err);
	if (r < 0)
		return r;
	env->kind = VERIFY_ENV_VALUE;
	env->value = equals + 1;
	return verify_spec_keep(spec, seal_bytes_str(&name), &env->name, err);
}

static int
parse_image(struct verify_spec *spec, const struct seal_json *list, struct seal_err *err)
{
	for (size_t i = 0; list != NULL && i < seal_json_count(list); i++) {
		const char *text = seal_json_str(seal_json_at(list, i));
		int r = parse_image_variable(spec, text, &spec->env[spec->env_count], err);

		if (r < 0)
			return seal_note(err, r, "image: 'Env' %zu", i);
		spec->env_count++;
	}
	spec->image_env_count = spec->env_count;
	return 0;
}

/* ---- References ---- */

/* {"name", "key" when the reference has one, "optional"} */
static int
parse_reference(const struct seal_json *reference, bool has_key, const char *kind,
		struct verify_env *env, struct seal_err *err)
{
	static const char *const with_key[] = { "name", "key", "optional", NULL };
	static const char *const without[] = { "name", "optional", NULL };
	int r = seal_json_only(reference, has_key ? with_key : without, err);

	env->object.kind = kind;
	if (r == 0)
		r = seal_json_get_str(reference, "name", &env->object.name, err);
	if (r == 0 && has_key)
		r = seal_json_get_str(reference, "key", &env->key, err);
	if (r == 0)
		r = verify_spec_get_bool(reference, "optional", &env->object.optional, err);
	return r < 0 ? r
		     : verify_spec_check_object(kind, env->object.name, has_key ? env->key : NULL,
						err);
}

/* The one member of a union: SEAL_E_FORMAT for none and for several. */
static int
only_member(const struct seal_json *object, const char *const *known, const char **ret_name,
	    struct seal_err *err)
{
	const char *found = NULL;
	int r = seal_json_only(object, known, err);

	for (size_t i = 0; r == 0 && known[i] != NULL; i++) {
		if (verify_spec_member(object, known[i]) == NULL)
			continue;
		if (found != NULL)
			return seal_fail(err, SEAL_E_FORMAT, "both '%s' and '%s'", found, known[i]);
		found = known[i];
	}
	if (r < 0)
		return r;
	if (found == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "a source that is none");
	*ret_name = found;
	return 0;
}

static int
name_variable(struct verify_spec *spec, const char *prefix, size_t index, const char *suffix,
	      const char **ret_name, struct seal_err *err)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s%zu%s", prefix, index, suffix); /* it fits */
	return verify_spec_keep(spec, name, ret_name, err);
}

/* ---- envFrom ---- */

static int
parse_from(struct verify_spec *spec, const struct seal_json *from, size_t index,
	   struct verify_env *env, struct seal_err *err)
{
	static const char *const known[] = { "prefix", "configMapRef", "secretRef", NULL };
	const struct seal_json *map = NULL;
	const struct seal_json *secret = NULL;
	int r = seal_json_only(from, known, err);

	env->kind = VERIFY_ENV_FROM;
	env->prefix = "";
	if (r == 0)
		r = verify_spec_get_str(from, "prefix", &env->prefix, err);
	if (r == 0 && env->prefix[0] != '\0')
		r = verify_variable_check(env->prefix, err);
	if (r == 0)
		r = verify_spec_get_object(from, "configMapRef", &map, err);
	if (r == 0)
		r = verify_spec_get_object(from, "secretRef", &secret, err);
	if (r < 0)
		return r;
	if ((map == NULL) == (secret == NULL))
		return seal_fail(err, SEAL_E_FORMAT,
				 "neither a 'configMapRef' nor a 'secretRef', or both");
	r = map != NULL ? parse_reference(map, false, "ConfigMap", env, err)
			: parse_reference(secret, false, "Secret", env, err);
	if (r == 0)
		r = verify_spec_add_object(spec, &env->object, err);
	return r < 0 ? r : name_variable(spec, VERIFY_FROM_PREFIX, index, "_", &env->variable, err);
}

static int
parse_env_from(struct verify_spec *spec, const struct seal_json *list, struct seal_err *err)
{
	for (size_t i = 0; list != NULL && i < seal_json_count(list); i++) {
		const struct seal_json *from = seal_json_at(list, i);
		int r = seal_json_kind(from) == SEAL_JSON_OBJECT
				? parse_from(spec, from, i, &spec->env[spec->env_count], err)
				: seal_fail(err, SEAL_E_FORMAT, "not an object");

		if (r < 0)
			return seal_note(err, r, "'envFrom' %zu", i);
		spec->env_count++;
	}
	return 0;
}

/* ---- env ---- */

static int
parse_value_from(struct verify_spec *spec, const struct seal_json *from, struct verify_env *env,
		 struct seal_err *err)
{
	static const char *const known[] = { "configMapKeyRef", "secretKeyRef", "fieldRef",
					     "resourceFieldRef", NULL };
	const struct seal_json *source = NULL;
	const char *name = "";
	int r = only_member(from, known, &name, err);

	if (r == 0)
		r = seal_json_get_object(from, name, &source, err);
	if (r < 0)
		return r;
	if (strcmp(name, "configMapKeyRef") != 0 && strcmp(name, "secretKeyRef") != 0) {
		env->kind = VERIFY_ENV_HOST;
		return 0;
	}
	env->kind = VERIFY_ENV_OBJECT;
	r = parse_reference(source, true, name[0] == 'c' ? "ConfigMap" : "Secret", env, err);
	return r < 0 ? r : verify_spec_add_object(spec, &env->object, err);
}

static int
parse_variable(struct verify_spec *spec, const struct seal_json *variable, size_t index,
	       struct verify_env *env, struct seal_err *err)
{
	static const char *const known[] = { "name", "value", "valueFrom", NULL };
	const struct seal_json *from = NULL;
	int r = seal_json_only(variable, known, err);

	env->kind = VERIFY_ENV_VALUE;
	env->value = "";
	if (r == 0)
		r = seal_json_get_str(variable, "name", &env->name, err);
	if (r == 0)
		r = verify_variable_check(env->name, err);
	if (r == 0)
		r = verify_spec_get_str(variable, "value", &env->value, err);
	if (r == 0)
		r = verify_spec_get_object(variable, "valueFrom", &from, err);
	if (r < 0 || from == NULL)
		return r;
	if (env->value[0] != '\0')
		return seal_fail(err, SEAL_E_FORMAT, "%s: both 'value' and 'valueFrom'", env->name);
	env->value = NULL;
	r = parse_value_from(spec, from, env, err);
	if (r < 0)
		return seal_note(err, r, "%s", env->name);
	return name_variable(spec, VERIFY_ENV_VAR, index, "", &env->variable, err);
}

static int
parse_env(struct verify_spec *spec, const struct seal_json *list, struct seal_err *err)
{
	for (size_t i = 0; list != NULL && i < seal_json_count(list); i++) {
		const struct seal_json *variable = seal_json_at(list, i);
		int r = seal_json_kind(variable) == SEAL_JSON_OBJECT
				? parse_variable(spec, variable, i, &spec->env[spec->env_count],
						 err)
				: seal_fail(err, SEAL_E_FORMAT, "not an object");

		if (r < 0)
			return seal_note(err, r, "'env' %zu", i);
		spec->env_count++;
	}
	return 0;
}

int
verify_spec_parse_env(struct verify_spec *spec, const struct seal_json *image,
		      const struct seal_json *container, struct seal_err *err)
{
	const struct seal_json *of_image = NULL;
	const struct seal_json *from = NULL;
	const struct seal_json *env = NULL;
	size_t count;
	int r = verify_spec_get_array(image, "Env", VERIFY_MAX_ENV, &of_image, err);

	if (r == 0)
		r = verify_spec_get_array(container, "envFrom", VERIFY_MAX_ENV, &from, err);
	if (r == 0)
		r = verify_spec_get_array(container, "env", VERIFY_MAX_ENV, &env, err);
	if (r < 0)
		return r;
	count = (of_image == NULL ? 0 : seal_json_count(of_image)) +
		(from == NULL ? 0 : seal_json_count(from)) +
		(env == NULL ? 0 : seal_json_count(env));
	if (count > VERIFY_MAX_ENV)
		return seal_fail(err, SEAL_E_LIMIT, "more than %d variables", VERIFY_MAX_ENV);
	spec->env = calloc(count > 0 ? count : 1, sizeof(*spec->env));
	if (spec->env == NULL)
		return seal_fail_memory(err);
	r = parse_image(spec, of_image, err);
	if (r == 0)
		r = parse_env_from(spec, from, err);
	return r < 0 ? r : parse_env(spec, env, err);
}
