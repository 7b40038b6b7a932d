/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_JUDGE_RIG_H
#define SEAL_TESTS_JUDGE_RIG_H

/*
 * What tests of judgements share: a list of findings, and what is expected of it.
 */

#include <criterion/criterion.h>
#include <string.h>

#include "config-verify/sysfiles.h"

#define FINDINGS SEAL_SCOPED(verify_findings_freep) struct verify_findings *

struct verify_findings *judge_none(void);
/* Nothing was found in what; otherwise the findings are the message. */
void judge_expect_clean(const struct verify_findings *findings, const char *what);
/* Something was, on the line and by the rule, and nothing by any other rule. */
void judge_expect(const struct verify_findings *findings, enum verify_rule rule, size_t line,
		  const char *what);
/* The same, whatever else was found. */
bool judge_has(const struct verify_findings *findings, enum verify_rule rule, size_t line);

struct verify_address judge_address(const char *text);
struct verify_network judge_network(const char *text);

#endif
