/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How findings are shown.  What they are, and that their texts can be printed, is finding.c's.
 */

#include "config-verify/report.h"

#include <string.h>

#include "base/json/json.h"

static size_t
count_kept(const struct verify_findings *findings)
{
	size_t kept = 0;

	while (verify_findings_at(findings, kept) != NULL)
		kept++;
	return kept;
}

int
verify_report_text(const struct verify_findings *findings, struct seal_bytes *out,
		   struct seal_err *err)
{
	const size_t kept = count_kept(findings);
	const size_t more = verify_findings_count(findings) - kept;
	int r = 0;

	for (size_t i = 0; r == 0 && i < kept; i++) {
		r = verify_finding_format(verify_findings_at(findings, i), out, err);
		if (r == 0)
			r = seal_bytes_append_str(out, "\n", err);
	}
	if (r == 0 && more > 0)
		r = seal_bytes_append_fmt(out, err, "and %zu more\n", more);
	return r;
}

/* ---- JSON ---- */

static int
dump(const struct seal_json *json, struct seal_bytes *out, struct seal_err *err)
{
	int r = seal_json_dump(json, true, out, err);

	return r < 0 ? r : seal_bytes_append_str(out, "\n", err);
}

static void
add_finding(struct seal_json *list, const struct verify_finding *finding)
{
	struct seal_json *json = seal_json_add_object(list);

	seal_json_set_str(json, "rule", verify_rule_name(finding->rule));
	seal_json_set_str(json, "file", finding->file);
	seal_json_set_u64(json, "line", finding->line);
	seal_json_set_str(json, "found", finding->found);
	seal_json_set_str(json, "expected", finding->expected);
}

int
verify_report_json(const struct verify_findings *findings, const struct verify_unjudged *unjudged,
		   const char *mode, struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	const size_t kept = count_kept(findings);
	struct seal_json *list;

	seal_json_set_bool(json, "ok",
			   verify_findings_count(findings) == 0 &&
				   !verify_unjudged_has_failed(unjudged));
	if (mode != NULL)
		seal_json_set_str(json, "mode", mode);
	else
		seal_json_set_null(json, "mode");
	list = seal_json_set_array(json, "findings");
	for (size_t i = 0; i < kept; i++)
		add_finding(list, verify_findings_at(findings, i));
	seal_json_set_u64(json, "more", verify_findings_count(findings) - kept);
	list = seal_json_set_array(json, "unjudged");
	for (size_t i = 0; i < unjudged->count; i++) {
		struct seal_json *one = seal_json_add_object(list);

		seal_json_set_str(one, "name", unjudged->list[i].name);
		seal_json_set_str(one, "reason", unjudged->list[i].reason);
	}
	return dump(json, out, err);
}

/* ---- Rules ---- */

static int
put_rules(struct seal_bytes *out, struct seal_err *err)
{
	size_t width = 0;
	int r = 0;

	for (unsigned i = 0; i < VERIFY_RULE_COUNT; i++) {
		const size_t len = strlen(verify_rule_name((enum verify_rule)i));

		width = len > width ? len : width;
	}
	for (unsigned i = 0; r == 0 && i < VERIFY_RULE_COUNT; i++)
		r = seal_bytes_append_fmt(out, err, "%-*s  %s\n", (int)width,
					  verify_rule_name((enum verify_rule)i),
					  verify_rule_demand((enum verify_rule)i));
	return r;
}

int
verify_report_rules(bool is_json, struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	struct seal_json *list;

	if (!is_json)
		return put_rules(out, err);
	json = seal_json_new();
	list = seal_json_set_array(json, "rules");
	for (unsigned i = 0; i < VERIFY_RULE_COUNT; i++) {
		struct seal_json *rule = seal_json_add_object(list);

		seal_json_set_str(rule, "rule", verify_rule_name((enum verify_rule)i));
		seal_json_set_str(rule, "demand", verify_rule_demand((enum verify_rule)i));
	}
	return dump(json, out, err);
}
