/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_UNJUDGED_H
#define SEAL_VERIFY_UNJUDGED_H

/*
 * What was not judged, and why: no finding about it means nothing.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err/err.h"
#include "config-verify/finding.h"

#define VERIFY_MAX_UNJUDGED 32

enum verify_lack {
	VERIFY_AS_ASKED,  /* what is looked at cannot have it, or it was left out by who asked */
	VERIFY_AS_FAILED, /* it should have been judged */
};

struct verify_unjudged {
	struct {
		const char *
			name; /* borrowed: a file, as the container names it, or a word for a thing */
		char reason[SEAL_ERR_TEXT_LEN];
		enum verify_lack lack;
	} list[VERIFY_MAX_UNJUDGED];
	size_t count;
};

void verify_unjudged_add(struct verify_unjudged *unjudged, const char *name, enum verify_lack lack,
			 const char *reason);
/* The files that were found not to be there or not to be readable (file.missing).  Borrows their names. */
void verify_unjudged_add_missing(struct verify_unjudged *unjudged,
				 const struct verify_findings *findings);
/* Is there anything that should have been judged? */
bool verify_unjudged_has_failed(const struct verify_unjudged *unjudged);

#endif
