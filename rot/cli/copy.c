/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of JSON from one tree into another, as the protocol uses them: lists hold texts or objects.
 */

#include "rot/cli/cli.h"

static void copy_object(struct seal_json *to, const struct seal_json *from);

void
cli_copy_array(struct seal_json *to, const struct seal_json *from)
{
	for (size_t i = 0; i < seal_json_count(from); i++) {
		const struct seal_json *value = seal_json_at(from, i);

		if (seal_json_kind(value) == SEAL_JSON_OBJECT)
			copy_object(seal_json_add_object(to), value);
		else if (seal_json_kind(value) == SEAL_JSON_STRING)
			seal_json_add_str(to, seal_json_str(value));
	}
}

static void
copy_member(struct seal_json *to, const char *name, const struct seal_json *value)
{
	switch (seal_json_kind(value)) {
	case SEAL_JSON_OBJECT:
		copy_object(seal_json_set_object(to, name), value);
		break;
	case SEAL_JSON_ARRAY:
		cli_copy_array(seal_json_set_array(to, name), value);
		break;
	case SEAL_JSON_STRING:
		seal_json_set_str(to, name, seal_json_str(value));
		break;
	case SEAL_JSON_NUMBER:
		seal_json_set_u64(to, name, seal_json_u64(value));
		break;
	case SEAL_JSON_BOOL:
		seal_json_set_bool(to, name, seal_json_bool(value));
		break;
	case SEAL_JSON_NULL:
		seal_json_set_null(to, name);
		break;
	}
}

static void
copy_object(struct seal_json *to, const struct seal_json *from)
{
	const char *name = NULL;

	while ((name = seal_json_next(from, name)) != NULL)
		copy_member(to, name, seal_json_member(from, name));
}

void
cli_copy_members(struct seal_json *to, const struct seal_json *from, const char *const *names)
{
	for (; *names != NULL; names++) {
		if (seal_json_has(from, *names))
			copy_member(to, *names, seal_json_member(from, *names));
	}
}
