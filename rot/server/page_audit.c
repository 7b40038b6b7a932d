/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest entries of the audit log.  What callers have put into them is text like any other; whether the log is whole
 * is for seal audit verify to say.
 */
#include "rot/server/page_internal.h"

#include <stdlib.h>
#include <string.h>

#include "rot/audit/entry.h"

#define ENTRIES        30
#define LOOKED_THROUGH 500 /* for those of one workload */

struct entries {
	struct audit_entry items[ENTRIES]; /* a ring */
	uint64_t count;
	const char *workload;
};

static int
take_entry(void *arg, uint64_t n, const void *text, size_t len, struct seal_err *err)
{
	struct entries *entries = arg;
	struct audit_entry *entry = &entries->items[entries->count % ENTRIES];
	int r = audit_entry_parse(entry, text, len, NULL);

	if (r < 0)
		return seal_fail(err, SEAL_E_SYSTEM, "entry %llu of the audit log is damaged",
				 N(n));
	if (entries->workload[0] == '\0' || strcmp(entries->workload, entry->workload) == 0)
		entries->count++;
	return 0;
}

static void
put_what(struct page *page, const struct audit_entry *entry)
{
	struct html *html = &page->html;

	html_put(html, "<td><span class=\"state %s\">%s</span></td><td>%s",
		 entry->refused ? "refused" : "done", entry->refused ? "refused" : "done",
		 audit_kind_name(entry->kind));
	if (entry->count > 1)
		html_put(html, " (%llu)", N(entry->count));
	html_put(html, "</td>");
}

static void
put_entry(struct page *page, const struct audit_entry *entry)
{
	struct html *html = &page->html;

	html_put(html, "<tr><td>");
	html_time(html, entry->time, page->facts->now);
	html_put(html, "</td>");
	put_what(page, entry);
	html_put(html, "<td class=\"wrap\">%s%s%s</td><td class=\"wrap\">", entry->actor,
		 entry->address[0] != '\0' ? " from " : "", entry->address);
	if (entry->workload[0] != '\0')
		html_put(html, "<a href=\"/workload/%s\">%s</a> ", entry->workload,
			 entry->workload);
	html_put(html, "%s%s%s</td></tr>\n", entry->subject,
		 entry->subject[0] != '\0' && entry->refused ? ": " : "", entry->reason);
}

static void
put_table(struct page *page, const struct entries *entries)
{
	uint64_t shown = entries->count < ENTRIES ? entries->count : ENTRIES;

	html_put(&page->html,
		 "<div class=\"scroll\" role=\"region\" aria-label=\"Audit log, the newest first\" "
		 "tabindex=\"0\"><table>\n<caption>Audit log, the newest "
		 "first</caption>\n<thead><tr>"
		 "<th scope=\"col\">When</th><th scope=\"col\">Result</th><th "
		 "scope=\"col\">What</th>"
		 "<th scope=\"col\">Who</th><th scope=\"col\">About</th></tr></thead>\n<tbody>\n");
	for (uint64_t i = 0; i < shown; i++)
		put_entry(page, &entries->items[(entries->count - 1 - i) % ENTRIES]);
	html_put(&page->html, "</tbody></table></div>\n");
}

static int
read_entries(struct page *page, struct entries *entries, struct seal_err *err)
{
	uint64_t back = entries->workload[0] == '\0' ? ENTRIES : LOOKED_THROUGH;
	SEAL_SCOPED(rot_audit_log_release) struct rot_audit_log log = { 0 };
	struct audit_tree tree = { 0 };
	int r = rot_store_audit_log(page->store, &log, err);

	if (r == SEAL_E_MISSING)
		return 0; /* one that an earlier version made, and that nobody has served since */
	if (r == 0)
		r = rot_store_audit_tree(page->store, &tree, err);
	if (r == 0 && tree.size > 0)
		r = rot_store_each_entry(page->store, tree.size > back ? tree.size - back : 0, back,
					 take_entry, entries, err);
	return r;
}

int
page_put_audit(struct page *page, const char *workload, struct seal_err *err)
{
	struct entries *entries = calloc(1, sizeof(*entries));
	int r;

	if (entries == NULL)
		return seal_fail_memory(err);
	entries->workload = workload;
	r = read_entries(page, entries, err);
	html_put(&page->html, "<section id=\"audit\" aria-labelledby=\"audit-h\">\n"
			      "<h2 id=\"audit-h\">Audit log</h2>\n");
	if (entries->count > 0)
		put_table(page, entries);
	else
		html_put(&page->html, "<p class=\"none\">Nothing of late.</p>\n");
	html_put(&page->html, "</section>\n");
	free(entries);
	return r;
}
