/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of what was done and why.  Never a value: names, places and reasons only.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Names come from a file that anybody may have written, and go to a terminal. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

/* All texts of a line in one block, which object points to; the reasons are literals. */
static bool
fill_line(struct inject_line *line, const char *object, const char *what, const char *where)
{
	const size_t lens[] = { strlen(object) + 1, strlen(what) + 1, strlen(where) + 1 };
	char *block = malloc(lens[0] + lens[1] + lens[2]);

	if (block == NULL)
		return false;
	memcpy(block, object, lens[0]);
	memcpy(block + lens[0], what, lens[1]);
	memcpy(block + lens[0] + lens[1], where, lens[2]);
	for (size_t i = 0, at = 0; i < SEAL_COUNT(lens); at += lens[i++])
		make_printable(block + at);
	line->object = block;
	line->what = block + lens[0];
	line->where = block + lens[0] + lens[1];
	return true;
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
	char where[512] = "";
	va_list args;

	if (item->run->options->brief && verdict != INJECT_LEFT && verdict != INJECT_WARNED &&
	    verdict != INJECT_UNCHANGED)
		return;
	va_start(args, what);
	(void)vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	if (node != NULL)
		seal_tree_place(item->tree, node, where, sizeof(where));
	if (report->line_count == 0 || (report->line_count & (report->line_count - 1)) == 0)
		grown = reallocarray(grown, report->line_count == 0 ? 1 : 2 * report->line_count,
				     sizeof(*grown));
	if (grown == NULL)
		return;
	report->lines = grown;
	grown[report->line_count] =
		(struct inject_line){ .verdict = verdict, .why = why != NULL ? why : "" };
	if (fill_line(&grown[report->line_count], item->label, text, where))
		report->line_count++;
}

void
inject_report_release(struct inject_report *report)
{
	for (size_t i = 0; i < report->line_count; i++) {
		free((void *)(uintptr_t)report->lines[i].object); /* the block of all three */
	}
	free(report->lines);
	*report = (struct inject_report){ 0 };
}
