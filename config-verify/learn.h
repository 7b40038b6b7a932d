/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_LEARN_H
#define SEAL_VERIFY_LEARN_H

/*
 * A policy proposed from what a running container has.  It says what is, not what should be: what the rules
 * of the system forbid is never put into it, everything else is, and somebody has to look at each line.
 */

#include <stdbool.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/json/json.h"
#include "config-verify/mountinfo.h"
#include "config-verify/sysfiles.h"
#include "config-verify/target.h"

/* What was seen of a container.  A file that is not there, or cannot be read, is empty. */
struct verify_sight {
	const struct verify_mountinfo *info;
	struct seal_bytes hosts;
	struct seal_bytes resolv;
	struct seal_bytes ns; /* the service account's */
	struct seal_bytes ca;
	struct seal_bytes token;
	struct verify_self self;
	const char *const *environment; /* NULL: not looked at */
};

/* The object of policy.h, which verify_policy_parse takes. */
SEAL_CHECKED int verify_learn(struct seal_json **ret_policy, const struct verify_sight *sight,
			      struct seal_err *err);
/* The same, from what the target shows; SEAL_E_FORMAT when its mount table cannot be understood. */
SEAL_CHECKED int verify_learn_target(struct seal_json **ret_policy,
				     const struct verify_target *target, struct seal_err *err);
/* As YAML with a comment to each part, or as JSON. */
SEAL_CHECKED int verify_learn_write(const struct seal_json *policy, bool is_yaml,
				    struct seal_bytes *out, struct seal_err *err);

#endif
