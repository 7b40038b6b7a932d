/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_LEARN_INTERNAL_H
#define SEAL_VERIFY_LEARN_INTERNAL_H

/*
 * The parts of a proposal, one member each.  Builders of JSON keep their failures; what is returned are
 * those of the judges asked.
 */

#include "config-verify/finding.h"
#include "config-verify/learn.h"

typedef void (*learn_judge)(const struct verify_sight *sight, const struct verify_policy *policy,
			    struct verify_findings *findings);

/*
 * What is still found by a judge under the policy proposed so far: the judges themselves say what has to be
 * explained, so that none of their rules is told twice.
 */
SEAL_CHECKED int learn_ask(struct verify_findings **ret_findings, const struct seal_json *json,
			   const struct verify_sight *sight, learn_judge judge,
			   struct seal_err *err);
/* Replace a member by an empty object or list. */
struct seal_json *learn_renew_object(struct seal_json *json, const char *name);
struct seal_json *learn_renew_array(struct seal_json *json, const char *name);
/*
 * Can a policy say so?  What the host wrote may be no name, no text: it is left out, and stays found.  The
 * second form is for a member of a section, a text or, with is_list, one of several.
 */
bool learn_can_say(const char *section, const struct seal_json *value);
bool learn_can_say_text(const char *section, const char *member, bool is_list, const char *text);

SEAL_CHECKED int learn_mounts(struct seal_json *json, const struct verify_sight *sight,
			      struct seal_err *err);
SEAL_CHECKED int learn_hosts(struct seal_json *json, const struct verify_sight *sight,
			     struct seal_err *err);
SEAL_CHECKED int learn_resolv(struct seal_json *json, const struct verify_sight *sight,
			      struct seal_err *err);
/* Members pod.namespace and account. */
SEAL_CHECKED int learn_account(struct seal_json *json, struct seal_json *pod,
			       const struct verify_sight *sight, struct seal_err *err);

#endif
