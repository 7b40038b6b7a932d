/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_RESOLV_OPTIONS_H
#define SEAL_VERIFY_RESOLV_OPTIONS_H

/*
 * The options of resolv.conf(5): known ones, each once.
 */

#include "config-verify/sysfiles_internal.h"

#define VERIFY_MAX_OPTIONS 32 /* there are fewer */

/* Those met so far, as they stand in the file.  All zero is none. */
struct verify_resolv_options {
	struct verify_words met[VERIFY_MAX_OPTIONS];
	size_t count;
};

/* The words of one line. */
void verify_resolv_options_judge(struct verify_resolv_options *options, struct verify_words rest,
				 size_t line, const struct verify_policy *policy,
				 struct verify_findings *findings);
/* Behind the last line: what should be there and is not. */
void verify_resolv_options_end(const struct verify_resolv_options *options,
			       const struct verify_policy *policy,
			       struct verify_findings *findings);

#endif
