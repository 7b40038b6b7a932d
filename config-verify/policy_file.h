/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_POLICY_FILE_H
#define SEAL_VERIFY_POLICY_FILE_H

/*
 * A policy as people keep it: a file of YAML or JSON that is the policy, or one that has it as the member
 * "verify", as the spec of a container does.
 */

#include <stddef.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "config-verify/policy.h"

#define VERIFY_POLICY_FILE_MAX (128u * 1024) /* a spec in clear among them */

/* Append the file's text; "-" is standard input. */
SEAL_CHECKED int verify_policy_file_read(struct seal_bytes *out, const char *path,
					 struct seal_err *err);

/*
 * From such a text; name is what the sentence calls it (the path), "name:line:column" where the text
 * is no YAML.
 * SEAL_E_FORMAT, SEAL_E_LIMIT, SEAL_E_REFUSED.
 */
SEAL_CHECKED int verify_policy_file_parse(struct verify_policy **ret_policy, const char *name,
					  const char *text, size_t text_len, struct seal_err *err);

#endif
