/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_REPORT_H
#define SEAL_VERIFY_REPORT_H

/*
 * Findings, and the rules they may break, for people (one line each) and for programs (JSON).
 */

#include <stdbool.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "config-verify/finding.h"
#include "config-verify/unjudged.h"

#define VERIFY_REPORT_MAX (1024u * 1024) /* bytes; findings are bounded, and so are their texts */

/* A line for each finding, and one that counts those that were too many to keep. */
SEAL_CHECKED int verify_report_text(const struct verify_findings *findings, struct seal_bytes *out,
				    struct seal_err *err);
/*
 * {"ok":bool,"mode":"enforce","findings":[{"rule","file","line","found","expected"}],"more":n,
 * "unjudged":[{"name","reason"}]}; ok: nothing was found, and nothing failed to be judged; mode NULL is null: no policy.
 */
SEAL_CHECKED int verify_report_json(const struct verify_findings *findings,
				    const struct verify_unjudged *unjudged, const char *mode,
				    struct seal_bytes *out, struct seal_err *err);

/* The rules: aligned, or {"rules":[{"rule","demand"}]}. */
SEAL_CHECKED int verify_report_rules(bool is_json, struct seal_bytes *out, struct seal_err *err);

#endif
