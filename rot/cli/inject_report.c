/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was done, for people and for programs.  Names and reasons, never a value.
 */
#include <stdio.h>
#include <string.h>

#include "rot/cli/inject.h"

#define MAX_LINE   65536u
#define MAX_COLUMN 60

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

/* ---- The report, line by line: there may be a hundred thousand ---- */

static struct seal_json *
line_json(const struct inject_line *line)
{
	struct seal_json *json = seal_json_new();

	seal_json_set_str(json, "verdict", inject_verdict_name(line->verdict));
	seal_json_set_str(json, "object", line->object);
	seal_json_set_str(json, "what", line->what);
	seal_json_set_str(json, "why", line->why);
	seal_json_set_str(json, "where", line->where);
	return json;
}

static int
put_json(const struct inject_report *report, FILE *to, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(MAX_LINE);

	(void)fputs("{\n  \"lines\": [", to);
	for (size_t i = 0; i < report->line_count; i++) {
		SEAL_SCOPED(seal_json_freep)
		struct seal_json *json = line_json(&report->lines[i]);
		int r;

		seal_bytes_reset(&text);
		r = seal_json_dump(json, false, &text, err);
		if (r < 0)
			return r;
		(void)fprintf(to, "%s\n    %s", i > 0 ? "," : "", seal_bytes_str(&text));
	}
	(void)fprintf(to,
		      "\n  ],\n  \"sealed\": %zu,\n  \"documents\": %zu,\n  \"changed\": %zu\n}\n",
		      report->sealed, report->documents, report->changed);
	return 0;
}

static void
put_table(const struct inject_report *report, FILE *to)
{
	static const struct inject_line head = { .object = "OBJECT", .what = "WHAT", .why = "WHY" };
	int object = (int)strlen(head.object);
	int what = (int)strlen(head.what);

	for (size_t i = 0; i < report->line_count; i++) {
		const struct inject_line *line = &report->lines[i];

		object = (int)strlen(line->object) > object ? (int)strlen(line->object) : object;
		what = (int)strlen(line->what) > what ? (int)strlen(line->what) : what;
	}
	/* One long name does not push all others off the screen. */
	object = object > MAX_COLUMN ? MAX_COLUMN : object;
	what = what > MAX_COLUMN ? MAX_COLUMN : what;
	(void)fprintf(to, "%-9s  %-*s  %-*s  %s\n", "VERDICT", object, head.object, what, head.what,
		      head.why);
	for (size_t i = 0; i < report->line_count; i++) {
		const struct inject_line *line = &report->lines[i];

		(void)fprintf(to, "%-9s  %-*s  %-*s  %s%s%s\n", inject_verdict_name(line->verdict),
			      object, line->object, what, line->what, line->why,
			      line->why[0] != '\0' ? " " : "", line->where);
	}
}

int
cli_report_explain(const struct cli *cli, const struct inject_report *report, FILE *to,
		   struct seal_err *err)
{
	const char *format = cli->opt.explain_format;
	int r = 0;

	if (format != NULL && strcmp(format, "json") == 0)
		r = put_json(report, to, err);
	else
		put_table(report, to);
	if (r == 0 && (fflush(to) != 0 || ferror(to)))
		return seal_fail(err, SEAL_E_SYSTEM, "the report cannot be written");
	return r;
}
