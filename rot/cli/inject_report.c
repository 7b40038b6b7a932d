/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was done, for people and for programs.  Names and reasons, never a value.
 */
#include <stdio.h>
#include <string.h>

#include "rot/cli/inject.h"

#define MAX_TEXT (64u * 1024 * 1024)

static const struct cli_column columns[] = {
	{ "VERDICT", "verdict", CLI_TEXT }, { "OBJECT", "object", CLI_TEXT },
	{ "WHAT", "what", CLI_TEXT },       { "WHY", "why", CLI_TEXT },
	{ "WHERE", "where", CLI_TEXT },
};

/* What somebody should know who did not ask. */
static bool
is_worth_saying(const struct inject_line *line)
{
	return line->verdict == INJECT_LEFT || line->verdict == INJECT_WARNED ||
	       (line->verdict == INJECT_UNCHANGED && strcmp(line->why, "sealed before") == 0);
}

void
cli_report_notes(const struct inject_report *report)
{
	for (size_t i = 0; i < report->line_count; i++) {
		const struct inject_line *line = &report->lines[i];

		if (is_worth_saying(line))
			(void)fprintf(stderr, "seal: %s: %s: %s%s%s (%s)\n",
				      inject_verdict_name(line->verdict), line->object, line->what,
				      line->why[0] != '\0' ? ": " : "", line->why, line->where);
	}
}

static struct seal_json *
to_json(const struct inject_report *report)
{
	struct seal_json *json = seal_json_new();
	struct seal_json *lines = seal_json_set_array(json, "lines");

	for (size_t i = 0; i < report->line_count; i++) {
		const struct inject_line *line = &report->lines[i];
		struct seal_json *to = seal_json_add_object(lines);

		seal_json_set_str(to, "verdict", inject_verdict_name(line->verdict));
		seal_json_set_str(to, "object", line->object);
		seal_json_set_str(to, "what", line->what);
		seal_json_set_str(to, "why", line->why);
		seal_json_set_str(to, "where", line->where);
	}
	seal_json_set_u64(json, "sealed", report->sealed);
	seal_json_set_u64(json, "documents", report->documents);
	seal_json_set_u64(json, "changed", report->changed);
	return json;
}

int
cli_report_explain(const struct cli *cli, const struct inject_report *report, FILE *to,
		   struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(MAX_TEXT);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = to_json(report);
	enum cli_format format = CLI_TABLE;
	int r = 0;

	if (cli->opt.explain_format != NULL)
		r = cli_format_parse(&format, cli->opt.explain_format, err);
	if (r == 0)
		r = cli_render_list(format, json, "lines", columns, SEAL_COUNT(columns), &text,
				    err);
	if (r < 0)
		return r;
	if (fwrite(seal_bytes_str(&text), 1, text.len, to) != text.len || fflush(to) != 0)
		return seal_fail(err, SEAL_E_SYSTEM, "the report cannot be written");
	return 0;
}
