/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of what was done and why.  Never a value: names, places and reasons only.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rot/inject/inject_internal.h"

static const char *const names[] = {
	[INJECT_SEALED] = "sealed", [INJECT_ADDED] = "added",    [INJECT_CHANGED] = "changed",
	[INJECT_LEFT] = "left",     [INJECT_WARNED] = "warning", [INJECT_UNCHANGED] = "unchanged",
};

const char *
inject_verdict_name(enum inject_verdict verdict)
{
	return names[verdict];
}

static char *
copy(const char *text)
{
	char *made = seal_strndup(text, strlen(text));

	/* Names come from a file that anybody may have written, and go to a terminal. */
	for (char *at = made; at != NULL && *at != '\0'; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	}
	return made;
}

/* "file:line:column" of what seal_tree_where says ("file:line:column: $.path"). */
static void
place_of(const struct inject_item *item, const struct seal_tree_node *node, char *out, size_t size)
{
	char *path;

	out[0] = '\0';
	if (node == NULL)
		return;
	seal_tree_where(item->tree, node, out, size);
	path = strstr(out, ": $");
	if (path != NULL)
		*path = '\0';
}

/*
 * A report that lacks a line for want of memory is worth more than none: the work itself will notice
 * when there is too little.
 */
void
inject_note(const struct inject_item *item, const struct seal_tree_node *node,
	    enum inject_verdict verdict, const char *why, const char *what, ...)
{
	struct inject_report *report = item->run->report;
	struct inject_line *grown = report->lines;
	char text[INJECT_WHAT_MAX];
	char where[512];
	va_list args;

	va_start(args, what);
	(void)vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	place_of(item, node, where, sizeof(where));
	if (report->line_count == 0 || (report->line_count & (report->line_count - 1)) == 0)
		grown = reallocarray(grown, report->line_count == 0 ? 1 : 2 * report->line_count,
				     sizeof(*grown));
	if (grown == NULL)
		return;
	report->lines = grown;
	grown[report->line_count] = (struct inject_line){
		.verdict = verdict,
		.object = copy(item->label),
		.what = copy(text),
		.why = copy(why != NULL ? why : ""),
		.where = copy(where),
	};
	report->line_count++;
}

void
inject_report_release(struct inject_report *report)
{
	for (size_t i = 0; i < report->line_count; i++) {
		free(report->lines[i].object);
		free(report->lines[i].what);
		free(report->lines[i].why);
		free(report->lines[i].where);
	}
	free(report->lines);
	*report = (struct inject_report){ 0 };
}
