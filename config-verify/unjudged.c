/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A short list, for there are not many things that can be judged.
 */

#include "config-verify/unjudged.h"

#include <stdio.h>

void
verify_unjudged_add(struct verify_unjudged *unjudged, const char *name, enum verify_lack lack,
		    const char *reason)
{
	if (unjudged->count == VERIFY_MAX_UNJUDGED)
		return; /* cannot be: there are not so many files and things */
	unjudged->list[unjudged->count].name = name;
	unjudged->list[unjudged->count].lack = lack;
	(void)snprintf(unjudged->list[unjudged->count].reason,
		       sizeof(unjudged->list[unjudged->count].reason), "%s", reason);
	unjudged->count++;
}

void
verify_unjudged_add_missing(struct verify_unjudged *unjudged,
			    const struct verify_findings *findings)
{
	const struct verify_finding *finding;

	for (size_t i = 0; (finding = verify_findings_at(findings, i)) != NULL; i++)
		if (finding->rule == VERIFY_RULE_FILE_MISSING)
			verify_unjudged_add(unjudged, finding->file, VERIFY_AS_FAILED,
					    finding->found);
}

bool
verify_unjudged_has_failed(const struct verify_unjudged *unjudged)
{
	for (size_t i = 0; i < unjudged->count; i++)
		if (unjudged->list[i].lack == VERIFY_AS_FAILED)
			return true;
	return false;
}
