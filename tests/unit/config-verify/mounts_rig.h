/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_MOUNTS_RIG_H
#define SEAL_TESTS_MOUNTS_RIG_H

/* Mount tables for tests: an ordinary container's, changed line by line. */

#include <stddef.h>

#include "config-verify/mounts.h"

/* Parsed, or NULL with the code in *ret_code (which may be NULL). */
struct verify_mountinfo *rig_parse(const char *text, int *ret_code);

/* The lines of a container that has no more than what every runtime mounts. */
extern const char rig_plain[];
/* Its own lines in the order of this; two of them follow, /etc/app read-only and /cache in memory. */
extern const char rig_declared[];
/* What declares those two, and an account where account says yes. */
extern const struct verify_policy rig_policy;

/* text with a line at its end; both on the heap for as long as the test runs. */
const char *rig_with(const char *text, const char *line);
/* text where one piece, which must occur, is another. */
const char *rig_where(const char *text, const char *piece, const char *other);

/* Which links the image has; all of them, unless a test says otherwise. */
extern unsigned rig_links;
/* Judged: fails the test where the text cannot be parsed. */
struct verify_findings *rig_judge(const char *text, const struct verify_policy *policy);
/* Nothing is found; what names the case. */
void rig_expect_none(const char *text, const struct verify_policy *policy, const char *what);
/* This rule is found, and no other. */
void rig_expect(const char *text, const struct verify_policy *policy, enum verify_rule rule,
		const char *what);
/* This rule is found, and perhaps others. */
void rig_expect_among(const char *text, const struct verify_policy *policy, enum verify_rule rule,
		      const char *what);
/* A table of ours, and this line more: the line is found to break this rule, alone. */
void rig_expect_line(const char *line, enum verify_rule rule);
void rig_expect_good_line(const char *line);

#endif
