/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_SPEC_INTERNAL_H
#define SEAL_VERIFY_SPEC_INTERNAL_H

/* A container spec in memory, for the files that parse its parts. */

#include "base/json/json.h"
#include "config-verify/spec.h"

struct verify_spec {
	struct seal_json *json; /* what the pointers below borrow from */
	struct seal_strv owned; /* texts that are no members of it */
	const char *container;
	bool is_exec;
	struct seal_strv place;
	struct seal_strv argv;
	size_t argv_literals;
	char *cwd;
	struct verify_env *env;
	size_t env_count;
	size_t image_env_count; /* those from the image come first */
	struct verify_files *files;
	size_t files_count;
	struct verify_object objects[VERIFY_MAX_OBJECTS];
	size_t object_count;
	struct seal_strv exempt;
	struct seal_strv loader;
	struct verify_policy *policy; /* NULL: a spec of a probe, hook or place */
};

/* The image's variables, envFrom and env; either of image and container may be NULL. */
SEAL_CHECKED int verify_spec_parse_env(struct verify_spec *spec, const struct seal_json *image,
				       const struct seal_json *container, struct seal_err *err);
SEAL_CHECKED int verify_spec_parse_files(struct verify_spec *spec, const struct seal_json *files,
					 struct seal_err *err);
void verify_spec_free_files(struct verify_spec *spec);

/* Remember an object that is referred to, once. */
SEAL_CHECKED int verify_spec_add_object(struct verify_spec *spec,
					const struct verify_object *object, struct seal_err *err);
/* Keep a text as long as the spec. */
SEAL_CHECKED int verify_spec_keep(struct verify_spec *spec, const char *text, const char **ret_text,
				  struct seal_err *err);
/* A ConfigMap or Secret by its name, and a key of it (NULL: none in particular). */
SEAL_CHECKED int verify_spec_check_object(const char *kind, const char *name, const char *key,
					  struct seal_err *err);

/* A member that is there and not null; NULL otherwise. */
const struct seal_json *verify_spec_member(const struct seal_json *object, const char *name);
/* Such a member as a string or a truth value; the output stays when it is not there. */
SEAL_CHECKED int verify_spec_get_str(const struct seal_json *object, const char *name,
				     const char **ret_text, struct seal_err *err);
SEAL_CHECKED int verify_spec_get_bool(const struct seal_json *object, const char *name,
				      bool *ret_value, struct seal_err *err);
/* Such a member as an object or array, with at most max elements; NULL when it is not there. */
SEAL_CHECKED int verify_spec_get_object(const struct seal_json *object, const char *name,
					const struct seal_json **ret_object, struct seal_err *err);
SEAL_CHECKED int verify_spec_get_array(const struct seal_json *object, const char *name, size_t max,
				       const struct seal_json **ret_array, struct seal_err *err);

#endif
