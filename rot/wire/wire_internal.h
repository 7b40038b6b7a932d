/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_WIRE_INTERNAL_H
#define SEAL_ROT_WIRE_INTERNAL_H

/* Members of messages, read with suspicion; for the files of this room. */

#include "base/json/json.h"
#include "rot/wire/wire.h"

/* To whoever reads a message, a member that is missing is a malformed message, not a missing thing. */
int rot_wire_malformed(struct seal_err *err, int r);

/* A member that is a non-empty string, copied. */
SEAL_CHECKED int rot_wire_text(char **ret_text, const struct seal_json *object, const char *name,
			       struct seal_err *err);

typedef int (*rot_wire_check_fn)(const char *name, struct seal_err *err);

/* A member that is a list of distinct names. */
SEAL_CHECKED int rot_wire_names(struct seal_strv *list, const struct seal_json *object,
				const char *name, size_t max, rot_wire_check_fn check,
				struct seal_err *err);
/* A member that is one name, copied into room for max letters. */
SEAL_CHECKED int rot_wire_name(char *out, size_t max, const struct seal_json *object,
			       const char *name, rot_wire_check_fn check, struct seal_err *err);

/* Member "floor", sorted by object.  Both outputs change on success only. */
SEAL_CHECKED int rot_wire_floor(struct rot_floor **ret_floor, size_t *ret_count,
				const struct seal_json *json, struct seal_err *err);
void rot_wire_set_floor(struct seal_json *json, const struct rot_floor *floor, size_t count);

#endif
